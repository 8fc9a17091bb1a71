"""Partners who lend numbers one by one: the Onlinesim reseller API v1 and the agent protocol of the industry.

We ask (GET_SERVICES, GET_NUMBER, FINISH_ACTIVATION and their variants for rentals); SMS are pushed to us.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from ipaddress import ip_network
from typing import Annotated, Any, Final, Literal, NoReturn, TypeVar

import msgspec
from msgspec import Meta

from simyard import codes
from simyard.base import money
from simyard.base.addresses import parse_url
from simyard.base.ids import OperatorId, ServiceId
from simyard.core.catalog.catalog import load as load_catalog
from simyard.workers.outgoing import Answer, Call, Failure, OutgoingClient
from simyard.workers.remote.source import (
    Ending,
    Profile,
    Reason,
    RemoteMessage,
    RemoteNumber,
    RemoteOffer,
    RemoteWish,
    SourceFailed,
    SourceRefused,
    Stock,
    WrongSwitch,
)

ONLINESIM: Final = "onlinesim-v1"
INDUSTRY: Final = "industry"
HERO: Final = "hero"

ANSWER_SECONDS_MAX: Final = 10.0
"""For everything but an order: what takes longer is asked again in the next round."""
ORDER_SECONDS_MAX: Final = 60.0
"""An order is listened for so long: whoever waits gives up earlier, and a late number is given back."""

UNREADABLE: Final = "+0"
"""In the place of a number that is none."""

_STOCK_BYTES_MAX = 4 * 1024 * 1024
_STOCK_UNPACKED_BYTES_MAX = 16 * 1024 * 1024
_OFFERS_MAX = 50_000
_UNKNOWN_MAX = 1000
_NAME_LENGTH_MAX = 100
_REMOTE_ID_LENGTH_MAX = 120
_DETAIL_LENGTH_MAX = 150
_STOCK_MAX = 2**31 - 1
_ANY = "any"
_RENT = "rent"
# Marks the ids of rentals, which are ended in another way.
_RENTAL_PREFIX = "rent "

_NOT_LETTERS = re.compile(r"[^a-z0-9]+")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\uffff]+")

# Their special stocks: SIM cards that lie in the USA, and numbers without one.
_COUNTRY_NAMES = {"usaphysical": "US", "usavirtual": "US", "unitedstates": "US", "england": "GB"}

# ISO 4217 by numbers, as far as partners are paid in them.
_CURRENCY_NUMBERS = {"RUB": 643, "USD": 840, "EUR": 978, "GBP": 826, "CNY": 156, "KZT": 398, "UAH": 980}

T = TypeVar("T")

Url = Annotated[str, Meta(max_length=2000)]


class PartnerSwitches(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What differs from partner to partner. Empty or not there: as the protocol has it.

    `push_answers` and `push_networks` are for those who take SMS in; `poll_seconds`, `finish_retry_seconds` and `ports` are
    read from the profile by whoever asks. They are here because a partner has one list of switches.
    """

    # Where each action goes, when not to the pool's one address. Those for rentals fall back to those without.
    services_url: Url = ""
    number_url: Url = ""
    finish_url: Url = ""
    rent_services_url: Url = ""
    rent_number_url: Url = ""
    rent_finish_url: Url = ""

    # How a request looks.
    content_type: Literal["", "json", "json-utf8"] = ""
    accept_gzip: bool = True
    gzip_bodies: bool = False
    # How long its answers are waited for. What an order waits for a number is the platform's to say.
    answer_seconds: Annotated[float, Meta(ge=1, le=25)] = ANSWER_SECONDS_MAX
    bearer: bool = True
    user_agent: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[\x20-\x7e]+$")] = "Simyard/1"
    prefixes: Literal["", "integers", "strings"] = ""
    country_type: Literal["string", "integer"] = "string"
    send_currency: bool | None = None
    sum_decimals: Annotated[int, Meta(ge=0, le=6)] | None = None
    sum_in_finish: bool | None = None
    # The field an operation's id is sent back in; several at once for partners nobody is sure of.
    id_fields: Annotated[str, Meta(pattern=r"^[A-Za-z_]{1,30}(,[A-Za-z_]{1,30}){0,3}$")] = "activationId"
    stock_request: Literal["", "GET_SERVICES", "GET_COUNT"] = ""
    # The field that tells how long a rental is, in days. None is documented.
    rent_days_field: Annotated[str, Meta(pattern=r"^[A-Za-z_]{0,30}$")] = ""

    # Their names, where they are nobody else's: `usaphysical=US,deutschland=DE`, `sn=signal`, `teliasonera=telia`.
    countries: Annotated[str, Meta(max_length=10_000)] = ""
    services: Annotated[str, Meta(max_length=10_000)] = ""
    operators: Annotated[str, Meta(max_length=10_000)] = ""

    # Read elsewhere.
    push_answers: Literal["by-path", "safe", "strict", "success"] = "by-path"
    # Where pushes with the pool's own key may come from: networks, with commas between; empty: from anywhere.
    push_networks: Annotated[str, Meta(max_length=2000)] = ""
    # How often it is asked what it has, where that is more often than usual.
    poll_seconds: Annotated[int, Meta(ge=5, le=3600)] | None = None
    # How soon it is told again how a lease ended; each time it has not heard it doubles that.
    finish_retry_seconds: Annotated[int, Meta(ge=1, le=300)] | None = None
    # How many numbers it can lend at a time, whatever it reports.
    ports: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


_BOOLEANS = frozenset({"accept_gzip", "gzip_bodies", "bearer", "send_currency", "sum_in_finish"})
_YES_OR_NO = {"yes": "true", "on": "true", "no": "false", "off": "false"}


def read_switches(given: Mapping[str, str]) -> PartnerSwitches:
    """Raises WrongSwitch."""
    known = PartnerSwitches.__struct_fields__
    for name in given:
        if name not in known:
            raise WrongSwitch(f"no switch {name!r}; there are: {', '.join(known)}")
    said = {
        name: _YES_OR_NO.get(value.lower(), value) if name in _BOOLEANS else value
        for name, value in given.items()
    }
    try:
        switches = msgspec.convert(said, PartnerSwitches, strict=False)
    except msgspec.ValidationError as error:
        raise WrongSwitch(str(error)) from None
    for name in known:
        if name.endswith("_url") and (url := getattr(switches, name)):
            try:
                parse_url(url)
            except ValueError as error:
                raise WrongSwitch(f"{name}: {error}") from None
    for network in filter(None, switches.push_networks.split(",")):
        try:
            ip_network(network)
        except ValueError as error:
            raise WrongSwitch(f"push_networks: {error}") from None
    return switches


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What a protocol does where no switch says otherwise."""

    content_type: str
    prefixes: str
    send_currency: bool
    sum_decimals: int
    sum_in_finish: bool
    stock_request: str
    # Whether its service names are words; else they are codes of two or three letters.
    words: bool
    finish_statuses: Mapping[Ending, int]
    rent_finish_statuses: Mapping[Ending, int]


_STATUSES = {Ending.NOT_FOR_SERVICE: 1, Ending.SOLD: 3, Ending.CANCELED: 4, Ending.REFUNDED: 5}
_HERO_RENT_STATUSES = {
    Ending.NOT_FOR_SERVICE: 1,
    Ending.SOLD: 14,
    Ending.CANCELED: 15,
    Ending.REFUNDED: 16,
}

_DIALECTS = {
    ONLINESIM: _Dialect("json-utf8", "integers", False, 2, True, "GET_SERVICES", True, _STATUSES, _STATUSES),
    INDUSTRY: _Dialect("json", "strings", True, 4, False, "GET_SERVICES", False, _STATUSES, _STATUSES),
    HERO: _Dialect("json", "strings", True, 4, False, "GET_COUNT", False, _STATUSES, _HERO_RENT_STATUSES),
}


class Partner:
    """A partner's server, as one of three protocols has it."""

    polled = False

    def __init__(self, profile: Profile, client: OutgoingClient) -> None:
        self.switches = switches = read_switches(profile.switches)
        self._dialect = dialect = _DIALECTS[profile.protocol]
        self._profile = profile
        self._client = client
        self._names = _Names(switches, words=dialect.words)
        self._prefixes = switches.prefixes or dialect.prefixes
        self._send_currency = _either(switches.send_currency, dialect.send_currency)
        self._sum_in_finish = _either(switches.sum_in_finish, dialect.sum_in_finish)
        self._stock_request = switches.stock_request or dialect.stock_request
        self._id_fields = tuple(switches.id_fields.split(","))
        self._sum_decimals = _either(switches.sum_decimals, dialect.sum_decimals)
        self._headers = _headers(switches, dialect, profile.key)

    # What a source can do

    async def stock(self) -> Stock:
        answers = [await self._ask(self._urls("services"), {"action": self._stock_request}, big=True)]
        rent_url = self.switches.rent_services_url
        if self._profile.rent_allowed and rent_url and rent_url != self._urls("services"):
            answers.append(await self._ask(rent_url, {"action": self._stock_request}, big=True))
        stock = _StockReading(self._names, rents=self._profile.rent_allowed)
        for answer in answers:
            if _status(answer) != "SUCCESS":
                raise SourceRefused(Reason.REJECTED, self._said(answer))
            stock.read(answer)
        return stock.stock()

    async def order(self, wish: RemoteWish) -> RemoteNumber:
        return (await self.order_in_detail(wish))[0]

    async def order_in_detail(self, wish: RemoteWish) -> tuple[RemoteNumber, Mapping[str, Any]]:
        """A number, and the partner's answer as it was, its fields' names in lower case."""
        rental = wish.rental_days is not None
        answer = await self._ask(
            self._urls("number", rental=rental), self._order_fields(wish), seconds_max=ORDER_SECONDS_MAX
        )
        status = _status(answer)
        if status in ("NO_NUMBERS", "NO_NUMBER"):
            raise SourceRefused(Reason.NO_NUMBERS)
        if status != "SUCCESS":
            # Partners say ERROR and a sentence of their own for what they do not sell.
            if status:
                raise SourceRefused(Reason.NOT_OFFERED, self._said(answer))
            raise SourceFailed("the answer has no status", ambiguous=True)
        remote_id = _remote_id(answer)
        if remote_id is None:
            raise SourceFailed("a number without an id", ambiguous=True)
        if rental:
            remote_id = _RENTAL_PREFIX + remote_id
        # One that cannot be read has to go back like any other that does not fit.
        return RemoteNumber(remote_id, _msisdn(answer) or UNREADABLE), answer

    async def find(self, wish: RemoteWish, *, since: datetime) -> list[RemoteNumber] | None:
        return None

    async def finish(self, remote_id: str, ending: Ending, *, amount: int, currency: str) -> None:
        rental = remote_id.startswith(_RENTAL_PREFIX)
        plain = msgspec.Raw(remote_id.removeprefix(_RENTAL_PREFIX).encode())
        statuses = self._dialect.rent_finish_statuses if rental else self._dialect.finish_statuses
        fields: dict[str, Any] = {"action": "FINISH_ACTIVATION"}
        fields |= dict.fromkeys(self._id_fields, plain)
        fields["status"] = statuses[ending]
        if rental:
            fields["service"] = _RENT
        if self._sum_in_finish or rental:
            fields["sum"] = self._sum(amount if ending is Ending.SOLD else 0)
        answer = await self._ask(self._urls("finish", rental=rental), fields)
        if _status(answer) != "SUCCESS":
            raise SourceRefused(Reason.REJECTED, self._said(answer))

    async def request_next(self, remote_id: str) -> None:
        """Nothing to do: a partner pushes whatever comes until the end."""

    async def poll(self, remote_ids: Sequence[str]) -> list[RemoteMessage]:
        return []

    # What is sent

    def _urls(self, action: str, *, rental: bool = False) -> str:
        switches = self.switches
        return (
            (getattr(switches, f"rent_{action}_url") if rental else "")
            or getattr(switches, f"{action}_url")
            or self._profile.url
        )

    def _order_fields(self, wish: RemoteWish) -> dict[str, Any]:
        country: str | int = wish.country_name
        if self.switches.country_type == "integer" and wish.country_name.isdigit():
            country = int(wish.country_name)
        fields: dict[str, Any] = {
            "action": "GET_NUMBER",
            "country": country,
            "operator": wish.operator_name or _ANY,
            "service": wish.service_name if wish.rental_days is None else wish.service_name or _RENT,
            "sum": self._sum(wish.amount),
        }
        if self._send_currency:
            fields["currency"] = _CURRENCY_NUMBERS.get(wish.currency, wish.currency)
        if wish.excluded:
            digits = [prefix.removeprefix("+") for prefix in wish.excluded]
            fields["exceptionPhoneSet"] = (
                [int(prefix) for prefix in digits] if self._prefixes == "integers" else digits
            )
        if wish.rental_days is not None and self.switches.rent_days_field:
            fields[self.switches.rent_days_field] = wish.rental_days
        return fields

    def _sum(self, amount: int) -> msgspec.Raw:
        """A JSON number. Never more than what is paid."""
        rounded = money.round_to_places(amount, places=self._sum_decimals, rounding=money.Rounding.DOWN)
        return money.json_number(rounded, places=6)

    async def _ask(
        self,
        url: str,
        fields: Mapping[str, Any],
        *,
        seconds_max: float | None = None,
        big: bool = False,
    ) -> dict[str, Any]:
        """One request and its answer, the names of its fields in lower case. Raises SourceRefused and SourceFailed."""
        action, *others = fields.items()
        body = msgspec.json.encode(dict([action, ("key", self._profile.key), *others]))
        if self.switches.gzip_bodies:
            body = gzip.compress(body, 5)
        sizes = {"answer_bytes_max": _STOCK_BYTES_MAX} if big else {}
        call = Call(
            "POST",
            url,
            self._headers,
            body,
            seconds_max=seconds_max or self.switches.answer_seconds,
            accept_encoding="gzip, deflate" if self.switches.accept_gzip else "identity",
            **sizes,
        )
        answer = await self._client.call(call)
        if isinstance(answer, Failure):
            raise SourceFailed(f"{answer.problem.value}: {answer.detail}", ambiguous=answer.sent)
        return self._read(answer)

    def _read(self, answer: Answer) -> dict[str, Any]:
        status = answer.status
        content = _content(answer) if answer.whole else None
        said = f"status {status}" + (f": {text}" if content and (text := self._said(content)) else "")
        if 200 <= status < 300:
            if content is None:
                problem = "not an object of JSON" if answer.whole else "cut off or too long"
                raise SourceFailed(f"the answer is {problem}", ambiguous=True)
            return content
        if status in (401, 403):
            raise SourceRefused(Reason.WRONG_KEY, said)
        if 400 <= status < 500 and status not in (408, 425, 429):
            raise SourceRefused(Reason.REJECTED, said)
        # A gateway's word about a server that did not answer it says nothing about what that server did.
        raise SourceFailed(said, ambiguous=status in (408, 502, 504))

    def _said(self, answer: Mapping[str, Any]) -> str:
        """What the partner says is wrong. The key is taken out, because some repeat it."""
        for name in ("error", "message", "detail", "msg", "status"):
            value = answer.get(name)
            if value in (None, ""):
                continue
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            if self._profile.key:
                text = text.replace(self._profile.key, "***")
            return _UNPRINTABLE.sub(" ", text).strip()[:_DETAIL_LENGTH_MAX]
        return ""


def _either(switch: T | None, usual: T) -> T:
    return usual if switch is None else switch


def _headers(switches: PartnerSwitches, dialect: _Dialect, key: str) -> tuple[tuple[str, str], ...]:
    content_type = switches.content_type or dialect.content_type
    headers = [
        ("content-type", "application/json" + ("; charset=utf-8" if content_type == "json-utf8" else "")),
        ("accept", "application/json"),
        ("user-agent", switches.user_agent),
    ]
    if switches.bearer and key.isascii() and key.isprintable():
        headers.append(("authorization", f"Bearer {key}"))
    if switches.gzip_bodies:
        headers.append(("content-encoding", "gzip"))
    return tuple(headers)


# Reading answers


def _content(answer: Answer) -> dict[str, Any] | None:
    """The object an answer holds, whatever its Content-Type says; None when it holds none."""
    body = _unpacked(answer.body, (answer.header("content-encoding") or "").strip().lower())
    if body is None:
        return None
    try:
        content = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return {name.lower(): value for name, value in content.items()} if isinstance(content, dict) else None


def _unpacked(body: bytes, encoding: str) -> bytes | None:
    """None: it does not unpack, or to more than one wants to hold."""
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return None
    # Deflate should come with the head of zlib; some send it without.
    for bits in (zlib.MAX_WBITS + 32, -zlib.MAX_WBITS):
        unpacker = zlib.decompressobj(wbits=bits)
        try:
            unpacked = unpacker.decompress(body, _STOCK_UNPACKED_BYTES_MAX)
        except zlib.error:
            continue
        return unpacked if unpacker.eof else None
    return None


def _status(answer: Mapping[str, Any]) -> str:
    status = answer.get("status")
    return status.strip().upper() if isinstance(status, str) else ""


def _remote_id(answer: Mapping[str, Any]) -> str | None:
    """The operation's id as JSON, so that it goes back in the type it came in."""
    for name in ("activationid", "activation_id", "id"):
        value = answer.get(name)
        if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
            continue
        text = msgspec.json.encode(value).decode()
        if len(text) <= _REMOTE_ID_LENGTH_MAX:
            return text
    return None


def _msisdn(answer: Mapping[str, Any]) -> str | None:
    """The number with a plus sign. Whether it can be one is for others to judge."""
    for name in ("number", "phone"):
        value = answer.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | str):
            continue
        digits = _NOT_LETTERS.sub("", str(value).lower())
        if digits.isascii() and digits.isdigit() and 6 <= len(digits) <= 15:
            return f"+{digits}"
    return None


# Names


@cache
def _countries_by_word() -> Mapping[str, str]:
    """The countries by their English names in small letters without anything between: `unitedkingdom`."""
    named = {_word(country.name): country.iso2 for country in load_catalog().countries}
    return {**named, **{word: iso2 for word, iso2 in _COUNTRY_NAMES.items() if load_catalog().country(iso2)}}


@cache
def _services_by_word() -> Mapping[str, str]:
    return {_word(service.name): service.slug for service in load_catalog().services}


@cache
def _operators_by_word(iso2: str) -> Mapping[str, OperatorId]:
    """A country's networks by their brands; of several with one brand the first."""
    words: dict[str, OperatorId] = {}
    for operator in load_catalog().operators:
        if operator.iso2 == iso2:
            words.setdefault(operator.slug, operator.id)
    return words


def _word(name: str) -> str:
    return _NOT_LETTERS.sub("", name.lower())


class _Names:
    """A partner's names for countries, services and operators, and ours for them."""

    def __init__(self, switches: PartnerSwitches, *, words: bool) -> None:
        known = load_catalog()
        self._words = words
        self._countries = _dictionary("countries", switches.countries)
        self._services = _dictionary("services", switches.services)
        self._operators = _dictionary("operators", switches.operators)
        for name, iso2 in self._countries.items():
            if known.country(iso2.upper()) is None:
                raise WrongSwitch(f"countries: {name} is said to be {iso2}, which is no country on sale")
        for name, slug in self._services.items():
            if known.service(slug) is None:
                raise WrongSwitch(f"services: {name} is said to be {slug}, which is no service of ours")

    def country(self, name: str) -> str | None:
        own = self._countries.get(name.lower())
        if own is not None:
            return own.upper()
        if name.isascii() and name.isdigit():
            iso2 = codes.countries.by_handler(int(name[:9]))
        else:
            word = _word(name)
            iso2 = _countries_by_word().get(word) or codes.countries.by_fivesim(word)
            iso2 = iso2 or codes.countries.by_name(name) or codes.countries.by_handler_name(name)
        return iso2 if iso2 is not None and load_catalog().country(iso2) is not None else None

    def service(self, name: str) -> ServiceId | None:
        known, lowered = load_catalog(), name.strip().lower()
        slug = self._services.get(lowered)
        if slug is None:
            by_word = codes.services.by_onlinesim(lowered) or (lowered if known.service(lowered) else None)
            by_word = by_word or _services_by_word().get(_word(lowered))
            by_code = codes.services.by_handler(lowered)
            slug = by_word or by_code if self._words else by_code or by_word
        service = known.service(slug) if slug is not None else None
        return None if service is None else service.id

    def operator(self, name: str, iso2: str) -> OperatorId | None:
        word = self._operators.get(name.lower(), name)
        return _operators_by_word(iso2).get(_word(word))


def _dictionary(switch: str, text: str) -> dict[str, str]:
    entries: dict[str, str] = {}
    for entry in filter(None, (one.strip() for one in text.split(","))):
        name, equals, ours = (part.strip() for part in entry.partition("="))
        if not (name and equals and ours):
            raise WrongSwitch(f"{switch}: {entry!r} is not name=ours")
        entries[name.lower()] = ours
    return entries


# Stock


class _StockReading:
    """What a partner's stock reports add up to."""

    def __init__(self, names: _Names, *, rents: bool) -> None:
        self._names = names
        self._rents = rents
        self._offers: dict[tuple[str, str, str], RemoteOffer] = {}
        self._unknown: dict[tuple[str, str], None] = {}

    def stock(self) -> Stock:
        return Stock(tuple(self._offers.values()), tuple(self._unknown))

    def read(self, answer: Mapping[str, Any]) -> None:
        """Raises SourceFailed when it is no stock report at all."""
        listed = answer.get("countrylist", answer.get("countrymap"))
        if isinstance(listed, list):
            for entry in listed:
                if isinstance(entry, dict):
                    self._read_country(*_country_entry(entry))
            return
        counted = answer.get("countmap", listed)
        if not isinstance(counted, dict):
            _no_stock()
        for name, operators in counted.items():
            self._read_country(name, operators)

    def _read_country(self, name: str | None, operators: object) -> None:
        if name is None or not isinstance(operators, dict) or not 0 < len(name) <= _NAME_LENGTH_MAX:
            return
        country = self._names.country(name)
        if country is None:
            self._note("country", name)
        for operator_name, counts in operators.items():
            total = operator_name.lower() == _ANY
            operator_id = None
            if not total:
                if not 0 < len(operator_name) <= _NAME_LENGTH_MAX:
                    continue
                if country is not None:
                    operator_id = self._names.operator(operator_name, country)
                    if operator_id is None:
                        self._note("operator", operator_name)
            if isinstance(counts, dict):
                for service_name, count in counts.items():
                    self._read_count(
                        country, name, operator_id, "" if total else operator_name, service_name, count
                    )

    def _read_count(
        self,
        country: str | None,
        country_name: str,
        operator_id: OperatorId | None,
        operator_name: str,
        service_name: str,
        count: object,
    ) -> None:
        # Programs that lost a name report the stock under an empty one.
        if not 0 < len(service_name) <= _NAME_LENGTH_MAX or len(self._offers) >= _OFFERS_MAX:
            return
        rental = service_name.lower() == _RENT
        if rental and not self._rents:
            return
        service_id = None if rental else self._names.service(service_name)
        if service_id is None and not rental:
            self._note("service", service_name)
        offer = RemoteOffer(
            country,
            service_id,
            operator_id,
            country_name,
            service_name,
            None,
            _count(count),
            operator_name,
            to_rent=rental,
        )
        self._offers[country_name, service_name, operator_name] = offer

    def _note(self, kind: str, name: str) -> None:
        if len(self._unknown) < _UNKNOWN_MAX:
            self._unknown[kind, name] = None


def _no_stock() -> NoReturn:
    raise SourceFailed("the answer holds no stock", ambiguous=False)


def _country_entry(entry: Mapping[str, Any]) -> tuple[str | None, object]:
    """A country's name and its operators. The page that should say what the name's field is called does not."""
    fields = {name.lower(): value for name, value in entry.items()}
    operators = fields.get("operatormap")
    name = fields.get("country")
    if name is None:
        others = [one for one in entry if one.lower() != "operatormap"]
        if len(others) == 1:
            value = entry[others[0]]
            if isinstance(value, str) and value:
                name = value
            else:
                name = others[0]
                operators = value if operators is None else operators
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    return (name if isinstance(name, str) else None), operators


def _count(value: object) -> int:
    """Numbers that can be had, from a number, its digits, or, by kinds of delivery, `{"SMS": 12}`; else 0."""
    if isinstance(value, dict):
        value = next((count for kind, count in value.items() if kind.upper() == "SMS"), 0)
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value.strip()[:12])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return min(max(value, 0), _STOCK_MAX)
