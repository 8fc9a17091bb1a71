"""`simyard serve`: web processes on one socket, and somebody who does what is due."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from prometheus_client import multiprocess
from starlette.applications import Starlette

_BACKLOG = 2048
_READY_SECONDS_MAX = 60
_STOP_SECONDS_MAX = 30
_RESTART_PAUSE_SECONDS = 1.0
_KEEP_ALIVE_SECONDS = 75


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. OSError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(_BACKLOG)
    listener.set_inheritable(True)
    return listener


def inherited(descriptor: int) -> socket.socket:
    """A listening socket this process was started with."""
    return socket.socket(fileno=descriptor)


def address(listener: socket.socket) -> str:
    """The URL a browser on this machine would use."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: Starlette, listener: socket.socket, *, proxies: str, on_ready: Callable[[], None]) -> None:
    """Answer requests in this process until it is told to stop; those under way are finished first."""
    server = _Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=proxies or None,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_STOP_SECONDS_MAX,
            backlog=_BACKLOG,
        ),
        on_ready,
    )
    # The server raises the signal that stopped it again once it is done; then it has said all it had to say.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: None)
    server.run(sockets=[listener])
    if not server.started:
        raise SystemExit(1)


class _Server(uvicorn.Server):
    """Tells when it has begun to answer."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            # What was loaded by now stays: the collector need not walk through it while requests wait.
            gc.collect()
            gc.freeze()
            self._on_ready()


class Supervisor:
    """Keeps N web processes and one worker running; one that ends unasked is started again."""

    def __init__(self, listener: socket.socket, url: str, processes: int) -> None:
        self._listener = listener
        self._stopping = threading.Event()
        self._metrics = tempfile.TemporaryDirectory(prefix="simyard-metrics-")
        self._environment = {
            **os.environ,
            "SIMYARD_DATABASE_URL": url,
            "PROMETHEUS_MULTIPROC_DIR": self._metrics.name,
        }
        web = [sys.executable, "-m", "simyard", "serve-child", "--socket", str(listener.fileno())]
        self._commands = [web] * processes + [[sys.executable, "-m", "simyard", "serve-child"]]
        self._children: list[subprocess.Popen[bytes]] = []

    def run(self, on_ready: Callable[[], None]) -> None:
        """Until a signal to stop; then every process finishes what it has under way."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, frame: self._stopping.set())
        self._children = [self._start(command) for command in self._commands]
        threading.Thread(target=self._announce, args=(on_ready,), daemon=True).start()
        try:
            while not self._stopping.wait(_RESTART_PAUSE_SECONDS):
                self._restart_ended()
        finally:
            self._stop()

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        descriptors = (self._listener.fileno(),)
        # A signal from the terminal reaches the supervisor alone, which passes it on.
        return subprocess.Popen(  # noqa: S603
            command, env=self._environment, pass_fds=descriptors, start_new_session=True
        )

    def _restart_ended(self) -> None:
        for index, child in enumerate(self._children):
            code = child.poll()
            if code is not None:
                print(f"process {child.pid} ended with {code}; starting another", file=sys.stderr, flush=True)
                # Else what it had in hand would be counted as if it still had.
                multiprocess.mark_process_dead(child.pid, self._metrics.name)  # type: ignore[no-untyped-call]
                self._children[index] = self._start(self._commands[index])

    def _announce(self, on_ready: Callable[[], None]) -> None:
        deadline = time.monotonic() + _READY_SECONDS_MAX
        while time.monotonic() < deadline and not self._stopping.is_set():
            with suppress(OSError), urllib.request.urlopen(f"{address(self._listener)}/readyz", timeout=5):  # noqa: S310
                on_ready()
                return
            time.sleep(0.1)

    def _stop(self) -> None:
        for child in self._children:
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + _STOP_SECONDS_MAX + 5
        for child in self._children:
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._metrics.cleanup()
