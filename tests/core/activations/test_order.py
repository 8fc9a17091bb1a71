"""Ordering: which refusal comes first, which pool wins, what is charged."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simyard.base.ids import OperatorId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Role
from simyard.core.activations.machine import State
from simyard.core.activations.model import Order, OrderNumber
from simyard.core.catalog import service as catalog
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.pools import service as pools
from tests.world import ACTIVATION_SECONDS, ONLINE_SECONDS, World, micros, reported, service_id

VERIZON = OperatorId(310004)
ATT = OperatorId(310030)


async def refused(world: World, command: OrderNumber) -> Refused:
    (result,) = await world.order_batch([command])
    assert isinstance(result, Refusal), result
    return result.reason


def reasons(results: list[Order | Refusal]) -> list[Refused | None]:
    return [result.reason if isinstance(result, Refusal) else None for result in results]


async def test_an_order_leases_a_number_and_holds_its_price(world: World) -> None:
    _, _, (msisdn,) = await world.stocked(1, price="1.5")
    buyer = await world.add_buyer("10")
    order = await world.order(buyer, label="WhatsApp!")
    now = world.clock.now()
    assert order == Order(
        activation_id=order.activation_id,
        msisdn=msisdn,
        service_label="WhatsApp!",
        country_label="GB",
        price=micros("1.5"),
        currency="USD",
        available=micros("8.5"),
        ordered_at=now,
        expires_at=now + timedelta(seconds=ACTIVATION_SECONDS),
    )
    balance = await world.balance(buyer)
    assert (balance.available, balance.held) == (micros("8.5"), micros("1.5"))
    seen = await world.check(buyer, order.activation_id)
    assert (seen.state, seen.msisdn, seen.code, seen.price) == (State.WAITING, msisdn, None, micros("1.5"))
    await world.assert_whole()


async def test_lease_ids_fit_clients_that_read_32_bits(world: World) -> None:
    await world.stocked(1)
    order = await world.order(await world.add_buyer())
    assert 10_000 <= order.activation_id < 2**31


async def test_an_order_says_when_it_was_made_as_a_check_does_later(world: World) -> None:
    """Orders of one batch came at different moments; each keeps its own."""
    await world.stocked(2)
    buyer = await world.add_buyer()
    first = world.order_command(buyer)
    world.clock.turn(3)
    second = world.order_command(buyer)
    for order in await world.order_batch([first, second]):
        assert isinstance(order, Order)
        seen = await world.check(buyer, order.activation_id)
        assert (seen.ordered_at, seen.expires_at) == (order.ordered_at, order.expires_at)


# Refusals, in their order


async def test_a_price_nobody_set_is_refused(world: World) -> None:
    await world.stocked(1)
    buyer = await world.add_buyer()
    assert await refused(world, world.order_command(buyer, "telegram")) is Refused.NOT_PRICED
    assert await refused(world, world.order_command(buyer, country="DE")) is Refused.NOT_PRICED


async def test_a_prohibited_service_is_refused_before_anything_else_is_said(world: World) -> None:
    buyer = await world.add_buyer("0")
    assert await refused(world, world.order_command(buyer, "acko")) is Refused.SERVICE_PROHIBITED


async def test_a_prohibited_service_is_sold_to_whom_an_operator_permitted_it(world: World) -> None:
    await world.stocked(2, services=["acko", "accuindex"])
    permitted, other = await world.add_buyers(2)
    await world.permit(permitted, "acko")
    results = await world.order_batch(
        [
            world.order_command(other, "acko"),
            world.order_command(permitted, "acko"),
            world.order_command(permitted, "accuindex"),
        ]
    )
    assert reasons(results) == [Refused.SERVICE_PROHIBITED, None, Refused.SERVICE_PROHIBITED]


async def test_a_permission_that_was_taken_back_is_refused(world: World) -> None:
    await world.stocked(1, services=["acko"])
    buyer = await world.add_buyer()
    await world.permit(buyer, "acko")
    service = load_catalog().service("acko")
    assert service is not None
    async with world.database.transaction() as tx:
        await catalog.forbid(tx, buyer, service, actor="test", now=world.clock.now())
    assert await refused(world, world.order_command(buyer, "acko")) is Refused.SERVICE_PROHIBITED


async def test_a_reused_key_is_refused_before_a_prohibited_service(world: World) -> None:
    await world.stocked(1)
    buyer = await world.add_buyer()
    await world.order(buyer, key="k")
    assert await refused(world, world.order_command(buyer, "acko", key="k")) is Refused.IDEMPOTENCY_KEY_REUSED


async def test_a_currency_without_a_rate_is_refused_before_a_price_too_high(world: World) -> None:
    await world.stocked(1)
    buyer = await world.add_buyer("100", "NGN")
    assert await refused(world, world.order_command(buyer, price_max="0")) is Refused.NO_RATE


async def test_a_price_too_high_is_refused_before_a_lack_of_funds(world: World) -> None:
    await world.stocked(1, price="2")
    buyer = await world.add_buyer("0")
    assert await refused(world, world.order_command(buyer, price_max="1.9999")) is Refused.PRICE_TOO_HIGH
    assert await refused(world, world.order_command(buyer, price_max="2")) is Refused.INSUFFICIENT_FUNDS


async def test_a_price_that_changed_is_refused_before_one_too_high_and_a_lack_of_funds(world: World) -> None:
    await world.stocked(1, price="2")
    buyer = await world.add_buyer("0")
    for other in ("1.9999", "2.0001", "0"):
        command = world.order_command(buyer, price_exact=other, price_max="1")
        assert await refused(world, command) is Refused.PRICE_CHANGED
    dear = world.order_command(buyer, price_exact="2", price_max="1")
    assert await refused(world, dear) is Refused.PRICE_TOO_HIGH
    assert await refused(world, world.order_command(buyer, price_exact="2")) is Refused.INSUFFICIENT_FUNDS


async def test_a_lack_of_funds_is_refused_before_a_lack_of_numbers(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="2")
    await world.report(supplier, [])
    poor, rich = await world.add_buyer("1.999999"), await world.add_buyer("2")
    assert await refused(world, world.order_command(poor)) is Refused.INSUFFICIENT_FUNDS
    assert await refused(world, world.order_command(rich)) is Refused.NO_NUMBERS


async def test_a_lack_of_funds_is_refused_before_pools_that_are_all_offline(world: World) -> None:
    await world.stocked(1, price="2")
    poor, rich = await world.add_buyer("1.999999"), await world.add_buyer("2")
    world.clock.turn(ONLINE_SECONDS)
    assert await refused(world, world.order_command(poor, price_max="1")) is Refused.PRICE_TOO_HIGH
    assert await refused(world, world.order_command(poor)) is Refused.INSUFFICIENT_FUNDS
    assert await refused(world, world.order_command(rich)) is Refused.NO_NUMBERS


async def test_a_refused_order_leaves_nothing_behind(world: World) -> None:
    await world.stocked(1, price="2")
    buyer = await world.add_buyer("1")
    await refused(world, world.order_command(buyer))
    assert await world.value("SELECT count(*) FROM activation") == 0
    assert await world.value("SELECT count(*) FROM number WHERE lease_id IS NOT NULL") == 0
    assert (await world.balance(buyer)).available == micros("1")


async def test_an_account_without_a_wallet_is_refused_and_does_not_fail_its_batch(world: World) -> None:
    await world.stocked(2)
    penniless = await world.add_account(Role.OPERATOR, currency=None)
    buyer = await world.add_buyer()
    results = await world.order_batch([world.order_command(penniless), world.order_command(buyer)])
    assert reasons(results) == [Refused.INSUFFICIENT_FUNDS, None]


# Which pool


async def test_the_cheapest_pool_with_stock_wins(world: World) -> None:
    await world.stocked(1, price="3")
    _, cheap, (msisdn,) = await world.stocked(1, price="1")
    await world.stocked(1, price="2")
    await world.take_stock()
    order = await world.order(await world.add_buyer())
    assert (order.msisdn, order.price) == (msisdn, micros("1"))
    assert await world.value("SELECT pool_id FROM activation") == cheap.id


async def test_of_equally_cheap_pools_the_older_one_wins(world: World) -> None:
    _, _, (older,) = await world.stocked(1)
    await world.stocked(1)
    await world.take_stock()
    assert (await world.order(await world.add_buyer())).msisdn == older


async def test_an_order_falls_back_to_the_next_pool_when_the_cheapest_is_empty(world: World) -> None:
    await world.stocked(1, price="1")
    _, _, (dear,) = await world.stocked(1, price="2")
    await world.take_stock()
    buyer = await world.add_buyer()
    assert (await world.order(buyer)).price == micros("1")
    # The stock that is shown still counts the number that was just leased.
    order = await world.order(buyer)
    assert (order.msisdn, order.price) == (dear, micros("2"))


async def test_a_pool_whose_stock_was_not_counted_yet_is_asked_after_the_others(world: World) -> None:
    _, _, (dear,) = await world.stocked(1, price="2")
    await world.take_stock()
    _, _, (cheap,) = await world.stocked(1, price="1")
    buyer = await world.add_buyer()
    assert [(await world.order(buyer)).msisdn for _ in range(2)] == [dear, cheap]


async def test_one_batch_spreads_over_pools_in_the_order_it_came(world: World) -> None:
    await world.stocked(2, price="1")
    await world.stocked(2, price="2")
    await world.take_stock()
    buyers = await world.add_buyers(5)
    results = await world.order_batch([world.order_command(buyer) for buyer in buyers])
    prices = [result.price if isinstance(result, Order) else None for result in results]
    assert prices == [micros("1"), micros("1"), micros("2"), micros("2"), None]
    assert reasons(results)[-1] is Refused.NO_NUMBERS
    await world.assert_whole()


async def test_a_pinned_pool_has_no_fallback(world: World) -> None:
    supplier, pinned, _ = await world.stocked(1, price="1")
    await world.stocked(1, price="2")
    await world.report(supplier, [])
    buyer = await world.add_buyer()
    assert await refused(world, world.order_command(buyer, pool=pinned)) is Refused.NO_NUMBERS


async def test_a_pinned_pool_is_used_though_another_is_cheaper(world: World) -> None:
    await world.stocked(1, price="1")
    _, pinned, (msisdn,) = await world.stocked(1, price="2")
    order = await world.order(await world.add_buyer(), pool=pinned)
    assert (order.msisdn, order.price) == (msisdn, micros("2"))


async def test_a_pinned_pool_that_does_not_sell_the_service_has_no_numbers(world: World) -> None:
    await world.stocked(1)
    _, other, _ = await world.stocked(1, services=["telegram"])
    buyer = await world.add_buyer()
    assert await refused(world, world.order_command(buyer, pool=other)) is Refused.NO_NUMBERS


async def test_a_price_for_all_pools_holds_where_a_pool_has_none_of_its_own(world: World) -> None:
    _, own, _ = await world.stocked(1, price="3")
    _, plain, _ = await world.stocked(1, services=[])
    await world.set_price("whatsapp", "2")
    buyer = await world.add_buyer()
    assert (await world.order(buyer, pool=own)).price == micros("3")
    assert (await world.order(buyer, pool=plain)).price == micros("2")


async def test_only_numbers_of_the_wanted_operator_are_leased(world: World) -> None:
    supplier = await world.add_supplier()
    pool = await world.add_direct_pool(supplier)
    verizon, att, unknown = world.msisdns(3, "+1202")
    await world.report(
        supplier, [reported(unknown, "US"), reported(verizon, "US", VERIZON), reported(att, "US", ATT)]
    )
    await world.set_price("whatsapp", "1", country="US", pool=pool)
    buyer = await world.add_buyer()
    wanted = world.order_command(buyer, country="US", operator_id=ATT)
    (first,) = await world.order_batch([wanted])
    assert isinstance(first, Order)
    assert first.msisdn == att
    assert await refused(world, wanted) is Refused.NO_NUMBERS
    assert {(await world.order(buyer, country="US")).msisdn for _ in range(2)} == {verizon, unknown}


async def test_numbers_with_an_excluded_prefix_are_passed_over(world: World) -> None:
    supplier = await world.add_supplier()
    pool = await world.add_direct_pool(supplier)
    await world.report(supplier, ["+447400000001", "+447500000001", "+447600000001"])
    await world.set_price("whatsapp", "1", pool=pool)
    buyer = await world.add_buyer()
    picky = world.order_command(buyer, excluded=("+4474", "+44760"))
    (first,) = await world.order_batch([picky])
    assert isinstance(first, Order)
    assert first.msisdn == "+447500000001"
    assert await refused(world, picky) is Refused.NO_NUMBERS
    # What one buyer would not have is there for the next.
    assert (await world.order(buyer)).msisdn in {"+447400000001", "+447600000001"}


async def test_an_offline_pool_sells_nothing_until_its_supplier_reports_again(world: World) -> None:
    supplier, _, listed = await world.stocked(2)
    buyer = await world.add_buyer()
    world.clock.turn(ONLINE_SECONDS - 1)
    await world.order(buyer)
    world.clock.turn(1)
    assert await refused(world, world.order_command(buyer)) is Refused.NO_NUMBERS
    await world.report(supplier, listed)
    await world.order(buyer)


async def test_a_reserved_pool_sells_its_service_only(world: World) -> None:
    supplier = await world.add_supplier()
    await world.add_direct_pool(supplier, reserved_for="telegram")
    await world.report(supplier, world.msisdns(1))
    for slug in ("whatsapp", "telegram"):
        await world.set_price(slug, "1")
    buyer = await world.add_buyer()
    assert await refused(world, world.order_command(buyer)) is Refused.NOT_PRICED
    await world.order(buyer, "telegram")


async def test_a_pool_without_consent_sells_nothing(world: World) -> None:
    supplier = await world.add_supplier()
    pool = await world.add_direct_pool(supplier, consent=None)
    await world.report(supplier, world.msisdns(1))
    await world.set_price("whatsapp", "1")
    buyer = await world.add_buyer()
    assert await refused(world, world.order_command(buyer)) is Refused.NOT_PRICED
    async with world.database.transaction() as tx:
        await pools.record_consent(tx, pool.id, "They agreed.", actor="test", now=world.clock.now())
    await world.order(buyer)


async def test_a_disabled_pool_sells_nothing(world: World) -> None:
    _, pool, _ = await world.stocked(1)
    buyer = await world.add_buyer()
    async with world.database.transaction() as tx:
        await pools.set_enabled(tx, pool.id, enabled=False, actor="test", now=world.clock.now())
    assert await refused(world, world.order_command(buyer)) is Refused.NOT_PRICED


async def test_a_pool_whose_supplier_cannot_be_paid_does_not_stop_the_others(world: World) -> None:
    await world.stocked(1, price="1", currency="EUR")
    _, payable, _ = await world.stocked(1, price="2")
    walletless = await world.add_account(Role.SUPPLIER, currency=None)
    await world.add_direct_pool(walletless)
    await world.report(walletless, world.msisdns(1))
    await world.set_price("whatsapp", "0.5")
    buyer = await world.add_buyer()
    assert (await world.order(buyer)).price == micros("2")
    assert await world.value("SELECT pool_id FROM activation") == payable.id


async def test_a_pool_whose_supplier_cannot_be_paid_has_no_rate_when_it_is_alone(world: World) -> None:
    await world.stocked(1, currency="EUR")
    buyer = await world.add_buyer()
    assert await refused(world, world.order_command(buyer)) is Refused.NO_RATE
    await world.set_rate("EUR", "0.9")
    await world.order(buyer)


# What is charged


async def test_a_price_is_converted_at_order_time_and_the_order_keeps_it(world: World) -> None:
    await world.stocked(2, price="1.083")
    await world.set_rate("NGN", "1500.25")
    buyer = await world.add_buyer("5000", "NGN")
    order = await world.order(buyer)
    # 1.083 * 1500.25 = 1624.77075, up to the next ten-thousandth.
    assert (order.price, order.currency) == (micros("1624.7708"), "NGN")
    assert order.available == micros("3375.2292")
    await world.set_rate("NGN", "1600")
    assert (await world.check(buyer, order.activation_id)).price == micros("1624.7708")
    assert (await world.order(buyer)).price == micros("1732.8")


async def test_price_max_is_in_the_buyers_currency(world: World) -> None:
    await world.stocked(1, price="1")
    await world.set_rate("NGN", "1500")
    buyer = await world.add_buyer("5000", "NGN")
    assert await refused(world, world.order_command(buyer, price_max="1499.9999")) is Refused.PRICE_TOO_HIGH
    await world.order(buyer, price_max="1500")


async def test_price_exact_takes_only_the_pools_that_ask_it(world: World) -> None:
    await world.stocked(1, price="1")
    dear, pool, listed = await world.stocked(1, price="2")
    await world.take_stock()
    buyer = await world.add_buyer()
    order = await world.order(buyer, price_exact="2")
    assert (order.price, order.msisdn) == (micros("2"), listed[0])
    # The cheaper pool still has one, but nobody asked for its price.
    assert await refused(world, world.order_command(buyer, price_exact="2")) is Refused.NO_NUMBERS
    # A pool that is offline has no numbers, though its price is right.
    await world.report(dear, [], pool=pool)
    assert await refused(world, world.order_command(buyer, price_exact="2")) is Refused.NO_NUMBERS


async def test_price_exact_is_in_the_buyers_currency(world: World) -> None:
    await world.stocked(1, price="1.0831")
    await world.set_rate("NGN", "1500.1")
    buyer = await world.add_buyer("5000", "NGN")
    assert await refused(world, world.order_command(buyer, price_exact="1.0831")) is Refused.PRICE_CHANGED
    order = await world.order(buyer, price_exact="1624.7584")
    assert order.price == micros("1624.7584")
    await world.set_rate("NGN", "1500")
    assert await refused(world, world.order_command(buyer, price_exact="1624.7584")) is Refused.PRICE_CHANGED


async def test_price_max_keeps_an_order_from_the_dearer_pool(world: World) -> None:
    await world.stocked(1, price="1")
    await world.stocked(1, price="2")
    buyer = await world.add_buyer()
    await world.order(buyer, price_max="1.5")
    assert await refused(world, world.order_command(buyer, price_max="1.5")) is Refused.NO_NUMBERS


async def test_a_free_number_moves_no_money(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1, price="0")
    buyer = await world.add_buyer("0")
    order = await world.order(buyer)
    assert (order.price, order.available) == (0, 0)
    await world.receive(supplier, msisdn, "123456 is your WhatsApp code")
    assert await world.value("SELECT count(*) FROM transfer") == 0
    await world.assert_whole()


# Batches


async def test_each_order_of_a_batch_names_the_balance_after_it(world: World) -> None:
    await world.stocked(4, services=["whatsapp", "telegram"], price="1")
    one, two = await world.add_buyer("10"), await world.add_buyer("20")
    results = await world.order_batch(
        [
            world.order_command(one),
            world.order_command(two),
            world.order_command(one),
            world.order_command(two),
        ]
    )
    balances = [result.available for result in results if isinstance(result, Order)]
    assert balances == [micros("9"), micros("19"), micros("8"), micros("18")]


async def test_a_batch_never_spends_more_than_the_wallet_has(world: World) -> None:
    await world.stocked(5, price="1")
    buyer = await world.add_buyer("2.5")
    results = await world.order_batch([world.order_command(buyer) for _ in range(4)])
    assert reasons(results) == [None, None, Refused.INSUFFICIENT_FUNDS, Refused.INSUFFICIENT_FUNDS]
    assert (await world.balance(buyer)).available == micros("0.5")


async def test_money_an_order_could_not_spend_is_there_for_the_next_of_its_batch(world: World) -> None:
    supplier, empty, _ = await world.stocked(1, services=["telegram"], price="3")
    await world.report(supplier, [])
    await world.stocked(1, price="2")
    buyer = await world.add_buyer("3")
    results = await world.order_batch(
        [world.order_command(buyer, "telegram", pool=empty), world.order_command(buyer)]
    )
    assert reasons(results) == [Refused.NO_NUMBERS, None]
    assert (await world.balance(buyer)).available == micros("1")


async def test_the_outcomes_of_a_mixed_batch_stand_in_the_order_of_its_commands(world: World) -> None:
    await world.stocked(3, services=["whatsapp", "telegram"], price="2")
    rich, poor = await world.add_buyer("100"), await world.add_buyer("1")
    results = await world.order_batch(
        [
            world.order_command(poor),
            world.order_command(rich, "telegram"),
            world.order_command(rich, "discord"),
            world.order_command(rich, "acko"),
            world.order_command(rich, price_max="1"),
            world.order_command(rich),
            world.order_command(rich, excluded=("+44",)),
            world.order_command(rich),
            world.order_command(rich),
        ]
    )
    assert reasons(results) == [
        Refused.INSUFFICIENT_FUNDS,
        None,
        Refused.NOT_PRICED,
        Refused.SERVICE_PROHIBITED,
        Refused.PRICE_TOO_HIGH,
        None,
        Refused.NO_NUMBERS,
        None,
        Refused.NO_NUMBERS,
    ]
    assert [result.service_label for result in results if isinstance(result, Order)] == [
        "telegram",
        "whatsapp",
        "whatsapp",
    ]
    await world.assert_whole()


async def test_one_batch_never_leases_a_number_twice(world: World) -> None:
    slugs = ["whatsapp", "telegram", "google", "signal"]
    _, _, listed = await world.stocked(40, services=slugs)
    buyer = await world.add_buyer("1000")
    results = await world.order_batch([world.order_command(buyer, slugs[place % 4]) for place in range(48)])
    leased = [result.msisdn for result in results if isinstance(result, Order)]
    assert sorted(leased) == listed
    assert reasons(results).count(Refused.NO_NUMBERS) == 8
    await world.assert_whole()


async def test_orders_of_one_batch_may_exclude_different_prefixes(world: World) -> None:
    """Also when both walk past so many used numbers that both would move the service's cursor."""
    supplier, _, listed = await world.stocked(60)
    buyer = await world.add_buyer("1000")
    for order in await world.order_batch([world.order_command(buyer) for _ in range(60)]):
        assert isinstance(order, Order)
        await world.cancel(buyer, order.activation_id)
    fresh = world.msisdns(2)
    await world.report(supplier, [*listed, *fresh])
    results = await world.order_batch(
        [
            world.order_command(buyer, excluded=("+4410",)),
            world.order_command(buyer, excluded=("+4420",)),
        ]
    )
    assert {result.msisdn for result in results if isinstance(result, Order)} == set(fresh)
    await world.assert_whole()


# Looking


async def test_another_accounts_activation_is_unknown(world: World) -> None:
    await world.stocked(1)
    mine, other = await world.add_buyers(2)
    order = await world.order(mine)
    with pytest.raises(Refusal) as caught:
        await world.check(other, order.activation_id)
    assert caught.value.reason is Refused.UNKNOWN_LEASE


async def test_the_service_of_an_order_is_the_one_asked_for(world: World) -> None:
    await world.stocked(1, services=["signal"])
    await world.order(await world.add_buyer(), "signal")
    assert await world.value("SELECT service_id FROM activation") == service_id("signal")
