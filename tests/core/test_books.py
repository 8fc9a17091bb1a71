"""Whatever buyers, suppliers and the clock do, in several currencies: the books say who has what, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from simyard.base.ids import AccountId, ActivationId, RentalId
from simyard.base.refusals import Refusal
from simyard.core.loyalty.model import Loyalty
from simyard.core.pools.model import Pool
from simyard.settings import LoyaltyTier
from tests.world import World, code_text, micros, reported

RATES = {"EUR": "0.9", "NGN": "1512.37", "GBP": "0.7831"}
BUYERS = ("USD", "EUR", "NGN")
SUPPLIERS = ("USD", "EUR")
# Low borders, so that a few orders climb them.
TIERS = (LoyaltyTier("Bronze", 0, 0), LoyaltyTier("Silver", 10, 2), LoyaltyTier("Gold", 20, 5))
NO_CODE = "Welcome to WhatsApp! Nobody needs this message."

STEPS = st.tuples(
    st.sampled_from(
        ["order", "order", "order", "code", "code", "code", "text", "cancel", "close", "expire", "deposit", "rent", "sms",
         "sms", "extend", "give back", "end"]
    ),
    st.integers(0, 11),
)  # fmt: skip


@dataclass
class Market:
    """Fresh parties for one example, and the leases they made."""

    world: World
    buyers: list[AccountId] = field(default_factory=list)
    suppliers: list[tuple[AccountId, Pool]] = field(default_factory=list)
    orders: list[tuple[AccountId, ActivationId, str]] = field(default_factory=list)
    rentals: list[tuple[AccountId, RentalId, str]] = field(default_factory=list)
    deposited: Counter[AccountId] = field(default_factory=Counter)

    @classmethod
    async def open(cls, world: World) -> Market:
        market = cls(world)
        referrer = await world.add_buyer("0", "GBP")
        for currency in BUYERS:
            buyer = await world.add_buyer("0", currency)
            # Each is brought by the one before, who has another currency; the first by somebody who never buys.
            await world.refer(referrer, buyer, share_basis_points=700)
            market.buyers.append(buyer)
            referrer = buyer
            await market.deposit(buyer, "2.5" if currency != "NGN" else "4000")
        for currency, share in zip(SUPPLIERS, (7000, 8333), strict=True):
            supplier = await world.add_supplier(currency)
            pool = await world.add_direct_pool(supplier, share_basis_points=share, rent_allowed=True)
            listed = [reported(one, rent=True) for one in world.msisdns(6)]
            await world.report(supplier, listed, online_seconds=10**9)
            await world.set_price("whatsapp", "0.3337", pool=pool)
            for days in (1, 30):
                await world.set_tariff(days, "0.4519", pool=pool)
            market.suppliers.append((supplier, pool))
        return market

    async def deposit(self, buyer: AccountId, amount: str) -> None:
        await self.world.deposit(buyer, amount)
        self.deposited[buyer] += micros(amount)

    async def step(self, what: str, place: int) -> None:
        world, buyer = self.world, self.buyers[place % len(self.buyers)]
        _, pool = self.suppliers[place % len(self.suppliers)]
        match what:
            case "order":
                order = await world.order(buyer, pool=pool)
                self.orders.append((buyer, order.activation_id, order.msisdn))
            case "rent":
                rental = await world.rent(buyer, pool=pool, auto_extend=place % 2 == 0)
                self.rentals.append((buyer, rental.id, rental.msisdn))
            case "deposit":
                await self.deposit(buyer, "0.77")
            case "expire":
                world.clock.turn(1201)
                await world.expire()
                await world.end_due_rentals()
            case "end":
                world.clock.turn(86_400)
                await world.expire()
                await world.end_due_rentals()
            case "code" | "text" | "cancel" | "close" if self.orders:
                await self._activation(what, *self.orders[place % len(self.orders)], place)
            case "sms" | "extend" | "give back" if self.rentals:
                await self._rental(what, *self.rentals[place % len(self.rentals)], place)

    async def _activation(
        self, what: str, buyer: AccountId, lease: ActivationId, msisdn: str, place: int
    ) -> None:
        match what:
            case "code":
                await self._sms(msisdn, code_text("whatsapp", f"{111_000 + place}"))
            case "text":
                await self._sms(msisdn, NO_CODE)
            case "cancel":
                await self.world.cancel(buyer, lease)
            case "close":
                await self.world.close(buyer, lease)

    async def _rental(self, what: str, buyer: AccountId, lease: RentalId, msisdn: str, place: int) -> None:
        match what:
            case "sms":
                await self._sms(msisdn, f"Parcel {66_000 + place} is at the door")
            case "extend":
                await self.world.extend_rental(buyer, lease, 1)
            case "give back":
                await self.world.close_rental(buyer, lease)

    async def _sms(self, msisdn: str, text: str) -> None:
        supplier = await self.world.value(
            "SELECT supplier_id FROM pool JOIN number ON number.pool_id = pool.id WHERE msisdn = $1", msisdn
        )
        await self.world.receive(supplier, msisdn, text)


@examples(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=40))
async def test_what_buyers_paid_is_what_others_got(world: World, steps: Sequence[tuple[str, int]]) -> None:
    world.loyalty = Loyalty(TIERS, "USD")
    for currency, rate in RATES.items():
        await world.set_rate(currency, rate)
    market = await Market.open(world)
    for what, place in steps:
        with suppress(Refusal):
            await market.step(what, place)

    await world.assert_whole()
    for buyer in market.buyers:
        balance = await world.balance(buyer)
        paid, waiting = await _paid(world, buyer), await _waiting(world, buyer)
        given = await _given(world, buyer)
        assert balance.held == waiting
        assert balance.available + balance.held == market.deposited[buyer] - paid + given
    for row in await world.rows(_BOOKS):
        currency, paid, margin, earned, exchanged, escrowed, revenue, given_away = row
        assert paid == margin + earned + exchanged + escrowed, currency
        assert revenue == margin - given_away, currency
    assert await world.rows(_LOSING_EXCHANGES) == []


async def _paid(world: World, buyer: AccountId) -> int:
    """The prices of what was captured."""
    return int(
        await world.value(
            "SELECT (SELECT COALESCE(sum(price), 0) FROM activation WHERE account_id = $1 AND messages > 0)"
            " + (SELECT COALESCE(sum(rental_period.price), 0) FROM rental_period JOIN rental ON rental.id = rental_id"
            "     WHERE account_id = $1 AND confirmed_at IS NOT NULL)",
            buyer,
        )
    )


async def _waiting(world: World, buyer: AccountId) -> int:
    """The prices of what still waits for its first message."""
    return int(
        await world.value(
            "SELECT (SELECT COALESCE(sum(price), 0) FROM activation WHERE account_id = $1 AND state = 'waiting')"
            " + (SELECT COALESCE(sum(rental_period.price), 0) FROM rental_period JOIN rental ON rental.id = rental_id"
            "     WHERE account_id = $1 AND rental.state = 'waiting')",
            buyer,
        )
    )


async def _given(world: World, buyer: AccountId) -> int:
    """Cashback, and what the account got for others it brought."""
    return int(
        await world.value(
            "SELECT COALESCE(sum(amount), 0) FROM transfer JOIN wallet ON credit_id = available_id"
            " WHERE transfer.kind IN ('cashback', 'referral') AND wallet.account_id = $1",
            buyer,
        )
    )


# By currency: what buyers paid for leases; of it the margin, the suppliers' part in that currency, the part that went through the
# clearing account and what waits in escrow; then revenue, and what of it was given to buyers and referrers.
_BOOKS = """
WITH booked AS (
    SELECT transfer.currency, transfer.kind, transfer.amount, debit.kind AS debit, credit.kind AS credit
      FROM transfer JOIN ledger_account AS debit ON debit.id = debit_id
                    JOIN ledger_account AS credit ON credit.id = credit_id
), paid AS (
    SELECT currency, price AS amount FROM activation WHERE messages > 0
    UNION ALL
    SELECT rental.currency, rental_period.price FROM rental_period JOIN rental ON rental.id = rental_id
     WHERE confirmed_at IS NOT NULL
)
SELECT booked.currency,
       (SELECT COALESCE(sum(paid.amount), 0) FROM paid WHERE paid.currency = booked.currency)::bigint,
       COALESCE(sum(amount) FILTER (WHERE kind = 'margin'), 0)::bigint,
       COALESCE(sum(amount) FILTER (WHERE kind = 'earning' AND debit <> 'clearing'), 0)::bigint,
       COALESCE(sum(amount) FILTER (WHERE kind = 'exchange' AND debit IN ('held', 'escrow')), 0)::bigint,
       COALESCE(sum(CASE WHEN credit = 'escrow' THEN amount WHEN debit = 'escrow' THEN -amount END), 0)::bigint,
       COALESCE(sum(CASE WHEN credit = 'revenue' THEN amount WHEN debit = 'revenue' THEN -amount END), 0)::bigint,
       COALESCE(sum(amount) FILTER (WHERE debit = 'revenue'), 0)::bigint
  FROM booked GROUP BY booked.currency ORDER BY booked.currency
"""

# Currencies are exchanged at the rates, rounded against nobody but him who is paid: clearing accounts never end below zero in sum.
_LOSING_EXCHANGES = """
SELECT sum(CASE WHEN credit.kind = 'clearing' THEN amount ELSE -amount END
           * 1000000000.0 / COALESCE(exchange_rate.rate_nanos, 1000000000))
  FROM transfer JOIN ledger_account AS debit ON debit.id = debit_id
                JOIN ledger_account AS credit ON credit.id = credit_id
                LEFT JOIN exchange_rate ON exchange_rate.currency = transfer.currency
 WHERE 'clearing' IN (debit.kind, credit.kind)
HAVING sum(CASE WHEN credit.kind = 'clearing' THEN amount ELSE -amount END
           * 1000000000.0 / COALESCE(exchange_rate.rate_nanos, 1000000000)) < 0
"""
