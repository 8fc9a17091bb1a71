"""Deposits: who takes them for us, the steps between which a provider is asked, and the loop that does what is due."""

from __future__ import annotations

import asyncio
import logging
from ipaddress import ip_network

from prometheus_client import Counter

from simyard.base.clock import Clock
from simyard.base.refusals import Refusal, Refused
from simyard.core.funding import banks, rules, service
from simyard.core.funding.model import (
    Bank,
    CreateVirtualAccount,
    Creation,
    Customer,
    DepositState,
    DueDeposit,
    Provider,
    ProviderAccount,
    ProviderFailed,
    ProviderRefused,
    ProviderTransaction,
    VirtualAccount,
)
from simyard.db.database import Database
from simyard.settings import Settings
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.paystack import PAYSTACK, Paystack

log = logging.getLogger(__name__)

_AT_ONCE_MAX = 8
_SANDBOX_CODE_DIGITS = 3

_deposits = Counter(
    "simyard_deposits", "Attempts to settle a deposit, by what came of them.", ["provider", "state"]
)


def provider_of(settings: Settings, database: Database) -> Provider:
    """The provider the settings name."""
    if settings.funding_provider == PAYSTACK:
        # The operator names this host himself, so it may be anywhere.
        client = OutgoingClient(networks_allowed=(ip_network("0.0.0.0/0"), ip_network("::/0")))
        return Paystack(client, url=settings.paystack_url, secret_key=settings.paystack_secret_key)
    return Sandbox(database)


class FundingSteps:
    """Virtual accounts and deposits by way of one provider.

    Each step is safe to lose: what was written before it says what is left to do.
    """

    def __init__(self, database: Database, provider: Provider, clock: Clock) -> None:
        self.provider = provider
        self._database = database
        self._clock = clock

    async def create_virtual_account(self, command: CreateVirtualAccount) -> VirtualAccount:
        """Make a bank account that stands for the account's wallet.

        Refuses, first match wins: UNKNOWN_BANK, UPSTREAM_FAILED when the provider cannot say where it makes accounts,
        UNKNOWN_ACCOUNT, CURRENCY_MISMATCH, BUSY, TOO_MANY_ACCOUNTS, UPSTREAM_FAILED. After the last the account may
        appear later by itself; a repeat takes the attempt up where it was left and does not make a second account.
        """
        await self._check_bank(command.bank_code)
        creation = await self._database.run(
            lambda tx: service.begin_creation(
                tx,
                command,
                provider=self.provider.name,
                currency=self.provider.currency,
                now=self._clock.now(),
            )
        )
        account = await self._carry_out(creation)
        if account is None:
            raise Refusal(Refused.UPSTREAM_FAILED, provider=self.provider.name)
        return account

    async def banks(self) -> tuple[Bank, ...]:
        """The banks of our list at which the provider makes accounts. Refuses: UPSTREAM_FAILED."""
        try:
            offered = await self.provider.banks()
        except (ProviderFailed, ProviderRefused) as error:
            self._told("the provider does not say its banks", error)
            raise Refusal(Refused.UPSTREAM_FAILED, provider=self.provider.name) from error
        known = banks.load()
        return tuple(bank for bank in offered if bank.code in known)

    async def finish_creations(self, *, limit: int) -> int:
        """Take up virtual accounts whose creation was interrupted or had no answer; how many."""
        creations = await self._database.run(
            lambda tx: service.claim_creations(
                tx, provider=self.provider.name, now=self._clock.now(), limit=limit
            )
        )
        await asyncio.gather(*(self._carry_out(creation) for creation in creations))
        return len(creations)

    async def settle_due(self, *, limit: int) -> list[DepositState]:
        """Ask the provider about deposits that are due, and settle each; what became of them."""
        due = await self._database.run(
            lambda tx: service.claim_deposits(
                tx, provider=self.provider.name, now=self._clock.now(), limit=limit
            )
        )
        return list(await asyncio.gather(*(self._settle(one) for one in due)))

    async def _check_bank(self, code: str) -> None:
        if code not in banks.load():
            raise Refusal(Refused.UNKNOWN_BANK, bank=code)
        offered = [bank.code for bank in await self.banks()]
        if code not in offered:
            raise Refusal(Refused.UNKNOWN_BANK, bank=code, offered=offered)

    async def _carry_out(self, creation: Creation) -> VirtualAccount | None:
        """Ask the provider for an account and record what came of it; None when there is no account."""
        try:
            made = await self._ask_for_account(creation)
            account = await self._database.run(
                lambda tx: service.record_account(tx, creation, made, provider=self.provider.name)
            )
        except Exception as error:
            problem = self._told("no virtual account", error, virtual_account_id=creation.id)
            for_good = isinstance(error, ProviderRefused)
            await self._database.run(
                lambda tx: service.record_creation_failure(
                    tx, creation, problem, for_good=for_good, now=self._clock.now()
                )
            )
            return None
        if account is None:
            log.error(
                "the provider made an account that cannot be used",
                extra={"provider": self.provider.name, "virtual_account_id": creation.id},
            )
        return account

    async def _ask_for_account(self, creation: Creation) -> ProviderAccount:
        bank = banks.load().get(creation.bank_code)
        if bank is None:
            raise ProviderRefused("the bank is not in the list any more")
        return await self.provider.create_account(
            creation.customer, bank, known=creation.known, again=creation.attempts > 1
        )

    async def _settle(self, due: DueDeposit) -> DepositState:
        """One that fails for a reason nobody thought of must not hold up the others, nor come again for ever."""
        try:
            transaction = await self.provider.fetch_transaction(due.reference)
            return await self._database.run(
                lambda tx: service.settle(tx, due, transaction, now=self._clock.now())
            )
        except Exception as error:
            problem = self._told("deposit not verified", error, reference=due.reference)
            return await self._database.run(
                lambda tx: service.record_deposit_failure(tx, due, problem, now=self._clock.now())
            )

    def _told(self, message: str, error: Exception, **facts: object) -> str:
        """Log what went wrong and give it back as it is kept."""
        if isinstance(error, ProviderFailed | ProviderRefused):
            problem = str(error)
            log.warning(message, extra={"provider": self.provider.name, "problem": problem, **facts})
            return problem
        log.error(message, exc_info=error, extra={"provider": self.provider.name, **facts})
        return f"unexpected: {type(error).__name__}"


class FundingWorker:
    """Settles deposits that were announced, and finishes virtual accounts whose creation was interrupted."""

    def __init__(self, funding: FundingSteps) -> None:
        self._funding = funding

    async def step(self) -> int:
        """How many rows were taken up. Several processes may run it at once."""
        states = await self._funding.settle_due(limit=_AT_ONCE_MAX)
        for state in states:
            _deposits.labels(self._funding.provider.name, state.value).inc()
        return len(states) + await self._funding.finish_creations(limit=_AT_ONCE_MAX)


class Sandbox:
    """Makes account numbers itself, for money that does not exist. They are no bank's: their check digit is wrong."""

    name = service.SANDBOX
    currency = None

    def __init__(self, database: Database) -> None:
        self._database = database

    async def banks(self) -> tuple[Bank, ...]:
        return tuple(bank for bank in banks.load().values() if len(bank.code) == _SANDBOX_CODE_DIGITS)

    async def create_account(
        self, customer: Customer, bank: Bank, *, known: frozenset[str], again: bool
    ) -> ProviderAccount:
        number = rules.fictitious_account_number(bank.code, known)
        return ProviderAccount(bank.name, number, f"Sandbox/{customer.name}", customer.currency)

    async def fetch_transaction(self, reference: str) -> ProviderTransaction:
        async with self._database.transaction() as tx:
            return await service.sandbox_transaction(tx, reference)
