"""Logging in, step by step: passwords are hashed and other issuers asked while no transaction is open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from simyard.base.clock import Clock
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import rules as account_rules
from simyard.core.logins import credentials, rules, service, tokens
from simyard.core.logins.model import (
    ChangePassword,
    Claims,
    LogIn,
    LogInWithCredential,
    OpenedSession,
    RefreshSession,
    Register,
    RequestReset,
    ResetPassword,
    Throttle,
    TokenKey,
    Tokens,
    VerifyEmail,
)
from simyard.db.database import Database, Tx
from simyard.settings import Settings
from simyard.workers.identity import IssuerKeys
from simyard.workers.token_keys import TokenKeys

log = logging.getLogger(__name__)

T = TypeVar("T")

_TRIES_MAX: Final = 3
_SECONDS_PER_DAY: Final = 24 * 3600


class Passwords:
    """Hashes and compares in threads of its own: each takes much memory, so few at once, and few that wait."""

    def __init__(self, *, at_once: int = 2, waiting_max: int = 200) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="password")
        self._most = at_once + waiting_max
        self._asked = 0

    async def hash(self, password: str) -> str:
        """Refuses: BUSY."""
        return await self._run(partial(account_rules.hash_password, password))

    async def verify(self, password_hash: str | None, password: str) -> tuple[bool, str | None]:
        """Whether it is the password, and its hash with today's parameters when the one given has others. Refuses: BUSY."""
        return await self._run(partial(_verify, password_hash, password))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._asked >= self._most:
            raise Refusal(Refused.BUSY)
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._asked -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _verify(password_hash: str | None, password: str) -> tuple[bool, str | None]:
    if not account_rules.verify_password(password_hash, password):
        return False, None
    if password_hash is None or not account_rules.is_outdated(password_hash):
        return True, None
    return True, account_rules.hash_password(password)


class LoginSteps:
    """The verbs of several steps about logins."""

    def __init__(
        self, database: Database, clock: Clock, settings: Settings, passwords: Passwords, keys: IssuerKeys
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._passwords = passwords
        self._keys = keys
        self._token_keys = TokenKeys(self._read_token_keys, clock)
        self._throttle = Throttle(
            failures_max=settings.login_failures_max,
            address_failures_max=settings.login_address_failures_max,
            address_attempts_per_minute=max(
                1, round(settings.login_attempts_per_minute * settings.rate_limit_scale)
            ),
            lock_seconds=settings.login_lock_seconds,
        )
        self._refresh_seconds = settings.refresh_token_days * _SECONDS_PER_DAY
        self._currency = settings.registration_currency or settings.base_currency

    # Access tokens

    async def read_access_token(self, token: str, now: datetime) -> Claims:
        """Refuses: WRONG_KEY (`expired` when that is all)."""
        return tokens.read(await self._token_keys.key(tokens.key_id(token)), token, now=now)

    async def _read_token_keys(self) -> Sequence[TokenKey]:
        return await self._database.run(partial(service.token_keys, now=self._clock.now()))

    async def _tokens(self, session: OpenedSession, now: datetime) -> Tokens:
        key = await self._token_keys.newest()
        claims = Claims(session.user.id, session.session_id)
        access = tokens.write(key, claims, seconds=self._settings.access_token_seconds, now=now)
        return Tokens(access, session.refresh_token, session.user)

    # Logging in

    async def log_in(self, command: LogIn) -> Tokens:
        """Open a session with email and password.

        Refuses, first match wins: OVER_BUDGET (`seconds`; too many attempts from the address), WRONG_CREDENTIALS (what can
        be no email or password), ACCOUNT_LOCKED (`seconds`), OVER_BUDGET (too many failures from the address), BUSY,
        WRONG_CREDENTIALS, EMAIL_NOT_VERIFIED, ACCOUNT_SUSPENDED, ACCOUNT_LOCKED. An unknown email takes as long as a wrong
        password, and is told the same.
        """
        await self._attempt(command.address, command.now)
        email = account_rules.normal_email(command.email)
        if email is None or len(command.password) > rules.PASSWORD_LENGTH_MAX:
            raise Refusal(Refused.WRONG_CREDENTIALS)
        for _ in range(_TRIES_MAX):
            login = await self._database.run(
                partial(
                    service.find_login,
                    email=email,
                    address=command.address,
                    throttle=self._throttle,
                    now=command.now,
                )
            )
            hashed = login.password_hash if login is not None else None
            matched, rehashed = await self._passwords.verify(hashed, command.password)
            opened = await self._database.run(
                partial(
                    service.open_session,
                    email=email,
                    address=command.address,
                    login=login,
                    matched=matched,
                    rehashed=rehashed,
                    throttle=self._throttle,
                    refresh_seconds=self._refresh_seconds,
                    now=command.now,
                )
            )
            if opened is not None:
                return await self._tokens(_or_raise(opened), command.now)
        raise Refusal(Refused.BUSY)

    async def log_in_with_credential(self, command: LogInWithCredential) -> Tokens:
        """Open a session of whom the trusted issuer vouches for; the first time, that opens an account.

        Refuses, first match wins: LOGIN_NOT_OFFERED, OVER_BUDGET (`seconds`), WRONG_CREDENTIALS, UPSTREAM_FAILED (the
        issuer's keys cannot be had), EMAIL_NOT_VERIFIED, REGISTRATION_CLOSED, ACCOUNT_SUSPENDED, ACCOUNT_LOCKED.
        """
        settings = self._settings
        if not settings.oidc_client_id:
            raise Refusal(Refused.LOGIN_NOT_OFFERED)
        await self._attempt(command.address, command.now)
        key = await self._keys.key(credentials.key_id(command.credential))
        identity = credentials.read(
            command.credential,
            key,
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id,
            now=command.now,
        )
        opened = await self._again_when_taken(
            partial(
                service.open_session_of,
                identity=identity,
                registration_open=settings.registration_open,
                currency=self._currency,
                refresh_seconds=self._refresh_seconds,
                now=command.now,
            )
        )
        return await self._tokens(opened, command.now)

    async def refresh(self, command: RefreshSession) -> Tokens:
        """Another pair of tokens for a refresh token, which is used up.

        Refuses, first match wins: OVER_BUDGET (`seconds`), WRONG_TOKEN, ACCOUNT_SUSPENDED, ACCOUNT_LOCKED.
        """
        await self._attempt(command.address, command.now)
        opened = await self._database.run(
            partial(
                service.refresh,
                refresh_token=command.refresh_token,
                refresh_seconds=self._refresh_seconds,
                now=command.now,
            )
        )
        return await self._tokens(_or_raise(opened), command.now)

    # Registering

    async def register(self, command: Register) -> None:
        """Open an account that waits for its email to be verified.

        Refuses, first match wins: REGISTRATION_CLOSED, MALFORMED (`problem`), OVER_BUDGET (`seconds`), BUSY.
        """
        settings = self._settings
        if not settings.registration_open:
            raise Refusal(Refused.REGISTRATION_CLOSED)
        email = _mailable(command.email)
        rules.check_password(command.password, "password")
        await self._attempt(command.address, command.now)
        hashed = await self._passwords.hash(command.password)
        await self._again_when_taken(
            partial(
                service.register,
                email=email,
                name=rules.clean_name(command.name),
                password_hash=hashed,
                currency=self._currency,
                link=settings.verify_email_url,
                now=command.now,
            )
        )

    async def verify_email(self, command: VerifyEmail) -> None:
        """Refuses, first match wins: OVER_BUDGET (`seconds`), WRONG_TOKEN."""
        await self._attempt(command.address, command.now)
        await self._database.run(partial(service.verify_email, token=command.token, now=command.now))

    # Passwords

    async def request_reset(self, command: RequestReset) -> None:
        """Refuses, first match wins: MALFORMED (`problem`), OVER_BUDGET (`seconds`)."""
        email = _mailable(command.email)
        await self._attempt(command.address, command.now)
        await self._database.run(
            partial(
                service.request_reset,
                email=email,
                link=self._settings.reset_password_url,
                now=command.now,
            )
        )

    async def reset_password(self, command: ResetPassword) -> None:
        """Refuses, first match wins: MALFORMED (`problem`), OVER_BUDGET (`seconds`), BUSY, WRONG_TOKEN."""
        rules.check_password(command.password, "password")
        await self._attempt(command.address, command.now)
        hashed = await self._passwords.hash(command.password)
        await self._database.run(
            partial(service.reset_password, token=command.token, password_hash=hashed, now=command.now)
        )

    async def change_password(self, command: ChangePassword) -> None:
        """Refuses, first match wins: MALFORMED (`problem`), ACCOUNT_LOCKED (`seconds`), OVER_BUDGET, BUSY, WRONG_CREDENTIALS."""
        rules.check_password(command.new_password, "new_password")
        login = await self._database.run(
            partial(
                service.find_login,
                email=command.email,
                address=command.address,
                throttle=self._throttle,
                now=command.now,
            )
        )
        if login is None:
            raise Refusal(Refused.WRONG_CREDENTIALS)
        old = command.old_password[: rules.PASSWORD_LENGTH_MAX + 1]
        matched, _ = await self._passwords.verify(login.password_hash, old)
        hashed = await self._passwords.hash(command.new_password) if matched else ""
        refusal = await self._database.run(
            partial(
                service.change_password,
                login=login,
                session_id=command.session_id,
                matched=matched,
                password_hash=hashed,
                address=command.address,
                throttle=self._throttle,
                now=command.now,
            )
        )
        if refusal is not None:
            raise refusal

    # What they share

    async def _attempt(self, address: str, now: datetime) -> None:
        await self._database.run(
            partial(service.count_attempt, address=address, throttle=self._throttle, now=now)
        )

    async def _again_when_taken(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Does work again that lost a race for an email: then it finds what the winner made."""
        for _ in range(_TRIES_MAX):
            try:
                return await self._database.run(work)
            except Refusal as refusal:
                if refusal.reason is not Refused.EMAIL_TAKEN:
                    raise
        raise Refusal(Refused.BUSY)


def _or_raise(outcome: T | Refusal) -> T:
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome


def _mailable(text: str) -> str:
    email = account_rules.normal_email(text)
    if email is None:
        raise Refusal(Refused.MALFORMED, field="email", problem="The email is not a valid address.")
    return email
