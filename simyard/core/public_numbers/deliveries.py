"""What becomes of an SMS on a public number: the part of taking SMS in that shows it to everybody."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from simyard.base.ids import NumberId
from simyard.core.messages.model import Fate
from simyard.core.messages.rules import Verdict, judge_any
from simyard.core.public_numbers import store
from simyard.core.public_numbers.rules import mask_sender
from simyard.core.public_numbers.store import NewPublicMessage
from simyard.db.database import Tx

REPEAT_WINDOW = timedelta(minutes=2)
"""The same text from the same sender within this time is the same SMS handed in again."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An SMS on a number; its sender and text hold nothing that no column can hold."""

    number_id: NumberId
    sender: str
    text: str
    sent_at: datetime | None


async def take(tx: Tx, arrivals: Sequence[Arrival], *, now: datetime) -> list[Fate | None]:
    """Store what came for public numbers, masked: PUBLISHED, REPEATED, PROHIBITED, or None when a number is not public.

    To be called before leases are locked. Locks the public ones of the numbers, by id. Repeats change nothing.
    """
    public = await store.lock_published(tx, number_ids={arrival.number_id for arrival in arrivals})
    fates: list[Fate | None] = [None] * len(arrivals)
    fresh: dict[tuple[NumberId, bytes], tuple[int, NewPublicMessage]] = {}
    for index, arrival in enumerate(arrivals):
        if arrival.number_id not in public:
            continue
        verdict = judge_any(arrival.text, sender=arrival.sender).verdict
        if verdict is Verdict.PROHIBITED:
            fates[index] = Fate.PROHIBITED
            continue
        fates[index] = Fate.REPEATED
        digest = _digest(arrival)
        row = NewPublicMessage(
            arrival.number_id, mask_sender(arrival.sender), arrival.text, digest, arrival.sent_at
        )
        fresh.setdefault((arrival.number_id, digest), (index, row))
    if not fresh:
        return fates
    repeated = await store.seen_before(
        tx, messages=[row for _, row in fresh.values()], repeats_after=now - REPEAT_WINDOW
    )
    new = [entry for key, entry in fresh.items() if key not in repeated]
    if new:
        await store.insert_messages(tx, messages=[row for _, row in new], now=now)
    for index, _ in new:
        fates[index] = Fate.PUBLISHED
    return fates


def _digest(arrival: Arrival) -> bytes:
    return hashlib.sha256(f"{arrival.sender}\0{arrival.text}".encode()).digest()
