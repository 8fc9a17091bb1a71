"""What decides about webhooks from values alone: addresses, signatures, and what follows a failure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from simyard.base.addresses import Network, literal, may_be_called, parse_url
from simyard.base.ids import DeliveryId
from simyard.core.webhooks.model import SwitchedOff

RETRIES = (
    timedelta(seconds=0),
    timedelta(seconds=1),
    timedelta(seconds=3),
    timedelta(seconds=10),
    timedelta(seconds=30),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
)
"""The wait after each failure. A code is worth nothing after its lease, so the first ones are short."""
FAILING_MAX = timedelta(days=5)
RETRY_AFTER_MAX = timedelta(hours=10)
SECRET_BYTES = 32

_GONE = 410


def checked_url(url: str, networks_allowed: Iterable[Network]) -> str:
    """The URL without the space around it. ValueError says why nothing may be sent there, as far as its text tells.

    A name is looked up each time it is called, and its addresses are checked then.
    """
    text = url.strip()
    address = literal(parse_url(text).host)
    if address is not None and not may_be_called(address, networks_allowed):
        raise ValueError("an address that is not public")
    return text


def is_success(status: int) -> bool:
    return 200 <= status <= 299


@dataclass(frozen=True, slots=True)
class AfterFailure:
    """When to try again; None when the delivery has failed. And whether the endpoint is switched off with it."""

    next_attempt_at: datetime | None
    switched_off: SwitchedOff | None


def after_failure(
    *,
    failures: int,
    status: int | None,
    failing_since: datetime | None,
    retry_after: timedelta | None,
    now: datetime,
) -> AfterFailure:
    """What follows the n-th failure of a delivery whose endpoint failed since then.

    A receiver that asks for more time gets it, within bounds; it cannot ask for less.
    """
    if status == _GONE:
        return AfterFailure(None, SwitchedOff.GONE)
    if failing_since is not None and now - failing_since >= FAILING_MAX:
        return AfterFailure(None, SwitchedOff.FAILING)
    if failures > len(RETRIES):
        return AfterFailure(None, None)
    wait = max(RETRIES[failures - 1], min(retry_after or timedelta(0), RETRY_AFTER_MAX))
    return AfterFailure(now + wait, None)


def message_name(delivery_id: DeliveryId) -> str:
    """The id a receiver knows an announcement by: the same at every attempt."""
    return f"msg_{delivery_id}"


def shown_secret(secret: bytes) -> str:
    """The signing secret as receivers configure it."""
    return "whsec_" + base64.b64encode(secret).decode()


def signed_headers(
    delivery_id: DeliveryId, secret: bytes, body: bytes, *, now: datetime
) -> tuple[tuple[str, str], ...]:
    """The headers of Standard Webhooks: id, time of this attempt, and the signature over both and the body."""
    name, seconds = message_name(delivery_id), int(now.timestamp())
    return (
        ("webhook-id", name),
        ("webhook-timestamp", str(seconds)),
        ("webhook-signature", signature(secret, name, seconds, body)),
    )


def signature(secret: bytes, name: str, seconds: int, body: bytes) -> str:
    """What proves that the holder of the secret sent this body under this name at this time."""
    digest = hmac.digest(secret, f"{name}.{seconds}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()
