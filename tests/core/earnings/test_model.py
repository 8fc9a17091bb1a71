"""Sales, refunds, payouts and time in any order: what a supplier has is what a small model says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from simyard.base.clock import ManualClock
from simyard.base.ids import ActivationId
from simyard.base.refusals import Refusal, Refused
from simyard.core.earnings.model import Payout
from simyard.core.wallet.model import Balance
from simyard.db.database import Database
from tests.conftest import START
from tests.world import World, code_text, micros

HOLD = timedelta(hours=1)
EARNED = micros("0.7")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["sell", "sell", "turn", "mature", "refund", "ask", "ask", "pay", "reject", "hold"]),
        st.integers(0, 9),
    ),
    max_size=30,
)


@dataclass
class Model:
    available: int = 0
    held: int = 0
    debt: int = 0
    pending: dict[ActivationId, float] = field(default_factory=dict)
    """When each matures."""
    sales: list[ActivationId] = field(default_factory=list)
    payouts: list[Payout] = field(default_factory=list)

    def repay(self, most: int) -> None:
        paid = min(self.debt, most)
        self.debt -= paid
        self.available -= paid

    def balance(self) -> Balance:
        return Balance(
            "USD", self.available, self.held, 0, pending=EARNED * len(self.pending), debt=self.debt
        )


def test_what_a_supplier_has_is_what_the_model_says(database_url: str) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(Database.connect(database_url, connections_max=2))
        world = runner.run(World.create(database, ManualClock(START)))

        @settings(max_examples=25)
        @given(steps=STEPS)
        def live(steps: list[tuple[str, int]]) -> None:
            runner.run(_live(world, steps))

        live()
        runner.run(world.assert_whole())
        runner.run(database.close())


async def _live(world: World, steps: list[tuple[str, int]]) -> None:
    # What earlier examples left pending is not this one's affair.
    world.clock.turn(HOLD.total_seconds())
    await world.mature()
    world.earning_hold = HOLD
    supplier, pool, _ = await world.stocked(sum(step == "sell" for step, _ in steps))
    buyer = await world.add_buyer("100")
    model, began = Model(), world.clock.now()
    for step, number in steps:
        now = (world.clock.now() - began).total_seconds()
        if step == "hold":
            world.earning_hold = HOLD if number % 2 else timedelta()
        elif step == "turn":
            # The pool stays online: its numbers were reported this moment.
            world.clock.turn(number * 60)
            await world.value("UPDATE pool SET online_until = 'infinity' WHERE id = $1 RETURNING id", pool.id)
        elif step == "sell":
            await world.value("UPDATE pool SET online_until = 'infinity' WHERE id = $1 RETURNING id", pool.id)
            order = await world.order(buyer, pool=pool)
            await world.receive(supplier, order.msisdn, code_text("whatsapp", "123456"))
            model.sales.append(order.activation_id)
            if world.earning_hold:
                model.pending[order.activation_id] = now + HOLD.total_seconds()
            else:
                model.available += EARNED
                model.repay(EARNED)
        elif step == "mature":
            due = [sale for sale, at in model.pending.items() if at <= now]
            assert await world.mature() == len(due)
            for sale in due:
                del model.pending[sale]
                model.available += EARNED
            if due:
                model.repay(model.available)
        elif step == "refund" and model.sales:
            sale = model.sales.pop(number % len(model.sales))
            await world.refund(sale)
            if model.pending.pop(sale, None) is None:
                taken = min(model.available, EARNED)
                model.available -= taken
                model.debt += EARNED - taken
        elif step == "ask":
            amount = micros("0.3") * (number % 3 + 1)
            try:
                model.payouts.append(await world.request_payout(supplier, f"0.{(number % 3 + 1) * 3}"))
            except Refusal as refusal:
                assert refusal.reason is Refused.INSUFFICIENT_FUNDS
                assert model.available - model.debt < amount
            else:
                model.available -= amount
                model.held += amount
        elif step in ("pay", "reject") and model.payouts:
            payout = model.payouts.pop(0)
            model.held -= payout.amount
            if step == "pay":
                await world.pay_out(payout)
            else:
                await world.reject_payout(payout)
                model.available += payout.amount
        assert await world.balance(supplier) == model.balance()
    buyers = await world.balance(buyer)
    assert buyers.available == micros("100") - buyers.spent
    await world.assert_whole()
