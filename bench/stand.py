"""The test stand: a PostgreSQL of its own, a database for each benchmark, and the `simyard serve` processes on them."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from simyard.app import prepare
from simyard.db import embedded

_READY: Final = "Simyard is ready on "
_READY_SECONDS_MAX: Final = 60
_STOP_SECONDS_MAX: Final = 40
# Budgets are counted as always, and never used up.
_RATE_LIMIT_SCALE: Final = "1000000"
_TEMPLATE: Final = "bench_template"


class ServerFailed(Exception):
    """`simyard serve` did not start; the message is what it said."""


@dataclass(frozen=True)
class Shares:
    """Processor time as shares of one core: the two sides of Simyard, and all that runs on the machine."""

    web: float
    database: float
    machine: float


class Web:
    """A running `simyard serve`."""

    def __init__(self, process: subprocess.Popen[str], port: int, database_process: int) -> None:
        self.port = port
        self._process = process
        self._database_process = database_process

    @contextmanager
    def watched(self) -> Iterator[list[Shares]]:
        """Puts the processor shares during the block into the list it yields."""
        found: list[Shares] = []
        before, started = self._used(), time.perf_counter()
        yield found
        seconds = time.perf_counter() - started
        found.append(
            Shares(*((now - then) / seconds for now, then in zip(self._used(), before, strict=True)))
        )

    def _used(self) -> tuple[float, float, float]:
        return self._seconds(), _tree_seconds(self._database_process), _machine_seconds()

    def _seconds(self) -> float:
        return _tree_seconds(self._process.pid)


def _tree_seconds(process_id: int) -> float:
    """Processor time a process and its children have taken, those that have ended included: it never runs backwards."""
    root = psutil.Process(process_id)
    times = root.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for process in root.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _machine_seconds() -> float:
    """Processor time everything on this machine has taken."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system


class Stand:
    """One PostgreSQL for all benchmarks of a run, durable and configured as Simyard's own."""

    def __init__(self, folder: Path, server: embedded.EmbeddedServer, processes: int) -> None:
        self._folder = folder
        self._server = server
        self._processes = processes

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a fresh database with every migration applied, for one benchmark."""
        name = f"bench_{secrets.token_hex(4)}"
        run_sql(self._server.url("postgres"), f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        try:
            yield self._server.url(name)
        finally:
            run_sql(self._server.url("postgres"), f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def web(self, url: str) -> Iterator[Web]:
        """`simyard serve` on a database, on a free port of the loopback interface."""
        log = self._folder / f"web-{secrets.token_hex(4)}.log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SIMYARD_")}
        environment |= {
            "SIMYARD_DATABASE_URL": url,
            "SIMYARD_DATA_DIR": str(self._folder / "data"),
            "SIMYARD_RATE_LIMIT_SCALE": _RATE_LIMIT_SCALE,
        }
        command = [sys.executable, "-m", "simyard", "serve", "--port", "0"]
        command += ["--processes", str(self._processes)]
        with log.open("w") as errors:
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        try:
            yield Web(process, _ready_port(process, log), self._server.process_id)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


@contextmanager
def stand(processes: int) -> Iterator[Stand]:
    """Starts PostgreSQL on a temporary folder; stops it and removes the folder at the end."""
    with tempfile.TemporaryDirectory(prefix="simyard-bench-") as name:
        folder = Path(name)
        # The server may run as another user, who has to pass through.
        folder.chmod(0o711)
        server = embedded.start(folder / "database", durable=True)
        try:
            run_sql(server.url("postgres"), f"CREATE DATABASE {_TEMPLATE}")
            asyncio.run(prepare(server.url(_TEMPLATE)))
            yield Stand(folder, server, processes)
        finally:
            server.stop()


def run_sql(url: str, *statements: str) -> None:
    """Runs statements outside a transaction, on a connection of their own."""

    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def _ready_port(process: subprocess.Popen[str], log: Path) -> int:
    # A server that hangs while starting must not hold the benchmark.
    timer = threading.Timer(_READY_SECONDS_MAX, process.kill)
    timer.start()
    try:
        for line in process.stdout or ():
            if line.startswith(_READY):
                return int(line.strip().rpartition(":")[2])
    finally:
        timer.cancel()
    process.wait()
    raise ServerFailed(f"simyard serve did not start:\n{log.read_text()[-2000:]}")
