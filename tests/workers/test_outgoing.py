"""Guarded HTTP: what is sent, what may be called, and that no receiver can hold a call up for long."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from simyard.workers.outgoing import Answer, Call, Failure, OutgoingClient, Problem
from tests import receivers
from tests.receivers import Behaviour, Receiver, answer

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
SECONDS = 0.5


def client(**options: Any) -> OutgoingClient:
    """One that may call this machine."""
    return OutgoingClient(networks_allowed=(LOOPBACK,), **options)


async def get(url: str, *, by: OutgoingClient | None = None, seconds: float = SECONDS) -> Answer | Failure:
    return await (by or client()).call(Call("GET", url, seconds_max=seconds))


def answered(outcome: Answer | Failure) -> Answer:
    assert isinstance(outcome, Answer), outcome
    return outcome


def failed(outcome: Answer | Failure) -> Failure:
    assert isinstance(outcome, Failure), outcome
    return outcome


# What is sent, and what comes back


async def test_a_post_carries_its_headers_and_body() -> None:
    async with Receiver() as receiver:
        call = Call(
            "POST", receiver.url("/hook?a=1"), (("X-One", "1"), ("Content-Type", "text/plain")), b"body"
        )
        assert answered(await client().call(call)).status == 200
    (request,) = receiver.requests
    assert (request.method, request.target, request.body) == ("POST", "/hook?a=1", b"body")
    assert request.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "connection": "close",
        "accept-encoding": "identity",
        "content-length": "4",
        "x-one": "1",
        "content-type": "text/plain",
    }


async def test_a_get_has_no_body_and_brings_status_headers_and_body() -> None:
    async with Receiver(default=answer(404, b"nothing here", "X-Why: gone", "x-why: really")) as receiver:
        outcome = answered(await get(receiver.url()))
    assert (outcome.status, outcome.body, outcome.whole) == (404, b"nothing here", True)
    assert outcome.header("x-why") == "gone"
    assert outcome.header("x-other") is None
    assert "content-length" not in receiver.requests[0].headers


async def test_a_post_without_a_body_says_so() -> None:
    async with Receiver() as receiver:
        await client().call(Call("POST", receiver.url()))
    assert receiver.requests[0].headers["content-length"] == "0"


async def test_headers_of_our_own_cannot_be_replaced() -> None:
    async with Receiver() as receiver:
        await client().call(Call("POST", receiver.url(), (("Host", "other"), ("Content-Length", "99")), b"x"))
    assert receiver.requests[0].headers["host"] == f"127.0.0.1:{receiver.port}"
    assert receiver.requests[0].body == b"x"


async def test_each_call_has_a_connection_of_its_own() -> None:
    async with Receiver() as receiver:
        by = client()
        for _ in range(3):
            answered(await get(receiver.url(), by=by))
        assert receiver.connections == 3


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async with Receiver() as inner, Receiver() as receiver:
        for status in (301, 302, 303, 307, 308):
            receiver.default = answer(status, b"", f"location: {inner.url('/secret')}")
            assert answered(await get(receiver.url())).status == status
        assert inner.connections == 0


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver() as proxy, Receiver() as receiver:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
            monkeypatch.setenv(name.upper(), proxy.url())
        answered(await get(receiver.url()))
        assert (proxy.connections, receiver.connections) == (0, 1)


async def test_a_long_answer_is_cut_at_the_cap() -> None:
    async with Receiver(default=answer(200, b"a" * 10_000_000)) as receiver:
        outcome = answered(await client().call(Call("GET", receiver.url(), answer_bytes_max=1000)))
        assert (outcome.status, outcome.body, outcome.whole) == (200, b"a" * 1000, False)
        exact = answered(await client().call(Call("GET", receiver.url(), answer_bytes_max=10_000_000)))
        assert (len(exact.body), exact.whole) == (10_000_000, True)


# Receivers that do not behave


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        (receivers.hang, Problem.TIMED_OUT),
        (receivers.drip_head, Problem.TIMED_OUT),
        (receivers.interim_answers, Problem.TIMED_OUT),
        (receivers.endless_head, Problem.BROKEN),
        (receivers.garbage, Problem.BROKEN),
        (receivers.hang_up, Problem.BROKEN),
    ],
)
async def test_a_receiver_without_an_answer_is_given_up_on_in_time(
    behaviour: Behaviour, problem: Problem
) -> None:
    async with Receiver(default=behaviour) as receiver:
        began = time.monotonic()
        failure = failed(await get(receiver.url()))
        assert time.monotonic() - began < SECONDS + 1
        assert (failure.problem, failure.sent) == (problem, True)
        assert failure.detail


async def test_an_answer_whose_body_does_not_end_keeps_its_status() -> None:
    async with Receiver(default=receivers.drip_body) as receiver:
        outcome = answered(await get(receiver.url()))
        assert (outcome.status, outcome.whole) == (200, False)
        assert set(outcome.body) == {ord("a")}


async def test_an_answer_that_breaks_off_keeps_its_status() -> None:
    async def break_off(request: receivers.Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")

    async with Receiver(default=break_off) as receiver:
        outcome = answered(await get(receiver.url()))
        assert (outcome.status, outcome.body, outcome.whole) == (200, b"part", False)


_PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 410\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"content-length: 5\r\n",
        b"content-length: -1\r\n",
        b"transfer-encoding: chunked\r\n",
        b"5\r\nhello\r\n",
        b"connection: upgrade\r\n",
        b"upgrade: h2c\r\n",
        b"ffffffffffffffff\r\n",
        b"0\r\n\r\n",
        b"\x00",
        b"\xff",
    ]
)


@given(st.lists(_PIECES | st.binary(max_size=20), max_size=8).map(b"".join))
def test_whatever_a_receiver_says_there_is_an_outcome(said: bytes) -> None:
    async def say(request: receivers.Request, writer: asyncio.StreamWriter) -> None:
        writer.write(said)

    async def run() -> Answer | Failure:
        async with Receiver(default=say) as receiver:
            return await get(receiver.url(), by=shared)

    outcome = asyncio.run(run())
    assert isinstance(outcome, Answer | Failure)
    # What made a library stumble would show as the name of an exception.
    assert not isinstance(outcome, Failure) or "Error" not in outcome.detail


shared = client()


async def test_a_receiver_that_does_not_read_is_given_up_on_in_time() -> None:
    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Without reading, the buffers between us fill up.
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await released.wait()
        writer.close()

    released = asyncio.Event()
    server = await asyncio.start_server(ignore, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    call = Call("POST", f"http://127.0.0.1:{port}/", body=b"a" * 50_000_000, seconds_max=SECONDS)
    assert failed(await client().call(call)).problem is Problem.TIMED_OUT
    released.set()
    server.close()


async def test_a_closed_port_is_not_connected_and_nothing_was_sent() -> None:
    async with Receiver() as receiver:
        url = receiver.url()
    failure = failed(await get(url))
    assert (failure.problem, failure.sent) == (Problem.NOT_CONNECTED, False)


async def test_no_connection_is_left_open() -> None:
    async with Receiver() as receiver:
        for behaviour in (answer(), receivers.hang, receivers.drip_body, answer(200, b"a" * 10**6)):
            receiver.default = behaviour
            await get(receiver.url(), seconds=0.1)
        async with asyncio.timeout(10):
            # A receiver that hangs learns of it when its peer is gone; these are told by the end of what they read.
            while receiver.open_now > 1:  # noqa: ASYNC110
                await asyncio.sleep(0)


# Where calls may go


FORMS_OF_LOOPBACK = (
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "0.0.0.0",
    "[::]",
    "localhost",
)


@pytest.mark.parametrize("host", FORMS_OF_LOOPBACK)
async def test_this_machine_is_not_called_however_it_is_written(host: str) -> None:
    async with Receiver() as receiver:
        failure = failed(await get(receiver.url(host=host), by=OutgoingClient()))
        assert (failure.problem, failure.sent) == (Problem.FORBIDDEN, False)
        assert receiver.connections == 0


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "10.0.0.1", "192.168.0.1", "100.64.0.1", "fd00:ec2::254"]
)
async def test_a_name_that_leads_inside_is_not_called(address: str) -> None:
    by = OutgoingClient(resolve=lambda host, port: ["93.184.215.14", address])
    assert failed(await get("http://rebind.example/", by=by)).problem is Problem.FORBIDDEN


async def test_a_name_is_resolved_once_and_the_checked_address_is_called() -> None:
    """A name server that answers differently the second time is not asked a second time."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    async with Receiver() as receiver:
        outcome = await get(receiver.url("/", host="rebind.example"), by=client(resolve=resolve))
        assert answered(outcome).status == 200
        assert receiver.requests[0].headers["host"] == f"rebind.example:{receiver.port}"
    assert asked == ["rebind.example"]


async def test_a_network_that_was_not_allowed_stays_closed_beside_one_that_was() -> None:
    by = client(resolve=lambda host, port: ["127.0.0.1", "10.0.0.1"])
    async with Receiver() as receiver:
        assert failed(await get(receiver.url("/", host="two.example"), by=by)).problem is Problem.FORBIDDEN
        assert receiver.connections == 0


async def test_the_next_address_is_tried_when_one_does_not_connect() -> None:
    async with Receiver() as receiver:
        by = client(resolve=lambda host, port: ["127.0.0.99", "127.0.0.1"])
        assert answered(await get(receiver.url("/", host="two.example"), by=by, seconds=5)).status == 200


@pytest.mark.parametrize(
    "url", ["ftp://example.com/", "http://user@example.com/", "no url", "http://exa mple/"]
)
async def test_what_is_no_url_of_the_web_is_not_called(url: str) -> None:
    failure = failed(await get(url, by=OutgoingClient(resolve=_never)))
    assert (failure.problem, failure.sent) == (Problem.BAD_URL, False)


def _never(host: str, port: int) -> Sequence[str]:
    raise AssertionError("looked a name up")


# Names


async def test_a_name_without_an_address_is_not_resolved() -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    failure = failed(await get("http://nowhere.example/", by=OutgoingClient(resolve=unknown)))
    assert (failure.problem, failure.detail, failure.sent) == (
        Problem.NOT_RESOLVED,
        "Name or service not known",
        False,
    )
    empty = OutgoingClient(resolve=lambda host, port: [])
    assert failed(await get("http://nowhere.example/", by=empty)).problem is Problem.NOT_RESOLVED


async def test_name_servers_that_hang_hold_up_nobody_else() -> None:
    released = threading.Event()

    def resolve(host: str, port: int) -> Sequence[str]:
        if host.startswith("slow"):
            released.wait()
        return ["127.0.0.1"]

    async with Receiver() as receiver:
        by = client(resolve=resolve)
        # Fewer than there are threads, and one name asked for often: lookups of one name are shared.
        hosts = [f"slow{number}.example" for number in range(40)] + ["slow.example"] * 500
        hanging = [asyncio.create_task(get(receiver.url(host=host), by=by)) for host in hosts]
        await asyncio.sleep(0)
        began = time.monotonic()
        assert answered(await get(receiver.url(host="quick.example"), by=by)).status == 200
        assert time.monotonic() - began < SECONDS
        outcomes = await asyncio.gather(*hanging)
        assert {failed(one).problem for one in outcomes} == {Problem.TIMED_OUT}
        released.set()


async def test_names_that_were_slow_get_a_part_of_the_threads_only(monkeypatch: pytest.MonkeyPatch) -> None:
    released, running = threading.Event(), []

    def resolve(host: str, port: int) -> Sequence[str]:
        if host.startswith("slow"):
            running.append(host)
            released.wait()
        return ["127.0.0.1"]

    by = client(resolve=resolve)
    monkeypatch.setattr(by._resolver, "SLOW_SECONDS", 0.01)
    hosts = [f"slow{number}.example" for number in range(60)]
    await asyncio.gather(*(get(f"http://{host}/", by=by, seconds=0.2) for host in hosts))
    assert len(running) == 60
    released.set()
    async with asyncio.timeout(10):
        while by._resolver._running:  # noqa: ASYNC110
            await asyncio.sleep(0)
    released.clear()
    running.clear()
    await asyncio.gather(*(get(f"http://{host}/", by=by, seconds=0.2) for host in hosts))
    assert len(running) == by._resolver.SLOW_THREADS_MAX
    released.set()


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_a_certificate_is_verified_against_the_name_and_not_the_address(authority: trustme.CA) -> None:
    by = client(tls=trusting(authority), resolve=lambda host, port: ["127.0.0.1"])
    async with Receiver(tls=server_tls(authority, "good.example")) as receiver:
        good = receiver.url("/", host="good.example", scheme="https")
        assert answered(await get(good, by=by, seconds=5)).status == 200
        for host in ("other.example", "127.0.0.1"):
            url = receiver.url("/", host=host, scheme="https")
            failure = failed(await get(url, by=by, seconds=5))
            assert (failure.problem, failure.sent) == (Problem.NOT_TRUSTED, False)
        assert len(receiver.requests) == 1


async def test_a_certificate_nobody_vouches_for_is_not_trusted(authority: trustme.CA) -> None:
    async with Receiver(tls=server_tls(authority, "good.example")) as receiver:
        by = client(resolve=lambda host, port: ["127.0.0.1"])
        failure = failed(await get(receiver.url("/", host="good.example", scheme="https"), by=by, seconds=5))
        assert failure.problem is Problem.NOT_TRUSTED
        assert "certificate" in failure.detail
        assert receiver.requests == []


async def test_a_server_that_speaks_no_tls_is_not_connected() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    failure = failed(await get(f"https://127.0.0.1:{port}/", seconds=5))
    assert (failure.problem, failure.sent) == (Problem.NOT_CONNECTED, False)
    server.close()


async def test_a_handshake_that_hangs_ends_in_time_and_leaves_no_connection() -> None:
    ended = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        writer.close()
        ended.set()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    failure = failed(await get(f"https://127.0.0.1:{port}/"))
    assert (failure.problem, failure.sent) == (Problem.TIMED_OUT, False)
    async with asyncio.timeout(10):
        await ended.wait()
    server.close()


async def test_what_is_sent_does_not_show_in_the_text_of_a_call() -> None:
    call = Call("POST", "https://example.com/?token=abc", (("webhook-signature", "abc"),), b"abc")
    assert "abc" not in repr(call)
