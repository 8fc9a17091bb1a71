"""DaisySIM virtual (`/api/v1/virtual`). Source: the vendor's page "Virtual Numbers API"."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

import msgspec

from simyard.base import money
from simyard.base.ids import AccountId
from simyard.base.money import AMOUNT_MAX, MICROS, Rounding
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.activations import service as activations
from simyard.core.activations.machine import State
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
from simyard.core.catalog.model import Country, Service
from simyard.core.limits.model import Budget
from simyard.core.loyalty import service as loyalty
from simyard.core.loyalty.model import ListPrices, Loyalty, PriceList, Standing, StandingOf
from simyard.core.pricing import service as pricing
from simyard.core.pricing.model import ListOffers, PricedOffer
from simyard.core.webhooks import service as webhooks
from simyard.core.webhooks.model import Endpoint, Event, SetEndpoint
from simyard.core.webhooks.rules import shown_secret
from simyard.edge.dialects import codes
from simyard.edge.dialects.daisysim.webhook import FORMAT
from simyard.edge.dialects.daisysim.wire import (
    HISTORY_PARAMETERS,
    PRICE_PLACES,
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
    InLane,
    InTransaction,
    RefusalTable,
    WireRequest,
    WireResponse,
    bearer,
    json_response,
)
from simyard.settings import Settings

COUNTRY_ID_LENGTH_MAX = 3
_CREATED = 201


# What goes over the wire


class Discount(msgspec.Struct):
    """The loyalty tier. What the next one needs is in the wallet's currency; there is none after the highest."""

    tier: str
    percent: int
    next_tier: str | None
    next_at: Amount | None
    needed: Amount


class BalanceData(msgspec.Struct):
    balance: Amount
    currency: str
    email: str
    total_spent: Amount
    discount: Discount


class CountryItem(msgspec.Struct):
    id: int
    name: str


class CountriesData(msgspec.Struct):
    countries: list[CountryItem]


class ServiceItem(msgspec.Struct):
    code: str
    name: str


class ServicesData(msgspec.Struct):
    country_id: int
    services: list[ServiceItem]


class PricesBody(msgspec.Struct):
    country: int
    service: str


class PriceTier(msgspec.Struct):
    tier: int
    price: Amount
    discount_pct: int
    available: int


class PricesData(msgspec.Struct):
    total_numbers: int
    discount_tier: str
    discount_pct: int
    tiers: list[PriceTier]


class PurchaseBody(msgspec.Struct):
    """`price` is one of /prices, as it stands there."""

    country: int
    service: str
    price: float
    service_name: str | None = None


class PurchaseData(msgspec.Struct):
    activation_id: str
    phone_number: str
    amount_charged: Amount
    balance_after: Amount


class PendingData(msgspec.Struct):
    """What has no code: `Waiting`, or it ended so."""

    status: str
    code: None


class CompletedData(msgspec.Struct):
    status: str
    code: str | None
    phone_number: str | None


class CancelData(msgspec.Struct):
    activation_id: str
    refund: Amount
    balance_after: Amount


class WebhookBody(msgspec.Struct):
    """Null switches it off."""

    url: str | None


class WebhookData(msgspec.Struct):
    """`switched_off` says why, when you did not do it: `gone` or `failing`."""

    url: str | None
    enabled: bool
    switched_off: str | None


class WebhookSetData(WebhookData):
    """`signing_secret` is what the signatures of what is sent to you are made with."""

    signing_secret: str | None


class BalanceAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    data: BalanceData


class CountriesAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    data: CountriesData


class ServicesAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    data: ServicesData


class PricesAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    data: PricesData


class PurchaseAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    data: PurchaseData


class CheckAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    data: PendingData | CompletedData


class CancelAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    data: CancelData


class HistoryAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    data: HistoryData


class WebhookAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    data: WebhookData


class WebhookSetAnswer(msgspec.Struct, kw_only=True):
    success: bool = True
    data: WebhookSetData


# Reading


def _loyalty(settings: Settings) -> Loyalty:
    return Loyalty(settings.loyalty_tiers, settings.base_currency)


def _country(value: object) -> Country:
    """A country id. Refuses: UNKNOWN_COUNTRY."""
    text = read_text(value) or ""
    iso2 = None
    if text.isascii() and text.isdigit() and text[0] != "0" and len(text) <= COUNTRY_ID_LENGTH_MAX:
        iso2 = codes.countries.by_daisysim(int(text))
    country = load_catalog().country(iso2) if iso2 is not None else None
    if country is None:
        raise Refusal(Refused.UNKNOWN_COUNTRY)
    return country


def _service(value: object) -> Service:
    """A service code, or our own word for the service. Refuses: UNKNOWN_SERVICE."""
    text = (read_text(value) or "").lower()
    service = load_catalog().service(codes.services.by_handler(text) or text)
    if service is None:
        raise Refusal(Refused.UNKNOWN_SERVICE)
    return service


def _price(value: object) -> int:
    """A price in micros, to the fourth decimal. Refuses: MALFORMED for what is no amount."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(value)
        # What a float was written as: its shortest text.
        price = Decimal(value if isinstance(value, str) else repr(value))
        if not price.is_finite() or price < 0:
            raise ValueError(value)
    except (ValueError, InvalidOperation) as error:
        raise Refusal(Refused.MALFORMED, problem="The price field must be a number.") from error
    if price > AMOUNT_MAX // MICROS:
        return AMOUNT_MAX
    micros = int((price * MICROS).to_integral_value(ROUND_HALF_EVEN))
    return money.round_to_places(micros, places=PRICE_PLACES, rounding=Rounding.HALF_EVEN)


def _parse_balance(request: WireRequest) -> StandingOf:
    return StandingOf(account_of(request), _loyalty(request.settings))


def _parse_services(request: WireRequest) -> ListOffers:
    country = _country(request.value)
    return ListOffers(account_of(request), country.iso2, request.settings.base_currency, request.now)


def _parse_prices(request: WireRequest) -> ListPrices:
    fields = read_fields(request.body)
    country, service = _country(fields.get("country")), _service(fields.get("service"))
    return ListPrices(account_of(request), service.id, country.iso2, _loyalty(request.settings), request.now)


def _parse_purchase(request: WireRequest) -> OrderNumber:
    fields = read_fields(request.body)
    country, service = _country(fields.get("country")), _service(fields.get("service"))
    return OrderNumber(
        account_id=account_of(request),
        service_id=service.id,
        country=country.iso2,
        service_label=read_label(fields.get("service_name"), service.name, "service_name"),
        country_label=country.name,
        seconds=request.settings.activation_seconds,
        now=request.now,
        base_currency=request.settings.base_currency,
        price_exact=_price(fields.get("price")),
        sandbox_seconds=request.settings.sandbox_sms_seconds,
        idempotency_key=read_idempotency_key(request),
    )


def _parse_check(request: WireRequest) -> CheckActivation:
    return CheckActivation(account_of(request), path_activation_id(request))


def _parse_cancel(request: WireRequest) -> ActOnActivation:
    return ActOnActivation(
        account_of(request),
        path_activation_id(request),
        request.now,
        request.settings.virtual_cancel_after_seconds,
    )


def _parse_set_webhook(request: WireRequest) -> SetEndpoint:
    fields = read_fields(request.body)
    url = fields.get("url", ...)
    if not (url is None or isinstance(url, str)):
        raise Refusal(Refused.MALFORMED, problem="The url field must be a string, or null.")
    return SetEndpoint(
        account_of(request),
        FORMAT,
        Event.CODE,
        url,
        request.settings.webhook_networks_allowed,
        request.now,
    )


# Writing


def _render_balance(standing: Standing, _: StandingOf, caller: Caller) -> WireResponse:
    return json_response(
        BalanceAnswer(
            data=BalanceData(
                amount(standing.available),
                standing.currency,
                caller.email,
                amount(standing.spent),
                Discount(
                    standing.tier,
                    standing.percent,
                    standing.next_tier,
                    amount(standing.next_at) if standing.next_at is not None else None,
                    amount(standing.needed),
                ),
            )
        )
    )


def _render_countries(offered: Sequence[str], _: object, __: Caller) -> WireResponse:
    known = load_catalog()
    items = [
        CountryItem(number, country.name)
        for iso2 in offered
        if (number := codes.countries.daisysim_of(iso2)) is not None
        and (country := known.country(iso2)) is not None
    ]
    return json_response(CountriesAnswer(data=CountriesData(sorted(items, key=lambda item: item.name))))


def _render_services(offers: Sequence[PricedOffer], command: ListOffers, _: Caller) -> WireResponse:
    known = load_catalog()
    services = [known.service_at(service_id) for service_id in {one.offer.service_id for one in offers}]
    items = [
        ServiceItem(codes.services.handler_of(service.slug) or service.slug, service.name)
        for service in sorted(services, key=lambda service: service.name)
    ]
    country_id = codes.countries.daisysim_of(command.country)
    return json_response(ServicesAnswer(data=ServicesData(country_id or 0, items)))


def _render_prices(found: PriceList, _: ListPrices, __: Caller) -> WireResponse:
    percent = found.standing.percent
    tiers = [
        PriceTier(place, amount(one.price), percent, one.stock)
        for place, one in enumerate(found.prices, start=1)
    ]
    total = sum(one.stock for one in found.prices)
    return json_response(PricesAnswer(data=PricesData(total, found.standing.tier, percent, tiers)))


def _render_purchase(order: Order, _: OrderNumber, __: Caller) -> WireResponse:
    data = PurchaseData(str(order.activation_id), order.msisdn, amount(order.price), amount(order.available))
    return json_response(PurchaseAnswer(data=data), _CREATED)


def _render_check(activation: Activation, _: CheckActivation, __: Caller) -> WireResponse:
    status = STATUSES[activation.state]
    if status == "Completed":
        return json_response(CheckAnswer(data=CompletedData(status, activation.code, activation.msisdn)))
    return json_response(CheckAnswer(data=PendingData(status, None)))


def _render_cancel(closed: Closed, _: ActOnActivation, __: Caller) -> WireResponse:
    data = CancelData(str(closed.activation_id), amount(closed.refunded), amount(closed.available))
    return json_response(CancelAnswer(data=data))


def _render_history(page: ActivationPage, command: ListActivations, _: Caller) -> WireResponse:
    return json_response(HistoryAnswer(data=history_data(page, command)))


def _render_webhook(endpoint: Endpoint | None, _: AccountId, __: Caller) -> WireResponse:
    if endpoint is None:
        return json_response(WebhookAnswer(data=WebhookData(None, False, None)))
    return json_response(
        WebhookAnswer(data=WebhookData(endpoint.url, endpoint.enabled, endpoint.switched_off))
    )


def _render_set_webhook(endpoint: Endpoint | None, _: SetEndpoint, __: Caller) -> WireResponse:
    if endpoint is None:
        return json_response(WebhookSetAnswer(data=WebhookSetData(None, False, None, None)))
    secret = shown_secret(endpoint.secret)
    data = WebhookSetData(endpoint.url, endpoint.enabled, endpoint.switched_off, secret)
    return json_response(WebhookSetAnswer(data=data))


# Refusing


def _closed(refusal: Refusal, noun: str) -> WireResponse:
    """What was paid for stays paid; what was not has been given back already."""
    if refusal.facts.get("state") == State.FINISHED:
        return _CODE_RECEIVED(refusal, noun)
    return _ALREADY_REFUNDED(refusal, noun)


def _busy(refusal: Refusal, noun: str) -> WireResponse:
    error = "The platform is busy. Please retry in a moment."
    return json_response(Failure(error=error, code="RATE_LIMITED"), 429, ((b"retry-after", b"1"),))


_CODE_RECEIVED = row(422, "CODE_RECEIVED", "The code was already received. Cannot cancel.")
_ALREADY_REFUNDED = row(422, "ALREADY_REFUNDED", "This activation was already refunded.")
_INVALID_PRICE = row(
    422, "INVALID_PRICE", "The price does not match the current price. Refresh /prices and retry."
)
_NO_NUMBERS = row(503, "NO_NUMBERS_AVAILABLE", "No numbers available right now. Try a different country.")
_NOT_FOUND = row(404, "NOT_FOUND", "Activation not found.")

REFUSALS = RefusalTable(
    {
        Refused.NO_KEY: row(401, "MISSING_TOKEN", "Missing API key."),
        Refused.WRONG_KEY: row(401, "INVALID_TOKEN", "Invalid API key."),
        Refused.KEY_DISABLED: row(401, "INVALID_TOKEN", "This API key is switched off."),
        Refused.KEY_SCOPE: row(401, "INVALID_TOKEN", "This API key may not do that."),
        Refused.ADDRESS_NOT_ALLOWED: row(
            401, "INVALID_TOKEN", "This API key may not be used from this address."
        ),
        Refused.ACCOUNT_SUSPENDED: row(403, "ACCOUNT_SUSPENDED", "Your account has been blocked."),
        Refused.ACCOUNT_LOCKED: row(403, "ACCOUNT_LOCKED", "Your account is temporarily locked."),
        Refused.OVER_BUDGET: over_budget,
        Refused.MALFORMED: malformed,
        Refused.TOO_LARGE: row(413, "VALIDATION_ERROR", "The request body is too large."),
        Refused.UNKNOWN_METHOD: row(404, "NOT_FOUND", "There is no such endpoint."),
        Refused.UNKNOWN_COUNTRY: row(422, "VALIDATION_ERROR", "The country must be an id from /countries."),
        Refused.UNKNOWN_SERVICE: row(422, "VALIDATION_ERROR", "The service must be a code from /services."),
        # What is not sold has no price, so none can match.
        Refused.SERVICE_PROHIBITED: _INVALID_PRICE,
        Refused.NOT_PRICED: _INVALID_PRICE,
        Refused.NO_RATE: _INVALID_PRICE,
        Refused.PRICE_CHANGED: _INVALID_PRICE,
        Refused.NO_NUMBERS: _NO_NUMBERS,
        Refused.INSUFFICIENT_FUNDS: row(400, "INSUFFICIENT_BALANCE", "Insufficient wallet balance."),
        Refused.IDEMPOTENCY_KEY_REUSED: row(
            422, "VALIDATION_ERROR", "This Idempotency-Key was used for another purchase."
        ),
        Refused.UNKNOWN_LEASE: _NOT_FOUND,
        Refused.UNKNOWN_ACCOUNT: _NOT_FOUND,
        Refused.TOO_EARLY: too_early,
        Refused.CODE_RECEIVED: _CODE_RECEIVED,
        Refused.LEASE_CLOSED: _closed,
        Refused.UPSTREAM_FAILED: row(
            502, "PROVIDER_ERROR", "The upstream provider failed. Please retry in a few seconds."
        ),
        Refused.BUSY: _busy,
        Refused.INTERNAL: row(500, "SERVER_ERROR", "Internal server error."),
    },
    unreachable=LOGIN_REFUSALS
    | FUNDING_REFUSALS
    | frozenset(
        {
            Refused.UNKNOWN_POOL,
            Refused.UNKNOWN_PERIOD,
            Refused.NOT_CONFIRMED,
            Refused.NUMBER_IN_USE,
            Refused.NO_CONSENT,
            Refused.ALREADY_REFERRED,
            Refused.UNKNOWN_DELIVERY,
            Refused.PRICE_TOO_HIGH,
            Refused.UNKNOWN_NUMBER,
            Refused.NUMBER_TAKEN,
            Refused.POOL_TAKEN,
            Refused.EMAIL_TAKEN,
            Refused.REFERENCE_TAKEN,
            Refused.CURRENCY_MISMATCH,
        }
    ),
)


def _now(request: WireRequest) -> object:
    return request.now


ACTIONS = {
    ("GET", "/balance"): Action(
        "The wallet's balance, and the loyalty tier",
        Scope.READ,
        _parse_balance,
        InTransaction(loyalty.standing),
        _render_balance,
        BalanceAnswer,
        noun="balance",
    ),
    ("GET", "/countries"): Action(
        "The countries something can be bought in, by name",
        Scope.READ,
        _now,
        InTransaction(pricing.offered_countries),
        _render_countries,
        CountriesAnswer,
        noun="countries",
    ),
    ("GET", "/services/{country_id}"): Action(
        "The services on offer in a country, by name",
        Scope.READ,
        _parse_services,
        InTransaction(pricing.offers_in),
        _render_services,
        ServicesAnswer,
        value_description="A country id from /countries.",
        refuses=(Refused.UNKNOWN_COUNTRY, Refused.NO_RATE),
        noun="services",
    ),
    ("POST", "/prices"): Action(
        "The prices of a service in a country that have stock, the lowest first",
        Scope.READ,
        _parse_prices,
        InTransaction(loyalty.list_prices),
        _render_prices,
        PricesAnswer,
        body=PricesBody,
        refuses=(Refused.UNKNOWN_COUNTRY, Refused.UNKNOWN_SERVICE, Refused.NO_RATE),
        budget=Budget("virtual/prices", 30),
        noun="prices",
    ),
    ("POST", "/purchase"): Action(
        "Order a number for one service at exactly this price",
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
            Refused.PRICE_CHANGED,
            Refused.INSUFFICIENT_FUNDS,
            Refused.NO_NUMBERS,
        ),
        budget=Budget("virtual/purchase", 10),
        success_status=_CREATED,
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
        budget=Budget("virtual/check", 60),
        noun="check",
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
        budget=Budget("virtual/cancel", 10),
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
    # The vendor sets it on a page of his. Ours; nothing of his stands at this path.
    ("GET", "/webhook"): Action(
        "Where you are told of codes",
        Scope.READ,
        account_of,
        InTransaction(lambda tx, account_id: webhooks.endpoint_of(tx, account_id, FORMAT)),
        _render_webhook,
        WebhookAnswer,
        noun="webhook",
    ),
    ("POST", "/webhook"): Action(
        "Be told of the first code of each activation, or, with null, no more",
        Scope.ORDER,
        _parse_set_webhook,
        InTransaction(webhooks.set_endpoint),
        _render_set_webhook,
        WebhookSetAnswer,
        body=WebhookBody,
        budget=Budget("virtual/webhook", 10),
        noun="webhook",
    ),
}

DIALECT = Dialect(
    name="virtual",
    title="DaisySIM virtual",
    prefix="/api/v1/virtual",
    actions=ACTIONS,
    refusals=REFUSALS,
    find_key=lambda headers, query_string, body: bearer(headers),
    error=Failure,
    description="Numbers of many countries for one service each, at exactly the price that was shown. Every answer has the full "
    "envelope. What cannot be read is a VALIDATION_ERROR, which the vendor's table does not have.",
)
