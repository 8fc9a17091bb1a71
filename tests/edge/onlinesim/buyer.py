"""A buyer who calls Onlinesim's methods, and what there is to buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from simyard.base.clock import Clock
from simyard.base.ids import AccountId
from simyard.core.lanes import Lanes
from simyard.core.pools.model import Pool
from simyard.db.database import Database
from simyard.edge.dialects.onlinesim.dialect import DIALECT
from simyard.edge.http import DialectApp
from simyard.edge.wire import Dialect
from simyard.settings import Settings
from tests.edge.steps import steps_of
from tests.world import World, reported

ADDRESS = "203.0.113.7"
CODES = {"SE": 46, "GB": 44, "US": 1, "RU": 7, "KZ": 77, "CA": 1000}


def served(
    database: Database, lanes: Lanes, clock: Clock, settings: Settings, dialect: Dialect = DIALECT
) -> httpx.AsyncClient:
    steps = steps_of(database, clock, settings)
    app = DialectApp(dialect, lanes=lanes, database=database, clock=clock, settings=settings, steps=steps)
    transport = httpx.ASGITransport(app=app, client=(ADDRESS, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://simyard.test")


class Buyer:
    """Calls with its key and says what came back."""

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
    ) -> Buyer:
        account_id = await world.add_buyer(balance, currency, email=email)
        return cls(world, client, account_id, await world.issue_key(account_id))

    async def ask(self, method: str, *, headers: Mapping[str, str] | None = None, **fields: Any) -> Any:
        """A method by GET, with its key in the query; the answer as JSON."""
        response = await self.client.get(
            f"/api/{method}.php", params={"apikey": self.key, **fields}, headers=headers
        )
        return answer(response)

    async def order(self, service: str = "whatsapp", country: int = 46, **fields: Any) -> int:
        ordered = await self.ask("getNum", service=service, country=country, **fields)
        assert ordered["response"] == 1, ordered
        tzid: int = ordered["tzid"]
        return tzid

    async def state(self, tzid: int, **fields: Any) -> dict[str, Any]:
        (operation,) = await self.ask("getState", tzid=tzid, **fields)
        found: dict[str, Any] = operation
        return found

    async def rent(self, days: int = 1, country: int = 46, **fields: Any) -> dict[str, Any]:
        rented = await self.ask("rent/getRentNum", days=days, country=country, **fields)
        assert rented["response"] == 1, rented
        item: dict[str, Any] = rented["item"]
        return item

    async def balance(self) -> Any:
        return (await self.ask("getBalance"))["balance"]


def answer(response: httpx.Response) -> Any:
    """Every answer is JSON with the status 200."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()


async def add_shelf(
    world: World,
    prices: Mapping[str, str],
    numbers: int | Sequence[str] = 5,
    *,
    country: str = "SE",
    prefix: str = "+4670",
    tariffs: Mapping[int, str] | None = None,
) -> Pool:
    """A supplier's pool of numbers, so many or these, with prices of its own and tariffs for rent; its stock is counted."""
    supplier = await world.add_supplier()
    pool = await world.add_direct_pool(supplier, rent_allowed=tariffs is not None)
    listed = world.msisdns(numbers, prefix) if isinstance(numbers, int) else numbers
    await world.report(
        supplier, [reported(one, country, rent=tariffs is not None) for one in listed], online_seconds=10**9
    )
    for slug, price in prices.items():
        await world.set_price(slug, price, country=country, pool=pool)
    for days, price in (tariffs or {}).items():
        await world.set_tariff(days, price, country=country, pool=pool)
    await world.take_stock()
    return pool


async def receive(world: World, msisdn: str, text: str, sender: str = "WhatsApp") -> None:
    """An SMS comes in from the supplier of a number."""
    supplier = await world.value(
        "SELECT supplier_id FROM pool JOIN number ON number.pool_id = pool.id WHERE msisdn = $1", msisdn
    )
    await world.receive(supplier, msisdn, text, sender=sender)
