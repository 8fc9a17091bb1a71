"""Many buyers and few numbers: nobody gets what another has, nobody is turned away while there is one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable
from typing import TypeAlias

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations.model import Order
from simyard.core.lanes import Lanes
from tests.world import World, micros, reported

Processes: TypeAlias = tuple[Lanes, Lanes]
SECONDS_MAX = 60


async def outcomes(ordering: Iterable[Awaitable[Order]]) -> list[Order | Refusal]:
    """What came of each; anything but an order or a refusal fails the test."""
    async with asyncio.timeout(SECONDS_MAX):
        results = await asyncio.gather(*ordering, return_exceptions=True)
    found: list[Order | Refusal] = []
    for result in results:
        if not isinstance(result, Order | Refusal):
            raise result
        found.append(result)
    return found


def counted(results: Iterable[Order | Refusal]) -> Counter[str]:
    return Counter("leased" if isinstance(one, Order) else one.reason.value for one in results)


def numbers_of(results: Iterable[Order | Refusal]) -> list[str]:
    return [one.msisdn for one in results if isinstance(one, Order)]


async def test_three_hundred_orders_for_two_hundred_numbers(world: World, processes: Processes) -> None:
    await world.stocked(200)
    buyers = await world.add_buyers(30, "10")
    results = await outcomes(
        processes[place % 2].order(world.order_command(buyers[place % 30])) for place in range(300)
    )
    assert counted(results) == {"leased": 200, Refused.NO_NUMBERS.value: 100}
    assert len(set(numbers_of(results))) == 200
    assert await world.value("SELECT count(*) FROM activation") == 200
    await world.assert_whole()


async def test_orders_for_several_services_share_the_numbers(world: World, processes: Processes) -> None:
    slugs = ["whatsapp", "telegram", "google"]
    await world.stocked(150, services=slugs)
    buyers = await world.add_buyers(10, "100")
    results = await outcomes(
        processes[place % 2].order(world.order_command(buyers[place % 10], slugs[place % 3]))
        for place in range(240)
    )
    assert counted(results) == {"leased": 150, Refused.NO_NUMBERS.value: 90}
    assert len(set(numbers_of(results))) == 150
    await world.assert_whole()


async def test_orders_fall_back_from_pool_to_pool(world: World, processes: Processes) -> None:
    for price in ("1", "2", "3"):
        await world.stocked(50, price=price)
    await world.take_stock()
    buyers = await world.add_buyers(20, "100")
    results = await outcomes(
        processes[place % 2].order(world.order_command(buyers[place % 20])) for place in range(200)
    )
    prices = Counter(one.price for one in results if isinstance(one, Order))
    assert prices == {micros("1"): 50, micros("2"): 50, micros("3"): 50}
    assert counted(results)[Refused.NO_NUMBERS.value] == 50
    await world.assert_whole()


async def test_fifty_buyers_and_one_number(world: World, processes: Processes) -> None:
    await world.stocked(1)
    buyers = await world.add_buyers(50, "1")
    results = await outcomes(
        processes[place % 2].order(world.order_command(buyer)) for place, buyer in enumerate(buyers)
    )
    assert counted(results) == {"leased": 1, Refused.NO_NUMBERS.value: 49}
    await world.assert_whole()


async def test_one_wallet_is_spent_once(world: World, processes: Processes) -> None:
    await world.stocked(100)
    buyer = await world.add_buyer("30")
    results = await outcomes(processes[place % 2].order(world.order_command(buyer)) for place in range(100))
    assert counted(results) == {"leased": 30, Refused.INSUFFICIENT_FUNDS.value: 70}
    assert (await world.balance(buyer)).available == 0
    assert sorted(one.available for one in results if isinstance(one, Order)) == [
        micros(str(left)) for left in range(30)
    ]
    await world.assert_whole()


async def test_twenty_identical_orders_under_one_key_are_one(world: World, processes: Processes) -> None:
    await world.stocked(30)
    buyer = await world.add_buyer("100")
    command = world.order_command(buyer, key="k")
    results = await outcomes(processes[place % 2].order(command) for place in range(20))
    assert len(results) == 20
    assert isinstance(results[0], Order)
    assert all(result == results[0] for result in results)
    assert await world.value("SELECT count(*) FROM activation") == 1
    assert (await world.balance(buyer)).available == micros("99")


async def test_many_keys_twice_each_in_opposite_orders(world: World, processes: Processes) -> None:
    await world.stocked(100)
    buyers = await world.add_buyers(5, "100")
    commands = [world.order_command(buyers[place % 5], key=f"k{place}") for place in range(60)]
    forth, back = await asyncio.gather(
        outcomes(processes[0].order(command) for command in commands),
        outcomes(processes[1].order(command) for command in reversed(commands)),
    )
    assert forth == back[::-1]
    assert counted(forth) == {"leased": 60}
    assert await world.value("SELECT count(*) FROM activation") == 60
    await world.assert_whole()


async def test_a_supplier_who_repeats_his_list_costs_nobody_a_number(
    world: World, processes: Processes
) -> None:
    supplier, _, listed = await world.stocked(300)
    buyers = await world.add_buyers(10, "100")
    ordered = asyncio.Event()

    async def repeat(turned: bool) -> int:
        times = 0
        while not ordered.is_set():
            await world.report(supplier, listed[::-1] if turned else listed)
            times += 1
        return times

    async def order(buyer: AccountId, lanes: Lanes) -> list[Order | Refusal]:
        return [
            result
            for _ in range(6)
            for result in await outcomes(lanes.order(world.order_command(buyer)) for _ in range(5))
        ]

    reporting = [asyncio.create_task(repeat(turned)) for turned in (False, True)]
    results = await asyncio.gather(
        *(order(buyer, processes[place % 2]) for place, buyer in enumerate(buyers))
    )
    ordered.set()
    assert min(await asyncio.gather(*reporting)) > 0
    everyone = [one for each in results for one in each]
    assert counted(everyone) == {"leased": 300}
    assert sorted(numbers_of(everyone)) == listed
    await world.assert_whole()


async def test_orders_while_lists_change_never_lease_what_is_off_the_list(
    world: World, processes: Processes
) -> None:
    supplier, _, listed = await world.stocked(60, price="0")
    buyers = await world.add_buyers(6, "0")
    always = listed[:30]

    async def change() -> None:
        for turn in range(12):
            await world.report(supplier, [reported(one) for one in (always if turn % 2 else listed)])

    async def order(place: int) -> list[Order | Refusal]:
        return await outcomes(
            processes[place % 2].order(world.order_command(buyers[place])) for _ in range(15)
        )

    changing = asyncio.create_task(change())
    results = await asyncio.gather(*map(order, range(6)))
    await changing
    found = [one for each in results for one in each]
    assert set(counted(found)) <= {"leased", Refused.NO_NUMBERS.value}
    assert len(set(numbers_of(found))) == len(numbers_of(found)) >= 30
    await world.assert_whole()
