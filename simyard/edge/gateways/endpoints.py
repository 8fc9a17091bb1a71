"""Where gateways hand messages in: one address for each, with its secret in the path, because many can send nothing else."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import asyncpg
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from simyard.base.clock import Clock
from simyard.base.refusals import Refusal, Refused
from simyard.core.gateways import service as gateways
from simyard.core.gateways.model import Gateway, GatewayMessage, Handled, Outcome, Sim, Target
from simyard.core.lanes import Lanes
from simyard.core.messages.model import IncomingMessage
from simyard.core.messages.service import SENDER_LENGTH_MAX, TEXT_LENGTH_MAX
from simyard.db.database import Database
from simyard.edge import metrics
from simyard.edge.gateways.kinds import KINDS
from simyard.edge.gateways.wire import GatewayRequest, Kind, Malformed, NotSigned, Said

log = logging.getLogger(__name__)

PREFIX: Final = "/gateway"
BODY_BYTES_MAX: Final = 256 * 1024
MESSAGES_MAX: Final = 1000
"""Of one request: it must fit into the lane beside others."""
_METHODS: Final = ["GET", "POST", "PUT", "PATCH"]
_UNREADABLE: Final = GatewayMessage(Sim(), "", "")


def path(kind: str, token: str) -> str:
    """A gateway's address on this server."""
    return f"{PREFIX}/{kind}/{token}"


class _Answered(Exception):
    """Ends a request early."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class GatewayEndpoints:
    """One endpoint for every kind. It answers once `open` was called.

    A report of SIMs is good for so many seconds, where it puts numbers on sale.
    """

    def __init__(self, clock: Clock, *, online_seconds: int) -> None:
        self._clock = clock
        self._online_seconds = online_seconds
        self._database: Database | None = None
        self._lanes: Lanes | None = None

    def open(self, database: Database, lanes: Lanes) -> None:
        self._database = database
        self._lanes = lanes

    def routes(self) -> list[Route]:
        # Both forms: a redirect would cost a message.
        return [Route(PREFIX + "/{kind}/{token}" + end, self._serve, methods=_METHODS) for end in ("", "/")]

    async def _serve(self, request: Request) -> Response:
        """Takes in what the gateway says and answers in its own words, once everything is stored.

        Wrong address 404, wrong caller 401 or 403, not what such a gateway sends 400; a message nobody can use is a
        success, or the gateway would repeat it for ever. 503: it should try again.
        """
        name = request.path_params["kind"]
        kind = KINDS.get(name)
        try:
            if kind is None:
                raise _Answered(404, "no such kind")
            gateway = await self._find(kind, request.path_params["token"])
            said = await self._hear(kind, gateway, request)
            await self._take(gateway, said)
        except _Answered as end:
            metrics.count_gateway_request(name if kind else "unknown", end.status)
            # Neither the address nor anything that was sent: both are secrets.
            log.warning("gateway refused", extra={"kind": name if kind else "?", "why": end.why})
            return Response(status_code=end.status)
        except (Refusal, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            metrics.count_gateway_request(name, 503)
            if not isinstance(error, Refusal):
                log.exception("messages of a gateway not kept", exc_info=error)
            return Response(status_code=503, headers={"retry-after": "10"})
        answer = kind.answer(gateway)
        metrics.count_gateway_request(name, answer.status)
        return Response(answer.body, answer.status, media_type=answer.content_type)

    async def _find(self, kind: Kind, token: str) -> Gateway:
        async with self._opened().connection() as tx:
            gateway = await gateways.find_by_token(tx, kind.name, token)
        if gateway is None:
            raise _Answered(404, "no gateway has this address")
        return gateway

    async def _hear(self, kind: Kind, gateway: Gateway, request: Request) -> Said:
        if not _may_call(gateway, request):
            raise _Answered(403, f"gateway {gateway.id} calls from elsewhere")
        if not gateway.enabled:
            raise _Answered(403, f"gateway {gateway.id} is off")
        if request.method not in kind.methods:
            raise _Answered(405, f"gateway {gateway.id} used a method its kind does not")
        heard = GatewayRequest(
            gateway=gateway,
            method=request.method,
            path=request.url.path.rstrip("/"),
            query_string=request.scope["query_string"],
            headers=dict(request.headers.items()),
            body=await _body(request),
            now=self._clock.now(),
        )
        try:
            if kind.verify is not None and gateway.secret is not None:
                kind.verify(heard, gateway.secret)
            said = kind.read(heard)
        except NotSigned as error:
            raise _Answered(401, f"gateway {gateway.id}: {error}") from error
        except (Malformed, ValueError, RecursionError) as error:
            # What readers raise themselves says nothing of the content; others might.
            why = str(error) if isinstance(error, Malformed) else type(error).__name__
            raise _Answered(400, f"gateway {gateway.id}: {why}") from error
        if len(said.messages) + len(said.sims) > MESSAGES_MAX:
            raise _Answered(413, f"gateway {gateway.id}: more than {MESSAGES_MAX} entries")
        return said

    async def _take(self, gateway: Gateway, said: Said) -> None:
        database, lanes, now = self._opened(), self._lanes, self._clock.now()
        if lanes is None:
            raise Refusal(Refused.BUSY)
        # First what it says of SIMs: the messages beside it may be the first of a new one.
        if said.sims or not said.messages:
            await database.run(
                lambda tx: gateways.learn(
                    tx, gateway, said.sims, online_seconds=self._online_seconds, now=now
                )
            )
        if not said.messages and not said.unreadable:
            return
        messages = [_bounded(message) for message in said.messages]
        async with database.connection() as tx:
            targets = await gateways.locate(tx, gateway, messages, now)
        results = await asyncio.gather(
            *(
                self._receive(lanes, gateway, message, target)
                for message, target in zip(messages, targets, strict=True)
            ),
            return_exceptions=True,
        )
        handled = [one for one in results if isinstance(one, Handled)]
        handled += [
            Handled(_UNREADABLE, Target(None, ""), Outcome.UNREADABLE) for _ in range(said.unreadable)
        ]
        await database.run(lambda tx: gateways.note(tx, gateway, handled, now))
        _count(gateway, handled)
        # What could not be taken is handed in again, with the rest, which is then known.
        for one in results:
            if isinstance(one, BaseException):
                raise one

    async def _receive(
        self, lanes: Lanes, gateway: Gateway, message: GatewayMessage, target: Target
    ) -> Handled:
        if target.repeated:
            return Handled(message, target, Outcome.REPEATED)
        if target.msisdn is None:
            return Handled(message, target, Outcome.UNMATCHED)
        now = self._clock.now()
        # A message with an id of its own but no time is no repeat of one with another id.
        sent_at = message.sent_at or (now if message.event_id else None)
        command = IncomingMessage(
            gateway.supplier_id, target.msisdn, None, message.sender, message.text, sent_at, now
        )
        try:
            receipt = await lanes.receive(command)
        except Refusal as refusal:
            if refusal.reason is Refused.UNKNOWN_NUMBER:
                return Handled(message, target, Outcome.UNMATCHED)
            raise
        return Handled(message, target, receipt.fate)

    def _opened(self) -> Database:
        if self._database is None:
            raise Refusal(Refused.BUSY)
        return self._database


def _count(gateway: Gateway, handled: Sequence[Handled]) -> None:
    for one in handled:
        metrics.count_gateway_message(gateway.kind, one.outcome)


def _bounded(message: GatewayMessage) -> GatewayMessage:
    """A message as long as one may be: a box that wraps it must not lose it."""
    if len(message.text) <= TEXT_LENGTH_MAX and len(message.sender) <= SENDER_LENGTH_MAX:
        return message
    return replace(message, sender=message.sender[:SENDER_LENGTH_MAX], text=message.text[:TEXT_LENGTH_MAX])


def _may_call(gateway: Gateway, request: Request) -> bool:
    if not gateway.networks:
        return True
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return any((mapped or address) in ipaddress.ip_network(network) for network in gateway.networks)


async def _body(request: Request) -> bytes:
    parts = bytearray()
    try:
        async for part in request.stream():
            parts += part
            if len(parts) > BODY_BYTES_MAX:
                raise _Answered(413, "a body that is too large")
    except ClientDisconnect as error:
        raise _Answered(400, "a body that was cut off") from error
    return bytes(parts)
