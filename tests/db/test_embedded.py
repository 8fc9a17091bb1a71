"""The embedded server: started, shared, killed, and started again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from simyard.db import embedded

# Starts the server, says its URL, and ends when its input does.
PROGRAM = """
import sys
from pathlib import Path
from simyard.db import embedded
server = embedded.start(Path(sys.argv[1]), durable=sys.argv[2] == "durable")
print(server.url(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="simyard-embedded-"))
    yield folder
    postmaster = embedded._Postmaster.read((folder / "postgres").resolve())
    if postmaster is not None:
        psutil.Process(postmaster.process_id).kill()
    shutil.rmtree(folder, ignore_errors=True)


class Program:
    """Another process that uses the server."""

    def __init__(self, data_dir: Path, durability: str = "forgetful") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(data_dir), durability],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def url(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        self._process.communicate()
        assert self._process.returncode == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


def ask(url: str, sql: str = "SELECT 1") -> object:
    async def run() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def is_up(url: str) -> bool:
    try:
        return ask(url) == 1
    except OSError:
        return False


def test_a_started_server_answers_with_our_settings_and_stops(data_dir: Path) -> None:
    server = embedded.start(data_dir / "new" / "folder")
    assert ask(server.url(), "SELECT current_database()") == "simyard"
    assert ask(server.url("postgres"), "SELECT current_database()") == "postgres"
    assert ask(server.url(), "SHOW shared_buffers") == "256MB"
    assert ask(server.url(), "SHOW synchronous_commit") == "on"
    assert ask(server.url(), "SHOW fsync") == "on"
    assert ask(server.url(), "SHOW listen_addresses") == ""
    assert ask(server.url(), "SELECT datcollversion IS NOT NULL FROM pg_database WHERE datname = 'simyard'")
    server.stop()
    assert not is_up(server.url())
    server.stop()


def test_data_survives_a_restart(data_dir: Path) -> None:
    server = embedded.start(data_dir)
    ask(server.url(), "CREATE TABLE thing AS SELECT 42 AS n")
    server.stop()
    server = embedded.start(data_dir)
    assert ask(server.url(), "SELECT n FROM thing") == 42
    server.stop()


def test_processes_that_start_at_once_share_one_server_and_the_last_stops_it(data_dir: Path) -> None:
    programs = [Program(data_dir) for _ in range(3)]
    urls = {program.url() for program in programs}
    assert len(urls) == 1
    (url,) = urls
    programs[0].end()
    assert is_up(url)
    programs[1].end()
    assert is_up(url)
    programs[2].end()
    assert not is_up(url)


def test_one_process_may_hold_the_server_twice(data_dir: Path) -> None:
    first = embedded.start(data_dir, durable=False)
    second = embedded.start(data_dir, durable=False)
    first.stop()
    assert is_up(second.url())
    second.stop()
    assert not is_up(second.url())


def test_after_a_killed_process_the_next_joins_its_server_and_stops_it(data_dir: Path) -> None:
    program = Program(data_dir)
    url = program.url()
    program.kill()
    assert is_up(url)
    server = embedded.start(data_dir, durable=False)
    assert server.url() == url
    server.stop()
    assert not is_up(url)


def test_a_killed_server_is_started_again_with_its_data(data_dir: Path) -> None:
    program = Program(data_dir, "durable")
    url = program.url()
    ask(url, "CREATE TABLE thing AS SELECT 42 AS n")
    killed = embedded._Postmaster.read((data_dir / "postgres").resolve())
    assert killed is not None
    os.kill(killed.process_id, signal.SIGKILL)
    program.kill()
    server = embedded.start(data_dir)
    assert server.process_id != killed.process_id
    assert ask(server.url(), "SELECT n FROM thing") == 42
    server.stop()


def test_a_left_over_process_id_that_another_program_has_by_now_does_not_matter(data_dir: Path) -> None:
    embedded.start(data_dir, durable=False).stop()
    stale = f"{os.getpid()}\n{data_dir / 'postgres'}\n1\n5432\n{data_dir / 'postgres'}\n\n 1 1\nready\n"
    (data_dir / "postgres" / "postmaster.pid").write_text(stale)
    server = embedded.start(data_dir, durable=False)
    assert is_up(server.url())
    server.stop()


def test_an_unfinished_folder_is_made_anew(data_dir: Path) -> None:
    unfinished = data_dir / "postgres.unfinished"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    server = embedded.start(data_dir, durable=False)
    assert is_up(server.url())
    server.stop()


def test_a_path_too_long_for_a_socket_gets_a_short_one(data_dir: Path) -> None:
    server = embedded.start(data_dir / ("long" * 25), durable=False)
    assert is_up(server.url())
    socket_folder = embedded._socket_folder((data_dir / ("long" * 25) / "postgres").resolve())
    server.stop()
    shutil.rmtree(socket_folder)


def test_a_folder_with_a_space_and_a_quote_works(data_dir: Path) -> None:
    server = embedded.start(data_dir / "it's a folder", durable=False)
    assert is_up(server.url())
    server.stop()


def test_a_folder_of_another_version_is_refused(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(embedded.EmbeddedServerFailed, match="made by PostgreSQL 16"):
        embedded.start(data_dir)


def test_tools_of_the_server_are_found() -> None:
    for name in ("pg_dump", "psql", "pgbench"):
        assert os.access(embedded.tool(name), os.X_OK)
    with pytest.raises(FileNotFoundError, match="no program nothing"):
        embedded.tool("nothing")


def test_a_server_that_dies_while_it_is_joined_is_started_again(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.start(data_dir, durable=False).stop()
    # What a process sees that looks between the kill of a server and its death: it still says that it is ready.
    looks = iter([(data_dir / "postgres").resolve()])
    look = embedded._running_server
    monkeypatch.setattr(embedded, "_running_server", lambda pgdata: next(looks, None) or look(pgdata))
    server = embedded.start(data_dir, durable=False)
    assert is_up(server.url())
    server.stop()


def test_a_folder_that_cannot_be_made_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(embedded.EmbeddedServerFailed, match=r"cannot make the data folder .*/file/data"):
        embedded.start(tmp_path / "file" / "data")
