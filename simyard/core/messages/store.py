"""The rows of messages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from simyard.base.ids import (
    AccountId,
    ActivationId,
    LeaseId,
    MessageId,
    NumberId,
    PoolId,
    RentalId,
)
from simyard.core.messages.model import ClosedLease, LateMessage, ReceivedMessage
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


@dataclass(frozen=True, slots=True)
class NewMessage:
    """Of an activation or of a rental."""

    activation_id: ActivationId | None
    rental_id: RentalId | None
    sender: str
    text: str
    code: str | None
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class NewLateMessage:
    lease_id: LeaseId
    number_id: NumberId
    sender: str
    text: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """What recognises a message on its lease; with a number, on all leases of that."""

    lease_id: LeaseId
    digest: bytes
    sent_at: datetime | None = None
    number_id: NumberId | None = None


async def mark_seen(
    tx: Tx, *, seen: Sequence[Seen], repeats_after: datetime, now: datetime
) -> set[tuple[LeaseId, bytes]]:
    rows = await _queries.mark_seen.rows(
        tx,
        lease_ids=[one.lease_id for one in seen],
        digests=[one.digest for one in seen],
        number_ids=[one.number_id for one in seen],
        sent_at=[one.sent_at for one in seen],
        repeats_after=repeats_after,
        now=now,
    )
    return {(row["lease_id"], row["digest"]) for row in rows}


async def insert_messages(tx: Tx, *, rows: Sequence[NewMessage], now: datetime) -> list[MessageId]:
    """The ids in the order of the rows."""
    inserted = await _queries.insert_messages.rows(
        tx,
        activation_ids=[row.activation_id for row in rows],
        rental_ids=[row.rental_id for row in rows],
        senders=[row.sender for row in rows],
        bodies=[row.text for row in rows],
        codes=[row.code for row in rows],
        sent_at=[row.sent_at for row in rows],
        now=now,
    )
    return sorted(MessageId(row["id"]) for row in inserted)


async def just_closed(
    tx: Tx, *, number_ids: Collection[NumberId], since: datetime
) -> dict[NumberId, ClosedLease]:
    rows = await _queries.just_closed.rows(tx, number_ids=list(number_ids), since=since)
    return {row["number_id"]: ClosedLease(row["id"], row["account_id"], row["service_id"]) for row in rows}


async def insert_late(tx: Tx, *, rows: Sequence[NewLateMessage], now: datetime) -> None:
    await _queries.insert_late.execute(
        tx,
        lease_ids=[row.lease_id for row in rows],
        number_ids=[row.number_id for row in rows],
        senders=[row.sender for row in rows],
        bodies=[row.text for row in rows],
        sent_at=[row.sent_at for row in rows],
        now=now,
    )


async def late(tx: Tx, *, lease_id: LeaseId | None, msisdn: str | None, limit: int) -> list[LateMessage]:
    rows = await _queries.late.rows(tx, lease_id=lease_id, msisdn=msisdn, limit=limit)
    return [LateMessage(*row) for row in rows]


async def of_rentals(
    tx: Tx, *, rental_ids: Collection[RentalId], limit: int, offset: int
) -> dict[RentalId, list[ReceivedMessage]]:
    rows = await _queries.of_rentals.rows(tx, rental_ids=list(rental_ids), limit=limit, offset=offset)
    found: dict[RentalId, list[ReceivedMessage]] = {rental_id: [] for rental_id in rental_ids}
    for row in rows:
        found[row["rental_id"]].append(
            ReceivedMessage(row["id"], row["sender"], row["body"], row["code"], row["received_at"])
        )
    return found


async def count_dropped(tx: Tx, *, counts: Mapping[tuple[PoolId, str], int], day: date) -> None:
    await _queries.count_dropped.execute(
        tx,
        pool_ids=[pool_id for pool_id, _ in counts],
        reasons=[reason for _, reason in counts],
        counts=list(counts.values()),
        day=day,
    )


async def count_misuse(tx: Tx, *, counts: Mapping[AccountId, int], day: date) -> None:
    await _queries.count_misuse.execute(tx, account_ids=list(counts), counts=list(counts.values()), day=day)


async def erase_texts(tx: Tx, *, before: datetime, limit: int) -> int:
    return await _queries.erase_texts.execute(tx, before=before, limit=limit)


async def forget_late(tx: Tx, *, before: datetime, limit: int) -> int:
    return await _queries.forget_late.execute(tx, before=before, limit=limit)


async def forget_seen(tx: Tx, *, before: datetime) -> int:
    return await _queries.forget_seen.execute(tx, before=before)


async def erase_of_account(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.erase_of_account.execute(tx, account_id=account_id)


async def delete_late_of_account(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.delete_late_of_account.execute(tx, account_id=account_id)


async def delete_seen_of_account(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.delete_seen_of_account.execute(tx, account_id=account_id)
