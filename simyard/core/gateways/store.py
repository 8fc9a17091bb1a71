"""The rows of gateways, their SIMs and what came of their messages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import asyncpg

from simyard.base.ids import AccountId, GatewayId, NumberId, PoolId
from simyard.core.gateways import rules
from simyard.core.gateways.model import Gateway, SimEntry, Unmatched
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


@dataclass(frozen=True, slots=True)
class Seen:
    sent_at: datetime | None
    seen_at: datetime


def _gateway(row: asyncpg.Record) -> Gateway:
    return Gateway(
        id=row["id"],
        name=row["name"],
        kind=row["kind"],
        pool_id=row["pool_id"],
        supplier_id=row["supplier_id"],
        secret=row["secret"],
        networks=tuple(row["networks"]),
        time_zone=row["time_zone"],
        country=row["country"],
        options=row["options"],
        enabled=row["enabled"],
        stocks=row["stocks"],
        created_at=row["created_at"],
        last_seen_at=row["last_seen_at"],
    )


async def insert_gateway(
    tx: Tx,
    *,
    name: str,
    kind: str,
    pool_id: PoolId,
    token_digest: bytes,
    secret: str | None,
    networks: Sequence[str],
    time_zone: str,
    country: str | None,
    options: Mapping[str, Any],
    stocks: bool,
    now: datetime,
) -> GatewayId:
    gateway_id = await _queries.insert_gateway.value(
        tx,
        name=name,
        kind=kind,
        pool_id=pool_id,
        token_digest=token_digest,
        secret=secret,
        networks=list(networks),
        time_zone=time_zone,
        country=country,
        options=dict(options),
        stocks=stocks,
        now=now,
    )
    return GatewayId(gateway_id)


async def find_by_token(tx: Tx, *, token_digest: bytes, kind: str) -> Gateway | None:
    row = await _queries.find_by_token.row(tx, token_digest=token_digest, kind=kind)
    return None if row is None else replace(_gateway(row), enabled=row["may_speak"])


async def find_by_name(tx: Tx, *, name: str) -> Gateway | None:
    row = await _queries.find_by_name.row(tx, name=name)
    return None if row is None else _gateway(row)


async def list_gateways(tx: Tx) -> list[Gateway]:
    return [_gateway(row) for row in await _queries.list_gateways.rows(tx)]


async def set_enabled(tx: Tx, *, gateway_id: GatewayId, enabled: bool) -> None:
    await _queries.set_enabled.execute(tx, gateway_id=gateway_id, enabled=enabled)


async def set_token(tx: Tx, *, gateway_id: GatewayId, token_digest: bytes) -> None:
    await _queries.set_token.execute(tx, gateway_id=gateway_id, token_digest=token_digest)


async def delete_gateway(tx: Tx, *, gateway_id: GatewayId) -> None:
    await _queries.delete_gateway.execute(tx, gateway_id=gateway_id)


async def surroundings(
    tx: Tx, *, gateway_id: GatewayId, pool_id: PoolId, limit: int
) -> tuple[int, list[str]]:
    """How many other gateways the pool has, and the devices behind this one."""
    (row,) = await _queries.surroundings.rows(tx, gateway_id=gateway_id, pool_id=pool_id, limit=limit)
    return row["others"], row["devices"]


async def sims_by_key(tx: Tx, *, gateway_id: GatewayId, keys: Collection[str]) -> dict[str, SimEntry]:
    rows = await _queries.sims_by_key.rows(tx, gateway_id=gateway_id, keys=list(keys))
    return {row["key"]: SimEntry(*row) for row in rows}


async def list_sims(tx: Tx, *, gateway_id: GatewayId) -> list[SimEntry]:
    return [SimEntry(*row) for row in await _queries.list_sims.rows(tx, gateway_id=gateway_id)]


async def count_sims(tx: Tx, *, gateway_id: GatewayId) -> int:
    return int(await _queries.count_sims.value(tx, gateway_id=gateway_id))


async def own_numbers(
    tx: Tx, *, supplier_id: AccountId | None, msisdns: Collection[str]
) -> dict[str, NumberId]:
    rows = await _queries.own_numbers.rows(tx, supplier_id=supplier_id, msisdns=list(msisdns))
    return {row["msisdn"]: NumberId(row["id"]) for row in rows}


async def numbers_by_port(tx: Tx, *, pool_id: PoolId, ports: Collection[str]) -> dict[str, str]:
    rows = await _queries.numbers_by_port.rows(tx, pool_id=pool_id, ports=list(ports))
    return {row["port"]: row["msisdn"] for row in rows}


async def seen(tx: Tx, *, gateway_id: GatewayId, digests: Collection[bytes]) -> dict[bytes, Seen]:
    rows = await _queries.seen.rows(tx, gateway_id=gateway_id, digests=list(digests))
    return {row["digest"]: Seen(row["sent_at"], row["seen_at"]) for row in rows}


async def mark_seen(
    tx: Tx, *, gateway_id: GatewayId, seen: Mapping[bytes, datetime | None], now: datetime
) -> None:
    await _queries.mark_seen.execute(
        tx, gateway_id=gateway_id, digests=list(seen), sent_at=list(seen.values()), now=now
    )


async def count_outcomes(tx: Tx, *, gateway_id: GatewayId, counts: Mapping[str, int], day: date) -> None:
    await _queries.count_outcomes.execute(
        tx, gateway_id=gateway_id, outcomes=list(counts), counts=list(counts.values()), day=day
    )


async def outcomes(tx: Tx, *, gateway_id: GatewayId, since: date) -> dict[str, int]:
    rows = await _queries.outcomes.rows(tx, gateway_id=gateway_id, since=since)
    return {row["outcome"]: row["count"] for row in rows}


async def unmatched_keys(tx: Tx, *, gateway_id: GatewayId, limit: int) -> set[str]:
    rows = await _queries.unmatched_keys.rows(tx, gateway_id=gateway_id, limit=limit)
    return {row["key"] for row in rows}


async def count_unmatched(tx: Tx, *, gateway_id: GatewayId, counts: Mapping[str, int], now: datetime) -> None:
    await _queries.count_unmatched.execute(
        tx, gateway_id=gateway_id, keys=list(counts), counts=list(counts.values()), now=now
    )


async def list_unmatched(tx: Tx, *, gateway_id: GatewayId) -> list[Unmatched]:
    return [Unmatched(*row) for row in await _queries.list_unmatched.rows(tx, gateway_id=gateway_id)]


async def forget_unmatched(tx: Tx, *, gateway_id: GatewayId, key: str) -> None:
    await _queries.forget_unmatched.execute(tx, gateway_id=gateway_id, key=key)


async def set_sim(tx: Tx, *, gateway_id: GatewayId, key: str, msisdn: str, now: datetime) -> None:
    await _queries.set_sim.execute(tx, gateway_id=gateway_id, key=key, msisdn=msisdn, now=now)


async def learn_sims(tx: Tx, *, gateway_id: GatewayId, sims: Mapping[str, str], now: datetime) -> None:
    await _queries.learn_sims.execute(
        tx, gateway_id=gateway_id, keys=list(sims), msisdns=list(sims.values()), now=now
    )


async def contradict_sims(tx: Tx, *, gateway_id: GatewayId, sims: Mapping[str, str]) -> list[SimEntry]:
    """The entries that say otherwise, and did not know of this contradiction."""
    rows = await _queries.contradict_sims.rows(
        tx,
        gateway_id=gateway_id,
        keys=list(sims),
        msisdns=list(sims.values()),
        cards=[rules.is_card(key) for key in sims],
    )
    return [SimEntry(row["key"], row["msisdn"], False, row["contradicted"]) for row in rows]


async def unlearn_sims(tx: Tx, *, gateway_id: GatewayId, keys: Collection[str]) -> None:
    await _queries.unlearn_sims.execute(tx, gateway_id=gateway_id, keys=list(keys))


async def delete_sim(tx: Tx, *, gateway_id: GatewayId, key: str) -> bool:
    return await _queries.delete_sim.execute(tx, gateway_id=gateway_id, key=key) > 0


async def mark_gateway(tx: Tx, *, gateway_id: GatewayId, now: datetime, before: datetime) -> None:
    await _queries.mark_gateway.execute(tx, gateway_id=gateway_id, now=now, before=before)


async def mark_devices(
    tx: Tx, *, gateway_id: GatewayId, devices: Collection[str], limit: int, now: datetime, before: datetime
) -> None:
    await _queries.mark_devices.execute(
        tx, gateway_id=gateway_id, devices=list(devices), limit=limit, now=now, before=before
    )


async def silent_numbers(tx: Tx, *, before: datetime) -> dict[PoolId, list[str]]:
    rows = await _queries.silent_numbers.rows(tx, before=before)
    return {PoolId(row["pool_id"]): row["msisdns"] for row in rows}


async def forget_seen(tx: Tx, *, before: datetime) -> int:
    return await _queries.forget_seen.execute(tx, before=before)


async def delete_gateways_of(tx: Tx, *, supplier_id: AccountId) -> None:
    await _queries.delete_gateways_of.execute(tx, supplier_id=supplier_id)
