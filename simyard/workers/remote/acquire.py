"""Asks remote pools for numbers: the saga of an order whose number lies with somebody else.

The price is held and what is asked for is written down, then the pool is asked with no transaction open, then the outcome
is recorded. The buyer waits for so long at most; the answer is listened for longer, and a number that comes too late is given
back. What a process that ends leaves behind, the loop in `loops.py` repairs.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

import asyncpg
import prometheus_client

from simyard.base.clock import Clock
from simyard.base.ids import PoolId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations.acquiring import ACTIVATIONS
from simyard.core.activations.model import Order, OrderNumber
from simyard.core.lanes import Attempt
from simyard.core.remote import rules, saga
from simyard.core.remote import service as remote
from simyard.core.remote.model import Asking, Profile, RemoteNumber
from simyard.core.remote.saga import AskingT, Leases
from simyard.core.rentals import service as rentals
from simyard.core.rentals.acquiring import RENTALS
from simyard.core.rentals.model import OrderRental, Rental
from simyard.db.database import Database, Tx
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.remote.source import Reason, Source, SourceFailed, SourceRefused, WrongSwitch
from simyard.workers.remote.sources import source_of

log = logging.getLogger(__name__)

PER_POOL_MAX: Final = 64
"""How many orders of this process may wait for one pool's answer; the others go to other pools."""

STOP_SECONDS_MAX: Final = 3.0

# With other pools left to ask, one gets this part of the time that is left.
_PART = 0.5
# Too little to ask another pool.
_SECONDS_MIN = 0.5
_TWIN_SECONDS = 0.1
# A profile that was changed is used from then on.
_SOURCE_SECONDS = 10.0

_asked = prometheus_client.Counter(
    "simyard_remote_orders", "Numbers asked of remote pools, by what came of it.", ["pool", "outcome"]
)

Result = TypeVar("Result")
Command = TypeVar("Command", OrderNumber, OrderRental)
Bought = TypeVar("Bought", Order, Rental)


class Sources:
    """The sources of pools, made from their profiles as they are now, or were a moment ago."""

    def __init__(self, database: Database, client: OutgoingClient, base_currency: str) -> None:
        self._database = database
        self._client = client
        self._base_currency = base_currency
        self._made: dict[PoolId, tuple[float, Profile, Source]] = {}

    async def of(self, pool_id: PoolId) -> Source:
        """Raises SourceFailed when the pool's profile cannot be used."""
        now = asyncio.get_running_loop().time()
        made = self._made.get(pool_id)
        if made is not None and now < made[0]:
            return made[2]
        try:
            async with self._database.connection() as tx:
                view = await remote.profile_of(tx, pool_id, self._base_currency)
            # One whose profile is as it was goes on with what it has learnt.
            unchanged = made is not None and made[1] == view.profile
            source = made[2] if made is not None and unchanged else source_of(view.profile, self._client)
        except Refusal as refusal:
            raise SourceFailed("the pool has no profile", ambiguous=False) from refusal
        except WrongSwitch as error:
            raise SourceFailed(f"its profile cannot be used: {error}", ambiguous=False) from error
        self._made[pool_id] = (now + _SOURCE_SECONDS, view.profile, source)
        return source


@dataclass(slots=True)
class _Waiting:
    """Whether the buyer still waits, as whoever gets the answer has to know; and whether it is being recorded."""

    late: bool = False
    recording: bool = False


@dataclass(frozen=True, slots=True)
class _NoNumber:
    """`failed`: not because the pool had none."""

    failed: bool


class RemoteAcquirer:
    """One process' orders of remote pools."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sources: Sources,
        *,
        budget_seconds: float = rules.BUDGET_SECONDS,
        answer_seconds_max: float = rules.ANSWER_SECONDS_MAX,
        per_pool_max: int = PER_POOL_MAX,
        stop_seconds_max: float = STOP_SECONDS_MAX,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sources = sources
        self._budget_seconds = budget_seconds
        self._answer_seconds_max = answer_seconds_max
        self._per_pool_max = per_pool_max
        self._stop_seconds_max = stop_seconds_max
        self._in_flight: Counter[PoolId] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def order(self, command: OrderNumber, attempt: Attempt) -> Order:
        """Order a number, wherever it lies.

        Pools that must be asked are asked one after the other, cheapest first, within one budget of time. Refuses what
        `activations.order` refuses; UPSTREAM_FAILED when all that had numbers failed.
        """
        return await self._acquire(ACTIVATIONS, command, attempt)

    async def rent(self, command: OrderRental) -> Rental:
        """Rent a number, wherever it lies; else as `order`. Refuses what `rentals.order` refuses; UPSTREAM_FAILED."""
        return await self._acquire(
            RENTALS, command, lambda one: self._database.run(lambda tx: rentals.order(tx, one))
        )

    async def _acquire(
        self,
        leases: Leases[AskingT, Bought],
        command: Command,
        attempt: Callable[[Command], Awaitable[Bought | AskingT]],
    ) -> Bought:
        deadline = asyncio.get_running_loop().time() + self._budget_seconds
        command = replace(command, remote=True, avoided=command.avoided | self._full())
        result = await self._try(command, attempt, deadline)
        if not isinstance(result, Asking):
            return result
        # The saga goes on when the buyer goes away.
        return await asyncio.shield(self._spawn(self._carry_on(leases, command, result, attempt, deadline)))

    def _full(self) -> frozenset[PoolId]:
        return frozenset(pool for pool, count in self._in_flight.items() if count >= self._per_pool_max)

    async def _try(
        self, command: Command, attempt: Callable[[Command], Awaitable[Result]], deadline: float
    ) -> Result:
        """An attempt. A twin under its key, whose outcome is still to come, is waited for."""
        while True:
            try:
                return await attempt(command)
            except Refusal as refusal:
                left = deadline + self._budget_seconds - asyncio.get_running_loop().time()
                if refusal.reason is not Refused.BUSY or "twin" not in refusal.facts or left < 0:
                    raise
            await asyncio.sleep(_TWIN_SECONDS)

    async def _carry_on(
        self,
        leases: Leases[AskingT, Bought],
        command: Command,
        asking: AskingT,
        attempt: Callable[[Command], Awaitable[Bought | AskingT]],
        deadline: float,
    ) -> Bought:
        loop = asyncio.get_running_loop()
        failed = False
        while True:
            outcome = await self._ask(leases, asking, deadline - loop.time())
            if not isinstance(outcome, _NoNumber):
                return outcome
            failed = failed or outcome.failed
            avoided = command.avoided | {asking.pool_id} | self._full()
            command = replace(command, avoided=avoided, now=self._clock.now())
            if deadline - loop.time() < _SECONDS_MIN:
                break
            try:
                result = await self._try(command, attempt, deadline)
            except Refusal as refusal:
                if refusal.reason in (Refused.NO_NUMBERS, Refused.INSUFFICIENT_FUNDS):
                    break
                raise
            if not isinstance(result, Asking):
                return result
            asking = result
        raise Refusal(Refused.UPSTREAM_FAILED if failed else Refused.NO_NUMBERS)

    async def _ask(
        self, leases: Leases[AskingT, Bought], asking: AskingT, seconds: float
    ) -> Bought | _NoNumber:
        """Ask one pool, and wait for so long; what comes of it is recorded in any case."""
        waiting = _Waiting()
        task = self._spawn(self._ask_and_record(leases, asking, waiting))
        await asyncio.wait({task}, timeout=max(seconds * _PART if asking.others else seconds, _SECONDS_MIN))
        try:
            if task.done() or waiting.recording:
                return await task
            waiting.late = True
            await self._recorded(lambda tx: saga.number_is_late(tx, leases, asking, now=self._clock.now()))
            await self._note_failure(asking.pool_id, "no answer in time")
        except Exception:
            # Its outcome could not be recorded: whatever there is of it is repaired.
            log.exception("lease %s: not recorded", asking.lease_id)
        else:
            _count(asking, "late")
        return _NoNumber(failed=True)

    async def _ask_and_record(
        self, leases: Leases[AskingT, Bought], asking: AskingT, waiting: _Waiting
    ) -> Bought | _NoNumber:
        pool_id = asking.pool_id
        self._in_flight[pool_id] += 1
        try:
            async with asyncio.timeout(self._answer_seconds_max):
                source = await self._sources.of(pool_id)
                number = await source.order(asking.wish)
        except SourceRefused as refused:
            waiting.recording = not waiting.late
            return await self._refused(leases, asking, refused, late=waiting.late)
        except SourceFailed as failed:
            waiting.recording = not waiting.late
            return await self._failed(leases, asking, failed, late=waiting.late)
        except TimeoutError:
            waiting.recording = not waiting.late
            return await self._failed(
                leases, asking, SourceFailed("no answer", ambiguous=True), late=waiting.late
            )
        except Exception as error:
            # Where it went wrong, but not its text: it may quote what the other side said.
            place = traceback.extract_tb(error.__traceback__)[-1]
            log.error(
                "pool %s: an order failed unexpectedly: %s at %s:%s",
                pool_id,
                type(error).__name__,
                place.filename,
                place.lineno,
            )
            waiting.recording = not waiting.late
            return await self._failed(
                leases, asking, SourceFailed(type(error).__name__, ambiguous=True), late=waiting.late
            )
        finally:
            self._in_flight[pool_id] -= 1
        waiting.recording = not waiting.late
        return await self._came(leases, asking, number, late=waiting.late)

    async def _came(
        self, leases: Leases[AskingT, Bought], asking: AskingT, number: RemoteNumber, *, late: bool
    ) -> Bought | _NoNumber:
        record = partial(saga.number_came, leases=leases, asking=asking, number=number, now=self._clock.now())
        try:
            order = await self._recorded(record)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "remote_lease_of_one_remote_id":
                raise
            # Two numbers came at the same moment under one id. Now it is known which has it.
            order = await self._recorded(record)
        if order is not None:
            _count(asking, "number")
            return order
        _count(asking, "given back late" if late else "given back")
        return _NoNumber(failed=False)

    async def _refused(
        self, leases: Leases[AskingT, Bought], asking: AskingT, refused: SourceRefused, *, late: bool
    ) -> _NoNumber:
        record = saga.account_refused if refused.reason.is_of_our_account else saga.number_refused
        await self._recorded(lambda tx: record(tx, leases, asking, now=self._clock.now()))
        _count(asking, refused.reason.value)
        if late:
            return _NoNumber(failed=True)
        if refused.reason in (Reason.NO_NUMBERS, Reason.NOT_OFFERED):
            await self._recorded(lambda tx: remote.record_sold_out(tx, asking.pool_id, asking.wish))
            return _NoNumber(failed=False)
        await self._note_failure(asking.pool_id, f"{refused.reason}: {refused.detail}")
        return _NoNumber(failed=True)

    async def _failed(
        self, leases: Leases[AskingT, Bought], asking: AskingT, failed: SourceFailed, *, late: bool
    ) -> _NoNumber:
        record = saga.number_unknown if failed.ambiguous else saga.number_refused
        await self._recorded(lambda tx: record(tx, leases, asking, now=self._clock.now()))
        if not late:
            # One that is late was counted when it was.
            await self._note_failure(asking.pool_id, failed.detail)
        _count(asking, "unknown" if failed.ambiguous else "failed")
        return _NoNumber(failed=True)

    async def _note_failure(self, pool_id: PoolId, failure: str) -> None:
        await self._recorded(lambda tx: remote.note_failure(tx, pool_id, failure, now=self._clock.now()))

    async def _recorded(self, work: Callable[[Tx], Awaitable[Result]]) -> Result:
        return await self._database.run(work)

    def _spawn(self, work: Awaitable[Result]) -> asyncio.Task[Result]:
        task: asyncio.Task[Result] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Result]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Seen, so that nobody is told that it was not: its waiter may be gone.
            task.exception()

    async def close(self) -> None:
        """Let what is under way end, unless that takes long; then its repair is left to whoever comes after."""
        tasks = set(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=self._stop_seconds_max)
        for task in self._tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)


def _count(asking: Asking, outcome: str) -> None:
    _asked.labels(str(asking.pool_id), outcome).inc()
