"""Activations, and what is asked of them, as values. Amounts are micros."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import final

from simyard.base.ids import AccountId, ActivationId, NumberId, OperatorId, PoolId, ServiceId
from simyard.core.activations.machine import State
from simyard.core.messages.model import ReceivedMessage
from simyard.core.remote.model import Asking


@dataclass(frozen=True, slots=True)
class OrderNumber:
    """A wish for one number for one service.

    No pool: the cheapest that has stock; `common_only` leaves out those reserved for the service. `price_max` is in
    the buyer's currency; `price_exact` too: only offers that cost just this. Under an idempotency key the same order gives the same outcome; labels are the buyer's own
    names and belong to what must be the same. `remote`: whoever orders goes on when the outcome is `AskingActivation`; without it
    pools that must be asked for a number are left out, as those in `avoided` are.
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
    price_exact: int | None = None
    common_only: bool = False
    sandbox_seconds: float = 0
    idempotency_key: str | None = None
    remote: bool = False
    avoided: frozenset[PoolId] = frozenset()


@final
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingActivation(Asking):
    """An order that waits for its number, with what its buyer is told once it came."""

    service_id: ServiceId
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
class CloseActivation:
    """Be done with an activation, whatever came for it. `ban`: never give the account this number again."""

    account_id: AccountId
    activation_id: ActivationId
    now: datetime
    locked_seconds: int = 0
    ban: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed activation, what its closing gave back, and what the wallet can spend now."""

    activation_id: ActivationId
    state: State
    refunded: int
    currency: str
    available: int


@dataclass(frozen=True, slots=True)
class LookAtActivations:
    """No id: all open activations of the account. With one: that activation, also when it is closed.

    `dismissed_too`: with all its messages, not only those that are left to read.
    """

    account_id: AccountId
    activation_id: ActivationId | None = None
    dismissed_too: bool = False


@dataclass(frozen=True, slots=True)
class ActivationView:
    """An activation with the messages its buyer has not dismissed, oldest first: the first is the active one.

    `code` is the first that was read of them; the last one of all while the next message is awaited.
    """

    id: ActivationId
    service_id: ServiceId
    service_label: str
    country: str
    msisdn: str | None
    state: State
    code: str | None
    price: int
    currency: str
    ordered_at: datetime
    expires_at: datetime
    received_at: datetime | None
    closed_at: datetime | None
    messages: tuple[ReceivedMessage, ...]


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
    """An activation this transaction has locked, with all that decides about it.

    `coded`: a code has come, if not the last one. `remote`: its pool must be told how it ends.
    """

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
    coded: bool
    messages: int
    ordered_at: datetime
    expires_at: datetime
    remote: bool = False
