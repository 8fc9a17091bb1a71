"""What a message does to its activation: the part of taking SMS in that knows the state table and the money."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from simyard.base.ids import AccountId, ActivationId, NumberId
from simyard.core.activations import machine, rules, store
from simyard.core.activations.machine import Event, MoneyMove, State
from simyard.core.activations.model import LockedActivation
from simyard.core.earnings import rules as earning_rules
from simyard.core.earnings import service as earnings
from simyard.core.earnings.model import AT_ONCE, NewEarning
from simyard.core.loyalty import rules as loyalty_rules
from simyard.core.loyalty import service as loyalties
from simyard.core.loyalty.model import NO_LOYALTY, Loyalty
from simyard.core.referrals import rules as referral_rules
from simyard.core.referrals import service as referrals
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import TransferKind, Wallet
from simyard.db.database import Tx


@dataclass(frozen=True, slots=True)
class Delivery:
    activation: LockedActivation
    code: str | None


async def lock_open(tx: Tx, number_ids: Collection[NumberId]) -> dict[NumberId, LockedActivation]:
    """The open activation on each of these numbers, locked in the order of activation ids."""
    return await store.lock_open_on_numbers(tx, number_ids=number_ids)


async def deliver(
    tx: Tx,
    arrived: Sequence[Delivery],
    *,
    also_lock: Collection[AccountId] = (),
    loyalty: Loyalty = NO_LOYALTY,
    earning_hold: timedelta = AT_ONCE,
    now: datetime,
) -> dict[AccountId, Wallet]:
    """Move locked activations on by the messages that came for them, in order, and capture the price of new ones.

    The first code of each pays its buyer the cashback of his tier. What suppliers earn is pending for `earning_hold`.

    Returns the wallets it locked. `also_lock` are those the caller needs after it: two locks, one after the other, would
    not be in the order of account ids.
    """
    states: dict[ActivationId, State] = {}
    codes: dict[ActivationId, str | None] = {}
    counts: dict[ActivationId, int] = {}
    replaces: dict[ActivationId, bool] = {}
    captured: list[LockedActivation] = []
    coded: dict[ActivationId, LockedActivation] = {}
    for delivery in arrived:
        activation = delivery.activation
        state = states.get(activation.id, activation.state)
        step = machine.TABLE[state, Event.SMS_ARRIVED]
        states[activation.id] = step.to
        counts[activation.id] = counts.get(activation.id, 0) + 1
        # After the buyer asked for the next message its code, or none, takes the place of the one he did not want.
        replaces.setdefault(activation.id, state is State.WAITING_AGAIN)
        codes[activation.id] = codes.get(activation.id) or delivery.code
        if step.money is MoneyMove.CAPTURE:
            captured.append(activation)
        if delivery.code is not None and not activation.coded and loyalty.pays:
            coded[activation.id] = activation
    ids = list(states)
    if ids:
        await store.receive(
            tx,
            activation_ids=ids,
            codes=[codes[one] for one in ids],
            counts=[counts[one] for one in ids],
            replaces=[replaces[one] for one in ids],
            now=now,
        )
    if not (captured or coded or also_lock):
        return {}
    return await _capture(tx, captured, list(coded.values()), also_lock, loyalty, earning_hold, now)


async def _capture(
    tx: Tx,
    captured: Sequence[LockedActivation],
    coded: Sequence[LockedActivation],
    also_lock: Collection[AccountId],
    loyalty: Loyalty,
    earning_hold: timedelta,
    now: datetime,
) -> dict[AccountId, Wallet]:
    """Divide the prices of captured activations, and pay for first codes, some of which may have been captured before."""
    owners = {activation.account_id for activation in captured}
    shares = await referrals.shares(tx, owners) if owners else {}
    owners |= {activation.account_id for activation in coded}
    owners |= {activation.supplier_id for activation in captured if activation.supplier_id is not None}
    owners |= {share.referrer_id for share in shares.values()}
    wallets = await wallet.lock(tx, {*owners, *also_lock})
    shared = await wallet.shared(tx, {one.currency for one in wallets.values()})
    transfers = []
    earned = []
    for activation in captured:
        supplier = wallets.get(activation.supplier_id) if activation.supplier_id is not None else None
        moves = rules.transfers(
            activation,
            MoneyMove.CAPTURE,
            wallets[activation.account_id],
            supplier,
            shared,
            pending=earning_hold > AT_ONCE,
        )
        transfers += moves
        if supplier is not None:
            earned += [
                NewEarning(activation.id, supplier.account_id, move.amount)
                for move in moves
                if move.kind is TransferKind.EARNING
            ]
    if earning_hold == AT_ONCE:
        transfers += earning_rules.repayments(earned, "activation", wallets)
    rewards = rules.rewards(captured, coded, wallets)
    known = await loyalties.rates(tx, loyalty, {reward.currency for reward in rewards})
    cashbacks = {reward.activation_id: loyalty_rules.cashback(reward, loyalty, known) for reward in rewards}
    transfers += loyalty_rules.transfers(rewards, cashbacks, wallets, shared)
    sales = [
        rules.sale(activation, cashbacks.get(activation.id, 0))
        for activation in captured
        if activation.account_id in shares
    ]
    rates = await referrals.rates(tx, sales, shares, wallets)
    transfers += referral_rules.transfers(sales, shares, wallets, shared, rates)
    await wallet.post(tx, transfers, wallets, now=now)
    await earnings.record(tx, earned, hold=earning_hold, now=now)
    return wallets
