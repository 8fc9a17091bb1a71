"""A source that speaks 5sim's API: we buy there as any customer would."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote, urlencode

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
    moment_of,
    msisdn_of,
    name_of,
    objects,
    price_of,
    read_switches,
    text_of,
)

log = logging.getLogger(__name__)

PATH: Final = "/v1"
ANY: Final = "any"
PAGE: Final = 100
PAGES_MAX: Final = 10
# So few are asked about one by one.
FEW: Final = 2
MISSING_ASKED: Final = 10
ASKED_TOGETHER: Final = 5
RATING_LOW: Final = 50
CLOCKS_APART: Final = timedelta(minutes=2)

_TEXTS: Final[Mapping[str, Reason]] = {
    text: reason
    for reason, texts in {
        Reason.NO_NUMBERS: ("no free phones",),
        Reason.NO_MONEY: ("not enough user balance",),
        Reason.NOT_OFFERED: (
            "select country",
            "select operator",
            "no product",
            "bad country",
            "bad operator",
            "country is incorrect",
            "product is incorrect",
        ),
        Reason.WRONG_KEY: ("unauthorized", "token expired", "token invalid"),
        Reason.REJECTED: (
            "not enough rating",
            "server offline",
            "api limit is 100 requests per second",
            "ip address limit is 100 requests per second",
            "order has sms",
            "order no sms",
            "hosting order",
            "you need to wait time",
        ),
    }.items()
    for text in texts
}
"""What was said no to, and so did nothing. A sentence that is not here may mean anything."""
_NOT_YET: Final = frozenset(
    (
        "you need to wait time",
        "server offline",
        "api limit is 100 requests per second",
        "ip address limit is 100 requests per second",
    )
)
"""Not now, but some time later."""
_GONE: Final = frozenset(("order not found", "order expired", "record not found"))
_OVER: Final = frozenset(("FINISHED", "CANCELED", "TIMEOUT", "BANNED"))


class FivesimSwitches(UpstreamSwitches, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The API does not name its account's currency: `currency` and `rate` do."""


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer by its content: a sentence, or data."""

    status: int
    sentence: str | None
    data: Any = None

    @property
    def detail(self) -> str:
        known = self.sentence in _TEXTS or self.sentence in _GONE
        return self.sentence if known and self.sentence else f"status {self.status}: not understood"


class FivesimSource:
    """Prices for guests, numbers of any operator under a price cap, messages by one list of orders for all open numbers."""

    polled = True

    def __init__(self, profile: Profile, client: Caller) -> None:
        """Raises WrongSwitch."""
        self._exchange = Exchange(profile, read_switches(profile, FivesimSwitches))
        self._url = base_url(profile, path=PATH)
        self._key = profile.key
        self._pool_id = profile.pool_id
        self._client = client
        self._turns = Turns(MISSING_ASKED)

    # Stock

    async def stock(self) -> Stock:
        prices = await self._get(
            "/guest/prices", key=False, seconds_max=STOCK_SECONDS_MAX, answer_bytes_max=STOCK_BYTES_MAX
        )
        if not isinstance(prices.data, dict):
            raise _no(prices)
        profile = await self._get("/user/profile")
        if not isinstance(profile.data, dict):
            raise _no(profile)
        balance, rating = price_of(profile.data.get("balance")), price_of(profile.data.get("rating"))
        if rating is not None and rating < RATING_LOW:
            # At nought nothing can be bought there for a day.
            log.warning("pool %s: the rating of our account there is down to %s", self._pool_id, rating)
        offers, unknown = await asyncio.to_thread(_offers, prices.data, self._exchange)
        return Stock(offers, unknown, None if balance is None else self._exchange.to_base(balance))

    # Ordering

    async def order(self, wish: RemoteWish) -> RemoteNumber:
        if wish.rental_days is not None:
            raise SourceRefused(Reason.NOT_OFFERED, "rentals are not bought here")
        # A cap is taken notice of with any operator alone.
        path = "/".join(quote(one, safe="") for one in (wish.country_name, ANY, wish.service_name))
        query = {} if wish.price_max is None else {"maxPrice": self._exchange.cap(wish.price_max)}
        said = await self._get(
            f"/user/buy/activation/{path}",
            query,
            # For platforms that know it; the vendor takes no notice.
            headers=(("idempotency-key", wish.reference),),
            may_reserve=True,
            seconds_max=ORDER_SECONDS_MAX,
        )
        if not isinstance(said.data, dict):
            raise _no(said, may_reserve=True)
        number = self._number(said.data)
        if number is None:
            raise SourceFailed(f"status {said.status}: no number in the answer", ambiguous=True)
        return number

    def _number(self, order: Mapping[str, Any]) -> RemoteNumber | None:
        remote_id, msisdn, price = (
            id_of(order.get("id")),
            msisdn_of(order.get("phone")),
            price_of(order.get("price")),
        )
        if remote_id is None or msisdn is None:
            return None
        return RemoteNumber(remote_id, msisdn, None if price is None else self._exchange.to_base(price))

    async def find(self, wish: RemoteWish, *, since: datetime) -> list[RemoteNumber] | None:
        """Open orders of the country and product made from `since` on."""
        found: list[RemoteNumber] = []
        for page in range(PAGES_MAX):
            orders = await self._orders(page)
            made = [moment_of(order.get("created_at")) for order in orders]
            for order, at in zip(orders, made, strict=True):
                asked = text_of(order.get("country")) in ("", wish.country_name) and (
                    text_of(order.get("product")) == wish.service_name
                )
                is_open = text_of(order.get("status")) not in _OVER
                if asked and is_open and (at is None or at >= since - CLOCKS_APART):
                    number = self._number(order)
                    found += [number] if number is not None else []
            # The newest come first.
            if len(orders) < PAGE or any(at is not None and at < since - CLOCKS_APART for at in made):
                break
        return list({number.remote_id: number for number in found}.values())

    async def _orders(self, page: int) -> list[dict[str, Any]]:
        query = {
            "category": "activation",
            "limit": str(PAGE),
            "offset": str(page * PAGE),
            "order": "id",
            "reverse": "true",
        }
        said = await self._get("/user/orders", query)
        if not isinstance(said.data, dict) or "Data" not in said.data:
            raise _no(said)
        return objects(said.data["Data"])

    # Ending

    async def finish(self, remote_id: str, ending: Ending, *, amount: int, currency: str) -> None:
        """Sold: finished. Not sold: cancelled, or reported as one that the service knows, so that it is not given again.

        A message that came just before a cancel makes it a sale to us, which is ended as one.
        """
        if ending is Ending.REFUNDED:
            return
        verb = {Ending.SOLD: "finish", Ending.CANCELED: "cancel", Ending.NOT_FOR_SERVICE: "ban"}[ending]
        said = await self._act(verb, remote_id)
        if _is_done(said):
            return
        if said.sentence == "order has sms" and ending is not Ending.SOLD:
            log.warning("pool %s: an order was paid for, though its buyer canceled it", self._pool_id)
            said = await self._act("finish", remote_id)
        elif said.sentence == "order no sms":
            # It may have ended by itself.
            check = await self._act("check", remote_id)
            if isinstance(check.data, dict) and text_of(check.data.get("status")) in _OVER:
                return
        if not _is_done(said):
            raise SourceFailed(said.detail, ambiguous=False) if said.sentence in _NOT_YET else _no(said)

    async def _act(self, verb: str, remote_id: str) -> _Said:
        return await self._get(f"/user/{verb}/{quote(remote_id, safe='')}")

    async def request_next(self, remote_id: str) -> None:
        """Every message comes, as long as the order is open."""

    # Messages

    async def poll(self, remote_ids: Sequence[str]) -> list[RemoteMessage]:
        """One list of the newest orders for all of them; those that are not on it are asked about, a few each time."""
        wanted = dict.fromkeys(remote_ids)
        found: dict[str, Mapping[str, Any]] = {}
        if len(wanted) > FEW:
            for page in range(PAGES_MAX):
                orders = await self._orders(page)
                found |= {
                    remote_id: order
                    for order in orders
                    if (remote_id := id_of(order.get("id"))) in wanted and remote_id is not None
                }
                if len(orders) < PAGE or len(found) == len(wanted):
                    break
        missing = self._turns.take(remote_id for remote_id in wanted if remote_id not in found)
        together = asyncio.Semaphore(ASKED_TOGETHER)

        async def check(remote_id: str) -> _Said:
            async with together:
                return await self._act("check", remote_id)

        outcomes = await asyncio.gather(*(check(one) for one in missing), return_exceptions=True)
        problems: list[BaseException] = []
        for remote_id, outcome in zip(missing, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                problems.append(outcome)
            elif isinstance(outcome.data, dict):
                found[remote_id] = outcome.data
            elif outcome.sentence not in _GONE:
                problems.append(_no(outcome))
        unexpected = [one for one in problems if not isinstance(one, SourceFailed | SourceRefused)]
        # One that cannot be asked does not hold up the others' messages.
        if unexpected or (problems and not found):
            raise (unexpected or problems)[0]
        return distinct(
            _message(remote_id, sms)
            for remote_id, order in found.items()
            for sms in objects(order.get("sms"))
        )

    async def _get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        key: bool = True,
        headers: tuple[tuple[str, str], ...] = (),
        may_reserve: bool = False,
        seconds_max: float = CALL_SECONDS_MAX,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> _Said:
        """Raises SourceFailed when there is no answer."""
        sent = [("accept", "application/json"), *headers]
        if key:
            sent.append(("authorization", f"Bearer {self._key}"))
        call = Call(
            "GET",
            self._url + path + (f"?{urlencode(query)}" if query else ""),
            tuple(sent),
            seconds_max=seconds_max,
            answer_bytes_max=answer_bytes_max,
        )
        answer = await ask(self._client, call, may_reserve=may_reserve)
        text = answer.body.decode("utf-8", "replace").strip()
        if text[:1] in ("{", "["):
            try:
                data = await asyncio.to_thread(decode_json, answer.body)
            except ValueError:
                data = None
            if answer.status == 200 and data is not None:
                return _Said(answer.status, None, data)
            return _Said(answer.status, "")
        return _Said(answer.status, text.lower())


def _no(said: _Said, *, may_reserve: bool = False) -> SourceRefused | SourceFailed:
    """What to raise for an answer that is not the one that was hoped for."""
    reason = _TEXTS.get(said.sentence or "")
    if reason is not None:
        return SourceRefused(reason, said.detail)
    if said.status == 401:
        return SourceRefused(Reason.WRONG_KEY, "status 401")
    if said.status == 429:
        return SourceRefused(Reason.REJECTED, "status 429: too many requests")
    if said.sentence in _GONE and not may_reserve:
        return SourceRefused(Reason.REJECTED, said.detail)
    return SourceFailed(said.detail, ambiguous=may_reserve and said.status != 404)


def _is_done(said: _Said) -> bool:
    return isinstance(said.data, dict) or said.sentence in _GONE


def _message(remote_id: str, sms: Mapping[str, Any]) -> RemoteMessage:
    sender, text = text_of(sms.get("sender")), text_of(sms.get("text")) or text_of(sms.get("code"))
    created_at, sent_at = text_of(sms.get("created_at")), text_of(sms.get("date"))
    return RemoteMessage(
        remote_id,
        id_of(sms.get("id")) or digest_of(remote_id, created_at, sent_at, sender, text),
        sender,
        text,
        moment_of(sent_at) or moment_of(created_at),
    )


# Names and prices


def _service(slug: str) -> Service | None:
    ours = codes.services.by_fivesim(slug)
    return load_catalog().service(ours) if ours is not None else None


def _offers(
    countries: Mapping[str, Any], exchange: Exchange
) -> tuple[tuple[RemoteOffer, ...], tuple[tuple[str, str], ...]]:
    """An offer for each country and product: the lowest price that has numbers, and how many it has."""
    offers: list[RemoteOffer] = []
    unknown: dict[tuple[str, str], None] = {}
    services: dict[str, Service | None] = {}
    prices: dict[Decimal, int] = {}
    for country_slug, products in each(countries):
        country = codes.countries.by_fivesim(country_slug)
        if country is None:
            unknown["country", name_of(country_slug)] = None
            continue
        for product, operators in each(products):
            if product not in services:
                services[product] = _service(product)
            service = services[product]
            if service is None:
                unknown["service", name_of(product)] = None
                continue
            tiers: dict[Decimal, int] = {}
            for _, entry in each(operators):
                price = price_of(entry.get("cost")) if isinstance(entry, dict) else None
                count = count_of(entry.get("count")) if isinstance(entry, dict) else None
                if price is not None and count:
                    tiers[price] = tiers.get(price, 0) + count
            # What is listed without stock is most of a long list.
            if not tiers:
                continue
            cheapest, stock = min(tiers.items())
            if cheapest not in prices:
                prices[cheapest] = exchange.to_base(cheapest)
            offers.append(
                RemoteOffer(country, service.id, None, country_slug, product, prices[cheapest], stock)
            )
    return tuple(offers), tuple(unknown)
