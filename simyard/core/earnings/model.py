"""Earnings and payouts as values. Amounts are micros of the supplier's wallet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from simyard.base.ids import AccountId, EarningId, LeaseId, PayoutId

AT_ONCE: Final = timedelta()
"""The hold of earnings that can be spent when they come."""


class EarningState(StrEnum):
    PENDING = "pending"
    AVAILABLE = "available"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class NewEarning:
    lease_id: LeaseId
    account_id: AccountId
    amount: int


@dataclass(frozen=True, slots=True)
class Earning:
    """What a supplier earned with one lease. This transaction has locked it."""

    id: EarningId
    lease_id: LeaseId
    account_id: AccountId
    amount: int
    state: EarningState


@dataclass(frozen=True, slots=True)
class EarningsOf:
    """Earnings of a supplier from `since` on and before `until`; without them, from first to last."""

    account_id: AccountId
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class EarningsOfDay:
    """How many leases earned how much on a day (UTC), and what of it was taken back since."""

    day: date
    leases: int
    earned: int
    reversed_leases: int
    reversed: int


@dataclass(frozen=True, slots=True)
class EarningsReport:
    """What a supplier has now, and what each day of a period brought, oldest first."""

    currency: str
    available: int
    pending: int
    debt: int
    days: tuple[EarningsOfDay, ...]


class PayoutState(StrEnum):
    REQUESTED = "requested"
    PAID = "paid"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class RequestPayout:
    """`method`: where the money is to go, in the supplier's words."""

    account_id: AccountId
    amount: int
    method: str
    now: datetime


@dataclass(frozen=True, slots=True)
class PayoutsOf:
    account_id: AccountId
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Payout:
    """Money on its way out of a wallet. `note`: the bank's reference, or why it was rejected."""

    id: PayoutId
    account_id: AccountId
    email: str
    currency: str
    amount: int
    method: str
    state: PayoutState
    note: str | None
    requested_at: datetime
    closed_at: datetime | None
