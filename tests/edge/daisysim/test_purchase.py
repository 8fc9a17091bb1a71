"""Buying: which pool, which labels, and what a repeat does."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import Any

import pytest

from simyard.base.clock import ManualClock
from simyard.settings import Settings
from tests.edge.daisysim.buyer import Buyer, add_shelf, data, refused
from tests.world import World

KEY = {"Idempotency-Key": "9f2c 7b/=+"}
PURCHASE = {"country": "USA", "app": "WhatsApp"}


@pytest.fixture
def settings() -> Settings:
    return Settings(rate_limit_scale=1000)


async def test_without_a_provider_the_cheapest_with_stock_wins(buyer: Buyer) -> None:
    await add_shelf(buyer.world, {"whatsapp": "2"}, 3)
    await add_shelf(buyer.world, {"whatsapp": "1"}, 2)
    asked: list[dict[str, object]] = [{}, {"provider_id": None}, {"provider_id": ""}]
    charged = [(await buyer.purchase("sb_wa", **one))["amount_charged"] for one in asked]
    assert charged == [1, 1, 2]
    assert await buyer.balance() == 96


async def test_a_provider_is_taken_at_its_price(buyer: Buyer) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1"})
    dear = await add_shelf(buyer.world, {"whatsapp": "2"})
    for provider_id in (str(dear.id), dear.id, f" {dear.id} "):
        assert (await buyer.purchase("sb_wa", provider_id=provider_id))["amount_charged"] == 2


async def test_a_provider_that_is_none_has_no_stock(buyer: Buyer) -> None:
    for price in ("1", "2"):
        await add_shelf(buyer.world, {"whatsapp": price})
    provider_ids: list[Any] = [
        "9999",
        "0",
        "-1",
        "abc",
        "9" * 40,
        10**15,
        2**63,
        True,
        [],
        {},
        ["3001"],
        1.5,
        "٣",
        "\0",
    ]
    for provider_id in provider_ids:
        response = await buyer.post("/purchase", {**PURCHASE, "app": "sb_wa", "provider_id": provider_id})
        assert refused(response) == (503, "OUT_OF_STOCK")
        assert await buyer.balance() == 100


async def test_other_services_ignore_the_provider(buyer: Buyer) -> None:
    reserved = await add_shelf(buyer.world, {"telegram": "3"}, reserved_for="telegram")
    await add_shelf(buyer.world, {"whatsapp": "1"}, 20)
    provider_ids: list[Any] = ["9999", "abc", str(reserved.id), [], {"a": 1}]
    for provider_id in provider_ids:
        assert (await buyer.purchase("WhatsApp", provider_id=provider_id))["amount_charged"] == 1
    bought = await buyer.purchase(f"telegram-{reserved.id}", provider_id="9999")
    assert bought["amount_charged"] == 3


async def test_codes_are_read_in_any_case(buyer: Buyer) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1"})
    for app in ("whatsapp", "WHATSAPP", "SB_WA", " WhatsApp "):
        assert (await buyer.purchase(app))["amount_charged"] == 1


async def test_the_country_is_read_in_any_case(buyer: Buyer) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1"})
    assert data(await buyer.post("/purchase", {"country": " usa ", "app": "WhatsApp"}))["country"] == "USA"


async def test_another_country_is_not_supported(buyer: Buyer) -> None:
    countries: list[Any] = [
        None,
        "",
        "US",
        "United States",
        "GB",
        "USA\0",
        1,
        840,
        True,
        [],
        {},
        "USA" * 9999,
    ]
    for country in countries:
        response = await buyer.post("/purchase", {"country": country, "app": "WhatsApp"})
        assert refused(response) == (422, "INVALID_COUNTRY")


async def test_an_app_that_is_none(buyer: Buyer) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1", "paypal": "1"})
    apps: list[Any] = [
        None,
        "",
        " ",
        "nothing",
        "sb_",
        "sb_nothing",
        "SB_",
        "whatsapp-",
        "whatsapp-abc",
        "-3001",
        "PayPal",
        "sb_paypal",
        "x" * 100_000,
        0,
        12,
        1.5,
        True,
        [],
        {},
        ["WhatsApp"],
        "\0",
        "ｗhatsapp",
        "whatsapp-٣",
    ]
    for app in apps:
        response = await buyer.post("/purchase", {"country": "USA", "app": app})
        assert refused(response) == (422, "PRICE_VERIFICATION_FAILED")


async def test_labels_are_kept_as_given(buyer: Buyer) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1"}, 9)
    given: list[tuple[dict[str, Any], tuple[str, str]]] = [
        ({}, ("WhatsApp", "USA")),
        ({"app_name": None, "country_name": ""}, ("WhatsApp", "USA")),
        ({"app_name": "WhatsApp 3", "country_name": "United States"}, ("WhatsApp 3", "United States")),
        ({"app_name": " Ватсап 🇺🇸 ", "country_name": "États-Unis"}, ("Ватсап 🇺🇸", "États-Unis")),
        ({"app_name": "a\0b\nc", "country_name": "\0"}, ("abc", "USA")),
        ({"app_name": "x" * 200}, ("x" * 200, "USA")),
    ]
    for fields, shown in given:
        bought = await buyer.purchase(**fields)
        assert (bought["service"], bought["country"]) == shown
    orders = data(await buyer.get("/history"))["orders"]
    assert [(one["service"], one["country"]) for one in reversed(orders)] == [shown for _, shown in given]


async def test_a_label_that_is_none(buyer: Buyer) -> None:
    labels: list[Any] = ["x" * 201, 1, 1.5, True, [], {}]
    for field, label in product(["app_name", "country_name"], labels):
        response = await buyer.post("/purchase", {**PURCHASE, field: label})
        assert refused(response) == (422, "VALIDATION_ERROR"), label
        assert field in response.json()["error"]


async def test_unknown_fields_and_a_price_are_ignored(buyer: Buyer) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1.5"})
    assert (await buyer.purchase(price=0.01, amount="free", nested={"a": [1]}))["amount_charged"] == 1.5


async def test_money_that_is_short_by_a_hair(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1.083"})
    poor = await Buyer.join(world, buyer.client, "1.0829")
    assert refused(await poor.post("/purchase", PURCHASE)) == (400, "INSUFFICIENT_BALANCE")
    rich = await Buyer.join(world, buyer.client, "1.083")
    assert (await rich.purchase())["balance_after"] == 0


# Repeats


async def test_a_repeat_gets_the_same_answer(buyer: Buyer, clock: ManualClock) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1"})
    first = await buyer.post("/purchase", PURCHASE, headers=KEY)
    data(first)
    await buyer.purchase()
    clock.turn(61)
    again = await buyer.post("/purchase", {**PURCHASE, "ignored": 1}, headers=KEY)
    assert again.content == first.content
    assert await buyer.balance() == 98
    assert data(await buyer.get("/history"))["pagination"]["total"] == 2


async def test_a_key_used_for_another_order_is_refused(buyer: Buyer) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1", "telegram": "1"})
    data(await buyer.post("/purchase", PURCHASE, headers=KEY))
    others: list[dict[str, str]] = [
        {"app": "Telegram"},
        {"app": "sb_wa", "provider_id": "3001"},
        {"app_name": "another"},
        {"country_name": "another"},
    ]
    for other in others:
        response = await buyer.post("/purchase", {**PURCHASE, **other}, headers=KEY)
        assert refused(response) == (409, "CONCURRENT_ERROR"), other
    assert await buyer.balance() == 99


async def test_a_refused_order_leaves_its_key_free(buyer: Buyer) -> None:
    assert refused(await buyer.post("/purchase", PURCHASE, headers=KEY))[0] == 422
    await add_shelf(buyer.world, {"whatsapp": "1"})
    assert data(await buyer.post("/purchase", PURCHASE, headers=KEY))["amount_charged"] == 1


async def test_keys_are_an_accounts_own(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    other = await Buyer.join(world, buyer.client)
    bought = [data(await one.post("/purchase", PURCHASE, headers=KEY)) for one in (buyer, other)]
    assert bought[0]["activation_id"] != bought[1]["activation_id"]


async def test_twins_pay_once(buyer: Buyer) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1"})
    answers = await asyncio.gather(*(buyer.post("/purchase", PURCHASE, headers=KEY) for _ in range(5)))
    assert len({answer.content for answer in answers}) == 1
    data(answers[0])
    assert await buyer.balance() == 99


async def test_a_key_that_cannot_be_kept(buyer: Buyer) -> None:
    keys: list[Any] = ["", "x" * 256, "a\tb", "\x7f", "\x80"]
    for key in keys:
        response = await buyer.client.request(
            "POST",
            "/api/v1/server7/purchase",
            json=PURCHASE,
            headers=[
                (b"authorization", b"Bearer " + buyer.key.encode()),
                (b"idempotency-key", key.encode("latin-1")),
            ],
        )
        assert refused(response) == (422, "VALIDATION_ERROR")


async def test_many_buy_at_once_what_there_is(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"}, 6)
    answers = await asyncio.gather(*(buyer.post("/purchase", PURCHASE) for _ in range(10)))
    bought = [answer for answer in answers if answer.status_code == 200]
    assert len(bought) == 6
    assert {refused(answer) for answer in answers if answer.status_code != 200} == {(503, "OUT_OF_STOCK")}
    assert len({data(answer)["phone_number"] for answer in bought}) == 6
    assert await buyer.balance() == 94
    await world.assert_whole()
