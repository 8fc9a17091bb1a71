"""Prices and offers as values. Amounts are micros."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from simyard.base.ids import AccountId, PoolId, ServiceId


@dataclass(frozen=True, slots=True)
class Offer:
    """What a pool sells for one service in one country. `amount` is in the base currency; the stock lags by seconds.

    A pool that is not online sells nothing until its supplier reports again; nor does one that is blocked, or whose
    supplier does not want to sell the service. A poor one is sold after the others.
    """

    service_id: ServiceId
    country: str
    pool_id: PoolId
    pool_name: str
    kind: str
    reserved_for: ServiceId | None
    supplier_id: AccountId | None
    share_basis_points: int
    amount: int
    stock: int
    online: bool
    poor: bool = False


@dataclass(frozen=True, slots=True)
class Quote:
    """What an order is charged, and how it is divided once it is captured."""

    price: int
    currency: str
    margin: int
    earning: int
    earning_currency: str


@dataclass(frozen=True, slots=True)
class ListOffers:
    """No service: all of them."""

    account_id: AccountId
    country: str
    base_currency: str
    now: datetime
    service_id: ServiceId | None = None


@dataclass(frozen=True, slots=True)
class PricedOffer:
    """An offer with the price this account would be charged, in its own currency."""

    offer: Offer
    price: int


@dataclass(frozen=True, slots=True)
class ListPrices:
    """Prices as they were set: all, or those of a service, of a country, or a pool's own; so many at most."""

    limit: int
    service_id: ServiceId | None = None
    country: str | None = None
    pool_id: PoolId | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """In the base currency. No pool: for all that have no price of their own."""

    service_id: ServiceId
    country: str
    pool_id: PoolId | None
    pool_name: str | None
    amount: int
    set_at: datetime


@dataclass(frozen=True, slots=True)
class ListTariffs:
    """Which tariffs to show, to whom, in which currency.

    No countries or no services: all of them; no account: what anybody may buy; no currency: the account's wallet's,
    else the base currency.
    """

    account_id: AccountId | None
    countries: tuple[str, ...] | None
    services: tuple[ServiceId, ...] | None
    currency: str | None
    base_currency: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a service costs in a country when no pool is named, and how many numbers can be sold for it now."""

    service_id: ServiceId
    country: str
    price: int
    currency: str
    stock: int
