"""`onlinesimru` (Python), unmodified, with pydantic 1 and 2: every method it has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.conftest import NUMBERS, PRICE, RENT_PRICES, Client, Platform, Raised

TEXT = "Telegram code 48213. You can also tap on this link to log in."


def order(client: Client) -> dict[str, Any]:
    ordered: dict[str, Any] = client.call("numbers", "get", "telegram", 44, number=True)
    return ordered


def test_user_and_prices(onlinesimru: Client, platform: Platform) -> None:
    balance = onlinesimru.call("user", "balance")
    assert (balance["balance"], balance["zbalance"], balance["income"]) == (1000, 0, 0)
    profile = onlinesimru.call("user", "profile")
    assert profile["email"] == "buyer@example.com"
    assert profile["id"] == platform.buyer_id
    one = platform.eventually(
        lambda: (
            (onlinesimru.call("numbers", "tariffsOne", 44)["services"].get("service_telegram") or {}).get(
                "count"
            )
            == len(NUMBERS)
            and onlinesimru.call("numbers", "tariffsOne", 44)
        )
    )
    assert one["services"]["service_telegram"]["price"] == PRICE
    assert onlinesimru.call("numbers", "tariffs")["44"]["services"] == one["services"]


def test_price_without_a_country_is_of_the_default_country(onlinesimru: Client) -> None:
    # The client sends no country; Russia, the default, is not on offer here.
    with pytest.raises(Raised) as raised:
        onlinesimru.call("numbers", "price", "telegram")
    assert raised.value.name == "RequestException"


def test_an_activation_from_order_to_code(onlinesimru: Client, platform: Platform) -> None:
    ordered = order(onlinesimru)
    assert ordered["number"] in NUMBERS
    assert onlinesimru.call("user", "balance")["zbalance"] == PRICE
    (state,) = onlinesimru.call("numbers", "state")
    assert (state["tzid"], state["response"]) == (ordered["tzid"], "TZ_NUM_WAIT")
    assert "msg" not in state

    onlinesimru.start("numbers", "wait_code", ordered["tzid"], timeout=1)
    platform.sms(ordered["number"], "Telegram", TEXT)
    assert onlinesimru.result() == "48213"

    balance = onlinesimru.call("user", "balance")
    assert (balance["balance"], balance["zbalance"]) == (1000 - PRICE, 0)
    assert onlinesimru.call("numbers", "stateOne", ordered["tzid"])["response"] == "TZ_OVER_OK"
    with pytest.raises(Raised) as raised:
        onlinesimru.call("numbers", "state")
    assert "ERROR_NO_OPERATIONS" in raised.value.text


def test_the_whole_message_can_be_waited_for(onlinesimru: Client, platform: Platform) -> None:
    ordered = order(onlinesimru)
    onlinesimru.start("numbers", "wait_code", ordered["tzid"], timeout=1, full_message=True)
    platform.sms(ordered["number"], "Telegram", TEXT)
    assert onlinesimru.result() == TEXT


def test_the_next_message_follows_the_first(onlinesimru: Client, platform: Platform) -> None:
    ordered = order(onlinesimru)
    onlinesimru.start("numbers", "wait_code", ordered["tzid"], timeout=1, not_end=True)
    platform.sms(ordered["number"], "Telegram", TEXT)
    assert onlinesimru.result() == "48213"
    waiting = onlinesimru.call("numbers", "stateOne", ordered["tzid"])
    assert (waiting["response"], "msg" in waiting) == ("TZ_NUM_WAIT", False)

    platform.sms(ordered["number"], "Telegram", "Telegram code 77120")
    both = onlinesimru.call("numbers", "stateOne", ordered["tzid"])
    assert both["response"] == "TZ_NUM_ANSWER"
    assert [one["msg"] for one in both["msg"]] == ["77120"]
    onlinesimru.call("numbers", "next", ordered["tzid"])
    onlinesimru.call("numbers", "close", ordered["tzid"])


def test_closing_before_an_sms_gives_the_money_back(onlinesimru: Client) -> None:
    tzid = onlinesimru.call("numbers", "get", "telegram", 44, reject=[700, 7111])
    onlinesimru.call("numbers", "close", tzid)
    assert onlinesimru.call("user", "balance")["balance"] == 1000
    tzid = onlinesimru.call("numbers", "get", "telegram", 44)
    onlinesimru.call("numbers", "ban", tzid)
    assert onlinesimru.call("numbers", "stateOne", tzid)["response"] == "TZ_OVER_EMPTY"


def test_repeated_reception_is_not_offered(onlinesimru: Client) -> None:
    for method, arguments in (("service", ()), ("serviceNumber", ("telegram",))):
        with pytest.raises(Raised) as raised:
            onlinesimru.call("numbers", method, *arguments)
        assert raised.value.name == "RequestException"


def test_a_rental_from_order_to_end(onlinesimru: Client, platform: Platform) -> None:
    tariff = platform.eventually(
        lambda: (one := onlinesimru.call("rent", "get_tariff", 44))["count"]["1"] == len(NUMBERS) and one
    )
    assert {int(days): price for days, price in tariff["days"].items()} == RENT_PRICES
    assert [one["code"] for one in onlinesimru.call("rent", "get_tariffs")] == [44]

    item = onlinesimru.call("rent", "rent_new_number", 44, 1)
    msisdn = f"+44{item['number']}"
    assert msisdn in NUMBERS
    assert item["status"] == 0
    assert onlinesimru.call("rent", "get_messages", item["tzid"]) == []

    before = platform.requests_answered()
    onlinesimru.start("rent", "wait_code", item["tzid"], timeout=1)
    # It waits for a code that was not there at its first look.
    platform.eventually(lambda: platform.requests_answered() > before)
    platform.sms(msisdn, "Anybody", "Your code is 5518")
    assert onlinesimru.result() == "5518"
    (message,) = onlinesimru.call("rent", "get_messages", item["tzid"])
    assert (message["service"], message["text"]) == ("Anybody", "Your code is 5518")
    assert onlinesimru.call("rent", "get_last_message", item["tzid"]) == message
    assert onlinesimru.call("rent", "get_number_by_phone_number", msisdn)["tzid"] == item["tzid"]

    extended = onlinesimru.call("rent", "extend_number_rental", item["tzid"], 7)
    assert (extended["rent"], extended["status"]) == (8, 1)
    onlinesimru.call("rent", "port_reload", item["tzid"])
    onlinesimru.call("rent", "revoke_number", item["tzid"])
    assert onlinesimru.call("rent", "get_numbers") == []
    paid = RENT_PRICES[1] + RENT_PRICES[7]
    assert onlinesimru.call("user", "balance")["balance"] == 1000 - paid


def test_free_numbers(onlinesimru: Client, platform: Platform) -> None:
    platform.simyard("number", "publish", NUMBERS[-1])
    platform.sms(NUMBERS[-1], "Telegram", TEXT)
    assert [one["country"] for one in onlinesimru.call("free", "get_countries")] == [44]
    (number,) = onlinesimru.call("free", "get_numbers", 44)
    assert number["full_number"] == NUMBERS[-1]
    (message,) = onlinesimru.call("free", "get_messages", number["number"])
    assert message["text"].startswith(TEXT)
    assert message["in_number"] != "Telegram"


def test_proxies_are_not_sold_here(onlinesimru: Client) -> None:
    with pytest.raises(Raised) as raised:
        onlinesimru.call("proxy", "tariffs")
    assert "REQUEST_NOT_FOUND" in raised.value.text
