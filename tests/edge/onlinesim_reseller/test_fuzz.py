"""Whatever a partner sends, he gets the dialect's own answer and never a 5xx."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simyard.edge.dialects.onlinesim_reseller.v2 import ACTIONS
from tests.edge.onlinesim_reseller.partner import NUMBER, SECOND, Partner

characters = st.one_of(st.characters(), st.characters(categories=["Cs"]), st.sampled_from("\0+0٣"))
texts = st.text(characters, max_size=40)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 60),
    st.floats(),
    texts,
    st.sampled_from([NUMBER, SECOND, NUMBER[1:], "11", 46, 24001, 1795219269, "test1", "test2", 10**400]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    [
        "number",
        "country_id",
        "operator",
        "date_start",
        "port_id",
        "rent",
        "id",
        "date",
        "from",
        "message",
        "Number",
    ]
)
entries = st.dictionaries(names, st.one_of(scalars, values), max_size=8)
likely = st.fixed_dictionaries({"number": st.sampled_from([NUMBER, SECOND, 1, "1"])}).flatmap(
    lambda known: entries.map(lambda other: {**other, **known})
)
lists = st.lists(st.one_of(entries, likely, values), max_size=5)
bodies = st.one_of(
    values,
    entries,
    likely,
    st.fixed_dictionaries(
        {},
        optional={"numbers": lists | values, "messages": lists | values, "test": st.just("test1") | values},
    ),
)
written = st.one_of(
    bodies.map(lambda body: json.dumps(body).encode()),
    bodies.map(lambda body: json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    st.binary(max_size=60),
)


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    call=st.sampled_from(sorted(ACTIONS)),
    content=written,
    query=st.sampled_from(
        ["", "test=test1", "test=test2", "number=11", "id=%00", "number=%ff%fe&test=", "&=&;"]
    ),
)
async def test_no_body_breaks_anything(
    partner: Partner, call: tuple[str, str], content: bytes, query: str
) -> None:
    method, path = call
    response = await partner.send(method, path.removeprefix("/"), content, query=query)
    assert response.status_code in (200, 400, 404), response.text
    answer = response.json()
    if response.status_code == 200:
        assert type(answer["response"]) is int
        assert answer["response"] == 1
    else:
        assert set(answer) == {"response"}
        assert isinstance(answer["response"], str)
