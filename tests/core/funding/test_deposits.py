"""Deposits: announced, asked about, and credited once with what was really paid; or refused with a reason."""

from __future__ import annotations

import asyncio
import logging

import pytest

from simyard.base.refusals import Refusal, Refused
from simyard.core.funding import rules, service
from simyard.core.funding.model import (
    DepositState,
    DueDeposit,
    PaymentState,
    ProviderFailed,
    ProviderRefused,
    ProviderTransaction,
)
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import StatementOf
from tests.core.funding.provider import Killed, Yard
from tests.world import micros

HOUR = 3600
DAY = 24 * HOUR


async def test_a_deposit_is_credited_with_what_was_paid(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    account = await yard.create(buyer)
    yard.provider.pay("T1", account.account_number, 1_234_567)
    assert await yard.note("T1")
    assert await yard.settle() == ["credited"]
    assert (await yard.funds(buyer)).balance == micros("12345.67")
    deposit = await yard.only()
    assert (deposit.state, deposit.reason, deposit.email) == (
        DepositState.CREDITED,
        None,
        "buyer1@example.com",
    )
    assert (deposit.currency, deposit.amount, deposit.closed_at) == (
        "NGN",
        micros("12345.67"),
        yard.clock.now(),
    )
    await yard.world.assert_whole()


async def test_a_deposit_shows_in_the_statement(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.pay("T1", (await yard.create(buyer)).account_number)
    await yard.note("T1")
    await yard.settle()
    async with yard.world.database.transaction() as tx:
        head = await wallet.statement(tx, StatementOf(buyer))
        (line,) = await wallet.statement_lines(tx, head)
    assert (line.reference, line.available) == ("deposit/fake/T1", micros("5000"))


async def test_a_notification_alone_credits_nothing(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    await yard.create(buyer)
    assert await yard.note("T1")
    assert (await yard.funds(buyer)).balance == 0
    assert (await yard.only()).state is DepositState.SEEN


async def test_the_same_notification_fifty_times_at_once_credits_once(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.pay("T1", (await yard.create(buyer)).account_number)
    noted = await asyncio.gather(*(yard.note("T1") for _ in range(50)))
    assert noted.count(True) == 1
    settled = await asyncio.gather(*(yard.settle() for _ in range(8)))
    assert sorted(state for states in settled for state in states) == ["credited"]
    assert not await yard.note("T1")
    yard.clock.turn(DAY)
    assert await yard.settle() == []
    assert (await yard.funds(buyer)).balance == micros("5000")
    await yard.world.assert_whole()


async def test_fifty_settlements_of_one_deposit_at_once_credit_once(yard: Yard) -> None:
    """As if every claim had been lost and made again while the first still ran."""
    buyer = await yard.world.add_buyer("0", "NGN")
    number = (await yard.create(buyer)).account_number
    await yard.note("T1")
    paid = ProviderTransaction("T1", PaymentState.SUCCEEDED, 500_000, "NGN", number)
    due = DueDeposit((await yard.only()).id, "fake", "T1", 1)

    async def settle() -> DepositState:
        async with yard.world.database.transaction() as tx:
            return await service.settle(tx, due, paid, now=yard.clock.now())

    assert set(await asyncio.gather(*(settle() for _ in range(50)))) == {DepositState.CREDITED}
    assert (await yard.funds(buyer)).balance == micros("5000")
    assert await yard.world.value("SELECT count(*) FROM transfer") == 1
    await yard.world.assert_whole()


async def test_what_was_paid_goes_to_whom_the_account_belongs(yard: Yard) -> None:
    one, two = await yard.world.add_buyer("0", "NGN"), await yard.world.add_buyer("0", "NGN")
    await yard.create(one)
    yard.provider.pay("T1", (await yard.create(two)).account_number)
    await yard.note("T1")
    await yard.settle()
    assert ((await yard.funds(one)).balance, (await yard.funds(two)).balance) == (0, micros("5000"))


@pytest.mark.parametrize(
    ("payment", "reason"),
    [
        ({"number": "1111111111"}, "unknown_account"),
        ({"number": None}, "unknown_account"),
        ({"currency": "GHS"}, "currency_mismatch"),
        ({"amount_minor": 0}, "bad_amount"),
        ({"amount_minor": -1}, "bad_amount"),
        ({"amount_minor": 10**17}, "bad_amount"),
        ({"state": PaymentState.FAILED}, "not_paid"),
    ],
)
async def test_what_does_not_fit_is_refused_with_a_reason_and_logged(
    yard: Yard, payment: dict[str, object], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    buyer = await yard.world.add_buyer("1", "NGN")
    account = await yard.create(buyer)
    yard.provider.pay("T1", **({"number": account.account_number} | payment))  # type: ignore[arg-type]
    await yard.note("T1")
    with caplog.at_level(logging.WARNING):
        assert await yard.settle() == ["refused"]
    deposit = await yard.only()
    assert (deposit.state, deposit.reason) == (DepositState.REFUSED, reason)
    assert (await yard.funds(buyer)).balance == micros("1")
    (record,) = caplog.records
    assert record.message == "deposit refused"
    assert record.__dict__["reason"] == reason
    assert account.account_number not in str(record.__dict__)
    yard.clock.turn(30 * DAY)
    assert await yard.settle() == []
    await yard.world.assert_whole()


async def test_a_payment_under_way_is_asked_about_again(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    number = (await yard.create(buyer)).account_number
    yard.provider.pay("T1", number, state=PaymentState.PENDING)
    await yard.note("T1")
    assert await yard.settle() == ["seen"]
    assert await yard.settle() == []
    yard.provider.pay("T1", number)
    yard.clock.turn(5)
    assert await yard.settle() == ["credited"]


async def test_a_payment_nobody_knows_yet_is_asked_about_again_then_refused(yard: Yard) -> None:
    await yard.note("T1")
    for _ in range(4):
        assert await yard.settle() == ["seen"]
        yard.clock.turn(HOUR)
    assert await yard.settle() == ["refused"]
    assert (await yard.only()).reason == "unknown_payment"


@pytest.mark.parametrize("error", [ProviderFailed("timed_out"), ProviderRefused("status 400")])
async def test_a_provider_that_does_not_answer_is_asked_for_a_week(yard: Yard, error: Exception) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.pay("T1", (await yard.create(buyer)).account_number)
    await yard.note("T1")
    yard.provider.error = error
    hours = 0
    while await yard.settle() != ["refused"]:
        yard.clock.turn(HOUR)
        hours += 1
        assert hours < 200
    assert hours > 7 * 24 - 5
    assert (await yard.only()).reason == "provider_silent"
    assert (await yard.only()).problem == str(error)
    # An operator who knows better has it looked at again.
    yard.provider.error = None
    async with yard.world.database.transaction() as tx:
        await service.reopen_deposit(tx, "fake", "T1", actor="test", now=yard.clock.now())
    assert await yard.settle() == ["credited"]
    assert (await yard.funds(buyer)).balance == micros("5000")
    assert (await yard.world.rows("SELECT action FROM audit"))[-1] == ("deposit.reopened",)
    await yard.world.assert_whole()


async def test_a_deposit_comes_through_once_the_provider_is_back(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.pay("T1", (await yard.create(buyer)).account_number)
    await yard.note("T1")
    yard.provider.error = ProviderFailed("not_connected")
    assert await yard.settle() == ["seen"]
    yard.provider.error = None
    yard.clock.turn(4.9)
    assert await yard.settle() == []
    yard.clock.turn(0.1)
    assert await yard.settle() == ["credited"]


async def test_a_deposit_survives_a_crash_while_the_provider_was_asked(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.pay("T1", (await yard.create(buyer)).account_number)
    await yard.note("T1")
    yard.provider.error = Killed()
    with pytest.raises(Killed):
        await yard.settle()
    yard.provider.error = None
    assert await yard.settle() == [], "whoever took it may still be at it"
    yard.clock.turn(service.CLAIM_SECONDS)
    assert await yard.settle() == ["credited"]
    await yard.world.assert_whole()


async def test_a_deposit_that_fails_unexpectedly_holds_up_no_other_and_is_given_up(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    number = (await yard.create(buyer)).account_number
    # No currency, which no provider of ours would let through.
    yard.provider.pay("T1", number, currency="nonsense", state=PaymentState.FAILED)
    yard.provider.pay("T2", number)
    await yard.note("T1")
    await yard.note("T2")
    assert sorted(await yard.settle()) == ["credited", "seen"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    for _ in range(200):
        yard.clock.turn(HOUR)
        if await yard.settle() == ["refused"]:
            break
    poisoned = next(one for one in await yard.deposits() if one.reference == "T1")
    assert (poisoned.state, poisoned.reason) == (DepositState.REFUSED, "provider_silent")
    assert poisoned.problem == "unexpected: ValueError"
    await yard.world.assert_whole()


async def test_a_late_failure_does_not_undo_a_credit(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.pay("T1", (await yard.create(buyer)).account_number)
    await yard.note("T1")
    due = DueDeposit((await yard.only()).id, "fake", "T1", 1)
    await yard.settle()
    async with yard.world.database.transaction() as tx:
        await service.record_deposit_failure(tx, due, "timed_out", now=yard.clock.now())
    assert (await yard.only()).state is DepositState.CREDITED
    await yard.world.assert_whole()


async def test_a_reference_the_ledger_has_is_not_credited_again(yard: Yard) -> None:
    """An operator may have credited it by hand."""
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.pay("T1", (await yard.create(buyer)).account_number)
    await yard.world.deposit(buyer, "5000", reference="fake/T1")
    await yard.note("T1")
    assert await yard.settle() == ["refused"]
    assert (await yard.only()).reason == "reference_taken"
    assert (await yard.funds(buyer)).balance == micros("5000")


async def test_the_same_reference_of_another_provider_is_another_deposit(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    number = (await yard.create(buyer)).account_number
    yard.provider.pay("T1", number)
    await yard.note("T1")
    yard.provider.name = "other"
    assert await yard.note("T1")
    assert await yard.settle() == ["refused"], "the account is not one of that provider"
    yard.provider.name = "fake"
    assert await yard.settle() == ["credited"]


async def test_a_wallet_that_is_suspended_is_credited_all_the_same(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.pay("T1", (await yard.create(buyer)).account_number)
    await yard.world.value("UPDATE account SET state = 'suspended' WHERE id = $1", buyer)
    await yard.note("T1")
    assert await yard.settle() == ["credited"]


@pytest.mark.parametrize("reference", ["", ".", "..", "a/b", "a b", "ä", "x" * 101, "a?b", "a%2fb", "a\n"])
async def test_a_reference_that_is_none_is_refused(yard: Yard, reference: str) -> None:
    with pytest.raises(Refusal) as caught:
        await yard.note(reference)
    assert (caught.value.reason, caught.value.facts) == (Refused.MALFORMED, {"field": "reference"})


@pytest.mark.parametrize("reference", ["a", "T.1-2_3=", "x" * 100, "..a"])
def test_references_as_providers_make_them_are_taken(reference: str) -> None:
    assert rules.is_reference(reference)


async def test_only_a_refused_deposit_can_be_reopened(yard: Yard) -> None:
    await yard.note("T1")
    for reference in ("T1", "T2"):
        with pytest.raises(Refusal) as caught:
            async with yard.world.database.transaction() as tx:
                await service.reopen_deposit(tx, "fake", reference, actor="test", now=yard.clock.now())
        assert caught.value.reason is Refused.UNKNOWN_DEPOSIT


async def test_deposits_are_listed_by_state_and_by_account(yard: Yard) -> None:
    one, two = await yard.world.add_buyer("0", "NGN"), await yard.world.add_buyer("0", "NGN")
    yard.provider.pay("T1", (await yard.create(one)).account_number)
    yard.provider.pay("T2", (await yard.create(two)).account_number)
    yard.provider.pay("T3", "1111111111")
    for reference in ("T1", "T2", "T3"):
        await yard.note(reference)
        await yard.settle()

    async def listed(**wishes: object) -> list[str]:
        async with yard.world.database.transaction() as tx:
            return [one.reference for one in await service.list_deposits(tx, **wishes)]  # type: ignore[arg-type]

    assert await listed() == ["T3", "T2", "T1"]
    assert await listed(state=DepositState.REFUSED) == ["T3"]
    assert await listed(account_id=one) == ["T1"]
    assert await listed(limit=1) == ["T3"]


async def test_no_deposit_of_a_currency_without_coins_is_made_larger(yard: Yard) -> None:
    yard.provider.currency = None
    buyer = await yard.world.add_buyer("0", "JPY")
    yard.provider.pay("T1", (await yard.create(buyer)).account_number, 500, "JPY")
    await yard.note("T1")
    assert await yard.settle() == ["credited"]
    assert (await yard.funds(buyer)).balance == micros("500")
