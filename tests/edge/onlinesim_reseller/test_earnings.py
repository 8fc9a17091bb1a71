"""What a supplier is told of his earnings and his quality, and how he asks for his money."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simyard.base.clock import ManualClock
from simyard.core.earnings import service as earnings
from simyard.core.lanes import Lanes
from simyard.db.database import Database
from simyard.settings import Settings
from tests.edge.onlinesim_reseller.partner import NUMBER, Partner, served

NOON = 1772366400


async def earn(partner: Partner) -> None:
    """One dollar's order, of which 70 cents are the partner's."""
    await partner.report(NUMBER)
    buyer, order = await partner.sold()
    await partner.message(NUMBER, "Telegram code 48213")
    await partner.world.finish(buyer, order.activation_id)
    await partner.world.count_quality()


async def test_earnings_are_told_by_the_day(partner: Partner) -> None:
    nothing = {"currency": "USD", "available": "0", "pending": "0", "debt": "0", "days": []}
    assert await partner.call("earnings", method="GET") == {"response": 1, **nothing}
    await earn(partner)
    day = {
        "day": "2026-03-01",
        "leases": 1,
        "earned": "0.7",
        "reversed_leases": 0,
        "reversed": "0",
    }
    answer = await partner.call("earnings", method="GET")
    assert answer == {"response": 1, **nothing, "available": "0.7", "days": [day]}
    partner.world.clock.turn(timedelta(days=2).total_seconds())
    assert (await partner.call("earnings", method="GET", query="days=2"))["days"] == [day]
    assert (await partner.call("earnings", method="GET", query="days=1"))["days"] == []


@pytest.mark.parametrize("days", ["-1", "367", "x", "1.5"])
async def test_days_that_are_none_are_refused(partner: Partner, days: str) -> None:
    for name in ("earnings", "quality"):
        answer = await partner.call(name, method="GET", query=f"days={days}", status=400)
        assert answer["response"] == "days must be an integer from 0 to 366"


async def test_a_payout_is_asked_for_and_followed(partner: Partner, rival: Partner) -> None:
    await earn(partner)
    wish = {"amount": "0.5", "method": "IBAN DE00"}
    assert (await partner.call("requestPayout", {**wish, "test": "test1"}))["response"] == 1
    assert (await partner.call("payouts", method="GET"))["payouts"] == []
    (payout,) = (await partner.call("requestPayout", wish))["payouts"]
    expected = {
        "id": payout["id"],
        "amount": "0.5",
        "currency": "USD",
        "method": "IBAN DE00",
        "state": "requested",
        "note": None,
        "requested_at": NOON,
        "closed_at": None,
    }
    assert payout == expected
    assert (await partner.call("requestPayout", wish, status=400))["response"] == "NOT_ENOUGH_MONEY"
    async with partner.world.database.transaction() as tx:
        now = partner.world.clock.now()
        await earnings.pay_out(tx, payout["id"], note="SEPA 1", actor="test", now=now)
    (paid,) = (await partner.call("payouts", method="GET"))["payouts"]
    assert paid == {**expected, "state": "paid", "note": "SEPA 1", "closed_at": NOON}
    assert (await rival.call("payouts", method="GET"))["payouts"] == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"amount": "0.5"}, "method is required"),
        ({"method": "x"}, "amount is required"),
        ({"amount": "-1", "method": "x"}, "amount is not valid"),
        ({"amount": "lots", "method": "x"}, "amount must be an amount such as 12.50"),
        ({"amount": "0.5", "method": " "}, "method is not valid"),
        ({"amount": "0.5", "method": "x" * 501}, "method is not valid"),
    ],
)
async def test_a_payout_that_cannot_be_meant_is_refused(
    partner: Partner, body: dict[str, str], problem: str
) -> None:
    await earn(partner)
    assert (await partner.call("requestPayout", body, status=400))["response"] == problem


async def test_quality_is_told_of_his_own_pools(partner: Partner, rival: Partner) -> None:
    await earn(partner)
    (line,) = (await partner.call("quality", method="GET"))["quality"]
    assert (line["pool"], line["country"], line["service"]) == (partner.pool.id, "SE", "telegram")
    assert (line["issued"], line["delivered"], line["blocked_until"]) == (1, 1, None)
    assert (await rival.call("quality", method="GET"))["quality"] == []


async def test_what_is_earned_is_pending_for_as_long_as_the_settings_say(
    partner: Partner, database: Database, clock: ManualClock
) -> None:
    hold = timedelta(hours=24)
    lanes = Lanes(database, database, slots=1, batch_max=8, queue_max=8, earning_hold=hold)
    async with served(database, lanes, clock, Settings()) as client:
        waiting = Partner(partner.world, client, partner.account_id, partner.pool, partner.key)
        await earn(waiting)
        answer = await waiting.call("earnings", method="GET")
        assert (answer["available"], answer["pending"]) == ("0", "0.7")
        clock.turn(hold.total_seconds())
        await partner.world.mature()
        answer = await waiting.call("earnings", method="GET")
        assert (answer["available"], answer["pending"]) == ("0.7", "0")
    await lanes.close()
