"""The catalog that ships with the product, read once, looked up by every key it is asked for."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Final

from simyard.base.ids import ServiceId
from simyard.core.catalog.model import Country, Operator, Service, operator_slug

_MCC_LENGTH: Final = 3
_PLMN_LENGTHS: Final = (6, 5)
_IMSI_LENGTH_MAX: Final = 15


class Catalog:
    """An immutable snapshot. Lookups answer None for what is not in it."""

    __slots__ = (
        "_brands",
        "_countries",
        "_country_of_mcc",
        "_operators",
        "_operators_by_short_plmn",
        "_services",
        "_services_by_id",
        "countries",
        "operators",
        "services",
    )

    def __init__(
        self,
        *,
        services: Iterable[Service],
        countries: Iterable[Country],
        operators: Iterable[Operator],
        country_of_mcc: Mapping[str, str],
    ) -> None:
        self.services: Final = tuple(services)
        self.countries: Final = tuple(countries)
        self.operators: Final = tuple(operators)
        self._services: Final = {service.slug: service for service in self.services}
        self._services_by_id: Final = {service.id: service for service in self.services}
        self._countries: Final = {country.iso2: country for country in self.countries}
        self._operators: Final = {operator.plmn: operator for operator in self.operators}
        self._operators_by_short_plmn: Final = _by_short_plmn(self.operators)
        self._country_of_mcc: Final = dict(country_of_mcc)
        # The first network stands for all of a brand's.
        self._brands: Final = {
            (operator.iso2, operator.slug): operator for operator in reversed(self.operators)
        }

    def service(self, slug: str) -> Service | None:
        return self._services.get(slug)

    def service_by_id(self, service_id: int) -> Service | None:
        return self._services_by_id.get(ServiceId(service_id))

    def service_at(self, service_id: int) -> Service:
        """The service of an id the database holds; KeyError for an id that was never given out."""
        return self._services_by_id[ServiceId(service_id)]

    def country(self, iso2: str) -> Country | None:
        return self._countries.get(iso2)

    def operator_by_plmn(self, plmn: int | str) -> Operator | None:
        """The network of an MCC+MNC, or of an IMSI or any leading part of one, by the longest known code.

        Five digits of a network whose MNC has three (31026 for 310-260) find it as long as all networks that start
        so are of one brand.
        """
        digits = _digits(plmn)
        if digits is None:
            return None
        for length in _PLMN_LENGTHS:
            if len(digits) >= length:
                operator = self._operators.get(digits[:length])
                if operator is not None:
                    return operator
        if len(digits) == min(_PLMN_LENGTHS):
            return self._operators_by_short_plmn.get(digits)
        return None

    def brand(self, iso2: str, name: str) -> Operator | None:
        """The network that stands for all of a brand's in a country, by the brand's name however it is written."""
        return self._brands.get((iso2, operator_slug(name)))

    def brand_of(self, operator: Operator) -> Operator:
        """The network that stands for all of this one's brand."""
        return self._brands[operator.iso2, operator.slug]

    def country_of_mcc(self, mcc: int | str) -> str | None:
        """ISO2 of the country an MCC was given to, which may be one the catalog does not sell."""
        return self._country_of_mcc.get(str(mcc))

    def country_of_plmn(self, plmn: int | str) -> str | None:
        """ISO2 of a network's country; of its MCC's when the network is not known."""
        operator = self.operator_by_plmn(plmn)
        if operator is not None:
            return operator.iso2
        digits = _digits(plmn)
        return self._country_of_mcc.get(digits[:_MCC_LENGTH]) if digits is not None else None


@cache
def load() -> Catalog:
    """The shipped catalog; the same object every time."""
    return Catalog(
        services=(
            Service(ServiceId(int(row["id"])), row["slug"], row["name"], row["category"])
            for row in _rows("services.csv")
        ),
        countries=(
            Country(row["iso2"], row["name"], int(row["calling_code"])) for row in _rows("countries.csv")
        ),
        operators=(
            Operator(row["mcc"], row["mnc"], row["iso2"], row["name"]) for row in _rows("operators.csv")
        ),
        country_of_mcc={row["mcc"]: row["iso2"] for row in _rows("country_mccs.csv")},
    )


def _rows(file_name: str) -> list[dict[str, str]]:
    text = resources.files(__package__).joinpath(file_name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _digits(plmn: int | str) -> str | None:
    digits = str(plmn)
    usable = digits.isascii() and digits.isdigit() and _MCC_LENGTH <= len(digits) <= _IMSI_LENGTH_MAX
    return digits if usable else None


def _by_short_plmn(operators: Iterable[Operator]) -> dict[str, Operator]:
    """Networks with six digits by their first five, where these tell the brand."""
    longest, shortest = _PLMN_LENGTHS
    starting: dict[str, list[Operator]] = {}
    for operator in operators:
        if len(operator.plmn) == longest:
            starting.setdefault(operator.plmn[:shortest], []).append(operator)
    return {
        plmn: found[0]
        for plmn, found in starting.items()
        if len({(operator.iso2, operator.name) for operator in found}) == 1
    }
