"""When a mail is tried again, and what a subject may look like."""

from __future__ import annotations

from datetime import datetime, timedelta

RETRIES = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=8),
    timedelta(days=1),
)
"""The waits after each failed attempt; after the last attempt the mail is given up."""

SUBJECT_LENGTH_MAX = 200


def next_attempt(attempts: int, now: datetime) -> datetime | None:
    """When to try again after so many failures; None when it is given up."""
    return now + RETRIES[attempts - 1] if attempts <= len(RETRIES) else None


def subject_line(subject: str) -> str:
    """A subject on one line: no line break of a quoted text becomes a header of its own."""
    return " ".join(subject.split())[:SUBJECT_LENGTH_MAX]
