"""Verbs about referrals, and what those who divide money ask about them.

Whoever captures or settles prices does, in this order:

    shares = await referrals.shares(tx, buyers)
    wallets = await wallet.lock(tx, buyers | suppliers | {share.referrer_id for share in shares.values()})
    shared = await wallet.shared(tx, {one.currency for one in wallets.values()})
    rates = await referrals.rates(tx, sales, shares, wallets)
    moves += referral_rules.transfers(sales, shares, wallets, shared, rates)     # after the margins
    await wallet.post(tx, moves, wallets, now=now)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import asyncpg

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.pricing import service as pricing
from simyard.core.referrals import store
from simyard.core.referrals.model import Sale, Share
from simyard.core.wallet.model import Wallet
from simyard.db.database import Tx


async def add(
    tx: Tx,
    referrer_id: AccountId,
    referred_id: AccountId,
    share_basis_points: int,
    *,
    base_currency: str,
    now: datetime,
) -> None:
    """From now on the referrer gets this share of what the referred account spends. It cannot be changed later.

    Refuses, first match wins: UNKNOWN_ACCOUNT (either, or both the same), ALREADY_REFERRED.
    """
    try:
        await store.insert_referral(
            tx,
            referrer_id=referrer_id,
            referred_id=referred_id,
            share_basis_points=share_basis_points,
            base_currency=base_currency,
            now=now,
        )
    except asyncpg.IntegrityConstraintViolationError as error:
        match error.constraint_name:
            case "referral_of_an_account":
                raise Refusal(Refused.ALREADY_REFERRED, account_id=referred_id) from error
            case "referral_by_another" | "referral_referrer_known" | "referral_referred_known":
                raise Refusal(Refused.UNKNOWN_ACCOUNT, account_id=referrer_id) from error
        raise


async def shares(tx: Tx, buyers: Collection[AccountId]) -> dict[AccountId, Share]:
    """By buyer, for those of them somebody brought."""
    return await store.shares(tx, referred_ids=buyers)


async def rates(
    tx: Tx, sales: Sequence[Sale], shares: Mapping[AccountId, Share], wallets: Mapping[AccountId, Wallet]
) -> dict[str, int]:
    """The rates that paying for these sales needs: none when every referrer's currency is his sale's."""
    for sale in sales:
        share = shares.get(sale.account_id)
        referrer = wallets.get(share.referrer_id) if share is not None else None
        if share is not None and referrer is not None and referrer.currency != sale.currency:
            return await pricing.rates(tx, share.base_currency)
    return {}


async def income(tx: Tx, account_id: AccountId) -> int:
    """All that referrals ever paid the account, in its wallet's currency; 0 without a wallet."""
    return await store.income(tx, account_id=account_id)
