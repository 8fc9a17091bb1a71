"""Which number is leased: each service once, one open lease at a time, and no walk along what is used up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec
import pytest

from simyard.base.ids import AccountId, OperatorId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations import service as activations
from simyard.core.activations.model import Order
from simyard.core.numbers import service as numbers
from simyard.core.numbers import store as numbers_store
from simyard.core.numbers.model import Want
from simyard.core.numbers.store import Looked
from simyard.core.pools.model import Pool
from simyard.db.database import Tx
from tests.world import ACTIVATION_SECONDS, World, code_text, reported, service_id

MANY = 6_000


async def refused(world: World, buyer: AccountId, slug: str = "whatsapp") -> Refused:
    with pytest.raises(Refusal) as caught:
        await world.order(buyer, slug)
    return caught.value.reason


async def end_all(world: World, orders: Sequence[Order | Refusal]) -> None:
    """Ends many leases at once: their time runs out."""
    assert all(isinstance(order, Order) for order in orders)
    world.clock.turn(1)
    while await world.expire(limit=10_000):
        pass


# A service once


@pytest.mark.parametrize("way", ["canceled", "expired", "finished"])
async def test_a_number_never_serves_the_same_service_twice_however_its_lease_ended(
    world: World, way: str
) -> None:
    supplier, _, listed = await world.stocked(1, services=["whatsapp", "telegram"])
    buyer, other = await world.add_buyers(2)
    order = await world.order(buyer)
    if way == "canceled":
        await world.cancel(buyer, order.activation_id)
    elif way == "expired":
        world.clock.turn(ACTIVATION_SECONDS)
        await world.expire()
        await world.report(supplier, listed)
    else:
        await world.receive(supplier, order.msisdn, code_text("whatsapp", "123456"))
        await world.finish(buyer, order.activation_id)
    assert await refused(world, buyer) is Refused.NO_NUMBERS
    assert await refused(world, other) is Refused.NO_NUMBERS
    assert (await world.order(other, "telegram")).msisdn == order.msisdn


async def test_a_leased_number_is_not_sold_for_another_service(world: World) -> None:
    await world.stocked(1, services=["whatsapp", "telegram"])
    buyer = await world.add_buyer()
    await world.order(buyer)
    assert await refused(world, buyer, "telegram") is Refused.NO_NUMBERS


async def test_the_database_refuses_a_second_open_lease_of_a_number(world: World) -> None:
    await world.stocked(1)
    await world.order(await world.add_buyer())
    with pytest.raises(asyncpg.UniqueViolationError) as caught:
        await world.value(_COPY, service_id("telegram"), "waiting", None)
    assert caught.value.constraint_name == "activation_one_open_per_number"


async def test_the_database_refuses_a_service_a_second_time_on_a_number(world: World) -> None:
    await world.stocked(1)
    order = await world.order(await world.add_buyer())
    await world.cancel(AccountId(await world.value("SELECT account_id FROM activation")), order.activation_id)
    with pytest.raises(asyncpg.UniqueViolationError) as caught:
        await world.value(_COPY, service_id("whatsapp"), "canceled", world.clock.now())
    assert caught.value.constraint_name == "activation_number_serves_a_service_once"


_COPY = """
    INSERT INTO activation (account_id, pool_id, number_id, msisdn, country, service_id, service_label, country_label, state,
                            price, currency, margin, earning, earning_currency, supplier_id, ordered_at, expires_at, closed_at)
    SELECT account_id, pool_id, number_id, msisdn, country, $1, service_label, country_label, $2,
           price, currency, margin, earning, earning_currency, supplier_id, ordered_at, expires_at, $3
      FROM activation LIMIT 1
"""


async def test_a_sandbox_number_may_serve_the_same_service_again(world: World) -> None:
    await world.add_sandbox_pool([reported("+447700900001")])
    await world.set_price("whatsapp", "1")
    buyer = await world.add_buyer()
    for _ in range(3):
        order = await world.order(buyer)
        assert order.msisdn == "+447700900001"
        assert await refused(world, buyer) is Refused.NO_NUMBERS
        await world.cancel(buyer, order.activation_id)
    await world.take_stock()
    assert [offer.stock for offer in await world.offers("whatsapp")] == [1]


async def test_numbers_take_turns(world: World) -> None:
    """A number whose lease ended queues up behind the others."""
    _, _, listed = await world.stocked(3, services=["whatsapp", "telegram"])
    buyer = await world.add_buyer()
    first = await world.order(buyer)
    assert first.msisdn == listed[0]
    await world.cancel(buyer, first.activation_id)
    assert [(await world.order(buyer, "telegram")).msisdn for _ in range(3)] == [*listed[1:], listed[0]]


# Cursors


class Looks:
    """Counts the numbers each look of a claim was shown, as the server's own executor saw them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: list[int] = []
        claim = numbers_store._queries.claim

        class Counting:
            async def rows(self, tx: Tx, **values: object) -> list[asyncpg.Record]:
                explained = await explain(tx, claim.text, claim._arguments(values))
                counted.rows.append(explained)
                return await claim.rows(tx, **values)

        counted = self
        monkeypatch.setitem(numbers_store._queries._queries, "claim", Counting())


async def explain(tx: Tx, statement: str, arguments: Sequence[object]) -> int:
    """Rows a statement reads from the number table. It runs, and is taken back."""
    save = tx.transaction()
    await save.start()
    try:
        plan = await tx.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *arguments)
    finally:
        await save.rollback()
    plan = msgspec.json.decode(plan) if isinstance(plan, str) else plan
    return rows_of_number(plan[0]["Plan"])


def rows_of_number(node: dict[str, Any]) -> int:
    own = 0
    if node.get("Relation Name") == "number" and node["Node Type"] != "ModifyTable":
        own = round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
    return own + sum(rows_of_number(child) for child in node.get("Plans", ()))


async def use_up(world: World, slug: str, count: int) -> None:
    buyer = await world.add_buyer("0")
    orders = await world.order_batch([world.order_command(buyer, slug, seconds=1) for _ in range(count)])
    await end_all(world, orders)


async def settle(world: World) -> None:
    """Waits until every transaction up to now is over, on the whole server: only then may cursors move."""
    last = int(await world.value("SELECT pg_current_xact_id()::text"))
    async with asyncio.timeout(60):
        while int(await world.value("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")) <= last:
            pass


async def test_a_claim_does_not_walk_again_along_what_its_service_used_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    supplier, _, listed = await world.stocked(MANY, services=["whatsapp", "telegram"], price="0")
    buyer = await world.add_buyer("0")
    await use_up(world, "whatsapp", MANY)
    fresh = world.msisdns(3)
    await world.report(supplier, [*listed, *fresh])
    await world.value("ANALYZE number, activation")
    await settle(world)
    looks = Looks(monkeypatch)
    first = await world.order(buyer)
    await settle(world)
    walked, looks.rows = looks.rows, []
    second = await world.order(buyer)
    assert [first.msisdn, second.msisdn] == fresh[:2]
    assert sum(walked) > MANY, "the first order has to walk along what was used up"
    assert len(looks.rows) == 1
    assert sum(looks.rows) < 100, "the second goes on where the first stopped"
    # Another service has a cursor of its own, right at the front.
    looks.rows = []
    await world.order(buyer, "telegram")
    assert sum(looks.rows) < 100
    await world.assert_whole()


async def test_a_service_that_used_everything_up_finds_nothing_without_walking(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.stocked(1_000, price="0")
    buyer = await world.add_buyer("0")
    await use_up(world, "whatsapp", 1_000)
    await settle(world)
    assert await refused(world, buyer) is Refused.NO_NUMBERS
    looks = Looks(monkeypatch)
    assert await refused(world, buyer) is Refused.NO_NUMBERS
    assert sum(looks.rows) < 100


async def test_an_operator_has_cursors_of_its_own(world: World) -> None:
    supplier = await world.add_supplier()
    pool = await world.add_direct_pool(supplier)
    verizon = OperatorId(310004)
    listed = [
        reported(msisdn, "US", verizon if place % 2 else None)
        for place, msisdn in enumerate(world.msisdns(200, "+1202"))
    ]
    await world.report(supplier, listed)
    await world.set_price("whatsapp", "0", country="US", pool=pool)
    buyer = await world.add_buyer("0")
    for _ in range(100):
        await world.order(buyer, country="US", operator_id=verizon, seconds=1)
    world.clock.turn(1)
    await world.expire()
    with pytest.raises(Refusal):
        await world.order(buyer, country="US", operator_id=verizon)
    taken = [(await world.order(buyer, country="US")).msisdn for _ in range(100)]
    assert set(taken) == {one.msisdn for one in listed if one.operator_id is None}
    await world.assert_whole()


async def test_numbers_passed_over_for_a_prefix_stay_within_reach_of_the_next(world: World) -> None:
    supplier = await world.add_supplier()
    pool = await world.add_direct_pool(supplier)
    await world.report(supplier, world.msisdns(100, "+4474") + world.msisdns(100, "+4475"))
    await world.set_price("whatsapp", "0", pool=pool)
    buyer = await world.add_buyer("0")
    picky = [(await world.order(buyer, excluded=("+4474",))).msisdn for _ in range(100)]
    assert all(msisdn.startswith("+4475") for msisdn in picky)
    assert len({(await world.order(buyer)).msisdn for _ in range(100)}) == 100
    await world.assert_whole()


async def test_a_number_released_by_a_transaction_in_flight_while_the_cursor_moved_is_found(
    world: World,
) -> None:
    """The release has the older place in the queue, and is seen only after the cursor has moved past younger ones."""
    supplier, _, listed = await world.stocked(1, services=["whatsapp", "telegram"], price="0")
    buyer = await world.add_buyer("0")
    other = await world.add_buyer("0")
    early = await world.order(other, "telegram")
    async with world.database.transaction() as releasing:
        await activations.cancel(releasing, world.acting(other, early.activation_id))
        # Younger numbers come, are used for the service, come back, and the cursor walks over them.
        younger = world.msisdns(200)
        await world.report(supplier, [*listed, *younger])
        await use_up(world, "whatsapp", 200)
        assert await refused(world, buyer) is Refused.NO_NUMBERS
        assert await refused(world, buyer) is Refused.NO_NUMBERS
    found = await world.order(buyer)
    assert found.msisdn == listed[0]
    await world.assert_whole()
    # Once that transaction is over, the cursor moves.
    await settle(world)
    assert await refused(world, buyer) is Refused.NO_NUMBERS
    assert await world.value("SELECT count(*) FROM claim_cursor") > 0
    await world.assert_whole()


async def test_numbers_of_an_order_that_was_rolled_back_are_found_again(world: World) -> None:
    _, _, listed = await world.stocked(50, price="0")
    buyer = await world.add_buyer("0")
    with pytest.raises(ZeroDivisionError):
        async with world.database.transaction() as tx:
            results = await activations.order(tx, [world.order_command(buyer) for _ in range(50)])
            assert all(isinstance(result, Order) for result in results)
            raise ZeroDivisionError
    again = await world.order_batch([world.order_command(buyer) for _ in range(50)])
    assert sorted(order.msisdn for order in again if isinstance(order, Order)) == listed
    await world.assert_whole()


async def test_a_cursor_does_not_pass_numbers_another_order_holds_and_gives_back(world: World) -> None:
    await world.stocked(100, price="0")
    buyer, other = await world.add_buyers(2, "0")
    with pytest.raises(ZeroDivisionError):
        async with world.database.transaction() as tx:
            await activations.order(tx, [world.order_command(other) for _ in range(10)])
            for _ in range(90):
                await world.order(buyer)
            raise ZeroDivisionError
    results = await world.order_batch([world.order_command(buyer) for _ in range(10)])
    assert all(isinstance(result, Order) for result in results)
    await world.assert_whole()


async def test_orders_never_wait_for_numbers_others_hold(world: World) -> None:
    _, _, listed = await world.stocked(2, price="0")
    buyer, other = await world.add_buyers(2, "0")
    async with world.database.transaction() as tx:
        (held,) = await activations.order(tx, [world.order_command(other)])
        assert isinstance(held, Order)
        async with asyncio.timeout(10):
            order = await world.order(buyer)
            assert {held.msisdn, order.msisdn} == set(listed)
            assert await refused(world, buyer) is Refused.NO_NUMBERS


async def test_a_long_walk_is_cut_and_goes_on_at_the_next_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one order may cost is bounded; what it passed is remembered."""
    supplier, _, listed = await world.stocked(400, price="0")
    buyer = await world.add_buyer("0")
    await use_up(world, "whatsapp", 400)
    monkeypatch.setattr(numbers, "_WINDOW", 64)
    monkeypatch.setattr(numbers, "_LOOKS_MAX", 3)
    (fresh,) = world.msisdns(1)
    await world.report(supplier, [*listed, fresh])
    await settle(world)
    tries = 1
    while isinstance((await world.order_batch([world.order_command(buyer)]))[0], Refusal):
        tries += 1
        assert tries < 10
    assert tries > 1


async def test_orders_of_many_services_find_their_numbers_in_one_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They all stand before the same numbers, and each leaves the first to those before it."""
    slugs = ["whatsapp", "telegram", "google", "signal", "discord"]
    _, _, listed = await world.stocked(10, services=slugs, price="0")
    buyer = await world.add_buyer("0")
    looks = Looks(monkeypatch)
    orders = await world.order_batch([world.order_command(buyer, slug) for slug in slugs * 2])
    assert sorted(order.msisdn for order in orders if isinstance(order, Order)) == listed
    assert len(looks.rows) == 1


async def test_an_order_takes_the_only_number_though_it_left_it_to_others_that_cannot_have_it(
    world: World,
) -> None:
    await world.stocked(1, services=["whatsapp", "telegram"], price="0")
    buyer = await world.add_buyer("0")
    used = await world.order(buyer, "whatsapp")
    await world.cancel(buyer, used.activation_id)
    results = await world.order_batch([world.order_command(buyer, slug) for slug in ("whatsapp", "telegram")])
    assert [isinstance(result, Order) for result in results] == [False, True]


async def test_a_claim_ends_where_it_has_found_enough(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.stocked(1_000, price="0")
    buyer = await world.add_buyer("0")
    looks = Looks(monkeypatch)
    await world.order(buyer)
    assert sum(looks.rows) < 10


async def test_cursors_of_another_server_are_dropped(world: World) -> None:
    _, pool, listed = await world.stocked(1, price="0")
    await world.value(
        "INSERT INTO claim_cursor VALUES ($1, 'GB', 0, $2, 1000000000000, 0)", pool.id, service_id("whatsapp")
    )
    buyer = await world.add_buyer("0")
    assert await refused(world, buyer) is Refused.NO_NUMBERS
    async with world.database.transaction() as tx:
        await numbers.forget_foreign_cursors(tx)
    assert (await world.order(buyer)).msisdn == listed[0]


async def test_a_window_that_was_full_says_that_there_is_more(world: World) -> None:
    _, pool, _ = await world.stocked(5)
    want = wanted(pool, 5)
    async with world.database.transaction() as tx:
        (looked,) = await numbers_store.claim(
            tx, wants=[want], after=[None], spare=1, window=3, cursor_step=32
        )
        assert (looked.more, len(want.claimed)) == (True, 3)
        (looked,) = await numbers_store.claim(
            tx, wants=[want], after=[looked], spare=1, window=3, cursor_step=32
        )
        assert isinstance(looked, Looked)
        assert (looked.more, len(want.claimed)) == (False, 5)


def wanted(pool: Pool, count: int) -> Want:
    return Want(pool.id, "GB", None, service_id("whatsapp"), (), False, count)


async def test_a_lease_that_ends_gives_its_number_back_to_every_other_service(world: World) -> None:
    slugs = ["whatsapp", "telegram", "google", "signal", "discord"]
    await world.stocked(1, services=slugs)
    buyer = await world.add_buyer()
    for slug in slugs:
        order = await world.order(buyer, slug, seconds=10)
        world.clock.turn(10)
        await world.expire()
        assert (await world.check(buyer, order.activation_id)).state == "expired"
