"""What a partner reports of his numbers: lists, additions, removals, signs of life."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from simyard.base.clock import ManualClock
from simyard.base.refusals import Refusal, Refused
from simyard.settings import Settings
from tests.edge.onlinesim_reseller.partner import NUMBER, SECOND, Partner

ONLINE_SECONDS = Settings().number_online_seconds
STOREROOM = "number", "pool", "stock_change", "message_dropped", "message", "activation"


async def snapshot(partner: Partner) -> list[list[tuple[Any, ...]]]:
    return [await partner.world.rows(f"SELECT * FROM {table} ORDER BY 1") for table in STOREROOM]


async def entry(partner: Partner, msisdn: str = NUMBER) -> tuple[Any, ...]:
    (row,) = await partner.world.rows(
        "SELECT country, operator_id, port, placed_at, rent FROM number WHERE msisdn = $1", msisdn
    )
    return row


async def refusal(partner: Partner) -> Refused:
    with pytest.raises(Refusal) as raised:
        await partner.sold()
    return raised.value.reason


# Replacing the list


async def test_a_number_that_is_missing_goes_offline(partner: Partner) -> None:
    first = await partner.report(NUMBER, SECOND)
    second = await partner.report(SECOND)
    assert second["ids"] == {SECOND: first["ids"][SECOND]}
    assert await partner.listed() == [SECOND]
    third = await partner.report(NUMBER, SECOND)
    assert third == first


async def test_an_empty_list_takes_everything_offline(partner: Partner) -> None:
    await partner.report(NUMBER, SECOND)
    assert await partner.report() == {"response": 1, "ids": {}}
    assert await partner.listed() == []
    assert await refusal(partner) is Refused.NO_NUMBERS


async def test_an_open_lease_runs_on_when_its_number_is_gone(partner: Partner) -> None:
    await partner.report(NUMBER)
    buyer, order = await partner.sold()
    await partner.report()
    assert await refusal(partner) is Refused.NO_NUMBERS
    await partner.message(NUMBER, "Telegram code 48213")
    assert (await partner.check(buyer, order)).code == "48213"


async def test_a_list_touches_no_other_partners_numbers(partner: Partner, rival: Partner) -> None:
    await rival.report(SECOND)
    await partner.report(NUMBER)
    await partner.report()
    assert await rival.listed() == [SECOND]


async def test_a_number_another_partner_has_is_his(partner: Partner, rival: Partner) -> None:
    await partner.report(NUMBER)
    answer = await rival.report(NUMBER, SECOND)
    assert answer["errors"] == {NUMBER: "NUMBER_TAKEN"}
    assert set(answer["ids"]) == {SECOND}
    body = {"number": NUMBER, "country_id": 46, "rent": 0}
    assert await rival.call("addNumber", body, status=400) == {"response": "NUMBER_TAKEN"}
    assert await partner.listed() == [NUMBER]


async def test_a_number_its_partner_gave_up_may_be_anothers(partner: Partner, rival: Partner) -> None:
    await partner.report(NUMBER)
    await partner.report()
    assert "errors" not in await rival.report(NUMBER)
    assert (await rival.listed(), await partner.listed()) == ([NUMBER], [])


async def test_of_a_number_that_comes_twice_the_last_entry_holds(partner: Partner) -> None:
    answer = await partner.report(
        {"number": NUMBER, "country_id": 46, "port_id": "a"},
        {"number": "46701740605", "country_id": 46, "port_id": "b"},
        {"number": "+46 70-174 06 05", "country_id": 46, "port_id": "c"},
    )
    number_id = await partner.world.number_id(NUMBER)
    assert answer == {
        "response": 1,
        "ids": {NUMBER: number_id, "46701740605": number_id, "+46 70-174 06 05": number_id},
    }
    assert (await entry(partner))[2] == "c"


async def test_a_port_that_two_numbers_share_is_a_warning(partner: Partner) -> None:
    answer = await partner.report(
        {"number": NUMBER, "country_id": 46, "port_id": "a"},
        {"number": SECOND, "country_id": 46, "port_id": "a"},
    )
    assert set(answer["ids"]) == {NUMBER, SECOND}
    assert answer["warnings"] == {"a": "PORT_ID_SHARED"}


# The fields of an entry


TOLERATED: list[tuple[dict[str, Any], tuple[Any, ...]]] = [
    ({}, ("SE", None, NUMBER, None, False)),
    ({"country_id": "46"}, ("SE", None, NUMBER, None, False)),
    ({"country_id": "+46"}, ("SE", None, NUMBER, None, False)),
    ({"country_id": 46.0}, ("SE", None, NUMBER, None, False)),
    ({"country_id": None}, ("SE", None, NUMBER, None, False)),
    ({"operator": "24001"}, ("SE", 24001, NUMBER, None, False)),
    ({"operator": 240019999999999}, ("SE", 24001, NUMBER, None, False)),
    ({"operator": 24001.0}, ("SE", 24001, NUMBER, None, False)),
    ({"operator": 99999}, ("SE", None, NUMBER, None, False)),
    ({"operator": -24001}, ("SE", None, NUMBER, None, False)),
    ({"operator": "telia"}, ("SE", None, NUMBER, None, False)),
    ({"operator": ["24001"]}, ("SE", None, NUMBER, None, False)),
    # A network of another country would sell the number under that network.
    ({"operator": 310260}, ("SE", None, NUMBER, None, False)),
    ({"port_id": 7}, ("SE", None, "7", None, False)),
    ({"port_id": ""}, ("SE", None, NUMBER, None, False)),
    ({"port_id": None}, ("SE", None, NUMBER, None, False)),
    ({"port_id": "a\0b"}, ("SE", None, "ab", None, False)),
    ({"port_id": "\u00e9" * 100}, ("SE", None, "\u00e9" * 100, None, False)),
    ({"date_start": "soon"}, ("SE", None, NUMBER, None, False)),
    ({"date_start": {"a": []}}, ("SE", None, NUMBER, None, False)),
    ({"date_start": -5}, ("SE", None, NUMBER, None, False)),
    ({"date_start": 10**18}, ("SE", None, NUMBER, None, False)),
    ({"rent": "0"}, ("SE", None, NUMBER, None, False)),
    ({"rent": False}, ("SE", None, NUMBER, None, False)),
    # Needs permission.
    ({"rent": 1}, ("SE", None, NUMBER, None, False)),
    ({"colour": {"of": ["the", "box"]}}, ("SE", None, NUMBER, None, False)),
    ({"colour": "x" * 10_000}, ("SE", None, NUMBER, None, False)),
]


async def test_an_entry_is_read_tolerantly(partner: Partner) -> None:
    for fields, expected in TOLERATED:
        listed = await partner.report({"number": NUMBER, "country_id": 46} | fields)
        assert listed == {"response": 1, "ids": {NUMBER: await partner.world.number_id(NUMBER)}}
        assert await entry(partner) == expected, fields
        added = await partner.call(
            "addNumber", {"number": NUMBER, "country_id": 46, "rent": 0} | {**fields, "country_id": 46}
        )
        assert added == listed
        assert await entry(partner) == expected, fields


async def test_a_number_may_be_rented_where_its_pool_may(partner: Partner) -> None:
    async with partner.world.database.transaction() as tx:
        await tx.execute("UPDATE pool SET rent_allowed = true")
    for rent in (1, "1", True, 1.0):
        await partner.report({"number": NUMBER, "country_id": 46, "rent": rent})
        assert (await entry(partner))[4] is True
        await partner.report(NUMBER)
        assert (await entry(partner))[4] is False


COUNTRIES: list[tuple[object, str, int, str]] = [
    (46701740605, NUMBER, 46, "SE"),
    ("46701740605", NUMBER, 46, "SE"),
    ("0046701740605", NUMBER, 46, "SE"),
    ("+4670 174 06 05", NUMBER, 46, "SE"),
    ("+77012345678", "+77012345678", 7, "KZ"),
    ("+79161234567", "+79161234567", 7, "RU"),
    ("+14165550123", "+14165550123", 1, "CA"),
    ("+12125550123", "+12125550123", 1, "US"),
    # With a plus sign the number alone decides.
    ("+46701740605", NUMBER, 47, "SE"),
]


async def test_a_number_is_of_the_country_it_belongs_to(partner: Partner) -> None:
    for spelling, msisdn, country_id, country in COUNTRIES:
        answer = await partner.report({"number": spelling, "country_id": country_id})
        assert answer["ids"] == {str(spelling): await partner.world.number_id(msisdn)}
        assert (await entry(partner, msisdn))[0] == country, spelling


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"number": "+4670"}, "+4670", "NUMBER_INVALID"),
    ({"number": "hello"}, "hello", "NUMBER_INVALID"),
    ({"number": "+467017406050000"}, "+467017406050000", "NUMBER_INVALID"),
    ({"number": "+88213300000"}, "+88213300000", "NUMBER_INVALID"),
    ({"number": "x" * 5000}, "1", "NUMBER_INVALID"),
    ({"number": ""}, "1", "NUMBER_MISSING"),
    ({"number": None}, "1", "NUMBER_MISSING"),
    ({"number": True}, "1", "NUMBER_INVALID"),
    ({"number": {"a": 1}}, "1", "NUMBER_INVALID"),
    ({"number": 4.5}, "1", "NUMBER_INVALID"),
    ({"country_id": 0}, SECOND, "COUNTRY_ID_INVALID"),
    ({"country_id": "Sweden"}, SECOND, "COUNTRY_ID_INVALID"),
    ({"country_id": []}, SECOND, "COUNTRY_ID_INVALID"),
    ({"number": "701740606", "country_id": 46}, "701740606", "NUMBER_INVALID"),
    ({"number": "4915112345678", "country_id": 46}, "4915112345678", "COUNTRY_ID_MISMATCH"),
    ({"number": "+5999123456", "country_id": 599}, "+5999123456", "COUNTRY_UNKNOWN"),
    ({"rent": 2}, SECOND, "RENT_INVALID"),
    ({"rent": "yes"}, SECOND, "RENT_INVALID"),
    ({"port_id": "p" * 101}, SECOND, "PORT_ID_TOO_LONG"),
    ({"port_id": []}, SECOND, "PORT_ID_INVALID"),
]


async def test_a_bad_entry_costs_no_other(partner: Partner) -> None:
    for fields, key, word in BAD:
        answer = await partner.report(NUMBER, {"number": SECOND, "country_id": 46} | fields)
        assert set(answer["ids"]) == {NUMBER}
        assert answer["errors"] == {key: word}, fields
        assert await partner.listed() == [NUMBER]


async def test_an_entry_that_is_no_object_costs_no_other(partner: Partner) -> None:
    odds: list[object] = ["+46701740605", 46, None, [], [[]], True]
    for odd in odds:
        answer = await partner.call(
            "sendNumbersOnline", {"numbers": [odd, {"number": SECOND, "country_id": 46}]}
        )
        assert answer["errors"] == {"0": "NUMBER_MISSING"}
        assert set(answer["ids"]) == {SECOND}


async def test_field_names_may_be_written_in_any_case(partner: Partner) -> None:
    body = {"Numbers": [{"Number": NUMBER, "COUNTRY_ID": 46, "Operator": "24001"}]}
    assert set((await partner.call("sendNumbersOnline", body))["ids"]) == {NUMBER}
    assert (await entry(partner))[1] == 24001


async def test_a_byte_order_mark_is_no_obstacle(partner: Partner) -> None:
    content = b'\xef\xbb\xbf{"numbers": [{"number": "+46701740605"}]}'
    assert (await partner.send("POST", "sendNumbersOnline", content)).status_code == 200
    assert await partner.listed() == [NUMBER]


# Signs of life


async def test_numbers_are_sold_as_long_as_the_list_is_recent(partner: Partner, clock: ManualClock) -> None:
    await partner.report(NUMBER, SECOND)
    clock.turn(ONLINE_SECONDS - 1)
    await partner.sold()
    clock.turn(2)
    assert await refusal(partner) is Refused.NO_NUMBERS


async def test_a_heartbeat_keeps_numbers_on_sale(partner: Partner, clock: ManualClock) -> None:
    await partner.report(NUMBER, SECOND)
    for method in ("GET", "POST"):
        clock.turn(ONLINE_SECONDS - 1)
        await partner.call("checkWork", method=method)
    clock.turn(ONLINE_SECONDS - 1)
    await partner.sold()
    clock.turn(2)
    assert await refusal(partner) is Refused.NO_NUMBERS
    await partner.call("checkWork")
    await partner.sold()


async def test_an_addition_is_no_heartbeat(partner: Partner, clock: ManualClock) -> None:
    await partner.report(NUMBER)
    clock.turn(ONLINE_SECONDS - 1)
    await partner.call("addNumber", {"number": SECOND, "country_id": 46, "rent": 0})
    clock.turn(2)
    assert await refusal(partner) is Refused.NO_NUMBERS


# Adding and removing


async def test_an_addition_of_a_listed_number_is_an_update(partner: Partner) -> None:
    number_id = (await partner.report(NUMBER, SECOND))["ids"][NUMBER]
    body = {"number": "46701740605", "country_id": 46, "rent": 0, "port_id": "p"}
    assert await partner.call("addNumber", body) == {"response": 1, "ids": {"46701740605": number_id}}
    assert (await entry(partner))[2] == "p"
    assert await partner.listed() == [NUMBER, SECOND]


@pytest.mark.parametrize("method", ["DELETE", "POST"])
async def test_a_number_is_removed_however_it_is_named(partner: Partner, method: str) -> None:
    number_id = (await partner.report(NUMBER, SECOND))["ids"][NUMBER]
    names: list[tuple[str, object]] = [("id", number_id), ("id", str(number_id)), ("number", str(number_id))]
    names += [("number", spelling) for spelling in (NUMBER, NUMBER[1:], "+46 70 174-06-05", int(NUMBER))]
    for name, value in names:
        await partner.report(NUMBER, SECOND)
        for _ in range(2):
            await partner.call("removeNumber", {name: value}, method=method)
            assert await partner.listed() == [SECOND], (name, value)
        await partner.report(NUMBER, SECOND)
        # A plus sign that is not escaped arrives as a space.
        for query in (f"{name}={value}", f"{name}={quote(str(value))}"):
            await partner.call("removeNumber", method=method, query=query)
            assert await partner.listed() == [SECOND], query


async def test_removing_what_is_unknown_is_done(partner: Partner) -> None:
    await partner.report(NUMBER)
    for name in ("+46701740699", "987654321", "hello", "9" * 30, -1):
        await partner.call("removeNumber", {"number": name})
        await partner.call("removeNumber", {"id": name})
    assert await partner.listed() == [NUMBER]


async def test_another_partners_number_cannot_be_removed(partner: Partner, rival: Partner) -> None:
    number_id = (await partner.report(NUMBER))["ids"][NUMBER]
    await rival.call("removeNumber", {"number": NUMBER})
    await rival.call("removeNumber", {"id": number_id})
    assert await partner.listed() == [NUMBER]


async def test_what_is_a_number_here_is_not_also_taken_for_an_id(partner: Partner) -> None:
    async with partner.world.database.transaction() as tx:
        await tx.execute(f"ALTER TABLE number ALTER COLUMN id RESTART WITH {NUMBER[1:]}")
    await partner.report(SECOND)
    await partner.call("addNumber", {"number": NUMBER, "country_id": 46, "rent": 0})
    assert await partner.world.number_id(SECOND) == int(NUMBER)
    await partner.call("removeNumber", {"number": NUMBER[1:]})
    assert await partner.listed() == [SECOND]


# Testing


@pytest.mark.parametrize(
    ("method", "name", "body"),
    [
        ("POST", "sendNumbersOnline", {"numbers": [{"number": SECOND, "country_id": 46}, {"number": "+1"}]}),
        ("POST", "addNumber", {"number": SECOND, "country_id": 46, "rent": 0}),
        ("POST", "removeNumber", {"number": NUMBER}),
        ("DELETE", "removeNumber", {"number": NUMBER}),
        ("POST", "checkWork", {}),
        ("GET", "checkWork", None),
        ("POST", "addMessage", {"number": NUMBER, "from": "Telegram", "message": "Telegram code 48213"}),
        (
            "POST",
            "addMessages",
            {"messages": [{"number": NUMBER, "from": "x", "message": "Telegram code 48213"}, 1]},
        ),
        ("POST", "addMessages", {"messages": []}),
        ("POST", "addMessages", {"messages": [1]}),
    ],
)
async def test_a_rehearsal_answers_as_usual_and_changes_nothing(
    partner: Partner, method: str, name: str, body: dict[str, Any] | None
) -> None:
    await partner.report(NUMBER)
    await partner.sold()
    before = await snapshot(partner)
    rehearsed = []
    if body is not None:
        rehearsed.append(await partner.call(name, body | {"test": "test1"}, method=method))
    rehearsed.append(await partner.call(name, body, method=method, query="test=test1"))
    assert await snapshot(partner) == before
    real = await partner.call(name, body, method=method)
    for answer in rehearsed:
        # Ids of numbers that were not kept are given anew.
        assert set(answer) == set(real)
        assert answer.get("errors") == real.get("errors")
        assert set(answer.get("ids", {})) == set(real.get("ids", {}))


async def test_a_rehearsal_is_refused_as_usual(partner: Partner, rival: Partner) -> None:
    await rival.report(NUMBER)
    body = {"number": NUMBER, "country_id": 46, "rent": 0, "test": "test1"}
    assert await partner.call("addNumber", body, status=400) == {"response": "NUMBER_TAKEN"}
    message = {"number": NUMBER, "from": "x", "message": "y", "test": "test1"}
    assert await partner.call("addMessage", message, status=404) == {"response": "NUMBER_NOT_FOUND"}
    assert (await partner.send("POST", "addMessage", "{", query="test=test1")).status_code == 400


@pytest.mark.parametrize(
    ("method", "name", "body"),
    [
        (
            "POST",
            "sendNumbersOnline",
            {"numbers": [{"number": SECOND, "x": [None, 1.5]}], "test": "test2", "Y": {}},
        ),
        ("POST", "sendNumbersOnline", {"test": "test2"}),
        ("POST", "addNumber", {"test": "test2"}),
        ("DELETE", "removeNumber", {"number": NUMBER, "test": "test2"}),
        ("POST", "checkWork", {"test": "test2"}),
        (
            "POST",
            "addMessage",
            {"number": NUMBER, "from": "x", "message": "\u00e9\U0001f600", "test": "test2"},
        ),
        ("POST", "addMessages", {"messages": "no list", "test": "test2"}),
    ],
)
async def test_an_echo_answers_with_the_payload(
    partner: Partner, method: str, name: str, body: dict[str, Any]
) -> None:
    await partner.report(NUMBER)
    before = await snapshot(partner)
    assert await partner.call(name, body, method=method) == {"response": 1, "payload": body}
    assert await snapshot(partner) == before


async def test_an_echo_may_be_asked_for_in_the_query(partner: Partner) -> None:
    query = f"test=test2&number=46701740605&apikey={partner.key}"
    answer = await partner.call("removeNumber", method="DELETE", query=query)
    assert answer == {"response": 1, "payload": {"test": "test2", "number": "46701740605"}}
    answer = await partner.call("sendNumbersOnline", {"numbers": []}, query="test=test2")
    assert answer == {"response": 1, "payload": {"numbers": []}}
