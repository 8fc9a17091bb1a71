"""What a partner's server is tried for before its numbers are sold. Whatever it lends meanwhile is given back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import parse_qsl

from simyard.base import phone
from simyard.core.remote.model import Profile
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.remote.partner import HERO, INDUSTRY, ONLINESIM, Partner
from simyard.workers.remote.source import (
    Ending,
    Reason,
    RemoteNumber,
    RemoteOffer,
    RemoteWish,
    SourceFailed,
    SourceRefused,
    Stock,
)

PROTOCOLS: Final = (ONLINESIM, INDUSTRY, HERO)
NUMBER_SECONDS_MAX: Final = 3.0
PUSH_AGAIN_SECONDS: Final = 10.0
_PUSH_TOLERANCE_SECONDS = 3.0
_PREFIX_DIGITS = 3
_NAMES_SHOWN_MAX = 20
_BODY_BYTES_MAX = 1024 * 1024
_STRANGE_SERVICE = "simyard-no-such-service"
_STRANGE_ID = "987654321012"


class Outcome(StrEnum):
    PASSED = "ok"
    FAILED = "FAILED"
    NOTED = "note"
    SKIPPED = "not tried"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried, and what came of it."""

    name: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the partner pushes to while it is being tried, and how long an SMS is waited for."""

    host: str
    port: int
    seconds: float


class PartnerChecks:
    """Tries one partner. `tell` is called with each check as soon as it is done."""

    def __init__(
        self,
        profile: Profile,
        client: OutgoingClient,
        *,
        amount: int,
        currency: str,
        country: str | None = None,
        service_id: int | None = None,
        listening: Listening | None = None,
        tell: Callable[[Check], None] = lambda check: None,
        prompt: Callable[[str], None] = lambda text: None,
        seconds_scale: float = 1.0,
    ) -> None:
        self._profile = profile
        self._client = client
        self._partner = Partner(profile, client)
        self._amount = amount
        self._currency = currency
        self._country = country
        self._service_id = service_id
        self._listening = listening
        self._tell = tell
        self._prompt = prompt
        # Of what is waited for between pushes, for tests.
        self._scale = seconds_scale
        self._held: dict[str, RemoteNumber] = {}
        self.checks: list[Check] = []

    @property
    def passed(self) -> bool:
        return all(check.outcome is not Outcome.FAILED for check in self.checks)

    async def run(self) -> list[Check]:
        try:
            await self._run()
        except SourceRefused as error:
            self._fail("answers", f"refused: {error.reason.value} {error.detail}".strip())
        except SourceFailed as error:
            self._fail("answers", error.detail)
        finally:
            await self._give_everything_back()
        return self.checks

    async def _run(self) -> None:
        stock = await self._try_stock()
        if stock is None:
            return
        offer = self._choose(stock)
        if offer is None:
            self._fail("something to try is in stock", "no numbers of a known country and service")
            return
        await self._try_wrong_key()
        await self._try_strange_service(offer)
        first = await self._try_number(offer)
        if first is None:
            return
        await self._try_second_number(offer, first)
        await self._try_pushes(first)
        await self._try_finish(first)
        await self._give_everything_back()
        await self._try_prefixes(offer, first)
        await self._give_everything_back()
        await self._try_stock_again(offer)

    # Saying

    def _say(self, name: str, outcome: Outcome, detail: str = "") -> None:
        check = Check(name, outcome, detail)
        self.checks.append(check)
        self._tell(check)

    def _pass(self, name: str, detail: str = "") -> None:
        self._say(name, Outcome.PASSED, detail)

    def _fail(self, name: str, detail: str) -> None:
        self._say(name, Outcome.FAILED, detail)

    def _judge(self, name: str, problem: str | None, detail: str = "") -> None:
        self._say(name, *((Outcome.PASSED, detail) if problem is None else (Outcome.FAILED, problem)))

    # Stock

    async def _try_stock(self) -> Stock | None:
        stock = await self._partner.stock()
        if not stock.offers:
            self._fail("GET_SERVICES", "it has nothing in stock")
            return None
        numbers = sum(offer.stock for offer in stock.offers if not offer.operator_name)
        self._pass("GET_SERVICES", f"{len(stock.offers)} offers, {numbers} numbers")
        if stock.unknown:
            shown = ", ".join(f"{kind} {name}" for kind, name in stock.unknown[:_NAMES_SHOWN_MAX])
            self._say("its names are known", Outcome.NOTED, f"not sold, for nobody knows them here: {shown}")
        else:
            self._pass("its names are known")
        self._try_totals(stock)
        return stock

    def _try_totals(self, stock: Stock) -> None:
        totals: dict[tuple[str, str], int] = {}
        parts: dict[tuple[str, str], int] = {}
        for offer in stock.offers:
            place = (offer.country_name, offer.service_name)
            where = parts if offer.operator_name else totals
            where[place] = where.get(place, 0) + offer.stock
        missing = sorted(place for place in parts if place not in totals)
        wrong = sorted(place for place, total in totals.items() if place in parts and parts[place] != total)
        if missing and self._profile.protocol == ONLINESIM:
            self._fail("operator `any` is there", f"not for {missing[0][1]} in {missing[0][0]}")
        if wrong:
            country, service = wrong[0]
            total, part = totals[wrong[0]], parts[wrong[0]]
            detail = f"{service} in {country}: {total}, but its operators have {part} together"
            self._say("operator `any` is the sum of the others", Outcome.NOTED, detail)
        elif not missing:
            self._pass("operator `any` is the sum of the others")

    def _choose(self, stock: Stock) -> RemoteOffer | None:
        """The total with the most numbers, of what is asked for."""
        fits = [
            offer
            for offer in stock.offers
            if offer.country is not None
            and offer.service_id is not None
            and offer.stock > 0
            and self._country in (None, offer.country)
            and self._service_id in (None, offer.service_id)
        ]
        return max(fits, key=lambda offer: (offer.operator_name == "", offer.stock), default=None)

    async def _try_stock_again(self, before: RemoteOffer) -> None:
        stock = await self._partner.stock()
        now = next((offer.stock for offer in stock.offers if _names(offer) == _names(before)), 0)
        problem = None if now >= before.stock else f"{before.stock} before, {now} after all was given back"
        name = "what was canceled is in stock again"
        self._say(name, Outcome.PASSED if problem is None else Outcome.NOTED, problem or "")

    # Numbers

    def _wish(self, offer: RemoteOffer, *, excluded: Sequence[str] = ()) -> RemoteWish:
        return RemoteWish(
            country=offer.country or "",
            country_name=offer.country_name,
            service_id=offer.service_id,
            service_name=offer.service_name,
            operator_id=offer.operator_id,
            operator_name=offer.operator_name,
            amount=self._amount,
            currency=self._currency,
            price_max=None,
            excluded=tuple(excluded),
            reference=f"try{datetime.now(UTC):%H%M%S}",
        )

    async def _order(
        self, offer: RemoteOffer, *, excluded: Sequence[str] = ()
    ) -> tuple[RemoteNumber, Mapping[str, Any]] | None:
        """A number with the answer it came in; None when there is none."""
        try:
            number, answer = await self._partner.order_in_detail(self._wish(offer, excluded=excluded))
        except SourceRefused as error:
            if error.reason in (Reason.NO_NUMBERS, Reason.NOT_OFFERED):
                return None
            raise
        self._held[number.remote_id] = number
        return number, answer

    async def _try_number(self, offer: RemoteOffer) -> RemoteNumber | None:
        began = time.monotonic()
        ordered = await self._order(offer)
        took = time.monotonic() - began
        if ordered is None:
            self._fail("GET_NUMBER", f"no number, though it says that it has {offer.stock}")
            return None
        number, answer = ordered
        self._pass("GET_NUMBER", f"{number.msisdn} for {offer.service_name} in {offer.country_name}")
        slow = f"it took {took:.1f} s" if took > NUMBER_SECONDS_MAX else None
        self._judge(f"GET_NUMBER takes at most {NUMBER_SECONDS_MAX:g} s", slow)
        read = phone.parse(number.msisdn)
        fits = read is not None and phone.may_lie_in(read, offer.country or "")
        self._judge(
            "the number has its country's code",
            None if fits else f"{number.msisdn} is no number of {offer.country_name}",
        )
        quoted = [name for name in ("number", "activationid") if isinstance(answer.get(name), str)]
        said = f"in quotes: {', '.join(quoted)}" if quoted else ""
        self._say("ids and numbers are JSON numbers", Outcome.NOTED if quoted else Outcome.PASSED, said)
        return number

    async def _try_second_number(self, offer: RemoteOffer, first: RemoteNumber) -> None:
        ordered = await self._order(offer)
        if ordered is None:
            problem = f"only one number came, though it says that it has {offer.stock}"
            self._judge("the numbers in stock are there", problem if offer.stock > 1 else None)
            return
        second = ordered[0]
        self._pass("the numbers in stock are there", f"{second.msisdn} as well")
        same = f"{first.msisdn} was lent twice at once" if second.msisdn == first.msisdn else None
        self._judge("a number is lent once at a time", same)
        if same is None:
            shared = first.remote_id == second.remote_id
            self._judge("each operation has its own id", f"both are {first.remote_id}" if shared else None)

    async def _try_prefixes(self, offer: RemoteOffer, first: RemoteNumber) -> None:
        read = phone.parse(first.msisdn)
        code = str(read.calling_code) if read is not None else first.msisdn[1:3]
        for prefix in (first.msisdn[: len(code) + 1 + _PREFIX_DIGITS], f"+{code}"):
            ordered = await self._order(offer, excluded=[prefix])
            lent = ordered[0].msisdn if ordered is not None else ""
            problem = f"it lent {lent}" if lent.startswith(prefix) else None
            self._judge(f"numbers that start with {prefix} can be excluded", problem, lent or "no numbers")

    async def _try_strange_service(self, offer: RemoteOffer) -> None:
        ordered = await self._order(replace(offer, service_name=_STRANGE_SERVICE))
        problem = None if ordered is None else f"it lent {ordered[0].msisdn}"
        self._judge("a service nobody knows is not sold", problem)

    async def _try_wrong_key(self) -> None:
        stranger = Partner(replace(self._profile, key="simyard-wrong-key"), self._client)
        name = "a wrong key is refused"
        try:
            await stranger.stock()
        except SourceRefused:
            self._pass(name)
        except SourceFailed as error:
            self._say(name, Outcome.NOTED, error.detail)
        else:
            self._say(name, Outcome.NOTED, "anybody may ask this server")

    # The end

    async def _finish(self, number: RemoteNumber) -> None:
        await self._partner.finish(number.remote_id, Ending.CANCELED, amount=0, currency=self._currency)

    async def _try_finish(self, number: RemoteNumber) -> None:
        for name in ("FINISH_ACTIVATION", "a repeated FINISH_ACTIVATION is a success"):
            try:
                await self._finish(number)
            except SourceRefused as error:
                self._fail(name, f"{error.reason.value} {error.detail}".strip())
                return
            self._held.pop(number.remote_id, None)
            self._pass(name)
        name = "an operation nobody knows"
        try:
            await self._partner.finish(_STRANGE_ID, Ending.CANCELED, amount=0, currency=self._currency)
        except SourceRefused as error:
            self._say(name, Outcome.NOTED, f"is refused: {error.detail}")
        else:
            self._say(name, Outcome.NOTED, "is a success")

    async def _give_everything_back(self) -> None:
        for number in list(self._held.values()):
            try:
                await self._finish(number)
            except (SourceRefused, SourceFailed) as error:
                self._fail(f"{number.msisdn} is given back", error.detail)
            self._held.pop(number.remote_id, None)

    # Pushes

    async def _try_pushes(self, number: RemoteNumber) -> None:
        if self._listening is None:
            self._say("PUSH_SMS", Outcome.SKIPPED, "needs --listen, and the partner to push there")
            return
        async with _PushServer(self._listening.host, self._listening.port) as server:
            where = f"http://{self._listening.host}:{server.port}/"
            self._prompt(f"Now send an SMS to {number.msisdn}. Pushes are awaited at {where}")
            first = await server.next(self._listening.seconds)
            if first is None:
                self._fail("PUSH_SMS", f"none came within {self._listening.seconds:g} s")
                return
            self._pass("PUSH_SMS")
            self._judge_push(first, number)
            usual, tolerance = PUSH_AGAIN_SECONDS * self._scale, _PUSH_TOLERANCE_SECONDS * self._scale
            again = await server.next(2 * usual)
            name = f"a push that failed comes again after {PUSH_AGAIN_SECONDS:g} s"
            if again is None:
                self._fail(name, "it did not")
                return
            waited = again.at - first.at
            early_or_late = abs(waited - usual) > tolerance
            self._judge(name, f"it came after {waited:.1f} s" if early_or_late else None)
            self._judge("it is the same then", None if again.fields == first.fields else "it is not")
            more = await server.next(usual + tolerance)
            self._judge("a push that succeeded does not come again", None if more is None else "it did")

    def _judge_push(self, push: _Push, number: RemoteNumber) -> None:
        fields = {name.lower(): value for name, value in push.fields.items()}
        missing = [
            name
            for name in ("action", "key", "smsId", "phone", "phoneFrom", "text")
            if name.lower() not in fields
        ]
        self._judge("a push has every field", f"without {', '.join(missing)}" if missing else None)
        digits = str(fields.get("phone", "")).strip().lstrip("+")
        named = digits == number.msisdn[1:]
        self._judge("a push names the number", None if named else f"its phone is {digits or 'not there'}")
        sms_id = fields.get("smsid")
        proper = isinstance(sms_id, int) and not isinstance(sms_id, bool)
        self._judge("smsId is a JSON number", None if proper else f"it is {type(sms_id).__name__}")
        if self._profile.protocol == ONLINESIM:
            same = json.dumps(sms_id) == number.remote_id or str(sms_id) == number.remote_id.strip('"')
            self._judge("smsId is the operation's id", None if same else "it is another")


def _names(offer: RemoteOffer) -> tuple[str, str, str]:
    return offer.country_name, offer.service_name, offer.operator_name


@dataclass(frozen=True, slots=True)
class _Push:
    at: float
    fields: Mapping[str, Any]


class _PushServer:
    """Takes pushes while a partner is being tried: the first one fails, so that it has to come again."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._pushes: asyncio.Queue[_Push] = asyncio.Queue()
        self._answered = 0

    async def __aenter__(self) -> _PushServer:
        self._server = await asyncio.start_server(self._accept, self._host, self._port, limit=_BODY_BYTES_MAX)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def next(self, seconds: float) -> _Push | None:
        try:
            return await asyncio.wait_for(self._pushes.get(), seconds)
        except TimeoutError:
            return None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(PUSH_AGAIN_SECONDS):
                    await self._serve(reader, writer)
        except TimeoutError:
            pass
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = (line.partition(":") for line in head.split("\r\n")[1:])
        headers = {name.strip().lower(): value.strip() for name, _, value in lines}
        length = min(int(headers.get("content-length", "0")), _BODY_BYTES_MAX)
        fields = _push_fields(await reader.readexactly(length))
        if fields is not None:
            self._answered += 1
            self._pushes.put_nowait(_Push(time.monotonic(), fields))
        done = fields is not None and self._answered > 1
        body = b'{"status":"SUCCESS"}' if done else b'{"status":"ERROR","error":"TRY_LATER"}'
        status = "200 OK" if done or self._answered else "400 Bad Request"
        top = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        writer.write(f"{top}connection: close\r\n\r\n".encode() + body)
        await writer.drain()


def _push_fields(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)
    except ValueError:
        content = dict(parse_qsl(body.decode("latin-1")))
    return content if isinstance(content, dict) and content else None
