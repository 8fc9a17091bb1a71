"""The vendor's examples, and what must be said besides them: the same request gets the same answer."""

from __future__ import annotations

import httpx
import pytest

from simyard.base.clock import ManualClock
from tests.edge.daisysim.transcript import Scene
from tests.edge.quicksim.transcript import Performance, scenes
from tests.world import World


@pytest.mark.parametrize("scene", scenes(), ids=str)
async def test_transcript(scene: Scene, world: World, clock: ManualClock, client: httpx.AsyncClient) -> None:
    await Performance(world, clock, client).play(scene)
