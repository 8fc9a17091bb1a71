"""The command line about rentals."""

from __future__ import annotations

import pytest

from simyard.base.clock import ManualClock
from simyard.db.database import Database
from tests.edge.test_cli import Shell
from tests.world import CONFIRM_SECONDS, World, reported


@pytest.fixture
def shell(database_url: str) -> Shell:
    return Shell(database_url)


async def test_periods_are_priced_and_pools_opened_for_renting(
    shell: Shell, database: Database, clock: ManualClock
) -> None:
    world = await World.create(database, clock)
    supplier = await world.add_supplier(email="owner@example.com")
    pool = await world.add_direct_pool(supplier)
    assert shell.run("rent", "price", "GB", "7", "5").stdout == "7 days in United Kingdom: 5 USD.\n"
    priced = shell.run("rent", "price", "GB", "1", "1.5", "--pool", str(pool.id))
    assert priced.stdout == f"1 day in United Kingdom in pool {pool.id}: 1.5 USD.\n"
    assert shell.run("pool", "rent", str(pool.id), "on").stdout == f"Pool {pool.id} rents numbers out.\n"
    listed = [reported(msisdn, rent=True) for msisdn in world.msisdns(1)]
    await world.report(supplier, listed, online_seconds=10**9)
    buyer = await world.add_buyer(email="buyer@example.com")
    assert shell.run("rent", "list", "buyer@example.com").stdout == "No open rentals.\n"
    rental = await world.rent(buyer, 1)
    (shown,) = shell.json("rent", "list", "buyer@example.com")
    assert (shown["id"], shown["number"], shown["price"]) == (rental.id, rental.msisdn, "1.5")
    assert (shown["state"], shown["auto_extend"], shown["messages"]) == ("waiting", False, 0)
    assert rental.msisdn in shell.run("rent", "list", "buyer@example.com").stdout
    actions = await world.rows("SELECT action FROM audit WHERE action LIKE 'pool.r%'")
    assert actions == [("pool.rent",)]


async def test_numbers_that_are_banned_from_rent_are_shown(
    shell: Shell, database: Database, clock: ManualClock
) -> None:
    world = await World.create(database, clock)
    _, pool, (msisdn,) = await world.rentable(1)
    assert shell.run("rent", "bans").stdout == "No number is banned from rent.\n"
    buyer = await world.add_buyer()
    for _ in range(3):
        await world.rent(buyer)
        clock.turn(CONFIRM_SECONDS)
        await world.end_due_rentals()
    assert shell.json("rent", "bans") == [
        {"number": msisdn, "pool": pool.id, "until": "2026-03-02T13:00:00Z"}
    ]
    assert shell.run("rent", "bans").stdout == f"{msisdn}\tpool {pool.id}\tuntil 2026-03-02 13:00 UTC\n"


def test_what_cannot_be_rented_is_said_in_one_line(shell: Shell) -> None:
    for arguments, hint in (
        (("rent", "price", "GB", "1", "1", "--pool", "1"), "There is no pool 1."),
        (("rent", "price", "GB", "0", "1"), "range"),
        (("rent", "price", "Atlantis", "1", "1"), "two letters"),
        (("rent", "list", "nobody@example.com"), "There is no account nobody@example.com."),
        (("pool", "rent", "1", "on"), "There is no pool 1."),
    ):
        refused = shell.run(*arguments)
        assert refused.returncode != 0
        assert hint in refused.stderr
        assert "Traceback" not in refused.stderr
