"""Prices and stock of activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from simyard.base.ids import AccountId
from simyard.base.refusals import Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.catalog.model import OTHER_SERVICE, Country, Service
from simyard.core.pricing import service as pricing
from simyard.core.pricing.model import ListTariffs, Tariff
from simyard.db.database import Tx
from simyard.edge.dialects.onlinesim import names
from simyard.edge.dialects.onlinesim.activations import COUNTRY_DEFAULT
from simyard.edge.dialects.onlinesim.fields import PAGE_MAX, Fields, wrong
from simyard.edge.dialects.onlinesim.wire import Amount, amount, failure, method
from simyard.edge.wire import (
    NOBODY,
    Action,
    InTransaction,
    KeyNeed,
    Parameter,
    WireRequest,
    WireResponse,
    json_response,
)

PER_PAGE: Final = 30
PER_PAGE_MAX: Final = 1000
FILTER_LENGTH_MAX: Final = 100
KEYLESS_KEPT_SECONDS: Final = 5
"""Stock lags by seconds anyhow, and the list of everything is long."""
_ALL: Final = "all"


# What goes over the wire


class TariffCountry(msgspec.Struct):
    """A country on offer. `other`: also for services that have no tariff of their own, as far as this answer shows."""

    name: str
    original: str
    code: int
    pos: int
    other: bool
    new: bool
    enable: bool


class TariffService(msgspec.Struct):
    id: int
    count: int
    price: Amount
    service: str
    slug: str


class TariffPage(msgspec.Struct, kw_only=True):
    """Countries by `_` and their code, a page of the country's services by `_` and their slug."""

    response: Literal["1"] = "1"
    countries: dict[str, TariffCountry]
    services: dict[str, TariffService]
    favorites: dict[str, TariffService] = msgspec.field(default_factory=dict)
    favorite_countries: dict[str, TariffCountry] = msgspec.field(default_factory=dict)
    favorite_services: dict[str, TariffService] = msgspec.field(default_factory=dict)
    page: int
    country: int | None
    filter: str
    end: bool


class StatsService(msgspec.Struct):
    """`code` is the country's."""

    count: int
    popular: bool
    code: int
    price: Amount
    id: int
    service: str
    slug: str


class CountryStats(msgspec.Struct):
    """A country and its services by `service_` and their slug."""

    name: str
    locale_name: str
    position: int
    code: int
    other: bool
    new: bool
    enabled: bool
    services: dict[str, StatsService]


class PriceAnswer(msgspec.Struct, kw_only=True):
    response: Literal[1] = 1
    price: Amount


# getTariffs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page(ListTariffs):
    """Which page of which country's services to show, and what narrows it."""

    country: Country | None
    country_filter: str
    filtered: str
    page: int
    per_page: int
    lang: str


@dataclass(frozen=True, slots=True)
class Offered:
    """What is sold where: the countries with anything at all, and the tariffs that were asked for."""

    countries: Sequence[str]
    tariffs: Sequence[Tariff]


def _account(request: WireRequest) -> AccountId | None:
    account_id = request.caller.account_id
    return None if account_id == NOBODY else account_id


def _parse_page(request: WireRequest) -> _Page:
    fields = Fields.of(request)
    country = fields.country()
    filtered = (fields.text("filter", "filter_service") or "").lower()
    country_filter = (fields.text("filter_country") or "").lower()
    if max(len(filtered), len(country_filter)) > FILTER_LENGTH_MAX:
        raise wrong()
    currency = fields.text("locale_price")
    if currency is not None and not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        raise wrong()
    services = (
        tuple(one.id for one in load_catalog().services if _matches(one, filtered)) if filtered else None
    )
    return _Page(
        account_id=_account(request),
        # Without a country the answer has no services, but the countries that have those of the filter.
        countries=(country.iso2,) if country is not None else None if filtered else (),
        services=services,
        currency=currency.upper() if currency else None,
        base_currency=request.settings.base_currency,
        now=request.now,
        country=country,
        country_filter=country_filter,
        filtered=filtered,
        page=fields.count("page", 1, PAGE_MAX),
        per_page=fields.count("count", PER_PAGE, PER_PAGE_MAX),
        lang=fields.language(),
    )


def _matches(service: Service, text: str) -> bool:
    return text in service.name.lower() or text in service.slug or text == names.service_slug(service)


async def _list_offered(tx: Tx, command: _Page) -> Offered:
    return Offered(await pricing.offered_countries(tx, command.now), await pricing.list_tariffs(tx, command))


def render_page(offered: Offered, command: _Page, _: Caller) -> WireResponse:
    found = {tariff.country for tariff in offered.tariffs}
    others = _with_any_other_service(offered.tariffs)
    shown = offered.countries
    if command.country is None and command.filtered:
        shown = [iso2 for iso2 in offered.countries if iso2 in found]
    listed = [iso2 for iso2 in _in_order(shown) if _is_wanted(iso2, command)]
    before = (command.page - 1) * command.per_page
    services = offered.tariffs if command.country is not None else ()
    page = services[before : before + command.per_page]
    return json_response(
        TariffPage(
            countries={
                f"_{names.country_code(iso2)}": TariffCountry(
                    name=names.country_name(iso2, command.lang),
                    original=names.machine_name(iso2),
                    code=names.country_code(iso2),
                    pos=position,
                    other=iso2 in others,
                    new=False,
                    enable=True,
                )
                for position, iso2 in enumerate(listed)
            },
            services={f"_{names.service_slug(_service(one))}": _tariff_service(one) for one in page},
            page=command.page,
            country=names.country_code(command.country.iso2) if command.country is not None else None,
            filter=command.filtered,
            end=before + command.per_page >= len(services),
        )
    )


def _in_order(countries: Sequence[str]) -> list[str]:
    return sorted(countries, key=names.position)


def _is_wanted(iso2: str, command: _Page) -> bool:
    text = command.country_filter
    return (
        not text
        or text == str(names.country_code(iso2))
        or text in names.machine_name(iso2)
        or text in names.country_name(iso2, command.lang).lower()
    )


def _tariff_service(tariff: Tariff) -> TariffService:
    service = _service(tariff)
    return TariffService(
        service.id, tariff.stock, amount(tariff.price), service.name, names.service_slug(service)
    )


def _service(tariff: Tariff) -> Service:
    return load_catalog().service_at(tariff.service_id)


def _with_any_other_service(tariffs: Sequence[Tariff]) -> set[str]:
    return {tariff.country for tariff in tariffs if _service(tariff).slug == OTHER_SERVICE}


# getNumbersStats


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stats(ListTariffs):
    lang: str


def _parse_stats(request: WireRequest) -> _Stats:
    fields = Fields.of(request)
    asked = fields.raw("country")
    country = None if asked is None or str(asked).lower() in ("", _ALL) else fields.country()
    return _Stats(
        account_id=_account(request),
        countries=None if country is None else (country.iso2,),
        services=None,
        currency=None,
        base_currency=request.settings.base_currency,
        now=request.now,
        lang=fields.language(),
    )


def render_stats(tariffs: Sequence[Tariff], command: _Stats, _: Caller) -> WireResponse:
    by_country: dict[str, list[Tariff]] = {}
    for tariff in tariffs:
        by_country.setdefault(tariff.country, []).append(tariff)
    if command.countries is None:
        return json_response(
            {
                str(names.country_code(iso2)): _stats(iso2, by_country[iso2], command.lang)
                for iso2 in _in_order([*by_country])
            }
        )
    (country,) = command.countries
    return json_response(_stats(country, by_country.get(country, []), command.lang))


def _stats(iso2: str, tariffs: Sequence[Tariff], lang: str) -> CountryStats:
    code = names.country_code(iso2)
    return CountryStats(
        name=names.machine_name(iso2),
        locale_name=names.country_name(iso2, lang),
        position=names.position(iso2),
        code=code,
        other=bool(_with_any_other_service(tariffs)),
        new=False,
        enabled=bool(tariffs),
        services={
            f"service_{names.service_slug(_service(one))}": _stats_service(one, code) for one in tariffs
        },
    )


def _stats_service(tariff: Tariff, code: int) -> StatsService:
    service = _service(tariff)
    return StatsService(
        count=tariff.stock,
        popular=names.is_popular(service),
        code=code,
        price=amount(tariff.price),
        id=service.id,
        service=service.name,
        slug=names.service_slug(service),
    )


# getPrice


def _parse_price(request: WireRequest) -> ListTariffs:
    fields = Fields.of(request)
    service = fields.service()
    country = fields.country(COUNTRY_DEFAULT)
    return ListTariffs(
        account_id=request.caller.account_id,
        countries=None if country is None else (country.iso2,),
        services=(service.id,),
        currency=None,
        base_currency=request.settings.base_currency,
        now=request.now,
    )


def render_price(tariffs: Sequence[Tariff], _: ListTariffs, __: Caller) -> WireResponse:
    return json_response(PriceAnswer(price=amount(tariffs[0].price))) if tariffs else failure("NO_NUMBER")


_COUNTRY: Final = Parameter("country", "Dialling code.", "integer")

METHODS: Final = {
    **method(
        "getTariffs",
        Action(
            "The countries on offer, and a page of one country's services with price and stock",
            Scope.READ,
            _parse_page,
            InTransaction(_list_offered),
            render_page,
            TariffPage,
            parameters=(
                _COUNTRY,
                Parameter("filter", "Only services with this in their name."),
                Parameter("filter_service", "The same."),
                Parameter("filter_country", "Only countries with this name or code."),
                Parameter("page", "Which page of services, from 1.", "integer"),
                Parameter("count", f"Services of a page: {PER_PAGE} when left out.", "integer"),
                Parameter("locale_price", "Currency of prices."),
            ),
            refuses=(Refused.MALFORMED, Refused.UNKNOWN_COUNTRY, Refused.NO_RATE),
            key=KeyNeed.OPTIONAL,
            keyless_kept_seconds=KEYLESS_KEPT_SECONDS,
            render_slowly=True,
        ),
    ),
    **method(
        "getNumbersStats",
        Action(
            "Services with price and stock: of a country, or of all by their codes",
            Scope.READ,
            _parse_stats,
            InTransaction(pricing.list_tariffs),
            render_stats,
            CountryStats | dict[str, CountryStats],
            parameters=(Parameter("country", "Dialling code, or all; all when left out."),),
            refuses=(Refused.MALFORMED, Refused.UNKNOWN_COUNTRY, Refused.NO_RATE),
            key=KeyNeed.OPTIONAL,
            keyless_kept_seconds=KEYLESS_KEPT_SECONDS,
            render_slowly=True,
        ),
    ),
    **method(
        "getPrice",
        Action(
            "What one service costs in a country",
            Scope.READ,
            _parse_price,
            InTransaction(pricing.list_tariffs),
            render_price,
            PriceAnswer,
            parameters=(
                Parameter("service", "A slug from getTariffs.", required=True),
                Parameter("country", "Dialling code; 7 when left out.", "integer"),
            ),
            refuses=(Refused.MALFORMED, Refused.UNKNOWN_SERVICE, Refused.UNKNOWN_COUNTRY, Refused.NO_RATE),
        ),
    ),
}
