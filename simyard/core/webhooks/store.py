"""The rows of webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg

from simyard.base.ids import AccountId, DeliveryId, EndpointId
from simyard.core.webhooks.model import (
    Announced,
    Announcement,
    Delivery,
    DeliveryState,
    Endpoint,
    Event,
    LeaseKind,
    SwitchedOff,
)
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


def _endpoint(row: asyncpg.Record | None) -> Endpoint | None:
    if row is None:
        return None
    return Endpoint(
        id=EndpointId(row["id"]),
        account_id=AccountId(row["account_id"]),
        format=row["format"],
        event=Event(row["event"]),
        url=row["url"],
        secret=row["secret"],
        enabled=row["enabled"],
        switched_off=SwitchedOff(row["switched_off"]) if row["switched_off"] else None,
        failing_since=row["failing_since"],
    )


async def set_endpoint(
    tx: Tx, *, account_id: AccountId, format_name: str, event: Event, url: str, secret: bytes, now: datetime
) -> Endpoint | None:
    """None: the account was erased."""
    return _endpoint(
        await _queries.set_endpoint.row(
            tx, account_id=account_id, format=format_name, event=event, url=url, secret=secret, now=now
        )
    )


async def switch_off(
    tx: Tx, *, endpoint_id: EndpointId, reason: SwitchedOff | None, now: datetime
) -> Endpoint | None:
    return _endpoint(await _queries.switch_off.row(tx, endpoint_id=endpoint_id, reason=reason, now=now))


async def find_endpoint(tx: Tx, *, account_id: AccountId, format_name: str) -> Endpoint | None:
    return _endpoint(await _queries.find_endpoint.row(tx, account_id=account_id, format=format_name))


async def lock_endpoint_of(tx: Tx, *, account_id: AccountId, format_name: str) -> Endpoint | None:
    return _endpoint(await _queries.lock_endpoint_of.row(tx, account_id=account_id, format=format_name))


async def lock_endpoint(tx: Tx, *, endpoint_id: EndpointId) -> Endpoint | None:
    return _endpoint(await _queries.lock_endpoint.row(tx, endpoint_id=endpoint_id))


async def list_endpoints(tx: Tx, *, account_id: AccountId) -> list[Endpoint]:
    rows = await _queries.list_endpoints.rows(tx, account_id=account_id)
    return [endpoint for row in rows if (endpoint := _endpoint(row)) is not None]


async def insert_deliveries(tx: Tx, *, announced: Sequence[Announced], now: datetime) -> int:
    return await _queries.insert_deliveries.execute(
        tx,
        message_ids=[one.message_id for one in announced],
        account_ids=[one.account_id for one in announced],
        now=now,
    )


async def wake_sender(tx: Tx) -> None:
    await _queries.wake_sender.execute(tx)


async def claim_due(
    tx: Tx,
    *,
    now: datetime,
    claimed_until: datetime,
    per_endpoint_max: int,
    limit: int,
    failing_limit: int,
    in_flight: Mapping[EndpointId, int],
) -> list[DeliveryId]:
    rows = await _queries.claim_due.rows(
        tx,
        now=now,
        claimed_until=claimed_until,
        per_endpoint_max=per_endpoint_max,
        limit=limit,
        failing_limit=failing_limit,
        in_flight_ids=list(in_flight),
        in_flight_counts=list(in_flight.values()),
    )
    return [DeliveryId(row["id"]) for row in rows]


async def find_deliveries(tx: Tx, *, delivery_ids: Sequence[DeliveryId]) -> list[Delivery]:
    """In the order of their ids."""
    return [_delivery(row) for row in await _queries.find_deliveries.rows(tx, delivery_ids=delivery_ids)]


def _delivery(row: asyncpg.Record) -> Delivery:
    facts = Announcement(
        delivery_id=DeliveryId(row["id"]),
        account_id=row["account_id"],
        endpoint_id=row["endpoint_id"],
        format=row["format"],
        url=row["url"],
        secret=row["secret"],
        attempts=row["attempts"],
        message_id=row["message_id"],
        lease_kind=LeaseKind(row["lease_kind"]),
        lease_id=row["lease_id"],
        msisdn=row["msisdn"],
        country=row["country"],
        service_id=row["service_id"],
        service_label=row["service_label"],
        sender=row["sender"],
        text=row["body"],
        code=row["code"],
        received_at=row["received_at"],
        ordered_at=row["ordered_at"],
        expires_at=row["expires_at"],
        endpoint_failing=row["endpoint_failing"],
    )
    return Delivery(
        id=facts.delivery_id,
        state=DeliveryState(row["state"]),
        attempts=row["attempts"],
        next_attempt_at=row["next_attempt_at"],
        url=row["attempted_url"] or row["url"],
        status=row["status"],
        problem=row["problem"],
        created_at=row["created_at"],
        closed_at=row["closed_at"],
        facts=facts,
    )


async def end_failing(tx: Tx, *, endpoint_id: EndpointId, url: str) -> None:
    await _queries.end_failing.execute(tx, endpoint_id=endpoint_id, url=url)


async def begin_failing(tx: Tx, *, endpoint_id: EndpointId, now: datetime) -> None:
    await _queries.begin_failing.execute(tx, endpoint_id=endpoint_id, now=now)


async def close_delivered(tx: Tx, *, delivery_id: DeliveryId, url: str, status: int, now: datetime) -> None:
    await _queries.close_delivered.execute(tx, delivery_id=delivery_id, url=url, status=status, now=now)


async def record_attempt(
    tx: Tx,
    *,
    delivery_id: DeliveryId,
    attempts: int,
    next_attempt_at: datetime | None,
    url: str,
    status: int | None,
    problem: str,
    now: datetime,
) -> bool:
    """Whether this was news."""
    return (
        await _queries.record_attempt.execute(
            tx,
            delivery_id=delivery_id,
            attempts=attempts,
            next_attempt_at=next_attempt_at,
            url=url,
            status=status,
            problem=problem,
            now=now,
        )
        > 0
    )


async def fail_pending(tx: Tx, *, endpoint_id: EndpointId, problem: str, now: datetime) -> int:
    return await _queries.fail_pending.execute(tx, endpoint_id=endpoint_id, problem=problem, now=now)


async def list_delivery_ids(
    tx: Tx, *, account_id: AccountId, format_name: str | None, limit: int, offset: int
) -> list[DeliveryId]:
    rows = await _queries.list_delivery_ids.rows(
        tx, account_id=account_id, format=format_name, limit=limit, offset=offset
    )
    return [DeliveryId(row["id"]) for row in rows]


async def count_deliveries(tx: Tx, *, account_id: AccountId, format_name: str | None) -> int:
    return int(await _queries.count_deliveries.value(tx, account_id=account_id, format=format_name))


async def replay(tx: Tx, *, account_id: AccountId, delivery_id: DeliveryId, now: datetime) -> bool:
    found = await _queries.replay.value(tx, account_id=account_id, delivery_id=delivery_id, now=now)
    return found is not None


async def replay_failed(tx: Tx, *, account_id: AccountId, now: datetime) -> int:
    return await _queries.replay_failed.execute(tx, account_id=account_id, now=now)


async def fail_stranded(tx: Tx, *, problem: str, now: datetime) -> None:
    await _queries.fail_stranded.execute(tx, problem=problem, now=now)


async def forget_deliveries(tx: Tx, *, before: datetime, limit: int) -> int:
    return await _queries.forget_deliveries.execute(tx, before=before, limit=limit)


async def lock_endpoints_of(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.lock_endpoints_of.execute(tx, account_id=account_id)


async def delete_deliveries_of(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.delete_deliveries_of.execute(tx, account_id=account_id)


async def delete_endpoints_of(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.delete_endpoints_of.execute(tx, account_id=account_id)
