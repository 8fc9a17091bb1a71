"""The life of an activation as a table; each row shows what happens to the money."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    ACQUIRING = "acquiring"
    WAITING = "waiting"
    RECEIVED = "received"
    WAITING_AGAIN = "waiting_again"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    FINISHED = "finished"


class Event(StrEnum):
    NUMBER_CAME = "number_came"
    NUMBER_REFUSED = "number_refused"
    SMS_ARRIVED = "sms_arrived"
    NEXT_REQUESTED = "next_requested"
    NEXT_WAS_QUEUED = "next_was_queued"
    CANCELED = "canceled"
    FINISHED = "finished"
    TIME_RAN_OUT = "time_ran_out"


class MoneyMove(StrEnum):
    NONE = "none"
    CAPTURE = "capture"
    RELEASE = "release"


class Step(NamedTuple):
    to: State
    money: MoneyMove


TABLE: dict[tuple[State, Event], Step] = {
    (State.ACQUIRING, Event.NUMBER_CAME): Step(State.WAITING, MoneyMove.NONE),
    (State.ACQUIRING, Event.NUMBER_REFUSED): Step(State.FAILED, MoneyMove.RELEASE),
    (State.WAITING, Event.SMS_ARRIVED): Step(State.RECEIVED, MoneyMove.CAPTURE),
    (State.WAITING, Event.CANCELED): Step(State.CANCELED, MoneyMove.RELEASE),
    (State.WAITING, Event.TIME_RAN_OUT): Step(State.EXPIRED, MoneyMove.RELEASE),
    (State.RECEIVED, Event.SMS_ARRIVED): Step(State.RECEIVED, MoneyMove.NONE),
    # The buyer dismissed his only message.
    (State.RECEIVED, Event.NEXT_REQUESTED): Step(State.WAITING_AGAIN, MoneyMove.NONE),
    # He dismissed a message, and another had come already.
    (State.RECEIVED, Event.NEXT_WAS_QUEUED): Step(State.RECEIVED, MoneyMove.NONE),
    (State.RECEIVED, Event.FINISHED): Step(State.FINISHED, MoneyMove.NONE),
    (State.RECEIVED, Event.TIME_RAN_OUT): Step(State.FINISHED, MoneyMove.NONE),
    (State.WAITING_AGAIN, Event.SMS_ARRIVED): Step(State.RECEIVED, MoneyMove.NONE),
    (State.WAITING_AGAIN, Event.CANCELED): Step(State.FINISHED, MoneyMove.NONE),
    (State.WAITING_AGAIN, Event.FINISHED): Step(State.FINISHED, MoneyMove.NONE),
    (State.WAITING_AGAIN, Event.TIME_RAN_OUT): Step(State.FINISHED, MoneyMove.NONE),
}

OPEN = frozenset({State.ACQUIRING, State.WAITING, State.RECEIVED, State.WAITING_AGAIN})
AWAITING_SMS = frozenset({State.WAITING, State.RECEIVED, State.WAITING_AGAIN})


def step(state: State, event: Event) -> Step | None:
    """What follows, or None when the event means nothing in this state."""
    return TABLE.get((state, event))
