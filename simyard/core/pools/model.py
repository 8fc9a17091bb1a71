"""Pools as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from simyard.base.ids import AccountId, PoolId, ServiceId


class PoolKind(StrEnum):
    DIRECT = "direct"
    PARTNER = "partner"
    UPSTREAM = "upstream"
    SANDBOX = "sandbox"


class FilterSide(StrEnum):
    """Who tells messages of other services from those of the ordered one. The prohibited are always turned away by us."""

    OURS = "ours"
    PARTNER = "partner"


@dataclass(frozen=True, slots=True)
class Pool:
    id: PoolId
    name: str
    kind: PoolKind
    supplier_id: AccountId | None
    rent_allowed: bool


@dataclass(frozen=True, slots=True)
class ListPools:
    """All, or those of a kind, or of a supplier; so many at most."""

    limit: int
    kind: PoolKind | None = None
    supplier_id: AccountId | None = None


@dataclass(frozen=True, slots=True)
class PoolView:
    """A pool as operators see it.

    `online_until`: None when nothing was ever heard of it, and for a sandbox, which is always online.
    """

    pool: Pool
    supplier_email: str | None
    share_basis_points: int
    enabled: bool
    consented: bool
    reserved_for: ServiceId | None
    online_until: datetime | None


@dataclass(frozen=True, slots=True)
class AddPool:
    """`consent` is the supplier's statement that the numbers' owners agreed; without it the pool sells nothing."""

    name: str
    kind: PoolKind
    supplier_id: AccountId | None
    share_basis_points: int
    consent: str | None
    reserved_for: ServiceId | None = None
    rent_allowed: bool = False


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A supplier's sign of life for the pool his key names, or his first: good for so many seconds."""

    supplier_id: AccountId
    pool_id: PoolId | None
    seconds: int
    now: datetime
