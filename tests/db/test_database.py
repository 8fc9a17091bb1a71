"""Connections and transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import asyncpg
import pytest

from simyard.db.database import Database, DatabaseUnusable, RolledBack, Tx, location


async def make_table(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("CREATE TABLE thing (n int PRIMARY KEY)")


async def things(database: Database) -> list[int]:
    async with database.connection() as connection:
        return [row["n"] for row in await connection.fetch("SELECT n FROM thing ORDER BY n")]


async def test_a_transaction_commits_when_its_block_ends(database: Database) -> None:
    await make_table(database)
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO thing VALUES (1)")
    assert await things(database) == [1]


async def test_a_transaction_rolls_back_when_its_block_raises(database: Database) -> None:
    await make_table(database)
    with pytest.raises(LookupError):
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO thing VALUES (1)")
            raise LookupError
    assert await things(database) == []


async def test_a_transaction_rolls_back_when_its_task_is_cancelled(database: Database) -> None:
    await make_table(database)
    inserted = asyncio.Event()

    async def insert_and_wait() -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO thing VALUES (1)")
            inserted.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(insert_and_wait())
    await inserted.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await things(database) == []


async def test_a_savepoint_keeps_the_rest_of_the_transaction(database: Database) -> None:
    await make_table(database)
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO thing VALUES (1)")
        with pytest.raises(asyncpg.UniqueViolationError):
            async with tx.transaction():
                await tx.execute("INSERT INTO thing VALUES (1)")
        await tx.execute("INSERT INTO thing VALUES (2)")
    assert await things(database) == [1, 2]


async def test_committing_after_an_ignored_failure_is_an_error_and_not_silently_a_rollback(
    database: Database,
) -> None:
    await make_table(database)
    with pytest.raises(RolledBack):
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO thing VALUES (1)")
            with pytest.raises(asyncpg.UniqueViolationError):
                await tx.execute("INSERT INTO thing VALUES (1)")
    assert await things(database) == []


async def test_what_failed_in_the_block_is_raised_when_the_connection_is_gone_too(database: Database) -> None:
    with pytest.raises(LookupError):
        async with database.transaction() as tx:
            await tx.close()
            raise LookupError
    async with database.transaction() as tx:
        assert await tx.fetchval("SELECT 1") == 1


async def test_the_session_is_set_up(database: Database) -> None:
    async with database.transaction() as tx:
        assert await tx.fetchval("SHOW timezone") == "UTC"
        assert await tx.fetchval("SHOW statement_timeout") == "30s"
        assert await tx.fetchval("SHOW idle_in_transaction_session_timeout") == "30s"
        assert await tx.fetchval("SHOW transaction_isolation") == "read committed"
        assert await tx.fetchval("SHOW jit") == "off"


async def test_synchronous_commit_can_be_switched_off(database_url: str) -> None:
    database = await Database.connect(database_url, synchronous_commit=False)
    async with database.connection() as connection:
        assert await connection.fetchval("SHOW synchronous_commit") == "off"
    await database.close()


async def test_jsonb_is_plain_values(database: Database) -> None:
    value = {"a": [1, 2.5, None, "é"], "when": datetime(2026, 3, 1, tzinfo=UTC)}
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT $1::jsonb", value) == {
            "a": [1, 2.5, None, "é"],
            "when": "2026-03-01T00:00:00Z",
        }
        assert await connection.fetchval("SELECT $1::json", [1]) == [1]
        assert await connection.fetchval("SELECT $1::jsonb[]", [{"a": 1}, 2]) == [{"a": 1}, 2]


async def test_a_released_connection_costs_no_statement(database: Database, database_url: str) -> None:
    async with database.connection() as connection:
        process = connection.get_server_pid()
        await connection.execute("SELECT 'marker'")
    observer = await asyncpg.connect(database_url)
    last = await observer.fetchval("SELECT query FROM pg_stat_activity WHERE pid = $1", process)
    await observer.close()
    assert last == "SELECT 'marker'"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://user:secret@127.0.0.1:1/shop", "127.0.0.1:1, database shop"),
        ("postgresql://user:secret@/shop?host=/nonexistent", "/nonexistent, database shop"),
    ],
)
async def test_an_unreachable_server_is_named_without_its_password(url: str, said: str) -> None:
    with pytest.raises(DatabaseUnusable, match=said) as caught:
        await Database.connect(url)
    assert "secret" not in str(caught.value)


async def test_a_missing_database_is_named(database_url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="does not exist"):
        await Database.connect(database_url.replace("/test_", "/missing_"))


def test_the_location_of_a_url_leaves_the_password_out() -> None:
    assert (
        location("postgresql://u:secret@db.example:5433/shop?sslmode=require")
        == "db.example:5433, database shop"
    )
    assert location("postgresql:///shop") == "a local socket, database shop"
    assert location("postgresql://[broken") == "a malformed URL"


async def test_work_that_lost_a_deadlock_is_done_again(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute("CREATE TABLE thing (id integer PRIMARY KEY, count integer NOT NULL)")
        await tx.execute("INSERT INTO thing VALUES (1, 0), (2, 0)")
    both = asyncio.Barrier(2)
    tries = 0

    def add(first: int, second: int) -> Callable[[Tx], Awaitable[None]]:
        async def work(tx: Tx) -> None:
            nonlocal tries
            tries += 1
            await tx.execute("UPDATE thing SET count = count + 1 WHERE id = $1", first)
            if tries <= 2:
                # Both hold their first row before either asks for the other's.
                await both.wait()
            await tx.execute("UPDATE thing SET count = count + 1 WHERE id = $1", second)

        return work

    await asyncio.gather(database.run(add(1, 2)), database.run(add(2, 1)))
    async with database.connection() as tx:
        rows = await tx.fetch("SELECT count FROM thing ORDER BY id")
    assert [row["count"] for row in rows] == [2, 2]
    assert tries > 2
