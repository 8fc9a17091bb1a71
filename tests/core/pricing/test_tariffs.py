"""Tariffs: what a fresh order would be charged, and how many numbers there are for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from simyard.base.ids import AccountId, ServiceId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Role
from simyard.core.pools import service as pools
from simyard.core.pools.model import Pool
from simyard.core.pricing import rules
from simyard.core.pricing import service as pricing
from simyard.core.pricing.model import ListTariffs, Tariff
from tests.world import ONLINE_SECONDS, World, micros, reported, service_id

WHATSAPP, TELEGRAM = service_id("whatsapp"), service_id("telegram")
PROHIBITED = "paypal"


async def tariffs(
    world: World,
    *,
    account: AccountId | None = None,
    countries: tuple[str, ...] | None = None,
    services: tuple[str, ...] | None = None,
    currency: str | None = None,
) -> list[Tariff]:
    ids = None if services is None else tuple(map(service_id, services))
    command = ListTariffs(account, countries, ids, currency, "USD", world.clock.now())
    async with world.database.transaction() as tx:
        return await pricing.list_tariffs(tx, command)


async def tariff(world: World, slug: str = "whatsapp", country: str = "GB") -> tuple[int, int]:
    """Price and stock of one."""
    (one,) = await tariffs(world, countries=(country,), services=(slug,))
    assert (one.service_id, one.country, one.currency) == (service_id(slug), country, "USD")
    return one.price, one.stock


async def test_an_empty_platform_has_no_tariffs(world: World) -> None:
    assert await tariffs(world) == []


async def test_a_tariff_has_the_price_and_the_stock(world: World) -> None:
    await world.stocked(3, price="1.25")
    await world.take_stock()
    assert await tariffs(world) == [Tariff(WHATSAPP, "GB", micros("1.25"), "USD", 3)]


async def test_the_cheapest_pool_with_numbers_sets_the_price_and_all_their_stock_counts(world: World) -> None:
    await world.stocked(2, price="3")
    await world.stocked(4, price="2")
    await world.stocked(0, price="1")
    await world.take_stock()
    assert await tariff(world) == (micros("2"), 6)


async def test_an_order_is_charged_what_its_tariff_says(world: World) -> None:
    await world.stocked(1, price="3")
    await world.stocked(1, price="2")
    await world.take_stock()
    for _ in range(2):
        price, _ = await tariff(world)
        order = await world.order(await world.add_buyer())
        assert order.price == price
        await world.take_stock()
    assert await tariff(world) == (micros("2"), 0)


async def test_a_price_without_a_pool_holds_for_pools_that_have_none_of_their_own(world: World) -> None:
    await world.stocked(2, price="3")
    await world.stocked(4, services=())
    await world.set_price("whatsapp", "5")
    await world.take_stock()
    assert await tariff(world) == (micros("3"), 6)
    await world.set_price("whatsapp", "2")
    assert await tariff(world) == (micros("2"), 6)


async def test_a_common_price_no_pool_asks_is_not_shown(world: World) -> None:
    _, pool, _ = await world.stocked(0, price="3")
    await world.set_price("whatsapp", "1")
    assert await tariff(world) == (micros("3"), 0)
    await world.add_direct_pool(await world.add_supplier())
    assert await tariff(world) == (micros("1"), 0)
    async with world.database.transaction() as tx:
        await pools.set_enabled(tx, pool.id, enabled=False, actor="test", now=world.clock.now())
    assert await tariff(world) == (micros("1"), 0)


async def test_what_nobody_could_ever_sell_has_no_tariff(world: World) -> None:
    await world.set_price("whatsapp", "1")
    assert await tariffs(world) == []
    await world.add_direct_pool(await world.add_supplier(), consent=None)
    assert await tariffs(world) == []


async def test_a_pool_that_is_offline_has_no_stock_but_a_price(world: World) -> None:
    await world.stocked(2, price="2")
    await world.take_stock()
    world.clock.turn(ONLINE_SECONDS)
    assert await tariff(world) == (micros("2"), 0)


async def test_a_pool_that_is_switched_off_has_no_tariff(world: World) -> None:
    _, pool, _ = await world.stocked(2)
    await world.take_stock()
    async with world.database.transaction() as tx:
        await pools.set_enabled(tx, pool.id, enabled=False, actor="test", now=world.clock.now())
    assert await tariffs(world) == []


async def reserved_pool(world: World, slug: str, count: int) -> Pool:
    supplier = await world.add_supplier()
    pool = await world.add_direct_pool(supplier, reserved_for=slug)
    await world.report(supplier, world.msisdns(count), pool=pool)
    return pool


async def test_a_reserved_pool_adds_to_its_service_only(world: World) -> None:
    await world.stocked(2, services=("whatsapp", "telegram"), price="2")
    await reserved_pool(world, "telegram", 5)
    await world.set_price("whatsapp", "1")
    await world.set_price("telegram", "1")
    await world.take_stock()
    assert await tariff(world, "whatsapp") == (micros("2"), 2)
    assert await tariff(world, "telegram") == (micros("1"), 7)


async def test_used_numbers_are_no_stock(world: World) -> None:
    await world.stocked(2, services=("whatsapp", "telegram"))
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    await world.take_stock()
    assert (await tariff(world, "whatsapp"))[1] == 1
    assert (await tariff(world, "telegram"))[1] == 1
    await world.cancel(buyer, order.activation_id)
    await world.take_stock()
    assert (await tariff(world, "whatsapp"))[1] == 1
    assert (await tariff(world, "telegram"))[1] == 2


async def test_prohibited_services_are_shown_to_those_who_may_use_them(world: World) -> None:
    await world.stocked(1, services=("whatsapp", PROHIBITED))
    permitted, other = await world.add_buyer(), await world.add_buyer()
    await world.permit(permitted, PROHIBITED)
    await world.take_stock()
    assert [one.service_id for one in await tariffs(world)] == [WHATSAPP]
    assert [one.service_id for one in await tariffs(world, account=other)] == [WHATSAPP]
    shown = {one.service_id for one in await tariffs(world, account=permitted)}
    assert shown == {WHATSAPP, service_id(PROHIBITED)}


async def test_countries_and_services_can_be_chosen(world: World) -> None:
    supplier, pool, british = await world.stocked(1, services=("whatsapp", "telegram"))
    swedish = reported(world.msisdns(1, "+4670")[0], "SE")
    await world.report(supplier, [*british, swedish], pool=pool)
    await world.set_price("whatsapp", "4", country="SE", pool=pool)
    await world.take_stock()

    def keys(found: list[Tariff]) -> list[tuple[str, int]]:
        return [(one.country, one.service_id) for one in found]

    everything = [*sorted([("GB", TELEGRAM), ("GB", WHATSAPP)]), ("SE", WHATSAPP)]
    assert keys(await tariffs(world)) == everything
    assert keys(await tariffs(world, countries=("SE",))) == [("SE", WHATSAPP)]
    assert keys(await tariffs(world, services=("telegram",))) == [("GB", TELEGRAM)]
    assert keys(await tariffs(world, countries=("SE",), services=("telegram",))) == []
    assert keys(await tariffs(world, countries=("GB", "SE"), services=("whatsapp",))) == [
        ("GB", WHATSAPP),
        ("SE", WHATSAPP),
    ]
    assert keys(await tariffs(world, countries=())) == []
    assert keys(await tariffs(world, services=())) == []


async def test_prices_are_in_the_wallets_currency_unless_another_is_asked_for(world: World) -> None:
    await world.stocked(1, price="1")
    await world.set_rate("NGN", "1500.5")
    await world.set_rate("EUR", "0.92")
    buyer = await world.add_account(Role.BUYER, currency="NGN")
    (own,) = await tariffs(world, account=buyer)
    assert (own.price, own.currency) == (rules.charged(micros("1"), "NGN", {"NGN": 1_500_500_000_000}), "NGN")
    (asked,) = await tariffs(world, account=buyer, currency="EUR")
    assert (asked.price, asked.currency) == (micros("0.92"), "EUR")
    (anybody,) = await tariffs(world)
    assert (anybody.price, anybody.currency) == (micros("1"), "USD")


async def test_a_currency_without_a_rate_is_refused(world: World) -> None:
    await world.stocked(1)
    with pytest.raises(Refusal) as caught:
        await tariffs(world, currency="RUB")
    assert caught.value.reason is Refused.NO_RATE


async def test_an_unknown_account_is_refused(world: World) -> None:
    with pytest.raises(Refusal) as caught:
        await tariffs(world, account=AccountId(999))
    assert caught.value.reason is Refused.UNKNOWN_ACCOUNT


# Against the offers orders are made from


class Platform:
    """Pools, prices and stock as a test draws them, written straight into their tables."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.pools: list[int] = []

    async def fill(self, drawn: _Drawn) -> None:
        async with self._world.database.transaction() as tx:
            await tx.execute("DELETE FROM price; DELETE FROM shelf; DELETE FROM shelf_used; DELETE FROM pool")
            self.pools = [
                await tx.fetchval(
                    "INSERT INTO pool (name, kind, share_basis_points, enabled, reserved_for, online_until, consent,"
                    " consented_at, created_at) VALUES ($1, 'sandbox', 0, $2, $3, $4, $5, $6, now()) RETURNING id",
                    f"pool {place}",
                    pool.enabled,
                    pool.reserved_for,
                    self._world.clock.now() + timedelta(seconds=1 if pool.online else -1),
                    "yes" if pool.consent else None,
                    self._world.clock.now() if pool.consent else None,
                )
                for place, pool in enumerate(drawn.pools)
            ]
            for (country, service, pool), amount in drawn.prices.items():
                pool_id = None if pool is None else self.pools[pool]
                await tx.execute(
                    "INSERT INTO price VALUES ($1, $2, $3, $4, now())", service, country, pool_id, amount
                )
            for (country, place), available in drawn.available.items():
                await tx.execute(
                    "INSERT INTO shelf VALUES ($1, $2, $3)", self.pools[place], country, available
                )
            for (country, place, service), used in drawn.used.items():
                await tx.execute(
                    "INSERT INTO shelf_used VALUES ($1, $2, $3, $4)",
                    self.pools[place],
                    country,
                    service,
                    used,
                )


@dataclass(frozen=True)
class _Pool:
    enabled: bool
    online: bool
    consent: bool
    reserved_for: ServiceId | None


@dataclass(frozen=True)
class _Drawn:
    pools: list[_Pool]
    prices: dict[tuple[str, ServiceId, int | None], int]
    available: dict[tuple[str, int], int]
    used: dict[tuple[str, int, ServiceId], int]


_COUNTRIES = st.sampled_from(("GB", "SE"))
_SERVICES = st.sampled_from((WHATSAPP, TELEGRAM))
_MOSTLY = st.sampled_from((True, True, True, False))


@st.composite
def _platforms(draw: st.DrawFn) -> _Drawn:
    pools = draw(
        st.lists(
            st.builds(_Pool, _MOSTLY, _MOSTLY, _MOSTLY, st.one_of(st.none(), st.none(), _SERVICES)),
            min_size=1,
            max_size=4,
        )
    )
    places = st.integers(0, len(pools) - 1)
    some_pool = st.one_of(st.none(), places)
    few = st.integers(0, 5)
    amounts = few.map(lambda step: step * rules.PRICE_STEP)
    return _Drawn(
        pools,
        draw(st.dictionaries(st.tuples(_COUNTRIES, _SERVICES, some_pool), amounts, max_size=10)),
        draw(st.dictionaries(st.tuples(_COUNTRIES, places), few, max_size=8)),
        draw(st.dictionaries(st.tuples(_COUNTRIES, places, _SERVICES), few, max_size=10)),
    )


@given(_platforms())
@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_tariffs_say_what_the_offers_say(world: World, drawn: _Drawn) -> None:
    await Platform(world).fill(drawn)
    expected = []
    for country in ("GB", "SE"):
        for service in sorted((WHATSAPP, TELEGRAM)):
            async with world.database.transaction() as tx:
                offers = await pricing.offers_for(tx, [(service, country)], world.clock.now())
            if offers:
                sold = [offer for offer in offers if offer.online and offer.stock > 0]
                price = min(offer.amount for offer in sold or offers)
                stock = sum(offer.stock for offer in sold)
                expected.append(Tariff(service, country, price, "USD", stock))
    found = await tariffs(world)
    assert found == expected
