"""Earnings: pending, then available, once; and the report of a supplier."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import pytest

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.earnings import service as earnings
from simyard.core.earnings.model import EarningsOf, EarningsOfDay, EarningsReport
from simyard.core.wallet.model import Balance
from tests.conftest import START
from tests.world import World, code_text, micros

DAY = timedelta(days=1)


async def sold(
    world: World, supplier: AccountId, buyer: AccountId, slug: str = "whatsapp", code: str = "123456"
) -> int:
    """An activation whose code has come; its id."""
    order = await world.order(buyer, slug)
    await world.receive(supplier, order.msisdn, code_text(slug, code))
    return order.activation_id


async def report(world: World, supplier: AccountId, **period: object) -> EarningsReport:
    async with world.database.transaction() as tx:
        return await earnings.report(tx, EarningsOf(supplier, **period))  # type: ignore[arg-type]


async def test_an_earning_is_pending_and_becomes_available_after_the_hold(world: World) -> None:
    supplier, _, _ = await world.stocked(1)
    buyer = await world.add_buyer("10")
    world.earning_hold = DAY
    await sold(world, supplier, buyer)
    assert await world.balance(supplier) == Balance("USD", 0, 0, pending=micros("0.7"))
    await world.assert_whole()
    world.clock.turn(DAY.total_seconds() - 1)
    assert await world.mature() == 0
    world.clock.turn(1)
    assert await world.mature() == 1
    assert await world.balance(supplier) == Balance("USD", micros("0.7"), 0)
    assert await world.mature() == 0
    await world.assert_whole()


async def test_without_a_hold_an_earning_is_available_at_once(world: World) -> None:
    supplier, _, _ = await world.stocked(1)
    await sold(world, supplier, await world.add_buyer("10"))
    assert await world.balance(supplier) == Balance("USD", micros("0.7"), 0)
    assert await world.mature() == 0
    await world.assert_whole()


async def test_an_earning_in_another_currency_is_pending_in_it(world: World) -> None:
    await world.set_rate("NGN", "1500")
    supplier, _, _ = await world.stocked(1, currency="NGN")
    world.earning_hold = DAY
    await sold(world, supplier, await world.add_buyer("10"))
    assert await world.balance(supplier) == Balance("NGN", 0, 0, pending=micros("1050"))
    world.clock.turn(DAY.total_seconds())
    await world.mature()
    assert await world.balance(supplier) == Balance("NGN", micros("1050"), 0)
    await world.assert_whole()


async def test_what_a_rental_earned_is_pending_from_its_end_on(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer("10")
    world.earning_hold = DAY
    rental = await world.rent(buyer, 1)
    await world.receive(supplier, rental.msisdn, "Welcome")
    world.clock.turn(DAY.total_seconds())
    await world.end_due_rentals()
    assert (await world.balance(supplier)).pending == micros("0.7")
    await world.assert_whole()
    world.clock.turn(DAY.total_seconds())
    await world.mature()
    assert await world.balance(supplier) == Balance("USD", micros("0.7"), 0)
    await world.assert_whole()


async def test_many_mature_in_slices_and_by_several_processes_each_once(world: World) -> None:
    supplier, _, _ = await world.stocked(12, services=("whatsapp", "telegram"))
    buyer = await world.add_buyer("100")
    world.earning_hold = DAY
    for place in range(6):
        await sold(world, supplier, buyer, "whatsapp", f"12345{place}")
        await sold(world, supplier, buyer, "telegram", f"22345{place}")
    world.clock.turn(DAY.total_seconds())
    matured = await asyncio.gather(*(world.mature(limit=5) for _ in range(4)))
    matured.append(await world.mature())
    assert sum(matured) == 12
    assert await world.balance(supplier) == Balance("USD", 12 * micros("0.7"), 0)
    await world.assert_whole()


async def test_a_report_tells_what_each_day_brought(world: World) -> None:
    supplier, _, _ = await world.stocked(3)
    buyer = await world.add_buyer("10")
    world.earning_hold = 2 * DAY
    first = await sold(world, supplier, buyer)
    await sold(world, supplier, buyer)
    world.clock.turn(DAY.total_seconds())
    # Its online time is over by now.
    await world.report(supplier, world.msisdns(1))
    await sold(world, supplier, buyer)
    await world.refund(first)  # type: ignore[arg-type]
    own = micros("0.7")
    days = (
        EarningsOfDay(date(2026, 3, 1), 2, 2 * own, 1, own),
        EarningsOfDay(date(2026, 3, 2), 1, own, 0, 0),
    )
    assert await report(world, supplier) == EarningsReport("USD", 0, 2 * own, 0, days)
    assert (await report(world, supplier, since=START + DAY)).days == days[1:]
    assert (await report(world, supplier, until=START + DAY)).days == days[:1]
    with pytest.raises(Refusal) as caught:
        await report(world, AccountId(999))
    assert caught.value.reason is Refused.UNKNOWN_ACCOUNT
