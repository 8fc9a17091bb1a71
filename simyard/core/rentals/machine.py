"""The life of a rental as a table; each row shows what happens to the money, and what its end says of the number."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    ACQUIRING = "acquiring"
    """For its number, which lies with somebody else."""
    WAITING = "waiting"
    """For the first SMS, which shows that the number works."""
    ACTIVE = "active"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    ENDED = "ended"


class Event(StrEnum):
    NUMBER_CAME = "number_came"
    NUMBER_REFUSED = "number_refused"
    SMS_ARRIVED = "sms_arrived"
    CLOSED = "closed"
    CONFIRMATION_RAN_OUT = "confirmation_ran_out"
    EXTENDED = "extended"
    TIME_RAN_OUT = "time_ran_out"


class MoneyMove(StrEnum):
    NONE = "none"
    CAPTURE = "capture"
    """What was held goes into escrow: paid, not divided yet."""
    RELEASE = "release"
    CHARGE = "charge"
    """Another period's price goes into escrow."""
    SETTLE = "settle"
    """What lies in escrow is divided between the platform and the supplier."""


class Strikes(StrEnum):
    """What an end does to the number's count of rentals in a row without a first SMS."""

    KEEP = "keep"
    ADD = "add"
    CLEAR = "clear"


class Step(NamedTuple):
    to: State
    money: MoneyMove
    strikes: Strikes = Strikes.KEEP


TABLE: dict[tuple[State, Event], Step] = {
    (State.ACQUIRING, Event.NUMBER_CAME): Step(State.WAITING, MoneyMove.NONE),
    (State.ACQUIRING, Event.NUMBER_REFUSED): Step(State.FAILED, MoneyMove.RELEASE),
    (State.WAITING, Event.SMS_ARRIVED): Step(State.ACTIVE, MoneyMove.CAPTURE),
    # Its buyer did not give the number the time it has, so that he gave it back says nothing of it.
    (State.WAITING, Event.CLOSED): Step(State.CANCELED, MoneyMove.RELEASE),
    (State.WAITING, Event.CONFIRMATION_RAN_OUT): Step(State.EXPIRED, MoneyMove.RELEASE, Strikes.ADD),
    (State.ACTIVE, Event.SMS_ARRIVED): Step(State.ACTIVE, MoneyMove.NONE),
    (State.ACTIVE, Event.EXTENDED): Step(State.ACTIVE, MoneyMove.CHARGE),
    (State.ACTIVE, Event.CLOSED): Step(State.ENDED, MoneyMove.SETTLE, Strikes.CLEAR),
    (State.ACTIVE, Event.TIME_RAN_OUT): Step(State.ENDED, MoneyMove.SETTLE, Strikes.CLEAR),
}

OPEN = frozenset({State.ACQUIRING, State.WAITING, State.ACTIVE})


def step(state: State, event: Event) -> Step | None:
    """What follows, or None when the event means nothing in this state."""
    return TABLE.get((state, event))
