"""What partners push, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from simyard.base.ids import AccountId, PoolId
from simyard.core.messages.model import Receipt


@dataclass(frozen=True, slots=True)
class AdmitPush:
    """A push at the door, whose key is no API key of ours but the one a partner's pool has for them."""

    key_digest: bytes
    address: str
    now: datetime


@dataclass(frozen=True, slots=True)
class PushedMessage:
    """An SMS as a partner pushes it, on a number it lends us one by one.

    `remote_ids` are the ways in which it may have written its own id of what the SMS is for; empty: it does not say.
    `reference` is the same when the same SMS is pushed again.
    """

    supplier_id: AccountId
    pool_id: PoolId | None
    msisdn: str | None
    remote_ids: tuple[str, ...]
    sender: str
    text: str = field(repr=False)
    reference: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of it, and the switches of the pool it came from. `disagrees`: its number and its id name two things."""

    receipt: Receipt
    switches: Mapping[str, str]
    disagrees: bool = False
