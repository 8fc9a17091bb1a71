"""What decides about rentals from values alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec

from simyard.base.ids import AccountId, LedgerAccountId, RentalId
from simyard.base.refusals import Refusal, Refused
from simyard.core.pricing import rules as pricing_rules
from simyard.core.pricing.model import Quote
from simyard.core.referrals.model import Sale
from simyard.core.remote import rules as remote_rules
from simyard.core.remote.model import Choice, RemoteWish
from simyard.core.rentals import machine
from simyard.core.rentals.machine import Event, State
from simyard.core.rentals.model import (
    Charged,
    CountryOffer,
    ExtendRental,
    LockedRental,
    OrderRental,
    RentalOffer,
    Tariff,
)
from simyard.core.wallet.model import SharedKind, Transfer, TransferKind, Wallet

SharedAccounts: TypeAlias = Mapping[tuple[SharedKind, str], LedgerAccountId]


def order_fingerprint(command: OrderRental) -> bytes:
    """What must be the same for two orders to be one under an idempotency key."""
    return _fingerprint(
        "rental",
        command.country,
        command.days,
        command.auto_extend,
        command.pool_id,
        command.excluded,
    )


def extension_fingerprint(command: ExtendRental) -> bytes:
    """What must be the same for two extensions to be one under an idempotency key."""
    return _fingerprint("rental extension", command.rental_id, command.days)


def _fingerprint(*wanted: object) -> bytes:
    return hashlib.sha256(msgspec.json.encode(wanted)).digest()


def wish(rental_id: RentalId, command: OrderRental, choice: Choice, quote: Quote) -> RemoteWish:
    """What a source is asked for. It earns that much for the first period."""
    return RemoteWish(
        country=command.country,
        country_name=choice.country_name,
        service_id=None,
        service_name=choice.service_name,
        operator_id=None,
        operator_name=choice.operator_name,
        amount=quote.earning,
        currency=quote.earning_currency,
        price_max=None,
        excluded=command.excluded,
        reference=remote_rules.new_reference(rental_id),
        rental_days=command.days,
    )


# Prices


def quotes(
    tariffs: Sequence[Tariff], currency: str, currencies: Mapping[AccountId, str], rates: Mapping[str, int]
) -> list[tuple[Tariff, Quote]]:
    """What each tariff costs in a currency. One whose supplier cannot be paid, for want of a rate, is none.

    Refuses: NO_RATE when that leaves nothing.
    """
    quoted = []
    for tariff in tariffs:
        earning_currency = currency if tariff.supplier_id is None else currencies.get(tariff.supplier_id)
        if earning_currency is not None:
            with suppress(Refusal):
                quoted.append((tariff, pricing_rules.quote(tariff, currency, earning_currency, rates)))
    if not quoted:
        raise Refusal(Refused.NO_RATE, currency=currency)
    return quoted


def of_period(tariffs: Sequence[Tariff], days: int) -> list[Tariff]:
    """The tariffs of one period. Refuses, first match wins: NOT_PRICED, UNKNOWN_PERIOD (`periods` there are)."""
    if not tariffs:
        raise Refusal(Refused.NOT_PRICED)
    chosen = [tariff for tariff in tariffs if tariff.days == days]
    if not chosen:
        raise Refusal(Refused.UNKNOWN_PERIOD, periods=tuple(sorted({tariff.days for tariff in tariffs})))
    return chosen


def extension_quote(
    rental: LockedRental, tariffs: Sequence[Tariff], days: int, rates: Mapping[str, int]
) -> Quote | None:
    """What one more period of so many days costs; None without a tariff or a rate."""
    for tariff in tariffs:
        if tariff.days == days:
            with suppress(Refusal):
                return pricing_rules.quote(tariff, rental.currency, rental.earning_currency, rates)
    return None


def extensions(tariffs: Sequence[Tariff], currency: str, rates: Mapping[str, int]) -> tuple[RentalOffer, ...]:
    """The periods of tariffs as prices in a currency, shortest first; none without a rate."""
    if currency not in rates:
        return ()
    return tuple(
        RentalOffer(tariff.days, pricing_rules.charged(tariff.amount, currency, rates)) for tariff in tariffs
    )


def country_offers(tariffs: Sequence[Tariff], currency: str, rates: Mapping[str, int]) -> list[CountryOffer]:
    """Per country the cheapest price of each period among pools that are online, and all their numbers.

    Refuses: NO_RATE.
    """
    periods: dict[str, dict[int, int]] = {}
    stock: dict[str, dict[int, int]] = {}
    for tariff in tariffs:
        if tariff.online:
            price = pricing_rules.charged(tariff.amount, currency, rates)
            known = periods.setdefault(tariff.country, {})
            known[tariff.days] = min(price, known.get(tariff.days, price))
            stock.setdefault(tariff.country, {})[tariff.pool_id] = tariff.stock
    return [
        CountryOffer(country, currency, dict(sorted(known.items())), sum(stock[country].values()))
        for country, known in sorted(periods.items())
    ]


# Acting


def judge_extension(rental: LockedRental, now: datetime) -> Refusal | None:
    """Why a rental cannot be extended now, or None. First match wins: LEASE_CLOSED (also once its time is over), NOT_CONFIRMED."""
    if rental.state not in machine.OPEN or rental.expires_at <= now:
        return Refusal(Refused.LEASE_CLOSED, rental_id=rental.id, state=rental.state)
    if machine.step(rental.state, Event.EXTENDED) is None:
        return Refusal(Refused.NOT_CONFIRMED, rental_id=rental.id)
    return None


def extended_until(rental: LockedRental, days: int, now: datetime) -> datetime:
    """The end after one more period. Time in which nobody could extend it is not charged for."""
    return max(rental.expires_at, now) + timedelta(days=days)


def due_event(rental: LockedRental, now: datetime) -> Event | None:
    """What has run out by now, if anything."""
    if rental.state is State.WAITING and rental.confirm_by <= now:
        return Event.CONFIRMATION_RAN_OUT
    if rental.state is State.ACTIVE and rental.expires_at <= now:
        return Event.TIME_RAN_OUT
    return None


# Money. References name the rental and the move, so that none is booked twice; a price of nothing moves nothing.


def hold(rental_id: RentalId, price: int, buyer: Wallet) -> list[Transfer]:
    """Sets the first period's price aside."""
    return _transfers(
        f"rental/{rental_id}/hold",
        TransferKind.HOLD,
        buyer.available_id,
        buyer.held_id,
        buyer.currency,
        price,
    )


def capture(rental: LockedRental, price: int, buyer: Wallet, shared: SharedAccounts) -> list[Transfer]:
    """Puts what was held into escrow."""
    return _transfers(
        f"rental/{rental.id}/capture",
        TransferKind.CAPTURE,
        buyer.held_id,
        shared[SharedKind.ESCROW, rental.currency],
        rental.currency,
        price,
    )


def release(rental_id: RentalId, price: int, buyer: Wallet) -> list[Transfer]:
    """Gives back what was held."""
    return _transfers(
        f"rental/{rental_id}/release",
        TransferKind.RELEASE,
        buyer.held_id,
        buyer.available_id,
        buyer.currency,
        price,
    )


def charge(
    rental: LockedRental, ordinal: int, price: int, buyer: Wallet, shared: SharedAccounts
) -> list[Transfer]:
    """Puts the price of one more period into escrow."""
    return _transfers(
        f"rental/{rental.id}/extension/{ordinal}",
        TransferKind.CAPTURE,
        buyer.available_id,
        shared[SharedKind.ESCROW, rental.currency],
        rental.currency,
        price,
    )


def settle(
    rental: LockedRental,
    charged: Charged,
    supplier: Wallet | None,
    shared: SharedAccounts,
    *,
    pending: bool = False,
) -> list[Transfer]:
    """Divides what all periods put into escrow.

    The margins become revenue, the rest the supplier's earning, through the clearing accounts when he is paid in another
    currency. He can spend it at once unless it is to be pending first.
    """
    prefix, currency = f"rental/{rental.id}", rental.currency
    escrow = shared[SharedKind.ESCROW, currency]
    revenue = shared[SharedKind.REVENUE, currency]
    cost = charged.price - charged.margin
    moves = _transfers(f"{prefix}/margin", TransferKind.MARGIN, escrow, revenue, currency, charged.margin)
    earned = None if supplier is None else supplier.pending_id if pending else supplier.available_id
    if earned is not None and rental.earning_currency == currency:
        return moves + _transfers(f"{prefix}/earning", TransferKind.EARNING, escrow, earned, currency, cost)
    clearing = shared[SharedKind.CLEARING, currency]
    moves += _transfers(f"{prefix}/exchange", TransferKind.EXCHANGE, escrow, clearing, currency, cost)
    if earned is not None:
        moves += _transfers(
            f"{prefix}/earning",
            TransferKind.EARNING,
            shared[SharedKind.CLEARING, rental.earning_currency],
            earned,
            rental.earning_currency,
            charged.earning,
        )
    return moves


def sale(rental: LockedRental, charged: Charged) -> Sale:
    """What a settled rental is to those who share in it."""
    return Sale(f"rental/{rental.id}", rental.account_id, rental.currency, charged.price, charged.margin)


def _transfers(
    reference: str,
    kind: TransferKind,
    debit: LedgerAccountId,
    credit: LedgerAccountId,
    currency: str,
    amount: int,
) -> list[Transfer]:
    return [Transfer(reference, kind, debit, credit, currency, amount)] if amount else []
