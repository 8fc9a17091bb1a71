"""Whatever cannot be read is told in the dialect's own envelope, and moves nothing."""

from __future__ import annotations

import gzip
import json
from itertools import product

import httpx
import pytest

from simyard.edge.dialects.daisysim.v2 import DIALECT
from simyard.settings import Settings
from tests.edge.daisysim.buyer import Buyer, add_shelf, data, refused
from tests.world import World

NOT_OBJECTS = {
    "an array": b"[]",
    "an array of objects": b'[{"country": "USA"}]',
    "null": b"null",
    "a string": b'"USA"',
    "a number": b"1",
    "cut off": b'{"country": "USA"',
    "two": b"{}{}",
    "a trailing comma": b'{"country": "USA",}',
    "single quotes": b"{'country': 'USA'}",
    "not a number": b'{"country": NaN}',
    "a form": b"country=USA&app=WhatsApp",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"country": "USA"}'.encode("utf-16"),
    "Latin-1": '{"app": "é"}'.encode("latin-1"),
    "a surrogate in UTF-8": b'{"app": "\xed\xa0\x80"}',
    "a lone high surrogate": b'{"app": "\\ud800"}',
    "a lone low surrogate": b'{"app": "\\udc00 and more text"}',
    "a surrogate for a key": b'{"\\ud800": 1}',
    "a float beyond all": b'{"app": 1e999}',
    "a number without end": b'{"app": ' + b"9" * 100_000 + b"}",
    "nested objects": b'{"a":' * 100_000,
    "nested and closed": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "nested arrays": b'{"a":' + b"[" * 100_000,
    "binary": bytes(range(256)),
    "zeros": b"\0" * 1000,
}


@pytest.fixture
def settings() -> Settings:
    return Settings(rate_limit_scale=1000)


async def test_a_body_that_is_no_object(buyer: Buyer) -> None:
    for path, (name, content) in product(["/purchase", "/check-all"], NOT_OBJECTS.items()):
        response = await buyer.send("POST", path, content=content)
        assert refused(response) == (422, "VALIDATION_ERROR"), name


async def test_no_body(buyer: Buyer) -> None:
    for content in (None, b"", b" \n "):
        assert refused(await buyer.send("POST", "/purchase", content=content)) == (422, "INVALID_COUNTRY")
        assert refused(await buyer.send("POST", "/check-all", content=content)) == (422, "VALIDATION_ERROR")


async def test_a_body_that_is_too_large(buyer: Buyer) -> None:
    content = json.dumps({"country": "USA", "app": "x" * 1024**2}).encode()
    assert refused(await buyer.send("POST", "/purchase", content=content)) == (413, "VALIDATION_ERROR")
    bomb = gzip.compress(b" " * 50 * 1024**2)
    response = await buyer.send("POST", "/purchase", content=bomb, headers={"Content-Encoding": "gzip"})
    assert refused(response) == (413, "VALIDATION_ERROR")


async def test_a_packed_body(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    packed = gzip.compress(b'{"country": "USA", "app": "WhatsApp"}')
    headers = {"Content-Encoding": "gzip"}
    assert data(await buyer.send("POST", "/purchase", content=packed, headers=headers))
    for broken in (packed[:-4], b"{}", packed[:8]):
        response = await buyer.send("POST", "/purchase", content=broken, headers=headers)
        assert refused(response) == (422, "VALIDATION_ERROR")


async def test_any_content_type_will_do(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    content = b'{"country": "USA", "app": "WhatsApp"}'
    for content_type in (
        "application/json; charset=utf-8",
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
    ):
        headers = {"Content-Type": content_type}
        assert data(await buyer.send("POST", "/purchase", content=content, headers=headers))


async def test_of_a_field_that_comes_twice_the_last_holds(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    content = b'{"country": "Mars", "app": "nothing", "country": "USA", "app": "WhatsApp"}'
    assert data(await buyer.send("POST", "/purchase", content=content))


@pytest.mark.parametrize("action", ["GET /check/", "POST /cancel/"])
async def test_an_id_that_is_none(buyer: Buyer, action: str) -> None:
    method, path = action.split()
    values = [
        "",
        "0",
        "-1",
        "1.5",
        "1e9",
        "abc",
        "%20",
        "%00",
        "1%00",
        "%ff%fe",
        "%ed%a0%80",
        "%2e%2e",
        "1%2f2",
        "%25",
    ]
    values += [
        "9007199254740992",
        "9" * 5000,
        "2147483648",
        "9223372036854775808",
        "0x1",
        "%D9%A3",
        "%F0%9F%92%A9",
    ]
    values += ["null", "true", "[]", "'%20OR%201=1--", "..%2f..%2fbalance", "x" * 60_000]
    for value in values:
        response = await buyer.client.request(
            method, f"{DIALECT.prefix}{path}{value}", headers={"Authorization": f"Bearer {buyer.key}"}
        )
        assert refused(response) == (404, "NOT_FOUND"), value


async def test_a_country_that_is_none(buyer: Buyer) -> None:
    for value in (
        "US",
        "Canada",
        "%00",
        "USA%00",
        "%ff",
        "%ed%a0%80",
        "x" * 60_000,
        "1",
        "U%2553A",
        "%F0%9F%92%A9",
    ):
        assert refused(await buyer.get(f"/apps/{value}")) == (422, "INVALID_COUNTRY"), value
    for value in ("usa", "USA", "%55SA", "USA%20", "USA?x=1&x=2", "USA?%ff=%00"):
        assert data(await buyer.get(f"/apps/{value}")) == [], value


async def test_queries_nobody_asked_for_are_ignored(buyer: Buyer) -> None:
    for query in ("a=1&a=2", "%ff=%00", "&&&=;", "=", "status=%ed%a0%80" * 2000, "api_key=x", "\\ud800"):
        for path in ("/balance", "/countries"):
            assert data(await buyer.get(f"{path}?{query}"))


async def test_headers_that_make_no_sense(buyer: Buyer) -> None:
    headers: list[tuple[bytes, bytes]] = [
        (b"authorization", b"Bearer " + buyer.key.encode()),
        (b"accept", b"\xff\xfe"),
        (b"accept-encoding", b"gzip, gzip;q=0"),
        (b"x-request-id", b"\xff" * 5000),
        (b"content-length", b"abc"),
        (b"cookie", b"\0"),
    ]
    response: httpx.Response = await buyer.client.get(f"{DIALECT.prefix}/balance", headers=headers)
    assert data(response)["balance"] == 100
    assert response.headers["x-request-id"].isalnum()
