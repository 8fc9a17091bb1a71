"""Whatever a buyer sends, he gets the dialect's own envelope, and no 5xx but the documented ones."""

from __future__ import annotations

import json
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from simyard.edge.dialects.daisysim.v2 import ACTIONS
from simyard.settings import Settings
from tests.edge.daisysim.buyer import Buyer, add_shelf, data, refused
from tests.world import World

DOCUMENTED = {"OUT_OF_STOCK": 503, "PROVIDER_ERROR": 502}

characters = st.one_of(st.characters(), st.characters(categories=["Cs"]), st.sampled_from("\0+0٣-_ "))
texts = st.text(characters, max_size=40)
likely = st.sampled_from(
    [
        "USA",
        "WhatsApp",
        "sb_wa",
        "sb_",
        "whatsapp-3001",
        "whatsapp-3003",
        "3001",
        "3003",
        "10000",
        "9" * 30,
        "x" * 201,
    ]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(9990, 10_010),
    st.floats(),
    texts,
    likely,
    st.just(10**400),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
maybe = likely | values
orders = st.fixed_dictionaries(
    {"country": st.just("USA") | maybe, "app": maybe},
    optional={
        "provider_id": maybe,
        "app_name": maybe,
        "country_name": maybe,
        "price": maybe,
    },
)
polls = st.fixed_dictionaries({"ids": st.lists(maybe, max_size=25) | values})
written = st.one_of(
    st.one_of(orders, polls, values).map(lambda body: json.dumps(body).encode()),
    orders.map(lambda body: json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    st.binary(max_size=60),
)
segments = st.one_of(
    likely,
    st.integers().map(str),
    st.binary(max_size=30).map(quote_from_bytes),
    texts.map(lambda text: quote_from_bytes(text.encode("utf-8", "surrogatepass"))),
)
queries = st.lists(
    st.tuples(st.sampled_from(["status", "page", "per_page", "%00", ""]), segments), max_size=4
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))
header_texts = st.none() | st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=300)


@pytest.fixture
def settings() -> Settings:
    return Settings(rate_limit_scale=1_000_000)


@pytest.fixture
async def stocked(buyer: Buyer, world: World) -> Buyer:
    for _ in range(2):
        await add_shelf(world, {"whatsapp": "0.1", "telegram": "0.1"}, 40)
    await add_shelf(world, {"whatsapp": "0.1"}, 20, reserved_for="whatsapp")
    return buyer


@examples(
    max_examples=500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    call=st.sampled_from(sorted(ACTIONS)),
    content=written,
    segment=segments,
    query=queries,
    key=header_texts,
)
async def test_nothing_breaks_it(
    stocked: Buyer, call: tuple[str, str], content: bytes, segment: str, query: str, key: str | None
) -> None:
    method, path = call
    head, brace, _ = path.partition("{")
    headers = [(b"authorization", b"Bearer " + stocked.key.encode())]
    if key is not None:
        headers.append((b"idempotency-key", key.encode("latin-1")))
    response = await stocked.client.request(
        method,
        f"/api/v1/server7{head}{segment if brace else ''}?{query}",
        content=content,
        headers=headers,
    )
    if response.status_code == 200:
        data(response)
    else:
        status, code = refused(response)
        assert status < 500 or DOCUMENTED.get(code) == status


@examples(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.binary(max_size=80), method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS"]))
async def test_no_path_breaks_it(buyer: Buyer, path: bytes, method: str) -> None:
    response = await buyer.send(method, "/" + quote_from_bytes(path, safe="/"))
    assert response.status_code in (200, 401, 404, 422)
    assert response.json()["success"] is (response.status_code == 200)
