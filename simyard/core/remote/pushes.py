"""Batch verbs about what partners push: who pushes, and which lease an SMS is for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from simyard.base.ids import AccountId, PoolId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import AccountState, Caller
from simyard.core.earnings.model import AT_ONCE
from simyard.core.loyalty.model import NO_LOYALTY, Loyalty
from simyard.core.messages import service as messages
from simyard.core.messages.model import NOT_KEPT, Fate, IncomingMessage, Receipt
from simyard.core.remote import push_store as store
from simyard.core.remote.push_model import AdmitPush, Pushed, PushedMessage
from simyard.core.remote.push_store import Meant
from simyard.db.database import Tx


async def admit(tx: Tx, commands: Sequence[AdmitPush]) -> list[Caller | Refusal]:
    """Recognise each push by the key its pool has for them. One statement.

    Refuses, first match wins: WRONG_KEY, ADDRESS_NOT_ALLOWED, ACCOUNT_SUSPENDED, ACCOUNT_LOCKED.
    """
    results: list[Caller | Refusal] = []
    for command, row in zip(commands, await store.admit(tx, commands=commands), strict=True):
        if row["account_id"] is None:
            results.append(Refusal(Refused.WRONG_KEY))
        elif not row["address_allowed"]:
            results.append(Refusal(Refused.ADDRESS_NOT_ALLOWED))
        elif row["state"] == AccountState.SUSPENDED:
            results.append(Refusal(Refused.ACCOUNT_SUSPENDED))
        elif row["state"] in (AccountState.LOCKED, AccountState.ERASED):
            results.append(Refusal(Refused.ACCOUNT_LOCKED))
        else:
            account_id, pool_id = AccountId(row["account_id"]), PoolId(row["pool_id"])
            results.append(Caller(account_id, row["email"], pool_id, command.now))
    return results


async def receive(
    tx: Tx,
    pushes: Sequence[PushedMessage],
    *,
    loyalty: Loyalty = NO_LOYALTY,
    earning_hold: timedelta = AT_ONCE,
    late_within: timedelta = NOT_KEPT,
) -> list[Pushed | Refusal]:
    """Take SMS in that partners push: each for its number, or, where that is none of theirs, for the operation it names.

    Refuses: BUSY, when nothing waits for it yet but its supplier is being asked for a number: it may be for one whose
    answer is still on its way, and comes again. Locks: as `messages.receive`.
    """
    meant = await store.find_meant(tx, pushes=pushes)
    results: list[Pushed | Refusal] = [Refusal(Refused.BUSY) for _ in pushes]
    taken = [place for place, one in enumerate(meant) if one.leased or _named(one) or not one.asking]
    if not taken:
        return results
    incoming = [_incoming(pushes[place], meant[place]) for place in taken]
    receipts = await messages.receive(
        tx, incoming, loyalty=loyalty, earning_hold=earning_hold, late_within=late_within
    )
    for place, taken_in in zip(taken, receipts, strict=True):
        # A number that is not this supplier's: nobody waits for it here.
        receipt = Receipt(Fate.NO_LEASE) if isinstance(taken_in, Refusal) else taken_in
        one = meant[place]
        disagrees = one.leased and one.msisdn is not None and one.msisdn != pushes[place].msisdn
        results[place] = Pushed(receipt, one.switches, disagrees)
    return results


def _named(one: Meant) -> bool:
    """Whether the operation says what is meant, because the number does not."""
    return not one.known and one.msisdn is not None


def _incoming(push: PushedMessage, one: Meant) -> IncomingMessage:
    return IncomingMessage(
        supplier_id=push.supplier_id,
        msisdn=one.msisdn if _named(one) else push.msisdn,
        number_id=None,
        sender=push.sender,
        text=push.text,
        sent_at=None,
        now=push.now,
        reference=push.reference,
    )
