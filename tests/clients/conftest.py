"""Published clients, unmodified, against a real server, and a supplier who pushes SMS over HTTP.

Each client is installed once into a folder of its own below the user's cache, from pinned versions, and runs there.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from simyard.base.clock import ManualClock
from simyard.base.ids import AccountId
from simyard.core.accounts.model import Scope
from simyard.db.database import Database
from tests.conftest import locked
from tests.edge.test_serve import SECONDS_MAX, serving
from tests.world import World

HERE = Path(__file__).parent
INSTALL_SECONDS_MAX = 300
PRICE = 2
RENT_PRICES = {1: 3, 7: 15, 30: 50}
NUMBERS = [f"+4475{index:08d}" for index in range(20)]


class Raised(Exception):
    """What the client raised: the name of its exception, and its text."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text


class Client:
    """A client in a process of its own. `call` waits for the answer; `start` leaves it for `result`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, service: str, method: str, *arguments: Any, **named: Any) -> None:
        assert self._process.stdin is not None
        call = {"service": service, "method": method, "arguments": arguments, "named": named}
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()

    def result(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the client ended with {self._process.wait()}")
        answer = json.loads(line)
        if "raised" in answer:
            raise Raised(*answer["raised"])
        return answer["result"]

    def call(self, service: str, method: str, *arguments: Any, **named: Any) -> Any:
        self.start(service, method, *arguments, **named)
        return self.result()


@contextmanager
def running(*command: str) -> Iterator[Client]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Client(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(SECONDS_MAX)
        finally:
            process.kill()
            assert process.stdout is not None
            process.stdout.close()
            process.wait()


def installed(recipe: Path, install: Callable[[Path], None]) -> Path:
    """The folder a recipe was installed to, by whichever test worker came first."""
    digest = hashlib.sha256(recipe.read_bytes() + sys.version.encode()).hexdigest()[:16]
    cache = Path(platformdirs.user_cache_dir("simyard-tests"))
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{recipe.stem}-{digest}"
    with locked(cache / f"{folder.name}.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            install(folder)
            (folder / "complete").touch()
    return folder


def _run(*command: str, folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, timeout=INSTALL_SECONDS_MAX, stdout=subprocess.DEVNULL)


def python_client(requirements: str) -> Path:
    """The interpreter of an environment with the client and one version of pydantic."""
    recipe = HERE / requirements

    def install(folder: Path) -> None:
        venv.create(folder, with_pip=True)
        _run(str(folder / "bin/python"), "-m", "pip", "install", "-q", "-r", str(recipe), folder=folder)

    return installed(recipe, install) / "bin" / "python"


def node_client() -> Path:
    """The folder with the client's packages."""
    recipe = HERE / "package.json"

    def install(folder: Path) -> None:
        folder.mkdir()
        shutil.copy(recipe, folder)
        _run("npm", "install", "--silent", "--no-audit", "--no-fund", folder=folder)

    return installed(recipe, install)


class Platform:
    """A running server with a supplier, British numbers he rents out too, and a buyer with 1000 USD."""

    def __init__(self, url: str, environment: dict[str, str], parties: Parties) -> None:
        self.url = url
        self.key = parties.buyer_key
        self.buyer_id = parties.buyer_id
        self.supplier_key = parties.supplier_key
        self._environment = environment
        reported = [{"number": number[1:], "country_id": 44, "rent": 1} for number in NUMBERS]
        self.post("/api/resellers/sendNumbersOnline", {"numbers": reported}, key=self.supplier_key)

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

    def request(self, path: str, *, key: str | None = None, body: object = None) -> Any:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=SECONDS_MAX) as response:
            return json.loads(response.read())

    def post(self, path: str, body: object, *, key: str) -> Any:
        answer = self.request(path, key=key, body=body)
        assert answer["response"] in (1, "1"), answer
        return answer

    def sms(self, number: str, sender: str, text: str) -> None:
        """An SMS as the supplier pushes it."""
        message = {
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "number": number.lstrip("+"),
            "from": sender,
            "message": text,
        }
        self.post("/api/resellers/addMessage", message, key=self.supplier_key)

    def requests_answered(self) -> float:
        """How many requests of this dialect the server has answered so far."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=SECONDS_MAX) as page:
            lines = page.read().decode().splitlines()
        ours = [
            line for line in lines if line.startswith("simyard_requests_total{") and '"onlinesim"' in line
        ]
        return sum(float(line.rpartition(" ")[2]) for line in ours)

    def eventually(self, look: Callable[[], Any]) -> Any:
        """Asks again until the answer is true; a bounded wait for what another process does by itself."""
        deadline = time.monotonic() + SECONDS_MAX
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(0.05)
        raise AssertionError("it did not come true in time")


@dataclass(frozen=True)
class Parties:
    buyer_id: AccountId
    buyer_key: str
    supplier_key: str


async def _set_up(url: str) -> Parties:
    async with await Database.connect(url, connections_max=1) as database:
        world = World(database, ManualClock(datetime.now(UTC)))
        buyer = await world.add_buyer("1000", email="buyer@example.com")
        supplier = await world.add_supplier(email="supplier@example.com")
        await world.add_direct_pool(supplier, rent_allowed=True)
        await world.set_price("telegram", str(PRICE))
        for days, amount in RENT_PRICES.items():
            await world.set_tariff(days, str(amount))
        buyer_key = await world.issue_key(buyer)
        return Parties(buyer, buyer_key, await world.issue_key(supplier, (Scope.SUPPLY,)))


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SIMYARD_")}
    environment = clean | {
        "SIMYARD_DATABASE_URL": database_url,
        "SIMYARD_DATA_DIR": str(tmp_path),
        "SIMYARD_LOG_LEVEL": "warning",
        # Partners in tests lie on this machine.
        "SIMYARD_REMOTE_NETWORKS_ALLOWED": "127.0.0.0/8",
        # The clients close what they ordered at once; the guard has its own tests.
        "SIMYARD_ONLINESIM_GUARD_SECONDS": "0",
    }
    parties = asyncio.run(_set_up(database_url))
    with serving(environment) as served:
        yield Platform(served.url, environment, parties)


@pytest.fixture(params=["pydantic1.txt", "pydantic2.txt"])
def onlinesimru(request: pytest.FixtureRequest, platform: Platform) -> Iterator[Client]:
    python = python_client(request.param)
    with running(str(python), str(HERE / "onlinesimru_worker.py"), platform.url, platform.key) as client:
        yield client


@pytest.fixture
def pyonlinesim(platform: Platform) -> Iterator[Client]:
    python = python_client("pyonlinesim.txt")
    with running(str(python), str(HERE / "pyonlinesim_worker.py"), platform.url, platform.key) as client:
        yield client


@pytest.fixture
def onlinesim_js(platform: Platform) -> Iterator[Client]:
    yield from _js_client(platform)


@pytest.fixture
def onlinesim_js_oauth(platform: Platform) -> Iterator[Client]:
    """The same client with the key as a bearer token instead of a parameter."""
    yield from _js_client(platform, "oauth")


def _js_client(platform: Platform, *options: str) -> Iterator[Client]:
    if shutil.which("npm") is None or (node := shutil.which("node")) is None:
        pytest.skip("needs node and npm, to run the JavaScript client")
    worker = str(HERE / "node_worker.cjs")
    with running(node, worker, str(node_client()), platform.url, platform.key, *options) as client:
        yield client
