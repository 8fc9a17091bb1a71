"""The rows of referrals, and the income they brought."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from simyard.base.ids import AccountId
from simyard.core.referrals.model import Share
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


async def insert_referral(
    tx: Tx,
    *,
    referrer_id: AccountId,
    referred_id: AccountId,
    share_basis_points: int,
    base_currency: str,
    now: datetime,
) -> None:
    await _queries.insert_referral.execute(
        tx,
        referrer_id=referrer_id,
        referred_id=referred_id,
        share_basis_points=share_basis_points,
        base_currency=base_currency,
        now=now,
    )


async def shares(tx: Tx, *, referred_ids: Collection[AccountId]) -> dict[AccountId, Share]:
    rows = await _queries.shares.rows(tx, referred_ids=list(referred_ids))
    return {
        row["referred_id"]: Share(row["referrer_id"], row["share_basis_points"], row["base_currency"])
        for row in rows
    }


async def income(tx: Tx, *, account_id: AccountId) -> int:
    return int(await _queries.income.value(tx, account_id=account_id) or 0)
