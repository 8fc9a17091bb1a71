"""The budgets of DaisySIM virtual: how many requests, what the refusal says, when the window opens again."""

from __future__ import annotations

import pytest

from simyard.base.clock import ManualClock
from tests.edge.daisysim.virtual import VirtualBuyer, told

LIMITED = [
    ("prices", "POST", "/prices", 30),
    ("purchase", "POST", "/purchase", 10),
    ("check", "GET", "/check/1", 60),
    ("cancel", "POST", "/cancel/1", 10),
]


@pytest.mark.parametrize(("noun", "method", "path", "requests"), LIMITED)
async def test_the_budget_of_a_minute(
    virtual: VirtualBuyer, clock: ManualClock, noun: str, method: str, path: str, requests: int
) -> None:
    for _ in range(requests):
        assert (await virtual.send(method, path)).status_code != 429
    clock.turn(16.2)
    response = await virtual.send(method, path)
    assert response.status_code == 429
    assert response.headers["retry-after"] == "44"
    assert response.json() == {
        "success": False,
        "error": f"Too many {noun} attempts. Please wait 44s.",
        "code": "RATE_LIMITED",
    }
    clock.turn(43.8)
    assert (await virtual.send(method, path)).status_code != 429


async def test_the_other_endpoints_have_no_budget(virtual: VirtualBuyer) -> None:
    for path in ("/balance", "/countries", "/services/16", "/history", "/webhook"):
        for _ in range(70):
            told(await virtual.get(path))
