"""The rows of messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from simyard.base.ids import AccountId, ActivationId, PoolId
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


@dataclass(frozen=True, slots=True)
class NewMessage:
    activation_id: ActivationId
    sender: str
    text: str
    code: str | None
    sent_at: datetime


async def mark_seen(
    tx: Tx,
    *,
    seen: Sequence[tuple[ActivationId, bytes, datetime | None]],
    repeats_after: datetime,
    now: datetime,
) -> set[tuple[ActivationId, bytes]]:
    rows = await _queries.mark_seen.rows(
        tx,
        activation_ids=[one[0] for one in seen],
        digests=[one[1] for one in seen],
        sent_at=[one[2] for one in seen],
        repeats_after=repeats_after,
        now=now,
    )
    return {(row["activation_id"], row["digest"]) for row in rows}


async def insert_messages(tx: Tx, *, rows: Sequence[NewMessage], now: datetime) -> None:
    await _queries.insert_messages.execute(
        tx,
        activation_ids=[row.activation_id for row in rows],
        senders=[row.sender for row in rows],
        bodies=[row.text for row in rows],
        codes=[row.code for row in rows],
        sent_at=[row.sent_at for row in rows],
        now=now,
    )


async def count_dropped(tx: Tx, *, counts: Mapping[tuple[PoolId, str], int], day: date) -> None:
    await _queries.count_dropped.execute(
        tx,
        pool_ids=[pool_id for pool_id, _ in counts],
        reasons=[reason for _, reason in counts],
        counts=list(counts.values()),
        day=day,
    )


async def count_misuse(tx: Tx, *, counts: Mapping[AccountId, int], day: date) -> None:
    await _queries.count_misuse.execute(tx, account_ids=list(counts), counts=list(counts.values()), day=day)


async def erase_texts(tx: Tx, *, before: datetime, limit: int) -> int:
    return await _queries.erase_texts.execute(tx, before=before, limit=limit)


async def forget_seen(tx: Tx, *, before: datetime) -> int:
    return await _queries.forget_seen.execute(tx, before=before)
