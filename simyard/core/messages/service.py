"""The batch verb that takes SMS in, and the upkeep of what is kept of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeAlias, TypeVar

from simyard.base.ids import AccountId, ActivationId, LeaseId, NumberId, PoolId, ServiceId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations import deliveries as activation_deliveries
from simyard.core.activations.deliveries import Delivery
from simyard.core.activations.model import LockedActivation
from simyard.core.audit import service as audit
from simyard.core.catalog import service as catalog
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.checks import service as checks
from simyard.core.earnings.model import AT_ONCE
from simyard.core.loyalty.model import NO_LOYALTY, Loyalty
from simyard.core.messages import store
from simyard.core.messages.model import (
    NOT_KEPT,
    ClosedLease,
    Fate,
    IncomingMessage,
    LateMessage,
    Receipt,
)
from simyard.core.messages.rules import Judgement, Verdict, judge, judge_any, judged_by_pool, tells_apart
from simyard.core.messages.store import NewLateMessage, NewMessage, Seen
from simyard.core.numbers import service as numbers
from simyard.core.numbers.store import Resolved
from simyard.core.public_numbers import deliveries as public_deliveries
from simyard.core.quality import service as quality
from simyard.core.quality.model import Kind
from simyard.core.rentals import deliveries as rental_deliveries
from simyard.core.rentals.model import LockedRental
from simyard.core.webhooks import service as webhooks
from simyard.core.webhooks.model import Announced
from simyard.db.database import Tx

REPEAT_WINDOW = timedelta(minutes=2)
"""The same text from the same sender within this time is the same SMS handed in again."""
NAMED_REPEAT_WINDOW = timedelta(days=1)
"""The same within this time when its supplier gives it the same name as before: one that is asked for its messages shows
the old ones each time."""
TEXT_LENGTH_MAX = 10_000
SENDER_LENGTH_MAX = 100

_FATES = {
    Verdict.PROHIBITED: Fate.PROHIBITED,
    Verdict.OTHER_SERVICE: Fate.OTHER_SERVICE,
    Verdict.UNRECOGNISED: Fate.UNRECOGNISED,
    Verdict.BLACKLISTED: Fate.BLACKLISTED,
}


Lease: TypeAlias = LockedActivation | LockedRental
_Lease = TypeVar("_Lease", bound=LockedActivation | LockedRental | ClosedLease, covariant=True)


@dataclass(frozen=True, slots=True)
class _Arrival(Generic[_Lease]):
    """A message on its way through a batch, and the lease it came for."""

    message: IncomingMessage
    number: Resolved
    lease: _Lease
    digest: bytes


_AnyArrival: TypeAlias = _Arrival[LockedActivation | LockedRental | ClosedLease]


async def receive(
    tx: Tx,
    messages: Sequence[IncomingMessage],
    *,
    loyalty: Loyalty = NO_LOYALTY,
    earning_hold: timedelta = AT_ONCE,
    late_within: timedelta = NOT_KEPT,
) -> list[Receipt | Refusal]:
    """Take SMS in: deliver each to the open lease on its number.

    An activation takes messages of the service that was ordered, a rental all but the prohibited. Refuses:
    UNKNOWN_NUMBER (the supplier never reported it). The first message of a lease captures its price, the first code of
    an activation pays cashback; what comes on a public number is shown to everybody. A repeat is recognised, if its own
    time tells also on the number's next lease, and changes nothing. What is delivered is announced to webhooks. What is
    not is counted, and its text dropped, unless it would have been delivered to a lease that closed no longer ago than
    `late_within`: that is kept for operators. Locks: activations, rentals, wallets by account id.
    """
    now = max(message.now for message in messages)
    resolved = await numbers.resolve(
        tx, [(message.supplier_id, message.msisdn, message.number_id) for message in messages]
    )
    # Before any lease is locked, because it locks numbers.
    published = await _publish(tx, messages, resolved, now)
    leases = await _lock_leases(tx, {number.number_id for number in resolved if number is not None})
    waiting = await checks.lock_waiting(
        tx, {number.number_id for number in resolved if number is not None} - leases.keys()
    )
    results: list[Receipt | Refusal] = []
    arrivals: dict[int, _Arrival[Lease]] = {}
    unleased: dict[int, Resolved] = {}
    dropped: Counter[tuple[PoolId, str]] = Counter()
    for index, (message, number) in enumerate(zip(messages, resolved, strict=True)):
        if number is None:
            results.append(Refusal(Refused.UNKNOWN_NUMBER))
            continue
        if (fate := published.get(index)) is not None:
            results.append(Receipt(fate))
            if fate is Fate.PROHIBITED:
                dropped[number.pool_id, fate] += 1
            continue
        results.append(Receipt(Fate.NO_LEASE))
        lease = leases.get(number.number_id)
        if lease is None:
            check = waiting.get(number.number_id)
            if check is not None and await checks.take(tx, check, message.text, now=now):
                results[index] = Receipt(Fate.CHECKED)
            else:
                unleased[index] = number
        else:
            arrivals[index] = _Arrival(message, number, lease, _digest(message))
    late = await _keep_late(tx, messages, unleased, late_within, now)
    for index, number in unleased.items():
        fate = Fate.LATE if index in late else Fate.NO_LEASE
        results[index] = Receipt(fate)
        dropped[number.pool_id, fate] += 1
    if arrivals:
        await _deliver(tx, arrivals, results, dropped, loyalty, earning_hold, now)
    if dropped:
        await store.count_dropped(tx, counts=dropped, day=now.date())
    return results


async def _publish(
    tx: Tx, messages: Sequence[IncomingMessage], resolved: Sequence[Resolved | None], now: datetime
) -> dict[int, Fate]:
    """What became of the messages on public numbers, by their places."""
    arrivals = {
        index: public_deliveries.Arrival(
            number.number_id, _storable(message.sender), _storable(message.text), message.sent_at
        )
        for index, (message, number) in enumerate(zip(messages, resolved, strict=True))
        if number is not None and number.public
    }
    if not arrivals:
        return {}
    fates = await public_deliveries.take(tx, list(arrivals.values()), now=now)
    return {index: fate for index, fate in zip(arrivals, fates, strict=True) if fate is not None}


async def _lock_leases(tx: Tx, number_ids: set[NumberId]) -> dict[NumberId, Lease]:
    """The open lease on each of these numbers, locked: activations first, each kind in the order of ids."""
    activations = await activation_deliveries.lock_open(tx, number_ids) if number_ids else {}
    rest = number_ids - activations.keys()
    rentals = await rental_deliveries.lock_open(tx, rest) if rest else {}
    return {**activations, **rentals}


async def _keep_late(
    tx: Tx,
    messages: Sequence[IncomingMessage],
    unleased: Mapping[int, Resolved],
    within: timedelta,
    now: datetime,
) -> set[int]:
    """Keep those of the messages that found no lease whose lease just closed, and would have taken them; their places.

    What is turned away, and what repeats a message of that lease, is no more than one that found none.
    """
    if not unleased or within <= NOT_KEPT:
        return set()
    number_ids = {number.number_id for number in unleased.values()}
    closed = await store.just_closed(tx, number_ids=number_ids, since=now - within)
    arrivals = {
        index: _Arrival(messages[index], number, closed[number.number_id], _digest(messages[index]))
        for index, number in unleased.items()
        if number.number_id in closed
    }
    if not arrivals:
        return set()
    permitted = await _permissions(tx, arrivals)
    wanted = {
        index: arrival
        for index, arrival in arrivals.items()
        if _judge(arrival, permitted).verdict is Verdict.DELIVER
    }
    new = await _first_seen(tx, wanted, now) if wanted else set()
    rows = [
        NewLateMessage(
            arrival.lease.id,
            arrival.number.number_id,
            _storable(arrival.message.sender),
            _storable(arrival.message.text),
            arrival.message.sent_at or now,
        )
        for index, arrival in wanted.items()
        if index in new
    ]
    if rows:
        await store.insert_late(tx, rows=rows, now=now)
    return new


async def _deliver(
    tx: Tx,
    arrivals: dict[int, _Arrival[Lease]],
    results: list[Receipt | Refusal],
    dropped: Counter[tuple[PoolId, str]],
    loyalty: Loyalty,
    earning_hold: timedelta,
    now: datetime,
) -> None:
    new = await _first_seen(tx, arrivals, now)
    permitted = await _permissions(tx, arrivals)
    misuse: Counter[AccountId] = Counter()
    turned_away: list[tuple[ActivationId, Kind]] = []
    rows: list[NewMessage] = []
    owners: list[AccountId] = []
    delivered: list[Delivery] = []
    rented: list[LockedRental] = []
    for index, arrival in arrivals.items():
        message, lease = arrival.message, arrival.lease
        judgement = _judge(arrival, permitted)
        if index not in new:
            # Who asks again is told the same again, but nothing is counted twice.
            delivered_before = judgement.verdict is Verdict.DELIVER
            results[index] = (
                Receipt(Fate.REPEATED, lease.id) if delivered_before else Receipt(_FATES[judgement.verdict])
            )
            continue
        if judgement.verdict is not Verdict.DELIVER:
            fate = _FATES[judgement.verdict]
            dropped[arrival.number.pool_id, fate] += 1
            if isinstance(lease, LockedActivation):
                turned_away.append((lease.id, Kind(fate)))
            if fate is Fate.OTHER_SERVICE:
                misuse[lease.account_id] += 1
            elif fate is Fate.PROHIBITED:
                pool_id = arrival.number.pool_id
                facts: dict[str, object] = {"lease_id": lease.id, "pool_id": pool_id}
                await audit.record(
                    tx, actor=f"pool:{pool_id}", action="message.prohibited", facts=facts, now=now
                )
            results[index] = Receipt(fate)
            continue
        code = judgement.extraction.code
        activation_id = rental_id = None
        if isinstance(lease, LockedActivation):
            activation_id = lease.id
            delivered.append(Delivery(lease, code))
        else:
            rental_id = lease.id
            rented.append(lease)
        sender, text = _storable(message.sender), _storable(message.text)
        owners.append(lease.account_id)
        rows.append(NewMessage(activation_id, rental_id, sender, text, code, message.sent_at or now))
        results[index] = Receipt(Fate.DELIVERED, lease.id)
    if rows:
        message_ids = await store.insert_messages(tx, rows=rows, now=now)
        payers = rental_deliveries.payers(rented)
        wallets = await activation_deliveries.deliver(
            tx, delivered, also_lock=payers, loyalty=loyalty, earning_hold=earning_hold, now=now
        )
        if rented:
            await rental_deliveries.deliver(tx, rented, wallets, now=now)
        announced = [Announced(one, owner) for one, owner in zip(message_ids, owners, strict=True)]
        await webhooks.announce(tx, announced, now=now)
    if misuse:
        await store.count_misuse(tx, counts=misuse, day=now.date())
    await quality.note(tx, turned_away)


def _ordered(arrival: _AnyArrival) -> ServiceId | None:
    """What the lease takes messages of; None: of any sender."""
    return None if isinstance(arrival.lease, LockedRental) else arrival.lease.service_id


def _judge(arrival: _AnyArrival, permitted: Collection[tuple[AccountId, ServiceId]]) -> Judgement:
    message, account_id, known = arrival.message, arrival.lease.account_id, load_catalog()
    ordered = _ordered(arrival)
    if ordered is not None:
        judgement = judge(
            message.text,
            sender=message.sender,
            ordered_service=known.service_at(ordered).slug,
            prohibited_allowed=(account_id, ordered) in permitted,
        )
        return judged_by_pool(
            judgement,
            blacklist=[known.service_at(one).slug for one in arrival.number.blacklist],
            filters_itself=arrival.number.filters_itself,
        )
    slugs = [known.service_at(service_id).slug for owner, service_id in permitted if owner == account_id]
    return judge_any(message.text, sender=message.sender, permitted=slugs)


async def _first_seen(tx: Tx, arrivals: Mapping[int, _AnyArrival], now: datetime) -> set[int]:
    """The places of messages that are no repeats, neither of earlier ones nor within the batch.

    One that was handed in while an earlier lease had its number is a repeat too, where its own time tells.
    """
    first_of: dict[tuple[LeaseId, bytes], int] = {}
    for index, arrival in arrivals.items():
        first_of.setdefault((arrival.lease.id, arrival.digest), index)
    ordered = sorted(first_of)
    seen = [_seen(key, arrivals[first_of[key]], now) for key in ordered]
    fresh = await store.mark_seen(tx, seen=seen, repeats_after=now - REPEAT_WINDOW, now=now)
    new = {first_of[key] for key in fresh}
    named = {
        (arrivals[index].lease.id, _digest(message, message.reference)): index
        for index in new
        if (message := arrivals[index].message).reference
    }
    if named:
        seen = [Seen(*key) for key in sorted(named)]
        fresh = await store.mark_seen(tx, seen=seen, repeats_after=now - NAMED_REPEAT_WINDOW, now=now)
        new -= {index for key, index in named.items() if key not in fresh}
    return new


def _seen(key: tuple[LeaseId, bytes], arrival: _AnyArrival, now: datetime) -> Seen:
    sent_at = arrival.message.sent_at
    return Seen(*key, sent_at, arrival.number.number_id if tells_apart(sent_at, now) else None)


async def _permissions(tx: Tx, arrivals: Mapping[int, _AnyArrival]) -> set[tuple[AccountId, ServiceId]]:
    """What the accounts may use of the prohibited services, as far as it can matter to these messages."""
    known = load_catalog()
    asking = {
        arrival.lease.account_id
        for arrival in arrivals.values()
        if (ordered := _ordered(arrival)) is None or known.service_at(ordered).prohibited
    }
    return await catalog.permissions(tx, asking) if asking else set()


def _digest(message: IncomingMessage, reference: str = "") -> bytes:
    named = f"\0\0{reference}" if reference else ""
    text = f"{message.sender}\0{message.text}{named}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _storable(text: str) -> str:
    """The text with a sign in the place of what no column can hold: NUL (the @ of GSM's alphabet) and lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


async def show_late(
    tx: Tx,
    *,
    lease_id: LeaseId | None = None,
    msisdn: str | None = None,
    limit: int,
    actor: str,
    now: datetime,
) -> list[LateMessage]:
    """Messages that came when their lease had just closed, newest first: of a lease, of a number, or of all.

    For operators: whose messages they have read is in the audit log.
    """
    found = await store.late(tx, lease_id=lease_id, msisdn=msisdn, limit=limit)
    if found:
        facts: dict[str, object] = {"lease_ids": sorted({one.lease_id for one in found})}
        await audit.record(tx, actor=actor, action="message.late_shown", facts=facts, now=now)
    return found


async def erase_texts(tx: Tx, *, before: datetime, limit: int) -> int:
    """Erase senders and texts of messages older than this, and late ones whole, a slice at a time; returns how many."""
    erased = await store.erase_texts(tx, before=before, limit=limit)
    return erased + await store.forget_late(tx, before=before, limit=limit)


async def forget_seen(tx: Tx, *, before: datetime) -> int:
    """Drop what recognises repeats once none can come any more."""
    return await store.forget_seen(tx, before=before)


async def erase(tx: Tx, account_id: AccountId) -> None:
    """Forget what came for an account, whose leases are closed: senders, texts, codes, and what recognises repeats.

    That something came, and when, stays: it was paid for. The account is erased already, so that nothing comes late.
    """
    await store.erase_of_account(tx, account_id=account_id)
    await store.delete_late_of_account(tx, account_id=account_id)
    await store.delete_seen_of_account(tx, account_id=account_id)
