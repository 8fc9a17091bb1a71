"""What is asked of admission."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from simyard.base.ids import AccountId, SessionId
from simyard.core.accounts.model import Scope


@dataclass(frozen=True, slots=True)
class Budget:
    """So many requests of a verb within a window that begins with the first of them."""

    verb: str
    requests: int
    window_seconds: int = 60


@dataclass(frozen=True, slots=True)
class Admit:
    """One request at the door. No budget: only the key is judged."""

    key_digest: bytes
    scope: Scope
    address: str
    budget: Budget | None
    now: datetime


@dataclass(frozen=True, slots=True)
class AdmitSession:
    """One request with an access token, whose signature and time were judged already."""

    account_id: AccountId
    session_id: SessionId
    budget: Budget | None
    now: datetime
