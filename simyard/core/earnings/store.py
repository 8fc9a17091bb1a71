"""The rows of earnings and payouts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg

from simyard.base.ids import AccountId, EarningId, LeaseId, PayoutId
from simyard.core.earnings.model import (
    Earning,
    EarningsOf,
    EarningsOfDay,
    EarningState,
    NewEarning,
    Payout,
    PayoutState,
)
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


async def insert_earnings(
    tx: Tx, *, rows: Sequence[NewEarning], state: EarningState, due_at: datetime, now: datetime
) -> None:
    await _queries.insert_earnings.execute(
        tx,
        lease_ids=[row.lease_id for row in rows],
        account_ids=[row.account_id for row in rows],
        amounts=[row.amount for row in rows],
        state=state,
        due_at=due_at,
        now=now,
    )


async def take_due(tx: Tx, *, now: datetime, limit: int) -> list[Earning]:
    return [_earning(row) for row in await _queries.take_due.rows(tx, now=now, limit=limit)]


async def lock_of_lease(tx: Tx, *, lease_id: LeaseId) -> Earning | None:
    row = await _queries.lock_of_lease.row(tx, lease_id=lease_id)
    return None if row is None else _earning(row)


def _earning(row: asyncpg.Record) -> Earning:
    return Earning(
        EarningId(row["id"]), row["lease_id"], row["account_id"], row["amount"], EarningState(row["state"])
    )


async def set_state(tx: Tx, *, earning_ids: Collection[EarningId], state: EarningState) -> None:
    await _queries.set_state.execute(tx, earning_ids=list(earning_ids), state=state)


async def by_day(tx: Tx, *, command: EarningsOf) -> list[EarningsOfDay]:
    rows = await _queries.by_day.rows(
        tx, account_id=command.account_id, since=command.since, until=command.until
    )
    return [EarningsOfDay(*row) for row in rows]


async def insert_payout(tx: Tx, *, account_id: AccountId, amount: int, method: str, now: datetime) -> Payout:
    (row,) = await _queries.insert_payout.rows(
        tx, account_id=account_id, amount=amount, method=method, now=now
    )
    return _payout(row)


async def lock_payout(tx: Tx, *, payout_id: PayoutId) -> Payout | None:
    row = await _queries.lock_payout.row(tx, payout_id=payout_id)
    return None if row is None else _payout(row)


async def close_payout(
    tx: Tx, *, payout_id: PayoutId, state: PayoutState, note: str | None, now: datetime
) -> None:
    await _queries.close_payout.execute(tx, payout_id=payout_id, state=state, note=note, now=now)


async def payouts(
    tx: Tx, *, account_id: AccountId | None, state: PayoutState | None, limit: int
) -> list[Payout]:
    rows = await _queries.payouts.rows(tx, account_id=account_id, state=state, limit=limit)
    return [_payout(row) for row in rows]


def _payout(row: asyncpg.Record) -> Payout:
    return Payout(
        PayoutId(row["id"]),
        row["account_id"],
        row["email"],
        row["currency"],
        row["amount"],
        row["method"],
        PayoutState(row["state"]),
        row["note"],
        row["requested_at"],
        row["closed_at"],
    )


async def lock_payouts_of(tx: Tx, *, account_id: AccountId) -> list[PayoutState]:
    rows = await _queries.lock_payouts_of.rows(tx, account_id=account_id)
    return [PayoutState(row["state"]) for row in rows]


async def erase_payouts(tx: Tx, *, account_id: AccountId, method: str) -> None:
    await _queries.erase_payouts.execute(tx, account_id=account_id, method=method)
