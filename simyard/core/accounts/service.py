"""Verbs about accounts and keys."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from simyard.base.ids import AccountId, KeyId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import rules, store
from simyard.core.accounts.model import (
    Account,
    AccountState,
    AccountView,
    AddAccount,
    IssueKey,
    KeyView,
    ListAccounts,
)
from simyard.core.audit import service as audit
from simyard.db.database import Tx


async def add_account(tx: Tx, command: AddAccount, *, now: datetime) -> Account:
    """Open an account; it has no key and no wallet yet.

    Refuses, first match wins: MALFORMED (email), EMAIL_TAKEN.
    """
    email = rules.normal_email(command.email)
    if email is None:
        raise Refusal(Refused.MALFORMED, field="email")
    try:
        return await store.insert_account(
            tx,
            email=email,
            role=command.role,
            password_hash=command.password_hash,
            name=command.name,
            verified_at=now if command.verified else None,
            now=now,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "account_email_taken":
            raise
        raise Refusal(Refused.EMAIL_TAKEN, email=email) from error


async def find_account_or_none(tx: Tx, email: str) -> Account | None:
    return await store.find_account(tx, email=rules.normal_email(email) or "")


async def find_account(tx: Tx, email: str) -> Account:
    """Refuses: UNKNOWN_ACCOUNT."""
    account = await find_account_or_none(tx, email)
    if account is None:
        raise Refusal(Refused.UNKNOWN_ACCOUNT, email=email)
    return account


async def find_account_by_id(tx: Tx, account_id: AccountId) -> Account:
    """Also one that was erased. Refuses: UNKNOWN_ACCOUNT."""
    account = await store.find_account_by_id(tx, account_id=account_id)
    if account is None:
        raise Refusal(Refused.UNKNOWN_ACCOUNT, account_id=account_id)
    return account


async def lock(tx: Tx, account_id: AccountId) -> Account:
    """The account as it is, locked as logins lock it. Refuses: UNKNOWN_ACCOUNT."""
    account = await store.lock_account(tx, account_id=account_id)
    if account is None:
        raise Refusal(Refused.UNKNOWN_ACCOUNT, account_id=account_id)
    return account


async def name_of(tx: Tx, account_id: AccountId) -> str:
    """What the account's person is called; empty when nobody said so."""
    return await store.find_name(tx, account_id=account_id) or ""


async def view(tx: Tx, email: str) -> AccountView:
    """Refuses: UNKNOWN_ACCOUNT."""
    found = await store.view(tx, email=rules.normal_email(email) or "")
    if found is None:
        raise Refusal(Refused.UNKNOWN_ACCOUNT, email=email)
    return found


async def list_accounts(tx: Tx, command: ListAccounts) -> list[AccountView]:
    """Newest first."""
    return await store.list_accounts(tx, command=command)


async def email_of(tx: Tx, account_id: AccountId) -> str:
    """Refuses: UNKNOWN_ACCOUNT."""
    email = await store.find_email(tx, account_id=account_id)
    if email is None:
        raise Refusal(Refused.UNKNOWN_ACCOUNT, account_id=account_id)
    return email


async def set_state(tx: Tx, email: str, state: AccountState, *, actor: str, now: datetime) -> Account:
    """Suspend, lock or activate an account; open leases run on, new requests are refused at once.

    Refuses: UNKNOWN_ACCOUNT. A repeat changes nothing but leaves its own line in the audit log.
    """
    account = await store.set_account_state(tx, email=rules.normal_email(email) or "", state=state)
    if account is None:
        raise Refusal(Refused.UNKNOWN_ACCOUNT, email=email)
    await audit.record(
        tx, actor=actor, action=f"account.{state.value}", facts={"account_id": account.id}, now=now
    )
    return account


async def issue_key(tx: Tx, command: IssueKey, *, now: datetime) -> tuple[KeyId, str]:
    """A new key. Its text is returned this once and cannot be had again; only its digest is stored.

    Refuses: MALFORMED (networks).
    """
    key = rules.new_key()
    try:
        key_id = await store.insert_key(
            tx,
            account_id=command.account_id,
            digest=rules.digest(key),
            hint=rules.hint(key),
            scopes=command.scopes,
            networks=command.networks,
            pool_id=command.pool_id,
            now=now,
        )
    except asyncpg.DataError as error:
        raise Refusal(Refused.MALFORMED, field="networks") from error
    return key_id, key


async def set_key_enabled(
    tx: Tx, account_id: AccountId, key_id: KeyId, *, enabled: bool, actor: str, now: datetime
) -> None:
    """Switch a key on or off. Refuses: WRONG_KEY when the account has no such key."""
    if not await store.set_key_enabled(tx, account_id=account_id, key_id=key_id, enabled=enabled):
        raise Refusal(Refused.WRONG_KEY, key_id=key_id)
    action = "key.enabled" if enabled else "key.disabled"
    await audit.record(
        tx, actor=actor, action=action, facts={"account_id": account_id, "key_id": key_id}, now=now
    )


async def list_keys(tx: Tx, account_id: AccountId) -> list[KeyView]:
    """The account's keys, oldest first, without their texts."""
    return await store.list_keys(tx, account_id=account_id)


async def erase(tx: Tx, account_id: AccountId) -> None:
    """Leave an account without email, name, password and keys, for good. Its email may be registered again.

    Only part of an erasure (`core/erasure`). Locks: the account, against whatever begins to refer to it as well.
    """
    await store.delete_keys(tx, account_id=account_id)
    await store.erase_account(tx, account_id=account_id)
