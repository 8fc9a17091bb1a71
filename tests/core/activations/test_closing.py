"""Cancelling, finishing, asking for the next message, and running out of time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from simyard.base.ids import AccountId, ActivationId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations import service as activations
from simyard.core.activations.machine import State
from simyard.core.messages.model import Fate
from tests.world import ACTIVATION_SECONDS, World, code_text, micros

Act: TypeAlias = Callable[[World, AccountId, ActivationId], Awaitable[object]]


async def refusal(acting: Awaitable[object]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await acting
    return caught.value


async def state(world: World, activation_id: ActivationId) -> State:
    return State(await world.value("SELECT state FROM activation WHERE id = $1", activation_id))


async def moved(world: World) -> int:
    return int(await world.value("SELECT count(*) FROM transfer"))


# Cancel


async def test_a_cancel_releases_the_price_and_the_number(world: World) -> None:
    await world.stocked(1, services=["whatsapp", "telegram"], price="1.25")
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    closed = await world.cancel(buyer, order.activation_id)
    assert (closed.state, closed.refunded, closed.currency) == (State.CANCELED, micros("1.25"), "USD")
    assert closed.available == micros("10")
    balance = await world.balance(buyer)
    assert (balance.available, balance.held) == (micros("10"), 0)
    assert (await world.order(buyer, "telegram")).msisdn == order.msisdn
    await world.assert_whole()


async def test_a_cancel_before_the_lock_ends_is_refused_with_the_seconds_left(world: World) -> None:
    await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    for turned, left in ((0.0, 180), (0.5, 180), (59.5, 120), (119.75, 1)):
        world.clock.turn(turned)
        refused = await refusal(world.cancel(buyer, order.activation_id, locked_seconds=180))
        assert (refused.reason, refused.facts) == (Refused.TOO_EARLY, {"seconds": left})
    world.clock.turn(0.25)
    await world.cancel(buyer, order.activation_id, locked_seconds=180)


async def test_no_cancel_is_too_early_once_time_ran_out(world: World) -> None:
    await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer, seconds=60)
    world.clock.turn(59)
    refused = await refusal(world.cancel(buyer, order.activation_id, locked_seconds=180))
    assert refused.reason is Refused.TOO_EARLY
    world.clock.turn(1)
    assert (await world.cancel(buyer, order.activation_id, locked_seconds=180)).state is State.CANCELED


async def test_a_cancel_after_the_sms_is_refused_with_the_code(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer("10")
    order = await world.order(buyer, label="wa")
    await world.receive(supplier, msisdn, code_text("whatsapp", "123456"))
    refused = await refusal(world.cancel(buyer, order.activation_id, locked_seconds=180))
    assert refused.reason is Refused.CODE_RECEIVED
    assert refused.facts == {
        "activation_id": order.activation_id,
        "msisdn": msisdn,
        "service_label": "wa",
        "state": State.RECEIVED,
        "code": "123456",
    }
    assert (await world.balance(buyer)).available == micros("9")


async def test_a_cancel_of_a_finished_activation_is_refused_with_the_code(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "123456"))
    await world.finish(buyer, order.activation_id)
    refused = await refusal(world.cancel(buyer, order.activation_id))
    assert (refused.reason, refused.facts["code"]) == (Refused.CODE_RECEIVED, "123456")


async def test_a_repeated_cancel_moves_nothing_and_tells_what_was_given_back(world: World) -> None:
    await world.stocked(2, price="2")
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    await world.cancel(buyer, order.activation_id)
    await world.order(buyer)
    before = await moved(world)
    refused = await refusal(world.cancel(buyer, order.activation_id, locked_seconds=180))
    assert refused.reason is Refused.LEASE_CLOSED
    assert refused.facts == {
        "activation_id": order.activation_id,
        "state": State.CANCELED,
        "refunded": micros("2"),
        "currency": "USD",
        "available": micros("8"),
    }
    assert await moved(world) == before
    await world.assert_whole()


async def test_a_cancel_of_an_expired_activation_is_refused(world: World) -> None:
    await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    world.clock.turn(ACTIVATION_SECONDS)
    await world.expire()
    refused = await refusal(world.cancel(buyer, order.activation_id))
    assert (refused.reason, refused.facts["state"]) == (Refused.LEASE_CLOSED, State.EXPIRED)


async def test_a_cancel_while_the_next_message_is_awaited_finishes_without_a_refund(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "123456"))
    await world.request_next(buyer, order.activation_id)
    closed = await world.cancel(buyer, order.activation_id, locked_seconds=180)
    assert (closed.state, closed.refunded, closed.available) == (State.FINISHED, 0, micros("9"))
    await world.assert_whole()


# Finish


async def test_a_finish_closes_what_has_received_and_frees_the_number(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1, services=["whatsapp", "telegram"])
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "123456"))
    closed = await world.finish(buyer, order.activation_id)
    assert (closed.state, closed.refunded, closed.available) == (State.FINISHED, 0, micros("9"))
    assert (await world.check(buyer, order.activation_id)).code == "123456"
    assert (await world.order(buyer, "telegram")).msisdn == msisdn
    await world.assert_whole()


async def test_a_finish_before_any_message_is_refused(world: World) -> None:
    await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    refused = await refusal(world.finish(buyer, order.activation_id))
    assert (refused.reason, refused.facts["state"]) == (Refused.LEASE_CLOSED, State.WAITING)


async def test_a_repeated_finish_is_refused_and_moves_nothing(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "123456"))
    await world.finish(buyer, order.activation_id)
    before = await moved(world)
    assert (await refusal(world.finish(buyer, order.activation_id))).reason is Refused.LEASE_CLOSED
    assert await moved(world) == before


# The next message


async def test_the_next_message_replaces_the_code_and_costs_nothing(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "111111"))
    await world.request_next(buyer, order.activation_id)
    waiting = await world.check(buyer, order.activation_id)
    assert waiting.state is State.WAITING_AGAIN
    await world.receive(supplier, msisdn, code_text("whatsapp", "222222"))
    received = await world.check(buyer, order.activation_id)
    assert (received.state, received.code) == (State.RECEIVED, "222222")
    assert (await world.balance(buyer)).available == micros("9")
    await world.assert_whole()


async def test_without_asking_for_the_next_the_first_code_stays(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    for code in ("111111", "222222"):
        await world.receive(supplier, msisdn, code_text("whatsapp", code))
    seen = await world.check(buyer, order.activation_id)
    assert (seen.state, seen.code) == (State.RECEIVED, "111111")
    assert await world.value("SELECT count(*) FROM message") == 2
    await world.assert_whole()


async def test_dismissing_shows_what_is_queued_then_waits(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    for code in ("111111", "222222", "333333"):
        await world.receive(supplier, msisdn, code_text("whatsapp", code))
    for code in ("222222", "333333"):
        await world.request_next(buyer, order.activation_id)
        seen = await world.check(buyer, order.activation_id)
        assert (seen.state, seen.code) == (State.RECEIVED, code)
        await world.assert_whole()
    await world.request_next(buyer, order.activation_id)
    seen = await world.check(buyer, order.activation_id)
    assert (seen.state, seen.code) == (State.WAITING_AGAIN, "333333")
    assert (await world.balance(buyer)).available == micros("9")
    await world.assert_whole()


async def test_the_code_of_a_queue_is_the_first_that_was_read(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    for text in (code_text("whatsapp", "111111"), "Welcome to WhatsApp!", code_text("whatsapp", "222222")):
        await world.receive(supplier, msisdn, text)
    await world.request_next(buyer, order.activation_id)
    assert (await world.check(buyer, order.activation_id)).code == "222222"
    await world.assert_whole()


async def test_a_message_without_a_code_takes_the_old_code_away_and_a_later_one_fills_it_in(
    world: World,
) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "111111"))
    await world.request_next(buyer, order.activation_id)
    await world.receive(supplier, msisdn, "Welcome to WhatsApp!")
    seen = await world.check(buyer, order.activation_id)
    assert (seen.state, seen.code) == (State.RECEIVED, None)
    await world.receive(supplier, msisdn, code_text("whatsapp", "222222"))
    assert (await world.check(buyer, order.activation_id)).code == "222222"
    await world.assert_whole()


async def test_messages_of_one_batch_queue_up_behind_the_awaited_one(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "111111"))
    await world.request_next(buyer, order.activation_id)
    texts = ("Welcome to WhatsApp!", code_text("whatsapp", "222222"), code_text("whatsapp", "333333"))
    await world.receive_batch([world.sms(supplier, msisdn, text) for text in texts])
    assert (await world.check(buyer, order.activation_id)).code == "222222"
    await world.assert_whole()


async def test_asking_twice_for_the_next_message_is_a_success(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "111111"))
    await world.request_next(buyer, order.activation_id)
    await world.request_next(buyer, order.activation_id)
    assert await state(world, order.activation_id) is State.WAITING_AGAIN


async def test_asking_for_the_next_message_before_the_first_is_refused(world: World) -> None:
    await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    refused = await refusal(world.request_next(buyer, order.activation_id))
    assert refused.reason is Refused.LEASE_CLOSED


async def test_what_was_asked_for_again_can_be_finished(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "111111"))
    await world.request_next(buyer, order.activation_id)
    assert (await world.finish(buyer, order.activation_id)).state is State.FINISHED


# Whose it is


async def _cancel(world: World, account_id: AccountId, activation_id: ActivationId) -> object:
    return await world.cancel(account_id, activation_id)


async def _finish(world: World, account_id: AccountId, activation_id: ActivationId) -> object:
    return await world.finish(account_id, activation_id)


async def _request_next(world: World, account_id: AccountId, activation_id: ActivationId) -> object:
    await world.request_next(account_id, activation_id)
    return None


@pytest.mark.parametrize("act", [_cancel, _finish, _request_next], ids=["cancel", "finish", "next"])
async def test_another_accounts_activation_cannot_be_acted_on(world: World, act: Act) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    mine, other = await world.add_buyers(2)
    order = await world.order(mine)
    await world.receive(supplier, msisdn, code_text("whatsapp", "111111"))
    assert (await refusal(act(world, other, order.activation_id))).reason is Refused.UNKNOWN_LEASE
    assert (await refusal(act(world, mine, ActivationId(1)))).reason is Refused.UNKNOWN_LEASE
    assert await state(world, order.activation_id) is State.RECEIVED


# Time


async def test_an_activation_expires_at_its_time_and_not_before(world: World) -> None:
    await world.stocked(1, price="2")
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    world.clock.turn(ACTIVATION_SECONDS - 0.001)
    assert await world.expire() == 0
    world.clock.turn(0.001)
    assert await world.expire() == 1
    assert await state(world, order.activation_id) is State.EXPIRED
    balance = await world.balance(buyer)
    assert (balance.available, balance.held) == (micros("10"), 0)
    assert await world.expire() == 0
    await world.assert_whole()


@pytest.mark.parametrize("again", [False, True], ids=["received", "waiting again"])
async def test_what_has_received_is_finished_when_its_time_runs_out(world: World, again: bool) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "111111"))
    if again:
        await world.request_next(buyer, order.activation_id)
    world.clock.turn(ACTIVATION_SECONDS)
    assert await world.expire() == 1
    assert await state(world, order.activation_id) is State.FINISHED
    assert (await world.balance(buyer)).available == micros("9")
    await world.assert_whole()


async def test_expiry_takes_the_oldest_first_up_to_its_limit(world: World) -> None:
    await world.stocked(3)
    buyer = await world.add_buyer()
    orders = [await world.order(buyer, seconds=seconds) for seconds in (30, 10, 20)]
    world.clock.turn(60)
    assert await world.expire(limit=2) == 2
    assert [await state(world, order.activation_id) for order in orders] == [
        State.WAITING,
        State.EXPIRED,
        State.EXPIRED,
    ]


async def test_two_workers_that_expire_at_once_move_the_money_once(world: World) -> None:
    await world.stocked(50, price="1")
    buyer = await world.add_buyer("50")
    await world.order_batch([world.order_command(buyer) for _ in range(50)])
    world.clock.turn(ACTIVATION_SECONDS)
    await asyncio.gather(*(world.expire(limit=30) for _ in range(4)))
    while await world.expire(limit=30):
        pass
    assert await world.rows("SELECT state, count(*) FROM activation GROUP BY 1") == [("expired", 50)]
    assert (await world.balance(buyer)).available == micros("50")
    await world.assert_whole()


async def test_an_sms_and_expiry_at_the_same_moment_agree(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    world.clock.turn(ACTIVATION_SECONDS)
    async with world.database.transaction() as tx:
        await activations._lock(tx, world.acting(buyer, order.activation_id))
        expiring = asyncio.create_task(world.expire())
        delivering = asyncio.create_task(world.receive(supplier, msisdn, code_text("whatsapp", "111111")))
        while (
            await world.value(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
        ) < 2:
            pass
    await expiring
    receipt = await delivering
    # Both orders of events are truthful; what counts is that they agree.
    if receipt.fate is Fate.DELIVERED:
        assert await state(world, order.activation_id) in {State.RECEIVED, State.FINISHED}
    else:
        assert receipt.fate is Fate.NO_LEASE
        assert await state(world, order.activation_id) is State.EXPIRED
    await world.assert_whole()
