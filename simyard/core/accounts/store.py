"""The rows of accounts and keys."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from simyard.base.ids import AccountId, KeyId, PoolId
from simyard.core.accounts.model import Account, AccountState, AccountView, KeyView, ListAccounts, Role, Scope
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


def _account(row: asyncpg.Record) -> Account:
    return Account(AccountId(row["id"]), row["email"], Role(row["role"]), AccountState(row["state"]))


def _view(row: asyncpg.Record) -> AccountView:
    return AccountView(_account(row), row["name"], row["created_at"])


async def insert_account(
    tx: Tx,
    *,
    email: str,
    role: Role,
    password_hash: str | None,
    name: str,
    verified_at: datetime | None,
    now: datetime,
) -> Account:
    (row,) = await _queries.insert_account.rows(
        tx,
        email=email,
        role=role,
        password_hash=password_hash,
        name=name,
        verified_at=verified_at,
        now=now,
    )
    return _account(row)


async def find_account(tx: Tx, *, email: str) -> Account | None:
    row = await _queries.find_account.row(tx, email=email)
    return None if row is None else _account(row)


async def lock_account(tx: Tx, *, account_id: AccountId) -> Account | None:
    row = await _queries.lock_account.row(tx, account_id=account_id)
    return None if row is None else _account(row)


async def find_account_by_id(tx: Tx, *, account_id: AccountId) -> Account | None:
    row = await _queries.find_account_by_id.row(tx, account_id=account_id)
    return None if row is None else _account(row)


async def find_name(tx: Tx, *, account_id: AccountId) -> str | None:
    name: str | None = await _queries.find_name.value(tx, account_id=account_id)
    return name


async def delete_keys(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.delete_keys.execute(tx, account_id=account_id)


async def erase_account(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.erase_account.execute(tx, account_id=account_id)


async def view(tx: Tx, *, email: str) -> AccountView | None:
    row = await _queries.view.row(tx, email=email)
    return None if row is None else _view(row)


async def list_accounts(tx: Tx, *, command: ListAccounts) -> list[AccountView]:
    rows = await _queries.list_accounts.rows(
        tx,
        role=command.role,
        state=command.state,
        email_part=None if command.email_part is None else command.email_part.lower(),
        limit=command.limit,
    )
    return [_view(row) for row in rows]


async def find_email(tx: Tx, *, account_id: AccountId) -> str | None:
    email: str | None = await _queries.find_email.value(tx, account_id=account_id)
    return email


async def set_account_state(tx: Tx, *, email: str, state: AccountState) -> Account | None:
    row = await _queries.set_account_state.row(tx, email=email, state=state)
    return None if row is None else _account(row)


async def insert_key(
    tx: Tx,
    *,
    account_id: AccountId,
    digest: bytes,
    hint: str,
    scopes: tuple[Scope, ...],
    networks: tuple[str, ...],
    pool_id: PoolId | None,
    now: datetime,
) -> KeyId:
    return KeyId(
        await _queries.insert_key.value(
            tx,
            account_id=account_id,
            digest=digest,
            hint=hint,
            scopes=list(scopes),
            networks=list(networks),
            pool_id=pool_id,
            now=now,
        )
    )


async def set_key_enabled(tx: Tx, *, account_id: AccountId, key_id: KeyId, enabled: bool) -> bool:
    return (
        await _queries.set_key_enabled.value(tx, account_id=account_id, key_id=key_id, enabled=enabled)
        is not None
    )


async def list_keys(tx: Tx, *, account_id: AccountId) -> list[KeyView]:
    return [
        KeyView(
            KeyId(row["id"]),
            row["hint"],
            tuple(Scope(scope) for scope in row["scopes"]),
            tuple(row["networks"]),
            row["enabled"],
            row["pool_id"],
            row["created_at"],
        )
        for row in await _queries.list_keys.rows(tx, account_id=account_id)
    ]
