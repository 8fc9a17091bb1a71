"""The list of orders: order, filters, pages."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from simyard.base.clock import ManualClock
from simyard.settings import Settings
from tests.edge.daisysim.buyer import Buyer, add_shelf, data, receive, refused
from tests.world import World


@pytest.fixture
def settings() -> Settings:
    return Settings(rate_limit_scale=1000)


async def history(buyer: Buyer, query: str = "") -> dict[str, Any]:
    answer: dict[str, Any] = data(await buyer.get(f"/history{query}"))
    return answer


async def ids(buyer: Buyer, query: str = "") -> list[str]:
    return [order["activation_id"] for order in (await history(buyer, query))["orders"]]


async def test_filters(buyer: Buyer, clock: ManualClock) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1"}, 6)
    canceled, completed, expired = [(await buyer.purchase())["activation_id"] for _ in range(3)]
    phone = (await buyer.check(completed))["phone_number"]
    clock.turn(104)
    await receive(buyer.world, phone, "WhatsApp code 847-261")
    clock.turn(76)
    data(await buyer.post(f"/cancel/{canceled}"))
    clock.turn(300)
    waiting = (await buyer.purchase())["activation_id"]
    clock.turn(720)
    await buyer.world.expire()
    everything = [waiting, expired, completed, canceled]
    assert await ids(buyer) == await ids(buyer, "?status=") == everything
    assert await ids(buyer, "?status=completed") == await ids(buyer, "?status=COMPLETED") == [completed]
    assert await ids(buyer, "?status=waiting") == [waiting]
    assert await ids(buyer, "?status=cancelled") == [expired, canceled]
    orders = {one["activation_id"]: one for one in (await history(buyer))["orders"]}
    assert [orders[one]["status"] for one in everything] == ["Waiting", "Expired", "Completed", "Cancelled"]
    assert orders[completed]["code"] == "847261"
    assert orders[completed]["created_at"] == "2026-03-01T12:00:00+00:00"
    assert orders[completed]["completed_at"] == "2026-03-01T12:01:44+00:00"
    for one in (waiting, expired, canceled):
        assert orders[one]["code"] is orders[one]["completed_at"] is None
        assert orders[one]["amount_charged"] == 1
    assert (await history(buyer, "?status=cancelled"))["pagination"]["total"] == 2


async def test_pages(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "0.1"}, 23)
    newest_first = [(await buyer.purchase())["activation_id"] for _ in range(23)][::-1]

    async def page(query: str) -> tuple[list[str], list[int]]:
        found = await history(buyer, query)
        shown = [order["activation_id"] for order in found["orders"]]
        return shown, list(found["pagination"].values())

    assert await page("") == (newest_first[:20], [1, 20, 23, 2])
    assert await page("?page=2") == (newest_first[20:], [2, 20, 23, 2])
    assert await page("?page=3") == ([], [3, 20, 23, 2])
    assert await page("?per_page=10&page=3") == (newest_first[20:], [3, 10, 23, 3])
    assert await page("?per_page=1&page=2") == (newest_first[1:2], [2, 1, 23, 23])
    assert await page("?per_page=23") == (newest_first, [1, 23, 23, 1])
    assert await page("?per_page=100") == (newest_first, [1, 100, 23, 1])
    # More than may be asked for counts as all that may be.
    assert await page("?per_page=101") == await page("?per_page=99999999999999999999")
    assert (await page("?per_page=101"))[1] == [1, 100, 23, 1]
    assert (await page("?page=99999999999999999999"))[0] == []
    # Of a parameter that comes twice, the last holds; those nobody knows are ignored.
    assert await page("?page=9&page=2&sort=oldest&%00=%ff") == (newest_first[20:], [2, 20, 23, 2])


async def test_a_page_that_is_none(buyer: Buyer) -> None:
    values = ["0", "-1", "abc", "1.5", "1e3", "%00", "%ff", "%D9%A3", "+", "%F0%9F%92%A9", "0x10"]
    for name, value in product(["page", "per_page"], values):
        response = await buyer.get(f"/history?{name}={value}")
        assert refused(response) == (422, "VALIDATION_ERROR"), value
        assert name in response.json()["error"]


async def test_a_filter_that_is_none(buyer: Buyer) -> None:
    for status in ("canceled", "expired", "all", "%00", "%ff", "x" * 5000, "waiting%20"):
        response = await buyer.get(f"/history?status={status}")
        assert refused(response) == (422, "VALIDATION_ERROR"), status


async def test_an_account_sees_its_own_only(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    await buyer.purchase()
    assert (await history(await Buyer.join(world, buyer.client)))["pagination"]["total"] == 0
