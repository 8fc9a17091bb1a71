"""The rows of quality."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

from simyard.base.ids import ActivationId, PoolId, ServiceId
from simyard.core.quality import rules
from simyard.core.quality.model import Counts, Key, Kind, Quality, QualityOf, Recent
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)

_COUNTED = tuple(field.name for field in dataclasses.fields(Counts) if field.name != "spans")


async def note(tx: Tx, *, events: Sequence[tuple[ActivationId, Kind]]) -> None:
    await _queries.note.execute(
        tx, activation_ids=[one[0] for one in events], kinds=[one[1] for one in events]
    )


async def try_lock(tx: Tx) -> bool:
    return bool(await _queries.try_lock.value(tx))


async def count(tx: Tx, *, limit: int) -> tuple[int, dict[Key, bool]]:
    """How many events were counted, what they were about, and whether a number failed to come."""
    rows = await _queries.count.rows(tx, limit=limit, ends=[float(end) for end in rules.SPANS])
    events = rows[0]["events"] if rows else 0
    return events, {(row["pool_id"], row["country"], row["service_id"]): row["failed"] for row in rows}


async def recent(
    tx: Tx, *, keys: Sequence[Key], failing: Collection[PoolId], day: date, since: datetime
) -> dict[Key, Recent]:
    rows = await _queries.recent.rows(tx, **_columns(keys), failing=list(failing), day=day, since=since)
    return {
        (row["pool_id"], row["country"], row["service_id"]): Recent(
            row["asked"], row["failed"], row["issued"], row["delivered"]
        )
        for row in rows
    }


def _columns(keys: Sequence[Key]) -> Mapping[str, list[PoolId] | list[str] | list[ServiceId]]:
    return {
        "pool_ids": [key[0] for key in keys],
        "countries": [key[1] for key in keys],
        "service_ids": [key[2] for key in keys],
    }


async def block(tx: Tx, *, key: Key, until: datetime, now: datetime) -> bool:
    pool_id, country, service_id = key
    return (
        await _queries.block.value(
            tx, pool_id=pool_id, country=country, service_id=service_id, until=until, now=now
        )
        is not None
    )


async def unblock(tx: Tx, *, pool_id: PoolId, now: datetime) -> int:
    return await _queries.unblock.execute(tx, pool_id=pool_id, now=now)


async def set_poor(tx: Tx, *, keys: Sequence[Key], until: datetime) -> None:
    await _queries.set_poor.execute(tx, **_columns(keys), until=until)


async def report(tx: Tx, *, command: QualityOf, limit: int) -> list[Quality]:
    rows = await _queries.report.rows(
        tx,
        since=command.since,
        now=command.now,
        pool_id=command.pool_id,
        supplier_id=command.supplier_id,
        limit=limit,
    )
    found = []
    for row in rows:
        counts = Counts(**{name: row[name] for name in _COUNTED}, spans=tuple(row["spans"]))
        found.append(
            Quality(
                pool_id=row["pool_id"],
                pool_name=row["name"],
                country=row["country"],
                service_id=row["service_id"],
                counts=counts,
                seconds_mean=counts.seconds / counts.delivered if counts.delivered else None,
                seconds_median=rules.quantile(counts.spans, 0.5),
                seconds_p90=rules.quantile(counts.spans, 0.9),
                blocked_until=row["blocked_until"],
                poor_until=row["poor_until"],
            )
        )
    return found
