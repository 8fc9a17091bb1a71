"""What happens by itself with remote pools: stock is asked for, messages are fetched, numbers go back, orders are repaired."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
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
from simyard.db.due import DueLoop
from simyard.workers.remote.acquire import Sources
from simyard.workers.remote.source import Reason, SourceFailed, SourceRefused

log = logging.getLogger(__name__)

STOCK_SECONDS: Final = 120.0
"""How often each pool is asked what it has; what it said holds for two rounds."""

POLL_SECONDS: Final = 3.0
"""How often a pool that does not push is asked for messages while it holds numbers."""

CALL_SECONDS_MAX: Final = 30.0
# Longer than a call and the record of it may take together.
LEASE_SECONDS: Final = 60.0
IN_FLIGHT_MAX: Final = 256
PER_POOL_MAX: Final = 4
STOP_SECONDS_MAX: Final = 3.0

# A push that comes late is not late by this: the round takes time itself.
_ROUNDS = 2
_MARGIN_SECONDS = 30.0
_POLLED_AT_ONCE = 200
_MESSAGES_AT_ONCE = 64

_rounds = prometheus_client.Counter("simyard_remote_calls", "Calls of remote pools.", ["call", "outcome"])


class _InTasks(DueLoop):
    """A loop whose rows are seen to in tasks of their own, so that a pool that hangs holds up no other."""

    def __init__(self, name: str, *, pause_seconds: float, stop_seconds_max: float) -> None:
        super().__init__(name, self._begin_due, pause_seconds=pause_seconds)
        self._stop_seconds_max = stop_seconds_max
        self._in_flight: dict[asyncio.Task[None], PoolId] = {}

    async def run(self) -> None:
        """Until `stop`; then what is under way may end, unless that takes long."""
        try:
            await super().run()
            if self._in_flight:
                await asyncio.wait(self._in_flight, timeout=self._stop_seconds_max)
        finally:
            tasks = list(self._in_flight)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Begin what is due and wait until all of it has ended."""
        while await self._begin_due() or self._in_flight:
            await asyncio.wait(self._in_flight)

    async def _begin_due(self) -> int:
        raise NotImplementedError

    def _begin(self, pool_id: PoolId, work: Awaitable[None]) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._in_flight[task] = pool_id
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        pool_id = self._in_flight.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Nothing was recorded: the claim lapses and it is tried again.
            log.error("%s of pool %s: not recorded", self.name, pool_id, exc_info=error)
        self.wake()

    def _per_pool(self) -> Mapping[PoolId, int]:
        return Counter(self._in_flight.values())


class StockRounds(_InTasks):
    """Asks each remote pool what it has now."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sources: Sources,
        *,
        seconds: float = STOCK_SECONDS,
        call_seconds_max: float = CALL_SECONDS_MAX,
        pause_seconds: float = 1.0,
        stop_seconds_max: float = STOP_SECONDS_MAX,
    ) -> None:
        super().__init__("remote stock", pause_seconds=pause_seconds, stop_seconds_max=stop_seconds_max)
        self._database = database
        self._clock = clock
        self._sources = sources
        self._seconds = seconds
        self._call_seconds_max = call_seconds_max

    async def _begin_due(self) -> int:
        room = IN_FLIGHT_MAX - len(self._in_flight)
        if room <= 0:
            return 0
        due = await self._database.run(
            lambda tx: remote.claim_stock_rounds(tx, seconds=self._seconds, now=self._clock.now(), limit=room)
        )
        for pool_id in due:
            self._begin(pool_id, self._ask(pool_id))
        return len(due)

    async def _ask(self, pool_id: PoolId) -> None:
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


class MessagePolls(_InTasks):
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
        call_seconds_max: float = CALL_SECONDS_MAX,
        pause_seconds: float = 0.5,
        stop_seconds_max: float = STOP_SECONDS_MAX,
    ) -> None:
        super().__init__("remote messages", pause_seconds=pause_seconds, stop_seconds_max=stop_seconds_max)
        self._database = database
        self._clock = clock
        self._sources = sources
        self._seconds = seconds
        self._loyalty = loyalty
        self._earning_hold = earning_hold
        self._call_seconds_max = call_seconds_max

    async def _begin_due(self) -> int:
        room = IN_FLIGHT_MAX - len(self._in_flight)
        if room <= 0:
            return 0
        due = await self._database.run(
            lambda tx: remote.claim_polls(tx, seconds=self._seconds, now=self._clock.now(), limit=room)
        )
        busy = set(self._in_flight.values())
        for pool_id in due:
            if pool_id not in busy:
                self._begin(pool_id, self._poll(pool_id))
        return len(due)

    async def _poll(self, pool_id: PoolId) -> None:
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


class RemoteLeases(_InTasks):
    """Tells sources how numbers ended, until they have heard it; and finds out what orders without an answer left behind."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sources: Sources,
        *,
        call_seconds_max: float = CALL_SECONDS_MAX,
        per_pool_max: int = PER_POOL_MAX,
        pause_seconds: float = 0.5,
        stop_seconds_max: float = STOP_SECONDS_MAX,
    ) -> None:
        super().__init__("remote leases", pause_seconds=pause_seconds, stop_seconds_max=stop_seconds_max)
        self._database = database
        self._clock = clock
        self._sources = sources
        self._call_seconds_max = call_seconds_max
        self._per_pool_max = per_pool_max

    async def _begin_due(self) -> int:
        room = IN_FLIGHT_MAX - len(self._in_flight)
        if room <= 0:
            return 0
        due = await self._database.run(
            lambda tx: remote.claim_due(
                tx,
                lease_seconds=LEASE_SECONDS,
                in_flight=self._per_pool(),
                per_pool_max=self._per_pool_max,
                limit=room,
                now=self._clock.now(),
            )
        )
        for one in due:
            self._begin(one.pool_id, self._see_to(one))
        return len(due)

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
