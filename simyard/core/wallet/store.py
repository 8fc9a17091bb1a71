"""The rows of the ledger."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from simyard.base.ids import AccountId, LedgerAccountId, TransferId
from simyard.core.wallet.model import (
    SPENDING,
    Balance,
    Booked,
    OwnAccounts,
    SharedKind,
    Statement,
    Transfer,
    TransferKind,
    Wallet,
)
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


@dataclass(frozen=True, slots=True)
class WalletChange:
    account_id: AccountId
    available: int
    held: int
    pending: int
    debt: int
    spent: int

    @property
    def is_one(self) -> bool:
        return bool(self.available or self.held or self.pending or self.debt or self.spent)


@dataclass(frozen=True, slots=True)
class TotalRow:
    currency: str
    kind: str
    amount: int
    entries: int


@dataclass(frozen=True, slots=True)
class StatementTotals:
    last_id: TransferId
    available_before: int
    held_before: int
    pending_before: int
    debt_before: int
    available_after: int
    held_after: int
    pending_after: int
    debt_after: int


@dataclass(frozen=True, slots=True)
class MovedRow:
    id: TransferId
    at: datetime
    kind: TransferKind
    reference: str
    available: int
    held: int
    pending: int
    debt: int


async def insert_wallet(tx: Tx, *, account_id: AccountId, currency: str) -> None:
    await _queries.insert_wallet.execute(tx, account_id=account_id, currency=currency)


async def ensure_shared_accounts(tx: Tx, *, currency: str) -> None:
    await _queries.ensure_shared_accounts.execute(tx, currency=currency, kinds=list(SharedKind))


async def shared_accounts(
    tx: Tx, *, currencies: Collection[str]
) -> dict[tuple[SharedKind, str], LedgerAccountId]:
    rows = await _queries.shared_accounts.rows(tx, kinds=list(SharedKind), currencies=list(currencies))
    return {(SharedKind(row["kind"]), row["currency"]): LedgerAccountId(row["id"]) for row in rows}


async def lock_wallets(tx: Tx, *, account_ids: Collection[AccountId]) -> dict[AccountId, Wallet]:
    rows = await _queries.lock_wallets.rows(tx, account_ids=list(account_ids))
    return {row["account_id"]: Wallet(*row) for row in rows}


async def close_wallet(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.close_wallet.execute(tx, account_id=account_id)


async def balance(tx: Tx, *, account_id: AccountId) -> Balance | None:
    row = await _queries.balance.row(tx, account_id=account_id)
    return None if row is None else Balance(*row)


async def balances(tx: Tx, *, account_ids: Collection[AccountId]) -> dict[AccountId, Balance]:
    rows = await _queries.balances.rows(tx, account_ids=list(account_ids))
    return {row["account_id"]: Balance(*row[1:]) for row in rows}


async def currencies(tx: Tx, *, account_ids: Collection[AccountId]) -> dict[AccountId, str]:
    rows = await _queries.currencies.rows(tx, account_ids=list(account_ids))
    return {row["account_id"]: row["currency"] for row in rows}


async def ledger_accounts_of(tx: Tx, *, account_id: AccountId) -> tuple[str, OwnAccounts] | None:
    """The wallet's currency and ledger accounts."""
    row = await _queries.ledger_accounts_of.row(tx, account_id=account_id)
    return None if row is None else (row["currency"], OwnAccounts(*row[1:]))


async def statement_totals(
    tx: Tx,
    *,
    own: OwnAccounts,
    since: datetime | None,
    until: datetime | None,
) -> StatementTotals:
    (row,) = await _queries.statement_totals.rows(tx, since=since, until=until, **_ids(own))
    return StatementTotals(*row)


async def statement_lines(
    tx: Tx, *, statement: Statement, after: TransferId | None, limit: int
) -> list[MovedRow]:
    rows = await _queries.statement_lines.rows(
        tx,
        since=statement.of.since,
        until=statement.of.until,
        last_id=statement.last_id,
        after=after or 0,
        limit=limit,
        **_ids(statement.ledger_accounts),
    )
    return [
        MovedRow(row["id"], row["created_at"], TransferKind(row["kind"]), row["reference"], *row[4:])
        for row in rows
    ]


def _ids(own: OwnAccounts) -> dict[str, LedgerAccountId]:
    return {
        "available_id": own.available_id,
        "held_id": own.held_id,
        "pending_id": own.pending_id,
        "debt_id": own.debt_id,
    }


async def post(
    tx: Tx, *, transfers: Sequence[Transfer], changes: Sequence[WalletChange], now: datetime
) -> None:
    await _queries.post.execute(
        tx,
        references=[transfer.reference for transfer in transfers],
        kinds=[transfer.kind for transfer in transfers],
        debits=[transfer.debit for transfer in transfers],
        credits=[transfer.credit for transfer in transfers],
        currencies=[transfer.currency for transfer in transfers],
        amounts=[transfer.amount for transfer in transfers],
        account_ids=[change.account_id for change in changes],
        available=[change.available for change in changes],
        held=[change.held for change in changes],
        pending=[change.pending for change in changes],
        debts=[change.debt for change in changes],
        spent=[change.spent for change in changes],
        now=now,
    )


async def booked(tx: Tx, *, references: Collection[str]) -> list[Booked]:
    return [Booked(*row) for row in await _queries.booked.rows(tx, references=list(references))]


async def totals(tx: Tx) -> list[TotalRow]:
    return [TotalRow(*row) for row in await _queries.totals.rows(tx)]


async def wrong_wallets(tx: Tx) -> list[AccountId]:
    return [
        AccountId(row["account_id"]) for row in await _queries.wrong_wallets.rows(tx, spending=list(SPENDING))
    ]


async def wallet_count(tx: Tx) -> int:
    return int(await _queries.wallet_count.value(tx))
