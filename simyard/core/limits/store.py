"""The rows of admission."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from simyard.core.limits.model import Admit, AdmitSession
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


async def admit(tx: Tx, *, commands: Sequence[Admit], now: datetime) -> list[asyncpg.Record]:
    """One row for each command, in their order. Records, not dataclasses: every request passes here."""
    budgets = [command.budget for command in commands]
    return await _queries.admit.rows(
        tx,
        digests=[command.key_digest for command in commands],
        scopes=[command.scope for command in commands],
        addresses=[command.address for command in commands],
        verbs=[budget.verb if budget else "" for budget in budgets],
        quotas=[budget.requests if budget else None for budget in budgets],
        windows=[budget.window_seconds if budget else None for budget in budgets],
        now=now,
    )


async def admit_sessions(tx: Tx, *, commands: Sequence[AdmitSession], now: datetime) -> list[asyncpg.Record]:
    """One row for each command, in their order."""
    budgets = [command.budget for command in commands]
    return await _queries.admit_sessions.rows(
        tx,
        session_ids=[command.session_id for command in commands],
        account_ids=[command.account_id for command in commands],
        verbs=[budget.verb if budget else "" for budget in budgets],
        quotas=[budget.requests if budget else None for budget in budgets],
        windows=[budget.window_seconds if budget else None for budget in budgets],
        now=now,
    )


async def forget_budgets(tx: Tx, *, before: datetime) -> int:
    return await _queries.forget_budgets.execute(tx, before=before)
