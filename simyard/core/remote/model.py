"""Remote pools as values. Amounts are micros."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from simyard.base.ids import AccountId, LeaseId, OperatorId, PoolId, ServiceId


class Ending(StrEnum):
    """How a number came back to its source."""

    SOLD = "sold"
    CANCELED = "canceled"
    # It may not serve this service: it did before.
    NOT_FOR_SERVICE = "not_for_service"
    # Sold, and the buyer got his money back later.
    REFUNDED = "refunded"


class LeaseState(StrEnum):
    ASKING = "asking"
    HELD = "held"
    # A number may be reserved for nobody: it is looked for.
    AMBIGUOUS = "ambiguous"
    FINISHING = "finishing"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Profile:
    """How a remote pool is spoken to. `switches` are the protocol's own; the protocol checks them."""

    pool_id: PoolId
    protocol: str
    url: str
    key: str = field(repr=False)
    switches: Mapping[str, str] = field(default_factory=dict)
    supplier_id: AccountId | None = None
    rent_allowed: bool = False
    base_currency: str = "USD"


@dataclass(frozen=True, slots=True)
class RemoteOffer:
    """So many numbers of a country for a service, in the source's own names.

    `country_name` and `service_name` are sent back as they are when a number is asked for. No operator name: any operator,
    the total of the country; an offer of one operator is a part of that. Where there is no total, the parts are summed.
    No id: a name nobody here knows; such an offer is counted, not sold; unless it is `to_rent`, for any sender, which has
    no service. The price is what the source takes, in micros of the base currency; None: it sells at our price.
    """

    country: str | None
    service_id: ServiceId | None
    operator_id: OperatorId | None
    country_name: str
    service_name: str
    price: int | None
    stock: int
    operator_name: str = ""
    to_rent: bool = False


@dataclass(frozen=True, slots=True)
class RemoteWish:
    """A wish for one number. The names are those of the source's own offer.

    `amount` is what the supplier earns when it is sold, in micros of `currency`. `price_max`: what the number may cost us,
    in micros of the base currency; None: no cap. `excluded` are E.164 prefixes with a plus sign. `reference` is ours,
    unique, short ASCII: a protocol that can carry one carries it, so that `find` can tell.
    """

    country: str
    country_name: str
    service_id: ServiceId | None
    service_name: str
    operator_id: OperatorId | None
    operator_name: str
    amount: int
    currency: str
    price_max: int | None
    excluded: tuple[str, ...]
    reference: str
    rental_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """An order that waits for the number of a pool that must be asked for it. Nobody is told of it before that came.

    `others`: there is another pool it may go to.
    """

    lease_id: LeaseId
    pool_id: PoolId
    wish: RemoteWish
    others: bool
    idempotency_key: str | None


@dataclass(frozen=True, slots=True)
class RemoteNumber:
    """A number a source reserved. `msisdn` is E.164 with a plus sign. `cost` is what it takes for it (base currency)."""

    remote_id: str
    msisdn: str
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """A lease whose number goes back to its source. `amount`: what the supplier earned in all; None: what was agreed."""

    lease_id: LeaseId
    ending: Ending
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class RemoteMessage:
    """An SMS. `remote_message_id` is stable, where the source has one; else empty."""

    remote_id: str
    remote_message_id: str
    sender: str
    text: str = field(repr=False)
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stock:
    """What a source has now, complete. `unknown` are names nobody here knows: (kind, name), kind being `country`,
    `service` or `operator`; `balance` is our money there (base currency), where there is any.
    """

    offers: tuple[RemoteOffer, ...]
    unknown: tuple[tuple[str, str], ...] = ()
    balance: int | None = None


@dataclass(frozen=True, slots=True)
class SetProfile:
    """How a partner or upstream pool is to be spoken to. `key_in`: the key its pushes carry, if it has one of its own."""

    pool_id: PoolId
    protocol: str
    url: str
    key: str = field(repr=False)
    switches: Mapping[str, str] = field(default_factory=dict)
    key_in: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ProfileView:
    """A profile as operators see it, with how it fares. Failures: in a row, of orders."""

    profile: Profile
    pool_name: str
    kind: str
    enabled: bool
    online_until: datetime | None
    stocked_at: datetime | None
    stock_problem: str | None
    balance: int | None
    failures: int
    open_until: datetime | None
    failed_at: datetime | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class UnknownName:
    pool_id: PoolId
    kind: str
    name: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class RemoteWant:
    """What an order may ask a pool for; no service: a number to rent. `cost_max` is in micros of the base currency."""

    pool_id: PoolId
    country: str
    service_id: ServiceId | None
    operator_id: OperatorId | None
    cost_max: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The source's own names of what it is asked for. No operator name: any."""

    country_name: str
    service_name: str
    operator_name: str


@dataclass(frozen=True, slots=True)
class HeldNumber:
    """A number a source holds for an open lease of ours."""

    lease_id: LeaseId
    remote_id: str
    msisdn: str


@dataclass(frozen=True, slots=True)
class DueLease:
    """Something is to be done about what a source was asked for. `retry_seconds`: how soon again, where its profile says."""

    id: int
    lease_id: LeaseId
    pool_id: PoolId
    state: LeaseState
    wish: RemoteWish
    remote_id: str | None
    amount: int
    currency: str
    ending: Ending | None
    next_wanted: bool
    asked_at: datetime
    changed_at: datetime
    tries: int
    retry_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What an operator has to look at."""

    id: int
    lease_id: LeaseId
    pool_id: PoolId
    pool_name: str
    state: LeaseState
    ending: Ending | None
    remote_id: str | None
    asked_at: datetime
    changed_at: datetime
    problem: str
