"""The runner: what it does for every dialect alike."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from simyard.base.clock import ManualClock
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AddAccount, IssueKey, Role
from simyard.core.accounts.model import Scope as KeyScope
from simyard.core.lanes import Lanes
from simyard.core.wallet import service as wallet
from simyard.db.database import Database
from simyard.edge.dialects.daisysim.v2 import DIALECT
from simyard.edge.http import DialectApp
from simyard.settings import Settings

BALANCE = "/api/v1/server7/balance"
CHECK_ALL = "/api/v1/server7/check-all"


class Caller:
    """Sends requests from a chosen address."""

    def __init__(self, app: DialectApp, database: Database, clock: ManualClock) -> None:
        self.app = app
        self._database = database
        self._clock = clock

    async def key(self, *networks: str) -> str:
        async with self._database.transaction() as tx:
            now = self._clock.now()
            email = f"buyer{len(networks)}@example.com"
            added = await accounts.add_account(tx, AddAccount(email, Role.BUYER), now=now)
            await wallet.open_wallet(tx, added.id, "USD")
            command = IssueKey(added.id, (KeyScope.READ, KeyScope.ORDER), networks)
            return (await accounts.issue_key(tx, command, now=now))[1]

    async def ask(
        self, method: str, path: str, *, address: str = "127.0.0.1", content: bytes = b"", **headers: str
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=(address, 1))
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(transport=transport, base_url="http://simyard") as client:
            return await client.request(method, path, content=content, headers=sent)


@pytest.fixture
async def caller(database: Database, clock: ManualClock) -> AsyncIterator[Caller]:
    lanes = Lanes(database, database, slots=2, batch_max=64, queue_max=100)
    settings = Settings(body_bytes_max=2000)
    yield Caller(
        DialectApp(DIALECT, lanes=lanes, database=database, clock=clock, settings=settings), database, clock
    )
    await lanes.close()


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("10.1.2.3", 200),
        ("::ffff:10.1.2.3", 200),
        ("2001:db8::1", 200),
        ("11.1.2.3", 401),
        ("2001:db9::1", 401),
        ("local-socket", 401),
    ],
)
async def test_a_key_with_networks_works_from_them_only(caller: Caller, address: str, status: int) -> None:
    key = await caller.key("10.0.0.0/8", "2001:db8::/32")
    answer = await caller.ask("GET", BALANCE, address=address, authorization=f"Bearer {key}")
    assert answer.status_code == status


async def test_a_sane_request_id_comes_back_and_others_are_replaced(caller: Caller) -> None:
    assert (await caller.ask("GET", BALANCE, x_request_id="order-7_a")).headers["x-request-id"] == "order-7_a"
    for given in ("a b", "x" * 65, "<script>"):
        fresh = (await caller.ask("GET", BALANCE, x_request_id=given)).headers["x-request-id"]
        assert fresh != given
        assert len(fresh) == 16


async def test_a_packed_body_is_unpacked_as_far_as_it_may_go(caller: Caller) -> None:
    key = await caller.key()
    headers = {"authorization": f"Bearer {key}", "content_encoding": "gzip"}
    small = gzip.compress(b'{"ids": ["1"]}')
    assert (await caller.ask("POST", CHECK_ALL, content=small, **headers)).status_code == 200
    bomb = gzip.compress(b" " * 5_000_000)
    assert (await caller.ask("POST", CHECK_ALL, content=bomb, **headers)).status_code == 413
    assert (await caller.ask("POST", CHECK_ALL, content=small[:-4], **headers)).status_code == 422
    assert (await caller.ask("POST", CHECK_ALL, content=b"no gzip", **headers)).status_code == 422
    assert (
        await caller.ask("POST", CHECK_ALL, content=b" " * 2001, authorization=f"Bearer {key}")
    ).status_code == 413


async def test_a_large_answer_is_packed_for_those_who_ask(caller: Caller) -> None:
    key = await caller.key()
    body = b'{"ids": [' + b",".join(b'"%d%s"' % (n, b"x" * 60) for n in range(20)) + b"]}"
    plain = await caller.ask(
        "POST", CHECK_ALL, content=body, authorization=f"Bearer {key}", accept_encoding="identity"
    )
    packed = await caller.ask(
        "POST", CHECK_ALL, content=body, authorization=f"Bearer {key}", accept_encoding="gzip"
    )
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()


async def test_a_body_that_is_cut_off_is_refused(caller: Caller) -> None:
    key = await caller.key()
    said: list[Message] = []
    parts: list[Message] = [
        {"type": "http.request", "body": b'{"ids": ["1"]}', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return parts.pop(0)

    async def send(message: Message) -> None:
        said.append(message)

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": CHECK_ALL,
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "headers": [(b"authorization", f"Bearer {key}".encode()), (b"content-length", b"99")],
    }
    await _call(caller.app, scope, receive, send)
    assert said[0]["status"] == 422


async def _call(app: DialectApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)
