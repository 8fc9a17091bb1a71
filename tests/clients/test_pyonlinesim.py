"""`pyonlinesim` (Python, aiohttp), unmodified: what of it works against the vendor's own server."""

from __future__ import annotations

import pytest

from tests.clients.conftest import NUMBERS, PRICE, RENT_PRICES, Client, Platform, Raised


def test_an_activation_from_order_to_code(pyonlinesim: Client, platform: Platform) -> None:
    stats = platform.eventually(
        lambda: (
            (found := pyonlinesim.call("sms", "get_services", "44"))["services"]
            and found["services"][0]["count"] == len(NUMBERS)
            and found
        )
    )
    assert stats["services"][0]["slug"] == "telegram"
    ordered = pyonlinesim.call("sms", "order_number", "telegram", country=44, reject=[911, 912], number=True)
    assert ordered["number"] in NUMBERS
    balance = pyonlinesim.call("sms", "get_balance")
    assert (balance["balance"], balance["frozen_balance"]) == (1000 - PRICE, PRICE)

    (waiting,) = pyonlinesim.call("sms", "get_order_info", ordered["operation_id"])["orders"]
    assert (waiting["response"], waiting["message"]) == ("TZ_NUM_WAIT", None)
    platform.sms(ordered["number"], "Telegram", "Telegram code 48213")
    platform.sms(ordered["number"], "Telegram", "Telegram code 77120")
    (answered,) = pyonlinesim.call("sms", "get_order_info", ordered["operation_id"])["orders"]
    assert (answered["response"], answered["message"]) == ("TZ_NUM_ANSWER", "48213")
    revised = pyonlinesim.call("sms", "revise_order", ordered["operation_id"])
    assert revised["operation_id"] == ordered["operation_id"]
    (next_one,) = pyonlinesim.call("sms", "get_order_info", ordered["operation_id"], True)["orders"]
    assert next_one["message"] == "Telegram code 77120"
    finished = pyonlinesim.call("sms", "finish_order", ordered["operation_id"])
    assert finished["operation_id"] == ordered["operation_id"]


def test_a_rental_from_order_to_end(pyonlinesim: Client, platform: Platform) -> None:
    (tariff,) = pyonlinesim.call("rent", "get_tariffs")
    assert tariff["numbers"]["seven_days"]["price"] == RENT_PRICES[7]
    # The balance is asked for below `rent/`, too.
    assert pyonlinesim.call("rent", "get_balance")["balance"] == 1000
    rented = pyonlinesim.call("rent", "rent_number", 44, 1, pagination=True)
    assert rented["status"] == 0
    platform.sms(f"+44{rented['number']}", "Anybody", "Your code is 5518")
    info = pyonlinesim.call("rent", "get_rent_info", rented["operation_id"], True)
    assert (info["status"], info["messages"]["data"][0]["code"]) == (1, "5518")
    finished = pyonlinesim.call("rent", "finish_rent", rented["operation_id"])
    assert finished["operation_id"] == rented["operation_id"]


def test_errors_become_its_exceptions(pyonlinesim: Client) -> None:
    with pytest.raises(Raised) as raised:
        pyonlinesim.call("sms", "order_number", "telegram", country=46)
    assert raised.value.name != "KeyError"
