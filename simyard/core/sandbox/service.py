"""When a fictitious number gets its SMS."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from simyard.base.ids import LeaseId
from simyard.core.sandbox import store
from simyard.db.database import Tx


async def plan_messages(tx: Tx, due: Sequence[tuple[LeaseId, datetime]]) -> None:
    """Write down when each of these leases gets an SMS, in the transaction that orders them."""
    if due:
        await store.insert_messages(tx, due=due)


async def take_messages(tx: Tx, *, now: datetime, limit: int) -> list[LeaseId]:
    """Take what is due by now, in the transaction that will deliver it; the leases it was planned for, open or not."""
    return await store.take_messages(tx, now=now, limit=limit)
