"""What is made of counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.core.quality import rules
from simyard.core.quality.model import Recent

NOTHING = (0,) * (len(rules.SPANS) + 1)


def spans(**counts: int) -> tuple[int, ...]:
    """Counts of spans named by where they end: `s5=3`."""
    ends = {f"s{end}": place for place, end in enumerate(rules.SPANS)}
    found = list(NOTHING)
    for name, count in counts.items():
        found[ends[name]] = count
    return tuple(found)


def test_quantiles_lie_where_their_part_was_delivered() -> None:
    assert rules.quantile(NOTHING, 0.5) is None
    assert rules.quantile(spans(s5=10), 0.5) == 2.5
    assert rules.quantile(spans(s5=10), 1) == 5
    assert rules.quantile(spans(s5=1, s10=1), 0.5) == 5
    assert rules.quantile(spans(s5=1, s30=1), 0.75) == 25
    assert rules.quantile((*NOTHING[:-1], 3), 0.5) == 1200


@given(st.lists(st.integers(0, 50), min_size=len(NOTHING), max_size=len(NOTHING)))
def test_quantiles_rise(counts: list[int]) -> None:
    found = [rules.quantile(counts, part / 10) for part in range(1, 11)]
    if any(counts):
        assert [one for one in found if one is not None] == sorted(found)  # type: ignore[type-var]
    else:
        assert set(found) == {None}


@pytest.mark.parametrize(
    ("asked", "failed", "percent", "blocked"),
    [
        (3, 3, 50, False),
        (4, 2, 50, False),
        (4, 3, 50, True),
        (10, 5, 50, False),
        (10, 6, 50, True),
        (10, 10, 100, False),
        (10, 1, 0, True),
        (10, 0, 0, False),
    ],
)
def test_a_pool_over_reports_when_it_fails_more_than_the_part(
    asked: int, failed: int, percent: int, blocked: bool
) -> None:
    assert rules.over_reports(Recent(asked=asked, failed=failed), percent=percent) is blocked


@pytest.mark.parametrize(("issued", "delivered", "poor"), [(19, 0, False), (20, 1, True), (20, 2, False)])
def test_a_pool_is_poor_when_hardly_anything_is_delivered(issued: int, delivered: int, poor: bool) -> None:
    assert rules.is_poor(Recent(issued=issued, delivered=delivered)) is poor
