"""What both protocols of partners have in common: an SMS is pushed in one of many spellings, and gets one word."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

import msgspec

from simyard.base import phone
from simyard.base.refusals import Refusal, Refused
from simyard.core.messages.model import Fate
from simyard.core.messages.service import SENDER_LENGTH_MAX, TEXT_LENGTH_MAX
from simyard.core.remote.push_model import Pushed, PushedMessage
from simyard.edge.wire import (
    FUNDING_REFUSALS,
    LOGIN_REFUSALS,
    RefusalTable,
    Row,
    WireRequest,
    WireResponse,
    bearer,
    json_response,
)

BODY_TYPES: Final = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SMS_ID_LENGTH_MAX = 120
_FIELDS_MAX = 50
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^;\s]{1,200}))', re.IGNORECASE)
_PART_NAME = re.compile(rb'[;\s]name="?([^";\r\n]{1,100})', re.IGNORECASE)


# What goes over the wire


class PushBody(msgspec.Struct):
    """An SMS. Field names in any case; numbers also as strings; JSON or a form."""

    key: str
    phone: int
    text: str
    action: Literal["PUSH_SMS"] = "PUSH_SMS"
    smsId: int = 0  # noqa: N815
    phoneFrom: str = ""  # noqa: N815


class Done(msgspec.Struct, omit_defaults=True):
    """`result` says why it was not delivered, where that is nothing to try again for."""

    status: str
    result: str = ""


class Failure(msgspec.Struct):
    status: Literal["ERROR"]
    error: str


Style = Literal["by-path", "safe", "strict", "success"]
"""How a push that is not delivered is answered: `safe` for old and new partners; `strict` with the word as its status;
`success` for those who repeat everything else for ever."""


class _Switches(msgspec.Struct):
    """What is read of the switches of a partner's pool."""

    push_answers: Style = "by-path"


# Reading


def find_key(headers: Mapping[bytes, bytes], query_string: bytes, body: bytes) -> str | None:
    """The key from the body, where it belongs; else from the header or the query."""
    try:
        key = _text(_fields(headers, body).get("key"))
    except Refusal:
        key = None
    if not key:
        key = bearer(headers)
    if not key and query_string:
        query = _query(query_string)
        key = query.get("apikey") or query.get("key")
    return key or None


def read_fields(request: WireRequest) -> dict[str, Any]:
    """The fields of a push by their names in lower case. Refuses: MALFORMED."""
    return _fields(request.headers, request.body)


def read_push(
    request: WireRequest, fields: Mapping[str, Any], *, sms_id_names_operation: bool
) -> PushedMessage:
    """The SMS. Refuses: MALFORMED."""
    sms_id = fields.get("smsid", fields.get("sms_id"))
    if isinstance(sms_id, bool) or not isinstance(sms_id, int | str) or len(str(sms_id)) > _SMS_ID_LENGTH_MAX:
        sms_id = ""
    msisdn = _msisdn(fields.get("phone", fields.get("number")))
    remote_ids = _spellings(sms_id) if sms_id_names_operation and sms_id != "" else ()
    if msisdn is None and not remote_ids:
        raise _malformed("phone is required")
    text = _text(fields.get("text", fields.get("message")))
    if text is None:
        raise _malformed("text is required")
    sender = _text(fields.get("phonefrom", fields.get("from"))) or ""
    return PushedMessage(
        supplier_id=request.caller.account_id,
        pool_id=request.caller.pool_id,
        msisdn=msisdn,
        remote_ids=remote_ids,
        sender=sender[:SENDER_LENGTH_MAX],
        text=text[:TEXT_LENGTH_MAX],
        reference="" if sms_id == "" else str(sms_id),
        now=request.now,
    )


def _malformed(problem: str) -> Refusal:
    return Refusal(Refused.MALFORMED, problem=problem)


def _fields(headers: Mapping[bytes, bytes], body: bytes) -> dict[str, Any]:
    """Written as JSON, as a form or in parts, whatever its type says."""
    content = body.removeprefix(_BYTE_ORDER_MARK).strip()
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    if content_type.lower().startswith("multipart/"):
        return _parts(content, content_type)
    if content.startswith(b"{"):
        return {name.lower(): value for name, value in _decoded(content).items()}
    if b"=" in content:
        try:
            return _query(content)
        except ValueError:
            raise _malformed("the form cannot be read") from None
    raise _malformed("the body must be a JSON object or a form")


def _decoded(content: bytes) -> dict[str, Any]:
    """JSON, also with what careless programs do to texts: bare line breaks, halves of surrogate pairs."""
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except RecursionError:
        raise _malformed("the body is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            decoded = json.loads(content.decode("utf-8", "replace"), strict=False)
        except (ValueError, RecursionError):
            raise _malformed("the body cannot be read") from None
        whole = decoded if isinstance(decoded, dict) else {}
        return {_storable(name): _storable(value) for name, value in whole.items()}


def _storable(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _query(text: bytes) -> dict[str, Any]:
    pairs = parse_qsl(
        text.decode("latin-1"), keep_blank_values=True, max_num_fields=_FIELDS_MAX, errors="replace"
    )
    return {name.lower(): value for name, value in pairs}


def _parts(content: bytes, content_type: str) -> dict[str, Any]:
    """The texts of a form in parts; files are passed over."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise _malformed("the parts have no boundary")
    boundary = b"--" + (found[1] or found[2]).encode("latin-1")
    fields: dict[str, Any] = {}
    for part in content.split(boundary, _FIELDS_MAX)[1:]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = _PART_NAME.search(head)
        if name is not None and b"filename" not in head.lower():
            fields[name[1].decode("latin-1").lower()] = value.removesuffix(b"\r\n").decode("utf-8", "replace")
    return fields


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _msisdn(value: object) -> str | None:
    """The number with its plus sign; None when there is none or it cannot be one."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = _text(value)
    # In a form a plus sign that was not escaped reads as a space.
    read = phone.parse(text.strip()) if text else None
    return None if read is None else read.e164


def _spellings(sms_id: int | str) -> tuple[str, ...]:
    """An operation's id as a partner may have given it to us: as a number or as a string, for a rental or not."""
    text = str(sms_id).strip()
    plain = [msgspec.json.encode(text).decode()]
    if text.isascii() and text.isdigit():
        plain.append(text)
    return (*plain, *(f"rent {one}" for one in plain))


# Answering

_WORDS: Final = {
    Fate.DELIVERED: "",
    Fate.PUBLISHED: "",
    Fate.REPEATED: "",
    Fate.NO_LEASE: "NO_OPERATION",
    Fate.LATE: "NO_OPERATION",
    Fate.PROHIBITED: "BAD_SERVICE",
    Fate.OTHER_SERVICE: "IGNORED",
    Fate.UNRECOGNISED: "IGNORED",
    Fate.CHECKED: "",
    Fate.BLACKLISTED: "SERVICE_BAN",
}
_FINAL: Final = frozenset({"NO_OPERATION", "BAD_SERVICE"})
"""What no partner who knows the word tries again."""


def render(pushed: Pushed, usual: Style) -> WireResponse:
    try:
        style = msgspec.convert(dict(pushed.switches), _Switches).push_answers
    except msgspec.ValidationError:
        style = usual
    return _answer(_WORDS[pushed.receipt.fate], usual if style == "by-path" else style)


@lru_cache(maxsize=64)
def _answer(word: str, style: Style) -> WireResponse:
    if word == "" or style == "success":
        return json_response(Done("SUCCESS"))
    if style == "strict":
        return json_response(Done(word), 400 if word in _FINAL else 200)
    if word in _FINAL:
        return json_response(Failure("ERROR", word), 400)
    return json_response(Done("SUCCESS", word))


# Refusing


def refusals(status_of: Callable[[int], int]) -> RefusalTable:
    """The table of a protocol, by what becomes of an HTTP status in it."""

    def row(status: int, word: str) -> Row:
        response = json_response(Failure("ERROR", word), status_of(status))
        return lambda refusal, noun: response

    def problem(refusal: Refusal, noun: str) -> WireResponse:
        text = str(refusal.facts.get("problem") or "the request cannot be read")
        return json_response(Failure("ERROR", text), status_of(400))

    def over_budget(refusal: Refusal, noun: str) -> WireResponse:
        seconds = str(refusal.facts["seconds"]).encode()
        return json_response(
            Failure("ERROR", "TOO_MANY_REQUESTS"), status_of(429), ((b"retry-after", seconds),)
        )

    disabled, blocked = row(403, "API_ACCESS_DISABLED"), row(403, "ACCOUNT_BLOCKED")
    rows: dict[Refused, Row] = {
        Refused.NO_KEY: row(401, "ERROR_NO_KEY"),
        Refused.WRONG_KEY: row(401, "ERROR_WRONG_KEY"),
        Refused.KEY_DISABLED: disabled,
        Refused.KEY_SCOPE: disabled,
        Refused.ADDRESS_NOT_ALLOWED: row(403, "API_ACCESS_IP"),
        Refused.ACCOUNT_SUSPENDED: blocked,
        Refused.ACCOUNT_LOCKED: blocked,
        Refused.OVER_BUDGET: over_budget,
        Refused.MALFORMED: problem,
        Refused.TOO_LARGE: row(413, "the body is too large"),
        Refused.UNKNOWN_METHOD: row(405, "REQUEST_NOT_FOUND"),
        Refused.BUSY: row(503, "TRY_LATER"),
        Refused.INTERNAL: row(500, "INTERNAL_ERROR"),
    }
    return RefusalTable(rows, unreachable=_UNREACHABLE)


_UNREACHABLE: Final = (
    LOGIN_REFUSALS
    | FUNDING_REFUSALS
    | frozenset(
        {
            Refused.UNKNOWN_PERIOD,
            Refused.NOT_CONFIRMED,
            Refused.NUMBER_IN_USE,
            Refused.NUMBER_TAKEN,
            Refused.NO_CONSENT,
            Refused.ALREADY_REFERRED,
            Refused.UNKNOWN_DELIVERY,
            Refused.UNKNOWN_COUNTRY,
            Refused.UNKNOWN_SERVICE,
            Refused.UNKNOWN_POOL,
            # A number that is not the partner's has no operation, and is told so.
            Refused.UNKNOWN_NUMBER,
            Refused.SERVICE_PROHIBITED,
            Refused.NO_NUMBERS,
            Refused.INSUFFICIENT_FUNDS,
            Refused.NOT_PRICED,
            Refused.PRICE_TOO_HIGH,
            Refused.PRICE_CHANGED,
            Refused.IDEMPOTENCY_KEY_REUSED,
            Refused.UNKNOWN_LEASE,
            Refused.TOO_EARLY,
            Refused.CODE_RECEIVED,
            Refused.LEASE_CLOSED,
            Refused.POOL_TAKEN,
            Refused.UNKNOWN_ACCOUNT,
            Refused.EMAIL_TAKEN,
            Refused.REFERENCE_TAKEN,
            Refused.CURRENCY_MISMATCH,
            Refused.NO_RATE,
            Refused.UPSTREAM_FAILED,
        }
    )
)
