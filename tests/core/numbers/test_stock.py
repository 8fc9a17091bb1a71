"""Stock counts: kept, behind by seconds, exact once everything is counted."""

from __future__ import annotations

import asyncio

from simyard.core.numbers import service as numbers
from simyard.core.numbers.model import RemoveNumber
from tests.world import World, code_text

# What a count from scratch says of every pool and service.
_COUNTED_ANEW = """
    SELECT number.pool_id, service.id,
           count(*) FILTER (WHERE NOT EXISTS (SELECT FROM activation WHERE activation.number_id = number.id
                                                AND activation.service_id = service.id AND NOT activation.repeatable))
      FROM number CROSS JOIN service
     WHERE number.available AND service.slug = ANY ($1)
     GROUP BY 1, 2 HAVING count(*) > 0 ORDER BY 1, 2
"""
_KEPT = """
    SELECT shelf.pool_id, service.id, shelf.available - COALESCE(shelf_used.used, 0)
      FROM shelf CROSS JOIN service
      LEFT JOIN shelf_used ON shelf_used.pool_id = shelf.pool_id AND shelf_used.country = shelf.country
                          AND shelf_used.service_id = service.id
     WHERE service.slug = ANY ($1) AND shelf.available > 0 ORDER BY 1, 2
"""
SLUGS = ["whatsapp", "telegram", "google"]


async def assert_exact(world: World) -> None:
    await world.take_stock()
    assert await world.rows(_KEPT, SLUGS) == await world.rows(_COUNTED_ANEW, SLUGS)


async def test_stock_follows_claim_use_release_unlist_and_relist(world: World) -> None:
    supplier, pool, listed = await world.stocked(5, services=SLUGS)
    buyer = await world.add_buyer()

    async def stock() -> list[int]:
        await assert_exact(world)
        return [await world.stock(slug, pool) for slug in ("whatsapp", "telegram")]

    assert await stock() == [5, 5]
    order = await world.order(buyer)
    assert await stock() == [4, 4]
    await world.cancel(buyer, order.activation_id)
    assert await stock() == [4, 5]
    order = await world.order(buyer)
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "123456"))
    assert await stock() == [3, 4]
    await world.finish(buyer, order.activation_id)
    assert await stock() == [3, 5]
    await world.report(supplier, listed[1:])
    assert await stock() == [3, 4], "the first number, used for whatsapp, went off the list"
    await world.report(supplier, listed)
    assert await stock() == [3, 5]
    async with world.database.transaction() as tx:
        await numbers.remove(tx, RemoveNumber(supplier, None, listed[4], None))
    assert await stock() == [2, 4]
    await world.report(supplier, [])
    assert await stock() == [0, 0]


async def test_stock_is_exact_after_much_of_everything_at_once(world: World) -> None:
    supplier, _, listed = await world.stocked(60, services=SLUGS, price="0")
    buyers = await world.add_buyers(4, "0")

    async def shop(place: int) -> None:
        for turn in range(12):
            slug = SLUGS[(place + turn) % 3]
            order = await world.order(buyers[place], slug)
            if turn % 3 == 0:
                await world.receive(supplier, order.msisdn, code_text(slug, f"{1000 + turn}"))
                await world.finish(buyers[place], order.activation_id)
            elif turn % 3 == 1:
                await world.cancel(buyers[place], order.activation_id)

    async def count() -> None:
        for _ in range(20):
            async with world.database.transaction() as tx:
                await numbers.take_stock(tx, limit=7)

    await asyncio.gather(*map(shop, range(4)), count(), count())
    await world.report(supplier, listed[:50])
    await assert_exact(world)
    await world.assert_whole()


async def test_only_one_process_counts_at_a_time(world: World) -> None:
    await world.stocked(5)
    async with world.database.transaction() as counting:
        assert await numbers.take_stock(counting, limit=2) == 2
        async with world.database.transaction() as tx:
            assert await numbers.take_stock(tx, limit=100) == 0
    assert await world.take_stock() == 3


async def test_a_count_that_was_rolled_back_is_done_again(world: World) -> None:
    _, pool, _ = await world.stocked(5)
    transaction = world.database.transaction()
    tx = await transaction.__aenter__()
    assert await numbers.take_stock(tx, limit=100) == 5
    await transaction.__aexit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert await world.stock("whatsapp", pool) == 0
    await assert_exact(world)
    assert await world.stock("whatsapp", pool) == 5


async def test_stock_is_counted_in_slices(world: World) -> None:
    _, pool, _ = await world.stocked(10)
    for counted in (4, 8, 10, 10):
        async with world.database.transaction() as tx:
            await numbers.take_stock(tx, limit=4)
        assert await world.stock("whatsapp", pool) == counted
