"""Rentals, and what is asked of them, as values. Amounts are micros."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import final

from simyard.base.ids import AccountId, NumberId, PoolId, RentalId
from simyard.core.earnings.model import AT_ONCE
from simyard.core.messages.model import ReceivedMessage
from simyard.core.remote.model import Asking
from simyard.core.rentals.machine import State


@dataclass(frozen=True, slots=True)
class OrderRental:
    """A wish for one number for so many days, from any sender.

    Without a first SMS within `confirm_seconds` the rental ends and is paid back. `excluded` are E.164 prefixes. No pool:
    the cheapest that has numbers. `sandbox_seconds`: when Simyard makes an SMS for a fictitious number. `remote`: whoever
    orders goes on when the outcome is `AskingRental`; without it pools that must be asked for a number are left out, as
    those in `avoided` are.
    """

    account_id: AccountId
    country: str
    days: int
    auto_extend: bool
    confirm_seconds: int
    now: datetime
    base_currency: str
    pool_id: PoolId | None = None
    excluded: tuple[str, ...] = ()
    sandbox_seconds: float = 0
    idempotency_key: str | None = None
    remote: bool = False
    avoided: frozenset[PoolId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingRental(Asking):
    """An order that waits for its number, with whom it is shown to once it came, and the currency of tariffs."""

    account_id: AccountId
    base_currency: str


@dataclass(frozen=True, slots=True)
class RentalOffer:
    """A period and its price."""

    days: int
    price: int


@final
@dataclass(frozen=True, slots=True)
class Rental:
    """A rental as its buyer may see it: `days` and `price` are the sums of all periods.

    `extensions` are the periods it can be extended by and what each costs this account, shortest first; none once it is
    closed. A rental that is not confirmed yet shows them too, but cannot be extended before it is.
    """

    id: RentalId
    msisdn: str
    country: str
    state: State
    auto_extend: bool
    currency: str
    price: int
    days: int
    messages: int
    ordered_at: datetime
    confirm_by: datetime
    confirmed_at: datetime | None
    expires_at: datetime
    closed_at: datetime | None
    extensions: tuple[RentalOffer, ...]
    last_message_at: datetime | None


@dataclass(frozen=True, slots=True)
class LookAtRentals:
    """No id: every open rental of the account, oldest first, a thousand at most.

    Without `per_page` the newest messages: a thousand of one rental, a hundred of each of all.
    """

    account_id: AccountId
    rental_id: RentalId | None
    base_currency: str
    page: int = 1
    per_page: int | None = None


@dataclass(frozen=True, slots=True)
class RentalView:
    """A rental with a page of its messages, newest first; `total` counts all of them."""

    rental: Rental
    messages: tuple[ReceivedMessage, ...]
    total: int


@dataclass(frozen=True, slots=True)
class ExtendRental:
    account_id: AccountId
    rental_id: RentalId
    days: int
    now: datetime
    base_currency: str
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class ActOnRental:
    """`earning_hold`: how long what it earned its supplier is pending, when it ends by this."""

    account_id: AccountId
    rental_id: RentalId
    now: datetime
    base_currency: str
    earning_hold: timedelta = AT_ONCE


@dataclass(frozen=True, slots=True)
class ListRentalPrices:
    """Prices as they were set: all, or those of a country, or a pool's own; so many at most."""

    limit: int
    country: str | None = None
    pool_id: PoolId | None = None


@dataclass(frozen=True, slots=True)
class RentalPrice:
    """In the base currency. No pool: for all that have no price of their own for the period."""

    country: str
    days: int
    pool_id: PoolId | None
    pool_name: str | None
    amount: int
    set_at: datetime


@dataclass(frozen=True, slots=True)
class ListRentalOffers:
    """No account: prices in `currency`, else in the base currency. No countries: all that have a tariff."""

    account_id: AccountId | None
    countries: tuple[str, ...] | None
    currency: str | None
    base_currency: str
    now: datetime


@dataclass(frozen=True, slots=True)
class CountryOffer:
    """What renting in a country costs: a price for each period in days, and how many numbers there are."""

    country: str
    currency: str
    periods: Mapping[int, int]
    stock: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a pool asks for a period in a country. `amount` is in the base currency; the stock lags by seconds."""

    country: str
    days: int
    pool_id: PoolId
    kind: str
    supplier_id: AccountId | None
    share_basis_points: int
    amount: int
    stock: int
    online: bool


@dataclass(frozen=True, slots=True)
class Charged:
    """What all periods of a rental have cost, and how that is divided when it ends."""

    periods: int
    price: int
    margin: int
    earning: int


@dataclass(frozen=True, slots=True)
class LockedRental:
    """A rental that has its number, locked by this transaction, with all that decides about it.

    `remote`: whoever the number lies with is to be told how it ended.
    """

    id: RentalId
    account_id: AccountId
    pool_id: PoolId
    number_id: NumberId
    msisdn: str
    country: str
    state: State
    auto_extend: bool
    currency: str
    supplier_id: AccountId | None
    earning_currency: str
    ordered_at: datetime
    confirm_by: datetime
    expires_at: datetime
    remote: bool
