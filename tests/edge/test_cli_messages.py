"""The command line about messages."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simyard.base.clock import ManualClock
from simyard.db.database import Database
from tests.edge.test_cli import Shell
from tests.world import World


@pytest.fixture
def shell(database_url: str) -> Shell:
    return Shell(database_url)


async def test_late_messages_are_shown_and_that_is_noted(
    shell: Shell, database: Database, clock: ManualClock
) -> None:
    world = await World.create(database, clock)
    world.late_within = timedelta(seconds=60)
    supplier, _, (msisdn,) = await world.rentable(1)
    buyer = await world.add_buyer()
    rental = await world.rent(buyer)
    await world.close_rental(buyer, rental.id)
    assert shell.run("messages", "late").stdout == "No late messages.\n"
    await world.receive(supplier, msisdn, "See you\nat\tnoon", sender="Jane")
    assert await world.rows("SELECT count(*) FROM audit WHERE action = 'message.late_shown'") == [(0,)]
    line = f"2026-03-01 12:00:00\t{rental.id}\t{msisdn}\tJane\tSee you at noon\n"
    assert shell.run("messages", "late").stdout == line
    (one,) = shell.json("messages", "late", "--lease", str(rental.id), "--number", msisdn)
    assert (one["lease"], one["number"], one["text"]) == (rental.id, msisdn, "See you\nat\tnoon")
    assert shell.json("messages", "late", "--lease", "1") == []
    facts = await world.rows("SELECT facts FROM audit WHERE action = 'message.late_shown'")
    assert facts == [({"lease_ids": [rental.id]},)] * 2


def test_a_number_that_is_none_is_said_in_one_line(shell: Shell) -> None:
    refused = shell.run("messages", "late", "--number", "hello")
    assert refused.returncode != 0
    assert "not a number in international form" in refused.stderr
    assert "Traceback" not in refused.stderr
