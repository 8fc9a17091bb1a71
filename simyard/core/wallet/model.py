"""Wallets, ledger accounts and transfers as values. Amounts are micros."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from simyard.base.ids import AccountId, LedgerAccountId, TransferId


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
    CASHBACK = "cashback"
    MATURE = "mature"
    """An earning that has waited long enough can be spent."""
    PAYOUT = "payout"
    REFUND = "refund"
    """What a buyer gets back of a price that was captured."""
    REVERSAL = "reversal"
    """What others give back for it."""
    REFERRAL_REVERSAL = "referral_reversal"
    REPAYMENT = "repayment"
    """What pays a debt to the platform off."""


SPENDING = frozenset({TransferKind.CAPTURE, TransferKind.EARNING, TransferKind.MARGIN, TransferKind.EXCHANGE})
"""What pays for leases when it leaves a wallet: captures divide a price at once, or escrow keeps it."""


@dataclass(slots=True)
class Wallet:
    """A wallet this transaction has locked; `post` keeps its balances up to date as it moves money.

    `debt` is what it owes the platform: its ledger account stands that far below zero.
    """

    account_id: AccountId
    currency: str
    available_id: LedgerAccountId
    held_id: LedgerAccountId
    pending_id: LedgerAccountId
    debt_id: LedgerAccountId
    available: int
    held: int
    # What was earned and cannot be spent yet.
    pending: int
    debt: int
    # All that ever paid for leases, without what was given back.
    spent: int
    # Of an erased account: nothing is paid into it or out of it any more.
    closed: bool


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
class Booked:
    """A transfer of the books. `owner_id`: whose wallet was credited."""

    reference: str
    debit: LedgerAccountId
    credit: LedgerAccountId
    amount: int
    owner_id: AccountId | None


@dataclass(frozen=True, slots=True)
class Balance:
    """`spent` is all that ever paid for leases. What is pending was earned and matures by itself."""

    currency: str
    available: int
    held: int
    spent: int = 0
    pending: int = 0
    debt: int = 0


@dataclass(frozen=True, slots=True)
class StatementOf:
    """Every movement of an account's wallet from `since` on and before `until`; without them, from first to last."""

    account_id: AccountId
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a wallet holds, and owes, at one moment."""

    available: int
    held: int
    pending: int = 0
    debt: int = 0


@dataclass(frozen=True, slots=True)
class OwnAccounts:
    """The ledger accounts of one wallet."""

    available_id: LedgerAccountId
    held_id: LedgerAccountId
    pending_id: LedgerAccountId
    debt_id: LedgerAccountId


@dataclass(frozen=True, slots=True)
class Statement:
    """What a wallet held before and after a period; its lines are read page by page.

    They lead from the one to the other however much happens meanwhile: none is newer than `last_id`.
    """

    of: StatementOf
    currency: str
    opening: Snapshot
    closing: Snapshot
    ledger_accounts: OwnAccounts
    last_id: TransferId


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One transfer as a wallet sees it: what it added to each balance, which may be negative, and what was then there."""

    id: TransferId
    at: datetime
    kind: TransferKind
    reference: str
    lease_id: int | None
    available: int
    held: int
    available_after: int
    held_after: int
    pending: int = 0
    debt: int = 0
    pending_after: int = 0
    debt_after: int = 0


@dataclass(frozen=True, slots=True)
class CurrencyTotal:
    currency: str
    transfers: int
    entries_sum: int
    by_kind: dict[str, int]


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether the books are whole: entries sum to zero per currency, and every wallet equals the sums of its entries."""

    balanced: bool
    wallets: int
    transfers: int
    currencies: tuple[CurrencyTotal, ...]
    wrong_wallets: tuple[AccountId, ...]
