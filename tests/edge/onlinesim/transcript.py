"""Transcripts, byte for byte: scenes with a stage, requests and the exact answers.

`## title` begins a scene, `* words` sets the stage, `> METHOD path` sends a request with the headers and the body below
it, `< 200` says that the lines below it are the answer: put together without their breaks and indents they are what must
come back. `<key>` stands for the buyer's key. Lines that begin with `//` are left out.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx

from simyard.base.clock import ManualClock
from simyard.core.public_numbers import service as public_numbers
from tests.edge.daisysim.transcript import Exchange, Scene, read
from tests.edge.onlinesim.buyer import Buyer, add_shelf, receive
from tests.world import World

FOLDER = Path(__file__).parent / "transcripts"


def scenes() -> Iterator[Scene]:
    """Every scene of every file."""
    for path in sorted(FOLDER.glob("*.txt")):
        yield from read(path.read_text(encoding="utf-8"), path.stem)


class Performance:
    """One scene played on a stage of its own."""

    def __init__(self, world: World, clock: ManualClock, client: httpx.AsyncClient) -> None:
        self.world = world
        self.clock = clock
        self.client = client
        self.key = ""

    async def play(self, scene: Scene) -> None:
        for step in scene.steps:
            if isinstance(step, str):
                await self._set(step)
            else:
                await self._exchange(step)
        await self.world.assert_whole()

    async def _exchange(self, exchange: Exchange) -> None:
        response = await self.client.request(
            exchange.method,
            self._filled(exchange.path),
            content=self._filled(exchange.body).encode() or None,
            headers={name: self._filled(value) for name, value in exchange.headers.items()},
        )
        expected = self._filled("".join(line.strip() for line in exchange.answer.splitlines()))
        assert response.text == expected, f"{exchange.method} {exchange.path}: {response.text}"
        assert response.status_code == exchange.status
        assert response.headers["content-type"] == "application/json"

    def _filled(self, text: str) -> str:
        return text.replace("<key>", self.key)

    # The stage

    async def _set(self, words: str) -> None:
        for pattern, setting in _STAGE.items():
            match = re.fullmatch(pattern, words)
            if match is not None:
                await setting(self, *match.groups())
                return
        raise ValueError(f"nobody knows how to set: {words}")

    async def _wallet(self, amount: str, currency: str, email: str | None) -> None:
        self.key = (await Buyer.join(self.world, self.client, amount, currency, email=email)).key

    async def _pool(self, country: str, slug: str, price: str, numbers: str) -> None:
        await add_shelf(self.world, {slug: price}, numbers.split(", "), country=country)

    async def _rent(self, country: str, tariffs: str, numbers: str) -> None:
        periods = dict(re.findall(r"(\d+) days for ([\d.]+)", tariffs))
        await add_shelf(
            self.world,
            {},
            numbers.split(", "),
            country=country,
            tariffs={int(days): price for days, price in periods.items()},
        )

    async def _wait(self, seconds: str) -> None:
        self.clock.turn(float(seconds))

    async def _next(self, lease_id: str) -> None:
        await self.world.value(f"ALTER SEQUENCE lease_id RESTART WITH {lease_id}")

    async def _sms(self, sender: str, msisdn: str, text: str) -> None:
        await receive(self.world, msisdn, text, sender)

    async def _publish(self, msisdn: str) -> None:
        async with self.world.database.transaction() as tx:
            await public_numbers.publish(tx, msisdn, actor="test", now=self.clock.now())

    async def _expire(self) -> None:
        await self.world.expire()
        await self.world.end_due_rentals()


_STAGE: dict[str, Callable[..., Awaitable[None]]] = {
    r"a wallet with ([\d.]+) ([A-Z]{3})(?: of (\S+))?": Performance._wallet,
    r"a pool in ([A-Z]{2}) sells ([\w-]+) for ([\d.]+) on (\+[\d, +]+)": Performance._pool,
    r"a pool in ([A-Z]{2}) rents (.*) on (\+[\d, +]+)": Performance._rent,
    r"([\d.]+) seconds pass": Performance._wait,
    r"the next lease is (\d+)": Performance._next,
    r"an SMS of (\S+) comes to (\+\d+): (.*)": Performance._sms,
    r"(\+\d+) is published": Performance._publish,
    r"what is due expires": Performance._expire,
}
