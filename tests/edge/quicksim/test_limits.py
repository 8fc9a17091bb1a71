"""A hundred requests a minute for an account, and as many knocks for an address."""

from __future__ import annotations

import httpx
import pytest

from simyard.base.clock import ManualClock
from simyard.settings import Settings
from tests.edge.quicksim.user import PASSWORD, User, refused
from tests.world import World


@pytest.fixture
def settings() -> Settings:
    return Settings()


async def test_an_account_has_a_hundred_requests_a_minute(
    user: User, world: World, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    places = [
        "/fivesim/countries",
        "/wallet/virtual-accounts",
        "/fivesim/check?activation_id=1",
        "/fivesim/products",
    ]
    for number in range(100):
        assert (await user.get(places[number % 4])).status_code in (200, 400, 404)
    clock.turn(16.5)
    response = await user.get("/fivesim/countries")
    assert refused(response) == (429, "rate_limited")
    assert response.headers["retry-after"] == "44"
    assert response.json()["message"] == "Too many requests. Retry in 44 seconds."
    # Another session of the account has no budget of its own, another account has.
    await user.log_in()
    assert refused(await user.act("cancel", 1)) == (429, "rate_limited")
    other = await User.join(world, client)
    await other.funds()
    clock.turn(43.5)
    await user.funds()


async def test_an_address_knocks_a_hundred_times_a_minute(
    user: User, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    for _ in range(99):
        response = await user.anonymous("/users/token/refresh", {"refresh": "sr_unknown"})
        assert refused(response) == (401, "unauthorized")
    body = {"email": user.email, "password": PASSWORD}
    assert refused(await user.anonymous("/users/login", body)) == (429, "rate_limited")
    await user.funds()
    clock.turn(60)
    await user.log_in()
