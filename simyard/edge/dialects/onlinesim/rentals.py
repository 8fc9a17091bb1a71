"""Rent: a number for days, from any sender."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from simyard.base import money
from simyard.base.ids import RentalId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.messages.model import ReceivedMessage
from simyard.core.rentals import service as rentals
from simyard.core.rentals.machine import State
from simyard.core.rentals.model import (
    ActOnRental,
    CountryOffer,
    ExtendRental,
    ListRentalOffers,
    LookAtRentals,
    OrderRental,
    Rental,
    RentalView,
)
from simyard.db.database import Tx
from simyard.edge.dialects.onlinesim import names
from simyard.edge.dialects.onlinesim.fields import PAGE_MAX, Fields, idempotency_key
from simyard.edge.dialects.onlinesim.wire import (
    TZID,
    Amount,
    DoneLease,
    amount,
    failure,
    method,
    page_places,
)
from simyard.edge.wire import (
    Action,
    InSteps,
    InTransaction,
    Parameter,
    WireRequest,
    WireResponse,
    json_response,
)

PER_PAGE: Final = 20
_DAYS_MAX: Final = 10_000
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)

WholeAmount = Annotated[int, Meta(description="An amount, rounded up to whole units.")]


# What goes over the wire


class RentMessage(msgspec.Struct):
    """An SMS. `service` is its sender; the code is empty when there is none."""

    id: int
    service: str
    text: str
    code: str
    created_at: str


class MessagePage(msgspec.Struct, kw_only=True):
    """Messages, newest first; `from` and `to` are places of items, null on an empty page."""

    current_page: int
    data: list[RentMessage]
    first: int | None = msgspec.field(name="from")
    last_page: int
    per_page: int
    last: int | None = msgspec.field(name="to")
    total: int


class RentItem(msgspec.Struct):
    """A rental. `number` is national, `time` minutes; prices of extensions by their days."""

    tzid: int
    status: Literal[0, 1]
    country: int
    number: str
    rent: int
    sum: str
    time: int
    hours: int
    days: int
    extension: Literal[0, 1]
    extend: dict[int, Amount]
    day_extend: WholeAmount
    m_ext: bool
    checked: bool
    checked_time: str
    reload: int
    freeze: bool
    messages: list[RentMessage] | MessagePage


class RentAnswer(msgspec.Struct, kw_only=True):
    response: Literal[1] = 1
    item: RentItem


class RentList(msgspec.Struct, kw_only=True):
    response: Literal[1] = 1
    items: list[RentItem] = msgspec.field(name="list")


class RentTariff(msgspec.Struct):
    """What renting in a country costs: stock and price by days; `extend` is the price of one more day."""

    code: int
    enabled: bool
    name: str
    new: bool
    position: int
    count: dict[int, int]
    days: dict[int, Amount]
    extend: WholeAmount
    confirm: bool


# Ordering


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order(OrderRental):
    paged: bool


def _parse_order(request: WireRequest) -> _Order:
    fields = Fields.of(request)
    country = fields.country()
    if country is None:
        raise Refusal(Refused.UNKNOWN_COUNTRY)
    settings = request.settings
    return _Order(
        account_id=request.caller.account_id,
        country=country.iso2,
        days=_days(fields),
        auto_extend=fields.flag("extension", default=True),
        confirm_seconds=settings.rental_confirm_seconds,
        now=request.now,
        base_currency=settings.base_currency,
        excluded=fields.rejected(country),
        sandbox_seconds=settings.sandbox_sms_seconds,
        idempotency_key=idempotency_key(request),
        paged=fields.flag("pagination", default=True),
    )


def _days(fields: Fields) -> int:
    days = fields.integer("days")
    if days is None or not 1 <= days <= _DAYS_MAX:
        raise Refusal(Refused.UNKNOWN_PERIOD)
    return days


def render_order(rental: Rental, command: _Order, caller: Caller) -> WireResponse:
    view = RentalView(rental, (), 0)
    return json_response(RentAnswer(item=_item(view, _Pages(1) if command.paged else None, caller.now)))


# Looking


@dataclass(frozen=True, slots=True)
class _Pages:
    """Messages are shown in pages, and this one is asked for."""

    page: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look(LookAtRentals):
    pages: _Pages | None


def _parse_look(request: WireRequest) -> _Look:
    fields = Fields.of(request)
    lease_id = fields.lease_id_or_none()
    return _look(request, fields, None if lease_id is None else RentalId(lease_id), paged=True)


def _look(request: WireRequest, fields: Fields, rental_id: RentalId | None, *, paged: bool) -> _Look:
    pages = None
    if fields.flag("pagination", default=paged):
        pages = _Pages(fields.count("page", 1, PAGE_MAX))
    return _Look(
        account_id=request.caller.account_id,
        rental_id=rental_id,
        base_currency=request.settings.base_currency,
        page=pages.page if pages else 1,
        per_page=PER_PAGE if pages else None,
        pages=pages,
    )


def render_look(found: Sequence[RentalView], command: _Look, caller: Caller) -> WireResponse:
    if command.rental_id is not None and found[0].rental.closed_at is not None:
        return failure("NO_NUMBER")
    return json_response(RentList(items=[_item(one, command.pages, caller.now) for one in found]))


def _item(view: RentalView, pages: _Pages | None, now: datetime) -> RentItem:
    rental = view.rental
    confirmed = rental.confirmed_at is not None
    ends = rental.expires_at if confirmed else rental.confirm_by
    left = max(rental.expires_at - now, timedelta())
    extensions = rental.extensions if rental.state is State.ACTIVE else ()
    checked = rental.last_message_at or rental.confirmed_at or rental.ordered_at
    return RentItem(
        tzid=rental.id,
        status=1 if confirmed else 0,
        country=names.country_code(rental.country),
        number=names.national(rental.msisdn, rental.country),
        rent=rental.days,
        sum=money.format_amount(rental.price),
        time=max(0, math.ceil((ends - now) / _MINUTE)),
        hours=left // _HOUR,
        days=left // _DAY,
        extension=1 if extensions else 0,
        extend={offer.days: amount(offer.price) for offer in extensions},
        day_extend=_price_of_a_day({offer.days: offer.price for offer in rental.extensions}),
        m_ext=rental.auto_extend,
        checked=confirmed,
        checked_time=names.moment(checked),
        reload=0,
        freeze=False,
        messages=_messages(view, pages),
    )


def _price_of_a_day(periods: dict[int, int]) -> int:
    """What a day of the shortest period costs, rounded up: clients take nothing but whole numbers here."""
    if not periods:
        return 0
    days = min(periods)
    return -(-periods[days] // (days * money.MICROS))


def _messages(view: RentalView, pages: _Pages | None) -> list[RentMessage] | MessagePage:
    listed = [_message(one) for one in view.messages]
    if pages is None:
        return listed
    first, last, last_page = page_places(pages.page, PER_PAGE, len(listed), view.total)
    return MessagePage(
        current_page=pages.page,
        data=listed,
        first=first,
        last_page=last_page,
        per_page=PER_PAGE,
        last=last,
        total=view.total,
    )


def _message(message: ReceivedMessage) -> RentMessage:
    return RentMessage(
        message.id,
        message.sender,
        message.text or "",
        message.code or "",
        names.moment(message.received_at),
    )


# Extending and ending


@dataclass(frozen=True, slots=True)
class _Extend:
    """An extension, and the look at the rental that is its answer."""

    extension: ExtendRental
    look: _Look


def _parse_extend(request: WireRequest) -> _Extend:
    fields = Fields.of(request)
    rental_id = RentalId(fields.lease_id())
    extension = ExtendRental(
        account_id=request.caller.account_id,
        rental_id=rental_id,
        days=_days(fields),
        now=request.now,
        base_currency=request.settings.base_currency,
        idempotency_key=idempotency_key(request),
    )
    # Clients read an array here and cannot ask for one.
    return _Extend(extension, _look(request, fields, rental_id, paged=False))


async def _extend(tx: Tx, command: _Extend) -> list[RentalView]:
    await rentals.extend(tx, command.extension)
    return await rentals.look(tx, command.look)


def render_extend(found: Sequence[RentalView], command: _Extend, caller: Caller) -> WireResponse:
    return json_response(RentAnswer(item=_item(found[0], command.look.pages, caller.now)))


def _parse_act(request: WireRequest) -> ActOnRental:
    return ActOnRental(
        request.caller.account_id,
        RentalId(Fields.of(request).lease_id()),
        request.now,
        request.settings.base_currency,
        timedelta(hours=request.settings.earning_hold_hours),
    )


def _render_act(rental: Rental, _: ActOnRental, __: Caller) -> WireResponse:
    return json_response(DoneLease(tzid=rental.id))


# Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class _List(ListRentalOffers):
    lang: str


def _parse_tariffs(request: WireRequest) -> _List:
    fields = Fields.of(request)
    country = None
    if (fields.text("country") or "all").lower() != "all":
        country = fields.country()
    return _List(
        account_id=request.caller.account_id,
        countries=None if country is None else (country.iso2,),
        currency=None,
        base_currency=request.settings.base_currency,
        now=request.now,
        lang=fields.language(),
    )


def render_tariffs(offers: Sequence[CountryOffer], command: _List, _: Caller) -> WireResponse:
    if command.countries is None:
        return json_response(
            {str(names.country_code(offer.country)): _tariff(offer.country, offer) for offer in offers}
        )
    (country,) = command.countries
    return json_response(_tariff(country, offers[0] if offers else None))


def _tariff(country: str, offer: CountryOffer | None) -> RentTariff:
    periods = dict(sorted(offer.periods.items())) if offer is not None else {}
    return RentTariff(
        code=names.country_code(country),
        enabled=bool(periods),
        name=names.machine_name(country),
        new=False,
        position=names.position(country),
        count=dict.fromkeys(periods, offer.stock) if offer is not None else {},
        days={days: amount(price) for days, price in periods.items()},
        extend=_price_of_a_day(periods),
        confirm=True,
    )


_PAGINATION: Final = Parameter("pagination", "false: messages in an array, not in pages.", "boolean")
_PAGE: Final = Parameter("page", "Which page of messages, from 1.", "integer")
_DAYS: Final = Parameter("days", "A period on offer.", "integer", required=True)
_ACTED: Final = (Refused.MALFORMED, Refused.UNKNOWN_LEASE, Refused.LEASE_CLOSED)

METHODS: Final = {
    **method(
        "rent/getRentNum",
        Action(
            "Rent a number for days; without an SMS in 20 minutes it ends and is paid back",
            Scope.ORDER,
            _parse_order,
            InSteps(lambda steps: steps.rent),
            render_order,
            RentAnswer,
            parameters=(
                Parameter("country", "Dialling code.", "integer", required=True),
                _DAYS,
                Parameter("extension", "Extend by 30 days at the end: true when left out.", "boolean"),
                _PAGINATION,
            ),
            refuses=(
                Refused.MALFORMED,
                Refused.UNKNOWN_COUNTRY,
                Refused.UNKNOWN_PERIOD,
                Refused.IDEMPOTENCY_KEY_REUSED,
                Refused.NOT_PRICED,
                Refused.NO_RATE,
                Refused.INSUFFICIENT_FUNDS,
                Refused.NO_NUMBERS,
                Refused.UPSTREAM_FAILED,
                Refused.BUSY,
            ),
        ),
    ),
    **method(
        "rent/getRentState",
        Action(
            "Rented numbers and their messages: one, or all that are open",
            Scope.READ,
            _parse_look,
            InTransaction(rentals.look),
            render_look,
            RentList,
            parameters=(
                Parameter("tzid", "The rental's id; all open ones when left out.", "integer"),
                _PAGINATION,
                _PAGE,
            ),
            refuses=(Refused.MALFORMED, Refused.UNKNOWN_LEASE),
        ),
    ),
    **method(
        "rent/extendRentState",
        Action(
            "Extend a rental by days",
            Scope.ORDER,
            _parse_extend,
            InTransaction(_extend),
            render_extend,
            RentAnswer,
            parameters=(TZID, _DAYS, _PAGINATION, _PAGE),
            refuses=(
                Refused.MALFORMED,
                Refused.UNKNOWN_PERIOD,
                Refused.IDEMPOTENCY_KEY_REUSED,
                Refused.UNKNOWN_LEASE,
                Refused.LEASE_CLOSED,
                Refused.NOT_CONFIRMED,
                Refused.NOT_PRICED,
                Refused.NO_RATE,
                Refused.INSUFFICIENT_FUNDS,
                Refused.BUSY,
            ),
        ),
    ),
    **method(
        "rent/closeRentNum",
        Action(
            "End a rental; before its first SMS its price comes back",
            Scope.ORDER,
            _parse_act,
            InTransaction(rentals.close),
            _render_act,
            DoneLease,
            parameters=(TZID,),
            refuses=_ACTED,
        ),
    ),
    **{
        place: action
        for name, summary in (
            ("rent/portReload", "Restart the port of a rented number: there is nothing to restart"),
            ("rent/portUnFreeze", "Unfreeze a rented number: none is ever frozen"),
        )
        for place, action in method(
            name,
            Action(
                summary,
                Scope.ORDER,
                _parse_act,
                InTransaction(rentals.reload_port),
                _render_act,
                DoneLease,
                parameters=(TZID,),
                refuses=_ACTED,
            ),
        ).items()
    },
    **method(
        "rent/tariffsRent",
        Action(
            "Prices and stock of rent: of a country, or of all by their codes",
            Scope.READ,
            _parse_tariffs,
            InTransaction(rentals.list_rental_offers),
            render_tariffs,
            RentTariff | dict[str, RentTariff],
            parameters=(Parameter("country", "Dialling code; all when left out.", "integer"),),
            refuses=(Refused.MALFORMED, Refused.UNKNOWN_COUNTRY, Refused.NO_RATE),
        ),
    ),
}
