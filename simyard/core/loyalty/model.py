"""Loyalty as values. Amounts are micros, but for where tiers start: that is whole USD."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from simyard.base.ids import AccountId, ActivationId, ServiceId


class Tier(Protocol):
    """A name, the cashback in percent, and the spending in USD it starts at."""

    @property
    def name(self) -> str: ...

    @property
    def percent(self) -> int: ...

    @property
    def spent_from(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Loyalty:
    """The tiers in rising order, the first from 0, and what exchange rates are rates of. No tiers: nothing is paid."""

    tiers: tuple[Tier, ...]
    base_currency: str

    @property
    def pays(self) -> bool:
        return any(tier.percent for tier in self.tiers)


NO_LOYALTY: Final = Loyalty((), "USD")


@dataclass(frozen=True, slots=True)
class StandingOf:
    account_id: AccountId
    loyalty: Loyalty


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account can spend, what it has spent, and its tier. Amounts are in the wallet's currency.

    No `next_tier`: it is in the highest, or there is no exchange rate to tell what another needs.
    """

    currency: str
    available: int
    spent: int
    tier: str
    percent: int
    next_tier: str | None
    next_at: int | None
    needed: int


@dataclass(frozen=True, slots=True)
class ListPrices:
    """Which prices an account wants to know, and with them its tier."""

    account_id: AccountId
    service_id: ServiceId
    country: str
    loyalty: Loyalty
    now: datetime


@dataclass(frozen=True, slots=True)
class PriceStock:
    """A price some pools ask, and how many numbers they have for it."""

    price: int
    stock: int


@dataclass(frozen=True, slots=True)
class PriceList:
    """Distinct prices that have stock, the lowest first."""

    standing: Standing
    prices: tuple[PriceStock, ...]


@dataclass(frozen=True, slots=True)
class Reward:
    """The first code of an activation that cost so much. `spent_before` is what the account had spent besides."""

    activation_id: ActivationId
    account_id: AccountId
    currency: str
    price: int
    spent_before: int
