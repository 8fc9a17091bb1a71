"""Messages that come in, and what became of them, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from simyard.base.ids import AccountId, LateMessageId, LeaseId, MessageId, NumberId, ServiceId

NOT_KEPT = timedelta(0)
"""What comes after a lease closed is not kept at all."""


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """An SMS as a supplier hands it in, on a number named by itself or by our id.

    No supplier: Simyard itself, for numbers of sandbox pools. `sent_at` is None when he did not say, or said it in no form we know.
    `reference` is what he calls it, where he repeats himself under the same name; empty: nothing.
    """

    supplier_id: AccountId | None
    msisdn: str | None
    number_id: NumberId | None
    sender: str
    text: str
    sent_at: datetime | None
    now: datetime
    reference: str = ""


class Fate(StrEnum):
    """What became of a message. Only delivered, published and late ones are kept; all but the first two are counted."""

    DELIVERED = "delivered"
    PUBLISHED = "published"
    REPEATED = "repeated"
    NO_LEASE = "no_lease"
    LATE = "late"
    """Its lease had closed moments before. Kept for operators; to its supplier it is one that nobody waited for."""
    PROHIBITED = "prohibited"
    OTHER_SERVICE = "other_service"
    UNRECOGNISED = "unrecognised"
    CHECKED = "checked"
    """It was sent to the number by us, to see whether it comes."""
    BLACKLISTED = "blacklisted"
    """Of a service its pool does not sell."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """`lease_id`: on which it came in, when it was delivered or is a repeat, if only of a message of an earlier lease."""

    fate: Fate
    lease_id: LeaseId | None = None


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message a lease got, as its buyer may see it. No text: it was erased."""

    id: MessageId
    sender: str
    text: str | None
    code: str | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ClosedLease:
    """A lease that closed lately, of either kind; one without a service took any sender."""

    id: LeaseId
    account_id: AccountId
    service_id: ServiceId | None


@dataclass(frozen=True, slots=True)
class LateMessage:
    """An SMS that came when its lease had just closed, as operators may see it."""

    id: LateMessageId
    lease_id: LeaseId
    msisdn: str
    sender: str
    text: str = field(repr=False)
    sent_at: datetime
    received_at: datetime
