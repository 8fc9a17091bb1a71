"""The load generator: a process of its own that sends prepared requests over keep-alive connections.

It shares the machine's cores with what it measures, so it does as little as can be: no event loop, one `epoll`, one
request at a time on each connection, no parsing beyond the status and the length of the body.
"""

from __future__ import annotations

import gc
import itertools
import math
import random
import resource
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

import msgspec

_READ_BYTES: Final = 65_536
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "
_ANSWER_SECONDS_MAX: Final = 60
_SEED: Final = 7


class Load(msgspec.Struct):
    """What to send, and for how long.

    Without a rate each connection sends as soon as it has its answer. With one, requests are due at random moments,
    so many a second on the average, and a request that has to wait for a free connection has waited since it was due.
    """

    port: int
    connections: int
    seconds: float
    requests: list[bytes]
    rate: float | None = None
    # A request sent once is not sent again; the load ends early when none is left.
    once: bool = False


class Answers(msgspec.Struct):
    """What came back."""

    seconds: float
    sent: int
    statuses: dict[int, int]
    p50_ms: float
    p99_ms: float
    max_ms: float
    # Processor time the generator took, as a share of one core.
    cpu_share: float
    # The start of an answer that was not a success.
    failure: str | None

    @property
    def succeeded(self) -> int:
        return self.statuses.get(200, 0)

    @property
    def per_second(self) -> float:
        return self.succeeded / self.seconds


class LoadFailed(Exception):
    """The generator could not do its work."""


def offer(load: Load) -> Answers:
    """Runs the generator in a process of its own and waits for it."""
    finished = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=msgspec.msgpack.encode(load),
        capture_output=True,
        check=False,
        timeout=load.seconds + 2 * _ANSWER_SECONDS_MAX,
    )
    if finished.returncode != 0:
        raise LoadFailed(finished.stderr.decode(errors="replace")[-2000:])
    return msgspec.msgpack.decode(finished.stdout, type=Answers)


class _Generator:
    """Connections, and what is under way on each. Lists are indexed by file descriptor: nothing is looked up."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._take = iter(load.requests if load.once else itertools.cycle(load.requests)).__next__
        self._poll = select.epoll()
        sockets = [socket.create_connection(("127.0.0.1", load.port)) for _ in range(load.connections)]
        places = max(one.fileno() for one in sockets) + 1
        self._send: list[Callable[[bytes], int]] = [_unused] * places
        self._read: list[Callable[[int], bytes]] = [_unused] * places
        self._due = [0.0] * places
        self._unfinished: list[bytes] = [b""] * places
        self._sockets = sockets
        for one in sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.setblocking(False)
            self._send[one.fileno()] = one.send
            self._read[one.fileno()] = one.recv
            self._poll.register(one.fileno(), select.EPOLLIN)
        self._sent = 0
        self._statuses: dict[bytes, int] = {}
        self._latencies: list[float] = []
        self._failure: str | None = None

    def run(self) -> Answers:
        gc.collect()
        gc.freeze()
        gc.disable()
        cpu = _cpu_seconds()
        started = time.perf_counter()
        if self._load.rate is None:
            self._closed(started + self._load.seconds)
        else:
            self._open(started, self._load.rate)
        seconds = time.perf_counter() - started
        latencies = sorted(self._latencies)
        return Answers(
            seconds=seconds,
            sent=self._sent,
            statuses={int(status): count for status, count in self._statuses.items()},
            p50_ms=_percentile(latencies, 0.50),
            p99_ms=_percentile(latencies, 0.99),
            max_ms=_percentile(latencies, 1.0),
            cpu_share=(_cpu_seconds() - cpu) / seconds,
            failure=self._failure,
        )

    def _closed(self, stop: float) -> None:
        """Each connection sends again once it is answered."""
        clock = time.perf_counter
        under_way = 0
        for one in self._sockets:
            under_way += self._start(one.fileno(), clock())
        while under_way:
            for descriptor in self._answered():
                under_way -= 1
                now = clock()
                if now < stop:
                    under_way += self._start(descriptor, now)

    def _open(self, started: float, rate: float) -> None:
        """Requests start when they are due, whatever became of the ones before."""
        clock = time.perf_counter
        # Both sides of a ratio get the same moments.
        moments = random.Random(_SEED)
        stop = started + self._load.seconds
        due = started + moments.expovariate(rate)
        waiting: deque[float] = deque()
        idle = [one.fileno() for one in self._sockets]
        while due < stop or waiting or len(idle) < len(self._sockets):
            now = clock()
            while due <= now and due < stop:
                waiting.append(due)
                due += moments.expovariate(rate)
            while waiting and idle:
                self._start(idle.pop(), waiting.popleft())
            pause = due - clock() if due < stop else _ANSWER_SECONDS_MAX
            idle += self._answered(max(0.0, pause), silence_allowed=due < stop)

    def _start(self, descriptor: int, due: float) -> int:
        """Sends the next request, if there is one; returns how many were sent."""
        try:
            request = self._take()
        except StopIteration:
            return 0
        self._due[descriptor] = due
        if self._send[descriptor](request) != len(request):
            raise LoadFailed("a request did not fit into the connection's buffer")
        self._sent += 1
        return 1

    def _answered(self, seconds: float = _ANSWER_SECONDS_MAX, *, silence_allowed: bool = False) -> list[int]:
        """Waits for answers and returns the connections on which one is complete."""
        events = self._poll.poll(seconds)
        if not events and not silence_allowed:
            raise LoadFailed(f"no answer within {seconds:.0f} s")
        now = time.perf_counter()
        done: list[int] = []
        for descriptor, _ in events:
            answer = self._read[descriptor](_READ_BYTES)
            if not answer:
                raise LoadFailed("the server closed a connection")
            if self._unfinished[descriptor]:
                answer = self._unfinished[descriptor] + answer
            end = answer.find(_HEAD_END)
            if end < 0 or len(answer) < end + 4 + _length(answer, end):
                self._unfinished[descriptor] = answer
                continue
            self._unfinished[descriptor] = b""
            status = answer[9:12]
            self._statuses[status] = self._statuses.get(status, 0) + 1
            if status != b"200" and self._failure is None:
                self._failure = answer[:2000].decode(errors="replace")
            self._latencies.append(now - self._due[descriptor])
            done.append(descriptor)
        return done


def _unused(_: object) -> NoReturn:
    raise AssertionError("this file descriptor is no connection")


def _length(answer: bytes, head_end: int) -> int:
    start = answer.find(_LENGTH, 0, head_end)
    if start < 0:
        raise LoadFailed(f"an answer without a length: {answer[:200]!r}")
    start += len(_LENGTH)
    return int(answer[start : answer.find(b"\r", start)])


def _percentile(ordered: Sequence[float], share: float) -> float:
    """In milliseconds: the smallest value that so many of them do not exceed."""
    if not ordered:
        return 0.0
    return 1000 * ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def request(port: int, method: str, path: str, *, key: str = "", body: bytes = b"") -> bytes:
    """The bytes of one request."""
    lines = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{port}", "user-agent: simyard-bench"]
    if key:
        lines.append(f"authorization: Bearer {key}")
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join((*lines, "", "")).encode() + body


def main() -> None:
    """Reads a Load from standard input and writes its Answers to standard output."""
    load = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Load)
    sys.stdout.buffer.write(msgspec.msgpack.encode(_Generator(load).run()))


if __name__ == "__main__":
    main()
