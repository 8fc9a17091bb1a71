"""Orders of remote pools: what follows once a pool was asked for a number. Each verb is one step of the saga.

The order held the price and wrote down what is asked for. Then the pool is asked with no transaction open, and one of these
records what came of it. What a crash leaves behind in between, `repair` finds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Generic, TypeVar

from simyard.base.ids import LeaseId, NumberId
from simyard.core.idempotency import service as idempotency
from simyard.core.numbers import service as numbers
from simyard.core.remote import rules
from simyard.core.remote import service as remote
from simyard.core.remote.model import Asking, DueLease, Ending, RemoteNumber
from simyard.db.database import Tx

AskingT = TypeVar("AskingT", bound=Asking)
Outcome = TypeVar("Outcome")


class Leases(ABC, Generic[AskingT, Outcome]):
    """What the saga has to know of one kind of lease. The outcome is what its buyer is told."""

    @abstractmethod
    async def lock(self, tx: Tx, lease_id: LeaseId) -> bool:
        """Lock the lease; whether it still waits for its number."""

    @abstractmethod
    async def ending_if_unfit(self, tx: Tx, asking: AskingT, number_id: NumberId) -> Ending | None:
        """How a number goes back that this lease may not have; None: it may."""

    @abstractmethod
    async def give(self, tx: Tx, asking: AskingT, number_id: NumberId, number: RemoteNumber) -> Outcome:
        """Let the lease, which is locked and waits, have its number."""

    @abstractmethod
    async def fail(self, tx: Tx, lease_id: LeaseId, *, now: datetime) -> bool:
        """Release the price of a lease that still waits for its number; False when it does not. Locks: lease, wallet."""

    @abstractmethod
    def encode(self, outcome: Outcome) -> bytes:
        """The outcome as it is kept under an idempotency key."""


async def number_came(
    tx: Tx, leases: Leases[AskingT, Outcome], asking: AskingT, number: RemoteNumber, *, now: datetime
) -> Outcome | None:
    """The pool reserved a number: the order has it, or it goes back and the order fails, with its price released.

    None: it went back. It does when it is not what was asked for, or somebody else's here, or the lease may not have it,
    or nobody waits for it any more. Locks: number, lease, wallet; a repeat changes nothing.
    """
    if await remote.is_used(tx, asking.pool_id, number.remote_id):
        # Its id is another number's, so nothing can be said of this one that would not end that one.
        await _fail(tx, leases, asking.lease_id, now)
        await remote.record_no_number(
            tx, asking.lease_id, now=now, problem="the source gave an id that another number has"
        )
        return None
    number_id = None
    if not rules.unfit(number, asking.wish):
        number_id = await numbers.take_remote(
            tx, asking.pool_id, number.msisdn, asking.wish.country, asking.wish.operator_id, asking.lease_id
        )
    waits = await leases.lock(tx, asking.lease_id)
    if waits:
        # An answer that is too late is no success.
        await remote.note_success(tx, asking.pool_id)
    ending = None if number_id is None else await leases.ending_if_unfit(tx, asking, number_id)
    if number_id is not None and ending is None and waits:
        if not await remote.hold(tx, asking.lease_id, number, now=now):
            raise RuntimeError(f"lease {asking.lease_id} waits for a number but none was asked for")
        outcome = await leases.give(tx, asking, number_id, number)
        if asking.idempotency_key is not None:
            await idempotency.complete(tx, asking.lease_id, leases.encode(outcome))
        return outcome
    if number_id is not None:
        await numbers.release(tx, [number_id])
    await _fail(tx, leases, asking.lease_id, now)
    await remote.give_back(tx, asking.lease_id, number, ending or Ending.CANCELED, now=now)
    return None


async def number_refused(tx: Tx, leases: Leases[AskingT, Outcome], asking: AskingT, *, now: datetime) -> None:
    """The pool has none, or was never reached: the order fails and its price is released. Locks: lease, wallet."""
    await _fail(tx, leases, asking.lease_id, now)
    await remote.record_no_number(tx, asking.lease_id, now=now)


async def account_refused(
    tx: Tx, leases: Leases[AskingT, Outcome], asking: AskingT, *, now: datetime
) -> None:
    """The pool does not serve our account there: the order fails, which says nothing about the numbers it has.

    Locks: lease, wallet.
    """
    await _fail(tx, leases, asking.lease_id, now)
    await remote.forget_asking(tx, asking.lease_id)


async def number_unknown(tx: Tx, leases: Leases[AskingT, Outcome], asking: AskingT, *, now: datetime) -> None:
    """Nobody can say whether a number was reserved: the order fails, and the number is looked for.

    It is never asked for again. Locks: lease, wallet.
    """
    await _fail(tx, leases, asking.lease_id, now)
    await remote.record_ambiguous(tx, asking.lease_id, now=now)


async def number_is_late(tx: Tx, leases: Leases[AskingT, Outcome], asking: AskingT, *, now: datetime) -> None:
    """The buyer waits no longer: the order fails. The answer is still listened for. Locks: lease, wallet."""
    await _fail(tx, leases, asking.lease_id, now)


async def repair(tx: Tx, leases: Leases[AskingT, Outcome], due: DueLease, *, now: datetime) -> None:
    """What a process that ended left behind: the order fails, and what it asked for is looked for.

    Not before nobody can be listening for the answer any more. Locks: lease, wallet.
    """
    await _fail(tx, leases, due.lease_id, now)
    if not await remote.wait_for_late_number(tx, due, now=now):
        await remote.record_ambiguous(tx, due.lease_id, now=now)


async def _fail(tx: Tx, leases: Leases[AskingT, Outcome], lease_id: LeaseId, now: datetime) -> None:
    """Fail the order if it still waits for its number, and free its key."""
    if await leases.fail(tx, lease_id, now=now):
        await idempotency.complete(tx, lease_id, None)
