"""Values of the catalog: services, countries, operators."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from simyard.base.ids import OperatorId, ServiceId

PROHIBITED_CATEGORIES: Final = frozenset({"finance", "government", "gambling"})
OTHER_SERVICE: Final = "other"
"""The slug of "any other service"."""

_REGIONAL_INDICATOR_A = 0x1F1E6
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Service:
    """What an SMS is for. The id is written in the data file and never changes its service."""

    id: ServiceId
    slug: str
    name: str
    category: str

    @property
    def prohibited(self) -> bool:
        """Refused unless an operator enables it for a tenant."""
        return self.category in PROHIBITED_CATEGORIES


@dataclass(frozen=True, slots=True)
class Country:
    """A country numbers are sold in. `calling_code` may be shared (1, 7, 44): never derive a country from it."""

    iso2: str
    name: str
    calling_code: int

    @property
    def flag(self) -> str:
        return "".join(chr(_REGIONAL_INDICATOR_A + ord(letter) - ord("A")) for letter in self.iso2)


@dataclass(frozen=True, slots=True)
class Operator:
    """One network code (MCC and MNC, digits with their leading zeros) and the brand behind it.

    A brand has as many operators as it has network codes.
    """

    mcc: str
    mnc: str
    iso2: str
    name: str

    @property
    def plmn(self) -> str:
        return self.mcc + self.mnc

    @property
    def id(self) -> OperatorId:
        """The digits of the PLMN: an MCC never starts with zero, so every network has its own."""
        return OperatorId(int(self.plmn))

    @property
    def slug(self) -> str:
        """The brand as one lower-case word; the same for all networks of the brand."""
        return operator_slug(self.name)


def operator_slug(name: str) -> str:
    """A brand's name as one lower-case word."""
    return _NOT_SLUG.sub("", name.lower())
