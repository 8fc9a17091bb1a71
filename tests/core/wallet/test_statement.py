"""Statements: every movement of a wallet, from the opening to the closing balance, however they are read."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simyard.base.clock import ManualClock
from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.wallet import rules
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import Snapshot, Statement, StatementLine, StatementOf, TransferKind
from simyard.db.database import Database
from tests.conftest import START
from tests.world import World, code_text, micros


async def statement(
    world: World,
    account_id: AccountId,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    page: int = 1000,
) -> tuple[Statement, list[StatementLine]]:
    """A statement and all its lines, each page in a transaction of its own."""
    async with world.database.transaction() as tx:
        head = await wallet.statement(tx, StatementOf(account_id, since, until))
    lines: list[StatementLine] = []
    while True:
        async with world.database.transaction() as tx:
            more = await wallet.statement_lines(tx, head, after=lines[-1] if lines else None, limit=page)
        if not more:
            return head, lines
        lines += more


def assert_leads_from_opening_to_closing(head: Statement, lines: list[StatementLine]) -> None:
    available, held = head.opening.available, head.opening.held
    pending, debt = head.opening.pending, head.opening.debt
    for line in lines:
        available += line.available
        held += line.held
        pending += line.pending
        debt += line.debt
        assert (line.available_after, line.held_after) == (available, held)
        assert (line.pending_after, line.debt_after) == (pending, debt)
    assert head.closing == Snapshot(available, held, pending, debt)
    assert [line.id for line in lines] == sorted({line.id for line in lines})


async def test_a_statement_shows_each_movement_with_its_cause(world: World) -> None:
    supplier, _, _ = await world.stocked(2, price="1.50")
    buyer = await world.add_buyer("0")
    await world.deposit(buyer, "10", reference="salary")
    world.clock.turn(1)
    order = await world.order(buyer)
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "123456"))
    world.clock.turn(1)
    await world.set_price("telegram", "2")
    other = await world.order(buyer, "telegram")
    await world.cancel(buyer, other.activation_id)
    head, lines = await statement(world, buyer)
    assert_leads_from_opening_to_closing(head, lines)
    assert (head.currency, head.opening, head.closing) == ("USD", Snapshot(0, 0), Snapshot(micros("8.5"), 0))
    first, second, *_ = lines
    assert first == StatementLine(
        first.id, START, TransferKind.DEPOSIT, "deposit/salary", None, micros("10"), 0, micros("10"), 0
    )
    assert (second.at, second.kind) == (START + timedelta(seconds=1), TransferKind.HOLD)
    assert (second.available, second.held) == (-micros("1.5"), micros("1.5"))
    assert {line.lease_id for line in lines[1:]} == {order.activation_id, other.activation_id}
    kinds = [line.kind for line in lines if line.lease_id == other.activation_id]
    assert kinds == [TransferKind.HOLD, TransferKind.RELEASE]
    head, lines = await statement(world, supplier)
    assert [(line.kind, line.available) for line in lines] == [(TransferKind.EARNING, micros("1.05"))]
    assert_leads_from_opening_to_closing(head, lines)


async def test_statements_of_adjoining_periods_join(world: World) -> None:
    buyer, other = await world.add_buyers(2, "0")
    for number in range(6):
        await world.deposit(buyer, "1", reference=f"r{number}")
        await world.deposit(other, "7", reference=f"o{number}")
        world.clock.turn(60)
    middle = START + timedelta(seconds=150)
    before, lines_before = await statement(world, buyer, until=middle)
    after, lines_after = await statement(world, buyer, since=middle)
    assert before.closing == after.opening == Snapshot(micros("3"), 0)
    assert after.closing.available == micros("6")
    for head, lines in ((before, lines_before), (after, lines_after)):
        assert_leads_from_opening_to_closing(head, lines)
        assert len(lines) == 3
    empty, lines = await statement(world, buyer, since=middle, until=middle)
    assert (empty.opening, lines) == (empty.closing, [])


async def test_a_line_at_the_very_start_of_a_period_is_in_it_and_at_its_end_is_not(world: World) -> None:
    buyer = await world.add_buyer("0")
    await world.deposit(buyer, "1")
    _, inside = await statement(world, buyer, since=START)
    _, outside = await statement(world, buyer, until=START)
    assert (len(inside), len(outside)) == (1, 0)


@pytest.mark.parametrize("page", [1, 2, 3, 7, 8])
async def test_pages_of_any_size_tell_the_same(world: World, page: int) -> None:
    await world.stocked(3)
    buyer = await world.add_buyer("10")
    for _ in range(3):
        await world.order(buyer)
    await world.expire()
    world.clock.turn(10_000)
    await world.expire()
    whole = await statement(world, buyer)
    assert len(whole[1]) == 7
    assert await statement(world, buyer, page=page) == whole


async def test_what_happens_while_it_is_read_is_not_in_it(world: World) -> None:
    buyer = await world.add_buyer("1")
    async with world.database.transaction() as tx:
        head = await wallet.statement(tx, StatementOf(buyer))
    await asyncio.gather(*(world.deposit(buyer, "1", reference=f"r{number}") for number in range(5)))
    async with world.database.transaction() as tx:
        lines = await wallet.statement_lines(tx, head)
    assert_leads_from_opening_to_closing(head, lines)
    assert len(lines) == 1


async def test_a_statement_nobody_can_have_is_refused(world: World) -> None:
    buyer = await world.add_buyer("1")
    with pytest.raises(Refusal) as caught:
        await statement(world, AccountId(999))
    assert caught.value.reason is Refused.UNKNOWN_ACCOUNT
    with pytest.raises(Refusal) as caught:
        await statement(world, buyer, since=START, until=START - timedelta(seconds=1))
    assert (caught.value.reason, caught.value.facts) == (Refused.MALFORMED, {"field": "until"})


@pytest.mark.parametrize(
    ("reference", "lease"),
    [
        ("activation/12/hold", 12),
        ("rental/7/extension/2", 7),
        ("deposit/activation/12/hold", None),
        ("payment/r", None),
        ("activation/x/hold", None),
        ("activations/1/hold", None),
    ],
)
def test_a_lease_is_told_by_the_reference(reference: str, lease: int | None) -> None:
    assert rules.lease_of(reference) == lease


_STEPS = st.lists(
    st.tuples(st.sampled_from(["deposit", "pay", "order", "cancel", "sms", "expire"]), st.integers(1, 900)),
    max_size=25,
)


def test_whatever_happened_a_statement_is_the_ledger(database_url: str) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(Database.connect(database_url, connections_max=2))
        world = runner.run(World.create(database, ManualClock(START)))

        @settings(max_examples=30)
        @given(steps=_STEPS, cut=st.integers(0, 3000), page=st.integers(1, 5))
        def live(steps: list[tuple[str, int]], cut: int, page: int) -> None:
            runner.run(_live(world, steps, world.clock.now() + timedelta(seconds=cut), page))

        live()
        runner.run(world.assert_whole())
        runner.run(database.close())


async def _live(world: World, steps: list[tuple[str, int]], cut: datetime, page: int) -> None:
    supplier, pool, _ = await world.stocked(3, price="1.25")
    one, two = await world.add_buyer("3"), await world.add_buyer("1")
    orders = []
    for number, (step, amount) in enumerate(steps):
        world.clock.turn(amount)
        try:
            if step == "deposit":
                await world.deposit(one, f"0.{amount:06d}", reference=f"{one}/{number}")
            elif step == "pay":
                async with world.database.transaction() as tx:
                    reference = f"{one}/{number}"
                    await wallet.pay(tx, one, two, amount, reference=reference, now=world.clock.now())
            elif step == "order":
                orders.append(await world.order(one, pool=pool))
            elif step == "cancel" and orders:
                await world.cancel(one, orders[-1].activation_id)
            elif step == "sms" and orders:
                await world.receive(supplier, orders[-1].msisdn, code_text("whatsapp", f"{number:06d}"))
            elif step == "expire":
                await world.expire()
        except Refusal:
            pass
    for account_id in (one, two, supplier):
        head, lines = await statement(world, account_id, page=page)
        assert_leads_from_opening_to_closing(head, lines)
        balance = await world.balance(account_id)
        assert head.closing == Snapshot(balance.available, balance.held, balance.pending, balance.debt)
        rows = await world.rows(
            """SELECT id FROM transfer JOIN wallet
                   ON ARRAY[available_id, held_id, pending_id, debt_id] && ARRAY[debit_id, credit_id]
                WHERE account_id = $1 ORDER BY id""",
            account_id,
        )
        assert [line.id for line in lines] == [row[0] for row in rows]
        before, lines_before = await statement(world, account_id, until=cut)
        after, lines_after = await statement(world, account_id, since=cut)
        assert lines_before + lines_after == lines
        assert before.closing == after.opening
        assert (before.opening, after.closing) == (head.opening, head.closing)
