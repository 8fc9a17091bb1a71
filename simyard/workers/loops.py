"""The due loops: expiry, rentals and bans from rent, earnings, number checks, quality, stock, sandbox messages, mail,
webhooks, upkeep."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from simyard.base.clock import Clock
from simyard.base.ids import NumberId
from simyard.core.activations import service as activations
from simyard.core.activations.store import SandboxTarget
from simyard.core.checks import service as checks
from simyard.core.earnings import service as earnings
from simyard.core.gateways import service as gateways
from simyard.core.idempotency import service as idempotency
from simyard.core.limits import service as limits
from simyard.core.logins import service as logins
from simyard.core.loyalty.model import Loyalty
from simyard.core.mail import service as mail
from simyard.core.messages import service as messages
from simyard.core.messages.model import IncomingMessage
from simyard.core.numbers import service as numbers
from simyard.core.public_numbers import service as public_numbers
from simyard.core.quality import service as quality
from simyard.core.remote import service as remote
from simyard.core.rentals import service as rentals
from simyard.core.sandbox import service as sandbox
from simyard.core.webhooks import service as webhooks
from simyard.db.database import Database, Tx
from simyard.db.due import DueLoop
from simyard.db.listen import Listener
from simyard.settings import Settings
from simyard.workers.funding import FundingSteps, FundingWorker, provider_of
from simyard.workers.mail import MailSender, transport
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.remote.acquire import Sources
from simyard.workers.remote.loops import MessagePolls, RemoteLeases, StockRounds
from simyard.workers.webhooks import Render, WebhookSender

_EXPIRE_LIMIT = 500
_STOCK_LIMIT = 20_000
_SANDBOX_LIMIT = 200
_MATURE_LIMIT = 1000
_QUALITY_LIMIT = 10_000
_MATURE_PAUSE_SECONDS = 5.0
_UPKEEP_LIMIT = 1000
_UPKEEP_PAUSE_SECONDS = 60.0
_SANDBOX_SENDERS = (
    ("whatsapp", "WhatsApp"),
    ("telegram", "Telegram"),
    ("google", "Google"),
    ("discord", "Discord"),
)
_PUBLIC_SANDBOX_DISTANCE = timedelta(minutes=10)
_BUDGETS_KEPT = timedelta(hours=1)
_SEEN_KEPT = timedelta(days=1)
# Some gateways try for days to hand a message in.
_GATEWAYS_SEEN_KEPT = timedelta(days=7)


class Workers:
    """Everything that happens by itself. Any number of processes may run them at once."""

    def __init__(
        self,
        database: Database,
        url: str,
        clock: Clock,
        settings: Settings,
        *,
        webhook_formats: Mapping[str, Render] | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        client = OutgoingClient(networks_allowed=settings.webhook_networks_allowed)
        mail_sender = MailSender(database, clock, settings, transport(settings))
        sources = Sources(
            database,
            OutgoingClient(networks_allowed=settings.remote_networks_allowed),
            settings.base_currency,
        )
        funding = FundingWorker(FundingSteps(database, provider_of(settings, database), clock))
        self._listener = Listener(url)
        self._listener.on("simyard_due", self._wake)
        self.loops = (
            DueLoop("expiry", self._in_transaction(self._expire)),
            DueLoop("rentals", self._in_transaction(self._end_rentals)),
            DueLoop(
                "rent bans", self._in_transaction(self._lift_rent_bans), pause_seconds=_UPKEEP_PAUSE_SECONDS
            ),
            DueLoop("earnings", self._in_transaction(self._mature), pause_seconds=_MATURE_PAUSE_SECONDS),
            DueLoop("number checks", self._in_transaction(self._end_checks)),
            DueLoop("quality", self._in_transaction(self._count_quality)),
            DueLoop("stock", self._in_transaction(self._take_stock), pause_seconds=0.5),
            DueLoop("sandbox", self._in_transaction(self._send_sandbox_messages), pause_seconds=0.5),
            DueLoop(
                "public sandbox",
                self._in_transaction(self._send_public_sandbox_messages),
                pause_seconds=_UPKEEP_PAUSE_SECONDS,
            ),
            DueLoop("mail", mail_sender.step),
            DueLoop("funding", funding.step),
            WebhookSender(database, clock, client, webhook_formats or {}),
            StockRounds(database, clock, sources, seconds=settings.remote_stock_seconds),
            MessagePolls(
                database,
                clock,
                sources,
                seconds=settings.remote_poll_seconds,
                loyalty=Loyalty(settings.loyalty_tiers, settings.base_currency),
                earning_hold=timedelta(hours=settings.earning_hold_hours),
                pause_seconds=min(0.5, settings.remote_poll_seconds),
            ),
            RemoteLeases(database, clock, sources),
            DueLoop("upkeep", self._in_transaction(self._keep_up), pause_seconds=_UPKEEP_PAUSE_SECONDS),
        )

    async def run(self) -> None:
        """Until `stop`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listener.run(), name="worker listener")
            for loop in self.loops:
                group.create_task(loop.run(), name=f"worker {loop.name}")

    def stop(self) -> None:
        """Let the running steps finish."""
        self._listener.stop()
        for loop in self.loops:
            loop.stop()

    def _wake(self, name: str | None) -> None:
        """A notification names the loop that has something to do; none means that some may have been missed."""
        for loop in self.loops:
            if name is None or name == loop.name:
                loop.wake()

    def _in_transaction(self, step: Callable[[Tx], Awaitable[int]]) -> Callable[[], Awaitable[int]]:
        async def run() -> int:
            async with self._database.transaction() as tx:
                return await step(tx)

        return run

    async def _expire(self, tx: Tx) -> int:
        return await activations.expire(tx, limit=_EXPIRE_LIMIT, now=self._clock.now())

    async def _end_rentals(self, tx: Tx) -> int:
        return await rentals.end_due(
            tx,
            limit=_EXPIRE_LIMIT,
            now=self._clock.now(),
            base_currency=self._settings.base_currency,
            earning_hold=timedelta(hours=self._settings.earning_hold_hours),
        )

    async def _lift_rent_bans(self, tx: Tx) -> int:
        return await numbers.lift_rent_bans(tx, limit=_EXPIRE_LIMIT, now=self._clock.now())

    async def _mature(self, tx: Tx) -> int:
        return await earnings.mature(tx, limit=_MATURE_LIMIT, now=self._clock.now())

    async def _end_checks(self, tx: Tx) -> int:
        return await checks.end_due(tx, limit=_EXPIRE_LIMIT, now=self._clock.now())

    async def _count_quality(self, tx: Tx) -> int:
        return await quality.count(
            tx,
            limit=_QUALITY_LIMIT,
            now=self._clock.now(),
            over_reporting_percent=self._settings.over_reporting_percent,
        )

    async def _take_stock(self, tx: Tx) -> int:
        return await numbers.take_stock(tx, limit=_STOCK_LIMIT)

    async def _send_sandbox_messages(self, tx: Tx) -> int:
        now = self._clock.now()
        taken = await sandbox.take_messages(tx, now=now, limit=_SANDBOX_LIMIT)
        targets = await activations.sandbox_targets(tx, taken)
        targets += [_any_sender(number_id) for number_id in await rentals.sandbox_numbers(tx, taken)]
        if targets:
            await messages.receive(
                tx,
                [
                    IncomingMessage(
                        None, None, target.number_id, target.service_name, _sandbox_text(target), now, now
                    )
                    for target in targets
                ],
                loyalty=Loyalty(self._settings.loyalty_tiers, self._settings.base_currency),
            )
        return len(taken)

    async def _send_public_sandbox_messages(self, tx: Tx) -> int:
        """A message now and then for fictitious public numbers, so that there is something to see."""
        now = self._clock.now()
        quiet = await public_numbers.take_quiet_sandbox_numbers(
            tx, since=now - _PUBLIC_SANDBOX_DISTANCE, limit=_SANDBOX_LIMIT
        )
        targets = [_any_sender(number_id) for number_id in quiet]
        if targets:
            await messages.receive(
                tx,
                [
                    IncomingMessage(
                        None, None, target.number_id, target.service_name, _sandbox_text(target), now, now
                    )
                    for target in targets
                ],
            )
        return len(targets)

    async def _keep_up(self, tx: Tx) -> int:
        now, settings = self._clock.now(), self._settings
        texts_kept_from = now - timedelta(days=settings.message_text_days)
        erased = await messages.erase_texts(tx, before=texts_kept_from, limit=_UPKEEP_LIMIT)
        await messages.forget_seen(tx, before=now - _SEEN_KEPT)
        await gateways.forget_seen(tx, before=now - _GATEWAYS_SEEN_KEPT)
        await gateways.retire_silent(tx, before=now - timedelta(seconds=settings.number_online_seconds))
        erased += await public_numbers.forget_messages(tx, before=texts_kept_from, limit=_UPKEEP_LIMIT)
        await public_numbers.forget_digests(tx, before=now - _SEEN_KEPT)
        await mail.forget(tx, before=texts_kept_from)
        await webhooks.forget_deliveries(tx, before=texts_kept_from, now=now, limit=_UPKEEP_LIMIT)
        erased += await remote.forget_leases(tx, before=texts_kept_from, now=now, limit=_UPKEEP_LIMIT)
        await idempotency.forget(tx, before=now - timedelta(hours=settings.idempotency_hours))
        await limits.forget_budgets(tx, before=now - _BUDGETS_KEPT)
        erased += await logins.forget(
            tx, access_seconds=settings.access_token_seconds, now=now, limit=_UPKEEP_LIMIT
        )
        return erased


def _any_sender(number_id: NumberId) -> SandboxTarget:
    """A rental takes any sender: one of those everybody knows."""
    slug, name = secrets.choice(_SANDBOX_SENDERS)
    return SandboxTarget(number_id, slug, name)


def _sandbox_text(target: SandboxTarget) -> str:
    code = f"{secrets.randbelow(1_000_000):06d}"
    return f"Your {target.service_name} verification code is {code}. Do not share it with anyone."
