"""The lanes: one for each batch verb."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Protocol, TypeAlias, cast

from simyard.base.refusals import Refusal
from simyard.core.accounts.model import Caller
from simyard.core.activations import service as activations
from simyard.core.activations.model import (
    Activation,
    ActivationView,
    AskingActivation,
    CheckActivation,
    LookAtActivations,
    Order,
    OrderNumber,
)
from simyard.core.earnings.model import AT_ONCE
from simyard.core.limits import service as limits
from simyard.core.limits.model import Admit, AdmitSession
from simyard.core.loyalty.model import NO_LOYALTY, Loyalty
from simyard.core.messages import service as messages
from simyard.core.messages.model import NOT_KEPT, IncomingMessage, Receipt
from simyard.core.remote import pushes
from simyard.core.remote.push_model import AdmitPush, Pushed, PushedMessage
from simyard.db.database import Database, Tx
from simyard.db.lanes import Lane

Attempt: TypeAlias = Callable[[OrderNumber], Awaitable[Order | AskingActivation]]


class Acquirer(Protocol):
    """Carries orders on that wait for the number of a pool that must be asked for it."""

    async def order(self, command: OrderNumber, attempt: Attempt) -> Order:
        """The order, with its number. Refuses what `activations.order` refuses, and UPSTREAM_FAILED."""
        ...


class OrderLane(Lane[OrderNumber, Order]):
    """Runs batches of orders. Without an acquirer nothing is asked of remote pools."""

    acquirer: Acquirer | None = None

    async def __call__(self, command: OrderNumber) -> Order:
        if self.acquirer is None:
            return await super().__call__(command)
        return await self.acquirer.order(command, super().__call__)


_OrderVerb: TypeAlias = Callable[[Tx, Sequence[OrderNumber]], Awaitable[Sequence[Order | Refusal]]]


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
        earning_hold: timedelta = AT_ONCE,
        late_within: timedelta = NOT_KEPT,
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
        # Only commands of an acquirer have an outcome that is no order yet.
        self.order = OrderLane("order", durable, cast(_OrderVerb, activations.order), **sizes)
        self.receive: Lane[IncomingMessage, Receipt] = Lane(
            "receive",
            durable,
            partial(messages.receive, loyalty=loyalty, earning_hold=earning_hold, late_within=late_within),
            **sizes,
        )
        self.admit_push: Lane[AdmitPush, Caller] = Lane(
            "admit push", relaxed, pushes.admit, single_statement=True, **sizes
        )
        self.push: Lane[PushedMessage, Pushed] = Lane(
            "push",
            durable,
            partial(pushes.receive, loyalty=loyalty, earning_hold=earning_hold, late_within=late_within),
            **sizes,
        )

    def __iter__(self) -> Iterator[Lane[Any, Any]]:
        return iter(
            (
                self.admit,
                self.admit_session,
                self.admit_push,
                self.check,
                self.look,
                self.order,
                self.receive,
                self.push,
            )
        )

    async def close(self) -> None:
        """Run what is queued, then refuse."""
        for lane in self:
            await lane.close()
