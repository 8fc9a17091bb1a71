"""Rentals nothing comes for: three in a row, and their number is not rented out for a day."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.numbers import service as numbers
from simyard.core.numbers.model import RentBan
from simyard.core.pools.model import Pool
from simyard.core.rentals.model import Rental
from tests.world import CONFIRM_SECONDS, World, reported

DAY = 86_400


class Scene:
    """One number that is rented out, and a buyer who rents it again and again."""

    def __init__(self, world: World, supplier: AccountId, pool: Pool, msisdn: str, buyer: AccountId) -> None:
        self.world = world
        self.supplier = supplier
        self.pool = pool
        self.msisdn = msisdn
        self.buyer = buyer

    async def rent(self) -> Rental:
        return await self.world.rent(self.buyer)

    async def silent(self, times: int = 1) -> None:
        """Rentals that end without a first SMS."""
        for _ in range(times):
            await self.rent()
            self.world.clock.turn(CONFIRM_SECONDS)
            await self.world.end_due_rentals()

    async def heard(self) -> None:
        """A rental that got one, and ended after it."""
        rental = await self.rent()
        await self.world.receive(self.supplier, self.msisdn, f"Hello {rental.id}")
        await self.world.close_rental(self.buyer, rental.id)

    async def given_back(self) -> None:
        """A rental its buyer closed before anything came."""
        await self.world.close_rental(self.buyer, (await self.rent()).id)

    async def is_rented_out(self) -> bool:
        """Leaves the number as it was."""
        try:
            await self.given_back()
        except Refusal as refusal:
            assert refusal.reason is Refused.NO_NUMBERS
            return False
        return True

    async def is_banned(self) -> bool:
        number_id = await self.world.number_id(self.msisdn)
        async with self.world.database.transaction() as tx:
            return await numbers.banned_for_rent(tx, number_id)

    async def lift(self) -> int:
        async with self.world.database.transaction() as tx:
            return await numbers.lift_rent_bans(tx, limit=10, now=self.world.clock.now())

    async def stock(self) -> int:
        """The numbers buyers are shown that they can rent."""
        await self.world.take_stock()
        (offer,) = await self.world.rental_offers()
        return offer.stock


@pytest.fixture
async def scene(world: World) -> Scene:
    supplier, pool, (msisdn,) = await world.rentable(1)
    return Scene(world, supplier, pool, msisdn, await world.add_buyer("100"))


async def test_the_third_silent_rental_in_a_row_bans_the_number_for_a_day(scene: Scene) -> None:
    await scene.silent(2)
    assert await scene.is_rented_out()
    assert not await scene.is_banned()
    await scene.silent()
    assert await scene.is_banned()
    assert not await scene.is_rented_out()
    scene.world.clock.turn(DAY - 1)
    assert await scene.lift() == 0
    assert not await scene.is_rented_out()
    scene.world.clock.turn(1)
    assert await scene.lift() == 1
    assert await scene.is_rented_out()
    assert not await scene.is_banned()
    await scene.world.assert_whole()


async def test_after_a_ban_the_count_starts_anew(scene: Scene) -> None:
    await scene.silent(3)
    scene.world.clock.turn(DAY)
    await scene.lift()
    await scene.silent(2)
    assert await scene.is_rented_out()
    await scene.silent()
    assert not await scene.is_rented_out()


async def test_an_sms_sets_the_count_back(scene: Scene) -> None:
    await scene.silent(2)
    await scene.heard()
    await scene.silent(2)
    assert await scene.is_rented_out()


async def test_a_rental_that_ran_its_time_with_an_sms_sets_the_count_back(scene: Scene) -> None:
    await scene.silent(2)
    rental = await scene.rent()
    await scene.world.receive(scene.supplier, rental.msisdn, "Hello")
    scene.world.clock.turn(DAY)
    await scene.world.end_due_rentals()
    await scene.silent(2)
    assert await scene.is_rented_out()


async def test_a_rental_closed_before_its_first_sms_neither_counts_nor_sets_back(scene: Scene) -> None:
    for _ in range(3):
        await scene.given_back()
    await scene.silent(2)
    await scene.given_back()
    assert await scene.is_rented_out()
    await scene.silent()
    assert not await scene.is_rented_out()


async def test_a_number_that_is_banned_from_rent_serves_activations(scene: Scene) -> None:
    await scene.world.set_price("whatsapp", "1", pool=scene.pool)
    await scene.silent(3)
    assert (await scene.world.order(scene.buyer)).msisdn == scene.msisdn


async def test_the_ban_stays_with_the_number_when_it_is_reported_anew(scene: Scene) -> None:
    await scene.silent(3)
    await scene.world.report(scene.supplier, [])
    await scene.world.report(scene.supplier, [reported(scene.msisdn, rent=True)], online_seconds=10**9)
    assert not await scene.is_rented_out()


async def test_the_stock_of_numbers_to_rent_is_without_banned_ones(scene: Scene) -> None:
    await scene.world.set_price("whatsapp", "1", pool=scene.pool)
    assert await scene.stock() == 1
    await scene.silent(3)
    assert await scene.stock() == 0
    assert await scene.world.stock("whatsapp", scene.pool) == 1
    scene.world.clock.turn(DAY)
    await scene.lift()
    assert await scene.stock() == 1


async def test_many_rentals_that_end_at_once_are_counted_each_for_its_own_number(world: World) -> None:
    supplier, pool, listed = await world.rentable(3)
    buyers = await world.add_buyers(3, "100")
    for _ in range(3):
        ordered = [await world.rent(buyer) for buyer in buyers]
        heard = next(one for one in ordered if one.msisdn == listed[0])
        await world.receive(supplier, heard.msisdn, f"Hello {heard.id}")
        world.clock.turn(CONFIRM_SECONDS)
        assert await world.end_due_rentals() == 2
        await world.close_rental(buyers[ordered.index(heard)], heard.id)
    until = world.clock.now() + timedelta(hours=24)
    async with world.database.transaction() as tx:
        assert await numbers.rent_bans(tx, limit=10) == [RentBan(one, pool.id, until) for one in listed[1:]]
    assert (await world.rent(buyers[0])).msisdn == listed[0]
    await world.assert_whole()


async def test_a_fictitious_number_gets_no_strikes(world: World) -> None:
    await world.add_sandbox_pool([reported("+447700900001", rent=True)], rent_allowed=True)
    await world.set_tariff(1, "1")
    buyer = await world.add_buyer()
    for _ in range(4):
        await world.rent(buyer)
        world.clock.turn(CONFIRM_SECONDS)
        await world.end_due_rentals()
    assert await world.rows("SELECT rent_strikes, rent_banned_until FROM number") == [(0, None)]


async def test_bans_of_numbers_others_hold_are_lifted_the_next_time(scene: Scene) -> None:
    await scene.silent(3)
    scene.world.clock.turn(DAY)
    number_id = await scene.world.number_id(scene.msisdn)
    async with asyncio.timeout(30), scene.world.database.transaction() as tx:
        await numbers.lock(tx, [number_id])
        assert await scene.lift() == 0
    assert await scene.lift() == 1


async def test_more_strikes_than_make_a_ban_cannot_be_written(scene: Scene) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await scene.world.rows("UPDATE number SET rent_strikes = 3")
    assert caught.value.constraint_name == "number_third_strike_is_a_ban"
