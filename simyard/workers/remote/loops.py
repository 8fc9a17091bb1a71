"""What happens by itself with remote pools: stock is asked for, messages are fetched, numbers go back, orders are repaired."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

import prometheus_client

from simyard.base.clock import Clock
from simyard.base.ids import PoolId
from simyard.core.activations.acquiring import ACTIVATIONS
from simyard.core.earnings.model import AT_ONCE
from simyard.core.loyalty.model import NO_LOYALTY, Loyalty
from simyard.core.messages import service as messages
from simyard.core.messages.model import IncomingMessage
from simyard.core.remote import saga
from simyard.core.remote import service as remote
from simyard.core.remote.model import DueLease, Ending, LeaseState, RemoteMessage
from simyard.core.remote.saga import Leases
from simyard.core.rentals.acquiring import RENTALS
from simyard.db.database import Database, Tx
from simyard.db.due import ConcurrentDueLoop, Item
from simyard.workers.remote.acquire import Sources
from simyard.workers.remote.source import Reason, SourceFailed, SourceRefused

log = logging.getLogger(__name__)

STOCK_SECONDS: Final = 120.0
"""How often each pool is asked what it has; what it said holds for two rounds."""

POLL_SECONDS: Final = 3.0
"""How often a pool that does not push is asked for messages while it holds numbers."""

# Longer than a call and the record of it may take together.
LEASE_SECONDS: Final = 60.0
PER_POOL_MAX: Final = 4

# A push that comes late is not late by this: the round takes time itself.
_ROUNDS = 2
_MARGIN_SECONDS = 30.0
_POLLED_AT_ONCE = 200
_MESSAGES_AT_ONCE = 64

_rounds = prometheus_client.Counter("simyard_remote_calls", "Calls of remote pools.", ["call", "outcome"])


class _PoolsLoop(ConcurrentDueLoop[Item]):
    """A loop that calls remote pools."""

    _call_seconds_max: Final = 30.0

    def __init__(
        self, name: str, database: Database, clock: Clock, sources: Sources, *, pause_seconds: float
    ) -> None:
        super().__init__(name, pause_seconds=pause_seconds)
        self._database = database
        self._clock = clock
        self._sources = sources


class StockRounds(_PoolsLoop[PoolId]):
    """Asks each remote pool what it has now."""

    def __init__(
        self, database: Database, clock: Clock, sources: Sources, *, seconds: float = STOCK_SECONDS
    ) -> None:
        super().__init__("remote stock", database, clock, sources, pause_seconds=1.0)
        self._seconds = seconds

    async def _claim(self, room: int) -> Sequence[PoolId]:
        return await self._database.run(
            lambda tx: remote.claim_stock_rounds(tx, seconds=self._seconds, now=self._clock.now(), limit=room)
        )

    def _label(self, pool_id: PoolId) -> str:
        return f"stock of pool {pool_id}"

    async def _see_to(self, pool_id: PoolId) -> None:
        try:
            async with asyncio.timeout(self._call_seconds_max):
                stock = await (await self._sources.of(pool_id)).stock()
        except (SourceRefused, SourceFailed, TimeoutError) as error:
            problem = _text(error)
            await self._database.run(lambda tx: remote.record_stock_failure(tx, pool_id, problem))
            _rounds.labels("stock", "failed").inc()
            return
        online_seconds = _ROUNDS * self._seconds + _MARGIN_SECONDS
        await self._database.run(
            lambda tx: remote.record_stock(
                tx, pool_id, stock, online_seconds=online_seconds, now=self._clock.now()
            )
        )
        _rounds.labels("stock", "done").inc()


class MessagePolls(_PoolsLoop[PoolId]):
    """Fetches the messages of pools that do not push them."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sources: Sources,
        *,
        seconds: float = POLL_SECONDS,
        loyalty: Loyalty = NO_LOYALTY,
        earning_hold: timedelta = AT_ONCE,
        pause_seconds: float = 0.5,
    ) -> None:
        super().__init__("remote messages", database, clock, sources, pause_seconds=pause_seconds)
        self._seconds = seconds
        self._loyalty = loyalty
        self._earning_hold = earning_hold

    async def _claim(self, room: int) -> Sequence[PoolId]:
        due = await self._database.run(
            lambda tx: remote.claim_polls(tx, seconds=self._seconds, now=self._clock.now(), limit=room)
        )
        busy = set(self.in_flight)
        return [pool_id for pool_id in due if pool_id not in busy]

    def _label(self, pool_id: PoolId) -> str:
        return f"messages of pool {pool_id}"

    async def _see_to(self, pool_id: PoolId) -> None:
        try:
            source = await self._sources.of(pool_id)
            if not source.polled:
                await self._database.run(lambda tx: remote.record_pushes(tx, pool_id, now=self._clock.now()))
                return
            async with self._database.connection() as tx:
                held = await remote.held(tx, pool_id)
            for first in range(0, len(held), _POLLED_AT_ONCE):
                some = held[first : first + _POLLED_AT_ONCE]
                async with asyncio.timeout(self._call_seconds_max):
                    came = await source.poll([one.remote_id for one in some])
                await self._receive(pool_id, {one.remote_id: one.msisdn for one in some}, came)
        except (SourceRefused, SourceFailed, TimeoutError) as error:
            log.info("pool %s: messages could not be fetched: %s", pool_id, _text(error))
            _rounds.labels("messages", "failed").inc()
            return
        _rounds.labels("messages", "done").inc()

    async def _receive(
        self, pool_id: PoolId, msisdns: Mapping[str, str], came: Sequence[RemoteMessage]
    ) -> None:
        """Take what came in; what came before is recognised as a repeat."""
        async with self._database.connection() as tx:
            supplier_id = (await remote.profile_of(tx, pool_id)).profile.supplier_id
        now = self._clock.now()
        incoming = [
            IncomingMessage(
                supplier_id,
                msisdns[one.remote_id],
                None,
                one.sender,
                one.text,
                one.sent_at,
                now,
                one.remote_message_id,
            )
            for one in came
            if one.remote_id in msisdns
        ]
        for first in range(0, len(incoming), _MESSAGES_AT_ONCE):
            await self._database.run(partial(self._take_in, incoming[first : first + _MESSAGES_AT_ONCE]))

    async def _take_in(self, incoming: Sequence[IncomingMessage], tx: Tx) -> None:
        await messages.receive(tx, incoming, loyalty=self._loyalty, earning_hold=self._earning_hold)


class RemoteLeases(_PoolsLoop[DueLease]):
    """Tells sources how numbers ended, until they have heard it; and finds out what orders without an answer left behind."""

    def __init__(self, database: Database, clock: Clock, sources: Sources) -> None:
        super().__init__("remote leases", database, clock, sources, pause_seconds=0.5)

    async def _claim(self, room: int) -> Sequence[DueLease]:
        return await self._database.run(
            lambda tx: remote.claim_due(
                tx,
                lease_seconds=LEASE_SECONDS,
                in_flight=Counter(one.pool_id for one in self.in_flight),
                per_pool_max=PER_POOL_MAX,
                limit=room,
                now=self._clock.now(),
            )
        )

    def _label(self, due: DueLease) -> str:
        return f"remote lease {due.id} of pool {due.pool_id}"

    async def _see_to(self, due: DueLease) -> None:
        if due.state is LeaseState.ASKING:
            await self._database.run(lambda tx: saga.repair(tx, _leases(due), due, now=self._clock.now()))
        elif due.state is LeaseState.AMBIGUOUS:
            await self._find(due)
        elif due.state is LeaseState.FINISHING and due.remote_id is not None and due.ending is not None:
            await self._finish(due, due.remote_id, due.ending)
        elif due.state is LeaseState.HELD and due.remote_id is not None:
            await self._request_next(due, due.remote_id)

    async def _find(self, due: DueLease) -> None:
        try:
            async with asyncio.timeout(self._call_seconds_max):
                source = await self._sources.of(due.pool_id)
                found = await source.find(due.wish, since=due.asked_at)
        except (SourceRefused, SourceFailed, TimeoutError) as error:
            problem = _text(error)
            await self._database.run(lambda tx: remote.look_later(tx, due, problem, now=self._clock.now()))
            _rounds.labels("find", "failed").inc()
            return
        await self._database.run(lambda tx: remote.record_found(tx, due, found, now=self._clock.now()))
        _rounds.labels("find", "done").inc()

    async def _finish(self, due: DueLease, remote_id: str, ending: Ending) -> None:
        try:
            async with asyncio.timeout(self._call_seconds_max):
                source = await self._sources.of(due.pool_id)
                await source.finish(remote_id, ending, amount=due.amount, currency=due.currency)
        except (SourceRefused, SourceFailed, TimeoutError) as error:
            rejected = isinstance(error, SourceRefused) and error.reason is Reason.REJECTED
            problem = _text(error)
            again_at = await self._database.run(
                lambda tx: remote.record_not_finished(
                    tx, due, problem, rejected=rejected, now=self._clock.now()
                )
            )
            if again_at is None:
                log.warning("pool %s, lease %s: it was never told: %s", due.pool_id, due.lease_id, problem)
            _rounds.labels("finish", "failed").inc()
            return
        await self._database.run(lambda tx: remote.record_finished(tx, due, now=self._clock.now()))
        _rounds.labels("finish", "done").inc()

    async def _request_next(self, due: DueLease, remote_id: str) -> None:
        try:
            async with asyncio.timeout(self._call_seconds_max):
                await (await self._sources.of(due.pool_id)).request_next(remote_id)
        except (SourceRefused, SourceFailed, TimeoutError) as error:
            rejected = isinstance(error, SourceRefused) and error.reason is Reason.REJECTED
            await self._database.run(
                lambda tx: remote.record_next_not_requested(tx, due, rejected=rejected, now=self._clock.now())
            )
            _rounds.labels("next", "failed").inc()
            return
        await self._database.run(lambda tx: remote.record_next_requested(tx, due))
        _rounds.labels("next", "done").inc()


def _leases(due: DueLease) -> Leases[Any, Any]:
    return ACTIVATIONS if due.wish.rental_days is None else RENTALS


def _text(error: Exception) -> str:
    if isinstance(error, SourceRefused):
        return f"{error.reason}: {error.detail}" if error.detail else error.reason.value
    if isinstance(error, SourceFailed):
        return error.detail
    return "no answer in time"
