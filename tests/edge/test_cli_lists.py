"""How operators look up what they have set up: pools."""

from __future__ import annotations

import pytest

from simyard.base.clock import ManualClock
from simyard.db.database import Database
from tests.edge.test_cli import Shell
from tests.world import World, reported

UPSTREAM = ("--kind", "upstream", "--protocol", "handler", "--url", "https://vendor.example.com/")


@pytest.fixture
def shell(database_url: str) -> Shell:
    return Shell(database_url)


@pytest.fixture
async def world(database: Database, clock: ManualClock) -> World:
    return await World.create(database, clock)


async def test_pools_are_listed_with_what_they_hold(shell: Shell, world: World) -> None:
    owner = await world.add_supplier(email="owner@example.com")
    bank = await world.add_direct_pool(owner, "bank", rent_allowed=True)
    spare = await world.add_direct_pool(owner, "spare", reserved_for="whatsapp", consent=None)
    play = await world.add_sandbox_pool([reported("+447700900000")], "play")
    one, two, three = world.msisdns(3)
    numbers = [reported(one), reported(two, rent=True), reported(three, "SE")]
    await world.report(owner, numbers, pool=bank, online_seconds=10**9)
    await world.take_stock()
    assert shell.run("pool", "disable", str(spare.id)).returncode == 0
    listed = {one["name"]: one for one in shell.json("pool", "list")}
    assert list(listed) == ["bank", "spare", "play"]
    assert listed["bank"] == {
        "id": str(bank.id),
        "name": "bank",
        "kind": "direct",
        "supplier": "owner@example.com",
        "share_percent": 70,
        "enabled": True,
        "consent": True,
        "rent_allowed": True,
        "reserved_for": None,
        "online": True,
        "online_until": "2057-11-07T13:46:40Z",
        "available": 3,
        "rentable": 1,
        "protocol": None,
        "stock_problem": None,
        "failures_in_a_row": None,
        "last_failure": None,
        "last_failure_at": None,
    }
    unsold = listed["spare"]
    assert (unsold["enabled"], unsold["consent"], unsold["reserved_for"]) == (False, False, "whatsapp")
    assert (unsold["online"], unsold["online_until"], unsold["available"]) == (False, None, 0)
    fiction = listed["play"]
    assert (fiction["supplier"], fiction["online"], fiction["online_until"]) == (None, True, None)
    rows = [line.split("\t") for line in shell.run("pool", "list").stdout.splitlines()]
    assert [row[:5] for row in rows] == [
        [str(bank.id), "bank", "direct", "owner@example.com", "70 %"],
        [str(spare.id), "spare", "direct", "owner@example.com", "70 %"],
        [str(play.id), "play", "sandbox", "", "0 %"],
    ]
    assert [row[5:9] for row in rows] == [
        ["on sale", "consent", "rent", "any service"],
        ["off sale", "no consent", "no rent", "whatsapp only"],
        ["on sale", "consent", "no rent", "any service"],
    ]
    assert [row[9:] for row in rows] == [
        ["online until 2057-11-07 13:46 UTC", "3 available, 1 to rent", "", ""],
        ["never online", "0 available, 0 to rent", "", ""],
        ["online", "1 available, 0 to rent", "", ""],
    ]


async def test_a_pool_whose_numbers_lie_elsewhere_shows_how_it_fares_but_not_its_key(
    shell: Shell, world: World
) -> None:
    pool = shell.json("pool", "add", "vendor", *UPSTREAM, "--key", "hush", "--share", "100")["id"]
    line = f"{pool}\tvendor\tupstream\t\t100 %\ton sale\tconsent\tno rent\tany service\tnever online\t\thandler\t"
    assert shell.run("pool", "list").stdout == f"{line}\n"
    await world.rows(
        "UPDATE remote_profile SET failures = 2, failed_at = now(), failure = E'no answer\\n' || repeat('x', 100)"
        " RETURNING pool_id"
    )
    (listed,) = shell.json("pool", "list")
    assert (listed["protocol"], listed["available"], listed["rentable"]) == ("handler", None, None)
    assert (listed["failures_in_a_row"], listed["stock_problem"]) == (2, None)
    assert listed["last_failure"] == "no answer\n" + "x" * 100
    (shown,) = shell.run("pool", "list").stdout.splitlines()
    assert shown == f"{line}2 failed in a row: no answer {'x' * 49}…"
    await world.rows("UPDATE remote_profile SET stock_problem = 'BAD_KEY' RETURNING pool_id")
    shown = shell.run("pool", "list").stdout
    assert shown == f"{line}stock: BAD_KEY\n"
    assert "hush" not in shown + str(listed)


async def test_pools_are_listed_by_kind_and_supplier_and_so_many_at_most(shell: Shell, world: World) -> None:
    assert shell.run("pool", "list").stdout == "No pools.\n"
    one = await world.add_supplier(email="one@example.com")
    two = await world.add_supplier(email="two@example.com")
    for supplier, name in ((one, "a"), (two, "b"), (two, "c")):
        await world.add_direct_pool(supplier, name)
    await world.add_sandbox_pool([], "play")
    for arguments, names in (
        (("--kind", "sandbox"), ["play"]),
        (("--supplier", "Two@example.com"), ["b", "c"]),
        (("--supplier", "two@example.com", "--kind", "sandbox"), []),
        (("--limit", "3"), ["a", "b", "c"]),
    ):
        assert [one["name"] for one in shell.json("pool", "list", *arguments)] == names
