"""SMS that come moments after their lease closed: kept for operators, and as if they had never come for anybody else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from simyard.base.ids import AccountId, LeaseId
from simyard.core.messages import service as messages
from simyard.core.messages.model import Fate, IncomingMessage, LateMessage, Receipt
from simyard.core.pools.model import Pool
from tests.world import ACTIVATION_SECONDS, CONFIRM_SECONDS, World, code_text

CODE = code_text("whatsapp", "123456")
OTHER = "482913 is your Telegram login code"
BANK = "Your HDFC Bank OTP is 482913 for the transaction of INR 500"
GRACE = 60


class Scene:
    """One number, and a buyer whose leases of it close."""

    def __init__(self, world: World, supplier: AccountId, pool: Pool, msisdn: str, buyer: AccountId) -> None:
        self.world = world
        self.supplier = supplier
        self.pool = pool
        self.msisdn = msisdn
        self.buyer = buyer

    async def receive(self, text: str = CODE, sender: str = "Verify") -> Fate:
        return (await self.world.receive(self.supplier, self.msisdn, text, sender=sender)).fate

    async def kept(self, lease_id: LeaseId | None = None, msisdn: str | None = None) -> list[LateMessage]:
        async with self.world.database.transaction() as tx:
            return await messages.show_late(
                tx, lease_id=lease_id, msisdn=msisdn, limit=100, actor="test", now=self.world.clock.now()
            )

    async def counted(self) -> dict[str, int]:
        return dict(await self.world.rows("SELECT reason, count FROM message_dropped"))

    # ways a lease closes

    async def canceled(self) -> LeaseId:
        order = await self.world.order(self.buyer)
        await self.world.cancel(self.buyer, order.activation_id)
        return order.activation_id

    async def expired(self) -> LeaseId:
        order = await self.world.order(self.buyer)
        self.world.clock.turn(ACTIVATION_SECONDS)
        await self.world.expire()
        return order.activation_id

    async def finished(self) -> LeaseId:
        order = await self.world.order(self.buyer)
        assert await self.receive(code_text("whatsapp", "999999")) is Fate.DELIVERED
        await self.world.finish(self.buyer, order.activation_id)
        return order.activation_id

    async def rental_closed(self) -> LeaseId:
        rental = await self.world.rent(self.buyer)
        await self.world.close_rental(self.buyer, rental.id)
        return rental.id

    async def rental_expired(self) -> LeaseId:
        rental = await self.world.rent(self.buyer)
        self.world.clock.turn(CONFIRM_SECONDS)
        await self.world.end_due_rentals()
        return rental.id


WAYS: list[Callable[[Scene], Awaitable[LeaseId]]] = [
    Scene.canceled,
    Scene.expired,
    Scene.finished,
    Scene.rental_closed,
    Scene.rental_expired,
]


@pytest.fixture
async def scene(world: World) -> Scene:
    world.late_within = timedelta(seconds=GRACE)
    supplier, pool, (msisdn,) = await world.rentable(1)
    await world.set_price("whatsapp", "1", pool=pool)
    return Scene(world, supplier, pool, msisdn, await world.add_buyer("100"))


async def books(world: World) -> list[list[tuple[object, ...]]]:
    """All that a message of an open lease would change."""
    tables = ("transfer", "activation", "rental", "message", "webhook_delivery", "misuse", "quality_event")
    return [await world.rows(f"SELECT * FROM {table} ORDER BY 1") for table in tables]


@pytest.mark.parametrize("close", WAYS, ids=lambda way: way.__name__)
async def test_within_the_grace_it_is_kept_for_operators_and_changes_nothing_else(
    scene: Scene, close: Callable[[Scene], Awaitable[LeaseId]]
) -> None:
    world = scene.world
    lease_id = await close(scene)
    world.clock.turn(GRACE)
    before = await books(world)
    assert await world.receive(scene.supplier, scene.msisdn, CODE) == Receipt(Fate.LATE)
    assert await books(world) == before
    now = world.clock.now()
    (one,) = await scene.kept()
    assert one == LateMessage(one.id, lease_id, scene.msisdn, "Verify", CODE, now, now)
    assert await scene.counted() == {"late": 1}
    await world.assert_whole()


async def test_after_the_grace_it_is_counted_and_dropped(scene: Scene) -> None:
    await scene.canceled()
    scene.world.clock.turn(GRACE + 0.001)
    assert await scene.receive() is Fate.NO_LEASE
    assert await scene.kept() == []
    assert await scene.counted() == {"no_lease": 1}


async def test_without_a_grace_nothing_is_kept(scene: Scene) -> None:
    scene.world.late_within = timedelta(0)
    await scene.canceled()
    assert await scene.receive() is Fate.NO_LEASE
    assert await scene.kept() == []


async def test_a_number_that_was_never_leased_keeps_nothing(scene: Scene) -> None:
    assert await scene.receive() is Fate.NO_LEASE
    assert await scene.kept() == []


async def test_what_comes_while_the_next_lease_is_open_is_for_that_one(scene: Scene) -> None:
    await scene.canceled()
    rental = await scene.world.rent(scene.buyer)
    receipt = await scene.world.receive(scene.supplier, scene.msisdn, CODE)
    assert receipt == Receipt(Fate.DELIVERED, rental.id)
    assert await scene.kept() == []


async def test_it_belongs_to_the_lease_that_closed_last(scene: Scene) -> None:
    first, last = await scene.rental_closed(), await scene.rental_closed()
    assert first != last
    await scene.receive()
    assert [one.lease_id for one in await scene.kept()] == [last]


async def test_what_comes_after_a_check_of_the_number_is_nobodys(scene: Scene) -> None:
    await scene.canceled()
    await scene.world.check_number(scene.msisdn, seconds=1)
    scene.world.clock.turn(1)
    assert await scene.world.end_checks() == 1
    assert await scene.receive() is Fate.NO_LEASE
    assert await scene.kept() == []


@pytest.mark.parametrize(
    ("close", "text", "sender"),
    [
        (Scene.canceled, OTHER, "Telegram"),
        (Scene.canceled, "hello, how are you today", "Jane"),
        (Scene.canceled, BANK, "HDFCBK"),
        (Scene.rental_closed, BANK, "HDFCBK"),
    ],
)
async def test_what_its_lease_would_not_have_got_is_not_kept(
    scene: Scene, close: Callable[[Scene], Awaitable[LeaseId]], text: str, sender: str
) -> None:
    await close(scene)
    before = await books(scene.world)
    assert await scene.receive(text, sender) is Fate.NO_LEASE
    assert await scene.kept() == []
    assert await books(scene.world) == before
    assert await scene.counted() == {"no_lease": 1}


async def test_a_rental_keeps_any_sender_but_the_prohibited(scene: Scene) -> None:
    await scene.rental_closed()
    assert await scene.receive(OTHER, "Telegram") is Fate.LATE
    assert await scene.receive("hello, how are you today", "Jane") is Fate.LATE


async def test_an_account_keeps_the_prohibited_that_is_permitted_to_it(scene: Scene) -> None:
    await scene.world.permit(scene.buyer, "revolut")
    await scene.rental_closed()
    assert await scene.receive("Your Revolut verification code is 123456", "Revolut") is Fate.LATE
    assert await scene.receive(BANK, "HDFCBK") is Fate.NO_LEASE


async def test_a_service_its_pool_does_not_sell_is_not_kept(scene: Scene) -> None:
    await scene.canceled()
    await scene.world.blacklist(scene.pool, "whatsapp")
    assert await scene.receive() is Fate.NO_LEASE
    assert await scene.kept() == []


async def test_it_is_kept_once(scene: Scene) -> None:
    await scene.canceled()
    sms = scene.world.sms(scene.supplier, scene.msisdn, CODE)
    receipts = await scene.world.receive_batch([sms, sms])
    assert receipts == [Receipt(Fate.LATE), Receipt(Fate.NO_LEASE)]
    scene.world.clock.turn(GRACE)
    assert await scene.receive() is Fate.NO_LEASE
    assert len(await scene.kept()) == 1
    assert await scene.counted() == {"late": 1, "no_lease": 2}


async def test_what_was_delivered_before_is_not_kept_when_it_comes_again(scene: Scene) -> None:
    await scene.finished()
    assert await scene.receive(code_text("whatsapp", "999999")) is Fate.NO_LEASE
    assert await scene.kept() == []


async def test_a_batch_keeps_each_for_its_own_lease(world: World) -> None:
    world.late_within = timedelta(seconds=GRACE)
    supplier, _, listed = await world.stocked(4)
    buyers = await world.add_buyers(3)
    orders = [await world.order(buyer) for buyer in buyers]
    for buyer, order in list(zip(buyers, orders, strict=True))[:2]:
        await world.cancel(buyer, order.activation_id)
    arrived: list[IncomingMessage] = [
        world.sms(supplier, orders[1].msisdn, code_text("whatsapp", "111111")),
        world.sms(supplier, orders[2].msisdn, code_text("whatsapp", "222222")),
        world.sms(supplier, listed[3], code_text("whatsapp", "333333")),
        world.sms(supplier, orders[0].msisdn, code_text("whatsapp", "444444")),
    ]
    results = await world.receive_batch(arrived)
    fates = [one.fate for one in results if isinstance(one, Receipt)]
    assert fates == [Fate.LATE, Fate.DELIVERED, Fate.NO_LEASE, Fate.LATE]
    kept = await world.rows("SELECT lease_id, body FROM late_message ORDER BY id")
    assert kept == [
        (orders[1].activation_id, code_text("whatsapp", "111111")),
        (orders[0].activation_id, code_text("whatsapp", "444444")),
    ]
    await world.assert_whole()


async def test_batches_that_bring_the_same_late_messages_at_once_keep_each_once(world: World) -> None:
    world.late_within = timedelta(seconds=GRACE)
    supplier, _, _ = await world.stocked(12)
    buyers = await world.add_buyers(12)
    orders = [await world.order(buyer) for buyer in buyers]
    for buyer, order in list(zip(buyers, orders, strict=True))[:6]:
        await world.cancel(buyer, order.activation_id)
    arrived = [world.sms(supplier, order.msisdn, CODE) for order in orders]
    shuffle = random.Random(5)
    async with asyncio.timeout(30):
        await asyncio.gather(*(world.receive_batch(shuffle.sample(arrived, len(arrived))) for _ in range(8)))
    late = await world.rows("SELECT lease_id FROM late_message ORDER BY lease_id")
    delivered = await world.rows("SELECT activation_id FROM message ORDER BY activation_id")
    assert late == [(order.activation_id,) for order in orders[:6]]
    assert delivered == [(order.activation_id,) for order in orders[6:]]
    await world.assert_whole()


# Seeing and keeping


async def test_operators_see_them_by_lease_and_number_newest_first(scene: Scene) -> None:
    first = await scene.rental_closed()
    await scene.receive("Hello 1")
    last = await scene.rental_closed()
    await scene.receive("Hello 2")
    assert [one.text for one in await scene.kept()] == ["Hello 2", "Hello 1"]
    assert [one.text for one in await scene.kept(lease_id=first)] == ["Hello 1"]
    assert [one.text for one in await scene.kept(msisdn=scene.msisdn)] == ["Hello 2", "Hello 1"]
    assert await scene.kept(lease_id=last, msisdn="+447599999999") == []
    seen = await scene.world.rows("SELECT actor, facts FROM audit WHERE action = 'message.late_shown'")
    assert seen == [
        ("test", {"lease_ids": [first, last]}),
        ("test", {"lease_ids": [first]}),
        ("test", {"lease_ids": [first, last]}),
    ]


async def test_they_are_erased_when_texts_are(scene: Scene) -> None:
    await scene.rental_closed()
    for turn in range(3):
        await scene.receive(f"Hello {turn}")
        scene.world.clock.turn(1)

    async def erase(before_seconds: float, limit: int) -> int:
        async with scene.world.database.transaction() as tx:
            before = scene.world.clock.now() - timedelta(seconds=before_seconds)
            return await messages.erase_texts(tx, before=before, limit=limit)

    assert await erase(3, 10) == 0
    assert await erase(2, 10) == 1
    assert await erase(0, 1) == 1
    assert [one.text for one in await scene.kept()] == ["Hello 2"]
