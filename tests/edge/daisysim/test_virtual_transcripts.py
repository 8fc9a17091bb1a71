"""DaisySIM virtual: the vendor's examples, and what must be said besides them."""

from __future__ import annotations

import httpx
import pytest

from simyard.base.clock import ManualClock
from tests.edge.daisysim.transcript import FOLDER, Performance, Scene, scenes
from tests.edge.daisysim.virtual import VirtualBuyer
from tests.world import World


@pytest.mark.parametrize("scene", list(scenes(FOLDER / "virtual")), ids=str)
async def test_transcript(
    scene: Scene, world: World, clock: ManualClock, virtual_client: httpx.AsyncClient
) -> None:
    await Performance(world, clock, virtual_client, VirtualBuyer).play(scene)
