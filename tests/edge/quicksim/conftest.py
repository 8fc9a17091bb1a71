"""What the tests of QuickSim share: a world, the dialect served over it, an issuer of credentials, and a user."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from simyard.base.clock import ManualClock
from simyard.core.lanes import Lanes
from simyard.db.database import Database
from simyard.settings import Settings
from tests.core.logins.issuer import CLIENT_ID, Issuer
from tests.edge.quicksim.user import User, served
from tests.passwords import quick_passwords
from tests.receivers import Receiver, answer
from tests.world import World, world

__all__ = ["quick_passwords", "world"]


@pytest.fixture
async def lanes(database: Database) -> AsyncIterator[Lanes]:
    lanes = Lanes(database, database, slots=2, batch_max=64, queue_max=4096)
    yield lanes
    await lanes.close()


@pytest.fixture
async def key_server() -> AsyncIterator[Receiver]:
    async with Receiver(default=answer(200, Issuer().key_set())) as server:
        yield server


@pytest.fixture
def settings(key_server: Receiver) -> Settings:
    return Settings(
        oidc_client_id=CLIENT_ID, oidc_keys_url=key_server.url("/oauth2/v3/certs"), rate_limit_scale=100
    )


@pytest.fixture
async def client(
    world: World, clock: ManualClock, lanes: Lanes, settings: Settings
) -> AsyncIterator[httpx.AsyncClient]:
    with served(world, lanes, clock, settings) as opening:
        async with opening as client:
            await world.set_rate("NGN", "1000")
            yield client


@pytest.fixture
async def user(world: World, client: httpx.AsyncClient) -> User:
    return await User.join(world, client)
