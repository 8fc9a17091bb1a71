"""Verbs about earnings and payouts.

Locks: leases, then earnings, then payouts, then wallets by account id.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta

from simyard.base.ids import AccountId, LeaseId, PayoutId
from simyard.base.refusals import Refusal, Refused
from simyard.core.audit import service as audit
from simyard.core.earnings import rules, store
from simyard.core.earnings.model import (
    AT_ONCE,
    Earning,
    EarningsOf,
    EarningsReport,
    EarningState,
    NewEarning,
    Payout,
    PayoutsOf,
    PayoutState,
    RequestPayout,
)
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import SharedKind
from simyard.db.database import Tx

METHOD_LENGTH_MAX = 500
_ERASED = "erased"


async def record(tx: Tx, earned: Sequence[NewEarning], *, hold: timedelta, now: datetime) -> None:
    """Note what leases earned their suppliers. What is held becomes available by itself after that time."""
    if earned:
        state = EarningState.PENDING if hold > AT_ONCE else EarningState.AVAILABLE
        await store.insert_earnings(tx, rows=earned, state=state, due_at=now + hold, now=now)


async def mature(tx: Tx, *, limit: int, now: datetime) -> int:
    """Make earnings available whose time has come; returns how many. Their owners' debts are paid off with them.

    Locks: earnings (those another transaction holds are passed over), wallets by account id.
    """
    due = await store.take_due(tx, now=now, limit=limit)
    if due:
        await store.set_state(tx, earning_ids=[one.id for one in due], state=EarningState.AVAILABLE)
        wallets = await wallet.lock(tx, {one.account_id for one in due})
        await wallet.post(tx, rules.matured(due, wallets), wallets, now=now)
    return len(due)


async def take_back(tx: Tx, lease_id: LeaseId) -> Earning | None:
    """Mark what a lease earned as reversed and return it as it was; its caller moves the money. None: nothing was noted."""
    earning = await store.lock_of_lease(tx, lease_id=lease_id)
    if earning is not None:
        await store.set_state(tx, earning_ids=[earning.id], state=EarningState.REVERSED)
    return earning


async def report(tx: Tx, command: EarningsOf) -> EarningsReport:
    """What a supplier has, and what each day of a period brought. Refuses: UNKNOWN_ACCOUNT (without a wallet too)."""
    balance = await wallet.balance(tx, command.account_id)
    days = await store.by_day(tx, command=command)
    return EarningsReport(balance.currency, balance.available, balance.pending, balance.debt, tuple(days))


# Payouts


async def request_payout(tx: Tx, command: RequestPayout) -> Payout:
    """Ask for money to be paid out; it is held until an operator says that it was, or that it will not be.

    Refuses, first match wins: MALFORMED (amount, method), UNKNOWN_ACCOUNT, INSUFFICIENT_FUNDS: what is pending or owed
    cannot be paid out. Locks: the wallet.
    """
    method = command.method.strip()
    if command.amount <= 0:
        raise Refusal(Refused.MALFORMED, field="amount")
    if not method or len(method) > METHOD_LENGTH_MAX or "\0" in method:
        raise Refusal(Refused.MALFORMED, field="method")
    wallets = await wallet.lock_open(tx, [command.account_id])
    owner = wallets.get(command.account_id)
    if owner is None:
        raise Refusal(Refused.UNKNOWN_ACCOUNT, account_id=command.account_id)
    if owner.available - owner.debt < command.amount:
        raise Refusal(Refused.INSUFFICIENT_FUNDS)
    payout = await store.insert_payout(
        tx, account_id=command.account_id, amount=command.amount, method=method, now=command.now
    )
    await wallet.post(tx, [rules.payout_hold(payout, owner)], wallets, now=command.now)
    return payout


async def pay_out(tx: Tx, payout_id: PayoutId, *, note: str | None, actor: str, now: datetime) -> Payout:
    """Record that the money of a requested payout has left; `note` is the bank's reference.

    Refuses: UNKNOWN_PAYOUT, also for one that was closed before. Locks: the payout, the wallet.
    """
    return await _close(tx, payout_id, PayoutState.PAID, note, actor, now)


async def reject_payout(tx: Tx, payout_id: PayoutId, *, reason: str, actor: str, now: datetime) -> Payout:
    """Give the money of a requested payout back to its wallet, and say why.

    Refuses: UNKNOWN_PAYOUT, also for one that was closed before. Locks: the payout, the wallet.
    """
    return await _close(tx, payout_id, PayoutState.REJECTED, reason, actor, now)


async def _close(
    tx: Tx, payout_id: PayoutId, state: PayoutState, note: str | None, actor: str, now: datetime
) -> Payout:
    payout = await store.lock_payout(tx, payout_id=payout_id)
    if payout is None or payout.state is not PayoutState.REQUESTED:
        raise Refusal(Refused.UNKNOWN_PAYOUT, payout=payout_id)
    wallets = await wallet.lock(tx, [payout.account_id])
    owner = wallets[payout.account_id]
    if state is PayoutState.PAID:
        bank = (await wallet.shared(tx, [owner.currency]))[SharedKind.BANK, owner.currency]
        transfer = rules.payout_paid(payout, owner, bank)
    else:
        transfer = rules.payout_release(payout, owner)
    await store.close_payout(tx, payout_id=payout_id, state=state, note=note, now=now)
    await wallet.post(tx, [transfer], wallets, now=now)
    # Where the money goes is the supplier's affair, and no part of a log that is never erased.
    facts: dict[str, object] = {
        "payout_id": payout_id,
        "account_id": payout.account_id,
        "amount": payout.amount,
        "currency": owner.currency,
    }
    await audit.record(tx, actor=actor, action=f"payout.{state}", facts=facts, now=now)
    return dataclasses.replace(payout, state=state, note=note, closed_at=now)


async def payouts_of(tx: Tx, command: PayoutsOf) -> list[Payout]:
    """An account's payouts, newest first."""
    return await store.payouts(tx, account_id=command.account_id, state=None, limit=command.limit)


async def payouts(
    tx: Tx, *, account_id: AccountId | None = None, state: PayoutState | None = None, limit: int = 100
) -> list[Payout]:
    """Payouts, newest first."""
    return await store.payouts(tx, account_id=account_id, state=state, limit=limit)


async def lock_payouts(tx: Tx, account_id: AccountId) -> int:
    """Lock an account's payouts; returns how many of them are neither paid nor rejected."""
    return (await store.lock_payouts_of(tx, account_id=account_id)).count(PayoutState.REQUESTED)


async def erase(tx: Tx, account_id: AccountId) -> None:
    """Forget where an account's payouts went; amounts and the bank's references stay. They are locked."""
    await store.erase_payouts(tx, account_id=account_id, method=_ERASED)
