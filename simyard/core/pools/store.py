"""The rows of pools."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import asyncpg

from simyard.base.ids import AccountId, PoolId, ServiceId
from simyard.core.pools.model import FilterSide, ListPools, Pool, PoolKind, PoolView
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


def _pool(row: asyncpg.Record) -> Pool:
    return Pool(
        PoolId(row["id"]), row["name"], PoolKind(row["kind"]), row["supplier_id"], row["rent_allowed"]
    )


async def insert_pool(
    tx: Tx,
    *,
    name: str,
    kind: PoolKind,
    supplier_id: AccountId | None,
    share_basis_points: int,
    reserved_for: ServiceId | None,
    rent_allowed: bool,
    consent: str | None,
    now: datetime,
) -> Pool:
    (row,) = await _queries.insert_pool.rows(
        tx,
        name=name,
        kind=kind,
        supplier_id=supplier_id,
        share_basis_points=share_basis_points,
        reserved_for=reserved_for,
        rent_allowed=rent_allowed,
        consent=consent,
        now=now,
    )
    return _pool(row)


async def find_pool(tx: Tx, *, pool_id: PoolId) -> Pool | None:
    row = await _queries.find_pool.row(tx, pool_id=pool_id)
    return None if row is None else _pool(row)


async def find_pool_by_name(tx: Tx, *, name: str) -> Pool | None:
    row = await _queries.find_pool_by_name.row(tx, name=name)
    return None if row is None else _pool(row)


async def list_pools(tx: Tx, *, command: ListPools) -> list[PoolView]:
    rows = await _queries.list_pools.rows(
        tx, kind=command.kind, supplier_id=command.supplier_id, limit=command.limit
    )
    return [
        PoolView(
            pool=_pool(row),
            supplier_email=row["email"],
            share_basis_points=row["share_basis_points"],
            enabled=row["enabled"],
            consented=row["consented"],
            reserved_for=row["reserved_for"],
            online_until=row["online_until"],
        )
        for row in rows
    ]


async def direct_pool_of(tx: Tx, *, supplier_id: AccountId, pool_id: PoolId | None) -> Pool | None:
    row = await _queries.direct_pool_of.row(tx, supplier_id=supplier_id, pool_id=pool_id)
    return None if row is None else _pool(row)


async def set_consent(tx: Tx, *, pool_id: PoolId, consent: str, now: datetime) -> bool:
    return await _queries.set_consent.value(tx, pool_id=pool_id, consent=consent, now=now) is not None


async def set_enabled(tx: Tx, *, pool_id: PoolId, enabled: bool) -> bool:
    return await _queries.set_enabled.value(tx, pool_id=pool_id, enabled=enabled) is not None


async def set_rent_allowed(tx: Tx, *, pool_id: PoolId, allowed: bool) -> Pool | None:
    row = await _queries.set_rent_allowed.row(tx, pool_id=pool_id, allowed=allowed)
    return None if row is None else _pool(row)


async def mark_online(tx: Tx, *, pool_id: PoolId, until: datetime) -> None:
    await _queries.mark_online.execute(tx, pool_id=pool_id, until=until)


async def blacklist(tx: Tx, *, pool_id: PoolId, service_id: ServiceId, now: datetime) -> bool:
    return bool(await _queries.blacklist.execute(tx, pool_id=pool_id, service_id=service_id, now=now))


async def unblacklist(tx: Tx, *, pool_id: PoolId, service_id: ServiceId) -> bool:
    return bool(await _queries.unblacklist.execute(tx, pool_id=pool_id, service_id=service_id))


async def blacklisted(tx: Tx, *, pool_id: PoolId) -> list[ServiceId]:
    return [ServiceId(row["service_id"]) for row in await _queries.blacklisted.rows(tx, pool_id=pool_id)]


async def set_filter_side(tx: Tx, *, pool_id: PoolId, side: FilterSide) -> bool:
    return await _queries.set_filter_side.value(tx, pool_id=pool_id, side=side) is not None


async def lock_supplied(tx: Tx, *, pool_id: PoolId) -> Pool | None:
    row = await _queries.lock_supplied.row(tx, pool_id=pool_id)
    return None if row is None else _pool(row)


async def lock_pools_of(tx: Tx, *, supplier_id: AccountId) -> list[PoolId]:
    return [PoolId(row["id"]) for row in await _queries.lock_pools_of.rows(tx, supplier_id=supplier_id)]


async def erase_pools(tx: Tx, *, pool_ids: Collection[PoolId]) -> None:
    await _queries.erase_pools.execute(tx, pool_ids=list(pool_ids))
