"""Wallets, ledger accounts and transfers as values. Amounts are micros."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simyard.base.ids import AccountId, LedgerAccountId


class SharedKind(StrEnum):
    """Ledger accounts that belong to the platform: one of each for a currency, without a running balance."""

    REVENUE = "revenue"
    CLEARING = "clearing"
    BANK = "bank"
    ESCROW = "escrow"


class TransferKind(StrEnum):
    DEPOSIT = "deposit"
    PAYMENT = "payment"
    HOLD = "hold"
    RELEASE = "release"
    CAPTURE = "capture"
    EARNING = "earning"
    MARGIN = "margin"
    EXCHANGE = "exchange"
    REFERRAL = "referral"


@dataclass(slots=True)
class Wallet:
    """A wallet this transaction has locked; `post` keeps its balances up to date as it moves money."""

    account_id: AccountId
    currency: str
    available_id: LedgerAccountId
    held_id: LedgerAccountId
    available: int
    held: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """An amount that leaves the debit account and enters the credit account, once for a reference."""

    reference: str
    kind: TransferKind
    debit: LedgerAccountId
    credit: LedgerAccountId
    currency: str
    amount: int


@dataclass(frozen=True, slots=True)
class Balance:
    currency: str
    available: int
    held: int


@dataclass(frozen=True, slots=True)
class CurrencyTotal:
    currency: str
    transfers: int
    entries_sum: int
    by_kind: dict[str, int]


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether the books are whole: entries sum to zero per currency, and every wallet equals the sum of its entries."""

    balanced: bool
    wallets: int
    transfers: int
    currencies: tuple[CurrencyTotal, ...]
    wrong_wallets: tuple[AccountId, ...]
