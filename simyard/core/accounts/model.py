"""Accounts, keys and callers as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from simyard.base.ids import AccountId, KeyId, PoolId, SessionId


class Role(StrEnum):
    BUYER = "buyer"
    SUPPLIER = "supplier"
    OPERATOR = "operator"


class AccountState(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LOCKED = "locked"
    ERASED = "erased"
    """For good: its person is gone, its books stay."""


class Scope(StrEnum):
    """What a key may do: look, spend, or report numbers and messages."""

    READ = "read"
    ORDER = "order"
    SUPPLY = "supply"


@dataclass(frozen=True, slots=True)
class Account:
    id: AccountId
    email: str
    role: Role
    state: AccountState


@dataclass(frozen=True, slots=True)
class ListAccounts:
    """All, or those of a role, in a state, with this in their email; so many at most."""

    limit: int
    role: Role | None = None
    state: AccountState | None = None
    email_part: str | None = None


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as operators see it."""

    account: Account
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, and when it came in.

    The pool is the one its key was issued for, if any; the session the one its token belongs to, if it came with one.
    """

    account_id: AccountId
    email: str
    pool_id: PoolId | None
    now: datetime
    session_id: SessionId | None = None


@dataclass(frozen=True, slots=True)
class AddAccount:
    """The password is optional: an account may live on keys alone. `verified`: the email is known to be its owner's."""

    email: str
    role: Role
    password_hash: str | None = None
    name: str = ""
    verified: bool = True


@dataclass(frozen=True, slots=True)
class IssueKey:
    """Networks are an allow list of CIDR ranges; empty allows every address."""

    account_id: AccountId
    scopes: tuple[Scope, ...]
    networks: tuple[str, ...] = ()
    pool_id: PoolId | None = None


@dataclass(frozen=True, slots=True)
class KeyView:
    """An API key as its owner may see it: `hint` are its first letters."""

    id: KeyId
    hint: str
    scopes: tuple[Scope, ...]
    networks: tuple[str, ...]
    enabled: bool
    pool_id: PoolId | None
    created_at: datetime
