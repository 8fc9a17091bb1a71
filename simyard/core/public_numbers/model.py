"""Public numbers and their messages as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from simyard.base.ids import NumberId, PublicMessageId


@dataclass(frozen=True, slots=True)
class PublicNumber:
    """A number everybody may read. Archived: its supplier no longer lists it, or it is blocked."""

    id: NumberId
    msisdn: str
    country: str
    published_at: datetime
    last_message_at: datetime | None
    archived: bool


@dataclass(frozen=True, slots=True)
class PublicMessage:
    """What came in on a public number. The sender is masked, and stored so."""

    id: PublicMessageId
    msisdn: str
    country: str
    sender: str
    text: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ListPublicMessages:
    """Messages of one number, of a country's numbers, or of all. Pages count from 1."""

    country: str | None
    msisdn: str | None
    page: int
    per_page: int


@dataclass(frozen=True, slots=True)
class PublicMessagePage:
    """Newest first; `total` counts those of all pages."""

    messages: tuple[PublicMessage, ...]
    total: int
