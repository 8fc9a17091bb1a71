"""Looking at activations with their messages: one by its id, or all that are open."""

from __future__ import annotations

from simyard.base.ids import ActivationId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations.machine import State
from simyard.core.activations.model import ActivationView, LookAtActivations
from simyard.core.lanes import Lanes
from tests.world import ACTIVATION_SECONDS, World, code_text, micros, service_id


async def test_what_is_open_is_shown_oldest_first_and_nothing_else(world: World) -> None:
    await world.stocked(4)
    buyer, other = await world.add_buyers(2)
    orders = [await world.order(buyer) for _ in range(3)]
    await world.order(other)
    await world.cancel(buyer, orders[1].activation_id)
    assert [view.id for view in await world.look(buyer)] == [
        orders[0].activation_id,
        orders[2].activation_id,
    ]


async def test_an_account_without_open_activations_sees_none(world: World) -> None:
    await world.stocked(1)
    buyer = await world.add_buyer()
    assert await world.look(buyer) == ()
    order = await world.order(buyer)
    await world.cancel(buyer, order.activation_id)
    assert await world.look(buyer) == ()


async def test_every_field_of_a_view_tells_what_happened(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1, price="1.25")
    buyer = await world.add_buyer()
    began = world.clock.now()
    order = await world.order(buyer, label="wa")
    world.clock.turn(5)
    text = code_text("whatsapp", "123456")
    await world.receive(supplier, msisdn, text, sender="WhatsApp")
    received = world.clock.now()
    world.clock.turn(5)
    await world.finish(buyer, order.activation_id)
    (view,) = await world.look(buyer, order.activation_id)
    (message,) = view.messages
    assert view == ActivationView(
        id=order.activation_id,
        service_id=service_id("whatsapp"),
        service_label="wa",
        country="GB",
        msisdn=msisdn,
        state=State.FINISHED,
        code="123456",
        price=micros("1.25"),
        currency="USD",
        ordered_at=began,
        expires_at=order.expires_at,
        received_at=received,
        closed_at=world.clock.now(),
        messages=(message,),
    )
    assert (message.sender, message.text, message.code) == ("WhatsApp", text, "123456")
    assert message.received_at == received


async def test_messages_that_were_not_dismissed_are_shown_oldest_first(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    for code in ("111111", "222222", "333333"):
        await world.receive(supplier, msisdn, code_text("whatsapp", code))
    (view,) = await world.look(buyer)
    assert [message.code for message in view.messages] == ["111111", "222222", "333333"]
    await world.request_next(buyer, order.activation_id)
    (view,) = await world.look(buyer, order.activation_id)
    assert [message.code for message in view.messages] == ["222222", "333333"]
    assert (view.state, view.code) == (State.RECEIVED, "222222")


async def test_a_message_whose_text_was_erased_is_shown_without_it(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer()
    await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "111111"))
    async with world.database.transaction() as tx:
        await tx.execute("UPDATE message SET body = NULL, sender = ''")
    ((message,),) = [view.messages for view in await world.look(buyer)]
    assert (message.text, message.code) == (None, "111111")


async def test_a_closed_activation_is_shown_by_its_id_only(world: World) -> None:
    await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    world.clock.turn(ACTIVATION_SECONDS)
    await world.expire()
    (view,) = await world.look(buyer, order.activation_id)
    assert (view.state, view.closed_at, view.messages) == (State.EXPIRED, world.clock.now(), ())
    assert await world.look(buyer) == ()


async def test_an_unknown_and_a_foreign_id_are_refused_alike(world: World) -> None:
    await world.stocked(1)
    mine, other = await world.add_buyers(2)
    order = await world.order(mine)
    results = await world.look_batch(
        [LookAtActivations(other, order.activation_id), LookAtActivations(mine, ActivationId(1))]
    )
    assert [isinstance(result, Refusal) and result.reason for result in results] == [
        Refused.UNKNOWN_LEASE,
        Refused.UNKNOWN_LEASE,
    ]


async def test_a_batch_answers_each_in_its_place(world: World) -> None:
    supplier, _, _ = await world.stocked(3)
    first, second = await world.add_buyers(2)
    orders = [await world.order(first), await world.order(first), await world.order(second)]
    await world.receive(supplier, orders[0].msisdn, code_text("whatsapp", "111111"))
    await world.receive(supplier, orders[0].msisdn, code_text("whatsapp", "222222"))
    ids = [order.activation_id for order in orders]
    results = await world.look_batch(
        [
            LookAtActivations(second),
            LookAtActivations(first, ids[2]),
            LookAtActivations(first),
            LookAtActivations(first, ids[0]),
            LookAtActivations(first),
        ]
    )
    shown = [
        result.reason if isinstance(result, Refusal) else [(view.id, len(view.messages)) for view in result]
        for result in results
    ]
    assert shown == [
        [(ids[2], 0)],
        Refused.UNKNOWN_LEASE,
        [(ids[0], 2), (ids[1], 0)],
        [(ids[0], 2)],
        [(ids[0], 2), (ids[1], 0)],
    ]


async def test_no_more_than_a_hundred_messages_of_one_activation_are_shown(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer()
    await world.order(buyer)
    texts = [code_text("whatsapp", str(100_000 + place)) for place in range(101)]
    await world.receive_batch([world.sms(supplier, msisdn, text) for text in texts])
    (view,) = await world.look(buyer)
    assert [message.text for message in view.messages] == texts[:100]


async def test_the_lane_answers_like_the_verb(world: World) -> None:
    await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    lanes = Lanes(world.database, world.database, slots=1, batch_max=8, queue_max=8)
    try:
        assert await lanes.look(LookAtActivations(buyer)) == await world.look(buyer, order.activation_id)
    finally:
        await lanes.close()
