"""The rows of checks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from simyard.base.ids import CheckId, NumberId, PoolId
from simyard.core.checks.model import CheckState, NumberCheck
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A check this transaction has locked."""

    id: CheckId
    number_id: NumberId
    challenge: str


@dataclass(frozen=True, slots=True)
class Ended:
    id: CheckId
    number_id: NumberId
    pool_id: PoolId
    state: CheckState
    proved_at: datetime | None


async def insert_check(
    tx: Tx,
    *,
    check_id: CheckId,
    number_id: NumberId,
    pool_id: PoolId,
    challenge: str,
    due_at: datetime,
    actor: str,
    now: datetime,
) -> None:
    await _queries.insert_check.execute(
        tx,
        check_id=check_id,
        number_id=number_id,
        pool_id=pool_id,
        challenge=challenge,
        due_at=due_at,
        actor=actor,
        now=now,
    )


async def lock_waiting_on(tx: Tx, *, number_ids: Collection[NumberId]) -> dict[NumberId, Waiting]:
    rows = await _queries.lock_waiting_on.rows(tx, number_ids=list(number_ids))
    return {row["number_id"]: Waiting(*row) for row in rows}


async def prove(tx: Tx, *, check_ids: Collection[CheckId], now: datetime) -> None:
    await _queries.prove.execute(tx, check_ids=list(check_ids), now=now)


async def due(tx: Tx, *, now: datetime, limit: int) -> list[tuple[CheckId, NumberId]]:
    return [(row["id"], row["number_id"]) for row in await _queries.due.rows(tx, now=now, limit=limit)]


async def close(tx: Tx, *, check_ids: Collection[CheckId], now: datetime) -> list[Ended]:
    rows = await _queries.close.rows(tx, check_ids=list(check_ids), now=now)
    return [
        Ended(row["id"], row["number_id"], row["pool_id"], CheckState(row["state"]), row["proved_at"])
        for row in rows
    ]


async def checks(tx: Tx, *, msisdn: str | None, check_id: CheckId | None, limit: int) -> list[NumberCheck]:
    rows = await _queries.checks.rows(tx, msisdn=msisdn, check_id=check_id, limit=limit)
    return [
        NumberCheck(
            id=row["id"],
            number_id=row["number_id"],
            pool_id=row["pool_id"],
            msisdn=row["msisdn"],
            challenge=row["challenge"],
            state=CheckState(row["state"]),
            due_at=row["due_at"],
            started_at=row["started_at"],
            proved_at=row["proved_at"],
            closed_at=row["closed_at"],
        )
        for row in rows
    ]
