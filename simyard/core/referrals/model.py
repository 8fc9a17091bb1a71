"""Referrals as values."""

from __future__ import annotations

from dataclasses import dataclass

from simyard.base.ids import AccountId


@dataclass(frozen=True, slots=True)
class Share:
    """What a referrer gets of what a referred account spends. A rate is one of `base_currency`."""

    referrer_id: AccountId
    share_basis_points: int
    base_currency: str


@dataclass(frozen=True, slots=True)
class Sale:
    """A price that was captured or settled, and the margin that stays with the platform of it.

    `lease` is what the references of its transfers begin with: `activation/10000`.
    """

    lease: str
    account_id: AccountId
    currency: str
    price: int
    margin: int
