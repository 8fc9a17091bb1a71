"""Orders that are bought from vendors, from the buyer's side to the vendor's books, through every protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations.model import Order
from simyard.core.lanes import Lanes
from simyard.core.pools.model import PoolKind
from simyard.core.remote import service as remote
from simyard.core.remote.model import SetProfile
from simyard.db.database import Database
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.remote.acquire import RemoteAcquirer, Sources
from simyard.workers.remote.loops import MessagePolls, RemoteLeases, StockRounds
from tests.upstreams.fivesim_vendor import FivesimVendor
from tests.upstreams.handler_vendor import HandlerVendor
from tests.upstreams.onlinesim_vendor import OnlinesimVendor
from tests.upstreams.vendor import KEY, Vendor, serving
from tests.world import World, micros, world

__all__ = ["world"]

TEXT = "Telegram code 12345"


@dataclass(frozen=True)
class Spoken:
    """A protocol, its vendor, and its words for what the tests buy; the step that buys."""

    protocol: str
    make: Callable[[], Vendor]
    country: str
    service: str
    buying: str


PROTOCOLS = (
    Spoken("handler", HandlerVendor, "16", "tg", "getNumberV2"),
    Spoken("fivesim", FivesimVendor, "england", "telegram", "user/buy"),
    Spoken("onlinesim", OnlinesimVendor, "44", "telegram", "getNum"),
)


class Shop:
    """A world that sells what a vendor has, at 0.5 with 0.35 of it at most for the vendor."""

    def __init__(
        self, world: World, vendor: Vendor, spoken: Spoken, lanes: Lanes, client: OutgoingClient
    ) -> None:
        self.world, self.vendor, self.spoken, self.lanes = world, vendor, spoken, lanes
        sources = Sources(world.database, client, "USD")
        self.acquirer = RemoteAcquirer(
            world.database, world.clock, sources, budget_seconds=5.0, stop_seconds_max=0.1
        )
        lanes.order.acquirer = self.acquirer
        self.stock = StockRounds(world.database, world.clock, sources)
        self.polls = MessagePolls(world.database, world.clock, sources)
        self.leases = RemoteLeases(world.database, world.clock, sources)

    async def open(self) -> AccountId:
        """Its pool is set up and has been asked what it has; a buyer with 10."""
        world = self.world
        pool = await world._add_pool("vendor", PoolKind.UPSTREAM, None, 7000, None, False, "They agreed.")
        async with world.database.transaction() as tx:
            command = SetProfile(pool.id, self.spoken.protocol, self.vendor.url, KEY)
            await remote.set_profile(tx, command, actor="test", now=world.clock.now())
        await world.set_price("telegram", "0.5", pool=pool, country="GB")
        await self.stock.settle()
        return await world.add_buyer("10")

    async def order(self, buyer: AccountId) -> Order:
        order = await self.lanes.order(self.world.order_command(buyer, "telegram", country="GB"))
        assert isinstance(order, Order)
        return order

    async def settle(self, seconds: float) -> None:
        self.world.clock.turn(seconds)
        self.vendor.now += timedelta(seconds=seconds)
        await self.leases.settle()

    async def spent(self, buyer: AccountId) -> tuple[int, int]:
        balance = await self.world.balance(buyer)
        return micros("10") - balance.available, balance.held

    async def problems(self) -> list[str]:
        async with self.world.database.transaction() as tx:
            return [one.problem for one in await remote.list_problems(tx)]


@pytest.fixture(params=PROTOCOLS, ids=lambda spoken: spoken.protocol)
async def shop(
    request: pytest.FixtureRequest, world: World, database: Database, client: OutgoingClient
) -> AsyncIterator[Shop]:
    spoken: Spoken = request.param
    vendor = spoken.make()
    vendor.now = world.clock.now()
    vendor.shelve(spoken.country, spoken.service, "0.2", 5)
    lanes = Lanes(database, database, slots=2, batch_max=64, queue_max=4096)
    async with serving(vendor):
        one = Shop(world, vendor, spoken, lanes, client)
        yield one
        await one.acquirer.close()
        await lanes.close()
    verified = await world.verify()
    assert verified.balanced


async def test_a_code_is_bought_and_sold(shop: Shop) -> None:
    buyer = await shop.open()
    order = await shop.order(buyer)
    sold = shop.vendor.only()
    assert order.msisdn == f"+{sold.phone}"
    assert await shop.spent(buyer) == (micros("0.5"), micros("0.5"))
    shop.vendor.send(sold, TEXT)
    for _ in range(3):
        await shop.polls.settle()
        # Long enough that the same text might be another message.
        shop.world.clock.turn(150)
    assert (await shop.world.check(buyer, order.activation_id)).code == "12345"
    assert await shop.world.value("SELECT count(*) FROM message") == 1
    assert await shop.spent(buyer) == (micros("0.5"), 0)
    await shop.world.finish(buyer, order.activation_id)
    await shop.settle(1)
    assert sold.state == "done"
    assert await shop.problems() == []


async def test_the_same_code_once_more_is_another_message(shop: Shop) -> None:
    buyer = await shop.open()
    order = await shop.order(buyer)
    sold = shop.vendor.only()
    shop.vendor.send(sold, TEXT)
    await shop.polls.settle()
    await shop.world.request_next(buyer, order.activation_id)
    await shop.settle(150)
    await shop.polls.settle()
    assert await shop.world.value("SELECT count(*) FROM message") == 1
    shop.vendor.now += timedelta(seconds=150)
    shop.vendor.send(sold, TEXT)
    # A vendor that says no moments has equal texts of two minutes taken for one.
    shop.world.clock.turn(121 if shop.spoken.protocol == "onlinesim" else 30)
    await shop.polls.settle()
    assert await shop.world.value("SELECT count(*) FROM message") == 2


async def test_a_cancel_goes_through_when_it_may(shop: Shop) -> None:
    shop.vendor.cancel_locked = True
    buyer = await shop.open()
    order = await shop.order(buyer)
    await shop.world.cancel(buyer, order.activation_id)
    assert await shop.spent(buyer) == (0, 0)
    for _ in range(8):
        await shop.settle(60)
    assert shop.vendor.only().is_open
    shop.vendor.cancel_locked = False
    await shop.settle(301)
    assert shop.vendor.only().state == "canceled"
    assert shop.vendor.balance == 100
    assert await shop.problems() == []


async def test_an_order_whose_answer_was_lost_is_given_back(shop: Shop) -> None:
    buyer = await shop.open()
    kept = await shop.order(buyer)
    shop.vendor.dead_after = {shop.spoken.buying}
    with pytest.raises(Refusal) as refused:
        await shop.order(buyer)
    assert refused.value.reason is Refused.UPSTREAM_FAILED
    assert await shop.spent(buyer) == (micros("0.5"), micros("0.5"))
    assert len(shop.vendor.sold) == 2
    for _ in range(3):
        await shop.settle(15)
    first, second = shop.vendor.sold.values()
    assert first.is_open
    assert f"+{first.phone}" == kept.msisdn
    assert second.state == "canceled"
    assert await shop.problems() == []


async def test_an_order_whose_process_died_leaves_nothing_behind(shop: Shop) -> None:
    buyer = await shop.open()
    answered = shop.vendor.held[shop.spoken.buying] = asyncio.Event()
    ordering = asyncio.ensure_future(shop.order(buyer))
    await shop.vendor.bought.wait()
    # The process ends here: nobody hears the answer, nobody writes anything down.
    for task in tuple(shop.acquirer._tasks):
        task.cancel()
    await asyncio.gather(ordering, return_exceptions=True)
    answered.set()
    assert await shop.spent(buyer) == (micros("0.5"), micros("0.5"))
    await shop.settle(16)
    assert await shop.spent(buyer) == (0, 0)
    for _ in range(6):
        await shop.settle(30)
    assert shop.vendor.only().state == "canceled"
    assert shop.vendor.balance == 100
    assert await shop.problems() == []


async def test_a_number_that_costs_more_than_it_may_is_given_back(shop: Shop) -> None:
    buyer = await shop.open()
    tiers = shop.vendor.shelves[shop.spoken.country, shop.spoken.service]
    tiers.clear()
    shop.vendor.shelve(shop.spoken.country, shop.spoken.service, "0.36", 5)
    with pytest.raises(Refusal) as refused:
        await shop.order(buyer)
    assert refused.value.reason is Refused.NO_NUMBERS
    await shop.settle(15)
    assert shop.vendor.balance == 100
    assert await shop.spent(buyer) == (0, 0)


async def test_what_is_sold_out_there_is_not_asked_for_again(shop: Shop) -> None:
    buyer = await shop.open()
    shop.vendor.shelves.clear()
    for _ in range(2):
        with pytest.raises(Refusal) as refused:
            await shop.order(buyer)
        assert refused.value.reason is Refused.NO_NUMBERS
    asked = len(shop.vendor.steps(shop.spoken.buying)) + len(shop.vendor.steps("getPrice"))
    assert asked == 1
