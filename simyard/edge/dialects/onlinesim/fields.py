"""Reading requests: parameters from query, form or JSON, in every spelling the vendor's clients use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from simyard.base.ids import OperatorId
from simyard.base.refusals import Refusal, Refused
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.catalog.model import Country, Service
from simyard.edge.dialects.onlinesim import names
from simyard.edge.wire import WireRequest, bearer

FIELDS_MAX: Final = 1000
REJECTED_MAX: Final = 100
PAGE_MAX: Final = 1_000_000
IDEMPOTENCY_KEY_LENGTH_MAX: Final = 255
_LEASE_ID_MAX: Final = 2**63 - 1
_PREFIX: Final = re.compile(r"[0-9]{1,15}")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_KEYS: Final = ("apikey", "api_key")
_YES: Final = frozenset({"true", "yes", "on"})
_NO: Final = frozenset({"false", "no", "off", ""})

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def wrong(word: str = "ERROR_PARAMS") -> Refusal:
    """A parameter that is missing or cannot be read, and the vendor's word for that."""
    return Refusal(Refused.MALFORMED, word=word)


class Fields:
    """The parameters of a request. What stands in the body wins over the query; unknown ones are never looked at."""

    __slots__ = ("_values",)

    def __init__(self, query_string: bytes, body: bytes) -> None:
        """Refuses: MALFORMED."""
        self._values: dict[str, list[Any]] = {}
        if query_string:
            self._add(_pairs(query_string))
        if body.strip():
            if body.lstrip()[:1] == b"{":
                self._values.update((name, [value]) for name, value in _json(body).items())
            else:
                self._add(_pairs(body))

    @classmethod
    def of(cls, request: WireRequest) -> Fields:
        return cls(request.query_string, request.body)

    def _add(self, pairs: Iterator[tuple[str, str]]) -> None:
        given: dict[str, list[Any]] = {}
        for name, value in pairs:
            given.setdefault(name, []).append(value)
        self._values.update(given)

    def raw(self, name: str) -> Any:
        """The last value of a parameter, as it came; None when it is absent."""
        values = self._values.get(name)
        return values[-1] if values else None

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, *names: str) -> str | None:
        """The first of these parameters that is not empty. Refuses: MALFORMED."""
        for name in names:
            value = self.raw(name)
            if value is None or value == "":
                continue
            if isinstance(value, bool | dict | list):
                raise wrong()
            return str(value).strip()
        return None

    def integer(self, name: str) -> int | None:
        """Refuses: MALFORMED."""
        text = self.text(name)
        if not text:
            return None
        if not (text.isascii() and _INTEGER.fullmatch(text)):
            raise wrong()
        return int(text)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """`true`, `True`, `1`, JSON's booleans; empty is false. Refuses: MALFORMED."""
        value = self.raw(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        if isinstance(value, dict | list):
            raise wrong()
        text = str(value).strip().lower()
        if text in _YES or text in _NO:
            return text in _YES
        if not (text.isascii() and text.isdigit()):
            raise wrong()
        return text.strip("0") != ""

    def language(self) -> str:
        value = self.raw("lang")
        return names.language(value if isinstance(value, str) else None)

    def count(self, name: str, default: int, most: int) -> int:
        """A positive number; one that is too large counts as the largest. Refuses: MALFORMED."""
        number = self.integer(name)
        if number is None:
            return default
        if number < 1:
            raise wrong()
        return min(number, most)

    def country(self, default: int | None = None) -> Country | None:
        """The country of a dialling code; None when none is named. Refuses: UNKNOWN_COUNTRY."""
        text = self.text("country") or (str(default) if default is not None else None)
        if text is None:
            return None
        code = text.lstrip("+_")
        if not (code.isascii() and _PREFIX.fullmatch(code)):
            raise Refusal(Refused.UNKNOWN_COUNTRY)
        country = names.country_by(int(code))
        if country is None:
            raise Refusal(Refused.UNKNOWN_COUNTRY)
        return country

    def service(self) -> Service:
        """Refuses: UNKNOWN_SERVICE, also when none is named."""
        text = self.text("service")
        service = names.service_by(text) if text else None
        if service is None:
            raise Refusal(Refused.UNKNOWN_SERVICE)
        return service

    def operator(self, country: Country) -> OperatorId | None:
        """The mobile operator asked for; None for any. Refuses: NO_NUMBERS for one the country does not have."""
        name = self.text("simoperator", "operator")
        if name is None or name.lower() == "any":
            return None
        brand = load_catalog().brand(country.iso2, name)
        if brand is None:
            raise Refusal(Refused.NO_NUMBERS)
        return brand.id

    def lease_id(self) -> int:
        """Refuses: MALFORMED with the vendor's word when it is missing; UNKNOWN_LEASE when it can be none."""
        lease_id = self.lease_id_or_none()
        if lease_id is None:
            raise wrong("ERROR_NO_TZID")
        return lease_id

    def lease_id_or_none(self) -> int | None:
        """Refuses: UNKNOWN_LEASE when it can be none."""
        text = self.text("tzid", "operation_id")
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _LEASE_ID_MAX):
            raise Refusal(Refused.UNKNOWN_LEASE)
        return int(text)

    def rejected(self, country: Country) -> tuple[str, ...]:
        """E.164 prefixes to avoid, from those of national numbers: a list in any of its six spellings.

        Refuses: MALFORMED.
        """
        found: list[str] = []
        for name, values in self._values.items():
            if name == "reject" or name.startswith("reject["):
                for value in values:
                    found += _prefixes(value)
        if len(found) > REJECTED_MAX or not all(one.isascii() and _PREFIX.fullmatch(one) for one in found):
            raise wrong()
        return tuple(f"+{country.calling_code}{prefix}" for prefix in dict.fromkeys(found))


def _prefixes(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list):
        return [prefix for one in value for prefix in _prefixes(one)]
    if isinstance(value, bool | dict):
        raise wrong()
    text = str(value).strip().removeprefix("[").removesuffix("]")
    return [one for part in text.split(",") if (one := part.strip().strip("\"'"))]


def _pairs(text: bytes) -> Iterator[tuple[str, str]]:
    try:
        yield from parse_qsl(
            text.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FIELDS_MAX
        )
    except ValueError:
        raise wrong() from None


def _json(body: bytes) -> dict[str, Any]:
    try:
        return _decode_object(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise wrong() from None


def find_key(headers: Mapping[bytes, bytes], query_string: bytes, body: bytes) -> str | None:
    """The key from body or query, else a bearer token."""
    try:
        fields = Fields(query_string, body)
        key = fields.text(*_KEYS)
    except Refusal:
        # What is wrong with the body is told to those who may ask.
        key = None
        if body:
            return find_key(headers, query_string, b"")
    return key or bearer(headers)


def find_lease(headers: Mapping[bytes, bytes], query_string: bytes, body: bytes) -> str | None:
    """The lease a request is about, if it can be one."""
    try:
        lease_id = Fields(query_string, body).lease_id_or_none()
    except Refusal:
        return None
    return str(lease_id) if lease_id is not None else None


def idempotency_key(request: WireRequest) -> str | None:
    """Refuses: MALFORMED."""
    key = request.header(b"idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_LENGTH_MAX or not key.isprintable():
        raise wrong()
    return key
