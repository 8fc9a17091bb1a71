"""The listener for GoIP boxes: what a box says over UDP, what it hears, and what reaches the gateway."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from simyard.edge import cli
from simyard.edge.gateways import goip
from tests.edge.gateways.bench import NUMBER, TEXT, Bench, bench, clock
from tests.world import world

__all__ = ["bench", "clock", "world"]

SECONDS_MAX = 10.0


class Box(asyncio.DatagramProtocol):
    """A box, and what it hears."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.heard.put_nowait(data.decode())

    def say(self, text: str) -> None:
        assert self.transport is not None
        self.transport.sendto(text.encode())

    async def hears(self) -> str:
        return await asyncio.wait_for(self.heard.get(), SECONDS_MAX)


class Taken:
    """Where events go; it may be down."""

    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []
        self.down = False

    def __call__(self, event: dict[str, object]) -> bool:
        if not self.down:
            self.events.append(event)
        return not self.down


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
async def box(taken: Taken) -> AsyncIterator[Box]:
    bound: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(goip.serve("127.0.0.1", 0, "pw", taken, ready=bound.set_result))
    address = await asyncio.wait_for(bound, SECONDS_MAX)
    transport, box = await asyncio.get_running_loop().create_datagram_endpoint(Box, remote_addr=address[:2])
    yield box
    transport.close()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def eventually(true: Any) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)


KEEP_ALIVE = (
    f"req:7;id:line01;pass:pw;num:{NUMBER};signal:21;gsm_status:LOGIN;voip_status:LOGIN;imei:86;imsi:24001;"
    "iccid:8946000000000000001;"
)
MESSAGE = f"RECEIVE:1795;id:line01;password:pw;srcnum:Telegram;msg:{TEXT}; really\nyes"


async def test_a_keepalive_is_answered_and_tells_of_the_line(box: Box, taken: Taken) -> None:
    for _ in range(3):
        box.say(KEEP_ALIVE)
        assert await box.hears() == "reg:7;status:200;"
    await eventually(lambda: taken.events)
    up = {"type": "line_up", "line": "line01", "number": NUMBER, "iccid": "8946000000000000001"}
    assert taken.events == [up]
    box.say(KEEP_ALIVE.replace("gsm_status:LOGIN", "gsm_status:LOGOUT"))
    await eventually(lambda: len(taken.events) == 2)
    assert taken.events[1] == {"type": "line_down", "line": "line01"}


async def test_a_message_is_acknowledged_once_it_is_taken(box: Box, taken: Taken) -> None:
    taken.down = True
    box.say(KEEP_ALIVE)
    assert (await box.hears()).startswith("reg:")
    box.say(MESSAGE)
    box.say("STATE:3;id:line01;password:pw;gsm_remain_state:IDLE")
    # Boxes are answered in order, but nobody took the message.
    assert await box.hears() == "STATE 3 OK"
    taken.down = False
    deadline = time.monotonic() + SECONDS_MAX
    while box.heard.empty():
        assert time.monotonic() < deadline
        box.say(MESSAGE)
        await asyncio.sleep(0.05)
    assert await box.hears() == "RECEIVE 1795 OK"
    (event,) = [one for one in taken.events if one["type"] == "sms"]
    assert event["text"] == TEXT + "; really\nyes"
    assert (event["from"], event["line"], event["number"]) == ("Telegram", "line01", NUMBER)
    # The answer was lost: it is said again, and handed over no more.
    box.say(MESSAGE)
    assert await box.hears() == "RECEIVE 1795 OK"
    # After a reboot the box counts from where it was.
    box.say(MESSAGE.replace("really", "another"))
    assert await box.hears() == "RECEIVE 1795 OK"
    assert len([one for one in taken.events if one["type"] == "sms"]) == 2


async def test_a_wrong_password_hears_nothing(box: Box, taken: Taken) -> None:
    box.say(KEEP_ALIVE.replace("pass:pw", "pass:no"))
    box.say(MESSAGE.replace("password:pw", "password:"))
    box.say(MESSAGE.replace("password:pw;", ""))
    box.say("STATE:3;id:line01;password:wrong")
    box.say("nonsense")
    box.say("STATE:4;id:line01;password:pw")
    assert await box.hears() == "STATE 4 OK"
    assert taken.events == []


@pytest.mark.parametrize("name", ["srcnum", "num", "src", "sender"])
def test_senders_by_all_their_names(name: str) -> None:
    said = goip.parse(f"RECEIVE:1;id:l;password:p;{name}:Telegram;msg:a;b:c".encode())
    assert said is not None
    assert (said.fields[name], said.fields["msg"]) == ("Telegram", "a;b:c")


@given(
    st.binary(max_size=300) | st.text(alphabet="RECEIVEreq:;idmsg0123456789 \n", max_size=100).map(str.encode)
)
def test_no_datagram_breaks_the_reader(content: bytes) -> None:
    goip.parse(content)


async def test_what_the_listener_says_the_gateway_understands(bench: Bench) -> None:
    path = await bench.add("goip-bridge", stocks=True)
    up = {"type": "line_up", "line": "line01", "number": NUMBER, "iccid": "8946000000000000001"}
    assert (await bench.json(path, up)).status_code == 200
    assert await bench.sims("goip-bridge") == {"line01": NUMBER, "iccid:8946000000000000001": NUMBER}
    sms = {
        "type": "sms",
        "line": "line01",
        "from": "Telegram",
        "text": TEXT,
        "time": "2026-11-21T09:21:09+00:00",
    }
    await bench.json(path, sms | {"number": "", "iccid": ""})
    assert await bench.texts() == [("Telegram", TEXT, "48213")]


def test_the_command_listens_until_it_is_told_to_stop(tmp_path: Path) -> None:
    address = tmp_path / "address"
    address.write_text("http://127.0.0.1:1/gateway/goip-bridge/gw_x\n")
    command = [sys.executable, "-m", "simyard", "gateway", "goip", "--url-file", str(address)]
    environment = os.environ | {"GOIP_PASSWORD": "pw"}
    process = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    host, _, port = process.stdout.readline().split()[-1].rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as box:
        box.settimeout(60)
        box.sendto(KEEP_ALIVE.encode(), (host, int(port)))
        assert box.recv(1000) == b"reg:7;status:200;"
        # Nobody there to take it: the box is not told that it was.
        box.sendto(MESSAGE.encode(), (host, int(port)))
        box.settimeout(0.5)
        with pytest.raises(TimeoutError):
            box.recv(1000)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert TEXT not in said
    assert "gw_x" not in said


@pytest.mark.parametrize("url", ["", "not an address", "https://sms.example.com/gateway/textbee/gw_x"])
def test_the_command_does_not_listen_without_the_address_of_such_a_gateway(tmp_path: Path, url: str) -> None:
    address = tmp_path / "address"
    address.write_text(f"{url}\n")
    done = CliRunner().invoke(cli.cli, ["gateway", "goip", "--url-file", str(address), "--password", "pw"])
    assert done.exit_code == 2
    assert "does not hold the secret address of a gateway of the kind goip-bridge" in done.stderr
