"""DaisySIM virtual in the whole application: with a supplier, the sandbox, the workers and a receiver of webhooks."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from simyard.app import DIALECTS, WEBHOOK_FORMATS, build
from simyard.base.clock import ManualClock
from simyard.core.accounts.model import Scope
from simyard.edge.dialects.daisysim import webhook
from simyard.edge.dialects.daisysim.v1 import DIALECT
from simyard.settings import LoyaltyTier, Settings
from tests.edge.daisysim.buyer import add_shelf
from tests.edge.daisysim.virtual import VirtualBuyer, told
from tests.receivers import Receiver
from tests.world import World, code_text, reported

SECONDS_MAX = 20
SETTINGS = Settings(
    loyalty_tiers=(LoyaltyTier("Gold", 50, 0),),
    webhook_networks_allowed=(ipaddress.ip_network("127.0.0.0/8"),),
    sandbox_sms_seconds=0,
    rate_limit_scale=1000,
)


@pytest.fixture
async def client(world: World, clock: ManualClock, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    app = build(SETTINGS, database_url, with_workers=True, clock=clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simyard.test") as client,
    ):
        yield client


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            if holds():
                return
            await asyncio.sleep(0.05)


def test_it_is_served() -> None:
    assert DIALECT in DIALECTS
    assert WEBHOOK_FORMATS[webhook.FORMAT] is webhook.render


async def test_a_code_of_a_supplier_pays_cashback(client: httpx.AsyncClient, world: World) -> None:
    buyer = await VirtualBuyer.join(world, client)
    pool = await add_shelf(world, {"whatsapp": "1"}, 1, country="GB")
    assert pool.supplier_id is not None
    key = await world.issue_key(pool.supplier_id, (Scope.SUPPLY,), pool_id=pool.id)
    bought = await buyer.buy()
    body = {
        "date": "1795219269",
        "number": bought["phone_number"],
        "from": "WhatsApp",
        "message": code_text("whatsapp", "483921"),
    }
    response = await client.post(
        "/api/resellers/addMessage", json=body, headers={"Authorization": f"Bearer {key}"}
    )
    assert response.status_code == 200, response.text
    assert (await buyer.look(bought["activation_id"]))["code"] == "483921"
    assert await buyer.balance() == 99.5


async def test_a_code_of_the_sandbox_pays_cashback_and_reaches_the_webhook(
    client: httpx.AsyncClient, world: World
) -> None:
    await world.add_sandbox_pool([reported("+447700900001")])
    await world.set_price("whatsapp", "1")
    buyer = await VirtualBuyer.join(world, client)
    async with Receiver() as receiver:
        told(await buyer.post("/webhook", {"url": receiver.url("/hook")}))
        bought = await buyer.buy()
        await until(lambda: receiver.requests)
    (request,) = receiver.requests
    announced = json.loads(request.body)
    seen = await buyer.look(bought["activation_id"])
    assert announced == {
        "event": "code.received",
        "activation_id": bought["activation_id"],
        "phone_number": "+447700900001",
        "service": "WhatsApp",
        "code": seen["code"],
        "received_at": "2026-03-01T12:00:00+00:00",
    }
    assert request.headers["webhook-signature"].startswith("v1,")
    assert await buyer.balance() == 99.5
    await world.assert_whole()


async def test_its_description_is_served(client: httpx.AsyncClient) -> None:
    assert (await client.get("/docs/virtual")).status_code == 200
    document = (await client.get("/docs/virtual/openapi.json")).json()
    purchase = document["paths"]["/api/v1/virtual/purchase"]["post"]["responses"]
    assert "200" not in purchase
    assert purchase["201"]["description"].startswith("Done.")
