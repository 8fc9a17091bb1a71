"""Onlinesim reseller API v2 (`/api/resellers`). Source: the vendor's pages "Reseller API", v2."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import parse_qsl

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from simyard.base import money, phone
from simyard.base.ids import ID_MAX, NumberId
from simyard.base.phone import Phone
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.catalog.model import Operator
from simyard.core.earnings import service as earnings
from simyard.core.earnings.model import EarningsOf, EarningsReport, Payout, PayoutsOf, RequestPayout
from simyard.core.earnings.service import METHOD_LENGTH_MAX
from simyard.core.messages.model import IncomingMessage, Receipt
from simyard.core.messages.service import SENDER_LENGTH_MAX, TEXT_LENGTH_MAX
from simyard.core.numbers import service as numbers
from simyard.core.numbers.model import AddNumber, RemoveNumber, Report, ReportedNumber, ReportNumbers
from simyard.core.pools import service as pools
from simyard.core.pools.model import Heartbeat
from simyard.core.quality import service as quality
from simyard.core.quality.model import Quality, QualityOf
from simyard.edge.dialects.onlinesim_reseller import dates
from simyard.edge.wire import (
    FUNDING_REFUSALS,
    LOGIN_REFUSALS,
    Action,
    Dialect,
    EachInLane,
    InLane,
    InTransaction,
    Parameter,
    RefusalTable,
    Rehearsal,
    Row,
    WireRequest,
    WireResponse,
    bearer,
    json_response,
)

PORT_LENGTH_MAX: Final = 100
DAYS_SHOWN: Final = 7
DAYS_SHOWN_MAX: Final = 366
MESSAGES_MAX: Final = 1000
"""Of one addMessages: a call must fit into the lane beside those of others."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What is not a number's usual entry is read by a slower way, which must not be made to work hard.
_ODD_ENTRY_BYTES_MAX = 4096
_ECHOED_NUMBER_LENGTH_MAX = 2 * phone.TEXT_LENGTH_MAX
# A field of a usual entry takes more bytes than this. Decoding one costs far more memory than its text has bytes.
_BYTES_PER_FIELD_MIN = 16
_FIELDS_MIN = 1_000_000


# What goes over the wire


class Failure(msgspec.Struct):
    """Every error: a word, or a text that says what is wrong with the request."""

    response: str


class Done(msgspec.Struct):
    response: Literal[1]


class Listed(msgspec.Struct, omit_defaults=True):
    """Our ids by the numbers exactly as they were sent; what was not taken, and why; ports that several numbers share.

    An entry without a number that could be repeated is named by its place in the list.
    """

    response: Literal[1]
    ids: dict[str, int]
    errors: dict[str, str] | UnsetType = UNSET
    warnings: dict[str, str] | UnsetType = UNSET


class MessagesDone(msgspec.Struct, omit_defaults=True):
    """The messages that were not taken, by their place in the list, and why."""

    response: Literal[1]
    errors: dict[str, str] | UnsetType = UNSET


class Echo(msgspec.Struct):
    """The answer to any request with `test2`."""

    response: Literal[1]
    payload: Any


Test = Annotated[
    str, Meta(description="test1: check, answer as usual, change nothing. test2: send the payload back.")
]


class NumberEntry(msgspec.Struct):
    """A number that sits in a port. `country_id` is its calling code, `operator` its MCC and MNC."""

    number: str
    country_id: int
    operator: int | UnsetType = UNSET
    date_start: int | UnsetType = UNSET
    port_id: Annotated[str, Meta(max_length=PORT_LENGTH_MAX)] | UnsetType = UNSET
    rent: int = 0


class NumbersBody(msgspec.Struct):
    """The complete list of numbers that are available now."""

    numbers: list[NumberEntry]
    test: Test | UnsetType = UNSET


class AddNumberBody(msgspec.Struct):
    """As in the list, but `rent` is required."""

    number: str
    country_id: int
    rent: int
    operator: int | UnsetType = UNSET
    date_start: int | UnsetType = UNSET
    port_id: Annotated[str, Meta(max_length=PORT_LENGTH_MAX)] | UnsetType = UNSET
    test: Test | UnsetType = UNSET


class RemoveNumberBody(msgspec.Struct):
    """One of both, here or in the query."""

    number: str | UnsetType = UNSET
    id: int | UnsetType = UNSET
    test: Test | UnsetType = UNSET


class MessageEntry(msgspec.Struct):
    """An SMS. The number may also be our id of it; the date may have any format."""

    date: str
    number: str
    sender: str = msgspec.field(name="from")
    message: str


class AddMessageBody(MessageEntry):
    test: Test | UnsetType = UNSET


class MessagesBody(msgspec.Struct):
    messages: Annotated[list[MessageEntry], Meta(max_length=MESSAGES_MAX)]
    test: Test | UnsetType = UNSET


class CheckWorkBody(msgspec.Struct):
    test: Test | UnsetType = UNSET


class EarnedDay(msgspec.Struct):
    """A day (UTC): how many leases earned how much, and what of it was taken back since. Amounts are in the wallet's currency."""

    day: str
    leases: int
    earned: str
    reversed_leases: int
    reversed: str


class EarningsAnswer(msgspec.Struct):
    """What can be paid out, what will be after a time, what is owed; and what each day brought."""

    response: Literal[1]
    currency: str
    available: str
    pending: str
    debt: str
    days: list[EarnedDay]


class QualityLine(msgspec.Struct):
    """How orders of a pool went, once they are closed. `no_number`: asked for one it said it had, and gave none.

    The next four count messages that were not delivered. Seconds are those from an order to its first SMS. Sold no more
    until, and after others until: timestamps.
    """

    pool: int
    country: str
    service: str
    issued: int
    delivered: int
    canceled: int
    expired: int
    no_number: int
    prohibited: int
    other_service: int
    unrecognised: int
    blacklisted: int
    seconds_median: float | None
    seconds_p90: float | None
    blocked_until: int | None
    poor_until: int | None


class QualityAnswer(msgspec.Struct):
    response: Literal[1]
    quality: list[QualityLine]


class PayoutBody(msgspec.Struct):
    """`method`: where the money is to go."""

    amount: str
    method: Annotated[str, Meta(max_length=METHOD_LENGTH_MAX)]
    test: Test | UnsetType = UNSET


class PayoutEntry(msgspec.Struct):
    id: int
    amount: str
    currency: str
    method: str
    state: Literal["requested", "paid", "rejected"]
    note: str | None
    requested_at: int
    closed_at: int | None


class PayoutsAnswer(msgspec.Struct):
    """Newest first."""

    response: Literal[1]
    payouts: list[PayoutEntry]


# The key


class _KeyOnly(msgspec.Struct):
    key: str | None = None


_decode_key = msgspec.json.Decoder(_KeyOnly).decode


def find_key(headers: Mapping[bytes, bytes], query_string: bytes, body: bytes) -> str | None:
    """The key from its documented place, else from the others in use: header `Apikey`, query `apikey`, body `key`."""
    key = bearer(headers)
    if key is None and b"apikey" in headers:
        value = headers[b"apikey"].strip().decode("latin-1")
        key = value[len("bearer ") :].strip() if value[: len("bearer ")].lower() == "bearer " else value
    if not key and query_string:
        key = _query(query_string).get("apikey")
    if not key and body:
        try:
            key = _decode_key(body.removeprefix(_BYTE_ORDER_MARK)).key
        except (ValueError, RecursionError):
            return None
    return key or None


# Reading JSON


def _query(query_string: bytes) -> dict[str, str]:
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    return {name.lower(): value for name, value in pairs}


def _malformed(problem: str) -> Refusal:
    return Refusal(Refused.MALFORMED, problem=problem)


def _payload(request: WireRequest) -> dict[str, Any]:
    """The request's fields: its body's, and those of its query that are not in the body. Refuses: MALFORMED."""
    query = _query(request.query_string)
    query.pop("apikey", None)
    if not request.body.strip():
        return dict(query)
    content = _decoded(request.body.removeprefix(_BYTE_ORDER_MARK))
    if not isinstance(content, dict):
        raise _malformed("the body must be a JSON object")
    return query | content


def _decoded(body: bytes) -> Any:
    """JSON, also with what careless programs do to texts: bare line breaks, halves of surrogate pairs.

    Refuses: MALFORMED.
    """
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise _malformed("the body is nested too deeply") from None
    except UnicodeDecodeError:
        raise _malformed("the body is not UTF-8") from None
    except msgspec.DecodeError as error:
        try:
            lenient = json.dumps(json.loads(body.decode(), strict=False), ensure_ascii=False)
            return msgspec.json.decode(lenient.encode("utf-8", "replace"))
        except (ValueError, RecursionError):
            raise _malformed(f"the body cannot be read: {error}") from None


def _lower(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in payload.items()}


def _test(fields: Mapping[str, Any]) -> str | None:
    """What is being tested, if anything. Refuses: MALFORMED."""
    test = fields.get("test")
    if test is None or test == "":
        return None
    if test not in ("test1", "test2"):
        raise _malformed("test must be test1 or test2")
    return str(test)


_Read: TypeAlias = Callable[[WireRequest, Mapping[str, Any]], Any]


def _testable(read: _Read) -> Callable[[WireRequest], Any]:
    """A parse that reads the request's fields into a command and knows the `test` parameter."""

    def parse(request: WireRequest) -> Any:
        payload = _payload(request)
        fields = _lower(payload)
        test = _test(fields)
        if test == "test2":
            return json_response(Echo(1, payload))
        command = read(request, fields)
        if test is not None and not isinstance(command, WireResponse):
            raise Rehearsal(command)
        return command

    return parse


# Reading values

_Scalar: TypeAlias = str | int | float | bool | None


class _Entry(msgspec.Struct, gc=False):
    """A number's entry as it was sent. What stands for a value of another type is NaN, which nothing accepts."""

    number: _Scalar = None
    country_id: _Scalar = None
    operator: _Scalar = None
    date_start: _Scalar = None
    port_id: _Scalar = None
    rent: _Scalar = None


_decode_entry = msgspec.json.Decoder(_Entry).decode
_decode_body = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode


def _entry_of(fields: Mapping[str, Any]) -> _Entry:
    values = {name: fields.get(name) for name in _Entry.__struct_fields__}
    return _Entry(
        **{
            name: value if value is None or isinstance(value, str | int | float) else math.nan
            for name, value in values.items()
        }
    )


def _odd_entry(raw: Raw) -> _Entry:
    """An entry whose names or types are not the usual ones; an empty one when nothing can be made of it."""
    if len(memoryview(raw)) <= _ODD_ENTRY_BYTES_MAX:
        try:
            content = msgspec.json.decode(raw)
        except (ValueError, RecursionError):
            content = None
        if isinstance(content, dict):
            return _entry_of(_lower(content))
    return _Entry()


def _text(value: object) -> str | None:
    """A text, or a whole number written as one."""
    if isinstance(value, str):
        return value
    integer = None if isinstance(value, bool) else _integer(value)
    return None if integer is None else str(integer)


def _integer(value: object) -> int | None:
    """A whole number, in whichever JSON type it came."""
    if isinstance(value, str):
        digits = value.strip().removeprefix("+")
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= ID_MAX else None
    if isinstance(value, int):
        return int(value) if abs(value) < 10**19 else None
    return None


def _clean(text: str) -> str:
    """Without the one character that PostgreSQL does not store."""
    return text.replace("\0", "")


# Numbers


@dataclass(frozen=True, slots=True)
class _ReportNumbers(ReportNumbers):
    """A list, with the number behind each spelling, and what is wrong with entries that are not in it."""

    spellings: Mapping[str, str]
    errors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _AddNumber(AddNumber):
    spelling: str


@lru_cache(maxsize=4096)
def _operator(value: _Scalar) -> Operator | None:
    text = _text(value)
    return None if text is None else load_catalog().operator_by_plmn(text.strip())


@cache
def _country_sold(iso2: str) -> bool:
    return load_catalog().country(iso2) is not None


def _country(number: Phone, operator: Operator | None) -> str | None:
    """The country a number is sold as: its own; where that is not in the catalogue, its network's of the same code."""
    if _country_sold(number.country):
        return number.country
    if operator is not None:
        country = load_catalog().country(operator.iso2)
        if country is not None and country.calling_code == number.calling_code:
            return country.iso2
    return None


def _read_number(entry: _Entry, spelling: str | None) -> ReportedNumber | str:
    """The number an entry reports, or the word for what is wrong with it."""
    number = None if spelling is None else phone.parse(spelling)
    if number is None or spelling is None:
        return "NUMBER_MISSING" if entry.number is None or entry.number == "" else "NUMBER_INVALID"
    if entry.country_id is not None:
        calling_code = _integer(entry.country_id)
        if calling_code is None or calling_code < 1:
            return "COUNTRY_ID_INVALID"
        # With a plus sign the number alone decides. Without, it may have been written without its calling code.
        if calling_code != number.calling_code and not spelling.lstrip().startswith("+"):
            return "COUNTRY_ID_MISMATCH"
    operator = None if entry.operator is None else _operator(entry.operator)
    country = _country(number, operator)
    if country is None:
        return "COUNTRY_UNKNOWN"
    rent = 0 if entry.rent is None or entry.rent == "" else _integer(entry.rent)
    if rent not in (0, 1):
        return "RENT_INVALID"
    port = number.e164
    if entry.port_id is not None:
        given = _text(entry.port_id)
        if given is None:
            return "PORT_ID_INVALID"
        if len(given) > PORT_LENGTH_MAX:
            return "PORT_ID_TOO_LONG"
        port = _clean(given) or port
    return ReportedNumber(
        msisdn=number.e164,
        country=country,
        # Buyers choose a brand, which may have many networks: each number is known by its brand's first.
        operator_id=load_catalog().brand_of(operator).id
        if operator is not None and operator.iso2 == country
        else None,
        port=port,
        placed_at=None if entry.date_start is None else dates.read(entry.date_start),
        rent=rent == 1,
    )


def _parse_numbers(request: WireRequest) -> _ReportNumbers | WireResponse:
    """A list may be long, so it is not decoded in one piece, but entry by entry."""
    body = request.body.removeprefix(_BYTE_ORDER_MARK)
    if not body.isascii():
        _check_utf8(body)
    fields_max = max(_FIELDS_MIN, request.settings.numbers_body_bytes_max // _BYTES_PER_FIELD_MIN)
    if body.count(b",") > fields_max:
        raise Refusal(Refused.TOO_LARGE)
    try:
        content = _lower(_decode_body(body))
        listed = content.get("numbers")
        given = content.get("test")
        fields = {
            "test": _query(request.query_string).get("test") if given is None else _decoded(bytes(given))
        }
        test = _test(fields)
        if test == "test2":
            return json_response(Echo(1, Raw(body)))
        if listed is None:
            raise _malformed("numbers is required")
        entries = _decode_list(listed)
    except RecursionError:
        raise _malformed("the body is nested too deeply") from None
    except msgspec.ValidationError:
        raise _malformed("the body must be a JSON object, and numbers in it an array") from None
    except msgspec.DecodeError as error:
        raise _malformed(f"the body cannot be read: {error}") from None
    command = _read_numbers(request, entries)
    if test is not None:
        raise Rehearsal(command)
    return command


def _check_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        raise _malformed("the body is not UTF-8") from None


def _read_numbers(request: WireRequest, entries: Sequence[Raw]) -> _ReportNumbers:
    reported: list[ReportedNumber] = []
    spellings: dict[str, str] = {}
    errors: dict[str, str] = {}
    for index, raw in enumerate(entries):
        try:
            entry = _decode_entry(raw)
        except (ValueError, RecursionError):
            entry = _odd_entry(raw)
        else:
            if entry.number is None:
                entry = _odd_entry(raw)
        spelling = _text(entry.number)
        number = _read_number(entry, spelling)
        if isinstance(number, str) or spelling is None:
            named = spelling is not None and 0 < len(spelling) <= _ECHOED_NUMBER_LENGTH_MAX
            errors[spelling if named and spelling is not None else str(index)] = str(number)
        else:
            reported.append(number)
            spellings[spelling] = number.msisdn
    return _ReportNumbers(
        supplier_id=request.caller.account_id,
        pool_id=request.caller.pool_id,
        numbers=tuple(reported),
        online_seconds=request.settings.number_online_seconds,
        now=request.now,
        spellings=spellings,
        errors={spelling: word for spelling, word in errors.items() if spelling not in spellings},
    )


def _read_addition(request: WireRequest, fields: Mapping[str, Any]) -> _AddNumber:
    for name in ("number", "country_id", "rent"):
        if fields.get(name) in (None, ""):
            raise _malformed(f"{name} is required")
    entry = _entry_of(fields)
    spelling = _text(entry.number)
    number = _read_number(entry, spelling)
    if isinstance(number, str) or spelling is None:
        raise _malformed(str(number))
    return _AddNumber(request.caller.account_id, request.caller.pool_id, number, spelling)


def _read_removal(request: WireRequest, fields: Mapping[str, Any]) -> RemoveNumber:
    msisdn, number_id = _read_name(fields)
    return RemoveNumber(request.caller.account_id, request.caller.pool_id, msisdn, number_id)


def _read_name(fields: Mapping[str, Any]) -> tuple[str | None, NumberId | None]:
    """The number that is meant: as a phone, and as our id of it where it can be one. Refuses: MALFORMED."""
    number, identifier = fields.get("number"), fields.get("id")
    if number in (None, "") and identifier in (None, ""):
        raise _malformed("number is required")
    text = "" if number is None else _text(number)
    if text is None:
        raise _malformed("number must be a string")
    if identifier in (None, ""):
        identifier = "" if text.lstrip().startswith("+") else text
    elif _text(identifier) is None:
        raise _malformed("id must be an integer")
    number_id = _integer(identifier)
    parsed = phone.parse(text)
    return (
        None if parsed is None else parsed.e164,
        NumberId(number_id) if number_id is not None and 0 < number_id <= ID_MAX else None,
    )


def _read_heartbeat(request: WireRequest, fields: Mapping[str, Any]) -> Heartbeat:
    seconds = request.settings.number_online_seconds
    return Heartbeat(request.caller.account_id, request.caller.pool_id, seconds, request.now)


# Messages


class _Messages(list[IncomingMessage]):
    """The messages of one call that could be read, each one's place in it, and what is wrong with the others."""

    places: Sequence[int] = ()
    errors: Mapping[int, str] = {}


def _read_message(request: WireRequest, fields: Mapping[str, Any]) -> IncomingMessage:
    """Refuses: MALFORMED, UNKNOWN_NUMBER.

    A text that is too long is cut: a refused one would come again for ever, and its code stands at its beginning.
    """
    msisdn, number_id = _read_name(fields)
    sender, text = (_required_text(fields, name) for name in ("from", "message"))
    if msisdn is None and number_id is None:
        raise Refusal(Refused.UNKNOWN_NUMBER)
    return IncomingMessage(
        supplier_id=request.caller.account_id,
        msisdn=msisdn,
        number_id=number_id,
        sender=_clean(sender)[:SENDER_LENGTH_MAX],
        text=_clean(text)[:TEXT_LENGTH_MAX],
        sent_at=dates.read(fields.get("date")),
        now=request.now,
    )


def _required_text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        raise _malformed(f"{name} is required")
    text = _text(value)
    if text is None:
        raise _malformed(f"{name} must be a string")
    return text


def _read_messages(request: WireRequest, fields: Mapping[str, Any]) -> _Messages | WireResponse:
    given = fields.get("messages")
    if not isinstance(given, list):
        raise _malformed("messages must be an array")
    if len(given) > MESSAGES_MAX:
        raise _malformed(
            f"messages may have {MESSAGES_MAX} elements at most; send the others in further calls"
        )
    messages = _Messages()
    places: list[int] = []
    errors: dict[int, str] = {}
    for place, element in enumerate(given):
        try:
            if not isinstance(element, dict):
                raise _malformed("a message must be an object")
            messages.append(_read_message(request, _lower(element)))
            places.append(place)
        except Refusal as refusal:
            errors[place] = _word(refusal)
    messages.places = places
    messages.errors = errors
    # With nothing left to take in there is nothing to ask the core for.
    return messages or _messages_response(errors)


# What a supplier earns, and how good his numbers are: actions of ours in the vendor's form


def _read_earnings(request: WireRequest, fields: Mapping[str, Any]) -> EarningsOf:
    since = request.now - timedelta(days=_read_days(fields))
    return EarningsOf(request.caller.account_id, since.replace(hour=0, minute=0, second=0, microsecond=0))


def _read_quality(request: WireRequest, fields: Mapping[str, Any]) -> QualityOf:
    since = (request.now - timedelta(days=_read_days(fields))).date()
    return QualityOf(since, request.now, supplier_id=request.caller.account_id)


def _read_days(fields: Mapping[str, Any]) -> int:
    given = fields.get("days")
    days = DAYS_SHOWN if given in (None, "") else _integer(given)
    if days is None or not 0 <= days <= DAYS_SHOWN_MAX:
        raise _malformed(f"days must be an integer from 0 to {DAYS_SHOWN_MAX}")
    return days


def _read_payouts(request: WireRequest, fields: Mapping[str, Any]) -> PayoutsOf:
    return PayoutsOf(request.caller.account_id)


def _read_payout(request: WireRequest, fields: Mapping[str, Any]) -> RequestPayout:
    text = _required_text(fields, "amount")
    try:
        amount = money.parse_amount(text)
    except ValueError:
        raise _malformed("amount must be an amount such as 12.50") from None
    return RequestPayout(
        request.caller.account_id, amount, _clean(_required_text(fields, "method")), request.now
    )


def _render_earnings(report: EarningsReport, _: EarningsOf, __: Caller) -> WireResponse:
    days = [
        EarnedDay(
            one.day.isoformat(),
            one.leases,
            money.format_amount(one.earned),
            one.reversed_leases,
            money.format_amount(one.reversed),
        )
        for one in report.days
    ]
    available, pending, debt = (
        money.format_amount(one) for one in (report.available, report.pending, report.debt)
    )
    return json_response(EarningsAnswer(1, report.currency, available, pending, debt, days))


def _render_quality(lines: Sequence[Quality], _: QualityOf, __: Caller) -> WireResponse:
    known = load_catalog()
    shown = [
        QualityLine(
            pool=one.pool_id,
            country=one.country,
            service=known.service_at(one.service_id).slug,
            issued=one.counts.issued,
            delivered=one.counts.delivered,
            canceled=one.counts.canceled,
            expired=one.counts.expired,
            no_number=one.counts.failed,
            prohibited=one.counts.prohibited,
            other_service=one.counts.other_service,
            unrecognised=one.counts.unrecognised,
            blacklisted=one.counts.blacklisted,
            seconds_median=None if one.seconds_median is None else round(one.seconds_median, 1),
            seconds_p90=None if one.seconds_p90 is None else round(one.seconds_p90, 1),
            blocked_until=_timestamp(one.blocked_until),
            poor_until=_timestamp(one.poor_until),
        )
        for one in lines
    ]
    return json_response(QualityAnswer(1, shown))


def _timestamp(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def _render_payouts(payouts: Sequence[Payout], _: PayoutsOf, __: Caller) -> WireResponse:
    return json_response(PayoutsAnswer(1, [_payout_entry(one) for one in payouts]))


def _render_payout(payout: Payout, _: RequestPayout, __: Caller) -> WireResponse:
    return json_response(PayoutsAnswer(1, [_payout_entry(payout)]))


def _payout_entry(one: Payout) -> PayoutEntry:
    return PayoutEntry(
        one.id,
        money.format_amount(one.amount),
        one.currency,
        one.method,
        one.state.value,
        one.note,
        int(one.requested_at.timestamp()),
        _timestamp(one.closed_at),
    )


# Writing

_DONE = json_response(Done(1))


def _render_done(_: None, __: Heartbeat | RemoveNumber, ___: Caller) -> WireResponse:
    return _DONE


def _render_received(_: Receipt, __: IncomingMessage, ___: Caller) -> WireResponse:
    return _DONE


def _render_report(report: Report, command: _ReportNumbers, _: Caller) -> WireResponse:
    ids: dict[str, int] = {}
    errors = dict(command.errors)
    for spelling, msisdn in command.spellings.items():
        number_id = report.ids.get(msisdn)
        if number_id is None:
            errors[spelling] = "NUMBER_TAKEN"
        else:
            ids[spelling] = number_id
    return json_response(Listed(1, ids, errors or UNSET, _shared_ports(command) or UNSET))


def _shared_ports(command: _ReportNumbers) -> dict[str, str]:
    port_of = {number.msisdn: number.port for number in command.numbers}
    counts = Counter(port_of.values())
    return {port: "PORT_ID_SHARED" for port, count in counts.items() if count > 1}


def _render_addition(report: Report, command: _AddNumber, _: Caller) -> WireResponse:
    number_id = report.ids.get(command.number.msisdn)
    if number_id is None:
        raise Refusal(Refused.NUMBER_TAKEN)
    return json_response(Listed(1, {command.spelling: number_id}))


def _render_messages(results: Sequence[Receipt | Refusal], messages: _Messages, _: Caller) -> WireResponse:
    errors = dict(messages.errors)
    for place, result in zip(messages.places, results, strict=True):
        if isinstance(result, Refusal):
            if result.reason is Refused.BUSY:
                # Not taken in, so the call must come again. Those that were are recognised then.
                raise result
            errors[place] = _word(result)
    return _messages_response(errors)


def _messages_response(errors: Mapping[int, str]) -> WireResponse:
    return json_response(MessagesDone(1, {str(place): errors[place] for place in sorted(errors)} or UNSET))


# Refusing


def _row(status: int, word: str) -> Row:
    response = json_response(Failure(word), status)
    return lambda refusal, noun: response


def _problem(refusal: Refusal, noun: str) -> WireResponse:
    field = refusal.facts.get("field")
    text = "the request cannot be read" if field is None else f"{field} is not valid"
    return json_response(Failure(str(refusal.facts.get("problem") or text)), 400)


def _over_budget(refusal: Refusal, noun: str) -> WireResponse:
    seconds = str(refusal.facts["seconds"]).encode()
    return json_response(Failure("TOO_MANY_REQUESTS"), 429, ((b"retry-after", seconds),))


def _word(refusal: Refusal) -> str:
    """What is said of one message among many."""
    if refusal.reason is Refused.UNKNOWN_NUMBER:
        return "NUMBER_NOT_FOUND"
    return str(refusal.facts.get("problem") or refusal.reason.name)


_ACCESS_DISABLED = _row(403, "API_ACCESS_DISABLED")
_BLOCKED = _row(403, "ACCOUNT_BLOCKED")

REFUSALS = RefusalTable(
    {
        Refused.NO_KEY: _row(401, "ERROR_NO_KEY"),
        Refused.WRONG_KEY: _row(401, "ERROR_WRONG_KEY"),
        Refused.KEY_DISABLED: _ACCESS_DISABLED,
        Refused.KEY_SCOPE: _ACCESS_DISABLED,
        Refused.UNKNOWN_POOL: _ACCESS_DISABLED,
        Refused.ADDRESS_NOT_ALLOWED: _row(403, "API_ACCESS_IP"),
        Refused.ACCOUNT_SUSPENDED: _BLOCKED,
        Refused.ACCOUNT_LOCKED: _BLOCKED,
        Refused.OVER_BUDGET: _over_budget,
        Refused.MALFORMED: _problem,
        Refused.TOO_LARGE: _row(413, "the body is too large"),
        Refused.UNKNOWN_METHOD: _row(405, "REQUEST_NOT_FOUND"),
        Refused.UNKNOWN_NUMBER: _row(404, "NUMBER_NOT_FOUND"),
        Refused.NUMBER_TAKEN: _row(400, "NUMBER_TAKEN"),
        Refused.UNKNOWN_ACCOUNT: _row(404, "WALLET_NOT_FOUND"),
        Refused.INSUFFICIENT_FUNDS: _row(400, "NOT_ENOUGH_MONEY"),
        Refused.BUSY: _row(503, "TRY_LATER"),
        Refused.INTERNAL: _row(500, "INTERNAL_ERROR"),
    },
    unreachable=LOGIN_REFUSALS
    | FUNDING_REFUSALS
    | frozenset(
        {
            Refused.UNKNOWN_PERIOD,
            Refused.NOT_CONFIRMED,
            Refused.NUMBER_IN_USE,
            Refused.NO_CONSENT,
            Refused.ALREADY_REFERRED,
            Refused.UNKNOWN_DELIVERY,
            # The country of a number is judged for each entry, before the core is asked.
            Refused.UNKNOWN_COUNTRY,
            Refused.UNKNOWN_SERVICE,
            Refused.SERVICE_PROHIBITED,
            Refused.NO_NUMBERS,
            Refused.NOT_PRICED,
            Refused.PRICE_TOO_HIGH,
            Refused.PRICE_CHANGED,
            Refused.IDEMPOTENCY_KEY_REUSED,
            Refused.UNKNOWN_LEASE,
            Refused.TOO_EARLY,
            Refused.CODE_RECEIVED,
            Refused.LEASE_CLOSED,
            Refused.POOL_TAKEN,
            Refused.EMAIL_TAKEN,
            Refused.REFERENCE_TAKEN,
            Refused.CURRENCY_MISMATCH,
            Refused.NO_RATE,
            Refused.UPSTREAM_FAILED,
        }
    ),
)

_DAYS = Parameter("days", "How many days back; 7 when left out.", "integer")
_TEST = Parameter("test", "test1 or test2, as in the body.")


def _check_work(body: Any = None) -> Action:
    return Action(
        "Say that the numbers are still there",
        Scope.SUPPLY,
        _testable(_read_heartbeat),
        InTransaction(pools.hear),
        _render_done,
        Done,
        body=body,
        parameters=(_TEST,),
        refuses=(Refused.UNKNOWN_POOL, Refused.MALFORMED),
        noun="checkWork",
    )


def _remove_number(body: Any = None) -> Action:
    return Action(
        "Take one number off the list",
        Scope.SUPPLY,
        _testable(_read_removal),
        InTransaction(numbers.remove),
        _render_done,
        Done,
        body=body,
        parameters=(
            Parameter("number", "The number, with or without a plus sign."),
            Parameter("id", "Or our id of it.", "integer"),
            _TEST,
        ),
        refuses=(Refused.UNKNOWN_POOL, Refused.MALFORMED),
        noun="removeNumber",
    )


ACTIONS: dict[tuple[str, str], Action] = {
    ("POST", "/sendNumbersOnline"): Action(
        "Replace the list of numbers that are available now",
        Scope.SUPPLY,
        _parse_numbers,
        InTransaction(numbers.report),
        _render_report,
        Listed,
        body=NumbersBody,
        parameters=(_TEST,),
        body_bytes_max=lambda settings: settings.numbers_body_bytes_max,
        parse_slowly=True,
        refuses=(Refused.UNKNOWN_POOL, Refused.MALFORMED),
        noun="sendNumbersOnline",
    ),
    ("GET", "/checkWork"): _check_work(),
    ("POST", "/checkWork"): _check_work(CheckWorkBody),
    ("POST", "/addNumber"): Action(
        "Put one number on the list, or change its entry",
        Scope.SUPPLY,
        _testable(_read_addition),
        InTransaction(numbers.add),
        _render_addition,
        Listed,
        body=AddNumberBody,
        parameters=(_TEST,),
        refuses=(Refused.UNKNOWN_POOL, Refused.MALFORMED),
        noun="addNumber",
    ),
    ("DELETE", "/removeNumber"): _remove_number(),
    ("POST", "/removeNumber"): _remove_number(RemoveNumberBody),
    ("POST", "/addMessage"): Action(
        "Hand in an SMS",
        Scope.SUPPLY,
        _testable(_read_message),
        InLane(lambda lanes: lanes.receive),
        _render_received,
        Done,
        body=AddMessageBody,
        parameters=(_TEST,),
        refuses=(Refused.UNKNOWN_NUMBER, Refused.MALFORMED),
        noun="addMessage",
    ),
    ("POST", "/addMessages"): Action(
        "Hand in several SMS",
        Scope.SUPPLY,
        _testable(_read_messages),
        EachInLane(lambda lanes: lanes.receive),
        _render_messages,
        MessagesDone,
        body=MessagesBody,
        parameters=(_TEST,),
        refuses=(Refused.MALFORMED,),
        noun="addMessages",
    ),
    ("GET", "/earnings"): Action(
        "What was earned: pending, available, owed, and day by day",
        Scope.SUPPLY,
        _testable(_read_earnings),
        InTransaction(earnings.report),
        _render_earnings,
        EarningsAnswer,
        parameters=(_DAYS, _TEST),
        refuses=(Refused.UNKNOWN_ACCOUNT, Refused.MALFORMED),
        noun="earnings",
    ),
    ("GET", "/payouts"): Action(
        "Payouts, newest first",
        Scope.SUPPLY,
        _testable(_read_payouts),
        InTransaction(earnings.payouts_of),
        _render_payouts,
        PayoutsAnswer,
        parameters=(_TEST,),
        refuses=(Refused.MALFORMED,),
        noun="payouts",
    ),
    ("POST", "/requestPayout"): Action(
        "Ask for money to be paid out",
        Scope.SUPPLY,
        _testable(_read_payout),
        InTransaction(earnings.request_payout),
        _render_payout,
        PayoutsAnswer,
        body=PayoutBody,
        parameters=(_TEST,),
        refuses=(Refused.UNKNOWN_ACCOUNT, Refused.INSUFFICIENT_FUNDS, Refused.MALFORMED),
        noun="requestPayout",
    ),
    ("GET", "/quality"): Action(
        "How good the supplier's numbers are, by country and service",
        Scope.SUPPLY,
        _testable(_read_quality),
        InTransaction(quality.report),
        _render_quality,
        QualityAnswer,
        parameters=(_DAYS, _TEST),
        refuses=(Refused.MALFORMED,),
        noun="quality",
    ),
}

DIALECT = Dialect(
    name="onlinesim_reseller_v2",
    title="Onlinesim reseller API v2",
    prefix="/api/resellers",
    actions=ACTIONS,
    refusals=REFUSALS,
    find_key=find_key,
    error=Failure,
    description="For suppliers: report the numbers that are plugged in, and hand in the SMS they receive. "
    "`response` is 1 on success, else a word or a text.",
    key_description="Supplier's key as a bearer token; also as `apikey` in the query or `key` in the body",
)
