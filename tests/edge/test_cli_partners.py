"""The command line about partners: one is set up, and tried."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator

import pytest

from simyard.base.clock import ManualClock
from simyard.db.database import Database
from tests.edge.test_cli import Shell
from tests.partners.simulator import KEY, PartnerServer
from tests.world import World


@pytest.fixture
def shell(database_url: str) -> Shell:
    return Shell(database_url)


@pytest.fixture
async def server() -> AsyncIterator[PartnerServer]:
    async with PartnerServer() as server:
        yield server


async def tried(shell: Shell, *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        shell.run, "pool", "test", *arguments, SIMYARD_REMOTE_NETWORKS_ALLOWED="127.0.0.0/8"
    )


async def add_pool(shell: Shell, server: PartnerServer, *arguments: str) -> str:
    added = await asyncio.to_thread(
        shell.json, "pool", "add", "Uppsala", "--kind", "partner", "--supplier", "owner@example.com",
        "--protocol", "onlinesim-v1", "--url", server.url(), "--key", KEY, *arguments,
    )  # fmt: skip
    pool: str = added["id"]
    return pool


async def test_a_partner_is_tried(
    shell: Shell, server: PartnerServer, database: Database, clock: ManualClock
) -> None:
    world = await World.create(database, clock)
    await world.add_supplier(email="owner@example.com", currency="EUR")
    pool = await add_pool(shell, server, "--switch", "content_type=json")
    good = await tried(shell, pool, "--country", "SE", "--service", "telegram")
    assert good.returncode == 0, good.stdout + good.stderr
    assert "ok\tGET_NUMBER: +46701740605 for telegram in sweden\n" in good.stdout
    assert "not tried\tPUSH_SMS" in good.stdout
    assert KEY not in good.stdout
    assert {heard.headers["content-type"] for heard in server.requests} == {"application/json"}
    server.quirks.once = True
    bad = await tried(shell, pool, "--json")
    assert bad.returncode == 1
    said = json.loads(bad.stdout)
    assert said["passed"] is False
    (failed,) = [check for check in said["checks"] if check["outcome"] == "FAILED"]
    assert failed["name"] == "a repeated FINISH_ACTIVATION is a success"
    assert not server.reserved


async def test_what_cannot_be_tried_is_said_in_one_line(
    shell: Shell, server: PartnerServer, database: Database, clock: ManualClock
) -> None:
    world = await World.create(database, clock)
    supplier = await world.add_supplier(email="owner@example.com")
    direct = await world.add_direct_pool(supplier)
    for pool, listen in ((str(direct.id), "0"), ("1", "0"), (str(direct.id), "nonsense")):
        refused = await tried(shell, pool, "--listen", f":{listen}")
        assert refused.returncode != 0
        assert "Traceback" not in refused.stderr


async def test_a_switch_nobody_knows_is_refused_with_those_there_are(
    shell: Shell, server: PartnerServer, database: Database, clock: ManualClock
) -> None:
    world = await World.create(database, clock)
    await world.add_supplier(email="owner@example.com")
    refused = await asyncio.to_thread(
        shell.run, "pool", "add", "Uppsala", "--kind", "partner", "--supplier", "owner@example.com",
        "--protocol", "industry", "--url", server.url(), "--key", KEY, "--switch", "colour=red",
    )  # fmt: skip
    assert refused.returncode != 0
    assert "accept_gzip" in refused.stderr
    assert await world.rows("SELECT id FROM pool") == []
