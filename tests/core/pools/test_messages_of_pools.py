"""What pools have a say in: services they do not sell, and who turns messages of other services away."""

from __future__ import annotations

import pytest

from simyard.base.ids import PoolId
from simyard.base.refusals import Refusal, Refused
from simyard.core.messages.extraction import NOTHING
from simyard.core.messages.model import Fate
from simyard.core.messages.rules import Judgement, Verdict, judged_by_pool
from simyard.core.pools import service as pools
from simyard.core.pools.model import FilterSide
from simyard.core.pricing import service as pricing
from simyard.core.pricing.model import ListOffers, ListTariffs
from tests.world import World, code_text, service_id


async def test_a_blacklisted_service_is_not_sold(world: World) -> None:
    _, pool, _ = await world.stocked(2, services=("whatsapp", "telegram"))
    buyer = await world.add_buyer("10")
    await world.take_stock()
    await world.blacklist(pool, "whatsapp")
    await world.blacklist(pool, "whatsapp")
    with pytest.raises(Refusal) as caught:
        await world.order(buyer)
    assert caught.value.reason is Refused.NO_NUMBERS
    async with world.database.transaction() as tx:
        offered = await pricing.offers_in(tx, ListOffers(buyer, "GB", "USD", world.clock.now()))
        listed = await pricing.list_tariffs(
            tx, ListTariffs(None, ("GB",), None, None, "USD", world.clock.now())
        )
        assert await pools.blacklisted(tx, pool.id) == [service_id("whatsapp")]
    assert {one.offer.service_id for one in offered} == {service_id("telegram")}
    assert {one.service_id: one.stock for one in listed} == {
        service_id("telegram"): 2,
        service_id("whatsapp"): 0,
    }
    await world.order(buyer, "telegram")
    await world.blacklist(pool, "whatsapp", blacklisted=False)
    await world.order(buyer)
    actions = await world.rows("SELECT action FROM audit WHERE action LIKE 'pool.%black%' ORDER BY id")
    assert actions == [("pool.blacklisted",), ("pool.unblacklisted",)]


async def test_a_message_of_a_blacklisted_service_is_not_delivered_and_counted(world: World) -> None:
    supplier, pool, (msisdn,) = await world.stocked(1, services=("telegram",))
    await world.blacklist(pool, "whatsapp")
    buyer = await world.add_buyer("10")
    order = await world.order(buyer, "telegram")
    assert (await world.receive(supplier, msisdn, code_text("whatsapp", "123456"))).fate is Fate.BLACKLISTED
    # No attempt of the buyer's: the supplier said himself that he does not want it.
    assert await world.rows("SELECT FROM misuse") == []
    assert (await world.check(buyer, order.activation_id)).code is None
    assert await world.rows("SELECT reason, count FROM message_dropped") == [("blacklisted", 1)]
    assert (await world.receive(supplier, msisdn, code_text("telegram", "223456"))).fate is Fate.DELIVERED
    await world.finish(buyer, order.activation_id)
    await world.count_quality()
    assert (await world.quality())[0].counts.blacklisted == 1


async def test_a_rental_takes_messages_of_a_blacklisted_service(world: World) -> None:
    supplier, pool, (msisdn,) = await world.rentable(1)
    await world.blacklist(pool, "whatsapp")
    await world.rent(await world.add_buyer("10"))
    assert (await world.receive(supplier, msisdn, code_text("whatsapp", "123456"))).fate is Fate.DELIVERED


async def test_a_supplier_may_tell_messages_of_other_services_apart_himself(world: World) -> None:
    supplier, pool, _ = await world.stocked(3)
    buyer = await world.add_buyer("10")
    ours, theirs = await world.order(buyer), await world.order(buyer)
    text = code_text("telegram", "123456")
    assert (await world.receive(supplier, ours.msisdn, text)).fate is Fate.OTHER_SERVICE
    await world.set_filter_side(pool, FilterSide.PARTNER)
    assert (await world.receive(supplier, theirs.msisdn, text)).fate is Fate.DELIVERED
    assert (await world.check(buyer, theirs.activation_id)).code == "123456"
    bank = "Your PayPal security code is 123456"
    assert (await world.receive(supplier, ours.msisdn, bank)).fate is Fate.PROHIBITED
    await world.set_filter_side(pool, FilterSide.OURS)
    assert (
        await world.receive(supplier, ours.msisdn, code_text("telegram", "223456"))
    ).fate is Fate.OTHER_SERVICE
    await world.assert_whole()


async def test_a_pool_nobody_has_is_refused(world: World) -> None:
    async with world.database.transaction() as tx:
        for asking in (
            pools.blacklisted(tx, PoolId(1)),
            pools.set_filter_side(tx, PoolId(1), FilterSide.OURS, actor="test", now=world.clock.now()),
        ):
            with pytest.raises(Refusal) as caught:
                await asking
            assert caught.value.reason is Refused.UNKNOWN_POOL


@pytest.mark.parametrize("filters_itself", [False, True])
@pytest.mark.parametrize("blacklist", [(), ("whatsapp",), ("telegram",)])
def test_what_is_prohibited_stays_so_and_a_blacklist_comes_first(
    filters_itself: bool, blacklist: tuple[str, ...]
) -> None:
    def verdict(given: Verdict, service: str | None) -> Verdict:
        judgement = Judgement(given, NOTHING, service)
        return judged_by_pool(judgement, blacklist=blacklist, filters_itself=filters_itself).verdict

    assert verdict(Verdict.PROHIBITED, "whatsapp") is Verdict.PROHIBITED
    banned = "whatsapp" in blacklist
    lenient = Verdict.DELIVER if filters_itself else None
    assert verdict(Verdict.DELIVER, "whatsapp") is (Verdict.BLACKLISTED if banned else Verdict.DELIVER)
    assert verdict(Verdict.OTHER_SERVICE, "whatsapp") is (
        Verdict.BLACKLISTED if banned else lenient or Verdict.OTHER_SERVICE
    )
    assert verdict(Verdict.UNRECOGNISED, None) is (lenient or Verdict.UNRECOGNISED)
