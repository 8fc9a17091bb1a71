"""The rows of numbers, cursors and stock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from simyard.base.ids import AccountId, LeaseId, NumberId, OperatorId, PoolId, ServiceId
from simyard.core.numbers.model import ClaimedNumber, RentBan, RentedNumber, ReportedNumber, Shelved, Want
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


@dataclass(frozen=True, slots=True)
class Looked:
    """How far a want has looked along its shelf, and whether there is more to look at."""

    position: int
    id: int
    more: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """What a report would change: numbers we know, those of them it no longer names, and what it says anew."""

    known: list[NumberId]
    missing: list[NumberId]
    changed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A number an SMS came in on, and what its pool has a say in.

    It does not sell the services of its `blacklist`. `filters_itself`: it tells messages of other services apart.
    """

    number_id: NumberId
    pool_id: PoolId
    public: bool
    filters_itself: bool = False
    blacklist: tuple[ServiceId, ...] = ()


async def compare(
    tx: Tx, *, pool_id: PoolId, rent_allowed: bool, numbers: Sequence[ReportedNumber], complete: bool
) -> Difference:
    rows = await _queries.compare.rows(
        tx, pool_id=pool_id, complete=complete, **_columns(numbers, rent_allowed=rent_allowed)
    )
    return Difference(
        known=[NumberId(row["id"]) for row in rows if row["id"] is not None],
        missing=[NumberId(row["id"]) for row in rows if row["missing"]],
        changed=frozenset(row["msisdn"] for row in rows if not row["missing"]),
    )


async def unlist_numbers(tx: Tx, *, pool_id: PoolId, number_ids: Sequence[NumberId]) -> list[NumberId]:
    rows = await _queries.unlist_numbers.rows(tx, pool_id=pool_id, number_ids=number_ids)
    return [NumberId(row["id"]) for row in rows]


async def list_reported(
    tx: Tx, *, pool_id: PoolId, rent_allowed: bool, numbers: Sequence[ReportedNumber]
) -> list[NumberId]:
    rows = await _queries.list_reported.rows(
        tx, pool_id=pool_id, **_columns(numbers, rent_allowed=rent_allowed)
    )
    return [NumberId(row["id"]) for row in rows]


def _columns(numbers: Sequence[ReportedNumber], *, rent_allowed: bool) -> dict[str, object]:
    return {
        "msisdns": [number.msisdn for number in numbers],
        "countries": [number.country for number in numbers],
        "operator_ids": [number.operator_id for number in numbers],
        "ports": [number.port for number in numbers],
        "placed_at": [number.placed_at for number in numbers],
        "rents": [number.rent and rent_allowed for number in numbers],
    }


async def unlist(
    tx: Tx, *, pool_id: PoolId, msisdn: str | None, number_id: NumberId | None
) -> list[NumberId]:
    rows = await _queries.unlist.rows(tx, pool_id=pool_id, msisdn=msisdn, number_id=number_id)
    return [NumberId(row["id"]) for row in rows]


async def set_blocked(tx: Tx, *, number_id: NumberId, blocked: bool) -> list[NumberId]:
    rows = await _queries.set_blocked.rows(tx, number_id=number_id, blocked=blocked)
    return [NumberId(row["id"]) for row in rows]


async def ids_of(tx: Tx, *, msisdns: Sequence[str]) -> dict[str, tuple[NumberId, PoolId]]:
    rows = await _queries.ids_of.rows(tx, msisdns=msisdns)
    return {row["msisdn"]: (row["id"], row["pool_id"]) for row in rows}


@dataclass(frozen=True, slots=True)
class ClaimedForCheck:
    number_id: NumberId
    pool_id: PoolId
    lease_id: int


async def claim_for_check(tx: Tx, *, msisdn: str) -> ClaimedForCheck | None:
    row = await _queries.claim_for_check.row(tx, msisdn=msisdn)
    return None if row is None else ClaimedForCheck(*row)


async def is_listed(tx: Tx, *, msisdn: str) -> bool:
    return bool(await _queries.is_listed.value(tx, msisdn=msisdn))


async def note_proof(tx: Tx, *, number_id: NumberId, pool_id: PoolId, now: datetime) -> None:
    await _queries.note_proof.execute(tx, number_id=number_id, pool_id=pool_id, now=now)


@dataclass(frozen=True, slots=True)
class Listing:
    id: NumberId
    pool_id: PoolId
    listed: bool
    country: str
    operator_id: OperatorId | None
    placed_at: datetime | None
    rent: bool


async def listing_of(tx: Tx, *, msisdns: Collection[str]) -> dict[str, Listing]:
    rows = await _queries.listing_of.rows(tx, msisdns=list(msisdns))
    return {row["msisdn"]: Listing(*tuple(row)[1:]) for row in rows}


async def note_changes(tx: Tx, *, number_ids: Collection[NumberId]) -> None:
    if number_ids:
        await _queries.note_changes.execute(tx, number_ids=list(number_ids))


async def wake_stock(tx: Tx) -> None:
    await _queries.wake_stock.execute(tx)


async def plan_once(tx: Tx) -> None:
    await _queries.plan_once.execute(tx)


async def claim(
    tx: Tx,
    *,
    wants: Sequence[Want],
    after: Sequence[Looked | None],
    spare: int,
    window: int,
    cursor_step: int,
) -> list[Looked]:
    """Walk further for each want, past so many numbers at most, and add what was claimed to it.

    It stops where it has found so many more than are wanted: others may hold some, and the buyer may exclude some.
    """
    rows = await _queries.claim.rows(
        tx,
        ordinals=list(range(len(wants))),
        pool_ids=[want.pool_id for want in wants],
        countries=[want.country for want in wants],
        operator_ids=[want.operator_id or 0 for want in wants],
        service_ids=[want.service_id for want in wants],
        excluded=[",".join(want.excluded) for want in wants],
        repeatable=[want.repeatable for want in wants],
        counts=[want.count - len(want.claimed) for want in wants],
        after_positions=[looked.position if looked else 0 for looked in after],
        after_ids=[looked.id if looked else 0 for looked in after],
        spare=spare,
        window=window,
        cursor_step=cursor_step,
    )
    looked = []
    for want, row in zip(wants, rows, strict=True):
        if row["ids"] is not None:
            want.claimed.extend(map(ClaimedNumber, row["ids"], row["lease_ids"], row["msisdns"]))
        looked.append(Looked(row["position"] or 0, row["id"] or 0, bool(row["more"])))
    return looked


async def is_banned_by(tx: Tx, *, account_id: AccountId, number_id: NumberId) -> bool:
    return bool(await _queries.is_banned_by.value(tx, account_id=account_id, number_id=number_id))


async def claim_for_rent(
    tx: Tx, *, account_id: AccountId, pool_id: PoolId, country: str, excluded: Sequence[str], window: int
) -> RentedNumber | None:
    row = await _queries.claim_for_rent.row(
        tx,
        account_id=account_id,
        pool_id=pool_id,
        country=country,
        excluded=list(excluded),
        window=window,
    )
    return None if row is None else RentedNumber(*row)


async def add_rent_strikes(
    tx: Tx, *, number_ids: Collection[NumberId], strikes_max: int, banned_until: datetime
) -> list[NumberId]:
    """Those it banned."""
    rows = await _queries.add_rent_strikes.rows(
        tx, number_ids=list(number_ids), strikes_max=strikes_max, banned_until=banned_until
    )
    return [NumberId(row["id"]) for row in rows if row["banned"]]


async def clear_rent_strikes(tx: Tx, *, number_ids: Collection[NumberId]) -> None:
    await _queries.clear_rent_strikes.execute(tx, number_ids=list(number_ids))


async def banned_for_rent(tx: Tx, *, number_id: NumberId) -> bool:
    return bool(await _queries.banned_for_rent.value(tx, number_id=number_id))


async def lift_rent_bans(tx: Tx, *, limit: int, now: datetime) -> list[NumberId]:
    return [NumberId(row["id"]) for row in await _queries.lift_rent_bans.rows(tx, limit=limit, now=now)]


async def rent_bans(tx: Tx, *, limit: int) -> list[RentBan]:
    return [RentBan(*row) for row in await _queries.rent_bans.rows(tx, limit=limit)]


async def take_remote(
    tx: Tx,
    *,
    msisdn: str,
    pool_id: PoolId,
    country: str,
    operator_id: OperatorId | None,
    lease_id: LeaseId,
) -> NumberId | None:
    taken: NumberId | None = await _queries.take_remote.value(
        tx, msisdn=msisdn, pool_id=pool_id, country=country, operator_id=operator_id, lease_id=lease_id
    )
    return taken


async def lock_numbers(tx: Tx, *, number_ids: Collection[NumberId]) -> None:
    await _queries.lock_numbers.execute(tx, number_ids=list(number_ids))


async def release(tx: Tx, *, number_ids: Collection[NumberId]) -> None:
    await _queries.release.execute(tx, number_ids=list(number_ids))


async def resolve(
    tx: Tx, *, names: Sequence[tuple[AccountId | None, str | None, NumberId | None]]
) -> list[Resolved | None]:
    rows = await _queries.resolve.rows(
        tx,
        supplier_ids=[name[0] for name in names],
        msisdns=[name[1] for name in names],
        number_ids=[name[2] for name in names],
    )
    found = {
        row["ordinal"]: Resolved(
            row["id"], row["pool_id"], row["public"], row["filters_itself"], tuple(row["blacklist"])
        )
        for row in rows
    }
    return [found.get(ordinal + 1) for ordinal in range(len(names))]


async def try_stock_lock(tx: Tx) -> bool:
    return bool(await _queries.try_stock_lock.value(tx))


async def shelved(tx: Tx, *, pool_ids: Collection[PoolId]) -> dict[PoolId, Shelved]:
    rows = await _queries.shelved.rows(tx, pool_ids=list(pool_ids))
    return {row["pool_id"]: Shelved(row["available"], row["rentable"]) for row in rows}


async def take_stock(tx: Tx, *, limit: int) -> int:
    return int(await _queries.take_stock.value(tx, limit=limit))


async def forget_foreign_cursors(tx: Tx) -> None:
    await _queries.forget_foreign_cursors.execute(tx)


async def lock_of_pools(tx: Tx, *, pool_ids: Collection[PoolId]) -> int:
    return int(await _queries.lock_of_pools.value(tx, pool_ids=list(pool_ids)))


async def retire(tx: Tx, *, pool_ids: Collection[PoolId]) -> list[NumberId]:
    return [NumberId(row["id"]) for row in await _queries.retire.rows(tx, pool_ids=list(pool_ids))]
