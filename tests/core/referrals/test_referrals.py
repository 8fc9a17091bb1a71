"""Referrals: who brought whom, and what the referrer gets of each captured price."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.base import money
from simyard.base.ids import AccountId, LedgerAccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Role
from simyard.core.referrals import rules
from simyard.core.referrals import service as referrals
from simyard.core.referrals.model import Sale, Share
from simyard.core.wallet.model import SharedKind, TransferKind, Wallet
from tests.world import World, code_text, micros

EVERYTHING = 10_000


async def refused(world: World, referrer: AccountId, referred: AccountId) -> Refused:
    with pytest.raises(Refusal) as caught:
        await world.refer(referrer, referred)
    return caught.value.reason


async def buy(world: World, supplier: AccountId, buyer: AccountId, slug: str = "whatsapp") -> None:
    order = await world.order(buyer, slug)
    await world.receive(supplier, order.msisdn, code_text(slug, "123456"))


async def transfers(world: World) -> list[tuple[object, ...]]:
    return await world.rows(
        "SELECT split_part(reference, '/', 3) || split_part(reference, '/', 4), kind, currency, amount FROM transfer"
        " WHERE reference LIKE 'activation/%/referral%' ORDER BY id"
    )


# Who brought whom


async def test_an_account_is_referred_once(world: World) -> None:
    first, second, buyer = await world.add_buyers(3)
    await world.refer(first, buyer)
    assert await refused(world, second, buyer) is Refused.ALREADY_REFERRED
    assert await refused(world, first, buyer) is Refused.ALREADY_REFERRED


async def test_nobody_refers_himself_or_one_who_is_not_there(world: World) -> None:
    buyer = await world.add_buyer()
    nobody = AccountId(buyer + 1)
    assert await refused(world, buyer, buyer) is Refused.UNKNOWN_ACCOUNT
    assert await refused(world, nobody, buyer) is Refused.UNKNOWN_ACCOUNT
    assert await refused(world, buyer, nobody) is Refused.UNKNOWN_ACCOUNT


async def test_shares_are_those_of_accounts_that_were_referred(world: World) -> None:
    referrer, buyer, other = await world.add_buyers(3)
    await world.refer(referrer, buyer, share_basis_points=700)
    async with world.database.transaction() as tx:
        assert await referrals.shares(tx, [buyer, other]) == {buyer: Share(referrer, 700, "USD")}
        assert await referrals.shares(tx, []) == {}


# What it pays


async def test_a_capture_pays_the_referrer_out_of_the_margin(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="2")
    referrer, buyer = await world.add_buyer("0"), await world.add_buyer("10")
    await world.refer(referrer, buyer)
    await buy(world, supplier, buyer)
    assert (await world.balance(referrer)).available == micros("0.1")
    assert await world.referral_income(referrer) == micros("0.1")
    # Neither the buyer pays more for it nor does the supplier get less.
    assert (await world.balance(buyer)).available == micros("8")
    assert (await world.balance(supplier)).available == micros("1.4")
    assert (await world.verify()).currencies[0].by_kind["revenue"] == micros("0.5")
    assert await transfers(world) == [("referral", "referral", "USD", micros("0.1"))]
    await world.assert_whole()


async def test_no_more_is_paid_than_the_margin(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="2", share_basis_points=9900)
    referrer, buyer = await world.add_buyer("0"), await world.add_buyer("10")
    await world.refer(referrer, buyer)
    await buy(world, supplier, buyer)
    assert await world.referral_income(referrer) == micros("0.02")
    await world.assert_whole()


async def test_without_a_margin_nothing_is_paid(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="2", share_basis_points=EVERYTHING)
    referrer, buyer = await world.add_buyer("0"), await world.add_buyer("10")
    await world.refer(referrer, buyer)
    await buy(world, supplier, buyer)
    assert await world.referral_income(referrer) == 0
    await world.assert_whole()


async def test_an_order_nothing_came_for_pays_nothing(world: World) -> None:
    await world.stocked(1)
    referrer, buyer = await world.add_buyer("0"), await world.add_buyer("10")
    await world.refer(referrer, buyer)
    order = await world.order(buyer)
    await world.cancel(buyer, order.activation_id)
    assert await world.referral_income(referrer) == 0


async def test_further_messages_of_an_activation_pay_nothing_more(world: World) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    referrer, buyer = await world.add_buyer("0"), await world.add_buyer("10")
    await world.refer(referrer, buyer)
    order = await world.order(buyer)
    for code in ("111111", "222222"):
        await world.receive(supplier, msisdn, code_text("whatsapp", code))
    await world.request_next(buyer, order.activation_id)
    await world.receive(supplier, msisdn, code_text("whatsapp", "333333"))
    assert await world.referral_income(referrer) == micros("0.05")


async def test_a_referrer_in_another_currency_is_paid_through_clearing(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="2")
    await world.set_rate("NGN", "1500")
    referrer, buyer = await world.add_buyer("0", "NGN"), await world.add_buyer("10")
    await world.refer(referrer, buyer)
    await buy(world, supplier, buyer)
    assert await world.referral_income(referrer) == micros("150")
    assert await transfers(world) == [
        ("referralexchange", "exchange", "USD", micros("0.1")),
        ("referral", "referral", "NGN", micros("150")),
    ]
    await world.assert_whole()


async def test_between_two_foreign_currencies_the_base_lies_between(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="2")
    await world.set_rate("NGN", "1500")
    await world.set_rate("EUR", "0.9")
    referrer, buyer = await world.add_buyer("0", "EUR"), await world.add_buyer("10000", "NGN")
    await world.refer(referrer, buyer)
    await buy(world, supplier, buyer)
    assert await world.referral_income(referrer) == micros("0.09")
    await world.assert_whole()


async def test_without_a_rate_nothing_is_paid_and_nothing_fails(world: World) -> None:
    supplier, _, _ = await world.stocked(1)
    referrer, buyer = await world.add_buyer("0", "EUR"), await world.add_buyer("10")
    await world.refer(referrer, buyer)
    await buy(world, supplier, buyer)
    assert await world.referral_income(referrer) == 0
    assert (await world.balance(buyer)).available == micros("9")
    await world.assert_whole()


async def test_a_referrer_without_a_wallet_is_paid_nothing(world: World) -> None:
    supplier, _, _ = await world.stocked(1)
    referrer = await world.add_account(Role.BUYER, currency=None)
    buyer = await world.add_buyer("10")
    await world.refer(referrer, buyer)
    await buy(world, supplier, buyer)
    assert await world.referral_income(referrer) == 0
    await world.assert_whole()


async def test_a_supplier_may_be_the_referrer(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="2")
    buyer = await world.add_buyer("10")
    await world.refer(supplier, buyer)
    await buy(world, supplier, buyer)
    assert (await world.balance(supplier)).available == micros("1.5")
    assert await world.referral_income(supplier) == micros("0.1")
    await world.assert_whole()


async def test_one_batch_pays_every_referrer(world: World) -> None:
    supplier, _, _ = await world.stocked(4, price="2")
    referrer, other = await world.add_buyer("0"), await world.add_buyer("0")
    first, second, unreferred = await world.add_buyers(3)
    await world.refer(referrer, first)
    await world.refer(other, second, share_basis_points=1000)
    orders = [await world.order(buyer) for buyer in (first, first, second, unreferred)]
    await world.receive_batch(
        [world.sms(supplier, order.msisdn, code_text("whatsapp", "123456")) for order in orders]
    )
    assert await world.referral_income(referrer) == micros("0.2")
    assert await world.referral_income(other) == micros("0.2")
    await world.assert_whole()


async def test_referrers_who_buy_from_each_other_do_not_block_each_other(world: World) -> None:
    """Captures lock buyers, suppliers and referrers: in one order, or rings of referrals would deadlock."""
    count = 8
    supplier, _, _ = await world.stocked(3 * count, services=["whatsapp", "telegram", "signal"])
    ring = await world.add_buyers(count, "10")
    for place, buyer in enumerate(ring):
        await world.refer(ring[(place + 1) % count], buyer)
    async with asyncio.timeout(60):
        for slug in ("whatsapp", "telegram", "signal"):
            await asyncio.gather(*(buy(world, supplier, buyer, slug) for buyer in ring))
    assert {await world.referral_income(buyer) for buyer in ring} == {3 * micros("0.05")}
    assert await world.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    await world.assert_whole()


# The rule


def wallet_of(account_id: int, currency: str) -> Wallet:
    return Wallet(
        AccountId(account_id),
        currency,
        LedgerAccountId(account_id * 10),
        LedgerAccountId(account_id * 10 + 1),
        LedgerAccountId(account_id * 10 + 2),
        LedgerAccountId(account_id * 10 + 3),
        0,
        0,
        0,
        0,
        0,
        closed=False,
    )


SHARED = {
    (kind, currency): LedgerAccountId(1000 + place)
    for place, (kind, currency) in enumerate(
        (kind, currency) for kind in SharedKind for currency in ("USD", "EUR", "NGN")
    )
}
RATES = {"USD": money.NANOS, "EUR": money.parse_rate("0.9"), "NGN": money.parse_rate("1500")}


@given(
    price=st.integers(0, 10**12),
    margin_part=st.integers(0, 100),
    share=st.integers(0, 10_000),
    currency=st.sampled_from(sorted(RATES)),
    into=st.sampled_from(sorted(RATES)),
)
def test_what_is_paid_is_worth_no_more_than_share_and_margin(
    price: int, margin_part: int, share: int, currency: str, into: str
) -> None:
    margin = price * margin_part // 100
    sale = Sale("rental/7", AccountId(1), currency, price, margin)
    shares = {AccountId(1): Share(AccountId(2), share, "USD")}
    moves = rules.transfers([sale], shares, {AccountId(2): wallet_of(2, into)}, SHARED, RATES)
    most = min(price * share // 10_000, margin)
    out = [move for move in moves if move.debit == SHARED[SharedKind.REVENUE, currency]]
    assert sum(move.amount for move in out) in ((most,) if moves else (0, most))
    assert all(move.amount > 0 for move in moves)
    assert len({move.reference for move in moves}) == len(moves)
    paid = [move for move in moves if move.kind is TransferKind.REFERRAL]
    assert [move.reference for move in paid] == ["rental/7/referral"] * bool(moves)
    for move in paid:
        assert (move.credit, move.currency) == (20, into)
        assert move.amount * RATES[currency] <= most * RATES[into]
