"""A buyer who calls server7: an account, its key, and the calls it makes. And a shelf to buy from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import httpx

from simyard.base.clock import Clock
from simyard.base.ids import AccountId
from simyard.core.lanes import Lanes
from simyard.core.pools.model import Pool
from simyard.db.database import Database
from simyard.edge.dialects.daisysim.v2 import DIALECT
from simyard.edge.http import DialectApp
from simyard.edge.wire import Dialect
from simyard.settings import Settings
from tests.world import World, reported

ADDRESS = "203.0.113.7"


def served(
    database: Database, lanes: Lanes, clock: Clock, settings: Settings, dialect: Dialect = DIALECT
) -> httpx.AsyncClient:
    app = DialectApp(dialect, lanes=lanes, database=database, clock=clock, settings=settings)
    transport = httpx.ASGITransport(app=app, client=(ADDRESS, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://simyard.test")


class Buyer:
    """Calls with its key and says what came back."""

    prefix: ClassVar[str] = DIALECT.prefix

    def __init__(self, world: World, client: httpx.AsyncClient, account_id: AccountId, key: str) -> None:
        self.world = world
        self.client = client
        self.account_id = account_id
        self.key = key

    @classmethod
    async def join(
        cls,
        world: World,
        client: httpx.AsyncClient,
        balance: str = "100",
        currency: str = "USD",
        *,
        email: str | None = None,
    ) -> Self:
        account_id = await world.add_buyer(balance, currency, email=email)
        return cls(world, client, account_id, await world.issue_key(account_id))

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        given = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        url = self.prefix + path
        if body is None:
            return await self.client.request(method, url, content=content, headers=given)
        return await self.client.request(method, url, json=body, headers=given)

    async def get(self, path: str) -> httpx.Response:
        return await self.send("GET", path)

    async def post(
        self, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        return await self.send("POST", path, body, headers=headers)

    async def purchase(self, app: str = "WhatsApp", **fields: object) -> dict[str, Any]:
        """What was bought."""
        bought: dict[str, Any] = data(await self.post("/purchase", {"country": "USA", "app": app, **fields}))
        return bought

    async def check(self, activation_id: str) -> dict[str, Any]:
        checked: dict[str, Any] = data(await self.get(f"/check/{activation_id}"))
        return checked

    async def balance(self) -> Any:
        return data(await self.get("/balance"))["balance"]

    async def apps(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = data(await self.get("/apps/USA"))
        return found


def data(response: httpx.Response) -> Any:
    """What a success brought."""
    answer = response.json()
    assert response.status_code == 200, answer
    assert list(answer) == ["success", "message", "data"]
    assert answer["success"] is True
    return answer["data"]


def refused(response: httpx.Response) -> tuple[int, str]:
    """How an error was told: its status and its code."""
    answer = response.json()
    assert response.headers["content-type"] == "application/json"
    assert answer["success"] is False
    assert isinstance(answer["error"], str)
    assert answer["error"]
    assert list(answer) == ["success", "error", "code", *(["data"] if "data" in answer else [])]
    return response.status_code, answer["code"]


async def add_shelf(
    world: World,
    prices: Mapping[str, str],
    count: int | Sequence[str] = 5,
    *,
    reserved_for: str | None = None,
    currency: str = "USD",
    country: str = "US",
) -> Pool:
    """A supplier's pool of numbers, so many or these, with prices of its own; what it has is counted."""
    supplier = await world.add_supplier(currency)
    pool = await world.add_direct_pool(supplier, reserved_for=reserved_for)
    listed = world.msisdns(count, "+194") if isinstance(count, int) else count
    await world.report(supplier, [reported(one, country) for one in listed])
    for slug, price in prices.items():
        await world.set_price(slug, price, country=country, pool=pool)
    await world.take_stock()
    return pool


async def receive(world: World, msisdn: str, text: str, sender: str = "Verify") -> None:
    """An SMS comes in from the supplier of a number."""
    supplier = await world.value(
        "SELECT supplier_id FROM pool JOIN number ON number.pool_id = pool.id WHERE msisdn = $1", msisdn
    )
    await world.receive(supplier, msisdn, text, sender=sender)
