"""A listener for GoIP and DBL boxes: takes their datagrams and hands the messages to a gateway of the kind `goip-bridge`.

The boxes speak UDP in clear text and repeat a message until it is acknowledged, so it is acknowledged once Simyard has
it. Nothing is kept here that a restart could lose: the box repeats. Run it in the boxes' own network.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, cast

from simyard.edge.gateways import hook

log = logging.getLogger(__name__)

PORT: Final = 44444
LINE_SILENT_SECONDS: Final = 120.0
"""After so long without a sign of life a line counts as down; so often one that lives is told of."""
_REMEMBERED_SECONDS: Final = 600.0
_REMEMBERED_MAX: Final = 10_000
_LINES_MAX: Final = 1024
_IN_FLIGHT_MAX: Final = 16
_HEAD: Final = re.compile(r"([A-Za-z]{1,20})[: ](-?[0-9]{1,20});?", re.ASCII)
_SENDERS: Final = ("srcnum", "num", "src", "sender")
_ACKNOWLEDGED: Final = frozenset(("DELIVER", "STATE", "RECORD", "REMAIN", "HANGUP", "CELLINFO"))

Address: TypeAlias = tuple[Any, ...]
Post: TypeAlias = Callable[[dict[str, object]], bool]
"""Hands an event over; whether it is done with. May take its time: it runs in a thread."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """What a box said: a verb, its number, and fields."""

    verb: str
    number: str
    fields: dict[str, str]


def parse(content: bytes) -> Datagram | None:
    """Reads a datagram; None when it is none of a box. `msg` comes last and holds everything to the end."""
    text = content.decode("utf-8", "replace").rstrip("\0")
    head = _HEAD.match(text)
    if head is None:
        return None
    rest = text[head.end() :]
    before, found, message = rest.partition(";msg:") if not rest.startswith("msg:") else ("", "x", rest[4:])
    fields: dict[str, str] = {}
    for part in before.split(";"):
        name, colon, value = part.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value)
    if found:
        fields["msg"] = message
    return Datagram(head[1], head[2], fields)


@dataclass(slots=True)
class _Line:
    seen: float
    told: float
    up: bool
    number: str
    iccid: str


@dataclass(slots=True)
class _Message:
    """A message of a box: since when it is known, when it came, and whether it is done with."""

    since: float
    at: str
    done: bool = False
    in_flight: bool = False


class Listener(asyncio.DatagramProtocol):
    """One socket for all boxes and lines."""

    def __init__(self, password: str, post: Post) -> None:
        self._password = password
        self._post = post
        self._lines: dict[str, _Line] = {}
        self._messages: OrderedDict[tuple[str, str, str], _Message] = OrderedDict()
        self._running: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_IN_FLIGHT_MAX)
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The loop's own class does not say in every version that it is one.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: Address) -> None:
        said = parse(data)
        if said is None:
            return
        fields = said.fields
        if said.verb == "req":
            if self._may(fields.get("pass", "")):
                self._answer(f"reg:{said.number};status:200;", address)
                self._keep_alive(fields)
        elif said.verb == "RECEIVE":
            if self._may(fields.get("password", fields.get("pass", ""))):
                self._receive(said, address)
        elif said.verb in _ACKNOWLEDGED and self._may(fields.get("password", fields.get("pass", ""))):
            self._answer(f"{said.verb} {said.number} OK", address)

    def look_after_lines(self) -> None:
        """Tell of lines that have fallen silent. To be called now and then."""
        now = asyncio.get_running_loop().time()
        for name, line in self._lines.items():
            if line.up and now - line.seen > LINE_SILENT_SECONDS:
                line.up = False
                self._tell(name, line, now)

    async def close(self) -> None:
        """Let what is under way come to its end."""
        while self._running:
            await asyncio.wait(self._running)

    def _may(self, password: str) -> bool:
        """Whether it is the password. A box with a wrong one hears nothing."""
        given, wanted = password.encode("utf-8", "replace"), self._password.encode()
        return hmac.compare_digest(given, wanted)

    def _answer(self, text: str, address: Address) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(text.encode(), address)

    def _keep_alive(self, fields: dict[str, str]) -> None:
        name = fields.get("id", "")
        if not name or (name not in self._lines and len(self._lines) >= _LINES_MAX):
            return
        now = asyncio.get_running_loop().time()
        up = fields.get("gsm_status", "LOGIN").upper() == "LOGIN"
        number, iccid = fields.get("num", ""), fields.get("iccid", "")
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = _Line(now, now, up, number, iccid)
            self._tell(name, line, now)
            return
        line.seen = now
        if (line.up, line.number, line.iccid) != (
            up,
            number,
            iccid,
        ) or now - line.told >= LINE_SILENT_SECONDS:
            line.up, line.number, line.iccid = up, number, iccid
            self._tell(name, line, now)

    def _tell(self, name: str, line: _Line, now: float) -> None:
        line.told = now
        event: dict[str, object] = {"type": "line_up" if line.up else "line_down", "line": name}
        if line.up:
            event |= {"number": line.number, "iccid": line.iccid}
        self._start(self._hand_over(event))

    def _receive(self, said: Datagram, address: Address) -> None:
        fields = said.fields
        name, text = fields.get("id", ""), fields.get("msg", "")
        now = asyncio.get_running_loop().time()
        self._forget(now)
        # The box counts anew after a reboot, so its number alone does not tell a repeat.
        key = (name, said.number, text)
        message = self._messages.get(key)
        if message is None:
            if len(self._messages) >= _REMEMBERED_MAX:
                return
            message = self._messages[key] = _Message(now, datetime.now(UTC).isoformat())
        if message.done:
            self._answer(f"RECEIVE {said.number} OK", address)
        elif not message.in_flight:
            sender = next((fields[one] for one in _SENDERS if fields.get(one)), "")
            line = self._lines.get(name)
            event: dict[str, object] = {
                "type": "sms",
                "line": name,
                "from": sender,
                "text": text,
                "time": message.at,
                "number": line.number if line else "",
                "iccid": line.iccid if line else "",
            }
            message.in_flight = True
            self._start(self._deliver(message, event, said.number, address))

    def _forget(self, now: float) -> None:
        while self._messages:
            key = next(iter(self._messages))
            if now - self._messages[key].since < _REMEMBERED_SECONDS:
                return
            del self._messages[key]

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _deliver(
        self, message: _Message, event: dict[str, object], number: str, address: Address
    ) -> None:
        message.done = await self._hand_over(event)
        message.in_flight = False
        if message.done:
            self._answer(f"RECEIVE {number} OK", address)

    async def _hand_over(self, event: dict[str, object]) -> bool:
        async with self._slots:
            try:
                return await asyncio.to_thread(self._post, event)
            except Exception:
                log.exception("an event of a box could not be handed over")
                return False


def posting(url: str, secret: str | None) -> Post:
    """Hands events to a gateway's address. What it refuses for good is done with: the box would repeat it for ever."""
    headers = {"authorization": f"Bearer {secret}"} if secret else {}

    def post(event: dict[str, object]) -> bool:
        try:
            status = hook.post(url, json.dumps(event).encode(), headers)
        except (OSError, ValueError) as error:
            log.warning("Simyard cannot be reached", extra={"why": type(error).__name__})
            return False
        if not 200 <= status < 300:
            log.warning("Simyard did not take an event", extra={"status": status})
        return 200 <= status < 300 or status in hook.REFUSED

    return post


async def serve(host: str, port: int, password: str, post: Post, *, ready: Callable[[Address], None]) -> None:
    """Listen until cancelled."""
    listener = Listener(password, post)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: listener, local_addr=(host, port))
    ready(transport.get_extra_info("sockname"))
    try:
        while True:
            await asyncio.sleep(LINE_SILENT_SECONDS / 4)
            listener.look_after_lines()
    finally:
        transport.close()
        await listener.close()
