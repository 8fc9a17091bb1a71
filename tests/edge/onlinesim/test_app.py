"""Onlinesim among the others in the whole application: `/api` is shared."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from simyard.app import DIALECTS, WEBHOOK_FORMATS, build
from simyard.base.clock import ManualClock
from simyard.edge.dialects.onlinesim import webhook
from simyard.edge.dialects.onlinesim.dialect import DIALECT
from simyard.settings import Settings
from tests.edge.onlinesim.buyer import Buyer, add_shelf, answer
from tests.world import World


@pytest.fixture
async def client(world: World, clock: ManualClock, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    app = build(Settings(), database_url, with_workers=False, clock=clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://simyard.test", follow_redirects=False
        ) as client,
    ):
        yield client


def test_it_is_asked_last() -> None:
    assert DIALECTS[-1] is DIALECT
    assert WEBHOOK_FORMATS[webhook.FORMAT] is webhook.render


async def test_each_path_is_its_own_dialects(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    assert await buyer.balance() == 100
    assert (await buyer.ask("getTariffs", country=46))["response"] == "1"
    assert await buyer.ask("rent/tariffsRent") == {}
    client, key = buyer.client, {"authorization": f"Bearer {buyer.key}"}
    assert (await client.get("/api/v1/server7/balance", headers=key)).json()["success"] is True
    assert (await client.get("/api/v1/server7/nothing", headers=key)).status_code == 404
    assert (await client.post("/api/resellers/checkWork", headers=key)).status_code != 200
    assert answer(await client.get("/demo/api/getBalance.php"))["response"] == "1"


@pytest.mark.parametrize("path", ["/apigetService.php", "/apigetService", "/api//getService.php"])
async def test_a_path_without_its_slash(buyer: Buyer, path: str) -> None:
    for method in ("GET", "POST"):
        response = await buyer.client.request(method, path, params={"apikey": buyer.key})
        assert answer(response) == {"response": "ERROR_NO_SERVICE_REPEAT"}


@pytest.mark.parametrize("path", ["/api/nothing", "/api/", "/demo/api/nothing", "/api/rent/"])
async def test_what_nobody_knows_below_api(buyer: Buyer, path: str) -> None:
    assert answer(await buyer.client.get(path)) == {"response": "REQUEST_NOT_FOUND"}


async def test_its_description_is_served(buyer: Buyer) -> None:
    for name in ("onlinesim", "onlinesim_demo"):
        assert (await buyer.client.get(f"/docs/{name}")).status_code == 200
        document = (await buyer.client.get(f"/docs/{name}/openapi.json")).json()
        assert len(document["paths"]) == 26
