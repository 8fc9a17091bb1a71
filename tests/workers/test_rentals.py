"""The loops that end rentals and send the sandbox's SMS to them."""

from __future__ import annotations

import pytest

from simyard.base.ids import NumberId
from simyard.core.activations.store import SandboxTarget
from simyard.core.messages.rules import Verdict, judge_any
from simyard.core.rentals.machine import State
from simyard.settings import Settings
from simyard.workers import loops
from simyard.workers.loops import Workers
from tests.world import CONFIRM_SECONDS, World, reported

FICTITIOUS = "+447700900001"


@pytest.fixture
def workers(world: World, database_url: str) -> Workers:
    return Workers(world.database, database_url, world.clock, Settings())


async def step(workers: Workers, name: str) -> int:
    """One step of a loop, without the loop."""
    return await next(loop for loop in workers.loops if loop.name == name)._step()


async def test_a_rental_nobody_confirmed_ends_by_itself(world: World, workers: Workers) -> None:
    await world.rentable(1)
    buyer = await world.add_buyer()
    rental = await world.rent(buyer)
    assert await step(workers, "rentals") == 0
    world.clock.turn(CONFIRM_SECONDS)
    assert await step(workers, "rentals") == 1
    assert (await world.rental(buyer, rental.id)).state is State.EXPIRED
    assert await step(workers, "rentals") == 0
    await world.assert_whole()


async def test_a_ban_from_rent_is_lifted_by_itself(world: World, workers: Workers) -> None:
    await world.rentable(1)
    buyer = await world.add_buyer()
    for _ in range(3):
        await world.rent(buyer)
        world.clock.turn(CONFIRM_SECONDS)
        await step(workers, "rentals")
    assert await step(workers, "rent bans") == 0
    world.clock.turn(86_400)
    assert await step(workers, "rent bans") == 1
    await world.rent(buyer)


async def test_the_sandbox_confirms_a_rental_after_the_set_time(world: World, workers: Workers) -> None:
    await world.add_sandbox_pool([reported(FICTITIOUS, rent=True)], rent_allowed=True)
    await world.set_tariff(1, "1")
    buyer = await world.add_buyer()
    rental = await world.rent(buyer, sandbox_seconds=5)
    assert await step(workers, "sandbox") == 0
    world.clock.turn(5)
    assert await step(workers, "sandbox") == 1
    (view,) = await world.look_at_rentals(buyer, rental.id)
    assert view.rental.state is State.ACTIVE
    assert view.messages[0].code is not None
    await world.assert_whole()


async def test_the_sandbox_sends_nothing_to_a_rental_that_was_closed(world: World, workers: Workers) -> None:
    await world.add_sandbox_pool([reported(FICTITIOUS, rent=True)], rent_allowed=True)
    await world.set_tariff(1, "1")
    buyer = await world.add_buyer()
    closed = await world.rent(buyer, sandbox_seconds=5)
    await world.close_rental(buyer, closed.id)
    rental = await world.rent(buyer, sandbox_seconds=100)
    world.clock.turn(5)
    assert await step(workers, "sandbox") == 1
    assert (await world.rental(buyer, rental.id)).state is State.WAITING
    await world.assert_whole()


@pytest.mark.parametrize("sender", loops._SANDBOX_SENDERS)
def test_what_the_sandbox_sends_to_rentals_is_delivered_with_its_code(sender: tuple[str, str]) -> None:
    target = SandboxTarget(NumberId(0), *sender)
    judgement = judge_any(loops._sandbox_text(target), sender=target.service_name)
    assert judgement.verdict is Verdict.DELIVER
    assert judgement.service == target.service
    assert judgement.extraction.code is not None
