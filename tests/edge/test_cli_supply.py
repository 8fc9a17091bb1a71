"""What operators see and set of supply from the command line: quality, blacklists, filters, number checks."""

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


def test_a_pool_has_its_say_and_its_numbers_are_checked(shell: Shell) -> None:
    pool = shell.json("pool", "add", "fiction", "--kind", "sandbox", "--country", "GB")["id"]
    assert shell.json("pool", "blacklist", pool, "whatsapp", "telegram") == ["whatsapp", "telegram"]
    assert shell.json("pool", "blacklist", pool, "telegram", "--remove") == ["whatsapp"]
    assert "does not sell: whatsapp." in shell.run("pool", "blacklist", pool).stdout
    assert "There is no pool 1." in refused(shell, "pool", "blacklist", "1", "whatsapp")
    assert "its supplier tells" in shell.run("pool", "filter", pool, "partner").stdout
    assert "There is no pool 1." in refused(shell, "pool", "filter", "1", "ours")
    assert shell.json("quality") == []
    assert shell.run("quality", "--pool", pool).stdout == "Nothing was counted in that time.\n"
    assert "0 offers" in shell.run("pool", "forgive", pool).stdout
    number = "+447700900000"
    check = shell.json("number", "check", number, "--minutes", "5")
    assert (check["number"], check["state"], str(check["pool"])) == (number, "waiting", pool)
    assert "is in use" in refused(shell, "number", "check", number)
    assert "No supplier has reported" in refused(shell, "number", "check", "+447911123456")
    assert shell.json("number", "checks", number) == [check]
    assert check["challenge"] in shell.run("number", "checks").stdout
