"""Paystack, against a small real server that speaks its API; the sandbox; and the loop that asks them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from simyard.base.clock import ManualClock
from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.funding import banks, rules, service
from simyard.core.funding.model import (
    CreateVirtualAccount,
    Customer,
    Funds,
    ListVirtualAccounts,
    NoteDeposit,
    PaymentState,
    ProviderAccount,
    ProviderFailed,
    ProviderRefused,
    ProviderTransaction,
    SandboxPayment,
    VirtualAccount,
)
from simyard.core.wallet.model import Balance
from simyard.db.database import Database
from simyard.settings import Settings
from simyard.workers import funding
from simyard.workers.funding import FundingSteps, FundingWorker
from simyard.workers.loops import Workers
from simyard.workers.paystack import Paystack as PaystackProvider
from tests.workers import paystack_server
from tests.workers.paystack_server import SECRET_KEY, Paystack, raw
from tests.world import World, micros

JANE = Customer(AccountId(1), "jane@example.com", "Jane Developer", "NGN")
WEMA = banks.load()["035"]
NONE: frozenset[str] = frozenset()


@pytest.fixture
async def paystack() -> AsyncIterator[Paystack]:
    async with paystack_server.serving() as server:
        yield server


@pytest.fixture
def settings(paystack: Paystack) -> Settings:
    return Settings(funding_provider="paystack", paystack_secret_key=SECRET_KEY, paystack_url=paystack.url)


@pytest.fixture
def provider(settings: Settings, database: Database) -> PaystackProvider:
    made = funding.provider_of(settings, database)
    assert isinstance(made, PaystackProvider)
    return made


@pytest.fixture
def by_paystack(world: World, provider: PaystackProvider, clock: ManualClock) -> FundingSteps:
    return FundingSteps(world.database, provider, clock)


async def shown(world: World, account_id: AccountId, provider: str = "paystack") -> Funds:
    async with world.database.transaction() as tx:
        return await service.list_virtual_accounts(tx, ListVirtualAccounts(account_id, provider))


async def opened(by_paystack: FundingSteps, account_id: AccountId) -> VirtualAccount:
    return await by_paystack.create_virtual_account(CreateVirtualAccount(account_id, WEMA.code))


async def note(world: World, reference: str) -> bool:
    async with world.database.transaction() as tx:
        return await service.note_deposit(tx, NoteDeposit("paystack", reference, world.clock.now()))


# Its answers


async def test_the_banks_are_those_paystack_offers(provider: PaystackProvider, paystack: Paystack) -> None:
    assert [(bank.code, bank.name) for bank in await provider.banks()] == [
        ("035", "Wema Bank"),
        ("100039", "Paystack-Titan"),
    ]
    await provider.banks()
    assert len(paystack.requests) == 1, "they are kept for a while"


async def test_an_account_is_made_for_a_customer_found_by_email(
    provider: PaystackProvider, paystack: Paystack
) -> None:
    made = await provider.create_account(JANE, WEMA, known=NONE, again=False)
    assert made == ProviderAccount("Wema Bank", "9930000000", "KAROKART / JANE DEVELOPER", "NGN", "253")
    customer, account = paystack.requests
    assert customer.content == {
        "email": "jane@example.com",
        "first_name": "Jane",
        "last_name": "Developer",
    }
    assert account.content == {"customer": "CUS_000000000000001", "preferred_bank": "wema-bank"}
    assert {request.headers["authorization"] for request in paystack.requests} == {f"Bearer {SECRET_KEY}"}
    second = await provider.create_account(JANE, WEMA, known=frozenset({made.account_number}), again=False)
    assert second.account_number != made.account_number
    assert len(paystack.customers) == 1


async def test_again_finds_what_an_earlier_attempt_made(
    provider: PaystackProvider, paystack: Paystack
) -> None:
    paystack.dead_after.add("/dedicated_account")
    with pytest.raises(ProviderFailed):
        await provider.create_account(JANE, WEMA, known=NONE, again=False)
    assert len(paystack.accounts) == 1
    paystack.dead_after.clear()
    made = await provider.create_account(JANE, WEMA, known=NONE, again=True)
    assert made.account_number == "9930000000"
    assert len(paystack.accounts) == 1


async def test_again_prefers_the_account_we_do_not_have(
    provider: PaystackProvider, paystack: Paystack
) -> None:
    first = await provider.create_account(JANE, WEMA, known=NONE, again=False)
    second = await provider.create_account(JANE, WEMA, known=NONE, again=False)
    known = frozenset({first.account_number})
    assert await provider.create_account(JANE, WEMA, known=known, again=True) == second


async def test_an_account_that_is_switched_off_is_not_found_again(
    provider: PaystackProvider, paystack: Paystack
) -> None:
    await provider.create_account(JANE, WEMA, known=NONE, again=False)
    paystack.accounts[0]["active"] = False
    made = await provider.create_account(JANE, WEMA, known=NONE, again=True)
    assert made.account_number == "9930000001"


async def test_a_second_account_that_is_refused_is_the_first_one(
    provider: PaystackProvider, paystack: Paystack
) -> None:
    paystack.one_account_a_bank = True
    first = await provider.create_account(JANE, WEMA, known=NONE, again=False)
    known = frozenset({first.account_number})
    assert await provider.create_account(JANE, WEMA, known=known, again=False) == first


async def test_a_clear_no_is_told_with_its_reason(provider: PaystackProvider) -> None:
    nobody = Customer(AccountId(1), "nobody", "nobody", "NGN")
    with pytest.raises(ProviderRefused, match="status 400: Invalid email"):
        await provider.create_account(nobody, WEMA, known=NONE, again=False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account_name", ""),
        ("account_name", "JANE\x00"),
        ("account_name", "x" * 201),
        ("account_number", "12345"),
        ("account_number", "99300000\x000"),
        ("account_number", None),
        ("currency", "ngn"),
        ("bank", None),
    ],
)
async def test_an_account_that_cannot_be_one_is_not_used(
    provider: PaystackProvider, paystack: Paystack, field: str, value: object
) -> None:
    await provider.create_account(JANE, WEMA, known=NONE, again=False)
    paystack.accounts[0][field] = value
    paystack.instead += [
        raw(200, json.dumps({"status": True, "data": paystack.customers[JANE.email]}).encode()),
        raw(200, json.dumps({"status": True, "data": paystack.accounts[0]}).encode()),
    ]
    with pytest.raises(ProviderFailed, match="not the documented answer"):
        await provider.create_account(JANE, WEMA, known=NONE, again=False)


async def test_a_payment_is_told_as_it_was(provider: PaystackProvider, paystack: Paystack) -> None:
    paystack.pay("T1", "9930000737", 123_456)
    assert await provider.fetch_transaction("T1") == ProviderTransaction(
        "T1", PaymentState.SUCCEEDED, 123_456, "NGN", "9930000737"
    )
    assert await provider.fetch_transaction("T2") == ProviderTransaction("T2", PaymentState.UNKNOWN)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("success", PaymentState.SUCCEEDED),
        ("failed", PaymentState.FAILED),
        ("abandoned", PaymentState.FAILED),
        ("reversed", PaymentState.FAILED),
        ("ongoing", PaymentState.PENDING),
        ("queued", PaymentState.PENDING),
        ("something new", PaymentState.PENDING),
        ("SUCCESS", PaymentState.PENDING),
    ],
)
async def test_only_success_is_success(
    provider: PaystackProvider, paystack: Paystack, status: str, state: PaymentState
) -> None:
    paystack.pay("T1", "9930000737", 1, status=status)
    assert (await provider.fetch_transaction("T1")).state is state


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ({"metadata": ""}, "9930000737"),
        ({"metadata": 0}, "9930000737"),
        ({"metadata": None}, "9930000737"),
        ({"authorization": {"receiver_bank_account_number": None}}, "9930000737"),
        ({"authorization": None}, "9930000737"),
        ({"authorization": None, "metadata": {}}, None),
        ({"metadata": {"receiver_account_number": "1111111111"}}, None),
        ({"metadata": {"receiver_account_number": 7}}, "9930000737"),
        ({"authorization": {"receiver_bank_account_number": "99\x00"}, "metadata": None}, None),
    ],
)
async def test_the_account_paid_into_is_said_in_one_way(
    provider: PaystackProvider, paystack: Paystack, said: dict[str, object], number: str | None
) -> None:
    paystack.pay("T1", "9930000737", 1, **said)
    assert (await provider.fetch_transaction("T1")).account_number == number


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
        raw(200, b""),
        raw(200, b"not json"),
        raw(200, b"\xff\xfe"),
        raw(200, b"[]"),
        raw(200, b"[" * 5000),
        raw(200, b'{"status": true, "data": ' + b'{"metadata":' * 5000),
        raw(200, b'{"status": false, "message": "no"}'),
        raw(200, b'{"status": "true", "data": {}}'),
        raw(200, b'{"status": true}'),
        raw(200, b'{"status": true, "data": null}'),
        raw(200, b'{"status": true, "data": {"status": "success", "reference": "T1"}}'),
        raw(
            200,
            b'{"status": true, "data": {"status": "success", "reference": "T1", "amount": 1.5, "currency": "NGN"}}',
        ),
        raw(
            200,
            b'{"status": true, "data": {"status": "success", "reference": "T1", "amount": "100", "currency": "NGN"}}',
        ),
        raw(
            200,
            b'{"status": true, "data": {"status": "success", "reference": "T2", "amount": 1, "currency": "NGN"}}',
        ),
        raw(
            200,
            b'{"status": true, "data": {"status": "success", "reference": "T1", "amount": 1, "currency": "naira"}}',
        ),
        raw(201, b'{"status": true, "data": {}}'),
        raw(302, b""),
        raw(401, b'{"status": false, "message": "Invalid key"}'),
        raw(403, b'{"status": false, "message": "Dedicated NUBAN is not available for your business"}'),
        raw(404, b"<html>no such server</html>", "text/html"),
        raw(429, b'{"status": false, "message": "slow down"}'),
        raw(500, b'{"status": false, "message": "oops"}'),
        raw(200, b'{"status": true, "data": "' + b"x" * 100_000 + b'"}'),
    ],
)
async def test_an_answer_that_is_none_of_the_documented_ones_decides_nothing(
    provider: PaystackProvider, paystack: Paystack, answer: bytes
) -> None:
    paystack.pay("T1", "9930000737", 1)
    paystack.instead.append(answer)
    with pytest.raises(ProviderFailed):
        await provider.fetch_transaction("T1")
    assert (await provider.fetch_transaction("T1")).state is PaymentState.SUCCEEDED


async def test_a_payment_by_card_is_into_no_account_whatever_its_metadata_say(
    world: World, by_paystack: FundingSteps, paystack: Paystack
) -> None:
    """They come from the payer: he would pay for something else and be credited too."""
    buyer = await world.add_buyer("0", "NGN")
    number = (await opened(by_paystack, buyer)).account_number
    card = {"channel": "card", "receiver_bank_account_number": None}
    paystack.pay("T1", number, 100, channel="card", authorization=card)
    await note(world, "T1")
    await FundingWorker(by_paystack).step()
    assert await world.rows("SELECT state, reason FROM deposit") == [("refused", "unknown_account")]
    assert (await shown(world, buyer)).balance == 0


async def test_a_server_that_is_down_decides_nothing(database: Database) -> None:
    async with paystack_server.serving() as gone:
        url = gone.url
    settings = Settings(funding_provider="paystack", paystack_secret_key=SECRET_KEY, paystack_url=url)
    provider = funding.provider_of(settings, database)
    for asking in (
        provider.banks(),
        provider.fetch_transaction("T1"),
        provider.create_account(JANE, WEMA, known=NONE, again=False),
    ):
        with pytest.raises(ProviderFailed, match="not_connected"):
            await asking


async def test_a_reference_cannot_lead_elsewhere(provider: PaystackProvider, paystack: Paystack) -> None:
    """References are checked before; the address they become part of is safe even so."""
    await provider.fetch_transaction("../customer?x=1#y")
    assert paystack.requests[-1].path == "/transaction/verify/../customer?x=1#y"
    assert paystack.requests[-1].query == {}


def test_neither_the_key_nor_an_account_number_is_shown() -> None:
    settings = Settings(funding_provider="paystack", paystack_secret_key=SECRET_KEY)
    assert SECRET_KEY not in repr(settings)
    assert "9930000737" not in repr(ProviderTransaction("T", PaymentState.SUCCEEDED, 1, "NGN", "9930000737"))
    assert "9930000737" not in repr(ProviderAccount("Wema", "9930000737", "Jane", "NGN"))


# The whole way


async def test_a_deposit_by_way_of_paystack_is_credited_once(
    world: World, by_paystack: FundingSteps, paystack: Paystack
) -> None:
    buyer = await world.add_buyer("0", "NGN", email="jane@example.com")
    account = await opened(by_paystack, buyer)
    assert account.account_name == "KAROKART / JANE JANE"
    paystack.pay("T1", account.account_number, 3_675_001)
    noted = await asyncio.gather(*(note(world, "T1") for _ in range(50)))
    assert noted.count(True) == 1
    worker, other = FundingWorker(by_paystack), FundingWorker(by_paystack)
    assert sorted(await asyncio.gather(worker.step(), other.step())) == [0, 1]
    assert await shown(world, buyer) == Funds(micros("36750.01"), "NGN", (account,))
    assert (await world.rows("SELECT reference FROM transfer")) == [("deposit/paystack/T1",)]
    await world.assert_whole()


async def test_the_verified_amount_counts_not_the_announced_one(
    world: World, by_paystack: FundingSteps, paystack: Paystack
) -> None:
    buyer = await world.add_buyer("0", "NGN")
    account = await opened(by_paystack, buyer)
    announced = json.loads(paystack.pay("T1", account.account_number, 100))
    announced["data"]["amount"] = 100_000_000
    await note(world, announced["data"]["reference"])
    await FundingWorker(by_paystack).step()
    assert (await shown(world, buyer)).balance == micros("1")


async def test_a_deposit_waits_until_paystack_is_back(
    world: World, by_paystack: FundingSteps, paystack: Paystack, clock: ManualClock
) -> None:
    buyer = await world.add_buyer("0", "NGN")
    paystack.pay("T1", (await opened(by_paystack, buyer)).account_number, 100)
    await note(world, "T1")
    paystack.instead += [raw(502, b"<html>bad gateway</html>", "text/html"), b""]
    worker = FundingWorker(by_paystack)
    for seconds, balance in ((5, 0), (15, 0), (60, 1)):
        await worker.step()
        clock.turn(seconds)
        assert (await shown(world, buyer)).balance == micros(str(balance))
    await world.assert_whole()


async def test_an_account_made_while_the_line_went_dead_is_not_made_twice(
    world: World, by_paystack: FundingSteps, paystack: Paystack, clock: ManualClock
) -> None:
    buyer = await world.add_buyer("0", "NGN")
    paystack.dead_after.add("/dedicated_account")
    with pytest.raises(Refusal) as caught:
        await opened(by_paystack, buyer)
    assert caught.value.reason is Refused.UPSTREAM_FAILED
    paystack.dead_after.clear()
    clock.turn(10)
    assert await FundingWorker(by_paystack).step() == 1
    assert [one.account_number for one in (await shown(world, buyer)).accounts] == ["9930000000"]
    assert len(paystack.accounts) == 1


async def test_a_wallet_that_is_not_in_naira_gets_no_account(world: World, by_paystack: FundingSteps) -> None:
    buyer = await world.add_buyer("0", "USD")
    with pytest.raises(Refusal) as caught:
        await opened(by_paystack, buyer)
    assert caught.value.reason is Refused.CURRENCY_MISMATCH


async def test_the_loop_settles_what_was_announced(
    world: World, settings: Settings, by_paystack: FundingSteps, paystack: Paystack, database_url: str
) -> None:
    buyer = await world.add_buyer("0", "NGN")
    paystack.pay("T1", (await opened(by_paystack, buyer)).account_number, 100)
    await note(world, "T1")
    workers = Workers(world.database, database_url, world.clock, settings)
    loop = next(loop for loop in workers.loops if loop.name == "funding")
    running = asyncio.create_task(loop.run())
    async with asyncio.timeout(20):
        while (await shown(world, buyer)).balance == 0:
            loop.wake()
    loop.stop()
    await running


# The sandbox


@pytest.fixture
def in_sandbox(world: World, clock: ManualClock) -> FundingSteps:
    return FundingSteps(world.database, funding.provider_of(Settings(), world.database), clock)


async def pay(world: World, number: str, amount: str, reference: str | None = None) -> tuple[str, Balance]:
    async with world.database.transaction() as tx:
        command = SandboxPayment(number, micros(amount), world.clock.now(), reference)
        return await service.pay_sandbox(tx, command)


@pytest.mark.parametrize("currency", ["NGN", "USD"])
async def test_the_sandbox_makes_accounts_in_any_currency(
    world: World, in_sandbox: FundingSteps, currency: str
) -> None:
    buyer = await world.add_buyer("0", currency, email="jane@example.com")
    account = await opened(in_sandbox, buyer)
    assert (account.bank_name, account.account_name) == ("Wema Bank", "Sandbox/jane")
    assert account.currency == currency
    assert int(account.account_number[9]) != rules.check_digit("035", account.account_number[:9])
    reference, balance = await pay(world, account.account_number, "12.34")
    assert (balance.available, balance.currency) == (micros("12.34"), currency)
    assert await world.rows("SELECT state, reference FROM deposit") == [("credited", reference)]
    await world.assert_whole()


async def test_a_sandbox_payment_is_credited_once_for_a_reference(
    world: World, in_sandbox: FundingSteps
) -> None:
    buyer = await world.add_buyer("0")
    number = (await opened(in_sandbox, buyer)).account_number
    outcomes = await asyncio.gather(*(pay(world, number, "5", "r") for _ in range(8)), return_exceptions=True)
    refusals = [outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)]
    assert refusals == [Refused.REFERENCE_TAKEN] * 7
    assert (await world.balance(buyer)).available == micros("5")
    await world.assert_whole()


@pytest.mark.parametrize(
    ("amount", "reference", "reason"),
    [
        ("0", None, Refused.MALFORMED),
        ("-1", None, Refused.MALFORMED),
        ("0.001", None, Refused.MALFORMED),
        ("1", "a/b", Refused.MALFORMED),
        ("1", "", Refused.MALFORMED),
    ],
)
async def test_a_sandbox_payment_that_is_none_is_refused(
    world: World, in_sandbox: FundingSteps, amount: str, reference: str | None, reason: Refused
) -> None:
    buyer = await world.add_buyer("0")
    number = (await opened(in_sandbox, buyer)).account_number
    with pytest.raises(Refusal) as caught:
        await pay(world, number, amount, reference)
    assert caught.value.reason is reason
    assert await world.value("SELECT count(*) FROM sandbox_payment") == 0


async def test_a_sandbox_payment_to_a_number_nobody_has_is_refused(world: World) -> None:
    with pytest.raises(Refusal) as caught:
        await pay(world, "1234567890", "1")
    assert caught.value.reason is Refused.UNKNOWN_ACCOUNT


async def test_the_sandbox_answers_for_what_was_paid(world: World, in_sandbox: FundingSteps) -> None:
    buyer = await world.add_buyer("0")
    number = (await opened(in_sandbox, buyer)).account_number
    await pay(world, number, "5", "r")
    assert await in_sandbox.provider.fetch_transaction("r") == ProviderTransaction(
        "r", PaymentState.SUCCEEDED, 500, "USD", number
    )
    assert (await in_sandbox.provider.fetch_transaction("q")).state is PaymentState.UNKNOWN


async def test_every_bank_of_the_sandbox_can_have_an_account(world: World, in_sandbox: FundingSteps) -> None:
    codes = [bank.code for bank in await in_sandbox.banks()]
    assert "035" in codes
    for code in codes[:5]:
        buyer = await world.add_buyer("0")
        await in_sandbox.create_virtual_account(CreateVirtualAccount(buyer, code))
