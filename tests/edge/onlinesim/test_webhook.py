"""What is posted to a webhook: ten keys, none null, of the types its readers take."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from simyard.base.ids import AccountId, DeliveryId, EndpointId, MessageId, ServiceId
from simyard.core.webhooks.model import Announcement, LeaseKind
from simyard.edge.dialects.onlinesim.webhook import render

ORDERED = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
ANNOUNCEMENT = Announcement(
    delivery_id=DeliveryId(7),
    account_id=AccountId(1),
    endpoint_id=EndpointId(1),
    format="onlinesim",
    url="https://example.com/sms",
    secret=b"secret",
    attempts=0,
    message_id=MessageId(5),
    lease_kind=LeaseKind.ACTIVATION,
    lease_id=10_000,
    msisdn="+46700000001",
    country="SE",
    service_id=ServiceId(3),
    service_label="telegram",
    sender="Telegram",
    text="Your code is 12345",
    code="12345",
    received_at=ORDERED + timedelta(seconds=20),
    ordered_at=ORDERED,
    expires_at=ORDERED + timedelta(minutes=15),
)


def test_an_sms_of_an_operation() -> None:
    assert render(ANNOUNCEMENT) == (
        b'{"user_id":1,"country_code":46,"number":"+46700000001","sender":"Telegram","message":"Your code is 12345",'
        b'"time_start":"2026-11-21 10:00:00","time_left":880,"operation_id":10000,"webhook_type":"receiving_sms",'
        b'"code":"12345"}'
    )


def test_an_sms_of_a_rental_counts_minutes() -> None:
    rental = replace(
        ANNOUNCEMENT,
        lease_kind=LeaseKind.RENTAL,
        service_id=None,
        service_label=None,
        code=None,
        expires_at=ORDERED + timedelta(days=1),
    )
    assert render(rental) == (
        b'{"user_id":1,"country_code":46,"number":"+46700000001","sender":"Telegram","message":"Your code is 12345",'
        b'"time_start":"2026-11-21 10:00:00","time_left":1440,"operation_id":10000,"webhook_type":"rent_sms",'
        b'"code":""}'
    )


def test_nothing_is_null_or_negative() -> None:
    late = replace(ANNOUNCEMENT, text=None, code=None, received_at=ORDERED + timedelta(hours=1))
    body = render(late)
    assert b"null" not in body
    assert b'"time_left":0,' in body


def test_what_is_sent_again_is_the_same() -> None:
    assert render(replace(ANNOUNCEMENT, attempts=4)) == render(ANNOUNCEMENT)
