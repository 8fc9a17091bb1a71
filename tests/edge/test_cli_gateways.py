"""Gateways from the shell: set up, mapped, looked at."""

from __future__ import annotations

import json

import asyncpg
import pytest
from click.testing import CliRunner

from simyard.edge import cli
from tests.edge.test_cli import Shell, shell

__all__ = ["shell"]

NUMBER = "+447700900123"


@pytest.fixture
async def pool(shell: Shell, empty_database_url: str) -> str:
    """A direct pool with one number."""
    shell.json("account", "add", "bank@example.com", "--role", "supplier")
    pool: str = shell.json("pool", "add", "bank", "--kind", "direct", "--supplier", "bank@example.com")["id"]
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(
        "INSERT INTO number (msisdn, pool_id, country, port, listed, position) VALUES ($1, $2, 'GB', '', true, 1)",
        NUMBER,
        int(pool),
    )
    await connection.close()
    return pool


def test_a_gateway_is_added_and_says_what_to_paste(shell: Shell, pool: str) -> None:
    added = shell.run(
        "gateway", "add", "farm", "--kind", "textbee", "--pool", pool, "--base-url", "https://qa.example/"
    )
    assert added.returncode == 0, added.stderr
    assert "https://qa.example/gateway/textbee/gw_" in added.stdout
    assert "Signing secret" in added.stdout
    address = shell.run("gateway", "address", "farm")
    assert "https://YOUR-HOST/gateway/textbee/gw_" in address.stdout
    listed = shell.run("gateway", "list").stdout
    assert "farm\ttextbee" in listed
    assert "never" in listed
    # Neither the address nor the secret is shown again.
    assert "gw_" not in listed + shell.run("gateway", "show", "farm").stdout
    (facts,) = shell.json("gateway", "list")
    assert (facts["name"], facts["signed"], facts["enabled"]) == ("farm", True, True)
    assert "secret" not in facts
    assert shell.run("gateway", "off", "farm").stdout == "farm is off.\n"
    assert shell.run("gateway", "remove", "farm").returncode == 0
    assert shell.json("gateway", "list") == []


def test_sims_are_mapped_listed_and_forgotten(shell: Shell, pool: str) -> None:
    shell.json("gateway", "add", "box", "--kind", "ejoin", "--pool", pool, "--allow", "10.0.0.9")
    assert shell.run("gateway", "map", "box", "12.01", NUMBER).stdout == f"12.01 at box is {NUMBER}.\n"
    assert shell.run("gateway", "map", "box", "--list").stdout == f"  12.01\t{NUMBER}\tset\n"
    shown = shell.json("gateway", "show", "box")
    assert shown["networks"] == ["10.0.0.9/32"]
    assert shown["sims"] == [{"key": "12.01", "number": NUMBER, "learnt": False, "contradicted": None}]
    assert shell.run("gateway", "unmap", "box", "12.01").stdout == "12.01 at box is forgotten.\n"
    assert shell.run("gateway", "unmap", "box", "12.01").stdout == "12.01 at box was not known.\n"


def test_a_template_is_kept(shell: Shell, pool: str) -> None:
    shell.json(
        *("gateway", "add", "own", "--kind", "generic", "--pool", pool),
        *("--field", "from=json:a.b", "--field", "text=form:t", "--each", "list", "--answer", "{}"),
    )
    shell.json("gateway", "add", "vox", "--kind", "generic", "--pool", pool, "--preset", "openvox")


def test_what_cannot_be_is_said_in_one_line(shell: Shell, pool: str) -> None:
    shell.json("gateway", "add", "box", "--kind", "ejoin", "--pool", pool)
    play = shell.json("pool", "add", "play", "--kind", "sandbox")["id"]
    for arguments, hint in (
        (("gateway", "add", "box", "--kind", "ejoin", "--pool", pool), "A gateway named box exists already."),
        (("gateway", "add", "x", "--kind", "ejoin", "--pool", play), "not a direct one"),
        (("gateway", "show", "nothing"), "There is no gateway named nothing."),
        (("gateway", "map", "box", "1", "+447700900999"), "No supplier has reported"),
    ):
        refused = shell.run(*arguments)
        assert refused.returncode != 0, arguments
        assert hint in refused.stderr, (arguments, refused.stderr)
        assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["carrier-pigeon"], "is not one of"),
        (["ejoin", "--secret", "x"], "cannot sign"),
        (["textbee", "--secret", "x", "--unsigned"], "either"),
        (["ejoin", "--zone", "Mars/Base"], "Europe/Stockholm"),
        (["ejoin", "--zone", "../../etc/passwd"], "Europe/Stockholm"),
        (["ejoin", "--allow", "example.com"], "10.0.0.0/24"),
        (["ejoin", "--field", "text=body"], "takes no options"),
        (["kannel", "--stock"], "does not report"),
        (["generic"], "at least from and text"),
        (["generic", "--field", "text=body", "--field", "from=cookie:x"], "must come from"),
        (["generic", "--field", "text=json:a..b", "--field", "from=body"], "is no path"),
        (["generic", "--field", "text=body", "--field", "from=body", "--field", "x=body"], "no field x"),
    ],
)
def test_a_gateway_that_cannot_be_is_refused_at_once(arguments: list[str], hint: str) -> None:
    refused = CliRunner().invoke(cli.cli, ["gateway", "add", "new", "--pool", "1", "--kind", *arguments])
    assert refused.exit_code != 0
    assert hint in refused.output


def test_mapping_needs_a_key_and_a_number() -> None:
    for arguments, hint in ((["1", "everyone"], "international form"), (["1"], "--list"), ([], "--list")):
        refused = CliRunner().invoke(cli.cli, ["gateway", "map", "box", *arguments])
        assert refused.exit_code != 0
        assert hint in refused.output


async def test_what_operators_did_is_on_record(shell: Shell, pool: str, empty_database_url: str) -> None:
    added = shell.json("gateway", "add", "farm", "--kind", "httpsms", "--pool", pool)
    shell.run("gateway", "map", "farm", "SIM1", NUMBER)
    shell.run("gateway", "unmap", "farm", "SIM1")
    connection = await asyncpg.connect(empty_database_url)
    lines = await connection.fetch(
        "SELECT action, facts::text FROM audit WHERE action LIKE 'gateway.%' ORDER BY id"
    )
    await connection.close()
    assert [line["action"] for line in lines] == ["gateway.added", "gateway.mapped", "gateway.unmapped"]
    said = json.dumps([line["facts"] for line in lines])
    assert added["secret"] not in said
    assert added["path"].rpartition("/")[2] not in said
    assert "SIM1" not in said
