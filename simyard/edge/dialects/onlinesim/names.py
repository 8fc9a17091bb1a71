"""What Onlinesim calls our countries, services and moments."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Final

from babel import Locale
from babel.dates import format_timedelta

from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.catalog.model import Country, Service
from simyard.edge.dialects import codes

LANGUAGES: Final = ("fr", "de", "ru", "en", "zh")
LANGUAGE_DEFAULT: Final = "ru"
"""As the vendor's newest page has it. Clients that care send theirs."""
_LANGUAGE_OF_STRANGERS: Final = "en"

_PREFIXES: Final = ("service_", "_")
_NOT_MACHINE: Final = re.compile(r"[^a-z0-9]+")
# Services come in the order of their ids, the most popular first.
_POPULAR_ID_MAX: Final = 30


def language(text: str | None) -> str:
    """The language to answer in. One the vendor does not speak gets English."""
    if not text:
        return LANGUAGE_DEFAULT
    return text.lower() if text.lower() in LANGUAGES else _LANGUAGE_OF_STRANGERS


# Countries


def country_by(code: int) -> Country | None:
    iso2 = codes.countries.by_onlinesim(code)
    return load_catalog().country(iso2) if iso2 is not None else None


def country_code(iso2: str) -> int:
    """The vendor's code of a country; its calling code when the vendor has none."""
    code = codes.countries.onlinesim_of(iso2)
    return code if code is not None else _country(iso2).calling_code


@cache
def machine_name(iso2: str) -> str:
    """The English name in the form of an identifier: `united_kingdom`."""
    plain = unicodedata.normalize("NFKD", _country(iso2).name).encode("ascii", "ignore").decode()
    return _NOT_MACHINE.sub("_", plain.lower()).strip("_")


@lru_cache(maxsize=4096)
def country_name(iso2: str, lang: str) -> str:
    territories: Mapping[str, str] = Locale.parse(lang).territories
    return territories.get(iso2, _country(iso2).name)


@cache
def _positions() -> Mapping[str, int]:
    listed = sorted(load_catalog().countries, key=lambda country: country.name)
    return {country.iso2: position for position, country in enumerate(listed, start=1)}


def position(iso2: str) -> int:
    """Where a country stands among all, by its English name."""
    return _positions()[iso2]


def national(msisdn: str, iso2: str) -> str:
    """A number without its country: clients put `+`, the country's code and this together again."""
    digits = msisdn.removeprefix("+")
    for code in (str(country_code(iso2)), str(_country(iso2).calling_code)):
        if digits.startswith(code):
            return digits[len(code) :]
    return digits


def _country(iso2: str) -> Country:
    country = load_catalog().country(iso2)
    if country is None:
        raise LookupError(iso2)
    return country


# Services


def service_by(text: str) -> Service | None:
    """By the vendor's slug or ours, in any case, also as the keys of price lists spell them."""
    slug = text.strip().lower()
    for prefix in _PREFIXES:
        if slug.startswith(prefix):
            slug = slug[len(prefix) :]
            break
    return load_catalog().service(codes.services.by_onlinesim(slug) or slug)


def service_slug(service: Service) -> str:
    return codes.services.onlinesim_of(service.slug) or service.slug


def is_popular(service: Service) -> bool:
    return service.id <= _POPULAR_ID_MAX


# Moments


def moment(at: datetime) -> str:
    """`YYYY-MM-DD HH:MM:SS` in UTC; the vendor names no zone."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def ago(at: datetime, now: datetime, lang: str) -> str:
    """How long ago, as people say it: `2 minutes ago`."""
    passed = max(now - at, timedelta(seconds=1))
    return format_timedelta(-passed, add_direction=True, locale=lang)
