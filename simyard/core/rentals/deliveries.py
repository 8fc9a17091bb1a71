"""What a message does to its rental: the part of taking SMS in that knows the state table and the money."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from simyard.base.ids import AccountId, NumberId, RentalId
from simyard.core.rentals import machine, rules, store
from simyard.core.rentals.machine import Event, MoneyMove, State
from simyard.core.rentals.model import LockedRental
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import Wallet
from simyard.db.database import Tx


async def lock_open(tx: Tx, number_ids: Collection[NumberId]) -> dict[NumberId, LockedRental]:
    """The open rental on each of these numbers, locked in the order of rental ids."""
    return await store.lock_open_on_numbers(tx, number_ids=number_ids)


def payers(arrived: Sequence[LockedRental]) -> set[AccountId]:
    """Whose wallets `deliver` needs."""
    return {rental.account_id for rental in arrived if rental.state is State.WAITING}


async def deliver(
    tx: Tx, arrived: Sequence[LockedRental], wallets: Mapping[AccountId, Wallet], *, now: datetime
) -> None:
    """Count a message for each locked rental named; the first confirms it and puts its price into escrow.

    The caller has locked the wallets of `payers`.
    """
    states: dict[RentalId, State] = {}
    counts: dict[RentalId, int] = {}
    confirmed: list[LockedRental] = []
    for rental in arrived:
        step = machine.TABLE[states.get(rental.id, rental.state), Event.SMS_ARRIVED]
        states[rental.id] = step.to
        counts[rental.id] = counts.get(rental.id, 0) + 1
        if step.money is MoneyMove.CAPTURE:
            confirmed.append(rental)
    await store.receive(tx, counts=counts, now=now)
    if not confirmed:
        return
    prices = await store.charged(tx, rental_ids=[rental.id for rental in confirmed])
    shared = await wallet.shared(tx, {rental.currency for rental in confirmed})
    transfers = [
        transfer
        for rental in confirmed
        for transfer in rules.capture(rental, prices[rental.id].price, wallets[rental.account_id], shared)
    ]
    await wallet.post(tx, transfers, wallets, now=now)
