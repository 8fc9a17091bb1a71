"""What an account is told about itself: its purse and its profile."""

from __future__ import annotations

import pytest

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import AccountState, Role
from simyard.core.reports import service as reports
from simyard.core.reports.model import Profile, Purse, PurseOf
from tests.world import World, code_text, micros


async def purse(world: World, account_id: AccountId, base_currency: str = "USD") -> Purse:
    async with world.database.transaction() as tx:
        return await reports.purse(tx, PurseOf(account_id, base_currency))


async def profile(world: World, account_id: AccountId) -> Profile:
    async with world.database.transaction() as tx:
        return await reports.profile(tx, account_id)


async def referred(world: World, currency: str) -> AccountId:
    """A referrer who got 5 % of two dollars."""
    supplier, _, (msisdn,) = await world.stocked(1, price="2")
    referrer, buyer = await world.add_buyer("0", currency), await world.add_buyer("10")
    await world.refer(referrer, buyer)
    await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "123456"))
    return referrer


async def test_a_purse_tells_what_can_be_spent_and_what_is_held(world: World) -> None:
    await world.stocked(1, price="1.5")
    buyer = await world.add_buyer("10")
    await world.order(buyer)
    assert await purse(world, buyer) == Purse("USD", micros("8.5"), micros("1.5"), 0, 0)


async def test_income_is_part_of_the_purse_and_converted(world: World) -> None:
    await world.set_rate("NGN", "1500")
    referrer = await referred(world, "NGN")
    assert await purse(world, referrer) == Purse("NGN", micros("150"), 0, micros("150"), micros("0.1"))


async def test_income_in_dollars_needs_no_rate(world: World) -> None:
    referrer = await referred(world, "USD")
    assert await purse(world, referrer, "EUR") == Purse("USD", micros("0.1"), 0, micros("0.1"), micros("0.1"))


async def test_income_without_a_rate_has_no_dollars_and_none_has_always(world: World) -> None:
    await world.set_rate("NGN", "1500")
    referrer = await referred(world, "NGN")
    async with world.database.transaction() as tx:
        await tx.execute("DELETE FROM exchange_rate")
    assert (await purse(world, referrer)).income_usd is None
    other = await world.add_buyer("1", "NGN")
    assert await purse(world, other) == Purse("NGN", micros("1"), 0, 0, 0)


async def test_an_account_without_a_wallet_has_neither_purse_nor_profile(world: World) -> None:
    operator = await world.add_account(Role.OPERATOR, currency=None)
    for asked in (purse(world, operator), profile(world, operator), purse(world, AccountId(10**6))):
        with pytest.raises(Refusal) as caught:
            await asked
        assert caught.value.reason is Refused.UNKNOWN_ACCOUNT


async def test_a_fresh_account_has_an_empty_profile(world: World) -> None:
    buyer = await world.add_buyer("0", email="new@example.com")
    assert await profile(world, buyer) == Profile(
        buyer, "new@example.com", AccountState.ACTIVE, world.clock.now(), "USD", 0, 0, 0, 0, 0
    )


async def test_a_profile_sums_what_was_paid_in_spent_and_received(world: World) -> None:
    supplier, _, (first, second) = await world.stocked(2, price="1.5", currency="USD")
    buyer = await world.add_buyer("10")
    await world.deposit(buyer, "5")
    order = await world.order(buyer)
    await world.receive(supplier, first, code_text("whatsapp", "111111"))
    await world.receive(supplier, first, code_text("whatsapp", "222222"))
    await world.finish(buyer, order.activation_id)
    # What is held, and what came back, is not spent.
    canceled = await world.order(buyer)
    assert canceled.msisdn == second
    await world.cancel(buyer, canceled.activation_id)
    seen = await profile(world, buyer)
    assert (seen.available, seen.deposited, seen.spent) == (micros("13.5"), micros("15"), micros("1.5"))
    assert seen.messages == 2


async def test_what_a_supplier_paid_in_another_currency_gets_counts_as_spent(world: World) -> None:
    await world.set_rate("NGN", "1500")
    supplier, _, (msisdn,) = await world.stocked(1, price="2", currency="NGN")
    buyer = await world.add_buyer("10")
    await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "111111"))
    assert (await profile(world, buyer)).spent == micros("2")
    earner = await profile(world, supplier)
    assert (earner.deposited, earner.spent, earner.available) == (0, 0, micros("2100"))


async def test_a_profile_shows_referral_income(world: World) -> None:
    referrer = await referred(world, "USD")
    seen = await profile(world, referrer)
    assert (seen.income, seen.available, seen.deposited, seen.spent) == (micros("0.1"), micros("0.1"), 0, 0)


async def test_a_rental_is_spent_from_its_first_message_on_and_once(world: World) -> None:
    supplier, _, (msisdn,) = await world.rentable(1)
    buyer = await world.add_buyer("20")
    rental = await world.rent(buyer, 1)
    assert (await profile(world, buyer)).spent == 0
    await world.receive(supplier, msisdn, "Hello")
    await world.extend_rental(buyer, rental.id, 7)
    assert (await profile(world, buyer)).spent == micros("6")
    await world.close_rental(buyer, rental.id)
    seen = await profile(world, buyer)
    assert (seen.spent, seen.messages, seen.available) == (micros("6"), 1, micros("14"))
