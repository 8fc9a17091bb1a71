"""How DaisySIM tells of a code: the body its webhook receivers know."""

from __future__ import annotations

from typing import Final

import msgspec

from simyard.core.webhooks.model import Announcement

FORMAT: Final = "daisysim"

_encoder = msgspec.json.Encoder()


class CodeReceived(msgspec.Struct):
    event: str
    activation_id: str
    phone_number: str
    service: str
    code: str
    received_at: str


def render(announcement: Announcement) -> bytes:
    """The first code of an activation."""
    return _encoder.encode(
        CodeReceived(
            event="code.received",
            activation_id=str(announcement.lease_id),
            phone_number=announcement.msisdn,
            service=announcement.service_label or "",
            code=announcement.code or "",
            received_at=announcement.received_at.isoformat(timespec="seconds"),
        )
    )
