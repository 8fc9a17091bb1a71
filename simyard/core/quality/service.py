"""Verbs about quality."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from simyard.base.ids import ActivationId, PoolId
from simyard.core.audit import service as audit
from simyard.core.pools import service as pools
from simyard.core.quality import rules, store
from simyard.core.quality.model import Key, Kind, Quality, QualityOf
from simyard.db.database import Tx

OVER_REPORTING_PERCENT: Final = 50
LINES_MAX: Final = 10_000


async def note(tx: Tx, events: Sequence[tuple[ActivationId, Kind]]) -> None:
    """Have something counted about activations' pools. Never waits for others."""
    if events:
        await store.note(tx, events=events)


async def count(
    tx: Tx, *, limit: int, now: datetime, over_reporting_percent: int = OVER_REPORTING_PERCENT
) -> int:
    """Count what has happened, so many events at most, and draw the consequences; returns how many there were.

    A pool that gave no number for more than `over_reporting_percent` of the orders it was asked for within ten minutes,
    while it said that it had some, is not sold for half an hour, for that service in that country. One whose numbers
    hardly get an SMS is sold after all others. 0 as well when another process is at it.
    """
    if not await store.try_lock(tx):
        return 0
    events, touched = await store.count(tx, limit=limit)
    if touched:
        await _judge(tx, touched, over_reporting_percent, now)
    return events


async def _judge(tx: Tx, touched: dict[Key, bool], percent: int, now: datetime) -> None:
    failing = {key[0] for key, failed in touched.items() if failed}
    recent = await store.recent(
        tx,
        keys=sorted(touched),
        failing=failing,
        day=(now - timedelta(days=1)).date(),
        since=now - rules.WINDOW,
    )
    poor = [key for key, one in recent.items() if rules.is_poor(one)]
    if poor:
        await store.set_poor(tx, keys=sorted(poor), until=now + rules.POOR_FOR)
    for key in sorted(recent):
        one = recent[key]
        if rules.over_reports(one, percent=percent) and await store.block(
            tx, key=key, until=now + rules.BLOCKED_FOR, now=now
        ):
            facts: dict[str, object] = {
                "pool_id": key[0],
                "country": key[1],
                "service_id": key[2],
                "asked": one.asked,
                "failed": one.failed,
            }
            await audit.record(tx, actor="simyard", action="pool.over_reported", facts=facts, now=now)


async def report(tx: Tx, command: QualityOf) -> list[Quality]:
    """How good pools are, by country and service; 10,000 lines at most."""
    return await store.report(tx, command=command, limit=LINES_MAX)


async def forgive(tx: Tx, pool_id: PoolId, *, actor: str, now: datetime) -> int:
    """Let a pool's blocked and poor offers be sold as any others again; returns how many there were.

    Refuses: UNKNOWN_POOL.
    """
    await pools.find_pool(tx, pool_id)
    forgiven = await store.unblock(tx, pool_id=pool_id, now=now)
    if forgiven:
        facts: dict[str, object] = {"pool_id": pool_id, "offers": forgiven}
        await audit.record(tx, actor=actor, action="pool.forgiven", facts=facts, now=now)
    return forgiven
