"""Foreign codes: how the handler API, 5sim, Onlinesim and DaisySIM name our services and countries."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from importlib import resources
from typing import Final, TypeVar

_Code = TypeVar("_Code", int, str)

# DaisySIM knows no country 0; handler vendors that dropped it list Russia here.
_DAISYSIM_RUSSIA: Final = 222
_DAISYSIM_IDS: Final = range(1, 1000)


class ServiceCodes:
    """Our slugs and the vendors' codes, both ways. None: we know of no such code."""

    def __init__(self, rows: Iterable[dict[str, str]]) -> None:
        listed = list(rows)
        self._handler: Final = _column(listed, "slug", "handler")
        self._fivesim: Final = _column(listed, "slug", "fivesim")
        self._onlinesim: Final = _column(listed, "slug", "onlinesim")
        self._by_handler: Final = _inverse(self._handler)
        self._by_fivesim: Final = _inverse(self._fivesim)
        self._by_onlinesim: Final = _inverse(self._onlinesim)

    def handler_of(self, slug: str) -> str | None:
        return self._handler.get(slug)

    def by_handler(self, code: str) -> str | None:
        return self._by_handler.get(code)

    def fivesim_of(self, slug: str) -> str | None:
        return self._fivesim.get(slug)

    def by_fivesim(self, code: str) -> str | None:
        return self._by_fivesim.get(code)

    def onlinesim_of(self, slug: str) -> str | None:
        return self._onlinesim.get(slug)

    def by_onlinesim(self, code: str) -> str | None:
        """Onlinesim names some services by number: `7` is any other service, `3223` Facebook."""
        return self._by_onlinesim.get(code)


class CountryCodes:
    """ISO2 and the vendors' codes, both ways. None: we know of no such code."""

    def __init__(self, rows: Iterable[dict[str, str]], aliases: Iterable[dict[str, str]]) -> None:
        listed, others = list(rows), list(aliases)
        self._handler: Final = {iso2: int(code) for iso2, code in _column(listed, "iso2", "handler").items()}
        self._fivesim: Final = _column(listed, "iso2", "fivesim")
        self._onlinesim: Final = {
            iso2: int(code) for iso2, code in _column(listed, "iso2", "onlinesim").items()
        }
        self._daisysim: Final = {
            iso2: _DAISYSIM_RUSSIA if iso2 == "RU" else code
            for iso2, code in self._handler.items()
            if iso2 == "RU" or code in _DAISYSIM_IDS
        }
        second = {int(row["foreign"]): row["iso2"] for row in others if _is_alias(row, "handler", "")}
        self._by_handler: Final = second | _inverse(self._handler)
        self._by_vendor_handler: Final = {
            (row["vendor"], int(row["foreign"])): row["iso2"]
            for row in others
            if row["scheme"] == "handler" and row["vendor"]
        }
        self._by_fivesim: Final = _inverse(self._fivesim)
        self._by_onlinesim: Final = _inverse(self._onlinesim)
        self._by_daisysim: Final = {
            code: iso2 for code, iso2 in second.items() if code in _DAISYSIM_IDS
        } | _inverse(self._daisysim)
        self._by_handler_name: Final = {
            row["foreign"].casefold(): row["iso2"] for row in others if row["scheme"] == "handler_name"
        }
        self._by_name: Final = {
            row["foreign"].casefold(): row["iso2"] for row in others if row["scheme"] == "name"
        }

    def handler_of(self, iso2: str) -> int | None:
        return self._handler.get(iso2)

    @property
    def handler_vendors(self) -> list[str]:
        """Vendors that have country ids of their own."""
        return sorted({vendor for vendor, _ in self._by_vendor_handler})

    def by_handler(self, code: int, *, vendor: str = "") -> str | None:
        """By the common table and its second ids (12, virtual USA), after those of the named vendor alone."""
        return self._by_vendor_handler.get((vendor, code)) or self._by_handler.get(code)

    def by_handler_name(self, name: str) -> str | None:
        """By a spelling of the field `eng` that differs from our name."""
        return self._by_handler_name.get(name.casefold())

    def by_name(self, name: str) -> str | None:
        """By a common English name that differs from ours."""
        return self._by_name.get(name.casefold())

    def fivesim_of(self, iso2: str) -> str | None:
        return self._fivesim.get(iso2)

    def by_fivesim(self, code: str) -> str | None:
        return self._by_fivesim.get(code)

    def onlinesim_of(self, iso2: str) -> int | None:
        """The dialling code; 77 for Kazakhstan and 1000 for Canada.

        The others that share a code and are not its main country have their area digits behind it (1787 is
        Puerto Rico).
        """
        return self._onlinesim.get(iso2)

    def by_onlinesim(self, code: int) -> str | None:
        return self._by_onlinesim.get(code)

    def daisysim_of(self, iso2: str) -> int | None:
        """The handler API's id where it lies in 1 to 999; Russia is 222."""
        return self._daisysim.get(iso2)

    def by_daisysim(self, code: int) -> str | None:
        return self._by_daisysim.get(code)


def _rows(file_name: str) -> list[dict[str, str]]:
    text = resources.files(__package__).joinpath(file_name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _column(rows: Iterable[dict[str, str]], key: str, column: str) -> dict[str, str]:
    return {row[key]: row[column] for row in rows if row[column]}


def _inverse(codes: dict[str, _Code]) -> dict[_Code, str]:
    return {code: ours for ours, code in codes.items()}


def _is_alias(row: dict[str, str], scheme: str, vendor: str) -> bool:
    return row["scheme"] == scheme and row["vendor"] == vendor


services: Final = ServiceCodes(_rows("services.csv"))
countries: Final = CountryCodes(_rows("countries.csv"), _rows("country_aliases.csv"))
