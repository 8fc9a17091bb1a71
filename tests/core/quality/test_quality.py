"""Quality: counted once for each order and message, shown to whom it concerns, heeded when a pool is chosen."""

from __future__ import annotations

import asyncio

import pytest

from simyard.base.ids import AccountId, ActivationId
from simyard.base.refusals import Refusal, Refused
from simyard.core.pools.model import Pool
from simyard.core.pricing import service as pricing
from simyard.core.pricing.model import ListTariffs
from simyard.core.quality import service as quality
from tests.world import World, code_text, micros, service_id

HOUR = 3600


async def test_orders_count_once_they_are_closed(world: World) -> None:
    supplier, pool, _ = await world.stocked(6)
    buyer = await world.add_buyer("10")
    quick, slow, canceled, *_ = [await world.order(buyer) for _ in range(5)]
    world.clock.turn(4)
    await world.receive(supplier, quick.msisdn, code_text("whatsapp", "123456"))
    await world.receive(supplier, quick.msisdn, "Your TikTok code is 4711")
    await world.receive(supplier, slow.msisdn, "Your PayPal security code is 123456")
    world.clock.turn(40)
    await world.receive(supplier, slow.msisdn, code_text("whatsapp", "223456"))
    await world.cancel(buyer, canceled.activation_id)
    await world.finish(buyer, quick.activation_id)
    assert await world.count_quality() > 0
    (line,) = await world.quality()
    assert (line.counts.issued, line.counts.delivered, line.counts.canceled) == (2, 1, 1)
    world.clock.turn(1200)
    await world.expire()
    await world.count_quality()
    (line,) = await world.quality()
    counts = line.counts
    assert (line.pool_id, line.country, line.service_id) == (pool.id, "GB", service_id("whatsapp"))
    assert (counts.issued, counts.delivered, counts.canceled, counts.expired) == (5, 2, 1, 2)
    assert (counts.other_service, counts.prohibited, counts.failed) == (1, 1, 0)
    assert (counts.seconds, line.seconds_mean) == (48, 24)
    assert (line.seconds_median, line.seconds_p90) == (5, 42)
    assert (line.blocked_until, line.poor_until) == (None, None)
    assert await world.count_quality() == 0
    assert await world.quality() == [line]
    await world.assert_whole()


async def test_several_processes_count_each_event_once(world: World) -> None:
    supplier, _, _ = await world.stocked(10)
    buyer = await world.add_buyer("20")
    for place in range(10):
        order = await world.order(buyer)
        await world.receive(supplier, order.msisdn, code_text("whatsapp", f"12345{place}"))
        await world.finish(buyer, order.activation_id)
    counted = await asyncio.gather(*(world.count_quality() for _ in range(4)))
    counted.append(await world.count_quality())
    assert sum(counted) == 10
    (line,) = await world.quality()
    assert (line.counts.issued, line.counts.delivered, sum(line.counts.spans)) == (10, 10, 10)


async def test_a_supplier_sees_his_own_pools_only(world: World) -> None:
    one, mine, _ = await world.stocked(1)
    other, theirs, _ = await world.stocked(1, price="2")
    buyer = await world.add_buyer("10")
    for pool in (mine, theirs):
        await world.cancel(buyer, (await world.order(buyer, pool=pool)).activation_id)
    await world.count_quality()
    assert [line.pool_id for line in await world.quality()] == [mine.id, theirs.id]
    assert [line.pool_id for line in await world.quality(supplier=one)] == [mine.id]
    assert await world.quality(supplier=one, pool=theirs) == []
    assert [line.pool_id for line in await world.quality(supplier=other)] == [theirs.id]
    world.clock.turn(3 * 24 * HOUR)
    assert await world.quality(days=2) == []


async def spoil(world: World, buyer: AccountId, pool: Pool) -> None:
    """Twenty orders of a pool that get nothing."""
    for _ in range(20):
        order = await world.order(buyer, pool=pool)
        await world.cancel(buyer, order.activation_id)
    await world.count_quality()


async def tariff(world: World) -> int:
    command = ListTariffs(None, ("GB",), (service_id("whatsapp"),), None, "USD", world.clock.now())
    async with world.database.transaction() as tx:
        (found,) = await pricing.list_tariffs(tx, command)
    return found.price


async def test_a_pool_whose_numbers_get_no_sms_is_sold_after_others_for_a_while(world: World) -> None:
    _, cheap, _ = await world.stocked(30, price="1")
    await world.stocked(5, price="2")
    buyer = await world.add_buyer("100")
    await spoil(world, buyer, cheap)
    (line, *_) = await world.quality(pool=cheap)
    assert line.poor_until is not None
    await world.take_stock()
    assert await tariff(world) == micros("2")
    order = await world.order(buyer)
    assert order.price == micros("2")
    assert (await world.order(buyer, pool=cheap)).price == micros("1")
    assert [offer.poor for offer in await world.offers("whatsapp")] == [True, False]
    world.clock.turn(1801)
    assert [offer.poor for offer in await world.offers("whatsapp")] == [False, False]
    async with world.database.transaction() as tx:
        assert await quality.forgive(tx, cheap.id, actor="test", now=world.clock.now()) == 0


async def asked(world: World, pool: Pool, buyer: AccountId, *, failed: int, came: int) -> None:
    """Orders a partner was asked for a number for, as the saga leaves them behind."""
    for place in range(failed + came):
        state = "failed" if place < failed else "waiting"
        number = None
        msisdn = f"+4479{pool.id}{place:04d}{int(world.clock.now().timestamp()) % 1000:03d}"[:15]
        if state == "waiting":
            number = await world.value(
                """INSERT INTO number (msisdn, pool_id, country, port, listed, position)
                   VALUES ($1, $2, 'GB', 'x', false, 1) RETURNING id""",
                msisdn,
                pool.id,
            )
        lease = await world.value(
            """INSERT INTO activation (account_id, pool_id, number_id, msisdn, country, service_id, service_label,
                                       country_label, state, remote, price, currency, margin, earning, earning_currency,
                                       ordered_at, expires_at, closed_at)
               VALUES ($1, $2, $3, $4, 'GB', $5, 'x', 'x', $6, true, 0, 'USD', 0, 0, 'USD', $7, $7,
                       CASE WHEN $6 = 'failed' THEN $7::timestamptz END)
               RETURNING id""",
            buyer,
            pool.id,
            number,
            msisdn if number else None,
            service_id("whatsapp"),
            state,
            world.clock.now(),
        )
        await world.value(
            """INSERT INTO remote_lease (lease_id, pool_id, state, wish, amount, currency, asked_at, changed_at)
               VALUES ($1, $2, 'done', '', 0, 'USD', $3, $3) RETURNING id""",
            lease,
            pool.id,
            world.clock.now(),
        )
        if state == "failed":
            await world.value(
                "INSERT INTO quality_event (activation_id, kind) VALUES ($1, 'closed') RETURNING id",
                ActivationId(lease),
            )
    await world.count_quality()


async def test_a_pool_that_says_it_has_numbers_and_gives_none_is_blocked_for_half_an_hour(
    world: World,
) -> None:
    _, pool, _ = await world.stocked(5, services=("whatsapp", "telegram"))
    buyer = await world.add_buyer("100")
    await asked(world, pool, buyer, failed=2, came=2)
    assert [line.blocked_until for line in await world.quality()] == [None]
    await asked(world, pool, buyer, failed=2, came=0)
    (line,) = await world.quality()
    assert line.counts.failed == 4
    assert line.blocked_until is not None
    assert (line.blocked_until - world.clock.now()).total_seconds() == 1800
    with pytest.raises(Refusal) as caught:
        await world.order(buyer)
    assert caught.value.reason is Refused.NO_NUMBERS
    await world.order(buyer, "telegram")
    assert await world.value("SELECT count(*) FROM audit WHERE action = 'pool.over_reported'") == 1
    world.clock.turn(1801)
    await world.value("UPDATE pool SET online_until = 'infinity' RETURNING id")
    await world.order(buyer)
    # What it failed before does not count again.
    await asked(world, pool, buyer, failed=1, came=0)
    (line, *_) = [one for one in await world.quality() if one.service_id == service_id("whatsapp")]
    assert line.blocked_until is None


async def test_an_operator_can_lift_a_block(world: World) -> None:
    _, pool, _ = await world.stocked(5)
    buyer = await world.add_buyer("100")
    await asked(world, pool, buyer, failed=5, came=0)
    async with world.database.transaction() as tx:
        assert await quality.forgive(tx, pool.id, actor="test", now=world.clock.now()) == 1
    await world.order(buyer)
