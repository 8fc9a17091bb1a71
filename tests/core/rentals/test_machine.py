"""The table of a rental's life: every pair of state and event, walked one by one."""

from __future__ import annotations

import itertools

import pytest

from simyard.core.rentals import machine
from simyard.core.rentals.machine import Event, MoneyMove, State, Step, Strikes

# The table of the design, written down a second time.
EXPECTED: dict[tuple[State, Event], tuple[State, MoneyMove, Strikes]] = {
    (State.ACQUIRING, Event.NUMBER_CAME): (State.WAITING, MoneyMove.NONE, Strikes.KEEP),
    (State.ACQUIRING, Event.NUMBER_REFUSED): (State.FAILED, MoneyMove.RELEASE, Strikes.KEEP),
    (State.WAITING, Event.SMS_ARRIVED): (State.ACTIVE, MoneyMove.CAPTURE, Strikes.KEEP),
    (State.WAITING, Event.CLOSED): (State.CANCELED, MoneyMove.RELEASE, Strikes.KEEP),
    (State.WAITING, Event.CONFIRMATION_RAN_OUT): (State.EXPIRED, MoneyMove.RELEASE, Strikes.ADD),
    (State.ACTIVE, Event.SMS_ARRIVED): (State.ACTIVE, MoneyMove.NONE, Strikes.KEEP),
    (State.ACTIVE, Event.EXTENDED): (State.ACTIVE, MoneyMove.CHARGE, Strikes.KEEP),
    (State.ACTIVE, Event.CLOSED): (State.ENDED, MoneyMove.SETTLE, Strikes.CLEAR),
    (State.ACTIVE, Event.TIME_RAN_OUT): (State.ENDED, MoneyMove.SETTLE, Strikes.CLEAR),
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_is_in_the_table_as_designed_or_refused(state: State, event: Event) -> None:
    expected = EXPECTED.get((state, event))
    assert machine.step(state, event) == (None if expected is None else Step(*expected))


@pytest.mark.parametrize("state", sorted(set(State) - machine.OPEN))
def test_nothing_happens_to_a_closed_rental(state: State) -> None:
    assert all(machine.step(state, event) is None for event in Event)


def test_every_state_can_be_reached() -> None:
    assert {step.to for step in machine.TABLE.values()} | {State.ACQUIRING} == set(State)


def test_money_ends_where_it_belongs_on_every_way_through_the_table() -> None:
    """What is held is captured or released before a rental closes; what is captured or charged is settled."""
    ways, known = [(State.ACQUIRING, "held")], {(State.ACQUIRING, "held")}
    after = {
        ("held", MoneyMove.NONE): "held",
        ("held", MoneyMove.CAPTURE): "escrow",
        ("held", MoneyMove.RELEASE): "back",
        ("escrow", MoneyMove.NONE): "escrow",
        ("escrow", MoneyMove.CHARGE): "escrow",
        ("escrow", MoneyMove.SETTLE): "divided",
    }
    while ways:
        state, money = ways.pop()
        if state not in machine.OPEN:
            assert money in ("back", "divided"), f"{state} is reached with the money {money}"
        for (source, _), step in machine.TABLE.items():
            if source is state:
                reached = (step.to, after[money, step.money])
                if reached not in known:
                    known.add(reached)
                    ways.append(reached)


@pytest.mark.parametrize(
    ("state", "event"),
    [(State.WAITING, Event.CONFIRMATION_RAN_OUT), (State.ACTIVE, Event.TIME_RAN_OUT)],
)
def test_whatever_is_open_ends_by_itself(state: State, event: Event) -> None:
    step = machine.step(state, event)
    assert step is not None
    assert step.to not in machine.OPEN
