"""What the tests of the reseller API share: a world, the dialect served over it, and a partner who calls it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from simyard.base.clock import ManualClock
from simyard.core.lanes import Lanes
from simyard.db.database import Database
from simyard.settings import Settings
from tests.edge.onlinesim_reseller.partner import Partner, served
from tests.world import World, world

__all__ = ["world"]


@pytest.fixture
async def lanes(database: Database) -> AsyncIterator[Lanes]:
    lanes = Lanes(database, database, slots=2, batch_max=64, queue_max=4096)
    yield lanes
    await lanes.close()


@pytest.fixture
async def partner(world: World, clock: ManualClock, lanes: Lanes) -> AsyncIterator[Partner]:
    """A supplier with a pool and a key. Telegram, WhatsApp and Google have a price in Sweden."""
    for slug in ("telegram", "whatsapp", "google"):
        await world.set_price(slug, "1", country="SE")
    async with served(world.database, lanes, clock, Settings()) as client:
        yield await Partner.join(world, client)


@pytest.fixture
async def rival(partner: Partner) -> Partner:
    """Another supplier."""
    return await Partner.join(partner.world, partner.client)
