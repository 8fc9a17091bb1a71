"""What the tests of Onlinesim share: a world, the dialect served over it, and a buyer with 100 USD."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from simyard.base.clock import ManualClock
from simyard.core.lanes import Lanes
from simyard.db.database import Database
from simyard.settings import Settings
from tests.edge.onlinesim.buyer import Buyer, served
from tests.world import World, world

__all__ = ["world"]


@pytest.fixture
async def lanes(database: Database) -> AsyncIterator[Lanes]:
    lanes = Lanes(database, database, slots=2, batch_max=64, queue_max=4096)
    yield lanes
    await lanes.close()


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
async def client(
    world: World, clock: ManualClock, lanes: Lanes, settings: Settings
) -> AsyncIterator[httpx.AsyncClient]:
    async with served(world.database, lanes, clock, settings) as client:
        yield client


@pytest.fixture
async def buyer(world: World, client: httpx.AsyncClient) -> Buyer:
    return await Buyer.join(world, client)
