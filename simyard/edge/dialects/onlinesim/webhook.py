"""What the vendor posts for every SMS."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Final

import msgspec

from simyard.core.webhooks.model import Announcement, LeaseKind
from simyard.edge.dialects.onlinesim import names

FORMAT: Final = "onlinesim"
_encoder = msgspec.json.Encoder()


class Payload(msgspec.Struct):
    """An SMS that came. `time_left` is seconds for an operation, minutes for a rental, counted when the SMS came."""

    user_id: int
    country_code: int
    number: str
    sender: str
    message: str
    time_start: str
    time_left: int
    operation_id: int
    webhook_type: str
    code: str


def payload(announcement: Announcement) -> Payload:
    is_rental = announcement.lease_kind is LeaseKind.RENTAL
    left = max(announcement.expires_at - announcement.received_at, timedelta())
    return Payload(
        user_id=announcement.account_id,
        country_code=names.country_code(announcement.country),
        number=announcement.msisdn,
        sender=announcement.sender,
        message=announcement.text or "",
        time_start=names.moment(announcement.ordered_at),
        time_left=math.ceil(left / (timedelta(minutes=1) if is_rental else timedelta(seconds=1))),
        operation_id=announcement.lease_id,
        webhook_type="rent_sms" if is_rental else "receiving_sms",
        code=announcement.code or "",
    )


def render(announcement: Announcement) -> bytes:
    """The body of an announcement; the same each time it is sent."""
    return _encoder.encode(payload(announcement))
