"""Activations: a number for one service, its state and its end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from simyard.base.ids import ActivationId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.activations import service as activations
from simyard.core.activations.machine import State
from simyard.core.activations.model import (
    ActivationView,
    ActOnActivation,
    CloseActivation,
    Closed,
    LookAtActivations,
    Order,
    OrderNumber,
)
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.limits.model import Budget
from simyard.core.messages.model import ReceivedMessage
from simyard.edge.dialects.onlinesim import names
from simyard.edge.dialects.onlinesim.fields import Fields, find_lease, idempotency_key
from simyard.edge.dialects.onlinesim.wire import TZID, Amount, DoneLease, Failure, amount, failure, method
from simyard.edge.wire import (
    Action,
    BudgetEach,
    InLane,
    InTransaction,
    NoVerb,
    Parameter,
    WireRequest,
    WireResponse,
    json_response,
)

COUNTRY_DEFAULT: Final = 7
CLOSE_INTERVAL_SECONDS: Final = 5
_WAITING_TEXT: Final = "Waiting for SMS"


# What goes over the wire


class Ordered(msgspec.Struct, kw_only=True):
    """The operation; all but its id only when `number` was asked for."""

    response: Literal[1] = 1
    tzid: int
    number: str | UnsetType = UNSET
    country: int | UnsetType = UNSET
    time: int | UnsetType = UNSET
    service: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    response_text: str | UnsetType = UNSET
    guard_interval_remaining_seconds: int | UnsetType = UNSET


class ListedMessage(msgspec.Struct):
    """An SMS. `msg` is its code or its text, as `message_to_code` says."""

    service: str
    msg: str
    text: str
    code: str


class Operation(msgspec.Struct, kw_only=True):
    """An operation. `msg` is absent until an SMS came; `time` and the guard interval are seconds that remain."""

    tzid: int
    response: str
    service: str
    title: str
    number: str | UnsetType = UNSET
    country: int
    sum: Amount
    time: int
    form: Literal["index"]
    msg: str | list[ListedMessage] | UnsetType = UNSET
    extend: int
    response_text: str
    guard_interval_remaining_seconds: int


# Ordering


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order(OrderNumber):
    """An order, and how its answer is to look."""

    with_number: bool
    guard_seconds: int


def _parse_order(request: WireRequest) -> _Order:
    fields = Fields.of(request)
    service = fields.service()
    country = fields.country(COUNTRY_DEFAULT)
    if country is None:
        raise Refusal(Refused.UNKNOWN_COUNTRY)
    settings = request.settings
    return _Order(
        account_id=request.caller.account_id,
        service_id=service.id,
        country=country.iso2,
        service_label=names.service_slug(service),
        country_label=str(names.country_code(country.iso2)),
        seconds=settings.activation_seconds,
        now=request.now,
        base_currency=settings.base_currency,
        operator_id=fields.operator(country),
        excluded=fields.rejected(country),
        sandbox_seconds=settings.sandbox_sms_seconds,
        idempotency_key=idempotency_key(request),
        with_number=fields.flag("number"),
        guard_seconds=settings.onlinesim_guard_seconds,
    )


def render_order(order: Order, command: _Order, caller: Caller) -> WireResponse:
    tzid = int(order.activation_id)
    if not command.with_number:
        return json_response(Ordered(tzid=tzid))
    service = load_catalog().service_at(command.service_id)
    return json_response(
        Ordered(
            tzid=tzid,
            number=order.msisdn,
            country=names.country_code(command.country),
            time=_seconds_until(order.expires_at, caller.now),
            service=names.service_slug(service),
            title=service.name,
            response_text=_WAITING_TEXT,
            guard_interval_remaining_seconds=_guard(order.ordered_at, command.guard_seconds, caller.now),
        )
    )


def _seconds_until(moment: datetime, now: datetime) -> int:
    return max(0, math.ceil((moment - now).total_seconds()))


def _guard(ordered_at: datetime, guard_seconds: int, now: datetime) -> int:
    return max(0, math.ceil(guard_seconds - (now - ordered_at).total_seconds()))


# Looking

_STATUSES: Final = {
    State.ACQUIRING: ("TZ_INPOOL", "Waiting for a number"),
    State.WAITING: ("TZ_NUM_WAIT", _WAITING_TEXT),
    State.RECEIVED: ("TZ_NUM_ANSWER", "SMS received"),
    State.WAITING_AGAIN: ("TZ_NUM_WAIT", _WAITING_TEXT),
    State.FINISHED: ("TZ_OVER_OK", "Finished"),
    State.CANCELED: ("TZ_OVER_EMPTY", "Finished without an SMS"),
    State.EXPIRED: ("TZ_OVER_EMPTY", "Finished without an SMS"),
    State.FAILED: ("WARNING_NO_NUMS", "No number was found"),
}
_OTHER_KINDS: Final = frozenset({"repeat", "forward"})
_CODE: Final = 1
_TEXT_AND_CODE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look(LookAtActivations):
    """Which operations to show, and how."""

    message_to_code: int
    listed: bool
    newest_first: bool
    guard_seconds: int


def _parse_look(request: WireRequest) -> _Look:
    fields = Fields.of(request)
    lease_id = fields.lease_id_or_none()
    if (fields.text("type") or "").lower() in _OTHER_KINDS:
        # Operations of kinds that are not made any more.
        raise Refusal(Refused.UNKNOWN_LEASE)
    message_to_code = fields.integer("message_to_code") or 0
    return _Look(
        account_id=request.caller.account_id,
        activation_id=None if lease_id is None else ActivationId(lease_id),
        message_to_code=message_to_code,
        # Who wants both text and code reads a list of them, and does not ask for one.
        listed=fields.flag("msg_list", default=message_to_code == _TEXT_AND_CODE),
        newest_first=(fields.text("orderby", "order_by") or "").lower() == "desc",
        guard_seconds=request.settings.onlinesim_guard_seconds,
    )


def render_look(found: tuple[ActivationView, ...], command: _Look, caller: Caller) -> WireResponse:
    if not found:
        return failure("ERROR_NO_OPERATIONS")
    shown = reversed(found) if command.newest_first else found
    return json_response([_operation(one, command, caller.now) for one in shown])


def _operation(view: ActivationView, command: _Look, now: datetime) -> Operation:
    status, status_text = _STATUSES[view.state]
    service = load_catalog().service_at(view.service_id)
    is_open = view.closed_at is None
    waits = view.state in (State.ACQUIRING, State.WAITING)
    return Operation(
        tzid=view.id,
        response=status,
        service=names.service_slug(service),
        title=service.name,
        number=UNSET if view.msisdn is None else view.msisdn,
        country=names.country_code(view.country),
        sum=amount(view.price),
        time=_seconds_until(view.expires_at, now) if is_open else 0,
        form="index",
        extend=0,
        response_text=status_text,
        guard_interval_remaining_seconds=_guard(view.ordered_at, command.guard_seconds, now) if waits else 0,
        msg=_msg(view, command, names.service_slug(service)),
    )


def _msg(view: ActivationView, command: _Look, slug: str) -> str | list[ListedMessage] | UnsetType:
    """Absent while there is none: clients take null for the end of their waiting."""
    if not view.messages:
        return UNSET
    if not command.listed:
        return _said(view.messages[0], command.message_to_code)
    return [
        ListedMessage(slug, _said(one, command.message_to_code), one.text or "", one.code or "")
        for one in view.messages
    ]


def _said(message: ReceivedMessage, message_to_code: int) -> str:
    """The code or the text; each where the other is not there, so that a message is never taken for none."""
    text, code = message.text or "", message.code or ""
    return (code or text) if message_to_code == _CODE else (text or code)


# Acting


def _parse_revise(request: WireRequest) -> ActOnActivation:
    lease_id = ActivationId(Fields.of(request).lease_id())
    return ActOnActivation(request.caller.account_id, lease_id, request.now)


def _render_revise(_: None, command: ActOnActivation, __: Caller) -> WireResponse:
    return json_response(DoneLease(tzid=command.activation_id))


def _parse_close(request: WireRequest) -> CloseActivation:
    fields = Fields.of(request)
    return CloseActivation(
        account_id=request.caller.account_id,
        activation_id=ActivationId(fields.lease_id()),
        now=request.now,
        locked_seconds=request.settings.onlinesim_guard_seconds,
        ban=fields.flag("ban"),
    )


def _render_close(closed: Closed, _: CloseActivation, __: Caller) -> WireResponse:
    return json_response(DoneLease(tzid=closed.activation_id))


# Gone


def _nothing(request: WireRequest) -> None:
    return None


def _gone(summary: str, word: str) -> Action:
    return Action(
        summary,
        Scope.READ,
        _nothing,
        NoVerb(),
        lambda _, __, ___: failure(word),
        Failure,
    )


METHODS: Final = {
    **method(
        "getNum",
        Action(
            "Order a number for one service",
            Scope.ORDER,
            _parse_order,
            InLane(lambda lanes: lanes.order),
            render_order,
            Ordered,
            parameters=(
                Parameter("service", "A slug from getTariffs.", required=True),
                Parameter("country", "Dialling code; 7 when left out.", "integer"),
                Parameter("number", "Answer with the number, not with the id alone.", "boolean"),
                Parameter("simoperator", "A mobile operator's name, or any."),
                Parameter("reject", "Prefixes of national numbers to avoid: a list, or separated by commas."),
            ),
            refuses=(
                Refused.MALFORMED,
                Refused.UNKNOWN_SERVICE,
                Refused.UNKNOWN_COUNTRY,
                Refused.IDEMPOTENCY_KEY_REUSED,
                Refused.SERVICE_PROHIBITED,
                Refused.NOT_PRICED,
                Refused.NO_RATE,
                Refused.INSUFFICIENT_FUNDS,
                Refused.NO_NUMBERS,
            ),
        ),
    ),
    **method(
        "getState",
        Action(
            "What came for operations: one, or all that are open",
            Scope.READ,
            _parse_look,
            InLane(lambda lanes: lanes.look),
            render_look,
            list[Operation],
            parameters=(
                Parameter("tzid", "The operation's id; all open ones when left out.", "integer"),
                Parameter("message_to_code", "1: only the code; 0: the whole text; 2: both.", "integer"),
                Parameter("orderby", "asc, or desc for the newest operation first."),
                Parameter("msg_list", "1: every message that was not revised, in a list.", "integer"),
            ),
            refuses=(Refused.MALFORMED, Refused.UNKNOWN_LEASE),
        ),
    ),
    **method(
        "setOperationRevise",
        Action(
            "Drop the message and wait for the next",
            Scope.ORDER,
            _parse_revise,
            InTransaction(activations.request_next),
            _render_revise,
            DoneLease,
            parameters=(TZID,),
            refuses=(Refused.MALFORMED, Refused.UNKNOWN_LEASE, Refused.LEASE_CLOSED),
        ),
    ),
    **method(
        "setOperationOk",
        Action(
            "Be done with an operation: its price comes back when no SMS came",
            Scope.ORDER,
            _parse_close,
            InTransaction(activations.close),
            _render_close,
            DoneLease,
            parameters=(TZID, Parameter("ban", "1: never give me this number again.", "integer")),
            refuses=(Refused.MALFORMED, Refused.UNKNOWN_LEASE, Refused.TOO_EARLY),
            budget=Budget("onlinesim/setOperationOk", 1, CLOSE_INTERVAL_SECONDS),
            budget_each=BudgetEach("operation", find_lease),
        ),
    ),
    **method("getService", _gone("Services that can be repeated: none", "ERROR_NO_SERVICE_REPEAT")),
    **method("getServiceNumber", _gone("Numbers that can be repeated: none", "SERVICE_TO_NUMBER_EMPTY")),
    **method("getNumRepeat", _gone("Receive on a number once more: not offered", "REQUEST_NOT_FOUND")),
}
