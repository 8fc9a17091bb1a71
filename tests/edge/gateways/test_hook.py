"""The hook of gammu-smsd: a process for each message, which must lose none whatever the server does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from simyard.edge.gateways import hook

SECONDS_MAX = 30


@dataclass
class Receiver:
    """A server that answers what it is told to, and keeps what it took."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    taken: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            told.asked += 1
            if 200 <= told.status < 300:
                told.taken.append(json.loads(body))
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}/gateway/gammu/gw_x"
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "spool"
    yield folder
    # Whoever still tries to deliver ends when there is nothing left.
    for path in hook.waiting(folder):
        path.unlink()


def environment(text: str, *, phone: str = "modem1", **more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SMS_", "DECODED_"))}
    message = {
        "PHONE_ID": phone,
        "SMS_MESSAGES": "1",
        "SMS_1_NUMBER": "Telegram",
        "SMS_1_TEXT": text,
        "DECODED_PARTS": "0",
    }
    return clean | message | more


def run(
    spool: Path, *arguments: str, env: dict[str, str] | None = None, text: str = "x"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simyard.edge.gateways.hook", "--spool", str(spool), *arguments],
        env=env or environment(text),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def eventually(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def test_a_message_is_handed_in_and_nothing_is_left(receiver: Receiver, spool: Path) -> None:
    done = run(spool, "--url", receiver.url, text="Ditt lösenord är 4821 – ok")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (taken,) = receiver.taken
    assert (taken["phone_id"], taken["from"], taken["text"]) == (
        "modem1",
        "Telegram",
        "Ditt lösenord är 4821 – ok",
    )
    assert abs(taken["received_at"] - time.time()) < SECONDS_MAX
    assert hook.waiting(spool) == []


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        (
            {
                "SMS_MESSAGES": "3",
                "SMS_1_TEXT": "a",
                "SMS_2_TEXT": "b",
                "SMS_3_TEXT": "c",
                "DECODED_PARTS": "1",
                "DECODED_1_TEXT": "abc",
            },
            "abc",
        ),
        ({"SMS_MESSAGES": "2", "SMS_1_TEXT": "a", "SMS_2_TEXT": "b", "DECODED_PARTS": "0"}, "ab"),
        ({"SMS_MESSAGES": "1", "SMS_1_TEXT": "a", "DECODED_PARTS": "1"}, "a"),
        ({"SMS_MESSAGES": "1", "SMS_1_TEXT": "a"}, "a"),
        ({"SMS_MESSAGES": "1"}, ""),
    ],
)
def test_the_text_of_each_form_of_message(variables: dict[str, str], text: str) -> None:
    message = hook.message_of(variables | {"PHONE_ID": "m"}, 1.0)
    assert message is not None
    assert message["text"] == text
    assert message["received_at"] == 1.0


def test_newer_versions_tell_the_time() -> None:
    message = hook.message_of({"SMS_MESSAGES": "1", "SMS_1_TIMESTAMP": "1795252869"}, 1.0)
    assert message is not None
    assert message["received_at"] == 1795252869
    assert hook.message_of({}, 1.0) is None
    assert hook.message_of({"SMS_MESSAGES": "many"}, 1.0) is None


def test_what_the_server_did_not_take_waits_and_goes_first(receiver: Receiver, spool: Path) -> None:
    receiver.status = 503
    for text in ("one", "two"):
        assert run(spool, "--url", receiver.url, text=text).returncode == 0
    assert [json.loads(path.read_text())["text"] for path in hook.waiting(spool)] == ["one", "two"]
    receiver.status = 200
    eventually(lambda: len(receiver.taken) == 2)
    assert [one["text"] for one in receiver.taken] == ["one", "two"]
    eventually(lambda: hook.waiting(spool) == [])


def test_nobody_there_is_no_loss(spool: Path, receiver: Receiver, tmp_path: Path) -> None:
    address = tmp_path / "address"
    address.write_text("http://127.0.0.1:1/gateway/gammu/gw_x\n")
    assert run(spool, "--url-file", str(address)).returncode == 0
    assert len(hook.waiting(spool)) == 1
    # The address is mended while it waits.
    address.write_text(receiver.url + "\n")
    eventually(lambda: len(receiver.taken) == 1)


def test_without_an_address_the_message_waits(spool: Path, receiver: Receiver, tmp_path: Path) -> None:
    address = tmp_path / "address"
    assert run(spool, "--url-file", str(address)).returncode == 0
    assert len(hook.waiting(spool)) == 1
    address.write_text(receiver.url)
    eventually(lambda: len(receiver.taken) == 1)


def test_a_process_that_was_killed_is_replaced_by_the_next_message(receiver: Receiver, spool: Path) -> None:
    receiver.status = 503
    hook.store(spool, {"id": "a", "text": "one"}, 1.0)
    command = [
        sys.executable,
        "-m",
        "simyard.edge.gateways.hook",
        "--url",
        receiver.url,
        "--spool",
        str(spool),
    ]
    going_on = subprocess.Popen([*command, "--until-done"])
    eventually(lambda: receiver.asked > 0)
    going_on.send_signal(signal.SIGKILL)
    going_on.wait()
    receiver.status = 200
    assert run(spool, "--url", receiver.url, text="two").returncode == 0
    assert [one["text"] for one in receiver.taken] == ["one", "two"]
    assert hook.waiting(spool) == []


def test_a_half_written_message_is_none(spool: Path, receiver: Receiver) -> None:
    hook.store(spool, {"id": "a", "text": "one"}, 1.0)
    (spool / "0-b.part").write_text('{"id": "b", "te')
    assert run(spool, "--url", receiver.url, "--flush").returncode == 0
    assert [one["text"] for one in receiver.taken] == ["one"]


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404, 429, 500])
def test_what_may_be_mended_is_kept(receiver: Receiver, spool: Path, status: int) -> None:
    receiver.status, receiver.headers = status, {"location": "/elsewhere"}
    hook.store(spool, {"id": "a", "text": "one"}, 1.0)
    assert run(spool, "--url", receiver.url, "--flush").returncode == 1
    assert len(hook.waiting(spool)) == 1


def test_what_is_refused_for_good_does_not_hold_up_the_rest(receiver: Receiver, spool: Path) -> None:
    receiver.status = 400
    hook.store(spool, {"id": "a", "text": "private"}, 1.0)
    done = run(spool, "--url", receiver.url, "--flush")
    assert done.returncode == 0
    assert "private" not in done.stderr
    assert [path.name for path in (spool / "refused").iterdir()] == [f"{1000:015d}-a.json"]


def test_many_at_once_are_each_handed_in_once_while_the_server_comes_and_goes(
    receiver: Receiver, spool: Path
) -> None:
    command = [
        sys.executable,
        "-m",
        "simyard.edge.gateways.hook",
        "--url",
        receiver.url,
        "--spool",
        str(spool),
    ]
    receiver.status = 503
    running = [subprocess.Popen(command, env=environment(f"text {index}")) for index in range(12)]
    receiver.status = 200
    for process in running:
        assert process.wait(SECONDS_MAX) == 0
    eventually(lambda: hook.waiting(spool) == [])
    eventually(lambda: len({one["id"] for one in receiver.taken}) == 12)
    assert len(receiver.taken) == 12


def test_no_message_in_the_environment_is_said(spool: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("SMS_", "DECODED_"))}
    done = run(spool, "--url", "http://127.0.0.1:1/", env=bare)
    assert done.returncode == 2
    assert "no message" in done.stderr


def test_files_are_for_nobody_else(spool: Path) -> None:
    path = hook.store(spool, {"id": "a", "text": "one"}, 1.0)
    assert path.stat().st_mode & 0o777 == 0o600
    assert spool.stat().st_mode & 0o777 == 0o700


def test_it_starts_without_the_rest_of_simyard() -> None:
    listing = "import sys, simyard.edge.gateways.hook; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"asyncpg", "starlette", "click", "msgspec"}
