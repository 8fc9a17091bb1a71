"""Whatever a client sends, it gets JSON with the status 200 and a word of the vendor's catalogue."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from simyard.edge.dialects.onlinesim.demo import ERRORS
from simyard.edge.dialects.onlinesim.dialect import ACTIONS
from simyard.settings import Settings
from tests.edge.onlinesim.buyer import Buyer, add_shelf, answer
from tests.world import World

characters = st.one_of(st.characters(), st.characters(categories=["Cs"]), st.sampled_from("\0+0٣-_[], "))
texts = st.text(characters, max_size=30)
likely = st.sampled_from(
    ["46", "whatsapp", "_telegram", "1", "7", "true", "10001", "10002", "all", "desc", "9" * 30, "2", "0", ""]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    texts,
    likely,
    st.just(10**400),
    st.integers(10_000, 10_020),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
names = st.sampled_from(
    [
        "service",
        "country",
        "tzid",
        "operation_id",
        "number",
        "reject",
        "reject[]",
        "reject[0]",
        "days",
        "extension",
        "pagination",
        "page",
        "msg_list",
        "message_to_code",
        "orderby",
        "type",
        "ban",
        "filter",
        "filter_country",
        "locale_price",
        "count",
        "phone",
        "lang",
        "profile",
        "profile[webhook_url]",
        "apikey",
    ]
)
mapping = st.dictionaries(names | texts, likely | values, max_size=6)
bodies = st.one_of(
    mapping.map(lambda body: json.dumps(body).encode()),
    mapping.map(lambda body: json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    st.binary(max_size=60),
    st.just(b""),
)
pairs = st.dictionaries(
    names, likely | texts.map(lambda text: text.encode("utf-8", "replace").decode()), max_size=6
)


@pytest.fixture
def settings() -> Settings:
    return Settings(rate_limit_scale=1_000_000, onlinesim_guard_seconds=0)


@pytest.fixture
async def stocked(buyer: Buyer, world: World) -> Buyer:
    await add_shelf(world, {"whatsapp": "0.1", "telegram": "0.1"}, 60, tariffs={1: "0.1", 7: "0.5"})
    return buyer


@examples(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(call=st.sampled_from(sorted(ACTIONS)), query=pairs, content=bodies)
async def test_nothing_breaks_it(
    stocked: Buyer,
    caplog: pytest.LogCaptureFixture,
    call: tuple[str, str],
    query: dict[str, str],
    content: bytes,
) -> None:
    caplog.clear()
    method, path = call
    headers = {"authorization": f"Bearer {stocked.key}"}
    response = await stocked.client.request(
        method, f"/api{path}", params=query, content=content, headers=headers
    )
    told = answer(response)
    if isinstance(told, dict) and isinstance(told.get("response"), str) and told["response"] != "1":
        assert told["response"] in ERRORS
        assert told["response"] != "TRY_AGAIN_LATER", (call, query, content)
    assert [one.message for one in caplog.records if one.levelno >= logging.ERROR] == []
