"""The whole life of leases against a small model: whatever is done in whatever order, both agree on every row."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from dataclasses import dataclass, field
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
from simyard.base.ids import AccountId, ActivationId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations.machine import State
from simyard.core.activations.model import LookAtActivations, Order
from simyard.core.messages.model import Fate, Receipt
from simyard.db.database import Database
from tests.conftest import START
from tests.world import World, code_text, micros

Result = TypeVar("Result")

PRICES: Final = {"whatsapp": micros("1"), "telegram": micros("0.333333"), "signal": micros("0.0001")}
CHARGED: Final = {"whatsapp": micros("1"), "telegram": micros("0.3334"), "signal": micros("0.0001")}
SLUGS: Final = sorted(PRICES)
NUMBERS: Final = 4
BUYERS: Final = 2
NO_CODE: Final = "Welcome to {}! {}"
ALWAYS_SECONDS: Final = 10**9
REPEAT_SECONDS: Final = 120
SHARE: Final = 7000
REFERRED: Final = (500, 4000)
"""What each buyer's referrer gets, in basis points: the second's is more than the margin. He is paid in euros."""
EURO: Final = "0.9"
WAITS: Final = (State.WAITING, State.RECEIVED, State.WAITING_AGAIN)


@dataclass
class Line:
    """A number as the model knows it. Its turn tells its place in the queue."""

    msisdn: str
    turn: tuple[int, int]
    listed: bool = True
    used: set[str] = field(default_factory=set)
    lease: Lease | None = None


@dataclass
class Lease:
    id: ActivationId
    buyer: int
    slug: str
    line: Line
    ordered_at: float
    expires_at: float
    state: State = State.WAITING
    code: str | None = None
    messages: int = 0
    queue: list[str | None] = field(default_factory=list)
    """The codes of messages that were not dismissed."""

    def read(self) -> str | None:
        return next((code for code in self.queue if code is not None), None)


@dataclass
class Sent:
    """The latest SMS, to be sent again."""

    line: Line
    text: str
    lease: Lease
    at: float
    first: Receipt


class LeaseMachine(RuleBasedStateMachine):
    """Every example has a pool, buyers and numbers of its own in one shared database."""

    runner: ClassVar[asyncio.Runner]
    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.began = self.world.clock.now()
        self.leases: list[Lease] = []
        self.sent: Sent | None = None
        self.codes = 100_000
        self.turns = 0
        self.money = [micros("3"), micros("0.5")]
        self.held = [0] * BUYERS
        self.earned = 0
        self.income = [0] * BUYERS
        self.banned: list[set[str]] = [set() for _ in range(BUYERS)]
        self.run(self.set_up())

    def run(self, doing: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(doing)

    def refused(self, doing: Coroutine[Any, Any, object]) -> Refusal | None:
        try:
            self.run(doing)
        except Refusal as refusal:
            return refusal
        return None

    async def set_up(self) -> None:
        world = self.world
        self.supplier = await world.add_supplier()
        self.pool = await world.add_direct_pool(self.supplier, share_basis_points=SHARE)
        for slug, price in PRICES.items():
            await world.set_price(slug, f"0.{price:06d}" if price < micros("1") else "1", pool=self.pool)
        self.lines = [Line(msisdn, (0, place)) for place, msisdn in enumerate(world.msisdns(NUMBERS))]
        await self.report()
        self.buyers: list[AccountId] = [await world.add_buyer("3"), await world.add_buyer("0.5")]
        self.referrers = [await world.add_buyer("0"), await world.add_buyer("0", "EUR")]
        for referrer, buyer, share in zip(self.referrers, self.buyers, REFERRED, strict=True):
            await world.refer(referrer, buyer, share_basis_points=share)

    async def report(self) -> None:
        listed = [line.msisdn for line in self.lines if line.listed]
        await self.world.report(self.supplier, listed, online_seconds=ALWAYS_SECONDS)

    def now(self) -> float:
        return (self.world.clock.now() - self.began).total_seconds()

    def next_code(self) -> str:
        self.codes += 1
        return str(self.codes)

    # Ordering

    def expect_order(self, buyer: int, slug: str, price_max: int | None) -> Line | Refused:
        price = CHARGED[slug]
        if price_max is not None and price > price_max:
            return Refused.PRICE_TOO_HIGH
        if self.money[buyer] < price:
            return Refused.INSUFFICIENT_FUNDS
        free = [
            line
            for line in self.lines
            if line.listed
            and line.lease is None
            and slug not in line.used
            and line.msisdn not in self.banned[buyer]
        ]
        return min(free, key=lambda line: line.turn) if free else Refused.NO_NUMBERS

    @rule(
        buyer=st.integers(0, BUYERS - 1),
        slug=st.sampled_from(SLUGS),
        seconds=st.sampled_from([60, 600]),
        price_max=st.sampled_from([None, None, micros("0.5")]),
    )
    def order(self, buyer: int, slug: str, seconds: int, price_max: int | None) -> None:
        expected = self.expect_order(buyer, slug, price_max)
        command = self.world.order_command(
            self.buyers[buyer],
            slug,
            pool=self.pool,
            seconds=seconds,
            price_max="0.5" if price_max else None,
        )
        (result,) = self.run(self.world.order_batch([command]))
        if isinstance(result, Refusal):
            assert result.reason is expected
        else:
            assert isinstance(expected, Line), (expected, result)
            self.lease(result, buyer, slug, expected, seconds)
            assert result.available == self.money[buyer]

    @rule(
        wishes=st.lists(st.tuples(st.integers(0, BUYERS - 1), st.sampled_from(SLUGS)), min_size=2, max_size=5)
    )
    def order_together(self, wishes: list[tuple[int, str]]) -> None:
        """Which wish of a batch gets which number is the batch's own affair; that it gets one it may have is not."""
        commands = [
            self.world.order_command(self.buyers[buyer], slug, pool=self.pool, seconds=600)
            for buyer, slug in wishes
        ]
        refused: list[tuple[int, str, Refused]] = []
        for (buyer, slug), result in zip(wishes, self.run(self.world.order_batch(commands)), strict=True):
            if isinstance(result, Refusal):
                refused.append((buyer, slug, result.reason))
                continue
            line = next(line for line in self.lines if line.msisdn == result.msisdn)
            assert line.listed
            assert line.lease is None
            assert slug not in line.used
            assert line.msisdn not in self.banned[buyer]
            assert self.money[buyer] >= CHARGED[slug]
            self.lease(result, buyer, slug, line, 600)
        for buyer, slug, reason in refused:
            # Nothing it could have had was left over.
            expected = self.expect_order(buyer, slug, None)
            assert not isinstance(expected, Line), (slug, expected)
            assert reason in {Refused.INSUFFICIENT_FUNDS, Refused.NO_NUMBERS}

    def lease(self, order: Order, buyer: int, slug: str, line: Line, seconds: int) -> None:
        assert (order.msisdn, order.price) == (line.msisdn, CHARGED[slug])
        lease = Lease(order.activation_id, buyer, slug, line, self.now(), self.now() + seconds)
        self.leases.append(lease)
        line.lease = lease
        line.used.add(slug)
        self.money[buyer] -= order.price
        self.held[buyer] += order.price

    # Messages

    @rule(
        place=st.integers(0, NUMBERS - 1),
        slug=st.sampled_from(SLUGS),
        coded=st.sampled_from([True, True, False]),
    )
    def receive(self, place: int, slug: str, coded: bool) -> None:
        line, code = self.lines[place], self.next_code()
        text = code_text(slug, code) if coded else NO_CODE.format(slug, "x" * (self.codes - 100_000))
        receipt = self.run(self.world.receive(self.supplier, line.msisdn, text))
        lease = line.lease
        if lease is None:
            assert receipt == Receipt(Fate.NO_LEASE)
            return
        self.sent = Sent(line, text, lease, self.now(), receipt)
        if lease.slug != slug:
            # Signal's name is a word as well: without a code nobody can tell.
            assert receipt == Receipt(Fate.OTHER_SERVICE if coded or slug != "signal" else Fate.UNRECOGNISED)
            return
        assert receipt == Receipt(Fate.DELIVERED, lease.id)
        if lease.state is State.WAITING:
            price = CHARGED[slug]
            self.held[lease.buyer] -= price
            earning = round(price * SHARE / 10_000)
            self.earned += earning
            paid = min(price * REFERRED[lease.buyer] // 10_000, price - earning)
            self.income[lease.buyer] += paid if lease.buyer == 0 else paid * 9 // 10
        lease.queue.append(code if coded else None)
        lease.code = lease.read()
        lease.state = State.RECEIVED
        lease.messages += 1

    @precondition(lambda self: self.sent is not None)
    @rule()
    def receive_again(self) -> None:
        sent = self.sent
        assert sent is not None
        if sent.line.lease is not sent.lease or self.now() - sent.at > REPEAT_SECONDS:
            return
        receipt = self.run(self.world.receive(self.supplier, sent.line.msisdn, sent.text))
        # Who asks again about what was turned away is told the same again.
        delivered = sent.first.fate is Fate.DELIVERED
        assert receipt == (Receipt(Fate.REPEATED, sent.lease.id) if delivered else sent.first)

    # Acting

    def pick(self, place: int) -> Lease:
        """The younger leases more often than the old."""
        return self.leases[-1 - place % len(self.leases)]

    @precondition(lambda self: self.leases)
    @rule(place=st.integers(0, 5), locked=st.sampled_from([0, 0, 45]))
    def cancel(self, place: int, locked: int) -> None:
        lease = self.pick(place)
        refusal = self.refused(self.world.cancel(self.buyers[lease.buyer], lease.id, locked_seconds=locked))
        age = self.now() - lease.ordered_at
        if lease.messages and lease.state is not State.WAITING_AGAIN:
            assert refusal is not None
            assert (refusal.reason, refusal.facts["code"]) == (Refused.CODE_RECEIVED, lease.code)
        elif lease.state not in WAITS:
            assert refusal is not None
            assert refusal.reason is Refused.LEASE_CLOSED
            assert refusal.facts["available"] == self.money[lease.buyer]
        elif lease.state is State.WAITING and age < locked and self.now() < lease.expires_at:
            assert refusal is not None
            assert refusal.facts == {"seconds": math.ceil(locked - age)}
        else:
            assert refusal is None
            self.close([(lease, State.CANCELED if lease.state is State.WAITING else State.FINISHED)])

    @precondition(lambda self: self.leases)
    @rule(place=st.integers(0, 5))
    def finish(self, place: int) -> None:
        lease = self.pick(place)
        refusal = self.refused(self.world.finish(self.buyers[lease.buyer], lease.id))
        if lease.state in (State.RECEIVED, State.WAITING_AGAIN):
            assert refusal is None
            self.close([(lease, State.FINISHED)])
        else:
            assert refusal is not None
            assert refusal.reason is Refused.LEASE_CLOSED

    @precondition(lambda self: self.leases)
    @rule(place=st.integers(0, 5))
    def request_next(self, place: int) -> None:
        lease = self.pick(place)
        refusal = self.refused(self.world.request_next(self.buyers[lease.buyer], lease.id))
        if lease.state is State.RECEIVED:
            assert refusal is None
            lease.queue.pop(0)
            if lease.queue:
                lease.code = lease.read()
            else:
                lease.state = State.WAITING_AGAIN
        elif lease.state is State.WAITING_AGAIN:
            assert refusal is None
        else:
            assert refusal is not None
            assert refusal.reason is Refused.LEASE_CLOSED

    @precondition(lambda self: self.leases)
    @rule(place=st.integers(0, 5), locked=st.sampled_from([0, 0, 45]), ban=st.booleans())
    def be_done_with(self, place: int, locked: int, ban: bool) -> None:
        lease = self.pick(place)
        buyer = self.buyers[lease.buyer]
        age = self.now() - lease.ordered_at
        if lease.state is State.WAITING and age < locked and self.now() < lease.expires_at:
            refusal = self.refused(self.world.close(buyer, lease.id, locked_seconds=locked, ban=ban))
            assert refusal is not None
            assert (refusal.reason, refusal.facts) == (
                Refused.TOO_EARLY,
                {"seconds": math.ceil(locked - age)},
            )
            return
        closed = self.run(self.world.close(buyer, lease.id, locked_seconds=locked, ban=ban))
        if ban:
            self.banned[lease.buyer].add(lease.line.msisdn)
        if lease.state in WAITS:
            self.close([(lease, State.CANCELED if lease.state is State.WAITING else State.FINISHED)])
        assert (closed.state, closed.available) == (lease.state, self.money[lease.buyer])
        assert closed.refunded == (0 if lease.messages else CHARGED[lease.slug])

    def close(self, closing: list[tuple[Lease, State]]) -> None:
        """All in one transaction: among themselves the numbers queue up in the order of their ids."""
        self.turns += 1
        for lease, state in closing:
            if lease.state is State.WAITING:
                self.money[lease.buyer] += CHARGED[lease.slug]
                self.held[lease.buyer] -= CHARGED[lease.slug]
            lease.state = state
            lease.line.lease = None
            lease.line.turn = (self.turns, self.lines.index(lease.line))

    # Time, money, lists

    @rule(seconds=st.sampled_from([0.5, 30, 60, 600]))
    def turn_clock(self, seconds: float) -> None:
        self.world.clock.turn(seconds)

    @rule()
    def expire(self) -> None:
        due = [lease for lease in self.leases if lease.state in WAITS and lease.expires_at <= self.now()]
        assert self.run(self.world.expire()) == len(due)
        self.close(
            [(lease, State.EXPIRED if lease.state is State.WAITING else State.FINISHED) for lease in due]
        )

    @rule(buyer=st.integers(0, BUYERS - 1))
    def deposit(self, buyer: int) -> None:
        self.money[buyer] += micros("0.7")
        balance = self.run(self.world.deposit(self.buyers[buyer], "0.7"))
        assert (balance.available, balance.held) == (self.money[buyer], self.held[buyer])

    @rule(place=st.integers(0, NUMBERS - 1))
    def list_or_unlist(self, place: int) -> None:
        line = self.lines[place]
        line.listed = not line.listed
        self.run(self.report())
        if line.listed:
            self.turns += 1
            if line.lease is None:
                line.turn = (self.turns, place)

    # What must agree after every step

    @invariant()
    def money_agrees(self) -> None:
        for buyer in range(BUYERS):
            balance = self.run(self.world.balance(self.buyers[buyer]))
            assert (balance.available, balance.held) == (self.money[buyer], self.held[buyer])
        assert self.run(self.world.balance(self.supplier)).available == self.earned

    @invariant()
    def leases_agree(self) -> None:
        rows = self.run(
            self.world.rows(
                "SELECT id, msisdn, state, code, messages FROM activation WHERE pool_id = $1 ORDER BY id",
                self.pool.id,
            )
        )
        expected = sorted(
            (lease.id, lease.line.msisdn, lease.state.value, lease.code, lease.messages)
            for lease in self.leases
        )
        assert rows == expected

    @invariant()
    def what_is_shown_agrees(self) -> None:
        looked = self.run(self.world.look_batch([LookAtActivations(buyer) for buyer in self.buyers]))
        for buyer, views in enumerate(looked):
            assert not isinstance(views, Refusal)
            shown = [
                (view.id, view.state, view.code, [message.code for message in view.messages])
                for view in views
            ]
            mine = [lease for lease in self.leases if lease.buyer == buyer and lease.state in WAITS]
            assert shown == sorted((lease.id, lease.state, lease.code, lease.queue) for lease in mine)

    @invariant()
    def numbers_agree(self) -> None:
        rows = self.run(
            self.world.rows(
                "SELECT msisdn, listed, lease_id, available FROM number WHERE pool_id = $1 ORDER BY id",
                self.pool.id,
            )
        )
        assert rows == [
            (
                line.msisdn,
                line.listed,
                line.lease.id if line.lease else None,
                line.listed and line.lease is None,
            )
            for line in self.lines
        ]

    def teardown(self) -> None:
        self.run(self.check_stock_and_books())

    async def check_stock_and_books(self) -> None:
        await self.world.take_stock()
        for slug in SLUGS:
            free = sum(line.listed and line.lease is None and slug not in line.used for line in self.lines)
            assert await self.world.stock(slug, self.pool) == free
        assert [await self.world.referral_income(one) for one in self.referrers] == self.income
        await self.world.assert_whole()
        # The next example starts with nothing due.
        self.world.clock.turn(1000)
        while await self.world.expire():
            pass


def test_leases_and_their_model_agree(database_url: str) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(Database.connect(database_url, connections_max=2))
        LeaseMachine.runner = runner
        LeaseMachine.world = runner.run(World.create(database, ManualClock(START)))
        runner.run(LeaseMachine.world.set_rate("EUR", EURO))
        try:
            run_state_machine_as_test(
                LeaseMachine,
                settings=settings(
                    max_examples=100,
                    stateful_step_count=40,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(database.close())
