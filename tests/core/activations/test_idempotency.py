"""Idempotency keys: the same key gives the same outcome, whatever happens in between."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from simyard.base.refusals import Refusal, Refused
from simyard.core.activations import service as activations
from simyard.core.activations.model import Order
from simyard.core.idempotency import service as idempotency
from tests.world import World, micros


async def leases(world: World) -> int:
    return int(await world.value("SELECT count(*) FROM activation"))


async def test_a_repeat_under_the_same_key_has_the_same_outcome_and_moves_nothing(world: World) -> None:
    await world.stocked(3)
    buyer = await world.add_buyer("10")
    first = await world.order(buyer, key="k")
    world.clock.turn(60)
    await world.order(buyer)
    assert await world.order(buyer, key="k") == first
    assert await leases(world) == 2
    assert (await world.balance(buyer)).available == micros("8")


async def test_a_repeat_has_the_same_outcome_after_the_lease_closed(world: World) -> None:
    await world.stocked(2)
    buyer = await world.add_buyer()
    first = await world.order(buyer, key="k")
    await world.cancel(buyer, first.activation_id)
    assert await world.order(buyer, key="k") == first


async def test_a_repeat_has_the_same_outcome_though_nothing_is_sold_any_more(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="10")
    buyer = await world.add_buyer("10")
    first = await world.order(buyer, key="k")
    await world.report(supplier, [])
    assert await world.order(buyer, key="k") == first


@pytest.mark.parametrize(
    "change",
    [
        {"slug": "telegram"},
        {"country": "DE"},
        {"label": "wa"},
        {"price_max": "5"},
        {"price_exact": "1"},
        {"excluded": ("+4479",)},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_another_order_under_the_same_key_is_refused(world: World, change: dict[str, Any]) -> None:
    await world.stocked(3, services=["whatsapp", "telegram"])
    buyer = await world.add_buyer()
    await world.order(buyer, key="k")
    with pytest.raises(Refusal) as caught:
        await world.order(buyer, **{"key": "k", **change})
    assert caught.value.reason is Refused.IDEMPOTENCY_KEY_REUSED
    assert await leases(world) == 1


async def test_the_same_key_of_another_account_is_another_key(world: World) -> None:
    await world.stocked(2)
    one, two = await world.add_buyers(2)
    first, second = await world.order(one, key="k"), await world.order(two, key="k")
    assert first.activation_id != second.activation_id


async def test_a_refused_order_leaves_its_key_free(world: World) -> None:
    await world.stocked(1, price="5")
    buyer = await world.add_buyer("4")
    with pytest.raises(Refusal) as caught:
        await world.order(buyer, key="k")
    assert caught.value.reason is Refused.INSUFFICIENT_FUNDS
    await world.deposit(buyer, "1")
    assert (await world.order(buyer, key="k")).available == 0
    assert await world.value("SELECT count(*) FROM idempotency") == 1


async def test_twins_in_one_batch_are_one_order(world: World) -> None:
    await world.stocked(3)
    buyer = await world.add_buyer()
    command = world.order_command(buyer, key="k")
    one, two, three = await world.order_batch([command, command, command])
    assert isinstance(one, Order)
    assert one == two == three
    assert await leases(world) == 1


async def test_refused_twins_in_one_batch_are_refused_alike(world: World) -> None:
    await world.stocked(1, price="5")
    command = world.order_command(await world.add_buyer("1"), key="k")
    results = await world.order_batch([command, command])
    assert [result.reason for result in results if isinstance(result, Refusal)] == [
        Refused.INSUFFICIENT_FUNDS
    ] * 2
    assert await world.value("SELECT count(*) FROM idempotency") == 0


async def test_another_order_under_the_same_key_in_the_same_batch_is_refused(world: World) -> None:
    await world.stocked(3)
    buyer = await world.add_buyer()
    first, other, twin = await world.order_batch(
        [
            world.order_command(buyer, key="k"),
            world.order_command(buyer, key="k", price_max="9"),
            world.order_command(buyer, key="k"),
        ]
    )
    assert isinstance(first, Order)
    assert isinstance(other, Refusal)
    assert other.reason is Refused.IDEMPOTENCY_KEY_REUSED
    assert twin == first


async def test_a_repeat_is_answered_though_a_wrong_order_under_its_key_came_first(world: World) -> None:
    """Both in one batch, after the key was used."""
    await world.stocked(3)
    buyer = await world.add_buyer()
    first = await world.order(buyer, key="k")
    wrong, repeat, twin = await world.order_batch(
        [
            world.order_command(buyer, key="k", price_max="9"),
            world.order_command(buyer, key="k"),
            world.order_command(buyer, key="k"),
        ]
    )
    assert isinstance(wrong, Refusal)
    assert wrong.reason is Refused.IDEMPOTENCY_KEY_REUSED
    assert repeat == twin == first


async def test_repeats_and_new_orders_mix_in_one_batch(world: World) -> None:
    await world.stocked(4)
    one, two = await world.add_buyers(2)
    first = await world.order(one, key="k")
    again, fresh, keyed = await world.order_batch(
        [
            world.order_command(one, key="k"),
            world.order_command(one),
            world.order_command(two, key="k"),
        ]
    )
    assert again == first
    assert isinstance(fresh, Order)
    assert isinstance(keyed, Order)
    assert await leases(world) == 3


@pytest.mark.parametrize("commits", [True, False], ids=["ordered", "refused"])
async def test_a_twin_in_flight_waits_for_the_first(world: World, commits: bool) -> None:
    await world.stocked(2)
    buyer = await world.add_buyer("10" if commits else "0")
    command = world.order_command(buyer, key="k")
    async with world.database.transaction() as tx:
        (first,) = await activations.order(tx, [command])
        twin = asyncio.create_task(world.order_batch([command]))
        while not await world.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            # A refused order has taken its key back, and nobody has anything to wait for.
            if twin.done():
                break
    (second,) = await twin
    if commits:
        assert second == first
    else:
        assert isinstance(first, Refusal)
        assert isinstance(second, Refusal)
        assert second.reason is first.reason is Refused.INSUFFICIENT_FUNDS
    assert await leases(world) == int(commits)


async def test_a_key_is_kept_for_its_time_and_until_its_lease_has_closed(world: World) -> None:
    await world.stocked(2)
    buyer = await world.add_buyer()
    open_order = await world.order(buyer, key="open")
    closed = await world.order(buyer, key="closed")
    await world.cancel(buyer, closed.activation_id)

    async def forget(hours: int) -> int:
        async with world.database.transaction() as tx:
            return await idempotency.forget(tx, before=world.clock.now() - timedelta(hours=hours))

    world.clock.turn(72 * 3600)
    assert await forget(72) == 0
    world.clock.turn(1)
    assert await forget(72) == 1
    assert await world.rows("SELECT key FROM idempotency") == [("open",)]
    assert await world.order(buyer, key="open") == open_order
