"""Verbs about idempotency keys. Both run in the transaction of the command the key stands for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from simyard.base.ids import AccountId, LeaseId
from simyard.base.refusals import Refusal, Refused
from simyard.core.idempotency import store
from simyard.core.idempotency.model import Key, Keyed, Settled
from simyard.core.idempotency.store import Kept
from simyard.db.database import Tx


async def settle(tx: Tx, keyed: Mapping[int, Keyed], *, now: datetime) -> Settled:
    """Answer the commands, named by their place in a batch, whose key was used before, and put the other keys down.

    Answers: what was recorded under the key; IDEMPOTENCY_KEY_REUSED with another command; BUSY (`twin`) when it has no
    outcome yet.
    A twin in flight is waited for. Locks: keys, in their order.
    """
    settled = Settled()
    if not keyed:
        return settled
    first_of: dict[Key, int] = {}
    fingerprints: dict[Key, bytes] = {}
    for place, one in keyed.items():
        first_of.setdefault(one.key, place)
        fingerprints.setdefault(one.key, one.fingerprint)
    reserved = await store.reserve(tx, keys=fingerprints, now=now)
    known = [key for key in first_of if key not in reserved]
    kept = await store.outcomes(tx, keys=known) if known else {}
    for place, one in keyed.items():
        if one.key not in reserved:
            settled.answers[place] = _answer(kept.get(one.key), one.fingerprint)
        elif one.fingerprint != fingerprints[one.key]:
            settled.answers[place] = Refusal(Refused.IDEMPOTENCY_KEY_REUSED)
        elif place != first_of[one.key]:
            settled.twins[place] = first_of[one.key]
    settled.first_of = {key: place for key, place in first_of.items() if key in reserved}
    return settled


def _answer(kept: Kept | None, fingerprint: bytes) -> bytes | Refusal:
    """The answer to a command whose key was used before."""
    if kept is None or kept.outcome is None:
        return Refusal(Refused.BUSY, twin=True)
    if kept.fingerprint != fingerprint:
        return Refusal(Refused.IDEMPOTENCY_KEY_REUSED)
    return kept.outcome


async def record(
    tx: Tx, outcomes: Mapping[Key, tuple[LeaseId, bytes | None]], *, refused: Collection[Key] = ()
) -> None:
    """Keep what came of commands under keys that `settle` put down. A refused command leaves its key free.

    No outcome: it is still to come (`complete`), and twins are refused as BUSY until then.
    """
    if outcomes:
        await store.store_outcomes(tx, outcomes=outcomes)
    if refused:
        await store.release(tx, keys=refused)


async def complete(tx: Tx, lease_id: LeaseId, outcome: bytes | None) -> None:
    """The outcome that was still to come for a lease; None: there is none, and its key is free again."""
    if outcome is None:
        await store.release_open(tx, lease_id=lease_id)
    else:
        await store.complete(tx, lease_id=lease_id, outcome=outcome)


async def forget(tx: Tx, *, before: datetime) -> int:
    """Drop keys older than this whose lease has closed; returns how many."""
    return await store.forget(tx, before=before)


async def erase(tx: Tx, account_id: AccountId) -> None:
    """Forget an account's keys, which are words of its own choice, and their outcomes."""
    await store.delete_keys_of(tx, account_id=account_id)
