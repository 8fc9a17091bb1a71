"""What is asked of an erasure, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from simyard.base.ids import AccountId


@dataclass(frozen=True, slots=True)
class EraseAccount:
    account_id: AccountId
    reason: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Erased:
    """`before`: it had been erased already, so nothing was done."""

    account_id: AccountId
    before: bool


@dataclass(frozen=True, slots=True)
class OpenBusiness:
    """What of an account is not over yet. Amounts are micros of its wallet's currency, if it has one.

    `leases`: open ones it ordered or supplies. `numbers`: of its pools, that are leased, be it for a check. `payouts`:
    neither paid nor rejected. `remote_leases`: not settled yet with whoever its pools' numbers lie with.
    """

    leases: int
    numbers: int
    payouts: int
    remote_leases: int
    available: int = 0
    held: int = 0
    pending: int = 0
    debt: int = 0
    currency: str | None = None
