"""What operators do about logins from a shell."""

from __future__ import annotations

import json

import pytest

from simyard.base.clock import SystemClock
from simyard.core.logins import service
from simyard.core.logins.model import Throttle
from simyard.db.database import Database
from tests.edge.test_cli import Shell

THROTTLE = Throttle(
    failures_max=1, address_failures_max=100, address_attempts_per_minute=100, lock_seconds=900
)


@pytest.fixture
def shell(database_url: str) -> Shell:
    return Shell(database_url)


async def test_an_account_is_added_with_a_password_and_a_name(shell: Shell, database: Database) -> None:
    added = shell.json(
        "account", "add", "jane@example.com", "--password", "a long password", "--name", "Jane D"
    )
    async with database.connection() as connection:
        row = await connection.fetchrow("SELECT id, name, password_hash, email_verified_at FROM account")
    assert row is not None
    assert (row["id"], row["name"]) == (added["id"], "Jane D")
    assert row["password_hash"].startswith("$argon2id$")
    assert row["email_verified_at"] is not None
    assert "a long password" not in json.dumps(added)
    short = shell.run("account", "add", "joe@example.com", "--password", "short")
    assert short.returncode == 2
    assert "The password must have 8 to 200 characters." in short.stderr


async def test_activating_opens_logins_that_failures_locked(shell: Shell, database: Database) -> None:
    shell.json("account", "add", "jane@example.com", "--password", "a long password")
    now = SystemClock().now()
    async with database.transaction() as tx:
        refusal = await service.open_session(
            tx,
            email="jane@example.com",
            address="",
            login=None,
            matched=False,
            rehashed=None,
            throttle=THROTTLE,
            refresh_seconds=60,
            now=now,
        )
        assert refusal is not None
        assert await tx.fetchval("SELECT count(*) FROM login_count") == 1
    assert shell.run("account", "activate", "Jane@example.com").returncode == 0
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM login_count") == 0


async def test_the_key_of_tokens_is_rotated(shell: Shell, database: Database) -> None:
    assert shell.json("token", "rotate") == {"key_id": 1}
    later = shell.run("token", "rotate")
    assert (
        later.stdout == "Key 2 signs access tokens now. Tokens signed before are good until they run out.\n"
    )
    at_once = shell.run("token", "rotate", "--now")
    assert at_once.stdout == "Key 3 signs access tokens now. Tokens signed before are refused.\n"
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT actor, facts FROM audit WHERE action = 'token.key_rotated'")
        assert await connection.fetchval("SELECT array_agg(id) FROM token_key") == [3]
    assert [row["facts"]["dropped"] for row in rows] == [0, 0, 2]
    assert all(row["actor"].startswith("shell") for row in rows)
