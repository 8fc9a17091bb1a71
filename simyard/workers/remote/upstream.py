"""What platforms we buy from have in common: their money, their switches, and how one of them is asked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec

from simyard.base import money
from simyard.base.money import MICROS
from simyard.base.phone import parse as parse_phone
from simyard.core.remote.model import Profile, RemoteMessage
from simyard.workers.outgoing import Answer, Call, Failure
from simyard.workers.remote.source import SourceFailed, WrongSwitch

CALL_SECONDS_MAX: Final = 15.0
ORDER_SECONDS_MAX: Final = 55.0
"""Whoever waits for an order gives up earlier; the answer is waited for, so that a late number can be given back."""
STOCK_SECONDS_MAX: Final = 60.0
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
STOCK_BYTES_MAX: Final = 64 * 1024 * 1024

STOCK_MAX: Final = 1_000_000
"""What is said to be there beyond this is taken for this."""
NAME_LENGTH_MAX: Final = 100

_AMOUNT: Final = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,18})?")
_PRICE_MAX: Final = Decimal(10**9)
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")

# Numbers with a point stay exact.
_decode: Final = msgspec.json.Decoder(float_hook=Decimal).decode
_decode_parts: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_LARGE: Final = 256 * 1024


class Caller(Protocol):
    """Whoever carries a call: the guarded client."""

    async def call(self, call: Call) -> Answer | Failure: ...


# Switches


class UpstreamSwitches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`currency` is that of the account there, the base currency when left out; `rate` says how much of the base
    currency one unit of it is, and is needed when the two differ."""

    currency: str = ""
    rate: str = ""


S = TypeVar("S", bound=UpstreamSwitches)


def read_switches(profile: Profile, shape: type[S]) -> S:
    """Raises WrongSwitch."""
    there_are = shape.__struct_fields__
    unknown = [name for name in profile.switches if name not in there_are]
    if unknown:
        raise WrongSwitch(f"no switch {unknown[0]!r}; there are: {', '.join(there_are)}")
    try:
        return msgspec.convert(dict(profile.switches), shape, strict=False)
    except msgspec.ValidationError as error:
        raise WrongSwitch(f"{error}; there are: {', '.join(there_are)}") from error


def base_url(profile: Profile, *, path: str) -> str:
    """The address without a slash at its end. One without a path gets that which the protocol is usually at."""
    url = profile.url.rstrip("/")
    return url if urlsplit(url).path.strip("/") else url + path


class Exchange:
    """Prices of a platform in our base currency, and the other way round."""

    def __init__(self, profile: Profile, switches: UpstreamSwitches) -> None:
        """Raises WrongSwitch."""
        self.currency: Final = switches.currency.upper() or profile.base_currency
        try:
            money.check_currency(self.currency)
            rate = money.parse_rate(switches.rate or "1")
        except ValueError as error:
            raise WrongSwitch(str(error)) from error
        if self.currency != profile.base_currency and not switches.rate:
            raise WrongSwitch(
                f"the switch rate must say how much {profile.base_currency} one {self.currency} is"
            )
        self._rate: Final = Decimal(rate) / money.NANOS

    def to_base(self, price: Decimal) -> int:
        """Micros of the base currency, rounded up: what something costs us."""
        return int((price * self._rate * MICROS).to_integral_value(ROUND_CEILING))

    def cap(self, price_max: int) -> str:
        """What the platform may take, in its own currency, for so many micros of the base; rounded down."""
        theirs = int((Decimal(price_max) / self._rate).to_integral_value(ROUND_FLOOR))
        return money.format_amount(theirs)


# Asking


async def ask(client: Caller, call: Call, *, may_reserve: bool = False) -> Answer:
    """The whole answer. Raises SourceFailed; ambiguous when the call may have reserved a number."""
    answer = await client.call(call)
    if isinstance(answer, Failure):
        raise SourceFailed(f"{answer.problem.value}: {answer.detail}", ambiguous=may_reserve and answer.sent)
    if not answer.whole:
        raise SourceFailed(
            f"status {answer.status}: the answer was cut off or is too long", ambiguous=may_reserve
        )
    return answer


def decode_json(body: bytes) -> Any:
    """Any JSON, numbers with a point as decimals. Raises ValueError.

    A large object is read entry by entry, so that a thread that does it lets the others have their turns.
    """
    try:
        if len(body) > _LARGE and body[:1] == b"{":
            return {name: _decode(part) for name, part in _decode_parts(body).items()}
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError) as error:
        # Not the decoder's own words, which may quote the text.
        raise ValueError("not JSON") from error


# Reading what came, of which nothing can be relied on


def price_of(value: Any) -> Decimal | None:
    """A price as a number or a text of one; None for what is none."""
    if isinstance(value, str):
        value = Decimal(value.strip()) if _AMOUNT.fullmatch(value.strip()) else None
    elif isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite() or not 0 <= value <= _PRICE_MAX:
        return None
    return value


def count_of(value: Any) -> int | None:
    """A number of pieces as an integer or a text of one; None for what is none."""
    number = price_of(value)
    return None if number is None else min(int(number), STOCK_MAX)


def id_of(value: Any) -> str | None:
    """An id as an integer or a text without anything strange in it; None for what is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def text_of(value: Any) -> str:
    """A text, or the last of a list of them; empty when there is none."""
    if isinstance(value, list):
        value = value[-1] if value else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) else ""


def msisdn_of(value: Any) -> str | None:
    """A number in international form, with or without a plus sign, as E.164; None for what is none."""
    text = text_of(value).strip()
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and 5 <= len(digits) <= 15):
        return None
    phone = parse_phone("+" + digits)
    return phone.e164 if phone is not None else "+" + digits


def moment_of(value: Any) -> datetime | None:
    """A moment that says its zone; None for any other. Fractions beyond microseconds are dropped."""
    text = text_of(value).strip()
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)", text)
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(f"{found[1]}{(found[2] or '')[:7]}{found[3]}")
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.year > 1900 else None


def zoneless_moment_of(value: Any) -> datetime | None:
    """`YYYY-MM-DD HH:MM:SS` read as if it were UTC."""
    text = text_of(value).strip()
    return moment_of(f"{text}Z") if re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d", text) else None


def name_of(*parts: object) -> str:
    """A name to report: foreign text, so printable ASCII of a bounded length."""
    text = " ".join(str(part) for part in parts if part not in (None, ""))
    return _UNPRINTABLE.sub("?", text)[:NAME_LENGTH_MAX]


def digest_of(*parts: str) -> str:
    """A stable id for a message that has none: of what tells it from others."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def distinct(messages: Iterable[RemoteMessage]) -> list[RemoteMessage]:
    """Of messages of one number that say the same, the newest: whoever compares texts would take the oldest for all of
    them. Given oldest first."""
    found: dict[tuple[str, str, str], RemoteMessage] = {}
    for message in messages:
        told = (message.remote_id, message.sender, message.text)
        found.pop(told, None)
        found[told] = message
    return list(found.values())


def each(value: Any) -> Iterable[tuple[str, Any]]:
    """The entries of an object; none of anything else."""
    return value.items() if isinstance(value, dict) else ()


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, or of an object's values."""
    if isinstance(value, dict):
        value = list(value.values())
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


class Turns:
    """Lets those that must be asked one by one take turns, a few each time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._last = ""

    def take(self, names: Iterable[str]) -> list[str]:
        # Those that were not asked the last time come first.
        ordered = sorted(names, key=lambda name: (name <= self._last, name))
        taken = ordered[: self._most]
        if taken:
            self._last = taken[-1]
        return taken
