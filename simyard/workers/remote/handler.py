"""A source that speaks the handler API (`/stubs/handler_api.php`): we buy there as any customer would."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from simyard import codes
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.catalog.model import Service
from simyard.core.remote.model import (
    Ending,
    Profile,
    RemoteMessage,
    RemoteNumber,
    RemoteOffer,
    RemoteWish,
    Stock,
)
from simyard.workers.outgoing import Answer, Call
from simyard.workers.remote.source import Reason, SourceFailed, SourceRefused, WrongSwitch
from simyard.workers.remote.upstream import (
    ANSWER_BYTES_MAX,
    CALL_SECONDS_MAX,
    ORDER_SECONDS_MAX,
    STOCK_BYTES_MAX,
    STOCK_SECONDS_MAX,
    Caller,
    Exchange,
    Turns,
    UpstreamSwitches,
    ask,
    base_url,
    count_of,
    decode_json,
    digest_of,
    distinct,
    each,
    id_of,
    moment_of,
    msisdn_of,
    name_of,
    objects,
    price_of,
    read_switches,
    text_of,
    zoneless_moment_of,
)

log = logging.getLogger(__name__)

PATH: Final = "/stubs/handler_api.php"
NAMES_KEPT_SECONDS: Final = 3600.0
PAGE: Final = 100
PAGES_MAX: Final = 50
EXCLUDED_MAX: Final = 20
# How many numbers one round asks about one by one: those whose messages came, and those that left the list.
ASKED_TOGETHER: Final = 5
MISSING_ASKED: Final = 10
MESSAGES_KEPT_SECONDS: Final = 30.0
MESSAGES_KEPT: Final = 10_000
# Clocks of two machines differ.
CLOCKS_APART: Final = timedelta(minutes=2)

_EXCLUDED: Final = re.compile(r"[0-9]{3,6}")
_WORD: Final = re.compile(r"""([A-Z][A-Z0-9_]{1,63})(?::\s*(.*))?""", re.DOTALL)
_NOT_NAME: Final = re.compile(r"[^a-z0-9]+")

_WORDS: Final[Mapping[str, Reason]] = {
    word: reason
    for reason, words in {
        Reason.NO_NUMBERS: "NO_NUMBERS NO_NUMBER WRONG_MAX_PRICE MAX_PRICE_EXCEEDED OPERATORS_NOT_FOUND SIM_OFFLINE "
        "SIM_TEMPORARY_OFFLINE OUT_OF_STOCK",
        Reason.NOT_OFFERED: "BAD_SERVICE WRONG_SERVICE BAD_COUNTRY WRONG_COUNTRY SERVICE_NOT_AVAILABLE NOT_AVAILABLE "
        "SERVICE_UNAVAILABLE_REGION WHATSAPP_NOT_AVAILABLE NO_YULA_MAIL BAD_ACTION NO_ACTION UNPROCESSABLE_ENTITY "
        "WRONG_OPERATOR",
        Reason.NO_MONEY: "NO_BALANCE NO_MONEY NO_MEANS NO_BALANCE_FORWARD",
        Reason.WRONG_KEY: "BAD_KEY NO_KEY API_KEY_NOT_VALID ACCOUNT_INACTIVE UNAUTHENTICATED",
        Reason.REJECTED: "CHANNELS_LIMIT TOO_MANY_ACTIVE_RENTALS RATE_LIMIT RATE_LIMITED TOO_MANY_REQUESTS BANNED "
        "WRONG_EXCEPTION_PHONE BAD_STATUS EARLY_CANCEL_DENIED BAD_CURRENCY WRONG_CURRENCY",
    }.items()
    for word in words.split()
}
"""What was said no to, and so did nothing. A word that is not here may mean anything."""

_GONE: Final = frozenset(
    [
        "NO_ACTIVATION",
        "WRONG_ACTIVATION_ID",
        "BAD_ID",
        "NOT_FOUND",
        "ACTIVATION_NOT_ACTIVE",
        "STATUS_CANCEL",
        "STATUS_FINISH",
        "STATUS_REVOKE",
    ]
)
"""It has ended there, or never was."""
_NOT_YET: Final = frozenset(
    ["EARLY_CANCEL_DENIED", "RATE_LIMIT", "RATE_LIMITED", "TOO_MANY_REQUESTS", "BANNED", "CHANNELS_LIMIT"]
)
"""Not now, but some time later."""
_UNKNOWN_ACTION: Final = frozenset(["BAD_ACTION", "NO_ACTION"])
_TEXTS_OF_WRONG_NAMES: Final = {"service is incorrect": "BAD_SERVICE", "country is incorrect": "BAD_COUNTRY"}
_FAILED: Final = ("error", "false", "fail", False)
_CURRENCIES: Final = {643: "RUB", 840: "USD", 978: "EUR", 156: "CNY"}


class HandlerSwitches(UpstreamSwitches, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`vendor` names whose country ids are meant where vendors differ (herosms, smsbower).

    `own_names` off: do not ask for its lists of countries and services, take the common tables' word.
    `order_action` getNumber is for vendors without getNumberV2, `prices_action` for those that list prices elsewhere.
    `order_ids` off: send no orderId. `utc_offset_minutes` is that of the vendor's clock; without it a moment that names no
    zone says nothing, and then every open activation of a service may be one of an order whose answer was lost.
    """

    vendor: str = ""
    order_action: str = "getNumberV2"
    prices_action: str = "getPrices"
    order_ids: bool = True
    own_names: bool = True
    utc_offset_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer by its content: a word and what follows it, or data. Neither: it is not understood."""

    status: int
    word: str | None = None
    rest: str = ""
    data: Any = None
    understood: bool = True

    @property
    def detail(self) -> str:
        """For people, without anything that was said in free text."""
        return self.word if self.word in _KNOWN else f"status {self.status}: not understood"


_KNOWN: Final = frozenset((*_WORDS, *_GONE, "ORDER_ALREADY_EXISTS", "ERROR_SQL", "SERVER_ERROR"))


def read_answer(answer: Answer) -> _Said:
    """What was said, whatever the status and the type of its content are."""
    text = answer.body.decode("utf-8", "replace").strip().lstrip("\ufeff").strip()
    if text[:1] in ("{", "[", '"'):
        try:
            data = decode_json(text.encode())
        except ValueError:
            return _Said(answer.status, understood=False)
        if not isinstance(data, str):
            return _of_json(answer.status, data)
        text = data.strip()
    if not text and answer.status in (200, 204):
        return _Said(answer.status)
    found = _WORD.fullmatch(text)
    if found is None:
        return _Said(answer.status, understood=False)
    return _Said(answer.status, found[1], found[2] or "")


def _of_json(status: int, data: Any) -> _Said:
    if not isinstance(data, dict):
        return _Said(status, data=data)
    if isinstance(title := data.get("title"), str):
        word = _NOT_NAME.sub("_", title.lower()).strip("_").upper()
        return _Said(status, word, data=data)
    failed = data.get("status") in _FAILED or data.get("success") is False or status >= 400
    if failed:
        for name in ("error", "message", "msg", "code"):
            said = data.get(name)
            if isinstance(said, str):
                said = _TEXTS_OF_WRONG_NAMES.get(said.strip().lower(), said.strip())
                if found := _WORD.fullmatch(said):
                    return _Said(status, found[1], found[2] or "", data)
        return _Said(status, understood=False)
    return _Said(status, data=data)


class HandlerSource:
    """Prices by `getPrices`, numbers by `getNumberV2` under a price cap, messages by one list for all open numbers."""

    polled = True

    def __init__(
        self, profile: Profile, client: Caller, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises WrongSwitch."""
        self._switches = read_switches(profile, HandlerSwitches)
        vendors = codes.countries.handler_vendors
        if self._switches.vendor and self._switches.vendor not in vendors:
            raise WrongSwitch(f"vendor is {' or '.join(vendors)}; others need none")
        if self._switches.order_action not in ("getNumberV2", "getNumber"):
            raise WrongSwitch("order_action is getNumberV2 or getNumber")
        if not re.fullmatch("getPrices[A-Za-z0-9]{0,12}", self._switches.prices_action):
            raise WrongSwitch("prices_action is getPrices, getPricesV2 or getPricesV3")
        self._exchange = Exchange(profile, self._switches)
        self._url = base_url(profile, path=PATH)
        self._key = profile.key
        self._pool_id = profile.pool_id
        self._client = client
        self._monotonic = monotonic
        self._names: _Names | None = None
        self._names_at = 0.0
        self._lists_all_sms = True
        self._turns = Turns(MISSING_ASKED)
        self._messages: OrderedDict[str, _Kept] = OrderedDict()

    # Stock

    async def stock(self) -> Stock:
        """What is on offer, by the vendor's own list of names as far as it has one."""
        names = await self._known_names()
        prices = await self._ask(
            self._switches.prices_action, seconds_max=STOCK_SECONDS_MAX, answer_bytes_max=STOCK_BYTES_MAX
        )
        if prices.word is not None:
            raise _no(prices)
        balance = await self._balance()
        # Long lists: not on the loop.
        offers, unknown = await asyncio.to_thread(_offers, prices.data, names, self._exchange)
        return Stock(offers, unknown, balance)

    async def _balance(self) -> int | None:
        said = await self._ask("getBalance")
        if said.word != "ACCESS_BALANCE":
            raise _no(said)
        amount = price_of(said.rest.strip())
        return None if amount is None else self._exchange.to_base(amount)

    async def _known_names(self) -> _Names:
        """The vendor's own countries and services. One that does not list them is taken by the common tables."""
        now = self._monotonic()
        if self._names is None and not self._switches.own_names:
            self._names, self._names_at = _Names(None, None, self._switches.vendor), math.inf
        if self._names is None or now - self._names_at > NAMES_KEPT_SECONDS:
            countries = await self._ask("getCountries", answer_bytes_max=STOCK_BYTES_MAX)
            services = await self._ask("getServicesList", {"lang": "en"}, answer_bytes_max=STOCK_BYTES_MAX)
            self._names = await asyncio.to_thread(
                _Names, _listed_countries(countries), _listed_services(services), self._switches.vendor
            )
            self._names_at = now
        return self._names

    # Ordering

    async def order(self, wish: RemoteWish) -> RemoteNumber:
        if wish.rental_days is not None:
            raise SourceRefused(Reason.NOT_OFFERED, "rentals are not bought here")
        said = await self._buy(self._switches.order_action, wish)
        if said.word in _UNKNOWN_ACTION and self._switches.order_action != "getNumber":
            # The action itself is not known there, so nothing happened.
            said = await self._buy("getNumber", wish)
        return self._bought(said)

    async def _buy(self, action: str, wish: RemoteWish) -> _Said:
        parameters = {"service": wish.service_name, "country": wish.country_name}
        if wish.operator_name:
            parameters["operator"] = wish.operator_name
        if wish.price_max is not None:
            parameters["maxPrice"] = self._exchange.cap(wish.price_max)
        if self._switches.order_ids:
            parameters["orderId"] = wish.reference
        if excluded := _excluded(wish):
            parameters["phoneException"] = ",".join(excluded)
        return await self._ask(action, parameters, may_reserve=True, seconds_max=ORDER_SECONDS_MAX)

    def _bought(self, said: _Said) -> RemoteNumber:
        if said.word == "ACCESS_NUMBER":
            remote_id, _, phone = said.rest.partition(":")
            number = _number(remote_id.strip(), phone)
        elif said.word is not None:
            raise _no(said, may_reserve=True)
        else:
            data = said.data if isinstance(said.data, dict) else {}
            # What came of several is in a list.
            if "activationId" not in data and isinstance(data.get("data"), list | dict):
                data = next(
                    iter(objects([data["data"]] if isinstance(data["data"], dict) else data["data"])), {}
                )
            number = _number(data.get("activationId"), data.get("phoneNumber"), self._cost(data))
        if number is None:
            raise SourceFailed(f"status {said.status}: no number in the answer", ambiguous=True)
        return number

    def _cost(self, data: Mapping[str, Any]) -> int | None:
        """What was taken; unknown when it was not said, or in another currency than that of the profile."""
        cost = price_of(data.get("activationCost"))
        currency = count_of(data.get("currency"))
        if cost is None or (
            currency and _CURRENCIES.get(currency, self._exchange.currency) != self._exchange.currency
        ):
            return None
        return self._exchange.to_base(cost)

    async def find(self, wish: RemoteWish, *, since: datetime) -> list[RemoteNumber] | None:
        """Open activations of the country and service, by our order id where the list shows it, else from `since` on."""
        asked = [one for one in await self._active() if _is_of(one, wish)]
        if any("orderId" in one for one in asked):
            asked = [one for one in asked if one.get("orderId") == wish.reference]
        else:
            asked = [one for one in asked if self._may_be_since(one, since)]
        found = [_number(one.get("activationId"), one.get("phoneNumber"), self._cost(one)) for one in asked]
        return [number for number in found if number is not None]

    def _may_be_since(self, active: Mapping[str, Any], since: datetime) -> bool:
        said = active.get("activationTime")
        known = moment_of(said) is not None or self._switches.utc_offset_minutes is not None
        at = self._moment(said) if known else None
        return at is None or at >= since - CLOCKS_APART

    def _moment(self, said: Any) -> datetime | None:
        """A moment; one that names no zone by the vendor's, or as if it were UTC: good for telling messages apart."""
        local = zoneless_moment_of(said)
        if local is None:
            return moment_of(said)
        return local - timedelta(minutes=self._switches.utc_offset_minutes or 0)

    # Ending

    async def finish(self, remote_id: str, ending: Ending, *, amount: int, currency: str) -> None:
        """Sold: finished there, so that it is not cancelled by itself. Not sold: cancelled, which gives our money back.

        What the buyer got back of a sale is not given back there. A message that came just before a cancel makes it a sale
        to us, which is ended as one.
        """
        if ending is Ending.REFUNDED:
            return
        status, done = ("6", "ACCESS_ACTIVATION") if ending is Ending.SOLD else ("8", "ACCESS_CANCEL")
        said = await self._set_status(remote_id, status)
        if _is_done(said, done):
            return
        if said.word in ("BAD_STATUS", "OTP_RECEIVED", "NEW_OTP_RECEIVED"):
            state = await self._ask("getStatus", {"id": remote_id})
            if state.word in _GONE:
                return
            has_code = state.word in ("STATUS_OK", "STATUS_WAIT_RETRY")
            if ending is not Ending.SOLD and has_code:
                log.warning(
                    "pool %s: an activation was paid for, though its buyer canceled it", self._pool_id
                )
                said = await self._set_status(remote_id, "6")
                if _is_done(said, "ACCESS_ACTIVATION"):
                    return
        raise SourceFailed(said.detail, ambiguous=False) if said.word in _NOT_YET else _no(said)

    async def _set_status(self, remote_id: str, status: str) -> _Said:
        return await self._ask("setStatus", {"id": remote_id, "status": status})

    async def request_next(self, remote_id: str) -> None:
        said = await self._set_status(remote_id, "3")
        if said.word != "ACCESS_RETRY_GET":
            raise _no(said)

    # Messages

    async def poll(self, remote_ids: Sequence[str]) -> list[RemoteMessage]:
        """One list shows which numbers got something; those are asked for all they got.

        Numbers that are not on the list have ended there, perhaps with a message: a few of them are asked each time.
        """
        wanted = dict.fromkeys(remote_ids)
        if not wanted:
            return []
        listed = {
            remote_id: one
            for one in await self._active(until=wanted)
            if (remote_id := id_of(one.get("activationId"))) in wanted
        }
        asking = [(remote_id, one) for remote_id, one in listed.items() if _mark(one)]
        missing = self._turns.take(remote_id for remote_id in wanted if remote_id not in listed)
        together = asyncio.Semaphore(ASKED_TOGETHER)

        async def messages(remote_id: str, active: Mapping[str, Any]) -> list[RemoteMessage]:
            async with together:
                return await self._messages_of(remote_id, active)

        outcomes = await asyncio.gather(
            *(messages(remote_id, one) for remote_id, one in asking),
            *(messages(remote_id, {}) for remote_id in missing),
            return_exceptions=True,
        )
        found: list[RemoteMessage] = []
        problems: list[BaseException] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                problems.append(outcome)
            else:
                found += outcome
        unexpected = [one for one in problems if not isinstance(one, SourceFailed | SourceRefused)]
        # One that cannot be asked does not hold up the others' messages.
        if unexpected or (problems and not found):
            raise (unexpected or problems)[0]
        return found

    async def _messages_of(self, remote_id: str, active: Mapping[str, Any]) -> list[RemoteMessage]:
        mark, now = _mark(active), self._monotonic()
        kept = self._messages.get(remote_id)
        is_fresh = kept is not None and mark == kept.mark and now - kept.at < MESSAGES_KEPT_SECONDS
        # What the list showed is all there is of a vendor that shows the newest alone.
        if kept is not None and (is_fresh or (not mark and not self._lists_all_sms)):
            return kept.messages
        messages = await self._all_sms(remote_id) if self._lists_all_sms else None
        if messages is None:
            shown = self._message(remote_id, {name: active.get(name) for name in ("smsText", "smsCode")})
            messages = [shown] if shown is not None else await self._status_sms(remote_id)
        if mark and messages:
            self._messages[remote_id] = _Kept(mark, now, messages)
            self._messages.move_to_end(remote_id)
            if len(self._messages) > MESSAGES_KEPT:
                self._messages.popitem(last=False)
        return messages

    async def _all_sms(self, remote_id: str) -> list[RemoteMessage] | None:
        """None: this vendor has no such list."""
        said = await self._ask("getAllSms", {"id": remote_id})
        if said.word in _UNKNOWN_ACTION:
            self._lists_all_sms = False
            return None
        if said.word in _GONE or said.word in ("STATUS_WAIT_CODE", "NO_ACTIVATIONS"):
            return []
        if said.word is not None:
            raise _no(said)
        rows = objects(said.data.get("data") if isinstance(said.data, dict) else said.data)
        messages = [message for row in rows if (message := self._message(remote_id, row)) is not None]
        return distinct(sorted(messages, key=_place))

    async def _status_sms(self, remote_id: str) -> list[RemoteMessage]:
        """The newest message alone, from vendors that show no other."""
        said = await self._ask("getStatusV2", {"id": remote_id})
        if said.word in _UNKNOWN_ACTION:
            said = await self._ask("getStatus", {"id": remote_id})
        if said.word == "STATUS_OK":
            row: dict[str, Any] | None = {"code": said.rest.strip()}
        elif said.word is None:
            data = said.data if isinstance(said.data, dict) else {}
            said_sms = data.get("sms") or data.get("data")
            # Without its moment, which the list does not say: it is the same message.
            row = (
                {name: said_sms.get(name) for name in ("text", "code")}
                if isinstance(said_sms, dict)
                else None
            )
        elif said.word in _GONE or said.word.startswith("STATUS_"):
            row = None
        else:
            raise _no(said)
        message = self._message(remote_id, row) if row is not None else None
        return [] if message is None else [message]

    def _message(self, remote_id: str, row: Mapping[str, Any]) -> RemoteMessage | None:
        text = text_of(row.get("text") or row.get("smsText"))
        code = text_of(row.get("code") or row.get("smsCode"))
        if not (text or code):
            return None
        said_at = row.get("date") or row.get("dateTime") or row.get("receivedAt")
        own_id = id_of(row.get("id"))
        return RemoteMessage(
            remote_id,
            own_id or digest_of(remote_id, text_of(said_at), text or code),
            text_of(row.get("phoneFrom") or row.get("from")),
            text or code,
            self._moment(said_at),
        )

    async def _active(self, until: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """Open activations: all of them, or page by page until these are among them. A list that cannot be had is no empty one."""
        found: dict[str, dict[str, Any]] = {}
        for page in range(PAGES_MAX):
            said = await self._ask("getActiveActivations", {"start": str(page * PAGE), "limit": str(PAGE)})
            if said.word in ("NO_ACTIVATIONS", "NO_ACTIVATION"):
                break
            if said.word is not None:
                raise _no(said)
            rows = _active_rows(said.data)
            if rows is None:
                raise SourceFailed("no list of activations in the answer", ambiguous=False)
            new = {
                remote_id: row
                for row in rows
                if (remote_id := id_of(row.get("activationId"))) and remote_id not in found
            }
            found |= new
            # Some take no notice of pages and always show the whole list.
            if len(rows) < PAGE or not new or (until is not None and all(one in found for one in until)):
                break
        return list(found.values())

    async def _ask(
        self,
        action: str,
        parameters: Mapping[str, str] | None = None,
        *,
        may_reserve: bool = False,
        seconds_max: float = CALL_SECONDS_MAX,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> _Said:
        """Raises SourceFailed when there is no answer, or one that cannot be understood."""
        query = urlencode({"api_key": self._key, "action": action, **(parameters or {})})
        call = Call(
            "GET",
            f"{self._url}?{query}",
            (("accept", "application/json, text/plain, */*"),),
            seconds_max=seconds_max,
            answer_bytes_max=answer_bytes_max,
        )
        answer = await ask(self._client, call, may_reserve=may_reserve)
        said = (
            await asyncio.to_thread(read_answer, answer)
            if len(answer.body) > 100_000
            else read_answer(answer)
        )
        if not said.understood or (said.word is None and said.status >= 300):
            if answer.status == 429:
                raise SourceRefused(Reason.REJECTED, "status 429: too many requests")
            if answer.status == 401:
                raise SourceRefused(Reason.WRONG_KEY, "status 401")
            raise SourceFailed(said.detail, ambiguous=may_reserve and answer.status != 404)
        return said


class _Kept(msgspec.Struct):
    """The messages of a number, as long as the list shows the same of it."""

    mark: str
    at: float
    messages: list[RemoteMessage]


def _no(said: _Said, *, may_reserve: bool = False) -> SourceRefused | SourceFailed:
    """What to raise for an answer that is not the one that was hoped for."""
    reason = _WORDS.get(said.word or "")
    if reason is not None:
        return SourceRefused(reason, said.detail)
    if said.word in _GONE and not may_reserve:
        return SourceRefused(Reason.REJECTED, said.detail)
    return SourceFailed(said.detail, ambiguous=may_reserve)


def _is_done(said: _Said, word: str) -> bool:
    """A bare success counts too: some answer nothing at all."""
    return said.word == word or said.word in _GONE or (said.word is None and 200 <= said.status < 300)


def _number(remote_id: Any, phone: Any, cost: int | None = None) -> RemoteNumber | None:
    named, msisdn = id_of(remote_id), msisdn_of(phone)
    return RemoteNumber(named, msisdn, cost) if named and msisdn else None


def _excluded(wish: RemoteWish) -> list[str]:
    """Prefixes in the form that is taken: the country's code and three to six digits. Others are looked at when the number came."""
    country = load_catalog().country(wish.country)
    code = str(country.calling_code) if country is not None else ""
    digits = [prefix.removeprefix("+") for prefix in wish.excluded]
    fitting = [one for one in digits if one.startswith(code) and _EXCLUDED.fullmatch(one[len(code) :])]
    return fitting[:EXCLUDED_MAX]


def _is_of(active: Mapping[str, Any], wish: RemoteWish) -> bool:
    service = text_of(active.get("serviceCode") or active.get("service"))
    country = text_of(active.get("countryCode") or active.get("country"))
    # What is not said may be ours.
    return service in ("", wish.service_name) and country in ("", wish.country_name)


def _active_rows(data: Any) -> list[dict[str, Any]] | None:
    """The list under either of its names, or bare. None: there is none."""
    if isinstance(data, list):
        return objects(data)
    if not isinstance(data, dict):
        return None
    lists = [data[name] for name in ("activeActivations", "data") if isinstance(data.get(name), list | dict)]
    if not lists:
        return None
    found: list[dict[str, Any]] = []
    for one in lists:
        rows = one.get("rows", one) if isinstance(one, dict) else one
        found += objects(rows)
    return found


# Messages


def _mark(active: Mapping[str, Any]) -> str:
    """What the list shows of a number's messages; empty when it shows none."""
    shown = [text_of(active.get(name)) for name in ("smsText", "smsCode")]
    status = text_of(active.get("activationStatus"))
    if not any(shown) and status not in ("2", "3", "6"):
        return ""
    return digest_of(status, *shown)


def _place(message: RemoteMessage) -> tuple[int, str]:
    """Ids that count up tell which came first; without them the order stays as it is."""
    own_id = message.remote_message_id
    return (len(own_id), own_id) if own_id.isdigit() else (0, "")


# Names and prices


def _listed_countries(said: _Said) -> dict[str, str] | None:
    """Ids and English names. None: this vendor does not list them."""
    if said.word is not None:
        if said.word in _UNKNOWN_ACTION:
            return None
        raise _no(said)
    if isinstance(said.data, list):
        rows = [(row.get("id"), row) for row in objects(said.data)]
    else:
        rows = [(row.get("id", key), row) for key, row in each(said.data) if isinstance(row, dict)]
    return {
        country_id: text_of(row.get("eng") or row.get("name"))
        for key, row in rows
        if (country_id := id_of(key))
    }


def _listed_services(said: _Said) -> dict[str, str] | None:
    """Codes and names. None: this vendor does not list them."""
    if said.word is not None:
        if said.word in _UNKNOWN_ACTION:
            return None
        raise _no(said)
    data = said.data.get("services", said.data) if isinstance(said.data, dict) else said.data
    if isinstance(data, list):
        return {code: text_of(row.get("name")) for row in objects(data) if (code := id_of(row.get("code")))}
    return {key: text_of(name) for key, name in each(data) if isinstance(name, str)}


class _Names:
    """Which country and service the vendor's codes mean: by the common tables, as far as its own names agree.

    A code that says something else there than everywhere is not known, lest one service be sold for another.
    """

    def __init__(
        self, countries: dict[str, str] | None, services: dict[str, str] | None, vendor: str
    ) -> None:
        self._countries = countries
        self._services = services
        self._vendor = vendor
        catalog = load_catalog()
        self._by_name = {_plain(country.name): country.iso2 for country in catalog.countries}
        self._service_by_name = {_plain(service.name): service for service in catalog.services}
        self._found_countries: dict[str, str | None] = {}
        self._found_services: dict[str, Service | None] = {}

    def country(self, country_id: str) -> str | None:
        if country_id not in self._found_countries:
            self._found_countries[country_id] = self._country(country_id)
        return self._found_countries[country_id]

    def _country(self, country_id: str) -> str | None:
        name = (self._countries or {}).get(country_id, "")
        named = (
            codes.countries.by_handler_name(name)
            or codes.countries.by_name(name)
            or self._by_name.get(_plain(name))
            if name
            else None
        )
        if named is not None:
            return named
        number = int(country_id) if country_id.isdigit() and len(country_id) < 9 else -1
        return codes.countries.by_handler(number, vendor=self._vendor)

    def service(self, code: str) -> Service | None:
        if code not in self._found_services:
            self._found_services[code] = self._service(code)
        return self._found_services[code]

    def _service(self, code: str) -> Service | None:
        slug = codes.services.by_handler(code)
        service = load_catalog().service(slug) if slug is not None else None
        name = (self._services or {}).get(code, "")
        if service is None or not name:
            return service
        other = self._service_by_name.get(_plain(name))
        if other is not None:
            return service if other.id == service.id else None
        # Codes of two letters are the same everywhere; longer ones are one vendor's own.
        return service if len(code) <= 2 or _alike(name, service.name) else None

    def said_country(self, country_id: str) -> str:
        return name_of(country_id, (self._countries or {}).get(country_id))

    def said_service(self, code: str) -> str:
        return name_of(code, (self._services or {}).get(code))


def _plain(name: str) -> str:
    return _NOT_NAME.sub("", name.casefold())


def _alike(name: str, other: str) -> bool:
    """Whether one name begins with the other, or with its first word."""
    one, two = _plain(name), _plain(other)
    first = _plain(other.split()[0]) if other.split() else ""
    return bool(one and two) and (
        one.startswith(two) or two.startswith(one) or (len(first) > 3 and one.startswith(first))
    )


def _offers(
    data: Any, names: _Names, exchange: Exchange
) -> tuple[tuple[RemoteOffer, ...], tuple[tuple[str, str], ...]]:
    offers: list[RemoteOffer] = []
    unknown: dict[tuple[str, str], None] = {}
    prices: dict[Decimal, int] = {}
    for country_id, services in each(data):
        if not each(services):
            continue
        country = names.country(country_id)
        if country is None:
            unknown["country", names.said_country(country_id)] = None
            continue
        for code, entry in each(services):
            service = names.service(code)
            if service is None:
                unknown["service", names.said_service(code)] = None
                continue
            price, stock = _price_and_stock(entry) or (None, 0)
            # What is listed without stock is most of a long list.
            if price is None or stock == 0:
                continue
            if price not in prices:
                prices[price] = exchange.to_base(price)
            offers.append(RemoteOffer(country, service.id, None, country_id, code, prices[price], stock))
    return tuple(offers), tuple(unknown)


def _price_and_stock(entry: Any) -> tuple[Decimal, int] | None:
    """The lowest price that has numbers, and how many it has, in each of the forms vendors write this in."""
    if not isinstance(entry, dict):
        return None
    if "cost" in entry or "price" in entry:
        price = price_of(entry.get("cost", entry.get("price")))
        # What is counted may include dearer numbers; those that are really there are counted apart.
        count = count_of(entry.get("physicalCount"))
        if count is None:
            count = count_of(entry.get("count"))
        return None if price is None or count is None else (price, count)
    tiers: dict[Decimal, int] = {}
    for key, value in entry.items():
        tier = _price_and_stock(value) if isinstance(value, dict) else None
        if tier is None:
            price, count = price_of(key), count_of(value)
            if price is None or count is None:
                continue
            tier = (price, count)
        tiers[tier[0]] = tiers.get(tier[0], 0) + tier[1]
    stocked = {price: count for price, count in tiers.items() if count > 0} or tiers
    return min(stocked.items()) if stocked else None
