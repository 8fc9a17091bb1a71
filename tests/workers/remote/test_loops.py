"""What remote pools report, how it is shown and sold, and that a pool that hangs holds up nobody else."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from simyard.base.refusals import Refusal, Refused
from simyard.core.pools.model import PoolKind
from simyard.core.pricing import service as pricing
from simyard.core.pricing.model import ListOffers, ListTariffs
from simyard.core.remote import service as remote
from simyard.core.remote.model import RemoteOffer, SetProfile, Stock
from simyard.workers.remote.source import SourceFailed
from tests.workers.remote.conftest import RemoteWorld
from tests.workers.remote.host import PROTOCOL, Host, hang, offer, until, until_async
from tests.world import micros, service_id

OPERATOR = "SELECT id FROM mobile_operator WHERE country = 'GB' ORDER BY id LIMIT 1"


async def _stock(far: RemoteWorld) -> list[tuple[str, str, str, int]]:
    rows = await far.world.rows(
        "SELECT country_name, service_name, operator_name, stock FROM remote_offer ORDER BY 1, 2, 3"
    )
    return [(country, service, operator, stock) for country, service, operator, stock in rows]


async def test_a_round_replaces_what_was_reported(far: RemoteWorld) -> None:
    world = far.world
    pool, host, _ = await far.add_pool(Host(offers=(offer(5), offer(3, slug="telegram"))))
    assert len(await _stock(far)) == 2
    host.offers = (offer(7), offer(-1, country="US"))
    host.unknown = (("country", "Narnia"), ("service", "hogwarts post"))
    host.balance = micros("12.5")
    await far.stock.settle()
    assert await _stock(far) == [("their GB", "their whatsapp", "", 7), ("their US", "their whatsapp", "", 0)]
    # Not due yet.
    host.offers = ()
    await far.stock.settle()
    assert len(await _stock(far)) == 2
    world.clock.turn(120)
    await far.stock.settle()
    assert await _stock(far) == []
    async with world.database.transaction() as tx:
        names = await remote.unknown_names(tx, pool.id)
        view = await remote.profile_of(tx, pool.id)
    assert [(one.kind, one.name, one.count) for one in names] == [
        ("country", "Narnia", 2),
        ("service", "hogwarts post", 2),
    ]
    assert view.balance == micros("12.5")


async def test_unknown_names_are_not_sold_and_parts_make_a_total(far: RemoteWorld) -> None:
    operator_id = await far.world.value(OPERATOR)
    parts = (
        replace(offer(3), operator_name="vodafone", operator_id=operator_id),
        replace(offer(4), operator_name="unheard of"),
        replace(offer(9, slug="telegram"), service_id=None),
        RemoteOffer(None, None, None, "x" * 500, "y", None, 1),
    )
    _, host, _ = await far.add_pool(Host(offers=parts, numbers=far.world.msisdns(5)))
    assert await _stock(far) == [
        ("their GB", "their whatsapp", "", 7),
        ("their GB", "their whatsapp", "unheard of", 4),
        ("their GB", "their whatsapp", "vodafone", 3),
    ]
    buyer = await far.world.add_buyer("10")
    await far.order(buyer)
    await far.order(buyer, operator_id=operator_id)
    assert [wish.operator_name for wish in host.wishes] == ["", "vodafone"]
    other = await far.world.value("SELECT max(id) FROM mobile_operator WHERE country = 'GB'")
    with pytest.raises(Refusal) as refused:
        await far.order(buyer, operator_id=other)
    assert refused.value.reason is Refused.NO_NUMBERS


async def test_a_report_holds_for_two_rounds(far: RemoteWorld) -> None:
    world = far.world
    host = Host(numbers=world.msisdns(5))
    pool, _, _ = await far.add_pool(host)
    async with world.database.connection() as connection:
        await connection.execute("UPDATE pool SET online_until = '-infinity' WHERE id = $1", pool.id)
    buyer = await world.add_buyer("10")
    with pytest.raises(Refusal):
        await far.order(buyer)
    await far.stock.settle()
    await far.order(buyer)

    class _Down(Host):
        pass

    async def fails() -> Stock:
        raise SourceFailed("down", ambiguous=False)

    source = await far.sources.of(pool.id)
    source.stock = fails  # type: ignore[method-assign]
    world.clock.turn(120)
    await far.stock.settle()
    await far.order(buyer)
    async with world.database.transaction() as tx:
        assert (await remote.profile_of(tx, pool.id)).stock_problem == "down"
    world.clock.turn(151)
    await far.stock.settle()
    with pytest.raises(Refusal) as refused:
        await far.order(buyer)
    assert refused.value.reason is Refused.NO_NUMBERS


async def test_what_remote_pools_have_is_shown_beside_the_rest(far: RemoteWorld) -> None:
    world = far.world
    partner, _, _ = await far.add_pool(
        Host(offers=(offer(5), offer(5, slug="telegram"), offer(2, country="SE"))), price="2"
    )
    await far.add_pool(
        Host(offers=(offer(40, price=micros("1")), offer(30, slug="telegram", price=micros("5")))),
        kind=PoolKind.UPSTREAM,
        price="3",
    )
    await world.set_price("telegram", "1")
    await world.set_price("whatsapp", "9", country="SE")
    await world.stocked(3, price="1")
    await world.take_stock()
    buyer = await world.add_buyer("10")
    now = world.clock.now()
    async with world.database.transaction() as tx:
        shown = await pricing.offers_in(tx, ListOffers(buyer, "GB", "USD", now, service_id("whatsapp")))
        tariffs = await pricing.list_tariffs(tx, ListTariffs(buyer, None, None, None, "USD", now))
        countries = await pricing.offered_countries(tx, now)
    assert [(one.price, one.offer.stock) for one in shown] == [
        (micros("1"), 3),
        (micros("2"), 5),
        (micros("3"), 40),
    ]
    assert {(one.country, one.service_id): (one.price, one.stock) for one in tariffs} == {
        ("GB", service_id("whatsapp")): (micros("1"), 48),
        # The direct pool's numbers can be sold for it too; the upstream is too dear.
        ("GB", service_id("telegram")): (micros("1"), 8),
        ("SE", service_id("whatsapp")): (micros("9"), 2),
    }
    assert countries == ["GB", "SE"]
    await world.blacklist(partner, "whatsapp")
    async with world.database.transaction() as tx:
        assert await pricing.offered_countries(tx, now) == ["GB"], "nobody sells it in SE any more"


async def test_profiles_are_for_remote_pools(far: RemoteWorld) -> None:
    world = far.world
    _, direct, _ = await world.stocked(1)
    remote_pool, _, _ = await far.add_pool()
    async with world.database.transaction() as tx:
        now = world.clock.now()
        for pool_id, reason in ((direct.id, Refused.MALFORMED), (99, Refused.UNKNOWN_POOL)):
            with pytest.raises(Refusal) as refused:
                command = SetProfile(pool_id, PROTOCOL, "https://x.example.com", "key")  # type: ignore[arg-type]
                await remote.set_profile(tx, command, actor="test", now=now)
            assert refused.value.reason is reason
        command = SetProfile(remote_pool.id, PROTOCOL, "https://x.example.com", "secret", key_in="theirs")
        await remote.set_profile(tx, command, actor="test", now=now)
        found = await remote.profile_of_key_in(tx, "theirs")
        assert found is not None and found.pool_id == remote_pool.id
        assert "secret" not in repr(found)
        assert await remote.profile_of_key_in(tx, "others") is None
    assert await world.value("SELECT count(*) FROM audit WHERE facts::text LIKE '%secret%'") == 0


POOLS, HANGING, SERVICES = 20, 5, 50
ORDERS = 300
AT_ONCE = 6
RUNS = 4


async def test_pools_that_hang_delay_no_order_of_the_others(far: RemoteWorld) -> None:
    """1,000 offers of 20 partners, five of which hang: orders of the others take as long as without them."""
    world = far.world
    slugs = await _slugs(far, SERVICES)
    pools = []

    async def answer_soon() -> None:
        await asyncio.sleep(0.005)

    for place in range(POOLS):
        hanging = place < HANGING
        host = Host(
            numbers=[] if hanging else world.msisdns(2 * RUNS * ORDERS // (POOLS - HANGING) + 2 * ORDERS),
            before=hang if hanging else answer_soon,
            offers=tuple(offer(100, slug=slug) for slug in slugs),
        )
        pool, _, _ = await far.add_pool(host, price=None)
        pools.append(pool)
    for slug in slugs:
        await world.set_price(slug, "0.01")
    buyers = await world.add_buyers(AT_ONCE, "1000")
    far.give_up_after(10.0)

    async def run() -> float:
        seconds: list[float] = []

        async def one(place: int) -> None:
            for number in range(ORDERS // AT_ONCE):
                pool = pools[HANGING + (place + number * AT_ONCE) % (POOLS - HANGING)]
                started = time.perf_counter()
                await far.order(buyers[place], slugs[number % SERVICES], pool=pool)
                seconds.append(time.perf_counter() - started)

        await asyncio.gather(*(one(place) for place in range(AT_ONCE)))
        seconds.sort()
        return seconds[int(len(seconds) * 0.99)]

    await run()
    # The best of some runs each: what else the machine does is not what is measured.
    alone = min([await run() for _ in range(RUNS)])
    # Everybody else asks the hanging ones meanwhile.
    asking = [
        asyncio.create_task(
            far.order(buyers[place % AT_ONCE], slugs[place % SERVICES], pool=pools[place % HANGING])
        )
        for place in range(40)
    ]
    await asyncio.sleep(0.2)
    beside = min([await run() for _ in range(RUNS)])
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    print(f"p99 of orders: {alone * 1000:.1f} ms, beside hanging pools {beside * 1000:.1f} ms")
    assert beside < max(1.5 * alone, alone + 0.02), (alone, beside)


async def test_a_pool_that_hangs_is_soon_left_alone(far: RemoteWorld) -> None:
    world = far.world
    far.give_up_after(6.0)
    _, host, _ = await far.add_pool(Host(before=hang), price="1")
    await far.add_pool(Host(numbers=world.msisdns(60)), price="2")
    buyer = await world.add_buyer("1000")
    orders = await asyncio.gather(*(far.order(buyer) for _ in range(10)))
    assert {order.price for order in orders} == {micros("2")}
    asked = len(host.wishes)
    for _ in range(10):
        await far.order(buyer)
    assert len(host.wishes) == asked
    await world.assert_whole()


async def test_a_pool_with_too_many_orders_on_their_way_gets_no_more(far: RemoteWorld) -> None:
    world = far.world
    far.acquirer._per_pool_max = 2
    far.give_up_after(3.0)
    _, host, _ = await far.add_pool(Host(before=hang), price="1")
    await far.add_pool(Host(numbers=world.msisdns(60)), price="2")
    buyer = await world.add_buyer("1000")
    waiting = [asyncio.create_task(far.order(buyer)) for _ in range(2)]
    await until(lambda: len(host.wishes) == 2)
    assert (await far.order(buyer)).price == micros("2")
    assert len(host.wishes) == 2
    assert {order.price for order in await asyncio.gather(*waiting)} == {micros("2")}


async def test_a_stock_round_that_hangs_holds_up_no_other(far: RemoteWorld) -> None:
    pool, _, _ = await far.add_pool()
    _, host, _ = await far.add_pool()
    source = await far.sources.of(pool.id)

    async def stock() -> Stock:
        await hang()
        return Stock(())

    source.stock = stock  # type: ignore[method-assign]
    host.offers = (offer(77),)
    rounds = asyncio.create_task(far.stock.run())
    await until_async(
        lambda: _stock(far), [("their GB", "their whatsapp", "", 10), ("their GB", "their whatsapp", "", 77)]
    )
    assert list(far.stock.in_flight) == [pool.id]
    rounds.cancel()
    await asyncio.wait({rounds})


async def _slugs(far: RemoteWorld, count: int) -> list[str]:
    rows = await far.world.rows("SELECT slug FROM service WHERE NOT prohibited ORDER BY id LIMIT $1", count)
    return [slug for (slug,) in rows]
