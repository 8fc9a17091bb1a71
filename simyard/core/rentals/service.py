"""Verbs about rentals; each takes one command. A refused one leaves nothing behind once its transaction is rolled back."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import asyncpg
import msgspec

from simyard.base.ids import AccountId, LeaseId, LedgerAccountId, NumberId, PoolId, RentalId
from simyard.base.refusals import Refusal, Refused
from simyard.core.earnings import rules as earning_rules
from simyard.core.earnings import service as earnings
from simyard.core.earnings.model import AT_ONCE, NewEarning
from simyard.core.idempotency import service as idempotency
from simyard.core.idempotency.model import Keyed
from simyard.core.messages import inbox
from simyard.core.numbers import service as numbers
from simyard.core.numbers.model import RentedNumber
from simyard.core.pools.model import PoolKind
from simyard.core.pricing import rules as pricing_rules
from simyard.core.pricing import service as pricing
from simyard.core.pricing.model import Quote
from simyard.core.referrals import rules as referral_rules
from simyard.core.referrals import service as referrals
from simyard.core.referrals.model import Share
from simyard.core.remote import service as remote
from simyard.core.remote.model import Ending, RemoteWant, Returned
from simyard.core.rentals import machine, rules, store
from simyard.core.rentals.machine import Event, MoneyMove, Strikes
from simyard.core.rentals.model import (
    ActOnRental,
    AskingRental,
    Charged,
    CountryOffer,
    ExtendRental,
    ListRentalOffers,
    ListRentalPrices,
    LockedRental,
    LookAtRentals,
    OrderRental,
    Rental,
    RentalPrice,
    RentalView,
    Tariff,
)
from simyard.core.rentals.store import NewPeriod, NewRental
from simyard.core.sandbox import service as sandbox
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import SharedKind, Transfer, TransferKind, Wallet
from simyard.db.database import Tx

EXTENSION_DAYS = 30
RENTALS_SHOWN_MAX = 1000
MESSAGES_OF_ONE_MAX = 1000
MESSAGES_OF_EACH_MAX = 100

_outcome_encoder = msgspec.msgpack.Encoder()
_outcome_decoder = msgspec.msgpack.Decoder(Rental)


# Ordering


async def order(tx: Tx, command: OrderRental) -> Rental | AskingRental:
    """Lease one number for days and hold the price until the first SMS.

    Refuses, first match wins: IDEMPOTENCY_KEY_REUSED (with another order), BUSY (its twin waits for a number),
    INSUFFICIENT_FUNDS for an account without a wallet, NOT_PRICED (nobody rents out there), UNKNOWN_PERIOD, NO_RATE,
    INSUFFICIENT_FUNDS, NO_NUMBERS. With several pools the cheapest that has numbers wins; a number the account banned is
    passed over. When the cheapest is a pool that must be asked for a number, the price is held and the outcome is
    `AskingRental`: whoever asked for that (`remote`) carries it on (`core/remote/saga.py`). A repeat under an idempotency
    key returns the first outcome and moves nothing. Locks: the key, the wallet; numbers are passed over when locked.
    """
    keyed = _keyed(command.account_id, command.idempotency_key, rules.order_fingerprint(command))
    earlier = await _earlier(tx, keyed, command.now)
    if earlier is not None:
        return earlier
    leased = await _lease(tx, command)
    if isinstance(leased, AskingRental):
        if keyed is not None:
            await idempotency.record(tx, {keyed.key: (leased.lease_id, None)})
        return leased
    rental = await shown(tx, command.account_id, leased, command.base_currency)
    return await _remembered(tx, keyed, rental)


def _keyed(account_id: AccountId, key: str | None, fingerprint: bytes) -> Keyed | None:
    return None if key is None else Keyed((account_id, key), fingerprint)


async def _earlier(tx: Tx, keyed: Keyed | None, now: datetime) -> Rental | None:
    """What came of the command whose key this is, if there was one."""
    if keyed is None:
        return None
    answer = (await idempotency.settle(tx, {0: keyed}, now=now)).answers.get(0)
    if isinstance(answer, Refusal):
        raise answer
    return None if answer is None else _outcome_decoder.decode(answer)


async def _remembered(tx: Tx, keyed: Keyed | None, rental: Rental) -> Rental:
    if keyed is not None:
        await idempotency.record(tx, {keyed.key: (rental.id, encode_outcome(rental))})
    return rental


def encode_outcome(rental: Rental) -> bytes:
    """A rental as it is kept under its idempotency key."""
    return _outcome_encoder.encode(rental)


async def _lease(tx: Tx, command: OrderRental) -> RentalId | AskingRental:
    buyer = (await wallet.lock_open(tx, [command.account_id])).get(command.account_id)
    if buyer is None:
        raise Refusal(Refused.INSUFFICIENT_FUNDS)
    offered = await store.tariffs(tx, countries=[command.country], now=command.now)
    tariffs = [
        tariff
        for tariff in rules.of_period(offered, command.days)
        if command.pool_id in (None, tariff.pool_id)
    ]
    if not tariffs:
        raise Refusal(Refused.NO_NUMBERS)
    quoted = await _quoted(tx, tariffs, buyer.currency, command.base_currency)
    if all(quote.price > buyer.available for _, quote in quoted):
        raise Refusal(Refused.INSUFFICIENT_FUNDS)
    online = [one for one in quoted if one[0].online and _may_be_asked(one[0], command)]
    affordable = [one for one in online if one[1].price <= buyer.available]
    # Stock lags, so a pool that shows none is still asked, after those that show some.
    ranked = sorted(affordable, key=lambda one: (one[0].stock == 0, one[1].price, one[0].pool_id))
    for place, (tariff, quote) in enumerate(ranked, start=1):
        if tariff.kind in remote.KINDS:
            asking = await _ask(tx, command, tariff, quote, others=place < len(ranked))
            if asking is not None:
                await _record(tx, RentalId(asking.lease_id), None, command, tariff, quote, buyer)
                await remote.begin(tx, {asking.lease_id: (asking.pool_id, asking.wish)}, now=command.now)
                return asking
            continue
        number = await numbers.claim_for_rent(
            tx, command.account_id, tariff.pool_id, command.country, command.excluded
        )
        if number is not None:
            await _record(tx, number.lease_id, number, command, tariff, quote, buyer)
            return number.lease_id
    short = len(affordable) < len(online)
    raise Refusal(Refused.INSUFFICIENT_FUNDS if short else Refused.NO_NUMBERS)


def _may_be_asked(tariff: Tariff, command: OrderRental) -> bool:
    """Asking another host for a number it says it has not is a call for nothing."""
    return tariff.kind not in remote.KINDS or (
        command.remote and tariff.stock > 0 and tariff.pool_id not in command.avoided
    )


async def _ask(
    tx: Tx, command: OrderRental, tariff: Tariff, quote: Quote, *, others: bool
) -> AskingRental | None:
    """What a remote pool is to be asked for; None for one that is not asked now."""
    want = RemoteWant(tariff.pool_id, command.country, None, None, pricing_rules.cost_max(tariff))
    (choice,) = await remote.choose(tx, [want], now=command.now)
    if choice is None:
        return None
    (lease_id,) = await remote.next_lease_ids(tx, 1)
    wish = rules.wish(RentalId(lease_id), command, choice, quote)
    return AskingRental(
        lease_id=RentalId(lease_id),
        pool_id=tariff.pool_id,
        wish=wish,
        others=others,
        idempotency_key=command.idempotency_key,
        account_id=command.account_id,
        base_currency=command.base_currency,
    )


async def _record(
    tx: Tx,
    rental_id: RentalId,
    number: RentedNumber | None,
    command: OrderRental,
    tariff: Tariff,
    quote: Quote,
    buyer: Wallet,
) -> None:
    """Write a new rental with its first period, and hold the price. No number: it waits for one."""
    row = NewRental(
        id=rental_id,
        account_id=command.account_id,
        pool_id=tariff.pool_id,
        number_id=None if number is None else number.id,
        msisdn=None if number is None else number.msisdn,
        country=command.country,
        auto_extend=command.auto_extend,
        currency=quote.currency,
        supplier_id=tariff.supplier_id,
        earning_currency=quote.earning_currency,
        ordered_at=command.now,
        confirm_by=command.now + timedelta(seconds=command.confirm_seconds),
        expires_at=command.now + timedelta(days=command.days),
    )
    await store.insert_rental(tx, row=row)
    period = NewPeriod(row.id, 1, command.days, quote, automatic=False)
    await store.insert_periods(tx, rows=[period], now=command.now)
    if tariff.kind == PoolKind.SANDBOX:
        due_at = command.now + timedelta(seconds=command.sandbox_seconds)
        await sandbox.plan_messages(tx, [(row.id, due_at)])
    await wallet.post(tx, rules.hold(row.id, quote.price, buyer), {buyer.account_id: buyer}, now=command.now)


async def _quoted(
    tx: Tx, tariffs: Sequence[Tariff], currency: str, base_currency: str
) -> list[tuple[Tariff, Quote]]:
    suppliers = {tariff.supplier_id for tariff in tariffs if tariff.supplier_id is not None}
    currencies = await wallet.currencies(tx, suppliers) if suppliers else {}
    rates = await _rates(tx, {currency, *currencies.values()}, base_currency)
    return rules.quotes(tariffs, currency, currencies, rates)


async def _rates(tx: Tx, currencies: Collection[str], base_currency: str) -> dict[str, int]:
    if set(currencies) <= {base_currency}:
        return {base_currency: pricing_rules.ONE}
    return await pricing.rates(tx, base_currency)


# Looking


async def look(tx: Tx, command: LookAtRentals) -> list[RentalView]:
    """Every open rental of the account, oldest first, or one by its id, also when it is closed; each with its messages.

    Refuses: UNKNOWN_LEASE, also for another account's.
    """
    found = await store.find(
        tx, account_id=command.account_id, rental_id=command.rental_id, limit=RENTALS_SHOWN_MAX
    )
    if command.rental_id is not None and not found:
        raise Refusal(Refused.UNKNOWN_LEASE)
    if not found:
        return []
    rentals = await _with_extensions(tx, found, command.base_currency)
    if command.per_page is None:
        limit, offset = MESSAGES_OF_EACH_MAX if command.rental_id is None else MESSAGES_OF_ONE_MAX, 0
    else:
        limit, offset = command.per_page, (command.page - 1) * command.per_page
    pages = await inbox.of_rentals(tx, [rental.id for rental in rentals], limit=limit, offset=offset)
    return [RentalView(rental, tuple(pages[rental.id]), rental.messages) for rental in rentals]


async def shown(tx: Tx, account_id: AccountId, rental_id: RentalId, base_currency: str) -> Rental:
    """A rental of this account that has its number, as it may see it."""
    found = await store.find(tx, account_id=account_id, rental_id=rental_id, limit=1)
    (rental,) = await _with_extensions(tx, found, base_currency)
    return rental


async def _with_extensions(tx: Tx, rentals: Sequence[Rental], base_currency: str) -> list[Rental]:
    tariffs = await store.extension_tariffs(tx, rental_ids=[rental.id for rental in rentals])
    if not any(tariffs.values()):
        return list(rentals)
    rates = await _rates(tx, {rental.currency for rental in rentals}, base_currency)
    return [
        dataclasses.replace(rental, extensions=rules.extensions(tariffs[rental.id], rental.currency, rates))
        for rental in rentals
    ]


# Acting


async def extend(tx: Tx, command: ExtendRental) -> Rental:
    """Charge a confirmed rental for one more period, at its own pool's tariff; it ends that much later.

    Refuses, first match wins: IDEMPOTENCY_KEY_REUSED (with another extension), UNKNOWN_LEASE, LEASE_CLOSED (also once its
    time is over), NOT_CONFIRMED, NOT_PRICED (also when its number went off sale), UNKNOWN_PERIOD, NO_RATE,
    INSUFFICIENT_FUNDS. A repeat under an idempotency key returns the first outcome; without one it extends again. Locks:
    the key, the rental, the wallet.
    """
    keyed = _keyed(command.account_id, command.idempotency_key, rules.extension_fingerprint(command))
    earlier = await _earlier(tx, keyed, command.now)
    if earlier is not None:
        return earlier
    rental = await _lock_rental(tx, command.account_id, command.rental_id)
    refusal = rules.judge_extension(rental, command.now)
    if refusal is not None:
        raise refusal
    buyer = (await wallet.lock(tx, [command.account_id]))[command.account_id]
    tariffs = await store.extension_tariffs(tx, rental_ids=[rental.id])
    chosen = rules.of_period(tariffs[rental.id], command.days)
    ((tariff, quote),) = await _quoted(tx, chosen, rental.currency, command.base_currency)
    if quote.price > buyer.available:
        raise Refusal(Refused.INSUFFICIENT_FUNDS)
    charged = (await store.charged(tx, rental_ids=[rental.id]))[rental.id]
    shared = await wallet.shared(tx, [rental.currency])
    period = NewPeriod(rental.id, charged.periods + 1, tariff.days, quote, automatic=False)
    await store.insert_periods(tx, rows=[period], now=command.now)
    await store.extend(tx, until={rental.id: rules.extended_until(rental, tariff.days, command.now)})
    transfers = rules.charge(rental, period.ordinal, quote.price, buyer, shared)
    await wallet.post(tx, transfers, {buyer.account_id: buyer}, now=command.now)
    extended = await shown(tx, command.account_id, rental.id, command.base_currency)
    return await _remembered(tx, keyed, extended)


async def close(tx: Tx, command: ActOnRental) -> Rental:
    """Give the number back: before the first SMS for the whole price, after it for nothing.

    Refuses, first match wins: UNKNOWN_LEASE, LEASE_CLOSED. Locks: number, rental, wallets by account id.
    """
    number_id = await store.number_of(tx, account_id=command.account_id, rental_id=command.rental_id)
    if number_id is None:
        raise Refusal(Refused.UNKNOWN_LEASE)
    await numbers.lock(tx, [number_id])
    rental = (await store.lock_rentals(tx, rental_ids=[command.rental_id]))[command.rental_id]
    step = machine.step(rental.state, Event.CLOSED)
    if step is None:
        raise _closed(rental)
    books = await _open_books(tx, [rental], command.earning_hold)
    _book_end(books, rental, step.money)
    await _end(tx, books, [(rental, step)], command.now)
    await _post(tx, books, command.now)
    return await shown(tx, command.account_id, rental.id, command.base_currency)


async def reload_port(tx: Tx, command: ActOnRental) -> Rental:
    """Ask for the number's modem to be restarted. No pool has one that we could restart, so nothing happens.

    Refuses, first match wins: UNKNOWN_LEASE, LEASE_CLOSED.
    """
    found = await store.find(tx, account_id=command.account_id, rental_id=command.rental_id, limit=1)
    if not found:
        raise Refusal(Refused.UNKNOWN_LEASE)
    (rental,) = await _with_extensions(tx, found, command.base_currency)
    if rental.state not in machine.OPEN:
        raise Refusal(Refused.LEASE_CLOSED, rental_id=rental.id, state=rental.state)
    return rental


async def set_auto_extend(
    tx: Tx, account_id: AccountId, rental_id: RentalId, auto_extend: bool, now: datetime
) -> None:
    """Whether the rental is to be extended by itself when its time is over.

    Refuses, first match wins: UNKNOWN_LEASE, LEASE_CLOSED (also once its time is over). A repeat changes nothing.
    """
    is_open = await store.set_auto_extend(
        tx, account_id=account_id, rental_id=rental_id, auto_extend=auto_extend, now=now
    )
    if is_open is None:
        raise Refusal(Refused.UNKNOWN_LEASE)
    if not is_open:
        raise Refusal(Refused.LEASE_CLOSED, rental_id=rental_id)


async def _lock_rental(tx: Tx, account_id: AccountId, rental_id: RentalId) -> LockedRental:
    locked = await store.lock_rentals(tx, rental_ids=[rental_id])
    rental = locked.get(rental_id)
    if rental is None or rental.account_id != account_id:
        raise Refusal(Refused.UNKNOWN_LEASE)
    return rental


def _closed(rental: LockedRental) -> Refusal:
    return Refusal(Refused.LEASE_CLOSED, rental_id=rental.id, state=rental.state)


# Ending


@dataclass(slots=True)
class _Books:
    """What the ends and automatic extensions of some rentals are booked with, and what is to be booked.

    `spent` is what `transfers` take from wallets' available money.
    """

    wallets: dict[AccountId, Wallet]
    shared: Mapping[tuple[SharedKind, str], LedgerAccountId]
    charged: dict[RentalId, Charged]
    shares: Mapping[AccountId, Share]
    rates: Mapping[str, int]
    earning_hold: timedelta
    earned: list[NewEarning] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    spent: dict[AccountId, int] = field(default_factory=dict)


async def _open_books(tx: Tx, rentals: Sequence[LockedRental], earning_hold: timedelta) -> _Books:
    """Locks the wallets of all who may be paid or charged, in the order of account ids."""
    buyers = {rental.account_id for rental in rentals}
    suppliers = {rental.supplier_id for rental in rentals if rental.supplier_id is not None}
    shares = await referrals.shares(tx, buyers)
    wallets = await wallet.lock(tx, buyers | suppliers | {share.referrer_id for share in shares.values()})
    currencies = {one.currency for one in wallets.values()} | {rental.currency for rental in rentals}
    shared = await wallet.shared(tx, currencies)
    charged = await store.charged(tx, rental_ids=[rental.id for rental in rentals])
    sales = [rules.sale(rental, charged[rental.id]) for rental in rentals]
    rates = await referrals.rates(tx, sales, shares, wallets)
    return _Books(wallets, shared, charged, shares, rates, earning_hold)


def _book_end(books: _Books, rental: LockedRental, money: MoneyMove) -> None:
    charged = books.charged[rental.id]
    if money is MoneyMove.RELEASE:
        books.transfers += rules.release(rental.id, charged.price, books.wallets[rental.account_id])
        return
    supplier = books.wallets.get(rental.supplier_id) if rental.supplier_id is not None else None
    moves = rules.settle(rental, charged, supplier, books.shared, pending=books.earning_hold > AT_ONCE)
    books.transfers += moves
    if supplier is not None:
        books.earned += [
            NewEarning(rental.id, supplier.account_id, move.amount)
            for move in moves
            if move.kind is TransferKind.EARNING
        ]
    sale = rules.sale(rental, charged)
    books.transfers += referral_rules.transfers(
        [sale], books.shares, books.wallets, books.shared, books.rates
    )


async def _end(
    tx: Tx, books: _Books, ending: Sequence[tuple[LockedRental, machine.Step]], now: datetime
) -> None:
    """Close locked rentals on locked numbers, which queue up again; those of remote pools go back to them.

    Here too the first SMS of a rental clears its number's strikes: they matter only for the next one, and who takes the SMS
    in may not lock numbers.
    """
    steps = [(rental.id, rental.state, step.to) for rental, step in ending]
    await store.close(tx, steps=steps, now=now)
    await numbers.release(tx, [rental.number_id for rental, _ in ending])
    silent = [rental.number_id for rental, step in ending if step.strikes is Strikes.ADD]
    await numbers.add_rent_strikes(tx, silent, now=now)
    heard = [rental.number_id for rental, step in ending if step.strikes is Strikes.CLEAR]
    await numbers.clear_rent_strikes(tx, heard)
    returned = [
        Returned(rental.id, Ending.SOLD, books.charged[rental.id].earning)
        if step.money is MoneyMove.SETTLE
        else Returned(rental.id, Ending.CANCELED)
        for rental, step in ending
        if rental.remote
    ]
    await remote.end(tx, returned, now=now)


async def _post(tx: Tx, books: _Books, now: datetime) -> None:
    if books.earning_hold == AT_ONCE:
        books.transfers += earning_rules.repayments(books.earned, "rental", books.wallets)
    await wallet.post(tx, books.transfers, books.wallets, now=now)
    await earnings.record(tx, books.earned, hold=books.earning_hold, now=now)


async def end_due(
    tx: Tx,
    *,
    limit: int,
    now: datetime,
    base_currency: str,
    extension_days: int = EXTENSION_DAYS,
    earning_hold: timedelta = AT_ONCE,
) -> int:
    """Do what is due of rentals; returns how many were.

    Without a first SMS in time they end and are paid back. Those whose time is over are extended when their buyer wants
    that and his account is active, their pool has a tariff for `extension_days` and the wallet the money; else they end, and
    what was paid is divided.
    Those another transaction closed or extended are left. Locks: numbers, rentals, wallets by account id.
    """
    due = await store.due(tx, now=now, limit=limit)
    if not due:
        return 0
    await numbers.lock(tx, [number_id for _, number_id in due])
    locked = await store.lock_rentals(tx, rental_ids=[rental_id for rental_id, _ in due])
    events = [
        (rental, event) for rental in locked.values() if (event := rules.due_event(rental, now)) is not None
    ]
    if not events:
        return len(due)
    books = await _open_books(tx, [rental for rental, _ in events], earning_hold)
    wanting = [rental for rental, event in events if event is Event.TIME_RAN_OUT and rental.auto_extend]
    quotes = await _extension_quotes(tx, wanting, extension_days, base_currency)
    periods: list[NewPeriod] = []
    until: dict[RentalId, datetime] = {}
    ending: list[tuple[LockedRental, machine.Step]] = []
    for rental, event in events:
        quote = quotes.get(rental.id)
        buyer = books.wallets[rental.account_id]
        spent = books.spent.get(rental.account_id, 0)
        if quote is not None and quote.price <= buyer.available - spent:
            ordinal = books.charged[rental.id].periods + 1
            books.spent[rental.account_id] = spent + quote.price
            books.transfers += rules.charge(rental, ordinal, quote.price, buyer, books.shared)
            periods.append(NewPeriod(rental.id, ordinal, extension_days, quote, automatic=True))
            until[rental.id] = rules.extended_until(rental, extension_days, now)
        else:
            step = machine.TABLE[rental.state, event]
            ending.append((rental, step))
            _book_end(books, rental, step.money)
    if periods:
        await store.insert_periods(tx, rows=periods, now=now)
        await store.extend(tx, until=until)
    if ending:
        await _end(tx, books, ending, now)
    await _post(tx, books, now)
    return len(due)


async def _extension_quotes(
    tx: Tx, rentals: Sequence[LockedRental], days: int, base_currency: str
) -> dict[RentalId, Quote]:
    """What one more period costs; nothing for a rental that has no such tariff, or no rate for it."""
    if not rentals:
        return {}
    tariffs = await store.extension_tariffs(tx, rental_ids=[rental.id for rental in rentals])
    currencies = {rental.currency for rental in rentals} | {rental.earning_currency for rental in rentals}
    rates = await _rates(tx, currencies, base_currency)
    quotes: dict[RentalId, Quote] = {}
    for rental in rentals:
        quote = rules.extension_quote(rental, tariffs[rental.id], days, rates)
        if quote is not None:
            quotes[rental.id] = quote
    return quotes


# Tariffs


async def list_rental_offers(tx: Tx, command: ListRentalOffers) -> list[CountryOffer]:
    """What can be rented now, by country: the cheapest price of each period, and how many numbers there are.

    In `currency`, else in that of the account's wallet, else in the base currency. Refuses: UNKNOWN_ACCOUNT, NO_RATE.
    """
    currency = command.currency
    if currency is None and command.account_id is not None:
        currency = (await wallet.balance(tx, command.account_id)).currency
    currency = currency or command.base_currency
    tariffs = await store.tariffs(tx, countries=command.countries, now=command.now)
    rates = await _rates(tx, {currency}, command.base_currency)
    return rules.country_offers(tariffs, currency, rates)


async def set_price(
    tx: Tx, country: str, days: int, amount: int, pool_id: PoolId | None, now: datetime
) -> None:
    """Price a period in a country, for one pool or (no pool) for all that have no tariff of their own for it.

    Refuses, first match wins: UNKNOWN_COUNTRY, UNKNOWN_POOL. Rentals keep what they were charged.
    """
    try:
        await store.set_price(tx, country=country, days=days, pool_id=pool_id, amount=amount, now=now)
    except asyncpg.ForeignKeyViolationError as error:
        if error.constraint_name == "rental_price_country_fkey":
            raise Refusal(Refused.UNKNOWN_COUNTRY, country=country) from error
        raise Refusal(Refused.UNKNOWN_POOL, pool=pool_id) from error


async def unset_price(tx: Tx, country: str, days: int, pool_id: PoolId | None) -> bool:
    """Take back what `set_price` set for just this; False when nothing was set. Open rentals run on, but are extended by it no more."""
    return await store.unset_price(tx, country=country, days=days, pool_id=pool_id)


async def list_prices(tx: Tx, command: ListRentalPrices) -> list[RentalPrice]:
    """By country, then by period; pools' own before the one for all."""
    return await store.list_prices(tx, command=command)


# Upkeep


async def sandbox_numbers(tx: Tx, lease_ids: Collection[LeaseId]) -> list[NumberId]:
    """The numbers of those of these leases that are open rentals."""
    return await store.sandbox_numbers(tx, lease_ids=lease_ids) if lease_ids else []


async def count_open(tx: Tx, account_id: AccountId) -> int:
    """How many open rentals an account has ordered or supplies. Looks at every open one."""
    return await store.count_open_of(tx, account_id=account_id)
