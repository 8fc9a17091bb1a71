"""Verbs about mail: whoever has something to tell enqueues it, a worker claims it and records what came of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from simyard.base.ids import MailId
from simyard.core.mail import rules, store
from simyard.core.mail.model import Mail
from simyard.db.database import Tx


async def enqueue(tx: Tx, recipient: str, subject: str, body: str, now: datetime) -> MailId:
    """Send a mail once this transaction has committed. The body is erased when it was sent or given up.

    A repeat sends another.
    """
    mail_id = await store.insert_mail(
        tx, recipient=recipient, subject=rules.subject_line(subject), body=body, now=now
    )
    await store.wake_sender(tx)
    return mail_id


async def claim(tx: Tx, *, now: datetime, lease_seconds: int, limit: int) -> list[Mail]:
    """Take mails that are due, oldest due time first, and count an attempt for each.

    One whose outcome nobody records comes again after the lease, so a mail may be sent twice, never not at all.
    """
    return await store.claim_mail(
        tx, now=now, claimed_until=now + timedelta(seconds=lease_seconds), limit=limit
    )


async def record_sent(tx: Tx, mail: Mail, *, now: datetime) -> None:
    """A server took it. Nothing happens when another worker has claimed it since."""
    await store.close_mail(tx, mail_id=mail.id, attempts=mail.attempts, state="sent", now=now)


async def record_failure(tx: Tx, mail: Mail, *, for_good: bool, now: datetime) -> datetime | None:
    """Nobody took it: when it will be tried again, or None when it was given up.

    Nothing is written when another worker has claimed it since.
    """
    again = None if for_good else rules.next_attempt(mail.attempts, now)
    if again is None:
        await store.close_mail(tx, mail_id=mail.id, attempts=mail.attempts, state="failed", now=now)
    else:
        await store.postpone_mail(tx, mail_id=mail.id, attempts=mail.attempts, next_attempt_at=again)
    return again


async def forget(tx: Tx, *, before: datetime) -> int:
    """Drop mails that were closed before; returns how many."""
    return await store.forget_mail(tx, before=before)


async def erase(tx: Tx, recipient: str) -> None:
    """Forget every mail to an address, also those that wait to be sent. One that is being sent arrives all the same."""
    await store.delete_mail_to(tx, recipient=recipient)
