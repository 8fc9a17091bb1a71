"""`onlinesim-js-api` (JavaScript), unmodified: every method it has."""

from __future__ import annotations

import pytest

from tests.clients.conftest import NUMBERS, PRICE, RENT_PRICES, Client, Platform, Raised

TEXT = "Telegram code 48213. You can also tap on this link to log in."


def refusal(client: Client, service: str, method: str, *arguments: object) -> str:
    with pytest.raises(Raised) as raised:
        client.call(service, method, *arguments)
    return raised.value.text


def test_user_and_prices(onlinesim_js: Client, platform: Platform) -> None:
    assert onlinesim_js.call("user", "balance") == {"balance": 1000, "zbalance": 0, "income": 0}
    assert onlinesim_js.call("user", "profile")["email"] == "buyer@example.com"
    assert onlinesim_js.call("numbers", "price", "telegram", 44) == PRICE
    one = platform.eventually(
        lambda: (
            (found := onlinesim_js.call("numbers", "tariffsOne", 44))["services"]
            .get("service_telegram", {})
            .get("count")
            == len(NUMBERS)
            and found
        )
    )
    assert onlinesim_js.call("numbers", "tariffs")["44"]["services"] == one["services"]


def test_what_a_private_platform_does_not_sell(onlinesim_js: Client) -> None:
    assert refusal(onlinesim_js, "user", "getPaymentHistory") == "REQUEST_NOT_FOUND"
    assert refusal(onlinesim_js, "user", "createEmpty", {"sum": 1}) == "REQUEST_NOT_FOUND"
    assert refusal(onlinesim_js, "proxy", "tariffs") == "REQUEST_NOT_FOUND"


def test_an_activation_from_order_to_code(onlinesim_js: Client, platform: Platform) -> None:
    ordered = onlinesim_js.call("numbers", "getWithNumber", "telegram", 44, [911, 912])
    assert ordered["number"] in NUMBERS
    (state,) = onlinesim_js.call("numbers", "state")
    assert (state["tzid"], state["response"], "msg" in state) == (ordered["tzid"], "TZ_NUM_WAIT", False)

    onlinesim_js.start("numbers", "wait_code", ordered["tzid"], 200)
    platform.sms(ordered["number"], "Telegram", TEXT)
    assert onlinesim_js.result() == "48213"
    assert onlinesim_js.call("user", "balance") == {"balance": 1000 - PRICE, "zbalance": 0, "income": 0}
    assert refusal(onlinesim_js, "numbers", "state") == "ERROR_NO_OPERATIONS"


def test_messages_one_after_the_other(onlinesim_js: Client, platform: Platform) -> None:
    tzid = onlinesim_js.call("numbers", "get", "telegram", 44)
    number = onlinesim_js.call("numbers", "stateOne", tzid)["number"]
    platform.sms(number, "Telegram", TEXT)
    platform.sms(number, "Telegram", "Telegram code 77120")
    assert [one["msg"] for one in onlinesim_js.call("numbers", "stateOne", tzid)["msg"]] == ["48213", "77120"]
    assert onlinesim_js.call("numbers", "next", tzid) is True
    assert onlinesim_js.call("numbers", "stateOne", tzid, 0, False)["msg"] == "Telegram code 77120"
    assert onlinesim_js.call("numbers", "close", tzid) is True


def test_a_number_can_be_turned_down(onlinesim_js: Client) -> None:
    tzid = onlinesim_js.call("numbers", "get", "telegram", 44)
    assert onlinesim_js.call("numbers", "ban", tzid) is True
    assert onlinesim_js.call("user", "balance") == {"balance": 1000, "zbalance": 0, "income": 0}


def test_repeated_reception_is_not_offered(onlinesim_js: Client) -> None:
    assert refusal(onlinesim_js, "numbers", "service")
    assert refusal(onlinesim_js, "numbers", "serviceNumber", "telegram")
    assert refusal(onlinesim_js, "numbers", "repeat", "telegram", NUMBERS[0])


def test_a_rental_from_order_to_end(onlinesim_js: Client, platform: Platform) -> None:
    tariff = onlinesim_js.call("rent", "tariffsOne", 44)
    assert {int(days): price for days, price in tariff["days"].items()} == RENT_PRICES
    assert list(onlinesim_js.call("rent", "tariffs")) == ["44"]
    item = onlinesim_js.call("rent", "get", 44, 1)
    assert (item["status"], item["messages"]) == (0, [])
    platform.sms(f"+44{item['number']}", "Anybody", "Your code is 5518")
    confirmed = onlinesim_js.call("rent", "stateOne", item["tzid"])
    assert (confirmed["status"], confirmed["messages"][0]["code"]) == (1, "5518")
    assert onlinesim_js.call("rent", "extend", item["tzid"], 7)["rent"] == 8
    assert onlinesim_js.call("rent", "portReload", item["tzid"]) is True
    assert onlinesim_js.call("rent", "close", item["tzid"]) is True
    assert onlinesim_js.call("rent", "state") == []


def test_free_numbers(onlinesim_js: Client, platform: Platform) -> None:
    platform.simyard("number", "publish", NUMBERS[-1])
    platform.sms(NUMBERS[-1], "Telegram", TEXT)
    assert [one["country"] for one in onlinesim_js.call("free", "countries")] == [44]
    (number,) = onlinesim_js.call("free", "numbers", 44)
    assert number["full_number"] == NUMBERS[-1]
    (message,) = onlinesim_js.call("free", "messages", number["number"])
    assert message["text"].startswith(TEXT)
    listed = onlinesim_js.call("free", "freeList")
    assert list(listed["numbers"]) == [number["number"]]


def test_the_key_as_a_bearer_token(onlinesim_js_oauth: Client) -> None:
    assert onlinesim_js_oauth.call("user", "balance")["balance"] == 1000
