"""No account sees or touches another's activations, messages, wallet or virtual accounts."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import pytest

from simyard.core.messages import service as messages
from tests.edge.daisysim.buyer import add_shelf, receive
from tests.edge.quicksim.user import User, refused
from tests.world import World


@pytest.fixture
async def other(world: World, client: httpx.AsyncClient) -> User:
    return await User.join(world, client)


async def test_anothers_activation_is_not_found(user: User, other: User, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    bought = await user.buy()
    await receive(world, bought["phone"], "Your WhatsApp code: 847-291")
    before = await user.look(bought["id"])
    assert before["status"] == "RECEIVED"
    response = await other.get(f"/fivesim/check?activation_id={bought['id']}")
    assert refused(response) == (404, "not_found")
    missing = await other.get("/fivesim/check?activation_id=999999")
    assert response.content == missing.content
    for verb in ("finish", "cancel"):
        theirs = await other.act(verb, bought["id"])
        assert refused(theirs) == (404, "not_found")
        assert theirs.content == (await other.act(verb, 999999)).content
    assert await user.look(bought["id"]) == before


async def test_a_key_of_another_is_a_key_of_its_own(user: User, other: User, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    mine = await user.buy(**{"Idempotency-Key": "same"})
    theirs = await other.buy(**{"Idempotency-Key": "same"})
    assert mine["id"] != theirs["id"]
    assert (await user.buy(**{"Idempotency-Key": "same"})) == mine


async def test_wallets_and_virtual_accounts_are_their_owners(user: User, other: User, world: World) -> None:
    await world.deposit(user.account_id, "5000")
    created = await user.post("/wallet/create-virtual-account", {"bank_code": "035"})
    assert created.status_code == 201
    mine, theirs = await user.funds(), await other.funds()
    assert mine["balance"] == 15000
    assert [one["account_number"] for one in mine["virtual_accounts"]] == [created.json()["account_number"]]
    assert theirs == {"balance": 10000, "currency": "NGN", "virtual_accounts": []}
    again = await other.post("/wallet/create-virtual-account", {"bank_code": "035"})
    assert again.json()["account_number"] != created.json()["account_number"]
    assert again.json()["id"] != created.json()["id"]


async def test_twins_under_one_key_pay_once(user: User, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    bought = await asyncio.gather(*(user.buy(**{"Idempotency-Key": "twin"}) for _ in range(10)))
    assert len({one["id"] for one in bought}) == 1
    assert (await user.funds())["balance"] == 9000


async def test_messages_another_dialect_dismissed_are_shown_still(user: User, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    bought = await user.buy()
    await receive(world, bought["phone"], "Your WhatsApp code: 847-291")
    await world.request_next(user.account_id, bought["id"])
    looked = await user.look(bought["id"])
    assert looked["status"] == "RECEIVED"
    assert [one["code"] for one in looked["sms"]] == ["847291"]


async def test_an_erased_text_leaves_its_code(user: User, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    bought = await user.buy()
    await receive(world, bought["phone"], "Your WhatsApp code: 847-291")
    async with world.database.transaction() as tx:
        await messages.erase_texts(tx, before=world.clock.now() + timedelta(days=1), limit=10)
    (sms,) = (await user.look(bought["id"]))["sms"]
    assert (sms["text"], sms["code"]) == (None, "847291")
