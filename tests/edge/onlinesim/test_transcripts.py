"""What comes back, to the byte."""

from __future__ import annotations

import httpx
import pytest

from simyard.base.clock import ManualClock
from tests.edge.daisysim.transcript import Scene
from tests.edge.onlinesim.transcript import Performance, scenes
from tests.world import World


@pytest.mark.parametrize("scene", list(scenes()), ids=str)
async def test_transcript(scene: Scene, world: World, clock: ManualClock, client: httpx.AsyncClient) -> None:
    await Performance(world, clock, client).play(scene)
