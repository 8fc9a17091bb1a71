"""Whatever is announced, lost, repeated or answered late: a wallet gets what was paid into its accounts, once."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from simyard.base.clock import ManualClock
from simyard.core.funding.model import DepositState, PaymentState, ProviderFailed
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import StatementOf
from simyard.db.database import Database
from tests.conftest import START
from tests.core.funding.provider import FakeProvider, Killed, Yard
from tests.world import World, micros

_PAYMENTS = st.lists(
    st.tuples(st.sampled_from(PaymentState), st.integers(-5, 10**9), st.sampled_from(["NGN", "NGN", "GHS"])),
    min_size=1,
    max_size=5,
)
_EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("announce"), st.integers(0, 4)),
        st.tuples(st.just("settle"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.integers(1, 100_000)),
        st.tuples(st.just("pay after all"), st.integers(0, 4)),
    ),
    max_size=25,
)
_ERRORS = (None, ProviderFailed("timed_out"), Killed(), ZeroDivisionError())


def test_a_wallet_gets_what_was_paid_once(database_url: str) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(Database.connect(database_url, connections_max=4))
        world = runner.run(World.create(database, ManualClock(START)))

        @settings(max_examples=40)
        @given(payments=_PAYMENTS, events=_EVENTS)
        def live(payments: list[tuple[PaymentState, int, str]], events: list[tuple[str, int]]) -> None:
            runner.run(_live(world, payments, events))

        live()
        runner.run(world.assert_whole())
        runner.run(database.close())


async def _live(
    world: World, payments: list[tuple[PaymentState, int, str]], events: list[tuple[str, int]]
) -> None:
    yard = Yard(world, FakeProvider(), world.clock)
    buyer = await world.add_buyer("0", "NGN")
    yard.provider.name = f"fake{buyer}"
    number = (await yard.create(buyer)).account_number
    for place, (state, amount_minor, currency) in enumerate(payments):
        yard.provider.pay(f"T{place}", number, amount_minor, currency, state)
    announced: set[str] = set()
    for event, value in events:
        reference = f"T{value % len(payments)}"
        if event == "announce":
            assert await yard.note(reference) == (reference not in announced)
            announced.add(reference)
        elif event == "wait":
            world.clock.turn(value)
        elif event == "pay after all":
            # What is under way may still succeed; what was decided stays.
            state, amount_minor, currency = payments[value % len(payments)]
            if state is PaymentState.PENDING:
                yard.provider.pay(reference, number, amount_minor, currency)
        else:
            yard.provider.error = _ERRORS[value]
            await asyncio.gather(yard.settle(), yard.settle(), return_exceptions=True)
            yard.provider.error = None
    for _ in range(60):
        world.clock.turn(6 * 3600)
        await yard.settle()
    mine = [one for one in await yard.deposits() if one.provider == yard.provider.name]
    assert {one.reference for one in mine} == announced
    assert all(one.state is not DepositState.SEEN for one in mine)
    credited = {one.reference for one in mine if one.state is DepositState.CREDITED}
    paid = {
        reference: payment.amount_minor
        for reference, payment in yard.provider.payments.items()
        if payment.state is PaymentState.SUCCEEDED and payment.currency == "NGN" and payment.amount_minor > 0
    }
    assert credited <= paid.keys()
    given_up = {one.reference for one in mine if one.reason == "provider_silent"}
    assert (paid.keys() & announced) - given_up == credited
    total = sum(paid[reference] for reference in credited)
    assert (await yard.funds(buyer)).balance == total * micros("0.01")
    async with world.database.transaction() as tx:
        head = await wallet.statement(tx, StatementOf(buyer))
        lines = await wallet.statement_lines(tx, head)
    assert {line.reference for line in lines} == {f"deposit/{yard.provider.name}/{one}" for one in credited}
    assert head.closing.available == sum(line.available for line in lines) == total * micros("0.01")
