"""The table of an activation's life: every pair of state and event, walked one by one."""

from __future__ import annotations

import itertools

import pytest

from simyard.core.activations import machine
from simyard.core.activations.machine import Event, MoneyMove, State, Step

# The table of the design, written down a second time.
EXPECTED: dict[tuple[State, Event], tuple[State, MoneyMove]] = {
    (State.ACQUIRING, Event.NUMBER_CAME): (State.WAITING, MoneyMove.NONE),
    (State.ACQUIRING, Event.NUMBER_REFUSED): (State.FAILED, MoneyMove.RELEASE),
    (State.WAITING, Event.SMS_ARRIVED): (State.RECEIVED, MoneyMove.CAPTURE),
    (State.WAITING, Event.CANCELED): (State.CANCELED, MoneyMove.RELEASE),
    (State.WAITING, Event.TIME_RAN_OUT): (State.EXPIRED, MoneyMove.RELEASE),
    (State.RECEIVED, Event.SMS_ARRIVED): (State.RECEIVED, MoneyMove.NONE),
    (State.RECEIVED, Event.NEXT_REQUESTED): (State.WAITING_AGAIN, MoneyMove.NONE),
    (State.RECEIVED, Event.NEXT_WAS_QUEUED): (State.RECEIVED, MoneyMove.NONE),
    (State.RECEIVED, Event.FINISHED): (State.FINISHED, MoneyMove.NONE),
    (State.RECEIVED, Event.TIME_RAN_OUT): (State.FINISHED, MoneyMove.NONE),
    (State.WAITING_AGAIN, Event.SMS_ARRIVED): (State.RECEIVED, MoneyMove.NONE),
    (State.WAITING_AGAIN, Event.CANCELED): (State.FINISHED, MoneyMove.NONE),
    (State.WAITING_AGAIN, Event.FINISHED): (State.FINISHED, MoneyMove.NONE),
    (State.WAITING_AGAIN, Event.TIME_RAN_OUT): (State.FINISHED, MoneyMove.NONE),
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_is_in_the_table_as_designed_or_refused(state: State, event: Event) -> None:
    expected = EXPECTED.get((state, event))
    assert machine.step(state, event) == (None if expected is None else Step(*expected))


@pytest.mark.parametrize("state", sorted(set(State) - machine.OPEN))
def test_nothing_happens_to_a_closed_activation(state: State) -> None:
    assert all(machine.step(state, event) is None for event in Event)


def test_money_moves_once_on_every_way_through_the_table() -> None:
    """Whatever happens to an activation, its hold is captured or released exactly once before it is closed."""
    start = (State.ACQUIRING, False)
    ways, known = [start], {start}
    while ways:
        state, moved = ways.pop()
        if state not in machine.OPEN:
            assert moved, f"{state} is reached with the money still held"
        for (source, _), step in machine.TABLE.items():
            if source is not state:
                continue
            moves = step.money is not MoneyMove.NONE
            assert not (moves and moved), f"the money of {source} moves twice"
            reached = (step.to, moved or moves)
            if reached not in known:
                known.add(reached)
                ways.append(reached)


def test_every_state_can_be_reached() -> None:
    assert {step.to for step in machine.TABLE.values()} | {State.ACQUIRING} == set(State)


def test_every_state_that_awaits_sms_takes_one() -> None:
    assert {state for state in State if machine.step(state, Event.SMS_ARRIVED)} == machine.AWAITING_SMS


def test_whatever_waits_for_sms_ends_when_its_time_runs_out() -> None:
    for state in machine.AWAITING_SMS:
        step = machine.step(state, Event.TIME_RAN_OUT)
        assert step is not None
        assert step.to not in machine.OPEN
