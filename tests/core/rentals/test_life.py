"""Confirming, extending, closing and running out of time, and where the money goes."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from simyard.base.ids import AccountId, RentalId
from simyard.base.refusals import Refusal, Refused
from simyard.core.messages import service as messages
from simyard.core.messages.model import Fate, Receipt
from simyard.core.rentals import service as rentals
from simyard.core.rentals.machine import State
from simyard.core.rentals.model import ActOnRental, Rental, RentalOffer
from tests.world import CONFIRM_SECONDS, World, micros, reported

DAY = 86_400
TEXT = "Your parcel arrives at noon."


async def refusal(acting: Awaitable[object]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await acting
    return caught.value


async def money(world: World, account_id: AccountId) -> tuple[int, int]:
    balance = await world.balance(account_id)
    return balance.available, balance.held


async def transfers(world: World) -> dict[str, tuple[str, int]]:
    rows = await world.rows("SELECT reference, kind, amount FROM transfer WHERE kind <> 'deposit'")
    return {reference: (kind, amount) for reference, kind, amount in rows}


async def confirmed(
    world: World, supplier: AccountId, buyer: AccountId, days: int = 1, **wishes: Any
) -> Rental:
    rental = await world.rent(buyer, days, **wishes)
    await world.receive(supplier, rental.msisdn, TEXT)
    return await world.rental(buyer, rental.id)


# The first SMS


async def test_the_first_sms_confirms_and_puts_the_price_into_escrow(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer("10")
    rental = await world.rent(buyer, 7)
    world.clock.turn(60)
    receipt = await world.receive(supplier, rental.msisdn, TEXT)
    assert receipt == Receipt(Fate.DELIVERED, rental.id)
    found = await world.rental(buyer, rental.id)
    assert (found.state, found.messages, found.confirmed_at) == (State.ACTIVE, 1, world.clock.now())
    assert (found.expires_at, found.last_message_at) == (rental.expires_at, world.clock.now())
    assert await money(world, buyer) == (micros("5"), 0)
    assert await money(world, supplier) == (0, 0)
    assert (await transfers(world))[f"rental/{rental.id}/capture"] == ("capture", micros("5"))
    await world.assert_whole()


async def test_further_sms_move_nothing(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer("10")
    rental = await confirmed(world, supplier, buyer)
    before = await transfers(world)
    await world.receive(supplier, rental.msisdn, "Another one.")
    assert await transfers(world) == before
    assert (await world.rental(buyer, rental.id)).messages == 2
    await world.assert_whole()


async def test_a_rental_without_a_first_sms_expires_and_is_paid_back(world: World) -> None:
    _, _, (msisdn,) = await world.rentable(1)
    buyer = await world.add_buyer("20")
    rental = await world.rent(buyer, 30, auto_extend=True)
    world.clock.turn(CONFIRM_SECONDS - 1)
    assert await world.end_due_rentals() == 0
    world.clock.turn(1)
    assert await world.end_due_rentals() == 1
    found = await world.rental(buyer, rental.id)
    assert (found.state, found.closed_at, found.extensions) == (State.EXPIRED, world.clock.now(), ())
    assert await money(world, buyer) == (micros("20"), 0)
    assert await world.end_due_rentals() == 0
    assert (await world.rent(await world.add_buyer())).msisdn == msisdn
    await world.assert_whole()


# Closing


async def test_closing_before_the_first_sms_gives_the_whole_price_back(world: World) -> None:
    _, _, (msisdn,) = await world.rentable(1)
    buyer = await world.add_buyer("10")
    rental = await world.rent(buyer, 7)
    closed = await world.close_rental(buyer, rental.id)
    assert (closed.state, closed.closed_at, closed.price) == (State.CANCELED, world.clock.now(), micros("5"))
    assert await money(world, buyer) == (micros("10"), 0)
    assert (await world.rent(buyer)).msisdn == msisdn
    await world.assert_whole()


async def test_closing_after_the_first_sms_divides_what_was_paid(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer("10")
    rental = await confirmed(world, supplier, buyer, 7)
    closed = await world.close_rental(buyer, rental.id)
    assert closed.state is State.ENDED
    assert await money(world, buyer) == (micros("5"), 0)
    assert await money(world, supplier) == (micros("3.5"), 0)
    booked = await transfers(world)
    assert booked[f"rental/{rental.id}/margin"] == ("margin", micros("1.5"))
    assert booked[f"rental/{rental.id}/earning"] == ("earning", micros("3.5"))
    await world.assert_whole()


async def test_a_closed_rental_is_closed_for_everything(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer("10")
    rental = await confirmed(world, supplier, buyer)
    await world.close_rental(buyer, rental.id)
    before = await transfers(world)
    assert (await refusal(world.close_rental(buyer, rental.id))).reason is Refused.LEASE_CLOSED
    assert (await refusal(world.extend_rental(buyer, rental.id))).reason is Refused.LEASE_CLOSED
    assert (await refusal(reload_port(world, buyer, rental.id))).reason is Refused.LEASE_CLOSED
    assert (await refusal(set_auto_extend(world, buyer, rental.id, True))).reason is Refused.LEASE_CLOSED
    assert (await world.receive(supplier, rental.msisdn, "Late.")).fate is Fate.NO_LEASE
    assert await transfers(world) == before
    await world.assert_whole()


async def test_another_accounts_rental_is_unknown(world: World) -> None:
    await world.rentable(1)
    rental = await world.rent(await world.add_buyer())
    other = await world.add_buyer()
    for acting in (
        world.look_at_rentals(other, rental.id),
        world.extend_rental(other, rental.id),
        world.close_rental(other, rental.id),
        reload_port(world, other, rental.id),
        set_auto_extend(world, other, rental.id, True),
        world.close_rental(other, RentalId(1)),
    ):
        assert (await refusal(acting)).reason is Refused.UNKNOWN_LEASE


async def reload_port(world: World, buyer: AccountId, rental_id: RentalId) -> Rental:
    async with world.database.transaction() as tx:
        return await rentals.reload_port(tx, ActOnRental(buyer, rental_id, world.clock.now(), "USD"))


async def set_auto_extend(world: World, buyer: AccountId, rental_id: RentalId, auto_extend: bool) -> None:
    async with world.database.transaction() as tx:
        await rentals.set_auto_extend(tx, buyer, rental_id, auto_extend, world.clock.now())


async def test_asking_for_the_port_to_be_restarted_changes_nothing(world: World) -> None:
    await world.rentable(1)
    buyer = await world.add_buyer()
    rental = await world.rent(buyer)
    assert await reload_port(world, buyer, rental.id) == rental


# Extending


async def test_an_extension_is_charged_at_once_and_ends_that_much_later(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer("20")
    rental = await confirmed(world, supplier, buyer, 1)
    world.clock.turn(DAY / 2)
    extended = await world.extend_rental(buyer, rental.id, 7)
    assert (extended.days, extended.price) == (8, micros("6"))
    assert extended.expires_at == rental.expires_at + timedelta(days=7)
    assert await money(world, buyer) == (micros("14"), 0)
    booked = await transfers(world)
    assert booked[f"rental/{rental.id}/extension/2"] == ("capture", micros("5"))
    rows = await world.rows("SELECT ordinal, days, price, automatic FROM rental_period ORDER BY ordinal")
    assert rows == [(1, 1, micros("1"), False), (2, 7, micros("5"), False)]
    await world.assert_whole()


async def test_a_rental_is_not_extended_before_it_is_confirmed(world: World) -> None:
    await world.rentable(1)
    buyer = await world.add_buyer()
    rental = await world.rent(buyer)
    assert (await refusal(world.extend_rental(buyer, rental.id))).reason is Refused.NOT_CONFIRMED


async def test_a_rental_whose_time_is_over_is_not_extended(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer()
    rental = await confirmed(world, supplier, buyer)
    world.clock.turn(DAY - 1)
    await set_auto_extend(world, buyer, rental.id, False)
    world.clock.turn(1)
    assert (await refusal(world.extend_rental(buyer, rental.id))).reason is Refused.LEASE_CLOSED
    assert (await refusal(set_auto_extend(world, buyer, rental.id, True))).reason is Refused.LEASE_CLOSED


async def test_an_unknown_period_and_a_lack_of_funds_refuse_an_extension(world: World) -> None:
    supplier, pool, _ = await world.rentable(1, tariffs={1: "1"})
    buyer = await world.add_buyer("1.5")
    rental = await confirmed(world, supplier, buyer)
    refused = await refusal(world.extend_rental(buyer, rental.id, 7))
    assert (refused.reason, refused.facts) == (Refused.UNKNOWN_PERIOD, {"periods": (1,)})
    assert (await refusal(world.extend_rental(buyer, rental.id))).reason is Refused.INSUFFICIENT_FUNDS
    await world.rows("DELETE FROM rental_price WHERE pool_id = $1", pool.id)
    assert (await refusal(world.extend_rental(buyer, rental.id))).reason is Refused.NOT_PRICED


async def test_a_rental_is_extended_at_the_tariff_of_its_own_pool(world: World) -> None:
    supplier, pool, _ = await world.rentable(1, tariffs={1: "2"})
    await world.rentable(1, tariffs={1: "1", 7: "1"})
    buyer = await world.add_buyer("20")
    rental = await confirmed(world, supplier, buyer, pool=pool)
    assert rental.extensions == (RentalOffer(1, micros("2")),)
    await world.set_tariff(1, "2.5", pool=pool)
    assert (await world.extend_rental(buyer, rental.id)).price == micros("4.5")
    assert (await refusal(world.extend_rental(buyer, rental.id, 7))).reason is Refused.UNKNOWN_PERIOD


async def test_a_pool_that_is_offline_still_extends(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer()
    rental = await confirmed(world, supplier, buyer)
    await world.rows("UPDATE pool SET online_until = $1", world.clock.now())
    assert (await world.extend_rental(buyer, rental.id)).days == 2


@pytest.mark.parametrize("change", ["listed = false", "blocked = true"])
async def test_a_number_that_went_off_sale_is_not_extended(world: World, change: str) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer("50")
    rental = await confirmed(world, supplier, buyer, auto_extend=True)
    await world.rows(f"UPDATE number SET {change}")
    assert (await world.rental(buyer, rental.id)).extensions == ()
    assert (await refusal(world.extend_rental(buyer, rental.id))).reason is Refused.NOT_PRICED
    world.clock.turn(DAY)
    await world.end_due_rentals()
    assert (await world.rental(buyer, rental.id)).state is State.ENDED


async def test_the_rental_of_a_frozen_account_is_not_extended_by_itself(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer("50")
    rental = await confirmed(world, supplier, buyer, auto_extend=True)
    await world.rows("UPDATE account SET state = 'suspended' WHERE id = $1", buyer)
    world.clock.turn(DAY)
    await world.end_due_rentals()
    assert (await world.rental(buyer, rental.id)).state is State.ENDED
    assert await money(world, buyer) == (micros("49"), 0)
    await world.assert_whole()


async def test_an_extension_needs_a_rate(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    await world.set_rate("NGN", "1500")
    buyer = await world.add_buyer("90000", "NGN")
    rental = await confirmed(world, supplier, buyer, auto_extend=True)
    await world.rows("DELETE FROM exchange_rate")
    assert (await world.rental(buyer, rental.id)).extensions == ()
    assert (await refusal(world.extend_rental(buyer, rental.id))).reason is Refused.NO_RATE
    world.clock.turn(DAY)
    await world.end_due_rentals()
    assert (await world.rental(buyer, rental.id)).state is State.ENDED
    await world.assert_whole()


async def test_the_same_key_extends_once(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer("20")
    rental = await confirmed(world, supplier, buyer)
    first = await world.extend_rental(buyer, rental.id, key="k")
    assert await world.extend_rental(buyer, rental.id, key="k") == first
    assert (await world.rental(buyer, rental.id)).days == 2
    refused = await refusal(world.extend_rental(buyer, rental.id, 7, key="k"))
    assert refused.reason is Refused.IDEMPOTENCY_KEY_REUSED
    assert (await refusal(world.rent(buyer, key="k"))).reason is Refused.IDEMPOTENCY_KEY_REUSED
    assert (await world.extend_rental(buyer, rental.id)).days == 3
    await world.assert_whole()


# Time


async def test_a_rental_ends_when_its_time_is_over(world: World) -> None:
    supplier, _, (msisdn,) = await world.rentable(1)
    buyer = await world.add_buyer("20")
    rental = await confirmed(world, supplier, buyer)
    world.clock.turn(DAY - 1)
    assert await world.end_due_rentals() == 0
    world.clock.turn(1)
    assert await world.end_due_rentals() == 1
    assert (await world.rental(buyer, rental.id)).state is State.ENDED
    assert await money(world, supplier) == (micros("0.7"), 0)
    assert (await world.rent(buyer)).msisdn == msisdn
    await world.assert_whole()


async def test_an_auto_extended_rental_goes_on_for_thirty_days_while_there_is_money(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer("31")
    rental = await confirmed(world, supplier, buyer, auto_extend=True)
    for days, left in ((31, "15"), (61, "0")):
        world.clock.turn((rental.expires_at - world.clock.now()).total_seconds())
        assert await world.end_due_rentals() == 1
        rental = await world.rental(buyer, rental.id)
        assert (rental.state, rental.days) == (State.ACTIVE, days)
        assert rental.expires_at == rental.ordered_at + timedelta(days=days)
        assert await money(world, buyer) == (micros(left), 0)
        assert await world.end_due_rentals() == 0
    world.clock.turn(30 * DAY)
    assert await world.end_due_rentals() == 1
    rental = await world.rental(buyer, rental.id)
    assert (rental.state, rental.price) == (State.ENDED, micros("31"))
    # The supplier earns of all periods.
    assert await money(world, supplier) == (micros("21.7"), 0)
    rows = await world.rows("SELECT ordinal, automatic FROM rental_period ORDER BY ordinal")
    assert rows == [(1, False), (2, True), (3, True)]
    await world.assert_whole()


async def test_auto_extension_can_be_switched_on_and_off(world: World) -> None:
    supplier, _, _ = await world.rentable(2)
    buyer = await world.add_buyer("50")
    on = await confirmed(world, supplier, buyer)
    off = await confirmed(world, supplier, buyer, auto_extend=True)
    await set_auto_extend(world, buyer, on.id, True)
    await set_auto_extend(world, buyer, off.id, False)
    assert (await world.rental(buyer, on.id)).auto_extend
    world.clock.turn(DAY)
    assert await world.end_due_rentals() == 2
    states = [(await world.rental(buyer, one.id)).state for one in (on, off)]
    assert states == [State.ACTIVE, State.ENDED]
    await world.assert_whole()


async def test_without_a_thirty_day_tariff_nothing_is_extended_by_itself(world: World) -> None:
    supplier, _, _ = await world.rentable(1, tariffs={1: "1", 7: "5"})
    buyer = await world.add_buyer("50")
    rental = await confirmed(world, supplier, buyer, auto_extend=True)
    world.clock.turn(DAY)
    await world.end_due_rentals()
    assert (await world.rental(buyer, rental.id)).state is State.ENDED


async def test_two_rentals_of_one_buyer_do_not_spend_the_same_money(world: World) -> None:
    supplier, _, _ = await world.rentable(2)
    buyer = await world.add_buyer("20")
    both = [await confirmed(world, supplier, buyer, auto_extend=True) for _ in range(2)]
    world.clock.turn(DAY)
    assert await world.end_due_rentals() == 2
    states = [(await world.rental(buyer, one.id)).state for one in both]
    assert states == [State.ACTIVE, State.ENDED]
    assert await money(world, buyer) == (micros("3"), 0)
    await world.assert_whole()


async def test_time_in_which_nobody_could_extend_is_not_charged(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer("50")
    rental = await confirmed(world, supplier, buyer, auto_extend=True)
    world.clock.turn(100 * DAY)
    assert await world.end_due_rentals() == 1
    assert (await world.rental(buyer, rental.id)).expires_at == world.clock.now() + timedelta(days=30)
    assert await world.end_due_rentals() == 0


async def test_what_is_due_is_done_a_slice_at_a_time(world: World) -> None:
    await world.rentable(3)
    buyer = await world.add_buyer("50")
    for _ in range(3):
        await world.rent(buyer)
    world.clock.turn(CONFIRM_SECONDS)
    assert [await world.end_due_rentals(limit=2) for _ in range(3)] == [2, 1, 0]
    await world.assert_whole()


# Currencies, referrals, pools without a supplier


@pytest.mark.parametrize(
    ("buyer_currency", "supplier_currency", "earned"),
    [("USD", "NGN", "1050"), ("NGN", "USD", "0.7"), ("NGN", "NGN", "1050"), ("EUR", "NGN", "1050")],
)
async def test_a_supplier_is_paid_in_his_own_currency(
    world: World, buyer_currency: str, supplier_currency: str, earned: str
) -> None:
    await world.set_rate("NGN", "1500")
    await world.set_rate("EUR", "0.5")
    supplier, _, _ = await world.rentable(1, currency=supplier_currency)
    buyer = await world.add_buyer("9000", buyer_currency)
    rental = await confirmed(world, supplier, buyer)
    assert (await world.extend_rental(buyer, rental.id)).days == 2
    await world.close_rental(buyer, rental.id)
    assert await money(world, supplier) == (2 * micros(earned), 0)
    await world.assert_whole()


async def test_each_period_keeps_the_share_and_rate_of_its_day(world: World) -> None:
    await world.set_rate("NGN", "1000")
    supplier, pool, _ = await world.rentable(1, currency="NGN")
    buyer = await world.add_buyer("50")
    rental = await confirmed(world, supplier, buyer)
    await world.set_rate("NGN", "2000")
    await world.rows("UPDATE pool SET share_basis_points = 5000 WHERE id = $1", pool.id)
    await world.extend_rental(buyer, rental.id)
    await world.close_rental(buyer, rental.id)
    assert await money(world, supplier) == (micros("1700"), 0)
    assert (await transfers(world))[f"rental/{rental.id}/margin"] == ("margin", micros("0.8"))
    await world.assert_whole()


async def test_whoever_brought_the_buyer_gets_his_share_when_the_rental_ends(world: World) -> None:
    supplier, _, _ = await world.rentable(2)
    buyer, referrer = await world.add_buyer("50"), await world.add_buyer("0")
    await world.refer(referrer, buyer, share_basis_points=1000)
    ended = await confirmed(world, supplier, buyer, 7)
    canceled = await world.rent(buyer)
    await world.extend_rental(buyer, ended.id, 7)
    assert await world.referral_income(referrer) == 0
    await world.close_rental(buyer, canceled.id)
    await world.close_rental(buyer, ended.id)
    assert await world.referral_income(referrer) == micros("1")
    assert await money(world, referrer) == (micros("1"), 0)
    await world.assert_whole()


async def test_a_rental_of_a_sandbox_is_the_platforms_own(world: World) -> None:
    await world.add_sandbox_pool([reported("+447700900001", rent=True)], rent_allowed=True)
    await world.set_tariff(1, "1")
    buyer = await world.add_buyer("10")
    rental = await world.rent(buyer, sandbox_seconds=5)
    rows = await world.rows("SELECT lease_id, due_at FROM sandbox_message")
    assert rows == [(rental.id, world.clock.now() + timedelta(seconds=5))]
    await world.receive(None, rental.msisdn, TEXT)
    await world.close_rental(buyer, rental.id)
    assert (await transfers(world))[f"rental/{rental.id}/margin"] == ("margin", micros("1"))
    await world.assert_whole()


async def test_a_rental_for_nothing_moves_nothing(world: World) -> None:
    supplier, _, _ = await world.rentable(1, tariffs={1: "0", 30: "0"})
    buyer = await world.add_buyer("0")
    rental = await confirmed(world, supplier, buyer, auto_extend=True)
    await world.extend_rental(buyer, rental.id)
    await world.close_rental(buyer, rental.id)
    assert await transfers(world) == {}
    await world.assert_whole()


# Looking


async def test_open_rentals_are_shown_oldest_first_and_a_closed_one_by_its_id(world: World) -> None:
    await world.rentable(3)
    buyer = await world.add_buyer()
    assert await world.look_at_rentals(buyer) == []
    ordered = [await world.rent(buyer) for _ in range(3)]
    await world.close_rental(buyer, ordered[1].id)
    assert [view.rental for view in await world.look_at_rentals(buyer)] == [ordered[0], ordered[2]]
    (closed,) = await world.look_at_rentals(buyer, ordered[1].id)
    assert (closed.rental.state, closed.messages, closed.total) == (State.CANCELED, (), 0)


async def test_messages_are_shown_newest_first_and_by_page(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer()
    rental = await world.rent(buyer)
    for number in range(5):
        world.clock.turn(1)
        await world.receive(supplier, rental.msisdn, f"Your code is 10000{number}", sender=f"Shop{number}")
    (view,) = await world.look_at_rentals(buyer, rental.id)
    assert view.total == view.rental.messages == 5
    assert [one.code for one in view.messages] == [f"10000{number}" for number in (4, 3, 2, 1, 0)]
    latest = view.messages[0]
    assert (latest.sender, latest.text) == ("Shop4", "Your code is 100004")
    assert latest.received_at == view.rental.last_message_at == world.clock.now()
    (page,) = await world.look_at_rentals(buyer, None, page=2, per_page=2)
    assert (page.messages, page.total) == (view.messages[2:4], 5)
    (beyond,) = await world.look_at_rentals(buyer, rental.id, page=4, per_page=2)
    assert beyond.messages == ()


async def test_of_many_messages_the_newest_are_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rentals, "MESSAGES_OF_ONE_MAX", 2)
    monkeypatch.setattr(rentals, "MESSAGES_OF_EACH_MAX", 1)
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer()
    rental = await world.rent(buyer)
    for number in range(3):
        await world.receive(supplier, rental.msisdn, f"Text {number}")
    (one,), (each,) = await world.look_at_rentals(buyer, rental.id), await world.look_at_rentals(buyer)
    assert [message.text for message in one.messages] == ["Text 2", "Text 1"]
    assert [message.text for message in each.messages] == ["Text 2"]
    assert one.total == each.total == 3


async def test_erased_messages_are_shown_without_their_text(world: World) -> None:
    supplier, _, _ = await world.rentable(1)
    buyer = await world.add_buyer()
    rental = await confirmed(world, supplier, buyer)
    async with world.database.transaction() as tx:
        await messages.erase_texts(tx, before=world.clock.now() + timedelta(seconds=1), limit=10)
    (view,) = await world.look_at_rentals(buyer, rental.id)
    assert [(one.sender, one.text) for one in view.messages] == [("", None)]
