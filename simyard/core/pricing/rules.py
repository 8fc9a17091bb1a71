"""Converting and dividing prices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from simyard.base import money
from simyard.base.ids import AccountId
from simyard.base.money import Rounding
from simyard.base.refusals import Refusal, Refused
from simyard.core.pricing.model import Quote

ONE = money.NANOS
"""The base currency's own rate."""

PRICE_STEP = 100
"""Prices come in ten-thousandths of a unit: the finest step every protocol can print exactly."""


def charged(amount: int, currency: str, rates: Mapping[str, int]) -> int:
    """A base amount in the buyer's currency, rounded up to the price step.

    Refuses: NO_RATE when the currency has no exchange rate.
    """
    rate = rates.get(currency)
    if rate is None:
        raise Refusal(Refused.NO_RATE, currency=currency)
    return -(-money.convert(amount, rate_nanos=rate, rounding=Rounding.UP) // PRICE_STEP) * PRICE_STEP


def cost_max(offer: Sold) -> int:
    """What a number may cost us at most, in the base currency: the part of our price that is a supplier's."""
    cost, _ = money.split(offer.amount, basis_points=offer.share_basis_points, rounding=Rounding.DOWN)
    return cost


class Sold(Protocol):
    """What a pool asks in the base currency, and how that is divided with its supplier."""

    @property
    def supplier_id(self) -> AccountId | None: ...
    @property
    def share_basis_points(self) -> int: ...
    @property
    def amount(self) -> int: ...


def quote(offer: Sold, currency: str, earning_currency: str, rates: Mapping[str, int]) -> Quote:
    """What the buyer pays, what of it stays with the platform, and what the supplier gets in his own currency.

    A pool with no supplier earns nobody anything. Refuses: NO_RATE.
    """
    price = charged(offer.amount, currency, rates)
    if offer.supplier_id is None:
        return Quote(price, currency, price, 0, currency)
    cost, margin = money.split(price, basis_points=offer.share_basis_points, rounding=Rounding.HALF_EVEN)
    if earning_currency == currency:
        return Quote(price, currency, margin, cost, currency)
    if currency not in rates or earning_currency not in rates:
        raise Refusal(Refused.NO_RATE, currency=earning_currency)
    base = money.convert_inverse(cost, rate_nanos=rates[currency], rounding=Rounding.DOWN)
    earning = money.convert(base, rate_nanos=rates[earning_currency], rounding=Rounding.DOWN)
    return Quote(price, currency, margin, earning, earning_currency)
