"""Money: whole micros of a currency, and every rounding the product does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

MICROS: Final = 1_000_000
NANOS: Final = 1_000_000_000
BASIS_POINTS: Final = 10_000
AMOUNT_MAX: Final = 2**53 - 1
"""The largest amount a text may name, in micros: about nine billion units, exact in every JSON reader."""
RATE_NANOS_MAX: Final = 2**63 - 1

_AMOUNT = re.compile(r"(-?)([0-9]{1,16})(?:\.([0-9]{1,6}))?")
_RATE = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,9}))?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_MICRO_PLACES = 6
_NANO_PLACES = 9

# The ISO 4217 exponents that are not two.
_CURRENCIES_BY_MINOR_UNITS: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_MINOR_UNITS: Final = {
    currency: decimals
    for decimals, currencies in _CURRENCIES_BY_MINOR_UNITS.items()
    for currency in currencies.split()
}


class Rounding(StrEnum):
    """What happens to the part of a micro that does not fit."""

    HALF_EVEN = "half_even"
    """To the nearest; a tie goes to the even neighbour, so that many roundings do not drift."""
    UP = "up"
    """Away from zero."""
    DOWN = "down"
    """Towards zero."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in micros of one currency. Amounts of two currencies do not mix: ValueError."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        check_currency(self.currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same_currency(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same_currency(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __str__(self) -> str:
        return f"{format_amount(self.amount)} {self.currency}"

    def _same_currency(self, other: Money) -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not mix")
        return other.amount


def check_currency(code: str) -> str:
    """Give the code back when it has the form of ISO 4217, three upper-case letters; ValueError otherwise."""
    if _CURRENCY.fullmatch(code) is None:
        raise ValueError(f"not a currency code: {code[:16]!r}")
    return code


def minor_units(currency: str) -> int:
    """Decimals of the currency's smallest coin (ISO 4217 exponent); two for a code that is not in the table."""
    return _MINOR_UNITS.get(check_currency(currency), 2)


def from_minor(amount: int, currency: str) -> int:
    """Micros of an amount in the currency's smallest coin, exactly: 1 kobo is 10 000 micros of a naira."""
    return amount * _coin(currency)


def to_minor(micros: int, currency: str) -> int:
    """The amount in the currency's smallest coin; ValueError when that is not a whole number of them."""
    coins, rest = divmod(micros, _coin(currency))
    if rest:
        raise ValueError(f"{format_amount(micros)} {currency} is not a whole number of coins")
    return coins


def parse_amount(text: str) -> int:
    """Micros of a plain decimal (`-12.5`), exactly.

    ValueError for anything else: an exponent, a sign `+`, grouping, more than six decimals, an open end (`1.`, `.5`),
    non-ASCII digits, or an amount beyond AMOUNT_MAX. The sign is the caller's to judge.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(f"not an amount: {text[:40]!r}")
    sign, whole, decimals = match.groups()
    micros = int(whole) * MICROS + int((decimals or "").ljust(_MICRO_PLACES, "0"))
    if micros > AMOUNT_MAX:
        raise ValueError(f"amount too large: {text[:40]!r}")
    return -micros if sign else micros


def format_amount(micros: int, *, decimals_min: int = 0) -> str:
    """The exact decimal text of an amount, with at least `decimals_min` (0 to 6) decimals and no more than needed."""
    return _decimal_text(micros, _MICRO_PLACES, decimals_min)


def parse_rate(text: str) -> int:
    """Nanos of a plain positive decimal with up to nine decimals; ValueError otherwise."""
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a rate: {text[:40]!r}")
    whole, decimals = match.groups()
    return check_rate(int(whole) * NANOS + int((decimals or "").ljust(_NANO_PLACES, "0")))


def format_rate(rate_nanos: int) -> str:
    """The exact decimal text of a rate."""
    return _decimal_text(rate_nanos, _NANO_PLACES, 0)


def check_rate(rate_nanos: int) -> int:
    """Give the rate back when it is positive and fits a bigint; ValueError otherwise."""
    if not 0 < rate_nanos <= RATE_NANOS_MAX:
        raise ValueError(f"not a rate: {rate_nanos}")
    return rate_nanos


def convert(amount: int, *, rate_nanos: int, rounding: Rounding) -> int:
    """Micros of the quote currency for micros of the base.

    The rate says how much of the quote currency one unit of the base buys: 1 USD = 1500 NGN is 1500 * NANOS.
    """
    return _divide(amount * check_rate(rate_nanos), NANOS, rounding)


def convert_inverse(amount: int, *, rate_nanos: int, rounding: Rounding) -> int:
    """Micros of the base currency for micros of the quote, by the same rate as `convert`."""
    return _divide(amount * NANOS, check_rate(rate_nanos), rounding)


def share(amount: int, *, basis_points: int, rounding: Rounding) -> int:
    """So many ten-thousandths of an amount; beyond 10 000 it is a markup. Negative basis points: ValueError."""
    if basis_points < 0:
        raise ValueError(f"not a share: {basis_points}")
    return _divide(amount * basis_points, BASIS_POINTS, rounding)


def split(amount: int, *, basis_points: int, rounding: Rounding) -> tuple[int, int]:
    """A share and the rest; together they are the amount to the micro."""
    part = share(amount, basis_points=basis_points, rounding=rounding)
    return part, amount - part


def round_to_places(micros: int, *, places: int, rounding: Rounding) -> int:
    """Micros that are whole at so many decimals (0 to 6)."""
    step: int = 10 ** (_MICRO_PLACES - _check_places(places))
    return _divide(micros, step, rounding) * step


def json_number(micros: int, *, places: int, whole_as_integer: bool = False) -> msgspec.Raw:
    """A JSON number of the amount, half-even at `places`, without trailing zeros.

    Keeps one decimal (`14.0`), or none for a whole amount when `whole_as_integer` is set. Never `-0`.
    """
    rounded = round_to_places(micros, places=places, rounding=Rounding.HALF_EVEN)
    return msgspec.Raw(format_amount(rounded, decimals_min=0 if whole_as_integer else 1).encode())


def _coin(currency: str) -> int:
    """Micros of the smallest coin."""
    coin: int = 10 ** (_MICRO_PLACES - minor_units(currency))
    return coin


def _check_places(places: int) -> int:
    if not 0 <= places <= _MICRO_PLACES:
        raise ValueError(f"not a number of decimals: {places}")
    return places


def _decimal_text(value: int, places: int, decimals_min: int) -> str:
    if not 0 <= decimals_min <= places:
        raise ValueError(f"not a number of decimals: {decimals_min}")
    whole, part = divmod(abs(value), 10**places)
    decimals = f"{part:0{places}d}".rstrip("0").ljust(decimals_min, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"


def _divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """An exact quotient rounded by mode; the denominator is positive."""
    quotient, remainder = divmod(abs(numerator), denominator)
    match rounding:
        case Rounding.UP:
            quotient += remainder > 0
        case Rounding.DOWN:
            pass
        case Rounding.HALF_EVEN:
            twice = 2 * remainder
            quotient += twice > denominator or (twice == denominator and quotient % 2 == 1)
    return quotient if numerator >= 0 else -quotient
