"""Errors: who may call, what is malformed, and that nothing a partner sends is ever answered with a 5xx."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import httpx
import pytest

from simyard.base.clock import ManualClock
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AccountState, Scope
from simyard.core.lanes import Lanes
from simyard.edge.dialects.onlinesim_reseller.v2 import ACTIONS, MESSAGES_MAX, REFUSALS
from simyard.edge.wire import GATEWAY_REFUSALS, OPERATOR_REFUSALS
from simyard.settings import Settings
from tests.edge.onlinesim_reseller.partner import NUMBER, Partner, served
from tests.world import World

CALLS = sorted((method, path.removeprefix("/")) for method, path in ACTIONS)
WITH_BODY = [call for call in CALLS if call[0] != "GET"]

GOOD: dict[str, dict[str, Any]] = {
    "sendNumbersOnline": {"numbers": [{"number": NUMBER, "country_id": 46}]},
    "checkWork": {},
    "addNumber": {"number": NUMBER, "country_id": 46, "rent": 0},
    "removeNumber": {"number": NUMBER},
    "addMessage": {
        "date": "1795219269",
        "number": NUMBER,
        "from": "Telegram",
        "message": "Telegram code 48213",
    },
    "addMessages": {"messages": []},
    "earnings": {},
    "payouts": {},
    "requestPayout": {"amount": "1", "method": "IBAN DE00"},
    "quality": {},
}


def answer(response: httpx.Response) -> tuple[int, object]:
    content = response.json()
    assert set(content) == {"response"}
    return response.status_code, content["response"]


# Who may call


@pytest.mark.parametrize(("method", "name"), CALLS)
async def test_without_a_key(partner: Partner, method: str, name: str) -> None:
    response = await partner.client.request(method, f"/api/resellers/{name}", json=GOOD[name])
    assert answer(response) == (401, "ERROR_NO_KEY")


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic eDp5", "token"])
async def test_without_a_bearer_token(partner: Partner, authorization: str) -> None:
    response = await partner.send("GET", "checkWork", headers={"Authorization": authorization})
    assert answer(response) == (401, "ERROR_NO_KEY")


@pytest.mark.parametrize(
    "key", ["x", "sy_" + "A" * 43, "k" * 256, "k" * 257, "k" * 5000, "\u00e9".encode("latin-1")]
)
async def test_an_unknown_key(partner: Partner, key: str | bytes) -> None:
    value = b"Bearer " + (key.encode() if isinstance(key, str) else key)
    response = await partner.client.get("/api/resellers/checkWork", headers={b"Authorization": value})
    assert answer(response) == (401, "ERROR_WRONG_KEY")


async def test_the_key_may_stand_in_four_places(partner: Partner) -> None:
    url = "/api/resellers/checkWork"
    bearer = f"Bearer {partner.key}"
    for response in (
        await partner.client.post(url, headers={"Authorization": bearer}),
        await partner.client.post(url, headers={"authorization": bearer.replace("Bearer", "bearer")}),
        await partner.client.post(url, headers={"Apikey": bearer}),
        await partner.client.post(url, headers={"Apikey": partner.key}),
        await partner.client.post(url, params={"apikey": partner.key}),
        await partner.client.get(url, params={"apikey": partner.key}),
        await partner.client.post(url, json={"key": partner.key}),
        await partner.client.post(url, content=b"\xef\xbb\xbf" + b'{"key": "%s"}' % partner.key.encode()),
    ):
        assert (response.status_code, response.content) == (200, b'{"response":1}')


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b'{"key": 1}', b'{"key": null}', b'{"key": ""}', b'{"key": "\xff"}', b"[" * 100_000],
)
async def test_a_body_without_a_usable_key(partner: Partner, content: bytes) -> None:
    response = await partner.client.post("/api/resellers/checkWork", content=content)
    assert answer(response) == (401, "ERROR_NO_KEY")


@pytest.mark.parametrize("state", [AccountState.SUSPENDED, AccountState.LOCKED])
async def test_a_blocked_partner(partner: Partner, clock: ManualClock, state: AccountState) -> None:
    email = await partner.world.value("SELECT email FROM account WHERE id = $1", partner.account_id)
    async with partner.world.database.transaction() as tx:
        await accounts.set_state(tx, email, state, actor="test", now=clock.now())
    assert answer(await partner.send("GET", "checkWork")) == (403, "ACCOUNT_BLOCKED")


async def test_a_buyers_key(partner: Partner, world: World) -> None:
    partner.key = await world.issue_key(await world.add_buyer())
    assert answer(await partner.send("GET", "checkWork")) == (403, "API_ACCESS_DISABLED")


async def test_a_key_that_is_switched_off(partner: Partner, clock: ManualClock) -> None:
    async with partner.world.database.transaction() as tx:
        (row,) = await accounts.list_keys(tx, partner.account_id)
        await accounts.set_key_enabled(
            tx, partner.account_id, row.id, enabled=False, actor="test", now=clock.now()
        )
    assert answer(await partner.send("GET", "checkWork")) == (403, "API_ACCESS_DISABLED")


@pytest.mark.parametrize("name", ["sendNumbersOnline", "checkWork", "addNumber", "removeNumber"])
async def test_a_supplier_without_a_pool(partner: Partner, world: World, name: str) -> None:
    partner.key = await world.issue_key(await world.add_supplier(), (Scope.SUPPLY,))
    assert await partner.call(name, GOOD[name], status=403) == {"response": "API_ACCESS_DISABLED"}


async def test_an_address_that_is_not_allowed(partner: Partner, world: World) -> None:
    partner.key = await world.issue_key(
        partner.account_id, (Scope.SUPPLY,), networks=("198.51.100.0/24",), pool_id=partner.pool.id
    )
    assert answer(await partner.send("GET", "checkWork")) == (403, "API_ACCESS_IP")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/resellers/getBalance"),
        ("POST", "/api/resellers/"),
        ("POST", "/api/resellers/sendnumbersonline/x"),
        ("GET", "/api/resellers/sendNumbersOnline"),
        ("DELETE", "/api/resellers/addNumber"),
        ("PUT", "/api/resellers/addMessage"),
    ],
)
async def test_an_unknown_method(partner: Partner, method: str, path: str) -> None:
    response = await partner.client.request(method, path, headers={"Authorization": f"Bearer {partner.key}"})
    assert answer(response) == (405, "REQUEST_NOT_FOUND")


async def test_a_full_lane_asks_to_come_again(world: World, partner: Partner, clock: ManualClock) -> None:
    await partner.report(NUMBER)
    lanes = Lanes(world.database, world.database, slots=1, batch_max=1, queue_max=1)
    async with served(world.database, lanes, clock, Settings()) as client:
        crowded = Partner(world, client, partner.account_id, partner.pool, partner.key)
        message = GOOD["addMessage"]
        body = {"messages": [message | {"message": f"Telegram code {code}"} for code in range(10000, 10020)]}
        assert await crowded.call("addMessages", body, status=503) == {"response": "TRY_LATER"}
        await lanes.receive.close()
        assert await crowded.call("addMessage", message, status=503) == {"response": "TRY_LATER"}
    await lanes.close()


def test_every_refusal_has_an_answer_or_cannot_happen() -> None:
    for reason in set(Refused) - REFUSALS.unreachable - GATEWAY_REFUSALS - OPERATOR_REFUSALS:
        response = REFUSALS.render(Refusal(reason, seconds=1), "addMessage")
        assert response.status >= 400
        assert response.body.startswith(b'{"response":"')


# What is malformed


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content)


BROKEN: dict[str, bytes] = {
    "not JSON": b"numbers=1",
    "cut off": b'{"numbers": [',
    "an array": b"[]",
    "a string": b'"numbers"',
    "null": b"null",
    "a number": b"1",
    "two values": b"{} {}",
    "latin-1": b'{"number": "\xe9", "numbers": [], "messages": []}',
    "half a character": b'{"message": "\xe2\x82"}',
    "an encoded surrogate": b'{"message": "\xed\xa0\x80"}',
    "UTF-16": '{"numbers": []}'.encode("utf-16"),
    "NUL bytes": b"\0\0\0",
    "deep arrays": b"[" * 200_000,
    "a deep field": b'{"number": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"numbers": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    "an unknown test": b'{"test": "test3", "numbers": [], "messages": []}',
    "a test that is no text": b'{"test": [1], "numbers": [], "messages": []}',
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_broken_body(partner: Partner, kind: str) -> None:
    for method, name in WITH_BODY:
        status, text = answer(await partner.send(method, name, BROKEN[kind]))
        assert status == 400, name
        assert isinstance(text, str)
        assert len(text) > 10


@pytest.mark.parametrize(("method", "name"), WITH_BODY)
async def test_broken_gzip(partner: Partner, method: str, name: str) -> None:
    whole = gzipped(b'{"numbers": [], "messages": [], "x": "%s"}' % (b"a" * 5000))
    for content in (b"", b"{}", whole[:-9], whole[:12], whole[:40] + b"\xff" * 20, zlib.compress(b"{}")):
        response = await partner.send(method, name, content, headers={"Content-Encoding": "gzip"})
        assert answer(response)[0] == 400, content


@pytest.mark.parametrize(("method", "name"), WITH_BODY)
async def test_a_body_that_grows_too_large(partner: Partner, method: str, name: str) -> None:
    bomb = gzipped(b" " * (64 * 1024**2))
    response = await partner.send(method, name, bomb, headers={"Content-Encoding": "gzip"})
    assert answer(response) == (413, "the body is too large")


@pytest.mark.parametrize(("method", "name"), WITH_BODY)
async def test_a_body_that_is_too_large(partner: Partner, method: str, name: str) -> None:
    settings = Settings()
    usual, listing = settings.body_bytes_max, settings.numbers_body_bytes_max
    bytes_max = listing if name == "sendNumbersOnline" else usual
    start = (
        b'{"numbers": [], "number": "+46701740605", "country_id": 46, "rent": 0, "from": "x", "message": "x",'
    )
    start += b' "messages": [], "amount": "1", "method": "IBAN", "x": "'
    await partner.world.deposit(partner.account_id, "5")
    largest = start + b"a" * (bytes_max - len(start) - 2) + b'"}'
    await partner.report(NUMBER)
    assert (await partner.send(method, name, largest)).status_code == 200
    assert answer(await partner.send(method, name, largest + b" "))[0] == 413


async def test_a_list_of_too_many_values(partner: Partner) -> None:
    content = b'{"numbers": [' + b"1," * 2_000_000 + b"1]}"
    assert answer(await partner.send("POST", "sendNumbersOnline", content))[0] == 413


WRONG: list[object] = [None, True, 3.5, [], {}, [[]], {"a": 1}, "\0", "x" * 1000, -1, 10**30]


@pytest.mark.parametrize("name", sorted(GOOD))
async def test_fields_that_are_missing_or_of_another_type(partner: Partner, name: str) -> None:
    required = set(GOOD[name]) - {"date"}
    for field in GOOD[name]:
        content = {key: value for key, value in GOOD[name].items() if key != field}
        response = await partner.client.post(
            f"/api/resellers/{name}", json=content, headers={"Authorization": f"Bearer {partner.key}"}
        )
        assert response.status_code in ((400,) if field in required else (200, 404)), (field, response.text)
        for value in WRONG:
            response = await partner.client.post(
                f"/api/resellers/{name}",
                json=content | {field: value},
                headers={"Authorization": f"Bearer {partner.key}"},
            )
            assert response.status_code in (200, 400, 404), (field, value, response.text)
            assert isinstance(response.json()["response"], str | int)


TEXTS: list[tuple[str, dict[str, Any], str]] = [
    ("sendNumbersOnline", {}, "numbers is required"),
    ("sendNumbersOnline", {"numbers": {}}, "the body must be a JSON object, and numbers in it an array"),
    ("addNumber", {"country_id": 46, "rent": 0}, "number is required"),
    ("addNumber", {"number": NUMBER, "rent": 0}, "country_id is required"),
    ("addNumber", {"number": NUMBER, "country_id": 46}, "rent is required"),
    ("addNumber", {"number": "+46", "country_id": 46, "rent": 0}, "NUMBER_INVALID"),
    ("addNumber", {"number": NUMBER, "country_id": "se", "rent": 0}, "COUNTRY_ID_INVALID"),
    ("addNumber", {"number": NUMBER, "country_id": 46, "rent": 2}, "RENT_INVALID"),
    (
        "addNumber",
        {"number": NUMBER, "country_id": 46, "rent": 0, "port_id": "p" * 101},
        "PORT_ID_TOO_LONG",
    ),
    ("removeNumber", {}, "number is required"),
    ("removeNumber", {"number": []}, "number must be a string"),
    ("removeNumber", {"id": {}}, "id must be an integer"),
    ("addMessage", {"from": "x", "message": "y"}, "number is required"),
    ("addMessage", {"number": NUMBER, "message": "y"}, "from is required"),
    ("addMessage", {"number": NUMBER, "from": "x"}, "message is required"),
    ("addMessage", {"number": NUMBER, "from": "x", "message": ["y"]}, "message must be a string"),
    ("addMessages", {}, "messages must be an array"),
    (
        "addMessages",
        {"messages": [None] * (MESSAGES_MAX + 1)},
        f"messages may have {MESSAGES_MAX} elements at most; send the others in further calls",
    ),
    ("checkWork", {"test": "test4"}, "test must be test1 or test2"),
]


async def test_the_text_says_what_is_wrong(partner: Partner) -> None:
    for name, content, text in TEXTS:
        assert await partner.call(name, content, status=400) == {"response": text}


async def test_a_body_may_be_packed(partner: Partner) -> None:
    content = gzipped(b'{"numbers": [{"number": "+46701740605", "country_id": 46}]}')
    response = await partner.send("POST", "sendNumbersOnline", content, headers={"Content-Encoding": "gzip"})
    assert response.status_code == 200
    assert await partner.listed() == [NUMBER]
