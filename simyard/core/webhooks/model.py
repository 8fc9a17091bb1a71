"""Endpoints, announcements and deliveries as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from simyard.base.addresses import Network
from simyard.base.ids import AccountId, DeliveryId, EndpointId, MessageId, ServiceId


class Event(StrEnum):
    """What an endpoint is told of: every message, or the first code of each activation."""

    MESSAGE = "message"
    CODE = "code"


class SwitchedOff(StrEnum):
    """Why an endpoint was switched off when its owner did not do it."""

    GONE = "gone"
    FAILING = "failing"


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class LeaseKind(StrEnum):
    ACTIVATION = "activation"
    RENTAL = "rental"


@dataclass(frozen=True, slots=True)
class SetEndpoint:
    """Where an account wants to be told, in whose words (`format`: `onlinesim`). No URL: nowhere any more."""

    account_id: AccountId
    format: str
    event: Event
    url: str | None
    networks_allowed: tuple[Network, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An account's endpoint of one format. `failing_since`: the first failure since the last success."""

    id: EndpointId
    account_id: AccountId
    format: str
    event: Event
    url: str
    secret: bytes = field(repr=False)
    enabled: bool
    switched_off: SwitchedOff | None
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class Announced:
    """A message that was stored, and whose it is."""

    message_id: MessageId
    account_id: AccountId


@dataclass(frozen=True, slots=True)
class Announcement:
    """Everything a dialect needs to tell of one message, and the sender to send it.

    `text` is None once it was erased. `service_id` and `service_label` (the buyer's own name of it) are None for
    rentals. `code` is the code of this message. `attempts` are those that failed.
    """

    delivery_id: DeliveryId
    account_id: AccountId
    endpoint_id: EndpointId
    format: str
    url: str
    secret: bytes = field(repr=False)
    attempts: int
    message_id: MessageId
    lease_kind: LeaseKind
    lease_id: int
    msisdn: str
    country: str
    service_id: ServiceId | None
    service_label: str | None
    sender: str
    text: str | None = field(repr=False)
    code: str | None = field(repr=False)
    received_at: datetime
    ordered_at: datetime
    expires_at: datetime
    endpoint_failing: bool = False


@dataclass(frozen=True, slots=True)
class ListDeliveries:
    """Pages count from 1. No format: of every endpoint of the account."""

    account_id: AccountId
    format: str | None = None
    page: int = 1
    per_page: int = 10


@dataclass(frozen=True, slots=True)
class Delivery:
    """An announcement's way. `url`, `status` and `problem` are what the last attempt met; before one, the endpoint's URL.

    `facts` is what a dialect renders; its secret is left empty.
    """

    id: DeliveryId
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    url: str
    status: int | None
    problem: str | None
    created_at: datetime
    closed_at: datetime | None
    facts: Announcement


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Newest first; `total` counts all pages."""

    deliveries: tuple[Delivery, ...]
    total: int
