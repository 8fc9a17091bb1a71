"""The rows of the audit log."""

from __future__ import annotations

from datetime import datetime

from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


async def insert_audit(tx: Tx, *, actor: str, action: str, facts: dict[str, object], now: datetime) -> None:
    await _queries.insert_audit.execute(tx, actor=actor, action=action, facts=facts, now=now)
