"""A real gammu-smsd with its dummy phone supplies a buyer: from a file in the phone's memory to the code he reads."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simyard.base.clock import ManualClock
from simyard.core.accounts.model import Scope
from simyard.db.database import Database
from simyard.edge.gateways import hook
from tests.edge.test_serve import SECONDS_MAX, serving
from tests.world import World

NUMBER = "+447700900123"
INSTALL_SECONDS_MAX = 180


@pytest.fixture(scope="session")
def gammu_smsd() -> str:
    """The daemon, installed when it may be."""
    found = shutil.which("gammu-smsd")
    if found is not None:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("gammu-smsd is not installed, and only root can install it with apt-get")
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "gammu-smsd"]
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, env=quiet, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("gammu-smsd is not installed, and apt-get took too long")
    found = shutil.which("gammu-smsd")
    if done.returncode != 0 or found is None:
        pytest.skip(f"gammu-smsd is not installed, and apt-get cannot: {done.stderr.strip()[-200:]}")
    return found


class Phone:
    """gammu's dummy phone: messages are files."""

    def __init__(self, folder: Path) -> None:
        self._inbox = folder / "sms" / "1"
        self._inbox.mkdir(parents=True)
        self._count = 0

    def receive(self, text: str, sender: str = "Telegram") -> None:
        """A message as gammu backs it up, put in one piece where the daemon looks."""
        self._count += 1
        encoded = text.encode("utf-16-be").hex().upper()
        lines = [
            "[SMSBackup000]",
            "DateTime = 20261121T102109",
            "State = UnRead",
            f'Number = "{sender}"',
            'Name = ""',
            "Coding = Unicode_No_Compression",
            "Folder = 1",
            f"Length = {len(text)}",
            "Class = -1",
            "ReplySMSC = False",
            "RejectDuplicates = False",
            "ReplaceMessage = 0",
            "MessageReference = 0",
            *(f"Text{at // 200:02d} = {encoded[at : at + 200]}" for at in range(0, len(encoded), 200)),
        ]
        part = self._inbox.parent / "part"
        part.write_text("\n".join(lines) + "\n")
        part.rename(self._inbox / str(self._count))


@contextmanager
def daemon(program: str, folder: Path, phone_id: str, command: str) -> Iterator[Phone]:
    phone = Phone(folder / "phone")
    configuration = folder / "smsdrc"
    configuration.write_text(
        "\n".join(
            [
                "[gammu]",
                "model = dummy",
                "connection = none",
                f"port = {folder / 'phone'}",
                "[smsd]",
                "service = null",
                f"logfile = {folder / 'smsd.log'}",
                f"PhoneId = {phone_id}",
                f"RunOnReceive = {command}",
                "CommTimeout = 1",
                "ReceiveFrequency = 1",
                "StatusFrequency = 0",
                "CheckSecurity = 0",
                "CheckBattery = 0",
                "CheckSignal = 0",
                "CheckNetwork = 0",
                "LoopSleep = 1",
                "",
            ]
        )
    )
    quiet = os.environ | {"LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        [program, "-c", str(configuration)], env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield phone
        assert process.poll() is None, (folder / "smsd.log").read_text()[-1000:]
    finally:
        process.terminate()
        try:
            process.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Shop:
    """A server, and what its operator, its supplier and its buyer do."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment

    def simyard(self, *arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "simyard", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    def call(self, url: str, key: str, body: object = None) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=SECONDS_MAX) as response:
            return json.loads(response.read())


def eventually(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come true in time")


@dataclass(frozen=True)
class Parties:
    pool: str
    supplier_key: str
    buyer_key: str


async def _set_up(url: str) -> Parties:
    async with await Database.connect(url, connections_max=1) as database:
        world = World(database, ManualClock(datetime.now(UTC)))
        supplier = await world.add_supplier()
        pool = await world.add_direct_pool(supplier)
        await world.set_price("telegram", "1", pool=pool)
        buyer_key = await world.issue_key(await world.add_buyer("10"))
        return Parties(str(pool.id), await world.issue_key(supplier, (Scope.SUPPLY,)), buyer_key)


@pytest.fixture
def parties(database_url: str) -> Parties:
    return asyncio.run(_set_up(database_url))


def test_a_gammu_bank_supplies_a_buyer_also_while_the_server_is_down(
    database_url: str, parties: Parties, gammu_smsd: str, tmp_path: Path
) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SIMYARD_")}
    environment = clean | {
        "SIMYARD_DATABASE_URL": database_url,
        "SIMYARD_DATA_DIR": str(tmp_path / "data"),
        "SIMYARD_LOG_LEVEL": "warning",
    }
    shop, buyer = Shop(environment), parties.buyer_key
    gateway = shop.simyard("gateway", "add", "bank", "--kind", "gammu", "--pool", parties.pool, "--json")
    address, spool = tmp_path / "address", tmp_path / "spool"
    command = f"{sys.executable} -m simyard.edge.gateways.hook --url-file {address} --spool {spool}"
    with daemon(gammu_smsd, tmp_path, "modem1", command) as phone:
        with serving(environment) as served:
            address.write_text(served.url + gateway["path"])
            numbers = [{"number": NUMBER[1:], "country_id": 44}]
            shop.call(
                f"{served.url}/api/resellers/sendNumbersOnline", parties.supplier_key, {"numbers": numbers}
            )
            shop.simyard("gateway", "map", "bank", "modem1", NUMBER)
            eventually(
                lambda: shop.call(f"{served.url}/api/getNum.php?service=telegram&country=44", buyer).get(
                    "tzid"
                )
            )
            phone.receive("Ваш код Telegram: 48213 – не сообщайте")

            def code(url: str) -> Any:
                return shop.call(f"{url}/api/getState.php?message_to_code=1&msg_list=0", buyer)[0].get("msg")

            assert eventually(lambda: code(served.url)) == "48213"
        # Down: the message waits on disk.
        phone.receive("Telegram code 77190")
        eventually(lambda: hook.waiting(spool))
        with serving(environment) as again:
            address.write_text(again.url + gateway["path"])
            assert eventually(lambda: not hook.waiting(spool))
            state = shop.call(f"{again.url}/api/getState.php?message_to_code=1&msg_list=1", buyer)
            assert "77190" in json.dumps(state)
    shown = shop.simyard("gateway", "show", "bank", "--json")
    assert shown["messages"] == {"delivered": 2}
    assert shown["sims"] == [{"key": "modem1", "number": NUMBER, "learnt": False, "contradicted": None}]
