"""Reports as values. Amounts are micros."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from simyard.base.ids import AccountId
from simyard.core.accounts.model import AccountState


@dataclass(frozen=True, slots=True)
class PurseOf:
    account_id: AccountId
    base_currency: str


@dataclass(frozen=True, slots=True)
class Purse:
    """A wallet's balances and what referrals ever paid into it. No `income_usd`: there is no rate for it."""

    currency: str
    available: int
    held: int
    income: int
    income_usd: int | None


@dataclass(frozen=True, slots=True)
class Profile:
    """An account and its sums: money that came from outside, money that paid for leases, referral income, messages."""

    account_id: AccountId
    email: str
    state: AccountState
    created_at: datetime
    currency: str
    available: int
    deposited: int
    spent: int
    income: int
    messages: int
