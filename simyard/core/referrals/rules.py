"""What a referral pays, from values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from simyard.base import money
from simyard.base.ids import AccountId, LedgerAccountId
from simyard.base.money import Rounding
from simyard.core.referrals.model import Sale, Share
from simyard.core.wallet.model import SharedKind, Transfer, TransferKind, Wallet

SharedAccounts: TypeAlias = Mapping[tuple[SharedKind, str], LedgerAccountId]


def transfers(
    sales: Sequence[Sale],
    shares: Mapping[AccountId, Share],
    wallets: Mapping[AccountId, Wallet],
    shared: SharedAccounts,
    rates: Mapping[str, int],
) -> list[Transfer]:
    """What the referrers of these sales' buyers get, out of the revenue the margins became.

    To be booked after the margins. The share of the price, but no more than the margin, rounded down; through the
    clearing accounts when the referrer's wallet has another currency. A buyer nobody brought, a referrer without a wallet,
    one who was erased, and one whose currency has no rate: nothing is paid. References name the lease, so no lease pays twice.
    """
    moves = []
    for sale in sales:
        share = shares.get(sale.account_id)
        referrer = wallets.get(share.referrer_id) if share is not None else None
        if share is not None and referrer is not None and not referrer.closed:
            moves += _paid(sale, share, referrer, shared, rates)
    return moves


def _paid(
    sale: Sale, share: Share, referrer: Wallet, shared: SharedAccounts, rates: Mapping[str, int]
) -> list[Transfer]:
    part = money.share(sale.price, basis_points=share.share_basis_points, rounding=Rounding.DOWN)
    amount = min(part, sale.margin)
    income = converted(amount, sale.currency, referrer.currency, rates)
    if not income:
        return []
    revenue = shared[SharedKind.REVENUE, sale.currency]
    reference = f"{sale.lease}/referral"
    if referrer.currency == sale.currency:
        return [
            Transfer(reference, TransferKind.REFERRAL, revenue, referrer.available_id, sale.currency, income)
        ]
    clearing = shared[SharedKind.CLEARING, sale.currency]
    paying = shared[SharedKind.CLEARING, referrer.currency]
    return [
        Transfer(f"{reference}/exchange", TransferKind.EXCHANGE, revenue, clearing, sale.currency, amount),
        Transfer(reference, TransferKind.REFERRAL, paying, referrer.available_id, referrer.currency, income),
    ]


def converted(amount: int, currency: str, into: str, rates: Mapping[str, int]) -> int | None:
    """An amount in another currency by rates of the base, rounded down; None when a rate is missing."""
    if currency == into:
        return amount
    if currency not in rates or into not in rates:
        return None
    base = money.convert_inverse(amount, rate_nanos=rates[currency], rounding=Rounding.DOWN)
    return money.convert(base, rate_nanos=rates[into], rounding=Rounding.DOWN)
