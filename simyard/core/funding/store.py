"""The rows of virtual accounts and deposits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from simyard.base.ids import AccountId, DepositId, VirtualAccountId
from simyard.core.funding.model import (
    Deposit,
    DepositState,
    DueDeposit,
    ProviderAccount,
    Reason,
    VirtualAccount,
)
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


@dataclass(frozen=True, slots=True)
class CreationRow:
    id: VirtualAccountId
    attempts: int
    in_flight: bool


@dataclass(frozen=True, slots=True)
class ClaimedCreation:
    id: VirtualAccountId
    account_id: AccountId
    email: str
    currency: str
    bank_code: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Receiver:
    """Whose wallet a bank account stands for, and the currency of that wallet."""

    virtual_account_id: VirtualAccountId
    account_id: AccountId
    currency: str


def _virtual_account(row: asyncpg.Record) -> VirtualAccount:
    return VirtualAccount(
        VirtualAccountId(row["id"]),
        row["public_id"],
        row["bank_code"],
        row["bank_name"],
        row["account_number"],
        row["account_name"],
        row["currency"],
        row["created_at"],
    )


async def find_customer(tx: Tx, *, account_id: AccountId) -> tuple[str, str, str] | None:
    """The account's email and name, and its wallet's currency."""
    row = await _queries.find_customer.row(tx, account_id=account_id)
    return None if row is None else (row["email"], row["name"], row["currency"])


async def list_virtual_accounts(tx: Tx, *, account_id: AccountId, provider: str) -> list[VirtualAccount]:
    rows = await _queries.list_virtual_accounts.rows(tx, account_id=account_id, provider=provider)
    return [_virtual_account(row) for row in rows]


async def count_virtual_accounts(tx: Tx, *, account_id: AccountId, provider: str) -> int:
    return int(await _queries.count_virtual_accounts.value(tx, account_id=account_id, provider=provider))


async def known_numbers(tx: Tx, *, account_id: AccountId, provider: str) -> frozenset[str]:
    rows = await _queries.known_numbers.rows(tx, account_id=account_id, provider=provider)
    return frozenset(row["account_number"] for row in rows)


async def find_creation(
    tx: Tx, *, account_id: AccountId, provider: str, bank_code: str, now: datetime
) -> CreationRow | None:
    row = await _queries.find_creation.row(
        tx, account_id=account_id, provider=provider, bank_code=bank_code, now=now
    )
    return None if row is None else CreationRow(*row)


async def insert_creation(
    tx: Tx,
    *,
    account_id: AccountId,
    public_id: str,
    provider: str,
    bank_code: str,
    currency: str,
    claimed_until: datetime,
    now: datetime,
) -> VirtualAccountId:
    return VirtualAccountId(
        await _queries.insert_creation.value(
            tx,
            account_id=account_id,
            public_id=public_id,
            provider=provider,
            bank_code=bank_code,
            currency=currency,
            claimed_until=claimed_until,
            now=now,
        )
    )


async def adopt_creation(tx: Tx, *, virtual_account_id: VirtualAccountId, claimed_until: datetime) -> None:
    await _queries.adopt_creation.execute(
        tx, virtual_account_id=virtual_account_id, claimed_until=claimed_until
    )


async def claim_creations(
    tx: Tx, *, provider: str, now: datetime, claimed_until: datetime, limit: int
) -> list[ClaimedCreation]:
    rows = await _queries.claim_creations.rows(
        tx, provider=provider, now=now, claimed_until=claimed_until, limit=limit
    )
    return [ClaimedCreation(*row) for row in rows]


async def open_virtual_account(
    tx: Tx, *, virtual_account_id: VirtualAccountId, made: ProviderAccount
) -> VirtualAccount | None:
    row = await _queries.open_virtual_account.row(
        tx,
        virtual_account_id=virtual_account_id,
        bank_name=made.bank_name,
        account_number=made.account_number,
        account_name=made.account_name,
        currency=made.currency,
        provider_id=made.provider_id,
    )
    return None if row is None else _virtual_account(row)


async def lock_virtual_account(
    tx: Tx, *, virtual_account_id: VirtualAccountId
) -> tuple[AccountId, str, str] | None:
    """Whose it is, its provider and its state."""
    row = await _queries.lock_virtual_account.row(tx, virtual_account_id=virtual_account_id)
    return None if row is None else (AccountId(row["account_id"]), row["provider"], row["state"])


async def find_open_by_number(
    tx: Tx, *, provider: str, account_number: str
) -> tuple[AccountId, VirtualAccount] | None:
    row = await _queries.find_open_by_number.row(tx, provider=provider, account_number=account_number)
    return None if row is None else (AccountId(row["account_id"]), _virtual_account(row))


async def postpone_creation(
    tx: Tx, *, virtual_account_id: VirtualAccountId, attempts: int, next_attempt_at: datetime, problem: str
) -> None:
    await _queries.postpone_creation.execute(
        tx,
        virtual_account_id=virtual_account_id,
        attempts=attempts,
        next_attempt_at=next_attempt_at,
        problem=problem,
    )


async def fail_creation(tx: Tx, *, virtual_account_id: VirtualAccountId, attempts: int, problem: str) -> None:
    await _queries.fail_creation.execute(
        tx, virtual_account_id=virtual_account_id, attempts=attempts, problem=problem
    )


async def insert_deposit(tx: Tx, *, provider: str, reference: str, now: datetime) -> DepositId | None:
    """None when it was there already."""
    deposit_id = await _queries.insert_deposit.value(tx, provider=provider, reference=reference, now=now)
    return None if deposit_id is None else DepositId(deposit_id)


async def wake_worker(tx: Tx) -> None:
    await _queries.wake_worker.execute(tx)


async def claim_deposits(
    tx: Tx, *, provider: str, now: datetime, claimed_until: datetime, limit: int
) -> list[DueDeposit]:
    rows = await _queries.claim_deposits.rows(
        tx, provider=provider, now=now, claimed_until=claimed_until, limit=limit
    )
    return [DueDeposit(*row) for row in rows]


async def lock_deposit(tx: Tx, *, deposit_id: DepositId) -> DepositState | None:
    row = await _queries.lock_deposit.row(tx, deposit_id=deposit_id)
    return None if row is None else DepositState(row["state"])


async def find_receiver(tx: Tx, *, provider: str, account_number: str) -> Receiver | None:
    row = await _queries.find_receiver.row(tx, provider=provider, account_number=account_number)
    return None if row is None else Receiver(*row)


async def credit_deposit(
    tx: Tx,
    *,
    deposit_id: DepositId,
    virtual_account_id: VirtualAccountId,
    currency: str,
    amount: int,
    now: datetime,
) -> None:
    await _queries.credit_deposit.execute(
        tx,
        deposit_id=deposit_id,
        virtual_account_id=virtual_account_id,
        currency=currency,
        amount=amount,
        now=now,
    )


async def refuse_deposit(
    tx: Tx,
    *,
    deposit_id: DepositId,
    reason: Reason,
    virtual_account_id: VirtualAccountId | None,
    currency: str | None,
    amount: int | None,
    now: datetime,
) -> None:
    await _queries.refuse_deposit.execute(
        tx,
        deposit_id=deposit_id,
        reason=reason,
        virtual_account_id=virtual_account_id,
        currency=currency,
        amount=amount,
        now=now,
    )


async def postpone_deposit(
    tx: Tx, *, deposit_id: DepositId, attempts: int, next_attempt_at: datetime, problem: str
) -> None:
    await _queries.postpone_deposit.execute(
        tx, deposit_id=deposit_id, attempts=attempts, next_attempt_at=next_attempt_at, problem=problem
    )


async def reopen_deposit(tx: Tx, *, provider: str, reference: str, now: datetime) -> DepositId | None:
    deposit_id = await _queries.reopen_deposit.value(tx, provider=provider, reference=reference, now=now)
    return None if deposit_id is None else DepositId(deposit_id)


async def list_deposits(
    tx: Tx, *, state: DepositState | None, account_id: AccountId | None, limit: int
) -> list[Deposit]:
    rows = await _queries.list_deposits.rows(tx, state=state, account_id=account_id, limit=limit)
    return [
        Deposit(DepositId(row["id"]), row["provider"], row["reference"], DepositState(row["state"]), *row[4:])
        for row in rows
    ]


async def insert_sandbox_payment(
    tx: Tx, *, reference: str, account_number: str, currency: str, amount_minor: int, now: datetime
) -> bool:
    """Whether it is a new one."""
    inserted = await _queries.insert_sandbox_payment.value(
        tx,
        reference=reference,
        account_number=account_number,
        currency=currency,
        amount_minor=amount_minor,
        now=now,
    )
    return inserted is not None


async def find_sandbox_payment(tx: Tx, *, reference: str) -> tuple[str, str, int] | None:
    """The number paid into, the currency, and the amount in its coins."""
    row = await _queries.find_sandbox_payment.row(tx, reference=reference)
    return None if row is None else (row["account_number"], row["currency"], row["amount_minor"])


async def close_virtual_accounts(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.close_virtual_accounts.execute(tx, account_id=account_id)


async def erase_deposits(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.erase_deposits.execute(tx, account_id=account_id)


async def erase_sandbox_payments(tx: Tx, *, account_id: AccountId, provider: str) -> None:
    await _queries.erase_sandbox_payments.execute(tx, account_id=account_id, provider=provider)
