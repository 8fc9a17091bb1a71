"""Public numbers: what is published, who may not see what, and what is kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.messages.model import Fate, Receipt
from simyard.core.numbers import service as numbers
from simyard.core.public_numbers import service as public_numbers
from simyard.core.public_numbers.model import ListPublicMessages, PublicMessagePage, PublicNumber
from simyard.core.public_numbers.rules import mask_sender
from tests.world import World, reported

FICTITIOUS = "+447700900001"


async def publish(world: World, msisdn: str) -> None:
    async with world.database.transaction() as tx:
        await public_numbers.publish(tx, msisdn, actor="test", now=world.clock.now())


async def withdraw(world: World, msisdn: str) -> None:
    async with world.database.transaction() as tx:
        await public_numbers.withdraw(tx, msisdn, actor="test", now=world.clock.now())


async def countries(world: World) -> list[str]:
    async with world.database.transaction() as tx:
        return await public_numbers.list_countries(tx)


async def listed(world: World, country: str | None = None) -> list[PublicNumber]:
    async with world.database.transaction() as tx:
        return await public_numbers.list_numbers(tx, country)


async def page(
    world: World,
    number: int = 1,
    per_page: int = 10,
    *,
    country: str | None = None,
    msisdn: str | None = None,
) -> PublicMessagePage:
    async with world.database.transaction() as tx:
        return await public_numbers.list_messages(tx, ListPublicMessages(country, msisdn, number, per_page))


async def texts(world: World, **wanted: str) -> list[str]:
    return [message.text for message in (await page(world, **wanted)).messages]  # type: ignore[arg-type]


async def published(world: World, count: int = 1) -> tuple[AccountId, list[str]]:
    """A supplier whose numbers are public."""
    supplier, _, msisdns = await world.stocked(count)
    for msisdn in msisdns:
        await publish(world, msisdn)
    return supplier, msisdns


async def audited(world: World, action: str) -> int:
    return int(await world.value("SELECT count(*) FROM audit WHERE action = $1", action))


# Publishing


async def test_a_published_number_is_listed(world: World) -> None:
    _, (msisdn,) = await published(world)
    (number,) = await listed(world)
    assert (number.msisdn, number.country, number.published_at) == (msisdn, "GB", world.clock.now())
    assert number.last_message_at is None
    assert not number.archived
    assert await countries(world) == ["GB"]
    assert await listed(world, "GB") == [number]
    assert await listed(world, "SE") == []
    assert await audited(world, "number.published") == 1


async def test_publishing_again_changes_nothing(world: World) -> None:
    _, (msisdn,) = await published(world)
    before = await listed(world)
    world.clock.turn(60)
    await publish(world, msisdn)
    assert await listed(world) == before
    assert await audited(world, "number.published") == 1


async def test_an_unknown_number_is_refused(world: World) -> None:
    for verb in (publish, withdraw):
        with pytest.raises(Refusal) as caught:
            await verb(world, "+447500000000")
        assert caught.value.reason is Refused.UNKNOWN_NUMBER


async def test_a_number_that_was_ever_leased_is_refused(world: World) -> None:
    _, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    for _ in range(2):
        with pytest.raises(Refusal) as caught:
            await publish(world, msisdn)
        assert caught.value.reason is Refused.NUMBER_IN_USE
        if await world.value("SELECT lease_id FROM number") is not None:
            await world.cancel(buyer, order.activation_id)
    assert await listed(world) == []


async def test_a_number_that_was_ever_rented_is_refused(world: World) -> None:
    _, pool, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer()
    await world.rows(
        "INSERT INTO rental (account_id, pool_id, number_id, msisdn, country, state, auto_extend, currency,"
        " earning_currency, ordered_at, confirm_by, expires_at, closed_at)"
        " SELECT $1, $2, id, msisdn, country, 'canceled', false, 'USD', 'USD', now(), now() + interval '1 minute',"
        " now() + interval '1 day', now() FROM number",
        buyer,
        pool.id,
    )
    with pytest.raises(Refusal) as caught:
        await publish(world, msisdn)
    assert caught.value.reason is Refused.NUMBER_IN_USE


async def test_a_number_without_its_owners_consent_is_refused(world: World) -> None:
    supplier = await world.add_supplier()
    await world.add_direct_pool(supplier, consent=None)
    (msisdn,) = world.msisdns(1)
    await world.report(supplier, [msisdn])
    with pytest.raises(Refusal) as caught:
        await publish(world, msisdn)
    assert caught.value.reason is Refused.NO_CONSENT
    assert await listed(world) == []


async def test_a_fictitious_number_may_have_been_leased_but_not_now(world: World) -> None:
    await world.add_sandbox_pool([reported(FICTITIOUS)])
    await world.set_price("whatsapp", "1")
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    with pytest.raises(Refusal) as caught:
        await publish(world, FICTITIOUS)
    assert caught.value.reason is Refused.NUMBER_IN_USE
    await world.cancel(buyer, order.activation_id)
    await publish(world, FICTITIOUS)
    assert [number.msisdn for number in await listed(world)] == [FICTITIOUS]


async def test_a_public_number_is_never_leased_and_no_stock(world: World) -> None:
    _, pool, (msisdn, other) = await world.stocked(2)
    await world.take_stock()
    assert await world.stock("whatsapp", pool) == 2
    await publish(world, msisdn)
    await world.take_stock()
    assert await world.stock("whatsapp", pool) == 1
    buyer = await world.add_buyer()
    assert (await world.order(buyer)).msisdn == other
    with pytest.raises(Refusal) as caught:
        await world.order(buyer)
    assert caught.value.reason is Refused.NO_NUMBERS


async def test_publishing_and_ordering_at_once_give_one_of_the_two(world: World) -> None:
    for _ in range(10):
        _, _, (msisdn,) = await world.stocked(1)
        buyer = await world.add_buyer()
        outcomes = await asyncio.gather(publish(world, msisdn), world.order(buyer), return_exceptions=True)
        refused = [one for one in outcomes if isinstance(one, BaseException)]
        assert len(refused) == 1, outcomes
        assert isinstance(refused[0], Refusal)
        await world.assert_whole()


async def test_a_number_its_supplier_no_longer_lists_is_archived(world: World) -> None:
    supplier, (kept, gone) = await published(world, 2)
    await world.report(supplier, [kept])
    assert {one.msisdn: one.archived for one in await listed(world)} == {kept: False, gone: True}
    assert [one.msisdn for one in await listed(world)] == [kept, gone]


async def test_a_blocked_number_is_archived(world: World) -> None:
    _, (msisdn,) = await published(world)
    async with world.database.transaction() as tx:
        await numbers.set_blocked(tx, msisdn, blocked=True, actor="test", now=world.clock.now())
    assert [one.archived for one in await listed(world)] == [True]


async def test_nobody_else_can_take_a_public_number_over(world: World) -> None:
    supplier, (msisdn,) = await published(world)
    await world.report(supplier, [])
    other, _, _ = await world.stocked(1)
    assert (await world.report(other, [msisdn])).taken == {msisdn}
    with pytest.raises(Refusal) as caught:
        await world.receive(other, msisdn, "Your code is 123456")
    assert caught.value.reason is Refused.UNKNOWN_NUMBER


# Withdrawing


async def test_a_withdrawn_number_is_gone_with_its_messages_and_stays_off_sale(world: World) -> None:
    supplier, (msisdn,) = await published(world)
    await world.receive(supplier, msisdn, "Your code is 123456")
    await withdraw(world, msisdn)
    assert await listed(world) == []
    assert await countries(world) == []
    assert await world.rows("SELECT * FROM public_message") == []
    assert (await world.receive(supplier, msisdn, "Your code is 123457")).fate is Fate.NO_LEASE
    buyer = await world.add_buyer()
    with pytest.raises(Refusal) as caught:
        await world.order(buyer)
    assert caught.value.reason is Refused.NO_NUMBERS
    async with world.database.transaction() as tx:
        await numbers.set_blocked(tx, msisdn, blocked=False, actor="test", now=world.clock.now())
    assert (await world.order(buyer)).msisdn == msisdn


async def test_a_withdrawn_fictitious_number_is_sold_again(world: World) -> None:
    await world.add_sandbox_pool([reported(FICTITIOUS)])
    await world.set_price("whatsapp", "1")
    await publish(world, FICTITIOUS)
    await withdraw(world, FICTITIOUS)
    assert (await world.order(await world.add_buyer())).msisdn == FICTITIOUS


async def test_withdrawing_again_changes_nothing(world: World) -> None:
    _, (msisdn,) = await published(world)
    await withdraw(world, msisdn)
    await withdraw(world, msisdn)
    assert await audited(world, "number.withdrawn") == 1


# Messages


async def test_a_message_is_shown_with_its_sender_masked(world: World) -> None:
    supplier, (msisdn,) = await published(world)
    receipt = await world.receive(supplier, msisdn, "Your code is 123456", sender="+46701234567")
    assert receipt == Receipt(Fate.PUBLISHED)
    found = await page(world)
    (message,) = found.messages
    assert found.total == 1
    assert (message.msisdn, message.country, message.text) == (msisdn, "GB", "Your code is 123456")
    assert (message.sender, message.received_at) == ("***4567", world.clock.now())
    assert (await listed(world))[0].last_message_at == world.clock.now()


async def test_what_is_not_shown_is_not_kept(world: World) -> None:
    supplier, (msisdn,) = await published(world)
    await world.receive(supplier, msisdn, "Your code is 123456", sender="+46701234567")
    kept = await world.value("SELECT row_to_json(public_message)::text FROM public_message")
    assert "46701234567" not in kept


async def test_messages_of_prohibited_senders_are_counted_never_shown(world: World) -> None:
    supplier, (msisdn,) = await published(world)
    receipt = await world.receive(supplier, msisdn, "PayPal: 123456 is your security code", sender="PayPal")
    assert receipt.fate is Fate.PROHIBITED
    assert (await page(world)).total == 0
    assert await world.rows("SELECT reason, count FROM message_dropped") == [("prohibited", 1)]


async def test_a_message_of_nobody_known_and_without_a_code_is_shown(world: World) -> None:
    supplier, (msisdn,) = await published(world)
    await world.receive(supplier, msisdn, "Dinner is ready.", sender="Mum")
    assert await texts(world) == ["Dinner is ready."]


async def test_a_repeat_is_shown_once(world: World) -> None:
    supplier, (msisdn,) = await published(world)
    now = world.clock.now()
    assert (await world.receive(supplier, msisdn, "Hello", sent_at=now)).fate is Fate.PUBLISHED
    assert (await world.receive(supplier, msisdn, "Hello")).fate is Fate.REPEATED
    world.clock.turn(121)
    assert (await world.receive(supplier, msisdn, "Hello", sent_at=now)).fate is Fate.REPEATED
    assert (await world.receive(supplier, msisdn, "Hello", sender="Other")).fate is Fate.PUBLISHED
    later = await world.receive(supplier, msisdn, "Hello", sent_at=world.clock.now())
    assert later.fate is Fate.PUBLISHED
    assert (await page(world)).total == 3


async def test_a_repeat_within_a_batch_is_shown_once(world: World) -> None:
    supplier, (msisdn,) = await published(world)
    same = world.sms(supplier, msisdn, "Hello")
    results = await world.receive_batch([same, same, world.sms(supplier, msisdn, "Bye")])
    assert [one.fate for one in results if isinstance(one, Receipt)] == [
        Fate.PUBLISHED,
        Fate.REPEATED,
        Fate.PUBLISHED,
    ]
    assert await texts(world) == ["Bye", "Hello"]


async def test_the_same_message_handed_in_twice_at_once_is_shown_once(world: World) -> None:
    supplier, (msisdn,) = await published(world)
    for number in range(10):
        both = await asyncio.gather(
            world.receive(supplier, msisdn, f"Hello {number}"),
            world.receive(supplier, msisdn, f"Hello {number}"),
        )
        assert sorted(one.fate for one in both) == [Fate.PUBLISHED, Fate.REPEATED]


async def test_a_batch_serves_leases_and_public_numbers_alike(world: World) -> None:
    supplier, (public,) = await published(world)
    _, _, _ = await world.stocked(0)
    leased = world.msisdns(1)[0]
    await world.report(supplier, [public, leased])
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    results = await world.receive_batch(
        [
            world.sms(supplier, public, "123456 is your WhatsApp code"),
            world.sms(supplier, leased, "123456 is your WhatsApp code"),
            world.sms(supplier, "+447599999999", "123456 is your WhatsApp code"),
        ]
    )
    assert results[0] == Receipt(Fate.PUBLISHED)
    assert results[1] == Receipt(Fate.DELIVERED, order.activation_id)
    assert isinstance(results[2], Refusal)
    await world.assert_whole()


async def test_what_no_column_can_hold_is_replaced(world: World) -> None:
    supplier, (msisdn,) = await published(world)
    await world.receive(supplier, msisdn, "me\0example.com \ud800", sender="A\0B")
    assert await texts(world) == ["me\ufffdexample.com ?"]


async def test_pages_go_from_the_newest_to_the_oldest(world: World) -> None:
    supplier, (one, other) = await published(world, 2)
    for number in range(7):
        await world.receive(supplier, one if number % 2 else other, f"Text {number}")
    assert await texts(world) == [f"Text {number}" for number in (6, 5, 4, 3, 2, 1, 0)]
    first, second, third, beyond = [await page(world, number, 3) for number in (1, 2, 3, 4)]
    shown = [message.text for part in (first, second, third) for message in part.messages]
    assert shown == await texts(world)
    assert [len(part.messages) for part in (first, second, third, beyond)] == [3, 3, 1, 0]
    assert {part.total for part in (first, second, third, beyond)} == {7}
    assert await texts(world, msisdn=one) == ["Text 5", "Text 3", "Text 1"]
    assert (await page(world, msisdn=one)).total == 3
    assert (await page(world, 2, 2, msisdn=one)).messages[0].text == "Text 1"
    assert await texts(world, country="SE") == []
    assert len(await texts(world, country="GB")) == 7
    assert await texts(world, msisdn="+447599999999") == []


# What is kept


async def forget(world: World, limit: int = 100) -> int:
    async with world.database.transaction() as tx:
        before = world.clock.now() - timedelta(days=30)
        return await public_numbers.forget_messages(tx, before=before, limit=limit)


async def test_old_messages_are_dropped_a_slice_at_a_time(world: World) -> None:
    supplier, (msisdn,) = await published(world)
    for number in range(3):
        await world.receive(supplier, msisdn, f"Text {number}")
        world.clock.turn(1)
    world.clock.turn(timedelta(days=30).total_seconds() - 1)
    assert await forget(world, limit=1) == 1
    assert await forget(world) == 1
    assert await texts(world) == ["Text 2"]


async def test_what_recognises_repeats_is_dropped(world: World) -> None:
    supplier, (msisdn,) = await published(world)
    await world.receive(supplier, msisdn, "Hello")
    world.clock.turn(60)
    async with world.database.transaction() as tx:
        assert await public_numbers.forget_digests(tx, before=world.clock.now()) == 1
        assert await public_numbers.forget_digests(tx, before=world.clock.now()) == 0
    assert await world.value("SELECT digest FROM public_message") is None
    assert (await world.receive(supplier, msisdn, "Hello")).fate is Fate.PUBLISHED


# Masking


@pytest.mark.parametrize(
    ("sender", "masked"),
    [
        ("+46701234567", "***4567"),
        ("0701-234 567", "***4567"),
        ("72345", "***45"),
        ("7", "***"),
        ("WhatsApp", "Wh******"),
        ("Google", "Go****"),
        ("Mum", "M**"),
        ("X", "*"),
        ("", ""),
        ("Bank of Somewhere", "Ban**************"),
        ("٠٧٠١٢٣٤٥٦٧", "***٤٥٦٧"),
    ],
)
def test_senders_are_masked(sender: str, masked: str) -> None:
    assert mask_sender(sender) == masked


@given(st.text(min_size=1))
def test_most_of_a_sender_is_never_shown(sender: str) -> None:
    shown = mask_sender(sender).replace("*", "")
    assert len(shown) <= max(1, len(sender) // 2)
    assert len(shown) <= 4
