"""Two processes on one database: lanes of their own, on pools of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from simyard.core.lanes import Lanes
from simyard.db.database import Database
from tests.metrics import metric
from tests.world import World, world

__all__ = ["world"]


@pytest.fixture
async def processes(world: World, database_url: str) -> AsyncIterator[tuple[Lanes, Lanes]]:
    databases = [
        await Database.connect(database_url, connections_max=8, synchronous_commit=place % 2 == 0)
        for place in range(4)
    ]
    both = tuple(
        Lanes(durable, relaxed, slots=2, batch_max=64, queue_max=4096)
        for durable, relaxed in (databases[:2], databases[2:])
    )
    reruns = _reruns(both[0])
    yield both[0], both[1]
    for lanes in both:
        await lanes.close()
    for database in databases:
        await database.close()
    # The lanes would hide both by trying again.
    assert await world.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    assert _reruns(both[0]) == reruns


def _reruns(lanes: Lanes) -> dict[str, float]:
    """So far in this process, of all lanes of a name."""
    return {lane.name: metric("simyard_lane_batches_rerun_total", lane=lane.name) for lane in lanes}
