"""What a kind of gateway is: how its requests are read and verified, and the answer it needs to stop repeating them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from simyard.core.gateways.model import Gateway, GatewayMessage, SimSeen
from simyard.edge.gateways import reading

_FORM = "application/x-www-form-urlencoded"


class Malformed(Exception):
    """The request is not one this kind of gateway sends. Says why, without repeating any of it."""


class NotSigned(Exception):
    """The request does not carry the signature it should."""


@dataclass(frozen=True)
class GatewayRequest:
    """What came from a gateway. The names of headers are in lower case."""

    gateway: Gateway
    method: str
    path: str
    query_string: bytes
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    now: datetime

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @cached_property
    def query(self) -> dict[str, str]:
        return _pairs(self.query_string)

    @cached_property
    def form(self) -> dict[str, str]:
        """The fields of a form, in the body; none when the body is something else."""
        return _pairs(self.body) if self.content_type == _FORM else {}

    @cached_property
    def json(self) -> Any:
        """Raises Malformed."""
        try:
            return reading.decode_json(self.body)
        except ValueError as error:
            raise Malformed("the body is not JSON") from error

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises Malformed."""
        content = self.json
        if not isinstance(content, dict):
            raise Malformed("the body is not a JSON object")
        return content

    def time(self, value: object) -> datetime | None:
        """A time as the gateway wrote it; one without a zone is of the gateway's."""
        return reading.time(value, ZoneInfo(self.gateway.time_zone))


def _pairs(encoded: bytes) -> dict[str, str]:
    pairs = parse_qsl(
        encoded.decode("latin-1"), keep_blank_values=True, errors="replace", max_num_fields=1000
    )
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


@dataclass(frozen=True)
class Said:
    """What a request says: messages, SIMs, or nothing but that the gateway lives.

    `unreadable`: messages nobody can read, such as encrypted ones.
    """

    messages: Sequence[GatewayMessage] = ()
    sims: Sequence[SimSeen] = ()
    unreadable: int = 0


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: str = "OK"
    content_type: str = "text/plain"


class Signing(StrEnum):
    """Whether a kind's requests carry something made with a secret."""

    ALWAYS = "always"
    ON_REQUEST = "on_request"
    NEVER = "never"


@dataclass(frozen=True)
class Kind:
    """One row of the table of kinds.

    `read` raises Malformed; `verify` raises NotSigned, and is asked only when the gateway has a secret. `set_up` says
    what to enter into the gateway, given its address and secret.
    """

    name: str
    title: str
    read: Callable[[GatewayRequest], Said]
    set_up: Callable[[str, str | None], Sequence[str]]
    verify: Callable[[GatewayRequest, str], None] | None = None
    signing: Signing = Signing.NEVER
    methods: frozenset[str] = frozenset({"POST"})
    # Whether it tells which SIMs work, so that it can stock its pool.
    reports_sims: bool = False
    answer: Callable[[Gateway], Answer] = lambda gateway: Answer()
    check_options: Callable[[Mapping[str, Any]], str | None] = lambda options: (
        "this kind takes no options" if options else None
    )
