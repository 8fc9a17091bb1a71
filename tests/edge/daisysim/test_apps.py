"""What is on offer, under which codes, for how much."""

from __future__ import annotations

import pytest

from simyard.core.catalog.catalog import load as load_catalog
from simyard.edge.dialects import codes
from simyard.edge.dialects.daisysim import v2
from tests.edge.daisysim.buyer import Buyer, add_shelf, refused
from tests.world import World, reported


async def test_one_pool_makes_a_single_provider_service(buyer: Buyer) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1.85"})
    assert await buyer.apps() == [{"code": "WhatsApp", "name": "WhatsApp", "price": 1.85, "providers": []}]


async def test_pools_are_sorted_cheapest_first(buyer: Buyer) -> None:
    dear, cheap, middle = [
        await add_shelf(buyer.world, {"whatsapp": price}, count)
        for price, count in (("3.6", 1), ("1.0831", 4), ("1.092", 0))
    ]
    (app,) = await buyer.apps()
    assert app == {
        "code": "sb_wa",
        "name": "WhatsApp",
        "price": 1.0831,
        "providers": [
            {"provider_id": str(cheap.id), "price": 1.0831, "count": 4},
            {"provider_id": str(middle.id), "price": 1.092, "count": 0},
            {"provider_id": str(dear.id), "price": 3.6, "count": 1},
        ],
    }


async def test_counts_follow_what_is_sold(buyer: Buyer, world: World) -> None:
    pools = [await add_shelf(world, {"whatsapp": price, "telegram": price}, 3) for price in ("1", "2")]
    for code in ("sb_wa", "sb_tg"):
        await buyer.purchase(code)
    await world.take_stock()
    telegram, whatsapp = sorted(await buyer.apps(), key=lambda app: str(app["code"]))
    for app in (telegram, whatsapp):
        counts = {str(one["provider_id"]): int(one["count"]) for one in app["providers"]}
        # Both orders hold a number of the cheaper pool.
        assert counts == {str(pools[0].id): 1, str(pools[1].id): 3}


async def test_a_service_without_a_short_code_goes_by_its_own(buyer: Buyer) -> None:
    slug = next(
        one.slug
        for one in load_catalog().services
        if codes.services.handler_of(one.slug) is None and not one.prohibited
    )
    for price in ("1", "2"):
        await add_shelf(buyer.world, {slug: price})
    (app,) = await buyer.apps()
    assert app["code"] == f"sb_{slug}"
    assert (await buyer.purchase(f"sb_{slug}"))["amount_charged"] == 1


async def test_a_reserved_pool_is_a_service_of_its_own(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    reserved = await add_shelf(world, {"whatsapp": "0.4", "telegram": "0.1"}, reserved_for="whatsapp")
    code = f"whatsapp-{reserved.id}"
    assert await buyer.apps() == [
        {"code": "WhatsApp", "name": "WhatsApp", "price": 1, "providers": []},
        {"code": code, "name": "WhatsApp 2", "price": 0.4, "providers": []},
    ]
    bought = await buyer.purchase(code)
    assert bought["amount_charged"] == 0.4
    assert bought["service"] == code
    assert await pool_of(world, bought) == reserved.id
    assert refused(await buyer.post("/purchase", {"country": "USA", "app": "Telegram"})) == (
        422,
        "PRICE_VERIFICATION_FAILED",
    )


async def test_the_other_codes_never_charge_for_a_reserved_pool(buyer: Buyer, world: World) -> None:
    common = await add_shelf(world, {"whatsapp": "1"}, 1)
    cheap = await add_shelf(world, {"whatsapp": "0.4"}, reserved_for="whatsapp")
    await add_shelf(world, {"whatsapp": "5"}, reserved_for="whatsapp")
    bought = await buyer.purchase("WhatsApp")
    assert (await pool_of(world, bought), bought["amount_charged"]) == (common.id, 1)
    await world.take_stock()
    order = {"country": "USA", "app": "WhatsApp"}
    assert refused(await buyer.post("/purchase", order)) == (503, "OUT_OF_STOCK")
    await add_shelf(world, {"whatsapp": "2"}, 1)
    assert (await buyer.purchase("sb_wa"))["amount_charged"] == 2
    pinned = order | {"app": "sb_wa", "provider_id": str(cheap.id)}
    assert refused(await buyer.post("/purchase", pinned)) == (503, "OUT_OF_STOCK")


async def test_a_service_of_reserved_pools_only_is_not_sold_by_its_name(buyer: Buyer, world: World) -> None:
    reserved = await add_shelf(world, {"whatsapp": "0.4"}, reserved_for="whatsapp")
    assert [app["code"] for app in await buyer.apps()] == [f"whatsapp-{reserved.id}"]
    for app in ("WhatsApp", "sb_wa"):
        response = await buyer.post("/purchase", {"country": "USA", "app": app})
        assert refused(response) == (422, "PRICE_VERIFICATION_FAILED")


async def test_prices_are_in_the_accounts_currency(buyer: Buyer, world: World) -> None:
    for price in ("1.083", "1.092"):
        await add_shelf(world, {"whatsapp": price})
    await add_shelf(world, {"telegram": "0.0001"})
    await world.set_rate("NGN", "1500.55")
    other = await Buyer.join(world, buyer.client, "5000", "NGN")
    found = {app["code"]: app for app in await other.apps()}
    assert found["sb_wa"]["price"] == 1625.0957
    assert [one["price"] for one in found["sb_wa"]["providers"]] == [1625.0957, 1638.6006]
    assert found["Telegram"]["price"] == 0.1501
    bought = await other.purchase("sb_wa")
    assert (bought["amount_charged"], bought["balance_after"]) == (1625.0957, 3374.9043)
    assert {app["code"]: app["price"] for app in await buyer.apps()}["sb_wa"] == 1.083


async def test_what_cannot_be_sold_is_not_shown(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"paypal": "1", "whatsapp": "1"})
    supplier = await world.add_supplier()
    without_consent = await world.add_direct_pool(supplier, consent=None)
    await world.report(supplier, [reported("+19409999999", "US")], pool=without_consent)
    await world.set_price("whatsapp", "0.5", country="US", pool=without_consent)
    assert [app["code"] for app in await buyer.apps()] == ["WhatsApp"]
    await world.permit(buyer.account_id, "paypal")
    assert sorted(app["code"] for app in await buyer.apps()) == ["PayPal", "WhatsApp"]
    # Its supplier has not been heard of for too long.
    world.clock.turn(601)
    assert await buyer.apps() == []


async def test_only_american_numbers_are_shown(buyer: Buyer, world: World) -> None:
    await world.stocked(2)
    assert await buyer.apps() == []


async def test_every_listed_code_can_be_bought(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1", "telegram": "2", "google": "3"})
    await add_shelf(world, {"whatsapp": "1", "facebook": "2"})
    await add_shelf(world, {"signal": "1"}, reserved_for="signal")
    apps = await buyer.apps()
    assert len(apps) == 5
    for app in apps:
        assert (await buyer.purchase(app["code"]))["amount_charged"] == app["price"]


@pytest.mark.parametrize("shown", ["name", "reserved", "multi"])
def test_every_code_we_show_names_its_service(shown: str) -> None:
    wrong = []
    for service in load_catalog().services:
        code = {
            "name": service.name,
            "reserved": f"{service.slug}-3109",
            "multi": "sb_" + (codes.services.handler_of(service.slug) or service.slug),
        }[shown]
        slug, pool_id = v2._service_of(code)
        if slug != service.slug or pool_id != (3109 if shown == "reserved" else None):
            wrong.append((code, slug))
    assert wrong == []


async def pool_of(world: World, bought: dict[str, str]) -> object:
    return await world.value("SELECT pool_id FROM activation WHERE id = $1", int(bought["activation_id"]))
