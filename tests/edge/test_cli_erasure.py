"""Accounts that are erased from the command line."""

from __future__ import annotations

import pytest

from tests.edge.test_cli import Shell

JANE = "jane@example.com"


@pytest.fixture
def shell(empty_database_url: str) -> Shell:
    return Shell(empty_database_url)


def test_an_account_is_settled_then_erased_and_its_statement_can_still_be_read(shell: Shell) -> None:
    account_id = str(shell.json("account", "add", JANE, "--name", "Jane Doe", "--balance", "12.5")["id"])
    open_still = shell.run("account", "erase", JANE, "--reason", "ticket 12")
    assert open_still.returncode == 1
    assert (
        open_still.stderr == f"Error: Account {account_id} cannot be erased yet: it has 12.5 USD available.\n"
    )
    requested = shell.json("payout", "request", JANE, "12.5", "--method", "IBAN")
    shell.run("payout", "paid", str(requested[0]["id"]))
    names = shell.run("account", "erase", JANE, "--reason", "Jane Doe asked for it")
    assert "says whom it is about" in names.stderr
    assert shell.json("account", "erase", JANE, "--reason", "ticket 12") == {
        "id": int(account_id),
        "erased_before": False,
    }
    assert "There is no account jane@example.com." in shell.run("wallet", "deposit", JANE, "1").stderr
    again = shell.run("account", "erase", "--id", account_id, "--reason", "ticket 12")
    assert again.stdout == f"Account {account_id} was erased before.\n"
    statement = shell.run("wallet", "statement", "--id", account_id)
    assert statement.returncode == 0, statement.stderr
    assert "12.5" in statement.stdout
    assert shell.json("ledger", "verify")["balanced"] is True
    assert shell.json("account", "add", JANE)["id"] != int(account_id)


def test_who_is_to_be_erased_has_to_be_said_once(shell: Shell) -> None:
    for named in ((), (JANE, "--id", "1")):
        refused = shell.run("account", "erase", *named, "--reason", "r")
        assert (refused.returncode, "either an email or --id" in refused.stderr) == (2, True)
    unknown = shell.run("account", "erase", "--id", "99", "--reason", "r")
    assert unknown.stderr == "Error: There is no account 99.\n"
    operator = shell.json("account", "add", "o@example.com", "--role", "operator")["id"]
    refused = shell.run("account", "erase", "o@example.com", "--reason", "r")
    assert f"Account {operator} is an operator's" in refused.stderr
