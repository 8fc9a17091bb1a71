"""A sale of a number that lies with somebody else is taken back: from the books, and from its source."""

from __future__ import annotations

from datetime import timedelta

from simyard.core.remote.model import Ending
from tests.workers.remote.conftest import RemoteWorld
from tests.world import code_text, micros


async def test_a_refund_takes_the_earning_back_and_tells_the_source(far: RemoteWorld) -> None:
    world = far.world
    world.earning_hold = timedelta(days=1)
    _, host, supplier = await far.add_pool()
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "123456"))
    assert supplier is not None
    assert (await world.balance(supplier)).pending > 0
    await world.finish(buyer, order.activation_id)
    await far.leases.settle()
    await world.refund(order.activation_id)
    await far.leases.settle()
    assert host.endings() == [Ending.SOLD, Ending.REFUNDED]
    assert (await world.balance(buyer)).available == micros("10")
    assert (await world.balance(supplier)).pending == 0
    await world.assert_whole()


async def test_one_that_is_still_open_is_ended_at_its_source_as_refunded(far: RemoteWorld) -> None:
    world = far.world
    _, host, supplier = await far.add_pool()
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "123456"))
    await world.refund(order.activation_id)
    await far.leases.settle()
    assert host.endings() == [Ending.REFUNDED]
    assert (await world.balance(buyer)).available == micros("10")
    await world.assert_whole()
