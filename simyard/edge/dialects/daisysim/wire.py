"""What both versions of DaisySIM read and write in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw

from simyard.base import money
from simyard.base.ids import ID_MAX, AccountId, ActivationId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations.machine import State
from simyard.core.activations.model import Activation, ActivationPage, HistoryFilter, ListActivations
from simyard.edge.wire import Parameter, Row, WireRequest, WireResponse, json_response

PER_PAGE_DEFAULT = 20
PER_PAGE_MAX = 100
PAGE_MAX = 1_000_000
LABEL_LENGTH_MAX = 200
IDEMPOTENCY_KEY_LENGTH_MAX = 255
PRICE_PLACES = 4

Amount = Annotated[Raw, Meta(extra_json_schema={"type": "number", "description": "Up to four decimals."})]


# What goes over the wire


class Failure(msgspec.Struct, kw_only=True):
    """Every error."""

    success: bool = False
    error: str
    code: str


class HistoryItem(msgspec.Struct):
    activation_id: str
    phone_number: str | None
    service: str
    country: str
    status: str
    code: str | None
    amount_charged: Amount
    created_at: str
    completed_at: str | None


class Pagination(msgspec.Struct):
    current_page: int
    per_page: int
    total: int
    last_page: int


class HistoryData(msgspec.Struct):
    orders: list[HistoryItem]
    pagination: Pagination


HISTORY_PARAMETERS = (
    Parameter("status", "completed, waiting or cancelled"),
    Parameter("page", "From 1.", "integer"),
    Parameter("per_page", "20 when left out, 100 at most.", "integer"),
)


# Reading


def read_fields(body: bytes) -> dict[str, Any]:
    """The body's fields. Refuses: MALFORMED when it is not a JSON object."""
    if not body.strip():
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(Refused.MALFORMED, problem="The request body must be a JSON object.") from error


def read_text(value: object) -> str | None:
    """A field that should be a string; numbers are taken too, as the vendor's clients send some."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return _clean(str(value)) or None


def read_label(value: object, default: str, field: str) -> str:
    """The buyer's own name for something. Refuses: MALFORMED when it is no text, or too long."""
    if value is None or value == "":
        return default
    if not isinstance(value, str):
        raise Refusal(Refused.MALFORMED, problem=f"The {field} field must be a string.")
    if len(value) > LABEL_LENGTH_MAX:
        raise Refusal(
            Refused.MALFORMED, problem=f"The {field} field may have {LABEL_LENGTH_MAX} characters at most."
        )
    return _clean(value) or default


def _clean(given: str) -> str:
    return "".join(letter for letter in given if letter.isprintable()).strip()


def read_activation_id(value: object) -> ActivationId | None:
    """An id written as we write ids, which is how an answer repeats it."""
    digits = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not (digits.isascii() and digits.isdigit() and digits[0] != "0" and len(digits) <= len(str(ID_MAX))):
        return None
    return ActivationId(int(digits)) if int(digits) <= ID_MAX else None


def path_activation_id(request: WireRequest) -> ActivationId:
    """The id in the path. Refuses: UNKNOWN_LEASE for what can be none."""
    found = read_activation_id(request.value)
    if found is None:
        raise Refusal(Refused.UNKNOWN_LEASE)
    return found


def account_of(request: WireRequest) -> AccountId:
    return request.caller.account_id


def read_idempotency_key(request: WireRequest) -> str | None:
    """Refuses: MALFORMED."""
    key = request.header(b"idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_LENGTH_MAX or not key.isprintable():
        problem = f"The Idempotency-Key must have 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} printable characters."
        raise Refusal(Refused.MALFORMED, problem=problem)
    return key


def parse_history(request: WireRequest) -> ListActivations:
    """Refuses: MALFORMED."""
    query = request.query
    status = query.get("status")
    chosen = None
    if status:
        chosen = _FILTERS.get(status.lower())
        if chosen is None:
            problem = "The status must be completed, waiting or cancelled."
            raise Refusal(Refused.MALFORMED, problem=problem)
    return ListActivations(
        account_of(request),
        chosen,
        page=_count(query.get("page"), "page", 1, PAGE_MAX),
        per_page=_count(query.get("per_page"), "per_page", PER_PAGE_DEFAULT, PER_PAGE_MAX),
    )


def _count(given: str | None, field: str, default: int, most: int) -> int:
    """A positive number; one that is too large counts as the largest."""
    if given is None or given == "":
        return default
    if not (given.isascii() and given.isdigit() and int(given[:10]) > 0):
        raise Refusal(Refused.MALFORMED, problem=f"The {field} must be a positive integer.")
    return min(int(given[:10]), most)


_FILTERS = {
    "completed": HistoryFilter.COMPLETED,
    "waiting": HistoryFilter.WAITING,
    "cancelled": HistoryFilter.CANCELED,
}


# Writing

STATUSES = {
    State.ACQUIRING: "Waiting",
    State.WAITING: "Waiting",
    State.RECEIVED: "Completed",
    State.WAITING_AGAIN: "Completed",
    State.FINISHED: "Completed",
    State.CANCELED: "Cancelled",
    State.EXPIRED: "Expired",
    State.FAILED: "Rejected",
}


def amount(micros: int) -> Raw:
    return money.json_number(micros, places=PRICE_PLACES)


def history_data(page: ActivationPage, command: ListActivations) -> HistoryData:
    last_page = max(1, -(-page.total // command.per_page))
    pagination = Pagination(command.page, command.per_page, page.total, last_page)
    return HistoryData(_history_items(page.activations), pagination)


def _history_items(activations: Sequence[Activation]) -> list[HistoryItem]:
    return [
        HistoryItem(
            activation_id=str(one.id),
            phone_number=one.msisdn,
            service=one.service_label,
            country=one.country_label,
            status=STATUSES[one.state],
            code=one.code,
            amount_charged=amount(one.price),
            created_at=one.ordered_at.isoformat(timespec="seconds"),
            completed_at=one.received_at.isoformat(timespec="seconds") if one.received_at else None,
        )
        for one in activations
    ]


# Refusing


def row(status: int, code: str, error: str) -> Row:
    response = json_response(Failure(error=error, code=code), status)
    return lambda refusal, noun: response


def malformed(refusal: Refusal, noun: str) -> WireResponse:
    problem = str(refusal.facts.get("problem") or "The request could not be read.")
    return json_response(Failure(error=problem, code="VALIDATION_ERROR"), 422)


def over_budget(refusal: Refusal, noun: str) -> WireResponse:
    seconds = refusal.facts["seconds"]
    error = f"Too many {noun} attempts. Please wait {seconds}s."
    return json_response(
        Failure(error=error, code="RATE_LIMITED"), 429, ((b"retry-after", str(seconds).encode()),)
    )


def too_early(refusal: Refusal, noun: str) -> WireResponse:
    error = f"Cancellation not yet allowed. Please wait {refusal.facts['seconds']} more second(s)."
    return json_response(Failure(error=error, code="TOO_EARLY"), 422)
