"""Taking a sale back: the buyer gets what he paid, and all who had a share of it give theirs back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from simyard.base.ids import AccountId, ActivationId, LedgerAccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations import machine, store
from simyard.core.activations.machine import Event
from simyard.core.activations.model import LockedActivation
from simyard.core.audit import service as audit
from simyard.core.earnings import service as earnings
from simyard.core.earnings.model import Earning
from simyard.core.earnings.rules import Purse
from simyard.core.numbers import service as numbers
from simyard.core.remote import service as remote
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import Booked, SharedKind, Transfer, TransferKind, Wallet
from simyard.db.database import Tx

REASON_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class RefundActivation:
    activation_id: ActivationId
    reason: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Refunded:
    """`amount`: what the buyer got back, which is the price without the cashback it had brought him.

    `owed`: what of the supplier's and the referrer's shares could not be taken from them and became their debt.
    """

    activation_id: ActivationId
    account_id: AccountId
    amount: int
    currency: str
    owed: dict[AccountId, int]


async def refund(tx: Tx, command: RefundActivation, *, actor: str) -> Refunded:
    """Pay the price of a sold activation back, once. One that is still open is finished first.

    The platform gives its margin back, the supplier what he earned: out of what is pending while it is, else out of what
    he has available; what is missing the platform advances, and it becomes his debt. The buyer gives his cashback back,
    his referrer what he got. Refuses, first match wins: MALFORMED (reason), UNKNOWN_LEASE, REFERENCE_TAKEN (refunded
    before), NOT_SOLD, ACCOUNT_ERASED (`account_id`: one of those whose wallets it would move is closed). Whoever the
    number came from is told. Locks: number, activation, earning, wallets by account id.
    """
    reason = command.reason.strip()
    if not reason or len(reason) > REASON_LENGTH_MAX or "\0" in reason:
        raise Refusal(Refused.MALFORMED, field="reason")
    known, number_id = await store.number_of_any(tx, activation_id=command.activation_id)
    if not known:
        raise Refusal(Refused.UNKNOWN_LEASE, lease=command.activation_id)
    if number_id is not None:
        await numbers.lock(tx, [number_id])
    activation = (await store.lock_activations(tx, activation_ids=[command.activation_id]))[
        command.activation_id
    ]
    if await store.refunded(tx, activation_id=activation.id):
        raise Refusal(Refused.REFERENCE_TAKEN)
    if not activation.messages:
        raise Refusal(Refused.NOT_SOLD, lease=activation.id)
    await _finish(tx, activation, command.now)
    earning = await earnings.take_back(tx, activation.id)
    prefix = f"activation/{activation.id}"
    booked = {
        one.reference.removeprefix(f"{prefix}/"): one
        for one in await wallet.booked(tx, [f"{prefix}/{part}" for part in _PARTS])
    }
    owners = {activation.account_id}
    owners |= {_owner(booked[part]) for part in ("earning", "referral") if part in booked}
    wallets = await wallet.lock(tx, owners)
    for owner in wallets.values():
        if owner.closed:
            raise Refusal(Refused.ACCOUNT_ERASED, account_id=owner.account_id)
    shared = await wallet.shared(tx, {one.currency for one in wallets.values()})
    transfers = _transfers(activation, booked, earning, wallets, shared)
    await wallet.post(tx, transfers, wallets, now=command.now)
    if activation.remote:
        await remote.refund(tx, activation.id, now=command.now)
    owed = {
        owner.account_id: amount
        for owner in wallets.values()
        if (amount := sum(one.amount for one in transfers if one.debit == owner.debt_id))
    }
    amount = activation.price - (booked["cashback"].amount if "cashback" in booked else 0)
    await store.insert_refund(tx, activation_id=activation.id, amount=amount, reason=reason, now=command.now)
    # Why is with the refund, where it can be erased.
    facts: dict[str, object] = {
        "lease_id": activation.id,
        "amount": amount,
        "currency": activation.currency,
        "owed": {str(account_id): debt for account_id, debt in owed.items()},
    }
    await audit.record(tx, actor=actor, action="activation.refunded", facts=facts, now=command.now)
    return Refunded(activation.id, activation.account_id, amount, activation.currency, owed)


_PARTS = ("margin", "earning", "exchange", "cashback", "referral", "referral/exchange")
"""What a capture may have booked, by the last words of the references."""


async def _finish(tx: Tx, activation: LockedActivation, now: datetime) -> None:
    """Close it when it is open. Its number is locked."""
    step = machine.step(activation.state, Event.FINISHED)
    if step is not None:
        await store.move(tx, steps=[(activation.id, activation.state, step.to)], closes=[True], now=now)
        await numbers.release(tx, [activation.number_id] if activation.number_id is not None else [])


def _transfers(
    activation: LockedActivation,
    booked: Mapping[str, Booked],
    earning: Earning | None,
    wallets: Mapping[AccountId, Wallet],
    shared: Mapping[tuple[SharedKind, str], LedgerAccountId],
) -> list[Transfer]:
    """The way back of everything the capture booked. What the buyer gets comes first, as it pays for his cashback."""
    buyer, currency = wallets[activation.account_id], activation.currency
    purses = {account_id: Purse.of(one) for account_id, one in wallets.items()}
    prefix = f"activation/{activation.id}/refund"
    moves: list[Transfer] = []

    def back(part: str, kind: TransferKind, debit: LedgerAccountId, credit: LedgerAccountId) -> None:
        moves.append(Transfer(f"{prefix}/{part}", kind, debit, credit, currency, booked[part].amount))

    if "margin" in booked:
        back("margin", TransferKind.REFUND, booked["margin"].credit, buyer.available_id)
    if "exchange" in booked:
        back("exchange", TransferKind.REFUND, booked["exchange"].credit, buyer.available_id)
    if "earning" in booked:
        earned = booked["earning"]
        purse = purses[_owner(earned)]
        direct = "exchange" not in booked
        moves += purse.take_earning(
            f"{prefix}/earning",
            TransferKind.REFUND if direct else TransferKind.REVERSAL,
            buyer.available_id if direct else earned.debit,
            earned.amount,
            earning,
        )
    if "cashback" in booked:
        back("cashback", TransferKind.REVERSAL, buyer.available_id, booked["cashback"].debit)
    if "referral" in booked:
        paid = booked["referral"]
        moves += purses[_owner(paid)].take(
            f"{prefix}/referral", TransferKind.REFERRAL_REVERSAL, paid.debit, paid.amount
        )
    if "referral/exchange" in booked:
        given = booked["referral/exchange"]
        back("referral/exchange", TransferKind.REVERSAL, given.credit, shared[SharedKind.REVENUE, currency])
    return moves


def _owner(booked: Booked) -> AccountId:
    if booked.owner_id is None:
        raise ValueError(f"{booked.reference} was booked to nobody")
    return booked.owner_id
