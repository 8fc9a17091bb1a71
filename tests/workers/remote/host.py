"""A remote host as the saga sees it: a source whose numbers, answers and failures a test sets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from simyard.core.remote.model import (
    Ending,
    Profile,
    RemoteMessage,
    RemoteNumber,
    RemoteOffer,
    RemoteWish,
    Stock,
)
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.remote.source import SOURCES, Reason, Source, SourceRefused
from tests.world import service_id

PROTOCOL = "test"


@dataclass
class Host:
    """`before` and `after` run around the moment a number is reserved: they raise, wait or note."""

    numbers: list[str] = field(default_factory=list)
    cost: int | None = None
    polled: bool = False
    can_find: bool = True
    before: Callable[[], Awaitable[None]] | None = None
    after: Callable[[], Awaitable[None]] | None = None
    finish_raises: list[Exception] = field(default_factory=list)
    wishes: list[RemoteWish] = field(default_factory=list)
    # By remote id: what is reserved, and by which wish.
    reserved: dict[str, tuple[RemoteNumber, RemoteWish]] = field(default_factory=dict)
    finished: list[tuple[str, Ending, int, str]] = field(default_factory=list)
    next_requested: list[str] = field(default_factory=list)
    messages: list[RemoteMessage] = field(default_factory=list)
    offers: tuple[RemoteOffer, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    balance: int | None = None
    taken: int = 0

    def take(self, wish: RemoteWish) -> RemoteNumber:
        if not self.numbers:
            raise SourceRefused(Reason.NO_NUMBERS)
        self.taken += 1
        number = RemoteNumber(f"r{self.taken}", self.numbers.pop(0), self.cost)
        self.reserved[number.remote_id] = (number, wish)
        return number

    def endings(self) -> list[Ending]:
        return [ending for _, ending, _, _ in self.finished]


class HostSource:
    def __init__(self, host: Host) -> None:
        self._host = host
        self.polled = host.polled

    async def stock(self) -> Stock:
        return Stock(self._host.offers, self._host.unknown, self._host.balance)

    async def order(self, wish: RemoteWish) -> RemoteNumber:
        host = self._host
        host.wishes.append(wish)
        if host.before is not None:
            await host.before()
        number = host.take(wish)
        if host.after is not None:
            await host.after()
        return number

    async def find(self, wish: RemoteWish, *, since: datetime) -> list[RemoteNumber] | None:
        if not self._host.can_find:
            return None
        return [number for number, asked in self._host.reserved.values() if asked.reference == wish.reference]

    async def finish(self, remote_id: str, ending: Ending, *, amount: int, currency: str) -> None:
        host = self._host
        if host.finish_raises:
            raise host.finish_raises.pop(0)
        host.finished.append((remote_id, ending, amount, currency))
        host.reserved.pop(remote_id, None)

    async def request_next(self, remote_id: str) -> None:
        self._host.next_requested.append(remote_id)

    async def poll(self, remote_ids: Sequence[str]) -> list[RemoteMessage]:
        return [message for message in self._host.messages if message.remote_id in remote_ids]


HOSTS: dict[str, Host] = {}
"""By the profile's URL."""


def _make(profile: Profile, client: OutgoingClient) -> Source:
    return HostSource(HOSTS[profile.url])


@contextmanager
def protocol() -> Iterator[None]:
    SOURCES[PROTOCOL] = _make
    try:
        yield
    finally:
        del SOURCES[PROTOCOL]
        HOSTS.clear()


def offer(
    stock: int = 10,
    *,
    slug: str = "whatsapp",
    country: str = "GB",
    price: int | None = None,
    operator_name: str = "",
) -> RemoteOffer:
    return RemoteOffer(
        country, service_id(slug), None, f"their {country}", f"their {slug}", price, stock, operator_name
    )


def rent_offer(stock: int = 10, *, country: str = "GB") -> RemoteOffer:
    return RemoteOffer(country, None, None, f"their {country}", "rent", None, stock, to_rent=True)


async def hang() -> None:
    await asyncio.Event().wait()


async def until(holds: Callable[[], bool]) -> None:
    """Wait until what a task does is seen."""

    async def shown() -> bool:
        return holds()

    await until_async(shown, True)


async def until_async(look: Callable[[], Awaitable[object]], seen: object) -> None:
    async with asyncio.timeout(10):
        while await look() != seen:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
