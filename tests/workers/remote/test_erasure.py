"""A supplier is erased while his partner pool is being ordered from: one of the two waits, and then finds out."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations import service as activations
from simyard.core.activations.model import AskingActivation, OrderNumber
from simyard.core.erasure import service as erasure
from simyard.core.erasure.model import EraseAccount, Erased
from simyard.db.database import Tx
from tests.workers.remote.conftest import RemoteWorld
from tests.world import World


async def ordered(tx: Tx, command: OrderNumber) -> object:
    (outcome,) = await activations.order(tx, [command])
    return outcome


async def erased(tx: Tx, supplier: AccountId, now: datetime) -> Erased:
    return await erasure.erase(tx, EraseAccount(supplier, "ticket 12", now), actor="test")


async def somebody_waits(world: World) -> None:
    """Until a transaction waits for a lock of another."""
    async with asyncio.timeout(10):
        while not await world.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            pass


async def scene(far: RemoteWorld) -> tuple[AccountId, OrderNumber]:
    _, _, supplier = await far.add_pool()
    assert supplier is not None
    buyer = await far.world.add_buyer()
    return supplier, replace(far.world.order_command(buyer), remote=True)


async def test_an_order_that_came_first_is_open_business(far: RemoteWorld) -> None:
    world, now = far.world, far.world.clock.now()
    supplier, command = await scene(far)
    async with world.database.transaction() as tx:
        assert isinstance(await ordered(tx, command), AskingActivation)
        erasing = asyncio.create_task(world.database.run(lambda tx: erased(tx, supplier, now)))
        await somebody_waits(world)
    with pytest.raises(Refusal) as caught:
        await erasing
    assert caught.value.facts["leases"] == 1


async def test_an_order_that_came_second_finds_no_numbers(far: RemoteWorld) -> None:
    world, now = far.world, far.world.clock.now()
    supplier, command = await scene(far)
    async with world.database.transaction() as tx:
        await erased(tx, supplier, now)
        ordering = asyncio.create_task(world.database.run(lambda tx: ordered(tx, command)))
        await somebody_waits(world)
    outcome = await ordering
    assert isinstance(outcome, Refusal)
    assert outcome.reason is Refused.NO_NUMBERS
    assert await world.value("SELECT count(*) FROM activation") == 0
    await world.assert_whole()
