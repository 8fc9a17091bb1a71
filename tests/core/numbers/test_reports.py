"""What suppliers report: complete lists, single numbers, whose a number is."""

from __future__ import annotations

import asyncio

import pytest

from simyard.base.ids import OperatorId, PoolId
from simyard.base.refusals import Refusal, Refused
from simyard.core.numbers import service as numbers
from simyard.core.numbers.model import AddNumber, RemoveNumber, ReportNumbers
from tests.world import ONLINE_SECONDS, World, reported

VERIZON = OperatorId(310004)


async def refused(world: World, slug: str = "whatsapp") -> Refused:
    buyer = await world.add_buyer()
    with pytest.raises(Refusal) as caught:
        await world.order(buyer, slug)
    return caught.value.reason


async def versions(world: World) -> list[tuple[object, ...]]:
    """Changes whenever a row of a number is written, or locked."""
    return await world.rows("SELECT id, xmin::text, xmax::text, position FROM number ORDER BY id")


async def test_a_report_lists_numbers_and_names_their_ids(world: World) -> None:
    supplier = await world.add_supplier()
    pool = await world.add_direct_pool(supplier)
    listed = world.msisdns(3)
    report = await world.report(supplier, listed)
    assert set(report.ids) == set(listed)
    assert report.taken == frozenset()
    assert await world.rows("SELECT DISTINCT pool_id, listed, available FROM number") == [
        (pool.id, True, True)
    ]


async def test_a_repeated_report_writes_and_locks_no_number(world: World) -> None:
    supplier, _, listed = await world.stocked(10)
    before = await versions(world)
    world.clock.turn(60)
    async with world.database.transaction() as holding:
        await holding.execute("SELECT FROM number FOR UPDATE")
        async with asyncio.timeout(10):
            report = await world.report(supplier, listed[::-1])
    assert len(report.ids) == 10
    assert [row[::3] for row in await versions(world)] == [row[::3] for row in before]


async def test_a_repeated_report_keeps_the_pool_online(world: World) -> None:
    supplier, _, listed = await world.stocked(1)
    world.clock.turn(ONLINE_SECONDS - 1)
    await world.report(supplier, listed)
    world.clock.turn(ONLINE_SECONDS - 1)
    await world.order(await world.add_buyer())


async def test_a_number_the_report_does_not_name_goes_off_sale_and_its_lease_runs_on(world: World) -> None:
    supplier, _, listed = await world.stocked(2)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    await world.report(supplier, [])
    assert await refused(world) is Refused.NO_NUMBERS
    receipt = await world.receive(supplier, order.msisdn, "123456 is your WhatsApp code")
    assert receipt.lease_id == order.activation_id
    await world.finish(buyer, order.activation_id)
    assert await refused(world) is Refused.NO_NUMBERS
    await world.report(supplier, listed)
    assert (await world.order(buyer)).msisdn != order.msisdn
    await world.assert_whole()


async def test_a_relisted_number_remembers_what_it_served(world: World) -> None:
    supplier, _, listed = await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    await world.cancel(buyer, order.activation_id)
    await world.report(supplier, [])
    await world.report(supplier, listed)
    assert await refused(world) is Refused.NO_NUMBERS


async def test_of_a_number_that_comes_twice_the_last_entry_holds(world: World) -> None:
    supplier = await world.add_supplier()
    await world.add_direct_pool(supplier)
    (msisdn,) = world.msisdns(1, "+1202")
    await world.report(
        supplier, [reported(msisdn, "US", port="1A"), reported(msisdn, "US", VERIZON, port="2B")]
    )
    assert await world.rows("SELECT port, operator_id FROM number") == [("2B", VERIZON)]


async def test_a_changed_entry_changes_the_number(world: World) -> None:
    supplier = await world.add_supplier()
    await world.add_direct_pool(supplier)
    (msisdn,) = world.msisdns(1, "+1202")
    await world.report(supplier, [reported(msisdn, "US", port="1A")])
    await world.report(supplier, [reported(msisdn, "US", VERIZON, port="1A")])
    assert await world.rows("SELECT port, operator_id FROM number") == [("1A", VERIZON)]


async def test_rent_is_offered_only_where_the_pool_allows_it(world: World) -> None:
    for allowed in (False, True):
        supplier = await world.add_supplier()
        await world.add_direct_pool(supplier, rent_allowed=allowed)
        (msisdn,) = world.msisdns(1)
        await world.report(supplier, [reported(msisdn, rent=True)])
        assert await world.value("SELECT rent FROM number WHERE msisdn = $1", msisdn) is allowed


async def test_a_number_another_supplier_lists_stays_his(world: World) -> None:
    _, pool, listed = await world.stocked(2)
    second = await world.add_supplier()
    await world.add_direct_pool(second)
    own = world.msisdns(1)
    report = await world.report(second, [*listed, *own])
    assert report.taken == set(listed)
    assert set(report.ids) == set(own)
    assert await world.value("SELECT count(*) FROM number WHERE pool_id = $1 AND listed", pool.id) == 2


async def test_a_number_its_supplier_dropped_can_move_to_another(world: World) -> None:
    first, old, (msisdn,) = await world.stocked(1)
    second = await world.add_supplier()
    new = await world.add_direct_pool(second)
    await world.set_price("whatsapp", "2", pool=new)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    await world.report(first, [])
    # While it is leased it stays where it is: its SMS still come from there.
    assert (await world.report(second, [msisdn])).taken == {msisdn}
    await world.cancel(buyer, order.activation_id)
    assert set((await world.report(second, [msisdn])).ids) == {msisdn}
    await world.take_stock()
    assert (await world.stock("whatsapp", old), await world.stock("whatsapp", new)) == (0, 0)
    await world.set_price("telegram", "2", pool=new)
    assert await world.stock("telegram", new) == 1


async def test_a_supplier_without_a_pool_cannot_report(world: World) -> None:
    supplier = await world.add_supplier()
    with pytest.raises(Refusal) as caught:
        await world.report(supplier, world.msisdns(1))
    assert caught.value.reason is Refused.UNKNOWN_POOL


async def test_a_report_goes_to_the_pool_its_key_names_or_to_the_first(world: World) -> None:
    supplier = await world.add_supplier()
    first, second = await world.add_direct_pool(supplier), await world.add_direct_pool(supplier)
    one, two = world.msisdns(2)
    await world.report(supplier, [one])
    await world.report(supplier, [two], pool=second)
    assert await world.rows("SELECT msisdn, pool_id FROM number ORDER BY id") == [
        (one, first.id),
        (two, second.id),
    ]
    other = await world.add_supplier()
    command = ReportNumbers(other, second.id, (reported(one),), ONLINE_SECONDS, world.clock.now())
    with pytest.raises(Refusal) as caught:
        async with world.database.transaction() as tx:
            await numbers.report(tx, command)
    assert caught.value.reason is Refused.UNKNOWN_POOL


async def test_a_single_number_is_added_and_is_no_sign_of_life(world: World) -> None:
    supplier, _, _ = await world.stocked(0)
    (msisdn,) = world.msisdns(1)
    world.clock.turn(ONLINE_SECONDS)
    async with world.database.transaction() as tx:
        report = await numbers.add(tx, AddNumber(supplier, None, reported(msisdn)))
    assert set(report.ids) == {msisdn}
    assert await refused(world) is Refused.NO_NUMBERS
    assert await world.value("SELECT available FROM number") is True


@pytest.mark.parametrize("by_id", [False, True], ids=["by number", "by id"])
async def test_a_single_number_is_removed_and_a_repeat_changes_nothing(world: World, by_id: bool) -> None:
    supplier, _, (msisdn, other) = await world.stocked(2)
    number_id = await world.number_id(msisdn)
    command = RemoveNumber(supplier, None, None if by_id else msisdn, number_id if by_id else None)
    for _ in range(2):
        async with world.database.transaction() as tx:
            await numbers.remove(tx, command)
    assert await world.rows("SELECT msisdn FROM number WHERE listed") == [(other,)]


async def test_another_suppliers_number_cannot_be_removed(world: World) -> None:
    _, _, (msisdn,) = await world.stocked(1)
    other, _, _ = await world.stocked(1)
    async with world.database.transaction() as tx:
        await numbers.remove(tx, RemoveNumber(other, None, msisdn, None))
        await numbers.remove(tx, RemoveNumber(other, None, None, await world.number_id(msisdn)))
    assert await world.value("SELECT listed FROM number WHERE msisdn = $1", msisdn) is True


async def test_a_supplier_is_known_by_his_numbers_and_their_ids(world: World) -> None:
    supplier, pool, (msisdn,) = await world.stocked(1)
    other, _, (foreign,) = await world.stocked(1)
    number_id = await world.number_id(msisdn)
    async with world.database.transaction() as tx:
        found = await numbers.resolve(
            tx,
            [
                (supplier, msisdn, None),
                (supplier, None, number_id),
                (supplier, foreign, None),
                (other, msisdn, number_id),
                (supplier, None, None),
            ],
        )
    assert [None if one is None else (one.number_id, one.pool_id) for one in found] == [
        (number_id, pool.id),
        (number_id, pool.id),
        None,
        None,
        None,
    ]


async def test_two_suppliers_who_report_the_same_new_numbers_at_once_do_not_block_each_other(
    world: World,
) -> None:
    one, two = await world.add_supplier(), await world.add_supplier()
    pools = [await world.add_direct_pool(one), await world.add_direct_pool(two)]
    for _ in range(10):
        fresh = world.msisdns(400)
        reports = await asyncio.gather(world.report(one, fresh), world.report(two, fresh[::-1]))
        assert sum(len(report.ids) for report in reports) == 400
        assert sum(len(report.taken) for report in reports) == 400
    owners = {PoolId(row[0]) for row in await world.rows("SELECT DISTINCT pool_id FROM number")}
    assert owners <= {pool.id for pool in pools}


async def test_a_report_and_expiry_lock_numbers_in_one_order(world: World) -> None:
    """The report takes high numbers off its list and puts low ones on, while expiry ends the leases of all."""
    supplier, _, listed = await world.stocked(60, price="0")
    buyer = await world.add_buyer("0")
    low, high = listed[:30], listed[30:]
    for slug in ("whatsapp", "telegram", "google", "signal", "discord", "viber", "line", "steam"):
        await world.set_price(slug, "0")
        await world.report(supplier, listed)
        await world.order_batch([world.order_command(buyer, slug, seconds=1) for _ in range(60)])
        await world.report(supplier, high)
        world.clock.turn(1)
        await asyncio.gather(world.report(supplier, low), world.expire(), world.expire())
        await world.expire()
    await world.assert_whole()


async def test_a_blocked_number_is_not_sold_whatever_its_supplier_reports(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)

    async def block(blocked: bool) -> None:
        async with world.database.transaction() as tx:
            await numbers.set_blocked(tx, msisdn, blocked=blocked, actor="test", now=world.clock.now())

    await block(True)
    await block(True)
    await world.report(supplier, [msisdn])
    assert await refused(world) is Refused.NO_NUMBERS
    await block(False)
    assert (await world.order(await world.add_buyer())).msisdn == msisdn
    actions = await world.rows("SELECT action FROM audit WHERE action LIKE 'number.%' ORDER BY id")
    assert actions == [("number.blocked",), ("number.blocked",), ("number.unblocked",)]


async def test_a_number_nobody_reported_cannot_be_blocked(world: World) -> None:
    with pytest.raises(Refusal) as caught:
        async with world.database.transaction() as tx:
            await numbers.set_blocked(tx, "+46701740605", blocked=True, actor="test", now=world.clock.now())
    assert caught.value.reason is Refused.UNKNOWN_NUMBER
