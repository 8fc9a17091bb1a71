"""Transcripts: files of scenes, each a stage that is set, requests that are sent, and the answers they must get.

`## title` begins a scene. `* words` sets the stage, `> METHOD path` sends a request with the headers and the JSON
below it, `< status` says what must come back. Objects must have the same keys in the same order, numbers the same
value. `<name>` stands for any text, the same one wherever it is written again; a list that ends in `"..."` may go on.
Lines that begin with `//` are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from simyard.base.clock import ManualClock
from tests.edge.daisysim.buyer import Buyer, add_shelf, receive
from tests.world import ONLINE_SECONDS, World, code_text, micros, service_id

FOLDER = Path(__file__).parent / "transcripts"
_HEADER = re.compile(r"([A-Za-z-]+): (.*)")
_NAME = re.compile(r"<[a-z ]+>")


@dataclass
class Exchange:
    """A request and the answer it must get."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    status: int = 0
    answer: str = ""


@dataclass
class Scene:
    title: str
    steps: list[str | Exchange] = field(default_factory=list)

    def __str__(self) -> str:
        return self.title


def scenes(folder: Path = FOLDER) -> Iterator[Scene]:
    """Every scene of every file of a folder."""
    for path in sorted(folder.glob("*.txt")):
        yield from read(path.read_text(encoding="utf-8"), path.stem)


def read(text: str, file_name: str) -> Iterator[Scene]:
    scene: Scene | None = None
    exchange: Exchange | None = None
    for line in text.splitlines():
        mark, _, rest = line.partition(" ")
        if mark == "##":
            if scene is not None:
                yield scene
            scene, exchange = Scene(f"{file_name}: {rest}"), None
        elif scene is None or not line.strip() or line.lstrip().startswith("//"):
            continue
        elif mark == "*":
            scene.steps.append(rest)
            exchange = None
        elif mark == ">":
            method, _, path = rest.partition(" ")
            exchange = Exchange(method, path)
            scene.steps.append(exchange)
        elif exchange is None:
            raise ValueError(f"{scene}: {line!r} belongs to no request")
        elif mark == "<":
            exchange.status = int(rest)
        elif exchange.status:
            exchange.answer += line + "\n"
        elif (header := _HEADER.fullmatch(line)) and not exchange.body:
            exchange.headers[header[1]] = header[2]
        else:
            exchange.body += line + "\n"
    if scene is not None:
        yield scene


class Performance:
    """One scene played on a stage of its own."""

    def __init__(
        self,
        world: World,
        clock: ManualClock,
        client: httpx.AsyncClient,
        buyers: type[Buyer] = Buyer,
    ) -> None:
        self.world = world
        self.clock = clock
        self.client = client
        self.buyers = buyers
        self.buyer: Buyer | None = None
        self.names: dict[str, str] = {}

    async def play(self, scene: Scene) -> None:
        for step in scene.steps:
            if isinstance(step, str):
                await self._set(step)
            else:
                await self._exchange(step)
        await self.world.assert_whole()

    async def _exchange(self, exchange: Exchange) -> None:
        headers = {name: self._filled(value) for name, value in exchange.headers.items()}
        if self.buyer is not None:
            headers.setdefault("Authorization", f"Bearer {self.buyer.key}")
        response = await self.client.request(
            exchange.method,
            self.buyers.prefix + self._filled(exchange.path),
            content=self._filled(exchange.body).encode() or None,
            headers=headers,
        )
        shown = f"{exchange.method} {exchange.path}: {response.text}"
        assert response.status_code == exchange.status, shown
        expected = json.loads(exchange.answer, parse_float=Decimal)
        self._compare(json.loads(response.text, parse_float=Decimal), expected, shown)

    def _filled(self, text: str) -> str:
        return _NAME.sub(lambda match: self.names.get(match[0], match[0]), text)

    def _compare(self, found: Any, expected: Any, where: str) -> None:
        if isinstance(expected, dict):
            assert isinstance(found, dict), where
            assert list(found) == list(expected), where
            for key, value in expected.items():
                self._compare(found[key], value, f"{key} in {where}")
        elif isinstance(expected, list):
            assert isinstance(found, list), where
            if expected[-1:] == ["..."]:
                expected = expected[:-1]
                found = found[: len(expected)]
            assert len(found) == len(expected), where
            for one, wanted in zip(found, expected, strict=True):
                self._compare(one, wanted, where)
        elif isinstance(expected, str) and _NAME.fullmatch(expected):
            assert isinstance(found, str), where
            assert self.names.setdefault(expected, found) == found, where
        else:
            assert found == expected, where
            assert isinstance(found, bool) == isinstance(expected, bool), where

    # The stage

    async def _set(self, words: str) -> None:
        for pattern, setting in _STAGE.items():
            match = re.fullmatch(pattern, words)
            if match is not None:
                await setting(self, *match.groups())
                return
        raise ValueError(f"nobody knows how to set: {words}")

    async def _wallet(self, amount: str, currency: str, email: str | None) -> None:
        self.buyer = await self.buyers.join(self.world, self.client, amount, currency, email=email)

    async def _pool(
        self, pool_id: str, reserved_for: str | None, slug: str, country: str | None, price: str, numbers: str
    ) -> None:
        await self.world.value(f"ALTER TABLE pool ALTER COLUMN id RESTART WITH {pool_id}")
        await add_shelf(
            self.world,
            {slug: price},
            numbers.split(", "),
            reserved_for=reserved_for,
            country=country or "US",
        )

    async def _asks(self, pool_id: str, slug: str, price: str) -> None:
        await self.world.value(
            "INSERT INTO price (service_id, country, pool_id, amount, set_at) VALUES ($1, 'US', $2, $3, $4)",
            service_id(slug),
            int(pool_id),
            micros(price),
            self.clock.now(),
        )

    async def _counted(self, pool_id: str, slug: str, country: str | None, count: str) -> None:
        """As if so many numbers had been counted: numbers of the pool, less those the service has used."""
        much = 100_000
        await self.world.value(
            "INSERT INTO shelf VALUES ($1, $3, $2) ON CONFLICT (country, pool_id) DO UPDATE SET available = $2",
            int(pool_id),
            much,
            country or "US",
        )
        await self.world.value(
            "INSERT INTO shelf_used VALUES ($1, $4, $2, $3)",
            int(pool_id),
            service_id(slug),
            much - int(count),
            country or "US",
        )

    async def _reports(self, pool_id: str) -> None:
        await self.world.value(
            "UPDATE pool SET online_until = $2 WHERE id = $1",
            int(pool_id),
            self.clock.now() + timedelta(seconds=ONLINE_SECONDS),
        )

    async def _time(self, moment: str) -> None:
        self.clock.turn((datetime.fromisoformat(moment) - self.clock.now()).total_seconds())

    async def _wait(self, seconds: str) -> None:
        self.clock.turn(float(seconds))

    async def _next(self, activation_id: str) -> None:
        await self.world.value(f"ALTER SEQUENCE lease_id RESTART WITH {activation_id}")

    async def _sms(self, msisdn: str, text: str) -> None:
        await receive(self.world, msisdn, text)

    async def _rate(self, rate: str, currency: str) -> None:
        await self.world.set_rate(currency, rate)

    async def _spent(self, amount: str) -> None:
        """For a code of a service nothing else is bought for, in money that comes and goes with it."""
        assert self.buyer is not None
        supplier, _, _ = await self.world.stocked(1, services=("viber",), price=amount)
        await self.world.deposit(self.buyer.account_id, amount)
        order = await self.world.order(self.buyer.account_id, "viber")
        await self.world.receive(supplier, order.msisdn, code_text("viber", "1234"))

    async def _expire(self) -> None:
        await self.world.expire()

    async def _earlier(self, count: str) -> None:
        """Free orders that were canceled, so many."""
        assert self.buyer is not None
        await self.world.value(
            """INSERT INTO activation (id, account_id, pool_id, number_id, msisdn, country, service_id, service_label,
                                       country_label, state, repeatable, price, currency, margin, earning,
                                       earning_currency, ordered_at, expires_at, closed_at)
               SELECT nth, $1, number.pool_id, number.id, number.msisdn, 'US', $2, 'Signal', 'USA', 'canceled', true, 0,
                      'USD', 0, 0, 'USD', $3, $3, $3
                 FROM generate_series(1, $4) AS nth, (SELECT * FROM number LIMIT 1) AS number""",
            self.buyer.account_id,
            service_id("signal"),
            self.clock.now(),
            int(count),
        )


_STAGE: dict[str, Callable[..., Awaitable[None]]] = {
    r"a wallet with ([\d.]+) ([A-Z]{3})(?: of (\S+))?": Performance._wallet,
    r"pool (\d+)(?: reserved for ([\w-]+))? sells ([\w-]+)(?: in ([A-Z]{2}))? for ([\d.]+) on (\+[\d, +]+)": Performance._pool,
    r"pool (\d+) asks for ([\w-]+) ([\d.]+)": Performance._asks,
    r"pool (\d+) shows ([\w-]+)(?: in ([A-Z]{2}))? (\d+)": Performance._counted,
    r"pool (\d+) reports again": Performance._reports,
    r"it is (\S+)": Performance._time,
    r"([\d.]+) seconds pass": Performance._wait,
    r"the next activation is (\d+)": Performance._next,
    r"an SMS comes to (\+\d+): (.*)": Performance._sms,
    r"what is due expires": Performance._expire,
    r"1 USD is ([\d.]+) ([A-Z]{3})": Performance._rate,
    r"it has spent ([\d.]+)": Performance._spent,
    r"(\d+) orders were canceled before": Performance._earlier,
}
