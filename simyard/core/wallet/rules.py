"""What can be told from a transfer's values alone."""

from __future__ import annotations

import re

from simyard.base.ids import LedgerAccountId
from simyard.core.wallet.model import SPENDING, TransferKind, Wallet

_LEASE = re.compile(r"(?:activation|rental)/([0-9]+)/")


def lease_of(reference: str) -> int | None:
    """The lease a transfer was booked for; both kinds of lease begin their references with a word and their id."""
    match = _LEASE.match(reference)
    return int(match[1]) if match else None


def move(wallet: Wallet, ledger_account: LedgerAccountId, amount: int, kind: TransferKind) -> None:
    """Add an amount, which may be negative, to one of a wallet's own ledger accounts."""
    if ledger_account == wallet.available_id:
        wallet.available += amount
    elif ledger_account == wallet.held_id:
        wallet.held += amount
    elif ledger_account == wallet.pending_id:
        wallet.pending += amount
    else:
        wallet.debt -= amount
    if (amount < 0 and kind in SPENDING) or (amount > 0 and kind is TransferKind.REFUND):
        wallet.spent -= amount
