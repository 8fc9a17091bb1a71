"""The SMS Simyard makes itself: when they are due, and that each is taken once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from simyard.base.ids import ActivationId, LeaseId, RentalId
from simyard.core.sandbox import service as sandbox
from simyard.db.database import Database
from tests.conftest import START

FIRST, SECOND, THIRD = ActivationId(1), RentalId(2), ActivationId(3)


async def plan(database: Database, due: Sequence[tuple[LeaseId, float]]) -> None:
    async with database.transaction() as tx:
        await sandbox.plan_messages(tx, [(one, START + timedelta(seconds=seconds)) for one, seconds in due])


async def take(database: Database, seconds: float, limit: int = 10) -> list[LeaseId]:
    async with database.transaction() as tx:
        return await sandbox.take_messages(tx, now=START + timedelta(seconds=seconds), limit=limit)


async def test_leases_of_either_kind_get_their_message_when_it_is_due_and_once(database: Database) -> None:
    await plan(database, [(FIRST, 5), (SECOND, 5), (THIRD, 6)])
    assert await take(database, 4.9) == []
    assert sorted(await take(database, 5)) == [FIRST, SECOND]
    assert await take(database, 6) == [THIRD]
    assert await take(database, 7) == []


async def test_the_oldest_are_taken_first(database: Database) -> None:
    await plan(database, [(FIRST, 3), (SECOND, 1), (THIRD, 2)])
    assert [await take(database, 5, limit=1) for _ in range(3)] == [[SECOND], [THIRD], [FIRST]]


async def test_what_another_process_is_taking_is_passed_over(database: Database) -> None:
    await plan(database, [(FIRST, 1), (SECOND, 2)])
    async with database.transaction() as tx:
        await sandbox.take_messages(tx, now=START + timedelta(seconds=5), limit=1)
        assert await take(database, 5) == [SECOND]


async def test_what_a_transaction_took_and_did_not_deliver_is_still_due(database: Database) -> None:
    await plan(database, [(FIRST, 1)])
    with pytest.raises(LookupError):
        async with database.transaction() as tx:
            await sandbox.take_messages(tx, now=START + timedelta(seconds=5), limit=1)
            raise LookupError
    assert await take(database, 5) == [FIRST]
