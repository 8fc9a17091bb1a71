"""What decides about deposits and virtual accounts from values alone."""

from __future__ import annotations

import re
import secrets
from collections.abc import Container
from datetime import datetime, timedelta
from typing import Final

from simyard.base import money
from simyard.core.funding.model import PaymentState, ProviderTransaction, Reason

ACCOUNTS_MAX: Final = 5
"""Virtual accounts of one wallet at one provider."""
PROBLEM_LENGTH_MAX: Final = 200

_PUBLIC_ID_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PUBLIC_ID_LENGTH = 8
_REFERENCE = re.compile(r"(?!\.+\Z)[A-Za-z0-9._=-]{1,100}")

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# A payment that was announced was made: it is asked for until somebody must look at it.
_DEPOSIT_WAITS = (
    *(timedelta(seconds=seconds) for seconds in (5, 15)),
    _MINUTE,
    5 * _MINUTE,
    15 * _MINUTE,
    *[_HOUR] * 24,
    *[_DAY] * 6,
)
# A buyer waits for an account, and may ask again; there is no point in one that comes tomorrow.
_CREATION_WAITS = (timedelta(seconds=10), _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR)
# A provider may announce a payment before it can be asked about it.
_UNKNOWN_ATTEMPTS_MAX = 5


def new_public_id() -> str:
    return "va_" + "".join(secrets.choice(_PUBLIC_ID_LETTERS) for _ in range(_PUBLIC_ID_LENGTH))


def is_reference(text: str) -> bool:
    """Whether a payment can be called so: letters, digits, `.`, `_`, `=` and `-`, and not dots alone.

    It becomes part of an address that is called, so nothing that has a meaning there may pass.
    """
    return _REFERENCE.fullmatch(text) is not None


def next_deposit_attempt(attempts: int, now: datetime) -> datetime | None:
    """When a deposit that could not be verified is tried again, or None when it never is."""
    return now + _DEPOSIT_WAITS[attempts - 1] if 0 < attempts <= len(_DEPOSIT_WAITS) else None


def next_creation_attempt(attempts: int, now: datetime) -> datetime | None:
    return now + _CREATION_WAITS[attempts - 1] if 0 < attempts <= len(_CREATION_WAITS) else None


def judge(
    transaction: ProviderTransaction, *, currency: str | None, attempts: int
) -> tuple[int, None] | tuple[None, Reason | None]:
    """The micros to credit, or why nothing is; no reason means that it is not decided yet.

    `currency` is that of the wallet its account stands for, None when no account of ours has its number.
    """
    if transaction.state is PaymentState.PENDING:
        return None, None
    if transaction.state is PaymentState.UNKNOWN:
        return None, Reason.UNKNOWN_PAYMENT if attempts >= _UNKNOWN_ATTEMPTS_MAX else None
    if transaction.state is PaymentState.FAILED:
        return None, Reason.NOT_PAID
    if currency is None:
        return None, Reason.UNKNOWN_ACCOUNT
    if transaction.currency != currency:
        return None, Reason.CURRENCY_MISMATCH
    amount = money.from_minor(transaction.amount_minor, currency)
    if not 0 < amount <= money.AMOUNT_MAX:
        return None, Reason.BAD_AMOUNT
    return amount, None


def check_digit(bank_code: str, serial: str) -> int:
    """The tenth digit of a bank account number in Nigeria (NUBAN), for a bank code of three, five or six digits."""
    institution = {3: bank_code, 5: "9" + bank_code, 6: bank_code}[len(bank_code)]
    total = sum(
        int(digit) * weight for digit, weight in zip(institution + serial, _nuban_weights(), strict=False)
    )
    return (10 - total % 10) % 10


def _nuban_weights() -> tuple[int, ...]:
    return (3, 7, 3) * 5


def fictitious_account_number(bank_code: str, taken: Container[str] = ()) -> str:
    """A number no bank has given anybody: its check digit is wrong, so no transfer to it is accepted by mistake."""
    while True:
        serial = f"{secrets.randbelow(10**9):09d}"
        number = f"{serial}{(check_digit(bank_code, serial) + 1 + secrets.randbelow(9)) % 10}"
        if number not in taken:
            return number


def holder_name(email: str, name: str) -> str:
    """What an account's holder is called: by name, or by the part of the email that is his own."""
    return name.strip() or email.partition("@")[0]


def short(problem: str) -> str:
    """A problem as it is kept: a part of it, and nothing a database cannot store or a terminal would act on."""
    return "".join(letter if letter.isprintable() else " " for letter in problem[:PROBLEM_LENGTH_MAX])
