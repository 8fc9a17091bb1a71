"""SMS a partner hands in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from simyard.base.clock import ManualClock
from simyard.core.activations.machine import State
from simyard.core.messages.service import SENDER_LENGTH_MAX, TEXT_LENGTH_MAX
from tests.edge.onlinesim_reseller.partner import NUMBER, SECOND, Partner

TEXT = "Telegram code 48213"


def message(number: object = NUMBER, text: object = TEXT, **fields: object) -> dict[str, Any]:
    return {"date": "1795219269", "number": number, "from": "Telegram", "message": text} | fields


# Whose it is


@pytest.mark.parametrize(
    "spelling", [NUMBER, "46701740605", 46701740605, "+46 70 174 06 05", "id as text", "id"]
)
async def test_the_number_may_be_named_in_many_ways(partner: Partner, spelling: object) -> None:
    number_id = (await partner.report(NUMBER))["ids"][NUMBER]
    buyer, order = await partner.sold()
    spelled = {"id": number_id, "id as text": str(number_id)}.get(str(spelling), spelling)
    await partner.message(spelled, TEXT)
    assert (await partner.check(buyer, order)).code == "48213"


@pytest.mark.parametrize("number", [{}, {"number": None}, {"number": ""}])
@pytest.mark.parametrize("as_text", [True, False])
async def test_the_old_field_id_names_the_number(
    partner: Partner, number: dict[str, Any], as_text: bool
) -> None:
    number_id = (await partner.report(NUMBER))["ids"][NUMBER]
    buyer, order = await partner.sold()
    body = {"from": "Telegram", "message": TEXT, "id": str(number_id) if as_text else number_id}
    assert await partner.call("addMessage", body | number) == {"response": 1}
    assert (await partner.check(buyer, order)).code == "48213"


async def test_a_number_comes_before_an_id(partner: Partner) -> None:
    ids = (await partner.report(NUMBER, SECOND))["ids"]
    buyer, order = await partner.sold()
    other = SECOND if order.msisdn == NUMBER else NUMBER
    await partner.call("addMessage", message(order.msisdn, id=ids[other]))
    assert (await partner.check(buyer, order)).code == "48213"


async def test_an_unknown_number_is_not_found(partner: Partner) -> None:
    await partner.report(NUMBER)
    for number in ("+46701740699", "46701740699", "987654321", "hello", "+", "0", -5, "9" * 40):
        answer = await partner.call("addMessage", message(number), status=404)
        assert answer == {"response": "NUMBER_NOT_FOUND"}
    assert await partner.dropped() == {}


async def test_another_partners_number_is_not_found(partner: Partner, rival: Partner) -> None:
    number_id = (await partner.report(NUMBER))["ids"][NUMBER]
    buyer, order = await partner.sold()
    for name in (NUMBER, str(number_id), number_id):
        assert await rival.call("addMessage", message(name), status=404) == {"response": "NUMBER_NOT_FOUND"}
    assert (await partner.check(buyer, order)).state is State.WAITING


async def test_without_a_lease_a_message_is_counted_and_dropped(partner: Partner) -> None:
    await partner.report(NUMBER)
    await partner.message(NUMBER, "My dear, the keys are under the mat")
    assert await partner.messages() == []
    assert await partner.world.value("SELECT count(*) FROM message_seen") == 0
    assert await partner.dropped() == {"no_lease": 1}


async def test_a_number_that_is_offline_is_still_known(partner: Partner) -> None:
    await partner.report(NUMBER)
    await partner.report()
    await partner.message(NUMBER, TEXT)
    assert await partner.dropped() == {"no_lease": 1}


@pytest.mark.parametrize(
    ("sender", "text", "reason"),
    [
        ("WhatsApp", "Your WhatsApp code: 123-456", "other_service"),
        ("Swedbank", "Swedbank: your one-time code is 123456", "prohibited"),
    ],
)
async def test_what_was_not_ordered_is_taken_and_not_shown(
    partner: Partner, sender: str, text: str, reason: str
) -> None:
    await partner.report(NUMBER)
    buyer, order = await partner.sold()
    await partner.message(NUMBER, text, sender=sender)
    assert (await partner.check(buyer, order)).state is State.WAITING
    assert await partner.messages() == []
    assert await partner.dropped() == {reason: 1}


# Repeats


async def test_a_message_handed_in_twice_is_one(partner: Partner, clock: ManualClock) -> None:
    await partner.report(NUMBER)
    buyer, order = await partner.sold()
    await partner.message(NUMBER, TEXT, date="1795219269")
    clock.turn(119)
    await partner.message("46701740605", TEXT, date="garbage")
    assert len(await partner.messages()) == 1
    clock.turn(900)
    await partner.message(NUMBER, TEXT, date="1795219269")
    assert len(await partner.messages()) == 1
    assert (await partner.check(buyer, order)).state is State.RECEIVED


async def test_the_same_text_later_is_another_message(partner: Partner, clock: ManualClock) -> None:
    await partner.report(NUMBER)
    await partner.sold()
    await partner.message(NUMBER, TEXT, date="1795219269")
    clock.turn(121)
    await partner.message(NUMBER, TEXT, date="1795219390")
    assert len(await partner.messages()) == 2


async def test_another_text_or_sender_is_another_message(partner: Partner) -> None:
    await partner.report(NUMBER)
    await partner.sold()
    await partner.message(NUMBER, TEXT)
    await partner.message(NUMBER, "Telegram code 48214")
    await partner.message(NUMBER, TEXT, sender="TG")
    assert len(await partner.messages()) == 3


async def test_a_message_that_comes_twice_in_one_call_is_one(partner: Partner) -> None:
    await partner.report(NUMBER)
    await partner.sold()
    assert await partner.call("addMessages", {"messages": [message(), message(), message()]}) == {
        "response": 1
    }
    assert len(await partner.messages()) == 1


# Dates


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (1795219269, datetime(2026, 11, 21, 0, 1, 9, tzinfo=UTC)),
        ("1795219269000", datetime(2026, 11, 21, 0, 1, 9, tzinfo=UTC)),
        ("2026-11-21T01:01:09+01:00", datetime(2026, 11, 21, 0, 1, 9, tzinfo=UTC)),
        ("2026-11-21 00:01:09", datetime(2026, 11, 21, 0, 1, 9, tzinfo=UTC)),
        ("yesterday", None),
        (None, None),
        ({"a": []}, None),
        (10**30, None),
        ("\0", None),
    ],
)
async def test_a_date_never_costs_a_message(
    partner: Partner, clock: ManualClock, date: object, expected: datetime | None
) -> None:
    await partner.report(NUMBER)
    await partner.sold()
    await partner.message(NUMBER, TEXT, date=date)
    ((_, _, _, sent_at),) = await partner.messages()
    assert sent_at == (expected or clock.now())


async def test_a_message_without_a_date_is_taken(partner: Partner) -> None:
    await partner.report(NUMBER)
    await partner.sold()
    await partner.call("addMessage", {"number": NUMBER, "from": "Telegram", "message": TEXT})
    assert len(await partner.messages()) == 1


# Texts


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        (b'"Telegram code 48213\\nDo not share"', "Telegram code 48213\nDo not share"),
        (b'"Telegram code 48213\nDo not share"', "Telegram code 48213\nDo not share"),
        (b'"Telegram\\u0000 code 48213"', "Telegram code 48213"),
        (b'"Telegram code 48213 \\ud83d\\ude00"', "Telegram code 48213 \U0001f600"),
        (b'"Telegram code 48213 \\ud83d"', "Telegram code 48213 ?"),
        (b'"Telegram code 48213 \\ude00!"', "Telegram code 48213 ?!"),
        ('"Код Telegram 48213"'.encode(), "Код Telegram 48213"),
    ],
)
async def test_texts_arrive_whole(partner: Partner, written: bytes, stored: str) -> None:
    await partner.report(NUMBER)
    await partner.sold()
    body = b'{"number": "+46701740605", "from": "Telegram", "message": %s}' % written
    response = await partner.send("POST", "addMessage", body)
    assert (response.status_code, response.content) == (200, b'{"response":1}')
    ((_, text, code, _),) = await partner.messages()
    assert (text, code) == (stored, "48213")


async def test_numbers_in_place_of_texts_are_read_as_texts(partner: Partner) -> None:
    await partner.report(NUMBER)
    await partner.sold()
    body = {"number": NUMBER, "from": 46701234567, "message": 48213}
    assert await partner.call("addMessage", body) == {"response": 1}
    ((sender, text, code, _),) = await partner.messages()
    assert (sender, text, code) == ("46701234567", "48213", "48213")


async def test_what_is_too_long_is_cut(partner: Partner) -> None:
    await partner.report(NUMBER)
    await partner.sold()
    await partner.message(NUMBER, TEXT + " " + "x" * 50_000, sender="s" * 5000)
    ((sender, text, code, _),) = await partner.messages()
    assert (len(sender), len(text), code) == (SENDER_LENGTH_MAX, TEXT_LENGTH_MAX, "48213")


async def test_an_empty_text_is_taken(partner: Partner) -> None:
    await partner.report(NUMBER)
    await partner.sold()
    await partner.message(NUMBER, "", sender="")
    assert await partner.messages() == []


async def test_field_names_may_be_written_in_any_case(partner: Partner) -> None:
    await partner.report(NUMBER)
    await partner.sold()
    body = {"Number": NUMBER, "From": "Telegram", "MESSAGE": TEXT, "Date": "1795219269"}
    await partner.call("addMessage", body)
    await partner.call("addMessages", {"Messages": [body | {"MESSAGE": "Telegram code 99321"}]})
    assert [code for _, _, code, _ in await partner.messages()] == ["48213", "99321"]


# Several in one call


async def test_one_bad_element_does_not_lose_the_others(partner: Partner) -> None:
    await partner.report(NUMBER, SECOND)
    first_buyer, first = await partner.sold("telegram")
    second_buyer, second = await partner.sold("google")
    answer = await partner.call(
        "addMessages",
        {
            "messages": [
                None,
                message(first.msisdn),
                "text",
                message("+46701740699"),
                message(None),
                {"number": NUMBER},
                message(second.msisdn, "G-553120 is your code", **{"from": "Google"}),
                message(text=[]),
                message("hello"),
                [],
            ]
        },
    )
    assert answer == {
        "response": 1,
        "errors": {
            "0": "a message must be an object",
            "2": "a message must be an object",
            "3": "NUMBER_NOT_FOUND",
            "4": "number is required",
            "5": "from is required",
            "7": "message must be a string",
            "8": "NUMBER_NOT_FOUND",
            "9": "a message must be an object",
        },
    }
    assert (await partner.check(first_buyer, first)).code == "48213"
    assert (await partner.check(second_buyer, second)).code == "553120"


async def test_nothing_but_bad_elements(partner: Partner) -> None:
    assert await partner.call("addMessages", {"messages": []}) == {"response": 1}
    answer = await partner.call("addMessages", {"messages": [1]})
    assert answer == {"response": 1, "errors": {"0": "a message must be an object"}}


async def test_a_thousand_messages_in_one_call(partner: Partner) -> None:
    await partner.report(NUMBER)
    body = {"messages": [message(text=f"Telegram code {code}") for code in range(10_000, 11_000)]}
    assert await partner.call("addMessages", body) == {"response": 1}
    assert await partner.dropped() == {"no_lease": 1000}
