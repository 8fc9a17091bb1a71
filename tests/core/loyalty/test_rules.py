"""Tiers and cashback from values alone: borders, currencies, roundings."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.base import money
from simyard.base.ids import AccountId, ActivationId, PoolId, ServiceId
from simyard.core.loyalty import rules
from simyard.core.loyalty.model import NO_LOYALTY, Loyalty, PriceStock, Reward
from simyard.core.pricing.model import Offer, PricedOffer
from simyard.settings import Settings
from tests.world import micros

LOYALTY = Loyalty(Settings().loyalty_tiers, "USD")
RATES = {"USD": money.NANOS, "NGN": 1500 * money.NANOS, "EUR": 900_000_000, "KWD": 307_123_457}


@dataclass(frozen=True)
class Steps:
    name: str
    percent: int
    spent_from: int


def tier_of(spent: str, currency: str = "USD") -> str:
    tier = rules.reached(LOYALTY, micros(spent), currency, RATES)
    assert tier is not None
    return tier.name


def reward(price: int, spent_before: int, currency: str = "USD") -> Reward:
    return Reward(ActivationId(1), AccountId(1), currency, price, spent_before)


@pytest.mark.parametrize(
    ("spent", "tier"),
    [
        ("0", "Bronze"),
        ("19.999999", "Bronze"),
        ("20", "Silver"),
        ("99.999999", "Silver"),
        ("100", "Gold"),
        ("499.999999", "Gold"),
        ("500", "Platinum"),
        ("9000000000", "Platinum"),
    ],
)
def test_a_tier_begins_at_its_border(spent: str, tier: str) -> None:
    assert tier_of(spent) == tier


def test_borders_in_another_currency_are_what_they_are_worth() -> None:
    assert tier_of("29999.999999", "NGN") == "Bronze"
    assert tier_of("30000", "NGN") == "Silver"
    assert tier_of("17.999999", "EUR") == "Bronze"
    assert tier_of("18", "EUR") == "Silver"


def test_rates_of_another_base() -> None:
    """One euro is 1.25 USD and 1875 NGN, so 20 USD are 30000 NGN."""
    rates = {"EUR": money.NANOS, "USD": 1_250_000_000, "NGN": 1875 * money.NANOS}
    for spent, tier in (("29999.999999", "Bronze"), ("30000", "Silver")):
        found = rules.reached(Loyalty(LOYALTY.tiers, "EUR"), micros(spent), "NGN", rates)
        assert found is not None
        assert found.name == tier


def test_without_a_rate_an_account_stays_in_the_first_tier() -> None:
    for rates in ({}, {"USD": money.NANOS}, {"NGN": money.NANOS}):
        standing = rules.standing(LOYALTY, currency="NGN", available=1, spent=micros("90000"), rates=rates)
        assert (standing.tier, standing.percent) == ("Bronze", 0)
        assert (standing.next_tier, standing.next_at, standing.needed) == (None, None, 0)


def test_the_standing_of_the_vendors_example() -> None:
    standing = rules.standing(
        LOYALTY, currency="USD", available=micros("12.5"), spent=micros("45.2"), rates=RATES
    )
    assert (standing.tier, standing.percent, standing.next_tier) == ("Silver", 10, "Gold")
    assert (standing.next_at, standing.needed) == (micros("100"), micros("54.8"))


def test_nothing_follows_the_highest_tier() -> None:
    standing = rules.standing(LOYALTY, currency="USD", available=0, spent=micros("500"), rates=RATES)
    assert (standing.tier, standing.next_tier, standing.next_at, standing.needed) == (
        "Platinum",
        None,
        None,
        0,
    )


def test_one_tier_needs_no_rates() -> None:
    assert not rules.needs_rates(Loyalty((Steps("All", 5, 0),), "USD"), ["NGN"])
    assert not rules.needs_rates(LOYALTY, ["USD"])
    assert rules.needs_rates(LOYALTY, ["USD", "NGN"])


def test_no_tiers_pay_nothing() -> None:
    assert not NO_LOYALTY.pays
    assert LOYALTY.pays
    assert rules.cashback(reward(micros("1"), micros("1000")), NO_LOYALTY, RATES) == 0


def test_cashback_is_rounded_down_to_the_price_step() -> None:
    for price, spent, paid in (
        ("1.14", "45.2", "0.114"),
        ("1.0839", "20", "0.1083"),
        ("0.0009", "500", "0.0001"),
        ("0.0004", "500", "0"),
        ("1", "19.99", "0"),
        ("1", "500", "0.2"),
    ):
        assert rules.cashback(reward(micros(price), micros(spent)), LOYALTY, RATES) == micros(paid)


prices = st.integers(0, 10**9).map(lambda steps: steps * 100)


@given(price=prices, spent=st.integers(0, 10**12), currency=st.sampled_from(sorted(RATES)))
def test_cashback_is_the_percentage_of_what_was_spent_in_usd(price: int, spent: int, currency: str) -> None:
    in_usd = Fraction(spent * RATES["USD"], RATES[currency] * money.MICROS)
    percent = max((one for one in LOYALTY.tiers if in_usd >= one.spent_from), key=lambda one: one.spent_from)
    exact = Fraction(price * percent.percent, 100)
    paid = rules.cashback(reward(price, spent, currency), LOYALTY, RATES)
    # A border that is no whole micro may lie a micro higher, never lower.
    if rules.reached(LOYALTY, spent, currency, RATES) is percent:
        assert 0 <= exact - paid < 100
    else:
        assert paid < exact
    assert paid % 100 == 0


@given(
    shares=st.lists(st.integers(0, 100), min_size=1, max_size=6),
    spent=st.integers(0, 10**10),
    currency=st.sampled_from(sorted(RATES)),
)
def test_a_standing_lies_between_its_tier_and_the_next(shares: list[int], spent: int, currency: str) -> None:
    loyalty = Loyalty(
        tuple(Steps(f"Tier {place}", percent, place * 7) for place, percent in enumerate(shares)), "USD"
    )
    standing = rules.standing(loyalty, currency=currency, available=0, spent=spent, rates=RATES)
    names = [tier.name for tier in loyalty.tiers]
    place = names.index(standing.tier)
    start = rules.starts_at(loyalty.tiers[place], currency, RATES)
    assert start is not None
    assert start <= spent
    if standing.next_tier is None:
        assert place == len(names) - 1
    else:
        assert names.index(standing.next_tier) == place + 1
        assert standing.next_at is not None
        assert standing.needed == standing.next_at - spent > 0


def offer(price: int, stock: int, pool_id: int) -> PricedOffer:
    asked = Offer(
        ServiceId(1), "GB", PoolId(pool_id), "pool", "direct", None, None, 7000, price, stock, online=True
    )
    return PricedOffer(asked, price)


def test_prices_are_distinct_and_have_stock() -> None:
    offers = [offer(200, 3, 1), offer(100, 0, 2), offer(300, 0, 3), offer(300, 2, 4), offer(200, 4, 5)]
    assert rules.price_stocks(offers) == (PriceStock(200, 7), PriceStock(300, 2))
    assert rules.price_stocks([]) == ()
