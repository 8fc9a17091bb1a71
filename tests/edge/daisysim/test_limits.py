"""The budgets: how many requests, what the refusal says, when the window opens again."""

from __future__ import annotations

import pytest

from simyard.base.clock import ManualClock
from simyard.settings import Settings
from tests.edge.daisysim.buyer import Buyer, add_shelf, data, refused
from tests.world import World

PURCHASE = {"country": "USA", "app": "WhatsApp"}
LIMITED = [
    ("purchase", "POST", "/purchase", 10),
    ("check", "GET", "/check/1", 60),
    ("cancel", "POST", "/cancel/1", 10),
]


@pytest.mark.parametrize(("noun", "method", "path", "requests"), LIMITED)
async def test_the_budget_of_a_minute(
    buyer: Buyer, clock: ManualClock, noun: str, method: str, path: str, requests: int
) -> None:
    for _ in range(requests):
        assert (await buyer.send(method, path)).status_code != 429
    clock.turn(16.2)
    response = await buyer.send(method, path)
    assert response.status_code == 429
    assert response.headers["retry-after"] == "44"
    assert response.json() == {
        "success": False,
        "error": f"Too many {noun} attempts. Please wait 44s.",
        "code": "RATE_LIMITED",
    }
    clock.turn(0.8)
    assert "Please wait 43s." in (await buyer.send(method, path)).json()["error"]
    clock.turn(42.9)
    assert "Please wait 1s." in (await buyer.send(method, path)).json()["error"]
    # Whoever waits as long as he was told is let in, and has a whole budget again.
    clock.turn(0.1)
    for _ in range(requests):
        assert (await buyer.send(method, path)).status_code != 429
    assert refused(await buyer.send(method, path)) == (429, "RATE_LIMITED")


async def test_budgets_are_an_accounts_own_and_an_endpoints_own(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"}, 11)
    for _ in range(10):
        await buyer.purchase()
    assert refused(await buyer.post("/purchase", PURCHASE)) == (429, "RATE_LIMITED")
    second_key = Buyer(world, buyer.client, buyer.account_id, await world.issue_key(buyer.account_id))
    assert refused(await second_key.post("/purchase", PURCHASE)) == (429, "RATE_LIMITED")
    assert (await buyer.post("/cancel/1")).status_code == 404
    assert (await buyer.get("/check/1")).status_code == 404
    other = await Buyer.join(world, buyer.client)
    assert data(await other.post("/purchase", PURCHASE))


async def test_the_other_endpoints_have_no_budget(buyer: Buyer) -> None:
    for _ in range(70):
        data(await buyer.post("/check-all", {"ids": ["1"]}))
    for path in ("/balance", "/countries", "/apps/USA", "/history"):
        for _ in range(15):
            data(await buyer.get(path))


class TestScaled:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(rate_limit_scale=0.2)

    async def test_an_operator_scales_budgets(self, buyer: Buyer) -> None:
        for _ in range(2):
            assert (await buyer.post("/purchase", PURCHASE)).status_code == 422
        assert refused(await buyer.post("/purchase", PURCHASE)) == (429, "RATE_LIMITED")
