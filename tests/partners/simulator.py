"""A partner's server as they are met in the world: a real HTTP server with SIM cards, and every oddity as a switch."""

from __future__ import annotations

import asyncio
import gzip
import json
import uuid
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

KEY = "pk_7f31"
SENDER = "Telegram"


@dataclass
class Quirks:
    """What this partner does otherwise than its protocol says. All off: a partner as documented."""

    # Stock
    no_any: bool = False
    country_field: str = "country"
    string_counts: bool = False
    empty_service: bool = False
    count_map: bool = False
    lower_status: bool = False
    advertises: int = 0
    """More numbers than it has."""
    # Numbers
    string_number: bool = False
    plus_number: bool = False
    id_field: str = "activationId"
    uuid_id: bool = False
    string_id: bool = False
    millisecond_id: bool = False
    created: bool = False
    nulls: bool = False
    gives_excluded: bool = False
    gives_again: bool = False
    """The same number although it is still out."""
    wrong_number: str = ""
    no_number: bool = False
    no_id: bool = False
    # Requests it refuses
    checks_key: bool = True
    key_status: int = 401
    only_plain_json: bool = False
    strings_only: bool = False
    integers_only: bool = False
    needs_currency: bool = False
    no_gzip: bool = False
    id_sent_as: str = ""
    error_field: str = "error"
    echoes_key: bool = False
    # Answers
    gzips: bool = False
    deflates: bool = False
    html: bool = False
    cut_off: bool = False
    moved: bool = False
    status: int = 200
    silent: frozenset[str] = frozenset()
    """Actions it never answers."""
    slow: Mapping[str, asyncio.Event] = field(default_factory=dict)
    """Actions it answers when their event is set."""
    hangs_up: frozenset[str] = frozenset()
    # The end
    unknown_is_404: bool = False
    finish_fails: int = 0
    """So many times before it succeeds."""
    closes_by_itself: bool = False
    once: bool = False
    """A repeated FINISH is an error."""
    # Pushes
    form_push: bool = False
    gzip_push: bool = False
    double_push: bool = False
    quoted_ids: bool = False
    own_sms_id: bool = False
    sms_id_field: str = "smsId"
    service_as_sender: bool = False
    no_phone: bool = False
    plus_phone: bool = False


@dataclass
class Operation:
    id: Any
    number: str
    country: str
    service: str
    open: bool = True
    statuses: list[int] = field(default_factory=list)
    sums: list[Any] = field(default_factory=list)


@dataclass
class Heard:
    """One request as it arrived."""

    action: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class PartnerServer:
    """Listens on 127.0.0.1. `numbers` are its SIM cards by the names of their countries, `services` what it sells."""

    numbers: dict[str, list[str]] = field(default_factory=lambda: {"sweden": ["46701740605", "46701740606"]})
    services: tuple[str, ...] = ("telegram", "whatsapp")
    operators: dict[str, str] = field(default_factory=dict)
    """A number's operator, where it is not `telia`."""
    quirks: Quirks = field(default_factory=Quirks)
    key: str = KEY
    requests: list[Heard] = field(default_factory=list)
    operations: dict[str, Operation] = field(default_factory=dict)
    sold: set[tuple[str, str]] = field(default_factory=set)
    in_flight: int = 0
    lent: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a number was lent."""

    async def __aenter__(self) -> PartnerServer:
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_id = 354
        self._last_sms = 0
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def url(self, path: str = "/hub") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def asked(self, action: str) -> list[dict[str, Any]]:
        """The bodies of the requests of one action."""
        return [heard.body for heard in self.requests if heard.action == action]

    @property
    def reserved(self) -> set[str]:
        """The numbers that are out now."""
        return {operation.number for operation in self.operations.values() if operation.open}

    def operation_of(self, number: str) -> Operation:
        """The latest operation on a number."""
        digits = number.lstrip("+")
        return [one for one in self.operations.values() if one.number == digits][-1]

    @classmethod
    @contextmanager
    def in_thread(cls, **given: Any) -> Iterator[PartnerServer]:
        """One with an event loop of its own, for tests that have none."""
        with asyncio.Runner() as runner:
            server, stopping = cls(**given), asyncio.Event()
            ready: Future[None] = Future()

            async def serve() -> None:
                async with server:
                    ready.set_result(None)
                    await stopping.wait()

            thread = Thread(target=runner.run, args=(serve(),), name="partner")
            thread.start()
            try:
                ready.result(10)
                yield server
            finally:
                runner.get_loop().call_soon_threadsafe(stopping.set)
                thread.join()

    # Pushes

    def push(self, url: str, number: str, text: str, *, key: str, sender: str = SENDER) -> tuple[bytes, Any]:
        """A PUSH_SMS as this partner writes it: the body and the headers. Whoever tests sends it, as often as he likes."""
        quirks = self.quirks
        digits = number.lstrip("+")
        self._last_sms += 1
        operation = (
            self.operation_of(digits) if any(o.number == digits for o in self.operations.values()) else None
        )
        identifier: Any = operation.id if operation is not None and not quirks.own_sms_id else self._last_sms
        phone: Any = f"+{digits}" if quirks.plus_phone else int(digits)
        if quirks.quoted_ids:
            identifier, phone = str(identifier), str(phone)
        content: dict[str, Any] = {"action": "PUSH_SMS", "key": key, quirks.sms_id_field: identifier}
        if not quirks.no_phone:
            content["phone"] = phone
        content["phoneFrom"] = operation.service if quirks.service_as_sender and operation else sender
        content["text"] = text
        if operation is not None and operation.service == "rent":
            content["service"] = "rent"
        headers = {"User-Agent": "partner/1.0", "Content-Type": "application/json"}
        if quirks.form_push:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(content).encode()
        else:
            body = json.dumps(content).encode()
        if quirks.gzip_push:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body)
        return body, headers

    # Requests

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.in_flight += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            self.in_flight -= 1
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        quirks = self.quirks
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        target = first.split(" ")[1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("content-encoding") == "gzip":
            raw = gzip.decompress(raw)
        body = json.loads(raw)
        action = body.get("action", "")
        self.requests.append(Heard(action, urlsplit(target).path, headers, body))
        if action in quirks.silent:
            await asyncio.Event().wait()
        status, answer = self._answer(headers, body)
        if action in quirks.slow:
            await quirks.slow[action].wait()
        if action in quirks.hangs_up:
            return
        await self._write(writer, status, answer, headers)

    async def _write(
        self, writer: asyncio.StreamWriter, status: int, answer: Any, headers: Mapping[str, str]
    ) -> None:
        quirks = self.quirks
        content = b"<html>busy</html>" if quirks.html else json.dumps(answer).encode()
        extra = []
        accepted = headers.get("accept-encoding", "")
        if quirks.gzips and "gzip" in accepted:
            content, extra = gzip.compress(content), ["content-encoding: gzip"]
        elif quirks.deflates and "deflate" in accepted:
            content, extra = zlib.compress(content), ["content-encoding: deflate"]
        if quirks.moved:
            status, extra = 302, [*extra, "location: http://127.0.0.1:1/"]
        length = len(content) + (10 if quirks.cut_off else 0)
        lines = [
            f"HTTP/1.1 {status} Whatever",
            "content-type: text/html",
            f"content-length: {length}",
            *extra,
        ]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        await writer.drain()

    def _answer(self, headers: Mapping[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        quirks = self.quirks
        if quirks.no_gzip and "gzip" in headers.get("accept-encoding", ""):
            return 500, {"detail": "Internal Server Error"}
        if quirks.only_plain_json and headers.get("content-type") != "application/json":
            return 415, {"message": "Unsupported Media Type"}
        if not headers.get("user-agent"):
            return 400, self._error("no user agent")
        if quirks.checks_key and body.get("key") != self.key:
            return quirks.key_status, self._error(f"wrong key {body.get('key') if quirks.echoes_key else ''}")
        if quirks.status >= 300:
            return quirks.status, self._error("broken")
        action = body.get("action")
        if action in ("GET_SERVICES", "GET_COUNT"):
            return quirks.status, self._stock()
        if action == "GET_NUMBER":
            return self._number(body)
        if action == "FINISH_ACTIVATION":
            return self._finish(body)
        return 200, self._error("unknown action")

    def _error(self, text: str) -> dict[str, Any]:
        return {"status": "ERROR", self.quirks.error_field: text}

    # Stock

    def _operator(self, number: str) -> str:
        return self.operators.get(number, "telia")

    def _stock(self) -> dict[str, Any]:
        quirks = self.quirks
        countries: dict[str, dict[str, dict[str, Any]]] = {}
        for country, numbers in self.numbers.items():
            operators: dict[str, dict[str, Any]] = {} if quirks.no_any else {"any": {}}
            for number in numbers:
                for service in self.services:
                    if number in self.reserved or (number, service) in self.sold:
                        continue
                    for operator in ["any"] * (not quirks.no_any) + [self._operator(number)]:
                        counts = operators.setdefault(operator, {})
                        counts[service] = counts.get(service, 0) + 1
            if quirks.advertises:
                for counts in operators.values():
                    counts.update(dict.fromkeys(self.services, quirks.advertises))
            if quirks.empty_service:
                for counts in operators.values():
                    counts[""] = 1
            if quirks.string_counts:
                operators = {
                    name: {s: str(n) for s, n in counts.items()} for name, counts in operators.items()
                }
            countries[country] = operators
        status = "success" if quirks.lower_status else "SUCCESS"
        if quirks.count_map:
            counted = {
                country: {
                    name: {s: {"SMS": n} for s, n in counts.items()} for name, counts in operators.items()
                }
                for country, operators in countries.items()
            }
            return {"status": status, "countMap": counted}
        listed = []
        for country, operators in countries.items():
            name: Any = int(country) if country.isdigit() else country
            if quirks.country_field:
                listed.append({quirks.country_field: name, "operatorMap": operators})
            else:
                listed.append({country: operators})
        return {"status": status, "countryList": listed}

    # Numbers

    def _number(self, body: dict[str, Any]) -> tuple[int, Any]:
        quirks = self.quirks
        prefixes = body.get("exceptionPhoneSet", [])
        if quirks.strings_only and not all(isinstance(prefix, str) for prefix in prefixes):
            return 422, {"detail": [{"loc": ["body", "exceptionPhoneSet", 0], "msg": "str type expected"}]}
        if quirks.integers_only and not all(isinstance(prefix, int) for prefix in prefixes):
            return 400, self._error("prefixes must be integers")
        if quirks.needs_currency and body.get("currency") not in (643, 840):
            return 422, {"detail": [{"loc": ["body", "currency"], "msg": "field required"}]}
        service, country = body["service"], str(body["country"])
        if service not in self.services:
            return 200, self._error(f"Service not available: {service}")
        number = self._free(country, body["operator"], service, [str(prefix) for prefix in prefixes])
        if number is None:
            nulls = {"number": None, "activationId": None, "error": None} if quirks.nulls else {}
            return 200, {"status": "NO_NUMBERS", **nulls}
        identifier = self._next_id()
        self.operations[str(identifier)] = Operation(identifier, number, country, service)
        self.lent.set()
        shown = quirks.wrong_number or number
        value: Any = f"+{shown}" if quirks.plus_number else shown if quirks.string_number else int(shown)
        answer: dict[str, Any] = {"status": "SUCCESS"}
        if not quirks.no_number:
            answer["number"] = value
        if not quirks.no_id:
            answer[quirks.id_field] = identifier
        return (201 if quirks.created else quirks.status), answer

    def _next_id(self) -> Any:
        quirks = self.quirks
        self._last_id += 1
        if quirks.uuid_id:
            return str(uuid.UUID(int=self._last_id))
        if quirks.millisecond_id:
            return 1_795_219_200_000 + self._last_id
        return str(self._last_id) if quirks.string_id else self._last_id

    def _free(self, country: str, operator: str, service: str, prefixes: list[str]) -> str | None:
        for number in self.numbers.get(country, ()):
            if (number in self.reserved and not self.quirks.gives_again) or (number, service) in self.sold:
                continue
            if operator not in ("any", self._operator(number)):
                continue
            if any(number.startswith(prefix) for prefix in prefixes) and not self.quirks.gives_excluded:
                continue
            return number
        return None

    # The end

    def _finish(self, body: dict[str, Any]) -> tuple[int, Any]:
        quirks = self.quirks
        if quirks.finish_fails > 0:
            quirks.finish_fails -= 1
            return 200, self._error("try later")
        given = body.get(quirks.id_sent_as or "activationId")
        operation = self.operations.get(str(given))
        if operation is None or type(operation.id) is not type(given):
            return (404 if quirks.unknown_is_404 else 200), self._error("activation not found")
        if not operation.open and quirks.once:
            return 200, self._error("already finished")
        operation.open = False
        operation.statuses.append(body["status"])
        operation.sums.append(body.get("sum"))
        if body["status"] in (1, 3):
            self.sold.add((operation.number, operation.service))
        return 200, {"status": "success" if quirks.lower_status else "SUCCESS"}
