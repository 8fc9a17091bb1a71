"""Keeping the database's catalogue equal to the packaged one, and opening prohibited services to those with proof."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from simyard.base.ids import AccountId, ServiceId
from simyard.core.audit import service as audit
from simyard.core.catalog import store
from simyard.core.catalog.catalog import Catalog
from simyard.core.catalog.model import Service
from simyard.db.database import Tx


async def sync(tx: Tx, catalog: Catalog) -> None:
    """Write what the package knows and the database does not. A repeat writes nothing."""
    await store.upsert_countries(tx, countries=catalog.countries)
    await store.upsert_operators(tx, operators=catalog.operators)
    await store.upsert_services(tx, services=catalog.services)


async def permit(
    tx: Tx, account_id: AccountId, service: Service, *, proof: str, actor: str, now: datetime
) -> None:
    """Open a prohibited service to one account, which proved that it owns the sender. A repeat renews the proof."""
    await store.insert_permission(tx, account_id=account_id, service_id=service.id, proof=proof, now=now)
    await audit.record(
        tx,
        actor=actor,
        action="service.permitted",
        facts={"account_id": account_id, "service": service.slug, "proof": proof},
        now=now,
    )


async def forbid(tx: Tx, account_id: AccountId, service: Service, *, actor: str, now: datetime) -> bool:
    """Take such a permission back; returns whether there was one. Either way it leaves a line in the audit log."""
    was_permitted = await store.delete_permission(tx, account_id=account_id, service_id=service.id)
    await audit.record(
        tx,
        actor=actor,
        action="service.forbidden",
        facts={"account_id": account_id, "service": service.slug},
        now=now,
    )
    return was_permitted


async def permissions(tx: Tx, account_ids: Collection[AccountId]) -> set[tuple[AccountId, ServiceId]]:
    """Which prohibited services these accounts may use."""
    return await store.permissions(tx, account_ids=account_ids)


async def erase(tx: Tx, account_id: AccountId) -> None:
    """Forget which prohibited services an account may use, and its proofs."""
    await store.delete_permissions(tx, account_id=account_id)
