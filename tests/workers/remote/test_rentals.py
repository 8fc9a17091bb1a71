"""Rentals of numbers that lie with a partner, from the price that is held to the number that goes back."""

from __future__ import annotations

import asyncio

import pytest

from simyard.base.refusals import Refusal, Refused
from simyard.core.messages.model import Fate
from simyard.core.remote import service as remote
from simyard.core.remote.model import Ending, Stock
from simyard.core.rentals.machine import State
from simyard.workers.remote.source import Reason, SourceFailed, SourceRefused
from tests.workers.remote.conftest import RemoteWorld
from tests.workers.remote.host import Host, hang, rent_offer, until
from tests.world import CONFIRM_SECONDS, code_text, micros

DAY = 86_400


async def test_a_number_is_rented_extended_and_paid_for_at_the_end(far: RemoteWorld) -> None:
    world = far.world
    _, host, supplier = await far.add_rent_pool()
    buyer = await world.add_buyer("10")
    rental = await far.rent(buyer, 7)
    (wish,) = host.wishes
    assert (wish.country_name, wish.service_name, wish.service_id) == ("their GB", "rent", None)
    assert (wish.amount, wish.currency, wish.rental_days) == (micros("3.5"), "USD", 7)
    assert (await world.rental(buyer, rental.id)) == rental
    assert rental.state is State.WAITING
    receipt = await world.receive(supplier, rental.msisdn, code_text("telegram", "48213"))
    assert receipt.fate is Fate.DELIVERED
    extended = await world.extend_rental(buyer, rental.id, 1)
    assert extended.days == 8
    await world.assert_whole()
    world.clock.turn(8 * DAY)
    await world.end_due_rentals()
    await far.leases.settle()
    # What all periods bring him, as the total of the last report must say.
    assert host.finished == [("r1", Ending.SOLD, micros("4.2"), "USD")]
    assert await far.states() == [("done", "sold")]
    assert (await world.balance(supplier)).available == micros("4.2")
    await world.assert_whole()


@pytest.mark.parametrize("how", ["close", "no first SMS"])
async def test_a_number_nothing_came_for_goes_back(far: RemoteWorld, how: str) -> None:
    world = far.world
    _, host, _ = await far.add_rent_pool()
    buyer = await world.add_buyer("10")
    rental = await far.rent(buyer)
    if how == "close":
        await world.close_rental(buyer, rental.id)
    else:
        world.clock.turn(1201)
        assert await world.end_due_rentals() == 1
    await far.leases.settle()
    assert [(ending, remote_id) for remote_id, ending, _, _ in host.finished] == [(Ending.CANCELED, "r1")]
    assert (await world.balance(buyer)).available == micros("10")
    await world.assert_whole()


async def test_a_rental_closed_after_its_first_sms_is_sold(far: RemoteWorld) -> None:
    world = far.world
    _, host, supplier = await far.add_rent_pool()
    buyer = await world.add_buyer("10")
    rental = await far.rent(buyer)
    await world.receive(supplier, rental.msisdn, "Hello")
    await world.close_rental(buyer, rental.id)
    await far.leases.settle()
    assert host.finished == [("r1", Ending.SOLD, micros("0.7"), "USD")]
    await world.assert_whole()


async def test_the_cheapest_that_has_numbers_wins(far: RemoteWorld) -> None:
    world = far.world
    _, dear, _ = await far.add_rent_pool(tariffs={1: "2"})
    _, cheap, _ = await far.add_rent_pool(tariffs={1: "1"})
    _, empty, _ = await far.add_rent_pool(Host(offers=(rent_offer(0),)), tariffs={1: "0.5"})
    await world.rentable(1, tariffs={1: "1.5"})
    await world.take_stock()
    buyer = await world.add_buyer("10")
    assert (await far.rent(buyer)).price == micros("1")
    cheap.numbers.clear()
    assert (await far.rent(buyer)).price == micros("1.5")
    # It said it had none, and is not asked again.
    assert (await far.rent(buyer)).price == micros("2")
    assert (len(cheap.wishes), len(dear.wishes), len(empty.wishes)) == (2, 1, 0)
    await world.assert_whole()


async def test_tariffs_show_what_partners_have(far: RemoteWorld) -> None:
    world = far.world
    pool, _, _ = await far.add_rent_pool(Host(offers=(rent_offer(5),)))
    # It sells numbers, but rents none out, whatever it is allowed.
    other, _, _ = await far.add_pool(rent_allowed=True)
    await world.set_tariff(1, "0.1", pool=other)
    (offer,) = await world.rental_offers()
    assert (dict(offer.periods), offer.stock) == ({1: micros("1"), 7: micros("5")}, 5)
    async with world.database.transaction() as tx:
        await remote.record_stock(tx, pool.id, Stock(()), online_seconds=600, now=world.clock.now())
    assert await world.rental_offers() == []


async def test_a_pool_that_may_not_rent_is_not_asked(far: RemoteWorld) -> None:
    pool, host, _ = await far.add_pool(Host(offers=(rent_offer(),)), price=None)
    await far.world.set_tariff(1, "1", pool=pool)
    buyer = await far.world.add_buyer("10")
    with pytest.raises(Refusal) as refused:
        await far.rent(buyer)
    assert refused.value.reason is Refused.NOT_PRICED
    assert host.wishes == []


async def test_an_offer_to_rent_is_no_offer_of_a_service(far: RemoteWorld) -> None:
    await far.add_rent_pool()
    await far.world.set_price("whatsapp", "1")
    buyer = await far.world.add_buyer("10")
    with pytest.raises(Refusal) as refused:
        await far.order(buyer)
    assert refused.value.reason is Refused.NO_NUMBERS


async def test_a_partner_that_fails_is_followed_by_the_next(far: RemoteWorld) -> None:
    world = far.world

    async def fail() -> None:
        raise SourceFailed("broken", ambiguous=False)

    await far.add_rent_pool(Host(before=fail), tariffs={1: "1"})
    buyer = await world.add_buyer("10")
    with pytest.raises(Refusal) as refused:
        await far.rent(buyer)
    assert refused.value.reason is Refused.UPSTREAM_FAILED
    await far.add_rent_pool(tariffs={1: "2"})
    assert (await far.rent(buyer)).price == micros("2")
    # What failed is shown nowhere.
    assert len(await world.look_at_rentals(buyer)) == 1
    assert await far.states() == [("done", None), ("done", None), ("held", None)]
    await world.assert_whole()


async def test_what_fails_cannot_be_acted_upon(far: RemoteWorld) -> None:
    world = far.world

    async def refuse() -> None:
        raise SourceRefused(Reason.NO_NUMBERS)

    await far.add_rent_pool(Host(before=refuse))
    buyer = await world.add_buyer("10")
    with pytest.raises(Refusal) as refused:
        await far.rent(buyer)
    assert refused.value.reason is Refused.NO_NUMBERS
    failed = await world.value("SELECT id FROM rental WHERE state = 'failed'")
    for act in (world.rental, world.extend_rental, world.close_rental):
        with pytest.raises(Refusal) as refused:
            await act(buyer, failed)
        assert refused.value.reason is Refused.UNKNOWN_LEASE


async def test_numbers_that_are_not_fit_go_back(far: RemoteWorld) -> None:
    world = far.world
    _, _, [direct] = await world.rentable(1, tariffs={1: "5"})
    banned, good = world.msisdns(2)
    _, host, _ = await far.add_rent_pool(Host(numbers=["+46701740605", direct, "rubbish", banned, good]))
    await far.add_pool(Host(numbers=[banned]))
    buyer = await world.add_buyer("100")
    activation = await far.order(buyer)
    await world.close(buyer, activation.activation_id, ban=True)
    await far.leases.settle()
    for _ in range(4):
        # The dear one is what is left when the partner's number does not fit.
        rental = await far.rent(buyer)
        assert rental.msisdn == direct
        await world.close_rental(buyer, rental.id)
    rental = await far.rent(buyer)
    assert (rental.msisdn, rental.price) == (good, micros("1"))
    await far.leases.settle()
    assert host.endings() == [Ending.CANCELED] * 4
    await world.assert_whole()


async def test_a_number_nothing_came_for_three_times_goes_back(far: RemoteWorld) -> None:
    world = far.world
    (silent,) = world.msisdns(1)
    _, host, _ = await far.add_rent_pool(Host(numbers=[silent] * 4))
    buyer = await world.add_buyer("10")
    for _ in range(3):
        await far.rent(buyer)
        world.clock.turn(CONFIRM_SECONDS)
        await world.end_due_rentals()
        await far.leases.settle()
    with pytest.raises(Refusal) as refused:
        await far.rent(buyer)
    assert refused.value.reason is Refused.NO_NUMBERS
    await far.leases.settle()
    assert host.endings() == [Ending.CANCELED] * 4
    await world.assert_whole()


async def test_a_repeat_under_a_key_is_the_same_rental(far: RemoteWorld) -> None:
    world = far.world
    _, host, _ = await far.add_rent_pool()
    buyer = await world.add_buyer("10")
    first, second = await asyncio.gather(far.rent(buyer, key="once"), far.rent(buyer, key="once"))
    assert first == second == await far.rent(buyer, key="once")
    assert len(host.wishes) == 1
    assert (await world.balance(buyer)).held == micros("1")
    await world.assert_whole()


async def test_a_late_number_goes_back(far: RemoteWorld) -> None:
    world = far.world
    far.give_up_after(0.1)
    may_answer = asyncio.Event()

    async def wait() -> None:
        await may_answer.wait()

    _, host, _ = await far.add_rent_pool(Host(numbers=world.msisdns(1), before=wait))
    buyer = await world.add_buyer("10")
    with pytest.raises(Refusal) as refused:
        await far.rent(buyer)
    assert refused.value.reason is Refused.UPSTREAM_FAILED
    assert (await world.balance(buyer)).available == micros("10")
    may_answer.set()
    await until(lambda: len(host.reserved) == 1)
    await far.acquirer.close()
    await far.leases.settle()
    assert host.endings() == [Ending.CANCELED]
    await world.assert_whole()


async def test_another_account_never_sees_it(far: RemoteWorld) -> None:
    world = far.world
    await far.add_rent_pool()
    buyer, stranger = await world.add_buyer("10"), await world.add_buyer("10")
    rental = await far.rent(buyer)
    for act in (world.rental, world.extend_rental, world.close_rental):
        with pytest.raises(Refusal) as refused:
            await act(stranger, rental.id)
        assert refused.value.reason is Refused.UNKNOWN_LEASE


async def test_a_rental_that_waits_for_its_number_is_shown_nowhere(far: RemoteWorld) -> None:
    world = far.world
    _, host, _ = await far.add_rent_pool(Host(numbers=world.msisdns(1), before=hang))
    buyer = await world.add_buyer("10")
    order = asyncio.ensure_future(far.rent(buyer))
    await until(lambda: len(host.wishes) == 1)
    assert await world.look_at_rentals(buyer) == []
    assert await world.end_due_rentals() == 0
    await world.assert_whole()
    order.cancel()


async def test_a_rental_extends_itself(far: RemoteWorld) -> None:
    world = far.world
    _, host, supplier = await far.add_rent_pool(tariffs={1: "1", 30: "3"})
    buyer = await world.add_buyer("10")
    rental = await far.rent(buyer, auto_extend=True)
    await world.receive(supplier, rental.msisdn, "Hello")
    world.clock.turn(DAY)
    await world.end_due_rentals()
    assert (await world.rental(buyer, rental.id)).days == 31
    assert host.finished == []
    await world.assert_whole()
