"""DaisySim server7 (`/api/v1/server7`). Source: the vendor's page "DaisySim API, US virtual numbers"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from simyard.base.ids import ID_MAX, AccountId, ActivationId, PoolId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.activations import service as activations
from simyard.core.activations.model import (
    Activation,
    ActivationPage,
    ActOnActivation,
    CheckActivation,
    Closed,
    ListActivations,
    Order,
    OrderNumber,
)
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.limits.model import Budget
from simyard.core.pricing import service as pricing
from simyard.core.pricing.model import ListOffers, PricedOffer
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import Balance
from simyard.edge.dialects import codes
from simyard.edge.dialects.daisysim.wire import (
    HISTORY_PARAMETERS,
    LABEL_LENGTH_MAX,
    STATUSES,
    Amount,
    Failure,
    HistoryData,
    account_of,
    amount,
    history_data,
    malformed,
    over_budget,
    parse_history,
    path_activation_id,
    read_activation_id,
    read_fields,
    read_idempotency_key,
    read_label,
    read_text,
    row,
    too_early,
)
from simyard.edge.wire import (
    FUNDING_REFUSALS,
    LOGIN_REFUSALS,
    Action,
    Dialect,
    EachInLane,
    InLane,
    InTransaction,
    NoVerb,
    RefusalTable,
    WireRequest,
    WireResponse,
    bearer,
    json_response,
)

COUNTRY = "US"
COUNTRY_ID = "USA"
CHECK_ALL_MAX = 20
_MULTI_POOL = "sb_"


# What goes over the wire


class BalanceData(msgspec.Struct):
    balance: Amount
    currency: str
    email: str


class CountryItem(msgspec.Struct):
    id: str
    name: str


class CountriesData(msgspec.Struct):
    countries: list[CountryItem]


class Provider(msgspec.Struct):
    """A pool of a multi-pool service."""

    provider_id: str
    price: Amount
    count: int


class App(msgspec.Struct):
    """A service on offer."""

    code: str
    name: str
    price: Amount
    providers: list[Provider]


class PurchaseBody(msgspec.Struct):
    """Only `provider_id` and the labels may be left out."""

    country: str
    app: str
    provider_id: str | None = None
    app_name: str | None = None
    country_name: str | None = None


class PurchaseData(msgspec.Struct):
    activation_id: str
    phone_number: str
    service: str
    country: str
    amount_charged: Amount
    balance_after: Amount


class CheckData(msgspec.Struct):
    activation_id: str
    status: str
    code: str | None
    phone_number: str | None


class UnresolvedItem(msgspec.Struct):
    """An id that will never change: `Not Found` or `Invalid`."""

    activation_id: str
    status: str
    code: None = None


class CheckAllBody(msgspec.Struct):
    ids: Annotated[list[str], Meta(max_length=CHECK_ALL_MAX)]


class CancelData(msgspec.Struct):
    activation_id: str
    refund: Amount
    balance_after: Amount


class ReceivedData(msgspec.Struct):
    activation_id: str
    phone_number: str | None
    service: str
    status: str
    code: str | None


class ReceivedFailure(msgspec.Struct, kw_only=True):
    success: bool = False
    error: str
    code: str
    data: ReceivedData


class BalanceAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    message: str = "OK"
    data: BalanceData


class CountriesAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    message: str = "OK"
    data: CountriesData


class AppsAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    message: str = "OK"
    data: list[App]


class PurchaseAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    message: str = "Number purchased successfully."
    data: PurchaseData


class CheckAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    message: str = "OK"
    data: CheckData


class CheckAllAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    message: str = "OK"
    data: list[CheckData | UnresolvedItem]


class CancelAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    message: str = "Activation cancelled and refunded."
    data: CancelData


class HistoryAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    message: str = "OK"
    data: HistoryData


# Reading


def _nothing(request: WireRequest) -> None:
    return None


def _check_country(value: object) -> None:
    if read_text(value) is None or str(value).strip().upper() != COUNTRY_ID:
        raise Refusal(Refused.UNKNOWN_COUNTRY)


def _parse_apps(request: WireRequest) -> ListOffers:
    _check_country(request.value)
    return ListOffers(account_of(request), COUNTRY, request.settings.base_currency, request.now)


def _parse_purchase(request: WireRequest) -> OrderNumber:
    fields = read_fields(request.body)
    _check_country(fields.get("country"))
    app = read_text(fields.get("app"))
    if app is None:
        raise Refusal(Refused.UNKNOWN_SERVICE)
    slug, pool_id = _service_of(app)
    service = load_catalog().service(slug) if slug is not None else None
    if service is None:
        raise Refusal(Refused.UNKNOWN_SERVICE)
    own_pool = pool_id is not None
    if app.lower().startswith(_MULTI_POOL):
        pool_id = _pool_of(fields.get("provider_id"))
    return OrderNumber(
        account_id=account_of(request),
        service_id=service.id,
        country=COUNTRY,
        service_label=read_label(fields.get("app_name"), app[:LABEL_LENGTH_MAX], "app_name"),
        country_label=read_label(fields.get("country_name"), COUNTRY_ID, "country_name"),
        seconds=request.settings.activation_seconds,
        now=request.now,
        base_currency=request.settings.base_currency,
        pool_id=pool_id,
        # A reserved pool has a code and a price of its own, so no other code may be charged for it.
        common_only=not own_pool,
        sandbox_seconds=request.settings.sandbox_sms_seconds,
        idempotency_key=read_idempotency_key(request),
    )


def _pool_of(value: object) -> PoolId | None:
    """The pool a provider id names. Refuses: NO_NUMBERS when it can name none."""
    if value is None or value == "":
        return None
    text = read_text(value)
    if text is None or not (text.isascii() and text.isdigit() and int(text[:16]) <= ID_MAX):
        raise Refusal(Refused.NO_NUMBERS)
    return PoolId(int(text[:16]))


def _service_of(app: str) -> tuple[str | None, PoolId | None]:
    """What an app code names: a service, and its one pool when the code is that pool's own (`whatsapp-3109`)."""
    known = load_catalog()
    if app.lower().startswith(_MULTI_POOL):
        code = app[len(_MULTI_POOL) :].lower()
        return codes.services.by_handler(code) or (code if known.service(code) else None), None
    slug, dash, pool = app.lower().rpartition("-")
    if dash and known.service(slug) and pool.isascii() and pool.isdigit() and len(pool) <= 16:
        return slug, PoolId(int(pool))
    slugs = _slugs_by_code()
    return slugs.get(app) or slugs.get(app.casefold()), None


@cache
def _slugs_by_code() -> Mapping[str, str]:
    """By what single-provider services go by: the name /apps shows, before a slug, before a name in any case."""
    services = load_catalog().services
    folded = {service.name.casefold(): service.slug for service in reversed(services)}
    return (
        folded
        | {service.slug: service.slug for service in services}
        | {service.name: service.slug for service in reversed(services)}
    )


def _parse_check(request: WireRequest) -> CheckActivation:
    activation_id = path_activation_id(request)
    return CheckActivation(account_of(request), activation_id)


class _CheckMany(list[CheckActivation]):
    """The checks of one check-all, with every id that was asked for, in the order it was."""

    asked: Sequence[tuple[str, ActivationId | None]] = ()


def _parse_check_all(request: WireRequest) -> _CheckMany:
    ids = read_fields(request.body).get("ids")
    if not isinstance(ids, list) or not ids:
        raise Refusal(Refused.MALFORMED, problem="The ids field must be an array of activation ids.")
    if len(ids) > CHECK_ALL_MAX:
        raise Refusal(Refused.MALFORMED, problem=f"The ids field may have {CHECK_ALL_MAX} items at most.")
    asked = [(_shown_id(one), read_activation_id(one)) for one in ids]
    checks = _CheckMany(
        CheckActivation(account_of(request), activation_id)
        for activation_id in dict.fromkeys(activation_id for _, activation_id in asked)
        if activation_id is not None
    )
    checks.asked = asked
    return checks


def _shown_id(value: object) -> str:
    return str(value)[:LABEL_LENGTH_MAX] if isinstance(value, str | int | float) else ""


def _parse_cancel(request: WireRequest) -> ActOnActivation:
    activation_id = path_activation_id(request)
    return ActOnActivation(
        account_of(request), activation_id, request.now, request.settings.server7_cancel_after_seconds
    )


# Writing


def _render_balance(balance: Balance, _: AccountId, caller: Caller) -> WireResponse:
    return json_response(
        BalanceAnswer(data=BalanceData(amount(balance.available), balance.currency, caller.email))
    )


def _render_countries(_: None, __: None, ___: Caller) -> WireResponse:
    return json_response(CountriesAnswer(data=CountriesData([CountryItem(COUNTRY_ID, COUNTRY_ID)])))


def _render_apps(offers: Sequence[PricedOffer], _: ListOffers, __: Caller) -> WireResponse:
    by_service: dict[int, list[PricedOffer]] = {}
    for offer in offers:
        by_service.setdefault(offer.offer.service_id, []).append(offer)
    apps = [app for found in by_service.values() for app in _apps(found)]
    return json_response(AppsAnswer(data=sorted(apps, key=lambda app: bool(app.providers))))


def _apps(offers: Sequence[PricedOffer]) -> list[App]:
    """How one service is shown: each pool reserved for it by itself, the others together."""
    service = load_catalog().service_at(offers[0].offer.service_id)
    reserved = [one for one in offers if one.offer.reserved_for is not None]
    common = [one for one in offers if one.offer.reserved_for is None]
    apps = [App(service.name, service.name, amount(one.price), []) for one in common[:1] if len(common) == 1]
    apps += [
        App(f"{service.slug}-{one.offer.pool_id}", service.name, amount(one.price), []) for one in reserved
    ]
    if len(common) > 1:
        code = codes.services.handler_of(service.slug) or service.slug
        providers = [Provider(str(one.offer.pool_id), amount(one.price), one.offer.stock) for one in common]
        apps.append(App(_MULTI_POOL + code, service.name, amount(common[0].price), providers))
    for number, app in enumerate(apps[1:], start=2):
        app.name = f"{service.name} {number}"
    return apps


def _render_purchase(order: Order, _: OrderNumber, __: Caller) -> WireResponse:
    return json_response(
        PurchaseAnswer(
            data=PurchaseData(
                str(order.activation_id),
                order.msisdn,
                order.service_label,
                order.country_label,
                amount(order.price),
                amount(order.available),
            )
        )
    )


def _check_data(activation: Activation) -> CheckData:
    status = STATUSES[activation.state]
    return CheckData(str(activation.id), status, activation.code, activation.msisdn)


def _render_check(activation: Activation, _: CheckActivation, __: Caller) -> WireResponse:
    return json_response(CheckAnswer(data=_check_data(activation)))


def _render_check_all(results: Sequence[Activation | Refusal], checks: _CheckMany, _: Caller) -> WireResponse:
    found = {check.activation_id: result for check, result in zip(checks, results, strict=True)}
    items: list[CheckData | UnresolvedItem] = []
    for shown, activation_id in checks.asked:
        result = found.get(activation_id) if activation_id is not None else None
        if activation_id is None:
            items.append(UnresolvedItem(shown, "Invalid"))
        elif not isinstance(result, Activation):
            items.append(UnresolvedItem(shown, "Not Found"))
        elif STATUSES[result.state] in ("Waiting", "Completed"):
            items.append(_check_data(result))
        else:
            # Closed without a code: nothing will come of it any more, which is what Invalid tells a poller.
            items.append(UnresolvedItem(shown, "Invalid"))
    return json_response(CheckAllAnswer(data=items))


def _render_cancel(closed: Closed, _: ActOnActivation, __: Caller) -> WireResponse:
    data = CancelData(str(closed.activation_id), amount(closed.refunded), amount(closed.available))
    return json_response(CancelAnswer(data=data))


def _render_history(page: ActivationPage, command: ListActivations, _: Caller) -> WireResponse:
    return json_response(HistoryAnswer(data=history_data(page, command)))


# Refusing


def _code_received(refusal: Refusal, noun: str) -> WireResponse:
    facts: Mapping[str, Any] = refusal.facts
    data = ReceivedData(
        str(facts["activation_id"]), facts["msisdn"], facts["service_label"], "Completed", facts["code"]
    )
    error = "Code already received. Cannot cancel."
    return json_response(ReceivedFailure(error=error, code="CODE_RECEIVED", data=data), 422)


def _closed(refusal: Refusal, noun: str) -> WireResponse:
    """Cancelling what has expired or was cancelled is a success that moves nothing: the money is back already."""
    facts: Mapping[str, Any] = refusal.facts
    data = CancelData(str(facts["activation_id"]), amount(facts["refunded"]), amount(facts["available"]))
    return json_response(CancelAnswer(data=data))


_NOT_OFFERED = row(
    422,
    "PRICE_VERIFICATION_FAILED",
    "Service price could not be verified. Please fetch /apps again and retry.",
)
_NOT_FOUND = row(404, "NOT_FOUND", "Activation not found.")
_OUT_OF_STOCK = row(503, "OUT_OF_STOCK", "No numbers available right now. Please try again shortly.")
_PROVIDER_ERROR = row(502, "PROVIDER_ERROR", "The upstream provider failed. Please retry in a few seconds.")

REFUSALS = RefusalTable(
    {
        Refused.NO_KEY: row(401, "UNAUTHENTICATED", "Missing API key."),
        Refused.WRONG_KEY: row(401, "UNAUTHENTICATED", "Invalid API key."),
        Refused.KEY_DISABLED: row(401, "UNAUTHENTICATED", "This API key is switched off."),
        Refused.KEY_SCOPE: row(401, "UNAUTHENTICATED", "This API key may not do that."),
        Refused.ADDRESS_NOT_ALLOWED: row(
            401, "UNAUTHENTICATED", "This API key may not be used from this address."
        ),
        Refused.ACCOUNT_SUSPENDED: row(403, "ACCOUNT_SUSPENDED", "Your account has been blocked."),
        Refused.ACCOUNT_LOCKED: row(403, "ACCOUNT_LOCKED", "Your account is temporarily locked."),
        Refused.OVER_BUDGET: over_budget,
        Refused.MALFORMED: malformed,
        Refused.TOO_LARGE: row(413, "VALIDATION_ERROR", "The request body is too large."),
        Refused.UNKNOWN_METHOD: row(404, "NOT_FOUND", "There is no such endpoint."),
        Refused.UNKNOWN_COUNTRY: row(422, "INVALID_COUNTRY", "Country not supported. Use USA."),
        Refused.UNKNOWN_SERVICE: _NOT_OFFERED,
        Refused.SERVICE_PROHIBITED: _NOT_OFFERED,
        Refused.NOT_PRICED: _NOT_OFFERED,
        Refused.NO_RATE: _NOT_OFFERED,
        Refused.NO_NUMBERS: _OUT_OF_STOCK,
        Refused.UNKNOWN_POOL: _OUT_OF_STOCK,
        Refused.INSUFFICIENT_FUNDS: row(400, "INSUFFICIENT_BALANCE", "Insufficient wallet balance."),
        Refused.IDEMPOTENCY_KEY_REUSED: row(
            409, "CONCURRENT_ERROR", "This Idempotency-Key was used for another order."
        ),
        Refused.UNKNOWN_LEASE: _NOT_FOUND,
        Refused.UNKNOWN_ACCOUNT: _NOT_FOUND,
        Refused.TOO_EARLY: too_early,
        Refused.CODE_RECEIVED: _code_received,
        Refused.LEASE_CLOSED: _closed,
        Refused.UPSTREAM_FAILED: _PROVIDER_ERROR,
        Refused.BUSY: row(409, "CONCURRENT_ERROR", "The platform is busy. Please retry in a moment."),
        Refused.INTERNAL: row(500, "SERVER_ERROR", "Internal server error."),
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
            Refused.PRICE_TOO_HIGH,
            Refused.PRICE_CHANGED,
            Refused.UNKNOWN_NUMBER,
            Refused.NUMBER_TAKEN,
            Refused.POOL_TAKEN,
            Refused.EMAIL_TAKEN,
            Refused.REFERENCE_TAKEN,
            Refused.CURRENCY_MISMATCH,
        }
    ),
)


ACTIONS = {
    ("GET", "/balance"): Action(
        "The wallet's balance",
        Scope.READ,
        account_of,
        InTransaction(wallet.balance),
        _render_balance,
        BalanceAnswer,
        noun="balance",
    ),
    ("GET", "/countries"): Action(
        "The countries on offer",
        Scope.READ,
        _nothing,
        NoVerb(),
        _render_countries,
        CountriesAnswer,
        noun="countries",
    ),
    ("GET", "/apps/{country}"): Action(
        "The services on offer in a country, with this account's prices",
        Scope.READ,
        _parse_apps,
        InTransaction(pricing.offers_in),
        _render_apps,
        AppsAnswer,
        value_description="A country id from /countries: USA.",
        refuses=(Refused.UNKNOWN_COUNTRY, Refused.NO_RATE),
        noun="apps",
    ),
    ("POST", "/purchase"): Action(
        "Order a number for one service",
        Scope.ORDER,
        _parse_purchase,
        InLane(lambda lanes: lanes.order),
        _render_purchase,
        PurchaseAnswer,
        body=PurchaseBody,
        refuses=(
            Refused.UNKNOWN_COUNTRY,
            Refused.UNKNOWN_SERVICE,
            Refused.IDEMPOTENCY_KEY_REUSED,
            Refused.SERVICE_PROHIBITED,
            Refused.NOT_PRICED,
            Refused.NO_RATE,
            Refused.INSUFFICIENT_FUNDS,
            Refused.NO_NUMBERS,
        ),
        budget=Budget("server7/purchase", 10),
        noun="purchase",
    ),
    ("GET", "/check/{activation_id}"): Action(
        "Whether the code has come",
        Scope.READ,
        _parse_check,
        InLane(lambda lanes: lanes.check),
        _render_check,
        CheckAnswer,
        value_description="The activation_id from /purchase.",
        refuses=(Refused.UNKNOWN_LEASE,),
        budget=Budget("server7/check", 60),
        noun="check",
    ),
    ("POST", "/check-all"): Action(
        "Whether the codes of up to 20 activations have come",
        Scope.READ,
        _parse_check_all,
        EachInLane(lambda lanes: lanes.check),
        _render_check_all,
        CheckAllAnswer,
        body=CheckAllBody,
        noun="check-all",
    ),
    ("POST", "/cancel/{activation_id}"): Action(
        "Cancel an activation that has no code and get its price back",
        Scope.ORDER,
        _parse_cancel,
        InTransaction(activations.cancel),
        _render_cancel,
        CancelAnswer,
        value_description="The activation_id from /purchase.",
        refuses=(Refused.UNKNOWN_LEASE, Refused.CODE_RECEIVED, Refused.LEASE_CLOSED, Refused.TOO_EARLY),
        budget=Budget("server7/cancel", 10),
        noun="cancel",
    ),
    ("GET", "/history"): Action(
        "The account's activations, newest first",
        Scope.READ,
        parse_history,
        InTransaction(activations.list_activations),
        _render_history,
        HistoryAnswer,
        refuses=(Refused.MALFORMED,),
        parameters=HISTORY_PARAMETERS,
        noun="history",
    ),
}

DIALECT = Dialect(
    name="server7",
    title="DaisySim server7",
    prefix="/api/v1/server7",
    actions=ACTIONS,
    refusals=REFUSALS,
    find_key=lambda headers, query_string, body: bearer(headers),
    error=Failure,
    description="US numbers for one service each. Every answer has the full envelope.",
)
