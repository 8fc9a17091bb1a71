"""The listener: notifications, and what happens when its connection is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from simyard.db.database import Database
from simyard.db.listen import Listener

Heard = asyncio.Queue[str | None]


@asynccontextmanager
async def running(listener: Listener) -> AsyncIterator[None]:
    task = asyncio.create_task(listener.run())
    try:
        async with asyncio.timeout(20):
            yield
        listener.stop()
        async with asyncio.timeout(20):
            await task
    finally:
        task.cancel()


async def notify(database: Database, channel: str, payload: str) -> None:
    async with database.connection() as connection:
        await connection.execute("SELECT pg_notify($1, $2)", channel, payload)


async def test_a_handler_hears_its_channel_only(database: Database, database_url: str) -> None:
    listener, heard, other = Listener(database_url), Heard(), Heard()
    listener.on("mine", heard.put_nowait)
    listener.on("other", other.put_nowait)
    async with running(listener):
        assert await heard.get() is None
        assert await other.get() is None
        await notify(database, "mine", "1")
        await notify(database, "other", "2")
        assert await heard.get() == "1"
        assert await other.get() == "2"
    assert heard.empty()


async def test_a_lost_connection_is_made_again_and_handlers_are_told(
    database: Database, database_url: str
) -> None:
    listener, heard = Listener(database_url), Heard()
    listener.on("mine", heard.put_nowait)
    async with running(listener):
        assert await heard.get() is None
        async with database.connection() as connection:
            killed = await connection.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'simyard listener'"
            )
        assert killed == 1
        assert await heard.get() is None
        await notify(database, "mine", "after")
        assert await heard.get() == "after"
    assert listener.connects == 2


async def test_a_handler_may_be_added_while_listening(database: Database, database_url: str) -> None:
    listener, first, second, same = Listener(database_url), Heard(), Heard(), Heard()
    listener.on("first", first.put_nowait)
    async with running(listener):
        assert await first.get() is None
        listener.on("second", second.put_nowait)
        listener.on("first", same.put_nowait)
        assert await second.get() is None
        assert await same.get() is None
        await notify(database, "second", "x")
        await notify(database, "first", "y")
        assert await second.get() == "x"
        assert await first.get() == "y"
        assert await same.get() == "y"


async def test_a_handler_that_raises_does_not_stop_the_others(
    database: Database, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(payload: str | None) -> None:
        raise LookupError

    listener, heard = Listener(database_url), Heard()
    listener.on("mine", broken)
    listener.on("mine", heard.put_nowait)
    async with running(listener):
        assert await heard.get() is None
        await notify(database, "mine", "1")
        assert await heard.get() == "1"
    assert len(caplog.records) == 2


async def test_an_unreachable_server_is_tried_again_until_stopped() -> None:
    tries = asyncio.Queue[None]()

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tries.put_nowait(None)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    listener = Listener(f"postgresql://nobody@127.0.0.1:{port}/nothing?sslmode=disable")
    async with server, running(listener):
        await tries.get()
        await tries.get()
    assert listener.connects == 0
