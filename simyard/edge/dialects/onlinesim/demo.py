"""`/demo/api/<method>`: every method answers with made-up data, or with the error that `err` names.

No key, no database, no money: what is rendered is rendered by the same code as real answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from simyard.base.ids import (
    AccountId,
    ActivationId,
    DeliveryId,
    EndpointId,
    MessageId,
    NumberId,
    PublicMessageId,
    RentalId,
    ServiceId,
)
from simyard.base.money import MICROS
from simyard.base.refusals import Refused
from simyard.core.accounts.model import AccountState, Caller
from simyard.core.activations.machine import State as ActivationState
from simyard.core.activations.model import (
    ActivationView,
    CloseActivation,
    Closed,
    LookAtActivations,
    Order,
    OrderNumber,
)
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.messages.model import ReceivedMessage
from simyard.core.pricing.model import Tariff
from simyard.core.public_numbers.model import PublicMessage, PublicMessagePage, PublicNumber
from simyard.core.rentals.machine import State as RentalState
from simyard.core.rentals.model import CountryOffer, Rental, RentalOffer, RentalView
from simyard.core.reports.model import Profile, Purse
from simyard.core.webhooks.model import Announcement, Delivery, DeliveryPage, DeliveryState, LeaseKind
from simyard.edge.dialects.onlinesim import webhook
from simyard.edge.dialects.onlinesim.dialect import ACTIONS, BODY_TYPES, PREFIX, normal_path
from simyard.edge.dialects.onlinesim.fields import Fields, wrong
from simyard.edge.dialects.onlinesim.profile import Found as FoundProfile
from simyard.edge.dialects.onlinesim.public import Found as FoundPublic
from simyard.edge.dialects.onlinesim.tariffs import Offered
from simyard.edge.dialects.onlinesim.wire import REFUSALS, Failure, failure
from simyard.edge.wire import (
    Action,
    Dialect,
    KeyNeed,
    NoVerb,
    Parameter,
    WireRequest,
    WireResponse,
)

_BEFORE: Final = "/demo"
DEMO_PREFIX: Final = _BEFORE + PREFIX
_TZID: Final = 10_000
_ACCOUNT: Final = AccountId(1)
_COUNTRY: Final = "SE"
_NATIONAL: Final = "700000001"
_MSISDN: Final = f"+46{_NATIONAL}"
_TEXT: Final = "Your code is 12345"
_CODE: Final = "12345"
_SENDER: Final = "Telegram"
_SERVICE: Final = "telegram"
_CURRENCY: Final = "USD"
_PERIODS: Final = {1: 36 * MICROS, 7: 200 * MICROS}

ERRORS: Final = frozenset(
    {
        "ACCOUNT_BLOCKED",
        "ERROR_WRONG_KEY",
        "ERROR_NO_KEY",
        "ERROR_NO_SERVICE",
        "REQUEST_NOT_FOUND",
        "API_ACCESS_DISABLED",
        "API_ACCESS_IP",
        "WARNING_LOW_BALANCE",
        "NO_NUMBER",
        "WARNING_NO_NUMS",
        "NO_COUNTRY",
        "UNDEFINED_COUNTRY",
        "UNDEFINED_DAYS",
        "EXCEEDED_CONCURRENT_OPERATIONS",
        "INTERVAL_CONCURRENT_REQUESTS_ERROR",
        "TIME_INTERVAL_ERROR",
        "TRY_AGAIN_LATER",
        "DUPLICATE_OPERATION",
        "ACCOUNT_IDENTIFICATION_REQUIRED",
        "NO_FORWARD_FOR_DEFFER",
        "NO_NUMBER_FOR_FORWARD",
        "ERROR_LENGTH_NUMBER_FOR_FORWARD",
        "NO_CONFIRM_FORWARD",
        "ERROR_NO_TZID",
        "ERROR_WRONG_TZID",
        "ERROR_NO_OPERATIONS",
        "NO_COMPLETE_TZID",
        "ERROR_NO_NUMBER",
        "ERROR_NUMBERS_PARAMS",
        "ERROR_PARAMS",
        "LIFICYCLE_NUM_EXPIRED",
        "NEED_EXTENSION_NUMBER",
        "ERROR_NO_SERVICE_REPEAT",
        "SERVICE_TO_NUMBER_EMPTY",
        "repeat disabled",
    }
)
"""The vendor's catalogue, also what this server never says: programs want to try how they take it."""


# What the core would have said


def _service() -> ServiceId:
    service = load_catalog().service(_SERVICE)
    if service is None:
        raise LookupError(_SERVICE)
    return service.id


def _calling_code(iso2: str) -> int:
    country = load_catalog().country(iso2)
    if country is None:
        raise LookupError(iso2)
    return country.calling_code


def _order(command: OrderNumber, now: datetime) -> Order:
    return Order(
        activation_id=ActivationId(_TZID),
        msisdn=f"+{_calling_code(command.country)}{_NATIONAL}",
        service_label=command.service_label,
        country_label=command.country_label,
        price=14 * MICROS,
        currency=_CURRENCY,
        available=216 * MICROS,
        ordered_at=now,
        expires_at=now + timedelta(minutes=15),
    )


def _received(now: datetime) -> ReceivedMessage:
    return ReceivedMessage(MessageId(1), _SENDER, _TEXT, _CODE, now - timedelta(minutes=1))


def _operations(command: LookAtActivations, now: datetime) -> tuple[ActivationView, ...]:
    ordered = now - timedelta(minutes=10)
    return (
        ActivationView(
            id=command.activation_id or ActivationId(_TZID),
            service_id=_service(),
            service_label=_SERVICE,
            country=_COUNTRY,
            msisdn=_MSISDN,
            state=ActivationState.RECEIVED,
            code=_CODE,
            price=14 * MICROS,
            currency=_CURRENCY,
            ordered_at=ordered,
            expires_at=ordered + timedelta(minutes=15),
            received_at=now - timedelta(minutes=1),
            closed_at=None,
            messages=(_received(now),),
        ),
    )


def _closed(command: CloseActivation, now: datetime) -> Closed:
    return Closed(command.activation_id, ActivationState.FINISHED, 0, _CURRENCY, 216 * MICROS)


def _nothing(_: Any, now: datetime) -> None:
    return None


def _rental(*, confirmed: bool, now: datetime) -> Rental:
    ordered = now - timedelta(hours=1) if confirmed else now
    return Rental(
        id=RentalId(_TZID),
        msisdn=_MSISDN,
        country=_COUNTRY,
        state=RentalState.ACTIVE if confirmed else RentalState.WAITING,
        auto_extend=True,
        currency=_CURRENCY,
        price=200 * MICROS,
        days=7,
        messages=1 if confirmed else 0,
        ordered_at=ordered,
        confirm_by=ordered + timedelta(minutes=20),
        confirmed_at=now - timedelta(minutes=1) if confirmed else None,
        expires_at=ordered + timedelta(days=7),
        closed_at=None,
        extensions=tuple(RentalOffer(days, price) for days, price in _PERIODS.items()),
        last_message_at=now - timedelta(minutes=1) if confirmed else None,
    )


def _new_rental(_: Any, now: datetime) -> Rental:
    return _rental(confirmed=False, now=now)


def _running_rental(_: Any, now: datetime) -> Rental:
    return _rental(confirmed=True, now=now)


def _rentals(_: Any, now: datetime) -> list[RentalView]:
    return [RentalView(_rental(confirmed=True, now=now), (_received(now),), 1)]


def _rental_offers(_: Any, now: datetime) -> list[CountryOffer]:
    return [CountryOffer(_COUNTRY, _CURRENCY, _PERIODS, 20)]


def _tariffs(_: Any, now: datetime) -> list[Tariff]:
    return [Tariff(_service(), _COUNTRY, 58 * MICROS, _CURRENCY, 10)]


def _offered(command: Any, now: datetime) -> Offered:
    return Offered([_COUNTRY], _tariffs(command, now))


def _public_numbers(_: Any, now: datetime) -> list[PublicNumber]:
    latest = now - timedelta(minutes=1)
    return [PublicNumber(NumberId(1), _MSISDN, _COUNTRY, now - timedelta(days=2), latest, archived=False)]


def _public(command: Any, now: datetime) -> FoundPublic:
    message = PublicMessage(
        PublicMessageId(1), _MSISDN, _COUNTRY, "Tel*****", _TEXT, now - timedelta(minutes=1)
    )
    listed = _public_numbers(command, now)
    return FoundPublic([_COUNTRY], listed, listed[0], PublicMessagePage((message,), 1))


def _public_countries(_: Any, now: datetime) -> list[str]:
    return [_COUNTRY]


def _purse(_: Any, now: datetime) -> Purse:
    return Purse(_CURRENCY, 230_250_000, 120 * MICROS, 0, 0)


def _profile(_: Any, now: datetime) -> FoundProfile:
    profile = Profile(
        account_id=_ACCOUNT,
        email="jo@example.com",
        state=AccountState.ACTIVE,
        created_at=now - timedelta(days=30),
        currency=_CURRENCY,
        available=216 * MICROS,
        deposited=300 * MICROS,
        spent=84 * MICROS,
        income=0,
        messages=6,
    )
    return FoundProfile(profile, None)


def _log(_: Any, now: datetime) -> DeliveryPage:
    at = now - timedelta(minutes=1)
    facts = Announcement(
        delivery_id=DeliveryId(1),
        account_id=_ACCOUNT,
        endpoint_id=EndpointId(1),
        format=webhook.FORMAT,
        url="https://example.com/sms",
        secret=b"",
        attempts=0,
        message_id=MessageId(1),
        lease_kind=LeaseKind.ACTIVATION,
        lease_id=_TZID,
        msisdn=_MSISDN,
        country=_COUNTRY,
        service_id=_service(),
        service_label=_SERVICE,
        sender=_SENDER,
        text=_TEXT,
        code=_CODE,
        received_at=at,
        ordered_at=at - timedelta(minutes=1),
        expires_at=at + timedelta(minutes=14),
    )
    delivery = Delivery(
        id=DeliveryId(1),
        state=DeliveryState.DELIVERED,
        attempts=0,
        next_attempt_at=None,
        url=facts.url,
        status=200,
        problem=None,
        created_at=at,
        closed_at=at,
        facts=facts,
    )
    return DeliveryPage((delivery,), 1)


_Sample: TypeAlias = Callable[[Any, datetime], Any]

_SAMPLES: Final[Mapping[str, _Sample]] = {
    "getBalance": _purse,
    "getProfile": _profile,
    "profile": _nothing,
    "webhook-logs": _log,
    "user/me": _nothing,
    "getTariffs": _offered,
    "getNumbersStats": _tariffs,
    "getPrice": _tariffs,
    "getNum": _order,
    "getState": _operations,
    "setOperationRevise": _nothing,
    "setOperationOk": _closed,
    "getService": _nothing,
    "getServiceNumber": _nothing,
    "getNumRepeat": _nothing,
    "rent/getRentNum": _new_rental,
    "rent/getRentState": _rentals,
    "rent/extendRentState": _rentals,
    "rent/closeRentNum": _running_rental,
    "rent/portReload": _running_rental,
    "rent/portUnFreeze": _running_rental,
    "rent/tariffsRent": _rental_offers,
    "getFreeList": _public,
    "getFreeCountryList": _public_countries,
    "getFreePhoneList": _public_numbers,
    "getFreeMessageList": _public,
}
"""What each method's verb is said to have answered."""


# The methods

# What a request leaves out, where a method needs it.
_GIVEN: Final = b"service=telegram&country=46&days=7&tzid=10000&phone=700000001&profile=%7B%7D&"
# Only what is wrong with the request itself.
_REFUSES: Final = (
    Refused.MALFORMED,
    Refused.UNKNOWN_SERVICE,
    Refused.UNKNOWN_COUNTRY,
    Refused.UNKNOWN_PERIOD,
    Refused.UNKNOWN_LEASE,
)


def _demonstrate(action: Action) -> Action:
    sample = _SAMPLES[action.noun]

    def parse(request: WireRequest) -> Any:
        error = Fields.of(request).text("err")
        if error is None:
            return action.parse(replace(request, query_string=_GIVEN + request.query_string))
        if error not in ERRORS:
            raise wrong()
        return failure(error)

    def render(_: None, command: Any, caller: Caller) -> WireResponse:
        return action.render(sample(command, caller.now), command, caller)

    return replace(
        action,
        parse=parse,
        verb=NoVerb(),
        render=render,
        parameters=(*action.parameters, Parameter("err", "The error to answer with.")),
        refuses=tuple(reason for reason in _REFUSES if reason in action.refuses),
        budget=None,
        budget_each=None,
        key=KeyNeed.IGNORED,
    )


def _normal_path(path: str) -> str:
    """As of the real ones, whose prefix is the end of this one."""
    return _BEFORE + normal_path(path.removeprefix(_BEFORE))


DIALECT: Final = Dialect(
    name="onlinesim_demo",
    title="Onlinesim, demonstration",
    prefix=DEMO_PREFIX,
    actions={place: _demonstrate(action) for place, action in ACTIONS.items()},
    refusals=REFUSALS,
    find_key=lambda headers, query_string, body: None,
    error=Failure,
    description=(
        "The methods of Onlinesim with made-up answers: nothing is ordered and nothing is paid. `err` names an error of the "
        "vendor's catalogue to be answered with. What a request leaves out is filled in."
    ),
    key_description="none is needed",
    normal_path=_normal_path,
    body_types=BODY_TYPES,
)
