"""Accounts and keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import argon2
import pytest

from simyard.base.ids import AccountId, KeyId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import rules
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AccountState, AddAccount, IssueKey, Role, Scope
from tests.world import World


async def refused(acting: Awaitable[object]) -> Refused:
    with pytest.raises(Refusal) as caught:
        await acting
    return caught.value.reason


@pytest.mark.parametrize(
    ("text", "email"),
    [
        (" Ada@Example.COM ", "ada@example.com"),
        ("a@b", "a@b"),
        ("ä@ü.de", "ä@ü.de"),
        ("İ@x.y", "i̇@x.y"),
        ("x" * 64 + "@" + "y" * 189, "x" * 64 + "@" + "y" * 189),
    ],
)
async def test_an_email_is_stored_in_one_form_and_found_in_any(world: World, text: str, email: str) -> None:
    added = await world.add_account(Role.BUYER, email=text)
    assert await world.value("SELECT email FROM account WHERE id = $1", added) == email
    async with world.database.transaction() as tx:
        assert (await accounts.find_account(tx, text)).id == added
        assert (await accounts.find_account(tx, email.upper())).id == added


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "@",
        "a@",
        "@b",
        "a@b@c",
        "a b@c",
        "a\n@b",
        "a\x00@b",
        "\udc80@b",
        "a@" + "y" * 190,
        "x" * 65 + "@y",
    ],
)
async def test_what_is_no_email_is_refused(world: World, text: str) -> None:
    assert await refused(world.add_account(Role.BUYER, email=text or " ")) is Refused.MALFORMED
    async with world.database.transaction() as tx:
        assert await accounts.find_account_or_none(tx, text) is None


async def test_an_email_has_one_account_however_it_is_written(world: World) -> None:
    await world.add_account(Role.BUYER, email="ada@example.com")
    assert await refused(world.add_account(Role.SUPPLIER, email="ADA@example.com")) is Refused.EMAIL_TAKEN


async def test_of_concurrent_sign_ups_one_succeeds(world: World) -> None:
    outcomes = await asyncio.gather(
        *(world.add_account(Role.BUYER, email="ada@example.com") for _ in range(6)), return_exceptions=True
    )
    refusals = [one.reason for one in outcomes if isinstance(one, Refusal)]
    assert refusals == [Refused.EMAIL_TAKEN] * 5


async def test_a_key_is_stored_as_its_digest_only(world: World) -> None:
    buyer = await world.add_buyer()
    key = await world.issue_key(buyer)
    assert key.startswith("sy_")
    assert len(key) < rules.KEY_LENGTH_MAX
    (stored,) = await world.rows("SELECT digest, hint FROM api_key")
    assert stored == (rules.digest(key), key[:7])
    dump = await world.value("SELECT string_agg(api_key::text, '') FROM api_key")
    assert key not in dump


async def test_an_account_lists_its_own_keys_oldest_first(world: World) -> None:
    one, two = await world.add_buyers(2)
    await world.issue_key(one, (Scope.READ,), networks=("10.0.0.0/8", "2001:db8::/32"))
    await world.issue_key(two)
    await world.issue_key(one)
    async with world.database.transaction() as tx:
        listed = await accounts.list_keys(tx, one)
    assert [(key.scopes, key.networks, key.enabled) for key in listed] == [
        ((Scope.READ,), ("10.0.0.0/8", "2001:db8::/32"), True),
        ((Scope.READ, Scope.ORDER), (), True),
    ]


@pytest.mark.parametrize("network", ["nonsense", "10.0.0.1/8", "10.0.0.0/33", ""])
async def test_a_network_that_is_none_is_refused(world: World, network: str) -> None:
    buyer = await world.add_buyer()
    assert await refused(world.issue_key(buyer, networks=(network,))) is Refused.MALFORMED


async def test_a_key_is_switched_by_its_own_account_only(world: World) -> None:
    one, two = await world.add_buyers(2)
    async with world.database.transaction() as tx:
        key_id, _ = await accounts.issue_key(tx, IssueKey(one, (Scope.READ,)), now=world.clock.now())

    async def switch(account_id: AccountId, key_id: KeyId, *, enabled: bool) -> None:
        async with world.database.transaction() as tx:
            await accounts.set_key_enabled(
                tx, account_id, key_id, enabled=enabled, actor="ada", now=world.clock.now()
            )

    assert await refused(switch(two, key_id, enabled=False)) is Refused.WRONG_KEY
    assert await refused(switch(one, KeyId(999), enabled=False)) is Refused.WRONG_KEY
    await switch(one, key_id, enabled=False)
    assert await world.value("SELECT enabled FROM api_key") is False
    await switch(one, key_id, enabled=True)
    assert await world.rows("SELECT action, facts ->> 'key_id' FROM audit ORDER BY id") == [
        ("key.disabled", str(key_id)),
        ("key.enabled", str(key_id)),
    ]


async def test_changing_an_accounts_state_is_in_the_audit_log(world: World) -> None:
    buyer = await world.add_buyer(email="ada@example.com")
    for state in (AccountState.SUSPENDED, AccountState.LOCKED, AccountState.ACTIVE, AccountState.ACTIVE):
        async with world.database.transaction() as tx:
            changed = await accounts.set_state(
                tx, " ADA@example.com", state, actor="op", now=world.clock.now()
            )
        assert (changed.id, changed.state) == (buyer, state)
    assert [row[0] for row in await world.rows("SELECT action FROM audit ORDER BY id")] == [
        "account.suspended",
        "account.locked",
        "account.active",
        "account.active",
    ]


async def test_the_state_of_nobody_cannot_be_changed(world: World) -> None:
    async with world.database.transaction() as tx:
        acting = accounts.set_state(
            tx, "no@body.example", AccountState.LOCKED, actor="op", now=world.clock.now()
        )
        assert await refused(acting) is Refused.UNKNOWN_ACCOUNT


async def test_what_is_suspended_keeps_its_open_leases(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer(email="ada@example.com")
    order = await world.order(buyer)
    async with world.database.transaction() as tx:
        await accounts.set_state(
            tx, "ada@example.com", AccountState.SUSPENDED, actor="op", now=world.clock.now()
        )
    receipt = await world.receive(supplier, msisdn, "123456 is your WhatsApp code")
    assert receipt.lease_id == order.activation_id


def test_keys_are_all_different() -> None:
    assert len({rules.new_key() for _ in range(1000)}) == 1000


def test_any_text_has_a_digest() -> None:
    assert len({rules.digest(key) for key in ("", "\udc80", "sy_x", "sy_x ")}) == 4


def test_passwords_are_hashed_with_argon2id_and_todays_parameters() -> None:
    hashed = rules.hash_password("correct horse battery")
    assert hashed.startswith("$argon2id$")
    assert not rules.is_outdated(hashed)
    assert rules.verify_password(hashed, "correct horse battery")
    assert not rules.verify_password(hashed, "correct horse batterz")
    assert not rules.verify_password(None, "correct horse battery")
    assert not rules.verify_password("no hash at all", "correct horse battery")
    old = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse battery")
    assert rules.is_outdated(old)


async def test_accounts_that_operators_add_are_verified(world: World) -> None:
    async with world.database.transaction() as tx:
        for command in (AddAccount("a@b.c", Role.BUYER), AddAccount("d@e.f", Role.BUYER, verified=False)):
            await accounts.add_account(tx, command, now=world.clock.now())
    rows = await world.rows("SELECT email_verified_at FROM account ORDER BY email")
    assert rows == [(world.clock.now(),), (None,)]
