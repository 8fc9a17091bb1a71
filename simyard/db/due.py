"""The due loop: repeats a step for as long as it finds rows that are due."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

log = logging.getLogger(__name__)

BACKOFF_SECONDS_MAX: Final = 30.0


class DueLoop:
    """Runs a step that claims and handles due rows, and waits when there are none.

    The step returns how many rows it handled. Polling makes the loop correct; `wake`, called on a NOTIFY, makes it fast.
    """

    def __init__(self, name: str, step: Callable[[], Awaitable[int]], *, pause_seconds: float = 1.0) -> None:
        self.name = name
        self.steps = 0
        self.rows = 0
        self.failures = 0
        self._step = step
        self._pause_seconds = pause_seconds
        self._woken = asyncio.Event()
        self._stopped = asyncio.Event()

    def wake(self) -> None:
        """Ends the wait for due rows early. A wake during a step counts: the step runs once more."""
        self._woken.set()

    def stop(self) -> None:
        """Ends the loop once the running step has finished."""
        self._stopped.set()
        self._woken.set()

    async def run(self) -> None:
        """Repeats the step until `stop`. A step that raises is logged and repeated, at growing distances."""
        failures_in_a_row = 0
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                handled = await self._step()
            except Exception:
                self.failures += 1
                failures_in_a_row += 1
                seconds = min(self._pause_seconds * 2.0 ** min(failures_in_a_row, 20), BACKOFF_SECONDS_MAX)
                log.exception("due loop %s: step failed, next try in %.1f s", self.name, seconds)
                # Not shortened by wake: a stream of notifications must not turn a failure into a busy loop.
                await _wait(self._stopped, seconds)
                continue
            failures_in_a_row = 0
            self.steps += 1
            self.rows += handled
            if handled > 0:
                await asyncio.sleep(0)
            elif not self._stopped.is_set():
                await _wait(self._woken, self._pause_seconds)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
