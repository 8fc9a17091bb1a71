"""Orders of remote pools, from the price that is held to the number that goes back."""

from __future__ import annotations

import asyncio

import pytest

from simyard.base.refusals import Refusal, Refused
from simyard.core.activations import refunds
from simyard.core.activations.machine import State
from simyard.core.activations.refunds import RefundActivation
from simyard.core.messages.model import Fate
from simyard.core.pools.model import PoolKind
from simyard.core.remote import service as remote
from simyard.core.remote.model import Ending, RemoteMessage
from simyard.workers.remote.source import Reason, SourceFailed, SourceRefused
from tests.workers.remote.conftest import RemoteWorld
from tests.workers.remote.host import Host, hang, offer, until, until_async
from tests.world import code_text, micros


async def test_a_number_is_asked_for_sold_and_ended(far: RemoteWorld) -> None:
    world = far.world
    _, host, supplier = await far.add_pool()
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    assert order.msisdn in [number.msisdn for number, _ in host.reserved.values()]
    assert order.available == micros("9")
    wish = host.wishes[0]
    assert (wish.country_name, wish.service_name, wish.amount, wish.currency) == (
        "their GB",
        "their whatsapp",
        micros("0.7"),
        "USD",
    )
    assert (await world.check(buyer, order.activation_id)).state is State.WAITING
    await world.assert_whole()
    receipt = await world.receive(supplier, order.msisdn, code_text("whatsapp", "123456"))
    assert receipt.fate is Fate.DELIVERED
    await world.finish(buyer, order.activation_id)
    await far.leases.settle()
    assert host.finished == [("r1", Ending.SOLD, micros("0.7"), "USD")]
    assert await far.states() == [("done", "sold")]
    assert supplier is not None
    assert (await world.balance(supplier)).available == micros("0.7")
    await world.assert_whole()


@pytest.mark.parametrize("how", ["cancel", "expire", "close"])
async def test_a_number_nothing_came_for_goes_back(far: RemoteWorld, how: str) -> None:
    world = far.world
    _, host, _ = await far.add_pool()
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    if how == "cancel":
        await world.cancel(buyer, order.activation_id)
    elif how == "close":
        await world.close(buyer, order.activation_id)
    else:
        world.clock.turn(1201)
        assert await world.expire() == 1
    assert await far.states() == [("finishing", "canceled")]
    await far.leases.settle()
    assert host.endings() == [Ending.CANCELED]
    assert (await world.balance(buyer)).available == micros("10")
    await world.assert_whole()


async def test_the_cheapest_pool_with_stock_wins(far: RemoteWorld) -> None:
    world = far.world
    _, dear, _ = await far.add_pool(price="2")
    _, cheap, _ = await far.add_pool(price="1")
    _, empty, _ = await far.add_pool(Host(offers=(offer(0),)), price="0.5")
    await world.stocked(1, price="1.5")
    await world.take_stock()
    buyer = await world.add_buyer("10")
    assert (await far.order(buyer)).price == micros("1")
    cheap.numbers.clear()
    assert (await far.order(buyer)).price == micros("1.5")
    # It said it had none, and is not asked again.
    assert (await far.order(buyer)).price == micros("2")
    assert (len(cheap.wishes), len(dear.wishes), len(empty.wishes)) == (2, 1, 0)
    await world.assert_whole()


async def test_without_an_acquirer_nothing_is_asked(far: RemoteWorld) -> None:
    _, host, _ = await far.add_pool()
    buyer = await far.world.add_buyer("10")
    with pytest.raises(Refusal) as refused:
        await far.world.order(buyer)
    assert refused.value.reason is Refused.NO_NUMBERS
    assert host.wishes == []


async def test_a_pool_that_fails_is_followed_by_the_next(far: RemoteWorld) -> None:
    world = far.world

    async def fail() -> None:
        raise SourceFailed("broken", ambiguous=False)

    _, broken, _ = await far.add_pool(Host(before=fail), price="1")
    await far.add_pool(price="2")
    buyer = await world.add_buyer("2")
    order = await far.order(buyer)
    assert order.price == micros("2")
    assert order.available == 0
    assert len(broken.wishes) == 1
    assert await far.states() == [("done", None), ("held", None)]
    await world.assert_whole()


async def test_nothing_left_says_why(far: RemoteWorld) -> None:
    world = far.world

    async def fail() -> None:
        raise SourceFailed("broken", ambiguous=False)

    _, host, _ = await far.add_pool(Host(before=fail))
    buyer = await world.add_buyer("10")
    with pytest.raises(Refusal) as refused:
        await far.order(buyer)
    assert refused.value.reason is Refused.UPSTREAM_FAILED
    host.before = None
    with pytest.raises(Refusal) as refused:
        await far.order(buyer)
    assert refused.value.reason is Refused.NO_NUMBERS
    assert (await world.balance(buyer)).available == micros("10")
    assert await world.look(buyer) == ()
    await world.assert_whole()


async def test_numbers_that_are_not_fit_go_back(far: RemoteWorld) -> None:
    world = far.world
    _, _, [direct] = await world.stocked(1, price="5")
    numbers = ["+46701740605", "+447700900001", direct, "rubbish", "+447700900002"]
    _, host, _ = await far.add_pool(Host(numbers=numbers))
    buyer = await world.add_buyer("100")
    for _ in range(4):
        # The dear one is what is left when the pool's number does not fit.
        with pytest.raises(Refusal):
            await far.order(buyer, excluded=("+447700900001",), price_max="1")
    await far.leases.settle()
    assert host.endings() == [Ending.CANCELED] * 4
    assert (await far.order(buyer, excluded=("+447700900001",))).msisdn == "+447700900002"
    await world.assert_whole()


async def test_a_number_that_served_the_service_is_not_for_it(far: RemoteWorld) -> None:
    world = far.world
    _, host, _ = await far.add_pool(Host(numbers=["+447700900001"]))
    await world.set_price("telegram", "1")
    buyer = await world.add_buyer("100")
    first = await far.order(buyer)
    await world.cancel(buyer, first.activation_id)
    await far.leases.settle()
    host.numbers = ["+447700900001", "+447700900002"]
    with pytest.raises(Refusal):
        await far.order(buyer)
    await far.leases.settle()
    assert host.endings() == [Ending.CANCELED, Ending.NOT_FOR_SERVICE]
    assert (await far.order(buyer)).msisdn == "+447700900002"
    await world.assert_whole()


async def test_a_late_number_goes_back(far: RemoteWorld) -> None:
    world = far.world
    may_answer = asyncio.Event()

    async def wait() -> None:
        await may_answer.wait()

    _, slow, _ = await far.add_pool(Host(numbers=world.msisdns(1), after=wait))
    buyer = await world.add_buyer("10")
    far.give_up_after(0.2)
    with pytest.raises(Refusal) as refused:
        await far.order(buyer)
    assert refused.value.reason is Refused.UPSTREAM_FAILED
    assert (await world.balance(buyer)).available == micros("10")
    await world.assert_whole()
    may_answer.set()
    await until_async(lambda: far.states(), [("finishing", "canceled")])
    await far.leases.settle()
    assert slow.endings() == [Ending.CANCELED]
    assert slow.reserved == {}
    await world.assert_whole()


async def test_a_pool_that_hangs_leaves_time_for_the_next(far: RemoteWorld) -> None:
    world = far.world
    far.give_up_after(2.0)
    await far.add_pool(Host(before=hang), price="1")
    await far.add_pool(price="2")
    buyer = await world.add_buyer("10")
    assert (await far.order(buyer)).price == micros("2")
    await world.assert_whole()


async def test_an_ambiguous_order_is_looked_up_and_not_repeated(far: RemoteWorld) -> None:
    world = far.world

    async def cut() -> None:
        raise SourceFailed("cut off", ambiguous=True)

    _, host, _ = await far.add_pool(Host(numbers=world.msisdns(3), after=cut))
    buyer = await world.add_buyer("10")
    with pytest.raises(Refusal) as refused:
        await far.order(buyer)
    assert refused.value.reason is Refused.UPSTREAM_FAILED
    assert len(host.wishes) == 1 and len(host.reserved) == 1
    await far.leases.settle()
    assert host.endings() == [Ending.CANCELED] and host.reserved == {}
    assert await far.states() == [("done", "canceled")]
    await world.assert_whole()


async def test_what_cannot_be_looked_up_is_reported(far: RemoteWorld) -> None:
    world = far.world

    async def cut() -> None:
        raise SourceFailed("cut off", ambiguous=True)

    pool, _, _ = await far.add_pool(Host(numbers=world.msisdns(3), after=cut, can_find=False))
    buyer = await world.add_buyer("10")
    with pytest.raises(Refusal):
        await far.order(buyer)
    await far.leases.settle()
    async with world.database.transaction() as tx:
        (problem,) = await remote.list_problems(tx)
        assert problem.pool_id == pool.id and "outcome is not known" in problem.problem
        await remote.clear_problem(tx, problem.id, actor="test", now=world.clock.now())
        assert await remote.list_problems(tx) == []


async def test_finish_is_repeated_until_it_succeeded(far: RemoteWorld) -> None:
    world = far.world
    _, host, _ = await far.add_pool()
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    await world.cancel(buyer, order.activation_id)
    host.finish_raises = [SourceFailed("down", ambiguous=True)] * 3
    for seconds in (0, 10, 20, 40):
        assert host.finished == []
        world.clock.turn(seconds)
        await far.leases.settle()
    assert host.endings() == [Ending.CANCELED]


async def test_how_soon_finish_is_repeated_is_the_profiles_to_say(far: RemoteWorld) -> None:
    world = far.world
    _, host, _ = await far.add_pool(switches={"finish_retry_seconds": "2"})
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    await world.cancel(buyer, order.activation_id)
    host.finish_raises = [SourceFailed("down", ambiguous=True)] * 2
    for seconds in (0, 2, 4):
        assert host.finished == []
        world.clock.turn(seconds)
        await far.leases.settle()
    assert host.endings() == [Ending.CANCELED]


async def test_a_pool_with_so_many_ports_lends_no_more_numbers_at_a_time(far: RemoteWorld) -> None:
    """Whatever it reports; a number that has not been given back keeps its port."""
    world = far.world
    _, host, _ = await far.add_pool(Host(numbers=world.msisdns(4)), switches={"ports": "2"})
    buyer = await world.add_buyer("10")
    results = await asyncio.gather(*(far.order(buyer) for _ in range(3)), return_exceptions=True)
    (refused,) = (one for one in results if isinstance(one, BaseException))
    assert isinstance(refused, Refusal)
    assert refused.reason is Refused.NO_NUMBERS
    (first, _) = (one for one in results if not isinstance(one, BaseException))
    await world.cancel(buyer, first.activation_id)
    with pytest.raises(Refusal):
        await far.order(buyer)
    assert len(host.wishes) == 2
    await far.leases.settle()
    await far.order(buyer)
    await world.assert_whole()


async def test_a_source_that_never_hears_it_is_reported_after_a_day(far: RemoteWorld) -> None:
    world = far.world
    _, host, _ = await far.add_pool()
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    await world.cancel(buyer, order.activation_id)
    host.finish_raises = [SourceFailed("down", ambiguous=True)] * 1000
    tries = 0
    for _ in range(400):
        before = len(host.finish_raises)
        await far.leases.settle()
        tries += before - len(host.finish_raises)
        world.clock.turn(300)
    assert 280 < tries < 300
    assert await world.value("SELECT count(*) FROM remote_lease WHERE state = 'done' AND problem <> ''") == 1


async def test_a_source_that_knows_no_such_number_is_told_a_few_times(far: RemoteWorld) -> None:
    world = far.world
    _, host, _ = await far.add_pool()
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    await world.cancel(buyer, order.activation_id)
    host.finish_raises = [SourceRefused(Reason.REJECTED, "activation not found")] * 100
    for _ in range(20):
        await far.leases.settle()
        world.clock.turn(300)
    assert len(host.finish_raises) == 95


async def test_a_refund_is_told_once_more(far: RemoteWorld) -> None:
    world = far.world
    _, host, supplier = await far.add_pool()
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "123456"))
    await world.finish(buyer, order.activation_id)
    await far.leases.settle()
    async with world.database.transaction() as tx:
        assert await remote.refund(tx, order.activation_id, now=world.clock.now())
        assert not await remote.refund(tx, order.activation_id, now=world.clock.now())
    await far.leases.settle()
    assert host.endings() == [Ending.SOLD, Ending.REFUNDED]


async def test_a_sale_that_is_taken_back_while_it_is_open_is_told_so(far: RemoteWorld) -> None:
    world = far.world
    _, host, supplier = await far.add_pool()
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "123456"))
    async with world.database.transaction() as tx:
        command = RefundActivation(order.activation_id, "It was no code.", world.clock.now())
        await refunds.refund(tx, command, actor="test")
    await far.leases.settle()
    assert host.endings() == [Ending.REFUNDED]
    assert (await world.balance(buyer)).available == micros("10")
    await world.assert_whole()


async def test_a_pool_that_pushes_is_not_asked_for_messages(far: RemoteWorld) -> None:
    world = far.world
    _, host, _ = await far.add_pool()
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    host.messages = [RemoteMessage("r1", "m1", "WhatsApp", code_text("whatsapp", "123456"))]
    for _ in range(3):
        await far.polls.settle()
        world.clock.turn(10)
    assert (await world.check(buyer, order.activation_id)).state is State.WAITING


async def test_messages_are_fetched_from_an_upstream_without_a_supplier(far: RemoteWorld) -> None:
    world = far.world
    _, host, _ = await far.add_pool(
        Host(numbers=world.msisdns(2), polled=True, offers=(offer(price=micros("0.4")),), cost=micros("0.4")),
        kind=PoolKind.UPSTREAM,
    )
    buyer = await world.add_buyer("10")
    order = await far.order(buyer)
    assert host.wishes[0].price_max == micros("0.7")
    host.messages = [
        RemoteMessage("r1", "m1", "WhatsApp", code_text("whatsapp", "123456"), world.clock.now()),
        RemoteMessage("another", "m2", "WhatsApp", code_text("whatsapp", "654321"), world.clock.now()),
    ]
    await far.polls.settle()
    world.clock.turn(3)
    await far.polls.settle()
    assert (await world.check(buyer, order.activation_id)).code == "123456"
    assert await world.value("SELECT count(*) FROM message") == 1
    await world.request_next(buyer, order.activation_id)
    await far.leases.settle()
    assert host.next_requested == ["r1"]
    await world.assert_whole()


async def test_an_upstream_that_is_too_dear_is_not_asked(far: RemoteWorld) -> None:
    world = far.world
    _, host, _ = await far.add_pool(Host(offers=(offer(price=micros("0.71")),)), kind=PoolKind.UPSTREAM)
    buyer = await world.add_buyer("10")
    with pytest.raises(Refusal) as refused:
        await far.order(buyer)
    assert refused.value.reason is Refused.NO_NUMBERS
    assert host.wishes == []
    assert [one.stock for one in await world.offers("whatsapp")] == [0]


async def test_a_key_orders_once_however_often_it_comes(far: RemoteWorld) -> None:
    world = far.world
    may_answer = asyncio.Event()

    async def wait() -> None:
        await may_answer.wait()

    _, host, _ = await far.add_pool(Host(numbers=world.msisdns(5), after=wait))
    buyer = await world.add_buyer("10")
    twins = [asyncio.create_task(far.order(buyer, key="once")) for _ in range(3)]
    await until(lambda: bool(host.wishes))
    late = asyncio.create_task(far.order(buyer, key="once"))
    await asyncio.sleep(0.05)
    may_answer.set()
    orders = await asyncio.gather(*twins, late)
    assert len({order.activation_id for order in orders}) == 1
    assert len(host.wishes) == 1
    assert await far.order(buyer, key="once") == orders[0]
    with pytest.raises(Refusal) as refused:
        await far.order(buyer, key="once", country="US")
    assert refused.value.reason is Refused.IDEMPOTENCY_KEY_REUSED
    await world.assert_whole()


async def test_a_key_of_an_order_that_went_on_elsewhere_keeps_the_last_outcome(far: RemoteWorld) -> None:
    world = far.world
    await far.add_pool(Host(), price="1")
    await far.add_pool(price="2")
    buyer = await world.add_buyer("10")
    order = await far.order(buyer, key="once")
    assert order.price == micros("2")
    assert await far.order(buyer, key="once") == order
    await world.assert_whole()


async def test_a_pool_that_fails_too_often_is_left_alone_for_a_while(far: RemoteWorld) -> None:
    world = far.world

    async def fail() -> None:
        raise SourceFailed("broken", ambiguous=False)

    _, host, _ = await far.add_pool(Host(before=fail, numbers=world.msisdns(3)))
    buyer = await world.add_buyer("10")

    async def outcome() -> Refused | None:
        try:
            await far.order(buyer)
        except Refusal as refusal:
            return refusal.reason
        return None

    assert [await outcome() for _ in range(5)] == [Refused.UPSTREAM_FAILED] * 5
    assert await outcome() is Refused.NO_NUMBERS
    world.clock.turn(31)
    # One order tries it; while it does, the others leave it alone.
    assert sorted(str(one) for one in await asyncio.gather(outcome(), outcome(), outcome())) == [
        "no_numbers",
        "no_numbers",
        "upstream_failed",
    ]
    assert len(host.wishes) == 6
    world.clock.turn(31)
    host.before = None
    assert await outcome() is None
    assert await outcome() is None
    await world.assert_whole()
