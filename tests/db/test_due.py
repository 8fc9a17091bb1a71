"""Due loops: when they run their step, and when they wait; what becomes of rows seen to at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from simyard.db.due import ConcurrentDueLoop, DueLoop

LONG = 3600.0


class Step:
    """A step that answers what it was given, and tells when it was called."""

    def __init__(self, answers: Iterable[int | Exception]) -> None:
        self._answers = list(answers)
        self.calls = 0
        self._called = asyncio.Condition()

    async def __call__(self) -> int:
        async with self._called:
            self.calls += 1
            self._called.notify_all()
        answer = self._answers.pop(0) if self._answers else 0
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def called(self, times: int) -> None:
        async with asyncio.timeout(10), self._called:
            await self._called.wait_for(lambda: self.calls >= times)


async def test_the_step_runs_again_at_once_while_it_finds_rows() -> None:
    step = Step([5, 1, 0])
    loop = DueLoop("test", step, pause_seconds=LONG)
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run())
        await step.called(3)
        loop.stop()
    assert step.calls == 3
    assert loop.rows == 6


async def test_a_wake_shortens_the_wait() -> None:
    step = Step([])
    loop = DueLoop("test", step, pause_seconds=LONG)
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run())
        for times in (1, 2, 3):
            await step.called(times)
            loop.wake()
        await step.called(4)
        loop.stop()


async def test_a_wake_during_the_step_is_not_lost() -> None:
    calls = 0

    async def step() -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            loop.wake()
        else:
            loop.stop()
        return 0

    loop = DueLoop("test", step, pause_seconds=LONG)
    async with asyncio.timeout(10):
        await loop.run()
    assert calls == 2


async def test_without_a_wake_the_pause_ends_the_wait() -> None:
    step = Step([])
    loop = DueLoop("test", step, pause_seconds=0.001)
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run())
        await step.called(3)
        loop.stop()


async def test_a_step_that_raises_is_logged_and_repeated(caplog: pytest.LogCaptureFixture) -> None:
    step = Step([LookupError("broken"), LookupError("broken"), 0])
    loop = DueLoop("rows", step, pause_seconds=0.001)
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run())
        await step.called(3)
        loop.stop()
    assert loop.failures == 2
    assert [record.getMessage() for record in caplog.records] == [
        "due loop rows: step failed, next try in 0.0 s",
        "due loop rows: step failed, next try in 0.0 s",
    ]


async def test_stopping_lets_the_running_step_finish() -> None:
    entered, leave = asyncio.Event(), asyncio.Event()
    finished = False

    async def step() -> int:
        nonlocal finished
        entered.set()
        await leave.wait()
        finished = True
        return 1

    loop = DueLoop("test", step, pause_seconds=LONG)
    running = asyncio.create_task(loop.run())
    await entered.wait()
    loop.stop()
    assert not running.done()
    leave.set()
    async with asyncio.timeout(10):
        await running
    assert finished


async def test_stopping_ends_a_wait_after_a_failure() -> None:
    step = Step([LookupError("broken")])
    loop = DueLoop("test", step, pause_seconds=LONG)
    running = asyncio.create_task(loop.run())
    await step.called(1)
    loop.stop()
    async with asyncio.timeout(10):
        await running


class Rows(ConcurrentDueLoop[str]):
    """Rows that end when they are let go, or raise."""

    def __init__(self, due: Iterable[str], *, in_flight_max: int = 10, stop_seconds_max: float = 0.0) -> None:
        super().__init__(
            "rows", in_flight_max=in_flight_max, stop_seconds_max=stop_seconds_max, pause_seconds=LONG
        )
        self.due = list(due)
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.gates = {row: asyncio.Event() for row in self.due}
        self._changed = asyncio.Condition()

    async def _claim(self, room: int) -> list[str]:
        claimed, self.due = self.due[:room], self.due[room:]
        return claimed

    async def _see_to(self, row: str) -> None:
        async with self._changed:
            self.begun.append(row)
            self._changed.notify_all()
        await self.gates[row].wait()
        if row == "broken":
            raise LookupError(row)
        self.ended.append(row)

    def _label(self, row: str) -> str:
        return f"row {row}"

    async def has_begun(self, *rows: str) -> None:
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: self.begun == list(rows))

    def let_go(self, *rows: str) -> None:
        for row in rows:
            self.gates[row].set()


@asynccontextmanager
async def running(rows: Rows) -> AsyncIterator[None]:
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(rows.run())
        try:
            yield
        finally:
            rows.stop()


async def test_a_row_that_hangs_holds_up_no_other() -> None:
    rows = Rows(["hangs", "works"])
    async with running(rows):
        rows.let_go("works")
        await rows.has_begun("hangs", "works")
        assert set(rows.in_flight) >= {"hangs"}
    assert rows.ended == ["works"]


async def test_so_many_rows_are_in_flight_and_each_that_ends_makes_room() -> None:
    rows = Rows(["a", "b", "c", "d"], in_flight_max=2)
    async with running(rows):
        await rows.has_begun("a", "b")
        assert await rows.begin_due() == 0
        assert list(rows.in_flight) == ["a", "b"]
        rows.let_go("b")
        await rows.has_begun("a", "b", "c")
        rows.let_go("a", "c", "d")
        await rows.has_begun("a", "b", "c", "d")


async def test_a_row_that_raises_is_logged_by_its_label_and_makes_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = Rows(["broken", "next"], in_flight_max=1)
    rows.let_go("broken", "next")
    async with running(rows):
        await rows.has_begun("broken", "next")
    assert [record.getMessage() for record in caplog.records] == ["row broken: not recorded"]
    assert list(rows.in_flight) == []


async def test_what_is_under_way_at_the_stop_may_end() -> None:
    rows = Rows(["a", "b"], stop_seconds_max=LONG)
    async with running(rows):
        await rows.has_begun("a", "b")
        rows.stop()
        rows.let_go("a", "b")
    assert sorted(rows.ended) == ["a", "b"]


async def test_what_takes_too_long_after_the_stop_is_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    rows = Rows(["hangs"])
    async with running(rows):
        await rows.has_begun("hangs")
    assert (rows.ended, list(rows.in_flight), caplog.records) == ([], [], [])


async def test_a_loop_that_is_cancelled_takes_its_rows_with_it() -> None:
    rows = Rows(["hangs"], stop_seconds_max=LONG)
    task = asyncio.create_task(rows.run())
    await rows.has_begun("hangs")
    task.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait({task})
    assert task.cancelled()
    assert list(rows.in_flight) == []


async def test_settling_waits_for_all_that_is_due() -> None:
    rows = Rows(["a", "b", "c"], in_flight_max=1)
    rows.let_go("a", "b", "c")
    async with asyncio.timeout(10):
        await rows.settle()
    assert rows.ended == ["a", "b", "c"]
    await rows.settle()
    assert rows.begun == ["a", "b", "c"]
