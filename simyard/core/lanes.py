"""The lanes: one for each batch verb."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from simyard.core.accounts.model import Caller
from simyard.core.activations import service as activations
from simyard.core.activations.model import (
    Activation,
    ActivationView,
    CheckActivation,
    LookAtActivations,
    Order,
    OrderNumber,
)
from simyard.core.limits import service as limits
from simyard.core.limits.model import Admit, AdmitSession
from simyard.core.loyalty.model import NO_LOYALTY, Loyalty
from simyard.core.messages import service as messages
from simyard.core.messages.model import IncomingMessage, Receipt
from simyard.db.database import Database
from simyard.db.lanes import Lane


class Lanes:
    """Orders and messages are durable when they are answered; budgets need not outlive a crash of the server."""

    def __init__(
        self,
        durable: Database,
        relaxed: Database,
        *,
        slots: int,
        batch_max: int,
        queue_max: int,
        loyalty: Loyalty = NO_LOYALTY,
    ) -> None:
        sizes: dict[str, Any] = {"slots": slots, "batch_max": batch_max, "queue_max": queue_max}
        self.admit: Lane[Admit, Caller] = Lane("admit", relaxed, limits.admit, single_statement=True, **sizes)
        self.admit_session: Lane[AdmitSession, Caller] = Lane(
            "admit session", relaxed, limits.admit_sessions, single_statement=True, **sizes
        )
        self.check: Lane[CheckActivation, Activation] = Lane(
            "check", relaxed, activations.check, single_statement=True, **sizes
        )
        self.look: Lane[LookAtActivations, tuple[ActivationView, ...]] = Lane(
            "look", relaxed, activations.look, single_statement=True, **sizes
        )
        self.order: Lane[OrderNumber, Order] = Lane("order", durable, activations.order, **sizes)
        self.receive: Lane[IncomingMessage, Receipt] = Lane(
            "receive", durable, partial(messages.receive, loyalty=loyalty), **sizes
        )

    def __iter__(self) -> Iterator[Lane[Any, Any]]:
        return iter((self.admit, self.admit_session, self.check, self.look, self.order, self.receive))

    async def close(self) -> None:
        """Run what is queued, then refuse."""
        for lane in self:
            await lane.close()
