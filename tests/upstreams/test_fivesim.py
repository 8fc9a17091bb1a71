"""Buying from 5sim."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.remote.model import Ending, RemoteOffer
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.remote.fivesim import FivesimSource
from simyard.workers.remote.source import Reason, SourceFailed, SourceRefused, WrongSwitch
from simyard.workers.remote.sources import source_of
from tests.upstreams.conftest import profile, wish
from tests.upstreams.fivesim_vendor import FivesimVendor
from tests.upstreams.vendor import BAD_GATEWAY, HTML, Answer, Sold, content, serving, text

TELEGRAM = load_catalog().service("telegram")
WISH = wish("england", "telegram")
BUY = "user/buy"


@pytest.fixture
async def vendor() -> AsyncIterator[FivesimVendor]:
    vendor = FivesimVendor()
    vendor.shelve("england", "telegram", "0.2", 5)
    async with serving(vendor):
        yield vendor


@pytest.fixture
def source(vendor: FivesimVendor, client: OutgoingClient) -> FivesimSource:
    made = source_of(profile(vendor.url, "fivesim"), client)
    assert isinstance(made, FivesimSource)
    return made


async def end(source: FivesimSource, sold: Sold, ending: Ending) -> None:
    await source.finish(str(sold.id), ending, amount=0, currency="USD")


async def test_stock_is_what_the_cheapest_operators_have(
    source: FivesimSource, vendor: FivesimVendor
) -> None:
    vendor.shelve("england", "telegram", "0.1", 0)
    vendor.shelve("england", "telegram", "0.5", 900)
    vendor.shelve("atlantis", "telegram", "1", 1)
    vendor.shelve("england", "nowherebank", "1", 1)
    stock = await source.stock()
    assert TELEGRAM is not None
    assert stock.offers == (RemoteOffer("GB", TELEGRAM.id, None, "england", "telegram", 200_000, 5),)
    assert stock.balance == 100_000_000
    assert set(stock.unknown) == {("country", "atlantis"), ("service", "nowherebank")}


async def test_what_is_used_up_is_not_listed(source: FivesimSource, vendor: FivesimVendor) -> None:
    vendor.shelve("usa", "telegram", "0.2", 0)
    assert [one.country for one in (await source.stock()).offers] == ["GB"]


async def test_guests_prices_are_asked_for_without_the_key(
    source: FivesimSource, vendor: FivesimVendor
) -> None:
    await source.stock()
    assert "authorization" not in vendor.steps("guest/prices")[0].headers


async def test_a_low_rating_is_an_alarm(
    source: FivesimSource, vendor: FivesimVendor, caplog: pytest.LogCaptureFixture
) -> None:
    vendor.rating = 12
    await source.stock()
    assert "12" in caplog.text


@pytest.mark.parametrize("answer", [HTML, BAD_GATEWAY, content(None), text("internal error", 500)])
async def test_stock_that_cannot_be_read_is_no_empty_stock(
    source: FivesimSource, vendor: FivesimVendor, answer: Answer
) -> None:
    vendor.instead["guest/prices"] = [answer]
    with pytest.raises(SourceFailed):
        await source.stock()


async def test_an_order_is_for_any_operator_under_a_cap(source: FivesimSource, vendor: FivesimVendor) -> None:
    number = await source.order(WISH)
    assert (number.remote_id, number.msisdn, number.cost) == (
        str(vendor.only().id),
        "+447700900001",
        200_000,
    )
    (asked,) = vendor.requests
    assert asked.path == "/v1/user/buy/activation/england/any/telegram"
    assert asked.query == {"maxPrice": "1"}
    assert asked.headers["idempotency-key"] == "sy-1"


@pytest.mark.parametrize(
    ("country", "product", "price_max", "balance", "reason"),
    [
        ("england", "whatsapp", 1_000_000, 100, Reason.NO_NUMBERS),
        ("england", "telegram", 100_000, 100, Reason.NO_NUMBERS),
        ("england", "telegram", 1_000_000, 0, Reason.NO_MONEY),
        ("mars", "telegram", 1_000_000, 100, Reason.NOT_OFFERED),
        ("england", "nothing", 1_000_000, 100, Reason.NOT_OFFERED),
    ],
)
async def test_a_no_is_told_in_our_words(
    source: FivesimSource,
    vendor: FivesimVendor,
    country: str,
    product: str,
    price_max: int,
    balance: int,
    reason: Reason,
) -> None:
    vendor.balance = vendor.balance * balance / 100
    with pytest.raises(SourceRefused) as refused:
        await source.order(wish(country, product, price_max=price_max))
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (text("No Free Phones\n"), Reason.NO_NUMBERS),
        (text("not enough rating", 400), Reason.REJECTED),
        (text("token expired", 401), Reason.WRONG_KEY),
        (text("whatever", 401), Reason.WRONG_KEY),
        (text("api limit is 100 requests per second", 429), Reason.REJECTED),
        (text("ip address limit is 100 requests per second", 503), Reason.REJECTED),
    ],
)
async def test_a_no_is_read_by_its_content(
    source: FivesimSource, vendor: FivesimVendor, answer: Answer, reason: Reason
) -> None:
    vendor.instead[BUY] = [answer]
    with pytest.raises(SourceRefused) as refused:
        await source.order(WISH)
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    "answer",
    [
        HTML,
        BAD_GATEWAY,
        text(""),
        text("internal error", 500),
        content({"id": 1}),
        content([]),
        (200, "application/json", b'{"id":1,"pho'),
    ],
)
async def test_an_answer_that_may_hide_a_number_is_ambiguous_and_not_asked_again(
    source: FivesimSource, vendor: FivesimVendor, answer: Answer
) -> None:
    vendor.instead[BUY] = [answer]
    with pytest.raises(SourceFailed) as failed:
        await source.order(WISH)
    assert failed.value.ambiguous
    assert len(vendor.requests) == 1


async def test_a_lost_order_is_found_among_the_newest(source: FivesimSource, vendor: FivesimVendor) -> None:
    await source.order(WISH)
    vendor.now += timedelta(minutes=10)
    since = vendor.now
    canceled = await source.order(WISH)
    await source.finish(canceled.remote_id, Ending.CANCELED, amount=0, currency="USD")
    vendor.dead_after = {BUY}
    with pytest.raises(SourceFailed) as failed:
        await source.order(WISH)
    assert failed.value.ambiguous
    found = await source.find(WISH, since=since) or []
    assert [one.remote_id for one in found] == [str(max(vendor.sold))]
    assert await source.find(WISH, since=since + timedelta(hours=1)) == []


async def test_a_list_that_cannot_be_had_is_no_empty_list(
    source: FivesimSource, vendor: FivesimVendor
) -> None:
    vendor.instead["user/orders"] = [HTML, content({})]
    for _ in range(2):
        with pytest.raises(SourceFailed):
            await source.find(WISH, since=vendor.now)


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize(
    ("ending", "state"), [(Ending.CANCELED, "canceled"), (Ending.NOT_FOR_SERVICE, "banned")]
)
async def test_what_was_not_sold_gives_the_money_back_once(
    source: FivesimSource, vendor: FivesimVendor, ending: Ending, state: str, status: int
) -> None:
    vendor.error_status = status
    await source.order(WISH)
    for _ in range(2):
        await end(source, vendor.only(), ending)
    assert vendor.only().state == state
    assert vendor.balance == 100


async def test_a_sale_is_finished(source: FivesimSource, vendor: FivesimVendor) -> None:
    await source.order(WISH)
    with pytest.raises(SourceRefused):
        await end(source, vendor.only(), Ending.SOLD)
    vendor.send(vendor.only(), "Telegram code 12345")
    for _ in range(2):
        await end(source, vendor.only(), Ending.SOLD)
    assert vendor.only().state == "done"
    vendor.requests.clear()
    await end(source, vendor.only(), Ending.REFUNDED)
    assert not vendor.requests


async def test_a_cancel_that_is_too_early_is_tried_again(
    source: FivesimSource, vendor: FivesimVendor
) -> None:
    vendor.cancel_locked = True
    await source.order(WISH)
    with pytest.raises(SourceFailed):
        await end(source, vendor.only(), Ending.CANCELED)


async def test_a_message_that_won_against_the_cancel_is_paid_for(
    source: FivesimSource, vendor: FivesimVendor
) -> None:
    await source.order(WISH)
    vendor.send(vendor.only(), "Telegram code 12345")
    await end(source, vendor.only(), Ending.CANCELED)
    assert vendor.only().state == "done"


async def test_what_is_gone_needs_no_ending(source: FivesimSource) -> None:
    for ending in Ending:
        await source.finish("1", ending, amount=0, currency="USD")


async def test_one_list_brings_everybodys_messages(source: FivesimSource, vendor: FivesimVendor) -> None:
    vendor.shelve("england", "telegram", "0.2", 50)
    vendor.null_sms = True
    ids = [(await source.order(WISH)).remote_id for _ in range(10)]
    vendor.requests.clear()
    assert await source.poll(ids) == []
    assert len(vendor.requests) == 1
    sold = vendor.sold[int(ids[3])]
    vendor.send(sold, "Telegram code 12345")
    vendor.send(sold, "Telegram code 67890")
    first, second = await source.poll(ids)
    assert (first.text, first.sender, first.sent_at) == ("Telegram code 12345", "Telegram", vendor.now)
    assert first.remote_message_id == str(sold.sms[0].id)
    assert second.text == "Telegram code 67890"
    assert await source.poll([ids[3]]) == [first, second]
    await source.request_next(ids[3])


async def test_a_message_without_an_id_gets_one_that_stays(
    source: FivesimSource, vendor: FivesimVendor
) -> None:
    vendor.sms_ids = False
    await source.order(WISH)
    vendor.send(vendor.only(), "Telegram code 12345")
    (one,) = await source.poll([str(vendor.only().id)])
    assert await source.poll([str(vendor.only().id)]) == [one]
    vendor.now += timedelta(seconds=5)
    vendor.send(vendor.only(), "Telegram code 12345")
    (two,) = await source.poll([str(vendor.only().id)])
    assert two.remote_message_id != one.remote_message_id


async def test_old_orders_are_asked_for_one_by_one(source: FivesimSource, vendor: FivesimVendor) -> None:
    vendor.shelve("england", "telegram", "0.001", 3000)
    ids = [(await source.order(WISH)).remote_id for _ in range(3)]
    vendor.send(vendor.sold[int(ids[0])], "Telegram code 12345")
    for _ in range(1200):
        vendor.buy("england", "telegram", None)
    assert [one.text for one in await source.poll(ids)] == ["Telegram code 12345"]


async def test_one_that_cannot_be_asked_does_not_hold_up_the_others(
    source: FivesimSource, vendor: FivesimVendor
) -> None:
    ids = [(await source.order(WISH)).remote_id for _ in range(2)]
    for one in ids:
        vendor.send(vendor.sold[int(one)], "Telegram code 12345")
    vendor.instead["user/check"] = [BAD_GATEWAY]
    assert len(await source.poll(ids)) == 1
    vendor.instead["user/check"] = [BAD_GATEWAY, HTML]
    with pytest.raises(SourceFailed):
        await source.poll(ids)
    assert await source.poll(["1"]) == []


async def test_strange_orders_are_left_out(source: FivesimSource, vendor: FivesimVendor) -> None:
    rows = json.loads('[null, 7, {"id": "x y"}, {"id": 5, "sms": "none"}]')
    vendor.instead["user/orders"] = [content({"Data": rows})] * 2
    assert await source.find(WISH, since=vendor.now) == []
    assert await source.poll(["5", "6", "7"]) == []


def test_a_wrong_switch_is_refused(client: OutgoingClient) -> None:
    with pytest.raises(WrongSwitch):
        source_of(profile("http://example.com", "fivesim", order_ids="yes"), client)
