"""Payouts: held when asked for, then gone or given back, once."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable
from datetime import timedelta

import pytest

from simyard.base.ids import AccountId, PayoutId
from simyard.base.refusals import Refusal, Refused
from simyard.core.earnings import service as earnings
from simyard.core.earnings.model import PayoutState
from simyard.core.wallet.model import Balance
from tests.world import World, code_text, micros


async def refused(acting: Awaitable[object]) -> Refused:
    with pytest.raises(Refusal) as caught:
        await acting
    return caught.value.reason


async def earner(world: World) -> AccountId:
    """A supplier who has earned 0.70."""
    supplier, _, _ = await world.stocked(1)
    order = await world.order(await world.add_buyer("10"))
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "123456"))
    return supplier


async def test_a_payout_is_held_and_then_leaves(world: World) -> None:
    supplier = await earner(world)
    payout = await world.request_payout(supplier, "0.5", " IBAN DE00 ")
    assert (payout.method, payout.state, payout.currency) == ("IBAN DE00", PayoutState.REQUESTED, "USD")
    assert await world.balance(supplier) == Balance("USD", micros("0.2"), micros("0.5"))
    await world.assert_whole()
    paid = await world.pay_out(payout, "SEPA 42")
    assert (paid.state, paid.note, paid.closed_at) == (PayoutState.PAID, "SEPA 42", world.clock.now())
    assert await world.balance(supplier) == Balance("USD", micros("0.2"), 0)
    await world.assert_whole()
    assert await world.rows("SELECT action, actor FROM audit WHERE action LIKE 'payout%'") == [
        ("payout.paid", "test")
    ]
    assert not await world.rows("SELECT FROM audit WHERE facts::text LIKE '%IBAN%'")


async def test_a_rejected_payout_comes_back(world: World) -> None:
    supplier = await earner(world)
    payout = await world.request_payout(supplier, "0.7")
    assert (await world.reject_payout(payout)).state is PayoutState.REJECTED
    assert await world.balance(supplier) == Balance("USD", micros("0.7"), 0)
    await world.assert_whole()


async def test_a_payout_is_closed_once(world: World) -> None:
    supplier = await earner(world)
    payout = await world.request_payout(supplier, "0.7")
    outcomes = await asyncio.gather(
        world.pay_out(payout),
        world.reject_payout(payout),
        world.pay_out(payout),
        world.reject_payout(payout),
        return_exceptions=True,
    )
    reasons = [one.reason for one in outcomes if isinstance(one, Refusal)]
    assert reasons == [Refused.UNKNOWN_PAYOUT] * 3
    assert (
        await refused(world.pay_out(dataclasses.replace(payout, id=PayoutId(99)))) is Refused.UNKNOWN_PAYOUT
    )
    await world.assert_whole()


async def test_what_is_not_there_yet_cannot_be_paid_out(world: World) -> None:
    world.earning_hold = timedelta(days=1)
    supplier = await earner(world)
    assert await refused(world.request_payout(supplier, "0.1")) is Refused.INSUFFICIENT_FUNDS
    world.clock.turn(86_400)
    await world.mature()
    assert await refused(world.request_payout(supplier, "0.71")) is Refused.INSUFFICIENT_FUNDS
    assert await refused(world.request_payout(supplier, "0")) is Refused.MALFORMED
    assert await refused(world.request_payout(supplier, "0.1", "")) is Refused.MALFORMED
    assert await refused(world.request_payout(supplier, "0.1", "x" * 501)) is Refused.MALFORMED
    assert await refused(world.request_payout(AccountId(999), "0.1")) is Refused.UNKNOWN_ACCOUNT
    await world.request_payout(supplier, "0.7")
    await world.assert_whole()


async def test_of_requests_at_once_no_more_is_held_than_there_is(world: World) -> None:
    supplier = await earner(world)
    outcomes = await asyncio.gather(
        *(world.request_payout(supplier, "0.3") for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(one, Refusal) for one in outcomes) == 3
    assert await world.balance(supplier) == Balance("USD", micros("0.1"), micros("0.6"))
    await world.assert_whole()


async def test_payouts_are_listed_newest_first(world: World) -> None:
    supplier = await earner(world)
    first, second = await world.request_payout(supplier, "0.1"), await world.request_payout(supplier, "0.2")
    await world.pay_out(first)
    async with world.database.transaction() as tx:
        both = await earnings.payouts(tx, account_id=supplier)
        requested = await earnings.payouts(tx, state=PayoutState.REQUESTED)
    assert [one.id for one in both] == [second.id, first.id]
    assert requested == [second]
