"""Whatever a vendor answers: it is a number, a no, or a failure, and never anything else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.core.remote.model import Ending
from simyard.workers.outgoing import Answer, Call, Failure
from simyard.workers.remote.fivesim import FivesimSource
from simyard.workers.remote.handler import HandlerSource
from simyard.workers.remote.onlinesim import OnlinesimSource
from simyard.workers.remote.source import Source, SourceFailed, SourceRefused
from tests.upstreams.conftest import profile, wish
from tests.upstreams.vendor import KEY

NAMES = [
    "response",
    "title",
    "status",
    "error",
    "message",
    "msg",
    "data",
    "Data",
    "activeActivations",
    "rows",
    "activationId",
    "phoneNumber",
    "activationCost",
    "currency",
    "serviceCode",
    "countryCode",
    "smsText",
    "smsCode",
    "activationTime",
    "orderId",
    "id",
    "phone",
    "price",
    "sms",
    "created_at",
    "date",
    "text",
    "code",
    "sender",
    "product",
    "country",
    "tzid",
    "number",
    "service",
    "sum",
    "balance",
    "rating",
    "services",
    "slug",
    "count",
    "cost",
    "physicalCount",
    "eng",
    "name",
    "16",
    "tg",
    "england",
    "telegram",
    "44",
    "service_telegram",
    "any",
    "original",
    "success",
]
WORDS = [
    "ACCESS_NUMBER:1:447700900001",
    "ACCESS_NUMBER::",
    "ACCESS_BALANCE:x",
    "ACCESS_BALANCE:1e9",
    "STATUS_OK:",
    "NO_NUMBERS",
    "BAD_ACTION",
    "success",
    "error",
    "1",
    "-1",
    "0.2",
    "1e999999",
    "NaN",
    "447700900001",
    "+447700900001",
    "2026-11-21T10:00:00Z",
    "0000-00-00T99:99:99Z",
    "PENDING",
    "tg",
    "telegram",
    "16",
    "44",
    "england",
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.sampled_from(WORDS)
    | st.text(max_size=20)
)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=25,
)
bodies = (
    trees.map(lambda tree: json.dumps(tree).encode())
    | st.sampled_from(WORDS).map(str.encode)
    | st.binary(max_size=60)
    | st.sampled_from(
        [
            b"[" * 5000,
            b'{"a":' * 3000,
            b"9" * 5000,
            b'{"16":{"tg":{"cost":1e999999999,"count":1}}}',
            b"\xff\xfe{",
        ]
    )
)
answers = st.builds(
    lambda status, body: Answer(status, (), body, True),
    st.sampled_from([200, 200, 200, 204, 302, 400, 401, 404, 409, 429, 500, 502]),
    bodies,
)

WORK: tuple[Callable[[Source], Awaitable[Any]], ...] = (
    lambda source: source.stock(),
    lambda source: source.order(wish("16", "tg")),
    lambda source: source.find(wish("16", "tg"), since=datetime(2026, 3, 1, tzinfo=UTC)),
    lambda source: source.poll(["1", "44", "447700900001"]),
    lambda source: source.request_next("1"),
    *(
        lambda source, ending=ending: source.finish("1", ending, amount=0, currency="USD")
        for ending in Ending
    ),
)


class Hostile:
    """Answers one thing after the other, and the last for ever."""

    def __init__(self, said: list[Answer]) -> None:
        self._said = said

    async def call(self, call: Call) -> Answer | Failure:
        return self._said.pop(0) if len(self._said) > 1 else self._said[0]


@pytest.mark.parametrize(
    ("protocol", "make"),
    [("handler", HandlerSource), ("fivesim", FivesimSource), ("onlinesim", OnlinesimSource)],
)
@given(said=st.lists(answers, min_size=1, max_size=4))
def test_nothing_but_a_no_or_a_failure_is_raised(
    protocol: str, make: Callable[..., Source], said: list[Answer]
) -> None:
    async def run() -> None:
        for work in WORK:
            source = make(profile("http://example.com", protocol), Hostile(list(said)))
            try:
                await work(source)
            except (SourceRefused, SourceFailed) as error:
                assert KEY not in str(error)
                assert len(error.detail) < 200

    asyncio.run(run())
