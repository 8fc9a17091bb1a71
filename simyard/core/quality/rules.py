"""What is made of counts, from values alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from simyard.core.quality.model import Recent

SPANS: Final = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200)
"""Where the spans of seconds to the first SMS end; one more has what took longer."""

WINDOW: Final = timedelta(minutes=10)
"""How far back a pool's failures are looked at."""
ASKED_MIN: Final = 4
"""Fewer orders say nothing. Not more: after a failure nothing is asked of a pool until it reports its stock anew."""
BLOCKED_FOR: Final = timedelta(minutes=30)
POOR_FOR: Final = timedelta(minutes=30)
POOR_ISSUED_MIN: Final = 20
POOR_DELIVERED_PERCENT: Final = 10


def over_reports(recent: Recent, *, percent: int) -> bool:
    """Whether a pool gave no number for more than this part of the orders it was asked for, while it said it had some."""
    return recent.asked >= ASKED_MIN and recent.failed * 100 > recent.asked * percent


def is_poor(recent: Recent) -> bool:
    """Whether so few of its numbers get an SMS that others should be sold first."""
    return (
        recent.issued >= POOR_ISSUED_MIN and recent.delivered * 100 < recent.issued * POOR_DELIVERED_PERCENT
    )


def quantile(spans: Sequence[int], part: float) -> float | None:
    """The seconds within which this part of all was delivered, as if evenly spread in a span; None when nothing was.

    What took longer than the last span counts as its end.
    """
    total = sum(spans)
    if not total:
        return None
    wanted, passed, start = part * total, 0, 0
    for count, end in zip(spans, (*SPANS, SPANS[-1]), strict=True):
        if passed + count >= wanted and count:
            return start + (end - start) * (wanted - passed) / count
        passed, start = passed + count, end
    return float(SPANS[-1])
