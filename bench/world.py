"""What a benchmark's database holds before it starts: buyers with money, suppliers with pools, numbers, leases."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from bench import stand
from simyard.base.clock import SystemClock
from simyard.base.ids import AccountId, ActivationId, PoolId, ServiceId
from simyard.base.money import MICROS
from simyard.core.accounts import rules as account_rules
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AddAccount, IssueKey, Role
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.pools import service as pools
from simyard.core.pools.model import AddPool, PoolKind
from simyard.core.pricing import service as pricing
from simyard.core.wallet import service as wallet
from simyard.db import sql
from simyard.db.database import Database, Tx

T = TypeVar("T")

COUNTRY: Final = "US"
PRICE: Final = MICROS // 2
_MARGIN: Final = PRICE * 3 // 10
_BALANCE: Final = 1_000_000 * MICROS
_ONLINE_SECONDS: Final = 86_400
# Numbers come to a pool in reports of some size, so they stand in stretches of the queue.
_REPORT_NUMBERS: Final = 20_000
# Rows written in one statement: a million would take it longer than any statement may.
_SLICE: Final = 100_000
_HISTORY: Final = 40_000
_FIRST_NUMBER: Final = 2_000_000_000
_POOL_NUMBERS_MAX: Final = 100_000_000

_queries = sql.load("bench", "world.sql")


@dataclass(frozen=True)
class Buyer:
    account_id: AccountId
    key: str


@dataclass(frozen=True)
class Supplier:
    account_id: AccountId
    key: str
    pool_id: PoolId


@dataclass(frozen=True)
class Lease:
    activation_id: ActivationId
    account_id: AccountId
    msisdn: str


class World:
    """One database and who is in it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.buyers: list[Buyer] = []
        self.suppliers: list[Supplier] = []

    def add_buyers(self, count: int) -> None:
        """Buyers one after another, so that their account ids are too."""

        async def work(tx: Tx, now: datetime) -> None:
            for number in range(count):
                account_id, key = await _account(tx, f"buyer-{number}@bench.test", Role.BUYER, now)
                await wallet.deposit(tx, account_id, _BALANCE, reference=f"bench/{number}", now=now)
                self.buyers.append(Buyer(account_id, key))

        self._run(work)

    def add_supplier(self, numbers: int, *services: str) -> Supplier:
        """A supplier whose pool has so many numbers, sold for these services."""

        async def work(tx: Tx, now: datetime) -> Supplier:
            name = f"supplier-{len(self.suppliers)}"
            account_id, key = await _account(tx, f"{name}@bench.test", Role.SUPPLIER, now)
            command = AddPool(name, PoolKind.DIRECT, account_id, 7000, "The benchmark's own numbers.")
            pool = await pools.add_pool(tx, command, actor="bench", now=now)
            await pools.mark_online(tx, pool.id, seconds=_ONLINE_SECONDS, now=now)
            for service in services:
                await pricing.set_price(
                    tx,
                    service_id=service_id(service),
                    country=COUNTRY,
                    amount=PRICE,
                    pool_id=pool.id,
                    now=now,
                )
            return Supplier(account_id, key, pool.id)

        supplier = self._run(work)
        first = _FIRST_NUMBER + len(self.suppliers) * _POOL_NUMBERS_MAX
        for start in range(0, numbers, _REPORT_NUMBERS):
            self._add_numbers(supplier.pool_id, first + start, min(_REPORT_NUMBERS, numbers - start))
        self.suppliers.append(supplier)
        return supplier

    def _add_numbers(self, pool_id: PoolId, first: int, count: int) -> None:
        async def work(tx: Tx, now: datetime) -> None:
            await _unchecked(tx)
            await _queries.add_numbers.execute(tx, pool_id=pool_id, country=COUNTRY, first=first, count=count)

        self._run(work)

    def open_activations(self, supplier: Supplier, service: str, count: int) -> list[Lease]:
        """Activations that wait for their SMS, their prices held."""

        async def work(tx: Tx, now: datetime) -> list[Lease]:
            await _unchecked(tx)
            rows = await _queries.open_activations.rows(
                tx,
                pool_id=supplier.pool_id,
                supplier_id=supplier.account_id,
                buyer_ids=[buyer.account_id for buyer in self.buyers],
                service_id=service_id(service),
                price=PRICE,
                margin=_MARGIN,
                count=count,
                now=now,
            )
            await _queries.hold_prices.execute(tx, now=now)
            return [Lease(*row) for row in rows]

        return self._run(work)

    def use_up(self, supplier: Supplier, service: str, *, free: int, scattered: bool) -> None:
        """Lets a service have used a pool's numbers, all but so many: the last in the queue, or about as many anywhere."""
        first, last = self._run(partial(_bounds, supplier))
        one_free_in = (last - first + 1) // free if scattered else 0
        used_last = last if scattered else last - free
        for start in range(first, used_last + 1, _SLICE):
            self._run(
                partial(
                    _use_up,
                    supplier,
                    self.buyers[0],
                    service_id(service),
                    one_free_in=one_free_in,
                    first=start,
                    last=min(start + _SLICE - 1, used_last),
                )
            )

    def add_history(self) -> None:
        """Past activations of another pool, so that the planner knows the tables as they are in operation.

        With statistics of an empty table it reads every activation for each order: a reference that is slow for no
        reason of its own, and a ratio that says nothing.
        """
        supplier = self.add_supplier(_HISTORY)
        for service in ("whatsapp", "telegram"):
            self.use_up(supplier, service, free=0, scattered=False)

    def settle(self) -> None:
        """Counts the stock, and does what the server's own upkeep would have done by now."""

        async def work(tx: Tx, now: datetime) -> None:
            await _queries.count_shelf.execute(tx)
            await _queries.count_used.execute(tx)
            await _queries.count_numbers.execute(tx)

        self._run(work)
        stand.run_sql(self.url, "VACUUM (ANALYZE)", "CHECKPOINT")

    def activation_count(self, supplier: Supplier) -> int:
        async def work(tx: Tx, now: datetime) -> int:
            return int(await _queries.activation_count.value(tx, pool_id=supplier.pool_id))

        return self._run(work)

    def free_numbers(self, supplier: Supplier, service: str) -> int:
        """How many numbers of its pool a service can still be sold on."""

        async def work(tx: Tx, now: datetime) -> int:
            return int(
                await _queries.free_numbers.value(
                    tx, pool_id=supplier.pool_id, service_id=service_id(service)
                )
            )

        return self._run(work)

    def message_count(self) -> int:
        async def work(tx: Tx, now: datetime) -> int:
            return int(await _queries.message_count.value(tx))

        return self._run(work)

    def is_balanced(self) -> bool:
        """Whether the books are whole after all that was done."""

        async def work(tx: Tx, now: datetime) -> bool:
            return (await wallet.verify(tx)).balanced

        return self._run(work)

    def _run(self, work: Callable[[Tx, datetime], Awaitable[T]]) -> T:
        async def run() -> T:
            database = await Database.connect(self.url, connections_max=1, application_name="bench")
            try:
                async with database.transaction() as tx:
                    # Filling a database takes longer than any statement of the product may.
                    await tx.execute("SET LOCAL statement_timeout = 0")
                    return await work(tx, SystemClock().now())
            finally:
                await database.close()

        return asyncio.run(run())


async def _account(tx: Tx, email: str, role: Role, now: datetime) -> tuple[AccountId, str]:
    account = await accounts.add_account(tx, AddAccount(email, role, None), now=now)
    await wallet.open_wallet(tx, account.id, "USD")
    scopes = account_rules.SCOPES_OF_ROLE[role]
    _, key = await accounts.issue_key(tx, IssueKey(account.id, scopes), now=now)
    return account.id, key


async def _bounds(supplier: Supplier, tx: Tx, now: datetime) -> tuple[int, int]:
    """The ids of a pool's first and last number."""
    row = await _queries.bounds.row(tx, pool_id=supplier.pool_id)
    if row is None:
        raise LookupError("the pool has no numbers")
    return row["first"], row["last"]


async def _use_up(
    supplier: Supplier,
    buyer: Buyer,
    service: ServiceId,
    tx: Tx,
    now: datetime,
    *,
    one_free_in: int,
    first: int,
    last: int,
) -> None:
    await _unchecked(tx)
    await _queries.use_up.execute(
        tx,
        pool_id=supplier.pool_id,
        supplier_id=supplier.account_id,
        buyer_id=buyer.account_id,
        service_id=service,
        one_free_in=one_free_in,
        first=first,
        last=last,
        now=now,
    )


async def _unchecked(tx: Tx) -> None:
    """Skips foreign keys for rows that are right by construction: a million of them take half the time."""
    await tx.execute("SET LOCAL session_replication_role = replica")


def service_id(slug: str) -> ServiceId:
    service = load_catalog().service(slug)
    if service is None:
        raise KeyError(slug)
    return service.id
