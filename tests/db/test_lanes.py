"""Lanes: who runs with whom, and what each caller is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType

import asyncpg
import pytest

from simyard.base.refusals import Refusal, Refused
from simyard.db.database import TRIES_MAX, Database, RolledBack, Tx
from simyard.db.lanes import Lane
from tests.metrics import metric

Verb = Callable[[Tx, Sequence[int]], Awaitable[Sequence[int | Refusal]]]


class Gate:
    """A verb that doubles numbers, notes its batches, and can be held back."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.opened = asyncio.Event()
        self.opened.set()
        self.entered = asyncio.Event()

    async def __call__(self, tx: Tx, commands: Sequence[int]) -> list[int | Refusal]:
        self.batches.append(list(commands))
        self.entered.set()
        await self.opened.wait()
        return [command * 2 for command in commands]


async def ticks(count: int = 3) -> None:
    """Lets the event loop turn a few times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_an_idle_lane_runs_the_commands_of_one_tick_at_once_and_together(database: Database) -> None:
    gate = Gate()
    lane = Lane("idle", database, gate)
    assert await asyncio.gather(*(lane(number) for number in range(10))) == [
        number * 2 for number in range(10)
    ]
    assert gate.batches == [list(range(10))]
    assert await lane(7) == 14
    assert lane.queue_length == 0
    assert metric("simyard_lane_batch_commands_count", lane="idle") == 2
    assert metric("simyard_lane_batch_commands_sum", lane="idle") == 11
    assert metric("simyard_lane_batch_commands_bucket", lane="idle", le="8.0") == 1
    assert metric("simyard_lane_batch_seconds_count", lane="idle") == 2
    assert 0 < metric("simyard_lane_batch_seconds_sum", lane="idle") < 60
    await lane.close()


async def test_a_busy_lane_gathers_commands_in_the_order_they_came(database: Database) -> None:
    gate = Gate()
    gate.opened.clear()
    lane = Lane("busy", database, gate, slots=1, batch_max=4)
    tasks = [asyncio.create_task(lane(0))]
    await gate.entered.wait()
    for number in range(1, 7):
        tasks.append(asyncio.create_task(lane(number)))
        await ticks(1)
    assert lane.queue_length == 6
    # Shown by the full batch, so that a lane whose batches hang does not look idle.
    assert metric("simyard_lane_commands_waiting", lane="busy") == 4
    gate.opened.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8, 10, 12]
    assert gate.batches == [[0], [1, 2, 3, 4], [5, 6]]
    assert metric("simyard_lane_commands_waiting", lane="busy") == 0
    await lane.close()


async def test_as_many_batches_are_in_flight_as_there_are_slots(database: Database) -> None:
    gate = Gate()
    gate.opened.clear()
    lane = Lane("test", database, gate, slots=2, batch_max=2)
    tasks = [asyncio.create_task(lane(number)) for number in range(5)]
    async with asyncio.timeout(10):
        while len(gate.batches) < 2:
            await gate.entered.wait()
            gate.entered.clear()
    assert (lane.slots_busy, lane.queue_length) == (2, 1)
    gate.opened.set()
    await asyncio.gather(*tasks)
    assert sorted(gate.batches) == [[0, 1], [2, 3], [4]]
    await lane.close()


async def test_each_caller_gets_its_own_refusal(database: Database) -> None:
    async def verb(tx: Tx, commands: Sequence[int]) -> list[int | Refusal]:
        return [
            Refusal(Refused.NO_NUMBERS, command=command) if command % 2 else command for command in commands
        ]

    lane = Lane("refusing", database, verb)
    results = await asyncio.gather(*(lane(number) for number in range(4)), return_exceptions=True)
    assert results[0] == 0
    assert results[2] == 2
    for number in (1, 3):
        refusal = results[number]
        assert isinstance(refusal, Refusal)
        assert refusal.facts == {"command": number}
    assert metric("simyard_lane_batch_commands_count", lane="refusing") == 1
    await lane.close()


async def make_table(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("CREATE TABLE thing (n int PRIMARY KEY CHECK (n <> 3))")


async def insert(tx: Tx, commands: Sequence[int]) -> list[int | Refusal]:
    await tx.execute("INSERT INTO thing SELECT unnest($1::int[])", list(commands))
    return list(commands)


async def things(database: Database) -> list[int]:
    async with database.connection() as connection:
        return [row["n"] for row in await connection.fetch("SELECT n FROM thing ORDER BY n")]


@pytest.mark.parametrize("single_statement", [False, True])
async def test_a_poisoned_command_fails_alone_with_its_own_exception(
    database: Database, single_statement: bool
) -> None:
    await make_table(database)
    name = f"poisoned {single_statement}"
    lane = Lane(name, database, insert, single_statement=single_statement)
    results = await asyncio.gather(*(lane(number) for number in range(6)), return_exceptions=True)
    assert isinstance(results[3], asyncpg.CheckViolationError)
    assert [result for result in results if isinstance(result, int)] == [0, 1, 2, 4, 5]
    assert await things(database) == [0, 1, 2, 4, 5]
    assert metric("simyard_lane_batches_rerun_total", lane=name) == 1
    await lane.close()


async def test_a_refusal_that_is_raised_refuses_only_the_command_that_meets_it_alone(
    database: Database,
) -> None:
    async def verb(tx: Tx, commands: Sequence[int]) -> list[int | Refusal]:
        if 1 in commands:
            raise Refusal(Refused.NO_NUMBERS)
        return list(commands)

    lane = Lane("test", database, verb)
    results = await asyncio.gather(lane(0), lane(1), lane(2), return_exceptions=True)
    assert results[0] == 0
    assert isinstance(results[1], Refusal)
    assert results[2] == 2
    await lane.close()


async def test_a_full_lane_refuses_as_busy(database: Database) -> None:
    gate = Gate()
    gate.opened.clear()
    lane = Lane("full", database, gate, slots=1, queue_max=2)
    running = asyncio.create_task(lane(0))
    await gate.entered.wait()
    queued = [asyncio.create_task(lane(number)) for number in (1, 2)]
    await ticks()
    with pytest.raises(Refusal) as caught:
        await lane(3)
    assert caught.value.reason is Refused.BUSY
    assert metric("simyard_lane_commands_refused_total", lane="full") == 1
    gate.opened.set()
    assert await asyncio.gather(running, *queued) == [0, 2, 4]
    await lane.close()


async def test_a_cancelled_caller_that_waited_is_left_out_and_one_in_flight_hurts_nobody(
    database: Database,
) -> None:
    gate = Gate()
    gate.opened.clear()
    lane = Lane("test", database, gate, slots=1)
    in_flight = [asyncio.create_task(lane(number)) for number in (1, 2)]
    await gate.entered.wait()
    queued = [asyncio.create_task(lane(number)) for number in (3, 4, 5)]
    await ticks()
    in_flight[0].cancel()
    queued[1].cancel()
    await ticks()
    gate.opened.set()
    assert await in_flight[1] == 4
    assert list(await asyncio.gather(queued[0], queued[2])) == [6, 10]
    assert gate.batches == [[1, 2], [3, 5]]
    assert in_flight[0].cancelled()
    assert queued[1].cancelled()
    await lane.close()


async def test_closing_runs_what_is_queued_and_refuses_what_comes_after(database: Database) -> None:
    gate = Gate()
    gate.opened.clear()
    lane = Lane("test", database, gate, slots=1, batch_max=1)
    tasks = [asyncio.create_task(lane(number)) for number in range(3)]
    await gate.entered.wait()
    closing = asyncio.create_task(lane.close())
    await ticks()
    assert not closing.done()
    with pytest.raises(Refusal) as caught:
        await lane(9)
    assert caught.value.reason is Refused.BUSY
    gate.opened.set()
    await closing
    assert [task.result() for task in tasks] == [0, 2, 4]


async def test_commands_queued_in_the_tick_of_the_closing_still_run(database: Database) -> None:
    lane = Lane("test", database, Gate())
    task = asyncio.create_task(lane(1))
    await asyncio.sleep(0)
    await lane.close()
    assert await task == 2


@pytest.mark.parametrize("error", [asyncpg.SerializationError, asyncpg.DeadlockDetectedError])
async def test_a_batch_the_server_broke_to_resolve_a_conflict_is_tried_again_as_a_batch(
    database: Database, error: type[asyncpg.PostgresError]
) -> None:
    batches: list[int] = []

    async def verb(tx: Tx, commands: Sequence[int]) -> list[int | Refusal]:
        batches.append(len(commands))
        if len(batches) < TRIES_MAX:
            raise error("try again")
        return list(commands)

    lane = Lane("conflict", database, verb)
    assert list(await asyncio.gather(lane(1), lane(2))) == [1, 2]
    assert batches == [2] * TRIES_MAX
    assert metric("simyard_lane_batches_rerun_total", lane="conflict") == 0
    await lane.close()


async def test_a_verb_that_answers_too_few_commits_nothing_and_is_an_error(database: Database) -> None:
    await make_table(database)

    async def verb(tx: Tx, commands: Sequence[int]) -> list[int | Refusal]:
        await insert(tx, commands)
        return []

    lane = Lane("test", database, verb)
    with pytest.raises(RuntimeError, match="1 commands got 0 results"):
        await lane(1)
    assert await things(database) == []
    await lane.close()


async def test_a_batch_that_ignored_a_failed_statement_is_not_reported_as_done(database: Database) -> None:
    await make_table(database)

    async def verb(tx: Tx, commands: Sequence[int]) -> list[int | Refusal]:
        try:
            await insert(tx, commands)
        except asyncpg.CheckViolationError:
            return [Refusal(Refused.INTERNAL) for _ in commands]
        return list(commands)

    lane = Lane("test", database, verb)
    results = await asyncio.gather(lane(2), lane(3), return_exceptions=True)
    assert results[0] == 2
    assert isinstance(results[1], RolledBack)
    assert await things(database) == [2]
    await lane.close()


async def test_a_deferred_constraint_that_fails_at_commit_fails_one_command_alone(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("CREATE TABLE thing (n int, UNIQUE (n) DEFERRABLE INITIALLY DEFERRED)")
        await connection.execute("INSERT INTO thing VALUES (1)")
    lane = Lane("test", database, insert)
    results = await asyncio.gather(lane(0), lane(1), lane(2), return_exceptions=True)
    assert results[0] == 0
    assert isinstance(results[1], asyncpg.UniqueViolationError)
    assert results[2] == 2
    assert await things(database) == [0, 1, 2]
    await lane.close()


class LosesCommit:
    """A database whose commit reaches the server, but not the answer to it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.transactions = 0

    def transaction(self) -> AbstractAsyncContextManager[Tx]:
        return self

    def connection(self) -> AbstractAsyncContextManager[Tx]:
        return self

    async def __aenter__(self) -> Tx:
        self.transactions += 1
        self._block = self._database.transaction()
        return await self._block.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._block.__aexit__(kind, error, trace)
        if error is None:
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


@pytest.mark.parametrize("single_statement", [False, True])
async def test_a_commit_with_unknown_outcome_is_never_run_again(
    database: Database, single_statement: bool
) -> None:
    await make_table(database)
    loses = LosesCommit(database)
    lane = Lane("test", loses, insert, single_statement=single_statement)  # type: ignore[arg-type]
    results = await asyncio.gather(lane(0), lane(1), return_exceptions=True)
    assert [type(result) for result in results] == [asyncpg.ConnectionDoesNotExistError] * 2
    assert await things(database) == [0, 1]
    assert loses.transactions == 1
    await lane.close()


async def test_a_connection_killed_before_the_commit_is_run_again_on_another(database: Database) -> None:
    await make_table(database)
    killed: list[int] = []

    async def verb(tx: Tx, commands: Sequence[int]) -> list[int | Refusal]:
        if not killed:
            killed.append(await tx.fetchval("SELECT pg_backend_pid()"))
            async with database.connection() as other:
                await other.execute("SELECT pg_terminate_backend($1)", killed[0])
        return await insert(tx, commands)

    lane = Lane("test", database, verb)
    assert list(await asyncio.gather(lane(0), lane(1))) == [0, 1]
    assert await things(database) == [0, 1]
    await lane.close()


async def test_without_a_connection_every_command_fails_at_once(database_url: str) -> None:
    database = await Database.connect(database_url)
    await database.close()
    lane = Lane("unconnected", database, insert)
    results = await asyncio.gather(lane(0), lane(1), return_exceptions=True)
    assert [type(result) for result in results] == [asyncpg.InterfaceError] * 2
    assert metric("simyard_lane_batches_rerun_total", lane="unconnected") == 0
    await lane.close()


@pytest.mark.parametrize("single_statement", [False, True])
@pytest.mark.parametrize("poison", [2**40, "seven"])
async def test_a_command_that_cannot_even_be_sent_fails_alone(
    database: Database, single_statement: bool, poison: object
) -> None:
    await make_table(database)
    lane = Lane("test", database, insert, single_statement=single_statement)
    results = await asyncio.gather(lane(0), lane(poison), lane(2), return_exceptions=True)  # type: ignore[arg-type]
    assert results[0] == 0
    assert isinstance(results[1], asyncpg.DataError | asyncpg.InterfaceError)
    assert results[2] == 2
    assert await things(database) == [0, 2]
    await lane.close()
