"""`simyard serve` as operators run it: one process and several, started, asked, killed and stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

READY = re.compile(r"^Simyard is ready on (http://\S+)$")
SECONDS_MAX = 60


class Served:
    def __init__(self, process: subprocess.Popen[str], url: str, said: list[str]) -> None:
        self.process = process
        self.url = url
        self.said = said

    def get(self, path: str, key: str | None = None, body: object = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode()


@contextmanager
def serving(environment: dict[str, str], *arguments: str) -> Iterator[Served]:
    process = subprocess.Popen(
        [sys.executable, "-m", "simyard", "serve", "--port", "0", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield wait_until_ready(process)
    finally:
        if process.poll() is None:
            process.terminate()
        with process:
            assert process.wait(SECONDS_MAX) == 0


def wait_until_ready(process: subprocess.Popen[str]) -> Served:
    said: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line.rstrip())
        if found := READY.match(line):
            return Served(process, found[1], said)
    raise AssertionError(f"ended with {process.wait()} after {said}")


@pytest.fixture
def environment(empty_database_url: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SIMYARD_")}
    return clean | {"SIMYARD_DATABASE_URL": empty_database_url, "SIMYARD_LOG_LEVEL": "warning"}


def account(environment: dict[str, str], *arguments: str) -> Any:
    return json.loads(simyard(environment, "account", "add", *arguments, "--json"))


def simyard(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "simyard", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=True,
    )
    return done.stdout


def eventually(true: Any) -> Any:
    """Asks again until the answer is true; a bounded wait for another process."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come true in time")


def test_one_process_serves_and_does_what_is_due(environment: dict[str, str], tmp_path: Path) -> None:
    environment |= {"SIMYARD_SANDBOX_SMS_SECONDS": "0", "SIMYARD_DATA_DIR": str(tmp_path)}
    with serving(environment, "--sandbox") as served:
        assert len([line for line in served.said if "ready" in line]) == 1
        assert served.get("/healthz") == (200, {"status": "ok"})
        assert served.get("/readyz") == (200, {"status": "ready"})
        key = (tmp_path / "demo.key").read_text().strip()
        assert (tmp_path / "demo.key").stat().st_mode & 0o077 == 0
        status, bought = served.get("/api/v1/server7/purchase", key, {"country": "USA", "app": "WhatsApp"})
        assert status == 200, bought
        path = f"/api/v1/server7/check/{bought['data']['activation_id']}"
        code = eventually(lambda: served.get(path, key)[1].get("data", {}).get("code"))
        assert re.fullmatch("[0-9]{6}", code)
        status, page = served.get("/metrics")
        assert status == 200
        assert 'simyard_requests_total{action="purchase",dialect="server7",status="200"} 1.0' in page
        assert 'simyard_lane_batch_commands_sum{lane="order"} 1.0' in page
        assert 'simyard_lane_batch_seconds_count{lane="order"} 1.0' in page


def test_several_processes_share_a_budget_exactly(environment: dict[str, str]) -> None:
    key = account(environment, "buyer@example.com")["api_key"]
    with serving(environment, "--processes", "3") as served:
        statuses = [
            served.get("/api/v1/server7/purchase", key, {"country": "USA", "app": "WhatsApp"})[0]
            for _ in range(14)
        ]
        assert statuses == [422] * 10 + [429] * 4
        assert served.get("/readyz")[0] == 200
        # Any process answers for all of them.
        page = served.get("/metrics")[1]
        assert 'simyard_requests_total{action="purchase",dialect="server7",status="429"} 4.0' in page
        assert 'simyard_lane_batch_commands_sum{lane="admit"} 14.0' in page
        assert 'simyard_lane_batch_commands_sum{lane="order"} 10.0' in page
        assert 'simyard_lane_commands_waiting{lane="order"} 0.0' in page


def test_all_processes_take_a_rotation_of_the_key_of_tokens_without_a_restart(
    environment: dict[str, str],
) -> None:
    environment |= {"SIMYARD_RATE_LIMIT_SCALE": "100"}
    account(environment, "buyer@example.com", "--password", "a long password")
    with serving(environment, "--processes", "2") as served:

        def logged_in() -> str:
            given = {"email": "buyer@example.com", "password": "a long password"}
            status, answer = served.get("/api/users/login", body=given)
            assert status == 200, answer
            return str(answer["access"])

        def answers(token: str) -> set[int]:
            """Each request has a connection of its own, so both processes are asked."""
            return {served.get("/api/fivesim/countries", token)[0] for _ in range(12)}

        before = logged_in()
        assert answers(before) == {200}
        simyard(environment, "token", "rotate")
        after = logged_in()
        assert answers(before) == answers(after) == {200}
        simyard(environment, "token", "rotate", "--now")
        eventually(lambda: answers(before) == answers(after) == {401})
        assert answers(logged_in()) == {200}


def test_a_killed_process_is_replaced(environment: dict[str, str]) -> None:
    key = account(environment, "buyer@example.com")["api_key"]
    with serving(environment, "--processes", "2") as served:
        children = psutil.Process(served.process.pid).children()
        assert len(children) == 3
        metrics = Path(children[0].environ()["PROMETHEUS_MULTIPROC_DIR"])
        gauges = {metrics / f"gauge_livesum_{child.pid}.db" for child in children}
        eventually(lambda: all(gauge.exists() for gauge in gauges))
        for child in children:
            os.kill(child.pid, signal.SIGKILL)

        def replaced() -> bool:
            now = {child.pid for child in psutil.Process(served.process.pid).children()}
            return len(now - {child.pid for child in children}) == 3

        eventually(replaced)
        # What waited in a process that is dead waits no more.
        assert not any(gauge.exists() for gauge in gauges)
        assert served.get("/api/v1/server7/balance", key)[0] == 200
    assert not [child for child in children if child.is_running()]


def test_a_taken_port_is_said_in_one_line(environment: dict[str, str]) -> None:
    with serving(environment) as served:
        port = served.url.rsplit(":", 1)[1]
        second = subprocess.run(
            [sys.executable, "-m", "simyard", "serve", "--port", port],
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert second.returncode == 1
        assert f"cannot listen on 127.0.0.1:{port}" in second.stderr
        assert "Traceback" not in second.stderr
