"""Simyard buys from Simyard: two real servers, two databases, a supplier behind the one and a buyer before the other."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import pytest

from simyard.base.clock import ManualClock
from simyard.core.accounts.model import Scope
from simyard.db.database import Database
from tests.conftest import execute, with_database
from tests.world import World

SECONDS_MAX = 60
T = TypeVar("T")


def eventually(true: Callable[[], T]) -> T:
    """Asks again until the answer is true; a bounded wait for another process."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come true in time")


@dataclass
class Yard:
    """One Simyard: its database, its process, and its command line."""

    environment: dict[str, str]
    port: int
    process: subprocess.Popen[str] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "simyard", "serve", "--port", str(self.port)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        assert any("ready" in line for line in self.process.stdout), "it did not start"

    def kill(self) -> None:
        """Without a warning."""
        assert self.process is not None
        with self.process as process:
            process.kill()
        self.process = None

    def stop(self) -> None:
        if self.process is not None:
            with self.process as process:
                process.terminate()
                process.wait(SECONDS_MAX)

    def command(self, *arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "simyard", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    def ask(self, method: str, key: str, **parameters: object) -> Any:
        """One call of the Onlinesim dialect."""
        query = urlencode({"apikey": key, **parameters})
        with urllib.request.urlopen(f"{self.url}/api/{method}.php?{query}", timeout=30) as response:
            return json.load(response)

    def report(self, name: str, key: str, body: object) -> Any:
        """One call of a supplier."""
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        request = urllib.request.Request(
            f"{self.url}/api/resellers/{name}", json.dumps(body).encode(), headers
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def money(self, key: str) -> tuple[float, float]:
        """What a buyer can spend, and what is held."""
        balance = self.ask("getBalance", key)
        return balance["balance"], balance["zbalance"]


@dataclass
class Pair:
    """`far` has the numbers, `near` has the buyer and an account at `far`."""

    far: Yard
    near: Yard
    supplier: str
    account: str
    buyer: str

    def order(self) -> Any:
        return self.near.ask("getNum", self.buyer, service="telegram", country=44, number="true")

    def text(self, number: str, text: str) -> None:
        body = {"date": "1795219269", "number": number, "from": "Telegram", "message": text}
        assert self.far.report("addMessage", self.supplier, body) == {"response": 1}

    def messages(self, tzid: int) -> list[str]:
        found = self.near.ask("getState", self.buyer, tzid=tzid, msg_list=1)
        return [one["text"] for one in found[0].get("msg", [])]

    def nothing_open(self) -> bool:
        """At `far`, for `near`."""
        answer = self.far.ask("getState", self.account)
        return bool(answer == {"response": "ERROR_NO_OPERATIONS"})


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


@contextmanager
def yard(database_url: str, folder: Path, **settings: str) -> Iterator[Yard]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SIMYARD_")}
    environment = clean | {
        "SIMYARD_DATABASE_URL": database_url,
        "SIMYARD_DATA_DIR": str(folder),
        "SIMYARD_LOG_LEVEL": "warning",
        "SIMYARD_ONLINESIM_GUARD_SECONDS": "0",
        "SIMYARD_RATE_LIMIT_SCALE": "1000",
        **settings,
    }
    one = Yard(environment, free_port())
    one.start()
    try:
        yield one
    finally:
        one.stop()


@dataclass(frozen=True)
class Ready:
    """Two databases with everything that is not about buying from one another, and the keys of who uses them."""

    far_url: str
    near_url: str
    supplier: str
    account: str
    buyer: str


@pytest.fixture
async def ready(server_url: str, template_database: str) -> AsyncIterator[Ready]:
    """Afterwards both ledgers must balance."""
    names = [f"test_{secrets.token_hex(8)}" for _ in range(2)]
    async with AsyncExitStack() as stack:
        worlds: list[World] = []
        for name in names:
            await execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template_database}")
            stack.push_async_callback(execute, server_url, f"DROP DATABASE {name} WITH (FORCE)")
            database = await Database.connect(with_database(server_url, name), connections_max=1)
            stack.push_async_callback(database.close)
            worlds.append(World(database, ManualClock(datetime.now(UTC))))
        far, near = worlds
        supplier = await far.add_supplier()
        pool = await far.add_direct_pool(supplier)
        await far.set_price("telegram", "0.2", country="GB")
        await near.set_price("telegram", "0.5", country="GB")
        account, buyer = await far.add_buyer("10"), await near.add_buyer("10")
        yield Ready(
            with_database(server_url, names[0]),
            with_database(server_url, names[1]),
            await far.issue_key(supplier, (Scope.SUPPLY,), pool_id=pool.id),
            await far.issue_key(account),
            await near.issue_key(buyer),
        )
        for world in worlds:
            verified = await world.verify()
            assert verified.balanced


@pytest.fixture
def pair(ready: Ready, tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as stack:
        far = stack.enter_context(yard(ready.far_url, tmp_path / "far"))
        near = stack.enter_context(
            yard(
                ready.near_url,
                tmp_path / "near",
                SIMYARD_REMOTE_NETWORKS_ALLOWED="127.0.0.0/8",
                SIMYARD_REMOTE_STOCK_SECONDS="1",
                SIMYARD_REMOTE_POLL_SECONDS="0.2",
            )
        )
        numbers = [{"number": f"+44770090000{one}", "country_id": 44} for one in range(4)]
        far.report("sendNumbersOnline", ready.supplier, {"numbers": numbers})
        near.command(
            *("pool", "add", "far", "--kind", "upstream", "--protocol", "onlinesim", "--url", far.url),
            *("--key", ready.account, "--json"),
        )
        one = Pair(far, near, ready.supplier, ready.account, ready.buyer)
        eventually(lambda: _stock(one))
        yield one


def _stock(pair: Pair) -> int:
    stats = pair.near.ask("getNumbersStats", pair.buyer, country=44)
    return int(stats["services"].get("service_telegram", {}).get("count", 0))


def test_an_order_lives_its_life_in_both(pair: Pair) -> None:
    assert _stock(pair) == 4
    ordered = pair.order()
    assert ordered["response"] == 1, ordered
    assert pair.near.money(pair.buyer) == (9.5, 0.5)
    assert pair.far.money(pair.account) == (9.8, 0.2)
    (there,) = pair.far.ask("getState", pair.account)
    assert there["number"] == ordered["number"]

    pair.text(ordered["number"], "Telegram code 12345")
    assert eventually(lambda: pair.messages(ordered["tzid"])) == ["Telegram code 12345"]
    pair.text(ordered["number"], "Telegram code 67890")
    eventually(lambda: len(pair.messages(ordered["tzid"])) == 2)
    assert pair.near.ask("setOperationOk", pair.buyer, tzid=ordered["tzid"])["response"] == 1
    eventually(pair.nothing_open)
    assert pair.near.money(pair.buyer) == (9.5, 0)
    assert pair.far.money(pair.account) == (9.8, 0)

    canceled = pair.order()
    assert canceled["number"] != ordered["number"]
    assert pair.near.ask("setOperationOk", pair.buyer, tzid=canceled["tzid"])["response"] == 1
    eventually(pair.nothing_open)
    assert pair.near.money(pair.buyer) == (9.5, 0)
    assert pair.far.money(pair.account) == (9.8, 0)


def test_an_order_survives_the_death_of_either(pair: Pair) -> None:
    ordered = pair.order()
    pair.near.kill()
    pair.text(ordered["number"], "Telegram code 12345")
    pair.near.start()
    assert eventually(lambda: pair.messages(ordered["tzid"])) == ["Telegram code 12345"]
    pair.far.kill()
    # Nobody is there to be told of the end.
    assert pair.near.ask("setOperationOk", pair.buyer, tzid=ordered["tzid"])["response"] == 1
    assert pair.near.money(pair.buyer) == (9.5, 0)
    assert "tzid" not in pair.order()
    assert pair.near.money(pair.buyer) == (9.5, 0)
    pair.far.start()
    eventually(pair.nothing_open)
    assert pair.far.money(pair.account) == (9.8, 0)


def test_a_number_that_comes_too_late_goes_back(pair: Pair) -> None:
    assert pair.far.process is not None
    pair.far.process.send_signal(signal.SIGSTOP)
    try:
        assert "tzid" not in pair.order()
        assert pair.near.money(pair.buyer) == (10, 0)
    finally:
        pair.far.process.send_signal(signal.SIGCONT)
    # It is ordered once the other moves again, and canceled, so that all four can be sold.
    eventually(pair.nothing_open)
    assert pair.far.money(pair.account) == (10, 0)
    assert pair.near.money(pair.buyer) == (10, 0)


def test_what_the_upstream_has_not_is_not_sold(pair: Pair) -> None:
    bought = [pair.order() for _ in range(4)]
    assert len({one["number"] for one in bought}) == 4
    assert pair.order() == {"response": "NO_NUMBER"}
    assert pair.near.money(pair.buyer) == (8, 2)
    # At a price that leaves nothing for us, nothing is sold either.
    pair.near.command("price", "set", "telegram", "GB", "0.2")
    pair.near.ask("setOperationOk", pair.buyer, tzid=bought[0]["tzid"])
    eventually(lambda: pair.far.money(pair.account)[0] > 9.2)
    assert pair.order() == {"response": "NO_NUMBER"}
