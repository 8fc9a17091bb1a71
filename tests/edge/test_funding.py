"""Notifications of deposits: only what Paystack signed is believed, and even that only to be looked into."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette

from simyard.base.clock import ManualClock
from simyard.core.accounts.model import Role
from simyard.core.funding.model import CreateVirtualAccount, VirtualAccount
from simyard.core.lanes import Lanes
from simyard.db.database import Database
from simyard.edge.funding import BODY_BYTES_MAX, PAYSTACK_PATH, SANDBOX_PATH, FundingEndpoints, is_signed
from simyard.settings import Settings
from simyard.workers.funding import FundingSteps, Sandbox
from tests.world import World, micros, world

__all__ = ["world"]

KEY = "sk_test_3f6b1c2d4e5a69788796a5b4c3d2e1f0"
PAYSTACK = Settings(funding_provider="paystack", paystack_secret_key=KEY)


@pytest.fixture
async def lanes(database: Database) -> AsyncIterator[Lanes]:
    lanes = Lanes(database, database, slots=2, batch_max=64, queue_max=4096)
    yield lanes
    await lanes.close()


def client_of(
    settings: Settings, clock: ManualClock, database: Database | None, lanes: Lanes
) -> httpx.AsyncClient:
    endpoints = FundingEndpoints(settings, clock)
    if database is not None:
        endpoints.open(database, lanes)
    transport = httpx.ASGITransport(Starlette(routes=endpoints.routes()))
    return httpx.AsyncClient(transport=transport, base_url="http://simyard.test")


@pytest.fixture
async def client(world: World, clock: ManualClock, lanes: Lanes) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(PAYSTACK, clock, world.database, lanes) as client:
        yield client


def charge(reference: object = "T1", event: str = "charge.success") -> bytes:
    data = {"reference": reference, "amount": 500_000, "status": "success", "channel": "dedicated_nuban"}
    return json.dumps({"event": event, "data": data}).encode()


def signature(body: bytes, key: str = KEY) -> str:
    return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()


async def notify(
    client: httpx.AsyncClient, body: bytes, signed: str | None = None, **headers: str
) -> httpx.Response:
    given = {"x-paystack-signature": signature(body) if signed is None else signed}
    return await client.post(PAYSTACK_PATH, content=body, headers=given | headers)


async def noted(world: World) -> list[str]:
    return [row[0] for row in await world.rows("SELECT reference FROM deposit ORDER BY id")]


# Paystack


async def test_a_signed_notification_is_kept_and_answered_at_once(
    world: World, client: httpx.AsyncClient
) -> None:
    answer = await notify(client, charge())
    assert (answer.status_code, answer.json()) == (200, {"status": "new"})
    assert await world.rows("SELECT provider, reference, state FROM deposit") == [("paystack", "T1", "seen")]
    assert await world.value("SELECT count(*) FROM transfer") == 0


async def test_fifty_notifications_at_once_are_one(world: World, client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(notify(client, charge()) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.json()["status"] for answer in answers) == ["new"] + ["repeated"] * 49
    assert await noted(world) == ["T1"]


@pytest.mark.parametrize(
    "signed",
    [
        "",
        "0",
        "0" * 128,
        signature(charge(), "another key"),
        signature(charge(), ""),
        signature(charge("T2")),
        signature(charge())[:-1],
        signature(charge()) + "0",
        hmac.new(KEY.encode(), charge(), hashlib.sha256).hexdigest(),
        hashlib.sha512(charge()).hexdigest(),
        "ä",
    ],
)
async def test_a_forged_notification_is_refused_and_logged_without_its_content(
    world: World, client: httpx.AsyncClient, signed: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        answer = await client.post(
            PAYSTACK_PATH,
            content=charge(),
            headers=[(b"x-paystack-signature", signed.encode("latin-1"))],
        )
    assert answer.status_code == 401
    assert await noted(world) == []
    (record,) = caplog.records
    assert record.message == "forged notification of a deposit"
    assert "T1" not in str(record.__dict__)


async def test_a_notification_without_a_signature_is_refused(world: World, client: httpx.AsyncClient) -> None:
    answer = await client.post(PAYSTACK_PATH, content=charge())
    assert answer.status_code == 401
    assert await noted(world) == []


async def test_a_notification_that_was_altered_is_refused(world: World, client: httpx.AsyncClient) -> None:
    body = charge()
    for altered in (body.replace(b"500000", b"900000"), body + b" ", body.replace(b"T1", b"T2")):
        assert (await notify(client, altered, signature(body))).status_code == 401
    assert await noted(world) == []


def test_without_a_key_nothing_is_signed() -> None:
    body = charge()
    assert not is_signed(body, signature(body, ""), Settings(funding_provider="paystack"))


async def test_other_events_are_taken_and_ignored(world: World, client: httpx.AsyncClient) -> None:
    for event in ("transfer.success", "dedicatedaccount.assign.success", "charge.failed", ""):
        answer = await notify(client, charge(event=event))
        assert (answer.status_code, answer.json()) == (200, {"status": "ignored"})
    assert await noted(world) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"event": "charge.success"}',
        b'{"event": 1, "data": {}}',
        b'{"event": "charge.success", "data": null}',
        b'{"event": "charge.success", "data": []}',
        b'{"event": "charge.success", "data": {}}',
        charge(None),
        charge(5),
        charge(""),
        charge(".."),
        charge("a/b"),
        charge("x" * 101),
        charge("T\x00"),
        b'{"event": "charge.success", "data": ' + b"[" * 5000,
        gzip.compress(charge()),
    ],
)
async def test_what_is_signed_but_makes_no_sense_is_refused(
    world: World, client: httpx.AsyncClient, body: bytes
) -> None:
    assert (await notify(client, body)).status_code == 400
    assert await noted(world) == []


async def test_a_notification_that_is_too_large_is_refused(client: httpx.AsyncClient) -> None:
    assert (await notify(client, b" " * (BODY_BYTES_MAX + 1))).status_code == 413


async def test_a_notification_that_cannot_be_kept_is_asked_for_again(
    clock: ManualClock, lanes: Lanes, database_url: str
) -> None:
    """A 5xx makes Paystack send it once more."""
    closed = await Database.connect(database_url, connections_max=1)
    await closed.close()
    for database in (closed, None):
        async with client_of(PAYSTACK, clock, database, lanes) as client:
            assert (await notify(client, charge())).status_code == 503


async def test_each_provider_has_its_own_endpoint_only(
    world: World, clock: ManualClock, lanes: Lanes, client: httpx.AsyncClient
) -> None:
    assert (await client.post(SANDBOX_PATH, content=b"{}")).status_code == 404
    assert (await client.get(PAYSTACK_PATH)).status_code == 405
    async with client_of(Settings(), clock, world.database, lanes) as other:
        assert (await notify(other, charge())).status_code == 404


# The sandbox


@pytest.fixture
async def sandbox(world: World, clock: ManualClock, lanes: Lanes) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(Settings(), clock, world.database, lanes) as client:
        yield client


@pytest.fixture
async def account(world: World, clock: ManualClock) -> VirtualAccount:
    buyer = await world.add_buyer("0", email="jane@example.com")
    funding = FundingSteps(world.database, Sandbox(world.database), clock)
    return await funding.create_virtual_account(CreateVirtualAccount(buyer, "035"))


@pytest.fixture
async def operator(world: World) -> str:
    return await world.issue_key(await world.add_account(Role.OPERATOR))


async def pay(
    sandbox: httpx.AsyncClient, key: str, content: object, expected: int = 201
) -> dict[str, object]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    answer = await sandbox.post(SANDBOX_PATH, content=body, headers=headers)
    assert answer.status_code == expected, answer.text
    told: dict[str, object] = answer.json()
    return told


async def test_an_operator_pays_into_an_account_of_the_sandbox(
    world: World, sandbox: httpx.AsyncClient, operator: str, account: VirtualAccount
) -> None:
    number = account.account_number
    told = await pay(sandbox, operator, {"account_number": number, "amount": "12.50", "reference": "r"})
    assert told == {"reference": "r", "balance": "12.5", "currency": "USD"}
    told = await pay(sandbox, operator, {"account_number": number, "amount": 3})
    assert told["balance"] == "15.5"
    again = {"account_number": number, "amount": "1", "reference": "r"}
    assert await pay(sandbox, operator, again, 409) == {"error": "reference_taken"}
    assert await world.rows("SELECT amount FROM deposit ORDER BY id") == [
        (micros("12.5"),),
        (micros("3"),),
    ]
    await world.assert_whole()


async def test_nobody_else_pays_into_them(
    world: World, sandbox: httpx.AsyncClient, account: VirtualAccount
) -> None:
    content = {"account_number": account.account_number, "amount": "1"}
    buyer = await world.issue_key(await world.add_buyer())
    supplier = await world.issue_key(await world.add_supplier())
    assert await pay(sandbox, "", content, 401) == {"error": "no_key"}
    assert await pay(sandbox, "sy_wrong", content, 401) == {"error": "wrong_key"}
    assert await pay(sandbox, "x" * 1000, content, 401) == {"error": "wrong_key"}
    for key in (buyer, supplier):
        assert await pay(sandbox, key, content, 403) == {"error": "key_scope"}
    assert await world.value("SELECT count(*) FROM deposit") == 0


@pytest.mark.parametrize(
    ("content", "status", "error"),
    [
        (b"", 400, "malformed"),
        (b"[]", 400, "malformed"),
        (b"\xff", 400, "malformed"),
        ({"amount": "1"}, 400, "malformed"),
        ({"account_number": 1, "amount": "1"}, 400, "malformed"),
        ({"account_number": "1", "amount": 1.5}, 400, "malformed"),
        ({"account_number": "1", "amount": "1e3"}, 400, "malformed"),
        ({"account_number": "1", "amount": "0"}, 400, "malformed"),
        ({"account_number": "1", "amount": "-1"}, 400, "malformed"),
        ({"account_number": "1", "amount": 10**30}, 400, "malformed"),
        ({"account_number": "1", "amount": "1", "reference": "a/b"}, 400, "malformed"),
        ({"account_number": "1", "amount": "1", "currency": "USD"}, 400, "malformed"),
        ({"account_number": "\x00", "amount": "1"}, 404, "unknown_account"),
        ({"account_number": "١٢٣", "amount": "1"}, 404, "unknown_account"),
        (b"[" * 5000, 400, "malformed"),
        ({"account_number": "1234567890", "amount": "1"}, 404, "unknown_account"),
        (b" " * (BODY_BYTES_MAX + 1), 413, "too_large"),
    ],
)
async def test_bad_input_is_told_as_such(
    sandbox: httpx.AsyncClient, operator: str, content: object, status: int, error: str
) -> None:
    assert (await pay(sandbox, operator, content, status))["error"] == error
