"""Activations as the saga of remote orders sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from simyard.base.ids import ActivationId, LeaseId, NumberId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations import machine, rules, service, store
from simyard.core.activations.machine import Event, State
from simyard.core.activations.model import AskingActivation, LockedActivation, Order
from simyard.core.remote.model import Ending, RemoteNumber
from simyard.core.remote.saga import Leases
from simyard.core.wallet import service as wallet
from simyard.db.database import Tx


class _Activations(Leases[AskingActivation, Order]):
    async def lock(self, tx: Tx, lease_id: LeaseId) -> bool:
        return (await _lock(tx, lease_id)).state is State.ACQUIRING

    async def ending_if_unfit(self, tx: Tx, asking: AskingActivation, number_id: NumberId) -> Ending | None:
        """No number serves a service twice."""
        served = await store.has_served(tx, number_id=number_id, service_id=asking.service_id)
        return Ending.NOT_FOR_SERVICE if served else None

    async def give(
        self, tx: Tx, asking: AskingActivation, number_id: NumberId, number: RemoteNumber
    ) -> Order:
        activation_id = ActivationId(asking.lease_id)
        await store.give_number(tx, activation_id=activation_id, number_id=number_id, msisdn=number.msisdn)
        return Order(
            activation_id=activation_id,
            msisdn=number.msisdn,
            service_label=asking.service_label,
            country_label=asking.country_label,
            price=asking.price,
            currency=asking.currency,
            available=asking.available,
            ordered_at=asking.ordered_at,
            expires_at=asking.expires_at,
        )

    async def fail(self, tx: Tx, lease_id: LeaseId, *, now: datetime) -> bool:
        activation = await _lock(tx, lease_id)
        step = machine.step(activation.state, Event.NUMBER_REFUSED)
        if step is None:
            return False
        buyers = await wallet.lock(tx, [activation.account_id])
        await store.move(tx, steps=[(activation.id, activation.state, step.to)], closes=[True], now=now)
        transfers = rules.transfers(activation, step.money, buyers[activation.account_id], None, {})
        await wallet.post(tx, transfers, buyers, now=now)
        return True

    def encode(self, outcome: Order) -> bytes:
        return service.encode_outcome(outcome)


ACTIVATIONS: Final = _Activations()


async def _lock(tx: Tx, lease_id: LeaseId) -> LockedActivation:
    activation_id = ActivationId(lease_id)
    locked = await store.lock_activations(tx, activation_ids=[activation_id])
    if activation_id not in locked:
        raise Refusal(Refused.UNKNOWN_LEASE)
    return locked[activation_id]
