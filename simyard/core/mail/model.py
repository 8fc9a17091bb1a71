"""Mail as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from simyard.base.ids import MailId


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that is to be sent now; `attempts` counts this one. The body may hold a secret, so it is never shown."""

    id: MailId
    recipient: str
    subject: str
    body: str = field(repr=False)
    attempts: int
    created_at: datetime
