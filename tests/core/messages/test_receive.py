"""Taking SMS in: whose a message is, what becomes of it, and what is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations.machine import State
from simyard.core.activations.model import Order
from simyard.core.messages import service as messages
from simyard.core.messages.model import Fate, IncomingMessage, Receipt
from simyard.core.pools.model import Pool
from tests.world import ACTIVATION_SECONDS, World, code_text, micros

CODE = code_text("whatsapp", "123456")
OTHER = "482913 is your Telegram login code"
BANK = "Your HDFC Bank OTP is 482913 for the transaction of INR 500"
NOTHING = "hello, how are you today"


class Scene:
    """One supplier, one number, one buyer who waits for a WhatsApp code on it."""

    def __init__(self, world: World, supplier: AccountId, pool: Pool, buyer: AccountId, order: Order) -> None:
        self.world = world
        self.supplier = supplier
        self.pool = pool
        self.buyer = buyer
        self.order = order

    async def receive(self, text: str = CODE, **given: object) -> Fate:
        sender = str(given.get("sender", "Verify"))
        receipt = await self.world.receive(
            self.supplier, self.order.msisdn, text, sender=sender, sent_at=given.get("sent_at")
        )
        return receipt.fate

    async def kept(self) -> int:
        return int(await self.world.value("SELECT count(*) FROM message"))

    async def dropped(self) -> dict[str, int]:
        rows = await self.world.rows(
            "SELECT reason, count FROM message_dropped WHERE pool_id = $1 AND day = $2",
            self.pool.id,
            self.world.clock.now().date(),
        )
        return dict(rows)


@pytest.fixture
async def scene(world: World) -> Scene:
    supplier, pool, _ = await world.stocked(1)
    buyer = await world.add_buyer("10")
    return Scene(world, supplier, pool, buyer, await world.order(buyer))


async def test_a_message_of_the_ordered_service_is_delivered_with_its_code(scene: Scene) -> None:
    assert await scene.receive() is Fate.DELIVERED
    seen = await scene.world.check(scene.buyer, scene.order.activation_id)
    assert (seen.state, seen.code, seen.received_at) == (
        State.RECEIVED,
        "123456",
        scene.world.clock.now(),
    )
    assert await scene.world.rows("SELECT sender, body, code FROM message") == [("Verify", CODE, "123456")]
    assert (await scene.world.balance(scene.buyer)).held == 0
    await scene.world.assert_whole()


async def test_a_number_is_named_by_itself_or_by_our_id(scene: Scene) -> None:
    number_id = await scene.world.number_id(scene.order.msisdn)
    now = scene.world.clock.now()
    (receipt,) = await scene.world.receive_batch(
        [IncomingMessage(scene.supplier, None, number_id, "WhatsApp", CODE, None, now)]
    )
    assert receipt == Receipt(Fate.DELIVERED, scene.order.activation_id)


async def test_a_number_the_supplier_never_reported_is_refused(scene: Scene) -> None:
    other = await scene.world.add_supplier()
    for supplier, msisdn in (
        (scene.supplier, "+4470000"),
        (other, scene.order.msisdn),
        (None, scene.order.msisdn),
    ):
        with pytest.raises(Refusal) as caught:
            await scene.world.receive(supplier, msisdn, CODE)
        assert caught.value.reason is Refused.UNKNOWN_NUMBER
    assert await scene.kept() == 0


# Repeats


async def test_the_same_message_again_is_a_repeat_and_changes_nothing(scene: Scene) -> None:
    world = scene.world
    await scene.receive()
    before = await world.rows("SELECT * FROM transfer"), await world.rows("SELECT * FROM activation")
    world.clock.turn(30)
    receipt = await world.receive(scene.supplier, scene.order.msisdn, CODE)
    assert receipt == Receipt(Fate.REPEATED, scene.order.activation_id)
    assert (
        await world.rows("SELECT * FROM transfer"),
        await world.rows("SELECT * FROM activation"),
    ) == before
    assert await scene.kept() == 1


async def test_within_two_minutes_the_same_text_is_a_repeat_whatever_its_date(scene: Scene) -> None:
    clock = scene.world.clock
    assert await scene.receive(sent_at=clock.now()) is Fate.DELIVERED
    clock.turn(120)
    assert await scene.receive(sent_at=clock.now()) is Fate.REPEATED
    assert await scene.receive() is Fate.REPEATED
    clock.turn(0.001)
    assert await scene.receive(sent_at=clock.now()) is Fate.DELIVERED
    await scene.world.assert_whole()


async def test_after_two_minutes_the_same_text_without_a_date_is_a_new_message(scene: Scene) -> None:
    assert await scene.receive() is Fate.DELIVERED
    scene.world.clock.turn(121)
    assert await scene.receive() is Fate.DELIVERED


async def test_the_same_date_makes_it_a_repeat_however_late(scene: Scene) -> None:
    sent = scene.world.clock.now()
    assert await scene.receive(sent_at=sent) is Fate.DELIVERED
    scene.world.clock.turn(600)
    assert await scene.receive(sent_at=sent) is Fate.REPEATED


async def test_another_text_or_sender_is_another_message(scene: Scene) -> None:
    assert await scene.receive() is Fate.DELIVERED
    assert await scene.receive(code_text("whatsapp", "123457")) is Fate.DELIVERED
    assert await scene.receive(sender="WhatsApp") is Fate.DELIVERED


async def test_repeats_within_one_batch_are_recognised(scene: Scene) -> None:
    sms = scene.world.sms(scene.supplier, scene.order.msisdn, CODE)
    receipts = await scene.world.receive_batch([sms, sms, sms])
    fates = [receipt.fate for receipt in receipts if isinstance(receipt, Receipt)]
    assert fates == [Fate.DELIVERED, Fate.REPEATED, Fate.REPEATED]
    await scene.world.assert_whole()


async def test_the_same_text_for_the_next_lease_of_a_number_is_no_repeat(world: World) -> None:
    supplier, _, _ = await world.stocked(1, services=["facebook", "meta"])
    text = "123456 is your Facebook confirmation code"
    buyer = await world.add_buyer()
    for slug in ("facebook", "meta"):
        order = await world.order(buyer, slug)
        assert (await world.receive(supplier, order.msisdn, text)).fate is Fate.DELIVERED
        await world.finish(buyer, order.activation_id)


class Twice(NamedTuple):
    """One number, and what its supplier hands in while its first and its second renter have it."""

    world: World
    supplier: AccountId
    msisdn: str

    async def receive(self, text: str = "Hello", *, sent_at: datetime | None, sender: str = "Jane") -> Fate:
        return (
            await self.world.receive(self.supplier, self.msisdn, text, sender=sender, sent_at=sent_at)
        ).fate

    async def next_renter(self) -> None:
        """The renter of now gives the number back, and another one gets it."""
        for account_id, lease_id in await self.world.rows("SELECT account_id, id FROM rental WHERE is_open"):
            await self.world.close_rental(account_id, lease_id)
        await self.world.rent(await self.world.add_buyer())

    async def seen_by_renter(self) -> list[str]:
        rows = await self.world.rows(
            "SELECT body FROM message JOIN rental ON rental.id = rental_id WHERE is_open ORDER BY message.id"
        )
        return [body for (body,) in rows]


@pytest.fixture
async def twice(world: World) -> Twice:
    supplier, _, (msisdn,) = await world.rentable(1)
    # A time with seconds, as nearly all are.
    world.clock.turn(17)
    rented = Twice(world, supplier, msisdn)
    await rented.next_renter()
    return rented


@pytest.mark.parametrize("clock_off", [timedelta(0), timedelta(hours=8), timedelta(hours=-12)])
async def test_an_old_message_handed_in_again_does_not_reach_the_next_lease(
    twice: Twice, clock_off: timedelta
) -> None:
    """Whatever zone the supplier's clock is in."""
    sent = twice.world.clock.now() + clock_off
    assert await twice.receive(sent_at=sent) is Fate.DELIVERED
    for _ in range(2):
        await twice.next_renter()
        twice.world.clock.turn(7200)
        assert await twice.receive(sent_at=sent) is Fate.REPEATED
        assert await twice.seen_by_renter() == []
    assert await twice.world.value("SELECT count(*) FROM rental WHERE state = 'active'") == 0
    await twice.world.assert_whole()


async def test_a_message_of_before_the_lease_that_was_never_seen_is_delivered(twice: Twice) -> None:
    """It may be new, and the clock wrong."""
    old = twice.world.clock.now() - timedelta(hours=5)
    await twice.next_renter()
    assert await twice.receive(sent_at=old) is Fate.DELIVERED


@pytest.mark.parametrize(
    "sent_at",
    [
        None,
        datetime(2026, 3, 1, tzinfo=UTC),
        datetime(2026, 3, 1, 11, 59, tzinfo=UTC),
        datetime(2004, 1, 1, 0, 0, 1, tzinfo=UTC),
    ],
    ids=["none", "a day", "a minute", "a clock that was never set"],
)
async def test_a_time_that_tells_nothing_apart_costs_the_next_lease_no_message(
    twice: Twice, sent_at: datetime | None
) -> None:
    assert await twice.receive(sent_at=sent_at) is Fate.DELIVERED
    await twice.next_renter()
    assert await twice.receive(sent_at=sent_at) is Fate.DELIVERED
    assert await twice.seen_by_renter() == ["Hello"]


async def test_another_time_text_sender_or_number_is_another_message(twice: Twice) -> None:
    sent = twice.world.clock.now()
    assert await twice.receive(sent_at=sent) is Fate.DELIVERED
    await twice.next_renter()
    assert await twice.receive("Hello!", sent_at=sent) is Fate.DELIVERED
    assert await twice.receive(sent_at=sent, sender="Joe") is Fate.DELIVERED
    assert await twice.receive(sent_at=sent + timedelta(seconds=1)) is Fate.DELIVERED
    supplier, _, (msisdn,) = await twice.world.rentable(1)
    rental = await twice.world.rent(await twice.world.add_buyer())
    assert rental.msisdn == msisdn
    other = await twice.world.receive(supplier, msisdn, "Hello", sender="Jane", sent_at=sent)
    assert other.fate is Fate.DELIVERED


async def test_what_was_turned_away_before_is_old_for_the_next_lease_too(world: World) -> None:
    supplier, _, _ = await world.stocked(1, services=["whatsapp", "telegram"])
    buyer = await world.add_buyer()
    world.clock.turn(17)
    order, sent = await world.order(buyer, "whatsapp"), world.clock.now()
    receipt = await world.receive(supplier, order.msisdn, OTHER, sender="Telegram", sent_at=sent)
    assert receipt.fate is Fate.OTHER_SERVICE
    await world.cancel(buyer, order.activation_id)
    order = await world.order(buyer, "telegram")
    receipt = await world.receive(supplier, order.msisdn, OTHER, sender="Telegram", sent_at=sent)
    assert receipt.fate is Fate.REPEATED
    assert (await world.check(buyer, order.activation_id)).state is State.WAITING
    await world.assert_whole()


# What is not delivered


@pytest.mark.parametrize(
    ("text", "sender", "fate", "misuse"),
    [
        (OTHER, "Telegram", Fate.OTHER_SERVICE, 1),
        (BANK, "HDFCBK", Fate.PROHIBITED, 0),
        (CODE, "HDFC Bank", Fate.PROHIBITED, 0),
        (NOTHING, "Jane", Fate.UNRECOGNISED, 0),
    ],
)
async def test_what_is_not_delivered_is_counted_and_its_text_dropped(
    scene: Scene, text: str, sender: str, fate: Fate, misuse: int
) -> None:
    world = scene.world
    receipt = await world.receive(scene.supplier, scene.order.msisdn, text, sender=sender)
    assert receipt == Receipt(fate)
    assert await scene.dropped() == {fate.value: 1}
    assert await scene.kept() == 0
    counted = await world.value("SELECT sum(count) FROM misuse WHERE account_id = $1", scene.buyer)
    assert (counted or 0) == misuse
    seen = await world.check(scene.buyer, scene.order.activation_id)
    assert (seen.state, seen.code) == (State.WAITING, None)
    assert (await world.balance(scene.buyer)).held == micros("1")
    await assert_nowhere(world, text)


async def assert_nowhere(world: World, text: str) -> None:
    """The text is in no column of any table."""
    tables = await world.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    )
    for (table,) in tables:
        found = await world.value(
            f'SELECT count(*) FROM "{table}" WHERE strpos("{table}"::text, $1) > 0', text
        )
        assert found == 0, table


async def test_a_message_for_a_number_nobody_leases_is_counted(scene: Scene) -> None:
    await scene.world.cancel(scene.buyer, scene.order.activation_id)
    assert await scene.receive() is Fate.NO_LEASE
    assert await scene.receive() is Fate.NO_LEASE
    assert await scene.dropped() == {"no_lease": 2}
    await assert_nowhere(scene.world, CODE)


async def test_misuse_is_counted_by_account_and_day(scene: Scene) -> None:
    for turn in range(3):
        await scene.receive(f"48291{turn} is your Telegram login code", sender="Telegram")
    scene.world.clock.turn(86_400)
    await scene.receive(OTHER + "!", sender="Telegram")
    assert await scene.world.rows("SELECT account_id, count FROM misuse ORDER BY day") == [
        (scene.buyer, 3),
        (scene.buyer, 1),
    ]


async def test_a_prohibited_message_is_in_the_audit_log_without_its_text(scene: Scene) -> None:
    await scene.receive(BANK, sender="HDFCBK")
    rows = await scene.world.rows("SELECT action, facts FROM audit WHERE action LIKE 'message%'")
    facts = {"lease_id": scene.order.activation_id, "pool_id": scene.pool.id}
    assert rows == [("message.prohibited", facts)]


async def test_a_permitted_account_gets_messages_of_the_prohibited_service(world: World) -> None:
    supplier, _, _ = await world.stocked(1, services=["acko"])
    buyer = await world.add_buyer()
    await world.permit(buyer, "acko")
    order = await world.order(buyer, "acko")
    receipt = await world.receive(supplier, order.msisdn, code_text("acko", "482913"), sender="ACKO")
    assert receipt.fate is Fate.DELIVERED
    assert (await world.check(buyer, order.activation_id)).code == "482913"


async def test_after_an_undelivered_message_the_code_still_comes(scene: Scene) -> None:
    assert await scene.receive(OTHER, sender="Telegram") is Fate.OTHER_SERVICE
    assert await scene.receive() is Fate.DELIVERED


async def test_a_message_after_the_lease_closed_is_not_delivered(scene: Scene) -> None:
    scene.world.clock.turn(ACTIVATION_SECONDS)
    await scene.world.expire()
    assert await scene.receive() is Fate.NO_LEASE


# Batches


async def test_a_batch_sorts_messages_by_their_numbers(world: World) -> None:
    supplier, _, listed = await world.stocked(4)
    buyers = await world.add_buyers(3)
    orders = [await world.order(buyer) for buyer in buyers]
    texts = [code_text("whatsapp", f"10000{place}") for place in range(3)]
    results = await world.receive_batch(
        [
            world.sms(supplier, orders[2].msisdn, texts[2]),
            world.sms(supplier, "+4470000", texts[0]),
            world.sms(supplier, orders[0].msisdn, texts[0]),
            world.sms(supplier, listed[3], texts[1]),
            world.sms(supplier, orders[1].msisdn, OTHER, sender="Telegram"),
        ]
    )
    outcomes = [one.fate if isinstance(one, Receipt) else one.reason for one in results]
    assert outcomes == [
        Fate.DELIVERED,
        Refused.UNKNOWN_NUMBER,
        Fate.DELIVERED,
        Fate.NO_LEASE,
        Fate.OTHER_SERVICE,
    ]
    codes = [
        (await world.check(buyer, order.activation_id)).code
        for buyer, order in zip(buyers, orders, strict=True)
    ]
    assert codes == ["100000", None, "100002"]
    await world.assert_whole()


async def test_several_messages_of_one_batch_are_paid_once_and_the_first_code_stays(scene: Scene) -> None:
    world = scene.world
    texts = ["WhatsApp greets you", code_text("whatsapp", "111111"), code_text("whatsapp", "222222")]
    await world.receive_batch([world.sms(scene.supplier, scene.order.msisdn, text) for text in texts])
    seen = await world.check(scene.buyer, scene.order.activation_id)
    assert seen.code == "111111"
    assert await scene.kept() == 3
    assert (await world.balance(scene.buyer)).available == micros("9")
    await world.assert_whole()


async def test_two_messages_of_one_batch_after_asking_for_the_next_bring_the_first_of_them(
    scene: Scene,
) -> None:
    world = scene.world
    await scene.receive(code_text("whatsapp", "111111"))
    await world.request_next(scene.buyer, scene.order.activation_id)
    texts = [code_text("whatsapp", code) for code in ("222222", "333333")]
    await world.receive_batch([world.sms(scene.supplier, scene.order.msisdn, text) for text in texts])
    seen = await world.check(scene.buyer, scene.order.activation_id)
    assert (seen.state, seen.code) == (State.RECEIVED, "222222")


# What no SMS should hold, but suppliers send


@pytest.mark.parametrize(
    "text", ["\x00123456 is your WhatsApp code", "123456 is your WhatsApp code \udc80", ""]
)
async def test_a_text_the_database_cannot_hold_is_still_taken_in(scene: Scene, text: str) -> None:
    await scene.receive(text, sender="Whats\x00App")
    assert await scene.kept() == 1 or text == ""


async def test_a_very_long_text_is_taken_in(scene: Scene) -> None:
    assert await scene.receive(CODE + " x" * 20_000) is Fate.DELIVERED


# Keeping


async def test_texts_are_erased_after_their_time_and_the_books_stay(scene: Scene) -> None:
    world = scene.world
    await scene.receive()
    world.clock.turn(60)
    await scene.receive(code_text("whatsapp", "222222"))

    async def erase(before_seconds: float, limit: int = 100) -> int:
        async with world.database.transaction() as tx:
            before = world.clock.now() - timedelta(seconds=before_seconds)
            return await messages.erase_texts(tx, before=before, limit=limit)

    assert await erase(60) == 0
    assert await erase(59) == 1
    assert await world.rows("SELECT sender, body FROM message ORDER BY id") == [
        ("", None),
        ("Verify", code_text("whatsapp", "222222")),
    ]
    await assert_nowhere(world, CODE)
    assert await erase(-1) == 1
    assert await erase(-1) == 0
    assert (await world.check(scene.buyer, scene.order.activation_id)).code == "123456"
    await world.assert_whole()


async def test_texts_are_erased_in_slices_oldest_first(scene: Scene) -> None:
    for turn in range(3):
        await scene.receive(code_text("whatsapp", f"11111{turn}"))
        scene.world.clock.turn(1)
    async with scene.world.database.transaction() as tx:
        assert await messages.erase_texts(tx, before=scene.world.clock.now(), limit=2) == 2
    assert await scene.world.rows("SELECT code FROM message WHERE body IS NOT NULL") == [("111112",)]


async def test_what_recognises_repeats_is_forgotten_in_time(scene: Scene) -> None:
    await scene.receive()
    scene.world.clock.turn(10)
    async with scene.world.database.transaction() as tx:
        assert await messages.forget_seen(tx, before=scene.world.clock.now() - timedelta(seconds=10)) == 0
        assert await messages.forget_seen(tx, before=scene.world.clock.now()) == 1
