"""What pushes are looked up by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from simyard.core.remote.push_model import AdmitPush, PushedMessage
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__, "push_store.sql")


@dataclass(frozen=True, slots=True)
class Meant:
    """What a push is about. `msisdn`: the number of the operation it names."""

    known: bool
    leased: bool
    msisdn: str | None
    asking: bool
    switches: Mapping[str, str]


async def admit(tx: Tx, *, commands: Sequence[AdmitPush]) -> list[asyncpg.Record]:
    return await _queries.admit.rows(
        tx,
        digests=[command.key_digest for command in commands],
        addresses=[command.address for command in commands],
    )


async def find_meant(tx: Tx, *, pushes: Sequence[PushedMessage]) -> list[Meant]:
    rows = await _queries.find_meant.rows(
        tx,
        supplier_ids=[push.supplier_id for push in pushes],
        pool_ids=[push.pool_id for push in pushes],
        msisdns=[push.msisdn for push in pushes],
        remote_ids=["\n".join(push.remote_ids) for push in pushes],
    )
    return [
        Meant(row["known"], row["leased"], row["msisdn"], row["asking"], row["switches"] or {})
        for row in rows
    ]
