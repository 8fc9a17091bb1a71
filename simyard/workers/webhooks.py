"""The sender of webhooks: claims announcements that are due, calls their receivers, records what came of it."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, TypeAlias

import prometheus_client

from simyard import __version__
from simyard.base.clock import Clock
from simyard.base.ids import EndpointId
from simyard.core.webhooks import rules
from simyard.core.webhooks import service as webhooks
from simyard.core.webhooks.model import Announcement
from simyard.db.database import Database
from simyard.db.due import IN_FLIGHT_MAX, STOP_SECONDS_MAX, ConcurrentDueLoop
from simyard.workers.outgoing import SECONDS_MAX, Answer, Call, Failure, OutgoingClient

log = logging.getLogger(__name__)

Render: TypeAlias = Callable[[Announcement], bytes]

PER_ENDPOINT_MAX: Final = 4
# Longer than a call and the record of it may take together.
LEASE_SECONDS: Final = 30.0

_deliveries = prometheus_client.Counter(
    "simyard_webhook_attempts", "Attempts to deliver an announcement.", ["format", "outcome"]
)


class WebhookSender(ConcurrentDueLoop[Announcement]):
    """Sends many announcements at once, few to one endpoint, so that a receiver that hangs holds up nobody else's.

    No transaction is open while a receiver is called. A process that dies loses nothing: the claim lapses, and the
    announcement goes out again under the same id.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        client: OutgoingClient,
        formats: Mapping[str, Render],
        *,
        in_flight_max: int = IN_FLIGHT_MAX,
        per_endpoint_max: int = PER_ENDPOINT_MAX,
        call_seconds_max: float = SECONDS_MAX,
        stop_seconds_max: float = STOP_SECONDS_MAX,
        pause_seconds: float = 0.5,
    ) -> None:
        super().__init__(
            "webhooks",
            in_flight_max=in_flight_max,
            stop_seconds_max=stop_seconds_max,
            pause_seconds=pause_seconds,
        )
        self._database = database
        self._clock = clock
        self._client = client
        self._formats = formats
        self._per_endpoint_max = per_endpoint_max
        self._call_seconds_max = call_seconds_max

    async def _claim(self, room: int) -> Sequence[Announcement]:
        failing = sum(one.endpoint_failing for one in self.in_flight)
        async with self._database.transaction() as tx:
            return await webhooks.claim(
                tx,
                now=self._clock.now(),
                lease_seconds=LEASE_SECONDS,
                per_endpoint_max=self._per_endpoint_max,
                limit=room,
                # Half of the room is kept for those that work.
                failing_limit=max(0, self._in_flight_max // 2 - failing),
                in_flight=self._per_endpoint(),
            )

    def _per_endpoint(self) -> Mapping[EndpointId, int]:
        return Counter(one.endpoint_id for one in self.in_flight)

    def _label(self, announcement: Announcement) -> str:
        return f"webhook delivery {announcement.delivery_id}"

    async def _see_to(self, announcement: Announcement) -> None:
        if announcement.text is None:
            async with self._database.transaction() as tx:
                await webhooks.record_erased(tx, announcement, now=self._clock.now())
            self._count(announcement, "erased")
            return
        try:
            body = self._formats[announcement.format](announcement)
        except Exception as error:
            # Where it went wrong, but not its text: it may quote the message.
            place = traceback.extract_tb(error.__traceback__)[-1]
            log.error(
                "%s: cannot be rendered: %s at %s:%s",
                self._label(announcement),
                type(error).__name__,
                place.filename,
                place.lineno,
            )
            await self._record_failure(announcement, None, "the announcement could not be rendered", None)
            return
        outcome = await self._client.call(self._call(announcement, body))
        if isinstance(outcome, Failure):
            await self._record_failure(announcement, None, f"{outcome.problem.value}: {outcome.detail}", None)
        elif rules.is_success(outcome.status):
            await self._database.run(
                lambda tx: webhooks.record_success(
                    tx, announcement, status=outcome.status, now=self._clock.now()
                )
            )
            self._count(announcement, "delivered")
        else:
            problem = f"answered {outcome.status}"
            if 300 <= outcome.status <= 399:
                problem += "; redirects are not followed"
            await self._record_failure(
                announcement, outcome.status, problem, _retry_after(outcome, self._clock.now())
            )

    def _call(self, announcement: Announcement, body: bytes) -> Call:
        signed = rules.signed_headers(
            announcement.delivery_id, announcement.secret, body, now=self._clock.now()
        )
        headers = (
            ("user-agent", f"Simyard/{__version__}"),
            ("content-type", "application/json"),
            *signed,
        )
        return Call("POST", announcement.url, headers, body, seconds_max=self._call_seconds_max)

    async def _record_failure(
        self, announcement: Announcement, status: int | None, problem: str, retry_after: timedelta | None
    ) -> None:
        again = await self._database.run(
            lambda tx: webhooks.record_failure(
                tx,
                announcement,
                status=status,
                problem=problem,
                retry_after=retry_after,
                now=self._clock.now(),
            )
        )
        self._count(announcement, "failed" if again is None else "retried")

    def _count(self, announcement: Announcement, outcome: str) -> None:
        _deliveries.labels(announcement.format, outcome).inc()


def _retry_after(answer: Answer, now: datetime) -> timedelta | None:
    """How long the receiver asks us to wait: seconds, or a date. Nonsense is no wish."""
    text = answer.header("retry-after")
    if text is None:
        return None
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:10]), 10**6))
    with suppress(ValueError, TypeError, OverflowError):
        return max(parsedate_to_datetime(text) - now, timedelta(0))
    return None
