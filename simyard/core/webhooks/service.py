"""Verbs about webhooks: where an account wants to be told, what it was told, and what came of each attempt."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from simyard.base.addresses import parse_url
from simyard.base.ids import AccountId, DeliveryId, EndpointId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import service as accounts
from simyard.core.audit import service as audit
from simyard.core.mail import service as mail
from simyard.core.webhooks import rules, store
from simyard.core.webhooks.model import (
    Announced,
    Announcement,
    Delivery,
    DeliveryPage,
    Endpoint,
    ListDeliveries,
    SetEndpoint,
    SwitchedOff,
)
from simyard.db.database import Tx

PROBLEM_LENGTH_MAX: Final = 200
_OFF: Final = "the endpoint was switched off"
_ERASED: Final = "the message was erased"

_REASONS = {
    SwitchedOff.GONE: "it answered 410 Gone",
    SwitchedOff.FAILING: f"every attempt failed for {rules.FAILING_MAX.days} days",
}


async def set_endpoint(tx: Tx, command: SetEndpoint) -> Endpoint | None:
    """Set where an account is told of its messages, or, with no URL, switch that off.

    Refuses, first match wins: MALFORMED (`field="url"`: no http or https, a password in it, too long, an address that is
    not public), UNKNOWN_ACCOUNT (erased a moment ago). The secret is made once and kept. Announcements on their way go to the new URL; what waits for an endpoint that is switched
    off has failed. A repeat changes nothing. None: there was nothing to switch off. Locks: the endpoint, its deliveries.
    """
    before = await store.lock_endpoint_of(tx, account_id=command.account_id, format_name=command.format)
    if not (command.url or "").strip():
        return None if before is None else await _switch_off(tx, before, None, command.now)
    try:
        url = rules.checked_url(command.url or "", command.networks_allowed)
    except ValueError as error:
        raise Refusal(Refused.MALFORMED, field="url", problem=str(error)) from error
    if before is not None and not before.enabled:
        await store.fail_pending(tx, endpoint_id=before.id, problem=_OFF, now=command.now)
    endpoint = await store.set_endpoint(
        tx,
        account_id=command.account_id,
        format_name=command.format,
        event=command.event,
        url=url,
        secret=secrets.token_bytes(rules.SECRET_BYTES),
        now=command.now,
    )
    if endpoint is None:
        raise Refusal(Refused.UNKNOWN_ACCOUNT, account_id=command.account_id)
    return endpoint


async def endpoint_of(tx: Tx, account_id: AccountId, format_name: str) -> Endpoint | None:
    """The account's endpoint of a format; it may be switched off."""
    return await store.find_endpoint(tx, account_id=account_id, format_name=format_name)


async def list_endpoints(tx: Tx, account_id: AccountId) -> list[Endpoint]:
    """The account's endpoints of every format."""
    return await store.list_endpoints(tx, account_id=account_id)


async def announce(tx: Tx, announcements: Sequence[Announced], *, now: datetime) -> int:
    """Write what is to be told of stored messages, in their transaction; returns how many deliveries that makes.

    Accounts that are suspended or locked are told nothing. A repeat adds nothing.
    """
    if not announcements:
        return 0
    written = await store.insert_deliveries(tx, announced=announcements, now=now)
    if written:
        await store.wake_sender(tx)
    return written


async def claim(
    tx: Tx,
    *,
    now: datetime,
    lease_seconds: float,
    per_endpoint_max: int,
    limit: int,
    failing_limit: int,
    in_flight: Mapping[EndpointId, int],
) -> list[Announcement]:
    """Take announcements that are due, to be sent once this is committed.

    At most so many of each endpoint, counting those in flight; one of an endpoint that fails, and of such endpoints no
    more than `failing_limit` together. What nobody records comes again after the lease: an announcement may arrive
    twice, with the same id, but not never. Rows that others hold are skipped.
    """
    claimed = await store.claim_due(
        tx,
        now=now,
        claimed_until=now + timedelta(seconds=lease_seconds),
        per_endpoint_max=per_endpoint_max,
        limit=limit,
        failing_limit=failing_limit,
        in_flight=in_flight,
    )
    if not claimed:
        return []
    return [delivery.facts for delivery in await store.find_deliveries(tx, delivery_ids=claimed)]


async def record_success(tx: Tx, announcement: Announcement, *, status: int, now: datetime) -> None:
    """It arrived. A repeat changes nothing. Locks: the endpoint, the delivery."""
    await store.end_failing(tx, endpoint_id=announcement.endpoint_id, url=announcement.url)
    await store.close_delivered(
        tx, delivery_id=announcement.delivery_id, url=announcement.url, status=status, now=now
    )


async def record_failure(
    tx: Tx,
    announcement: Announcement,
    *,
    status: int | None,
    problem: str,
    retry_after: timedelta | None,
    now: datetime,
) -> datetime | None:
    """It did not arrive: when it is tried again, or None when it has failed.

    An endpoint that is gone, or has failed for too long, is switched off and its owner told. What was learned at a URL
    that the owner has changed since says nothing about the new one. A failure recorded after a later attempt's outcome
    changes nothing. Locks: the endpoint, its deliveries.
    """
    endpoint = await store.lock_endpoint(tx, endpoint_id=announcement.endpoint_id)
    current = endpoint is not None and endpoint.enabled and endpoint.url == announcement.url
    after = rules.after_failure(
        failures=announcement.attempts + 1,
        status=status if current else None,
        failing_since=endpoint.failing_since if endpoint is not None and current else None,
        retry_after=retry_after,
        now=now,
    )
    recorded = await store.record_attempt(
        tx,
        delivery_id=announcement.delivery_id,
        attempts=announcement.attempts,
        next_attempt_at=after.next_attempt_at,
        url=announcement.url,
        status=status,
        problem=problem[:PROBLEM_LENGTH_MAX],
        now=now,
    )
    if not recorded:
        return None
    if endpoint is not None and current:
        await store.begin_failing(tx, endpoint_id=endpoint.id, now=now)
        if after.switched_off is not None:
            await _switch_off(tx, endpoint, after.switched_off, now)
    return after.next_attempt_at


async def record_erased(tx: Tx, announcement: Announcement, *, now: datetime) -> None:
    """Its text is gone, so there is nothing to tell any more. The endpoint is not to blame."""
    await store.record_attempt(
        tx,
        delivery_id=announcement.delivery_id,
        attempts=announcement.attempts,
        next_attempt_at=None,
        url=announcement.url,
        status=None,
        problem=_ERASED,
        now=now,
    )


async def _switch_off(
    tx: Tx, endpoint: Endpoint, reason: SwitchedOff | None, now: datetime
) -> Endpoint | None:
    """Without a reason: by its owner, who need not be told."""
    if not endpoint.enabled and reason is None:
        return endpoint
    await store.fail_pending(tx, endpoint_id=endpoint.id, problem=_OFF, now=now)
    if reason is not None:
        facts: dict[str, object] = {
            "account_id": endpoint.account_id,
            "format": endpoint.format,
            "reason": reason,
        }
        await audit.record(tx, actor="webhooks", action="webhook.switched_off", facts=facts, now=now)
        # Of the URL only the host: what follows it may be a secret.
        host = parse_url(endpoint.url).host
        recipient = await accounts.email_of(tx, endpoint.account_id)
        await mail.enqueue(
            tx, recipient, "Your webhook was switched off", _letter(endpoint.format, host, reason), now
        )
    return await store.switch_off(tx, endpoint_id=endpoint.id, reason=reason, now=now)


def _letter(format_name: str, host: str, reason: SwitchedOff) -> str:
    return (
        f"Your {format_name} webhook at {host} was switched off, because {_REASONS[reason]}.\n\n"
        "Messages still arrive and can be read through the API; only the webhook does not tell of them any more. "
        "Announcements that were under way are marked as failed. Once the receiver works, set its URL again; then ask "
        "your operator to replay what failed, if you need it.\n"
    )


async def list_deliveries(tx: Tx, command: ListDeliveries) -> DeliveryPage:
    """A page of what the account was told, newest first."""
    total = await store.count_deliveries(tx, account_id=command.account_id, format_name=command.format)
    found = await store.list_delivery_ids(
        tx,
        account_id=command.account_id,
        format_name=command.format,
        limit=command.per_page,
        offset=(command.page - 1) * command.per_page,
    )
    deliveries = await store.find_deliveries(tx, delivery_ids=found) if found else []
    return DeliveryPage(tuple(_without_secret(one) for one in reversed(deliveries)), total)


def _without_secret(delivery: Delivery) -> Delivery:
    return dataclasses.replace(delivery, facts=dataclasses.replace(delivery.facts, secret=b""))


async def replay(tx: Tx, account_id: AccountId, delivery_id: DeliveryId, *, now: datetime) -> None:
    """Tell of a message once more, under the same id and from the start of the schedule.

    Refuses: UNKNOWN_DELIVERY, also when its endpoint is switched off, so that it has nowhere to go.
    """
    if not await store.replay(tx, account_id=account_id, delivery_id=delivery_id, now=now):
        raise Refusal(Refused.UNKNOWN_DELIVERY, delivery=delivery_id)
    await store.wake_sender(tx)


async def replay_failed(tx: Tx, account_id: AccountId, *, now: datetime) -> int:
    """Tell of everything once more that failed and still has its text; returns how many."""
    replayed = await store.replay_failed(tx, account_id=account_id, now=now)
    if replayed:
        await store.wake_sender(tx)
    return replayed


async def forget_deliveries(tx: Tx, *, before: datetime, now: datetime, limit: int) -> int:
    """Drop deliveries that were closed before then, a slice at a time; returns how many.

    Also fails what was announced at the very moment its endpoint was switched off.
    """
    await store.fail_stranded(tx, problem=_OFF, now=now)
    return await store.forget_deliveries(tx, before=before, limit=limit)


async def erase(tx: Tx, account_id: AccountId) -> None:
    """Forget an account's endpoints, with their secrets, and what they were told. What is being sent arrives all the same.

    Locks: the endpoints, their deliveries.
    """
    await store.lock_endpoints_of(tx, account_id=account_id)
    await store.delete_deliveries_of(tx, account_id=account_id)
    await store.delete_endpoints_of(tx, account_id=account_id)
