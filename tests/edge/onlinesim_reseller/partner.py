"""A partner of the reseller API: a supplier's account, its key, and the calls it makes."""

from __future__ import annotations

import json
from typing import Any

import httpx

from simyard.base.clock import Clock
from simyard.base.ids import AccountId
from simyard.core.accounts.model import Scope
from simyard.core.activations.model import Activation, Order
from simyard.core.lanes import Lanes
from simyard.core.pools.model import Pool
from simyard.db.database import Database
from simyard.edge.dialects.onlinesim_reseller.v2 import DIALECT
from simyard.edge.http import DialectApp
from simyard.settings import Settings
from tests.world import World

ADDRESS = "203.0.113.5"
NUMBER = "+46701740605"
SECOND = "+46701740606"
JSON_HEADERS = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "bank/1.0"}


def served(database: Database, lanes: Lanes, clock: Clock, settings: Settings) -> httpx.AsyncClient:
    app = DialectApp(DIALECT, lanes=lanes, database=database, clock=clock, settings=settings)
    transport = httpx.ASGITransport(app=app, client=(ADDRESS, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://simyard.test", headers=JSON_HEADERS)


class Partner:
    """Calls with its key and says what came back."""

    def __init__(
        self, world: World, client: httpx.AsyncClient, account_id: AccountId, pool: Pool, key: str
    ) -> None:
        self.world = world
        self.client = client
        self.account_id = account_id
        self.pool = pool
        self.key = key

    @classmethod
    async def join(cls, world: World, client: httpx.AsyncClient) -> Partner:
        account_id = await world.add_supplier()
        pool = await world.add_direct_pool(account_id)
        key = await world.issue_key(account_id, (Scope.SUPPLY,), pool_id=pool.id)
        return cls(world, client, account_id, pool, key)

    async def send(
        self,
        method: str,
        name: str,
        content: bytes | str | None = None,
        *,
        headers: dict[str, str] | None = None,
        query: str = "",
    ) -> httpx.Response:
        """One request with exactly this body."""
        url = f"/api/resellers/{name}" + (f"?{query}" if query else "")
        sent = {"Authorization": f"Bearer {self.key}"} | (headers or {})
        return await self.client.request(method, url, content=content, headers=sent)

    async def call(
        self, name: str, body: object = None, *, method: str = "POST", query: str = "", status: int = 200
    ) -> dict[str, Any]:
        """One request whose answer has this status; the answer."""
        content = None if body is None else json.dumps(body)
        response = await self.send(method, name, content, query=query)
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/json"
        answer: dict[str, Any] = response.json()
        if status == 200:
            # A client compares with 1, and true would be equal here.
            assert type(answer["response"]) is int
            assert answer["response"] == 1
        else:
            assert set(answer) == {"response"}
            assert isinstance(answer["response"], str)
        return answer

    async def report(self, *numbers: str | dict[str, Any]) -> dict[str, Any]:
        entries = [{"number": one, "country_id": 46} if isinstance(one, str) else one for one in numbers]
        return await self.call("sendNumbersOnline", {"numbers": entries})

    async def message(
        self, number: object, text: str, *, sender: str = "Telegram", date: object = "1795219269"
    ) -> dict[str, Any]:
        body = {"date": date, "number": number, "from": sender, "message": text}
        return await self.call("addMessage", body)

    async def listed(self) -> list[str]:
        """The numbers that are on the list now."""
        rows = await self.world.rows(
            "SELECT msisdn FROM number WHERE pool_id = $1 AND listed ORDER BY msisdn", self.pool.id
        )
        return [row[0] for row in rows]

    async def sold(self, service: str = "telegram") -> tuple[AccountId, Order]:
        """A buyer who has ordered one of the numbers."""
        buyer = await self.world.add_buyer()
        return buyer, await self.world.order(buyer, service, country="SE")

    async def check(self, buyer: AccountId, order: Order) -> Activation:
        return await self.world.check(buyer, order.activation_id)

    async def dropped(self) -> dict[str, int]:
        """How many messages were dropped, by their reasons."""
        rows = await self.world.rows(
            "SELECT reason, sum(count)::int FROM message_dropped WHERE pool_id = $1 GROUP BY reason",
            self.pool.id,
        )
        return dict(rows)

    async def messages(self) -> list[tuple[Any, ...]]:
        return await self.world.rows("SELECT sender, body, code, sent_at FROM message ORDER BY id")
