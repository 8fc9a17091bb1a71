"""Tiers and cashback, from values alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from simyard.base import money
from simyard.base.ids import AccountId, ActivationId, LedgerAccountId
from simyard.base.money import BASIS_POINTS, MICROS, Rounding
from simyard.core.loyalty.model import Loyalty, PriceStock, Reward, Standing, Tier
from simyard.core.pricing.model import PricedOffer
from simyard.core.pricing.rules import PRICE_STEP
from simyard.core.wallet.model import SharedKind, Transfer, TransferKind, Wallet

SharedAccounts: TypeAlias = Mapping[tuple[SharedKind, str], LedgerAccountId]

TIER_CURRENCY = "USD"
"""What tiers start at is said in it."""

_BASIS_POINTS_A_PERCENT = BASIS_POINTS // 100


def needs_rates(loyalty: Loyalty, currencies: Collection[str]) -> bool:
    """Whether tiers in these currencies cannot be told without exchange rates."""
    return len(loyalty.tiers) > 1 and any(currency != TIER_CURRENCY for currency in currencies)


def starts_at(tier: Tier, currency: str, rates: Mapping[str, int]) -> int | None:
    """The spending in a currency from which on an account is in the tier; None when a rate is missing.

    Rounded up, so that what has been spent is worth what the tier asks for.
    """
    amount = tier.spent_from * MICROS
    if amount == 0 or currency == TIER_CURRENCY:
        return amount
    if currency not in rates or TIER_CURRENCY not in rates:
        return None
    base = money.convert_inverse(amount, rate_nanos=rates[TIER_CURRENCY], rounding=Rounding.UP)
    return money.convert(base, rate_nanos=rates[currency], rounding=Rounding.UP)


def reached(loyalty: Loyalty, spent: int, currency: str, rates: Mapping[str, int]) -> Tier | None:
    """The highest tier this spending reaches; None when there are no tiers."""
    found = None
    for tier in loyalty.tiers:
        start = starts_at(tier, currency, rates)
        if start is not None and spent >= start:
            found = tier
    return found


def standing(
    loyalty: Loyalty, *, currency: str, available: int, spent: int, rates: Mapping[str, int]
) -> Standing:
    """Where an account stands between its tier and the next."""
    tier = reached(loyalty, spent, currency, rates)
    following = next(
        (
            (one.name, start)
            for one in loyalty.tiers
            if (start := starts_at(one, currency, rates)) is not None and start > spent
        ),
        None,
    )
    return Standing(
        currency=currency,
        available=available,
        spent=spent,
        tier=tier.name if tier is not None else "",
        percent=tier.percent if tier is not None else 0,
        next_tier=following[0] if following is not None else None,
        next_at=following[1] if following is not None else None,
        needed=following[1] - spent if following is not None else 0,
    )


def cashback(reward: Reward, loyalty: Loyalty, rates: Mapping[str, int]) -> int:
    """What the first code of an activation pays back: the percentage of the tier that was reached before it.

    Rounded down to the price step. It is not capped by the margin: it was promised.
    """
    tier = reached(loyalty, reward.spent_before, reward.currency, rates)
    if tier is None:
        return 0
    part = money.share(
        reward.price, basis_points=tier.percent * _BASIS_POINTS_A_PERCENT, rounding=Rounding.DOWN
    )
    return part // PRICE_STEP * PRICE_STEP


def transfers(
    rewards: Sequence[Reward],
    cashbacks: Mapping[ActivationId, int],
    wallets: Mapping[AccountId, Wallet],
    shared: SharedAccounts,
) -> list[Transfer]:
    """The cashback of these first codes, out of the platform's revenue. References name the activation, so none pays twice."""
    return [
        Transfer(
            f"activation/{reward.activation_id}/cashback",
            TransferKind.CASHBACK,
            shared[SharedKind.REVENUE, reward.currency],
            wallets[reward.account_id].available_id,
            reward.currency,
            cashbacks[reward.activation_id],
        )
        for reward in rewards
        if cashbacks[reward.activation_id]
    ]


def price_stocks(offers: Sequence[PricedOffer]) -> tuple[PriceStock, ...]:
    """Distinct prices that have stock, the lowest first."""
    stocks: dict[int, int] = {}
    for one in offers:
        stocks[one.price] = stocks.get(one.price, 0) + one.offer.stock
    return tuple(PriceStock(price, stock) for price, stock in sorted(stocks.items()) if stock)
