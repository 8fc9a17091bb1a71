"""The rows of prices, rates and offers."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from simyard.base.ids import AccountId, PoolId, ServiceId
from simyard.core.pricing.model import ListPrices, Offer, Price
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


async def set_price(
    tx: Tx, *, service_id: ServiceId, country: str, pool_id: PoolId | None, amount: int, now: datetime
) -> None:
    await _queries.set_price.execute(
        tx, service_id=service_id, country=country, pool_id=pool_id, amount=amount, now=now
    )


async def unset_price(tx: Tx, *, service_id: ServiceId, country: str, pool_id: PoolId | None) -> bool:
    unset = await _queries.unset_price.value(tx, service_id=service_id, country=country, pool_id=pool_id)
    return unset is not None


async def list_prices(tx: Tx, *, command: ListPrices) -> list[Price]:
    rows = await _queries.list_prices.rows(
        tx,
        service_id=command.service_id,
        country=command.country,
        pool_id=command.pool_id,
        limit=command.limit,
    )
    return [Price(*row) for row in rows]


async def set_rate(tx: Tx, *, currency: str, rate_nanos: int, now: datetime) -> None:
    await _queries.set_rate.execute(tx, currency=currency, rate_nanos=rate_nanos, now=now)


async def rates(tx: Tx) -> dict[str, int]:
    return {row["currency"]: row["rate_nanos"] for row in await _queries.rates.rows(tx)}


async def offers_for(tx: Tx, *, wanted: Collection[tuple[ServiceId, str]], now: datetime) -> list[Offer]:
    rows = await _queries.offers_for.rows(
        tx,
        service_ids=[service_id for service_id, _ in wanted],
        countries=[country for _, country in wanted],
        now=now,
    )
    return [Offer(*row) for row in rows]


async def offers_in(
    tx: Tx, *, country: str, service_id: ServiceId | None, account_id: AccountId, now: datetime
) -> list[Offer]:
    rows = await _queries.offers_in.rows(
        tx, country=country, service_id=service_id, account_id=account_id, now=now
    )
    return [Offer(*row) for row in rows]


async def tariffs(
    tx: Tx,
    *,
    account_id: AccountId | None,
    countries: Collection[str],
    service_ids: Collection[ServiceId],
    now: datetime,
) -> list[tuple[ServiceId, str, int, int]]:
    """Service, country, base amount and stock."""
    await _queries.plan_tariffs.execute(tx)
    rows = await _queries.tariffs.rows(
        tx, account_id=account_id, countries=countries, service_ids=service_ids, now=now
    )
    return [(row["service_id"], row["country"], row["amount"], row["stock"]) for row in rows]


async def offered_countries(tx: Tx, *, now: datetime) -> list[str]:
    return [row["country"] for row in await _queries.offered_countries.rows(tx, now=now)]
