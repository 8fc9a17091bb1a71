"""Lanes: turn commands that arrive at the same time into batches, each one transaction."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import asyncpg
from prometheus_client import Counter, Gauge, Histogram

from simyard.base.refusals import Refusal, Refused
from simyard.db.database import TRIES_MAX, WORTH_ANOTHER_TRY, Database, RolledBack, Tx

Command = TypeVar("Command")
Result = TypeVar("Result")

_batch_commands = Histogram(
    "simyard_lane_batch_commands",
    "Commands of a batch.",
    ["lane"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
_batch_seconds = Histogram(
    "simyard_lane_batch_seconds",
    "Time a batch took, whatever was tried again included.",
    ["lane"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
_batches_rerun = Counter(
    "simyard_lane_batches_rerun",
    "Batches that failed as a whole, so that their commands were run again one by one.",
    ["lane"],
)
_commands_refused = Counter(
    "simyard_lane_commands_refused", "Commands refused because the lane was full or closed.", ["lane"]
)
_commands_waiting = Gauge(
    "simyard_lane_commands_waiting",
    "Commands that wait for a slot, known to within a full batch.",
    ["lane"],
    multiprocess_mode="livesum",
)


class _OutcomeUnknown(Exception):
    """Carries the error of a batch that may have been committed, so must not be run again."""


class Lane(Generic[Command, Result]):
    """Runs one batch verb for many callers.

    An idle lane runs the commands of this event-loop tick at once. A busy lane lets commands gather; a free slot takes
    what has gathered as one batch, oldest first. Each caller gets the result, or the refusal, of its own command.
    """

    def __init__(
        self,
        name: str,
        database: Database,
        verb: Callable[[Tx, Sequence[Command]], Awaitable[Sequence[Result | Refusal]]],
        *,
        slots: int = 2,
        batch_max: int = 64,
        queue_max: int = 4096,
        single_statement: bool = False,
    ) -> None:
        self.name = name
        self._open = database.connection if single_statement else database.transaction
        self.verb = verb
        self._slots = slots
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._single_statement = single_statement
        self._queue: deque[tuple[Command, asyncio.Future[Result]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._scheduled = False
        self._closed = False
        # Looking a child up by its label costs more than counting.
        self._batch_commands = _batch_commands.labels(name)
        self._batch_seconds = _batch_seconds.labels(name)
        self._batches_rerun = _batches_rerun.labels(name)
        self._commands_refused = _commands_refused.labels(name)
        self._commands_waiting = _commands_waiting.labels(name)
        self._shown_waiting = 0

    @property
    def queue_length(self) -> int:
        """How many commands wait for a slot."""
        return len(self._queue)

    @property
    def slots_busy(self) -> int:
        """How many batches are in flight."""
        return len(self._running)

    async def __call__(self, command: Command) -> Result:
        """Runs the command in the next batch.

        Refuses: BUSY when the lane is full or closed, else what the verb refuses. Cancelling the caller takes a command
        that still waits out of the lane; one that is in flight runs to its end unseen.
        """
        if self._closed or len(self._queue) >= self._queue_max:
            self._commands_refused.inc()
            raise Refusal(Refused.BUSY, lane=self.name)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._queue.append((command, future))
        if len(self._queue) >= self._shown_waiting + self._batch_max:
            # Batches show how many wait; a lane whose batches hang must show it, too.
            self._show_waiting()
        if not self._scheduled and len(self._running) < self._slots:
            self._scheduled = True
            loop.call_soon(self._fill_slots)
        return await future

    async def close(self) -> None:
        """Runs what is queued, and refuses what comes after."""
        self._closed = True
        self._fill_slots()
        while self._running:
            await asyncio.wait(self._running)

    def _fill_slots(self) -> None:
        self._scheduled = False
        waiting = len(self._queue)
        while waiting > 0 and len(self._running) < self._slots:
            waiting -= self._batch_max
            task = asyncio.get_running_loop().create_task(self._serve(), name=f"lane {self.name}")
            self._running.add(task)
            task.add_done_callback(self._slot_ended)

    def _slot_ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A bug of this class: nothing a verb raises gets here. The other slots go on.
            loop = asyncio.get_running_loop()
            loop.call_exception_handler(
                {"message": f"lane {self.name} lost a slot", "exception": error, "task": task}
            )
        if self._queue and not self._scheduled:
            self._fill_slots()

    async def _serve(self) -> None:
        """One slot: takes batches until the queue is empty."""
        while batch := self._take():
            started = time.perf_counter()
            try:
                await self._run(batch)
            finally:
                self._batch_commands.observe(len(batch))
                self._batch_seconds.observe(time.perf_counter() - started)
                # Only a cancelled slot leaves anyone without an answer: the program is ending.
                for _, future in batch:
                    if not future.done():
                        future.cancel()

    def _show_waiting(self) -> None:
        waiting = len(self._queue)
        if waiting != self._shown_waiting:
            self._commands_waiting.inc(waiting - self._shown_waiting)
            self._shown_waiting = waiting

    def _take(self) -> list[tuple[Command, asyncio.Future[Result]]]:
        batch: list[tuple[Command, asyncio.Future[Result]]] = []
        queue = self._queue
        while queue and len(batch) < self._batch_max:
            entry = queue.popleft()
            if not entry[1].done():
                batch.append(entry)
        self._show_waiting()
        return batch

    async def _run(self, batch: list[tuple[Command, asyncio.Future[Result]]]) -> None:
        """Runs a batch and answers everybody in it; alone, one by one, when it fails as a whole."""
        try:
            results = await self._attempt([command for command, _ in batch])
        except _OutcomeUnknown as unknown:
            for _, future in batch:
                _fail(future, unknown.__cause__ or unknown)
        except Exception as error:
            if len(batch) == 1:
                _fail(batch[0][1], error)
            else:
                self._batches_rerun.inc()
                await self._run_one_by_one(batch)
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():
                    continue
                if isinstance(result, Refusal):
                    future.set_exception(result)
                else:
                    future.set_result(result)

    async def _run_one_by_one(self, batch: list[tuple[Command, asyncio.Future[Result]]]) -> None:
        for command, future in batch:
            if future.done():
                continue
            try:
                (result,) = await self._attempt([command])
            except _OutcomeUnknown as unknown:
                _fail(future, unknown.__cause__ or unknown)
            except Exception as error:
                _fail(future, error)
            else:
                if future.done():
                    continue
                if isinstance(result, Refusal):
                    future.set_exception(result)
                else:
                    future.set_result(result)

    async def _attempt(self, commands: list[Command]) -> Sequence[Result | Refusal]:
        """Runs commands in one transaction, again when the server broke it to resolve a conflict.

        Raises _OutcomeUnknown when the commands may have taken effect or when nothing could be tried; any other
        exception means they took no effect.
        """
        tries = 0
        while True:
            tries += 1
            entered = returned = False
            try:
                async with self._open() as tx:
                    entered = True
                    results = await self.verb(tx, commands)
                    if len(results) != len(commands):
                        raise RuntimeError(
                            f"lane {self.name}: {len(commands)} commands got {len(results)} results from the verb"
                        )
                    returned = True
            except Exception as error:
                if not entered:
                    # No connection, so no command is to blame, and trying each alone would only wait again.
                    raise _OutcomeUnknown from error
                may_have_committed = returned or self._single_statement
                if may_have_committed and not _took_no_effect(error):
                    raise _OutcomeUnknown from error
                if getattr(error, "sqlstate", None) in WORTH_ANOTHER_TRY and tries < TRIES_MAX:
                    continue
                raise
            return results


def _took_no_effect(error: Exception) -> bool:
    """Whether this error, met while committing, proves that nothing was committed.

    The server says ERROR when it has rolled back and goes on. When it says FATAL, or nothing any more, the commit may
    have happened just before.
    """
    if isinstance(error, asyncpg.DataError) and _severity(error) is None:
        # Not the server's word, but the driver's: it could not encode an argument, so it sent nothing.
        return True
    if isinstance(error, asyncpg.PostgresError):
        return _severity(error) == "ERROR"
    return isinstance(error, RolledBack)


def _severity(error: asyncpg.PostgresError) -> str | None:
    severity: Any = getattr(error, "severity_en", None) or getattr(error, "severity", None)
    return severity if isinstance(severity, str) else None


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
