"""The rows of SMS that Simyard still has to make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from simyard.base.ids import LeaseId
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


async def insert_messages(tx: Tx, *, due: Sequence[tuple[LeaseId, datetime]]) -> None:
    await _queries.insert_messages.execute(
        tx, lease_ids=[lease_id for lease_id, _ in due], due_at=[due_at for _, due_at in due]
    )


async def take_messages(tx: Tx, *, now: datetime, limit: int) -> list[LeaseId]:
    rows = await _queries.take_messages.rows(tx, now=now, limit=limit)
    return [row["lease_id"] for row in rows]
