"""Virtual accounts: made once, whatever goes wrong on the way, and seen by nobody but their owner."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable

import pytest

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.funding import banks, rules, service
from simyard.core.funding.model import Funds, ProviderAccount, ProviderFailed, ProviderRefused
from tests.core.funding.provider import TITAN, WEMA, Killed, Yard

RETRY_SECONDS = 10


async def refused(acting: Awaitable[object]) -> Refused:
    with pytest.raises(Refusal) as caught:
        await acting
    return caught.value.reason


async def states(yard: Yard) -> list[str]:
    return [row[0] for row in await yard.world.rows("SELECT state FROM virtual_account ORDER BY id")]


async def test_an_account_is_made_and_shown_to_its_owner(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("7.5", "NGN", email="jane@example.com")
    account = await yard.create(buyer)
    assert re.fullmatch(r"va_[0-9a-z]{8}", account.public_id)
    assert (account.bank_code, account.bank_name) == (WEMA, "Wema Bank")
    assert (account.account_number, account.account_name) == ("9900000001", "YARD/jane")
    assert (account.currency, account.created_at) == ("NGN", yard.clock.now())
    assert await yard.funds(buyer) == Funds(7_500_000, "NGN", (account,))


async def test_the_name_of_the_account_is_its_holders(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    await yard.world.value("UPDATE account SET name = 'Jane Developer' WHERE id = $1", buyer)
    assert (await yard.create(buyer)).account_name == "YARD/Jane Developer"


async def test_nobody_sees_the_accounts_of_others(yard: Yard) -> None:
    one, two = await yard.world.add_buyer("0", "NGN"), await yard.world.add_buyer("0", "NGN")
    await yard.create(one)
    assert (await yard.funds(two)).accounts == ()
    assert await refused(yard.funds(AccountId(999))) is Refused.UNKNOWN_ACCOUNT


async def test_accounts_of_another_provider_are_not_shown(yard: Yard) -> None:
    """After the sandbox comes a real one: nobody must pay real money into a number that was made up."""
    buyer = await yard.world.add_buyer("0", "NGN")
    await yard.create(buyer)
    yard.provider.name = "real"
    assert (await yard.funds(buyer)).accounts == ()


async def test_a_wallet_has_five_accounts_at_most(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    made = [await yard.create(buyer) for _ in range(5)]
    assert await refused(yard.create(buyer)) is Refused.TOO_MANY_ACCOUNTS
    assert (await yard.funds(buyer)).accounts == tuple(made)
    assert len({account.public_id for account in made}) == 5


async def test_the_most_holds_when_many_are_asked_for_at_once(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    codes = [code for code in banks.load() if len(code) == 3][:12]
    yard.provider.offered = tuple(codes)  # type: ignore[assignment]
    outcomes = await asyncio.gather(*(yard.create(buyer, code) for code in codes), return_exceptions=True)
    refusals = [outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)]
    assert refusals == [Refused.TOO_MANY_ACCOUNTS] * 7
    assert len((await yard.funds(buyer)).accounts) == 5


@pytest.mark.parametrize("code", ["", "999", "035 ", "wema-bank", "035A", "0" * 50])
async def test_a_bank_nobody_knows_is_refused_without_asking(yard: Yard, code: str) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    assert await refused(yard.create(buyer, code)) is Refused.UNKNOWN_BANK
    assert yard.provider.created == []


async def test_a_bank_the_provider_has_no_accounts_at_is_refused_with_those_it_has(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    with pytest.raises(Refusal) as caught:
        await yard.create(buyer, "058")
    assert caught.value.reason is Refused.UNKNOWN_BANK
    assert caught.value.facts == {"bank": "058", "offered": [WEMA, TITAN]}
    assert await states(yard) == []


async def test_a_wallet_of_another_currency_gets_no_account(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "USD")
    assert await refused(yard.create(buyer)) is Refused.CURRENCY_MISMATCH
    assert yard.provider.created == []


async def test_an_account_for_nobody_is_refused(yard: Yard) -> None:
    assert await refused(yard.create(AccountId(999))) is Refused.UNKNOWN_ACCOUNT


async def test_a_clear_no_of_the_provider_ends_it(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.error = ProviderRefused("status 400: no")
    assert await refused(yard.create(buyer)) is Refused.UPSTREAM_FAILED
    assert await states(yard) == ["failed"]
    assert await yard.world.value("SELECT problem FROM virtual_account") == "status 400: no"
    yard.provider.error = None
    await yard.create(buyer)
    assert [again for *_, again in yard.provider.created] == [False, False]


async def test_an_account_without_an_answer_comes_later_by_itself(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.error = ProviderFailed("timed_out")
    assert await refused(yard.create(buyer)) is Refused.UPSTREAM_FAILED
    assert await states(yard) == ["creating"]
    assert (await yard.funds(buyer)).accounts == ()
    yard.provider.error = None
    assert await yard.funding.finish_creations(limit=10) == 0
    yard.clock.turn(RETRY_SECONDS)
    assert await yard.funding.finish_creations(limit=10) == 1
    assert len((await yard.funds(buyer)).accounts) == 1
    assert [again for *_, again in yard.provider.created] == [False, True]
    assert await yard.funding.finish_creations(limit=10) == 0


async def test_asking_again_takes_up_what_had_no_answer(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.error = ProviderFailed("timed_out")
    assert await refused(yard.create(buyer)) is Refused.UPSTREAM_FAILED
    yard.provider.error = None
    account = await yard.create(buyer)
    assert (await yard.funds(buyer)).accounts == (account,)
    assert await states(yard) == ["open"]
    assert [again for *_, again in yard.provider.created] == [False, True]


async def test_a_crash_between_the_steps_is_repaired(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.error = Killed()
    with pytest.raises(Killed):
        await yard.create(buyer)
    yard.provider.error = None
    assert await refused(yard.create(buyer)) is Refused.BUSY, "whoever began it may still be at it"
    yard.clock.turn(service.CLAIM_SECONDS)
    assert await yard.funding.finish_creations(limit=10) == 1
    assert len((await yard.funds(buyer)).accounts) == 1


async def test_an_account_that_fails_unexpectedly_is_tried_again(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.error = ZeroDivisionError()
    assert await refused(yard.create(buyer)) is Refused.UPSTREAM_FAILED
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    yard.provider.error = None
    yard.clock.turn(RETRY_SECONDS)
    assert await yard.funding.finish_creations(limit=10) == 1
    assert len((await yard.funds(buyer)).accounts) == 1


async def test_two_at_once_at_one_bank_do_not_make_two(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    seen: list[Refused] = []

    async def ask_too() -> None:
        seen.append(await refused(yard.create(buyer)))

    yard.provider.meanwhile = ask_too
    await yard.create(buyer)
    assert seen == [Refused.BUSY]
    assert len(yard.provider.created) == 1


async def test_an_account_nobody_answers_for_is_given_up(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.error = ProviderFailed("not_connected")
    assert await refused(yard.create(buyer)) is Refused.UPSTREAM_FAILED
    asked = 1
    while await states(yard) == ["creating"]:
        yard.clock.turn(3600)
        asked += await yard.funding.finish_creations(limit=10)
        assert asked < 20
    assert asked == 6
    assert await states(yard) == ["failed"]


async def test_a_provider_that_gives_the_same_account_again_gives_the_one_we_have(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    first = await yard.create(buyer)
    yard.provider.gives = ProviderAccount("Wema Bank", first.account_number, "YARD/jane", "NGN")
    assert await yard.create(buyer) == first
    assert (await yard.funds(buyer)).accounts == (first,)
    assert await states(yard) == ["open", "failed"]


async def test_an_account_of_somebody_else_is_given_to_nobody_else(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = await yard.world.add_buyer("0", "NGN"), await yard.world.add_buyer("0", "NGN")
    first = await yard.create(one)
    yard.provider.gives = ProviderAccount("Wema Bank", first.account_number, "YARD/other", "NGN")
    assert await refused(yard.create(two)) is Refused.UPSTREAM_FAILED
    assert (await yard.funds(two)).accounts == ()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert first.account_number not in caplog.text


async def test_an_account_of_another_currency_is_not_used(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.gives = ProviderAccount("Wema Bank", "9930000001", "YARD/jane", "GHS")
    assert await refused(yard.create(buyer)) is Refused.UPSTREAM_FAILED
    assert await states(yard) == ["failed"]


async def test_a_late_answer_of_a_lost_attempt_opens_the_account_once(yard: Yard) -> None:
    """The first attempt hangs past its time; meanwhile the second one gets the account."""
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.gives = ProviderAccount("Wema Bank", "9930000001", "YARD/jane", "NGN")

    async def others_finish() -> None:
        yard.clock.turn(service.CLAIM_SECONDS)
        assert await yard.funding.finish_creations(limit=10) == 1

    yard.provider.meanwhile = others_finish
    account = await yard.create(buyer)
    assert (await yard.funds(buyer)).accounts == (account,)
    assert await states(yard) == ["open"]


async def test_the_provider_is_told_which_accounts_we_have(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    first = await yard.create(buyer)
    await yard.create(buyer, TITAN)
    assert [known for *_, known, _ in yard.provider.created] == [
        frozenset(),
        frozenset({first.account_number}),
    ]


def test_the_list_of_banks_is_in_order() -> None:
    known = banks.load()
    assert len(known) > 40
    assert list(known) == sorted(known, key=lambda code: (len(code), code))
    assert all(re.fullmatch(r"[0-9]{3}|[0-9]{5}|[0-9]{6}", code) for code in known)
    assert (
        len({bank.name for bank in known.values()})
        == len({bank.slug for bank in known.values()})
        == len(known)
    )
    assert (known["035"].name, known["035"].slug) == ("Wema Bank", "wema-bank")


def test_the_check_digit_is_that_of_the_standard() -> None:
    """The example of the Central Bank of Nigeria's own standard."""
    assert rules.check_digit("011", "000001457") == 9


async def test_what_a_provider_says_is_kept_as_far_as_it_can_be(yard: Yard) -> None:
    buyer = await yard.world.add_buyer("0", "NGN")
    yard.provider.error = ProviderFailed("a\x00b\x1b[31m" + "x" * 500)
    assert await refused(yard.create(buyer)) is Refused.UPSTREAM_FAILED
    kept = await yard.world.value("SELECT problem FROM virtual_account")
    assert kept == "a b [31m" + "x" * 192


@pytest.mark.parametrize("bank", ["011", "035", "50211", "100039"])
def test_numbers_that_are_made_up_are_no_banks(bank: str) -> None:
    for _ in range(200):
        number = rules.fictitious_account_number(bank)
        assert re.fullmatch(r"[0-9]{10}", number)
        assert int(number[9]) != rules.check_digit(bank, number[:9])
