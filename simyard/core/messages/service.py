"""The batch verb that takes SMS in, and the upkeep of what is kept of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from simyard.base.ids import AccountId, ActivationId, PoolId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations import deliveries
from simyard.core.activations.deliveries import Delivery
from simyard.core.activations.model import LockedActivation
from simyard.core.audit import service as audit
from simyard.core.catalog import service as catalog
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.messages import store
from simyard.core.messages.model import Fate, IncomingMessage, Receipt
from simyard.core.messages.rules import Verdict, judge
from simyard.core.messages.store import NewMessage
from simyard.core.numbers import service as numbers
from simyard.db.database import Tx

REPEAT_WINDOW = timedelta(minutes=2)
"""The same text from the same sender within this time is the same SMS handed in again."""
TEXT_LENGTH_MAX = 10_000
SENDER_LENGTH_MAX = 100

_FATES = {
    Verdict.PROHIBITED: Fate.PROHIBITED,
    Verdict.OTHER_SERVICE: Fate.OTHER_SERVICE,
    Verdict.UNRECOGNISED: Fate.UNRECOGNISED,
}


@dataclass(slots=True)
class _Arrival:
    """A message on its way through a batch."""

    message: IncomingMessage
    pool_id: PoolId
    activation: LockedActivation
    digest: bytes


async def receive(tx: Tx, messages: Sequence[IncomingMessage]) -> list[Receipt | Refusal]:
    """Take SMS in: deliver each to the open lease on its number, if it is of the service that was ordered.

    Refuses: UNKNOWN_NUMBER (the supplier never reported it). The first message of an activation captures its price. A
    repeat is recognised and changes nothing. What is not delivered is counted, and its text dropped. Locks:
    activations, wallets by account id.
    """
    now = max(message.now for message in messages)
    resolved = await numbers.resolve(
        tx, [(message.supplier_id, message.msisdn, message.number_id) for message in messages]
    )
    number_ids = {number.number_id for number in resolved if number is not None}
    activations = await deliveries.lock_open(tx, number_ids) if number_ids else {}
    results: list[Receipt | Refusal] = []
    arrivals: dict[int, _Arrival] = {}
    dropped: Counter[tuple[PoolId, str]] = Counter()
    for index, (message, number) in enumerate(zip(messages, resolved, strict=True)):
        if number is None:
            results.append(Refusal(Refused.UNKNOWN_NUMBER))
            continue
        results.append(Receipt(Fate.NO_LEASE))
        activation = activations.get(number.number_id)
        if activation is None:
            dropped[number.pool_id, Fate.NO_LEASE] += 1
        else:
            arrivals[index] = _Arrival(message, number.pool_id, activation, _digest(message))
    if arrivals:
        await _deliver(tx, arrivals, results, dropped, now)
    if dropped:
        await store.count_dropped(tx, counts=dropped, day=now.date())
    return results


async def _deliver(
    tx: Tx,
    arrivals: dict[int, _Arrival],
    results: list[Receipt | Refusal],
    dropped: Counter[tuple[PoolId, str]],
    now: datetime,
) -> None:
    new = await _first_seen(tx, arrivals, now)
    permitted = await catalog.permissions(tx, _asking_for_prohibited(arrivals))
    misuse: Counter[AccountId] = Counter()
    rows: list[NewMessage] = []
    delivered: list[Delivery] = []
    known = load_catalog()
    for index, arrival in arrivals.items():
        message, activation = arrival.message, arrival.activation
        if index not in new:
            results[index] = Receipt(Fate.REPEATED, activation.id)
            continue
        judgement = judge(
            message.text,
            sender=message.sender,
            ordered_service=known.service_at(activation.service_id).slug,
            prohibited_allowed=(activation.account_id, activation.service_id) in permitted,
        )
        if judgement.verdict is not Verdict.DELIVER:
            fate = _FATES[judgement.verdict]
            dropped[arrival.pool_id, fate] += 1
            if fate is Fate.OTHER_SERVICE:
                misuse[activation.account_id] += 1
            elif fate is Fate.PROHIBITED:
                facts: dict[str, object] = {"activation_id": activation.id, "pool_id": arrival.pool_id}
                await audit.record(
                    tx, actor=f"pool:{arrival.pool_id}", action="message.prohibited", facts=facts, now=now
                )
            results[index] = Receipt(fate)
            continue
        code = judgement.extraction.code
        sender, text = _storable(message.sender), _storable(message.text)
        rows.append(NewMessage(activation.id, sender, text, code, message.sent_at or now))
        delivered.append(Delivery(activation, code))
        results[index] = Receipt(Fate.DELIVERED, activation.id)
    if rows:
        await store.insert_messages(tx, rows=rows, now=now)
        await deliveries.deliver(tx, delivered, now=now)
    if misuse:
        await store.count_misuse(tx, counts=misuse, day=now.date())


async def _first_seen(tx: Tx, arrivals: dict[int, _Arrival], now: datetime) -> set[int]:
    """The places of messages that are no repeats, neither of earlier ones nor within the batch."""
    first_of: dict[tuple[ActivationId, bytes], int] = {}
    for index, arrival in arrivals.items():
        first_of.setdefault((arrival.activation.id, arrival.digest), index)
    ordered = sorted(first_of)
    seen = [(*key, arrivals[first_of[key]].message.sent_at) for key in ordered]
    fresh = await store.mark_seen(tx, seen=seen, repeats_after=now - REPEAT_WINDOW, now=now)
    return {first_of[key] for key in fresh}


def _asking_for_prohibited(arrivals: dict[int, _Arrival]) -> set[AccountId]:
    known = load_catalog()
    return {
        arrival.activation.account_id
        for arrival in arrivals.values()
        if known.service_at(arrival.activation.service_id).prohibited
    }


def _digest(message: IncomingMessage) -> bytes:
    return hashlib.sha256(f"{message.sender}\0{message.text}".encode("utf-8", "surrogatepass")).digest()


def _storable(text: str) -> str:
    """The text with a sign in the place of what no column can hold: NUL (the @ of GSM's alphabet) and lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


async def erase_texts(tx: Tx, *, before: datetime, limit: int) -> int:
    """Erase senders and texts of messages older than this, a slice at a time; returns how many."""
    return await store.erase_texts(tx, before=before, limit=limit)


async def forget_seen(tx: Tx, *, before: datetime) -> int:
    """Drop what recognises repeats once none can come any more."""
    return await store.forget_seen(tx, before=before)
