"""Orders of remote pools: what follows once a pool was asked for a number. Each verb is one step of the saga.

`order` held the price and wrote down what is asked for. Then the pool is asked with no transaction open, and one of these
records what came of it. What a crash leaves behind in between, `repair` finds.
"""

from __future__ import annotations

from datetime import datetime

from simyard.base.ids import ActivationId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations import machine, rules, service, store
from simyard.core.activations.machine import Event, State
from simyard.core.activations.model import Asking, LockedActivation, Order
from simyard.core.idempotency import service as idempotency
from simyard.core.numbers import service as numbers
from simyard.core.remote import rules as remote_rules
from simyard.core.remote import service as remote
from simyard.core.remote.model import DueLease, Ending, RemoteNumber
from simyard.core.wallet import service as wallet
from simyard.db.database import Tx


async def number_came(tx: Tx, asking: Asking, number: RemoteNumber, *, now: datetime) -> Order | None:
    """The pool reserved a number: the order has it, or it goes back and the order fails, with its price released.

    None: it went back. It does when it is not what was asked for, or somebody else's here, or served the service before,
    or nobody waits for it any more. Locks: number, activation, wallet; a repeat changes nothing.
    """
    if await remote.is_used(tx, asking.pool_id, number.remote_id):
        # Its id is another number's, so nothing can be said of this one that would not end that one.
        await _fail(tx, asking.activation_id, now)
        await remote.record_no_number(
            tx, asking.activation_id, now=now, problem="the source gave an id that another number has"
        )
        return None
    number_id = None
    if not remote_rules.unfit(number, asking.wish):
        number_id = await numbers.take_remote(
            tx,
            asking.pool_id,
            number.msisdn,
            asking.wish.country,
            asking.wish.operator_id,
            asking.activation_id,
        )
    activation = await _lock(tx, asking.activation_id)
    if activation.state is State.ACQUIRING:
        # An answer that is too late is no success.
        await remote.note_success(tx, asking.pool_id)
    ending = Ending.CANCELED
    if number_id is not None and await store.has_served(
        tx, number_id=number_id, service_id=activation.service_id
    ):
        ending = Ending.NOT_FOR_SERVICE
    elif number_id is not None and activation.state is State.ACQUIRING:
        if not await remote.hold(tx, activation.id, number, now=now):
            raise RuntimeError(f"activation {activation.id} is being acquired but nothing was asked for")
        await store.give_number(tx, activation_id=activation.id, number_id=number_id, msisdn=number.msisdn)
        order = _order(asking, number)
        if asking.idempotency_key is not None:
            await idempotency.complete(tx, activation.id, service.encode_outcome(order))
        return order
    if number_id is not None:
        await numbers.release(tx, [number_id])
    await _fail_locked(tx, activation, now)
    await remote.give_back(tx, activation.id, number, ending, now=now)
    return None


def _order(asking: Asking, number: RemoteNumber) -> Order:
    return Order(
        activation_id=asking.activation_id,
        msisdn=number.msisdn,
        service_label=asking.service_label,
        country_label=asking.country_label,
        price=asking.price,
        currency=asking.currency,
        available=asking.available,
        ordered_at=asking.ordered_at,
        expires_at=asking.expires_at,
    )


async def number_refused(tx: Tx, asking: Asking, *, now: datetime) -> None:
    """The pool has none, or was never reached: the order fails and its price is released. Locks: activation, wallet."""
    await _fail(tx, asking.activation_id, now)
    await remote.record_no_number(tx, asking.activation_id, now=now)


async def number_unknown(tx: Tx, asking: Asking, *, now: datetime) -> None:
    """Nobody can say whether a number was reserved: the order fails, and the number is looked for.

    It is never asked for again. Locks: activation, wallet.
    """
    await _fail(tx, asking.activation_id, now)
    await remote.record_ambiguous(tx, asking.activation_id, now=now)


async def number_is_late(tx: Tx, asking: Asking, *, now: datetime) -> None:
    """The buyer waits no longer: the order fails. The answer is still listened for. Locks: activation, wallet."""
    await _fail(tx, asking.activation_id, now)


async def repair(tx: Tx, due: DueLease, *, now: datetime) -> None:
    """What a process that ended left behind: the order fails, and what it asked for is looked for.

    Not before nobody can be listening for the answer any more. Locks: activation, wallet.
    """
    await _fail(tx, ActivationId(due.lease_id), now)
    if not await remote.wait_for_late_number(tx, due, now=now):
        await remote.record_ambiguous(tx, due.lease_id, now=now)


async def _lock(tx: Tx, activation_id: ActivationId) -> LockedActivation:
    locked = await store.lock_activations(tx, activation_ids=[activation_id])
    if activation_id not in locked:
        raise Refusal(Refused.UNKNOWN_LEASE)
    return locked[activation_id]


async def _fail(tx: Tx, activation_id: ActivationId, now: datetime) -> None:
    await _fail_locked(tx, await _lock(tx, activation_id), now)


async def _fail_locked(tx: Tx, activation: LockedActivation, now: datetime) -> None:
    """Release the price of an order that still waits for its number, and free its key."""
    step = machine.step(activation.state, Event.NUMBER_REFUSED)
    if step is None:
        return
    buyers = await wallet.lock(tx, [activation.account_id])
    await store.move(tx, steps=[(activation.id, activation.state, step.to)], closes=[True], now=now)
    transfers = rules.transfers(activation, step.money, buyers[activation.account_id], None, {})
    await wallet.post(tx, transfers, buyers, now=now)
    await idempotency.complete(tx, activation.id, None)
