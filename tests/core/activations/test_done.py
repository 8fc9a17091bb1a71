"""Being done with an activation: one act that cancels or finishes, and bans its number if wanted."""

from __future__ import annotations

import pytest

from simyard.base.ids import ActivationId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations import service as activations
from simyard.core.activations.machine import State
from simyard.core.activations.model import Order
from tests.core.activations.test_closing import moved, refusal, state
from tests.world import ACTIVATION_SECONDS, World, code_text, micros, reported

GUARD_SECONDS = 120


async def bans(world: World) -> int:
    return int(await world.value("SELECT count(*) FROM number_ban"))


# Closing


async def test_what_nothing_came_for_is_canceled_and_its_price_released(world: World) -> None:
    await world.stocked(1, services=["whatsapp", "telegram"], price="2")
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    closed = await world.close(buyer, order.activation_id)
    assert (closed.activation_id, closed.state) == (order.activation_id, State.CANCELED)
    assert (closed.refunded, closed.currency, closed.available) == (micros("2"), "USD", micros("10"))
    assert (await world.order(buyer, "telegram")).msisdn == order.msisdn
    await world.assert_whole()


@pytest.mark.parametrize("again", [False, True], ids=["received", "waiting again"])
async def test_what_has_received_is_finished_and_stays_paid(world: World, again: bool) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "111111"))
    if again:
        await world.request_next(buyer, order.activation_id)
    closed = await world.close(buyer, order.activation_id, locked_seconds=GUARD_SECONDS)
    assert (closed.state, closed.refunded, closed.available) == (State.FINISHED, 0, micros("9"))
    await world.assert_whole()


@pytest.mark.parametrize("ban", [False, True])
async def test_before_the_guard_ends_nothing_is_closed_nor_banned(world: World, ban: bool) -> None:
    await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    world.clock.turn(GUARD_SECONDS - 0.5)
    refused = await refusal(world.close(buyer, order.activation_id, locked_seconds=GUARD_SECONDS, ban=ban))
    assert (refused.reason, refused.facts) == (Refused.TOO_EARLY, {"seconds": 1})
    assert await state(world, order.activation_id) is State.WAITING
    assert await bans(world) == 0
    world.clock.turn(0.5)
    closed = await world.close(buyer, order.activation_id, locked_seconds=GUARD_SECONDS, ban=ban)
    assert closed.state is State.CANCELED
    assert await bans(world) == ban


async def test_once_its_time_ran_out_no_close_is_too_early(world: World) -> None:
    await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer, seconds=60)
    world.clock.turn(60)
    closed = await world.close(buyer, order.activation_id, locked_seconds=GUARD_SECONDS)
    assert closed.state is State.CANCELED


async def test_a_number_still_asked_for_cannot_be_given_back_yet(world: World) -> None:
    """No pool makes such activations so far, so this one is made by hand."""
    await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    async with world.database.transaction() as tx:
        await tx.execute("UPDATE activation SET state = 'acquiring' WHERE id = $1", order.activation_id)
    refused = await refusal(world.close(buyer, order.activation_id, ban=True))
    assert (refused.reason, refused.facts) == (Refused.TOO_EARLY, {"seconds": 1})
    assert await bans(world) == 0


async def test_a_repeat_moves_nothing_and_tells_what_was_given_back(world: World) -> None:
    await world.stocked(2, price="2")
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    first = await world.close(buyer, order.activation_id)
    before = await moved(world)
    assert await world.close(buyer, order.activation_id, locked_seconds=GUARD_SECONDS) == first
    await world.order(buyer)
    again = await world.close(buyer, order.activation_id)
    assert (again.state, again.refunded, again.available) == (State.CANCELED, micros("2"), micros("8"))
    assert await moved(world) == before + 1
    await world.assert_whole()


async def test_a_repeat_after_a_finish_gave_nothing_back(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "111111"))
    first = await world.close(buyer, order.activation_id)
    assert await world.close(buyer, order.activation_id) == first
    assert first.refunded == 0


async def test_what_expired_closes_as_a_success_that_moves_nothing(world: World) -> None:
    await world.stocked(1, price="2")
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    world.clock.turn(ACTIVATION_SECONDS)
    await world.expire()
    before = await moved(world)
    closed = await world.close(buyer, order.activation_id)
    assert (closed.state, closed.refunded, closed.available) == (State.EXPIRED, micros("2"), micros("10"))
    assert await moved(world) == before


@pytest.mark.parametrize("ban", [False, True])
async def test_another_accounts_activation_cannot_be_closed_nor_banned(world: World, ban: bool) -> None:
    await world.stocked(1)
    mine, other = await world.add_buyers(2)
    order = await world.order(mine)
    for who, activation_id in ((other, order.activation_id), (mine, ActivationId(1))):
        refused = await refusal(world.close(who, activation_id, ban=ban))
        assert refused.reason is Refused.UNKNOWN_LEASE
    assert await bans(world) == 0
    assert await state(world, order.activation_id) is State.WAITING


# Bans


async def test_a_banned_number_is_never_given_to_the_account_again(world: World) -> None:
    _, _, (first, second) = await world.stocked(2, services=["whatsapp", "telegram", "signal"])
    mine, other = await world.add_buyers(2)
    order = await world.order(mine)
    assert order.msisdn == first
    await world.close(mine, order.activation_id, ban=True)
    for slug in ("telegram", "signal"):
        taken = await world.order(mine, slug)
        assert taken.msisdn == second
        refused = await refusal(world.order(mine, slug))
        assert refused.reason is Refused.NO_NUMBERS
        await world.cancel(mine, taken.activation_id)
    assert (await world.order(other, "telegram")).msisdn == first
    await world.assert_whole()


async def test_bans_hold_beside_the_prefixes_an_order_excludes(world: World) -> None:
    _, _, listed = await world.stocked(3, services=["whatsapp", "telegram"])
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    await world.close(buyer, order.activation_id, ban=True)
    assert order.msisdn == listed[0]
    assert (await world.order(buyer, "telegram", excluded=(listed[1],))).msisdn == listed[2]


async def test_in_one_batch_each_account_is_kept_from_its_own_bans_only(world: World) -> None:
    _, _, listed = await world.stocked(2, services=["whatsapp", "telegram"])
    mine, other = await world.add_buyers(2)
    for place, buyer in enumerate((mine, other)):
        order = await world.order(buyer, excluded=(listed[1 - place],))
        assert order.msisdn == listed[place]
        await world.close(buyer, order.activation_id, ban=True)
    results = await world.order_batch([world.order_command(buyer, "telegram") for buyer in (mine, other)])
    assert [result.msisdn for result in results if isinstance(result, Order)] == listed[::-1]


async def test_a_ban_counts_after_the_activation_closed_and_only_once(world: World) -> None:
    await world.stocked(1, services=["whatsapp", "telegram"])
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    await world.close(buyer, order.activation_id)
    first = await world.close(buyer, order.activation_id, ban=True)
    assert await world.close(buyer, order.activation_id, ban=True) == first
    assert await bans(world) == 1
    assert (await refusal(world.order(buyer, "telegram"))).reason is Refused.NO_NUMBERS


async def test_a_ban_in_one_country_leaves_the_others_alone(world: World) -> None:
    supplier, pool, listed = await world.stocked(1, services=["whatsapp", "telegram"])
    american = "+12015550001"
    await world.report(supplier, [listed[0], reported(american, "US")])
    await world.set_price("telegram", "1", country="US", pool=pool)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    await world.close(buyer, order.activation_id, ban=True)
    assert (await world.order(buyer, "telegram", country="US")).msisdn == american


async def test_of_very_many_bans_the_newest_hold(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activations, "BANS_MAX", 2)
    _, _, listed = await world.stocked(3, services=["whatsapp", "telegram"])
    buyer = await world.add_buyer()
    for _ in listed:
        order = await world.order(buyer)
        await world.close(buyer, order.activation_id, ban=True)
        world.clock.turn(1)
    assert (await world.order(buyer, "telegram")).msisdn == listed[0]
    assert (await refusal(world.order(buyer, "telegram"))).reason is Refused.NO_NUMBERS


async def test_a_refusal_names_no_ban(world: World) -> None:
    await world.stocked(1, services=["whatsapp", "telegram"])
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    await world.close(buyer, order.activation_id, ban=True)
    (result,) = await world.order_batch([world.order_command(buyer, "telegram")])
    assert isinstance(result, Refusal)
    assert (result.reason, result.facts) == (Refused.NO_NUMBERS, {})
