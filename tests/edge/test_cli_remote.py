"""The command line about upstream pools: set up, looked at, changed."""

from __future__ import annotations

import asyncpg
import pytest

from tests.edge.test_cli import Shell

UPSTREAM = ("pool", "add", "vendor", "--kind", "upstream", "--protocol", "handler")


@pytest.fixture
def shell(empty_database_url: str) -> Shell:
    return Shell(empty_database_url)


def test_an_upstream_is_set_up_and_shown_without_its_key(shell: Shell) -> None:
    pool = shell.json(*UPSTREAM, "--url", "https://vendor.example.com/stubs/handler_api.php", "--key", "hush")
    shown = shell.json("pool", "profile", pool["id"])
    assert shown["protocol"] == "handler"
    assert shown["url"] == "https://vendor.example.com/stubs/handler_api.php"
    assert (shown["online"], shown["failures_in_a_row"], shown["left_alone"]) == (False, 0, False)
    changed = shell.run(
        "pool", "profile", pool["id"], "--url", "https://other.example.com/", "--key", "hush2"
    )
    assert changed.returncode == 0, changed.stderr
    assert "url\thttps://other.example.com/" in changed.stdout
    assert "hush" not in changed.stdout
    assert shell.json("pool", "problems") == []
    assert shell.json("pool", "names", "--pool", pool["id"]) == []
    assert "hush" not in shell.run("audit").stdout


def test_what_cannot_be_a_profile_is_refused(shell: Shell) -> None:
    where = ("--url", "https://vendor.example.com/", "--key", "hush")
    sandbox = shell.json("pool", "add", "play", "--kind", "sandbox", "--country", "GB")
    for arguments, hint in (
        (UPSTREAM, "--protocol, --url and --key"),
        (("pool", "add", "v", "--kind", "upstream", "--protocol", "telepathy", *where), "handler"),
        (
            (*UPSTREAM, "--url", "vendor.example.com", "--key", "hush"),
            "the url is not valid: neither http nor",
        ),
        ((*UPSTREAM, *where, "--switch", "vendor=hero"), "vendor is herosms or smsbower; others need none"),
        ((*UPSTREAM, *where, "--switch", "no-such-switch=1"), "no-such-switch"),
        ((*UPSTREAM, *where, "--switch", "nothing"), "name=value"),
        (("pool", "add", "v", "--kind", "partner", "--protocol", "industry", *where), "--supplier"),
        (("pool", "add", "v", "--kind", "sandbox", "--url", "https://vendor.example.com/"), "not sandbox"),
        (("pool", "profile", sandbox["id"]), f"pool {sandbox['id']} is a sandbox pool"),
        (("pool", "test", sandbox["id"]), f"pool {sandbox['id']} is a sandbox pool"),
        (("pool", "profile", "9999"), "There is no pool 9999."),
        (("pool", "problems", "--clear", "7"), "There is no"),
    ):
        refused = shell.run(*arguments)
        assert refused.returncode != 0
        assert hint in refused.stderr, refused.stderr
        assert "Traceback" not in refused.stderr


async def test_problems_are_shown_and_cleared(shell: Shell, empty_database_url: str) -> None:
    pool = shell.json(*UPSTREAM, "--url", "https://vendor.example.com/", "--key", "hush")
    connection = await asyncpg.connect(empty_database_url)
    try:
        problem = await connection.fetchval(
            "INSERT INTO remote_lease (lease_id, pool_id, state, wish, amount, currency, asked_at, changed_at, problem)"
            " VALUES (10000, $1, 'done', '', 0, 'USD', now(), now(), 'nobody knows') RETURNING id",
            int(pool["id"]),
        )
    finally:
        await connection.close()
    assert "nobody knows" in shell.run("pool", "problems").stdout
    (found,) = shell.json("pool", "problems", "--pool", pool["id"])
    assert (found["id"], found["lease_id"]) == (problem, 10000)
    assert shell.run("pool", "problems", "--clear", str(problem)).returncode == 0
    assert shell.json("pool", "problems") == []
