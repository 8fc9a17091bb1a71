"""Webhooks: who is told of what, what is claimed, and what becomes of each attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from simyard.base.ids import AccountId, DeliveryId, EndpointId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AccountState
from simyard.core.messages import service as messages
from simyard.core.messages.model import Fate
from simyard.core.webhooks import service as webhooks
from simyard.core.webhooks.model import (
    Announcement,
    Delivery,
    DeliveryPage,
    DeliveryState,
    Endpoint,
    Event,
    LeaseKind,
    ListDeliveries,
    SetEndpoint,
    SwitchedOff,
)
from simyard.db.database import Database
from tests.world import World, code_text

URL = "https://example.com/hook"
LEASE_SECONDS = 30


class Hooks:
    """The verbs, one transaction each."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def set(
        self, account_id: AccountId, url: str | None = URL, event: Event = Event.MESSAGE
    ) -> Endpoint | None:
        command = SetEndpoint(account_id, "onlinesim", event, url, (), self.world.clock.now())
        async with self.world.database.transaction() as tx:
            return await webhooks.set_endpoint(tx, command)

    async def endpoint(self, account_id: AccountId) -> Endpoint:
        async with self.world.database.transaction() as tx:
            endpoint = await webhooks.endpoint_of(tx, account_id, "onlinesim")
        assert endpoint is not None
        return endpoint

    async def claim(
        self,
        *,
        limit: int = 100,
        per_endpoint_max: int = 4,
        failing_limit: int = 100,
        in_flight: Mapping[EndpointId, int] | None = None,
        database: Database | None = None,
    ) -> list[Announcement]:
        async with (database or self.world.database).transaction() as tx:
            return await webhooks.claim(
                tx,
                now=self.world.clock.now(),
                lease_seconds=LEASE_SECONDS,
                per_endpoint_max=per_endpoint_max,
                limit=limit,
                failing_limit=failing_limit,
                in_flight=in_flight or {},
            )

    async def claim_one(self) -> Announcement:
        (announcement,) = await self.claim()
        return announcement

    async def succeed(self, announcement: Announcement) -> None:
        async with self.world.database.transaction() as tx:
            await webhooks.record_success(tx, announcement, status=200, now=self.world.clock.now())

    async def fail(
        self,
        announcement: Announcement,
        status: int | None = 500,
        *,
        problem: str = "answered 500",
        retry_after: timedelta | None = None,
    ) -> datetime | None:
        async with self.world.database.transaction() as tx:
            return await webhooks.record_failure(
                tx,
                announcement,
                status=status,
                problem=problem,
                retry_after=retry_after,
                now=self.world.clock.now(),
            )

    async def list(self, account_id: AccountId, **wishes: Any) -> DeliveryPage:
        async with self.world.database.transaction() as tx:
            return await webhooks.list_deliveries(tx, ListDeliveries(account_id, **wishes))

    async def delivery(self, account_id: AccountId) -> Delivery:
        (delivery,) = (await self.list(account_id)).deliveries
        return delivery

    async def replay(self, account_id: AccountId, delivery_id: DeliveryId) -> None:
        async with self.world.database.transaction() as tx:
            await webhooks.replay(tx, account_id, delivery_id, now=self.world.clock.now())

    async def replay_failed(self, account_id: AccountId) -> int:
        async with self.world.database.transaction() as tx:
            return await webhooks.replay_failed(tx, account_id, now=self.world.clock.now())


@pytest.fixture
def hooks(world: World) -> Hooks:
    return Hooks(world)


class Shop:
    """A supplier whose numbers buyers order, so that messages come in."""

    def __init__(self, world: World, supplier: AccountId) -> None:
        self.world = world
        self.supplier = supplier
        self.sent = 0

    @classmethod
    async def open(cls, world: World, count: int = 20) -> Shop:
        supplier, _, _ = await world.stocked(count)
        return cls(world, supplier)

    async def send(self, msisdn: str, text: str | None = None) -> Fate:
        self.sent += 1
        text = text or code_text("whatsapp", f"{100_000 + self.sent}")
        return (await self.world.receive(self.supplier, msisdn, text)).fate

    async def deliver(self, buyer: AccountId) -> str:
        """An order and its first message."""
        order = await self.world.order(buyer)
        assert await self.send(order.msisdn) is Fate.DELIVERED
        return order.msisdn


@pytest.fixture
async def shop(world: World) -> Shop:
    return await Shop.open(world)


async def refused(work: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await work
    return caught.value


# Endpoints


async def test_an_endpoint_is_set_with_a_secret_of_its_own(world: World, hooks: Hooks) -> None:
    first, second = await world.add_buyers(2)
    endpoint = await hooks.set(first)
    assert endpoint is not None
    assert (endpoint.url, endpoint.enabled, endpoint.event) == (URL, True, Event.MESSAGE)
    assert len(endpoint.secret) == 32
    other = await hooks.set(second)
    assert other is not None
    assert other.secret != endpoint.secret
    assert await hooks.endpoint(first) == endpoint


async def test_a_secret_shows_in_no_text_of_an_endpoint_or_announcement(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    buyer = await world.add_buyer()
    endpoint = await hooks.set(buyer)
    await shop.deliver(buyer)
    announcement = await hooks.claim_one()
    assert endpoint is not None
    for text in (repr(endpoint), repr(announcement)):
        assert repr(endpoint.secret) not in text
        assert "verification" not in text


async def test_another_url_keeps_the_secret_and_applies_to_what_is_on_its_way(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    buyer = await world.add_buyer()
    before = await hooks.set(buyer)
    await shop.deliver(buyer)
    after = await hooks.set(buyer, "https://other.example/")
    assert before is not None
    assert after is not None
    assert (after.id, after.secret) == (before.id, before.secret)
    assert (await hooks.claim_one()).url == "https://other.example/"


@pytest.mark.parametrize(
    "url",
    ["nonsense", "ftp://example.com/", "http://127.0.0.1/", "http://a:b@example.com/", "http://0x7f.1/"],
)
async def test_a_url_nothing_may_be_sent_to_is_refused_and_changes_nothing(
    world: World, hooks: Hooks, url: str
) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    refusal = await refused(hooks.set(buyer, url))
    assert (refusal.reason, refusal.facts["field"]) == (Refused.MALFORMED, "url")
    assert (await hooks.endpoint(buyer)).url == URL


@pytest.mark.parametrize("nothing", [None, "", "  "])
async def test_no_url_switches_off_and_fails_what_waits(
    world: World, hooks: Hooks, shop: Shop, nothing: str | None
) -> None:
    buyer = await world.add_buyer()
    assert await hooks.set(buyer, nothing) is None
    await hooks.set(buyer)
    await shop.deliver(buyer)
    endpoint = await hooks.set(buyer, nothing)
    assert endpoint is not None
    assert (endpoint.enabled, endpoint.switched_off) == (False, None)
    delivery = await hooks.delivery(buyer)
    assert (delivery.state, delivery.problem) == (DeliveryState.FAILED, "the endpoint was switched off")
    assert await world.value("SELECT count(*) FROM mail") == 0, "the owner knows"
    await shop.deliver(buyer)
    assert (await hooks.list(buyer)).total == 1, "an endpoint that is off is told nothing"


async def test_switching_on_again_clears_why_it_was_off(world: World, hooks: Hooks, shop: Shop) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    await shop.deliver(buyer)
    await hooks.fail(await hooks.claim_one(), 410)
    assert (await hooks.endpoint(buyer)).switched_off is SwitchedOff.GONE
    endpoint = await hooks.set(buyer)
    assert endpoint is not None
    assert (endpoint.enabled, endpoint.switched_off, endpoint.failing_since) == (True, None, None)


async def test_two_who_set_one_endpoint_at_once_make_one(world: World, hooks: Hooks) -> None:
    buyer = await world.add_buyer()
    made = await asyncio.gather(*(hooks.set(buyer, f"{URL}/{place}") for place in range(8)))
    assert len({one.secret for one in made if one is not None}) == 1
    assert await world.value("SELECT count(*) FROM webhook_endpoint") == 1


# Announcing


async def test_a_message_is_announced_in_its_own_transaction_with_all_its_facts(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    buyer = await world.add_buyer()
    endpoint = await hooks.set(buyer)
    order = await world.order(buyer, label="WA")
    world.clock.turn(7)
    await shop.send(order.msisdn, code_text("whatsapp", "123456"))
    world.clock.turn(1)
    announcement = await hooks.claim_one()
    assert endpoint is not None
    assert announcement == Announcement(
        delivery_id=announcement.delivery_id,
        account_id=buyer,
        endpoint_id=endpoint.id,
        format="onlinesim",
        url=URL,
        secret=endpoint.secret,
        attempts=0,
        message_id=await world.value("SELECT id FROM message"),
        lease_kind=LeaseKind.ACTIVATION,
        lease_id=order.activation_id,
        msisdn=order.msisdn,
        country="GB",
        service_id=await world.value("SELECT service_id FROM activation"),
        service_label="WA",
        sender="Verify",
        text=code_text("whatsapp", "123456"),
        code="123456",
        received_at=order.ordered_at + timedelta(seconds=7),
        ordered_at=order.ordered_at,
        expires_at=order.expires_at,
    )


async def test_a_message_of_a_rental_is_announced(world: World, hooks: Hooks) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    rental = await world.rent(buyer)
    await world.receive(supplier, rental.msisdn, "Hello there")
    announcement = await hooks.claim_one()
    assert (announcement.lease_kind, announcement.lease_id) == (LeaseKind.RENTAL, rental.id)
    assert (announcement.service_id, announcement.service_label, announcement.code) == (None, None, None)
    assert (announcement.msisdn, announcement.country) == (rental.msisdn, rental.country)
    assert announcement.expires_at == rental.expires_at


async def test_only_the_owner_is_told(world: World, hooks: Hooks, shop: Shop) -> None:
    buyer, other = await world.add_buyers(2)
    await hooks.set(other)
    await shop.deliver(buyer)
    assert await hooks.claim() == []
    assert (await hooks.list(other)).total == 0


async def test_an_account_that_is_frozen_is_told_nothing(world: World, hooks: Hooks, shop: Shop) -> None:
    buyer = await world.add_buyer(email="buyer@example.com")
    await hooks.set(buyer)
    async with world.database.transaction() as tx:
        await accounts.set_state(
            tx, "buyer@example.com", AccountState.LOCKED, actor="test", now=world.clock.now()
        )
    await shop.deliver(buyer)
    assert (await hooks.list(buyer)).total == 0


async def test_messages_that_are_not_delivered_are_not_announced(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    order = await world.order(buyer)
    assert await shop.send(order.msisdn, code_text("telegram", "123456")) is Fate.OTHER_SERVICE
    assert await shop.send(order.msisdn, code_text("whatsapp", "222222")) is Fate.DELIVERED
    assert await shop.send(order.msisdn, code_text("whatsapp", "222222")) is Fate.REPEATED
    assert (await hooks.list(buyer)).total == 1


async def test_an_endpoint_for_codes_hears_of_the_first_code_of_each_activation(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer, event=Event.CODE)
    order = await world.order(buyer)
    await shop.send(order.msisdn, "Welcome to WhatsApp")
    assert (await hooks.list(buyer)).total == 0
    batch = [
        world.sms(shop.supplier, order.msisdn, code_text("whatsapp", code)) for code in ("111111", "222222")
    ]
    await world.receive_batch(batch)
    await shop.send(order.msisdn, code_text("whatsapp", "333333"))
    assert (await hooks.delivery(buyer)).facts.code == "111111"


async def test_a_message_that_was_rolled_back_was_never_announced(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    order = await world.order(buyer)
    with pytest.raises(ZeroDivisionError):
        async with world.database.transaction() as tx:
            await messages.receive(
                tx, [world.sms(shop.supplier, order.msisdn, code_text("whatsapp", "123456"))]
            )
            raise ZeroDivisionError
    assert await world.value("SELECT count(*) FROM webhook_delivery") == 0


# Claiming


async def test_a_claim_is_not_claimed_again_before_its_lease_ends(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    await shop.deliver(buyer)
    first = await hooks.claim_one()
    world.clock.turn(LEASE_SECONDS - 0.001)
    assert await hooks.claim() == []
    world.clock.turn(0.001)
    assert await hooks.claim_one() == first, "whoever had it died, so it goes out again, as the same"


async def test_so_many_of_an_endpoint_are_claimed_counting_those_in_flight(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    greedy, modest = await world.add_buyers(2)
    for buyer in (greedy, modest):
        await hooks.set(buyer)
    for _ in range(5):
        await shop.deliver(greedy)
    await shop.deliver(modest)
    endpoint = await hooks.endpoint(greedy)
    assert await hooks.claim(in_flight={endpoint.id: 4}, limit=0) == []
    claimed = await hooks.claim(in_flight={endpoint.id: 2})
    assert sorted(one.account_id for one in claimed) == sorted([greedy, greedy, modest])
    assert [one.account_id for one in await hooks.claim(in_flight={endpoint.id: 4})] == []
    assert [one.account_id for one in await hooks.claim(in_flight={})] == [greedy] * 3


async def test_the_oldest_due_comes_first_and_a_failing_endpoint_last_and_alone(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    failing, healthy = await world.add_buyers(2)
    for buyer in (failing, healthy):
        await hooks.set(buyer)
    for _ in range(3):
        await shop.deliver(failing)
    await hooks.fail((await hooks.claim(limit=1))[0])
    world.clock.turn(1)
    for _ in range(2):
        await shop.deliver(healthy)
    assert [one.account_id for one in await hooks.claim(limit=1)] == [healthy]
    assert [one.account_id for one in await hooks.claim(failing_limit=0)] == [healthy]
    claimed = await hooks.claim()
    assert [(one.account_id, one.endpoint_failing) for one in claimed] == [(failing, True)]


async def test_two_who_claim_at_once_get_different_ones(
    world: World, hooks: Hooks, shop: Shop, database_url: str
) -> None:
    buyer = await world.add_buyer("1000")
    await hooks.set(buyer)
    for _ in range(12):
        await shop.deliver(buyer)
    claimed: list[Announcement] = []
    while found := await asyncio.gather(*(hooks.claim(per_endpoint_max=3) for _ in range(4))):
        if not any(found):
            break
        claimed += [one for some in found for one in some]
    assert len(claimed) == 12
    assert len({one.delivery_id for one in claimed}) == 12


# Outcomes


async def test_what_arrived_is_delivered_and_stays_so(world: World, hooks: Hooks, shop: Shop) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    await shop.deliver(buyer)
    announcement = await hooks.claim_one()
    for _ in range(2):
        await hooks.succeed(announcement)
    assert await hooks.fail(announcement) is None, "told after it had arrived"
    delivery = await hooks.delivery(buyer)
    assert (delivery.state, delivery.attempts, delivery.status, delivery.problem) == (
        DeliveryState.DELIVERED,
        1,
        200,
        None,
    )
    assert delivery.closed_at == world.clock.now()
    world.clock.turn(10**6)
    assert await hooks.claim() == []


async def test_failures_follow_the_schedule_and_then_it_has_failed(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    await shop.deliver(buyer)
    for attempt, wait in enumerate([0, 1, 3, 10, 30, 300, 1800, 7200, 18_000, 36_000]):
        announcement = await hooks.claim_one()
        assert announcement.attempts == attempt
        await hooks.fail(announcement, 503, problem=f"try {attempt}")
        delivery = await hooks.delivery(buyer)
        assert (delivery.state, delivery.status, delivery.problem, delivery.url) == (
            DeliveryState.PENDING,
            503,
            f"try {attempt}",
            URL,
        )
        if wait:
            world.clock.turn(wait - 0.001)
            assert await hooks.claim() == []
            world.clock.turn(0.001)
    assert await hooks.fail(await hooks.claim_one(), None, problem="x" * 300) is None
    delivery = await hooks.delivery(buyer)
    assert (delivery.state, delivery.attempts, delivery.next_attempt_at) == (DeliveryState.FAILED, 11, None)
    assert delivery.problem == "x" * 200
    endpoint = await hooks.endpoint(buyer)
    assert endpoint.enabled, "a delivery that failed is no reason to stop"


async def test_a_success_ends_the_time_of_failing(world: World, hooks: Hooks, shop: Shop) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    await shop.deliver(buyer)
    began = world.clock.now()
    await hooks.fail(await hooks.claim_one())
    await hooks.fail(await hooks.claim_one())
    assert (await hooks.endpoint(buyer)).failing_since == began
    world.clock.turn(1)
    await hooks.succeed(await hooks.claim_one())
    assert (await hooks.endpoint(buyer)).failing_since is None


async def test_an_endpoint_that_is_gone_is_switched_off_and_its_owner_told(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    buyer = await world.add_buyer(email="owner@example.com")
    await hooks.set(buyer, "https://example.com/hook?token=hidden")
    for _ in range(3):
        await shop.deliver(buyer)
    await hooks.fail((await hooks.claim(limit=1))[0], 410)
    endpoint = await hooks.endpoint(buyer)
    assert (endpoint.enabled, endpoint.switched_off) == (False, SwitchedOff.GONE)
    states = [one.state for one in (await hooks.list(buyer)).deliveries]
    assert states == [DeliveryState.FAILED] * 3
    assert await hooks.claim() == []
    assert await world.rows("SELECT recipient, subject FROM mail") == [
        ("owner@example.com", "Your webhook was switched off")
    ]
    body = await world.value("SELECT body FROM mail")
    assert "example.com" in body
    assert "410" in body
    assert "hidden" not in body
    facts = await world.value("SELECT facts FROM audit WHERE action = 'webhook.switched_off'")
    assert facts == {
        "account_id": buyer,
        "format": "onlinesim",
        "reason": "gone",
    }


async def test_an_endpoint_that_fails_for_five_days_is_switched_off(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    await shop.deliver(buyer)
    await hooks.fail(await hooks.claim_one())
    world.clock.turn(5 * 86_400 - 1)
    await hooks.fail(await hooks.claim_one())
    assert (await hooks.endpoint(buyer)).enabled
    world.clock.turn(1)
    await hooks.fail(await hooks.claim_one())
    endpoint = await hooks.endpoint(buyer)
    assert (endpoint.enabled, endpoint.switched_off) == (False, SwitchedOff.FAILING)
    assert "5 days" in await world.value("SELECT body FROM mail")


async def test_what_was_learned_at_an_old_url_is_not_held_against_the_new_one(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    await shop.deliver(buyer)
    announcement = await hooks.claim_one()
    await hooks.set(buyer, "https://new.example/")
    await hooks.fail(announcement, 410)
    endpoint = await hooks.endpoint(buyer)
    assert (endpoint.enabled, endpoint.failing_since) == (True, None)
    assert (await hooks.claim_one()).url == "https://new.example/"


async def test_another_url_begins_with_a_clean_slate(world: World, hooks: Hooks, shop: Shop) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    await shop.deliver(buyer)
    await hooks.fail(await hooks.claim_one())
    same = await hooks.set(buyer)
    assert same is not None
    assert same.failing_since is not None, "the same URL set again does not hide that it fails"
    other = await hooks.set(buyer, "https://new.example/")
    assert other is not None
    assert other.failing_since is None


async def test_a_failure_that_is_told_late_changes_nothing(world: World, hooks: Hooks, shop: Shop) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    await shop.deliver(buyer)
    lost = await hooks.claim_one()
    world.clock.turn(LEASE_SECONDS)
    again = await hooks.claim_one()
    following = await hooks.fail(again)
    assert await hooks.fail(lost) is None
    delivery = await hooks.delivery(buyer)
    assert (delivery.attempts, delivery.next_attempt_at) == (1, following)


async def test_what_arrived_while_its_endpoint_was_switched_off_did_arrive(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    await shop.deliver(buyer)
    announcement = await hooks.claim_one()
    await hooks.set(buyer, None)
    await hooks.succeed(announcement)
    assert (await hooks.delivery(buyer)).state is DeliveryState.DELIVERED


async def test_many_outcomes_of_one_endpoint_at_once_are_all_recorded(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    """Also while its owner sets another URL, and messages come in."""
    buyer = await world.add_buyer("1000")
    await hooks.set(buyer)
    for _ in range(8):
        await shop.deliver(buyer)
    claimed = await hooks.claim(per_endpoint_max=8)
    await asyncio.gather(
        *(hooks.succeed(one) for one in claimed[::2]),
        *(hooks.fail(one, 410 if place == 0 else 500) for place, one in enumerate(claimed[1::2])),
        *(hooks.set(buyer, f"https://example.com/{place}") for place in range(3)),
        *(shop.deliver(buyer) for _ in range(3)),
    )
    page = await hooks.list(buyer, per_page=100)
    assert page.total == 11
    assert sum(one.state is DeliveryState.DELIVERED for one in page.deliveries) == 4
    await world.assert_whole()


async def test_an_announcement_whose_text_was_erased_has_none(world: World, hooks: Hooks, shop: Shop) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    await shop.deliver(buyer)
    world.clock.turn(1)
    async with world.database.transaction() as tx:
        await messages.erase_texts(tx, before=world.clock.now(), limit=10)
    announcement = await hooks.claim_one()
    assert announcement.text is None
    async with world.database.transaction() as tx:
        await webhooks.record_erased(tx, announcement, now=world.clock.now())
    delivery = await hooks.delivery(buyer)
    assert (delivery.state, delivery.problem) == (DeliveryState.FAILED, "the message was erased")
    assert (await hooks.endpoint(buyer)).failing_since is None


# The log, and sending again


async def test_the_log_shows_pages_newest_first_and_nothing_of_others(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    buyer, other = await world.add_buyers(2)
    for one in (buyer, other):
        await hooks.set(one)
    for _ in range(5):
        await shop.deliver(buyer)
    await shop.deliver(other)
    pages = [await hooks.list(buyer, page=page, per_page=2, format="onlinesim") for page in (1, 2, 3, 4)]
    ids = [[one.id for one in page.deliveries] for page in pages]
    assert [len(some) for some in ids] == [2, 2, 1, 0]
    flat = [one for some in ids for one in some]
    assert flat == sorted(flat, reverse=True)
    assert {page.total for page in pages} == {5}
    assert {one.facts.account_id for page in pages for one in page.deliveries} == {buyer}
    first = pages[0].deliveries[0]
    assert (first.url, first.facts.secret) == (URL, b"")
    assert first.facts.text is not None
    assert (await hooks.list(buyer, format="other")).total == 0


async def test_a_delivery_can_be_sent_again_from_the_start(world: World, hooks: Hooks, shop: Shop) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    await shop.deliver(buyer)
    first = await hooks.claim_one()
    await hooks.succeed(first)
    await hooks.replay(buyer, first.delivery_id)
    again = await hooks.claim_one()
    assert (again.delivery_id, again.attempts) == (first.delivery_id, 0)
    await hooks.fail(again)
    assert (await hooks.delivery(buyer)).state is DeliveryState.PENDING


async def test_a_delivery_of_another_or_of_nobody_or_with_nowhere_to_go_is_not_sent_again(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    buyer, other = await world.add_buyers(2)
    await hooks.set(buyer)
    await hooks.set(other)
    await shop.deliver(buyer)
    announcement = await hooks.claim_one()
    await hooks.succeed(announcement)
    for who, which in ((other, announcement.delivery_id), (buyer, DeliveryId(10**9))):
        assert (await refused(hooks.replay(who, which))).reason is Refused.UNKNOWN_DELIVERY
    await hooks.set(buyer, None)
    assert (await refused(hooks.replay(buyer, announcement.delivery_id))).reason is Refused.UNKNOWN_DELIVERY


async def test_everything_that_failed_can_be_sent_again(world: World, hooks: Hooks, shop: Shop) -> None:
    buyer, other = await world.add_buyers(2)
    for one in (buyer, other):
        await hooks.set(one)
    for _ in range(3):
        await shop.deliver(buyer)
    delivered = (await hooks.claim(limit=1))[0]
    await hooks.succeed(delivered)
    await hooks.set(buyer, None)
    assert await hooks.replay_failed(buyer) == 0
    await hooks.set(buyer)
    assert await hooks.replay_failed(other) == 0
    assert await hooks.replay_failed(buyer) == 2
    assert delivered.delivery_id not in {one.delivery_id for one in await hooks.claim()}


# Upkeep


async def test_old_deliveries_are_forgotten_and_stranded_ones_failed(
    world: World, hooks: Hooks, shop: Shop
) -> None:
    buyer = await world.add_buyer()
    await hooks.set(buyer)
    await shop.deliver(buyer)
    await hooks.succeed(await hooks.claim_one())
    world.clock.turn(1)
    await shop.deliver(buyer)
    await hooks.fail(await hooks.claim_one())
    # As if it had been announced at the moment the endpoint was switched off.
    await world.value("UPDATE webhook_endpoint SET enabled = false")

    async def forget(before: datetime) -> int:
        async with world.database.transaction() as tx:
            return await webhooks.forget_deliveries(tx, before=before, now=world.clock.now(), limit=10)

    assert await forget(world.clock.now()) == 1
    delivery = await hooks.delivery(buyer)
    assert delivery.state is DeliveryState.FAILED
    assert await forget(world.clock.now()) == 0
    world.clock.turn(1)
    assert await forget(world.clock.now()) == 1
    assert await world.value("SELECT count(*) FROM message") == 2
