"""Cancelling: the lock, the refund, the repeat, and the code that was faster."""

from __future__ import annotations

import asyncio

import pytest

from simyard.base.clock import ManualClock
from simyard.settings import Settings
from tests.edge.daisysim.buyer import Buyer, add_shelf, data, receive, refused


async def test_too_early_to_the_second(buyer: Buyer, clock: ManualClock) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1"})
    path = f"/cancel/{(await buyer.purchase())['activation_id']}"
    passed = 0.0
    for age, left in ((0, 180), (0.2, 180), (1, 179), (86, 94), (86.5, 94), (179, 1), (179.9, 1)):
        clock.turn(age - passed)
        passed = age
        response = await buyer.post(path)
        assert response.status_code == 422
        assert response.json() == {
            "success": False,
            "error": f"Cancellation not yet allowed. Please wait {left} more second(s).",
            "code": "TOO_EARLY",
        }
    assert await buyer.balance() == 99
    clock.turn(0.1)
    assert data(await buyer.post(path))["refund"] == 1


async def test_a_cancel_refunds_once(buyer: Buyer, clock: ManualClock) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1.083"})
    bought = await buyer.purchase()
    path = f"/cancel/{bought['activation_id']}"
    clock.turn(180)
    answers = await asyncio.gather(*(buyer.post(path) for _ in range(4)))
    assert len({answer.content for answer in answers}) == 1
    assert data(answers[0]) == {
        "activation_id": bought["activation_id"],
        "refund": 1.083,
        "balance_after": 100,
    }
    assert await buyer.balance() == 100
    # A later repeat shows what the wallet holds then.
    await buyer.purchase()
    assert data(await buyer.post(path))["balance_after"] == 98.917
    await buyer.world.assert_whole()


@pytest.mark.parametrize("swept", [True, False])
async def test_a_number_whose_time_ran_out_is_refunded(buyer: Buyer, clock: ManualClock, swept: bool) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1.083"})
    bought = await buyer.purchase()
    clock.turn(1200)
    if swept:
        await buyer.world.expire()
    for _ in range(2):
        answer = data(await buyer.post(f"/cancel/{bought['activation_id']}"))
        assert (answer["refund"], answer["balance_after"]) == (1.083, 100)
    await buyer.world.assert_whole()


async def test_a_code_stays_paid_for_after_the_time_ran_out(buyer: Buyer, clock: ManualClock) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1"})
    bought = await buyer.purchase()
    await receive(buyer.world, bought["phone_number"], "WhatsApp code 847-261")
    clock.turn(1200)
    await buyer.world.expire()
    response = await buyer.post(f"/cancel/{bought['activation_id']}")
    assert refused(response) == (422, "CODE_RECEIVED")
    assert response.json()["data"]["code"] == "847261"
    assert await buyer.balance() == 99


async def test_a_cancel_against_an_sms_has_one_winner(buyer: Buyer, clock: ManualClock) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1"})
    bought = await buyer.purchase()
    clock.turn(180)
    answer, _ = await asyncio.gather(
        buyer.post(f"/cancel/{bought['activation_id']}"),
        receive(buyer.world, bought["phone_number"], "WhatsApp code 847-261"),
    )
    checked = await buyer.check(bought["activation_id"])
    if answer.status_code == 200:
        assert (checked["status"], await buyer.balance()) == ("Cancelled", 100)
    else:
        assert answer.json()["data"]["code"] == checked["code"] == "847261"
        assert await buyer.balance() == 99
    await buyer.world.assert_whole()


async def test_a_body_is_not_read(buyer: Buyer, clock: ManualClock) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1"})
    bought = await buyer.purchase()
    clock.turn(180)
    response = await buyer.send("POST", f"/cancel/{bought['activation_id']}", content=b"\xff{not json")
    assert data(response)["refund"] == 1


class TestShortActivations:
    """The lock never outlives the activation."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(activation_seconds=60)

    async def test_no_cancel_is_too_early_after_the_time_ran_out(
        self, buyer: Buyer, clock: ManualClock
    ) -> None:
        await add_shelf(buyer.world, {"whatsapp": "1"})
        path = f"/cancel/{(await buyer.purchase())['activation_id']}"
        clock.turn(59)
        assert refused(await buyer.post(path)) == (422, "TOO_EARLY")
        clock.turn(1)
        assert data(await buyer.post(path))["refund"] == 1
