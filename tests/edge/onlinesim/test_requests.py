"""However a client spells a request, it is understood: paths, methods, encodings, keys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simyard.core.catalog.catalog import load as load_catalog
from simyard.edge.dialects.onlinesim.dialect import ACTIONS
from simyard.settings import Settings
from tests.edge.onlinesim.buyer import Buyer, add_shelf, answer, receive
from tests.world import World, micros, reported

BALANCE = {"response": "1", "balance": 100, "zbalance": 0, "income": 0, "income_usd": 0}
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/getBalance",
        "/api/getBalance.php",
        "/api//getBalance.php",
        "/api/getBalance/",
        "//api/getBalance",
    ],
)
async def test_a_path_in_each_of_its_spellings(buyer: Buyer, path: str, method: str) -> None:
    url = f"http://simyard.test{path}?apikey={buyer.key}"
    assert answer(await buyer.client.request(method, url)) == BALANCE


async def test_every_method_answers_get_and_post_with_and_without_php(buyer: Buyer) -> None:
    names = {path for _, path in ACTIONS}
    assert len(names) == 26
    for name in names:
        for method in ("GET", "POST"):
            for end in ("", ".php"):
                told = answer(await buyer.client.request(method, f"/api{name}{end}?apikey={buyer.key}"))
                if name != "/getNumRepeat":
                    assert told != {"response": "REQUEST_NOT_FOUND"}, name


async def test_an_older_name_of_the_state(buyer: Buyer) -> None:
    assert await buyer.ask("getOperations") == {"response": "ERROR_NO_OPERATIONS"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/getbalance"),
        ("GET", "/api/getForward.php"),
        ("GET", "/api/pay/createEmpty"),
        ("GET", "/api/getPaymentHistory.php"),
        ("GET", "/api/"),
        ("DELETE", "/api/getBalance"),
        ("PUT", "/api/getNum"),
    ],
)
async def test_a_method_that_is_not_there(buyer: Buyer, method: str, path: str) -> None:
    response = await buyer.client.request(method, path, params={"apikey": buyer.key})
    assert answer(response) == {"response": "REQUEST_NOT_FOUND"}


# Keys


async def test_a_key_in_each_of_its_places(buyer: Buyer) -> None:
    url, key = "/api/getBalance", buyer.key
    client = buyer.client
    assert answer(await client.get(url, params={"apikey": key})) == BALANCE
    assert answer(await client.get(url, params={"api_key": key})) == BALANCE
    assert answer(await client.get(url, headers={"authorization": f"Bearer {key}"})) == BALANCE
    assert answer(await client.post(url, json={"apikey": key})) == BALANCE
    assert answer(await client.post(url, data={"apikey": key})) == BALANCE
    # A client that is told to use a token of OAuth still sends its key.
    both = {"authorization": "Bearer of-somewhere-else"}
    assert answer(await client.get(url, params={"apikey": key}, headers=both)) == BALANCE
    empty = {"authorization": f"Bearer {key}"}
    assert answer(await client.get(url, params={"apikey": ""}, headers=empty)) == BALANCE
    # The body wins.
    assert answer(await client.post(url, params={"apikey": "wrong"}, json={"apikey": key})) == BALANCE


async def test_json_is_read_whatever_the_body_is_said_to_be(buyer: Buyer) -> None:
    body = json.dumps({"apikey": buyer.key, "dev_id": "en", "lang": None})
    for headers in (JSON, FORM, {"content-type": "text/plain"}):
        response = await buyer.client.post("/api/getBalance", content=body, headers=headers)
        assert answer(response) == BALANCE


@pytest.mark.parametrize("body", [b"{", b'{"a": 1} x', b"[1]", b"\xff\xfe", b'{"tzid": ' + b"[" * 5000])
async def test_a_body_that_cannot_be_read_is_told_to_those_who_may_ask(buyer: Buyer, body: bytes) -> None:
    url = "/api/setOperationRevise"
    said = answer(await buyer.client.post(url, params={"apikey": buyer.key}, content=body))
    assert said["response"] in ("ERROR_PARAMS", "ERROR_NO_TZID")
    assert answer(await buyer.client.post(url, content=body)) == {"response": "ERROR_NO_KEY"}


async def test_too_many_parameters(buyer: Buyer) -> None:
    query = f"apikey={buyer.key}&" + "&".join(f"a{n}=1" for n in range(1001))
    assert answer(await buyer.client.get(f"/api/getBalance?{query}")) == {"response": "ERROR_NO_KEY"}
    content = "&".join(f"a{n}=1" for n in range(1001))
    response = await buyer.client.post(f"/api/getNum?apikey={buyer.key}", content=content)
    assert answer(response) == {"response": "ERROR_PARAMS"}


class TestSmallBodies:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(body_bytes_max=2000)

    async def test_a_body_that_is_too_large(self, buyer: Buyer) -> None:
        response = await buyer.client.post(f"/api/getNum?apikey={buyer.key}", content=b"x" * 2001)
        assert answer(response) == {"response": "ERROR_PARAMS"}


# Values


@pytest.mark.parametrize("text", ["true", "True", "1", "yes"])
async def test_a_yes_in_each_of_its_spellings(buyer: Buyer, world: World, text: str) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    assert "number" in await buyer.ask("getNum", service="whatsapp", country=46, number=text)


@pytest.mark.parametrize("text", ["false", "False", "0", "", "no"])
async def test_a_no_in_each_of_its_spellings(buyer: Buyer, world: World, text: str) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    assert "number" not in await buyer.ask("getNum", service="whatsapp", country=46, number=text)


async def test_a_yes_and_a_no_of_json(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    body = {"apikey": buyer.key, "service": "whatsapp", "country": "46"}
    assert "number" in answer(await buyer.client.post("/api/getNum", json={**body, "number": True}))
    assert "number" not in answer(await buyer.client.post("/api/getNum", json={**body, "number": False}))
    assert "number" not in answer(await buyer.client.post("/api/getNum", json={**body, "number": None}))


@pytest.mark.parametrize("named", ["Tele2", "tele2", "TELE 2"])
async def test_a_number_of_one_mobile_operator(buyer: Buyer, world: World, named: str) -> None:
    supplier = await world.add_supplier()
    tele2 = load_catalog().brand("SE", "tele2")
    assert tele2 is not None
    await world.add_direct_pool(supplier)
    await world.report(supplier, [reported("+46701100001", "SE"), reported("+46702200001", "SE", tele2.id)])
    await world.set_price("whatsapp", "1", country="SE")
    ordered = await buyer.ask("getNum", service="whatsapp", country=46, number=1, simoperator=named)
    assert ordered["number"] == "+46702200001"
    for other in (named, "telia", "nobody"):
        asked = await buyer.ask("getNum", service="whatsapp", country=46, simoperator=other)
        assert asked == {"response": "NO_NUMBER"}
    assert await buyer.order(simoperator="any")


REJECTED = [
    "reject[]=7011&reject[]=7022",
    "reject%5B%5D=7011&reject%5B%5D=7022",
    "reject[0]=7011&reject[1]=7022",
    "reject=7011&reject=7022",
    "reject=7011,7022",
    "reject=[7011, 7022]",
    "reject=%5B%227011%22%2C%227022%22%5D",
]


@pytest.mark.parametrize("query", REJECTED)
async def test_prefixes_to_avoid_in_each_of_their_spellings(buyer: Buyer, world: World, query: str) -> None:
    await add_shelf(world, {"whatsapp": "1"}, ["+46701100001", "+46702200001", "+46703300001"])
    url = f"/api/getNum.php?apikey={buyer.key}&service=whatsapp&country=46&number=1&{query}"
    assert answer(await buyer.client.get(url))["number"] == "+46703300001"
    assert answer(await buyer.client.get(url)) == {"response": "NO_NUMBER"}


@pytest.mark.parametrize("reject", [[7011, "7022"], ["7011", 7022], "7011,7022"])
async def test_prefixes_to_avoid_in_json(buyer: Buyer, world: World, reject: Any) -> None:
    await add_shelf(world, {"whatsapp": "1"}, ["+46701100001", "+46702200001", "+46703300001"])
    body = {"apikey": buyer.key, "service": "whatsapp", "country": 46, "number": True, "reject": reject}
    assert answer(await buyer.client.post("/api/getNum.php", json=body))["number"] == "+46703300001"
    assert answer(await buyer.client.post("/api/getNum.php", json=body)) == {"response": "NO_NUMBER"}


@pytest.mark.parametrize("reject", ["", "[]", "[ ]"])
async def test_no_prefixes_to_avoid(buyer: Buyer, world: World, reject: str) -> None:
    await add_shelf(world, {"whatsapp": "1"}, 1)
    assert await buyer.order(reject=reject)


@pytest.mark.parametrize("reject", ["abc", "9 1", "-1", "١", "1" * 16, ",".join(["1"] * 101)])
async def test_prefixes_that_are_none(buyer: Buyer, world: World, reject: str) -> None:
    await add_shelf(world, {"whatsapp": "1"}, 1)
    asked = await buyer.ask("getNum", service="whatsapp", country=46, reject=reject)
    assert asked == {"response": "ERROR_PARAMS"}


@pytest.mark.parametrize(
    "spelling",
    ["telegram", "Telegram", "TELEGRAM", "_telegram", "service_telegram", "Service_Telegram", " telegram"],
)
async def test_a_service_in_each_of_its_spellings(buyer: Buyer, world: World, spelling: str) -> None:
    await add_shelf(world, {"telegram": "1"}, 1)
    assert await buyer.order(spelling)


@pytest.mark.parametrize("spelling", ["3223", "facebook", "service_3223", "_3223"])
async def test_a_service_that_goes_by_a_number(buyer: Buyer, world: World, spelling: str) -> None:
    await add_shelf(world, {"facebook": "1"}, 1)
    tzid = await buyer.order(spelling)
    operation = await buyer.state(tzid)
    assert (operation["service"], operation["title"]) == ("3223", "Facebook")


@pytest.mark.parametrize(
    ("iso2", "prefix", "code"), [("KZ", "+7701555", 77), ("CA", "+1416555", 1000), ("RU", "+7916555", None)]
)
async def test_countries_that_share_a_dialling_code(
    buyer: Buyer, world: World, iso2: str, prefix: str, code: int | None
) -> None:
    numbers = [f"{prefix}{n:04d}" for n in range(1)]
    await add_shelf(world, {"whatsapp": "1"}, numbers, country=iso2)
    asked: dict[str, Any] = {"service": "whatsapp"} | ({} if code is None else {"country": code})
    ordered = await buyer.ask("getNum", number=1, **asked)
    # Russia is where orders go that name no country.
    assert (ordered["number"], ordered["country"]) == (numbers[0], code or 7)


async def test_unknown_parameters_are_ignored(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"}, 1)
    assert await buyer.order(dev_id="en", region=77, form="{", extension=2, forward_number="", clean_call=[1])


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("getNum", {"service": "whatsapp", "number": "maybe"}),
        ("getState", {"message_to_code": "x"}),
        ("getState", {"msg_list": "x"}),
        ("setOperationOk", {"tzid": 1, "ban": "x"}),
        ("rent/getRentNum", {"country": 46, "days": 1, "extension": "x"}),
        ("rent/getRentNum", {"country": 46, "days": "x"}),
        ("rent/getRentState", {"pagination": "x"}),
        ("rent/getRentState", {"page": 0}),
        ("webhook-logs", {"page": -1}),
        ("getTariffs", {"page": "x"}),
        ("getTariffs", {"locale_price": "dollars"}),
        ("getTariffs", {"filter": "x" * 101}),
        ("getFreeList", {"page": 0}),
        ("profile", {"profile": "{"}),
        ("profile", {"profile": "[]"}),
        ("profile", {"profile": '{"webhook_url": 1}'}),
        ("profile", {"profile": '{"webhook_url": "https://example.com/\\u0000"}'}),
    ],
)
async def test_parameters_that_cannot_be_read(buyer: Buyer, method: str, fields: dict[str, Any]) -> None:
    assert await buyer.ask(method, **fields) == {"response": "ERROR_PARAMS"}


async def test_a_repeat_under_an_idempotency_key_extends_once(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {}, tariffs={1: "2", 7: "5"})
    item = await buyer.rent(1)
    await receive(world, f"+46{item['number']}", "hello")
    headers = {"Idempotency-Key": "one"}
    asked = {"tzid": item["tzid"], "days": 7}
    extended = await buyer.ask("rent/extendRentState", headers=headers, **asked)
    assert (extended["item"]["rent"], extended["item"]["sum"]) == (8, "7")
    assert await buyer.ask("rent/extendRentState", headers=headers, **asked) == extended
    other = await buyer.ask("rent/extendRentState", headers=headers, tzid=item["tzid"], days=1)
    assert other == {"response": "DUPLICATE_OPERATION"}
    assert await buyer.balance() == 93
    # Without a key it is another extension.
    again = await buyer.ask("rent/extendRentState", pagination="true", **asked)
    assert (again["item"]["rent"], again["item"]["messages"]["total"]) == (15, 1)
    await world.assert_whole()


async def test_a_repeat_under_an_idempotency_key_orders_once(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1", "telegram": "1"}, tariffs={1: "2", 7: "5"})
    headers = {"Idempotency-Key": "one"}
    tzid = await buyer.order(headers=headers)
    assert await buyer.order(headers=headers) == tzid
    other = await buyer.ask("getNum", service="telegram", country=46, headers=headers)
    assert other == {"response": "DUPLICATE_OPERATION"}
    rent = {"Idempotency-Key": "two"}
    item = await buyer.rent(headers=rent)
    assert await buyer.rent(headers=rent) == item
    again = await buyer.ask("rent/getRentNum", country=46, days=7, headers=rent)
    assert again == {"response": "DUPLICATE_OPERATION"}
    assert (await world.balance(buyer.account_id)).held == micros("3")
    for key in ("", "x" * 256):
        asked = await buyer.ask("getNum", service="whatsapp", country=46, headers={"Idempotency-Key": key})
        assert asked == {"response": "ERROR_PARAMS"}
