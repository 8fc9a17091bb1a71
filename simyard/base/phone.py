"""Phone numbers: reading them, their E.164 form and the country they belong to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

import phonenumbers
from phonenumbers.phonemetadata import PhoneMetadata

TEXT_LENGTH_MAX: Final = 32

_CALLING_CODE_DIGITS_MAX = 3
_NON_GEOGRAPHIC = "001"
_PLUS_SIGNS = "+\N{FULLWIDTH PLUS SIGN}"
_PUNCTUATION = frozenset("-.()/\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}")

_Match: TypeAlias = Callable[[str], re.Match[str] | None]


@dataclass(frozen=True, slots=True)
class Phone:
    """One subscriber's number.

    `country` is the ISO 3166 code of the real country (`KZ` for +7 701…, `CA` for +1 416…); `national` is the
    national significant number: no trunk prefix, but the leading zero that Italy keeps.
    """

    e164: str
    country: str
    calling_code: int
    national: str

    def __str__(self) -> str:
        return self.e164


def parse(text: str, *, region: str | None = None) -> Phone | None:
    """Read a number in international form, with or without `+` or `00`; None when it cannot be one.

    With `region` (ISO2) a text without `+` may also be in that country's national form. A number passes when its
    length is possible in its country, even if the range is not handed out: fictitious ranges must pass. Codes
    that belong to no country (+800, +883) do not.
    """
    if len(text) > TEXT_LENGTH_MAX:
        return None
    international = text[:1] == "+"
    digits = text[1:] if international else text
    if not (digits.isascii() and digits.isdigit()):
        spelled = _digits_of(text)
        if spelled is None:
            return None
        international, digits = spelled
    if not international:
        if region is not None:
            return _parse_in_region(digits, region.upper())
        if digits[:2] == "00":
            digits = digits[2:]
    for length in range(1, _CALLING_CODE_DIGITS_MAX + 1):
        plan = _plan(digits[:length])
        if plan is not None:
            return plan.parse(digits, digits[length:])
    return None


def may_lie_in(phone: Phone, country: str) -> bool:
    """Whether a number can be one of a country's (ISO2).

    Countries that share a calling code are told apart by their ranges, and a range nobody was given passes for each.
    """
    if phone.country == country:
        return True
    plan = _plan(str(phone.calling_code))
    if plan is None or country not in dict(plan.countries):
        return False
    return not any(holds(phone.national) is not None for _, holds in plan.countries)


def parse_many(texts: Iterable[str], *, region: str | None = None) -> list[Phone | None]:
    """Read many numbers; the answers stand in the order of the texts."""
    return [parse(text, region=region) for text in texts]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is needed of one calling code to read its numbers without the library's slow general path."""

    calling_code: int
    main_country: str
    lengths: frozenset[int]
    trunk_prefix: _Match | None
    countries: tuple[tuple[str, _Match], ...]

    def parse(self, digits: str, national: str) -> Phone | None:
        if self.trunk_prefix is not None:
            prefix = self.trunk_prefix(national)
            # A pattern made of optional parts also matches nothing at all, which changes nothing.
            if prefix is not None and (prefix.end() > 0 or (prefix.lastindex or 0) > 0):
                return _parse_by_library("+" + digits, None)
        if len(national) not in self.lengths:
            return None
        return Phone("+" + digits, self.country_of(national), self.calling_code, national)

    def country_of(self, national: str) -> str:
        """The first country whose ranges hold the number; the code's main country for unassigned ranges."""
        for country, holds in self.countries:
            if holds(national) is not None:
                return country
        return self.main_country


@cache
def _plan(calling_code: str) -> _Plan | None:
    """The plan of a calling code; None when the digits are not the calling code of a country."""
    if not calling_code or calling_code[0] == "0":
        return None
    regions = phonenumbers.region_codes_for_country_code(int(calling_code))
    if not regions or _NON_GEOGRAPHIC in regions:
        return None
    main = _metadata(regions[0])
    general = main.general_desc
    trunk_prefix = main.national_prefix_for_parsing
    return _Plan(
        calling_code=int(calling_code),
        main_country=regions[0],
        lengths=frozenset(general.possible_length if general is not None else ()),
        trunk_prefix=re.compile(trunk_prefix).match if trunk_prefix else None,
        countries=tuple((region, _holds(region)) for region in regions) if len(regions) > 1 else (),
    )


def _metadata(region: str) -> PhoneMetadata:
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        raise LookupError(f"no numbering plan for region {region!r}")
    return metadata


def _holds(region: str) -> _Match:
    """A matcher that tells whether a national number is one of this region's."""
    metadata = _metadata(region)
    if metadata.leading_digits is not None:
        return re.compile(metadata.leading_digits).match
    kinds = (
        metadata.fixed_line,
        metadata.mobile,
        metadata.toll_free,
        metadata.premium_rate,
        metadata.shared_cost,
        metadata.personal_number,
        metadata.voip,
        metadata.pager,
        metadata.uan,
        metadata.voicemail,
    )
    patterns = [kind.national_number_pattern for kind in kinds if kind is not None]
    distinct = dict.fromkeys(pattern for pattern in patterns if pattern)
    return re.compile("|".join(f"(?:{pattern})" for pattern in distinct)).fullmatch


@cache
def _is_region(region: str) -> bool:
    return region in phonenumbers.SUPPORTED_REGIONS


def _parse_in_region(digits: str, region: str) -> Phone | None:
    return _parse_by_library(digits, region) if _is_region(region) else None


def _parse_by_library(text: str, region: str | None) -> Phone | None:
    """The general path: numbers in national form, or with a trunk prefix after the calling code."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    plan = _plan(str(number.country_code))
    if plan is None:
        return None
    national = phonenumbers.national_significant_number(number)
    e164 = f"+{plan.calling_code}{national}"
    return Phone(e164, plan.country_of(national), plan.calling_code, national)


def _digits_of(text: str) -> tuple[bool, str] | None:
    """Whether a `+` leads, and the ASCII digits; None when the text holds anything but a spelled number."""
    international = False
    digits: list[str] = []
    for character in text:
        digit = unicodedata.digit(character, None) if character.isdecimal() else None
        if digit is not None:
            digits.append(str(digit))
        elif character in _PLUS_SIGNS:
            if digits or international:
                return None
            international = True
        elif not (
            character in _PUNCTUATION or character.isspace() or unicodedata.category(character) == "Cf"
        ):
            return None
    return (international, "".join(digits)) if digits else None
