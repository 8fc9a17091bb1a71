"""What can be told from a transfer's values alone."""

from __future__ import annotations

import re

_LEASE = re.compile(r"(?:activation|rental)/([0-9]+)/")


def lease_of(reference: str) -> int | None:
    """The lease a transfer was booked for; both kinds of lease begin their references with a word and their id."""
    match = _LEASE.match(reference)
    return int(match[1]) if match else None
