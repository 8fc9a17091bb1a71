"""Verbs that report."""

from __future__ import annotations

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.pricing import service as pricing
from simyard.core.referrals import rules as referral_rules
from simyard.core.referrals import service as referrals
from simyard.core.reports import store
from simyard.core.reports.model import Profile, Purse, PurseOf
from simyard.core.wallet import service as wallet
from simyard.db.database import Tx

_USD = "USD"


async def purse(tx: Tx, command: PurseOf) -> Purse:
    """What the account has, what is held of it, and its referral income. Refuses: UNKNOWN_ACCOUNT (without a wallet too)."""
    balance = await wallet.balance(tx, command.account_id)
    income = await referrals.income(tx, command.account_id)
    # Nothing is nothing in any currency.
    known = await pricing.rates(tx, command.base_currency) if income and balance.currency != _USD else {}
    in_usd = referral_rules.converted(income, balance.currency, _USD, known) if income else 0
    return Purse(balance.currency, balance.available, balance.held, income, in_usd)


async def profile(tx: Tx, account_id: AccountId) -> Profile:
    """Who the account is and what it did. Sums over all its transfers and leases: not for polling.

    Refuses: UNKNOWN_ACCOUNT (without a wallet too).
    """
    found = await store.profile(tx, account_id=account_id)
    if found is None:
        raise Refusal(Refused.UNKNOWN_ACCOUNT, account_id=account_id)
    return found
