"""Writing the audit log."""

from __future__ import annotations

from datetime import datetime

from simyard.core.audit import store
from simyard.db.database import Tx


async def record(tx: Tx, *, actor: str, action: str, facts: dict[str, object], now: datetime) -> None:
    """Add a line, in the transaction of what it tells about. Facts never hold keys, passwords or SMS texts."""
    await store.insert_audit(tx, actor=actor, action=action, facts=facts, now=now)
