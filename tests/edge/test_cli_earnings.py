"""Earnings, refunds and payouts from the command line, run as operators run it."""

from __future__ import annotations

import pytest

from tests.edge.test_cli import Shell


@pytest.fixture
def shell(empty_database_url: str) -> Shell:
    return Shell(empty_database_url)


def refused(shell: Shell, *arguments: str) -> str:
    done = shell.run(*arguments)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


def test_earnings_are_shown_and_paid_out(shell: Shell) -> None:
    shell.json("account", "add", "sam@example.com", "--role", "supplier", "--balance", "10")
    assert shell.json("earnings", "sam@example.com") == {
        "currency": "USD",
        "available": "10",
        "pending": "0",
        "debt": "0",
        "days": [],
    }
    asking = ("payout", "request", "sam@example.com")
    (first,) = shell.json(*asking, "4", "--method", "IBAN DE00")
    (second,) = shell.json(*asking, "6", "--method", "IBAN DE00")
    assert (first["amount"], first["state"], first["method"]) == ("4", "requested", "IBAN DE00")
    assert "has less than that to spend" in refused(shell, *asking, "1", "--method", "IBAN DE00")
    (paid,) = shell.json("payout", "paid", str(first["id"]), "--note", "SEPA 1")
    assert (paid["state"], paid["note"]) == ("paid", "SEPA 1")
    (rejected,) = shell.json("payout", "reject", str(second["id"]), "--reason", "no such bank")
    assert (rejected["state"], rejected["note"]) == ("rejected", "no such bank")
    again = refused(shell, "payout", "paid", str(second["id"]))
    assert again == f"Error: There is no payout {second['id']} that is still open."
    assert [one["id"] for one in shell.json("payout", "list")] == [second["id"], first["id"]]
    assert shell.json("payout", "list", "--state", "requested") == []
    assert "sam@example.com\t4 USD\tpaid\tIBAN DE00\tSEPA 1" in shell.run("payout", "list").stdout
    assert "available 6" in shell.run("earnings", "sam@example.com").stdout
    assert shell.json("ledger", "verify")["balanced"] is True
    assert "There is no activation 1." in refused(shell, "refund", "1", "--reason", "bad")


def test_who_owes_nothing_is_written_off_nothing(shell: Shell) -> None:
    shell.json("account", "add", "sam@example.com")
    assert shell.json("wallet", "write-off", "sam@example.com") == {"written_off": "0", "currency": "USD"}
    assert "There is no account" in refused(shell, "wallet", "write-off", "nobody@example.com")
