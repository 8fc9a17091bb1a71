"""Due loops: repeat a step for as long as it finds rows that are due."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Final, Generic, TypeVar

log = logging.getLogger(__name__)

BACKOFF_SECONDS_MAX: Final = 30.0
IN_FLIGHT_MAX: Final = 256
STOP_SECONDS_MAX: Final = 3.0

Item = TypeVar("Item")


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


class ConcurrentDueLoop(DueLoop, ABC, Generic[Item]):
    """A due loop that sees to each item it claims in a task of its own, so that one that hangs holds up no other.

    A claim must push the due time of what it takes past the time that may take: what fails, or is cut off at the stop,
    comes again by that.
    """

    def __init__(
        self,
        name: str,
        *,
        in_flight_max: int = IN_FLIGHT_MAX,
        stop_seconds_max: float = STOP_SECONDS_MAX,
        pause_seconds: float = 1.0,
    ) -> None:
        super().__init__(name, self.begin_due, pause_seconds=pause_seconds)
        self._in_flight_max = in_flight_max
        self._stop_seconds_max = stop_seconds_max
        self._tasks: dict[asyncio.Task[None], Item] = {}

    @abstractmethod
    async def _claim(self, room: int) -> Collection[Item]:
        """Take what is due, so many at most."""

    @abstractmethod
    async def _see_to(self, item: Item, /) -> None:
        """Act with no transaction open, and record the outcome."""

    @abstractmethod
    def _label(self, item: Item, /) -> str:
        """What logs call it."""

    @property
    def in_flight(self) -> Collection[Item]:
        """What was begun and has not ended."""
        return self._tasks.values()

    async def run(self) -> None:
        """Until `stop`; then what is under way may end, unless that takes long."""
        try:
            await super().run()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self._stop_seconds_max)
        finally:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Begin what is due and wait until all of it has ended, also what became due meanwhile."""
        while await self.begin_due() or self._tasks:
            await asyncio.wait(self._tasks)

    async def begin_due(self) -> int:
        """Begin what is due and fits; returns how many. Each that ends makes room and wakes the loop."""
        room = self._in_flight_max - len(self._tasks)
        if room <= 0:
            return 0
        claimed = await self._claim(room)
        for item in claimed:
            task = asyncio.create_task(self._see_to(item), name=self._label(item))
            self._tasks[task] = item
            task.add_done_callback(self._ended)
        return len(claimed)

    def _ended(self, task: asyncio.Task[None]) -> None:
        item = self._tasks.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Nothing was recorded: the claim lapses and it is tried again.
            log.error("%s: not recorded", self._label(item), exc_info=error)
        self.wake()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
