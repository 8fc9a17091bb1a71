"""Verbs about pools."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import asyncpg

from simyard.base.ids import AccountId, PoolId, ServiceId
from simyard.base.refusals import Refusal, Refused
from simyard.core.audit import service as audit
from simyard.core.pools import store
from simyard.core.pools.model import AddPool, FilterSide, Heartbeat, ListPools, Pool, PoolKind, PoolView
from simyard.db.database import Tx


async def add_pool(tx: Tx, command: AddPool, *, actor: str, now: datetime) -> Pool:
    """Set up a source of numbers and record its supplier's consent statement.

    Refuses, first match wins: MALFORMED (a direct pool without a supplier), POOL_TAKEN (the name).
    """
    if command.kind is PoolKind.DIRECT and command.supplier_id is None:
        raise Refusal(Refused.MALFORMED, field="supplier")
    try:
        pool = await store.insert_pool(
            tx,
            name=command.name,
            kind=command.kind,
            supplier_id=command.supplier_id,
            share_basis_points=command.share_basis_points,
            reserved_for=command.reserved_for,
            rent_allowed=command.rent_allowed,
            consent=command.consent,
            now=now,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "pool_name_taken":
            raise
        raise Refusal(Refused.POOL_TAKEN, name=command.name) from error
    facts: dict[str, object] = {"pool_id": pool.id, "kind": pool.kind, "consent": command.consent}
    await audit.record(tx, actor=actor, action="pool.added", facts=facts, now=now)
    return pool


async def find_pool(tx: Tx, pool_id: PoolId) -> Pool:
    """Refuses: UNKNOWN_POOL."""
    pool = await store.find_pool(tx, pool_id=pool_id)
    if pool is None:
        raise Refusal(Refused.UNKNOWN_POOL, pool=pool_id)
    return pool


async def find_pool_by_name(tx: Tx, name: str) -> Pool | None:
    return await store.find_pool_by_name(tx, name=name)


async def list_pools(tx: Tx, command: ListPools) -> list[PoolView]:
    """Oldest first."""
    return await store.list_pools(tx, command=command)


async def direct_pool_of(tx: Tx, supplier_id: AccountId, pool_id: PoolId | None) -> Pool:
    """The pool a supplier's reports go to, locked. Refuses: UNKNOWN_POOL when no operator has set one up."""
    pool = await store.direct_pool_of(tx, supplier_id=supplier_id, pool_id=pool_id)
    if pool is None:
        raise Refusal(Refused.UNKNOWN_POOL)
    return pool


async def lock_supplied(tx: Tx, pool_id: PoolId) -> Pool:
    """A pool that has a supplier, locked as his reports lock it. Refuses: UNKNOWN_POOL, also for one of nobody."""
    pool = await store.lock_supplied(tx, pool_id=pool_id)
    if pool is None:
        raise Refusal(Refused.UNKNOWN_POOL, pool=pool_id)
    return pool


async def record_consent(tx: Tx, pool_id: PoolId, consent: str, *, actor: str, now: datetime) -> None:
    """Record or renew the supplier's statement. Refuses: UNKNOWN_POOL."""
    if not await store.set_consent(tx, pool_id=pool_id, consent=consent, now=now):
        raise Refusal(Refused.UNKNOWN_POOL, pool=pool_id)
    facts: dict[str, object] = {"pool_id": pool_id, "consent": consent}
    await audit.record(tx, actor=actor, action="pool.consent", facts=facts, now=now)


async def set_enabled(tx: Tx, pool_id: PoolId, *, enabled: bool, actor: str, now: datetime) -> None:
    """Start or stop selling a pool's numbers; open leases run on.

    Refuses, first match wins: UNKNOWN_POOL; ACCOUNT_ERASED, since a direct pool is not sold without its supplier.
    """
    try:
        known = await store.set_enabled(tx, pool_id=pool_id, enabled=enabled)
    except asyncpg.CheckViolationError as error:
        if error.constraint_name != "pool_direct_has_supplier":
            raise
        raise Refusal(Refused.ACCOUNT_ERASED, pool=pool_id) from error
    if not known:
        raise Refusal(Refused.UNKNOWN_POOL, pool=pool_id)
    action = "pool.enabled" if enabled else "pool.disabled"
    await audit.record(tx, actor=actor, action=action, facts={"pool_id": pool_id}, now=now)


async def allow_rent(tx: Tx, pool_id: PoolId, *, allowed: bool, actor: str, now: datetime) -> Pool:
    """Let a pool's numbers be rented out or not: those its supplier says may be, once he reports again.

    Open rentals run on. Refuses: UNKNOWN_POOL.
    """
    pool = await store.set_rent_allowed(tx, pool_id=pool_id, allowed=allowed)
    if pool is None:
        raise Refusal(Refused.UNKNOWN_POOL, pool=pool_id)
    facts: dict[str, object] = {"pool_id": pool_id, "allowed": allowed}
    await audit.record(tx, actor=actor, action="pool.rent", facts=facts, now=now)
    return pool


async def set_blacklisted(
    tx: Tx, pool_id: PoolId, service_id: ServiceId, *, blacklisted: bool, actor: str, now: datetime
) -> None:
    """Stop or start selling a service from a pool; open leases run on, but get no messages of a blacklisted one.

    Rentals take them all the same. Refuses: UNKNOWN_POOL. A repeat changes nothing.
    """
    await find_pool(tx, pool_id)
    if blacklisted:
        changed = await store.blacklist(tx, pool_id=pool_id, service_id=service_id, now=now)
    else:
        changed = await store.unblacklist(tx, pool_id=pool_id, service_id=service_id)
    if changed:
        action = "pool.blacklisted" if blacklisted else "pool.unblacklisted"
        facts: dict[str, object] = {"pool_id": pool_id, "service_id": service_id}
        await audit.record(tx, actor=actor, action=action, facts=facts, now=now)


async def blacklisted(tx: Tx, pool_id: PoolId) -> list[ServiceId]:
    """The services a pool does not sell. Refuses: UNKNOWN_POOL."""
    await find_pool(tx, pool_id)
    return await store.blacklisted(tx, pool_id=pool_id)


async def set_filter_side(tx: Tx, pool_id: PoolId, side: FilterSide, *, actor: str, now: datetime) -> None:
    """Say who turns messages of other services away: we, or the pool's supplier. Refuses: UNKNOWN_POOL."""
    if not await store.set_filter_side(tx, pool_id=pool_id, side=side):
        raise Refusal(Refused.UNKNOWN_POOL, pool=pool_id)
    facts: dict[str, object] = {"pool_id": pool_id, "side": side}
    await audit.record(tx, actor=actor, action="pool.filter_side", facts=facts, now=now)


async def hear(tx: Tx, command: Heartbeat) -> None:
    """Count a supplier's pool as online from now. Refuses: UNKNOWN_POOL."""
    pool = await direct_pool_of(tx, command.supplier_id, command.pool_id)
    await mark_online(tx, pool.id, seconds=command.seconds, now=command.now)


async def mark_online(tx: Tx, pool_id: PoolId, *, seconds: int, now: datetime) -> None:
    """Count the pool as online for so long from now. Earlier than what is recorded: nothing changes."""
    await store.mark_online(tx, pool_id=pool_id, until=now + timedelta(seconds=seconds))


async def lock_all(tx: Tx, supplier_id: AccountId) -> list[PoolId]:
    """The pools of a supplier, locked, so that none of his reports is taken until this transaction ends."""
    return await store.lock_pools_of(tx, supplier_id=supplier_id)


async def erase(tx: Tx, pool_ids: Collection[PoolId]) -> None:
    """Leave locked pools without supplier, name and consent, and off sale. Their numbers are retired.

    Locks: the pools, against whatever begins to refer to them as well.
    """
    await store.erase_pools(tx, pool_ids=pool_ids)
