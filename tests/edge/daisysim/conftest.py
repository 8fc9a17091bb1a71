"""What the tests of DaisySIM share: a world, both versions served over it, and a buyer of each with 100 USD."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from simyard.base.clock import ManualClock
from simyard.core.lanes import Lanes
from simyard.db.database import Database
from simyard.edge.dialects.daisysim import v1
from simyard.settings import Settings
from tests.edge.daisysim.buyer import Buyer, served
from tests.edge.daisysim.virtual import LOYALTY, VirtualBuyer
from tests.world import World, world

__all__ = ["world"]


@pytest.fixture
async def lanes(database: Database) -> AsyncIterator[Lanes]:
    lanes = Lanes(database, database, slots=2, batch_max=64, queue_max=4096, loyalty=LOYALTY)
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
async def virtual_client(
    world: World, clock: ManualClock, lanes: Lanes, settings: Settings
) -> AsyncIterator[httpx.AsyncClient]:
    world.loyalty = LOYALTY
    async with served(world.database, lanes, clock, settings, v1.DIALECT) as client:
        yield client


@pytest.fixture
async def virtual(world: World, virtual_client: httpx.AsyncClient) -> VirtualBuyer:
    """A buyer with 100 USD who calls DaisySIM virtual."""
    return await VirtualBuyer.join(world, virtual_client)


@pytest.fixture
async def buyer(world: World, client: httpx.AsyncClient) -> Buyer:
    return await Buyer.join(world, client)
