"""What the tests of gateways share: a supplier with numbers, a buyer who waits, and the endpoint they meet at."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from simyard.base.clock import ManualClock
from simyard.base.ids import AccountId, ActivationId
from simyard.core.gateways import service as gateways
from simyard.core.gateways.model import AddGateway, Gateway, GatewayView
from simyard.core.lanes import Lanes
from simyard.core.pools.model import Pool
from simyard.edge.gateways import endpoints
from simyard.edge.gateways.endpoints import GatewayEndpoints
from tests.world import World, reported

# A second after the times in the vectors of the protocol document.
NOW = datetime.fromtimestamp(1795252870, UTC)
KEY = "test-key-0123456789"
NUMBER, OTHER = "+46701740605", "+46701740606"
TEXT = "Your Telegram code is 48213"


@dataclass
class Bench:
    world: World
    app: Starlette
    supplier: AccountId
    buyer: AccountId
    pool: Pool
    gateways: dict[str, str] = field(default_factory=dict)

    async def add(
        self,
        kind: str,
        *,
        name: str | None = None,
        pool: Pool | None = None,
        secret: str | None = None,
        networks: tuple[str, ...] = (),
        zone: str = "UTC",
        country: str | None = None,
        options: dict[str, Any] | None = None,
        stocks: bool = False,
    ) -> str:
        """A gateway's path."""
        named = name or kind
        command = AddGateway(
            named, kind, (pool or self.pool).id, secret, networks, zone, country, options or {}, stocks
        )
        async with self.world.database.transaction() as tx:
            gateway, token = await gateways.add_gateway(tx, command, actor="test", now=self.world.clock.now())
        self.gateways[named] = endpoints.path(gateway.kind, token)
        return self.gateways[named]

    async def map(self, name: str, key: str, number: str = NUMBER) -> None:
        async with self.world.database.transaction() as tx:
            await gateways.map_sim(tx, name, key, number, actor="test", now=self.world.clock.now())

    async def view(self, name: str) -> GatewayView:
        async with self.world.database.transaction() as tx:
            return await gateways.view(tx, name, now=self.world.clock.now())

    async def gateway(self, name: str) -> Gateway:
        async with self.world.database.transaction() as tx:
            return await gateways.find_gateway(tx, name)

    async def sims(self, name: str) -> dict[str, str]:
        return {one.key: one.msisdn for one in (await self.view(name)).sims}

    async def unmatched(self, name: str) -> dict[str, int]:
        return {one.key: one.count for one in (await self.view(name)).unmatched}

    async def outcomes(self, name: str) -> dict[str, int]:
        return dict((await self.view(name)).outcomes)

    def client(self, address: str = "203.0.113.7") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(address, 40000))
        return httpx.AsyncClient(transport=transport, base_url="http://simyard.test")

    async def send(
        self,
        path: str,
        body: bytes | str = b"",
        *,
        method: str = "POST",
        address: str = "203.0.113.7",
        **more: Any,
    ) -> httpx.Response:
        async with self.client(address) as client:
            return await client.request(method, path, content=body, **more)

    async def json(self, path: str, body: object, **headers: str) -> httpx.Response:
        async with self.client() as client:
            return await client.post(path, json=body, headers=headers)

    async def order(self, slug: str = "telegram") -> ActivationId:
        return (await self.world.order(self.buyer, slug, country="SE")).activation_id

    async def texts(self) -> list[tuple[Any, ...]]:
        """Senders, texts and codes of what was delivered."""
        return await self.world.rows("SELECT sender, body, code FROM message ORDER BY id")

    async def sent_at(self) -> list[datetime]:
        return [row[0] for row in await self.world.rows("SELECT sent_at FROM message ORDER BY id")]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
async def bench(world: World, clock: ManualClock) -> AsyncIterator[Bench]:
    """A supplier with one Swedish number that waits for a code of Telegram, and a second number."""
    supplier = await world.add_supplier()
    pool = await world.add_direct_pool(supplier)
    await world.report(supplier, [reported(NUMBER, "SE")])
    await world.set_price("telegram", "1", country="SE", pool=pool)
    await world.set_price("whatsapp", "1", country="SE", pool=pool)
    buyer = await world.add_buyer()
    lanes = Lanes(world.database, world.database, slots=2, batch_max=64, queue_max=4096)
    served = GatewayEndpoints(clock, online_seconds=600)
    served.open(world.database, lanes)
    bench = Bench(world, Starlette(routes=served.routes()), supplier, buyer, pool)
    await bench.order()
    await world.report(supplier, [reported(NUMBER, "SE"), reported(OTHER, "SE")])
    yield bench
    await lanes.close()


def signed(body: bytes, key: str = KEY) -> str:
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
