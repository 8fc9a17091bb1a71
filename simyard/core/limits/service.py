"""The batch verb every request with a key goes through first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

import asyncpg

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import AccountState, Caller
from simyard.core.limits import store
from simyard.core.limits.model import Admit
from simyard.db.database import Tx

_REFUSED_STATES = {
    AccountState.SUSPENDED: Refused.ACCOUNT_SUSPENDED,
    AccountState.LOCKED: Refused.ACCOUNT_LOCKED,
}


async def admit(tx: Tx, commands: Sequence[Admit]) -> list[Caller | Refusal]:
    """Recognise each request's key and spend one request of its budget.

    Refuses, first match wins: WRONG_KEY, KEY_DISABLED, ADDRESS_NOT_ALLOWED, ACCOUNT_SUSPENDED, ACCOUNT_LOCKED,
    KEY_SCOPE, OVER_BUDGET (`seconds`: whole seconds after which the same request will be admitted). A refused
    request spends nothing. Of a batch that asks for more than is left, the first ones get it.
    """
    now = max(command.now for command in commands)
    left: dict[tuple[int, str], int] = {}
    results: list[Caller | Refusal] = []
    for command, row in zip(commands, await store.admit(tx, commands=commands, now=now), strict=True):
        refused = _judge(row)
        if refused is not None:
            results.append(Refusal(refused))
            continue
        if command.budget is not None:
            purse = (row["account_id"], row["verb"])
            remaining = left.setdefault(purse, row["granted"])
            if remaining == 0:
                results.append(Refusal(Refused.OVER_BUDGET, seconds=_seconds_until(row["ends_at"], now)))
                continue
            left[purse] = remaining - 1
        results.append(Caller(AccountId(row["account_id"]), row["email"], row["pool_id"], command.now))
    return results


async def forget_budgets(tx: Tx, *, before: datetime) -> int:
    """Drop budgets whose window ended before this."""
    return await store.forget_budgets(tx, before=before)


def _judge(row: asyncpg.Record) -> Refused | None:
    if row["account_id"] is None:
        return Refused.WRONG_KEY
    if not row["enabled"]:
        return Refused.KEY_DISABLED
    if not row["address_allowed"]:
        return Refused.ADDRESS_NOT_ALLOWED
    if row["state"] != AccountState.ACTIVE:
        return _REFUSED_STATES[AccountState(row["state"])]
    if not row["in_scope"]:
        return Refused.KEY_SCOPE
    return None


def _seconds_until(moment: datetime, now: datetime) -> int:
    return max(1, math.ceil((moment - now).total_seconds()))
