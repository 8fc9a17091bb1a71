"""Prices, rates and offers: what a buyer is shown and what he is charged are the same."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.base import money
from simyard.base.ids import AccountId, PoolId, ServiceId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Role
from simyard.core.pools.model import Pool
from simyard.core.pricing import rules
from simyard.core.pricing import service as pricing
from simyard.core.pricing.model import ListOffers, Offer, PricedOffer
from simyard.core.quality import store as quality_store
from tests.world import ONLINE_SECONDS, World, micros, service_id

AMOUNTS = st.integers(0, 10**12)
RATES = st.integers(1, 10**15)


def offer(amount: int, share: int = 7000, supplier: int | None = 1) -> Offer:
    supplier_id = AccountId(supplier) if supplier is not None else None
    return Offer(
        ServiceId(1),
        "GB",
        PoolId(1),
        "pool",
        "direct",
        None,
        supplier_id,
        share,
        amount,
        stock=1,
        online=True,
    )


@given(AMOUNTS, st.integers(0, 10_000), RATES, RATES)
def test_a_quote_is_divided_to_the_micro_and_pays_out_no_more_than_came_in(
    amount: int, share: int, buyers: int, suppliers: int
) -> None:
    rates = {"USD": rules.ONE, "NGN": buyers, "EUR": suppliers}
    quote = rules.quote(offer(amount, share), "NGN", "EUR", rates)
    assert quote.price % rules.PRICE_STEP == 0
    assert quote.price * money.NANOS >= amount * buyers, "rounded up"
    assert 0 <= quote.margin <= quote.price
    # What the supplier gets, brought back, is not more than his part of the price.
    assert quote.earning * money.NANOS * buyers <= (quote.price - quote.margin) * money.NANOS * suppliers


@given(AMOUNTS, st.integers(0, 10_000))
def test_in_one_currency_margin_and_earning_are_the_price(amount: int, share: int) -> None:
    quote = rules.quote(offer(amount, share), "USD", "USD", {"USD": rules.ONE})
    assert quote.margin + quote.earning == quote.price
    assert 0 <= quote.price - amount < rules.PRICE_STEP


def test_a_pool_without_a_supplier_earns_nobody_anything() -> None:
    quote = rules.quote(offer(100, supplier=None), "USD", "USD", {"USD": rules.ONE})
    assert (quote.margin, quote.earning) == (100, 0)


@pytest.mark.parametrize(("currency", "earning_currency"), [("NGN", "USD"), ("USD", "EUR")])
def test_without_a_rate_there_is_no_quote(currency: str, earning_currency: str) -> None:
    with pytest.raises(Refusal) as caught:
        rules.quote(offer(100), currency, earning_currency, {"USD": rules.ONE})
    assert caught.value.reason is Refused.NO_RATE


async def offers_in(world: World, account_id: AccountId, country: str = "GB") -> list[PricedOffer]:
    async with world.database.transaction() as tx:
        return await pricing.offers_in(tx, ListOffers(account_id, country, "USD", world.clock.now()))


async def test_offers_are_priced_in_the_buyers_currency_as_he_will_be_charged(world: World) -> None:
    await world.stocked(3, price="1.083")
    await world.take_stock()
    await world.set_rate("NGN", "1500.25")
    buyer = await world.add_buyer("5000", "NGN")
    (priced,) = await offers_in(world, buyer)
    assert (priced.price, priced.offer.stock) == (micros("1624.7708"), 3)
    assert (await world.order(buyer)).price == priced.price


async def test_offers_are_cheapest_first_within_a_service(world: World) -> None:
    for price in ("3", "1", "2"):
        await world.stocked(1, services=["telegram", "whatsapp"], price=price)
    buyer = await world.add_buyer()
    listed = [(one.offer.service_id, one.price) for one in await offers_in(world, buyer)]
    prices = [micros("1"), micros("2"), micros("3")]
    assert listed == [
        (service_id(slug), price)
        for slug in sorted(["whatsapp", "telegram"], key=service_id)
        for price in prices
    ]


async def test_only_what_can_be_ordered_is_offered(world: World) -> None:
    await world.stocked(1, services=["whatsapp", "acko"])
    silent = await world.add_supplier()
    await world.add_direct_pool(silent)
    await world.add_direct_pool(await world.add_supplier(), consent=None)
    reserved = await world.add_supplier()
    await world.add_direct_pool(reserved, reserved_for="telegram")
    await world.report(reserved, world.msisdns(1))
    for slug in ("whatsapp", "telegram"):
        await world.set_price(slug, "2")
    buyer, permitted = await world.add_buyers(2)
    await world.permit(permitted, "acko")

    async def shown(account_id: AccountId) -> set[tuple[ServiceId, int]]:
        return {(one.offer.service_id, one.price) for one in await offers_in(world, account_id)}

    plain = {
        (service_id("whatsapp"), micros("1")),
        # The pool's own price and, for what it has none, the price for all pools; the reserved pool as well.
        (service_id("telegram"), micros("2")),
    }
    assert await shown(buyer) == plain
    assert await shown(permitted) == plain | {(service_id("acko"), micros("1"))}
    world.clock.turn(ONLINE_SECONDS)
    assert await shown(buyer) == set()


async def test_offers_to_an_account_without_a_wallet_or_a_rate_are_refused(world: World) -> None:
    await world.stocked(1)
    nobody = await world.add_account(Role.OPERATOR, currency=None)
    with pytest.raises(Refusal) as caught:
        await offers_in(world, nobody)
    assert caught.value.reason is Refused.UNKNOWN_ACCOUNT
    with pytest.raises(Refusal) as caught:
        await offers_in(world, await world.add_buyer("0", "NGN"))
    assert caught.value.reason is Refused.NO_RATE


async def countries(world: World) -> list[str]:
    async with world.database.transaction() as tx:
        return await pricing.offered_countries(tx, world.clock.now())


async def block(world: World, pool: Pool, slug: str, *, seconds: float, country: str = "GB") -> None:
    """As for over-reporting."""
    key, now = (pool.id, country, service_id(slug)), world.clock.now()
    async with world.database.transaction() as tx:
        await quality_store.block(tx, key=key, until=now + timedelta(seconds=seconds), now=now)


async def test_countries_on_offer_have_numbers_a_price_and_a_pool_that_is_online(world: World) -> None:
    supplier, _, listed = await world.stocked(1)
    assert await countries(world) == []
    await world.take_stock()
    assert await countries(world) == ["GB"]
    world.clock.turn(ONLINE_SECONDS)
    assert await countries(world) == []
    await world.report(supplier, listed)
    assert await countries(world) == ["GB"]
    await world.report(supplier, [])
    await world.take_stock()
    assert await countries(world) == []


async def test_a_country_whose_only_offers_are_withheld_is_not_on_offer(world: World) -> None:
    _, pool, _ = await world.stocked(3, services=("whatsapp", "telegram"))
    await world.take_stock()
    await world.blacklist(pool, "whatsapp")
    assert await countries(world) == ["GB"], "it sells the other service"
    await block(world, pool, "telegram", seconds=60)
    assert await countries(world) == []
    _, other, _ = await world.stocked(1, services=("whatsapp",))
    await world.take_stock()
    assert await countries(world) == ["GB"], "another pool sells it"
    await world.blacklist(other, "whatsapp")
    assert await countries(world) == []
    world.clock.turn(60)
    assert await countries(world) == ["GB"], "the block is over"


async def test_a_country_is_not_on_offer_for_a_service_its_reserved_pool_does_not_sell(world: World) -> None:
    supplier = await world.add_supplier()
    await world.add_direct_pool(supplier, reserved_for="telegram")
    await world.report(supplier, world.msisdns(1))
    await world.take_stock()
    await world.set_price("whatsapp", "1")
    assert await countries(world) == []
    await world.set_price("telegram", "1")
    assert await countries(world) == ["GB"]


async def test_a_new_price_replaces_the_old_and_an_unknown_pool_has_none(world: World) -> None:
    _, pool, _ = await world.stocked(2, price="1")
    buyer = await world.add_buyer()
    await world.order(buyer)
    await world.set_price("whatsapp", "3", pool=pool)
    assert (await world.order(buyer)).price == micros("3")
    with pytest.raises(Refusal) as caught:
        async with world.database.transaction() as tx:
            await pricing.set_price(
                tx,
                service_id=service_id("whatsapp"),
                country="GB",
                amount=1,
                pool_id=PoolId(1),
                now=world.clock.now(),
            )
    assert caught.value.reason is Refused.UNKNOWN_POOL


async def test_the_base_currency_has_a_rate_of_one_whatever_was_set(world: World) -> None:
    await world.set_rate("USD", "2")
    async with world.database.transaction() as tx:
        assert (await pricing.rates(tx, "USD"))["USD"] == money.NANOS
