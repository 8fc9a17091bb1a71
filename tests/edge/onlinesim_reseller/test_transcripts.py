"""Every example of the reseller API v2, as printed."""

from __future__ import annotations

import re

import pytest

from tests.edge.onlinesim_reseller.partner import NUMBER, SECOND, Partner

LIST = """{"numbers": [
  {"number": "+46701740605", "country_id": 46, "operator": 24001, "date_start": 1795219200,
   "port_id": "bank1-07", "rent": 0},
  {"number": "+46701740606", "country_id": 46}]}"""
LIST_ANSWER = b'{"response":1,"ids":{"+46701740605":%d,"+46701740606":%d}}'
ADDITION = (
    """{"number": "+46701740607", "country_id": 46, "port_id": "bank1-08", "rent": 0, "operator": 24007}"""
)
MESSAGE = """{"date": "1795219269", "number": "+46701740605", "from": "Telegram", "message": "Telegram code 48213"}"""
MESSAGES = """{"messages": [
  {"date": "1795219269", "number": "+46701740605", "from": "Telegram", "message": "Telegram code 48213"},
  {"date": "1795219270", "number": "11", "from": "Google", "message": "G-553120 is your code"}]}"""
DONE = b'{"response":1}'


async def test_a_list_is_answered_with_ids(partner: Partner) -> None:
    response = await partner.send("POST", "sendNumbersOnline", LIST)
    first, second = await partner.world.number_id(NUMBER), await partner.world.number_id(SECOND)
    assert (response.status_code, response.content) == (200, LIST_ANSWER % (first, second))
    assert response.headers["content-type"] == "application/json"
    rows = await partner.world.rows(
        "SELECT msisdn, country, operator_id, port, extract(epoch FROM placed_at)::bigint, rent, listed"
        "  FROM number ORDER BY id"
    )
    assert rows == [
        (NUMBER, "SE", 24001, "bank1-07", 1795219200, False, True),
        (SECOND, "SE", None, SECOND, None, False, True),
    ]


async def test_a_repeated_list_is_answered_the_same(partner: Partner) -> None:
    first = await partner.send("POST", "sendNumbersOnline", LIST)
    again = await partner.send("POST", "sendNumbersOnline", LIST)
    assert first.content == again.content


async def test_a_number_is_added(partner: Partner) -> None:
    await partner.send("POST", "sendNumbersOnline", LIST)
    response = await partner.send("POST", "addNumber", ADDITION)
    number_id = await partner.world.number_id("+46701740607")
    assert (response.status_code, response.content) == (
        200,
        b'{"response":1,"ids":{"+46701740607":%d}}' % number_id,
    )
    assert await partner.listed() == [NUMBER, SECOND, "+46701740607"]
    assert await partner.world.rows("SELECT port, operator_id FROM number WHERE id = $1", number_id) == [
        ("bank1-08", 24007)
    ]


async def test_a_message_is_delivered(partner: Partner) -> None:
    await partner.report(NUMBER)
    buyer, order = await partner.sold()
    response = await partner.send("POST", "addMessage", MESSAGE)
    assert (response.status_code, response.content) == (200, DONE)
    assert (await partner.check(buyer, order)).code == "48213"
    ((sender, body, code, sent_at),) = await partner.messages()
    assert (sender, body, code, sent_at.timestamp()) == (
        "Telegram",
        "Telegram code 48213",
        "48213",
        1795219269,
    )


async def test_several_messages_are_delivered(partner: Partner) -> None:
    ids = (await partner.report(NUMBER, SECOND))["ids"]
    telegram_buyer, telegram = await partner.sold("telegram")
    google_buyer, google = await partner.sold("google")
    assert {telegram.msisdn, google.msisdn} == {NUMBER, SECOND}
    content = MESSAGES.replace(NUMBER, telegram.msisdn).replace('"11"', f'"{ids[google.msisdn]}"')
    response = await partner.send("POST", "addMessages", content)
    assert (response.status_code, response.content) == (200, DONE)
    assert (await partner.check(telegram_buyer, telegram)).code == "48213"
    assert (await partner.check(google_buyer, google)).code == "553120"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("content", [None, "", " \n", "{}", '{"anything": [1]}'])
async def test_a_heartbeat_is_answered(partner: Partner, method: str, content: str | None) -> None:
    response = await partner.send(method, "checkWork", content)
    assert (response.status_code, response.content) == (200, DONE)


@pytest.mark.parametrize("method", ["DELETE", "POST"])
async def test_a_number_is_removed(partner: Partner, method: str) -> None:
    await partner.report(NUMBER)
    response = await partner.send(method, "removeNumber", '{"number": "+46701740605"}')
    assert (response.status_code, response.content) == (200, DONE)
    assert await partner.listed() == []


async def test_an_error_is_one_word(partner: Partner) -> None:
    partner.key = "wrong"
    response = await partner.send("POST", "sendNumbersOnline", LIST)
    assert (response.status_code, response.content) == (401, b'{"response":"ERROR_WRONG_KEY"}')


async def test_what_another_partner_has_is_reported_for_the_entry_alone(
    partner: Partner, rival: Partner
) -> None:
    await rival.report(SECOND)
    response = await partner.send("POST", "sendNumbersOnline", LIST)
    assert response.status_code == 200
    assert re.fullmatch(
        rb'\{"response":1,"ids":\{"\+46701740605":\d+\},"errors":\{"\+46701740606":"NUMBER_TAKEN"\}\}',
        response.content,
    )


async def test_an_element_that_is_wrong_is_named_by_its_place(partner: Partner) -> None:
    await partner.report(NUMBER)
    response = await partner.send("POST", "addMessages", MESSAGES.replace('"11"', '"987654321"'))
    assert (response.status_code, response.content) == (
        200,
        b'{"response":1,"errors":{"1":"NUMBER_NOT_FOUND"}}',
    )
