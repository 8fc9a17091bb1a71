"""The runner where a dialect is odd: several spellings of a path, no key, a budget for each thing, long answers."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from simyard.base.clock import ManualClock
from simyard.base.refusals import Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.lanes import Lanes
from simyard.core.limits.model import Budget
from simyard.edge.http import DialectApp
from simyard.edge.wire import (
    NOBODY,
    Action,
    BudgetEach,
    Dialect,
    KeyNeed,
    NoVerb,
    RefusalTable,
    WireRequest,
    WireResponse,
    bearer,
    json_response,
)
from simyard.settings import Settings
from tests.world import World, world

__all__ = ["world"]


def _parse(request: WireRequest) -> str:
    return request.value


def _render(_: None, value: str, caller: Caller) -> WireResponse:
    thread = threading.current_thread() is threading.main_thread()
    return json_response({"value": value, "account": caller.account_id, "main": thread})


def _thing(headers: Any, query_string: bytes, body: bytes) -> str | None:
    return query_string.decode() or None


def _action(key: KeyNeed, **more: Any) -> Action:
    return Action("Some", Scope.READ, _parse, NoVerb(), _render, Any, key=key, **more)


def _row(reason: Refused) -> Any:
    return lambda refusal, noun: json_response(reason.value, 400)


DIALECT = Dialect(
    name="odd",
    title="Odd",
    prefix="/odd",
    actions={
        ("GET", "/closed"): _action(KeyNeed.REQUIRED),
        ("GET", "/open"): _action(KeyNeed.OPTIONAL),
        ("GET", "/deaf"): _action(KeyNeed.IGNORED),
        ("GET", "/of/{name}"): _action(KeyNeed.IGNORED),
        ("GET", "/long"): _action(KeyNeed.IGNORED, render_slowly=True),
        ("GET", "/large"): replace(_action(KeyNeed.IGNORED), render=lambda *_: json_response("x" * 200_000)),
        ("GET", "/each"): _action(
            KeyNeed.REQUIRED, budget=Budget("odd/each", 1, 5), budget_each=BudgetEach("thing", _thing)
        ),
    },
    refusals=RefusalTable({reason: _row(reason) for reason in Refused}),
    find_key=lambda headers, query_string, body: bearer(headers),
    error=str,
    normal_path=lambda path: path.lower().removesuffix(".php"),
)


@pytest.fixture
async def client(world: World, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    lanes = Lanes(world.database, world.database, slots=2, batch_max=64, queue_max=100)
    app = DialectApp(DIALECT, lanes=lanes, database=world.database, clock=clock, settings=Settings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simyard") as client:
        yield client
    await lanes.close()


async def _key(world: World) -> dict[str, str]:
    return {"authorization": f"Bearer {await world.issue_key(await world.add_buyer())}"}


async def test_a_path_is_found_by_its_other_spellings(client: httpx.AsyncClient) -> None:
    for path in ("/odd/deaf", "/odd/DEAF", "/odd/Deaf.php"):
        assert (await client.get(path)).json()["value"] == ""
    for path in ("/odd/of/7", "/odd/OF/7.php"):
        assert (await client.get(path)).json()["value"] == "7"
    assert (await client.get("/odd/deaf.html")).json() == "unknown_method"


async def test_a_key_where_it_is_wanted_or_not(client: httpx.AsyncClient, world: World) -> None:
    good, wrong = await _key(world), {"authorization": "Bearer wrong"}
    assert (await client.get("/odd/closed")).json() == "no_key"
    assert (await client.get("/odd/closed", headers=wrong)).json() == "wrong_key"
    assert (await client.get("/odd/closed", headers=good)).json()["account"] == 1
    assert (await client.get("/odd/open")).json()["account"] == NOBODY
    assert (await client.get("/odd/open", headers=wrong)).json() == "wrong_key"
    assert (await client.get("/odd/open", headers=good)).json()["account"] == 1
    for headers in ({}, wrong, good):
        assert (await client.get("/odd/deaf", headers=headers)).json()["account"] == NOBODY


async def test_a_budget_for_each_thing(client: httpx.AsyncClient, world: World, clock: ManualClock) -> None:
    mine, theirs = await _key(world), await _key(world)

    async def said(thing: str, headers: dict[str, str]) -> Any:
        return (await client.get(f"/odd/each?{thing}", headers=headers)).json()

    assert "account" in await said("a", mine)
    assert await said("a", mine) == "over_budget"
    assert "account" in await said("b", mine)
    assert "account" in await said("a", theirs)
    for _ in range(3):
        # There is nothing to count.
        assert "account" in await said("", mine)
    clock.turn(5)
    assert "account" in await said("a", mine)


async def test_long_answers_do_not_hold_others_up(client: httpx.AsyncClient) -> None:
    assert (await client.get("/odd/long")).json()["main"] is False
    assert (await client.get("/odd/deaf")).json()["main"] is True


async def test_a_very_large_answer_is_packed_too(client: httpx.AsyncClient) -> None:
    response = await client.get("/odd/large", headers={"accept-encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert response.json() == "x" * 200_000
    assert int(response.headers["content-length"]) < 2000
