"""Guarded HTTP: calls to hosts that somebody else named, which must not reach into our own network or hold us up."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

import certifi
import httpcore

from simyard.base.addresses import Network, WebAddress, literal, may_be_called, parse_url

log = logging.getLogger(__name__)

SECONDS_MAX: Final = 10.0
ANSWER_BYTES_MAX: Final = 64 * 1024
# With several addresses, one that does not answer leaves time for the next.
_CONNECT_SECONDS_MAX = 3.0
_ADDRESSES_MAX = 8
_DETAIL_LENGTH_MAX = 150

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]


class Problem(StrEnum):
    """Why there is no answer."""

    BAD_URL = "bad_url"
    NOT_RESOLVED = "not_resolved"
    FORBIDDEN = "forbidden"
    NOT_CONNECTED = "not_connected"
    NOT_TRUSTED = "not_trusted"
    BROKEN = "broken"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True, slots=True)
class Call:
    """What to send. Headers of our own (host, length, connection) are added; `seconds_max` is for everything together.

    Whoever accepts another encoding than `identity` unpacks the answer himself.
    """

    method: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    seconds_max: float = SECONDS_MAX
    answer_bytes_max: int = ANSWER_BYTES_MAX
    accept_encoding: str = "identity"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, which may be a redirect or an error. Header names are in lower case.

    `whole` is false when the body was longer than allowed or did not end in time; then it is a part.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    whole: bool

    def header(self, name: str) -> str | None:
        """The first header of a name, given in lower case."""
        return next((value for one, value in self.headers if one == name), None)


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer. `sent`: the other side may have got the request, or a part of it."""

    problem: Problem
    detail: str
    sent: bool


class OutgoingClient:
    """Calls public addresses, and those in the networks that are allowed.

    A name is resolved once; unless every address it has may be called, none is. The call goes to an address that was
    checked. Redirects are answers, proxies of the environment are not used, and each call has a connection of its own, so
    that nothing of one account's call is left for another's.
    """

    def __init__(
        self,
        *,
        networks_allowed: Iterable[Network] = (),
        tls: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self._networks_allowed = tuple(networks_allowed)
        self._tls = tls or _tls_context()
        self._resolver = _Resolver(resolve or _addresses_of)

    async def call(self, call: Call) -> Answer | Failure:
        """One request. Never raises for what the other side does."""
        try:
            to = parse_url(call.url)
        except ValueError as error:
            return Failure(Problem.BAD_URL, str(error), sent=False)
        attempt = _Attempt(call, to, self._tls)
        try:
            async with asyncio.timeout(call.seconds_max):
                return await attempt.run(await self._addresses(to))
        except TimeoutError:
            return attempt.part() or attempt.failed(
                Problem.TIMED_OUT, f"no answer within {call.seconds_max:g} s"
            )
        except _NotResolved as error:
            return attempt.failed(Problem.NOT_RESOLVED, str(error))
        except _Forbidden:
            return attempt.failed(Problem.FORBIDDEN, "the host is not a public one")
        except ssl.SSLCertVerificationError as error:
            return attempt.failed(Problem.NOT_TRUSTED, f"certificate: {error.verify_message}")
        except (ssl.SSLError, httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            # The certificate's problem is found below the error of the connection it broke.
            if (certificate := _certificate_problem(error)) is not None:
                return attempt.failed(Problem.NOT_TRUSTED, f"certificate: {certificate}")
            return attempt.failed(Problem.NOT_CONNECTED, _reason(error))
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            return attempt.part() or attempt.failed(Problem.BROKEN, _reason(error))
        except Exception as error:
            # An answer so odd that a library stumbles over it. Without its text, which may quote the answer.
            log.error("a call failed unexpectedly: %s", type(error).__name__)
            return attempt.part() or attempt.failed(Problem.BROKEN, type(error).__name__)

    async def _addresses(self, to: WebAddress) -> list[str]:
        """The addresses to connect to, when every single one may be."""
        spelled = literal(to.host)
        found = [spelled] if spelled is not None else await self._resolver.resolve(to.host, to.port)
        addresses = [ipaddress.ip_address(one) for one in found]
        if not all(may_be_called(address, self._networks_allowed) for address in addresses):
            raise _Forbidden
        return [str(address) for address in addresses[:_ADDRESSES_MAX]]


class _NotResolved(Exception):
    """No address of a name."""


class _Forbidden(Exception):
    """An address that may not be called."""


class _Attempt:
    """One call under way, and how far it came."""

    def __init__(self, call: Call, to: WebAddress, tls: ssl.SSLContext) -> None:
        self._call = call
        self._to = to
        self._tls = tls
        self._sent = False
        self._response: httpcore.Response | None = None
        self._body = bytearray()

    async def run(self, addresses: Sequence[str]) -> Answer:
        """The answer, read to its end or up to the cap. The connection is closed whatever happens."""
        network = _CheckedNetwork(addresses)
        to = self._to
        origin = httpcore.Origin(to.scheme.encode(), to.host.encode(), to.port)
        connection = httpcore.AsyncHTTPConnection(origin, ssl_context=self._tls, network_backend=network)
        try:
            response = self._response = await connection.handle_async_request(self._request())
            async for part in response.aiter_stream():
                self._body += part
                if len(self._body) > self._call.answer_bytes_max:
                    return self._answer(response, whole=False)
            return self._answer(response, whole=True)
        finally:
            await network.close()

    def _request(self) -> httpcore.Request:
        call, to = self._call, self._to
        own = [
            ("host", to.authority),
            ("connection", "close"),
            ("accept-encoding", call.accept_encoding),
        ]
        if call.body or call.method not in ("GET", "HEAD"):
            own.append(("content-length", str(len(call.body))))
        names = {name for name, _ in own}
        url = httpcore.URL(
            scheme=to.scheme.encode(), host=to.host.encode(), port=to.port, target=to.target.encode()
        )
        return httpcore.Request(
            call.method,
            url,
            headers=[*own, *((name, value) for name, value in call.headers if name.lower() not in names)],
            content=self._body_to_send(),
            extensions={"trace": self._trace},
        )

    async def _body_to_send(self) -> AsyncIterator[bytes]:
        if self._call.body:
            yield self._call.body

    async def _trace(self, event: str, facts: object) -> None:
        if event.endswith("send_request_headers.started"):
            self._sent = True

    def _answer(self, response: httpcore.Response, *, whole: bool) -> Answer:
        headers = tuple(
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers
        )
        return Answer(response.status, headers, bytes(self._body[: self._call.answer_bytes_max]), whole)

    def part(self) -> Answer | None:
        """What came of an answer that did not end: its status was said."""
        return None if self._response is None else self._answer(self._response, whole=False)

    def failed(self, problem: Problem, detail: str) -> Failure:
        return Failure(problem, detail[:_DETAIL_LENGTH_MAX], self._sent)


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked, whatever the name means by now."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self._network = httpcore.AnyIOBackend()
        self._stream: httpcore.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self._stream = await self._connect(port)
        return self._stream

    async def _connect(self, port: int) -> httpcore.AsyncNetworkStream:
        *first, last = self._addresses
        for address in first:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._network.connect_tcp(address, port, timeout=_CONNECT_SECONDS_MAX)
        return await self._network.connect_tcp(last, port)

    async def close(self) -> None:
        """Also when the call ended while TLS was being agreed on, where nobody else would."""
        if self._stream is not None:
            await self._stream.aclose()


class _Resolver:
    """Looks names up on threads of its own, so that a name server that does not answer holds up nobody else.

    Lookups of one name are shared while they run. There are so many threads at most, and names that were slow the last
    time get only a part of them. The threads are daemons: nothing waits for them when the process ends.
    """

    THREADS_MAX: Final = 64
    SLOW_THREADS_MAX: Final = 16
    SLOW_SECONDS: Final = 2.0
    SLOW_NAMES_MAX: Final = 10_000

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._running: dict[tuple[str, int], asyncio.Future[Sequence[str]]] = {}
        self._slow: OrderedDict[str, None] = OrderedDict()
        self._free = asyncio.Semaphore(self.THREADS_MAX)
        self._free_for_slow = asyncio.Semaphore(self.SLOW_THREADS_MAX)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Every address of the name. Raises _NotResolved."""
        key = (host, port)
        lookup = self._running.get(key)
        if lookup is None:
            lookup = self._running[key] = asyncio.ensure_future(self._look_up(host, port))
            lookup.add_done_callback(lambda done: self._forget(key, done))
        # Whoever gives up waiting leaves the lookup to the others.
        return await asyncio.shield(lookup)

    def _forget(self, key: tuple[str, int], lookup: asyncio.Future[Sequence[str]]) -> None:
        del self._running[key]
        if not lookup.cancelled():
            # Read even when nobody waits any more, or asyncio would complain.
            lookup.exception()

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        if host in self._slow:
            async with self._free_for_slow, self._free:
                return await self._on_a_thread(host, port)
        async with self._free:
            return await self._on_a_thread(host, port)

    async def _on_a_thread(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Sequence[str] | Exception] = loop.create_future()

        def tell(result: Sequence[str] | Exception) -> None:
            if not outcome.done():
                outcome.set_result(result)

        def run() -> None:
            result: Sequence[str] | Exception
            try:
                result = self._resolve(host, port)
            except Exception as error:
                result = error
            # The loop may be closed by now: then nobody wants to know.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(tell, result)

        began = time.monotonic()
        threading.Thread(target=run, name="name lookup", daemon=True).start()
        slow = loop.call_later(self.SLOW_SECONDS, self._remember_slow, host)
        result = await outcome
        slow.cancel()
        if time.monotonic() - began < self.SLOW_SECONDS:
            self._slow.pop(host, None)
        if isinstance(result, OSError | UnicodeError | ValueError):
            raise _NotResolved(_reason(result))
        if isinstance(result, Exception):
            raise result
        if not result:
            raise _NotResolved("the name has no address")
        return result

    def _remember_slow(self, host: str) -> None:
        self._slow[host] = None
        if len(self._slow) > self.SLOW_NAMES_MAX:
            self._slow.popitem(last=False)


def _addresses_of(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _tls_context() -> ssl.SSLContext:
    """Certificates are verified against the host's name, by the machine's store and by the one we bring along."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _certificate_problem(error: BaseException) -> str | None:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        cause = cause.__cause__ or cause.__context__
    return None


def _reason(error: BaseException) -> str:
    if isinstance(error, socket.gaierror | OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
