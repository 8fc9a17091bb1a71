"""Sums over the rows of other modules."""

from __future__ import annotations

from simyard.base.ids import AccountId
from simyard.core.accounts.model import AccountState
from simyard.core.reports.model import Profile
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


async def profile(tx: Tx, *, account_id: AccountId) -> Profile | None:
    row = await _queries.profile.row(tx, account_id=account_id)
    if row is None:
        return None
    return Profile(
        account_id=row["id"],
        email=row["email"],
        state=AccountState(row["state"]),
        created_at=row["created_at"],
        currency=row["currency"],
        available=row["available"],
        deposited=row["deposited"],
        spent=row["spent"],
        income=row["income"],
        messages=row["messages"],
    )
