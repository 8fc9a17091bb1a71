"""Races about rentals: few numbers, SMS against closing, extensions against the clock, batches that touch the same wallets."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import TypeAlias

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.lanes import Lanes
from simyard.core.messages.model import Fate
from simyard.core.rentals import service as rentals
from simyard.core.rentals.machine import State
from simyard.core.rentals.model import Rental
from tests.world import World, code_text, micros

Processes: TypeAlias = tuple[Lanes, Lanes]
SECONDS_MAX = 60
DAY = 86_400


async def outcome(acting: Awaitable[Rental]) -> Rental | Refused:
    try:
        return await acting
    except Refusal as refusal:
        return refusal.reason


async def test_many_renters_share_few_numbers(world: World, processes: Processes) -> None:
    _, _, listed = await world.rentable(10)
    buyers = await world.add_buyers(40, "5")
    async with asyncio.timeout(SECONDS_MAX):
        results = await asyncio.gather(*(outcome(world.rent(buyer)) for buyer in buyers))
    rented = [result.msisdn for result in results if isinstance(result, Rental)]
    assert sorted(rented) == sorted(listed)
    assert Counter(results)[Refused.NO_NUMBERS] == 30
    await world.assert_whole()


async def test_twins_under_one_key_are_one_rental(world: World, processes: Processes) -> None:
    await world.rentable(10)
    buyer = await world.add_buyer("5")
    async with asyncio.timeout(SECONDS_MAX):
        results = await asyncio.gather(*(world.rent(buyer, key="k") for _ in range(8)))
    assert len({result.id for result in results}) == 1
    assert await world.value("SELECT count(*) FROM rental") == 1
    await world.assert_whole()


async def test_closing_and_the_first_sms_have_one_winner(world: World, processes: Processes) -> None:
    supplier, _, _ = await world.rentable(100)
    buyers = await world.add_buyers(5, "100")
    choose = random.Random(7)
    winners: Counter[State] = Counter()

    async def race(place: int) -> None:
        buyer = buyers[place % 5]
        rental = await world.rent(buyer)
        sms = processes[place % 2].receive(world.sms(supplier, rental.msisdn, f"Hello {place}"))
        closing = world.close_rental(buyer, rental.id)
        if choose.random() < 0.5:
            receipt, closed = await asyncio.gather(sms, closing)
        else:
            closed, receipt = await asyncio.gather(closing, sms)
        expected = State.CANCELED if receipt.fate is Fate.NO_LEASE else State.ENDED
        assert closed.state is expected
        winners[expected] += 1

    async with asyncio.timeout(SECONDS_MAX):
        for _ in range(3):
            await asyncio.gather(*(race(place) for place in range(100)))
    assert min(winners.values()) > 0 and len(winners) == 2, winners
    spent = sum([micros("100") - (await world.balance(buyer)).available for buyer in buyers])
    assert spent == winners[State.ENDED] * micros("1")
    await world.assert_whole()


async def test_an_extension_and_the_end_of_time_have_one_winner(world: World, processes: Processes) -> None:
    supplier, _, _ = await world.rentable(50)
    buyers = await world.add_buyers(5, "1000")
    both: Counter[bool] = Counter()
    for _ in range(3):
        ordered = [(buyers[place % 5], await world.rent(buyers[place % 5])) for place in range(50)]
        for _, rental in ordered:
            await world.receive(supplier, rental.msisdn, f"Hello {rental.id}")
        world.clock.turn(DAY - 1)
        before = world.clock.now()
        extending = [outcome(extend(world, buyer, rental)) for buyer, rental in ordered]

        ending = [end(world, before + timedelta(seconds=1)) for _ in range(8)]
        mixed: list[Awaitable[object]] = [*extending, *ending]
        random.Random(3).shuffle(mixed)
        async with asyncio.timeout(SECONDS_MAX):
            await asyncio.gather(*mixed)
        world.clock.turn(1)
        while await world.end_due_rentals():
            pass
        for buyer, rental in ordered:
            now = await world.rental(buyer, rental.id)
            extended = now.days == 2
            assert now.state is (State.ACTIVE if extended else State.ENDED)
            both[extended] += 1
            if extended:
                await world.close_rental(buyer, rental.id)
        await world.assert_whole()
    assert len(both) == 2, both


async def end(world: World, now: datetime) -> int:
    async with world.database.transaction() as tx:
        return await rentals.end_due(tx, limit=10, now=now, base_currency="USD")


async def extend(world: World, buyer: AccountId, rental: Rental) -> Rental:
    return await world.extend_rental(buyer, rental.id)


async def test_batches_of_both_kinds_of_lease_never_wait_in_a_ring(
    world: World, processes: Processes
) -> None:
    """Activations and rentals of the same buyers, suppliers and referrers, in whatever order their messages come."""
    choose = random.Random(11)
    suppliers = []
    for currency in ("USD", "NGN"):
        await world.set_rate("NGN", "1500")
        supplier, pool, _ = await world.rentable(40, tariffs={1: "1", 30: "2"}, currency=currency)
        await world.set_price("whatsapp", "1", pool=pool)
        suppliers.append((supplier, pool))
    buyers = await world.add_buyers(6, "1000")
    for place, buyer in enumerate(buyers[:-1]):
        await world.refer(buyers[place + 1], buyer, share_basis_points=1000)
    batches = []
    for _ in range(2):
        for supplier, pool in suppliers:
            messages = []
            for _ in range(10):
                buyer = choose.choice(buyers)
                rental = await world.rent(buyer, pool=pool, auto_extend=choose.random() < 0.5)
                order = await world.order(choose.choice(buyers), pool=pool)
                messages.append(world.sms(supplier, rental.msisdn, f"Hello {rental.id}"))
                messages.append(world.sms(supplier, order.msisdn, code_text("whatsapp", "123456")))
            choose.shuffle(messages)
            batches += [messages[::2], messages[1::2]]

    async def close_some() -> None:
        for buyer in buyers:
            for view in (await world.look_at_rentals(buyer))[::3]:
                await outcome(world.close_rental(buyer, view.rental.id))

    async with asyncio.timeout(SECONDS_MAX):
        await asyncio.gather(*(world.receive_batch(batch) for batch in batches), close_some(), close_some())
        world.clock.turn(DAY)
        await asyncio.gather(
            *(world.end_due_rentals(limit=5) for _ in range(8)), *(world.expire(limit=5) for _ in range(8))
        )
    while await world.end_due_rentals():
        pass
    await world.assert_whole()
