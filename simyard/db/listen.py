"""The listener: hears NOTIFY on one connection of its own, and reconnects when it is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeAlias

import asyncpg

from simyard.db.database import CONNECT_SECONDS_MAX, Tx, location

log = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[str | None], None]

BACKOFF_SECONDS_MIN: Final = 0.1
BACKOFF_SECONDS_MAX: Final = 10.0
# How often a silent connection is asked for a sign of life.
SILENCE_SECONDS_MAX: Final = 30.0


class Listener:
    """Calls handlers with the payload of each notification on their channel.

    A handler is called with None each time the connection has been made, also the first time: what was announced before
    was not heard, so look for yourself.
    """

    def __init__(self, url: str) -> None:
        self.connects = 0
        self._url = url
        self._handlers: dict[str, list[Handler]] = {}
        self._something_changed = asyncio.Event()
        self._stopped = False

    def on(self, channel: str, handler: Callable[[str | None], None]) -> None:
        """Adds a handler, before or during `run`. Handlers must return at once: set an event, wake a loop."""
        self._handlers.setdefault(channel, []).append(handler)
        self._something_changed.set()

    def stop(self) -> None:
        """Ends `run`."""
        self._stopped = True
        self._something_changed.set()

    async def run(self) -> None:
        """Listens until `stop`."""
        backoff_seconds = BACKOFF_SECONDS_MIN
        while not self._stopped:
            connects = self.connects
            try:
                await self._listen()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if self.connects > connects:
                    backoff_seconds = BACKOFF_SECONDS_MIN
                log.warning(
                    "listening at %s: %s; next try in %.1f s", location(self._url), error, backoff_seconds
                )
                await self._wait_unless_stopped(backoff_seconds)
                backoff_seconds = min(backoff_seconds * 2, BACKOFF_SECONDS_MAX)

    async def _listen(self) -> None:
        """Listens on one connection until it is lost, which raises, or `stop`."""
        connection = await asyncpg.connect(
            self._url,
            timeout=CONNECT_SECONDS_MAX,
            command_timeout=CONNECT_SECONDS_MAX,
            server_settings={"application_name": "simyard listener"},
        )
        try:
            connection.add_termination_listener(self._lost)
            heard: dict[str, int] = {}
            connected_before = False
            while not self._stopped:
                self._something_changed.clear()
                for channel in self._handlers.keys() - heard.keys():
                    await connection.add_listener(channel, self._heard)
                if not connected_before:
                    self.connects += 1
                    connected_before = True
                for channel, handlers in list(self._handlers.items()):
                    for handler in handlers[heard.get(channel, 0) :]:
                        _call(handler, None)
                    heard[channel] = len(handlers)
                if not await self._changed_within(SILENCE_SECONDS_MAX) or connection.is_closed():
                    await connection.execute("SELECT 1")
        finally:
            connection.remove_termination_listener(self._lost)
            await _close(connection)

    def _heard(self, connection: Tx, process: int, channel: str, payload: object) -> None:
        for handler in self._handlers.get(channel, ()):
            _call(handler, str(payload))

    def _lost(self, connection: Tx) -> None:
        self._something_changed.set()

    async def _changed_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._something_changed.wait()
        except TimeoutError:
            return False

    async def _wait_unless_stopped(self, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not self._stopped and (left := deadline - asyncio.get_running_loop().time()) > 0:
            self._something_changed.clear()
            await self._changed_within(left)


async def _close(connection: Tx) -> None:
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await connection.close(timeout=CONNECT_SECONDS_MAX)


def _call(handler: Handler, payload: str | None) -> None:
    try:
        handler(payload)
    except Exception:
        log.exception("a handler of notifications failed")
