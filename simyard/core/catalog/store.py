"""The catalogue's rows, and who may use what is prohibited."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from simyard.base.ids import AccountId, ServiceId
from simyard.core.catalog.model import Country, Operator, Service
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


async def upsert_countries(tx: Tx, *, countries: Sequence[Country]) -> None:
    await _queries.upsert_countries.execute(
        tx,
        iso2=[country.iso2 for country in countries],
        names=[country.name for country in countries],
        calling_codes=[country.calling_code for country in countries],
    )


async def upsert_operators(tx: Tx, *, operators: Sequence[Operator]) -> None:
    await _queries.upsert_operators.execute(
        tx,
        ids=[operator.id for operator in operators],
        plmns=[operator.plmn for operator in operators],
        countries=[operator.iso2 for operator in operators],
        names=[operator.name for operator in operators],
    )


async def upsert_services(tx: Tx, *, services: Sequence[Service]) -> None:
    await _queries.upsert_services.execute(
        tx,
        ids=[service.id for service in services],
        slugs=[service.slug for service in services],
        names=[service.name for service in services],
        categories=[service.category for service in services],
        prohibited=[service.prohibited for service in services],
    )


async def insert_permission(
    tx: Tx, *, account_id: AccountId, service_id: ServiceId, proof: str, now: datetime
) -> None:
    await _queries.insert_permission.execute(
        tx, account_id=account_id, service_id=service_id, proof=proof, now=now
    )


async def delete_permission(tx: Tx, *, account_id: AccountId, service_id: ServiceId) -> bool:
    return bool(await _queries.delete_permission.execute(tx, account_id=account_id, service_id=service_id))


async def permissions(tx: Tx, *, account_ids: Collection[AccountId]) -> set[tuple[AccountId, ServiceId]]:
    rows = await _queries.permissions.rows(tx, account_ids=list(account_ids))
    return {(row["account_id"], row["service_id"]) for row in rows}


async def delete_permissions(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.delete_permissions.execute(tx, account_id=account_id)
