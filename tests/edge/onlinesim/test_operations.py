"""What the transcripts do not tell of operations: order, limits, bans, texts that are gone, money."""

from __future__ import annotations

import asyncio

import pytest

from simyard.base.clock import ManualClock
from simyard.settings import Settings
from tests.edge.onlinesim.buyer import Buyer, add_shelf, receive
from tests.world import World, micros

NUMBERS = ["+46700000001", "+46700000002", "+46700000003"]
TOO_SOON = {"response": "INTERVAL_CONCURRENT_REQUESTS_ERROR"}


@pytest.fixture
async def stocked(buyer: Buyer, world: World) -> Buyer:
    await add_shelf(world, {"whatsapp": "1"}, NUMBERS)
    return buyer


async def test_operations_come_in_the_order_that_was_asked_for(stocked: Buyer) -> None:
    tzids = [await stocked.order() for _ in range(3)]
    assert [one["tzid"] for one in await stocked.ask("getState")] == tzids
    for word in ("asc", "ASC", "", "x"):
        assert [one["tzid"] for one in await stocked.ask("getState", orderby=word)] == tzids
    for word in ("desc", "DESC"):
        assert [one["tzid"] for one in await stocked.ask("getState", orderby=word)] == tzids[::-1]
    assert [one["tzid"] for one in await stocked.ask("getState", order_by="desc")] == tzids[::-1]


async def test_only_open_operations_are_listed(stocked: Buyer, clock: ManualClock) -> None:
    first, second = await stocked.order(), await stocked.order()
    clock.turn(120)
    await stocked.ask("setOperationOk", tzid=first)
    assert [one["tzid"] for one in await stocked.ask("getState")] == [second]
    assert (await stocked.state(first))["response"] == "TZ_OVER_EMPTY"


async def test_the_time_that_is_left_never_is_negative(stocked: Buyer, clock: ManualClock) -> None:
    tzid = await stocked.order()
    clock.turn(119.5)
    operation = await stocked.state(tzid)
    assert (operation["time"], operation["guard_interval_remaining_seconds"]) == (1081, 1)
    clock.turn(5000)
    operation = await stocked.state(tzid)
    assert (operation["time"], operation["guard_interval_remaining_seconds"]) == (0, 0)


async def test_an_operation_that_ran_out_gives_its_price_back(
    stocked: Buyer, world: World, clock: ManualClock
) -> None:
    tzid = await stocked.order()
    clock.turn(1200)
    await world.expire()
    assert (await stocked.state(tzid))["response"] == "TZ_OVER_EMPTY"
    assert await stocked.balance() == 100
    await world.assert_whole()


async def test_an_operation_with_an_sms_may_be_closed_at_once(stocked: Buyer, world: World) -> None:
    tzid = await stocked.order()
    operation = await stocked.state(tzid)
    await receive(world, operation["number"], "Your WhatsApp code: 123-456")
    assert await stocked.ask("setOperationOk", tzid=tzid) == {"response": 1, "tzid": tzid}
    assert await stocked.balance() == 99
    await world.assert_whole()


async def test_a_number_that_is_banned_is_not_given_again(
    buyer: Buyer, world: World, clock: ManualClock
) -> None:
    await add_shelf(world, {"whatsapp": "1", "telegram": "1"}, NUMBERS[:1])
    tzid = await buyer.order()
    clock.turn(120)
    assert await buyer.ask("setOperationOk", tzid=tzid, ban="true") == {"response": 1, "tzid": tzid}
    refused = await buyer.ask("getNum", service="telegram", country=46)
    assert refused == {"response": "NO_NUMBER"}
    assert await (await Buyer.join(world, buyer.client)).order("telegram")


async def test_the_same_operation_may_be_closed_every_five_seconds(
    stocked: Buyer, clock: ManualClock
) -> None:
    first, second = await stocked.order(), await stocked.order()
    early = {"response": "NO_COMPLETE_TZID"}
    assert await stocked.ask("setOperationOk", tzid=first) == early
    assert await stocked.ask("setOperationOk", tzid=first) == TOO_SOON
    # The gap is the operation's, and nobody else's.
    assert await stocked.ask("setOperationOk", tzid=second) == early
    stranger = await Buyer.join(stocked.world, stocked.client)
    assert await stranger.ask("setOperationOk", tzid=first) == {"response": "ERROR_WRONG_TZID"}
    clock.turn(4.9)
    assert await stocked.ask("setOperationOk", tzid=f"0{first}") == TOO_SOON
    clock.turn(0.1)
    assert await stocked.ask("setOperationOk", tzid=first) == early
    # Only closing has a gap.
    for _ in range(3):
        assert await stocked.ask("setOperationRevise", tzid=first) == {"response": 1, "tzid": first}
        assert await stocked.ask("setOperationOk") == {"response": "ERROR_NO_TZID"}


class TestScaled:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(rate_limit_scale=3, onlinesim_guard_seconds=0)

    async def test_operators_set_gap_and_guard(self, stocked: Buyer) -> None:
        tzid = await stocked.order()
        for _ in range(3):
            assert await stocked.ask("setOperationOk", tzid=tzid) == {"response": 1, "tzid": tzid}
        assert await stocked.ask("setOperationOk", tzid=tzid) == TOO_SOON


async def test_a_message_without_a_code_is_shown_as_it_is(stocked: Buyer, world: World) -> None:
    tzid = await stocked.order()
    operation = await stocked.state(tzid)
    await receive(world, operation["number"], "Welcome to WhatsApp!")
    for message_to_code in (0, 1, 2):
        shown = await stocked.state(tzid, message_to_code=message_to_code, msg_list=0)
        assert shown["msg"] == "Welcome to WhatsApp!"
    (message,) = (await stocked.state(tzid, msg_list="true"))["msg"]
    assert (message["text"], message["code"]) == ("Welcome to WhatsApp!", "")


async def test_a_text_that_was_erased_is_never_null(stocked: Buyer, world: World) -> None:
    tzid = await stocked.order()
    operation = await stocked.state(tzid)
    await receive(world, operation["number"], "Your WhatsApp code: 123-456")
    await world.value("UPDATE message SET body = NULL RETURNING id")
    assert (await stocked.state(tzid))["msg"] == "123456"
    (message,) = (await stocked.state(tzid, msg_list=1))["msg"]
    assert message == {"service": "whatsapp", "msg": "123456", "text": "", "code": "123456"}


async def test_buyers_who_want_the_last_number(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"}, NUMBERS[:2])
    buyers = [await Buyer.join(world, buyer.client, "1") for _ in range(6)]
    told = await asyncio.gather(*(one.ask("getNum", service="whatsapp", country=46) for one in buyers))
    assert sorted(str(one["response"]) for one in told) == ["1", "1", *["NO_NUMBER"] * 4]
    await world.assert_whole()


async def test_another_currency(buyer: Buyer, world: World) -> None:
    await world.set_rate("NGN", "1500")
    await add_shelf(world, {"whatsapp": "0.5"}, 3, tariffs={7: "1.5"})
    foreign = await Buyer.join(world, buyer.client, "10000", "NGN")
    assert (await foreign.ask("getPrice", service="whatsapp", country=46))["price"] == 750
    tzid = await foreign.order()
    assert (await foreign.state(tzid))["sum"] == 750
    assert (await foreign.rent(7))["sum"] == "2250"
    answer = await foreign.ask("getBalance")
    assert (answer["balance"], answer["zbalance"]) == (7000, 3000)
    priced = await foreign.ask("getTariffs", country=46, locale_price="usd")
    assert priced["services"]["_whatsapp"]["price"] == 0.5
    assert (await world.balance(foreign.account_id)).held == micros("3000")


async def test_income_of_referrals_is_told(buyer: Buyer, world: World) -> None:
    await world.set_rate("EUR", "0.5")
    await add_shelf(world, {"whatsapp": "10"}, NUMBERS)
    referrer = await Buyer.join(world, buyer.client, "0", "EUR")
    await world.refer(referrer.account_id, buyer.account_id)
    tzid = await buyer.order()
    await receive(world, (await buyer.state(tzid))["number"], "Your WhatsApp code: 123-456")
    told = await referrer.ask("getBalance", income="true")
    assert told == {"response": "1", "balance": 0.25, "zbalance": 0, "income": 0.25, "income_usd": 0.5}
