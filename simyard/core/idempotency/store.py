"""The rows of idempotency keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from simyard.base.ids import AccountId, LeaseId
from simyard.core.idempotency.model import Key
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept under a key. No outcome: whoever put it down has none yet."""

    fingerprint: bytes
    outcome: bytes | None


async def reserve(tx: Tx, *, keys: Mapping[Key, bytes], now: datetime) -> set[Key]:
    rows = await _queries.reserve.rows(
        tx,
        account_ids=[key[0] for key in keys],
        keys=[key[1] for key in keys],
        fingerprints=list(keys.values()),
        now=now,
    )
    return {(row["account_id"], row["key"]) for row in rows}


async def outcomes(tx: Tx, *, keys: Collection[Key]) -> dict[Key, Kept]:
    rows = await _queries.outcomes.rows(
        tx, account_ids=[key[0] for key in keys], keys=[key[1] for key in keys]
    )
    return {(row["account_id"], row["key"]): Kept(row["fingerprint"], row["outcome"]) for row in rows}


async def store_outcomes(tx: Tx, *, outcomes: Mapping[Key, tuple[LeaseId, bytes | None]]) -> None:
    await _queries.store_outcomes.execute(
        tx,
        account_ids=[key[0] for key in outcomes],
        keys=[key[1] for key in outcomes],
        lease_ids=[outcome[0] for outcome in outcomes.values()],
        outcomes=[outcome[1] for outcome in outcomes.values()],
    )


async def release(tx: Tx, *, keys: Collection[Key]) -> None:
    await _queries.release.execute(tx, account_ids=[key[0] for key in keys], keys=[key[1] for key in keys])


async def complete(tx: Tx, *, lease_id: LeaseId, outcome: bytes) -> None:
    await _queries.complete.execute(tx, lease_id=lease_id, outcome=outcome)


async def release_open(tx: Tx, *, lease_id: LeaseId) -> None:
    await _queries.release_open.execute(tx, lease_id=lease_id)


async def forget(tx: Tx, *, before: datetime) -> int:
    return await _queries.forget.execute(tx, before=before)


async def delete_keys_of(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.delete_keys_of.execute(tx, account_id=account_id)
