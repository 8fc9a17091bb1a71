"""Pools: who may sell what, and when a source of numbers counts as online."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from simyard.base.ids import AccountId, PoolId
from simyard.base.refusals import Refusal, Refused
from simyard.core.pools import service as pools
from simyard.core.pools.model import AddPool, Heartbeat, Pool, PoolKind
from tests.world import CONSENT, ONLINE_SECONDS, World, reported


async def add(world: World, command: AddPool) -> Pool:
    async with world.database.transaction() as tx:
        return await pools.add_pool(tx, command, actor="test", now=world.clock.now())


async def refused(acting: Awaitable[object]) -> Refused:
    with pytest.raises(Refusal) as caught:
        await acting
    return caught.value.reason


async def test_pool_ids_start_where_clients_expect_them(world: World) -> None:
    supplier = await world.add_supplier()
    assert (await world.add_direct_pool(supplier)).id == 3001


async def test_a_name_is_given_once(world: World) -> None:
    supplier = await world.add_supplier()
    await world.add_direct_pool(supplier, "north")
    assert await refused(world.add_direct_pool(supplier, "north")) is Refused.POOL_TAKEN


async def test_a_direct_pool_needs_a_supplier(world: World) -> None:
    await world.add_supplier()
    assert await refused(add(world, AddPool("n", PoolKind.DIRECT, None, 0, CONSENT))) is Refused.MALFORMED
    assert await refused(add(world, AddPool("n", PoolKind.DIRECT, None, 0, CONSENT))) is Refused.MALFORMED


async def test_a_pool_is_found_by_its_id_and_name(world: World) -> None:
    pool = await world.add_direct_pool(await world.add_supplier(), "north")
    async with world.database.transaction() as tx:
        assert await pools.find_pool(tx, pool.id) == pool
        assert await pools.find_pool_by_name(tx, "north") == pool
        assert await pools.find_pool_by_name(tx, "south") is None
        assert await refused(pools.find_pool(tx, PoolId(1))) is Refused.UNKNOWN_POOL


async def test_adding_consent_and_switching_are_in_the_audit_log(world: World) -> None:
    pool = await world.add_direct_pool(await world.add_supplier(), consent=None)
    now = world.clock.now()
    async with world.database.transaction() as tx:
        await pools.record_consent(tx, pool.id, "Yes.", actor="ada", now=now)
        await pools.set_enabled(tx, pool.id, enabled=False, actor="ada", now=now)
        await pools.set_enabled(tx, pool.id, enabled=True, actor="ada", now=now)
    assert await world.rows("SELECT actor, action FROM audit ORDER BY id") == [
        ("test", "pool.added"),
        ("ada", "pool.consent"),
        ("ada", "pool.disabled"),
        ("ada", "pool.enabled"),
    ]


async def test_an_unknown_pool_can_neither_be_switched_nor_consented_to(world: World) -> None:
    now = world.clock.now()
    async with world.database.transaction() as tx:
        assert (
            await refused(pools.set_enabled(tx, PoolId(1), enabled=False, actor="ada", now=now))
            is Refused.UNKNOWN_POOL
        )
        assert (
            await refused(pools.record_consent(tx, PoolId(1), "Yes.", actor="ada", now=now))
            is Refused.UNKNOWN_POOL
        )


async def hear(world: World, supplier: AccountId, seconds: int = ONLINE_SECONDS) -> None:
    async with world.database.transaction() as tx:
        await pools.hear(tx, Heartbeat(supplier, None, seconds, world.clock.now()))


async def test_a_heartbeat_keeps_a_pool_online(world: World) -> None:
    supplier, _, _ = await world.stocked(3)
    buyer = await world.add_buyer()
    world.clock.turn(ONLINE_SECONDS)
    assert await refused(world.order(buyer)) is Refused.NO_NUMBERS
    await hear(world, supplier)
    await world.order(buyer)


async def test_a_heartbeat_never_shortens_the_time_a_pool_is_online(world: World) -> None:
    supplier, _, _ = await world.stocked(1)
    await hear(world, supplier, 1)
    world.clock.turn(ONLINE_SECONDS - 1)
    await world.order(await world.add_buyer())


async def test_a_heartbeat_without_a_pool_is_refused(world: World) -> None:
    assert await refused(hear(world, await world.add_supplier())) is Refused.UNKNOWN_POOL


async def test_a_sandbox_pool_is_always_online(world: World) -> None:

    await world.add_sandbox_pool([reported("+447700900001")])
    await world.set_price("whatsapp", "1")
    world.clock.turn(10 * 365 * 86_400)
    await world.order(await world.add_buyer())
