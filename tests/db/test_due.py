"""The due loop: when it runs its step, and when it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from simyard.db.due import DueLoop

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
