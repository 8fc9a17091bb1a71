"""The command line, run as operators run it: a process of its own, on a database of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import asyncpg
import pytest

PREFIX = "SIMYARD_"


class Shell:
    """Runs `simyard` on one database."""

    def __init__(self, database_url: str) -> None:
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(PREFIX)
        } | {"SIMYARD_DATABASE_URL": database_url}

    def run(self, *arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "simyard", *arguments],
            env=self._environment | settings,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def shell(empty_database_url: str) -> Shell:
    return Shell(empty_database_url)


def test_an_account_is_added_to_a_database_that_was_empty(shell: Shell) -> None:
    added = shell.json("account", "add", "Buyer@Example.com", "--balance", "100")
    assert added["id"] == 1
    assert added["email"] == "buyer@example.com"
    assert added["api_key"].startswith("sy_")
    verified = shell.json("ledger", "verify")
    assert verified["balanced"] is True
    assert verified["currencies"]["USD"]["available"] == "100"


async def test_an_account_may_have_been_brought_by_another(shell: Shell, empty_database_url: str) -> None:
    bringer = shell.json("account", "add", "bringer@example.com")["id"]
    for email, settings in (
        ("a@example.com", {}),
        ("c@example.com", {"SIMYARD_REFERRAL_SHARE_PERCENT": "12", "SIMYARD_BASE_CURRENCY": "EUR"}),
    ):
        added = shell.run("account", "add", email, "--referrer", "Bringer@example.com", **settings)
        assert added.returncode == 0, added.stderr
    connection = await asyncpg.connect(empty_database_url)
    rows = await connection.fetch(
        "SELECT referrer_id, share_basis_points, base_currency FROM referral ORDER BY referred_id"
    )
    await connection.close()
    assert [tuple(row) for row in rows] == [(bringer, 500, "USD"), (bringer, 1200, "EUR")]
    unknown = shell.run("account", "add", "b@example.com", "--referrer", "nobody@example.com")
    assert unknown.returncode == 1
    assert unknown.stderr.strip() == "Error: There is no account nobody@example.com."
    # Nothing was added either.
    shell.json("account", "add", "b@example.com")


def test_what_cannot_be_done_is_said_in_one_line(shell: Shell) -> None:
    shell.json("account", "add", "a@example.com")
    again = shell.run("account", "add", "a@example.com")
    assert again.returncode == 1
    assert again.stderr.strip() == "Error: An account with the email a@example.com exists already."
    unknown = shell.run("wallet", "deposit", "b@example.com", "5")
    assert unknown.returncode == 1
    assert "There is no account b@example.com." in unknown.stderr
    for arguments, hint in (
        (("price", "set", "whatsap", "US", "1"), "did you mean whatsapp"),
        (("price", "set", "whatsapp", "Atlantis", "1"), "two letters"),
        (("account", "add", "c@example.com", "--balance", "-1"), "negative"),
        (("price", "set", "whatsapp", "US", "1.23456789"), "not an amount"),
        (("fx", "set", "NGN", "zero"), "positive number"),
        (("account", "add", "c@example.com", "--currency", "dollars"), "three letters"),
        (("number", "block", "+46701740605"), "No supplier has reported the number +46701740605."),
        (("number", "block", "everyone"), "international form"),
        (("number", "publish", "+46701740605"), "No supplier has reported the number +46701740605."),
        (("number", "withdraw", "everyone"), "international form"),
        (("pool", "add", "p", "--kind", "direct"), "--supplier"),
        (("pool", "add", "p", "--kind", "direct", "--supplier", "a@example.com"), "not a supplier"),
    ):
        refused = shell.run(*arguments)
        assert refused.returncode != 0
        assert hint in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_supplier_gets_a_pool_with_consent_on_record_and_a_price(
    shell: Shell, empty_database_url: str
) -> None:
    shell.json("account", "add", "owner@example.com", "--role", "supplier")
    pool = shell.json("pool", "add", "bank", "--kind", "direct", "--supplier", "owner@example.com")
    assert pool["id"].isdigit()
    assert shell.run("price", "set", "whatsapp", "US", "1.083", "--pool", pool["id"]).returncode == 0
    assert shell.run("price", "set", "wa", "usa", "2").returncode == 0
    missing = shell.run("price", "set", "whatsapp", "US", "1", "--pool", "1")
    assert "There is no pool 1." in missing.stderr
    assert shell.run("fx", "set", "NGN", "1500").stdout == "1 USD = 1500 NGN.\n"


async def test_a_number_is_published_and_withdrawn(shell: Shell, empty_database_url: str) -> None:
    shell.json("pool", "add", "play", "--kind", "sandbox", "--country", "GB")
    connection = await asyncpg.connect(empty_database_url)
    try:
        msisdn = await connection.fetchval("SELECT min(msisdn) FROM number")
        published = "SELECT published_at IS NOT NULL FROM number WHERE msisdn = $1"
        said = shell.run("number", "publish", msisdn)
        assert said.stdout == f"{msisdn} is public: everybody can read its messages.\n"
        assert await connection.fetchval(published, msisdn)
        said = shell.run("number", "withdraw", msisdn)
        assert said.stdout == f"{msisdn} is no longer public.\n"
        assert not await connection.fetchval(published, msisdn)
        actions = await connection.fetch(
            "SELECT action, actor FROM audit WHERE action LIKE 'number.%' ORDER BY id"
        )
    finally:
        await connection.close()
    assert [row["action"] for row in actions] == ["number.published", "number.withdrawn"]
    assert all(row["actor"].startswith("shell:") for row in actions)


def test_a_deposit_with_a_reference_is_booked_once(shell: Shell) -> None:
    shell.json("account", "add", "a@example.com")
    first = shell.json("wallet", "deposit", "a@example.com", "12.50", "--reference", "bank-1")
    assert first == {"available": "12.5", "held": "0", "currency": "USD"}
    again = shell.run("wallet", "deposit", "a@example.com", "12.50", "--reference", "bank-1")
    assert again.returncode == 1
    assert "booked before" in again.stderr
    assert shell.json("wallet", "deposit", "a@example.com", "1")["available"] == "13.5"


async def test_a_ledger_that_does_not_add_up_is_found(shell: Shell, empty_database_url: str) -> None:
    added = shell.json("account", "add", "a@example.com", "--balance", "3")
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("UPDATE wallet SET available = available + 1 WHERE account_id = $1", added["id"])
    await connection.close()
    verified = shell.run("ledger", "verify", "--json")
    assert verified.returncode == 1
    found = json.loads(verified.stdout)
    assert found["balanced"] is False
    assert found["wrong_wallets"] == [added["id"]]


async def test_freezing_an_account_is_audited(shell: Shell, empty_database_url: str) -> None:
    shell.json("account", "add", "a@example.com")
    assert shell.run("account", "suspend", "a@example.com").stdout == "a@example.com is suspended.\n"
    assert shell.run("account", "lock", "a@example.com").stdout == "a@example.com is locked.\n"
    assert shell.run("account", "activate", "a@example.com").stdout == "a@example.com is active.\n"
    connection = await asyncpg.connect(empty_database_url)
    actions = await connection.fetch("SELECT action FROM audit WHERE action LIKE 'account.%' ORDER BY id")
    await connection.close()
    assert [row["action"] for row in actions] == ["account.suspended", "account.locked", "account.active"]


def test_keys_are_listed_without_their_texts_and_can_be_switched_off(shell: Shell) -> None:
    shell.json("account", "add", "a@example.com")
    added = shell.json("key", "add", "a@example.com", "--scope", "read", "--network", "10.0.0.0/8")
    listed = shell.run("key", "list", "a@example.com").stdout
    assert added["api_key"] not in listed
    assert "10.0.0.0/8" in listed
    assert shell.run("key", "disable", "a@example.com", str(added["id"])).returncode == 0
    assert "\toff\t" in shell.run("key", "list", "a@example.com").stdout
    assert "no key 999" in shell.run("key", "disable", "a@example.com", "999").stderr
    bad = shell.run("key", "add", "a@example.com", "--network", "everywhere")
    assert "The networks is not valid." in bad.stderr or "networks" in bad.stderr


def test_codes_are_read_out_of_lines(shell: Shell) -> None:
    lines = [
        {"sender": "WhatsApp", "text": "Your WhatsApp code: 847-291", "service": "whatsapp"},
        {"sender": "Shop", "text": "Big sale this weekend", "service": None},
    ]
    text = "\n".join(json.dumps(line) for line in lines) + "\nnot json\n"
    done = shell.run("messages", "extract", stdin=text)
    assert done.returncode == 0
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers[0]["code"] == "847291"
    assert answers[0]["span"] == [20, 27]
    assert 0 < answers[0]["confidence"] <= 1
    assert answers[1] == {"code": None, "confidence": 0.0, "span": None}
    assert answers[2]["line"] == 3


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_shell_can_be_taught_to_complete(shell: Shell, name: str) -> None:
    script = shell.run("completion", name).stdout
    assert "simyard" in script
    assert "_SIMYARD_COMPLETE" in script


def test_settings_that_cannot_be_used_are_all_named(shell: Shell) -> None:
    done = shell.run("ledger", "verify", SIMYARD_ACTIVATION_SECONDS="soon", SIMYARD_LANE_SLOTS="0")
    assert done.returncode == 1
    assert "SIMYARD_ACTIVATION_SECONDS" in done.stderr
    assert "SIMYARD_LANE_SLOTS" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_does_not_answer_is_named_without_its_password(shell: Shell) -> None:
    url = "postgresql://simyard:secret@127.0.0.1:1/simyard"
    done = shell.run("ledger", "verify", SIMYARD_DATABASE_URL=url)
    assert done.returncode == 1
    assert "127.0.0.1" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr
