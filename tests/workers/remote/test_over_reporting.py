"""A pool that says it has numbers and gives none is not asked for a while; one that cannot please a buyer is."""

from __future__ import annotations

import pytest

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.pools.model import Pool
from simyard.core.remote import service as remote
from simyard.core.remote.model import Stock
from tests.workers.remote.conftest import RemoteWorld
from tests.workers.remote.host import Host, offer


async def ask_in_vain(
    far: RemoteWorld, pool: Pool, host: Host, buyer: AccountId, *, rounds: int, excluded: tuple[str, ...] = ()
) -> None:
    """Each time it has reported again that it has numbers."""
    for _ in range(rounds):
        async with far.world.database.transaction() as tx:
            now = far.world.clock.now()
            await remote.record_stock(tx, pool.id, Stock(host.offers), online_seconds=10**9, now=now)
        with pytest.raises(Refusal) as caught:
            await far.order(buyer, excluded=excluded)
        assert caught.value.reason is Refused.NO_NUMBERS
        far.world.clock.turn(120)
    await far.world.count_quality()


async def test_a_pool_that_gives_no_numbers_is_not_asked_for_half_an_hour(far: RemoteWorld) -> None:
    world = far.world
    pool, host, _ = await far.add_pool(Host(offers=(offer(stock=50),)))
    buyer = await world.add_buyer("100")
    await ask_in_vain(far, pool, host, buyer, rounds=3)
    assert (await world.quality(pool=pool))[0].blocked_until is None
    await ask_in_vain(far, pool, host, buyer, rounds=1)
    (line,) = await world.quality(pool=pool)
    assert (line.counts.issued, line.counts.failed) == (0, 4)
    assert line.blocked_until is not None
    await ask_in_vain(far, pool, host, buyer, rounds=2)
    assert len(host.wishes) == 4
    host.numbers = world.msisdns(1)
    world.clock.turn(1801)
    async with world.database.transaction() as tx:
        now = world.clock.now()
        await remote.record_stock(tx, pool.id, Stock(host.offers), online_seconds=10**9, now=now)
    await far.order(buyer)
    assert len(host.wishes) == 5
    await world.assert_whole()


async def test_what_a_buyer_left_out_is_no_fault_of_the_pool(far: RemoteWorld) -> None:
    world = far.world
    pool, host, _ = await far.add_pool(Host(offers=(offer(stock=50),)))
    buyer = await world.add_buyer("100")
    await ask_in_vain(far, pool, host, buyer, rounds=5, excluded=("+447",))
    assert len(host.wishes) == 5
    (line,) = await world.quality(pool=pool)
    assert (line.counts.failed, line.blocked_until) == (5, None)
    await world.assert_whole()
