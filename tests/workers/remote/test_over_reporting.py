"""A pool that says it has numbers and gives none is not asked for a while; one that is not at fault is not blocked for it."""

from __future__ import annotations

import pytest

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.pools.model import Pool
from simyard.core.remote import service as remote
from simyard.core.remote.model import Stock
from simyard.core.remote.rules import FAILURES_MAX
from simyard.workers.remote.source import Reason, SourceRefused
from tests.workers.remote.conftest import RemoteWorld
from tests.workers.remote.host import Host, offer


async def ask_in_vain(
    far: RemoteWorld,
    pool: Pool,
    host: Host,
    buyer: AccountId,
    *,
    rounds: int,
    excluded: tuple[str, ...] = (),
    refused: Refused = Refused.NO_NUMBERS,
) -> None:
    """Each time it has reported again that it has numbers."""
    for _ in range(rounds):
        async with far.world.database.transaction() as tx:
            now = far.world.clock.now()
            await remote.record_stock(tx, pool.id, Stock(host.offers), online_seconds=10**9, now=now)
        with pytest.raises(Refusal) as caught:
            await far.order(buyer, excluded=excluded)
        assert caught.value.reason is refused
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


@pytest.mark.parametrize("reason", [Reason.NO_MONEY, Reason.WRONG_KEY])
async def test_what_is_wrong_with_our_account_there_is_no_fault_of_the_pool(
    far: RemoteWorld, reason: Reason
) -> None:
    """It is left alone for a while like any that fails, and an operator is shown why; once that is mended it is sold."""
    world = far.world

    async def refuse() -> None:
        raise SourceRefused(reason, "said so")

    pool, host, _ = await far.add_pool(Host(numbers=world.msisdns(1), before=refuse))
    buyer = await world.add_buyer("100")
    failed = Refused.UPSTREAM_FAILED
    await ask_in_vain(far, pool, host, buyer, rounds=FAILURES_MAX, refused=failed)
    (line,) = await world.quality(pool=pool)
    assert (line.counts.issued, line.counts.failed, line.blocked_until) == (0, 0, None)
    async with world.database.transaction() as tx:
        view = await remote.profile_of(tx, pool.id)
    assert (view.failures, view.failure) == (FAILURES_MAX, f"{reason}: said so")
    assert view.open_until is not None
    assert len(host.wishes) == FAILURES_MAX
    host.before = None
    await far.order(buyer)
    await world.assert_whole()


async def test_what_is_wrong_with_our_account_hides_no_over_reporting(far: RemoteWorld) -> None:
    world = far.world

    async def refuse() -> None:
        raise SourceRefused(Reason.NO_MONEY)

    pool, host, _ = await far.add_pool(Host(before=refuse))
    buyer = await world.add_buyer("100")
    await ask_in_vain(far, pool, host, buyer, rounds=1, refused=Refused.UPSTREAM_FAILED)
    host.before = None
    await ask_in_vain(far, pool, host, buyer, rounds=4)
    (line,) = await world.quality(pool=pool)
    assert line.counts.failed == 4
    assert line.blocked_until is not None
