"""Buying from a vendor of the handler API, whatever it is like."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.remote.model import Ending, RemoteMessage, RemoteOffer
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.remote.handler import HandlerSource
from simyard.workers.remote.source import Reason, SourceFailed, SourceRefused, WrongSwitch
from simyard.workers.remote.sources import source_of
from tests.upstreams.conftest import profile, wish
from tests.upstreams.handler_vendor import HandlerVendor
from tests.upstreams.vendor import BAD_GATEWAY, HTML, KEY, Answer, Sold, content, serving, text

TELEGRAM, WHATSAPP = (load_catalog().service(slug) for slug in ("telegram", "whatsapp"))
WISH = wish("16", "tg")
ORDER = "getNumberV2"


@pytest.fixture
async def vendor() -> AsyncIterator[HandlerVendor]:
    vendor = HandlerVendor()
    vendor.shelve("16", "tg", "0.2", 5)
    async with serving(vendor):
        yield vendor


@pytest.fixture
def source(vendor: HandlerVendor, client: OutgoingClient) -> HandlerSource:
    return make(vendor, client)


def make(vendor: HandlerVendor, client: OutgoingClient, **switches: str) -> HandlerSource:
    made = source_of(profile(vendor.url, "handler", **switches), client)
    assert isinstance(made, HandlerSource)
    return made


async def end(source: HandlerSource, sold: Sold, ending: Ending) -> None:
    await source.finish(str(sold.id), ending, amount=0, currency="USD")


def texts(messages: list[RemoteMessage]) -> list[str]:
    return [message.text for message in messages]


# Stock


async def test_stock_has_prices_and_what_is_really_there(
    source: HandlerSource, vendor: HandlerVendor
) -> None:
    vendor.shelve("16", "tg", "0.35", 1000)
    vendor.shelve("187", "wa", "1", 3)
    vendor.shelve("9199", "tg", "1", 3)
    vendor.shelve("16", "zzz", "0.1", 3)
    stock = await source.stock()
    assert TELEGRAM is not None
    assert WHATSAPP is not None
    assert stock.offers == (
        RemoteOffer("GB", TELEGRAM.id, None, "16", "tg", 200_000, 5),
        RemoteOffer("US", WHATSAPP.id, None, "187", "wa", 1_000_000, 3),
    )
    assert stock.balance == 100_000_000
    assert set(stock.unknown) == {("country", "9199 Atlantis"), ("service", "zzz Bank of Nowhere")}


@pytest.mark.parametrize("shape", ["no physical", "tiers", "providers", "total"])
async def test_prices_are_read_in_every_form(
    source: HandlerSource, vendor: HandlerVendor, shape: str
) -> None:
    vendor.prices_shape = shape
    vendor.shelve("16", "tg", "0.1", 0)
    (offer,) = (await source.stock()).offers
    assert (offer.price, offer.stock) == (200_000, 5)


async def test_prices_come_in_the_base_currency_rounded_up(
    vendor: HandlerVendor, client: OutgoingClient
) -> None:
    source = make(vendor, client, currency="RUB", rate="0.011111111")
    stock = await source.stock()
    assert stock.offers[0].price == 2223
    assert stock.balance == 1_111_112
    vendor.sold.clear()
    await source.order(wish("16", "tg", price_max=2223))
    assert vendor.steps(ORDER)[-1].query["maxPrice"] == "0.20007"


async def test_a_vendor_without_names_is_taken_by_the_common_tables(
    source: HandlerSource, vendor: HandlerVendor
) -> None:
    vendor.names_known = False
    vendor.shelve("12", "wa", "1", 3)
    vendor.shelve("0", "go", "1", 3)
    assert [(one.country, one.country_name) for one in (await source.stock()).offers] == [
        ("GB", "16"),
        ("US", "12"),
        ("RU", "0"),
    ]


async def test_a_code_that_means_something_else_there_is_not_sold(
    source: HandlerSource, vendor: HandlerVendor
) -> None:
    vendor.instead["getServicesList"] = [
        content({"status": "success", "services": [{"code": "tg", "name": "WhatsApp"}]})
    ]
    stock = await source.stock()
    assert stock.offers == ()
    assert stock.unknown == (("service", "tg WhatsApp"),)


async def test_a_country_is_what_the_vendor_calls_it(source: HandlerSource, vendor: HandlerVendor) -> None:
    vendor.instead["getCountries"] = [content([{"id": 16, "eng": "Vietnam"}])]
    assert [one.country for one in (await source.stock()).offers] == ["VN"]


@pytest.mark.parametrize(
    "answer",
    [HTML, BAD_GATEWAY, text("ERROR_SQL"), content({"status": "error"}), (200, "text/plain", b'{"1')],
)
async def test_stock_that_cannot_be_read_is_no_empty_stock(
    source: HandlerSource, vendor: HandlerVendor, answer: Answer
) -> None:
    vendor.instead["getPrices"] = [answer]
    with pytest.raises(SourceFailed) as failed:
        await source.stock()
    assert not failed.value.ambiguous


async def test_entries_nobody_can_read_are_left_out(source: HandlerSource, vendor: HandlerVendor) -> None:
    good = {"cost": 0.2, "count": 5}
    odd: dict[str, object] = {
        "tg": good,
        "wa": {"cost": "free", "count": 1},
        "go": [],
        "fb": {"cost": -1, "count": 5},
        "ig": {"cost": 1e99, "count": 5},
        "vi": {"cost": True, "count": None},
        "me": {},
    }
    vendor.instead["getPrices"] = [content({"16": odd, "187": [], "12": None})]
    assert [one.service_name for one in (await source.stock()).offers] == ["tg"]


async def test_what_is_used_up_is_not_listed(source: HandlerSource, vendor: HandlerVendor) -> None:
    vendor.shelve("187", "tg", "0.2", 0)
    assert [one.country for one in (await source.stock()).offers] == ["GB"]


# Ordering


@pytest.mark.parametrize("hero", [False, True])
async def test_an_order_names_a_cap_and_our_reference(
    source: HandlerSource, vendor: HandlerVendor, hero: bool
) -> None:
    vendor.hero = hero
    number = await source.order(WISH)
    sold = vendor.only()
    assert (number.remote_id, number.msisdn, number.cost) == (str(sold.id), "+447700900001", 200_000)
    (asked,) = vendor.steps(ORDER)
    assert asked.query["maxPrice"] == "1"
    assert asked.query["orderId"] == "sy-1"
    assert "fixedPrice" not in asked.query


async def test_prefixes_are_sent_in_the_form_the_protocol_knows(
    source: HandlerSource, vendor: HandlerVendor
) -> None:
    await source.order(wish("16", "tg", excluded=("+447701", "+44", "+447700900", "+1212")))
    assert vendor.steps(ORDER)[0].query["phoneException"] == "447701"


async def test_a_vendor_of_the_first_version_is_asked_in_it(
    source: HandlerSource, vendor: HandlerVendor
) -> None:
    vendor.missing = {ORDER}
    number = await source.order(WISH)
    assert (number.remote_id, number.cost) == (str(vendor.only().id), None)
    assert vendor.steps("getNumber")[0].query["maxPrice"] == "1"


@pytest.mark.parametrize("hero", [False, True])
@pytest.mark.parametrize(
    ("service", "price_max", "balance", "reason"),
    [
        ("wa", 1_000_000, 100, Reason.NO_NUMBERS),
        ("tg", 100_000, 100, Reason.NO_NUMBERS),
        ("tg", 1_000_000, 0, Reason.NO_MONEY),
        ("xx", 1_000_000, 100, Reason.NOT_OFFERED),
    ],
)
async def test_a_no_is_told_in_our_words(
    source: HandlerSource,
    vendor: HandlerVendor,
    hero: bool,
    service: str,
    price_max: int,
    balance: int,
    reason: Reason,
) -> None:
    vendor.hero, vendor.balance = hero, vendor.balance * balance / 100
    with pytest.raises(SourceRefused) as refused:
        await source.order(wish("16", service, price_max=price_max))
    assert refused.value.reason is reason
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (text("BANNED:'2026-11-21 10-00-00'"), Reason.REJECTED),
        (text("CHANNELS_LIMIT"), Reason.REJECTED),
        (content({"title": "BANNED", "info": {"scope": "global"}}, 403), Reason.REJECTED),
        (text("Too many", 429), Reason.REJECTED),
        (content({"title": "Unauthenticated."}, 401), Reason.WRONG_KEY),
        (content({"status": "error", "message": "NO_NUMBERS"}), Reason.NO_NUMBERS),
        (content({"status": "false", "msg": "service is incorrect"}), Reason.NOT_OFFERED),
        (content("NO_NUMBERS"), Reason.NO_NUMBERS),
        ((200, "text/html", b"\xef\xbb\xbfNO_NUMBERS\n"), Reason.NO_NUMBERS),
    ],
)
async def test_a_no_is_read_by_its_content(
    source: HandlerSource, vendor: HandlerVendor, answer: Answer, reason: Reason
) -> None:
    vendor.instead[ORDER] = [answer]
    with pytest.raises(SourceRefused) as refused:
        await source.order(WISH)
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    "answer",
    [
        HTML,
        BAD_GATEWAY,
        text(""),
        text("ERROR_SQL"),
        text("ORDER_ALREADY_EXISTS"),
        text("SOMETHING_NEW"),
        text("ACCESS_NUMBER:1"),
        content({"title": "SERVER_ERROR"}, 500),
        content({"activationId": "1"}),
        content({"activationId": "../1", "phoneNumber": "447700900001"}),
        (200, "application/json", b'{"activationId":"1","phone'),
        (302, "text/html", b""),
    ],
)
async def test_an_answer_that_may_hide_a_number_is_ambiguous_and_not_asked_again(
    source: HandlerSource, vendor: HandlerVendor, answer: Answer
) -> None:
    vendor.instead[ORDER] = [answer]
    with pytest.raises(SourceFailed) as failed:
        await source.order(WISH)
    assert failed.value.ambiguous
    assert len(vendor.requests) == 1


async def test_a_line_that_goes_dead_after_the_order_is_ambiguous(
    source: HandlerSource, vendor: HandlerVendor
) -> None:
    vendor.dead_after = {ORDER}
    with pytest.raises(SourceFailed) as failed:
        await source.order(WISH)
    assert failed.value.ambiguous
    found = await source.find(WISH, since=vendor.now) or []
    assert [one.remote_id for one in found] == [str(vendor.only().id)]


async def test_nobody_there_is_not_ambiguous(vendor: HandlerVendor, client: OutgoingClient) -> None:
    source = source_of(profile("http://127.0.0.1:1", "handler"), client)
    with pytest.raises(SourceFailed) as failed:
        await source.order(WISH)
    assert not failed.value.ambiguous


async def test_no_error_tells_the_key(source: HandlerSource, vendor: HandlerVendor) -> None:
    vendor.instead[ORDER] = [text(f"what is {KEY}"), content({"title": KEY}, 400)]
    for _ in range(2):
        with pytest.raises(SourceFailed) as failed:
            await source.order(WISH)
        assert KEY not in str(failed.value)


async def test_rentals_are_not_bought(source: HandlerSource, vendor: HandlerVendor) -> None:
    with pytest.raises(SourceRefused):
        await source.order(wish("16", "tg", rental_days=7))
    assert not vendor.requests


# Finding


@pytest.mark.parametrize("shape", ["both", "data", "activeActivations", "bare", "rows"])
async def test_a_lost_order_is_found_in_every_form_of_the_list(
    source: HandlerSource, vendor: HandlerVendor, shape: str
) -> None:
    vendor.list_shape = shape
    vendor.shelve("16", "wa", "0.2", 5)
    vendor.shelve("187", "tg", "0.2", 5)
    await source.order(wish("16", "wa"))
    await source.order(wish("187", "tg", reference="sy-2"))
    lost = await source.order(wish("16", "tg", reference="sy-3"))
    assert await source.find(WISH, since=vendor.now) == [lost]


async def test_nothing_open_is_an_answer(source: HandlerSource, vendor: HandlerVendor) -> None:
    assert await source.find(WISH, since=vendor.now) == []


async def test_a_list_that_cannot_be_had_is_no_empty_list(
    source: HandlerSource, vendor: HandlerVendor
) -> None:
    vendor.instead["getActiveActivations"] = [text("ERROR_SQL"), HTML, content({"status": "success"})]
    for _ in range(3):
        with pytest.raises(SourceFailed):
            await source.find(WISH, since=vendor.now)


async def test_our_order_id_in_the_list_tells_it_from_all_others(
    source: HandlerSource, vendor: HandlerVendor
) -> None:
    vendor.echoes_order_id = True
    await source.order(wish("16", "tg", reference="sy-2"))
    lost = await source.order(WISH)
    assert await source.find(WISH, since=vendor.now) == [lost]
    assert await source.find(wish("16", "tg", reference="sy-9"), since=vendor.now) == []


async def test_with_the_vendors_zone_older_orders_are_left_alone(
    vendor: HandlerVendor, client: OutgoingClient
) -> None:
    vendor.zone_hours = 3
    await make(vendor, client).order(wish("16", "tg", reference="sy-2"))
    vendor.now += timedelta(minutes=10)
    lost = await make(vendor, client).order(WISH)
    zoned = make(vendor, client, utc_offset_minutes="180")
    assert await zoned.find(WISH, since=vendor.now) == [lost]
    assert len(await make(vendor, client).find(WISH, since=vendor.now) or ()) == 2


async def test_the_list_is_read_to_its_end(source: HandlerSource, vendor: HandlerVendor) -> None:
    vendor.shelve("16", "tg", "0.2", 500)
    for place in range(205):
        vendor.buy("16", "tg", None, str(place))
    assert len(await source.find(WISH, since=vendor.now) or ()) == 205
    vendor.requests.clear()
    vendor.pages = False
    assert len(await source.find(WISH, since=vendor.now) or ()) == 205
    assert len(vendor.requests) == 2


# Ending


@pytest.mark.parametrize("hero", [False, True])
async def test_a_cancel_gives_the_money_back_once(
    source: HandlerSource, vendor: HandlerVendor, hero: bool
) -> None:
    vendor.hero = hero
    await source.order(WISH)
    for _ in range(2):
        await end(source, vendor.only(), Ending.CANCELED)
    assert vendor.only().state == "canceled"
    assert vendor.balance == 100


async def test_a_number_of_no_use_is_canceled(source: HandlerSource, vendor: HandlerVendor) -> None:
    await source.order(WISH)
    await end(source, vendor.only(), Ending.NOT_FOR_SERVICE)
    assert vendor.only().state == "canceled"


async def test_a_sale_is_finished(source: HandlerSource, vendor: HandlerVendor) -> None:
    await source.order(WISH)
    vendor.send(vendor.only(), "Telegram code 12345")
    for _ in range(2):
        await end(source, vendor.only(), Ending.SOLD)
    assert vendor.only().state == "done"
    await end(source, vendor.only(), Ending.REFUNDED)
    assert len(vendor.steps("setStatus")) == 2


@pytest.mark.parametrize("hero", [False, True])
async def test_a_cancel_that_is_too_early_is_tried_again(
    source: HandlerSource, vendor: HandlerVendor, hero: bool
) -> None:
    vendor.hero, vendor.cancel_locked = hero, True
    await source.order(WISH)
    with pytest.raises(SourceFailed) as failed:
        await end(source, vendor.only(), Ending.CANCELED)
    assert failed.value.detail == "EARLY_CANCEL_DENIED"
    vendor.cancel_locked = False
    await end(source, vendor.only(), Ending.CANCELED)
    assert vendor.balance == 100


@pytest.mark.parametrize("hero", [False, True])
async def test_a_message_that_won_against_the_cancel_is_paid_for(
    source: HandlerSource, vendor: HandlerVendor, hero: bool
) -> None:
    vendor.hero = hero
    await source.order(WISH)
    vendor.send(vendor.only(), "Telegram code 12345")
    await end(source, vendor.only(), Ending.CANCELED)
    assert vendor.only().state == "done"


async def test_what_is_gone_needs_no_ending(source: HandlerSource, vendor: HandlerVendor) -> None:
    for ending in Ending:
        await source.finish("1", ending, amount=0, currency="USD")


@pytest.mark.parametrize("answer", [HTML, BAD_GATEWAY, text("ERROR_SQL"), text("BAD_KEY")])
async def test_an_ending_that_was_not_understood_is_tried_again(
    source: HandlerSource, vendor: HandlerVendor, answer: Answer
) -> None:
    await source.order(WISH)
    vendor.instead["setStatus"] = [answer]
    with pytest.raises((SourceFailed, SourceRefused)):
        await end(source, vendor.only(), Ending.CANCELED)
    await end(source, vendor.only(), Ending.CANCELED)
    assert vendor.balance == 100


# Messages


async def test_one_list_shows_who_got_something(source: HandlerSource, vendor: HandlerVendor) -> None:
    vendor.shelve("16", "tg", "0.2", 50)
    ids = [(await source.order(wish("16", "tg", reference=f"sy-{one}"))).remote_id for one in range(20)]
    vendor.requests.clear()
    assert await source.poll(ids) == []
    assert len(vendor.requests) == 1
    vendor.send(vendor.sold[int(ids[3])], "Telegram code 12345")
    (message,) = await source.poll(ids)
    assert (message.remote_id, message.sender, message.text) == (ids[3], "Telegram", "Telegram code 12345")
    assert message.remote_message_id == str(vendor.sold[int(ids[3])].sms[0].id)
    assert len(vendor.steps("getAllSms")) == 1
    assert await source.poll(ids) == [message]
    assert len(vendor.steps("getAllSms")) == 1


async def test_two_quick_messages_both_come(source: HandlerSource, vendor: HandlerVendor) -> None:
    await source.order(WISH)
    sold = vendor.only()
    vendor.send(sold, "Telegram code 12345")
    vendor.send(sold, "Telegram code 67890")
    assert texts(await source.poll([str(sold.id)])) == ["Telegram code 12345", "Telegram code 67890"]


async def test_of_messages_that_say_the_same_the_newest_is_told(
    source: HandlerSource, vendor: HandlerVendor
) -> None:
    await source.order(WISH)
    sold = vendor.only()
    for said in ("Telegram code 12345", "Telegram code 67890", "Telegram code 12345"):
        vendor.send(sold, said)
    found = await source.poll([str(sold.id)])
    assert [one.remote_message_id for one in found] == [str(sms.id) for sms in sold.sms[1:]]


async def test_the_next_message_comes_after_it_was_asked_for(
    source: HandlerSource, vendor: HandlerVendor
) -> None:
    vendor.missing = {"getAllSms"}
    await source.order(WISH)
    sold = vendor.only()
    with pytest.raises(SourceRefused):
        await source.request_next(str(sold.id))
    vendor.send(sold, "Telegram code 12345")
    assert texts(await source.poll([str(sold.id)])) == ["Telegram code 12345"]
    await source.request_next(str(sold.id))
    assert await source.poll([str(sold.id)]) == []
    vendor.send(sold, "Telegram code 67890")
    assert texts(await source.poll([str(sold.id)])) == ["Telegram code 67890"]


@pytest.mark.parametrize("missing", [{"getAllSms"}, {"getAllSms", "getStatusV2"}])
async def test_a_vendor_that_shows_the_newest_alone_is_read_too(
    source: HandlerSource, vendor: HandlerVendor, client: OutgoingClient, missing: set[str]
) -> None:
    vendor.missing = missing
    await source.order(WISH)
    sold = vendor.only()
    vendor.send(sold, "Telegram code 12345")
    (first,) = await source.poll([str(sold.id)])
    assert (first.text, first.sent_at) == ("Telegram code 12345", None)
    assert await source.poll([str(sold.id)]) == [first]
    sold.state = "done"
    # It is not on the list any more.
    (late,) = await source.poll([str(sold.id)])
    assert late == first
    # Whoever has not seen the list asks for its state.
    (told,) = await make(vendor, client).poll([str(sold.id)])
    assert (told == first) is ("getStatusV2" not in missing)
    assert "12345" in told.text


async def test_a_message_of_a_number_that_left_the_list_is_not_lost(
    source: HandlerSource, vendor: HandlerVendor
) -> None:
    await source.order(WISH)
    sold = vendor.only()
    vendor.send(sold, "Telegram code 12345")
    sold.state = "done"
    assert texts(await source.poll([str(sold.id)])) == ["Telegram code 12345"]


async def test_one_number_that_cannot_be_asked_does_not_hold_up_the_others(
    source: HandlerSource, vendor: HandlerVendor
) -> None:
    ids = [(await source.order(wish("16", "tg", reference=f"sy-{one}"))).remote_id for one in range(2)]
    for one in ids:
        vendor.send(vendor.sold[int(one)], "Telegram code 12345")
    vendor.instead["getAllSms"] = [BAD_GATEWAY]
    assert len(await source.poll(ids)) == 1
    assert len(await source.poll(ids)) == 2
    vendor.instead["getActiveActivations"] = [HTML]
    with pytest.raises(SourceFailed):
        await source.poll(ids)


async def test_strangers_on_the_account_are_left_alone(source: HandlerSource, vendor: HandlerVendor) -> None:
    stranger = vendor.buy("16", "tg", None)
    assert stranger is not None
    vendor.send(stranger, "Telegram code 12345")
    await source.order(WISH)
    ours = [one for one in vendor.sold if one != stranger.id]
    assert await source.poll([str(ours[0])]) == []


async def test_a_vendor_that_hangs_is_given_up(
    source: HandlerSource, vendor: HandlerVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simyard.workers.remote.handler.ORDER_SECONDS_MAX", 0.2)
    vendor.held[ORDER] = asyncio.Event()
    with pytest.raises(SourceFailed) as failed:
        await source.order(WISH)
    assert failed.value.ambiguous
    vendor.held[ORDER].set()


# Switches


@pytest.mark.parametrize(
    "switches",
    [
        {"colour": "red"},
        {"order_action": "getNumberV9"},
        {"prices_action": "setStatus"},
        {"order_ids": "perhaps"},
        {"currency": "RUB"},
        {"rate": "0"},
        {"currency": "roubles"},
        {"utc_offset_minutes": "three"},
    ],
)
def test_a_wrong_switch_is_refused(client: OutgoingClient, switches: dict[str, str]) -> None:
    with pytest.raises(WrongSwitch):
        source_of(profile("http://example.com", "handler", **switches), client)
