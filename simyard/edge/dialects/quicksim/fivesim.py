"""Countries, products and activations, by 5sim's codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simyard.base.ids import ServiceId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.activations import machine
from simyard.core.activations import service as activations
from simyard.core.activations.machine import State
from simyard.core.activations.model import (
    ActivationView,
    ActOnActivation,
    Closed,
    LookAtActivations,
    Order,
    OrderNumber,
)
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.limits.model import Budget
from simyard.core.messages.model import ReceivedMessage
from simyard.core.pricing import service as pricing
from simyard.core.pricing.model import ListTariffs, Tariff
from simyard.edge.dialects import codes
from simyard.edge.dialects.quicksim import reading, shapes
from simyard.edge.wire import (
    Action,
    InLane,
    InTransaction,
    Parameter,
    Row,
    WireRequest,
    WireResponse,
    json_response,
)

CREATED: Final = 201

_STATUSES: Final = {
    State.ACQUIRING: "PENDING",
    State.WAITING: "PENDING",
    State.RECEIVED: "RECEIVED",
    # All its messages are shown, so there is something to read.
    State.WAITING_AGAIN: "RECEIVED",
    State.FINISHED: "FINISHED",
    State.CANCELED: "CANCELED",
    State.FAILED: "CANCELED",
    State.EXPIRED: "EXPIRED",
}

# Reading


def _country(code: str) -> str:
    """ISO code of a country. Refuses: UNKNOWN_COUNTRY."""
    iso2 = codes.countries.by_fivesim(code.strip().lower())
    if iso2 is None or load_catalog().country(iso2) is None:
        raise Refusal(Refused.UNKNOWN_COUNTRY)
    return iso2


def _service(code: str) -> ServiceId:
    slug = codes.services.by_fivesim(code.strip().lower())
    service = load_catalog().service(slug) if slug is not None else None
    if service is None:
        raise Refusal(Refused.UNKNOWN_SERVICE)
    return service.id


def _parse_products(request: WireRequest) -> ListTariffs:
    code = request.query.get("country", "")
    if not code.strip():
        raise reading.malformed("The country parameter is required.")
    return ListTariffs(
        account_id=request.caller.account_id,
        countries=(_country(code),),
        services=None,
        currency=None,
        base_currency=request.settings.base_currency,
        now=request.now,
    )


def _parse_activation(request: WireRequest) -> OrderNumber:
    given = reading.fields(request)
    country, product = reading.text(given, "country"), reading.text(given, "product")
    iso2, service_id = _country(country), _service(product)
    return OrderNumber(
        account_id=request.caller.account_id,
        service_id=service_id,
        country=iso2,
        service_label=product.strip().lower(),
        country_label=country.strip().lower(),
        seconds=request.settings.activation_seconds,
        now=request.now,
        base_currency=request.settings.base_currency,
        sandbox_seconds=request.settings.sandbox_sms_seconds,
        idempotency_key=reading.idempotency_key(request),
    )


def _parse_check(request: WireRequest) -> LookAtActivations:
    activation_id = reading.activation_id(request.query.get("activation_id"))
    return LookAtActivations(request.caller.account_id, activation_id, dismissed_too=True)


def _parse_act(request: WireRequest) -> ActOnActivation:
    activation_id = reading.activation_id(reading.fields(request).get("activation_id"))
    return ActOnActivation(request.caller.account_id, activation_id, request.now)


# Writing


def _render_countries(offered: Sequence[str], _: object, __: Caller) -> WireResponse:
    known = load_catalog()
    items = []
    for iso2 in offered:
        country, code = known.country(iso2), codes.countries.fivesim_of(iso2)
        if country is not None and code is not None:
            items.append(shapes.CountryItem(country.name, code, f"+{country.calling_code}", country.flag))
    items.sort(key=lambda item: item.name)
    return json_response(shapes.CountriesAnswer(items))


def _render_products(tariffs: Sequence[Tariff], _: ListTariffs, __: Caller) -> WireResponse:
    known = load_catalog()
    items = []
    for tariff in tariffs:
        service = known.service_at(tariff.service_id)
        code = codes.services.fivesim_of(service.slug)
        if code is not None:
            price = shapes.amount(tariff.price)
            # Of several names the first is what people call it.
            name = service.name.partition(" / ")[0]
            items.append(shapes.ProductItem(code, name, price, tariff.currency, tariff.stock))
    return json_response(shapes.ProductsAnswer(items))


def _render_activation(order: Order, _: OrderNumber, __: Caller) -> WireResponse:
    answer = shapes.ActivationAnswer(
        id=order.activation_id,
        phone=order.msisdn,
        product=order.service_label,
        country=order.country_label,
        price=shapes.amount(order.price),
        status="PENDING",
        expires_at=shapes.moment(order.expires_at),
        sms=None,
        created_at=shapes.moment(order.ordered_at),
    )
    return json_response(answer, CREATED)


def _render_check(views: Sequence[ActivationView], _: LookAtActivations, __: Caller) -> WireResponse:
    (view,) = views
    sms = [_sms(message) for message in view.messages]
    return json_response(shapes.CheckAnswer(view.id, view.msisdn, _STATUSES[view.state], sms))


def _sms(message: ReceivedMessage) -> shapes.SmsItem:
    return shapes.SmsItem(message.id, message.text, message.code, shapes.moment(message.received_at))


def _render_finish(closed: Closed, _: ActOnActivation, __: Caller) -> WireResponse:
    return _finished(closed.activation_id)


def _finished(activation_id: int) -> WireResponse:
    return json_response(shapes.FinishAnswer(activation_id, "FINISHED", "Activation completed successfully"))


def _render_cancel(closed: Closed, _: ActOnActivation, __: Caller) -> WireResponse:
    return _canceled(closed.activation_id, closed.state, closed.refunded, closed.currency)


def _canceled(activation_id: int, state: State, refunded: int, currency: str) -> WireResponse:
    message = f"Activation canceled. {shapes.sum_of_money(refunded, currency)} refunded to wallet."
    answer = shapes.CancelAnswer(activation_id, _STATUSES[state], shapes.amount(refunded), message)
    return json_response(answer)


# Refusing


def closed(gone: Row, waiting: Row) -> Row:
    """What is said to whoever acts on a closed activation: a repeat gets the answer of the first time and moves nothing.

    `gone`: it can no longer be used. `waiting`: it is open, but there is nothing to finish yet.
    """

    def render(refusal: Refusal, noun: str) -> WireResponse:
        facts = refusal.facts
        state = State(str(facts["state"]))
        if noun == _CANCEL and state in (State.CANCELED, State.FAILED):
            return _canceled(
                int(str(facts["activation_id"])),
                state,
                int(str(facts["refunded"])),
                str(facts["currency"]),
            )
        if noun == _FINISH and state is State.FINISHED:
            return _finished(int(str(facts["activation_id"])))
        if noun == _FINISH and state in (State.ACQUIRING, State.WAITING):
            return waiting(refusal, noun)
        return gone(refusal, noun)

    return render


def received(gone: Row, paid: Row) -> Row:
    """What is said to whoever cancels what brought a message. `gone`: it is closed. `paid`: it is open still."""
    return lambda refusal, noun: (paid if refusal.facts["state"] in machine.OPEN else gone)(refusal, noun)


_FINISH: Final = "finish"
_CANCEL: Final = "cancel"


def actions(budget: Budget) -> dict[tuple[str, str], Action]:
    return {
        ("GET", "/fivesim/countries"): Action(
            "The countries something can be bought in now",
            Scope.READ,
            lambda request: request.now,
            InTransaction(pricing.offered_countries),
            _render_countries,
            shapes.CountriesAnswer,
            budget=budget,
            noun="countries",
        ),
        ("GET", "/fivesim/products"): Action(
            "The services of a country with this account's prices; those out of stock have none available",
            Scope.READ,
            _parse_products,
            InTransaction(pricing.list_tariffs),
            _render_products,
            shapes.ProductsAnswer,
            parameters=(
                Parameter("country", "Country code from /fivesim/countries: usa, england.", required=True),
            ),
            refuses=(Refused.MALFORMED, Refused.UNKNOWN_COUNTRY, Refused.NO_RATE),
            budget=budget,
            noun="products",
        ),
        ("POST", "/fivesim/activation"): Action(
            "Order a number for one service; its price is taken from the wallet",
            Scope.ORDER,
            _parse_activation,
            InLane(lambda lanes: lanes.order),
            _render_activation,
            shapes.ActivationAnswer,
            body=shapes.ActivationBody,
            success_status=CREATED,
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
            budget=budget,
            noun="activation",
        ),
        ("GET", "/fivesim/check"): Action(
            "The messages that have come for an activation",
            Scope.READ,
            _parse_check,
            InLane(lambda lanes: lanes.look),
            _render_check,
            shapes.CheckAnswer,
            parameters=(
                Parameter("activation_id", "The id from /fivesim/activation.", "integer", required=True),
            ),
            refuses=(Refused.MALFORMED, Refused.UNKNOWN_LEASE),
            budget=budget,
            noun="check",
        ),
        ("POST", "/fivesim/finish"): Action(
            "Be done with an activation whose code was read",
            Scope.ORDER,
            _parse_act,
            InTransaction(activations.finish),
            _render_finish,
            shapes.FinishAnswer,
            body=shapes.ActBody,
            refuses=(Refused.UNKNOWN_LEASE, Refused.LEASE_CLOSED),
            budget=budget,
            noun=_FINISH,
        ),
        ("POST", "/fivesim/cancel"): Action(
            "Give a number without a message back, and get its price back",
            Scope.ORDER,
            _parse_act,
            InTransaction(activations.cancel),
            _render_cancel,
            shapes.CancelAnswer,
            body=shapes.ActBody,
            refuses=(Refused.UNKNOWN_LEASE, Refused.CODE_RECEIVED, Refused.LEASE_CLOSED),
            budget=budget,
            noun=_CANCEL,
        ),
    }
