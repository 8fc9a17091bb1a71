"""A provider of accounts in memory, for tests of what the core makes of its answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from simyard.base.clock import ManualClock
from simyard.base.ids import AccountId
from simyard.core.funding import banks, service
from simyard.core.funding.model import (
    Bank,
    CreateVirtualAccount,
    Customer,
    Deposit,
    Funds,
    ListVirtualAccounts,
    NoteDeposit,
    PaymentState,
    ProviderAccount,
    ProviderTransaction,
    VirtualAccount,
)
from simyard.workers.funding import FundingSteps
from tests.world import World

WEMA, TITAN = "035", "100039"


class Killed(BaseException):
    """The process ends here."""


class FakeProvider:
    """Answers what a test tells it; makes numbers that count up."""

    name = "fake"

    def __init__(self, currency: str | None = "NGN") -> None:
        self.currency = currency
        self.offered = (WEMA, TITAN)
        self.payments: dict[str, ProviderTransaction] = {}
        self.created: list[tuple[Customer, Bank, frozenset[str], bool]] = []
        self.asked: list[str] = []
        self.error: BaseException | None = None
        self.gives: ProviderAccount | None = None
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def banks(self) -> tuple[Bank, ...]:
        return tuple(banks.load()[code] for code in self.offered)

    async def create_account(
        self, customer: Customer, bank: Bank, *, known: frozenset[str], again: bool
    ) -> ProviderAccount:
        self.created.append((customer, bank, known, again))
        await self._answer()
        number = f"99{len(self.created):08d}"
        return self.gives or ProviderAccount(bank.name, number, f"YARD/{customer.name}", customer.currency)

    async def fetch_transaction(self, reference: str) -> ProviderTransaction:
        self.asked.append(reference)
        await self._answer()
        return self.payments.get(reference, ProviderTransaction(reference, PaymentState.UNKNOWN))

    async def _answer(self) -> None:
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        if self.error is not None:
            raise self.error

    def pay(
        self,
        reference: str,
        number: str | None,
        amount_minor: int = 500_000,
        currency: str = "NGN",
        state: PaymentState = PaymentState.SUCCEEDED,
    ) -> None:
        self.payments[reference] = ProviderTransaction(reference, state, amount_minor, currency, number)


class Yard:
    """A world with a provider of deposits."""

    def __init__(self, world: World, provider: FakeProvider, clock: ManualClock) -> None:
        self.world = world
        self.provider = provider
        self.clock = clock
        self.funding = FundingSteps(world.database, provider, clock)

    async def create(self, account_id: AccountId, bank_code: str = WEMA) -> VirtualAccount:
        return await self.funding.create_virtual_account(CreateVirtualAccount(account_id, bank_code))

    async def funds(self, account_id: AccountId) -> Funds:
        async with self.world.database.transaction() as tx:
            return await service.list_virtual_accounts(
                tx, ListVirtualAccounts(account_id, self.provider.name)
            )

    async def note(self, reference: str) -> bool:
        command = NoteDeposit(self.provider.name, reference, self.clock.now())
        async with self.world.database.transaction() as tx:
            return await service.note_deposit(tx, command)

    async def settle(self) -> list[str]:
        return [state.value for state in await self.funding.settle_due(limit=100)]

    async def deposits(self) -> list[Deposit]:
        async with self.world.database.transaction() as tx:
            return await service.list_deposits(tx)

    async def only(self) -> Deposit:
        (deposit,) = await self.deposits()
        return deposit
