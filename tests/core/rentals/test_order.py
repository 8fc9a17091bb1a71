"""Ordering a rental: what it costs, which number it gets, and every refusal."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable
from datetime import timedelta

import pytest

from simyard.base.ids import AccountId, PoolId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Role
from simyard.core.rentals.machine import State
from simyard.core.rentals.model import CountryOffer, RentalOffer
from tests.world import CONFIRM_SECONDS, World, micros, reported


async def refusal(acting: Awaitable[object]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await acting
    return caught.value


async def transfers(world: World) -> list[tuple[object, ...]]:
    return await world.rows(
        "SELECT reference, kind, amount FROM transfer WHERE kind <> 'deposit' ORDER BY id"
    )


async def test_an_order_leases_a_number_and_holds_the_price(world: World) -> None:
    _, _, (msisdn,) = await world.rentable(1)
    buyer = await world.add_buyer("20")
    rental = await world.rent(buyer, 7, auto_extend=True)
    now = world.clock.now()
    assert (rental.msisdn, rental.country, rental.state) == (msisdn, "GB", State.WAITING)
    assert (rental.price, rental.days, rental.currency, rental.auto_extend) == (micros("5"), 7, "USD", True)
    assert (rental.ordered_at, rental.confirm_by) == (now, now + timedelta(seconds=CONFIRM_SECONDS))
    assert (rental.expires_at, rental.confirmed_at, rental.closed_at) == (now + timedelta(days=7), None, None)
    assert (rental.messages, rental.last_message_at) == (0, None)
    balance = await world.balance(buyer)
    assert (balance.available, balance.held) == (micros("15"), micros("5"))
    assert await transfers(world) == [(f"rental/{rental.id}/hold", "hold", micros("5"))]
    assert await world.value("SELECT lease_id FROM number WHERE msisdn = $1", msisdn) == rental.id
    await world.assert_whole()


async def test_a_rental_shows_what_it_may_be_extended_by(world: World) -> None:
    await world.rentable(1, tariffs={30: "15", 1: "1"})
    rental = await world.rent(await world.add_buyer("20"))
    assert rental.extensions == (RentalOffer(1, micros("1")), RentalOffer(30, micros("15")))


async def test_a_number_that_may_not_be_rented_is_not(world: World) -> None:
    supplier = await world.add_supplier()
    await world.add_direct_pool(supplier, rent_allowed=True)
    await world.report(supplier, [reported(msisdn, rent=False) for msisdn in world.msisdns(2)])
    await world.set_tariff(1, "1")
    buyer = await world.add_buyer()
    assert (await refusal(world.rent(buyer))).reason is Refused.NO_NUMBERS


async def test_a_rented_number_is_not_sold_and_a_sold_one_is_not_rented(world: World) -> None:
    _, pool, _ = await world.rentable(2)
    await world.set_price("whatsapp", "1", pool=pool)
    buyer = await world.add_buyer()
    rental = await world.rent(buyer)
    order = await world.order(buyer)
    assert order.msisdn != rental.msisdn
    assert (await refusal(world.rent(buyer))).reason is Refused.NO_NUMBERS
    assert (await refusal(world.order(buyer, "whatsapp"))).reason is Refused.NO_NUMBERS


async def test_a_country_without_a_tariff_is_not_priced(world: World) -> None:
    await world.rentable(1)
    buyer = await world.add_buyer()
    assert (await refusal(world.rent(buyer, country="US"))).reason is Refused.NOT_PRICED


@pytest.mark.parametrize("change", ["disabled", "no consent", "no rent", "reserved"])
async def test_a_pool_that_may_not_rent_out_has_no_tariff(world: World, change: str) -> None:
    supplier = await world.add_supplier()
    pool = await world.add_direct_pool(
        supplier,
        rent_allowed=change != "no rent",
        consent=None if change == "no consent" else "Yes.",
        reserved_for="whatsapp" if change == "reserved" else None,
    )
    await world.report(supplier, [reported(msisdn, rent=True) for msisdn in world.msisdns(1)])
    await world.set_tariff(1, "1", pool=pool)
    if change == "disabled":
        await world.rows("UPDATE pool SET enabled = false WHERE id = $1", pool.id)
    assert (await refusal(world.rent(await world.add_buyer()))).reason is Refused.NOT_PRICED
    assert await world.rental_offers() == []


async def test_an_unknown_period_is_refused_with_those_there_are(world: World) -> None:
    await world.rentable(1, tariffs={7: "5", 1: "1"})
    refused = await refusal(world.rent(await world.add_buyer(), 3))
    assert (refused.reason, refused.facts) == (Refused.UNKNOWN_PERIOD, {"periods": (1, 7)})


async def test_a_currency_without_a_rate_is_refused(world: World) -> None:
    await world.rentable(1)
    buyer = await world.add_buyer("1000", "NGN")
    assert (await refusal(world.rent(buyer))).reason is Refused.NO_RATE
    assert (await refusal(world.rental_offers(buyer))).reason is Refused.NO_RATE


async def test_an_order_is_charged_in_the_currency_of_the_wallet(world: World) -> None:
    await world.rentable(1)
    await world.set_rate("NGN", "1500.123456789")
    rental = await world.rent(await world.add_buyer("9000", "NGN"))
    assert (rental.price, rental.currency) == (micros("1500.1235"), "NGN")
    assert rental.extensions[0] == RentalOffer(1, micros("1500.1235"))


@pytest.mark.parametrize("balance", ["0", "0.999999"])
async def test_an_order_beyond_the_balance_is_refused(world: World, balance: str) -> None:
    await world.rentable(1)
    buyer = await world.add_buyer(balance)
    assert (await refusal(world.rent(buyer))).reason is Refused.INSUFFICIENT_FUNDS
    await world.assert_whole()


async def test_an_account_without_a_wallet_has_no_funds(world: World) -> None:
    await world.rentable(1)
    operator = await world.add_account(Role.OPERATOR, currency=None)
    assert (await refusal(world.rent(operator))).reason is Refused.INSUFFICIENT_FUNDS


async def test_the_cheapest_pool_with_numbers_wins(world: World) -> None:
    _, dear, _ = await world.rentable(1, tariffs={1: "3"})
    _, empty, _ = await world.rentable(0, tariffs={1: "1"})
    _, cheap, _ = await world.rentable(1, tariffs={1: "2"})
    buyer = await world.add_buyer("5")
    prices = [(await world.rent(buyer)).price for _ in range(2)]
    assert prices == [micros("2"), micros("3")]
    pools = await world.rows("SELECT pool_id FROM rental ORDER BY id")
    assert pools == [(cheap.id,), (dear.id,)]
    assert (await refusal(world.rent(buyer, pool=empty))).reason is Refused.INSUFFICIENT_FUNDS


async def test_a_dearer_pool_beyond_the_balance_is_short_of_funds_not_of_numbers(world: World) -> None:
    await world.rentable(1, tariffs={1: "9"})
    await world.rentable(0, tariffs={1: "1"})
    assert (await refusal(world.rent(await world.add_buyer("2")))).reason is Refused.INSUFFICIENT_FUNDS


async def test_a_named_pool_is_the_only_one_asked(world: World) -> None:
    await world.rentable(1, tariffs={1: "1"})
    _, dear, (msisdn,) = await world.rentable(1, tariffs={1: "2"})
    buyer = await world.add_buyer()
    assert (await world.rent(buyer, pool=dear)).msisdn == msisdn
    assert (await refusal(world.rent(buyer, pool=dear))).reason is Refused.NO_NUMBERS
    _, other, _ = await world.rentable(1, tariffs={7: "2"})
    assert (await refusal(world.rent(buyer, pool=other))).reason is Refused.NO_NUMBERS


async def test_a_pool_that_is_offline_has_no_numbers(world: World) -> None:
    supplier, _, listed = await world.rentable(1)
    await world.rows("UPDATE pool SET online_until = $1 WHERE supplier_id = $2", world.clock.now(), supplier)
    assert len(listed) == 1
    assert (await refusal(world.rent(await world.add_buyer()))).reason is Refused.NO_NUMBERS
    assert await world.rental_offers() == []


async def test_excluded_prefixes_and_banned_numbers_are_passed_over(world: World) -> None:
    _, pool, (first, second) = await world.rentable(2)
    await world.set_price("whatsapp", "1", pool=pool)
    buyer = await world.add_buyer()
    assert (await refusal(world.rent(buyer, excluded=("+44",)))).reason is Refused.NO_NUMBERS
    activation = await world.order(buyer)
    await world.close(buyer, activation.activation_id, ban=True)
    assert activation.msisdn == first
    assert (await world.rent(buyer)).msisdn == second
    assert (await refusal(world.rent(buyer))).reason is Refused.NO_NUMBERS
    assert (await world.rent(await world.add_buyer())).msisdn == first


async def test_a_tariff_of_the_pool_comes_before_the_one_for_all(world: World) -> None:
    await world.rentable(1, tariffs={1: "2"})
    await world.set_tariff(1, "1")
    await world.set_tariff(14, "9")
    buyer = await world.add_buyer()
    await world.take_stock()
    assert await world.rental_offers() == [CountryOffer("GB", "USD", {1: micros("2"), 14: micros("9")}, 1)]
    assert (await world.rent(buyer, 14)).price == micros("9")


@pytest.mark.parametrize("same_payload", [True, False])
async def test_the_same_key_is_one_order(world: World, same_payload: bool) -> None:
    await world.rentable(2)
    buyer = await world.add_buyer()
    first = await world.rent(buyer, key="k")
    if same_payload:
        world.clock.turn(60)
        assert await world.rent(buyer, key="k") == first
    else:
        assert (await refusal(world.rent(buyer, 7, key="k"))).reason is Refused.IDEMPOTENCY_KEY_REUSED
        await world.set_price("whatsapp", "1")
        assert (await refusal(world.order(buyer, key="k"))).reason is Refused.IDEMPOTENCY_KEY_REUSED
    assert await world.value("SELECT count(*) FROM rental") == 1
    await world.assert_whole()


async def test_a_refused_order_leaves_its_key_free(world: World) -> None:
    await world.rentable(1)
    buyer = await world.add_buyer("0")
    assert (await refusal(world.rent(buyer, key="k"))).reason is Refused.INSUFFICIENT_FUNDS
    await world.deposit(buyer, "5")
    assert (await world.rent(buyer, 1, key="k")).price == micros("1")


async def test_a_key_is_kept_until_its_rental_has_closed(world: World) -> None:
    await world.rentable(2)
    buyer = await world.add_buyer()
    kept = await world.rent(buyer, key="open")
    closed = await world.rent(buyer, key="closed")
    await world.close_rental(buyer, closed.id)
    world.clock.turn(60)
    assert await world.forget_keys() == 1
    assert await world.rent(buyer, key="open") == kept


async def test_offers_show_the_cheapest_price_of_each_period_and_all_numbers(world: World) -> None:
    await world.rentable(2, tariffs={1: "2", 7: "4"})
    await world.rentable(1, tariffs={1: "1", 30: "9"})
    await world.rentable(0, tariffs={1: "0.5"})
    await world.set_rate("NGN", "1500")
    await world.take_stock()
    (offer,) = await world.rental_offers()
    assert (offer.country, offer.currency, offer.stock) == ("GB", "USD", 3)
    assert offer.periods == {1: micros("0.5"), 7: micros("4"), 30: micros("9")}
    assert list(offer.periods) == [1, 7, 30]
    buyer = await world.add_buyer("0", "NGN")
    (converted,) = await world.rental_offers(buyer, ("GB", "US"))
    assert (converted.currency, converted.periods[7]) == ("NGN", micros("6000"))
    assert (await world.rental_offers(None, None, "NGN"))[0].periods[7] == micros("6000")
    assert await world.rental_offers(None, ("US",)) == []


async def test_offers_to_an_unknown_account_are_refused(world: World) -> None:
    assert (await refusal(world.rental_offers(AccountId(999)))).reason is Refused.UNKNOWN_ACCOUNT


async def test_stock_follows_what_may_be_rented(world: World) -> None:
    supplier, pool, listed = await world.rentable(3)

    async def stock() -> tuple[int, int]:
        await world.take_stock()
        ((available, rentable),) = await world.rows(
            "SELECT available, rentable FROM shelf WHERE pool_id = $1", pool.id
        )
        return available, rentable

    assert await stock() == (3, 3)
    buyer = await world.add_buyer()
    rental = await world.rent(buyer)
    assert await stock() == (2, 2)
    # A number that is no longer to be rented stays on sale.
    await world.report(
        supplier, [reported(msisdn, rent=msisdn != listed[1]) for msisdn in listed], online_seconds=10**9
    )
    assert await stock() == (2, 1)
    await world.close_rental(buyer, rental.id)
    assert await stock() == (3, 2)
    await world.report(supplier, [], online_seconds=10**9)
    assert await stock() == (0, 0)


async def test_a_tariff_needs_a_known_country_and_pool(world: World) -> None:
    _, pool, _ = await world.rentable(0)
    assert (await refusal(world.set_tariff(1, "1", country="ZZ"))).reason is Refused.UNKNOWN_COUNTRY
    unknown = dataclasses.replace(pool, id=PoolId(1))
    assert (await refusal(world.set_tariff(1, "1", pool=unknown))).reason is Refused.UNKNOWN_POOL
