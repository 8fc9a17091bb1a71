"""The whole life of rentals against a small model: whatever is done in whatever order, both agree on every row."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from simyard.base.clock import ManualClock
from simyard.base.ids import AccountId, RentalId
from simyard.base.refusals import Refusal, Refused
from simyard.core.messages.model import Fate, Receipt
from simyard.core.rentals import service as rentals
from simyard.core.rentals.machine import OPEN, State
from simyard.core.rentals.model import Rental
from simyard.db.database import Database
from tests.conftest import START
from tests.world import CONFIRM_SECONDS, World, micros

Result = TypeVar("Result")

DAY: Final = 86_400
TARIFFS: Final = {1: "1", 7: "5.0001", 30: "15"}
PRICES: Final = {days: micros(amount) for days, amount in TARIFFS.items()}
NUMBERS: Final = 3
BUYERS: Final = 2
SHARE: Final = 7000


@dataclass
class Line:
    """A number as the model knows it. Its turn tells its place in the queue."""

    msisdn: str
    turn: int
    lease: Lease | None = None


@dataclass
class Lease:
    id: RentalId
    buyer: int
    line: Line
    auto_extend: bool
    periods: list[int]
    confirm_by: float
    expires_at: float
    state: State = State.WAITING
    messages: int = 0

    @property
    def price(self) -> int:
        return sum(PRICES[days] for days in self.periods)


class RentalMachine(RuleBasedStateMachine):
    """Every example has a pool, buyers and numbers of its own in one shared database."""

    runner: ClassVar[asyncio.Runner]
    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.began = self.world.clock.now()
        self.leases: list[Lease] = []
        self.texts = 0
        self.turns = NUMBERS
        self.money = [micros("40"), micros("6")]
        self.held = [0] * BUYERS
        self.earned = 0
        self.run(self.set_up())

    def run(self, doing: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(doing)

    def refused(self, doing: Coroutine[Any, Any, object]) -> Refused | None:
        try:
            self.run(doing)
        except Refusal as refusal:
            return refusal.reason
        return None

    async def set_up(self) -> None:
        world = self.world
        self.supplier, self.pool, listed = await world.rentable(
            NUMBERS, tariffs=TARIFFS, share_basis_points=SHARE
        )
        self.lines = [Line(msisdn, place) for place, msisdn in enumerate(listed)]
        self.buyers: list[AccountId] = [await world.add_buyer("40"), await world.add_buyer("6")]

    def now(self) -> float:
        return (self.world.clock.now() - self.began).total_seconds()

    def pick(self, place: int) -> Lease:
        """The younger leases more often than the old."""
        return self.leases[-1 - place % len(self.leases)]

    # Ordering

    @rule(buyer=st.integers(0, BUYERS - 1), days=st.sampled_from([1, 1, 7, 30, 2]), auto=st.booleans())
    def order(self, buyer: int, days: int, auto: bool) -> None:
        free = [line for line in self.lines if line.lease is None]
        expected: Refused | None = None
        if days not in PRICES:
            expected = Refused.UNKNOWN_PERIOD
        elif self.money[buyer] < PRICES[days]:
            expected = Refused.INSUFFICIENT_FUNDS
        elif not free:
            expected = Refused.NO_NUMBERS
        ordering = self.world.rent(self.buyers[buyer], days, auto_extend=auto, pool=self.pool)
        if expected is not None:
            # Without the pool a country's tariffs of other examples would count too.
            assert self.refused(ordering) is expected
            return
        rental: Rental = self.run(ordering)
        line = min(free, key=lambda line: line.turn)
        assert (rental.msisdn, rental.price) == (line.msisdn, PRICES[days])
        lease = Lease(
            rental.id, buyer, line, auto, [days], self.now() + CONFIRM_SECONDS, self.now() + days * DAY
        )
        self.leases.append(lease)
        line.lease = lease
        self.money[buyer] -= lease.price
        self.held[buyer] += lease.price

    # Messages

    @rule(place=st.integers(0, NUMBERS - 1))
    def receive(self, place: int) -> None:
        line = self.lines[place]
        self.texts += 1
        receipt = self.run(self.world.receive(self.supplier, line.msisdn, f"Text {self.texts}"))
        lease = line.lease
        if lease is None:
            assert receipt == Receipt(Fate.NO_LEASE)
            return
        assert receipt == Receipt(Fate.DELIVERED, lease.id)
        if lease.state is State.WAITING:
            lease.state = State.ACTIVE
            self.held[lease.buyer] -= lease.price
        lease.messages += 1

    # Acting

    @precondition(lambda self: self.leases)
    @rule(place=st.integers(0, 4), days=st.sampled_from([1, 7, 30, 2]))
    def extend(self, place: int, days: int) -> None:
        lease = self.pick(place)
        expected: Refused | None = None
        if lease.state not in OPEN or lease.expires_at <= self.now():
            expected = Refused.LEASE_CLOSED
        elif lease.state is State.WAITING:
            expected = Refused.NOT_CONFIRMED
        elif days not in PRICES:
            expected = Refused.UNKNOWN_PERIOD
        elif self.money[lease.buyer] < PRICES[days]:
            expected = Refused.INSUFFICIENT_FUNDS
        extending = self.world.extend_rental(self.buyers[lease.buyer], lease.id, days)
        assert self.refused(extending) is expected
        if expected is None:
            self.extended(lease, days, lease.expires_at)

    def extended(self, lease: Lease, days: int, since: float) -> None:
        lease.periods.append(days)
        lease.expires_at = since + days * DAY
        self.money[lease.buyer] -= PRICES[days]

    @precondition(lambda self: self.leases)
    @rule(place=st.integers(0, 4))
    def close(self, place: int) -> None:
        lease = self.pick(place)
        refused = self.refused(self.world.close_rental(self.buyers[lease.buyer], lease.id))
        if lease.state in OPEN:
            assert refused is None
            self.closed(lease, State.CANCELED if lease.state is State.WAITING else State.ENDED)
        else:
            assert refused is Refused.LEASE_CLOSED

    def closed(self, lease: Lease, state: State) -> None:
        if state is State.ENDED:
            self.earned += sum(round(PRICES[days] * SHARE / 10_000) for days in lease.periods)
        else:
            self.held[lease.buyer] -= lease.price
            self.money[lease.buyer] += lease.price
        lease.state = state
        lease.line.lease = None
        self.turns += 1
        lease.line.turn = self.turns

    @precondition(lambda self: self.leases)
    @rule(place=st.integers(0, 4), auto=st.booleans())
    def set_auto_extend(self, place: int, auto: bool) -> None:
        lease = self.pick(place)

        async def setting() -> None:
            async with self.world.database.transaction() as tx:
                await rentals.set_auto_extend(
                    tx, self.buyers[lease.buyer], lease.id, auto, self.world.clock.now()
                )

        refused = self.refused(setting())
        if lease.state in OPEN and lease.expires_at > self.now():
            assert refused is None
            lease.auto_extend = auto
        else:
            assert refused is Refused.LEASE_CLOSED

    # Time and money

    @rule(seconds=st.sampled_from([60, 600, CONFIRM_SECONDS, DAY / 2, DAY, 30 * DAY]))
    def turn_clock(self, seconds: float) -> None:
        self.world.clock.turn(seconds)

    @rule()
    def end_due(self) -> None:
        now = self.now()
        expired = [one for one in self.leases if one.state is State.WAITING and one.confirm_by <= now]
        over = [one for one in self.leases if one.state is State.ACTIVE and one.expires_at <= now]
        assert self.run(self.world.end_due_rentals()) == len(expired) + len(over)
        # All in one transaction: what it gives back is not spent in it, and the numbers queue up in the order of ids.
        ending: list[tuple[Lease, State]] = [(lease, State.EXPIRED) for lease in expired]
        for lease in over:
            if lease.auto_extend and self.money[lease.buyer] >= PRICES[30]:
                self.extended(lease, 30, max(lease.expires_at, now))
            else:
                ending.append((lease, State.ENDED))
        for lease, state in sorted(ending, key=lambda one: self.lines.index(one[0].line)):
            self.closed(lease, state)

    @rule(buyer=st.integers(0, BUYERS - 1))
    def deposit(self, buyer: int) -> None:
        self.money[buyer] += micros("7")
        balance = self.run(self.world.deposit(self.buyers[buyer], "7"))
        assert (balance.available, balance.held) == (self.money[buyer], self.held[buyer])

    # What must agree after every step

    @invariant()
    def money_agrees(self) -> None:
        for buyer in range(BUYERS):
            balance = self.run(self.world.balance(self.buyers[buyer]))
            assert (balance.available, balance.held) == (self.money[buyer], self.held[buyer])
        assert self.run(self.world.balance(self.supplier)).available == self.earned

    @invariant()
    def rentals_agree(self) -> None:
        for place, buyer in enumerate(self.buyers):
            shown = [
                (view.rental.id, view.rental.state, view.rental.price, view.rental.days, view.total)
                for view in self.run(self.world.look_at_rentals(buyer))
            ]
            mine = [one for one in self.leases if one.buyer == place and one.state in OPEN]
            assert shown == [(one.id, one.state, one.price, sum(one.periods), one.messages) for one in mine]
        rows = self.run(
            self.world.rows(
                "SELECT id, msisdn, state, messages FROM rental WHERE pool_id = $1 ORDER BY id", self.pool.id
            )
        )
        assert rows == [
            (one.id, one.line.msisdn, one.state.value, one.messages)
            for one in sorted(self.leases, key=lambda lease: lease.id)
        ]

    def teardown(self) -> None:
        self.run(self.check_stock_and_books())

    async def check_stock_and_books(self) -> None:
        await self.world.take_stock()
        rentable = await self.world.value("SELECT rentable FROM shelf WHERE pool_id = $1", self.pool.id)
        assert (rentable or 0) == sum(line.lease is None for line in self.lines)
        await self.world.assert_whole()
        # The next example starts with nothing due.
        for lease in self.leases:
            if lease.state in OPEN:
                await self.world.close_rental(self.buyers[lease.buyer], lease.id)


def test_rentals_and_their_model_agree(database_url: str) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(Database.connect(database_url, connections_max=2))
        RentalMachine.runner = runner
        RentalMachine.world = runner.run(World.create(database, ManualClock(START)))
        try:
            run_state_machine_as_test(
                RentalMachine,
                settings=settings(
                    max_examples=60,
                    stateful_step_count=40,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(database.close())
