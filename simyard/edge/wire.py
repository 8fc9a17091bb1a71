"""What the runner hands to a dialect and what it gets back: requests, responses, refusal tables, actions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec
from starlette.datastructures import QueryParams

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.lanes import Lanes
from simyard.core.limits.model import Budget
from simyard.core.steps import Steps
from simyard.db.database import Tx
from simyard.db.lanes import Lane
from simyard.settings import Settings

C = TypeVar("C")
R = TypeVar("R")

_encoder = msgspec.json.Encoder()
JSON_TYPE = b"application/json"

NOBODY: Final = AccountId(0)
"""The account of a caller who showed no key where none is needed. Real ids start at 1."""


@dataclass(slots=True)
class WireRequest:
    """A request whose key was admitted. `value` is what stood in the place of the path's parameter, still as text."""

    value: str
    query_string: bytes
    headers: Mapping[bytes, bytes]
    body: bytes
    caller: Caller
    settings: Settings
    # Where it came from; empty for what has no address, such as a local socket.
    address: str = ""

    @property
    def query(self) -> QueryParams:
        return QueryParams(self.query_string)

    @property
    def now(self) -> datetime:
        return self.caller.now

    def header(self, name: bytes) -> str | None:
        """A header by its lower-case name."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


@dataclass(frozen=True, slots=True)
class WireResponse:
    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


def json_response(
    content: object, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> WireResponse:
    """A response with a msgspec struct, or anything else msgspec can write, as JSON."""
    return WireResponse(status, _encoder.encode(content), headers)


# The middle of an action: a core verb, and how it is run.


@dataclass(frozen=True, slots=True)
class InTransaction(Generic[C, R]):
    """A verb that takes one command in a transaction of its own."""

    verb: Callable[[Tx, C], Awaitable[R]]


@dataclass(frozen=True, slots=True)
class InLane(Generic[C, R]):
    """A batch verb, for one command."""

    lane: Callable[[Lanes], Lane[C, R]]


@dataclass(frozen=True, slots=True)
class EachInLane(Generic[C, R]):
    """A batch verb, for many commands of one request. Each gets its own result or refusal, in their order."""

    lane: Callable[[Lanes], Lane[C, R]]


@dataclass(frozen=True, slots=True)
class InSteps(Generic[C, R]):
    """What takes several transactions, with another host or a long computation between two of them."""

    steps: Callable[[Steps], Callable[[C], Awaitable[R]]]


@dataclass(frozen=True, slots=True)
class NoVerb:
    """For an answer that is the same for everyone: it is rendered from the command alone."""


Verb: TypeAlias = (
    InTransaction[Any, Any] | InLane[Any, Any] | EachInLane[Any, Any] | InSteps[Any, Any] | NoVerb
)


class Rehearsal(Exception):
    """Raised by a parse: run the verb of this command for its answer, and roll back what it did."""

    def __init__(self, command: Any) -> None:
        super().__init__("rehearsal")
        self.command = command


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter, for the document that describes the dialect."""

    name: str
    description: str
    type: str = "string"
    required: bool = False


class KeyNeed(Enum):
    """Whether an action wants to know who calls. A key that is shown where it is optional must be a good one."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class BudgetEach:
    """A budget of its own for each value of something in the request.

    `name` says of what. `find` is given headers, query string and body; None: there is nothing to count.
    """

    name: str
    find: Callable[[Mapping[bytes, bytes], bytes, bytes], str | None]


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """One thing a dialect can be asked: parse, run, render.

    `parse` makes a command of the request; it may answer by itself with a WireResponse, or raise a Refusal.
    `render` gets the verb's result, the command and the caller. Types of body and answer are for the description.
    """

    summary: str
    scope: Scope
    parse: Callable[[WireRequest], Any]
    verb: Verb
    render: Callable[[Any, Any, Caller], WireResponse]
    answer: Any
    # What `render` answers with when it is done.
    success_status: int = 200
    body: Any = None
    parameters: tuple[Parameter, ...] = ()
    value_description: str = ""
    # What parse and verb may refuse, beside what every request may meet.
    refuses: tuple[Refused, ...] = ()
    budget: Budget | None = None
    # Where the budget is not one for the action, but one for each of what it acts on.
    budget_each: BudgetEach | None = None
    key: KeyNeed = KeyNeed.REQUIRED
    # The size of its body, at most, where it is not the usual one.
    body_bytes_max: Callable[[Settings], int] | None = None
    # For bodies so long that reading them would hold up other requests: `parse` runs in a thread.
    parse_slowly: bool = False
    # Likewise for answers that may be that long.
    render_slowly: bool = False
    # For how long an answer may be given again to others who ask the same without a key.
    keyless_kept_seconds: float = 0
    # How the dialect's sentences name what is done here: "purchase" in "Too many purchase attempts".
    noun: str = "request"


LOGIN_REFUSALS = frozenset(
    {
        Refused.WRONG_CREDENTIALS,
        Refused.EMAIL_NOT_VERIFIED,
        Refused.WRONG_TOKEN,
        Refused.REGISTRATION_CLOSED,
        Refused.LOGIN_NOT_OFFERED,
    }
)
"""What only dialects with logins can meet."""

FUNDING_REFUSALS = frozenset({Refused.UNKNOWN_BANK, Refused.TOO_MANY_ACCOUNTS, Refused.UNKNOWN_DEPOSIT})
"""What only dialects with virtual accounts can meet."""

GATEWAY_REFUSALS = frozenset({Refused.UNKNOWN_GATEWAY, Refused.GATEWAY_TAKEN})
"""What no dialect can meet: gateways are set up by operators, and have answers of their own."""

OPERATOR_REFUSALS = frozenset(
    {
        Refused.UNKNOWN_PAYOUT,
        Refused.NOT_SOLD,
        Refused.OPERATOR_ACCOUNT,
        Refused.NOT_SETTLED,
        Refused.ACCOUNT_ERASED,
    }
)
"""What no dialect can meet: only what operators do at the command line."""

Row: TypeAlias = Callable[[Refusal, str], WireResponse]
"""Renders a refusal met in an action, which it is told by its noun."""


@dataclass(frozen=True, slots=True)
class RefusalTable:
    """How a dialect says each refusal. Will not construct unless every reason has a row or is named unreachable."""

    rows: Mapping[Refused, Row]
    unreachable: frozenset[Refused] = frozenset()

    def __post_init__(self) -> None:
        missing = set(Refused) - set(self.rows) - self.unreachable - GATEWAY_REFUSALS - OPERATOR_REFUSALS
        if missing:
            raise ValueError(f"no row for {', '.join(sorted(missing))}")
        both = self.unreachable & set(self.rows)
        if both:
            raise ValueError(f"both a row and unreachable: {', '.join(sorted(both))}")

    def render(self, refusal: Refusal, noun: str) -> WireResponse:
        row = self.rows.get(refusal.reason)
        if row is None:
            raise RuntimeError(f"a refusal called unreachable was met: {refusal}")
        return row(refusal, noun)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One vendor's protocol: a table of actions below a path.

    An action's place is a method and a path below the prefix, which may end in one parameter: `/check/{activation_id}`.
    `find_key` reads the caller's key; None when there is none. Where a vendor knows a place by several spellings,
    `normal_path` gives the one of the table; `stray_paths` are those that do not lie below the prefix.
    """

    name: str
    title: str
    prefix: str
    actions: Mapping[tuple[str, str], Action]
    refusals: RefusalTable
    find_key: Callable[[Mapping[bytes, bytes], bytes, bytes], str | None]
    error: Any
    description: str = ""
    key_description: str = "API key as a bearer token"
    normal_path: Callable[[str], str] | None = None
    stray_paths: tuple[str, ...] = ()
    # Where it is served, when not everything below its prefix is its own. Stray paths are looked at first.
    mounts: tuple[str, ...] | None = None
    # Keys are access tokens of sessions, not API keys.
    takes_access_tokens: bool = False
    # Keys may also be those that partners' pools have for their pushes.
    takes_pool_keys: bool = False
    # How bodies may be written.
    body_types: tuple[str, ...] = (JSON_TYPE.decode(),)


def bearer(headers: Mapping[bytes, bytes]) -> str | None:
    """The token of an `Authorization: Bearer` header, or None."""
    value = headers.get(b"authorization", b"")
    if value[:7].lower() != b"bearer ":
        return None
    return value[7:].strip().decode("latin-1") or None


def results_of(results: Sequence[R | BaseException]) -> list[R | Refusal]:
    """The outcomes of many lane calls: refusals stay values, anything else that was raised is raised."""
    outcomes: list[R | Refusal] = []
    for result in results:
        if isinstance(result, Refusal):
            outcomes.append(result)
        elif isinstance(result, BaseException):
            raise result
        else:
            outcomes.append(result)
    return outcomes
