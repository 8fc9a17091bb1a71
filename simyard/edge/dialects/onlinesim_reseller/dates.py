"""Dates as suppliers write them: in any format, so that none may cost a message."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Final

# What lies outside was not meant as a date, or comes from a device whose clock was never set.
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)

_TEXT_LENGTH_MAX: Final = 40
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]*)?")
# As seconds this is the year 5138, as milliseconds 1973: no date of a message is mistaken for the other.
_MILLISECONDS_FROM: Final = 100_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def read(value: object) -> datetime | None:
    """UNIX time in seconds or milliseconds, as a number or as text, or ISO 8601 with `T` or a space; else None.

    A date without a zone is taken as UTC.
    """
    if isinstance(value, str):
        text = value.strip()
        if len(text) > _TEXT_LENGTH_MAX:
            return None
        moment = _from_unix(float(text)) if _NUMBER.fullmatch(text) else _from_iso(text)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        moment = _from_unix(value)
    else:
        return None
    return moment if moment is not None and _EARLIEST <= moment < _LATEST else None


def _from_unix(number: float) -> datetime | None:
    if not 0 <= number < _MILLISECONDS_FROM * 1000 or math.isnan(number):
        return None
    seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
    return _EPOCH + timedelta(seconds=seconds)


def _from_iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None
