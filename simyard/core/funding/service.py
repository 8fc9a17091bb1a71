"""Verbs about virtual accounts and deposits. None of them calls a provider: workers do, between two of these."""

from __future__ import annotations

import logging
import secrets
from datetime import datetime, timedelta
from typing import Final

from simyard.base import money
from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.audit import service as audit
from simyard.core.funding import rules, store
from simyard.core.funding.model import (
    CreateVirtualAccount,
    Creation,
    Customer,
    Deposit,
    DepositState,
    DueDeposit,
    Funds,
    ListVirtualAccounts,
    NoteDeposit,
    PaymentState,
    ProviderAccount,
    ProviderTransaction,
    Reason,
    SandboxPayment,
    VirtualAccount,
)
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import Balance
from simyard.db.database import Tx

log = logging.getLogger(__name__)

SANDBOX: Final = "sandbox"
"""The provider that exists only for development; its books are in our own database."""
CLAIM_SECONDS: Final = 120
"""After so long without an outcome an attempt counts as lost: longer than all the calls of one attempt may take."""


# Virtual accounts


async def list_virtual_accounts(tx: Tx, command: ListVirtualAccounts) -> Funds:
    """The balance a wallet can spend, and the account's virtual accounts that are open, oldest first.

    Refuses: UNKNOWN_ACCOUNT.
    """
    balance = await wallet.balance(tx, command.account_id)
    accounts = await store.list_virtual_accounts(tx, account_id=command.account_id, provider=command.provider)
    return Funds(balance.available, balance.currency, tuple(accounts))


async def begin_creation(
    tx: Tx, command: CreateVirtualAccount, *, provider: str, currency: str | None, now: datetime
) -> Creation:
    """Write down that a virtual account is being made; the provider is asked once this is committed.

    Refuses, first match wins: UNKNOWN_ACCOUNT, CURRENCY_MISMATCH, BUSY while another attempt at this bank is under way,
    TOO_MANY_ACCOUNTS. Locks the wallet. An attempt at this bank that was lost or had no answer is taken up again.
    """
    if command.account_id not in await wallet.lock_open(tx, [command.account_id]):
        raise Refusal(Refused.UNKNOWN_ACCOUNT, account_id=command.account_id)
    customer = await _customer(tx, command.account_id)
    if currency is not None and customer.currency != currency:
        raise Refusal(Refused.CURRENCY_MISMATCH, currency=customer.currency, wanted=currency)
    claimed_until = now + timedelta(seconds=CLAIM_SECONDS)
    known = await store.known_numbers(tx, account_id=command.account_id, provider=provider)
    earlier = await store.find_creation(
        tx, account_id=command.account_id, provider=provider, bank_code=command.bank_code, now=now
    )
    if earlier is not None:
        if earlier.in_flight:
            raise Refusal(Refused.BUSY)
        await store.adopt_creation(tx, virtual_account_id=earlier.id, claimed_until=claimed_until)
        return Creation(earlier.id, customer, command.bank_code, earlier.attempts + 1, known)
    count = await store.count_virtual_accounts(tx, account_id=command.account_id, provider=provider)
    if count >= rules.ACCOUNTS_MAX:
        raise Refusal(Refused.TOO_MANY_ACCOUNTS, most=rules.ACCOUNTS_MAX)
    virtual_account_id = await store.insert_creation(
        tx,
        account_id=command.account_id,
        public_id=rules.new_public_id(),
        provider=provider,
        bank_code=command.bank_code,
        currency=customer.currency,
        claimed_until=claimed_until,
        now=now,
    )
    return Creation(virtual_account_id, customer, command.bank_code, 1, known)


async def claim_creations(tx: Tx, *, provider: str, now: datetime, limit: int) -> list[Creation]:
    """Take up virtual accounts whose last attempt was lost or had no answer."""
    claimed = await store.claim_creations(
        tx,
        provider=provider,
        now=now,
        claimed_until=now + timedelta(seconds=CLAIM_SECONDS),
        limit=limit,
    )
    return [
        Creation(
            one.id,
            await _customer(tx, one.account_id),
            one.bank_code,
            one.attempts,
            await store.known_numbers(tx, account_id=one.account_id, provider=provider),
        )
        for one in claimed
    ]


async def record_account(
    tx: Tx, creation: Creation, made: ProviderAccount, *, provider: str
) -> VirtualAccount | None:
    """Open the virtual account the provider made, and give it back.

    A provider that has one account for a customer and bank makes the same one again: then it is given back as it is, and
    this creation fails. None when what it made cannot be used: another wallet's account, or another currency.
    """
    locked = await store.lock_virtual_account(tx, virtual_account_id=creation.id)
    found = await store.find_open_by_number(tx, provider=provider, account_number=made.account_number)
    if found is not None:
        owner, account = found
        if account.id == creation.id:
            return account
        is_own = owner == creation.customer.account_id
        await _fail(
            tx,
            creation,
            "the provider made an account we had" if is_own else "the account is somebody else's",
        )
        return account if is_own else None
    if locked is None or made.currency != creation.customer.currency:
        await _fail(tx, creation, "the account is of another currency")
        return None
    return await store.open_virtual_account(tx, virtual_account_id=creation.id, made=made)


async def record_creation_failure(
    tx: Tx, creation: Creation, problem: str, *, for_good: bool, now: datetime
) -> None:
    """The provider gave no account: ask again later, or not when it said no or was asked often enough.

    Nothing is written when somebody else has taken the creation up since.
    """
    again = None if for_good else rules.next_creation_attempt(creation.attempts, now)
    if again is None:
        await _fail(tx, creation, problem)
    else:
        await store.postpone_creation(
            tx,
            virtual_account_id=creation.id,
            attempts=creation.attempts,
            next_attempt_at=again,
            problem=rules.short(problem),
        )


async def _fail(tx: Tx, creation: Creation, problem: str) -> None:
    await store.fail_creation(
        tx, virtual_account_id=creation.id, attempts=creation.attempts, problem=rules.short(problem)
    )


async def _customer(tx: Tx, account_id: AccountId) -> Customer:
    found = await store.find_customer(tx, account_id=account_id)
    if found is None:
        raise Refusal(Refused.UNKNOWN_ACCOUNT, account_id=account_id)
    email, name, currency = found
    return Customer(account_id, email, rules.holder_name(email, name), currency)


# Deposits


async def note_deposit(tx: Tx, command: NoteDeposit) -> bool:
    """Write down that a provider announced a payment, once for its reference. Whether it is news.

    Nothing is credited for it: a worker asks the provider. Refuses: MALFORMED (reference).
    """
    if not rules.is_reference(command.reference):
        raise Refusal(Refused.MALFORMED, field="reference")
    deposit_id = await store.insert_deposit(
        tx, provider=command.provider, reference=command.reference, now=command.now
    )
    if deposit_id is None:
        return False
    await store.wake_worker(tx)
    return True


async def claim_deposits(tx: Tx, *, provider: str, now: datetime, limit: int) -> list[DueDeposit]:
    """Take deposits whose provider is to be asked now. One whose outcome nobody records comes again later."""
    return await store.claim_deposits(
        tx,
        provider=provider,
        now=now,
        claimed_until=now + timedelta(seconds=CLAIM_SECONDS),
        limit=limit,
    )


async def settle(tx: Tx, due: DueDeposit, transaction: ProviderTransaction, *, now: datetime) -> DepositState:
    """Credit a deposit with what its provider says was paid, or refuse it, or wait on; returns its state.

    Locks the deposit, then the wallet. A deposit that is settled already stays as it is, so however many ask at once,
    it is credited once; the ledger's reference promises the same again.
    """
    state = await store.lock_deposit(tx, deposit_id=due.id)
    if state is not DepositState.SEEN:
        return state or DepositState.REFUSED
    number = transaction.account_number
    receiver = await store.find_receiver(tx, provider=due.provider, account_number=number) if number else None
    amount, reason = rules.judge(
        transaction, currency=receiver.currency if receiver else None, attempts=due.attempts
    )
    if receiver is not None and amount is not None:
        if await _credited(tx, receiver.account_id, amount, f"{due.provider}/{due.reference}", now):
            await store.credit_deposit(
                tx,
                deposit_id=due.id,
                virtual_account_id=receiver.virtual_account_id,
                currency=receiver.currency,
                amount=amount,
                now=now,
            )
            return DepositState.CREDITED
        reason = Reason.REFERENCE_TAKEN
    if reason is None:
        return await record_deposit_failure(tx, due, transaction.state, now=now)
    await store.refuse_deposit(
        tx,
        deposit_id=due.id,
        reason=reason,
        virtual_account_id=receiver.virtual_account_id if receiver else None,
        currency=transaction.currency or None,
        amount=_amount_told(transaction),
        now=now,
    )
    log.warning(
        "deposit refused", extra={"provider": due.provider, "reference": due.reference, "reason": reason}
    )
    return DepositState.REFUSED


async def record_deposit_failure(tx: Tx, due: DueDeposit, problem: str, *, now: datetime) -> DepositState:
    """The provider gave no answer yet: ask again later, or leave it to an operator after a week."""
    again = rules.next_deposit_attempt(due.attempts, now)
    if again is not None:
        await store.postpone_deposit(
            tx,
            deposit_id=due.id,
            attempts=due.attempts,
            next_attempt_at=again,
            problem=rules.short(problem),
        )
        return DepositState.SEEN
    await store.refuse_deposit(
        tx,
        deposit_id=due.id,
        reason=Reason.PROVIDER_SILENT,
        virtual_account_id=None,
        currency=None,
        amount=None,
        now=now,
    )
    log.error("deposit given up", extra={"provider": due.provider, "reference": due.reference})
    return DepositState.REFUSED


async def reopen_deposit(tx: Tx, provider: str, reference: str, *, actor: str, now: datetime) -> None:
    """Have a refused deposit looked at again. Refuses: UNKNOWN_DEPOSIT when there is no refused one of this reference."""
    if await store.reopen_deposit(tx, provider=provider, reference=reference, now=now) is None:
        raise Refusal(Refused.UNKNOWN_DEPOSIT, reference=reference)
    await store.wake_worker(tx)
    facts: dict[str, object] = {"provider": provider, "reference": reference}
    await audit.record(tx, actor=actor, action="deposit.reopened", facts=facts, now=now)


async def list_deposits(
    tx: Tx, *, state: DepositState | None = None, account_id: AccountId | None = None, limit: int = 100
) -> list[Deposit]:
    """Deposits, newest first: of one state, of one account, or all."""
    return await store.list_deposits(tx, state=state, account_id=account_id, limit=limit)


async def _credited(tx: Tx, account_id: AccountId, amount: int, reference: str, now: datetime) -> bool:
    """Whether the wallet was credited; not when the ledger has this reference, by whatever hand."""
    try:
        async with tx.transaction():
            await wallet.deposit(tx, account_id, amount, reference=reference, now=now)
    except Refusal as refusal:
        if refusal.reason is not Refused.REFERENCE_TAKEN:
            raise
        return False
    return True


def _amount_told(transaction: ProviderTransaction) -> int | None:
    """What the provider said was paid, for the operator who looks into it."""
    if not transaction.currency:
        return None
    amount = money.from_minor(transaction.amount_minor, transaction.currency)
    return amount if 0 <= amount <= money.AMOUNT_MAX else None


# Erasing


async def erase(tx: Tx, account_id: AccountId) -> None:
    """Forget an account's bank accounts, and what was said of its deposits; references and amounts stay.

    What is paid into one of them from now on is a refused deposit. Its wallet is locked.
    """
    await store.erase_sandbox_payments(tx, account_id=account_id, provider=SANDBOX)
    await store.erase_deposits(tx, account_id=account_id)
    await store.close_virtual_accounts(tx, account_id=account_id)


# The sandbox


async def pay_sandbox(tx: Tx, command: SandboxPayment) -> tuple[str, Balance]:
    """Pay into an account the sandbox made, and credit it at once; gives back the reference and the new balance.

    Refuses, first match wins: MALFORMED (reference, amount), UNKNOWN_ACCOUNT when the sandbox made no such account,
    MALFORMED (amount) for a part of a coin, REFERENCE_TAKEN.
    """
    reference = command.reference if command.reference is not None else f"sandbox-{secrets.token_hex(8)}"
    if not rules.is_reference(reference):
        raise Refusal(Refused.MALFORMED, field="reference")
    if not 0 < command.amount <= money.AMOUNT_MAX:
        raise Refusal(Refused.MALFORMED, field="amount")
    number = command.account_number
    found = (
        await store.find_open_by_number(tx, provider=SANDBOX, account_number=number)
        if number.isascii() and number.isdigit()
        else None
    )
    if found is None:
        raise Refusal(Refused.UNKNOWN_ACCOUNT, account_number=command.account_number)
    account_id, account = found
    try:
        amount_minor = money.to_minor(command.amount, account.currency)
    except ValueError as error:
        raise Refusal(Refused.MALFORMED, field="amount") from error
    is_new = await store.insert_sandbox_payment(
        tx,
        reference=reference,
        account_number=command.account_number,
        currency=account.currency,
        amount_minor=amount_minor,
        now=command.now,
    )
    deposit_id = (
        await store.insert_deposit(tx, provider=SANDBOX, reference=reference, now=command.now)
        if is_new
        else None
    )
    if deposit_id is None:
        raise Refusal(Refused.REFERENCE_TAKEN)
    state = await settle(
        tx,
        DueDeposit(deposit_id, SANDBOX, reference, 0),
        ProviderTransaction(
            reference, PaymentState.SUCCEEDED, amount_minor, account.currency, command.account_number
        ),
        now=command.now,
    )
    if state is not DepositState.CREDITED:
        raise Refusal(Refused.REFERENCE_TAKEN)
    return reference, await wallet.balance(tx, account_id)


async def sandbox_transaction(tx: Tx, reference: str) -> ProviderTransaction:
    """What the sandbox's books say of a payment."""
    found = await store.find_sandbox_payment(tx, reference=reference)
    if found is None:
        return ProviderTransaction(reference, PaymentState.UNKNOWN)
    number, currency, amount_minor = found
    return ProviderTransaction(reference, PaymentState.SUCCEEDED, amount_minor, currency, number)
