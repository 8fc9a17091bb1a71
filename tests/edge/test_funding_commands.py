"""Deposits and statements from the command line, run as operators run it."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest

from tests.edge.test_cli import Shell


@pytest.fixture
def shell(empty_database_url: str) -> Shell:
    return Shell(empty_database_url)


def refused(shell: Shell, *arguments: str, **settings: str) -> str:
    done = shell.run(*arguments, **settings)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


def test_a_wallet_is_filled_by_way_of_the_sandbox(shell: Shell) -> None:
    shell.json("account", "add", "jane@example.com", "--currency", "NGN")
    assert {"code": "035", "name": "Wema Bank"} in shell.json("funding", "banks")
    (opened,) = shell.json("funding", "open", "jane@example.com", "035")
    assert (opened["bank_name"], opened["account_name"]) == ("Wema Bank", "Sandbox/jane")
    assert shell.json("funding", "accounts", "jane@example.com") == [opened]
    number = opened["account_number"]
    paid = shell.json("funding", "deposit", number, "367.5", "--reference", "r1")
    assert paid == {"reference": "r1", "available": "367.5", "currency": "NGN"}
    again = refused(shell, "funding", "deposit", number, "367.5", "--reference", "r1")
    assert again == "Error: This reference was booked before; nothing was moved."
    (listed,) = shell.json("funding", "list", "--account", "jane@example.com")
    assert (listed["reference"], listed["state"], listed["amount"]) == ("r1", "credited", "367.5")
    assert shell.json("funding", "list", "--refused") == []
    assert "r1\tcredited\t367.5 NGN\tjane@example.com" in shell.run("funding", "list").stdout
    assert shell.json("ledger", "verify")["balanced"] is True


def test_what_cannot_be_done_with_deposits_is_said_in_one_line(shell: Shell) -> None:
    shell.json("account", "add", "jane@example.com")
    assert "no account nobody@example.com" in refused(shell, "funding", "open", "nobody@example.com", "035")
    assert "No virtual account can be opened at the bank 999" in refused(
        shell, "funding", "open", "jane@example.com", "999"
    )
    assert "The sandbox has opened no account 1234567890." in refused(
        shell, "funding", "deposit", "1234567890", "5"
    )
    assert "There is no refused deposit r1." in refused(shell, "funding", "retry", "r1")
    (opened,) = shell.json("funding", "open", "jane@example.com", "035")
    for amount in ("0", "0.001"):
        assert "The amount is not valid." in refused(
            shell, "funding", "deposit", opened["account_number"], amount
        )
    paystack = {
        "SIMYARD_FUNDING_PROVIDER": "paystack",
        "SIMYARD_PAYSTACK_SECRET_KEY": "sk_test_secret",
        "SIMYARD_PAYSTACK_URL": "http://127.0.0.1:1",
    }
    assert "pay into the bank account itself" in refused(
        shell, "funding", "deposit", opened["account_number"], "5", **paystack
    )
    silent = refused(shell, "funding", "open", "jane@example.com", "035", **paystack)
    assert "The provider paystack did not do it" in silent
    assert "sk_test_secret" not in silent
    assert shell.run("funding", "accounts", "jane@example.com", **paystack).stdout == ""


def filled(shell: Shell) -> None:
    shell.json("account", "add", "jane@example.com", "--balance", "100")
    for number in range(3):
        shell.json("wallet", "deposit", "jane@example.com", f"0.{number + 1}", "--reference", f"r,{number}")


def test_a_statement_is_printed_as_csv(shell: Shell) -> None:
    filled(shell)
    done = shell.run("wallet", "statement", "jane@example.com")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["kind"] for row in rows] == ["opening", *["deposit"] * 4, "closing"]
    assert [row["available_after"] for row in rows] == ["0", "100", "100.1", "100.3", "100.6", "100.6"]
    assert rows[2]["reference"] == "deposit/r,0"
    assert sum(Decimal(row["available"] or 0) for row in rows) == Decimal("100.6")


def test_a_statement_is_printed_as_json(shell: Shell) -> None:
    filled(shell)
    whole = statement(shell)
    assert (whole["email"], whole["currency"]) == ("jane@example.com", "USD")
    empty = {"available": "0", "held": "0", "pending": "0", "debt": "0"}
    assert whole["opening"] == empty
    assert whole["closing"] == {**empty, "available": "100.6"}
    assert [line["available"] for line in whole["lines"]] == ["100", "0.1", "0.2", "0.3"]
    third = whole["lines"][2]["at"]
    before, after = statement(shell, "--until", third), statement(shell, "--from", third)
    assert before["lines"] + after["lines"] == whole["lines"]
    assert before["closing"] == after["opening"] == {**empty, "available": "100.1"}
    assert after["from"] == before["until"] == third
    today = third[:10]
    assert len(statement(shell, "--from", "2020-01-01", "--until", "2020-12-31")["lines"]) == 0
    assert (
        statement(shell, "--from", "2020-02-29", "--until", "2020-02-29")["until"] == "2020-03-01T00:00:00Z"
    )
    assert statement(shell, "--from", today)["from"] == f"{today}T00:00:00Z"


def test_a_statement_nobody_can_have_is_refused_in_one_line(shell: Shell) -> None:
    filled(shell)
    assert "no account nobody@example.com" in refused(shell, "wallet", "statement", "nobody@example.com")
    for given in ("yesterday", "2026-13-01", "", "2026-1-1", "9999-12-31T99:00"):
        assert "is not a day" in refused(shell, "wallet", "statement", "jane@example.com", "--from", given)
    assert "is not a day" in refused(
        shell, "wallet", "statement", "jane@example.com", "--until", "9999-12-31"
    )
    assert "The until is not valid." in refused(
        shell,
        "wallet",
        "statement",
        "jane@example.com",
        "--from",
        "2026-02-01",
        "--until",
        "2026-01-01",
    )


def statement(shell: Shell, *arguments: str) -> Any:
    done = shell.run("wallet", "statement", "jane@example.com", "--format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
