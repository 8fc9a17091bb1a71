"""What leases show of their messages."""

from __future__ import annotations

from collections.abc import Collection

from simyard.base.ids import RentalId
from simyard.core.messages import store
from simyard.core.messages.model import ReceivedMessage
from simyard.db.database import Tx


async def of_rentals(
    tx: Tx, rental_ids: Collection[RentalId], *, limit: int, offset: int
) -> dict[RentalId, list[ReceivedMessage]]:
    """A page of each rental's messages, newest first."""
    return await store.of_rentals(tx, rental_ids=rental_ids, limit=limit, offset=offset)
