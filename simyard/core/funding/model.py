"""Virtual accounts, deposits and who takes them for us, as values. Amounts are micros unless they are named minor."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from simyard.base.ids import AccountId, DepositId, VirtualAccountId


@dataclass(frozen=True, slots=True)
class Bank:
    """A bank by its code; `slug` is its name in lower-case words, as providers of accounts spell it."""

    code: str
    name: str
    slug: str


# What the outside says


@dataclass(frozen=True, slots=True)
class Customer:
    """Whom a virtual account is made for. The name is what stands on the account."""

    account_id: AccountId
    email: str
    name: str
    currency: str


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """A bank account a provider made; whatever is paid into it is meant for one wallet."""

    bank_name: str
    account_number: str = field(repr=False)
    account_name: str = field(repr=False)
    currency: str
    provider_id: str | None = None


class PaymentState(StrEnum):
    SUCCEEDED = "succeeded"
    PENDING = "pending"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The provider knows no payment of this reference."""


@dataclass(frozen=True, slots=True)
class ProviderTransaction:
    """What a provider answers about a payment. The amount is in the currency's smallest coin."""

    reference: str
    state: PaymentState
    amount_minor: int = 0
    currency: str = ""
    account_number: str | None = field(default=None, repr=False)


class ProviderFailed(Exception):
    """No usable answer: it may be had later, and what was asked for may have happened all the same."""


class ProviderRefused(Exception):
    """A clear no."""


class Provider(Protocol):
    """Takes deposits for us. Every method talks to another host and is called with no transaction open.

    Each may raise ProviderFailed or ProviderRefused.
    """

    @property
    def name(self) -> str: ...

    @property
    def currency(self) -> str | None:
        """The one currency of its accounts; None when they are made in any."""

    async def banks(self) -> tuple[Bank, ...]:
        """The banks it makes accounts at."""

    async def create_account(
        self, customer: Customer, bank: Bank, *, known: frozenset[str], again: bool
    ) -> ProviderAccount:
        """A bank account for a customer.

        `known` are the numbers we have of theirs. With `again` an earlier call may have made one: it is looked for first.
        """

    async def fetch_transaction(self, reference: str) -> ProviderTransaction:
        """What it knows of a payment."""


class Funding(Protocol):
    """The verbs of several steps about virtual accounts; what each refuses is said where it is done."""

    async def create_virtual_account(self, command: CreateVirtualAccount) -> VirtualAccount: ...

    async def banks(self) -> tuple[Bank, ...]: ...


# What we keep


@dataclass(frozen=True, slots=True)
class VirtualAccount:
    """A bank account whose owner may be told it; deposits to it go to one wallet."""

    id: VirtualAccountId
    public_id: str
    bank_code: str
    bank_name: str
    account_number: str = field(repr=False)
    account_name: str = field(repr=False)
    currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Funds:
    """What a wallet can spend, and the virtual accounts it is filled by, oldest first."""

    balance: int
    currency: str
    accounts: tuple[VirtualAccount, ...]


@dataclass(frozen=True, slots=True)
class ListVirtualAccounts:
    """Those of one provider: accounts of another, which may have been a sandbox, are not to be paid into."""

    account_id: AccountId
    provider: str


@dataclass(frozen=True, slots=True)
class CreateVirtualAccount:
    account_id: AccountId
    bank_code: str


@dataclass(frozen=True, slots=True)
class Creation:
    """A virtual account a provider is to be asked for now. `attempts` counts this one."""

    id: VirtualAccountId
    customer: Customer
    bank_code: str
    attempts: int
    known: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class NoteDeposit:
    """A provider's word that something was paid, which is no proof."""

    provider: str
    reference: str
    now: datetime


class DepositState(StrEnum):
    SEEN = "seen"
    CREDITED = "credited"
    REFUSED = "refused"


class Reason(StrEnum):
    """Why a deposit was not credited. An operator may have it looked at again."""

    UNKNOWN_PAYMENT = "unknown_payment"
    NOT_PAID = "not_paid"
    UNKNOWN_ACCOUNT = "unknown_account"
    CURRENCY_MISMATCH = "currency_mismatch"
    BAD_AMOUNT = "bad_amount"
    REFERENCE_TAKEN = "reference_taken"
    PROVIDER_SILENT = "provider_silent"


@dataclass(frozen=True, slots=True)
class DueDeposit:
    """A deposit whose provider is to be asked now. `attempts` counts this one."""

    id: DepositId
    provider: str
    reference: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Deposit:
    id: DepositId
    provider: str
    reference: str
    state: DepositState
    reason: str | None
    email: str | None
    currency: str | None
    amount: int | None
    attempts: int
    problem: str | None
    seen_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class SandboxPayment:
    """Money that exists only for development, paid into an account the sandbox made. No reference: one is made up."""

    account_number: str
    amount: int
    now: datetime
    reference: str | None = None
