"""The due loops: expiry, stock, sandbox messages, upkeep."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta

from simyard.base.clock import Clock
from simyard.core.activations import service as activations
from simyard.core.activations.store import SandboxTarget
from simyard.core.limits import service as limits
from simyard.core.messages import service as messages
from simyard.core.messages.model import IncomingMessage
from simyard.core.numbers import service as numbers
from simyard.db.database import Database, Tx
from simyard.db.due import DueLoop
from simyard.db.listen import Listener
from simyard.settings import Settings

_EXPIRE_LIMIT = 500
_STOCK_LIMIT = 20_000
_SANDBOX_LIMIT = 200
_UPKEEP_LIMIT = 1000
_UPKEEP_PAUSE_SECONDS = 60.0
_BUDGETS_KEPT = timedelta(hours=1)
_SEEN_KEPT = timedelta(days=1)


class Workers:
    """Everything that happens by itself. Any number of processes may run them at once."""

    def __init__(self, database: Database, url: str, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._listener = Listener(url)
        self._listener.on("simyard_due", self._wake)
        self.loops = (
            DueLoop("expiry", self._in_transaction(self._expire)),
            DueLoop("stock", self._in_transaction(self._take_stock), pause_seconds=0.5),
            DueLoop("sandbox", self._in_transaction(self._send_sandbox_messages), pause_seconds=0.5),
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

    async def _take_stock(self, tx: Tx) -> int:
        return await numbers.take_stock(tx, limit=_STOCK_LIMIT)

    async def _send_sandbox_messages(self, tx: Tx) -> int:
        now = self._clock.now()
        taken, targets = await activations.take_sandbox_messages(tx, now=now, limit=_SANDBOX_LIMIT)
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
        return taken

    async def _keep_up(self, tx: Tx) -> int:
        now, settings = self._clock.now(), self._settings
        erased = await messages.erase_texts(
            tx, before=now - timedelta(days=settings.message_text_days), limit=_UPKEEP_LIMIT
        )
        await messages.forget_seen(tx, before=now - _SEEN_KEPT)
        await activations.forget_keys(tx, before=now - timedelta(hours=settings.idempotency_hours))
        await limits.forget_budgets(tx, before=now - _BUDGETS_KEPT)
        return erased


def _sandbox_text(target: SandboxTarget) -> str:
    code = f"{secrets.randbelow(1_000_000):06d}"
    return f"Your {target.service_name} verification code is {code}. Do not share it with anyone."
