"""What the parts of the dialect share: amounts, errors, and how a method is described."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from simyard.base import money
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations.machine import State as ActivationState
from simyard.edge.wire import (
    FUNDING_REFUSALS,
    LOGIN_REFUSALS,
    Action,
    Parameter,
    RefusalTable,
    Row,
    WireResponse,
    json_response,
)

_AMOUNT_PLACES: Final = 6

Amount = Annotated[
    Raw, Meta(extra_json_schema={"type": "number", "description": "Whole amounts are integers."})
]


class Failure(msgspec.Struct):
    """Every error; the status is 200 all the same."""

    response: str


class Done(msgspec.Struct):
    response: Literal[1] = 1


class DoneLease(msgspec.Struct, kw_only=True):
    response: Literal[1] = 1
    tzid: int


def amount(micros: int) -> Raw:
    return money.json_number(micros, places=_AMOUNT_PLACES, whole_as_integer=True)


def failure(word: str) -> WireResponse:
    return json_response(Failure(word))


# Pages


def page_places(page: int, per_page: int, count: int, total: int) -> tuple[int | None, int | None, int]:
    """The places of a page's first and last item, null when it has none, and the number of the last page."""
    before = (page - 1) * per_page
    last_page = max(1, -(-total // per_page))
    return (before + 1, before + count, last_page) if count else (None, None, last_page)


# Describing

LANG: Final = Parameter("lang", "Language of names: fr, de, ru, en or zh. ru when left out.")
DEV_ID: Final = Parameter("dev_id", "Ignored.")
TZID: Final = Parameter("tzid", "The operation's id.", "integer", required=True)

_TYPES: Final[Mapping[str, Any]] = {"string": str, "integer": int, "boolean": bool}


def method(name: str, action: Action) -> dict[tuple[str, str], Action]:
    """A method's places: asked by GET with its parameters in the query, by POST with the same as a body."""
    parameters = (*action.parameters, LANG, DEV_ID)
    posted = replace(action, body=action.body or _body(name, parameters), parameters=(), noun=name)
    asked = replace(action, body=None, parameters=parameters, noun=name)
    return {("GET", f"/{name}"): asked, ("POST", f"/{name}"): posted}


def _body(name: str, parameters: Iterable[Parameter]) -> Any:
    words = name.replace("-", "/").split("/")
    title = "".join(word[:1].upper() + word[1:] for word in words)
    # Required fields come first, as a struct wants them.
    ordered = sorted(parameters, key=lambda parameter: not parameter.required)
    fields: list[Any] = []
    for parameter in ordered:
        kind: Any = Annotated[(_TYPES[parameter.type], Meta(description=parameter.description))]
        if parameter.required:
            fields.append((parameter.name, kind))
        else:
            fields.append((parameter.name, kind | UnsetType, UNSET))
    return msgspec.defstruct(f"{title}Body", fields, module=__name__)


# Refusing


def _word(word: str, by_method: Mapping[str, str] | None = None) -> Row:
    """The word for a refusal, where some methods have one of their own."""
    usual = failure(word)
    special = {name: failure(other) for name, other in (by_method or {}).items()}
    return lambda refusal, noun: special.get(noun, usual)


def _malformed(refusal: Refusal, noun: str) -> WireResponse:
    return failure(str(refusal.facts.get("word") or "ERROR_PARAMS"))


_CLOSED: Final = failure("ERROR_WRONG_TZID")


def _closed(refusal: Refusal, noun: str) -> WireResponse:
    """Asking for the next SMS while the first is awaited changes nothing, and is no mistake."""
    if noun == "setOperationRevise" and refusal.facts.get("state") is ActivationState.WAITING:
        tzid = refusal.facts["activation_id"]
        return json_response(DoneLease(tzid=tzid if isinstance(tzid, int) else 0))
    return _CLOSED


_BLOCKED: Final = _word("ACCOUNT_BLOCKED")
_NOT_FOR_THIS_KEY: Final = _word("API_ACCESS_DISABLED")
_PARAMETERS: Final = _word("ERROR_PARAMS")
_NO_NUMBER: Final = _word("NO_NUMBER")
_LATER: Final = _word("TRY_AGAIN_LATER")

REFUSALS: Final = RefusalTable(
    {
        Refused.NO_KEY: _word("ERROR_NO_KEY"),
        Refused.WRONG_KEY: _word("ERROR_WRONG_KEY"),
        Refused.KEY_DISABLED: _NOT_FOR_THIS_KEY,
        Refused.KEY_SCOPE: _NOT_FOR_THIS_KEY,
        Refused.ADDRESS_NOT_ALLOWED: _word("API_ACCESS_IP"),
        Refused.ACCOUNT_SUSPENDED: _BLOCKED,
        Refused.ACCOUNT_LOCKED: _BLOCKED,
        Refused.OVER_BUDGET: _word("INTERVAL_CONCURRENT_REQUESTS_ERROR"),
        Refused.MALFORMED: _malformed,
        Refused.TOO_LARGE: _PARAMETERS,
        Refused.UNKNOWN_METHOD: _word("REQUEST_NOT_FOUND"),
        Refused.UNKNOWN_COUNTRY: _word("UNDEFINED_COUNTRY"),
        Refused.UNKNOWN_SERVICE: _word("ERROR_NO_SERVICE"),
        # An operator allows such a service to an account that has proved who it is.
        Refused.SERVICE_PROHIBITED: _word("ACCOUNT_IDENTIFICATION_REQUIRED"),
        Refused.UNKNOWN_POOL: _NO_NUMBER,
        Refused.NO_NUMBERS: _NO_NUMBER,
        Refused.UNKNOWN_NUMBER: _NO_NUMBER,
        Refused.NOT_PRICED: _word(
            "NO_NUMBER", {"rent/getRentNum": "NO_COUNTRY", "rent/extendRentState": "UNDEFINED_DAYS"}
        ),
        Refused.UNKNOWN_PERIOD: _word("UNDEFINED_DAYS"),
        Refused.NOT_CONFIRMED: _word("UNDEFINED_DAYS"),
        Refused.INSUFFICIENT_FUNDS: _word("WARNING_LOW_BALANCE"),
        Refused.UNKNOWN_ACCOUNT: _word("WARNING_LOW_BALANCE"),
        Refused.IDEMPOTENCY_KEY_REUSED: _word("DUPLICATE_OPERATION"),
        Refused.UNKNOWN_LEASE: _word(
            "ERROR_WRONG_TZID", {"getState": "ERROR_NO_OPERATIONS", "rent/getRentState": "NO_NUMBER"}
        ),
        Refused.TOO_EARLY: _word("NO_COMPLETE_TZID"),
        Refused.LEASE_CLOSED: _closed,
        # Where it names a currency itself, the mistake is the request's.
        Refused.NO_RATE: _word("TRY_AGAIN_LATER", {"getTariffs": "ERROR_PARAMS"}),
        Refused.UPSTREAM_FAILED: _LATER,
        Refused.BUSY: _LATER,
        Refused.INTERNAL: _LATER,
    },
    unreachable=LOGIN_REFUSALS
    | FUNDING_REFUSALS
    | frozenset(
        {
            Refused.PRICE_TOO_HIGH,
            Refused.PRICE_CHANGED,
            Refused.CODE_RECEIVED,
            Refused.NUMBER_TAKEN,
            Refused.NUMBER_IN_USE,
            Refused.NO_CONSENT,
            Refused.POOL_TAKEN,
            Refused.EMAIL_TAKEN,
            Refused.ALREADY_REFERRED,
            Refused.UNKNOWN_DELIVERY,
            Refused.REFERENCE_TAKEN,
            Refused.CURRENCY_MISMATCH,
        }
    ),
)
