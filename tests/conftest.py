"""What tests share: a real PostgreSQL, a fresh database each, and a clock that is turned by hand."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from hypothesis import settings

from simyard.base.clock import ManualClock
from simyard.core.catalog import service as catalog
from simyard.core.catalog.catalog import load
from simyard.db import embedded
from simyard.db.database import Database, Tx
from simyard.db.migrate import migrate

# How long an example takes says more about the machine than about the code.
settings.register_profile("simyard", deadline=None)
settings.load_profile("simyard")

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MEMORY_BYTES_MIN = 4 * 1024**3


def with_database(url: str, database: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


async def execute(url: str, *statements: str) -> None:
    """Runs statements outside a transaction on a connection of their own."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder all workers of one test session share; removed by the last of them to end."""
    # Every worker is told the same id of the run; alone, the process is the run.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"alone-{os.getpid()}-{secrets.token_hex(4)}"
    # Not under tmp_path_factory: the server runs as another user when we are root, and sockets need short paths.
    digest = hashlib.sha256(run.encode()).hexdigest()[:12]
    folder = _place() / f"simyard-tests-{digest}"
    folder.mkdir(mode=0o711, exist_ok=True)
    with last_one_out(folder / "users", lambda: shutil.rmtree(folder, ignore_errors=True)):
        yield folder


def _place() -> Path:
    """Where the server's files lie: in memory, where there is enough of it, because each test copies a database."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= MEMORY_BYTES_MIN:
        return memory
    return Path(tempfile.gettempdir())


@contextmanager
def last_one_out(lock_file: Path, clean_up: Callable[[], None]) -> Iterator[None]:
    """A block that several workers are in at once; the last to leave cleans up."""
    lock = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)
    yield
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        clean_up()
    finally:
        os.close(lock)


@pytest.fixture(scope="session")
def server_url(session_folder: Path) -> Iterator[str]:
    """The server tests make their databases on: SIMYARD_DATABASE_URL, or one embedded server for all workers."""
    if url := os.environ.get("SIMYARD_DATABASE_URL"):
        with last_one_out(
            session_folder / "server.users", lambda: asyncio.run(_drop_template(url, session_folder))
        ):
            yield url
        return
    server = embedded.start(session_folder, durable=False)
    yield server.url("postgres")
    server.stop()


@pytest.fixture(scope="session")
def template_database(server_url: str, session_folder: Path) -> str:
    """The name of a database with every migration applied; made once, copied by each test."""
    name = _template_name(session_folder)
    with locked(session_folder / "template"):
        asyncio.run(_make_template(server_url, name))
    return name


def _template_name(session_folder: Path) -> str:
    # The folder's name keeps two sessions on one server apart.
    return f"template_{session_folder.name.rpartition('-')[2]}"


async def _drop_template(server_url: str, session_folder: Path) -> None:
    """On a server that outlives the session, removes what the session made for all its tests."""
    name = _template_name(session_folder)
    connection = await asyncpg.connect(server_url)
    try:
        if await connection.fetchval("SELECT datistemplate FROM pg_database WHERE datname = $1", name):
            await connection.execute(f"ALTER DATABASE {name} IS_TEMPLATE false")
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await connection.close()


async def _make_template(server_url: str, name: str) -> None:
    connection = await asyncpg.connect(server_url)
    try:
        if await connection.fetchval("SELECT datistemplate FROM pg_database WHERE datname = $1", name):
            return
        await connection.execute(f"DROP DATABASE IF EXISTS {name}")
        await connection.execute(f"CREATE DATABASE {name}")
        await migrate(with_database(server_url, name))
        await _fill_catalogue(with_database(server_url, name))
        # Set last: it says that the template is complete.
        await connection.execute(f"ALTER DATABASE {name} IS_TEMPLATE true")
    finally:
        await connection.close()


async def _fill_catalogue(url: str) -> None:
    database = await Database.connect(url, connections_max=1)
    try:
        async with database.transaction() as tx:
            await catalog.sync(tx, load())
    finally:
        await database.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One worker at a time."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


@pytest.fixture
async def database_url(server_url: str, template_database: str) -> AsyncIterator[str]:
    """A fresh database with every migration applied."""
    name = f"test_{secrets.token_hex(8)}"
    # Files are copied at once where nothing has to be durable; another server may know better.
    strategy = "" if "SIMYARD_DATABASE_URL" in os.environ else " STRATEGY file_copy"
    await execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template_database}{strategy}")
    yield with_database(server_url, name)
    await execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def empty_database_url(server_url: str) -> AsyncIterator[str]:
    """A fresh database without a single table."""
    name = f"test_{secrets.token_hex(8)}"
    await execute(server_url, f"CREATE DATABASE {name}")
    yield with_database(server_url, name)
    await execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool on the fresh database."""
    database = await Database.connect(database_url, application_name="simyard test")
    yield database
    await database.close()


@pytest.fixture
async def tx(database: Database) -> AsyncIterator[Tx]:
    """A transaction on the fresh database, committed at the end of the test."""
    async with database.transaction() as tx:
        yield tx


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at noon of 1 March 2026."""
    return ManualClock(START)
