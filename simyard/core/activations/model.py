"""Activations, and what is asked of them, as values. Amounts are micros."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from simyard.base.ids import AccountId, ActivationId, NumberId, OperatorId, PoolId, ServiceId
from simyard.core.activations.machine import State


@dataclass(frozen=True, slots=True)
class OrderNumber:
    """A wish for one number for one service.

    No pool: the cheapest that has stock; `common_only` leaves out those reserved for the service. `price_max` is in
    the buyer's currency. Under an idempotency key the same order gives the same outcome; labels are the buyer's own
    names and belong to what must be the same.
    """

    account_id: AccountId
    service_id: ServiceId
    country: str
    service_label: str
    country_label: str
    seconds: int
    now: datetime
    base_currency: str
    pool_id: PoolId | None = None
    operator_id: OperatorId | None = None
    excluded: tuple[str, ...] = ()
    price_max: int | None = None
    common_only: bool = False
    sandbox_seconds: float = 0
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What was leased, what it cost, and what the wallet could spend after it."""

    activation_id: ActivationId
    msisdn: str
    service_label: str
    country_label: str
    price: int
    currency: str
    available: int
    ordered_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class CheckActivation:
    account_id: AccountId
    activation_id: ActivationId


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation as its buyer may see it. `code` is the first that was read; the latest after the next was asked."""

    id: ActivationId
    msisdn: str | None
    service_label: str
    country_label: str
    state: State
    code: str | None
    price: int
    currency: str
    ordered_at: datetime
    expires_at: datetime
    received_at: datetime | None


@dataclass(frozen=True, slots=True)
class ActOnActivation:
    """`locked_seconds`: how long after the order a cancel is too early."""

    account_id: AccountId
    activation_id: ActivationId
    now: datetime
    locked_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed activation, what its closing gave back, and what the wallet can spend now."""

    activation_id: ActivationId
    state: State
    refunded: int
    currency: str
    available: int


class HistoryFilter(StrEnum):
    COMPLETED = "completed"
    WAITING = "waiting"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class ListActivations:
    account_id: AccountId
    only: HistoryFilter | None
    page: int
    per_page: int


@dataclass(frozen=True, slots=True)
class ActivationPage:
    activations: tuple[Activation, ...]
    total: int


@dataclass(frozen=True, slots=True)
class LockedActivation:
    """An activation this transaction has locked, with all that decides about it."""

    id: ActivationId
    account_id: AccountId
    number_id: NumberId | None
    msisdn: str | None
    service_id: ServiceId
    service_label: str
    state: State
    price: int
    currency: str
    margin: int
    earning: int
    earning_currency: str
    supplier_id: AccountId | None
    code: str | None
    messages: int
    ordered_at: datetime
    expires_at: datetime
