"""Renting a partner's number over Onlinesim: no program can tell it from any other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from simyard.core.pools.model import PoolKind
from simyard.core.remote import service as remote
from simyard.core.remote.model import RemoteOffer, SetProfile, Stock
from tests.edge.onlinesim.buyer import Buyer, receive
from tests.partners.simulator import KEY, PartnerServer
from tests.world import SHARE_BASIS_POINTS, World


@pytest.fixture
async def server() -> AsyncIterator[PartnerServer]:
    async with PartnerServer() as server:
        server.services = ("rent",)
        yield server


@pytest.fixture
async def partner(world: World, server: PartnerServer) -> PartnerServer:
    """Rents Swedish numbers out for a dollar a day."""
    supplier = await world.add_supplier()
    pool = await world._add_pool(
        "partner", PoolKind.PARTNER, supplier, SHARE_BASIS_POINTS, None, True, "The owners agreed."
    )
    profile = SetProfile(pool.id, "onlinesim-v1", server.url(), KEY)
    stock = Stock((RemoteOffer("SE", None, None, "sweden", "rent", None, 7, to_rent=True),))
    async with world.database.transaction() as tx:
        await remote.set_profile(tx, profile, actor="test", now=world.clock.now())
        await remote.record_stock(tx, pool.id, stock, online_seconds=600, now=world.clock.now())
    await world.set_tariff(1, "1", country="SE", pool=pool)
    return server


async def test_a_number_is_rented_read_and_closed(world: World, buyer: Buyer, partner: PartnerServer) -> None:
    tariff = await buyer.ask("rent/tariffsRent", country=46)
    assert (tariff["count"], tariff["days"]) == ({"1": 7}, {"1": 1})
    item = await buyer.rent()
    (number,) = partner.reserved
    assert f"46{item['number']}" == number
    await receive(world, f"+{number}", "Hello", sender="Jane")
    (state,) = (await buyer.ask("rent/getRentState", tzid=item["tzid"], pagination="false"))["list"]
    assert [message["text"] for message in state["messages"]] == ["Hello"]
    assert (await buyer.ask("rent/closeRentNum", tzid=item["tzid"]))["response"] == 1
    await world.assert_whole()


async def test_a_repeat_under_a_key_asks_the_partner_once(buyer: Buyer, partner: PartnerServer) -> None:
    headers = {"idempotency-key": "once"}
    first = await buyer.ask("rent/getRentNum", days=1, country=46, headers=headers)
    assert await buyer.ask("rent/getRentNum", days=1, country=46, headers=headers) == first
    assert len(partner.asked("GET_NUMBER")) == 1


async def test_a_partner_that_has_none_is_no_number(buyer: Buyer, partner: PartnerServer) -> None:
    partner.numbers.clear()
    assert (await buyer.ask("rent/getRentNum", days=1, country=46))["response"] == "NO_NUMBER"


async def test_a_partner_that_fails_is_worth_another_try(
    world: World, buyer: Buyer, partner: PartnerServer
) -> None:
    partner.quirks.html = True
    assert (await buyer.ask("rent/getRentNum", days=1, country=46))["response"] == "TRY_AGAIN_LATER"
    assert await buyer.balance() == 100
    await world.assert_whole()
