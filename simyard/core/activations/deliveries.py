"""What a message does to its activation: the part of taking SMS in that knows the state table and the money."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from simyard.base.ids import ActivationId, NumberId
from simyard.core.activations import machine, rules, store
from simyard.core.activations.machine import Event, MoneyMove, State
from simyard.core.activations.model import LockedActivation
from simyard.core.wallet import service as wallet
from simyard.db.database import Tx


@dataclass(frozen=True, slots=True)
class Delivery:
    activation: LockedActivation
    code: str | None


async def lock_open(tx: Tx, number_ids: Collection[NumberId]) -> dict[NumberId, LockedActivation]:
    """The open activation on each of these numbers, locked in the order of activation ids."""
    return await store.lock_open_on_numbers(tx, number_ids=number_ids)


async def deliver(tx: Tx, arrived: Sequence[Delivery], *, now: datetime) -> None:
    """Move locked activations on by the messages that came for them, in order, and capture the price of new ones."""
    states: dict[ActivationId, State] = {}
    codes: dict[ActivationId, str | None] = {}
    counts: dict[ActivationId, int] = {}
    replaces: dict[ActivationId, bool] = {}
    captured: list[LockedActivation] = []
    for delivery in arrived:
        activation = delivery.activation
        state = states.get(activation.id, activation.state)
        step = machine.TABLE[state, Event.SMS_ARRIVED]
        states[activation.id] = step.to
        counts[activation.id] = counts.get(activation.id, 0) + 1
        # After the buyer asked for the next message its code takes the place of the one he did not want.
        replaces.setdefault(activation.id, state is State.WAITING_AGAIN)
        codes[activation.id] = codes.get(activation.id) or delivery.code
        if step.money is MoneyMove.CAPTURE:
            captured.append(activation)
    ids = list(states)
    await store.receive(
        tx,
        activation_ids=ids,
        codes=[codes[one] for one in ids],
        counts=[counts[one] for one in ids],
        replaces=[replaces[one] for one in ids],
        now=now,
    )
    if captured:
        await _capture(tx, captured, now)


async def _capture(tx: Tx, captured: Sequence[LockedActivation], now: datetime) -> None:
    owners = {activation.account_id for activation in captured}
    owners |= {activation.supplier_id for activation in captured if activation.supplier_id is not None}
    wallets = await wallet.lock(tx, owners)
    shared = await wallet.shared(tx, {one.currency for one in wallets.values()})
    transfers = [
        transfer
        for activation in captured
        for transfer in rules.transfers(
            activation,
            MoneyMove.CAPTURE,
            wallets[activation.account_id],
            wallets.get(activation.supplier_id) if activation.supplier_id is not None else None,
            shared,
        )
    ]
    await wallet.post(tx, transfers, wallets, now=now)
