"""Numbers and the claims on them as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from simyard.base.ids import AccountId, ActivationId, NumberId, OperatorId, PoolId, RentalId, ServiceId


@dataclass(frozen=True, slots=True)
class ReportedNumber:
    """A number as its supplier reports it. `port` tells where it sits; the number itself when he did not say."""

    msisdn: str
    country: str
    operator_id: OperatorId | None
    port: str
    placed_at: datetime | None
    rent: bool


@dataclass(frozen=True, slots=True)
class ReportNumbers:
    """A supplier's complete list, for the pool his key names or his first."""

    supplier_id: AccountId
    pool_id: PoolId | None
    numbers: tuple[ReportedNumber, ...]
    online_seconds: int
    now: datetime


@dataclass(frozen=True, slots=True)
class AddNumber:
    supplier_id: AccountId
    pool_id: PoolId | None
    number: ReportedNumber


@dataclass(frozen=True, slots=True)
class RemoveNumber:
    """By the number or by our id of it."""

    supplier_id: AccountId
    pool_id: PoolId | None
    msisdn: str | None
    number_id: NumberId | None


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a supplier's report: the ids of his numbers, and those another supplier already has."""

    ids: dict[str, NumberId]
    taken: frozenset[str]


@dataclass(slots=True)
class Want:
    """So many numbers of one kind that have not served this service. Filled in by `claim`.

    No operator: any. `excluded` are E.164 prefixes. A repeatable want takes numbers that served the service before.
    """

    pool_id: PoolId
    country: str
    operator_id: OperatorId | None
    service_id: ServiceId
    excluded: tuple[str, ...]
    repeatable: bool
    count: int
    claimed: list[ClaimedNumber] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ClaimedNumber:
    """A number that is now leased under `lease_id`, once its transaction commits."""

    id: NumberId
    lease_id: ActivationId
    msisdn: str


@dataclass(frozen=True, slots=True)
class RentedNumber:
    """A number that is now rented under `lease_id`, once its transaction commits."""

    id: NumberId
    lease_id: RentalId
    msisdn: str


@dataclass(frozen=True, slots=True)
class Shelved:
    """How many numbers lie on all of a pool's shelves, and how many of them may be rented."""

    available: int
    rentable: int


@dataclass(frozen=True, slots=True)
class RentBan:
    """A number that is not rented out until then, because nothing came in on it when it was."""

    msisdn: str
    pool_id: PoolId
    until: datetime
