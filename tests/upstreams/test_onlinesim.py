"""Buying from Onlinesim."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.remote.model import Ending, RemoteOffer
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.remote.onlinesim import OnlinesimSource
from simyard.workers.remote.source import Reason, SourceFailed, SourceRefused
from simyard.workers.remote.sources import source_of
from tests.upstreams.conftest import profile, wish
from tests.upstreams.onlinesim_vendor import OnlinesimVendor, no
from tests.upstreams.vendor import BAD_GATEWAY, HTML, Answer, Sold, content, serving, text

TELEGRAM = load_catalog().service("telegram")
WISH = wish("44", "telegram")


@pytest.fixture
async def vendor() -> AsyncIterator[OnlinesimVendor]:
    vendor = OnlinesimVendor()
    vendor.shelve("44", "telegram", "0.2", 5)
    async with serving(vendor):
        yield vendor


@pytest.fixture
def source(vendor: OnlinesimVendor, client: OutgoingClient) -> OnlinesimSource:
    made = source_of(profile(vendor.url, "onlinesim"), client)
    assert isinstance(made, OnlinesimSource)
    return made


async def end(source: OnlinesimSource, sold: Sold, ending: Ending) -> None:
    await source.finish(str(sold.id), ending, amount=0, currency="USD")


@pytest.mark.parametrize("strings", [False, True])
async def test_stock_has_prices_and_counts(
    source: OnlinesimSource, vendor: OnlinesimVendor, strings: bool
) -> None:
    vendor.strings = strings
    vendor.shelve("999", "telegram", "1", 1)
    vendor.shelve("44", "nowherebank", "1", 1)
    stock = await source.stock()
    assert TELEGRAM is not None
    assert stock.offers == (RemoteOffer("GB", TELEGRAM.id, None, "44", "telegram", 200_000, 5),)
    assert stock.balance == 100_000_000
    assert set(stock.unknown) == {("country", "999 atlantis"), ("service", "nowherebank")}


async def test_what_is_used_up_is_not_listed(source: OnlinesimSource, vendor: OnlinesimVendor) -> None:
    vendor.shelve("1", "telegram", "0.2", 0)
    assert [one.country for one in (await source.stock()).offers] == ["GB"]


@pytest.mark.parametrize("answer", [HTML, BAD_GATEWAY, content([]), no("ERROR_WRONG_KEY"), text("1")])
async def test_stock_that_cannot_be_read_is_no_empty_stock(
    source: OnlinesimSource, vendor: OnlinesimVendor, answer: Answer
) -> None:
    vendor.instead["getNumbersStats"] = [answer]
    with pytest.raises((SourceFailed, SourceRefused)):
        await source.stock()


@pytest.mark.parametrize("slow", [False, True])
async def test_an_order_asks_for_the_price_first(
    source: OnlinesimSource, vendor: OnlinesimVendor, slow: bool
) -> None:
    vendor.slow = slow
    number = await source.order(WISH)
    assert (number.remote_id, number.msisdn, number.cost) == (
        str(vendor.only().id),
        "+447700900001",
        200_000,
    )
    assert [one.step for one in vendor.requests][:2] == ["getPrice", "getNum"]
    assert vendor.steps("getNum")[0].headers["idempotency-key"] == "sy-1"


async def test_nothing_is_ordered_over_the_cap(source: OnlinesimSource, vendor: OnlinesimVendor) -> None:
    with pytest.raises(SourceRefused) as refused:
        await source.order(wish("44", "telegram", price_max=199_999))
    assert refused.value.reason is Reason.NO_NUMBERS
    assert not vendor.steps("getNum")


async def test_prefixes_are_sent_without_the_countrys_code(
    source: OnlinesimSource, vendor: OnlinesimVendor
) -> None:
    await source.order(wish("44", "telegram", excluded=("+447701", "+44", "+1212")))
    assert vendor.steps("getNum")[0].query["reject[0]"] == "7701"
    assert "reject[1]" not in vendor.steps("getNum")[0].query


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (no("NO_NUMBER"), Reason.NO_NUMBERS),
        (no("WARNING_NO_NUMS"), Reason.NO_NUMBERS),
        (no("WARNING_LOW_BALANCE"), Reason.NO_MONEY),
        (no("ERROR_NO_SERVICE"), Reason.NOT_OFFERED),
        (no("API_ACCESS_IP"), Reason.WRONG_KEY),
        (no("EXCEEDED_CONCURRENT_OPERATIONS"), Reason.REJECTED),
        (content({"original": {"response": "NO_NUMBER"}}), Reason.NO_NUMBERS),
    ],
)
async def test_a_no_is_told_in_our_words(
    source: OnlinesimSource, vendor: OnlinesimVendor, answer: Answer, reason: Reason
) -> None:
    vendor.instead["getNum"] = [answer]
    with pytest.raises(SourceRefused) as refused:
        await source.order(WISH)
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    "answer",
    [
        HTML,
        BAD_GATEWAY,
        no("TRY_AGAIN_LATER"),
        no("DUPLICATE_OPERATION"),
        content({"response": 1}),
        content({}),
    ],
)
async def test_an_answer_that_may_hide_a_number_is_ambiguous_and_not_asked_again(
    source: OnlinesimSource, vendor: OnlinesimVendor, answer: Answer
) -> None:
    vendor.instead["getNum"] = [answer]
    with pytest.raises(SourceFailed) as failed:
        await source.order(WISH)
    assert failed.value.ambiguous
    assert len(vendor.steps("getNum")) == 1


@pytest.mark.parametrize("dead", ["getNum", "getState"])
async def test_a_lost_order_is_found(source: OnlinesimSource, vendor: OnlinesimVendor, dead: str) -> None:
    vendor.shelve("44", "whatsapp", "0.2", 5)
    await source.order(wish("44", "whatsapp"))
    vendor.slow = True
    vendor.dead_after = {dead}
    with pytest.raises(SourceFailed) as failed:
        await source.order(WISH)
    assert failed.value.ambiguous
    vendor.dead_after = set()
    found = await source.find(WISH, since=vendor.now) or []
    assert [one.remote_id for one in found] == [str(max(vendor.sold))]


async def test_nothing_open_is_an_answer_and_no_list_is_none(
    source: OnlinesimSource, vendor: OnlinesimVendor
) -> None:
    assert await source.find(WISH, since=vendor.now) == []
    vendor.instead["getState"] = [no("TRY_AGAIN_LATER")]
    with pytest.raises(SourceFailed):
        await source.find(WISH, since=vendor.now)


@pytest.mark.parametrize(
    ("ending", "state"), [(Ending.CANCELED, "canceled"), (Ending.NOT_FOR_SERVICE, "banned")]
)
async def test_what_was_not_sold_gives_the_money_back_once(
    source: OnlinesimSource, vendor: OnlinesimVendor, ending: Ending, state: str
) -> None:
    vendor.cancel_locked = True
    await source.order(WISH)
    with pytest.raises(SourceFailed) as failed:
        await end(source, vendor.only(), ending)
    assert not failed.value.ambiguous
    vendor.cancel_locked = False
    for _ in range(2):
        await end(source, vendor.only(), ending)
    assert vendor.only().state == state
    assert vendor.balance == 100


async def test_a_sale_is_closed(source: OnlinesimSource, vendor: OnlinesimVendor) -> None:
    await source.order(WISH)
    vendor.send(vendor.only(), "Telegram code 12345")
    for ending in (Ending.SOLD, Ending.SOLD, Ending.REFUNDED):
        await end(source, vendor.only(), ending)
    assert vendor.only().state == "done"


async def test_one_request_brings_everybodys_messages(
    source: OnlinesimSource, vendor: OnlinesimVendor
) -> None:
    vendor.shelve("44", "telegram", "0.2", 50)
    ids = [(await source.order(WISH)).remote_id for _ in range(10)]
    sold = vendor.sold[int(ids[3])]
    vendor.requests.clear()
    assert await source.poll(ids) == []
    vendor.send(sold, "Telegram code 12345")
    (first,) = await source.poll(ids)
    assert first.text == "Telegram code 12345"
    assert await source.poll(ids) == [first]
    await source.request_next(ids[3])
    vendor.send(sold, "Telegram code 12345")
    (again,) = await source.poll(ids)
    assert again.remote_message_id != first.remote_message_id
    vendor.send(sold, "Telegram code 67890")
    assert [one.text for one in await source.poll(ids)] == ["Telegram code 12345", "Telegram code 67890"]
    assert len(vendor.requests) == 5


async def test_a_closed_operation_is_asked_for_its_messages(
    source: OnlinesimSource, vendor: OnlinesimVendor
) -> None:
    await source.order(WISH)
    sold = vendor.only()
    vendor.send(sold, "Telegram code 12345")
    sold.state = "done"
    assert [one.text for one in await source.poll([str(sold.id), "1"])] == ["Telegram code 12345"]
    vendor.instead["getState"] = [HTML]
    with pytest.raises(SourceFailed):
        await source.poll([str(sold.id)])
