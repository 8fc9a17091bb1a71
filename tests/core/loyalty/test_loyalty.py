"""Loyalty: what spending counts, when cashback is paid, and out of what."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from simyard.base.clock import ManualClock
from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.loyalty import service as loyalties
from simyard.core.loyalty.model import ListPrices, Loyalty, PriceList
from simyard.core.messages.model import Fate
from simyard.settings import Settings
from tests.world import World, code_text, micros, service_id

LOYALTY = Loyalty(Settings().loyalty_tiers, "USD")
SERVICES = ("whatsapp", "telegram", "google")
NO_CODE = "Welcome to WhatsApp! Nobody needs this message."


@pytest.fixture(autouse=True)
def with_tiers(world: World) -> None:
    world.loyalty = LOYALTY


async def buy(world: World, supplier: AccountId, buyer: AccountId, slug: str = "whatsapp") -> int:
    order = await world.order(buyer, slug)
    await world.receive(supplier, order.msisdn, code_text(slug, "123456"))
    return order.activation_id


async def spend(world: World, buyer: AccountId, amount: str) -> None:
    """As much as that, for codes of services nobody else asks for."""
    supplier, _, _ = await world.stocked(1, services=("viber",), price=amount)
    order = await world.order(buyer, "viber")
    loyalty, world.loyalty = world.loyalty, Loyalty((), "USD")
    await world.receive(supplier, order.msisdn, code_text("viber", "1234"))
    world.loyalty = loyalty


async def cashbacks(world: World) -> list[tuple[str, int]]:
    found = await world.rows("SELECT reference, amount FROM transfer WHERE kind = 'cashback' ORDER BY id")
    return [(str(reference), int(amount)) for reference, amount in found]


async def prices_of(
    world: World, account_id: AccountId, slug: str = "whatsapp", country: str = "GB"
) -> PriceList:
    command = ListPrices(account_id, service_id(slug), country, world.loyalty, world.clock.now())
    async with world.database.transaction() as tx:
        return await loyalties.list_prices(tx, command)


# What counts as spent


async def test_an_account_has_spent_what_was_captured(world: World) -> None:
    supplier, _, _ = await world.stocked(3, price="1.5")
    buyer = await world.add_buyer("10")
    assert (await world.standing(buyer)).spent == 0
    waiting = await world.order(buyer)
    assert (await world.standing(buyer)).spent == 0
    await world.cancel(buyer, waiting.activation_id)
    assert (await world.standing(buyer)).spent == 0
    await buy(world, supplier, buyer)
    standing = await world.standing(buyer)
    assert (standing.spent, standing.available, standing.currency) == (micros("1.5"), micros("8.5"), "USD")
    assert (standing.tier, standing.next_tier, standing.needed) == ("Bronze", "Silver", micros("18.5"))
    await world.assert_whole()


async def test_what_a_supplier_earns_and_what_is_given_away_is_not_spent(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="1.5")
    buyer = await world.add_buyer("10")
    await buy(world, supplier, buyer)
    assert (await world.standing(supplier)).spent == 0


async def test_a_rental_counts_from_its_confirmation_and_each_extension(world: World) -> None:
    supplier, _, _ = await world.rentable(1, tariffs={1: "15"})
    await world.take_stock()
    buyer = await world.add_buyer("100")
    rental = await world.rent(buyer, 1)
    assert (await world.standing(buyer)).spent == 0
    await world.receive(supplier, rental.msisdn, "Hello there")
    assert (await world.standing(buyer)).spent == micros("15")
    await world.extend_rental(buyer, rental.id, 1)
    standing = await world.standing(buyer)
    assert (standing.spent, standing.tier) == (micros("30"), "Silver")
    await world.close_rental(buyer, rental.id)
    assert (await world.standing(buyer)).spent == micros("30")
    # A rental pays no cashback: it has no first code.
    assert await cashbacks(world) == []
    await world.assert_whole()


async def test_an_account_without_a_wallet_has_no_standing(world: World) -> None:
    with pytest.raises(Refusal) as caught:
        await world.standing(AccountId(999_999))
    assert caught.value.reason is Refused.UNKNOWN_ACCOUNT


# Cashback


async def test_the_tier_that_was_reached_before_pays(world: World) -> None:
    """20 USD are spent by the first; it is still paid by Bronze, the second by Silver."""
    supplier, _, _ = await world.stocked(2, price="20", services=("whatsapp",))
    buyer = await world.add_buyer("100")
    await buy(world, supplier, buyer)
    assert await cashbacks(world) == []
    activation_id = await buy(world, supplier, buyer)
    assert await cashbacks(world) == [(f"activation/{activation_id}/cashback", micros("2"))]
    assert (await world.balance(buyer)).available == micros("62")
    # It is given back, but spent all the same.
    assert (await world.standing(buyer)).spent == micros("40")
    await world.assert_whole()


@pytest.mark.parametrize(
    ("spent", "paid"),
    [("19.9999", None), ("20", "0.1"), ("99.9999", "0.1"), ("100", "0.15"), ("500", "0.2")],
)
async def test_the_borders_of_tiers(world: World, spent: str, paid: str | None) -> None:
    supplier, _, _ = await world.stocked(1, price="1")
    buyer = await world.add_buyer("1000")
    await spend(world, buyer, spent)
    await buy(world, supplier, buyer)
    assert [amount for _, amount in await cashbacks(world)] == ([micros(paid)] if paid else [])
    await world.assert_whole()


async def test_a_message_without_a_code_pays_nothing_until_one_has_it(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="1")
    buyer = await world.add_buyer("1000")
    await spend(world, buyer, "20")
    order = await world.order(buyer)
    receipt = await world.receive(supplier, order.msisdn, NO_CODE)
    assert receipt.fate is Fate.DELIVERED
    assert (await world.check(buyer, order.activation_id)).code is None
    assert await cashbacks(world) == []
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "111111"))
    assert [amount for _, amount in await cashbacks(world)] == [micros("0.1")]
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "222222"))
    assert len(await cashbacks(world)) == 1
    await world.assert_whole()


async def test_a_late_code_is_paid_by_what_was_spent_on_others(world: World) -> None:
    """Its own price, captured by the message before, does not lift its tier."""
    supplier, _, _ = await world.stocked(1, price="20")
    buyer = await world.add_buyer("1000")
    order = await world.order(buyer)
    await world.receive(supplier, order.msisdn, NO_CODE)
    assert (await world.standing(buyer)).tier == "Silver"
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "111111"))
    assert await cashbacks(world) == []
    await world.assert_whole()


async def test_only_the_first_code_pays_also_after_another_was_asked_for(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="1")
    buyer = await world.add_buyer("1000")
    await spend(world, buyer, "20")
    order = await world.order(buyer)
    for code in ("111111", "222222"):
        await world.receive(supplier, order.msisdn, code_text("whatsapp", code))
        assert len(await cashbacks(world)) == 1
        await world.request_next(buyer, order.activation_id)
        while (await world.look(buyer, order.activation_id))[0].messages:
            await world.request_next(buyer, order.activation_id)
    # The code he dismissed is gone from the activation; that it came is not.
    await world.receive(supplier, order.msisdn, NO_CODE)
    assert (await world.check(buyer, order.activation_id)).code is None
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "333333"))
    assert len(await cashbacks(world)) == 1
    await world.assert_whole()


async def test_a_first_code_before_the_first_tier_pays_is_no_first_code_later(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="1")
    buyer = await world.add_buyer("1000")
    order = await world.order(buyer)
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "111111"))
    await spend(world, buyer, "20")
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "222222"))
    assert await cashbacks(world) == []


async def test_a_message_and_its_code_in_one_batch(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="1")
    buyer = await world.add_buyer("1000")
    await spend(world, buyer, "20")
    order = await world.order(buyer)
    texts = [NO_CODE, *(code_text("whatsapp", code) for code in ("111111", "222222"))]
    await world.receive_batch([world.sms(supplier, order.msisdn, text) for text in texts])
    assert [amount for _, amount in await cashbacks(world)] == [micros("0.1")]
    await world.assert_whole()


async def test_captures_of_one_batch_lift_each_other(world: World) -> None:
    """Of three codes at 10 USD in one batch the first two make 20, so the third is paid by Silver."""
    supplier, _, _ = await world.stocked(3, price="10")
    buyer = await world.add_buyer("1000")
    orders = [await world.order(buyer) for _ in range(3)]
    text = code_text("whatsapp", "111111")
    await world.receive_batch([world.sms(supplier, order.msisdn, text) for order in orders])
    last = orders[2].activation_id
    assert await cashbacks(world) == [(f"activation/{last}/cashback", micros("1"))]
    await world.assert_whole()


async def test_twins_of_a_message_pay_once(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="1")
    buyer = await world.add_buyer("1000")
    await spend(world, buyer, "20")
    order = await world.order(buyer)
    text = code_text("whatsapp", "111111")
    await asyncio.gather(*(world.receive(supplier, order.msisdn, text) for _ in range(20)))
    others = (code_text("whatsapp", f"11111{digit}") for digit in range(2, 9))
    await asyncio.gather(*(world.receive(supplier, order.msisdn, one) for one in others))
    assert len(await cashbacks(world)) == 1
    await world.assert_whole()


async def test_a_free_number_pays_nothing(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="0")
    buyer = await world.add_buyer("1000")
    await spend(world, buyer, "500")
    await buy(world, supplier, buyer)
    assert await cashbacks(world) == []


async def test_cashback_is_paid_though_the_margin_is_smaller(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="1", share_basis_points=10_000)
    buyer = await world.add_buyer("1000")
    await spend(world, buyer, "500")
    await buy(world, supplier, buyer)
    assert [amount for _, amount in await cashbacks(world)] == [micros("0.2")]
    assert (await world.balance(supplier)).available == micros("1")
    await world.assert_whole()


async def test_cashback_in_another_currency(world: World) -> None:
    """30000 NGN are 20 USD."""
    supplier, _, _ = await world.stocked(3, price="10")
    await world.set_rate("NGN", "1500")
    buyer = await world.add_buyer("100000", "NGN")
    for _ in range(3):
        await buy(world, supplier, buyer)
    (paid,) = await cashbacks(world)
    assert paid[1] == micros("1500")
    assert (await world.standing(buyer)).tier == "Silver"
    await world.assert_whole()


# Referral and cashback


@pytest.mark.parametrize(
    ("supplier_share", "spent", "cashback", "referral"),
    [
        # 30 of 100 stay as the margin: 10 go back, 5 to the referrer.
        (7000, "20", "0.1", "0.05"),
        # 12 stay: 10 go back, so no more than 2 to the referrer.
        (8800, "20", "0.1", "0.02"),
        # 5 stay: 20 go back, so nothing to him.
        (9500, "500", "0.2", None),
        # No cashback yet: he gets his share, but no more than the margin.
        (9700, "0", None, "0.03"),
    ],
)
async def test_a_referrer_gets_no_more_than_cashback_leaves_of_the_margin(
    world: World, supplier_share: int, spent: str, cashback: str | None, referral: str | None
) -> None:
    supplier, _, _ = await world.stocked(1, price="1", share_basis_points=supplier_share)
    referrer, buyer = await world.add_buyer("0"), await world.add_buyer("1000")
    if micros(spent):
        await spend(world, buyer, spent)
    await world.refer(referrer, buyer)
    await buy(world, supplier, buyer)
    assert [amount for _, amount in await cashbacks(world)] == ([micros(cashback)] if cashback else [])
    assert await world.referral_income(referrer) == (micros(referral) if referral else 0)
    await world.assert_whole()


# Prices


async def test_prices_are_those_an_order_would_be_charged(world: World, clock: ManualClock) -> None:
    await world.stocked(2, price="1.5")
    await world.stocked(3, price="1.14")
    await world.stocked(4, price="1.5")
    await world.stocked(0, price="1")
    await world.set_rate("NGN", "1500")
    await world.take_stock()
    buyer, other = await world.add_buyer("100"), await world.add_buyer("100000", "NGN")
    found = await prices_of(world, buyer)
    assert [(one.price, one.stock) for one in found.prices] == [(micros("1.14"), 3), (micros("1.5"), 6)]
    assert found.standing.tier == "Bronze"
    there = await prices_of(world, other)
    assert [(one.price, one.stock) for one in there.prices] == [(micros("1710"), 3), (micros("2250"), 6)]
    order = await world.order(buyer, price_exact="1.5")
    assert order.price == micros("1.5")
    assert (await prices_of(world, buyer, "telegram")).prices == ()
    assert (await prices_of(world, buyer, country="FR")).prices == ()
    # What was reported too long ago is not sold.
    clock.turn(601)
    assert (await prices_of(world, buyer)).prices == ()


async def test_a_prohibited_service_has_no_prices_but_for_those_who_may(world: World) -> None:
    await world.stocked(2, price="1", services=("paypal",))
    await world.take_stock()
    buyer = await world.add_buyer()
    assert (await prices_of(world, buyer, "paypal")).prices == ()
    await world.permit(buyer, "paypal")
    assert len((await prices_of(world, buyer, "paypal")).prices) == 1


async def test_no_rate_for_the_wallet(world: World) -> None:
    await world.stocked(2, price="1")
    buyer = await world.add_buyer("5", "EUR")
    with pytest.raises(Refusal) as caught:
        await prices_of(world, buyer)
    assert caught.value.reason is Refused.NO_RATE


# Everything together

CURRENCIES = {"USD": "1", "NGN": "1500", "EUR": "0.9", "JPY": "150.5"}


@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sales=st.lists(
        st.tuples(
            st.sampled_from(sorted(CURRENCIES)),
            st.integers(1, 400_000),
            st.lists(st.booleans(), min_size=1, max_size=3),
        ),
        min_size=1,
        max_size=6,
    )
)
async def test_cashback_is_what_the_tiers_promise(
    world: World, sales: Sequence[tuple[str, int, list[bool]]]
) -> None:
    """Buyers in several currencies buy at all kinds of prices, and get messages with a code or without, in any order."""
    world.loyalty = LOYALTY
    for currency, rate in CURRENCIES.items():
        if currency != "USD":
            await world.set_rate(currency, rate)
    buyers = {currency: await world.add_buyer("9000000", currency) for currency in CURRENCIES}
    spent = dict.fromkeys(CURRENCIES, 0)
    expected: list[tuple[str, int]] = []
    before = len(await cashbacks(world))
    for currency, steps, has_code in sales:
        supplier, pool, _ = await world.stocked(1, price=f"{steps / 10_000:.4f}")
        order = await world.order(buyers[currency], pool=pool)
        in_usd = spent[currency] / float(CURRENCIES[currency]) / 1_000_000
        percent = max(tier.percent for tier in LOYALTY.tiers if in_usd >= tier.spent_from)
        spent[currency] += order.price
        for place, one in enumerate(has_code):
            text = code_text("whatsapp", f"11111{place}") if one else f"{NO_CODE} {'again ' * place}"
            await world.receive(supplier, order.msisdn, text)
        cashback = order.price * percent // 100 // 100 * 100
        if any(has_code) and cashback:
            expected.append((f"activation/{order.activation_id}/cashback", cashback))
    assert (await cashbacks(world))[before:] == expected
    for currency, buyer in buyers.items():
        assert (await world.standing(buyer)).spent == spent[currency]
    await world.assert_whole()
