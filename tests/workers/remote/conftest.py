"""Remote pools in a small world: hosts, an acquirer, and the loops."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from simyard.base.ids import AccountId
from simyard.core.activations.model import Order
from simyard.core.lanes import Lanes
from simyard.core.pools.model import Pool, PoolKind
from simyard.core.remote import service as remote
from simyard.core.remote.model import SetProfile, Stock
from simyard.core.rentals.model import Rental
from simyard.db.database import Database
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.remote.acquire import RemoteAcquirer, Sources
from simyard.workers.remote.loops import MessagePolls, RemoteLeases, StockRounds
from tests.workers.remote.host import HOSTS, PROTOCOL, Host, offer, protocol, rent_offer
from tests.world import SHARE_BASIS_POINTS, World, world

__all__ = ["world"]


class RemoteWorld:
    """A world with lanes, an acquirer that gives up soon, and the loops, which tests run by hand."""

    def __init__(self, world: World, lanes: Lanes, *, budget_seconds: float = 5.0) -> None:
        self.world = world
        self.lanes = lanes
        self.sources = Sources(world.database, OutgoingClient(), "USD")
        self.acquirer = RemoteAcquirer(
            world.database, world.clock, self.sources, budget_seconds=budget_seconds, stop_seconds_max=0.1
        )
        lanes.order.acquirer = self.acquirer
        self.leases = RemoteLeases(world.database, world.clock, self.sources)
        self.stock = StockRounds(world.database, world.clock, self.sources)
        self.polls = MessagePolls(world.database, world.clock, self.sources)

    def give_up_after(self, seconds: float) -> None:
        self.acquirer._budget_seconds = seconds

    async def add_pool(
        self,
        host: Host | None = None,
        *,
        price: str | None = "1",
        slug: str = "whatsapp",
        kind: PoolKind = PoolKind.PARTNER,
        supplier: AccountId | None = None,
        name: str | None = None,
        rent_allowed: bool = False,
        switches: Mapping[str, str] | None = None,
    ) -> tuple[Pool, Host, AccountId | None]:
        """A remote pool that has told what it offers."""
        world = self.world
        host = host or Host(numbers=world.msisdns(3))
        if kind is PoolKind.PARTNER and supplier is None:
            supplier = await world.add_supplier()
        pool = await world._add_pool(
            name, kind, supplier, SHARE_BASIS_POINTS, None, rent_allowed, "The owners agreed."
        )
        url = f"https://host{pool.id}.example.com"
        HOSTS[url] = host
        host.offers = host.offers or (offer(slug=slug),)
        async with world.database.transaction() as tx:
            command = SetProfile(pool.id, PROTOCOL, url, "key", switches or {})
            await remote.set_profile(tx, command, actor="test", now=world.clock.now())
            await remote.record_stock(
                tx, pool.id, Stock(host.offers), online_seconds=10**9, now=world.clock.now()
            )
        if price is not None:
            await world.set_price(slug, price, pool=pool)
        return pool, host, supplier

    async def order(self, buyer: AccountId, slug: str = "whatsapp", **wishes: Any) -> Order:
        return await self.lanes.order(self.world.order_command(buyer, slug, **wishes))

    async def add_rent_pool(
        self, host: Host | None = None, *, tariffs: Mapping[int, str] | None = None
    ) -> tuple[Pool, Host, AccountId]:
        """A partner's pool that has told that it rents numbers out."""
        host = host or Host(numbers=self.world.msisdns(3))
        host.offers = host.offers or (rent_offer(),)
        pool, host, supplier = await self.add_pool(host, price=None, rent_allowed=True)
        for days, amount in (tariffs or {1: "1", 7: "5"}).items():
            await self.world.set_tariff(days, amount, pool=pool)
        assert supplier is not None
        return pool, host, supplier

    async def rent(self, buyer: AccountId, days: int = 1, **wishes: Any) -> Rental:
        return await self.acquirer.rent(self.world.rental_command(buyer, days, **wishes))

    async def close(self) -> None:
        await self.acquirer.close()

    async def states(self) -> list[tuple[str, str | None]]:
        """Of every remote lease, oldest first: its state and how it ended."""
        rows = await self.world.rows("SELECT state, ending FROM remote_lease ORDER BY id")
        return [(state, ending) for state, ending in rows]


@pytest.fixture
async def far(world: World, database: Database) -> AsyncIterator[RemoteWorld]:
    lanes = Lanes(database, database, slots=2, batch_max=64, queue_max=4096)
    with protocol():
        one = RemoteWorld(world, lanes)
        yield one
        await one.close()
        await lanes.close()
