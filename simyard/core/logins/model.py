"""Logins as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from simyard.base.ids import AccountId, SessionId, TokenKeyId
from simyard.core.accounts.model import AccountState


class Ending(StrEnum):
    """Why a session ended before its time."""

    LOGGED_OUT = "logged_out"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    REFRESH_REUSED = "refresh_reused"
    ACCOUNT_CLAIMED = "account_claimed"


class Purpose(StrEnum):
    """What a mailed token is for."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many failures are let through before nobody may try again for a time."""

    failures_max: int
    address_failures_max: int
    address_attempts_per_minute: int
    lock_seconds: int


@dataclass(frozen=True, slots=True)
class LogIn:
    """The address is the caller's, empty when it has none."""

    email: str
    password: str = field(repr=False)
    address: str
    now: datetime


@dataclass(frozen=True, slots=True)
class LogInWithCredential:
    """An ID token (OpenID Connect) of the issuer the operator trusts."""

    credential: str = field(repr=False)
    address: str
    now: datetime


@dataclass(frozen=True, slots=True)
class RefreshSession:
    refresh_token: str = field(repr=False)
    address: str
    now: datetime


@dataclass(frozen=True, slots=True)
class LogOut:
    account_id: AccountId
    session_id: SessionId
    now: datetime


@dataclass(frozen=True, slots=True)
class Register:
    email: str
    password: str = field(repr=False)
    name: str
    address: str
    now: datetime


@dataclass(frozen=True, slots=True)
class VerifyEmail:
    token: str = field(repr=False)
    address: str
    now: datetime


@dataclass(frozen=True, slots=True)
class RequestReset:
    email: str
    address: str
    now: datetime


@dataclass(frozen=True, slots=True)
class ResetPassword:
    token: str = field(repr=False)
    password: str = field(repr=False)
    address: str
    now: datetime


@dataclass(frozen=True, slots=True)
class ChangePassword:
    account_id: AccountId
    email: str
    session_id: SessionId
    old_password: str = field(repr=False)
    new_password: str = field(repr=False)
    address: str
    now: datetime


@dataclass(frozen=True, slots=True)
class User:
    """Whom a session belongs to."""

    id: AccountId
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session with its refresh token, which is known here and to the caller, and nowhere else."""

    session_id: SessionId
    user: User
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a caller is given: an access token for requests, a refresh token for the next pair."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    user: User


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid access token says."""

    account_id: AccountId
    session_id: SessionId


@dataclass(frozen=True, slots=True)
class TokenKey:
    """What access tokens are signed with; they name its id."""

    id: TokenKeyId
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is according to another issuer. The email was verified there."""

    issuer: str
    subject: str
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Login:
    """An account as logging in sees it."""

    id: AccountId
    email: str
    name: str
    state: AccountState
    password_hash: str | None = field(repr=False)
    verified: bool

    @property
    def user(self) -> User:
        return User(self.id, self.email, self.name)


class Logins(Protocol):
    """The verbs of several steps about logins; what each refuses is said where it is done."""

    async def read_access_token(self, token: str, now: datetime) -> Claims: ...

    async def log_in(self, command: LogIn) -> Tokens: ...

    async def log_in_with_credential(self, command: LogInWithCredential) -> Tokens: ...

    async def refresh(self, command: RefreshSession) -> Tokens: ...

    async def register(self, command: Register) -> None: ...

    async def verify_email(self, command: VerifyEmail) -> None: ...

    async def request_reset(self, command: RequestReset) -> None: ...

    async def reset_password(self, command: ResetPassword) -> None: ...

    async def change_password(self, command: ChangePassword) -> None: ...
