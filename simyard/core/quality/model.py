"""Quality as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TypeAlias

from simyard.base.ids import AccountId, PoolId, ServiceId

Key: TypeAlias = tuple[PoolId, str, ServiceId]
"""A pool, a country and a service."""


class Kind(StrEnum):
    """What happens to an activation that says something about its pool."""

    CLOSED = "closed"
    PROHIBITED = "prohibited"
    OTHER_SERVICE = "other_service"
    UNRECOGNISED = "unrecognised"
    BLACKLISTED = "blacklisted"


@dataclass(frozen=True, slots=True)
class QualityOf:
    """Of all pools, of a supplier's, or of one; from a day (UTC) on. A pool of another supplier is none."""

    since: date
    now: datetime
    supplier_id: AccountId | None = None
    pool_id: PoolId | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of orders that are closed by now, and of messages that were not delivered.

    `issued` got a number; `failed` was asked for one it said it had, and gave none. `seconds` from the orders to their
    first SMS, and how many lie in each span.
    """

    issued: int
    delivered: int
    canceled: int
    expired: int
    failed: int
    prohibited: int
    other_service: int
    unrecognised: int
    blacklisted: int
    seconds: int
    spans: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a pool is for one service in one country. Seconds are None while nothing was delivered.

    It is sold no more while it is blocked, and after all others while it is poor.
    """

    pool_id: PoolId
    pool_name: str
    country: str
    service_id: ServiceId
    counts: Counts
    seconds_mean: float | None
    seconds_median: float | None
    seconds_p90: float | None
    blocked_until: datetime | None
    poor_until: datetime | None


@dataclass(frozen=True, slots=True)
class Recent:
    """How a pool did lately: orders it was asked for a number for, those it failed; orders closed, those delivered."""

    asked: int = 0
    failed: int = 0
    issued: int = 0
    delivered: int = 0
