"""How earnings move, from values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simyard.base.ids import AccountId, LedgerAccountId
from simyard.core.earnings.model import Earning, EarningState, NewEarning, Payout
from simyard.core.wallet.model import Transfer, TransferKind, Wallet


def repayments(
    earned: Sequence[NewEarning], prefix: str, wallets: Mapping[AccountId, Wallet]
) -> list[Transfer]:
    """What earnings that can be spent at once pay off of debts. To be booked after them; references name the lease."""
    owed = {account_id: one.debt for account_id, one in wallets.items() if one.debt}
    moves = []
    for one in earned if owed else ():
        paid = min(one.amount, owed.get(one.account_id, 0))
        if paid:
            owed[one.account_id] -= paid
            moves.append(_repayment(f"{prefix}/{one.lease_id}/repayment", wallets[one.account_id], paid))
    return moves


def matured(earnings: Sequence[Earning], wallets: Mapping[AccountId, Wallet]) -> list[Transfer]:
    """Makes pending earnings available, all of a supplier by one transfer, and pays his debt off with what he then has.

    References name the last earning of each, which matures once.
    """
    sums: dict[AccountId, int] = {}
    last: dict[AccountId, int] = {}
    for one in earnings:
        sums[one.account_id] = sums.get(one.account_id, 0) + one.amount
        last[one.account_id] = max(last.get(one.account_id, 0), one.id)
    moves = []
    for account_id, amount in sums.items():
        owner = wallets[account_id]
        reference = f"earning/{last[account_id]}/mature"
        moves.append(
            Transfer(
                reference,
                TransferKind.MATURE,
                owner.pending_id,
                owner.available_id,
                owner.currency,
                amount,
            )
        )
        paid = min(owner.debt, owner.available + amount)
        if paid:
            moves.append(_repayment(f"earning/{last[account_id]}/repayment", owner, paid))
    return moves


def _repayment(reference: str, owner: Wallet, amount: int) -> Transfer:
    return Transfer(
        reference, TransferKind.REPAYMENT, owner.available_id, owner.debt_id, owner.currency, amount
    )


@dataclass(slots=True)
class Purse:
    """What several reversals of one transaction may still take from a wallet."""

    wallet: Wallet
    available: int

    @classmethod
    def of(cls, wallet: Wallet) -> Purse:
        return cls(wallet, wallet.available)

    def take(
        self, reference: str, kind: TransferKind, credit: LedgerAccountId, amount: int
    ) -> list[Transfer]:
        """Takes an amount of what is available; the platform advances the rest, which becomes a debt."""
        taken = min(amount, self.available)
        self.available -= taken
        return [
            Transfer(f"{reference}/{word}", kind, debit, credit, self.wallet.currency, part)
            for word, debit, part in (
                ("available", self.wallet.available_id, taken),
                ("debt", self.wallet.debt_id, amount - taken),
            )
            if part
        ]

    def take_earning(
        self,
        reference: str,
        kind: TransferKind,
        credit: LedgerAccountId,
        amount: int,
        earning: Earning | None,
    ) -> list[Transfer]:
        """Takes an earning back: out of what is pending while it is, else out of what is available."""
        if earning is not None and earning.state is EarningState.PENDING:
            own = self.wallet
            return [Transfer(f"{reference}/pending", kind, own.pending_id, credit, own.currency, amount)]
        return self.take(reference, kind, credit, amount)


def payout_hold(payout: Payout, owner: Wallet) -> Transfer:
    return Transfer(
        f"payout/{payout.id}/hold",
        TransferKind.HOLD,
        owner.available_id,
        owner.held_id,
        owner.currency,
        payout.amount,
    )


def payout_paid(payout: Payout, owner: Wallet, bank: LedgerAccountId) -> Transfer:
    return Transfer(
        f"payout/{payout.id}/paid", TransferKind.PAYOUT, owner.held_id, bank, owner.currency, payout.amount
    )


def payout_release(payout: Payout, owner: Wallet) -> Transfer:
    return Transfer(
        f"payout/{payout.id}/release",
        TransferKind.RELEASE,
        owner.held_id,
        owner.available_id,
        owner.currency,
        payout.amount,
    )
