"""Gateways that stock their pool: what they report of SIMs is what is on sale."""

from __future__ import annotations

import pytest

from simyard.base.clock import ManualClock
from simyard.core.gateways import service as gateways
from tests.edge.gateways.bench import NOW, NUMBER, OTHER, Bench, bench, clock
from tests.world import reported, world

__all__ = ["bench", "clock", "world"]

NEW, FOREIGN = "+46701740607", "+46701740699"


async def listed(bench: Bench) -> set[str]:
    return {
        row[0]
        for row in await bench.world.rows(
            "SELECT msisdn FROM number WHERE listed AND pool_id = $1", bench.pool.id
        )
    }


def status(*entries: tuple[str, str, int]) -> dict[str, object]:
    """Ports, their numbers and their states."""
    told = [
        {"port": port, "sn": number, "st": state, "iccid": f"89460000000{port[-2:]}"}
        for port, number, state in entries
    ]
    return {"type": "dev-status", "mac": "m", "status": told}


async def test_sims_that_work_are_on_sale(bench: Bench) -> None:
    world = bench.world
    await world.report(bench.supplier, [], online_seconds=1)
    assert await listed(bench) == set()
    path = await bench.add("ejoin", stocks=True)
    await bench.json(
        path, status(("1.01", OTHER, 3), ("1.02", NEW, 3), ("1.03", "", 3), ("1.04", "+4670", 3))
    )
    assert await listed(bench) == {OTHER, NEW}
    assert await world.value("SELECT online_until > $1 FROM pool WHERE id = $2", NOW, bench.pool.id)
    assert await world.value("SELECT port FROM number WHERE msisdn = $1", NEW) == "m/1.02"
    # What it does not name stays; what no longer works goes, also when its number is not told any more.
    await bench.json(path, status(("1.02", "", 0)))
    assert await listed(bench) == {OTHER}
    await bench.json(path, status(("1.02", "", 3)))
    assert await listed(bench) == {OTHER, NEW}
    # A SIM that moved.
    await bench.json(path, status(("1.02", NEW, 11), ("1.09", NEW, 3)))
    assert await listed(bench) == {OTHER, NEW}


async def test_what_was_reported_of_a_number_stays(bench: Bench) -> None:
    world = bench.world
    pool = await world.add_direct_pool(await world.add_supplier(), rent_allowed=True)
    del pool
    await world.report(bench.supplier, [reported(OTHER, "SE", port="bank-7")])
    path = await bench.add("ejoin", stocks=True)
    await bench.json(path, status(("1.01", OTHER, 3)))
    assert await world.value("SELECT port FROM number WHERE msisdn = $1", OTHER) == "bank-7"


async def test_the_number_of_another_supplier_is_not_taken(bench: Bench) -> None:
    world = bench.world
    foreign = await world.add_supplier()
    await world.add_direct_pool(foreign)
    await world.report(foreign, [reported(FOREIGN, "SE")])
    path = await bench.add("ejoin", stocks=True)
    await bench.json(path, status(("1.01", FOREIGN, 3)))
    await bench.json(path, status(("1.01", FOREIGN, 0)))
    assert await world.value(
        "SELECT listed AND pool_id <> $1 FROM number WHERE msisdn = $2", bench.pool.id, FOREIGN
    )
    assert await bench.sims("ejoin") == {}


async def test_a_gateway_that_does_not_stock_puts_nothing_on_sale(bench: Bench) -> None:
    path = await bench.add("ejoin")
    await bench.json(path, status(("1.01", NEW, 3), ("1.02", OTHER, 0)))
    assert await listed(bench) == {NUMBER, OTHER}


@pytest.mark.parametrize("off", [False, True])
async def test_a_silent_gateway_sells_nothing_until_it_speaks(
    bench: Bench, clock: ManualClock, off: bool
) -> None:
    path = await bench.add("smsgate-android", stocks=True)
    await bench.world.report(bench.supplier, [])
    cards = [{"simNumber": 1, "phoneNumber": NUMBER}, {"simNumber": 2, "phoneNumber": OTHER}]
    await bench.json(path, {"deviceId": "d", "event": "app:started", "payload": {"simCards": cards}})
    assert await listed(bench) == {NUMBER, OTHER}

    async def retire() -> int:
        async with bench.world.database.transaction() as tx:
            return await gateways.retire_silent(tx, before=clock.now())

    async def switch(enabled: bool) -> None:
        async with bench.world.database.transaction() as tx:
            await gateways.set_enabled(tx, "smsgate-android", enabled=enabled, actor="test", now=clock.now())

    assert await retire() == 0
    if off:
        await switch(False)
    else:
        clock.turn(601)
    assert await retire() == 2
    assert await retire() == 0
    assert await listed(bench) == set()
    if off:
        await switch(True)
    ping = {"deviceId": "d", "event": "system:ping", "payload": {}}
    assert (await bench.json(path, ping)).status_code == 200
    assert await listed(bench) == {NUMBER, OTHER}


async def test_lines_of_a_goip_go_down_and_up(bench: Bench) -> None:
    path = await bench.add("goip-bridge", stocks=True)
    await bench.map("goip-bridge", "line01", OTHER)
    await bench.json(path, {"type": "line_down", "line": "line01"})
    assert await listed(bench) == {NUMBER}
    assert await bench.sims("goip-bridge") == {"line01": OTHER}
    await bench.json(path, {"type": "line_up", "line": "line01"})
    assert await listed(bench) == {NUMBER, OTHER}
