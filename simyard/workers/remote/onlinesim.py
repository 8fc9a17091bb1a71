"""A source that speaks Onlinesim's API for buyers: we buy there as any customer would. Simyard serves it too."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

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
from simyard.workers.outgoing import Call
from simyard.workers.remote.source import Reason, SourceFailed, SourceRefused
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
    msisdn_of,
    name_of,
    objects,
    price_of,
    read_switches,
    text_of,
)

PATH: Final = "/api"
EXCLUDED_MAX: Final = 100
MISSING_ASKED: Final = 5
ASKED_TOGETHER: Final = 2

_WORD: Final = re.compile("[A-Z][A-Z_]{1,63}")
_SERVICE_PREFIX: Final = "service_"
_WORDS: Final[Mapping[str, Reason]] = {
    word: reason
    for reason, words in {
        Reason.NO_NUMBERS: "NO_NUMBER WARNING_NO_NUMS",
        Reason.NOT_OFFERED: "ERROR_NO_SERVICE NO_COUNTRY UNDEFINED_COUNTRY ACCOUNT_IDENTIFICATION_REQUIRED "
        "REQUEST_NOT_FOUND ERROR_PARAMS",
        Reason.NO_MONEY: "WARNING_LOW_BALANCE",
        Reason.WRONG_KEY: "ERROR_WRONG_KEY ERROR_NO_KEY ACCOUNT_BLOCKED API_ACCESS_DISABLED API_ACCESS_IP",
        Reason.REJECTED: "EXCEEDED_CONCURRENT_OPERATIONS INTERVAL_CONCURRENT_REQUESTS_ERROR TIME_INTERVAL_ERROR "
        "NO_COMPLETE_TZID",
    }.items()
    for word in words.split()
}
"""What was said no to, and so did nothing. A word that is not here may mean anything."""
_NOT_YET: Final = frozenset(("NO_COMPLETE_TZID", "INTERVAL_CONCURRENT_REQUESTS_ERROR", "TRY_AGAIN_LATER"))
"""Not now, but some time later."""
_GONE: Final = frozenset(("ERROR_WRONG_TZID", "ERROR_NO_OPERATIONS", "ERROR_NO_TZID"))
_KNOWN: Final = frozenset((*_WORDS, *_GONE, "TRY_AGAIN_LATER", "DUPLICATE_OPERATION"))
_DONE: Final = (1, "1", True)


class OnlinesimSwitches(UpstreamSwitches, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices are in the currency of the account there: `currency` and `rate`."""


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer: its `response` where it is an error, else what came."""

    status: int
    word: str | None
    data: Any = None

    @property
    def detail(self) -> str:
        return self.word if self.word in _KNOWN and self.word else f"status {self.status}: not understood"


class OnlinesimSource:
    """Prices by `getNumbersStats`, numbers by `getNum`, messages by one `getState` for all open numbers.

    The protocol knows no price cap: the price is asked for right before the order.
    """

    polled = True

    def __init__(self, profile: Profile, client: Caller) -> None:
        """Raises WrongSwitch."""
        self._exchange = Exchange(profile, read_switches(profile, OnlinesimSwitches))
        self._url = base_url(profile, path=PATH)
        self._key = profile.key
        self._client = client
        self._turns = Turns(MISSING_ASKED)

    # Stock

    async def stock(self) -> Stock:
        stats = await self._ask(
            "getNumbersStats",
            {"country": "all"},
            seconds_max=STOCK_SECONDS_MAX,
            answer_bytes_max=STOCK_BYTES_MAX,
        )
        if not isinstance(stats.data, dict):
            raise _no(stats)
        balance = await self._ask("getBalance")
        if not isinstance(balance.data, dict):
            raise _no(balance)
        amount = price_of(balance.data.get("balance"))
        offers, unknown = await asyncio.to_thread(_offers, stats.data, self._exchange)
        return Stock(offers, unknown, None if amount is None else self._exchange.to_base(amount))

    # Ordering

    async def order(self, wish: RemoteWish) -> RemoteNumber:
        if wish.rental_days is not None:
            raise SourceRefused(Reason.NOT_OFFERED, "rentals are not bought here")
        asked = {"service": wish.service_name, "country": wish.country_name}
        cost = await self._price(asked)
        if wish.price_max is not None and (cost is None or cost > wish.price_max):
            raise SourceRefused(Reason.NO_NUMBERS, "the price is over the cap")
        said = await self._ask(
            "getNum",
            asked | {"number": "true"} | _rejected(wish),
            # For platforms that know it; the vendor takes no notice.
            headers=(("idempotency-key", wish.reference),),
            may_reserve=True,
            seconds_max=ORDER_SECONDS_MAX,
        )
        data = said.data
        if not isinstance(data, dict):
            raise _no(said, may_reserve=True)
        number = _number(data, cost) or await self._awaited(data.get("tzid"), cost)
        if number is None:
            raise SourceFailed("no number in the answer", ambiguous=True)
        return number

    async def _price(self, asked: Mapping[str, str]) -> int | None:
        said = await self._ask("getPrice", asked)
        if not isinstance(said.data, dict):
            raise _no(said)
        price = price_of(said.data.get("price"))
        return None if price is None else self._exchange.to_base(price)

    async def _awaited(self, tzid: Any, cost: int | None) -> RemoteNumber | None:
        """The number of an operation that was answered without one."""
        remote_id = id_of(tzid)
        if remote_id is None:
            return None
        try:
            said = await self._ask("getState", {"tzid": remote_id})
        except SourceFailed as error:
            raise SourceFailed(error.detail, ambiguous=True) from error
        return next((_number(one, cost) for one in objects(said.data)), None)

    async def find(self, wish: RemoteWish, *, since: datetime) -> list[RemoteNumber] | None:
        """Open operations of the country and service. The list says no moment, so there may be some of before `since`."""
        found = [
            _number(one, self._cost(one))
            for one in await self._open()
            if text_of(one.get("service")).lower() == wish.service_name.lower()
            and text_of(one.get("country")) in ("", wish.country_name)
        ]
        return [number for number in found if number is not None]

    def _cost(self, operation: Mapping[str, Any]) -> int | None:
        price = price_of(operation.get("sum"))
        return None if price is None else self._exchange.to_base(price)

    async def _open(self) -> list[dict[str, Any]]:
        """Every open operation with all its messages, in one request."""
        said = await self._ask(
            "getState", {"message_to_code": "0", "msg_list": "1", "clean": "0", "orderby": "asc"}
        )
        if said.word == "ERROR_NO_OPERATIONS":
            return []
        if not isinstance(said.data, list):
            raise _no(said)
        return objects(said.data)

    # Ending

    async def finish(self, remote_id: str, ending: Ending, *, amount: int, currency: str) -> None:
        """Closed there, which gives our money back unless a message came; one of no use for the service is banned too."""
        if ending is Ending.REFUNDED:
            return
        asked = {"tzid": remote_id} | ({"ban": "1"} if ending is Ending.NOT_FOR_SERVICE else {})
        said = await self._ask("setOperationOk", asked)
        if said.word is not None and said.word not in _GONE:
            raise SourceFailed(said.detail, ambiguous=False) if said.word in _NOT_YET else _no(said)

    async def request_next(self, remote_id: str) -> None:
        """Every message comes, as long as the operation is open. Dropping the first would hide one that says the same."""

    # Messages

    async def poll(self, remote_ids: Sequence[str]) -> list[RemoteMessage]:
        """Closed operations are not on the list, but can be asked for: a few each time."""
        wanted = dict.fromkeys(remote_ids)
        if not wanted:
            return []
        found = {
            remote_id: operation
            for operation in await self._open()
            if (remote_id := id_of(operation.get("tzid"))) in wanted and remote_id is not None
        }
        missing = self._turns.take(remote_id for remote_id in wanted if remote_id not in found)
        together = asyncio.Semaphore(ASKED_TOGETHER)

        async def closed(remote_id: str) -> _Said:
            async with together:
                return await self._ask(
                    "getState", {"tzid": remote_id, "message_to_code": "0", "msg_list": "1", "clean": "0"}
                )

        outcomes = await asyncio.gather(*(closed(one) for one in missing), return_exceptions=True)
        problems: list[BaseException] = []
        for remote_id, outcome in zip(missing, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                problems.append(outcome)
            elif isinstance(outcome.data, list):
                for operation in objects(outcome.data):
                    if id_of(operation.get("tzid")) == remote_id:
                        found[remote_id] = operation
            elif outcome.word not in _GONE:
                problems.append(_no(outcome))
        unexpected = [one for one in problems if not isinstance(one, SourceFailed | SourceRefused)]
        # One that cannot be asked does not hold up the others' messages.
        if unexpected or (problems and not found):
            raise (unexpected or problems)[0]
        return distinct(message for remote_id, one in found.items() for message in _messages(remote_id, one))

    async def _ask(
        self,
        method: str,
        parameters: Mapping[str, str] | None = None,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        may_reserve: bool = False,
        seconds_max: float = CALL_SECONDS_MAX,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> _Said:
        """Raises SourceFailed when there is no answer, or one that cannot be understood."""
        query = urlencode({"apikey": self._key, "lang": "en", **(parameters or {})})
        call = Call(
            "GET",
            f"{self._url}/{method}.php?{query}",
            (("accept", "application/json"), *headers),
            seconds_max=seconds_max,
            answer_bytes_max=answer_bytes_max,
        )
        answer = await ask(self._client, call, may_reserve=may_reserve)
        try:
            if len(answer.body) > 100_000:
                data = await asyncio.to_thread(decode_json, answer.body)
            else:
                data = decode_json(answer.body)
        except ValueError:
            data = None
        # A whole answer inside another one.
        if isinstance(data, dict) and isinstance(data.get("original"), dict | list):
            data = data["original"]
        if isinstance(data, dict) and "response" in data and data["response"] not in _DONE:
            word = text_of(data["response"])
            return _Said(answer.status, word if _WORD.fullmatch(word) else "")
        if answer.status == 429:
            raise SourceRefused(Reason.REJECTED, "status 429: too many requests")
        if answer.status != 200 or not isinstance(data, dict | list):
            raise SourceFailed(
                f"status {answer.status}: not understood", ambiguous=may_reserve and answer.status != 404
            )
        return _Said(answer.status, None, data)


def _no(said: _Said, *, may_reserve: bool = False) -> SourceRefused | SourceFailed:
    """What to raise for an answer that is not the one that was hoped for."""
    reason = _WORDS.get(said.word or "")
    if reason is not None:
        return SourceRefused(reason, said.detail)
    if said.word in _GONE and not may_reserve:
        return SourceRefused(Reason.REJECTED, said.detail)
    return SourceFailed(said.detail, ambiguous=may_reserve)


def _number(operation: Mapping[str, Any], cost: int | None) -> RemoteNumber | None:
    remote_id, msisdn = id_of(operation.get("tzid")), msisdn_of(operation.get("number"))
    return RemoteNumber(remote_id, msisdn, cost) if remote_id and msisdn else None


def _rejected(wish: RemoteWish) -> dict[str, str]:
    """Prefixes without the country's code. Others are looked at when the number came."""
    country = load_catalog().country(wish.country)
    code = f"+{country.calling_code}" if country is not None else "+"
    fitting = [one[len(code) :] for one in wish.excluded if one.startswith(code) and len(one) > len(code)]
    return {f"reject[{place}]": prefix for place, prefix in enumerate(fitting[:EXCLUDED_MAX])}


def _messages(remote_id: str, operation: Mapping[str, Any]) -> list[RemoteMessage]:
    """There are no ids and no moments: a message is told from the others by its text, and its place among equal ones."""
    said = operation.get("msg")
    rows = (
        objects(said) if isinstance(said, list) else [{"msg": said}] if isinstance(said, str) and said else []
    )
    seen: Counter[str] = Counter()
    found: list[RemoteMessage] = []
    for row in rows:
        text = text_of(row.get("text")) or text_of(row.get("msg")) or text_of(row.get("code"))
        if text:
            seen[text] += 1
            found.append(RemoteMessage(remote_id, digest_of(remote_id, text, str(seen[text])), "", text))
    return found


# Names and prices


def _service(slug: str) -> Service | None:
    """By the vendor's slug or ours, which platforms like this one use for what the vendor has no word for."""
    return load_catalog().service(codes.services.by_onlinesim(slug) or slug)


def _offers(
    countries: Mapping[str, Any], exchange: Exchange
) -> tuple[tuple[RemoteOffer, ...], tuple[tuple[str, str], ...]]:
    offers: list[RemoteOffer] = []
    unknown: dict[tuple[str, str], None] = {}
    prices: dict[Decimal, int] = {}
    for key, stats in each(countries):
        if not isinstance(stats, dict) or not each(stats.get("services")):
            continue
        code = key.removeprefix("_")
        country = codes.countries.by_onlinesim(int(code)) if code.isdigit() and len(code) < 9 else None
        if country is None:
            unknown["country", name_of(code, stats.get("name"))] = None
            continue
        for name, entry in each(stats["services"]):
            if not isinstance(entry, dict):
                continue
            slug = text_of(entry.get("slug")) or name.removeprefix(_SERVICE_PREFIX)
            service = _service(slug.lower())
            if service is None:
                unknown["service", name_of(slug)] = None
                continue
            price, stock = price_of(entry.get("price")), count_of(entry.get("count"))
            if price is None or not stock:
                continue
            if price not in prices:
                prices[price] = exchange.to_base(price)
            offers.append(RemoteOffer(country, service.id, None, code, slug, prices[price], stock))
    return tuple(offers), tuple(unknown)
