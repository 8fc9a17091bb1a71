"""Verbs about checks. Locks: numbers, then checks."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from simyard.base.ids import CheckId, NumberId
from simyard.core.audit import service as audit
from simyard.core.checks import rules, store
from simyard.core.checks.model import CheckState, NumberCheck
from simyard.core.checks.store import Waiting
from simyard.core.numbers import service as numbers
from simyard.db.database import Tx


async def start(tx: Tx, msisdn: str, *, seconds: int, actor: str, now: datetime) -> NumberCheck:
    """Lease a number to the platform itself until its challenge has come in on it, or the time is over.

    Somebody has to send the challenge to the number by another network. Refuses, first match wins: UNKNOWN_NUMBER (on no
    supplier's list), NUMBER_IN_USE (leased, or public). Locks: the number.
    """
    claimed = await numbers.claim_for_check(tx, msisdn)
    check_id = CheckId(claimed.lease_id)
    await store.insert_check(
        tx,
        check_id=check_id,
        number_id=claimed.number_id,
        pool_id=claimed.pool_id,
        challenge=rules.new_challenge(),
        due_at=now + timedelta(seconds=seconds),
        actor=actor,
        now=now,
    )
    facts: dict[str, object] = {
        "check_id": check_id,
        "number_id": claimed.number_id,
        "pool_id": claimed.pool_id,
    }
    await audit.record(tx, actor=actor, action="number.check_started", facts=facts, now=now)
    (check,) = await store.checks(tx, msisdn=None, check_id=check_id, limit=1)
    return check


async def lock_waiting(tx: Tx, number_ids: Collection[NumberId]) -> dict[NumberId, Waiting]:
    """The checks that wait for a message on these numbers, locked."""
    return await store.lock_waiting_on(tx, number_ids=number_ids) if number_ids else {}


async def take(tx: Tx, check: Waiting, text: str, *, now: datetime) -> bool:
    """Whether a message on the number of a locked check brings its challenge; then the check ends by itself, proved."""
    if not rules.answers(text, check.challenge):
        return False
    await store.prove(tx, check_ids=[check.id], now=now)
    return True


async def end_due(tx: Tx, *, limit: int, now: datetime) -> int:
    """End checks that were proved or whose time is over, and free their numbers; returns how many were due."""
    due = await store.due(tx, now=now, limit=limit)
    if not due:
        return 0
    await numbers.lock(tx, [number_id for _, number_id in due])
    ended = await store.close(tx, check_ids=[check_id for check_id, _ in due], now=now)
    await numbers.release(tx, [one.number_id for one in ended])
    for one in ended:
        if one.state is CheckState.PROVED and one.proved_at is not None:
            await numbers.note_proof(tx, one.number_id, one.pool_id, one.proved_at)
        facts: dict[str, object] = {"check_id": one.id, "number_id": one.number_id, "pool_id": one.pool_id}
        await audit.record(tx, actor="simyard", action=f"number.check_{one.state}", facts=facts, now=now)
    return len(due)


async def checks(tx: Tx, msisdn: str | None = None, *, limit: int = 100) -> list[NumberCheck]:
    """Checks of a number or of all, newest first. Refuses: UNKNOWN_NUMBER."""
    if msisdn is not None:
        await numbers.find_number(tx, msisdn)
    return await store.checks(tx, msisdn=msisdn, check_id=None, limit=limit)
