"""What decides about orders and cancels from values alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from simyard.base.ids import AccountId, ActivationId, LedgerAccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations import machine
from simyard.core.activations.machine import Event, MoneyMove, State
from simyard.core.activations.model import (
    ActOnActivation,
    CloseActivation,
    LockedActivation,
    OrderNumber,
)
from simyard.core.loyalty.model import Reward
from simyard.core.pricing.model import Quote
from simyard.core.referrals.model import Sale
from simyard.core.wallet.model import SharedKind, Transfer, TransferKind, Wallet

SharedAccounts: TypeAlias = Mapping[tuple[SharedKind, str], LedgerAccountId]


def fingerprint(command: OrderNumber) -> bytes:
    """What must be the same for two orders to be one under an idempotency key."""
    wanted = (
        command.service_id,
        command.country,
        command.service_label,
        command.country_label,
        command.pool_id,
        command.operator_id,
        command.excluded,
        command.price_max,
        command.common_only,
        # Left out where there is none, so that keys of earlier versions still hold.
        *(() if command.price_exact is None else (command.price_exact,)),
    )
    return hashlib.sha256(msgspec.json.encode(wanted)).digest()


def judge_cancel(activation: LockedActivation, command: ActOnActivation, available: int) -> Refusal | None:
    """Why this cancel must be refused, or None.

    First match wins: CODE_RECEIVED, LEASE_CLOSED, TOO_EARLY (`seconds` left). After the activation's time ran out
    no cancel is too early.
    """
    if activation.messages and activation.state is not State.WAITING_AGAIN:
        return Refusal(
            Refused.CODE_RECEIVED,
            activation_id=activation.id,
            msisdn=activation.msisdn,
            service_label=activation.service_label,
            state=activation.state,
            code=activation.code,
        )
    if machine.step(activation.state, Event.CANCELED) is None:
        return Refusal(
            Refused.LEASE_CLOSED,
            activation_id=activation.id,
            state=activation.state,
            refunded=refunded(activation),
            currency=activation.currency,
            available=available,
        )
    seconds = _seconds_locked(activation, command)
    if activation.state is State.WAITING and seconds > 0 and command.now < activation.expires_at:
        return Refusal(Refused.TOO_EARLY, seconds=seconds)
    return None


def judge_close(activation: LockedActivation, command: CloseActivation) -> Event | None:
    """How an activation is closed: canceled while nothing came, else finished; None when it is closed already.

    Refuses: TOO_EARLY (`seconds` left), while nothing came and its time has not run out, and for a moment while a number
    is still being asked for.
    """
    if activation.state not in machine.OPEN:
        return None
    if activation.state not in machine.AWAITING_SMS:
        raise Refusal(Refused.TOO_EARLY, seconds=max(1, _seconds_locked(activation, command)))
    if activation.state is not State.WAITING:
        return Event.FINISHED
    seconds = _seconds_locked(activation, command)
    if seconds > 0 and command.now < activation.expires_at:
        raise Refusal(Refused.TOO_EARLY, seconds=seconds)
    return Event.CANCELED


def _seconds_locked(activation: LockedActivation, command: ActOnActivation | CloseActivation) -> int:
    """How many seconds a cancel is still too early, rounded up; 0 or less when it is not."""
    age = (command.now - activation.ordered_at).total_seconds()
    return math.ceil(command.locked_seconds - age)


def refunded(activation: LockedActivation) -> int:
    """What closing gave back of a closed activation's price."""
    return 0 if activation.messages else activation.price


def hold(activation_id: ActivationId, quote: Quote, buyer: Wallet) -> Transfer:
    """The transfer that sets an order's price aside."""
    return Transfer(
        f"activation/{activation_id}/hold",
        TransferKind.HOLD,
        buyer.available_id,
        buyer.held_id,
        quote.currency,
        quote.price,
    )


def rewards(
    captured: Sequence[LockedActivation],
    coded: Sequence[LockedActivation],
    wallets: Mapping[AccountId, Wallet],
) -> list[Reward]:
    """The first codes of a batch as what they are rewarded by. The wallets do not know of its captures yet."""
    spent = {account_id: one.spent for account_id, one in wallets.items()}
    before: dict[ActivationId, int] = {}
    for activation in captured:
        before[activation.id] = spent[activation.account_id]
        spent[activation.account_id] += activation.price
    return [
        Reward(
            activation.id,
            activation.account_id,
            activation.currency,
            activation.price,
            # When it was captured by an earlier message, without what it cost itself.
            before.get(activation.id, wallets[activation.account_id].spent - activation.price),
        )
        for activation in coded
    ]


def sale(activation: LockedActivation, cashback: int) -> Sale:
    """What a captured activation is to those who share in it: what its buyer gets back is no margin any more."""
    return Sale(
        f"activation/{activation.id}",
        activation.account_id,
        activation.currency,
        activation.price,
        max(0, activation.margin - cashback),
    )


def transfers(
    activation: LockedActivation,
    money: MoneyMove,
    buyer: Wallet,
    supplier: Wallet | None,
    shared: SharedAccounts,
    *,
    pending: bool = False,
) -> list[Transfer]:
    """What a step does to the money.

    A capture divides the held price: the margin becomes revenue, the rest the supplier's earning, through the clearing
    accounts when he is paid in another currency. He can spend it at once unless it is to be pending first. References
    name the activation and the move, so none is booked twice.
    """
    if money is MoneyMove.NONE or activation.price == 0:
        return []
    prefix = f"activation/{activation.id}"
    currency = activation.currency
    if money is MoneyMove.RELEASE:
        return [
            Transfer(
                f"{prefix}/release",
                TransferKind.RELEASE,
                buyer.held_id,
                buyer.available_id,
                currency,
                activation.price,
            )
        ]
    moves = []
    cost = activation.price - activation.margin
    earned = None if supplier is None else supplier.pending_id if pending else supplier.available_id
    if activation.margin:
        revenue = shared[SharedKind.REVENUE, currency]
        moves.append(
            Transfer(
                f"{prefix}/margin", TransferKind.MARGIN, buyer.held_id, revenue, currency, activation.margin
            )
        )
    if cost and earned is not None and activation.earning_currency == currency:
        moves.append(
            Transfer(
                f"{prefix}/earning",
                TransferKind.EARNING,
                buyer.held_id,
                earned,
                currency,
                cost,
            )
        )
    elif cost:
        clearing = shared[SharedKind.CLEARING, currency]
        moves.append(
            Transfer(f"{prefix}/exchange", TransferKind.EXCHANGE, buyer.held_id, clearing, currency, cost)
        )
        if earned is not None and activation.earning:
            moves.append(
                Transfer(
                    f"{prefix}/earning",
                    TransferKind.EARNING,
                    shared[SharedKind.CLEARING, activation.earning_currency],
                    earned,
                    activation.earning_currency,
                    activation.earning,
                )
            )
    return moves
