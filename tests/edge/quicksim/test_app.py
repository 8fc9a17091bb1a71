"""QuickSim among the others in the whole application, with an issuer on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from simyard.app import DIALECTS, build
from simyard.base.clock import ManualClock
from simyard.edge.dialects.quicksim.dialect import DIALECT
from simyard.settings import Settings
from tests.core.logins.issuer import Issuer
from tests.edge.daisysim.buyer import add_shelf
from tests.edge.quicksim.user import User, refused
from tests.world import World


@pytest.fixture
async def client(
    world: World, clock: ManualClock, database_url: str, settings: Settings
) -> AsyncIterator[httpx.AsyncClient]:
    await world.set_rate("NGN", "1000")
    app = build(settings, database_url, with_workers=False, clock=clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://simyard.test", follow_redirects=False
        ) as client,
    ):
        yield client


def test_it_is_asked_before_whoever_owns_the_rest_of_api() -> None:
    names = [dialect.name for dialect in DIALECTS]
    assert DIALECT in DIALECTS
    assert names.index("quicksim") < names.index("onlinesim")


async def test_each_path_is_its_own_dialects(user: User, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    bought = await user.buy()
    assert (await user.act("cancel", bought["id"])).json()["refunded"] == 1000
    assert (await user.post("/wallet/create-virtual-account", {"bank_code": "035"})).status_code == 201
    assert len((await user.funds())["virtual_accounts"]) == 1
    key = await world.issue_key(user.account_id)
    client = user.client
    balance = await client.get("/api/v1/server7/balance", headers={"authorization": f"Bearer {key}"})
    assert balance.json()["data"]["balance"] == 10000
    assert (await client.get(f"/api/getBalance.php?apikey={key}")).json()["response"] == "1"
    # A token is no key there, and a key no token here.
    other = await client.get("/api/v1/server7/balance", headers={"authorization": f"Bearer {user.key}"})
    assert other.status_code == 401
    mine = await client.get("/api/fivesim/countries", headers={"authorization": f"Bearer {key}"})
    assert refused(mine) == (401, "unauthorized")


async def test_a_credential_logs_in_through_the_whole_application(
    client: httpx.AsyncClient, clock: ManualClock
) -> None:
    response = await client.post("/api/auth/google", json={"credential": Issuer().credential(clock.now())})
    assert response.json()["user"]["email"] == "jane@example.com"


@pytest.mark.parametrize("path", ["/api/auth/", "/api/users/", "/api/fivesim/nothing", "/api/wallet/x/y"])
async def test_what_nobody_knows_below_its_paths(client: httpx.AsyncClient, path: str) -> None:
    assert refused(await client.get(path)) == (404, "not_found")


async def test_its_description_is_served(client: httpx.AsyncClient) -> None:
    assert (await client.get("/docs/quicksim")).status_code == 200
    document = (await client.get("/docs/quicksim/openapi.json")).json()
    assert len(document["paths"]) == 17
    activation = document["paths"]["/api/fivesim/activation"]["post"]
    assert {"201", "400", "401", "402", "404", "422", "429", "500"} == set(activation["responses"])
    assert document["paths"]["/api/users/login"]["post"]["security"] == [{}]
