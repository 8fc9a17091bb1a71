"""Polling: one activation, and up to twenty."""

from __future__ import annotations

import asyncio

from simyard.base.clock import ManualClock
from tests.edge.daisysim.buyer import Buyer, add_shelf, data, receive, refused
from tests.world import World


async def test_a_stored_code_is_told_at_once(buyer: Buyer, clock: ManualClock) -> None:
    """However recently the buyer was told to wait, and whoever serves him."""
    await add_shelf(buyer.world, {"whatsapp": "1"})
    bought = await buyer.purchase()
    one = bought["activation_id"]
    waiting = {
        "activation_id": one,
        "status": "Waiting",
        "code": None,
        "phone_number": bought["phone_number"],
    }
    for seconds in (0, 1, 14, 1):
        clock.turn(seconds)
        assert await buyer.check(one) == waiting
        assert data(await buyer.post("/check-all", {"ids": [one]})) == [waiting]
    await receive(buyer.world, bought["phone_number"], "WhatsApp code 847-261")
    completed = {**waiting, "status": "Completed", "code": "847261"}
    assert await buyer.check(one) == completed
    assert data(await buyer.post("/check-all", {"ids": [one]})) == [completed]
    # The first code stays the code, and stays after the time has run out.
    await receive(buyer.world, bought["phone_number"], "WhatsApp code 111-222")
    clock.turn(5000)
    await buyer.world.expire()
    assert await buyer.check(one) == completed
    assert data(await buyer.post("/check-all", {"ids": [one]})) == [completed]


async def test_what_was_closed_without_a_code(buyer: Buyer, clock: ManualClock) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1"})
    canceled, expired = await buyer.purchase(), await buyer.purchase()
    clock.turn(180)
    data(await buyer.post(f"/cancel/{canceled['activation_id']}"))
    clock.turn(1020)
    await buyer.world.expire()
    for bought, status in ((canceled, "Cancelled"), (expired, "Expired")):
        assert await buyer.check(bought["activation_id"]) == {
            "activation_id": bought["activation_id"],
            "status": status,
            "code": None,
            "phone_number": bought["phone_number"],
        }
    items = data(
        await buyer.post("/check-all", {"ids": [one["activation_id"] for one in (canceled, expired)]})
    )
    assert [item["status"] for item in items] == ["Invalid", "Invalid"]
    assert all(list(item) == ["activation_id", "status", "code"] for item in items)


async def test_a_time_that_has_run_out_is_still_waiting_until_it_is_swept(
    buyer: Buyer, clock: ManualClock
) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1"})
    bought = await buyer.purchase()
    clock.turn(1201)
    assert (await buyer.check(bought["activation_id"]))["status"] == "Waiting"


async def test_twenty_ids_in_the_order_they_were_asked(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"}, 10)
    ids = [(await buyer.purchase())["activation_id"] for _ in range(10)]
    asked = [*reversed(ids), ids[3], ids[3], "1", "abc", "", "0" + ids[0], " 1", "1e3", "9" * 30, "٣"]
    items = data(await buyer.post("/check-all", {"ids": asked}))
    assert [item["activation_id"] for item in items] == asked
    assert [item["status"] for item in items] == (["Waiting"] * 12 + ["Not Found"] + ["Invalid"] * 7)
    assert all(("phone_number" in item) == (item["status"] == "Waiting") for item in items)


async def test_ids_that_are_no_strings(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"}, 10)
    one = int((await buyer.purchase())["activation_id"])
    asked: list[object] = [one, -one, 1.5, True, None, [], {}, [str(one)], 2**64]
    items = data(await buyer.post("/check-all", {"ids": asked}))
    assert [item["status"] for item in items] == ["Waiting"] + ["Invalid"] * 8
    assert items[0]["activation_id"] == str(one)
    assert all(isinstance(item["activation_id"], str) for item in items)


async def test_ids_that_cannot_be_read(buyer: Buyer) -> None:
    bodies: list[object] = [
        {},
        {"ids": None},
        {"ids": []},
        {"ids": "1"},
        {"ids": {"0": "1"}},
        {"ids": 1},
        {"IDS": ["1"]},
        {"ids": ["1"] * 21},
        {"ids": ["1"] * 5000},
    ]
    for body in bodies:
        response = await buyer.post("/check-all", body)
        assert refused(response) == (422, "VALIDATION_ERROR"), body
        assert "ids" in response.json()["error"]


async def test_many_polls_at_once_each_get_their_own(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"}, 10)
    bought = [await buyer.purchase() for _ in range(10)]
    for nth, one in enumerate(bought):
        if nth % 2:
            await receive(world, one["phone_number"], f"WhatsApp code 10000{nth}")
    found = await asyncio.gather(*(buyer.check(one["activation_id"]) for one in bought))
    assert [one["phone_number"] for one in found] == [one["phone_number"] for one in bought]
    assert [one["code"] for one in found] == [f"10000{nth}" if nth % 2 else None for nth in range(10)]
