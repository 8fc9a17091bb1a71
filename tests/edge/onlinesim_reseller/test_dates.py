"""Dates as suppliers write them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.edge.dialects.onlinesim_reseller import dates

MOMENT = datetime(2026, 11, 21, 0, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        1795219269,
        "1795219269",
        1795219269000,
        "1795219269000",
        1795219269.0,
        "1795219269.0",
        " 1795219269\n",
        "2026-11-21T00:01:09Z",
        "2026-11-21t00:01:09z",
        "2026-11-21T00:01:09+00:00",
        "2026-11-21T01:01:09+01:00",
        "2026-11-20T19:01:09.000-05:00",
        "2026-11-21T00:01:09",
        "2026-11-21 00:01:09",
        "20261121T000109Z",
    ],
)
def test_the_same_moment_in_every_form(value: object) -> None:
    assert dates.read(value) == MOMENT


def test_fractions_are_kept() -> None:
    assert dates.read(1795219269250) == MOMENT + timedelta(milliseconds=250)
    assert dates.read("2026-11-21 00:01:09.5") == MOMENT + timedelta(milliseconds=500)


def test_a_date_alone_is_its_midnight() -> None:
    assert dates.read("2026-11-21") == datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        "",
        " ",
        "now",
        "21.11.2026 00:01",
        "Sat, 21 Nov 2026 00:01:09 GMT",
        "2026-13-45",
        "2026-11-21T25:00:00",
        0,
        "0",
        -1,
        "-1795219269",
        20261121000109,
        10**30,
        "9" * 39,
        "9" * 400,
        math.nan,
        math.inf,
        -math.inf,
        "NaN",
        "inf",
        "1e9",
        "\u0661\u0667\u0669\u0665\u0662\u0661\u0669\u0662\u0666\u0669",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1970-01-01T00:00:00Z",
        [],
        {},
        b"1795219269",
    ],
)
def test_anything_else_is_no_date(value: object) -> None:
    assert dates.read(value) is None


@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_every_iso_date_reads_as_itself(naive: datetime, minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert dates.read(moment.isoformat()) == moment


@given(st.one_of(st.text(), st.integers(), st.floats(), st.binary(), st.none(), st.lists(st.text())))
def test_nothing_is_rejected(value: object) -> None:
    moment = dates.read(value)
    assert moment is None or moment.tzinfo is UTC
