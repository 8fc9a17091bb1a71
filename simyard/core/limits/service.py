"""The batch verb every request with a key goes through first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

import asyncpg

from simyard.base.ids import AccountId, SessionId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import AccountState, Caller
from simyard.core.limits import store
from simyard.core.limits.model import Admit, AdmitSession
from simyard.db.database import Tx

_REFUSED_STATES = {
    AccountState.SUSPENDED: Refused.ACCOUNT_SUSPENDED,
    AccountState.LOCKED: Refused.ACCOUNT_LOCKED,
    AccountState.ERASED: Refused.ACCOUNT_LOCKED,
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
        elif command.budget is not None and not _spend(row, left):
            results.append(Refusal(Refused.OVER_BUDGET, seconds=_seconds_until(row["ends_at"], now)))
        else:
            results.append(Caller(AccountId(row["account_id"]), row["email"], row["pool_id"], command.now))
    return results


async def admit_sessions(tx: Tx, commands: Sequence[AdmitSession]) -> list[Caller | Refusal]:
    """The same for requests with an access token: its session must be open still.

    Refuses, first match wins: WRONG_KEY (no such session, or it has ended), ACCOUNT_SUSPENDED, ACCOUNT_LOCKED, OVER_BUDGET
    (`seconds`). A refused request spends nothing.
    """
    now = max(command.now for command in commands)
    left: dict[tuple[int, str], int] = {}
    results: list[Caller | Refusal] = []
    rows = await store.admit_sessions(tx, commands=commands, now=now)
    for command, row in zip(commands, rows, strict=True):
        if row["account_id"] is None:
            results.append(Refusal(Refused.WRONG_KEY))
        elif row["state"] != AccountState.ACTIVE:
            results.append(Refusal(_REFUSED_STATES[AccountState(row["state"])]))
        elif command.budget is not None and not _spend(row, left):
            results.append(Refusal(Refused.OVER_BUDGET, seconds=_seconds_until(row["ends_at"], now)))
        else:
            session_id = SessionId(row["session_id"])
            results.append(Caller(AccountId(row["account_id"]), row["email"], None, command.now, session_id))
    return results


def _spend(row: asyncpg.Record, left: dict[tuple[int, str], int]) -> bool:
    """Whether one of what was granted to the batch is left for this request; then it is taken."""
    purse = (row["account_id"], row["verb"])
    remaining: int = left.setdefault(purse, row["granted"])
    left[purse] = max(remaining - 1, 0)
    return remaining > 0


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
