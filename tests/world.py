"""A small world to test in: buyers, suppliers, pools, numbers and prices, made through the core's own verbs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from simyard.base import money
from simyard.base.clock import ManualClock
from simyard.base.ids import AccountId, ActivationId, NumberId, OperatorId, PoolId, RentalId, ServiceId
from simyard.base.refusals import Refusal
from simyard.core.accounts import rules as account_rules
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AddAccount, IssueKey, Role, Scope
from simyard.core.activations import refunds
from simyard.core.activations import service as activations
from simyard.core.activations.model import (
    Activation,
    ActivationView,
    ActOnActivation,
    AskingActivation,
    CheckActivation,
    CloseActivation,
    Closed,
    LookAtActivations,
    Order,
    OrderNumber,
)
from simyard.core.activations.refunds import RefundActivation, Refunded
from simyard.core.catalog import service as catalog
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.checks import service as checks
from simyard.core.checks.model import NumberCheck
from simyard.core.earnings import service as earnings
from simyard.core.earnings.model import Payout, RequestPayout
from simyard.core.idempotency import service as idempotency
from simyard.core.loyalty import service as loyalties
from simyard.core.loyalty.model import NO_LOYALTY, Standing, StandingOf
from simyard.core.messages import service as messages
from simyard.core.messages.model import IncomingMessage, Receipt
from simyard.core.numbers import service as numbers
from simyard.core.numbers.model import Report, ReportedNumber, ReportNumbers
from simyard.core.pools import service as pools
from simyard.core.pools.model import AddPool, FilterSide, Pool, PoolKind
from simyard.core.pricing import service as pricing
from simyard.core.pricing.model import Offer
from simyard.core.quality import service as quality
from simyard.core.quality.model import Quality, QualityOf
from simyard.core.referrals import service as referrals
from simyard.core.rentals import service as rentals
from simyard.core.rentals.model import (
    ActOnRental,
    CountryOffer,
    ExtendRental,
    ListRentalOffers,
    LookAtRentals,
    OrderRental,
    Rental,
    RentalView,
)
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import Balance, Verification
from simyard.db.database import Database

ACTIVATION_SECONDS = 1200
CONFIRM_SECONDS = 1200
ONLINE_SECONDS = 600
CONSENT = "The owners of these numbers agreed in writing."
SHARE_BASIS_POINTS = 7000

_COUNTER_DIGITS = 8


def micros(amount: str) -> int:
    """Micros of an amount as one would say it."""
    return money.parse_amount(amount)


def service_id(slug: str) -> ServiceId:
    service = load_catalog().service(slug)
    if service is None:
        raise LookupError(slug)
    return service.id


def reported(
    msisdn: str,
    country: str = "GB",
    operator_id: OperatorId | None = None,
    *,
    port: str | None = None,
    rent: bool = False,
) -> ReportedNumber:
    return ReportedNumber(msisdn, country, operator_id, port or msisdn, None, rent)


def code_text(slug: str, code: str) -> str:
    """An SMS of a service as it really looks."""
    service = load_catalog().service(slug)
    if service is None:
        raise LookupError(slug)
    return f"{code} is your {service.name} verification code"


class World:
    """Everything a test needs to set up. Each method is one verb in one transaction of its own."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database = database
        self.clock = clock
        # Tests that look at it set tiers.
        self.loyalty = NO_LOYALTY
        # What suppliers earn can be spent at once, unless a test says otherwise.
        self.earning_hold = timedelta()
        # What comes after a lease closed is not kept, unless a test says otherwise.
        self.late_within = timedelta()
        self._named = 0
        self._numbered = 0
        self._deposits = 0

    @classmethod
    async def create(cls, database: Database, clock: ManualClock) -> World:
        async with database.transaction() as tx:
            await catalog.sync(tx, load_catalog())
        return cls(database, clock)

    # who takes part

    async def add_account(
        self, role: Role, *, currency: str | None = "USD", email: str | None = None
    ) -> AccountId:
        self._named += 1
        command = AddAccount(email or f"{role.value}{self._named}@example.com", role)
        async with self.database.transaction() as tx:
            added = await accounts.add_account(tx, command, now=self.clock.now())
            if currency is not None:
                await wallet.open_wallet(tx, added.id, currency)
        return added.id

    async def add_buyer(
        self, balance: str = "100", currency: str = "USD", *, email: str | None = None
    ) -> AccountId:
        buyer = await self.add_account(Role.BUYER, currency=currency, email=email)
        if micros(balance):
            await self.deposit(buyer, balance)
        return buyer

    async def add_buyers(self, count: int, balance: str = "100") -> list[AccountId]:
        return [await self.add_buyer(balance) for _ in range(count)]

    async def add_supplier(self, currency: str = "USD", *, email: str | None = None) -> AccountId:
        return await self.add_account(Role.SUPPLIER, currency=currency, email=email)

    async def deposit(self, account_id: AccountId, amount: str, *, reference: str | None = None) -> Balance:
        self._deposits += 1
        named = reference or f"test-{self._deposits}"
        async with self.database.transaction() as tx:
            return await wallet.deposit(tx, account_id, micros(amount), reference=named, now=self.clock.now())

    async def issue_key(
        self,
        account_id: AccountId,
        scopes: tuple[Scope, ...] = (Scope.READ, Scope.ORDER),
        *,
        networks: tuple[str, ...] = (),
        pool_id: PoolId | None = None,
    ) -> str:
        async with self.database.transaction() as tx:
            command = IssueKey(account_id, scopes, networks, pool_id)
            return (await accounts.issue_key(tx, command, now=self.clock.now()))[1]

    @staticmethod
    def digest(key: str) -> bytes:
        return account_rules.digest(key)

    async def permit(self, account_id: AccountId, slug: str) -> None:
        service = load_catalog().service(slug)
        if service is None:
            raise LookupError(slug)
        async with self.database.transaction() as tx:
            await catalog.permit(
                tx, account_id, service, proof="a letter", actor="test", now=self.clock.now()
            )

    async def refer(self, referrer: AccountId, referred: AccountId, *, share_basis_points: int = 500) -> None:
        async with self.database.transaction() as tx:
            await referrals.add(
                tx, referrer, referred, share_basis_points, base_currency="USD", now=self.clock.now()
            )

    async def referral_income(self, account_id: AccountId) -> int:
        async with self.database.transaction() as tx:
            return await referrals.income(tx, account_id)

    # what is on sale

    async def add_direct_pool(
        self,
        supplier: AccountId,
        name: str | None = None,
        *,
        share_basis_points: int = SHARE_BASIS_POINTS,
        reserved_for: str | None = None,
        rent_allowed: bool = False,
        consent: str | None = CONSENT,
    ) -> Pool:
        """A pool that sells nothing until its supplier reports numbers."""
        return await self._add_pool(
            name, PoolKind.DIRECT, supplier, share_basis_points, reserved_for, rent_allowed, consent
        )

    async def add_sandbox_pool(
        self, listed: Sequence[ReportedNumber], name: str | None = None, *, rent_allowed: bool = False
    ) -> Pool:
        pool = await self._add_pool(name, PoolKind.SANDBOX, None, 0, None, rent_allowed, CONSENT)
        async with self.database.transaction() as tx:
            await numbers.stock_sandbox(tx, pool, listed)
        return pool

    async def _add_pool(
        self,
        name: str | None,
        kind: PoolKind,
        supplier: AccountId | None,
        share_basis_points: int,
        reserved_for: str | None,
        rent_allowed: bool,
        consent: str | None,
    ) -> Pool:
        self._named += 1
        command = AddPool(
            name or f"pool {self._named}",
            kind,
            supplier,
            share_basis_points,
            consent,
            reserved_for=service_id(reserved_for) if reserved_for else None,
            rent_allowed=rent_allowed,
        )
        async with self.database.transaction() as tx:
            return await pools.add_pool(tx, command, actor="test", now=self.clock.now())

    def msisdns(self, count: int, prefix: str = "+4475") -> list[str]:
        """Numbers nobody has reported yet."""
        first = self._numbered
        self._numbered += count
        return [f"{prefix}{number:0{_COUNTER_DIGITS}d}" for number in range(first, first + count)]

    async def report(
        self,
        supplier: AccountId,
        listed: Sequence[ReportedNumber | str],
        *,
        pool: Pool | None = None,
        online_seconds: int = ONLINE_SECONDS,
    ) -> Report:
        """The supplier's complete list; it replaces the one before."""
        complete = tuple(reported(one) if isinstance(one, str) else one for one in listed)
        command = ReportNumbers(
            supplier, pool.id if pool else None, complete, online_seconds, self.clock.now()
        )
        async with self.database.transaction() as tx:
            return await numbers.report(tx, command)

    async def set_price(
        self, slug: str, amount: str, *, country: str = "GB", pool: Pool | None = None
    ) -> None:
        async with self.database.transaction() as tx:
            await pricing.set_price(
                tx,
                service_id=service_id(slug),
                country=country,
                amount=micros(amount),
                pool_id=pool.id if pool else None,
                now=self.clock.now(),
            )

    async def set_rate(self, currency: str, rate: str) -> None:
        async with self.database.transaction() as tx:
            await pricing.set_rate(
                tx, currency=currency, rate_nanos=money.parse_rate(rate), now=self.clock.now()
            )

    async def stocked(
        self,
        count: int,
        *,
        services: Collection[str] = ("whatsapp",),
        price: str = "1",
        name: str | None = None,
        currency: str = "USD",
        share_basis_points: int = SHARE_BASIS_POINTS,
    ) -> tuple[AccountId, Pool, list[str]]:
        """A supplier with one direct pool, that many British numbers in it, and prices of the pool's own."""
        supplier = await self.add_supplier(currency)
        pool = await self.add_direct_pool(supplier, name, share_basis_points=share_basis_points)
        listed = self.msisdns(count)
        await self.report(supplier, listed)
        for slug in services:
            await self.set_price(slug, price, pool=pool)
        return supplier, pool, listed

    async def take_stock(self) -> int:
        """Count until nothing is left to count."""
        taken = 0
        while True:
            async with self.database.transaction() as tx:
                latest = await numbers.take_stock(tx, limit=20_000)
            if latest == 0:
                return taken
            taken += latest

    async def offers(self, slug: str, country: str = "GB") -> list[Offer]:
        async with self.database.transaction() as tx:
            return await pricing.offers_for(tx, [(service_id(slug), country)], self.clock.now())

    async def stock(self, slug: str, pool: Pool, country: str = "GB") -> int:
        """The stock shown to buyers, which lags until `take_stock`."""
        return next(offer.stock for offer in await self.offers(slug, country) if offer.pool_id == pool.id)

    # leases

    def order_command(
        self,
        buyer: AccountId,
        slug: str = "whatsapp",
        country: str = "GB",
        *,
        pool: Pool | None = None,
        operator_id: OperatorId | None = None,
        excluded: tuple[str, ...] = (),
        price_max: str | None = None,
        price_exact: str | None = None,
        key: str | None = None,
        seconds: int = ACTIVATION_SECONDS,
        sandbox_seconds: float = 5,
        label: str | None = None,
    ) -> OrderNumber:
        return OrderNumber(
            account_id=buyer,
            service_id=service_id(slug),
            country=country,
            service_label=label or slug,
            country_label=country,
            seconds=seconds,
            now=self.clock.now(),
            base_currency="USD",
            pool_id=pool.id if pool else None,
            operator_id=operator_id,
            excluded=excluded,
            price_max=micros(price_max) if price_max is not None else None,
            price_exact=micros(price_exact) if price_exact is not None else None,
            sandbox_seconds=sandbox_seconds,
            idempotency_key=key,
        )

    async def order_batch(self, commands: Sequence[OrderNumber]) -> list[Order | Refusal]:
        async with self.database.transaction() as tx:
            # Nothing here asks other hosts, so every outcome is final.
            outcomes = await activations.order(tx, commands)
            return [one for one in outcomes if not isinstance(one, AskingActivation)]

    async def order(self, buyer: AccountId, slug: str = "whatsapp", **wishes: Any) -> Order:
        """One order, its refusal raised. Takes what `order_command` takes."""
        (result,) = await self.order_batch([self.order_command(buyer, slug, **wishes)])
        if isinstance(result, Refusal):
            raise result
        return result

    async def check(self, buyer: AccountId, activation_id: ActivationId) -> Activation:
        async with self.database.transaction() as tx:
            (result,) = await activations.check(tx, [CheckActivation(buyer, activation_id)])
        if isinstance(result, Refusal):
            raise result
        return result

    def acting(
        self, buyer: AccountId, activation_id: ActivationId, locked_seconds: int = 0
    ) -> ActOnActivation:
        return ActOnActivation(buyer, activation_id, self.clock.now(), locked_seconds)

    async def cancel(
        self, buyer: AccountId, activation_id: ActivationId, *, locked_seconds: int = 0
    ) -> Closed:
        async with self.database.transaction() as tx:
            return await activations.cancel(tx, self.acting(buyer, activation_id, locked_seconds))

    async def finish(self, buyer: AccountId, activation_id: ActivationId) -> Closed:
        async with self.database.transaction() as tx:
            return await activations.finish(tx, self.acting(buyer, activation_id))

    async def close(
        self,
        buyer: AccountId,
        activation_id: ActivationId,
        *,
        locked_seconds: int = 0,
        ban: bool = False,
    ) -> Closed:
        command = CloseActivation(buyer, activation_id, self.clock.now(), locked_seconds, ban)
        async with self.database.transaction() as tx:
            return await activations.close(tx, command)

    async def look_batch(
        self, commands: Sequence[LookAtActivations]
    ) -> list[tuple[ActivationView, ...] | Refusal]:
        async with self.database.connection() as tx:
            return await activations.look(tx, commands)

    async def look(
        self, buyer: AccountId, activation_id: ActivationId | None = None
    ) -> tuple[ActivationView, ...]:
        (result,) = await self.look_batch([LookAtActivations(buyer, activation_id)])
        if isinstance(result, Refusal):
            raise result
        return result

    async def request_next(self, buyer: AccountId, activation_id: ActivationId) -> None:
        async with self.database.transaction() as tx:
            await activations.request_next(tx, self.acting(buyer, activation_id))

    async def expire(self, *, limit: int = 500) -> int:
        async with self.database.transaction() as tx:
            return await activations.expire(tx, limit=limit, now=self.clock.now())

    # rentals

    async def set_tariff(
        self, days: int, amount: str, *, country: str = "GB", pool: Pool | None = None
    ) -> None:
        async with self.database.transaction() as tx:
            await rentals.set_price(
                tx, country, days, micros(amount), pool.id if pool else None, self.clock.now()
            )

    async def rentable(
        self,
        count: int,
        *,
        tariffs: Mapping[int, str] | None = None,
        currency: str = "USD",
        share_basis_points: int = SHARE_BASIS_POINTS,
    ) -> tuple[AccountId, Pool, list[str]]:
        """A supplier with one direct pool, that many British numbers in it that may be rented, and the pool's own tariffs.

        It never goes offline.
        """
        supplier = await self.add_supplier(currency)
        pool = await self.add_direct_pool(supplier, share_basis_points=share_basis_points, rent_allowed=True)
        listed = self.msisdns(count)
        await self.report(supplier, [reported(msisdn, rent=True) for msisdn in listed], online_seconds=10**9)
        for days, amount in (tariffs or {1: "1", 7: "5", 30: "15"}).items():
            await self.set_tariff(days, amount, pool=pool)
        return supplier, pool, listed

    def rental_command(
        self,
        buyer: AccountId,
        days: int = 1,
        country: str = "GB",
        *,
        auto_extend: bool = False,
        pool: Pool | None = None,
        excluded: tuple[str, ...] = (),
        key: str | None = None,
        confirm_seconds: int = CONFIRM_SECONDS,
        sandbox_seconds: float = 5,
    ) -> OrderRental:
        return OrderRental(
            account_id=buyer,
            country=country,
            days=days,
            auto_extend=auto_extend,
            confirm_seconds=confirm_seconds,
            now=self.clock.now(),
            base_currency="USD",
            pool_id=pool.id if pool else None,
            excluded=excluded,
            sandbox_seconds=sandbox_seconds,
            idempotency_key=key,
        )

    async def rent(self, buyer: AccountId, days: int = 1, **wishes: Any) -> Rental:
        """Takes what `rental_command` takes."""
        async with self.database.transaction() as tx:
            rental = await rentals.order(tx, self.rental_command(buyer, days, **wishes))
        # Nothing here asks other hosts.
        assert isinstance(rental, Rental)
        return rental

    async def look_at_rentals(
        self,
        buyer: AccountId,
        rental_id: RentalId | None = None,
        *,
        page: int = 1,
        per_page: int | None = None,
    ) -> list[RentalView]:
        async with self.database.transaction() as tx:
            return await rentals.look(tx, LookAtRentals(buyer, rental_id, "USD", page, per_page))

    async def rental(self, buyer: AccountId, rental_id: RentalId) -> Rental:
        (view,) = await self.look_at_rentals(buyer, rental_id)
        return view.rental

    async def extend_rental(
        self, buyer: AccountId, rental_id: RentalId, days: int = 1, *, key: str | None = None
    ) -> Rental:
        command = ExtendRental(buyer, rental_id, days, self.clock.now(), "USD", key)
        async with self.database.transaction() as tx:
            return await rentals.extend(tx, command)

    async def close_rental(self, buyer: AccountId, rental_id: RentalId) -> Rental:
        async with self.database.transaction() as tx:
            return await rentals.close(
                tx, ActOnRental(buyer, rental_id, self.clock.now(), "USD", self.earning_hold)
            )

    async def end_due_rentals(self, *, limit: int = 500) -> int:
        async with self.database.transaction() as tx:
            return await rentals.end_due(
                tx,
                limit=limit,
                now=self.clock.now(),
                base_currency="USD",
                earning_hold=self.earning_hold,
            )

    async def forget_keys(self) -> int:
        """As if every idempotency key's time was over."""
        async with self.database.transaction() as tx:
            return await idempotency.forget(tx, before=self.clock.now())

    async def rental_offers(
        self,
        buyer: AccountId | None = None,
        countries: tuple[str, ...] | None = None,
        currency: str | None = None,
    ) -> list[CountryOffer]:
        command = ListRentalOffers(buyer, countries, currency, "USD", self.clock.now())
        async with self.database.transaction() as tx:
            return await rentals.list_rental_offers(tx, command)

    # messages

    def sms(
        self,
        supplier: AccountId | None,
        msisdn: str,
        text: str,
        *,
        sender: str = "Verify",
        sent_at: Any = None,
    ) -> IncomingMessage:
        return IncomingMessage(supplier, msisdn, None, sender, text, sent_at, self.clock.now())

    async def receive_batch(self, arrived: Sequence[IncomingMessage]) -> list[Receipt | Refusal]:
        async with self.database.transaction() as tx:
            return await messages.receive(
                tx,
                arrived,
                loyalty=self.loyalty,
                earning_hold=self.earning_hold,
                late_within=self.late_within,
            )

    async def receive(
        self,
        supplier: AccountId | None,
        msisdn: str,
        text: str,
        *,
        sender: str = "Verify",
        sent_at: Any = None,
    ) -> Receipt:
        (result,) = await self.receive_batch(
            [self.sms(supplier, msisdn, text, sender=sender, sent_at=sent_at)]
        )
        if isinstance(result, Refusal):
            raise result
        return result

    # number checks

    async def check_number(self, msisdn: str, *, seconds: int = 1800) -> NumberCheck:
        async with self.database.transaction() as tx:
            return await checks.start(tx, msisdn, seconds=seconds, actor="test", now=self.clock.now())

    async def end_checks(self) -> int:
        async with self.database.transaction() as tx:
            return await checks.end_due(tx, limit=100, now=self.clock.now())

    # quality, and what pools want

    async def count_quality(self, *, over_reporting_percent: int = 50) -> int:
        async with self.database.transaction() as tx:
            return await quality.count(
                tx, limit=10_000, now=self.clock.now(), over_reporting_percent=over_reporting_percent
            )

    async def quality(
        self, *, pool: Pool | None = None, supplier: AccountId | None = None, days: int = 7
    ) -> list[Quality]:
        now = self.clock.now()
        since = (now - timedelta(days=days)).date()
        async with self.database.transaction() as tx:
            return await quality.report(tx, QualityOf(since, now, supplier, pool.id if pool else None))

    async def blacklist(self, pool: Pool, slug: str, *, blacklisted: bool = True) -> None:
        async with self.database.transaction() as tx:
            await pools.set_blacklisted(
                tx,
                pool.id,
                service_id(slug),
                blacklisted=blacklisted,
                actor="test",
                now=self.clock.now(),
            )

    async def set_filter_side(self, pool: Pool, side: FilterSide) -> None:
        async with self.database.transaction() as tx:
            await pools.set_filter_side(tx, pool.id, side, actor="test", now=self.clock.now())

    # earnings

    async def mature(self, *, limit: int = 1000) -> int:
        async with self.database.transaction() as tx:
            return await earnings.mature(tx, limit=limit, now=self.clock.now())

    async def refund(self, activation_id: ActivationId, reason: str = "The code did not work.") -> Refunded:
        command = RefundActivation(activation_id, reason, self.clock.now())
        async with self.database.transaction() as tx:
            return await refunds.refund(tx, command, actor="test")

    async def request_payout(self, account_id: AccountId, amount: str, method: str = "IBAN DE00") -> Payout:
        command = RequestPayout(account_id, micros(amount), method, self.clock.now())
        async with self.database.transaction() as tx:
            return await earnings.request_payout(tx, command)

    async def pay_out(self, payout: Payout, note: str | None = None) -> Payout:
        async with self.database.transaction() as tx:
            return await earnings.pay_out(tx, payout.id, note=note, actor="test", now=self.clock.now())

    async def reject_payout(self, payout: Payout, reason: str = "Unknown bank.") -> Payout:
        async with self.database.transaction() as tx:
            return await earnings.reject_payout(
                tx, payout.id, reason=reason, actor="test", now=self.clock.now()
            )

    # looking

    async def standing(self, account_id: AccountId) -> Standing:
        async with self.database.transaction() as tx:
            return await loyalties.standing(tx, StandingOf(account_id, self.loyalty))

    async def balance(self, account_id: AccountId) -> Balance:
        async with self.database.transaction() as tx:
            return await wallet.balance(tx, account_id)

    async def verify(self) -> Verification:
        async with self.database.transaction() as tx:
            return await wallet.verify(tx)

    async def number_id(self, msisdn: str) -> NumberId:
        return NumberId(await self.value("SELECT id FROM number WHERE msisdn = $1", msisdn))

    async def value(self, statement: str, *arguments: object) -> Any:
        """The first column of the first row: for what no verb shows."""
        async with self.database.connection() as connection:
            return await connection.fetchval(statement, *arguments)

    async def rows(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        async with self.database.connection() as connection:
            return [tuple(row) for row in await connection.fetch(statement, *arguments)]

    async def assert_whole(self) -> None:
        """What must hold at any moment between transactions, whatever happened before."""
        books = await self.verify()
        assert books.balanced, books
        assert await self.rows(_BROKEN) == []


# Each line names a promise that is broken, and where.
_BROKEN = """
    SELECT 'a credited deposit is not booked once and in full', deposit.id
      FROM deposit LEFT JOIN virtual_account ON virtual_account.id = deposit.virtual_account_id
     WHERE deposit.state = 'credited'
       AND NOT EXISTS (SELECT FROM transfer JOIN wallet ON wallet.available_id = transfer.credit_id
                        WHERE transfer.reference = 'deposit/' || deposit.provider || '/' || deposit.reference
                          AND transfer.amount = deposit.amount AND transfer.currency = deposit.currency
                          AND wallet.account_id = virtual_account.account_id)
    UNION ALL
    SELECT 'a lease of a number is neither its open activation nor its open rental nor its open check', number.id
      FROM number
      LEFT JOIN activation ON activation.id = number.lease_id AND activation.is_open
      LEFT JOIN rental ON rental.id = number.lease_id AND rental.is_open
      LEFT JOIN number_check ON number_check.id = number.lease_id AND number_check.closed_at IS NULL
     WHERE number.lease_id IS NOT NULL
       AND COALESCE(activation.number_id, rental.number_id, number_check.number_id) IS DISTINCT FROM number.id
    UNION ALL
    SELECT 'an open check does not lease its number', number_check.id
      FROM number_check JOIN number ON number.id = number_check.number_id
     WHERE number_check.closed_at IS NULL AND number.lease_id IS DISTINCT FROM number_check.id
    UNION ALL
    SELECT 'an open rental does not lease its number', rental.id
      FROM rental LEFT JOIN number ON number.id = rental.number_id
     WHERE rental.is_open AND rental.number_id IS NOT NULL AND number.lease_id IS DISTINCT FROM rental.id
    UNION ALL
    SELECT 'what lies in escrow is not what running rentals have cost', ledger_account.id
      FROM ledger_account
     WHERE ledger_account.kind = 'escrow'
       AND (SELECT COALESCE(sum(entry.amount), 0) FROM entry WHERE entry.ledger_account_id = ledger_account.id)
        <> (SELECT COALESCE(sum(rental_period.price), 0) FROM rental
              JOIN rental_period ON rental_period.rental_id = rental.id
             WHERE rental.state = 'active' AND rental.currency = ledger_account.currency)
    UNION ALL
    SELECT 'a rental counts other messages than it has', rental.id
      FROM rental WHERE messages <> (SELECT count(*) FROM message WHERE message.rental_id = rental.id)
    UNION ALL
    SELECT 'the periods of a rental are not numbered through', rental.id
      FROM rental
     WHERE (SELECT count(*) FROM rental_period WHERE rental_id = rental.id)
           IS DISTINCT FROM (SELECT max(ordinal) FROM rental_period WHERE rental_id = rental.id)
    UNION ALL
    SELECT 'a rental that was not confirmed was not paid back, or extended', rental.id
      FROM rental JOIN rental_period ON rental_period.rental_id = rental.id
     WHERE state IN ('failed', 'canceled', 'expired')
       AND (ordinal > 1 OR (price > 0 AND NOT EXISTS (SELECT FROM transfer
                                                       WHERE reference = 'rental/' || rental.id || '/release')))
    UNION ALL
    SELECT 'an ended rental is not divided into what it cost', rental.id
      FROM rental
     WHERE state = 'ended'
       AND (SELECT sum(price) FROM rental_period WHERE rental_id = rental.id)
        <> (SELECT COALESCE(sum(transfer.amount), 0) FROM transfer
              JOIN ledger_account ON ledger_account.id = transfer.debit_id AND ledger_account.kind = 'escrow'
             WHERE transfer.reference LIKE 'rental/' || rental.id || '/%')
    UNION ALL
    SELECT 'an open lease of a remote pool has a number nobody holds, or asks for none', lease.id
      FROM (SELECT id, pool_id, number_id, msisdn, state FROM activation WHERE remote AND is_open
            UNION ALL
            SELECT id, pool_id, number_id, msisdn, state FROM rental WHERE remote AND is_open) AS lease
     WHERE (SELECT count(*) FROM remote_lease
             WHERE remote_lease.lease_id = lease.id AND remote_lease.pool_id = lease.pool_id
               AND (lease.state = 'acquiring' AND remote_lease.state = 'asking'
                    OR lease.number_id IS NOT NULL AND remote_lease.state = 'held'
                       AND remote_lease.msisdn = lease.msisdn)) <> 1
    UNION ALL
    SELECT 'a remote pool holds a number for a lease that is closed', remote_lease.id
      FROM remote_lease
     WHERE remote_lease.state = 'held'
       AND NOT EXISTS (SELECT FROM activation WHERE activation.id = remote_lease.lease_id AND activation.is_open)
       AND NOT EXISTS (SELECT FROM rental WHERE rental.id = remote_lease.lease_id AND rental.is_open)
    UNION ALL
    SELECT 'an open activation does not lease its number', activation.id
      FROM activation LEFT JOIN number ON number.id = activation.number_id
     WHERE activation.is_open AND activation.number_id IS NOT NULL AND number.lease_id IS DISTINCT FROM activation.id
    UNION ALL
    SELECT 'what is held is not the price of what still waits', wallet.account_id
      FROM wallet
     WHERE wallet.held <> (SELECT COALESCE(sum(price), 0) FROM activation
                            WHERE activation.account_id = wallet.account_id
                              AND activation.state IN ('acquiring', 'waiting'))
                        + (SELECT COALESCE(sum(rental_period.price), 0)
                             FROM rental JOIN rental_period ON rental_period.rental_id = rental.id
                            WHERE rental.account_id = wallet.account_id
                              AND rental.state IN ('acquiring', 'waiting'))
                        + (SELECT COALESCE(sum(payout.amount), 0) FROM payout
                            WHERE payout.account_id = wallet.account_id AND payout.state = 'requested')
    UNION ALL
    SELECT 'what is pending is not what was earned and has not matured', wallet.account_id
      FROM wallet
     WHERE wallet.pending <> (SELECT COALESCE(sum(earning.amount), 0) FROM earning
                               WHERE earning.account_id = wallet.account_id AND earning.state = 'pending')
    UNION ALL
    SELECT 'what a lease earned is noted otherwise than it was booked', earning.lease_id
      FROM earning JOIN wallet ON wallet.account_id = earning.account_id
     WHERE earning.amount IS DISTINCT FROM
           (SELECT sum(transfer.amount) FROM transfer
             WHERE transfer.reference IN ('activation/' || earning.lease_id || '/earning',
                                          'rental/' || earning.lease_id || '/earning')
               AND transfer.credit_id IN (wallet.available_id, wallet.pending_id))
    UNION ALL
    SELECT 'an earning was booked and not noted', transfer.id
      FROM transfer
     WHERE transfer.kind = 'earning'
       AND NOT EXISTS (SELECT FROM earning
                        WHERE earning.lease_id = substring(transfer.reference FROM '/([0-9]+)/')::bigint)
    UNION ALL
    SELECT 'a refunded activation did not give the price back', refund.activation_id
      FROM refund JOIN activation ON activation.id = refund.activation_id
     WHERE activation.price <> (SELECT COALESCE(sum(transfer.amount), 0) FROM transfer
                                 WHERE transfer.kind = 'refund'
                                   AND transfer.reference LIKE 'activation/' || refund.activation_id || '/refund/%'
                                   AND transfer.credit_id = (SELECT available_id FROM wallet
                                                              WHERE account_id = activation.account_id))
    UNION ALL
    SELECT 'something of a refunded activation stayed with those who shared in it', refund.activation_id
      FROM refund
     WHERE EXISTS (SELECT FROM ledger_account JOIN entry ON entry.ledger_account_id = ledger_account.id
                              JOIN transfer ON transfer.id = entry.transfer_id
                    WHERE transfer.reference LIKE 'activation/' || refund.activation_id || '/%'
                      AND transfer.kind NOT IN ('hold', 'repayment')
                      AND ledger_account.kind IN ('revenue', 'clearing')
                    GROUP BY ledger_account.id HAVING sum(entry.amount) <> 0)
    UNION ALL
    SELECT 'a payout is not booked as it stands', payout.id
      FROM payout
     WHERE NOT EXISTS (SELECT FROM transfer WHERE reference = 'payout/' || payout.id || '/hold'
                                              AND transfer.amount = payout.amount)
        OR (payout.state = 'paid')
           <> EXISTS (SELECT FROM transfer WHERE reference = 'payout/' || payout.id || '/paid')
        OR (payout.state = 'rejected')
           <> EXISTS (SELECT FROM transfer WHERE reference = 'payout/' || payout.id || '/release')
    UNION ALL
    SELECT 'a closed activation has no time of closing, or an open one has', activation.id
      FROM activation WHERE is_open <> (closed_at IS NULL)
    UNION ALL
    SELECT 'an activation counts other messages than it has', activation.id
      FROM activation
     WHERE messages <> (SELECT count(*) FROM message WHERE message.activation_id = activation.id)
    UNION ALL
    SELECT 'an activation awaits its next message while one is queued, or has received but none is left', activation.id
      FROM activation
     WHERE state IN ('received', 'waiting_again')
       AND (state = 'received') <> EXISTS (SELECT FROM message WHERE message.activation_id = activation.id
                                                                  AND NOT message.dismissed)
    UNION ALL
    SELECT 'the code of an activation is not the first of its messages that were not dismissed', activation.id
      FROM activation
     WHERE state = 'received'
       AND code IS DISTINCT FROM (SELECT message.code FROM message
                                   WHERE message.activation_id = activation.id AND NOT message.dismissed
                                     AND message.code IS NOT NULL ORDER BY message.id LIMIT 1)
    UNION ALL
    SELECT 'a referral was paid out of more than the margin', activation.id
      FROM activation
     WHERE margin < (SELECT COALESCE(sum(transfer.amount), 0) FROM transfer
                      WHERE transfer.reference IN ('activation/' || activation.id || '/referral',
                                                   'activation/' || activation.id || '/referral/exchange')
                        AND transfer.debit_id = (SELECT id FROM ledger_account
                                                  WHERE kind = 'revenue' AND currency = activation.currency))
    UNION ALL
    SELECT 'cashback was paid though no code came', activation.id
      FROM activation
     WHERE NOT coded
       AND EXISTS (SELECT FROM transfer WHERE reference = 'activation/' || activation.id || '/cashback')
    UNION ALL
    SELECT 'an activation does not know whether a code came', activation.id
      FROM activation
     WHERE coded <> EXISTS (SELECT FROM message WHERE message.activation_id = activation.id
                                                  AND message.code IS NOT NULL)
    UNION ALL
    SELECT 'a captured activation is not divided into its price', activation.id
      FROM activation
     WHERE messages > 0
       AND price <> (SELECT COALESCE(sum(transfer.amount), 0) FROM transfer
                      WHERE transfer.reference LIKE 'activation/' || activation.id || '/%'
                        AND transfer.debit_id = (SELECT held_id FROM wallet WHERE account_id = activation.account_id))
    UNION ALL
    SELECT 'an activation that brought nothing was not released', activation.id
      FROM activation
     WHERE state IN ('canceled', 'expired', 'failed') AND price > 0
       AND NOT EXISTS (SELECT FROM transfer WHERE reference = 'activation/' || activation.id || '/release')
    UNION ALL
    SELECT 'a cursor has passed a number that was not used', number.id
      FROM claim_cursor
      JOIN number ON number.pool_id = claim_cursor.pool_id AND number.country = claim_cursor.country
                 AND number.available
                 AND (claim_cursor.operator_id = 0 OR number.operator_id = claim_cursor.operator_id)
                 AND (number.position, number.id) <= (claim_cursor.position, claim_cursor.number_id)
     WHERE NOT EXISTS (SELECT FROM activation WHERE activation.number_id = number.id
                                                AND activation.service_id = claim_cursor.service_id
                                                AND NOT activation.repeatable)
"""


@pytest.fixture
async def world(database: Database, clock: ManualClock) -> World:
    """An empty world that knows the catalogue."""
    return await World.create(database, clock)
