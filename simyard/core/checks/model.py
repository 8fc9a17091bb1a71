"""Checks of numbers as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from simyard.base.ids import CheckId, NumberId, PoolId


class CheckState(StrEnum):
    WAITING = "waiting"
    PROVED = "proved"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class NumberCheck:
    """A lease of the platform's own on a number: what must come in on it, and until when it may."""

    id: CheckId
    number_id: NumberId
    pool_id: PoolId
    msisdn: str
    challenge: str
    state: CheckState
    due_at: datetime
    started_at: datetime
    proved_at: datetime | None
    closed_at: datetime | None
