"""Writing the audit log."""

from __future__ import annotations

from datetime import datetime

from simyard.core.audit import store
from simyard.db.database import Tx


async def record(tx: Tx, *, actor: str, action: str, facts: dict[str, object], now: datetime) -> None:
    """Add a line, in the transaction of what it tells about.

    It is never erased, so facts hold ids: never keys, passwords or SMS texts, and nothing that tells who somebody is, such as
    an email, an address or a phone number. Consent statements and proofs are kept in words, because they are evidence.
    """
    await store.insert_audit(tx, actor=actor, action=action, facts=facts, now=now)
