"""Verbs about numbers: what suppliers report, what leases claim, what is counted as stock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from simyard.base.ids import AccountId, LeaseId, NumberId, OperatorId, PoolId
from simyard.base.refusals import Refusal, Refused
from simyard.core.audit import service as audit
from simyard.core.numbers import store
from simyard.core.numbers.model import (
    AddNumber,
    RemoveNumber,
    RentBan,
    RentedNumber,
    Report,
    ReportedNumber,
    ReportNumbers,
    Shelved,
    Want,
)
from simyard.core.numbers.store import ClaimedForCheck, Looked, Resolved
from simyard.core.pools import service as pools
from simyard.core.pools.model import Pool
from simyard.db.database import Tx

# A look ends where it has found what is wanted and one to spare: the cursor then stands right before that one, where the
# next order finds it. A want that gets too little, because others hold what it found or its buyer excludes it, looks for
# more each time. The windows bound what one order may cost. What it passed is remembered, so the next goes on there.
_SPARE_FIRST = 1
_SPARE_GROWTH = 4
_WINDOW = 4096
_LOOKS_MAX = 64
_CURSOR_STEP = 32
# How far along its shelf a rental looks past numbers its buyer does not want.
_RENT_WINDOW = 5_000

RENT_STRIKES_MAX = 3
"""Rentals in a row without a first SMS in time, after which a number is not rented out for `RENT_BAN`."""
RENT_BAN = timedelta(hours=24)


async def report(tx: Tx, command: ReportNumbers) -> Report:
    """Replace a pool's list of numbers by a complete new one, and count it as a sign of life.

    Refuses: UNKNOWN_POOL (the supplier has none). Numbers that are not in it go off sale; an open lease on one runs
    on. Of a number that comes twice the last entry holds. A repeat changes and locks nothing but the sign of life.
    """
    pool = await pools.direct_pool_of(tx, command.supplier_id, command.pool_id)
    latest = {number.msisdn: number for number in command.numbers}
    await pools.mark_online(tx, pool.id, seconds=command.online_seconds, now=command.now)
    return await _list(tx, pool, latest, complete=True)


async def add(tx: Tx, command: AddNumber) -> Report:
    """Put one number on a pool's list, or change what is known of it. It is no sign of life.

    Refuses: UNKNOWN_POOL.
    """
    pool = await pools.direct_pool_of(tx, command.supplier_id, command.pool_id)
    return await _list(tx, pool, {command.number.msisdn: command.number}, complete=False)


async def stock_sandbox(tx: Tx, pool: Pool, listed: Sequence[ReportedNumber]) -> Report:
    """Put numbers of fictitious ranges on a sandbox pool's list. A repeat changes nothing."""
    return await _list(tx, pool, {number.msisdn: number for number in listed}, complete=False)


async def _list(tx: Tx, pool: Pool, numbers: dict[str, ReportedNumber], *, complete: bool) -> Report:
    difference = await store.compare(
        tx,
        pool_id=pool.id,
        rent_allowed=pool.rent_allowed,
        numbers=list(numbers.values()),
        complete=complete,
    )
    # All in the order of their ids before any is changed, as whoever ends many leases at once does.
    await store.lock_numbers(tx, number_ids=difference.known)
    changed = await store.unlist_numbers(tx, pool_id=pool.id, number_ids=difference.missing)
    changed += await store.list_reported(
        tx,
        pool_id=pool.id,
        rent_allowed=pool.rent_allowed,
        numbers=[number for msisdn, number in numbers.items() if msisdn in difference.changed],
    )
    await note_list_change(tx, changed)
    found = await store.ids_of(tx, msisdns=list(numbers))
    return Report(
        ids={msisdn: number_id for msisdn, (number_id, owner) in found.items() if owner == pool.id},
        taken=frozenset(msisdn for msisdn, (_, owner) in found.items() if owner != pool.id),
    )


async def remove(tx: Tx, command: RemoveNumber) -> None:
    """Take one number off a pool's list, by its number or its id. Unknown, or a repeat: nothing happens.

    Refuses: UNKNOWN_POOL.
    """
    pool = await pools.direct_pool_of(tx, command.supplier_id, command.pool_id)
    changed = await store.unlist(tx, pool_id=pool.id, msisdn=command.msisdn, number_id=command.number_id)
    await note_list_change(tx, changed)


async def switch(tx: Tx, pool_id: PoolId, on: Sequence[ReportedNumber], off: Collection[str]) -> None:
    """Put numbers on a pool's list that are not on it, and take others off it.

    For gateways, which know whether a SIM works and little else: a number that is listed stays as it was reported, and
    one that was keeps what was reported of it. Refuses: UNKNOWN_POOL (without a supplier). Locks: the pool, numbers by id.
    """
    pool = await pools.lock_supplied(tx, pool_id)
    known = await store.listing_of(tx, msisdns={*off, *(number.msisdn for number in on)})
    await store.lock_numbers(tx, number_ids=sorted(one.id for one in known.values()))
    wanted = {number.msisdn: number for number in on if number.msisdn not in known}
    for number in on:
        before = known.get(number.msisdn)
        if before is not None and not before.listed:
            wanted[number.msisdn] = (
                replace(
                    number,
                    country=before.country,
                    operator_id=before.operator_id,
                    placed_at=before.placed_at,
                    rent=before.rent,
                )
                if before.pool_id == pool_id
                else number
            )
    gone = [known[one].id for one in off if one in known and known[one].pool_id == pool_id]
    await note_list_change(tx, await store.unlist_numbers(tx, pool_id=pool_id, number_ids=gone))
    if wanted:
        await _list(tx, pool, wanted, complete=False)


async def set_blocked(tx: Tx, msisdn: str, *, blocked: bool, actor: str, now: datetime) -> bool:
    """Take a number off sale whatever its supplier reports, or let it go again; an open lease runs on.

    Returns whether that changed anything: a repeat does not, but leaves its own line in the audit log.
    Refuses: UNKNOWN_NUMBER.
    """
    number_id = await find_number(tx, msisdn)
    changed = await store.set_blocked(tx, number_id=number_id, blocked=blocked)
    await note_list_change(tx, changed)
    action = "number.blocked" if blocked else "number.unblocked"
    await audit.record(tx, actor=actor, action=action, facts={"number_id": number_id}, now=now)
    return bool(changed)


async def find_number(tx: Tx, msisdn: str) -> NumberId:
    """Refuses: UNKNOWN_NUMBER."""
    found = (await store.ids_of(tx, msisdns=[msisdn])).get(msisdn)
    if found is None:
        raise Refusal(Refused.UNKNOWN_NUMBER, number=msisdn)
    return found[0]


async def note_list_change(tx: Tx, changed: Collection[NumberId]) -> None:
    """Have the stock of these numbers counted again, now."""
    if changed:
        await store.note_changes(tx, number_ids=changed)
        await store.wake_stock(tx)


async def claim(tx: Tx, wants: Sequence[Want]) -> None:
    """Lease free numbers for wants, filling in `claimed`; a want may stay short.

    Never waits for another transaction: what others hold is passed over.
    """
    # Left to itself the server plans each claim anew, which takes longer than most claims run.
    await store.plan_once(tx)
    open_wants: list[tuple[Want, Looked | None]] = [(want, None) for want in wants]
    spare = _SPARE_FIRST
    for _ in range(_LOOKS_MAX):
        if not open_wants:
            break
        had = {id(want): len(want.claimed) for want, _ in open_wants}
        looked = await store.claim(
            tx,
            wants=[want for want, _ in open_wants],
            after=[after for _, after in open_wants],
            spare=spare,
            window=_WINDOW,
            cursor_step=_CURSOR_STEP,
        )
        gained = {(want.pool_id, want.country) for want, _ in open_wants if len(want.claimed) > had[id(want)]}
        # A want that got too little goes on where it stopped, unless others of the batch got numbers of its shelf: it may
        # have found those too, so it starts again. At the end of its shelf it is done.
        contended = gained if len(wants) > 1 else set()
        open_wants = [
            (want, None if (want.pool_id, want.country) in contended else latest)
            for (want, _), latest in zip(open_wants, looked, strict=True)
            if len(want.claimed) < want.count and (latest.more or (want.pool_id, want.country) in contended)
        ]
        spare = min(spare * _SPARE_GROWTH, _WINDOW)
    claimed = [number.id for want in wants for number in want.claimed]
    await store.note_changes(tx, number_ids=claimed)


async def claim_for_rent(
    tx: Tx, account_id: AccountId, pool_id: PoolId, country: str, excluded: Sequence[str] = ()
) -> RentedNumber | None:
    """Lease the number of a pool that may be rented and has been free longest; None when there is none.

    Not one the account banned, nor one that is banned from rent; else whatever it served before. `excluded` are E.164
    prefixes. Never waits for another transaction: what others hold is passed over.
    """
    claimed = await store.claim_for_rent(
        tx,
        account_id=account_id,
        pool_id=pool_id,
        country=country,
        excluded=excluded,
        window=_RENT_WINDOW,
    )
    if claimed is not None:
        await store.note_changes(tx, number_ids=[claimed.id])
    return claimed


async def add_rent_strikes(tx: Tx, number_ids: Collection[NumberId], *, now: datetime) -> None:
    """Count a rental that got no first SMS in time against each of these locked numbers.

    The third in a row bans a number from rent for a day; it still serves activations. Fictitious numbers get none.
    """
    if number_ids:
        banned = await store.add_rent_strikes(
            tx, number_ids=number_ids, strikes_max=RENT_STRIKES_MAX, banned_until=now + RENT_BAN
        )
        await store.note_changes(tx, number_ids=banned)


async def clear_rent_strikes(tx: Tx, number_ids: Collection[NumberId]) -> None:
    """Rentals of these locked numbers got SMS: what was counted against them before is forgotten."""
    if number_ids:
        await store.clear_rent_strikes(tx, number_ids=number_ids)


async def banned_for_rent(tx: Tx, number_id: NumberId) -> bool:
    """Whether a number must not be rented out now: for numbers that are not claimed but taken, and may be given back.

    A ban holds until `lift_rent_bans` has lifted it, for everybody at the same moment.
    """
    return await store.banned_for_rent(tx, number_id=number_id)


async def lift_rent_bans(tx: Tx, *, limit: int, now: datetime) -> int:
    """Let numbers be rented out again whose ban is over; returns how many. What others hold is left for the next time."""
    lifted = await store.lift_rent_bans(tx, limit=limit, now=now)
    await store.note_changes(tx, number_ids=lifted)
    return len(lifted)


async def rent_bans(tx: Tx, *, limit: int) -> list[RentBan]:
    """Numbers that are banned from rent, those that are so longest first."""
    return await store.rent_bans(tx, limit=limit)


async def take_remote(
    tx: Tx, pool_id: PoolId, msisdn: str, country: str, operator_id: OperatorId | None, lease_id: LeaseId
) -> NumberId | None:
    """Lease the number a remote pool reserved; None when it is somebody else's, leased, public or blocked.

    It is on no list: once it is released only its pool can hand it out again. Locks: the number.
    """
    return await store.take_remote(
        tx, msisdn=msisdn, pool_id=pool_id, country=country, operator_id=operator_id, lease_id=lease_id
    )


async def is_banned_by(tx: Tx, account_id: AccountId, number_id: NumberId) -> bool:
    """Whether the account never wants the number again."""
    return await store.is_banned_by(tx, account_id=account_id, number_id=number_id)


async def claim_for_check(tx: Tx, msisdn: str) -> ClaimedForCheck:
    """Lease a number to the platform itself. Refuses, first match wins: UNKNOWN_NUMBER (on no list), NUMBER_IN_USE."""
    claimed = await store.claim_for_check(tx, msisdn=msisdn)
    if claimed is None:
        in_use = await store.is_listed(tx, msisdn=msisdn)
        raise Refusal(Refused.NUMBER_IN_USE if in_use else Refused.UNKNOWN_NUMBER, number=msisdn)
    await store.note_changes(tx, number_ids=[claimed.number_id])
    return claimed


async def note_proof(tx: Tx, number_id: NumberId, pool_id: PoolId, proved_at: datetime) -> None:
    """A message we sent to the number came in by way of this pool."""
    await store.note_proof(tx, number_id=number_id, pool_id=pool_id, now=proved_at)


async def lock(tx: Tx, number_ids: Collection[NumberId]) -> None:
    """Lock numbers in the order of their ids: the first step of whatever ends leases."""
    await store.lock_numbers(tx, number_ids=number_ids)


async def release(tx: Tx, number_ids: Collection[NumberId]) -> None:
    """End the leases of locked numbers; they queue up again behind all others."""
    if number_ids:
        await store.release(tx, number_ids=number_ids)
        await store.note_changes(tx, number_ids=number_ids)


async def resolve(
    tx: Tx, names: Sequence[tuple[AccountId | None, str | None, NumberId | None]]
) -> list[Resolved | None]:
    """The numbers suppliers mean, each by its number or our id; None for one that is not theirs."""
    return await store.resolve(tx, names=names)


async def take_stock(tx: Tx, *, limit: int) -> int:
    """Bring the stock shown to buyers up to date with so many changes at most; returns how many there were.

    0 as well when another process is at it.
    """
    return await store.take_stock(tx, limit=limit) if await store.try_stock_lock(tx) else 0


async def shelved(tx: Tx, pool_ids: Collection[PoolId]) -> dict[PoolId, Shelved]:
    """What these pools can lease now, as kept by `take_stock`; nothing for a pool that never could."""
    return await store.shelved(tx, pool_ids=pool_ids)


async def forget_foreign_cursors(tx: Tx) -> None:
    """Drop cursors that were written on another server, after a restore. Needed once at each start."""
    await store.forget_foreign_cursors(tx)


async def lock_of_pools(tx: Tx, pool_ids: Collection[PoolId]) -> int:
    """Lock all numbers of pools in the order of their ids; returns how many are leased, be it for a check."""
    return await store.lock_of_pools(tx, pool_ids=pool_ids)


async def retire(tx: Tx, pool_ids: Collection[PoolId]) -> None:
    """Take all numbers of pools, which are locked, off their lists, and forget in which ports they were.

    The numbers themselves stay known: none may serve a service twice, whoever reports it next.
    """
    await note_list_change(tx, await store.retire(tx, pool_ids=pool_ids))
