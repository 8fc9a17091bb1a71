"""SMS that come in for rentals: any sender but the prohibited, each once."""

from __future__ import annotations

import pytest

from simyard.core.messages.model import Fate, Receipt
from simyard.core.messages.rules import Verdict, judge_any
from simyard.core.rentals.machine import State
from tests.world import World, code_text

BANK = "Your OTP for HDFC Bank login is 482913. Do not share it."


@pytest.mark.parametrize(
    ("sender", "text", "code"),
    [
        ("WhatsApp", "Your WhatsApp code: 847-291", "847291"),
        ("Telegram", "Telegram code 12345", "12345"),
        ("+447700900123", "See you at noon", None),
        ("Shop", "Your order is on its way.", None),
        ("", "", None),
    ],
)
async def test_a_rental_takes_any_sender(world: World, sender: str, text: str, code: str | None) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer()
    rental = await world.rent(buyer)
    receipt = await world.receive(supplier, rental.msisdn, text, sender=sender)
    assert receipt == Receipt(Fate.DELIVERED, rental.id)
    ((message,),) = [view.messages for view in await world.look_at_rentals(buyer, rental.id)]
    assert (message.sender, message.text, message.code) == (sender, text, code)
    assert await world.value("SELECT count(*) FROM misuse") == 0
    await world.assert_whole()


async def test_a_prohibited_sender_is_dropped_and_does_not_confirm(world: World) -> None:
    supplier, pool, _ = await world.rentable(1)
    buyer = await world.add_buyer()
    rental = await world.rent(buyer)
    assert await world.receive(supplier, rental.msisdn, BANK, sender="HDFCBK") == Receipt(Fate.PROHIBITED)
    assert (await world.rental(buyer, rental.id)).state is State.WAITING
    assert await world.value("SELECT count(*) FROM message") == 0
    facts = await world.value("SELECT facts FROM audit WHERE action = 'message.prohibited'")
    assert facts == {"lease_id": rental.id, "pool_id": pool.id}
    assert await world.rows("SELECT reason, count FROM message_dropped") == [("prohibited", 1)]
    await world.assert_whole()


async def test_a_permitted_prohibited_sender_is_delivered_to_whom_it_is_permitted(world: World) -> None:
    supplier, _, _ = await world.rentable(2)
    permitted, other = await world.add_buyer(), await world.add_buyer()
    await world.permit(permitted, "revolut")
    fates = []
    for buyer in (permitted, other):
        rental = await world.rent(buyer)
        text = "Your Revolut verification code is 123456"
        fates.append((await world.receive(supplier, rental.msisdn, text, sender="Revolut")).fate)
        fates.append((await world.receive(supplier, rental.msisdn, BANK, sender="HDFCBK")).fate)
    assert fates == [Fate.DELIVERED, Fate.PROHIBITED, Fate.PROHIBITED, Fate.PROHIBITED]


async def test_a_repeat_is_recognised(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer()
    rental = await world.rent(buyer)
    batch = [world.sms(supplier, rental.msisdn, "Hello"), world.sms(supplier, rental.msisdn, "Hello")]
    first, twin = await world.receive_batch(batch)
    assert (first, twin) == (Receipt(Fate.DELIVERED, rental.id), Receipt(Fate.REPEATED, rental.id))
    world.clock.turn(60)
    assert (await world.receive(supplier, rental.msisdn, "Hello")).fate is Fate.REPEATED
    world.clock.turn(121)
    assert (await world.receive(supplier, rental.msisdn, "Hello")).fate is Fate.DELIVERED
    assert (await world.rental(buyer, rental.id)).messages == 2
    await world.assert_whole()


async def test_a_batch_goes_to_leases_of_both_kinds(world: World) -> None:
    supplier, pool, listed = await world.rentable(4)
    await world.set_price("whatsapp", "1", pool=pool)
    buyers = await world.add_buyers(2)
    rentals = [await world.rent(buyer) for buyer in buyers]
    orders = [await world.order(buyer) for buyer in reversed(buyers)]
    receipts = await world.receive_batch(
        [
            world.sms(supplier, rentals[0].msisdn, "Hello"),
            world.sms(supplier, orders[0].msisdn, code_text("whatsapp", "111222")),
            world.sms(supplier, rentals[1].msisdn, code_text("telegram", "333444")),
            world.sms(supplier, orders[1].msisdn, code_text("telegram", "555666")),
            world.sms(supplier, rentals[0].msisdn, "Hello again"),
        ]
    )
    assert receipts == [
        Receipt(Fate.DELIVERED, rentals[0].id),
        Receipt(Fate.DELIVERED, orders[0].activation_id),
        Receipt(Fate.DELIVERED, rentals[1].id),
        Receipt(Fate.OTHER_SERVICE),
        Receipt(Fate.DELIVERED, rentals[0].id),
    ]
    assert len(listed) == 4
    assert (await world.rental(buyers[0], rentals[0].id)).messages == 2
    await world.assert_whole()


async def test_a_number_keeps_no_memory_of_its_last_lease(world: World) -> None:
    """The same text to the next renter of a number is no repeat."""
    supplier, _, _ = await world.rentable(1)
    for _ in range(2):
        buyer = await world.add_buyer()
        rental = await world.rent(buyer)
        assert (await world.receive(supplier, rental.msisdn, "Hello")).fate is Fate.DELIVERED
        await world.close_rental(buyer, rental.id)


def test_the_code_is_read_by_the_service_a_message_names() -> None:
    judgement = judge_any("G-123456 is your Google verification code.", sender="Google")
    assert (judgement.verdict, judgement.service) == (Verdict.DELIVER, "google")
    assert judgement.extraction.code is not None


@pytest.mark.parametrize(
    "text",
    [
        "123456 is your code for online banking",
        "Код 4512 для входа в Сбербанк Онлайн",
        "Your code from My Bank",
    ],
)
def test_a_bank_nobody_knows_by_name_is_prohibited_too(text: str) -> None:
    assert judge_any(text, sender="+15550100").verdict is Verdict.PROHIBITED


def test_what_nobody_knows_is_delivered_without_a_service() -> None:
    judgement = judge_any("Hi!", sender="+447700900000")
    assert (judgement.verdict, judgement.service, judgement.extraction.code) == (Verdict.DELIVER, None, None)
