"""The client of partners, against a real server with every oddity they are known for."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.base.ids import OperatorId, PoolId
from simyard.core.remote import rules
from simyard.core.remote.model import Ending, Profile, RemoteNumber, RemoteWish, Stock
from simyard.workers.outgoing import Answer, Call, OutgoingClient
from simyard.workers.remote import partner as partners
from simyard.workers.remote.partner import Partner
from simyard.workers.remote.source import Reason, SourceFailed, SourceRefused, WrongSwitch
from simyard.workers.remote.sources import source_of
from tests.partners.simulator import KEY, PartnerServer
from tests.world import micros, service_id

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
async def server() -> AsyncIterator[PartnerServer]:
    async with PartnerServer() as server:
        yield server


def spoken_to(
    server: PartnerServer,
    protocol: str = "onlinesim-v1",
    *,
    key: str = KEY,
    rents: bool = False,
    given: Mapping[str, str] | None = None,
    **switches: str,
) -> Partner:
    client = OutgoingClient(networks_allowed=[ip_network("127.0.0.0/8")])
    told = {**(given or {}), **switches}
    profile = Profile(PoolId(3001), protocol, server.url(), key, told, rent_allowed=rents)
    source = source_of(profile, client)
    assert isinstance(source, Partner)
    return source


def wish(**changes: Any) -> RemoteWish:
    usual = RemoteWish(
        country="SE",
        country_name="sweden",
        service_id=service_id("telegram"),
        service_name="telegram",
        operator_id=None,
        operator_name="",
        amount=micros("12.5"),
        currency="RUB",
        price_max=None,
        excluded=(),
        reference="r1",
    )
    return replace(usual, **changes)


def counts(stock: Stock) -> dict[tuple[str | None, str, str], int]:
    return {(one.country, one.service_name, one.operator_name): one.stock for one in stock.offers}


# As documented


async def test_the_whole_life_is_as_documented(server: PartnerServer) -> None:
    source = spoken_to(server)
    stock = await source.stock()
    assert counts(stock) == {
        ("SE", "telegram", ""): 2,
        ("SE", "whatsapp", ""): 2,
        ("SE", "telegram", "telia"): 2,
        ("SE", "whatsapp", "telia"): 2,
    }
    assert {one.service_id for one in stock.offers} == {service_id("telegram"), service_id("whatsapp")}
    assert stock.unknown == ()
    number = await source.order(wish(excluded=("+46701740605",)))
    assert (number.remote_id, number.msisdn) == ("355", "+46701740606")
    for _ in range(2):
        await source.finish(number.remote_id, Ending.SOLD, amount=micros("12.5"), currency="RUB")
    asked, ordered, finished, again = (heard.body for heard in server.requests)
    assert asked == {"action": "GET_SERVICES", "key": KEY}
    assert ordered == {
        "action": "GET_NUMBER",
        "key": KEY,
        "country": "sweden",
        "operator": "any",
        "service": "telegram",
        "sum": 12.5,
        "exceptionPhoneSet": [46701740605],
    }
    assert finished == {
        "action": "FINISH_ACTIVATION",
        "key": KEY,
        "activationId": 355,
        "status": 3,
        "sum": 12.5,
    }
    assert again == finished
    headers = server.requests[0].headers
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["user-agent"] == "Simyard/1"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["accept-encoding"] == "gzip, deflate"
    assert (source.polled, await source.poll(["355"])) == (False, [])
    assert await source.find(wish(), since=NOW) is None


async def test_the_industrys_protocol_is_as_documented(server: PartnerServer) -> None:
    server.services = ("tg", "wa")
    source = spoken_to(server, "industry")
    assert {one.service_id for one in (await source.stock()).offers} == {
        service_id("telegram"),
        service_id("whatsapp"),
    }
    dollars = wish(service_name="tg", amount=micros("0.15009"), currency="USD", excluded=("+46730",))
    number = await source.order(dollars)
    await source.finish(number.remote_id, Ending.CANCELED, amount=0, currency="USD")
    ordered, finished = (heard.body for heard in server.requests[1:])
    assert (ordered["sum"], ordered["currency"], ordered["exceptionPhoneSet"]) == (0.15, 840, ["46730"])
    assert finished == {"action": "FINISH_ACTIVATION", "key": KEY, "activationId": 355, "status": 4}
    assert server.requests[0].headers["content-type"] == "application/json"


async def test_heros_stock_is_a_map_of_counts(server: PartnerServer) -> None:
    server.numbers, server.services = {"brazil": ["5511987654321"]}, ("tg",)
    server.quirks.count_map = True
    source = spoken_to(server, "hero")
    assert counts(await source.stock())["BR", "tg", ""] == 1
    assert server.requests[0].action == "GET_COUNT"


@pytest.mark.parametrize(
    ("ending", "status", "total"),
    [
        (Ending.NOT_FOR_SERVICE, 1, 0),
        (Ending.SOLD, 3, 12.5),
        (Ending.CANCELED, 4, 0),
        (Ending.REFUNDED, 5, 0),
    ],
)
async def test_each_ending_has_its_status(
    server: PartnerServer, ending: Ending, status: int, total: float
) -> None:
    source = spoken_to(server)
    number = await source.order(wish())
    await source.finish(number.remote_id, ending, amount=micros("12.5"), currency="RUB")
    operation = server.operation_of(number.msisdn)
    assert (operation.statuses, operation.sums) == ([status], [total])


@pytest.mark.parametrize(
    ("protocol", "statuses"),
    [("onlinesim-v1", [3, 4, 5]), ("industry", [3, 4, 5]), ("hero", [14, 15, 16])],
)
async def test_rentals_are_ended_in_their_own_way(
    server: PartnerServer, protocol: str, statuses: list[int]
) -> None:
    server.services = ("telegram", "rent")
    source = spoken_to(
        server, protocol, rents=True, rent_number_url=server.url("/getNumberRent"), rent_days_field="days",
        stock_request="GET_SERVICES",
    )  # fmt: skip
    rent = next(one for one in (await source.stock()).offers if one.service_name == "rent")
    assert (rent.service_id, rent.stock) == (None, 2)
    for ending in (Ending.SOLD, Ending.CANCELED, Ending.REFUNDED):
        number = await source.order(wish(service_id=None, service_name="rent", rental_days=7))
        await source.finish(number.remote_id, ending, amount=micros("870"), currency="RUB")
        server.sold.clear()
    assert [body["status"] for body in server.asked("FINISH_ACTIVATION")] == statuses
    assert [body["sum"] for body in server.asked("FINISH_ACTIVATION")] == [870, 0, 0]
    assert {body["service"] for body in server.asked("FINISH_ACTIVATION")} == {"rent"}
    assert server.asked("GET_NUMBER")[0]["days"] == 7
    assert {heard.path for heard in server.requests if heard.action == "GET_NUMBER"} == {"/getNumberRent"}


async def test_rentals_are_not_offered_by_a_pool_that_may_not_rent(server: PartnerServer) -> None:
    server.services = ("telegram", "rent")
    stock = await spoken_to(server).stock()
    assert {one.service_name for one in stock.offers} == {"telegram"}
    assert stock.unknown == ()


# Oddities of the stock


@pytest.mark.parametrize("quirk", ["string_counts", "lower_status", "gzips", "deflates", "created"])
async def test_a_stock_is_understood_however_it_is_written(server: PartnerServer, quirk: str) -> None:
    setattr(server.quirks, quirk, True)
    assert counts(await spoken_to(server).stock())["SE", "telegram", ""] == 2


@pytest.mark.parametrize("name", ["country", "Country", "#countryname#", ""])
async def test_a_countrys_name_is_found_in_any_field(server: PartnerServer, name: str) -> None:
    server.quirks.country_field = name
    assert counts(await spoken_to(server).stock())["SE", "telegram", ""] == 2


async def test_without_a_total_there_are_the_operators(server: PartnerServer) -> None:
    server.quirks.no_any = True
    server.operators = {"46701740606": "tele2"}
    stock = await spoken_to(server).stock()
    assert counts(stock) == {
        ("SE", service, operator): 1 for service in server.services for operator in ("telia", "tele2")
    }
    assert {one.operator_name: one.operator_id for one in stock.offers}["telia"] == OperatorId(24001)


async def test_stock_under_an_empty_name_is_left_out(server: PartnerServer) -> None:
    server.quirks.empty_service = True
    assert {one.service_name for one in (await spoken_to(server).stock()).offers} == set(server.services)


async def test_unknown_names_are_kept_and_told(server: PartnerServer) -> None:
    server.numbers["atlantis"] = ["46701740609"]
    server.services = ("telegram", "zzz_nobody")
    server.operators = {"46701740605": "umbrella mobile"}
    stock = await spoken_to(server).stock()
    assert set(stock.unknown) == {
        ("country", "atlantis"),
        ("service", "zzz_nobody"),
        ("operator", "umbrella mobile"),
    }
    assert counts(stock)["SE", "telegram", ""] == 2
    assert {one.country for one in stock.offers if one.country_name == "atlantis"} == {None}
    assert {one.service_id for one in stock.offers if one.service_name == "zzz_nobody"} == {None}


async def test_a_partners_own_names_are_in_its_dictionary(server: PartnerServer) -> None:
    server.numbers = {"schweden": ["46701740605"], "usaphysical": ["12025550123"]}
    server.services = ("papierflieger",)
    server.operators = {"46701740605": "teliasonera", "12025550123": "physic"}
    source = spoken_to(
        server, countries="Schweden=se", services="papierflieger=telegram", operators="teliasonera=telia"
    )
    stock = await source.stock()
    assert {one.country for one in stock.offers} == {"SE", "US"}
    assert {one.service_id for one in stock.offers} == {service_id("telegram")}
    assert stock.unknown == (("operator", "physic"),)


@pytest.mark.parametrize(
    ("name", "iso2"),
    [
        ("germany", "DE"),
        ("Germany", "DE"),
        ("united kingdom", "GB"),
        ("unitedkingdom", "GB"),
        ("england", "GB"),
        ("usa", "US"),
        ("russia", "RU"),
        ("0", "RU"),
        ("kazakhstan", "KZ"),
    ],
)
async def test_countries_are_known_by_their_names(server: PartnerServer, name: str, iso2: str) -> None:
    server.numbers = {name: ["46701740605"]}
    stock = await spoken_to(server, "industry").stock()
    assert {one.country for one in stock.offers} == {iso2}
    assert {one.country_name for one in stock.offers} == {name}


async def test_a_country_goes_back_as_the_number_it_is(server: PartnerServer) -> None:
    server.numbers = {"0": ["79161234567"]}
    await spoken_to(server, "industry", country_type="integer").order(wish(country="RU", country_name="0"))
    assert server.asked("GET_NUMBER")[0]["country"] == 0


# Oddities of orders


@pytest.mark.parametrize(
    ("quirks", "remote_id"),
    [
        ({"string_number": True}, "355"),
        ({"plus_number": True}, "355"),
        ({"id_field": "activation_id"}, "355"),
        ({"id_field": "ActivationID"}, "355"),
        ({"string_id": True}, '"355"'),
        ({"uuid_id": True}, '"00000000-0000-0000-0000-000000000163"'),
        ({"millisecond_id": True}, "1795219200355"),
        ({"created": True}, "355"),
        ({"lower_status": True}, "355"),
        ({"gzips": True}, "355"),
    ],
)
async def test_a_number_is_understood_and_ended_however_it_is_written(
    server: PartnerServer, quirks: dict[str, Any], remote_id: str
) -> None:
    for name, value in quirks.items():
        setattr(server.quirks, name, value)
    source = spoken_to(server)
    number = await source.order(wish())
    assert (number.remote_id, number.msisdn) == (remote_id, "+46701740605")
    await source.finish(number.remote_id, Ending.SOLD, amount=1, currency="RUB")
    assert server.operation_of(number.msisdn).statuses == [3]


async def test_an_id_goes_back_in_every_field_a_partner_may_read(server: PartnerServer) -> None:
    server.quirks.id_sent_as, server.quirks.uuid_id = "id", True
    source = spoken_to(server, id_fields="activationId,id")
    number = await source.order(wish())
    await source.finish(number.remote_id, Ending.CANCELED, amount=0, currency="RUB")
    assert server.operation_of(number.msisdn).statuses == [4]


@pytest.mark.parametrize("nulls", [False, True])
async def test_no_numbers(server: PartnerServer, nulls: bool) -> None:
    server.quirks.nulls = nulls
    with pytest.raises(SourceRefused) as refused:
        await spoken_to(server).order(wish(excluded=("+46",)))
    assert refused.value.reason is Reason.NO_NUMBERS


async def test_an_operator_is_asked_for_by_its_own_name(server: PartnerServer) -> None:
    server.operators = {"46701740606": "tele2"}
    number = await spoken_to(server).order(wish(operator_id=OperatorId(24007), operator_name="tele2"))
    assert number.msisdn == "+46701740606"


async def test_what_a_partner_does_not_sell_is_not_offered(server: PartnerServer) -> None:
    with pytest.raises(SourceRefused) as refused:
        await spoken_to(server).order(wish(service_name="vk"))
    assert (refused.value.reason, refused.value.detail) == (Reason.NOT_OFFERED, "Service not available: vk")


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_key_is_told_without_it(server: PartnerServer, status: int) -> None:
    server.quirks.key_status, server.quirks.echoes_key = status, True
    with pytest.raises(SourceRefused) as refused:
        await spoken_to(server, key="pk_secret").stock()
    assert refused.value.reason is Reason.WRONG_KEY
    assert "pk_secret" not in refused.value.detail


async def test_an_error_text_may_stand_in_another_field(server: PartnerServer) -> None:
    server.quirks.key_status, server.quirks.error_field = 200, "message"
    with pytest.raises(SourceRefused) as refused:
        await spoken_to(server, key="x").stock()
    assert refused.value.detail == "wrong key"


@pytest.mark.parametrize(
    ("quirk", "without", "switches"),
    [
        ("only_plain_json", 415, {"content_type": "json"}),
        ("strings_only", 422, {"prefixes": "strings"}),
        ("needs_currency", 422, {"send_currency": "yes"}),
        ("no_gzip", 500, {"accept_gzip": "no"}),
    ],
)
async def test_what_a_partner_cannot_take_is_switched_off(
    server: PartnerServer, quirk: str, without: int, switches: dict[str, str]
) -> None:
    setattr(server.quirks, quirk, True)
    wanted = wish(excluded=("+467017406",))
    with pytest.raises((SourceRefused, SourceFailed)) as refused:
        await spoken_to(server).order(wanted)
    assert f"status {without}" in str(refused.value)
    assert not server.reserved
    server.numbers["sweden"] = ["46709999999"]
    assert (await spoken_to(server, given=switches).order(wanted)).msisdn == "+46709999999"


async def test_bodies_may_be_packed_and_the_key_left_out_of_the_headers(server: PartnerServer) -> None:
    source = spoken_to(server, gzip_bodies="true", bearer="false", user_agent="Mozilla/5.0")
    await source.stock()
    headers = server.requests[0].headers
    assert (headers["content-encoding"], headers["user-agent"]) == ("gzip", "Mozilla/5.0")
    assert "authorization" not in headers


async def test_each_action_may_have_its_own_address(server: PartnerServer) -> None:
    source = spoken_to(
        server,
        services_url=server.url("/getServices"),
        number_url=server.url("/getNumber"),
        finish_url=server.url("/finishActivation"),
    )
    await source.stock()
    number = await source.order(wish())
    await source.finish(number.remote_id, Ending.CANCELED, amount=0, currency="RUB")
    assert [heard.path for heard in server.requests] == ["/getServices", "/getNumber", "/finishActivation"]


@pytest.mark.parametrize("wrong", ["5", "12345678901234567890", "0", "hello"])
async def test_a_number_that_is_none_does_not_fit_and_can_go_back(server: PartnerServer, wrong: str) -> None:
    server.quirks.wrong_number, server.quirks.string_number = wrong, True
    source = spoken_to(server)
    number = await source.order(wish())
    assert rules.unfit(number, wish())
    await source.finish(number.remote_id, Ending.CANCELED, amount=0, currency="RUB")
    assert not server.reserved


async def test_a_number_without_an_id_may_be_reserved(server: PartnerServer) -> None:
    server.quirks.no_id = True
    with pytest.raises(SourceFailed) as failed:
        await spoken_to(server).order(wish())
    assert failed.value.ambiguous


# Answers that are none


@pytest.mark.parametrize("quirk", ["html", "cut_off"])
async def test_an_answer_that_cannot_be_read_may_have_reserved_a_number(
    server: PartnerServer, quirk: str
) -> None:
    setattr(server.quirks, quirk, True)
    with pytest.raises(SourceFailed) as failed:
        await spoken_to(server).order(wish())
    assert failed.value.ambiguous


@pytest.mark.parametrize(
    ("status", "ambiguous"), [(500, False), (503, False), (502, True), (504, True), (429, False)]
)
async def test_a_gateways_word_leaves_open_what_happened(
    server: PartnerServer, status: int, ambiguous: bool
) -> None:
    server.quirks.status = status
    with pytest.raises(SourceFailed) as failed:
        await spoken_to(server).order(wish())
    assert failed.value.ambiguous is ambiguous


async def test_a_redirect_is_not_followed(server: PartnerServer) -> None:
    server.quirks.moved = True
    with pytest.raises(SourceFailed) as failed:
        await spoken_to(server).stock()
    assert not failed.value.ambiguous


async def test_a_partner_that_hangs_up_may_have_reserved_a_number(server: PartnerServer) -> None:
    server.quirks.hangs_up = frozenset({"GET_NUMBER"})
    with pytest.raises(SourceFailed) as failed:
        await spoken_to(server).order(wish())
    assert failed.value.ambiguous


async def test_a_partner_that_is_not_there_has_reserved_nothing(server: PartnerServer) -> None:
    source = spoken_to(server)
    server._server.close()
    await server._server.wait_closed()
    with pytest.raises(SourceFailed) as failed:
        await source.order(wish())
    assert not failed.value.ambiguous


async def test_time_runs_out(server: PartnerServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partners, "ORDER_SECONDS_MAX", 0.3)
    server.quirks.silent = frozenset({"GET_NUMBER"})
    with pytest.raises(SourceFailed) as failed:
        await spoken_to(server).order(wish())
    assert failed.value.ambiguous


async def test_how_long_an_answer_is_waited_for_is_a_switch(server: PartnerServer) -> None:
    server.quirks.silent = frozenset({"GET_SERVICES", "FINISH_ACTIVATION"})
    source = spoken_to(server, given={"answer_seconds": "1"})
    async with asyncio.timeout(5):
        with pytest.raises(SourceFailed):
            await source.stock()
        with pytest.raises(SourceFailed):
            await source.finish("1", Ending.CANCELED, amount=0, currency="RUB")


async def test_a_late_number_still_arrives(server: PartnerServer) -> None:
    answered = asyncio.Event()
    server.quirks.slow = {"GET_NUMBER": answered}
    ordering = asyncio.ensure_future(spoken_to(server).order(wish()))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(ordering), 0.1)
    answered.set()
    assert (await ordering).msisdn == "+46701740605"


@pytest.mark.parametrize("as_404", [False, True])
async def test_an_end_the_partner_does_not_know_is_refused(server: PartnerServer, as_404: bool) -> None:
    server.quirks.unknown_is_404 = as_404
    with pytest.raises(SourceRefused):
        await spoken_to(server).finish("999", Ending.CANCELED, amount=0, currency="RUB")


# Switches


@pytest.mark.parametrize(
    ("switches", "said"),
    [
        ({"nonsense": "1"}, "there are: services_url, number_url"),
        ({"accept_gzip": "perhaps"}, "accept_gzip"),
        ({"content_type": "xml"}, "content_type"),
        ({"number_url": "ftp://partner.example/"}, "number_url"),
        ({"countries": "atlantis=XX"}, "atlantis"),
        ({"countries": "atlantis"}, "name=ours"),
        ({"services": "x=nothing-of-ours"}, "nothing-of-ours"),
        ({"sum_decimals": "9"}, "sum_decimals"),
        ({"ports": "0"}, "ports"),
        ({"answer_seconds": "60"}, "answer_seconds"),
        ({"finish_retry_seconds": "0"}, "finish_retry_seconds"),
        ({"push_networks": "203.0.113.0/24,home"}, "push_networks"),
    ],
)
async def test_a_switch_that_is_none_is_refused(
    server: PartnerServer, switches: dict[str, str], said: str
) -> None:
    with pytest.raises(WrongSwitch, match=said):
        spoken_to(server, given=switches)


def test_every_switch_is_described() -> None:
    page = (Path(__file__).parents[2] / "docs/partners.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    described = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    assert set(partners.PartnerSwitches.__struct_fields__) <= described


async def test_an_unknown_protocol_is_refused(server: PartnerServer) -> None:
    with pytest.raises(WrongSwitch, match="onlinesim-v1"):
        spoken_to(server, "onlinesim-v9")


# Answers nobody thought of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text() | st.sampled_from(["country", "operatorMap", "any", "SMS"]), inner, max_size=4
        )
    ),
)
FIELDS = ["status", "countryList", "countMap", "number", "phone", "activationId", "id", "error", "detail"]
ANSWERS = st.dictionaries(st.sampled_from(FIELDS), JSON | st.just("SUCCESS"))


class Told:
    """A client whose other side answers what a test says."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)

    async def call(self, call: Call) -> Answer:
        return self._answers.pop(0)


def told(body: bytes, status: int = 200, *headers: tuple[str, str]) -> Partner:
    client: Any = Told(Answer(status, headers, body, True))
    return Partner(Profile(PoolId(3001), "onlinesim-v1", "http://partner.test/", "pk_secret", {}), client)


@given(ANSWERS | JSON, st.sampled_from([200, 201, 400, 401, 404, 500]))
@hypothesis.settings(max_examples=400)
async def test_any_answer_is_understood_or_refused(answer: Any, status: int) -> None:
    body = json.dumps(answer).encode()
    asks: list[Callable[[Partner], Awaitable[object]]] = [
        lambda partner: partner.stock(),
        lambda partner: partner.order(wish()),
        lambda partner: partner.finish("355", Ending.SOLD, amount=1, currency="RUB"),
    ]
    for ask in asks:
        try:
            done = await ask(told(body, status))
        except (SourceRefused, SourceFailed) as error:
            assert len(error.detail) < 200
            continue
        if isinstance(done, RemoteNumber):
            assert 0 < len(done.remote_id) <= 200
            json.loads(done.remote_id)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity", ""])
@pytest.mark.parametrize(
    "body", [b"", b"\x1f\x8b\x08", b"\xff", gzip.compress(b" " * 20_000_000), b"[" * 100_000]
)
async def test_what_does_not_unpack_is_no_answer(encoding: str, body: bytes) -> None:
    with pytest.raises(SourceFailed):
        await told(body, 200, ("content-encoding", encoding)).stock()


def lent(identifier: str) -> Partner:
    return told(b'{"status":"SUCCESS","number":46701740605,"activationId":%s}' % identifier.encode())


@pytest.mark.parametrize("identifier", ["123456789012345678901234567890", "-5", '"a b"', '"\\""'])
async def test_an_id_is_anything_that_can_go_back_as_it_came(identifier: str) -> None:
    assert (await lent(identifier).order(wish())).remote_id == identifier


@pytest.mark.parametrize("identifier", ["1.5", "1e300", "true", "[]", '""', f'"{"x" * 500}"', "null"])
async def test_a_number_whose_id_cannot_go_back_may_be_reserved(identifier: str) -> None:
    with pytest.raises(SourceFailed) as failed:
        await lent(identifier).order(wish())
    assert failed.value.ambiguous
