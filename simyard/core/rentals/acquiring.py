"""Rentals as the saga of remote orders sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from simyard.base.ids import LeaseId, NumberId, RentalId
from simyard.core.numbers import service as numbers
from simyard.core.remote.model import Ending, RemoteNumber
from simyard.core.remote.saga import Leases
from simyard.core.rentals import machine, rules, service, store
from simyard.core.rentals.machine import Event, State
from simyard.core.rentals.model import AskingRental, Rental
from simyard.core.wallet import service as wallet
from simyard.db.database import Tx


class _Rentals(Leases[AskingRental, Rental]):
    async def lock(self, tx: Tx, lease_id: LeaseId) -> bool:
        return await store.lock_acquiring(tx, rental_id=RentalId(lease_id)) is not None

    async def ending_if_unfit(self, tx: Tx, asking: AskingRental, number_id: NumberId) -> Ending | None:
        """Whatever a number served before; but not one the account banned, nor one that is banned from rent."""
        unfit = await numbers.is_banned_by(tx, asking.account_id, number_id)
        unfit = unfit or await numbers.banned_for_rent(tx, number_id)
        return Ending.CANCELED if unfit else None

    async def give(self, tx: Tx, asking: AskingRental, number_id: NumberId, number: RemoteNumber) -> Rental:
        rental_id = RentalId(asking.lease_id)
        await store.give_number(tx, rental_id=rental_id, number_id=number_id, msisdn=number.msisdn)
        return await service.shown(tx, asking.account_id, rental_id, asking.base_currency)

    async def fail(self, tx: Tx, lease_id: LeaseId, *, now: datetime) -> bool:
        rental_id = RentalId(lease_id)
        account_id = await store.lock_acquiring(tx, rental_id=rental_id)
        if account_id is None:
            return False
        buyers = await wallet.lock(tx, [account_id])
        step = machine.TABLE[State.ACQUIRING, Event.NUMBER_REFUSED]
        await store.close(tx, steps=[(rental_id, State.ACQUIRING, step.to)], now=now)
        charged = (await store.charged(tx, rental_ids=[rental_id]))[rental_id]
        await wallet.post(tx, rules.release(rental_id, charged.price, buyers[account_id]), buyers, now=now)
        return True

    def encode(self, outcome: Rental) -> bytes:
        return service.encode_outcome(outcome)


RENTALS: Final = _Rentals()
