"""Verbs that move money. Each locks the wallets it touches by account id before it looks at a balance."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import asyncpg

from simyard.base.ids import AccountId, LedgerAccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.wallet import rules, store
from simyard.core.wallet.model import (
    Balance,
    Booked,
    CurrencyTotal,
    SharedKind,
    Snapshot,
    Statement,
    StatementLine,
    StatementOf,
    Transfer,
    TransferKind,
    Verification,
    Wallet,
)
from simyard.core.wallet.store import WalletChange
from simyard.db.database import Tx


async def open_wallet(tx: Tx, account_id: AccountId, currency: str) -> None:
    """Give an account its one wallet, empty."""
    await store.ensure_shared_accounts(tx, currency=currency)
    await store.insert_wallet(tx, account_id=account_id, currency=currency)


async def balance(tx: Tx, account_id: AccountId) -> Balance:
    """What the account can spend and what is held, now. Refuses: UNKNOWN_ACCOUNT."""
    found = await store.balance(tx, account_id=account_id)
    if found is None:
        raise Refusal(Refused.UNKNOWN_ACCOUNT, account_id=account_id)
    return found


async def balances(tx: Tx, account_ids: Collection[AccountId]) -> dict[AccountId, Balance]:
    """The same of many; nothing for an account without a wallet."""
    return await store.balances(tx, account_ids=account_ids)


async def currencies(tx: Tx, account_ids: Collection[AccountId]) -> dict[AccountId, str]:
    """The currency of each account's wallet."""
    return await store.currencies(tx, account_ids=account_ids)


async def lock(tx: Tx, account_ids: Collection[AccountId]) -> dict[AccountId, Wallet]:
    """The accounts' wallets, locked until the transaction ends."""
    return await store.lock_wallets(tx, account_ids=account_ids)


async def lock_open(tx: Tx, account_ids: Collection[AccountId]) -> dict[AccountId, Wallet]:
    """The same, without those of erased accounts: for whoever begins to spend or to pay in."""
    wallets = await lock(tx, account_ids)
    return {account_id: wallet for account_id, wallet in wallets.items() if not wallet.closed}


async def close(tx: Tx, account_id: AccountId) -> None:
    """Close a wallet that is locked and empty, for good; an account without one: nothing happens."""
    await store.close_wallet(tx, account_id=account_id)


async def shared(tx: Tx, currencies: Collection[str]) -> dict[tuple[SharedKind, str], LedgerAccountId]:
    """The platform's own ledger accounts of these currencies."""
    return await store.shared_accounts(tx, currencies=currencies)


async def post(
    tx: Tx, transfers: Sequence[Transfer], wallets: Mapping[AccountId, Wallet], *, now: datetime
) -> None:
    """Book transfers and move the running balances of the locked wallets they touch.

    Every wallet a transfer names must be among `wallets`. Refuses: REFERENCE_TAKEN when a reference was booked before;
    INSUFFICIENT_FUNDS when a balance would go below zero. Either ends the transaction.
    """
    if not transfers:
        return
    owners: dict[LedgerAccountId, Wallet] = {}
    for wallet in wallets.values():
        for own in (wallet.available_id, wallet.held_id, wallet.pending_id, wallet.debt_id):
            owners[own] = wallet
    before = {wallet.account_id: _figures(wallet) for wallet in wallets.values()}
    for transfer in transfers:
        for ledger_account, amount in (
            (transfer.debit, -transfer.amount),
            (transfer.credit, transfer.amount),
        ):
            if ledger_account in owners:
                rules.move(owners[ledger_account], ledger_account, amount, transfer.kind)
    changes = [
        change
        for wallet in wallets.values()
        if (
            change := WalletChange(
                wallet.account_id,
                *(now - then for now, then in zip(_figures(wallet), before[wallet.account_id], strict=True)),
            )
        ).is_one
    ]
    try:
        await store.post(tx, transfers=transfers, changes=changes, now=now)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "transfer_reference_taken":
            raise
        raise Refusal(Refused.REFERENCE_TAKEN) from error
    except asyncpg.CheckViolationError as error:
        if error.constraint_name not in _NOT_NEGATIVE:
            raise
        raise Refusal(Refused.INSUFFICIENT_FUNDS) from error


_NOT_NEGATIVE = frozenset(
    {"wallet_available_not_negative", "wallet_held_not_negative", "wallet_pending_not_negative"}
)


def _figures(wallet: Wallet) -> tuple[int, int, int, int, int]:
    return wallet.available, wallet.held, wallet.pending, wallet.debt, wallet.spent


async def booked(tx: Tx, references: Collection[str]) -> list[Booked]:
    """The transfers of these references, as far as there are any."""
    return await store.booked(tx, references=references)


async def deposit(tx: Tx, account_id: AccountId, amount: int, *, reference: str, now: datetime) -> Balance:
    """Credit money that came in from outside, once for a reference.

    Refuses, first match wins: MALFORMED (an amount of nothing or less), UNKNOWN_ACCOUNT, REFERENCE_TAKEN.
    """
    _check_amount(amount)
    wallets = await lock_open(tx, [account_id])
    if account_id not in wallets:
        raise Refusal(Refused.UNKNOWN_ACCOUNT, account_id=account_id)
    wallet = wallets[account_id]
    bank = (await shared(tx, [wallet.currency]))[SharedKind.BANK, wallet.currency]
    transfer = Transfer(
        f"deposit/{reference}", TransferKind.DEPOSIT, bank, wallet.available_id, wallet.currency, amount
    )
    await post(tx, [transfer], wallets, now=now)
    return Balance(wallet.currency, wallet.available, wallet.held, wallet.spent, wallet.pending, wallet.debt)


async def pay(
    tx: Tx, payer: AccountId, payee: AccountId, amount: int, *, reference: str, now: datetime
) -> None:
    """Move available money from one wallet to another of the same currency, once for a reference.

    Refuses, first match wins: MALFORMED (an amount of nothing or less), UNKNOWN_ACCOUNT, CURRENCY_MISMATCH,
    INSUFFICIENT_FUNDS, REFERENCE_TAKEN.
    """
    _check_amount(amount)
    wallets = await lock_open(tx, [payer, payee])
    if payer not in wallets or payee not in wallets or payer == payee:
        raise Refusal(Refused.UNKNOWN_ACCOUNT)
    source, target = wallets[payer], wallets[payee]
    if source.currency != target.currency:
        raise Refusal(Refused.CURRENCY_MISMATCH)
    if source.available < amount:
        raise Refusal(Refused.INSUFFICIENT_FUNDS)
    transfer = Transfer(
        f"payment/{reference}",
        TransferKind.PAYMENT,
        source.available_id,
        target.available_id,
        source.currency,
        amount,
    )
    await post(tx, [transfer], wallets, now=now)


async def write_off(tx: Tx, account_id: AccountId, *, reference: str, now: datetime) -> int:
    """Pay all that a wallet owes the platform off, out of the platform's revenue; returns how much that was.

    Nothing owed: nothing is moved. Refuses, first match wins: UNKNOWN_ACCOUNT, REFERENCE_TAKEN.
    """
    wallets = await lock_open(tx, [account_id])
    if account_id not in wallets:
        raise Refusal(Refused.UNKNOWN_ACCOUNT, account_id=account_id)
    owner = wallets[account_id]
    owed = owner.debt
    if owed:
        revenue = (await shared(tx, [owner.currency]))[SharedKind.REVENUE, owner.currency]
        transfer = Transfer(
            f"write-off/{reference}", TransferKind.REPAYMENT, revenue, owner.debt_id, owner.currency, owed
        )
        await post(tx, [transfer], wallets, now=now)
    return owed


def _check_amount(amount: int) -> None:
    if amount <= 0:
        raise Refusal(Refused.MALFORMED, field="amount")


async def statement(tx: Tx, command: StatementOf) -> Statement:
    """What a wallet held when a period began and when it ended. `statement_lines` tells what happened between.

    Refuses, first match wins: MALFORMED (until) when the period ends before it begins, UNKNOWN_ACCOUNT.
    """
    since, until = command.since, command.until
    if since is not None and until is not None and until < since:
        raise Refusal(Refused.MALFORMED, field="until")
    own = await store.ledger_accounts_of(tx, account_id=command.account_id)
    if own is None:
        raise Refusal(Refused.UNKNOWN_ACCOUNT, account_id=command.account_id)
    currency, ledger_accounts = own
    totals = await store.statement_totals(tx, own=ledger_accounts, since=since, until=until)
    return Statement(
        of=command,
        currency=currency,
        opening=Snapshot(
            totals.available_before, totals.held_before, totals.pending_before, totals.debt_before
        ),
        closing=Snapshot(totals.available_after, totals.held_after, totals.pending_after, totals.debt_after),
        ledger_accounts=ledger_accounts,
        last_id=totals.last_id,
    )


async def statement_lines(
    tx: Tx, of: Statement, *, after: StatementLine | None = None, limit: int = 1000
) -> list[StatementLine]:
    """The next lines of a statement, oldest first: the first ones, or those that follow a line. Empty after the last.

    Pages may be read in transactions of their own; together they lead from the opening to the closing balance.
    """
    rows = await store.statement_lines(tx, statement=of, after=after.id if after else None, limit=limit)
    available, held, pending, debt = (
        (after.available_after, after.held_after, after.pending_after, after.debt_after)
        if after
        else (of.opening.available, of.opening.held, of.opening.pending, of.opening.debt)
    )
    lines: list[StatementLine] = []
    for row in rows:
        available += row.available
        held += row.held
        pending += row.pending
        debt += row.debt
        lines.append(
            StatementLine(
                row.id,
                row.at,
                row.kind,
                row.reference,
                rules.lease_of(row.reference),
                row.available,
                row.held,
                available,
                held,
                row.pending,
                row.debt,
                pending,
                debt,
            )
        )
    return lines


async def verify(tx: Tx) -> Verification:
    """Recount the whole ledger from its transfers. Reads everything; meant for operators and tests."""
    by_currency: dict[str, dict[str, int]] = {}
    entries: dict[str, int] = {}
    for row in await store.totals(tx):
        by_currency.setdefault(row.currency, {})[row.kind] = row.amount
        entries[row.currency] = entries.get(row.currency, 0) + row.entries
    wrong = await store.wrong_wallets(tx)
    totals = tuple(
        CurrencyTotal(currency, entries[currency] // 2, sum(kinds.values()), kinds)
        for currency, kinds in by_currency.items()
    )
    return Verification(
        balanced=not wrong and all(total.entries_sum == 0 for total in totals),
        wallets=await store.wallet_count(tx),
        transfers=sum(total.transfers for total in totals),
        currencies=totals,
        wrong_wallets=tuple(wrong),
    )
