"""Gateways, what they tell of SIMs, and the messages they hand in, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from simyard.base.ids import AccountId, GatewayId, PoolId

KEY_LENGTH_MAX = 200
DEVICE_LENGTH_MAX = 100


@dataclass(frozen=True, slots=True)
class Gateway:
    """One configured source of a direct pool's messages. `networks` empty: it may call from anywhere.

    `stocks`: its reports of SIMs put numbers on sale and take them off.
    """

    id: GatewayId
    name: str
    kind: str
    pool_id: PoolId
    supplier_id: AccountId | None
    secret: str | None = field(repr=False)
    networks: tuple[str, ...]
    time_zone: str
    country: str | None
    options: Mapping[str, Any]
    enabled: bool
    stocks: bool
    created_at: datetime
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class AddGateway:
    name: str
    kind: str
    pool_id: PoolId
    secret: str | None = field(repr=False)
    networks: tuple[str, ...] = ()
    time_zone: str = "UTC"
    country: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    stocks: bool = False


@dataclass(frozen=True, slots=True)
class Sim:
    """What a gateway says about the SIM a message came in on, each part empty where it said nothing.

    `device`: the box or phone; `place`: the port, slot or line in it.
    """

    recipient: str = ""
    iccid: str = ""
    imsi: str = ""
    device: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class GatewayMessage:
    """An SMS in our words. `event_id` is the gateway's own id of it, empty when it has none or none to be relied on."""

    sim: Sim
    sender: str
    text: str = field(repr=False)
    sent_at: datetime | None = None
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class SimSeen:
    """A gateway's report of a SIM: which number it is, if it knows. Not `usable`: nothing sits in the place now."""

    sim: Sim
    usable: bool = True


class Outcome(StrEnum):
    """What became of a message before it reached a lease; what came after is the message's own fate."""

    REPEATED = "handed_in_again"
    UNMATCHED = "unmatched"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Target:
    """The number a message is for, or why there is none. `key` names the SIM, for what is unmatched."""

    msisdn: str | None
    key: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Handled:
    """A message that is done with: its outcome, or its fate."""

    message: GatewayMessage
    target: Target
    outcome: str


@dataclass(frozen=True, slots=True)
class SimEntry:
    """Which number a SIM is. `contradicted`: another one the gateway said it is."""

    key: str
    msisdn: str
    learnt: bool
    contradicted: str | None


@dataclass(frozen=True, slots=True)
class Unmatched:
    key: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class GatewayView:
    """A gateway with what operators want to see of it."""

    gateway: Gateway
    sims: tuple[SimEntry, ...]
    unmatched: tuple[Unmatched, ...]
    outcomes: Mapping[str, int]
    devices: tuple[str, ...]
