"""`/demo/api`: made-up answers in the real shapes, and any error on demand; nothing is touched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import msgspec
import pytest

from simyard.base.clock import ManualClock
from simyard.core.lanes import Lanes
from simyard.db.database import Database
from simyard.edge.dialects.onlinesim import dialect
from simyard.edge.dialects.onlinesim.demo import DIALECT, ERRORS
from simyard.settings import Settings
from tests.edge.onlinesim.buyer import answer, served

NAMES = sorted({path for _, path in DIALECT.actions})
NOT_OFFERED = {
    "/getService": "ERROR_NO_SERVICE_REPEAT",
    "/getServiceNumber": "SERVICE_TO_NUMBER_EMPTY",
    "/getNumRepeat": "REQUEST_NOT_FOUND",
}


@pytest.fixture
async def client(clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    """Without lanes and without a database: what asked for either would fail."""
    nothing = cast(Any, None)
    async with served(cast(Database, nothing), cast(Lanes, nothing), clock, Settings(), DIALECT) as client:
        yield client


def test_every_method_has_its_demonstration() -> None:
    assert set(DIALECT.actions) == set(dialect.ACTIONS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", ["", ".php"])
async def test_a_method_answers_in_its_shape(client: httpx.AsyncClient, name: str, end: str) -> None:
    action = dialect.ACTIONS["GET", name]
    for response in (
        await client.get(f"/demo/api{name}{end}"),
        await client.post(f"/demo/api{name}{end}"),
        await client.get(f"/demo/api/{name}{end}", headers={"authorization": "Bearer anything"}),
    ):
        told = answer(response)
        if name in NOT_OFFERED:
            assert told == {"response": NOT_OFFERED[name]}
        else:
            assert "response" not in told or told["response"] in (1, "1")
            _fits(response.content, action.answer)


def _fits(body: bytes, kind: Any) -> None:
    """Amounts are raw JSON in the types, so what is left to hold are names and kinds."""
    if "|" not in str(kind):
        msgspec.json.decode(body, type=kind)


@pytest.mark.parametrize("error", sorted(ERRORS))
async def test_any_error_can_be_had(client: httpx.AsyncClient, error: str) -> None:
    for name in ("/getNum", "/rent/getRentState.php", "/getFreeList"):
        assert answer(await client.get(f"/demo/api{name}", params={"err": error})) == {"response": error}
        assert answer(await client.post(f"/demo/api{name}", json={"err": error})) == {"response": error}


@pytest.mark.parametrize("error", ["", "nothing", "error_params", "<script>"])
async def test_an_error_that_is_none(client: httpx.AsyncClient, error: str) -> None:
    told = answer(await client.get("/demo/api/getBalance", params={"err": error}))
    assert told["response"] == ("ERROR_PARAMS" if error else "1")


async def test_what_is_asked_for_is_what_is_shown(client: httpx.AsyncClient) -> None:
    asked: dict[str, str | int] = {"service": "whatsapp", "country": 44, "number": "true"}
    told = answer(await client.get("/demo/api/getNum", params=asked))
    assert told == {
        "response": 1,
        "tzid": 10000,
        "number": "+44700000001",
        "country": 44,
        "time": 900,
        "service": "whatsapp",
        "title": "WhatsApp",
        "response_text": "Waiting for SMS",
        "guard_interval_remaining_seconds": 120,
    }
    (operation,) = answer(await client.get("/demo/api/getState", params={"tzid": 77, "message_to_code": 1}))
    assert (operation["tzid"], operation["msg"]) == (77, "12345")
    assert answer(await client.get("/demo/api/getNum", params={"service": "x"})) == {
        "response": "ERROR_NO_SERVICE"
    }
    assert answer(await client.get("/demo/api/nothing")) == {"response": "REQUEST_NOT_FOUND"}
