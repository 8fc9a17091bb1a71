"""The runner: serves every dialect from its table of actions."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import logging
import secrets
import time
import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from simyard.base.clock import Clock
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import rules as account_rules
from simyard.core.accounts.model import Caller
from simyard.core.lanes import Lanes
from simyard.core.limits.model import Admit, AdmitSession, Budget
from simyard.core.remote.push_model import AdmitPush
from simyard.core.steps import Steps
from simyard.db.database import Database, Tx
from simyard.edge import metrics
from simyard.edge.keyless import KeylessAnswers
from simyard.edge.logs import request_id
from simyard.edge.wire import (
    JSON_TYPE,
    NOBODY,
    Action,
    Dialect,
    EachInLane,
    InLane,
    InSteps,
    InTransaction,
    KeyNeed,
    NoVerb,
    Rehearsal,
    Verb,
    WireRequest,
    WireResponse,
    results_of,
)
from simyard.settings import Settings

log = logging.getLogger(__name__)

_GZIP_BYTES_MIN = 1400
# A body of this size takes milliseconds to pack, in which other requests would wait.
_GZIP_SLOWLY_BYTES_MIN = 100_000
_REQUEST_ID_LENGTH_MAX = 64


class _RollBack(Exception):
    """Ends a rehearsal's transaction."""


class DialectApp:
    """An ASGI application that speaks one dialect."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        lanes: Lanes,
        database: Database,
        clock: Clock,
        settings: Settings,
        steps: Steps | None = None,
    ) -> None:
        self._dialect = dialect
        self._steps = steps
        self._lanes = lanes
        self._database = database
        self._clock = clock
        self._settings = settings
        self._fixed: dict[tuple[str, str], Action] = {}
        self._parametrized: dict[tuple[str, str], Action] = {}
        for (method, path), action in dialect.actions.items():
            head, brace, _ = path.partition("{")
            table = self._parametrized if brace else self._fixed
            table[method, dialect.prefix + head] = action
        self._keyless = KeylessAnswers()
        self._budgets = {action: _scaled(action.budget, settings) for action in dialect.actions.values()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        identifier = _request_id(headers)
        token = request_id.set(identifier)
        action, value = self._find(scope["method"], scope["path"])
        noun = action.noun if action is not None else "request"
        try:
            response = await self._answer(action, value, scope, headers, receive)
        except Refusal as refusal:
            response = self._dialect.refusals.render(refusal, noun)
        except Exception:
            log.exception("unexpected failure", extra={"path": scope["path"]})
            response = self._dialect.refusals.render(Refusal(Refused.INTERNAL), noun)
        finally:
            request_id.reset(token)
        await _send(send, response, headers, identifier)
        metrics.observe(self._dialect.name, noun, response.status, time.perf_counter() - started)

    def _find(self, method: str, path: str) -> tuple[Action | None, str]:
        action = self._fixed.get((method, path))
        if action is not None:
            return action, ""
        if self._dialect.normal_path is not None:
            path = self._dialect.normal_path(path)
            action = self._fixed.get((method, path))
            if action is not None:
                return action, ""
        head, slash, value = path.rpartition("/")
        return self._parametrized.get((method, head + slash)), value

    async def _answer(
        self,
        action: Action | None,
        value: str,
        scope: Scope,
        headers: Mapping[bytes, bytes],
        receive: Receive,
    ) -> WireResponse:
        if action is None:
            raise Refusal(Refused.UNKNOWN_METHOD)
        body = await self._body(action, headers, receive)
        caller = await self._admit(action, scope, headers, body)
        request = WireRequest(
            value, scope["query_string"], headers, body, caller, self._settings, _caller_address(scope)
        )
        if caller.account_id == NOBODY and action.keyless_kept_seconds:
            return await self._keyless.answer(
                (action, value, request.query_string, body),
                lambda: self._perform(action, request),
                seconds=action.keyless_kept_seconds,
                now=caller.now,
            )
        return await self._perform(action, request)

    async def _perform(self, action: Action, request: WireRequest) -> WireResponse:
        """Parse, run, render."""
        caller = request.caller
        try:
            command = (
                await asyncio.to_thread(action.parse, request)
                if action.parse_slowly
                else action.parse(request)
            )
        except Rehearsal as rehearsal:
            result = await self._rehearse(action, rehearsal.command)
            return action.render(result, rehearsal.command, caller)
        if isinstance(command, WireResponse):
            return command
        result = await self._run(action, command)
        if action.render_slowly:
            return await asyncio.to_thread(action.render, result, command, caller)
        return action.render(result, command, caller)

    async def _body(self, action: Action, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            return b""
        settings = self._settings
        bytes_max = action.body_bytes_max(settings) if action.body_bytes_max else settings.body_bytes_max
        body = await _read(receive, bytes_max)
        if headers.get(b"content-encoding", b"").strip().lower() == b"gzip":
            body = _unpack(body, bytes_max)
        return body

    async def _admit(
        self, action: Action, scope: Scope, headers: Mapping[bytes, bytes], body: bytes
    ) -> Caller:
        query_string = scope["query_string"]
        key = None
        if action.key is not KeyNeed.IGNORED:
            key = self._dialect.find_key(headers, query_string, body)
        if not key:
            if action.key is KeyNeed.REQUIRED:
                raise Refusal(Refused.NO_KEY)
            return Caller(NOBODY, "", None, self._clock.now())
        budget = self._budgets[action]
        if budget is not None and action.budget_each is not None:
            one = action.budget_each.find(headers, query_string, body)
            budget = None if one is None else replace(budget, verb=f"{budget.verb}/{one}")
        if self._dialect.takes_access_tokens:
            return await self._admit_session(key, budget)
        if len(key) > account_rules.KEY_LENGTH_MAX:
            raise Refusal(Refused.WRONG_KEY)
        digest, address, now = account_rules.digest(key), _caller_address(scope), self._clock.now()
        if self._dialect.takes_pool_keys:
            try:
                return await self._lanes.admit_push(AdmitPush(digest, address, now))
            except Refusal as refusal:
                if refusal.reason is not Refused.WRONG_KEY:
                    raise
        return await self._lanes.admit(Admit(digest, action.scope, address, budget, now))

    async def _admit_session(self, token: str, budget: Budget | None) -> Caller:
        now = self._clock.now()
        claims = await self._known_steps().logins.read_access_token(token, now)
        return await self._lanes.admit_session(
            AdmitSession(claims.account_id, claims.session_id, budget, now)
        )

    async def _run(self, action: Action, command: Any) -> Any:
        verb = action.verb
        if isinstance(verb, InLane):
            return await verb.lane(self._lanes)(command)
        if isinstance(verb, EachInLane):
            lane = verb.lane(self._lanes)
            return results_of(await asyncio.gather(*map(lane, command), return_exceptions=True))
        if isinstance(verb, NoVerb):
            return None
        if isinstance(verb, InSteps):
            return await verb.steps(self._known_steps())(command)
        return await self._database.run(lambda tx: verb.verb(tx, command))

    def _known_steps(self) -> Steps:
        if self._steps is None:
            raise RuntimeError(f"{self._dialect.name} was given no steps")
        return self._steps

    async def _rehearse(self, action: Action, command: Any) -> Any:
        """What the verb would answer now; nothing of it stays."""
        verb = action.verb
        result: Any = None
        try:
            async with self._database.transaction() as tx:
                result = await _rehearsed(verb, self._lanes, tx, command)
                raise _RollBack
        except _RollBack:
            return result


async def _rehearsed(verb: Verb, lanes: Lanes, tx: Tx, command: Any) -> Any:
    if isinstance(verb, NoVerb):
        return None
    if isinstance(verb, InTransaction):
        return await verb.verb(tx, command)
    if isinstance(verb, InSteps):
        raise TypeError("what takes several transactions cannot be rolled back")
    if isinstance(verb, EachInLane):
        return await verb.lane(lanes).verb(tx, command) if command else []
    (result,) = await verb.lane(lanes).verb(tx, [command])
    if isinstance(result, Refusal):
        raise result
    return result


def _caller_address(scope: Scope) -> str:
    client = scope.get("client")
    return _address(client[0]) if client else ""


@lru_cache(maxsize=4096)
def _address(host: str) -> str:
    """The caller's address as allow lists name it; empty for what is none, such as a local socket."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _scaled(budget: Budget | None, settings: Settings) -> Budget | None:
    if budget is None:
        return None
    requests = max(1, round(budget.requests * settings.rate_limit_scale))
    return Budget(budget.verb, requests, budget.window_seconds)


def _request_id(headers: Mapping[bytes, bytes]) -> str:
    """The caller's own id of the request when it is a sane one, else a fresh one."""
    given = headers.get(b"x-request-id")
    if given is not None and len(given) <= _REQUEST_ID_LENGTH_MAX:
        text = given.decode("latin-1")
        if text.isascii() and text.replace("-", "").replace("_", "").isalnum():
            return text
    return secrets.token_hex(8)


async def _read(receive: Receive, bytes_max: int) -> bytes:
    """The whole body. Refuses: TOO_LARGE; MALFORMED when the caller went away before its end."""
    parts: list[bytes] = []
    size = 0
    more = True
    while more and size <= bytes_max:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(Refused.MALFORMED, problem="The request body was cut off.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
    if size > bytes_max:
        raise Refusal(Refused.TOO_LARGE, bytes_max=bytes_max)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _unpack(body: bytes, bytes_max: int) -> bytes:
    """A gzip body unpacked, as far as it may go. Refuses: MALFORMED, TOO_LARGE."""
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        unpacked = unpacker.decompress(body, bytes_max + 1)
    except zlib.error as error:
        raise Refusal(Refused.MALFORMED, problem="the body is not gzip") from error
    if len(unpacked) > bytes_max:
        raise Refusal(Refused.TOO_LARGE, bytes_max=bytes_max)
    if not unpacker.eof:
        raise Refusal(Refused.MALFORMED, problem="the gzip body is cut off")
    return unpacked


async def _send(send: Send, response: WireResponse, headers: Mapping[bytes, bytes], identifier: str) -> None:
    body = response.body
    extra = response.headers
    if len(body) >= _GZIP_BYTES_MIN and b"gzip" in headers.get(b"accept-encoding", b""):
        body = (
            await asyncio.to_thread(gzip.compress, body, 5)
            if len(body) >= _GZIP_SLOWLY_BYTES_MIN
            else gzip.compress(body, compresslevel=5)
        )
        extra = (*extra, (b"content-encoding", b"gzip"), (b"vary", b"accept-encoding"))
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": [
                (b"content-type", JSON_TYPE),
                (b"content-length", b"%d" % len(body)),
                (b"x-request-id", identifier.encode()),
                *extra,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
