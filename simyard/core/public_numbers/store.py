"""The rows of public numbers and their messages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from simyard.base.ids import NumberId, PoolId
from simyard.core.public_numbers.model import PublicMessage, PublicNumber
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


@dataclass(frozen=True, slots=True)
class LockedNumber:
    id: NumberId
    published: bool
    leased: bool
    leased_before: bool
    fictitious: bool
    consented: bool


@dataclass(frozen=True, slots=True)
class NewPublicMessage:
    number_id: NumberId
    sender: str
    text: str
    digest: bytes
    sent_at: datetime | None


async def lock_number(tx: Tx, *, msisdn: str) -> LockedNumber | None:
    row = await _queries.lock_number.row(tx, msisdn=msisdn)
    return LockedNumber(*row) if row is not None else None


async def set_published(tx: Tx, *, number_id: NumberId, now: datetime) -> None:
    await _queries.set_published.execute(tx, number_id=number_id, now=now)


async def set_withdrawn(tx: Tx, *, number_id: NumberId, block: bool) -> None:
    await _queries.set_withdrawn.execute(tx, number_id=number_id, block=block)


async def countries(tx: Tx) -> list[str]:
    return [row["country"] for row in await _queries.countries.rows(tx)]


async def published_numbers(tx: Tx, *, country: str | None) -> list[PublicNumber]:
    return [PublicNumber(*row) for row in await _queries.published_numbers.rows(tx, country=country)]


async def messages(
    tx: Tx, *, country: str | None, msisdn: str | None, limit: int, offset: int
) -> list[PublicMessage]:
    rows = await _queries.messages.rows(tx, country=country, msisdn=msisdn, limit=limit, offset=offset)
    return [PublicMessage(*row) for row in rows]


async def count_messages(tx: Tx, *, country: str | None, msisdn: str | None) -> int:
    return int(await _queries.count_messages.value(tx, country=country, msisdn=msisdn))


async def lock_published(tx: Tx, *, number_ids: Collection[NumberId]) -> set[NumberId]:
    return {row["id"] for row in await _queries.lock_published.rows(tx, number_ids=list(number_ids))}


async def seen_before(
    tx: Tx, *, messages: Sequence[NewPublicMessage], repeats_after: datetime
) -> set[tuple[NumberId, bytes]]:
    rows = await _queries.seen_before.rows(
        tx,
        number_ids=[message.number_id for message in messages],
        digests=[message.digest for message in messages],
        sent_at=[message.sent_at for message in messages],
        repeats_after=repeats_after,
    )
    return {(row["number_id"], row["digest"]) for row in rows}


async def insert_messages(tx: Tx, *, messages: Sequence[NewPublicMessage], now: datetime) -> None:
    await _queries.insert_messages.execute(
        tx,
        number_ids=[message.number_id for message in messages],
        senders=[message.sender for message in messages],
        bodies=[message.text for message in messages],
        digests=[message.digest for message in messages],
        sent_at=[message.sent_at for message in messages],
        now=now,
    )


async def delete_messages_of(tx: Tx, *, number_id: NumberId) -> None:
    await _queries.delete_messages_of.execute(tx, number_id=number_id)


async def forget_digests(tx: Tx, *, before: datetime) -> int:
    return await _queries.forget_digests.execute(tx, before=before)


async def forget_messages(tx: Tx, *, before: datetime, limit: int) -> int:
    return await _queries.forget_messages.execute(tx, before=before, limit=limit)


async def take_quiet_sandbox_numbers(tx: Tx, *, since: datetime, limit: int) -> list[NumberId]:
    rows = await _queries.take_quiet_sandbox_numbers.rows(tx, since=since, limit=limit)
    return [row["id"] for row in rows]


async def delete_messages_of_pools(tx: Tx, *, pool_ids: Collection[PoolId]) -> None:
    await _queries.delete_messages_of_pools.execute(tx, pool_ids=list(pool_ids))


async def withdraw_of_pools(tx: Tx, *, pool_ids: Collection[PoolId]) -> None:
    await _queries.withdraw_of_pools.execute(tx, pool_ids=list(pool_ids))
