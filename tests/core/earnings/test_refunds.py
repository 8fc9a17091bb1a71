"""Refunds: the buyer gets his money back, all others give theirs, once; what they do not have becomes a debt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

import pytest

from simyard.base.ids import AccountId, ActivationId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations.machine import State
from simyard.core.loyalty.model import Loyalty
from simyard.core.wallet.model import Balance
from simyard.settings import LoyaltyTier
from tests.world import World, code_text, micros

DAY = timedelta(days=1)
CASHBACK = Loyalty((LoyaltyTier("Bronze", 10, 0),), "USD")


async def sold(world: World, supplier: AccountId, buyer: AccountId, slug: str = "whatsapp") -> ActivationId:
    order = await world.order(buyer, slug)
    await world.receive(supplier, order.msisdn, code_text(slug, "123456"))
    return order.activation_id


async def refused(acting: Awaitable[object]) -> Refused:
    with pytest.raises(Refusal) as caught:
        await acting
    return caught.value.reason


async def spend(world: World, account_id: AccountId, amount: str) -> None:
    """Have money leave a wallet for good."""
    await world.pay_out(await world.request_payout(account_id, amount))


async def test_a_refund_takes_a_pending_earning_back(world: World) -> None:
    supplier, _, _ = await world.stocked(1)
    buyer = await world.add_buyer("10")
    world.earning_hold = DAY
    sale = await sold(world, supplier, buyer)
    back = await world.refund(sale)
    assert (back.account_id, back.amount, back.currency, back.owed) == (buyer, micros("1"), "USD", {})
    assert await world.balance(buyer) == Balance("USD", micros("10"), 0)
    assert await world.balance(supplier) == Balance("USD", 0, 0)
    await world.assert_whole()
    world.clock.turn(DAY.total_seconds())
    assert await world.mature() == 0
    assert (await world.check(buyer, sale)).state is State.FINISHED
    (audited,) = await world.rows("SELECT actor, action FROM audit WHERE action = 'activation.refunded'")
    assert not await world.rows("SELECT FROM audit WHERE facts::text LIKE '%did not work%'")
    assert audited == ("test", "activation.refunded")


async def test_a_refund_takes_an_earning_that_has_matured_out_of_what_is_available(world: World) -> None:
    supplier, _, _ = await world.stocked(2)
    buyer = await world.add_buyer("10")
    world.earning_hold = DAY
    sale = await sold(world, supplier, buyer)
    world.clock.turn(DAY.total_seconds())
    await world.mature()
    await world.report(supplier, world.msisdns(1))
    await sold(world, supplier, buyer)
    await world.refund(sale)
    assert await world.balance(supplier) == Balance("USD", 0, 0, pending=micros("0.7"))
    await world.assert_whole()


@pytest.mark.parametrize("hold", [timedelta(), DAY])
async def test_what_a_supplier_has_no_more_becomes_a_debt_that_later_earnings_pay_off(
    world: World, hold: timedelta
) -> None:
    supplier, _, _ = await world.stocked(3)
    buyer = await world.add_buyer("10")
    sale = await sold(world, supplier, buyer)
    await spend(world, supplier, "0.5")
    back = await world.refund(sale)
    assert back.owed == {supplier: micros("0.5")}
    assert await world.balance(supplier) == Balance("USD", 0, 0, debt=micros("0.5"))
    assert (await world.balance(buyer)).available == micros("10")
    await world.assert_whole()
    world.earning_hold = hold
    await sold(world, supplier, buyer)
    world.clock.turn(hold.total_seconds())
    await world.mature()
    assert await world.balance(supplier) == Balance("USD", micros("0.2"), 0)
    await world.assert_whole()


async def test_what_is_owed_cannot_be_paid_out(world: World) -> None:
    supplier, _, _ = await world.stocked(1)
    sale = await sold(world, supplier, await world.add_buyer("10"))
    await spend(world, supplier, "0.7")
    await world.refund(sale)
    await world.deposit(supplier, "1")
    assert await refused(world.request_payout(supplier, "0.31")) is Refused.INSUFFICIENT_FUNDS
    await world.request_payout(supplier, "0.3")
    await world.assert_whole()


async def test_cashback_and_referral_are_taken_back_too(world: World) -> None:
    supplier, _, _ = await world.stocked(1)
    buyer, referrer = await world.add_buyer("10"), await world.add_buyer("0")
    await world.refer(referrer, buyer)
    world.loyalty = CASHBACK
    sale = await sold(world, supplier, buyer)
    assert (await world.balance(buyer)).available == micros("9.1")
    assert (await world.balance(referrer)).available == micros("0.05")
    back = await world.refund(sale)
    assert back.amount == micros("0.9")
    assert await world.balance(buyer) == Balance("USD", micros("10"), 0)
    assert await world.balance(referrer) == Balance("USD", 0, 0)
    assert await world.referral_income(referrer) == 0
    await world.assert_whole()


async def test_everything_finds_its_way_back_through_other_currencies(world: World) -> None:
    await world.set_rate("NGN", "1500")
    await world.set_rate("EUR", "0.9")
    supplier, _, _ = await world.stocked(1, currency="NGN")
    buyer, referrer = await world.add_buyer("10"), await world.add_buyer("0", "EUR")
    await world.refer(referrer, buyer)
    sale = await sold(world, supplier, buyer)
    await spend(world, referrer, "0.04")
    back = await world.refund(sale)
    assert back.owed == {referrer: micros("0.04")}
    assert await world.balance(buyer) == Balance("USD", micros("10"), 0)
    assert await world.balance(supplier) == Balance("NGN", 0, 0)
    assert await world.balance(referrer) == Balance("EUR", 0, 0, debt=micros("0.04"))
    assert await world.referral_income(referrer) == 0
    await world.assert_whole()


async def test_a_sale_of_the_sandbox_is_refunded_by_the_platform_alone(world: World) -> None:
    from tests.world import reported

    await world.add_sandbox_pool([reported("+447700900001")])
    await world.set_price("whatsapp", "1")
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    await world.receive(None, order.msisdn, code_text("whatsapp", "123456"))
    await world.refund(order.activation_id)
    assert await world.balance(buyer) == Balance("USD", micros("10"), 0)
    await world.assert_whole()


async def test_an_open_activation_is_finished_and_its_number_freed(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1, services=("whatsapp", "telegram"))
    buyer = await world.add_buyer("10")
    sale = await sold(world, supplier, buyer)
    await world.refund(sale)
    assert (await world.order(buyer, "telegram")).msisdn == msisdn
    await world.assert_whole()


async def test_it_is_refunded_once_also_by_many_at_once(world: World) -> None:
    supplier, _, _ = await world.stocked(1)
    buyer = await world.add_buyer("10")
    sale = await sold(world, supplier, buyer)
    outcomes = await asyncio.gather(*(world.refund(sale) for _ in range(5)), return_exceptions=True)
    reasons = [one.reason for one in outcomes if isinstance(one, Refusal)]
    assert reasons == [Refused.REFERENCE_TAKEN] * 4
    assert (await world.balance(buyer)).available == micros("10")
    await world.assert_whole()


async def test_what_was_not_sold_cannot_be_refunded(world: World) -> None:
    await world.stocked(2)
    buyer = await world.add_buyer("10")
    waiting, canceled = await world.order(buyer), await world.order(buyer)
    await world.cancel(buyer, canceled.activation_id)
    assert await refused(world.refund(waiting.activation_id)) is Refused.NOT_SOLD
    assert await refused(world.refund(canceled.activation_id)) is Refused.NOT_SOLD
    assert await refused(world.refund(ActivationId(1))) is Refused.UNKNOWN_LEASE
    assert await refused(world.refund(waiting.activation_id, " ")) is Refused.MALFORMED
    await world.assert_whole()


async def test_a_race_between_maturing_and_a_refund_has_one_winner(world: World) -> None:
    supplier, _, _ = await world.stocked(8)
    buyer = await world.add_buyer("10")
    world.earning_hold = DAY
    sales = [await sold(world, supplier, buyer) for _ in range(8)]
    world.clock.turn(DAY.total_seconds())
    await asyncio.gather(*(world.refund(sale) for sale in sales), *(world.mature(limit=2) for _ in range(8)))
    await world.mature()
    assert (await world.balance(buyer)).available == micros("10")
    assert await world.balance(supplier) == Balance("USD", 0, 0)
    await world.assert_whole()
