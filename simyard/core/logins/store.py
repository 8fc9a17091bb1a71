"""The rows of logins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from simyard.base.ids import AccountId, SessionId, TokenKeyId
from simyard.core.accounts.model import AccountState
from simyard.core.logins.model import Ending, Login, Purpose, TokenKey
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


@dataclass(frozen=True, slots=True)
class RefreshRow:
    session_id: SessionId
    account_id: AccountId
    expires_at: datetime
    used_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class MailedToken:
    """What came with a token: the password and the name that were chosen, for one that verifies an address."""

    password_hash: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class Count:
    count: int
    ends_at: datetime


def _login(row: asyncpg.Record | None) -> Login | None:
    if row is None:
        return None
    return Login(
        AccountId(row["id"]),
        row["email"],
        row["name"],
        AccountState(row["state"]),
        row["password_hash"],
        row["verified"],
    )


# Accounts


async def find_login(tx: Tx, *, email: str) -> Login | None:
    return _login(await _queries.find_login.row(tx, email=email))


async def find_login_of(tx: Tx, *, account_id: AccountId) -> Login:
    """Of an account that another row refers to, so it exists."""
    login = _login(await _queries.find_login_of.row(tx, account_id=account_id))
    if login is None:
        raise LookupError(f"account {account_id}")
    return login


async def lock_login(tx: Tx, *, account_id: AccountId) -> Login | None:
    return _login(await _queries.lock_login.row(tx, account_id=account_id))


async def delete_sessions(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.delete_sessions.execute(tx, account_id=account_id)


async def delete_identities(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.delete_identities.execute(tx, account_id=account_id)


async def lock_login_by_email(tx: Tx, *, email: str) -> Login | None:
    return _login(await _queries.lock_login_by_email.row(tx, email=email))


async def set_password(tx: Tx, *, account_id: AccountId, password_hash: str | None) -> None:
    await _queries.set_password.execute(tx, account_id=account_id, password_hash=password_hash)


async def set_name(tx: Tx, *, account_id: AccountId, name: str) -> None:
    await _queries.set_name.execute(tx, account_id=account_id, name=name)


async def mark_verified(tx: Tx, *, account_id: AccountId, now: datetime) -> None:
    await _queries.mark_verified.execute(tx, account_id=account_id, now=now)


# Secrets


# Keys of access tokens


async def token_keys(tx: Tx) -> list[TokenKey]:
    """Oldest first."""
    return [TokenKey(TokenKeyId(row["id"]), row["value"]) for row in await _queries.token_keys.rows(tx)]


async def insert_token_key(tx: Tx, *, value: bytes, now: datetime) -> TokenKey:
    return TokenKey(TokenKeyId(await _queries.insert_token_key.value(tx, value=value, now=now)), value)


async def delete_token_keys_before(tx: Tx, *, key_id: TokenKeyId) -> int:
    return await _queries.delete_token_keys_before.execute(tx, key_id=key_id)


async def forget_token_keys(tx: Tx, *, before: datetime) -> int:
    return await _queries.forget_token_keys.execute(tx, before=before)


# Sessions


async def insert_session(tx: Tx, *, account_id: AccountId, expires_at: datetime, now: datetime) -> SessionId:
    return SessionId(
        await _queries.insert_session.value(tx, account_id=account_id, expires_at=expires_at, now=now)
    )


async def insert_refresh_token(tx: Tx, *, digest: bytes, session_id: SessionId, expires_at: datetime) -> None:
    await _queries.insert_refresh_token.execute(
        tx, digest=digest, session_id=session_id, expires_at=expires_at
    )


async def lock_refresh_token(tx: Tx, *, digest: bytes) -> RefreshRow | None:
    row = await _queries.lock_refresh_token.row(tx, digest=digest)
    if row is None:
        return None
    return RefreshRow(
        SessionId(row["session_id"]),
        AccountId(row["account_id"]),
        row["expires_at"],
        row["used_at"],
        row["ended_at"],
    )


async def use_refresh_token(tx: Tx, *, digest: bytes, now: datetime) -> bool:
    return await _queries.use_refresh_token.value(tx, digest=digest, now=now) is not None


async def prolong_session(tx: Tx, *, session_id: SessionId, expires_at: datetime) -> None:
    await _queries.prolong_session.execute(tx, session_id=session_id, expires_at=expires_at)


async def end_session(
    tx: Tx, *, account_id: AccountId, session_id: SessionId, because: Ending, now: datetime
) -> None:
    await _queries.end_session.execute(
        tx, account_id=account_id, session_id=session_id, because=because, now=now
    )


async def end_sessions(
    tx: Tx, *, account_id: AccountId, except_id: SessionId | None, because: Ending, now: datetime
) -> int:
    return await _queries.end_sessions.execute(
        tx, account_id=account_id, except_id=except_id, because=because, now=now
    )


# Mailed tokens


async def insert_mailed_token(
    tx: Tx,
    *,
    digest: bytes,
    account_id: AccountId,
    purpose: Purpose,
    chosen: MailedToken,
    expires_at: datetime,
) -> None:
    await _queries.insert_mailed_token.execute(
        tx,
        digest=digest,
        account_id=account_id,
        purpose=purpose,
        password_hash=chosen.password_hash,
        name=chosen.name,
        expires_at=expires_at,
    )


async def owner_of_mailed_token(
    tx: Tx, *, digest: bytes, purpose: Purpose, now: datetime
) -> AccountId | None:
    owner = await _queries.owner_of_mailed_token.value(tx, digest=digest, purpose=purpose, now=now)
    return None if owner is None else AccountId(owner)


async def take_mailed_token(tx: Tx, *, digest: bytes, purpose: Purpose, now: datetime) -> MailedToken | None:
    row = await _queries.take_mailed_token.row(tx, digest=digest, purpose=purpose, now=now)
    return None if row is None else MailedToken(row["password_hash"], row["name"])


async def delete_mailed_tokens(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.delete_mailed_tokens.execute(tx, account_id=account_id)


# Identities


async def account_of_identity(tx: Tx, *, issuer: str, subject: str) -> AccountId | None:
    found = await _queries.account_of_identity.value(tx, issuer=issuer, subject=subject)
    return None if found is None else AccountId(found)


async def insert_identity(tx: Tx, *, issuer: str, subject: str, account_id: AccountId, now: datetime) -> None:
    await _queries.insert_identity.execute(tx, issuer=issuer, subject=subject, account_id=account_id, now=now)


# Counts


async def locked_until(tx: Tx, *, subject: bytes, most: int, now: datetime) -> datetime | None:
    until: datetime | None = await _queries.locked_until.value(tx, subject=subject, most=most, now=now)
    return until


async def count_one(
    tx: Tx, *, subject: bytes, most: int | None, window_seconds: int, lock_seconds: int, now: datetime
) -> Count:
    (row,) = await _queries.count_one.rows(
        tx,
        subject=subject,
        most=most,
        window_seconds=window_seconds,
        lock_seconds=lock_seconds,
        now=now,
    )
    return Count(row["count"], row["ends_at"])


async def lock_count(tx: Tx, *, subject: bytes, now: datetime) -> Count | None:
    row = await _queries.lock_count.row(tx, subject=subject, now=now)
    return None if row is None else Count(row["count"], row["ends_at"])


async def forget_count(tx: Tx, *, subject: bytes) -> bool:
    return await _queries.forget_count.execute(tx, subject=subject) > 0


# Upkeep


async def forget_counts(tx: Tx, *, now: datetime) -> int:
    return await _queries.forget_counts.execute(tx, now=now)


async def forget_mailed_tokens(tx: Tx, *, now: datetime) -> int:
    return await _queries.forget_mailed_tokens.execute(tx, now=now)


async def forget_sessions(tx: Tx, *, now: datetime, limit: int) -> int:
    return await _queries.forget_sessions.execute(tx, now=now, limit=limit)
