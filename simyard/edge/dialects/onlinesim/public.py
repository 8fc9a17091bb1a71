"""Free numbers: everybody may read what comes in on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import msgspec

from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.public_numbers import service as public_numbers
from simyard.core.public_numbers.model import (
    ListPublicMessages,
    PublicMessage,
    PublicMessagePage,
    PublicNumber,
)
from simyard.db.database import Tx
from simyard.edge.dialects.onlinesim import names
from simyard.edge.dialects.onlinesim.fields import PAGE_MAX, Fields, wrong
from simyard.edge.dialects.onlinesim.wire import method, page_places
from simyard.edge.wire import (
    Action,
    InTransaction,
    KeyNeed,
    Parameter,
    WireRequest,
    WireResponse,
    json_response,
)

PER_PAGE: Final = 10


# What goes over the wire


class FreeCountry(msgspec.Struct):
    country: int
    country_text: str
    country_original: str


class FreeNumber(msgspec.Struct):
    country: int
    country_original: str
    data_humans: str
    full_number: str
    is_archive: bool


class FreePhone(msgspec.Struct):
    number: str
    country: int
    full_number: str
    country_text: str
    maxdate: str
    updated_at: str
    data_humans: str


class FreeMessage(msgspec.Struct):
    """An SMS; of its sender only a part is shown."""

    text: str
    in_number: str
    my_number: int
    created_at: str
    data_humans: str


class FreeMessagePage(msgspec.Struct, kw_only=True):
    """Newest first; `from` and `to` are places of items, null on an empty page."""

    current_page: int
    data: list[FreeMessage]
    first_page_url: str
    first: int | None = msgspec.field(name="from")
    last_page: int
    last_page_url: str
    links: list[str] = msgspec.field(default_factory=list)
    next_page_url: str | None
    path: str
    per_page: int
    prev_page_url: str | None
    last: int | None = msgspec.field(name="to")
    total: int
    number: str
    country: int | None


class FreeList(msgspec.Struct, kw_only=True):
    response: Literal[1] = 1
    countries: list[FreeCountry]
    numbers: dict[str, FreeNumber]
    messages: FreeMessagePage
    ignore: str = ""


class FreeCountries(msgspec.Struct, kw_only=True):
    response: Literal[1] = 1
    countries: list[FreeCountry]


class FreePhones(msgspec.Struct, kw_only=True):
    response: Literal[1] = 1
    numbers: list[FreePhone]


class FreeMessages(msgspec.Struct, kw_only=True):
    response: Literal[1] = 1
    messages: FreeMessagePage


# Asking


@dataclass(frozen=True, slots=True)
class _Ask:
    """Whose messages to show: of one number, of a country's, or of all. `method` is the page's own address."""

    method: str
    country: str | None
    number: str | None
    page: int
    lang: str


@dataclass(frozen=True, slots=True)
class Found:
    """What is public: its countries, its numbers, and a page of messages of one number or of many."""

    countries: Sequence[str]
    numbers: Sequence[PublicNumber]
    number: PublicNumber | None
    messages: PublicMessagePage


def _parse_list(request: WireRequest) -> _Ask:
    return _ask(request, "getFreeList", "number", "phone")


def _parse_messages(request: WireRequest) -> _Ask:
    command = _ask(request, "getFreeMessageList", "phone", "number")
    if command.number is None:
        raise wrong("ERROR_NO_NUMBER")
    return command


def _ask(request: WireRequest, method: str, *number_names: str) -> _Ask:
    """Refuses: UNKNOWN_COUNTRY, MALFORMED."""
    fields = Fields.of(request)
    country = fields.country()
    number = fields.text(*number_names)
    digits = number.removeprefix("+") if number is not None else None
    if digits is not None and not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
        raise wrong("ERROR_NUMBERS_PARAMS")
    page = fields.count("page" if "page" in fields else "cpage", 1, PAGE_MAX)
    return _Ask(method, country.iso2 if country is not None else None, digits, page, fields.language())


async def _find(tx: Tx, command: _Ask) -> Found:
    """Refuses: UNKNOWN_NUMBER."""
    countries = await public_numbers.list_countries(tx)
    listed = await public_numbers.list_numbers(tx, command.country)
    number = _chosen(listed, command.number)
    messages = await public_numbers.list_messages(
        tx,
        ListPublicMessages(
            command.country, number.msisdn if number is not None else None, command.page, PER_PAGE
        ),
    )
    return Found(countries, listed, number, messages)


def _chosen(listed: Sequence[PublicNumber], digits: str | None) -> PublicNumber | None:
    """The number that was asked for by its national part, as some clients know no other, or in full.

    Refuses: UNKNOWN_NUMBER.
    """
    if digits is None:
        return None
    for number in listed:
        if digits in (number.msisdn.removeprefix("+"), names.national(number.msisdn, number.country)):
            return number
    raise Refusal(Refused.UNKNOWN_NUMBER)


def render_list(found: Found, command: _Ask, caller: Caller) -> WireResponse:
    return json_response(
        FreeList(
            countries=_countries(found.countries, command.lang),
            numbers={
                names.national(one.msisdn, one.country): FreeNumber(
                    country=names.country_code(one.country),
                    country_original=names.machine_name(one.country),
                    data_humans=names.ago(one.published_at, caller.now, command.lang),
                    full_number=one.msisdn,
                    is_archive=one.archived,
                )
                for one in found.numbers
            },
            messages=_page(found, command, caller.now),
        )
    )


def render_messages(found: Found, command: _Ask, caller: Caller) -> WireResponse:
    return json_response(FreeMessages(messages=_page(found, command, caller.now)))


def _page(found: Found, command: _Ask, now: datetime) -> FreeMessagePage:
    listed = [_message(one, now, command.lang) for one in found.messages.messages]
    page, total = command.page, found.messages.total
    first, last, last_page = page_places(page, PER_PAGE, len(listed), total)
    path = f"/api/{command.method}"
    number = found.number
    country = number.country if number is not None else command.country
    return FreeMessagePage(
        current_page=page,
        data=listed,
        first_page_url=f"{path}?page=1",
        first=first,
        last_page=last_page,
        last_page_url=f"{path}?page={last_page}",
        next_page_url=f"{path}?page={page + 1}" if page < last_page else None,
        path=path,
        per_page=PER_PAGE,
        prev_page_url=f"{path}?page={page - 1}" if page > 1 else None,
        last=last,
        total=total,
        number=names.national(number.msisdn, number.country) if number is not None else "",
        country=names.country_code(country) if country is not None else None,
    )


def _message(message: PublicMessage, now: datetime, lang: str) -> FreeMessage:
    return FreeMessage(
        text=message.text,
        in_number=message.sender,
        my_number=int(names.national(message.msisdn, message.country)),
        created_at=names.moment(message.received_at),
        data_humans=names.ago(message.received_at, now, lang),
    )


# Countries and numbers


def _parse_countries(request: WireRequest) -> str:
    return Fields.of(request).language()


async def _list_countries(tx: Tx, _: str) -> list[str]:
    return await public_numbers.list_countries(tx)


def render_countries(found: Sequence[str], lang: str, _: Caller) -> WireResponse:
    return json_response(FreeCountries(countries=_countries(found, lang)))


def _countries(found: Sequence[str], lang: str) -> list[FreeCountry]:
    return [
        FreeCountry(names.country_code(iso2), names.country_name(iso2, lang), names.machine_name(iso2))
        for iso2 in sorted(found, key=names.position)
    ]


@dataclass(frozen=True, slots=True)
class _AskNumbers:
    country: str | None
    lang: str


def _parse_numbers(request: WireRequest) -> _AskNumbers:
    fields = Fields.of(request)
    country = fields.country()
    return _AskNumbers(country.iso2 if country is not None else None, fields.language())


async def _list_numbers(tx: Tx, command: _AskNumbers) -> list[PublicNumber]:
    return await public_numbers.list_numbers(tx, command.country)


def render_numbers(found: Sequence[PublicNumber], command: _AskNumbers, caller: Caller) -> WireResponse:
    return json_response(FreePhones(numbers=[_phone(one, command.lang, caller.now) for one in found]))


def _phone(number: PublicNumber, lang: str, now: datetime) -> FreePhone:
    latest = number.last_message_at or number.published_at
    return FreePhone(
        number=names.national(number.msisdn, number.country),
        country=names.country_code(number.country),
        full_number=number.msisdn,
        country_text=names.country_name(number.country, lang),
        maxdate=names.moment(latest),
        updated_at=names.moment(latest),
        data_humans=names.ago(latest, now, lang),
    )


_COUNTRY: Final = Parameter("country", "Dialling code; all when left out.", "integer")
_PAGE: Final = Parameter("page", "Which page of messages, from 1.", "integer")

METHODS: Final = {
    **method(
        "getFreeList",
        Action(
            "Free numbers, their countries, and a page of their messages",
            Scope.READ,
            _parse_list,
            InTransaction(_find),
            render_list,
            FreeList,
            parameters=(_COUNTRY, Parameter("number", "Only messages of this number, national."), _PAGE),
            refuses=(Refused.MALFORMED, Refused.UNKNOWN_COUNTRY, Refused.UNKNOWN_NUMBER),
            key=KeyNeed.OPTIONAL,
        ),
    ),
    **method(
        "getFreeCountryList",
        Action(
            "Countries that have free numbers",
            Scope.READ,
            _parse_countries,
            InTransaction(_list_countries),
            render_countries,
            FreeCountries,
            refuses=(Refused.MALFORMED,),
            key=KeyNeed.OPTIONAL,
        ),
    ),
    **method(
        "getFreePhoneList",
        Action(
            "Free numbers",
            Scope.READ,
            _parse_numbers,
            InTransaction(_list_numbers),
            render_numbers,
            FreePhones,
            parameters=(_COUNTRY,),
            refuses=(Refused.MALFORMED, Refused.UNKNOWN_COUNTRY),
            key=KeyNeed.OPTIONAL,
        ),
    ),
    **method(
        "getFreeMessageList",
        Action(
            "A page of a free number's messages",
            Scope.READ,
            _parse_messages,
            InTransaction(_find),
            render_messages,
            FreeMessages,
            parameters=(
                Parameter("phone", "The number, national or in full.", required=True),
                _COUNTRY,
                _PAGE,
            ),
            refuses=(Refused.MALFORMED, Refused.UNKNOWN_COUNTRY, Refused.UNKNOWN_NUMBER),
            key=KeyNeed.OPTIONAL,
        ),
    ),
}
