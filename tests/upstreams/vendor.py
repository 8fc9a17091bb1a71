"""A platform that sells numbers, on a real port: its books here, how it speaks in its subclasses."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

KEY = "k3y5678901234567890123456789012x"


@dataclass
class Request:
    step: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class Sms:
    id: int
    sender: str
    text: str
    at: datetime

    @property
    def code(self) -> str:
        return "".join(sign for sign in self.text if sign.isdigit())


@dataclass
class Sold:
    id: int
    phone: str
    country: str
    service: str
    price: Decimal
    at: datetime
    reference: str = ""
    # open, again (after a code, for the next), done, canceled, banned
    state: str = "open"
    sms: list[Sms] = field(default_factory=list)
    # Messages before this place are not the newest any more: the next was asked for.
    seen: int = 0

    @property
    def is_open(self) -> bool:
        return self.state in ("open", "again")


class Refuse(Exception):
    """The vendor's word for no."""


Answer = tuple[int, str, bytes]


class Vendor:
    """Its books, and what it is to do wrong."""

    def __init__(self) -> None:
        self.url = ""
        self.balance = Decimal(100)
        self.shelves: dict[tuple[str, str], dict[Decimal, int]] = {}
        self.sold: dict[int, Sold] = {}
        self.requests: list[Request] = []
        # Raw answers instead of proper ones, by step, and steps after whose work the line goes dead.
        self.instead: dict[str, list[Answer]] = {}
        self.dead_after: set[str] = set()
        # Steps that wait for this before they answer.
        self.held: dict[str, asyncio.Event] = {}
        self.bought = asyncio.Event()
        self.cancel_locked = False
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
        self._ids = itertools.count(635468021)
        self._phones = itertools.count(1)

    def shelve(self, country: str, service: str, price: str, count: int) -> None:
        self.shelves.setdefault((country, service), {})[Decimal(price)] = count

    def steps(self, step: str) -> list[Request]:
        return [request for request in self.requests if request.step == step]

    def phone(self, country: str) -> str:
        return f"447700900{next(self._phones):03d}"

    def buy(self, country: str, service: str, cap: Decimal | None, reference: str = "") -> Sold | None:
        """The cheapest that is left, under the cap. Raises Refuse("money")."""
        tiers = self.shelves.get((country, service), {})
        usable = sorted(price for price, count in tiers.items() if count and (cap is None or price <= cap))
        if not usable:
            return None
        price = usable[0]
        if price > self.balance:
            raise Refuse("money")
        tiers[price] -= 1
        self.balance -= price
        sold = Sold(next(self._ids), self.phone(country), country, service, price, self.now, reference)
        self.sold[sold.id] = sold
        self.bought.set()
        return sold

    def send(self, sold: Sold, text: str, sender: str = "Telegram") -> None:
        sold.sms.append(Sms(next(self._ids), sender, text, self.now))

    def cancel(self, sold: Sold, state: str = "canceled") -> None:
        sold.state = state
        self.balance += sold.price

    def only(self) -> Sold:
        (sold,) = self.sold.values()
        return sold

    def find(self, text: str) -> Sold | None:
        return self.sold.get(int(text)) if text.isdigit() else None

    def answer(self, request: Request) -> Answer:
        raise NotImplementedError

    def step(self, path: str, query: dict[str, str]) -> str:
        raise NotImplementedError


def text(words: str, status: int = 200) -> Answer:
    return status, "text/plain", words.encode()


def content(data: Any, status: int = 200) -> Answer:
    return status, "application/json", json.dumps(data, default=float).encode()


HTML: Answer = (200, "text/html", b"<html><body>Just a moment...</body></html>")
BAD_GATEWAY: Answer = (502, "text/html", b"<html>502 Bad Gateway</html>")


@asynccontextmanager
async def serving(vendor: Vendor) -> AsyncIterator[Vendor]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await _read(vendor, reader)
            vendor.requests.append(request)
            raw = vendor.instead.get(request.step)
            answer = raw.pop(0) if raw else vendor.answer(request)
            if (held := vendor.held.get(request.step)) is not None:
                await held.wait()
            if request.step not in vendor.dead_after:
                status, kind, body = answer
                head = f"HTTP/1.1 {status} Whatever\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    vendor.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield vendor


async def _read(vendor: Vendor, reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    target = urlsplit(first.split(" ")[1])
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    query = dict(parse_qsl(target.query, keep_blank_values=True))
    path = unquote(target.path)
    return Request(vendor.step(path, query), path, query, headers)
