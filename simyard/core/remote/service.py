"""Verbs about remote pools: what they offer, what they were asked for, and how that ended.

Rows of remote leases are locked after numbers, leases and wallets; the profiles of their pools before them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from simyard.base.ids import AccountId, LeaseId, PoolId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import rules as account_rules
from simyard.core.audit import service as audit
from simyard.core.pools import service as pools
from simyard.core.pools.model import PoolKind
from simyard.core.remote import rules, store
from simyard.core.remote.model import (
    Choice,
    DueLease,
    Ending,
    HeldNumber,
    LeaseState,
    Problem,
    Profile,
    ProfileView,
    RemoteNumber,
    RemoteWant,
    RemoteWish,
    Returned,
    SetProfile,
    Stock,
    UnknownName,
)
from simyard.db.database import Tx

KINDS: Final = frozenset({PoolKind.PARTNER.value, PoolKind.UPSTREAM.value})
"""The kinds of pool whose numbers lie with somebody else."""

_UNKNOWN_NAMES_MAX = 1_000
_HELD_MAX = 10_000


# How a pool is spoken to


async def set_profile(tx: Tx, command: SetProfile, *, actor: str, now: datetime) -> None:
    """Say how a remote pool is spoken to; what it failed at before is forgotten.

    Refuses, first match wins: UNKNOWN_POOL; MALFORMED (no remote pool; or its inbound key is another pool's).
    """
    pool = await pools.find_pool(tx, command.pool_id)
    if pool.kind not in KINDS:
        raise Refusal(Refused.MALFORMED, field="kind")
    digest = None if command.key_in is None else account_rules.digest(command.key_in)
    try:
        await store.set_profile(tx, command=command, key_in_digest=digest, now=now)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "remote_key_in_taken":
            raise
        raise Refusal(Refused.MALFORMED, field="key_in") from error
    facts: dict[str, object] = {
        "pool_id": command.pool_id,
        "protocol": command.protocol,
        "switches": sorted(command.switches),
    }
    await audit.record(tx, actor=actor, action="pool.profile", facts=facts, now=now)


async def profile_of(tx: Tx, pool_id: PoolId, base_currency: str = "USD") -> ProfileView:
    """Refuses: UNKNOWN_POOL, also for one that is not spoken to."""
    found = await store.profiles(tx, pool_id=pool_id, base_currency=base_currency)
    if not found:
        raise Refusal(Refused.UNKNOWN_POOL, pool=pool_id)
    return found[0]


async def list_profiles(tx: Tx, base_currency: str = "USD") -> list[ProfileView]:
    return await store.profiles(tx, pool_id=None, base_currency=base_currency)


async def profile_of_key_in(tx: Tx, key: str, base_currency: str = "USD") -> Profile | None:
    """The profile whose pushes carry this key."""
    pool_id = await store.pool_of_key_in(tx, digest=account_rules.digest(key))
    return None if pool_id is None else (await profile_of(tx, pool_id, base_currency)).profile


# What it offers


async def claim_stock_rounds(tx: Tx, *, seconds: float, now: datetime, limit: int) -> list[PoolId]:
    """Pools whose stock is to be asked for now."""
    return await store.claim_stock_rounds(tx, now=now, next_at=now + timedelta(seconds=seconds), limit=limit)


async def record_stock(
    tx: Tx, pool_id: PoolId, stock: Stock, *, online_seconds: float, now: datetime
) -> None:
    """Replace what a pool offers by its complete new report, which holds for so long.

    Names nobody knows are counted. A repeat changes no offers.
    """
    offers = rules.whole_offers(stock.offers)
    await store.list_offers(tx, pool_id=pool_id, offers=offers)
    unknown = {(kind, name[: rules.NAME_LENGTH_MAX]) for kind, name in stock.unknown if name}
    if unknown:
        await store.count_unknown(tx, pool_id=pool_id, names=sorted(unknown)[:_UNKNOWN_NAMES_MAX], now=now)
    await pools.mark_online(tx, pool_id, seconds=max(1, int(online_seconds)), now=now)
    await store.mark_stocked(tx, pool_id=pool_id, balance=stock.balance, now=now)


async def record_stock_failure(tx: Tx, pool_id: PoolId, problem: str) -> None:
    """What was reported last holds until its time is over."""
    await store.mark_not_stocked(tx, pool_id=pool_id, problem=problem[: rules.DETAIL_LENGTH_MAX])


async def unknown_names(tx: Tx, pool_id: PoolId | None, *, limit: int = 1_000) -> list[UnknownName]:
    return await store.unknown_names(tx, pool_id=pool_id, limit=limit)


# Ordering


async def choose(tx: Tx, wants: Sequence[RemoteWant], *, now: datetime) -> list[Choice | None]:
    """The sources' own names of what they would be asked for; None for what a pool has not or is not asked now.

    A pool that failed too often is tried by one order after a while. Its profile's row is passed over when locked. One that
    can lend so many numbers only is asked for no more, as far as this transaction can see.
    """
    found = await store.choose(tx, wants=wants, now=now)
    failing = {wants[place].pool_id for place, one in found.items() if one.failures >= rules.FAILURES_MAX}
    tried = set()
    if failing:
        until = now + timedelta(seconds=rules.OPEN_SECONDS)
        tried = await store.take_probes(tx, pool_ids=failing, now=now, until=until)
    choices: list[Choice | None] = [None] * len(wants)
    asked: Counter[PoolId] = Counter()
    for place, one in sorted(found.items()):
        pool_id = wants[place].pool_id
        if one.room is not None and asked[pool_id] >= one.room:
            continue
        if pool_id in failing:
            if pool_id not in tried:
                continue
            tried.remove(pool_id)
        asked[pool_id] += 1
        choices[place] = one.choice
    return choices


async def next_lease_ids(tx: Tx, count: int) -> list[int]:
    return await store.next_lease_ids(tx, count=count)


async def begin(tx: Tx, asking: Mapping[LeaseId, tuple[PoolId, RemoteWish]], *, now: datetime) -> None:
    """Write down what is about to be asked for."""
    await store.begin(tx, asking=asking, now=now, due_at=now + timedelta(seconds=rules.REPAIR_SECONDS))


async def is_used(tx: Tx, pool_id: PoolId, remote_id: str) -> bool:
    """Whether a source gave this id to another number that has not ended."""
    return await store.remote_id_in_use(tx, pool_id=pool_id, remote_id=remote_id)


async def hold(tx: Tx, lease_id: LeaseId, number: RemoteNumber, *, now: datetime) -> bool:
    """The number that came is the lease's; False when nobody waits for one any more."""
    return await store.hold(tx, lease_id=lease_id, number=number, now=now)


async def give_back(
    tx: Tx, lease_id: LeaseId, number: RemoteNumber, ending: Ending, *, now: datetime
) -> None:
    """A number that came for a lease that cannot have it goes back to its source."""
    await store.give_back(tx, lease_id=lease_id, number=number, ending=ending, now=now)


async def record_no_number(tx: Tx, lease_id: LeaseId, *, now: datetime, problem: str | None = None) -> None:
    """The source said no, or never heard of it: there is nothing to give back."""
    await _set_state(tx, lease_id, LeaseState.DONE, None, problem, now)


async def forget_asking(tx: Tx, lease_id: LeaseId) -> None:
    """The source would not hear what it was asked for: it is as if it had not been asked."""
    await store.forget_asking(tx, lease_id=lease_id)


async def record_ambiguous(tx: Tx, lease_id: LeaseId, *, now: datetime) -> None:
    """A number may have been reserved for nobody: it is looked for."""
    await _set_state(tx, lease_id, LeaseState.AMBIGUOUS, 0.0, None, now)


async def wait_for_late_number(tx: Tx, due: DueLease, *, now: datetime) -> bool:
    """Whether somebody may still be listening for the answer; then it is looked at again after that."""
    lost_at = due.asked_at + timedelta(seconds=rules.LOST_SECONDS)
    if now >= lost_at:
        return False
    await _set_state(tx, due.lease_id, LeaseState.ASKING, (lost_at - now).total_seconds(), None, now)
    return True


async def _set_state(
    tx: Tx, lease_id: LeaseId, state: LeaseState, seconds: float | None, problem: str | None, now: datetime
) -> None:
    due_at = None if seconds is None else now + timedelta(seconds=seconds)
    short = None if problem is None else problem[: rules.DETAIL_LENGTH_MAX]
    await store.set_state(tx, lease_id=lease_id, state=state, due_at=due_at, problem=short, now=now)


async def note_success(tx: Tx, pool_id: PoolId) -> None:
    """The pool answered an order."""
    await store.note_success(tx, pool_id=pool_id)


async def record_sold_out(tx: Tx, pool_id: PoolId, wish: RemoteWish) -> None:
    """The pool answered that it has none of what it reported: it is not asked again before its next report.

    What was excluded may be all it has; then its report stands.
    """
    await store.note_success(tx, pool_id=pool_id)
    if not wish.excluded:
        await store.sell_out(tx, pool_id=pool_id, wish=wish)


async def note_failure(tx: Tx, pool_id: PoolId, failure: str, *, now: datetime) -> None:
    """The pool did not answer an order as it should. Too many in a row, and it is asked nothing for a while."""
    await store.note_failure(
        tx,
        pool_id=pool_id,
        failure=failure[: rules.DETAIL_LENGTH_MAX],
        failures_max=rules.FAILURES_MAX,
        now=now,
        until=now + timedelta(seconds=rules.OPEN_SECONDS),
    )


async def is_asking(tx: Tx, supplier_id: AccountId, pool_id: PoolId | None = None) -> bool:
    """Whether a supplier is being asked for a number: an SMS may be for one whose answer is still on its way."""
    return await store.is_asking(tx, supplier_id=supplier_id, pool_id=pool_id)


# Ending


async def end(tx: Tx, returned: Sequence[Returned], *, now: datetime) -> None:
    """Leases that hold numbers of remote pools have closed: their sources are told. A repeat changes nothing."""
    if returned:
        await store.end(tx, returned=returned, now=now)


async def refund(tx: Tx, lease_id: LeaseId, *, now: datetime) -> bool:
    """What was sold was paid back to its buyer: its source is told. False when it was not sold, or told before."""
    return await store.refund(tx, lease_id=lease_id, now=now)


async def request_next(tx: Tx, lease_id: LeaseId, *, now: datetime) -> None:
    """The buyer wants another message: the source is told."""
    await store.want_next(tx, lease_id=lease_id, now=now)


# Due work


async def claim_due(
    tx: Tx,
    *,
    lease_seconds: float,
    in_flight: Mapping[PoolId, int],
    per_pool_max: int,
    limit: int,
    now: datetime,
) -> list[DueLease]:
    """What something is to be done about now, so many of each pool at most. Claims lapse after a while."""
    return await store.claim_due(
        tx,
        now=now,
        claimed_until=now + timedelta(seconds=lease_seconds),
        in_flight=in_flight,
        per_pool_max=per_pool_max,
        limit=limit,
    )


async def claim_polls(tx: Tx, *, seconds: float, now: datetime, limit: int) -> list[PoolId]:
    """Pools that hold numbers for us and may have to be asked for messages now."""
    return await store.claim_polls(tx, now=now, next_at=now + timedelta(seconds=seconds), limit=limit)


async def record_pushes(tx: Tx, pool_id: PoolId, *, now: datetime) -> None:
    """The pool pushes its messages: whether it still does is looked at again after an hour."""
    await store.set_poll_due(tx, pool_id=pool_id, due_at=now + timedelta(hours=1))


async def held(tx: Tx, pool_id: PoolId) -> list[HeldNumber]:
    """The numbers a pool holds for open leases, oldest first, 10,000 at most."""
    return await store.held(tx, pool_id=pool_id, limit=_HELD_MAX)


async def record_finished(tx: Tx, due: DueLease, *, now: datetime) -> None:
    """The source knows how it ended."""
    await store.record_finished(tx, due=due, now=now)


async def record_not_finished(
    tx: Tx, due: DueLease, problem: str, *, rejected: bool, now: datetime
) -> datetime | None:
    """The source does not know yet. When it is told again; None: never, and an operator is shown why."""
    again_at = rules.finish_again_at(due, now, rejected=rejected)
    await store.record_not_finished(
        tx,
        due=due,
        due_at=again_at,
        gives_up=again_at is None,
        problem=None
        if again_at is not None
        else f"the source was not told it was {due.ending}: {problem}"[: rules.DETAIL_LENGTH_MAX],
    )
    return again_at


async def record_next_requested(tx: Tx, due: DueLease) -> None:
    await store.record_next_requested(tx, due=due)


async def record_next_not_requested(tx: Tx, due: DueLease, *, rejected: bool, now: datetime) -> None:
    """Asked again later, unless the source will not hear of it."""
    again_at = rules.finish_again_at(due, now, rejected=rejected)
    if again_at is None:
        await store.record_next_requested(tx, due=due)
    else:
        await store.record_next_not_requested(tx, due=due, due_at=again_at)


async def record_found(
    tx: Tx, due: DueLease, found: Sequence[RemoteNumber] | None, *, now: datetime
) -> list[RemoteNumber]:
    """What a source says is reserved for us, after an order nobody knows the outcome of. Returns what goes back.

    None: it cannot tell; then an operator is shown. While another order of the pool is on its way, what nobody has may be
    its number: then it is looked at again later. Locks: the pool's profile.
    """
    if found is None:
        await store.settle(
            tx, due=due, problem="an order's outcome is not known, and the source cannot tell", now=now
        )
        return []
    await store.lock_profile(tx, pool_id=due.pool_id)
    # Asked before the known ones are read: an order that ends in between is known then.
    others = await store.asking_besides(tx, pool_id=due.pool_id)
    since = due.asked_at - timedelta(days=1)
    known = await store.known_remote_ids(
        tx, pool_id=due.pool_id, remote_ids=[one.remote_id for one in found], since=since
    )
    left = rules.nobodys(found, known)
    if left and others:
        await look_later(tx, due, "other orders are on their way", now=now)
        return []
    for number in left:
        await store.give_back(tx, lease_id=due.lease_id, number=number, ending=Ending.CANCELED, now=now)
    if not left:
        await store.settle(tx, due=due, problem=None, now=now)
    return left


async def look_later(tx: Tx, due: DueLease, problem: str, *, now: datetime) -> None:
    """It could not be looked for now. After many tries an operator is shown."""
    again_at = rules.look_again_at(due, now)
    if again_at is not None:
        await store.look_later(tx, due=due, due_at=again_at)
        return
    text = f"an order's outcome is not known: {problem}"[: rules.DETAIL_LENGTH_MAX]
    await store.settle(tx, due=due, problem=text, now=now)


async def forget_leases(tx: Tx, *, before: datetime, now: datetime, limit: int) -> int:
    """Drop what ended before then and needs nothing any more, so many at most; returns how many there were.

    Not what was sold: it may be refunded at any time, and its source is told. Not what an operator has to look at.
    """
    return await store.forget_leases(tx, before=min(before, now - rules.KEPT_MIN), limit=limit)


async def list_problems(tx: Tx, pool_id: PoolId | None = None, *, limit: int = 1_000) -> list[Problem]:
    """What operators have to look at, newest first."""
    return await store.problems(tx, pool_id=pool_id, limit=limit)


async def clear_problem(tx: Tx, problem_id: int, *, actor: str, now: datetime) -> None:
    """An operator has seen to it. Refuses: UNKNOWN_LEASE."""
    lease_id = await store.clear_problem(tx, problem_id=problem_id)
    if lease_id is None:
        raise Refusal(Refused.UNKNOWN_LEASE)
    facts: dict[str, object] = {"problem_id": problem_id, "lease_id": lease_id}
    await audit.record(tx, actor=actor, action="pool.problem_cleared", facts=facts, now=now)


async def lock_pools(tx: Tx, pool_ids: Collection[PoolId]) -> int:
    """Let nobody ask these pools for a number until this transaction ends; returns how many leases are not settled with them.

    Locks: the profiles.
    """
    await store.lock_profiles(tx, pool_ids=pool_ids)
    return await store.count_unsettled(tx, pool_ids=pool_ids)


async def erase(tx: Tx, pool_ids: Collection[PoolId]) -> None:
    """Forget how pools are spoken to (addresses, keys) and what they said. With which leases they had to do stays."""
    await store.delete_offers(tx, pool_ids=pool_ids)
    await store.delete_unknown_names(tx, pool_ids=pool_ids)
    await store.clear_problems(tx, pool_ids=pool_ids)
    await store.delete_profiles(tx, pool_ids=pool_ids)
