"""A world with a provider of deposits."""

from __future__ import annotations

import pytest

from simyard.base.clock import ManualClock
from tests.core.funding.provider import FakeProvider, Yard
from tests.world import World, world

__all__ = ["world"]


@pytest.fixture
def yard(world: World, clock: ManualClock) -> Yard:
    return Yard(world, FakeProvider(), clock)
