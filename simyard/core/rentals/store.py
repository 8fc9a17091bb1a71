"""The rows of rentals, their periods and their tariffs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from simyard.base.ids import AccountId, LeaseId, NumberId, PoolId, RentalId
from simyard.core.pricing.model import Quote
from simyard.core.rentals.machine import State
from simyard.core.rentals.model import Charged, ListRentalPrices, LockedRental, Rental, RentalPrice, Tariff
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


@dataclass(frozen=True, slots=True)
class NewRental:
    """A rental to be written. No number: it waits for one."""

    id: RentalId
    account_id: AccountId
    pool_id: PoolId
    number_id: NumberId | None
    msisdn: str | None
    country: str
    auto_extend: bool
    currency: str
    supplier_id: AccountId | None
    earning_currency: str
    ordered_at: datetime
    confirm_by: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NewPeriod:
    rental_id: RentalId
    ordinal: int
    days: int
    quote: Quote
    automatic: bool


def _tariff(row: asyncpg.Record) -> Tariff:
    return Tariff(
        country=row["country"],
        days=row["days"],
        pool_id=row["pool_id"],
        kind=row["kind"],
        supplier_id=row["supplier_id"],
        share_basis_points=row["share_basis_points"],
        amount=row["amount"],
        stock=max(row["stock"], 0),
        online=row["online"],
    )


async def tariffs(tx: Tx, *, countries: Collection[str] | None, now: datetime) -> list[Tariff]:
    rows = await _queries.tariffs.rows(tx, countries=None if countries is None else list(countries), now=now)
    return [_tariff(row) for row in rows]


async def extension_tariffs(tx: Tx, *, rental_ids: Collection[RentalId]) -> dict[RentalId, list[Tariff]]:
    """Shortest period first; none for a rental that cannot be extended."""
    found: dict[RentalId, list[Tariff]] = {rental_id: [] for rental_id in rental_ids}
    for row in await _queries.extension_tariffs.rows(tx, rental_ids=list(rental_ids)):
        found[row["rental_id"]].append(_tariff(row))
    return found


async def set_price(
    tx: Tx, *, country: str, days: int, pool_id: PoolId | None, amount: int, now: datetime
) -> None:
    await _queries.set_price.execute(tx, country=country, days=days, pool_id=pool_id, amount=amount, now=now)


async def unset_price(tx: Tx, *, country: str, days: int, pool_id: PoolId | None) -> bool:
    return await _queries.unset_price.value(tx, country=country, days=days, pool_id=pool_id) is not None


async def list_prices(tx: Tx, *, command: ListRentalPrices) -> list[RentalPrice]:
    rows = await _queries.list_prices.rows(
        tx, country=command.country, pool_id=command.pool_id, limit=command.limit
    )
    return [RentalPrice(*row) for row in rows]


async def insert_rental(tx: Tx, *, row: NewRental) -> None:
    await _queries.insert_rental.execute(
        tx,
        id=row.id,
        account_id=row.account_id,
        pool_id=row.pool_id,
        number_id=row.number_id,
        msisdn=row.msisdn,
        country=row.country,
        auto_extend=row.auto_extend,
        currency=row.currency,
        supplier_id=row.supplier_id,
        earning_currency=row.earning_currency,
        now=row.ordered_at,
        confirm_by=row.confirm_by,
        expires_at=row.expires_at,
    )


async def lock_acquiring(tx: Tx, *, rental_id: RentalId) -> AccountId | None:
    """Whose rental it is; None when it does not wait for its number."""
    found = await _queries.lock_acquiring.value(tx, rental_id=rental_id)
    return None if found is None else AccountId(found)


async def give_number(tx: Tx, *, rental_id: RentalId, number_id: NumberId, msisdn: str) -> None:
    await _queries.give_number.execute(tx, rental_id=rental_id, number_id=number_id, msisdn=msisdn)


async def insert_periods(tx: Tx, *, rows: Sequence[NewPeriod], now: datetime) -> None:
    await _queries.insert_periods.execute(
        tx,
        rental_ids=[row.rental_id for row in rows],
        ordinals=[row.ordinal for row in rows],
        days=[row.days for row in rows],
        prices=[row.quote.price for row in rows],
        margins=[row.quote.margin for row in rows],
        earnings=[row.quote.earning for row in rows],
        automatic=[row.automatic for row in rows],
        now=now,
    )


async def find(tx: Tx, *, account_id: AccountId, rental_id: RentalId | None, limit: int) -> list[Rental]:
    """Without what they may be extended by."""
    rows = await _queries.find.rows(tx, account_id=account_id, rental_id=rental_id, limit=limit)
    return [
        Rental(
            id=row["id"],
            msisdn=row["msisdn"],
            country=row["country"],
            state=State(row["state"]),
            auto_extend=row["auto_extend"],
            currency=row["currency"],
            price=row["price"],
            days=row["days"],
            messages=row["messages"],
            ordered_at=row["ordered_at"],
            confirm_by=row["confirm_by"],
            confirmed_at=row["confirmed_at"],
            expires_at=row["expires_at"],
            closed_at=row["closed_at"],
            extensions=(),
            last_message_at=row["last_message_at"],
        )
        for row in rows
    ]


async def number_of(tx: Tx, *, account_id: AccountId, rental_id: RentalId) -> NumberId | None:
    """The number of a rental of this account; None when the account has no such rental."""
    row = await _queries.number_of.row(tx, account_id=account_id, rental_id=rental_id)
    return None if row is None else NumberId(row["number_id"])


def _locked(row: asyncpg.Record) -> LockedRental:
    return LockedRental(
        id=row["id"],
        account_id=row["account_id"],
        pool_id=row["pool_id"],
        number_id=row["number_id"],
        msisdn=row["msisdn"],
        country=row["country"],
        state=State(row["state"]),
        auto_extend=row["auto_extend"],
        currency=row["currency"],
        supplier_id=row["supplier_id"],
        earning_currency=row["earning_currency"],
        ordered_at=row["ordered_at"],
        confirm_by=row["confirm_by"],
        expires_at=row["expires_at"],
        remote=row["remote"],
    )


async def lock_rentals(tx: Tx, *, rental_ids: Collection[RentalId]) -> dict[RentalId, LockedRental]:
    rows = await _queries.lock_rentals.rows(tx, rental_ids=list(rental_ids))
    return {row["id"]: _locked(row) for row in rows}


async def lock_open_on_numbers(tx: Tx, *, number_ids: Collection[NumberId]) -> dict[NumberId, LockedRental]:
    rows = await _queries.lock_open_on_numbers.rows(tx, number_ids=list(number_ids))
    return {row["number_id"]: _locked(row) for row in rows}


async def charged(tx: Tx, *, rental_ids: Collection[RentalId]) -> dict[RentalId, Charged]:
    rows = await _queries.charged.rows(tx, rental_ids=list(rental_ids))
    return {
        row["rental_id"]: Charged(row["periods"], row["price"], row["margin"], row["earning"]) for row in rows
    }


async def due(tx: Tx, *, now: datetime, limit: int) -> list[tuple[RentalId, NumberId]]:
    return [(row["id"], row["number_id"]) for row in await _queries.due.rows(tx, now=now, limit=limit)]


async def close(tx: Tx, *, steps: Sequence[tuple[RentalId, State, State]], now: datetime) -> int:
    return await _queries.close.execute(
        tx,
        rental_ids=[step[0] for step in steps],
        from_states=[step[1] for step in steps],
        to_states=[step[2] for step in steps],
        now=now,
    )


async def receive(tx: Tx, *, counts: dict[RentalId, int], now: datetime) -> None:
    await _queries.receive.execute(tx, rental_ids=list(counts), counts=list(counts.values()), now=now)


async def extend(tx: Tx, *, until: dict[RentalId, datetime]) -> int:
    return await _queries.extend.execute(tx, rental_ids=list(until), expires_at=list(until.values()))


async def set_auto_extend(
    tx: Tx, *, account_id: AccountId, rental_id: RentalId, auto_extend: bool, now: datetime
) -> bool | None:
    """Whether the rental is open and its time not over; None when the account has no such rental."""
    found: bool | None = await _queries.set_auto_extend.value(
        tx, account_id=account_id, rental_id=rental_id, auto_extend=auto_extend, now=now
    )
    return found


async def sandbox_numbers(tx: Tx, *, lease_ids: Collection[LeaseId]) -> list[NumberId]:
    rows = await _queries.sandbox_numbers.rows(tx, lease_ids=list(lease_ids))
    return [NumberId(row["number_id"]) for row in rows]


async def count_open_of(tx: Tx, *, account_id: AccountId) -> int:
    return int(await _queries.count_open_of.value(tx, account_id=account_id))
