"""Erasing accounts: whoever they were is nowhere in the database any more, and what they did is still in the books."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from simyard.base.ids import AccountId, ActivationId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AddAccount, IssueKey, Role, Scope
from simyard.core.activations import service as activations
from simyard.core.activations.model import ListActivations
from simyard.core.earnings import service as earnings
from simyard.core.earnings.model import EarningsOf
from simyard.core.erasure import service as erasure
from simyard.core.erasure.model import EraseAccount, Erased
from simyard.core.funding import service as funding
from simyard.core.funding.model import CreateVirtualAccount, ProviderAccount, SandboxPayment
from simyard.core.gateways import service as gateways
from simyard.core.gateways.model import AddGateway
from simyard.core.limits import service as limits
from simyard.core.limits.model import Admit, AdmitSession
from simyard.core.logins import rules as login_rules
from simyard.core.logins import service as logins
from simyard.core.logins.model import Identity, Throttle
from simyard.core.messages.model import Fate
from simyard.core.numbers import service as numbers
from simyard.core.numbers.model import AddNumber
from simyard.core.pools import service as pools
from simyard.core.pools.model import AddPool, Pool, PoolKind
from simyard.core.public_numbers import service as public_numbers
from simyard.core.remote import service as remote
from simyard.core.remote.model import RemoteWish, SetProfile
from simyard.core.reports import service as reports
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import StatementOf
from simyard.core.webhooks import service as webhooks
from simyard.core.webhooks.model import Event, SetEndpoint
from tests.world import CONSENT, World, code_text, micros, reported

EMAIL = "jane.doe@jane-doe.example"
THROTTLE = Throttle(
    failures_max=10, address_failures_max=50, address_attempts_per_minute=50, lock_seconds=900
)
IDENTITY = Identity("https://issuer.example", "subject-4711", EMAIL, "Jane Doe")
HOME = "203.0.113.77"
URL = "https://93.184.215.14/jane-doe-hook"
CODE = "847291"
REASON = "ticket 12"


async def erase(world: World, account_id: AccountId, reason: str = REASON) -> Erased:
    command = EraseAccount(account_id, reason, world.clock.now())
    return await world.database.run(lambda tx: erasure.erase(tx, command, actor="test"))


async def refused(world: World, account_id: AccountId, reason: str = REASON) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await erase(world, account_id, reason)
    return caught.value


async def everything(world: World) -> dict[str, str]:
    """All rows of every table as text, bytes in hexadecimal: also of tables that nobody here thought of."""
    tables = await world.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return {
        table: await world.value(
            f"SELECT COALESCE(string_agg(to_jsonb(one)::text, E'\\n'), '') FROM public.{table} AS one"
        )
        for (table,) in tables
    }


async def places(world: World, wanted: dict[str, str | bytes]) -> dict[str, list[str]]:
    """The tables each of these is found in, as it is or as bytes."""
    rows = await everything(world)
    found = {}
    for what, value in wanted.items():
        forms = [value.hex()] if isinstance(value, bytes) else [value, value.encode().hex()]
        found[what] = [
            table for table, text in rows.items() if any(form.casefold() in text.casefold() for form in forms)
        ]
    return found


async def empty_wallet(world: World, account_id: AccountId, note: str | None = None) -> None:
    """Pay out what is there, as an operator does before he erases."""
    balance = await world.balance(account_id)
    if balance.available:
        amount = str(balance.available / 1_000_000)
        await world.pay_out(await world.request_payout(account_id, amount, "IBAN JANE 1"), note)


async def busy_buyer(world: World) -> tuple[AccountId, dict[str, str | bytes]]:
    """A person who has used everything a buyer can, with nothing open any more; and what would tell who that is."""
    now, database = world.clock.now(), world.database
    world.late_within = timedelta(seconds=60)
    supplier, _, _ = await world.stocked(2)
    renter, _, (rented,) = await world.rentable(1)
    async with database.transaction() as tx:
        added = await accounts.add_account(
            tx, AddAccount(EMAIL, Role.BUYER, "argon2-of-jane", "Jane Doe"), now=now
        )
        await wallet.open_wallet(tx, added.id, "USD")
        buyer = added.id
        _, key = await accounts.issue_key(
            tx, IssueKey(buyer, (Scope.READ, Scope.ORDER), (f"{HOME}/32",)), now=now
        )
        opened = await logins.open_session_of(
            tx, IDENTITY, registration_open=True, currency="USD", refresh_seconds=3600, now=now
        )
        await logins.request_reset(tx, email=EMAIL, link="https://simyard.example", now=now)
        await logins.open_session(
            tx,
            email=EMAIL,
            address="",
            login=await logins.find_login(tx, email=EMAIL, address="", throttle=THROTTLE, now=now),
            matched=False,
            rehashed=None,
            throttle=THROTTLE,
            refresh_seconds=60,
            now=now,
        )
        endpoint = await webhooks.set_endpoint(
            tx, SetEndpoint(buyer, "onlinesim", Event.MESSAGE, URL, (), now)
        )
        creation = await funding.begin_creation(
            tx, CreateVirtualAccount(buyer, "035"), provider=funding.SANDBOX, currency=None, now=now
        )
        made = ProviderAccount("Wema", "7821034560", "YARD/JANE DOE", "USD", "customer-of-jane")
        await funding.record_account(tx, creation, made, provider=funding.SANDBOX)
        await funding.pay_sandbox(tx, SandboxPayment(made.account_number, micros("50"), now, "paid-1"))
    assert endpoint is not None
    referrer, referred = await world.add_buyer(), await world.add_buyer()
    await world.refer(referrer, buyer)
    await world.refer(buyer, referred)
    await world.permit(buyer, "paypal")
    order = await world.order(buyer, key="key-of-jane")
    texts = {
        "text": f"Jane, {code_text('whatsapp', CODE)}",
        "text of the rental": "Hello Jane, how are you?",
        "late text": f"Jane again, {code_text('whatsapp', '551177')}",
    }
    await world.receive(supplier, order.msisdn, texts["text"], sender="Janes Sender", sent_at=now)
    await world.close(buyer, order.activation_id, ban=True)
    late = await world.receive(supplier, order.msisdn, texts["late text"], sender="Late Sender")
    assert late.fate is Fate.LATE
    await world.refund(order.activation_id, "Jane could not log in.")
    rental = await world.rent(buyer)
    await world.receive(renter, rented, texts["text of the rental"], sender="Uncle of Jane")
    world.clock.turn(2 * 24 * 3600)
    await world.end_due_rentals()
    await world.reject_payout(await world.request_payout(buyer, "1", "IBAN JANE 2"), "Jane's bank is closed.")
    await empty_wallet(world, buyer, "bank-77")
    digests = await world.rows(
        "SELECT 'digest ' || row_number() OVER (), digest FROM ("
        " SELECT digest FROM message_seen UNION ALL SELECT digest FROM mailed_token UNION ALL"
        " SELECT digest FROM refresh_token) AS one"
    )
    assert rental.id
    tells: dict[str, str | bytes] = {
        **texts,
        **dict(digests),
        "email": EMAIL,
        "name": "Jane Doe",
        "password": "argon2-of-jane",
        "key": World.digest(key),
        "network": HOME,
        "identity": IDENTITY.subject,
        "failed logins": login_rules.of_email(EMAIL),
        "mails": login_rules.mails_to(EMAIL),
        "refresh token": login_rules.digest(opened.refresh_token),
        "webhook": "jane-doe-hook",
        "secret": endpoint.secret,
        "sender": "Janes Sender",
        "late sender": "Late Sender",
        "sender of the rental": "Uncle of Jane",
        "code": CODE,
        "bank account": made.account_number,
        "holder": made.account_name,
        "id at the provider": "customer-of-jane",
        "key of an order": "key-of-jane",
        "payout": "IBAN JANE 1",
        "rejected payout": "IBAN JANE 2",
        "why it was rejected": "Jane's bank is closed.",
        "why it was refunded": "Jane could not log in.",
    }
    return buyer, tells


async def busy_supplier(world: World) -> tuple[AccountId, Pool, dict[str, str | bytes]]:
    now = world.clock.now()
    supplier = await world.add_supplier(email=EMAIL)
    pool = await world.add_direct_pool(supplier, "Janes SIMs")
    sold, public = world.msisdns(2)
    await world.report(supplier, [reported(sold, port="box of Jane"), reported(public)])
    await world.set_price("whatsapp", "1", pool=pool)
    buyer = await world.add_buyer()
    order = await world.order(buyer)
    msisdn = order.msisdn
    await world.receive(supplier, msisdn, code_text("whatsapp", CODE))
    await world.finish(buyer, order.activation_id)
    shown = public if msisdn == sold else sold
    async with world.database.transaction() as tx:
        await public_numbers.publish(tx, shown, actor="test", now=now)
        gateway = AddGateway("Janes phone", "generic", pool.id, "secret of Jane", ("203.0.113.0/24",))
        await gateways.add_gateway(tx, gateway, actor="test", now=now)
        await gateways.map_sim(tx, "Janes phone", "iccid:8944001", shown, actor="test", now=now)
    await partner_pool(world, supplier)
    await world.receive(supplier, shown, "Everybody may read of Jane")
    await empty_wallet(world, supplier)
    return (
        supplier,
        pool,
        {
            "email": EMAIL,
            "pool": "Janes SIMs",
            "port": "box of Jane",
            "gateway": "Janes phone",
            "secret": "secret of Jane",
            "sim": "8944001",
            "public message": "Everybody may read of Jane",
            "pool of a partner": "Janes friends",
            "address of the partner": "jane.example",
            "key for the partner": "key we send",
            "key of the partner": World.digest("key sent"),
        },
    )


async def partner_pool(world: World, supplier: AccountId) -> Pool:
    now = world.clock.now()
    async with world.database.transaction() as tx:
        command = AddPool("Janes friends", PoolKind.PARTNER, supplier, 7000, CONSENT)
        partner = await pools.add_pool(tx, command, actor="test", now=now)
        url = "https://jane.example/agent"
        profile = SetProfile(partner.id, "industry", url, "key we send", key_in="key sent")
        await remote.set_profile(tx, profile, actor="test", now=now)
    return partner


# What goes


async def test_nothing_in_the_database_tells_who_a_buyer_was(world: World) -> None:
    buyer, tells = await busy_buyer(world)
    assert [what for what, tables in (await places(world, tells)).items() if not tables] == []
    assert await erase(world, buyer) == Erased(buyer, before=False)
    assert {what: tables for what, tables in (await places(world, tells)).items() if tables} == {}
    await world.assert_whole()


async def test_nothing_in_the_database_tells_who_a_supplier_was(world: World) -> None:
    supplier, pool, tells = await busy_supplier(world)
    assert [what for what, tables in (await places(world, tells)).items() if not tables] == []
    await erase(world, supplier)
    assert {what: tables for what, tables in (await places(world, tells)).items() if tables} == {}
    await world.take_stock()
    assert (
        await world.rows("SELECT listed, port = msisdn, published_at FROM number")
        == [(False, True, None)] * 2
    )
    with pytest.raises(Refusal) as caught:
        async with world.database.transaction() as tx:
            await pools.set_enabled(tx, pool.id, enabled=True, actor="test", now=world.clock.now())
    assert caught.value.reason is Refused.ACCOUNT_ERASED
    await world.assert_whole()


# What stays


async def test_the_books_and_what_happened_stay(world: World) -> None:
    buyer, _ = await busy_buyer(world)
    tables = ("transfer", "activation", "rental", "message", "deposit", "payout", "refund", "referral")
    counts = {table: await world.value(f"SELECT count(*) FROM {table}") for table in tables}
    before = await world.rows("SELECT * FROM transfer ORDER BY id")
    await erase(world, buyer)
    assert {table: await world.value(f"SELECT count(*) FROM {table}") for table in tables} == counts
    assert await world.rows("SELECT * FROM transfer ORDER BY id") == before
    assert await world.rows("SELECT provider, reference, state FROM deposit") == [
        ("sandbox", "paid-1", "credited")
    ]
    assert await world.rows("SELECT state, note FROM payout ORDER BY id") == [
        ("rejected", None),
        ("paid", "bank-77"),
    ]
    async with world.database.transaction() as tx:
        statement = await wallet.statement(tx, StatementOf(buyer))
        assert await wallet.statement_lines(tx, statement, limit=100)
        page = await activations.list_activations(tx, ListActivations(buyer, None, 1, 10))
        assert [one.code for one in page.activations] == [""]
        assert (await reports.profile(tx, buyer)).email == f"erased-{buyer}"
        assert (await earnings.report(tx, EarningsOf(buyer))).available == 0
        await funding.list_deposits(tx, account_id=buyer)
        await earnings.payouts(tx, account_id=buyer)


async def test_the_audit_log_says_that_and_why_but_not_who(world: World) -> None:
    buyer = await world.add_buyer("0", email=EMAIL)
    await erase(world, buyer)
    assert await world.rows("SELECT actor, facts FROM audit WHERE action = 'account.erased'") == [
        ("test", {"account_id": buyer, "reason": REASON})
    ]


@pytest.mark.parametrize("reason", ["", "x" * 501, f"asked by {EMAIL.upper()}", "jane doe wants it"])
async def test_a_reason_that_says_nothing_or_who_is_refused(world: World, reason: str) -> None:
    async with world.database.transaction() as tx:
        command = AddAccount(EMAIL, Role.BUYER, name="Jane Doe")
        buyer = (await accounts.add_account(tx, command, now=world.clock.now())).id
    caught = await refused(world, buyer, reason)
    assert (caught.reason, caught.facts["field"]) == (Refused.MALFORMED, "reason")


# What an erased account cannot do


async def test_neither_its_key_nor_its_session_nor_its_email_lets_anybody_in(world: World) -> None:
    now = world.clock.now()
    buyer = await world.add_buyer("0", email=EMAIL)
    key = await world.issue_key(buyer)
    async with world.database.transaction() as tx:
        opened = await logins.open_session_of(
            tx, IDENTITY, registration_open=True, currency="USD", refresh_seconds=3600, now=now
        )
    await erase(world, buyer)
    async with world.database.transaction() as tx:
        by_key, by_session = (
            *await limits.admit(tx, [Admit(World.digest(key), Scope.READ, "", None, now)]),
            *await limits.admit_sessions(tx, [AdmitSession(buyer, opened.session_id, None, now)]),
        )
        assert isinstance(by_key, Refusal)
        assert isinstance(by_session, Refusal)
        assert (by_key.reason, by_session.reason) == (Refused.WRONG_KEY, Refused.WRONG_KEY)
        again = await logins.refresh(tx, opened.refresh_token, refresh_seconds=60, now=now)
        assert isinstance(again, Refusal)
        assert await accounts.find_account_or_none(tx, EMAIL) is None
        assert await accounts.find_account_or_none(tx, f"erased-{buyer}") is None


async def test_the_email_may_be_registered_again_and_is_a_new_account(world: World) -> None:
    buyer = await world.add_buyer("0", email=EMAIL)
    await erase(world, buyer)
    async with world.database.transaction() as tx:
        opened = await logins.open_session_of(
            tx, IDENTITY, registration_open=True, currency="USD", refresh_seconds=60, now=world.clock.now()
        )
    assert opened.user.id != buyer


async def test_whoever_was_admitted_before_cannot_begin_anything_after(world: World) -> None:
    """Their commands were on their way when the account was erased."""
    now = world.clock.now()
    await world.stocked(2, price="0")
    await world.rentable(1, tariffs={1: "0"})
    buyer, payer = await world.add_buyer("0"), await world.add_buyer("5")
    await erase(world, buyer)
    attempts = {
        Refused.INSUFFICIENT_FUNDS: (world.order(buyer), world.rent(buyer)),
        Refused.UNKNOWN_ACCOUNT: (
            world.deposit(buyer, "5"),
            world.request_payout(buyer, "1"),
            world.database.run(lambda tx: wallet.pay(tx, payer, buyer, 1, reference="p", now=now)),
            world.database.run(
                lambda tx: webhooks.set_endpoint(
                    tx, SetEndpoint(buyer, "onlinesim", Event.MESSAGE, URL, (), now)
                )
            ),
            world.database.run(
                lambda tx: funding.begin_creation(
                    tx, CreateVirtualAccount(buyer, "035"), provider=funding.SANDBOX, currency=None, now=now
                )
            ),
        ),
    }
    for reason, ones in attempts.items():
        for attempt in ones:
            with pytest.raises(Refusal) as caught:
                await attempt
            assert caught.value.reason is reason
    await world.assert_whole()


async def test_reports_that_were_on_their_way_list_nothing(world: World) -> None:
    supplier, pool, listed = await world.stocked(1)
    await erase(world, supplier)
    command = AddNumber(supplier, pool.id, reported(listed[0], port="box of Jane"))
    for attempt in (
        world.report(supplier, listed),
        world.database.run(lambda tx: numbers.add(tx, command)),
        world.database.run(lambda tx: numbers.switch(tx, pool.id, [reported(listed[0])], ())),
    ):
        with pytest.raises(Refusal) as caught:
            await attempt
        assert caught.value.reason is Refused.UNKNOWN_POOL


async def test_an_sms_that_comes_late_is_not_kept(world: World) -> None:
    world.late_within = timedelta(seconds=60)
    supplier, _, _ = await world.stocked(1)
    buyer = await world.add_buyer("1")
    order = await world.order(buyer)
    await world.cancel(buyer, order.activation_id)
    await empty_wallet(world, buyer)
    await erase(world, buyer)
    receipt = await world.receive(supplier, order.msisdn, code_text("whatsapp", CODE))
    assert receipt.fate is Fate.NO_LEASE
    assert await world.value("SELECT count(*) FROM late_message") == 0


async def test_a_sale_is_not_taken_back_from_or_for_somebody_who_is_gone(world: World) -> None:
    supplier, _, _ = await world.stocked(1)
    buyer = await world.add_buyer("1")
    order = await world.order(buyer)
    await world.receive(supplier, order.msisdn, code_text("whatsapp", CODE))
    await world.finish(buyer, order.activation_id)
    await empty_wallet(world, supplier)
    await erase(world, supplier)
    with pytest.raises(Refusal) as caught:
        await world.refund(order.activation_id)
    assert (caught.value.reason, caught.value.facts) == (Refused.ACCOUNT_ERASED, {"account_id": supplier})
    await world.assert_whole()


async def test_a_referrer_who_is_gone_is_paid_nothing(world: World) -> None:
    supplier, _, _ = await world.stocked(1)
    referrer, buyer = await world.add_buyer("0"), await world.add_buyer("1")
    await world.refer(referrer, buyer)
    await erase(world, referrer)
    order = await world.order(buyer)
    await world.receive(supplier, order.msisdn, code_text("whatsapp", CODE))
    assert await world.referral_income(referrer) == 0
    await world.assert_whole()


# When it is refused


async def test_open_business_is_named(world: World) -> None:
    supplier, pool, (_, checked, _) = await world.stocked(3)
    buyer = await world.add_buyer("3")
    await world.order(buyer)
    await world.check_number(checked)
    await world.request_payout(buyer, "0.5")
    of_buyer, of_supplier = await refused(world, buyer), await refused(world, supplier)
    assert of_buyer.reason is of_supplier.reason is Refused.NOT_SETTLED
    assert of_buyer.facts == {
        "account_id": buyer,
        "leases": 1,
        "payouts": 1,
        "available": micros("1.5"),
        "held": micros("1.5"),
        "currency": "USD",
    }
    assert of_supplier.facts == {"account_id": supplier, "leases": 1, "numbers": 2, "currency": "USD"}
    assert await world.value("SELECT count(*) FROM account WHERE state = 'erased'") == 0
    assert await world.value("SELECT enabled FROM pool WHERE id = $1", pool.id)


async def test_what_is_pending_or_owed_is_open_business(world: World) -> None:
    world.earning_hold = timedelta(hours=1)
    supplier, _, _ = await world.stocked(1)
    buyer = await world.add_buyer("1")
    order = await world.order(buyer)
    await world.receive(supplier, order.msisdn, code_text("whatsapp", CODE))
    await world.finish(buyer, order.activation_id)
    assert (await refused(world, supplier)).facts["pending"] == micros("0.7")
    world.clock.turn(3600)
    await world.mature()
    await empty_wallet(world, supplier)
    await world.refund(order.activation_id)
    assert (await refused(world, supplier)).facts["debt"] == micros("0.7")
    for owed in ("0.7", "0"):
        async with world.database.transaction() as tx:
            written_off = await wallet.write_off(tx, supplier, reference="1", now=world.clock.now())
        assert written_off == micros(owed)
    await erase(world, supplier)
    await world.assert_whole()


async def test_what_a_partner_has_not_settled_yet_is_open_business(world: World) -> None:
    supplier = await world.add_supplier()
    partner = await partner_pool(world, supplier)
    wish = RemoteWish("GB", "gb", None, "rent", None, "", 1, "USD", None, (), "wish")
    lease_id = ActivationId(1)
    async with world.database.transaction() as tx:
        # As a process that ended leaves it, until it is known whether a number was reserved.
        await remote.begin(tx, {lease_id: (partner.id, wish)}, now=world.clock.now())
    assert (await refused(world, supplier)).facts["remote_leases"] == 1
    async with world.database.transaction() as tx:
        await remote.forget_asking(tx, lease_id)
    await erase(world, supplier)
    assert await world.value("SELECT count(*) FROM remote_profile") == 0


async def test_an_operator_and_nobody_are_refused(world: World) -> None:
    operator = await world.add_account(Role.OPERATOR)
    assert (await refused(world, operator)).reason is Refused.OPERATOR_ACCOUNT
    assert (await refused(world, AccountId(99))).reason is Refused.UNKNOWN_ACCOUNT


async def test_a_repeat_changes_nothing(world: World) -> None:
    buyer, _ = await busy_buyer(world)
    await erase(world, buyer)
    before = await everything(world)
    assert await erase(world, buyer, "another reason") == Erased(buyer, before=True)
    assert await everything(world) == before


# At the same moment


async def test_an_order_happens_before_the_erasure_or_not_at_all(world: World) -> None:
    _, pool, _ = await world.stocked(20, price="0")
    supplier = await world.value("SELECT supplier_id FROM pool WHERE id = $1", pool.id)
    for place in range(10):
        buyer = await world.add_buyer("0")
        erased, ordered, _ = await asyncio.gather(
            erase(world, buyer),
            world.order(buyer),
            erase(world, supplier) if place == 5 else asyncio.sleep(0),
            return_exceptions=True,
        )
        for outcome in (erased, ordered):
            assert isinstance(outcome, Refusal) or not isinstance(outcome, BaseException), outcome
        assert isinstance(erased, Refusal) != isinstance(ordered, Refusal), (erased, ordered)
    assert (
        await world.value(
            "SELECT count(*) FROM activation JOIN account ON account.id IN (account_id, supplier_id)"
            " WHERE account.state = 'erased' AND is_open"
        )
        == 0
    )
    assert await world.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    await world.assert_whole()


async def test_of_two_erasures_at_once_one_does_it(world: World) -> None:
    buyer = await world.add_buyer("0", email=EMAIL)
    done = await asyncio.gather(*(erase(world, buyer) for _ in range(4)))
    assert sorted(one.before for one in done) == [False, True, True, True]
    assert await world.value("SELECT count(*) FROM audit WHERE action = 'account.erased'") == 1
