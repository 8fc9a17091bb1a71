"""What is asked of admission."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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
