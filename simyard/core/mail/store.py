"""The rows of mail."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from simyard.base.ids import MailId
from simyard.core.mail.model import Mail
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


async def insert_mail(tx: Tx, *, recipient: str, subject: str, body: str, now: datetime) -> MailId:
    return MailId(
        await _queries.insert_mail.value(tx, recipient=recipient, subject=subject, body=body, now=now)
    )


async def wake_sender(tx: Tx) -> None:
    await _queries.wake_sender.execute(tx)


async def claim_mail(tx: Tx, *, now: datetime, claimed_until: datetime, limit: int) -> list[Mail]:
    rows = await _queries.claim_mail.rows(tx, now=now, claimed_until=claimed_until, limit=limit)
    return [Mail(*row) for row in rows]


async def close_mail(
    tx: Tx, *, mail_id: MailId, attempts: int, state: Literal["sent", "failed"], now: datetime
) -> None:
    await _queries.close_mail.execute(tx, mail_id=mail_id, attempts=attempts, state=state, now=now)


async def postpone_mail(tx: Tx, *, mail_id: MailId, attempts: int, next_attempt_at: datetime) -> None:
    await _queries.postpone_mail.execute(
        tx, mail_id=mail_id, attempts=attempts, next_attempt_at=next_attempt_at
    )


async def forget_mail(tx: Tx, *, before: datetime) -> int:
    return await _queries.forget_mail.execute(tx, before=before)


async def delete_mail_to(tx: Tx, *, recipient: str) -> None:
    await _queries.delete_mail_to.execute(tx, recipient=recipient)
