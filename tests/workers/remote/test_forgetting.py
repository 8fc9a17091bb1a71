"""What is remembered of numbers that were asked of remote pools, once they have ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simyard.base.refusals import Refusal
from simyard.core.remote import rules
from simyard.core.remote import service as remote
from simyard.core.remote.model import Ending
from simyard.settings import Settings
from simyard.workers.loops import Workers
from simyard.workers.remote.source import Reason, SourceRefused
from tests.workers.remote.conftest import RemoteWorld
from tests.workers.remote.host import Host
from tests.world import code_text

LONG_AGO = timedelta(days=365)


async def forget(far: RemoteWorld, *, kept: timedelta, limit: int = 100) -> int:
    now = far.world.clock.now()
    async with far.world.database.transaction() as tx:
        return await remote.forget_leases(tx, before=now - kept, now=now, limit=limit)


async def test_what_ended_without_a_sale_is_forgotten_after_a_time(far: RemoteWorld) -> None:
    world = far.world
    _, host, _ = await far.add_pool(Host(numbers=world.msisdns(2)))
    buyer = await world.add_buyer("10")
    canceled, held = await far.order(buyer), await far.order(buyer)
    with pytest.raises(Refusal):
        await far.order(buyer)
    await world.cancel(buyer, canceled.activation_id)
    await far.leases.settle()
    assert await far.states() == [("done", "canceled"), ("held", None), ("done", None)]
    world.clock.turn(9 * 86_400)
    assert await forget(far, kept=timedelta(days=10)) == 0
    world.clock.turn(86_401)
    assert await forget(far, kept=timedelta(days=10), limit=1) == 1
    assert await forget(far, kept=timedelta(days=10), limit=1) == 1
    assert await forget(far, kept=timedelta(days=10), limit=1) == 0
    assert await far.states() == [("held", None)]
    await world.cancel(buyer, held.activation_id)
    world.clock.turn(LONG_AGO.total_seconds())
    assert await forget(far, kept=timedelta(days=10)) == 0, "its source has not been told"
    assert host.endings() == [Ending.CANCELED]


async def test_a_sale_is_remembered_for_its_refund(far: RemoteWorld) -> None:
    world = far.world
    _, host, supplier = await far.add_pool()
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "123456"))
    await world.finish(buyer, order.activation_id)
    await far.leases.settle()
    world.clock.turn(LONG_AGO.total_seconds())
    assert await forget(far, kept=timedelta(days=10)) == 0
    await world.refund(order.activation_id)
    await far.leases.settle()
    assert host.endings() == [Ending.SOLD, Ending.REFUNDED]
    world.clock.turn(LONG_AGO.total_seconds())
    assert await forget(far, kept=timedelta(days=10)) == 1
    await world.assert_whole()


async def test_a_problem_is_remembered_until_an_operator_has_seen_to_it(far: RemoteWorld) -> None:
    world = far.world
    _, host, _ = await far.add_pool()
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    await world.cancel(buyer, order.activation_id)
    host.finish_raises = [SourceRefused(Reason.REJECTED)] * 100
    for _ in range(10):
        await far.leases.settle()
        world.clock.turn(300)
    assert await far.states() == [("done", "canceled")]
    world.clock.turn(LONG_AGO.total_seconds())
    assert await forget(far, kept=timedelta(days=10)) == 0
    async with world.database.transaction() as tx:
        (problem,) = await remote.list_problems(tx)
        await remote.clear_problem(tx, problem.id, actor="test", now=world.clock.now())
    assert await forget(far, kept=timedelta(days=10)) == 1


async def test_what_may_still_be_looked_for_is_remembered_however_little_is_to_be_kept(
    far: RemoteWorld,
) -> None:
    world = far.world
    await far.add_pool()
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    await world.cancel(buyer, order.activation_id)
    await far.leases.settle()
    world.clock.turn(rules.KEPT_MIN.total_seconds() - 1)
    assert await forget(far, kept=timedelta(0)) == 0
    world.clock.turn(2)
    assert await forget(far, kept=timedelta(0)) == 1


async def test_upkeep_forgets_when_texts_are_erased(far: RemoteWorld, database_url: str) -> None:
    world, settings = far.world, Settings()
    workers = Workers(world.database, database_url, world.clock, settings)
    (keep_up,) = [loop._step for loop in workers.loops if loop.name == "upkeep"]
    await far.add_pool()
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    await world.cancel(buyer, order.activation_id)
    await far.leases.settle()
    world.clock.turn(settings.message_text_days * 86_400)
    await keep_up()
    assert await far.states() == [("done", "canceled")]
    world.clock.turn(1)
    assert await keep_up() == 1
    assert await far.states() == []
