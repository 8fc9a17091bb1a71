"""The ledger: nothing twice, nothing below zero, nothing changed afterwards, and a count that notices."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import asyncpg
import pytest

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import Balance, SharedKind, Transfer, TransferKind
from tests.world import World, code_text, micros, reported


async def refused(acting: Awaitable[object]) -> Refused:
    with pytest.raises(Refusal) as caught:
        await acting
    return caught.value.reason


async def pay(world: World, payer: AccountId, payee: AccountId, amount: str, reference: str = "r") -> None:
    async with world.database.transaction() as tx:
        await wallet.pay(tx, payer, payee, micros(amount), reference=reference, now=world.clock.now())


async def sums(world: World) -> dict[tuple[str, str], int]:
    """What each kind of ledger account holds in each currency, from its entries."""
    rows = await world.rows(
        """SELECT ledger_account.kind, entry.currency, sum(entry.amount)::bigint
             FROM entry JOIN ledger_account ON ledger_account.id = entry.ledger_account_id
            GROUP BY 1, 2 HAVING sum(entry.amount) <> 0"""
    )
    return {(kind, currency): amount for kind, currency, amount in rows}


async def test_a_deposit_is_credited_once_for_a_reference(world: World) -> None:
    one, two = await world.add_buyers(2, "0")
    assert await world.deposit(one, "5", reference="r") == Balance("USD", micros("5"), 0)
    assert await refused(world.deposit(one, "5", reference="r")) is Refused.REFERENCE_TAKEN
    assert await refused(world.deposit(two, "7", reference="r")) is Refused.REFERENCE_TAKEN
    assert (await world.balance(one)).available == micros("5")
    assert (await world.balance(two)).available == 0
    await world.assert_whole()


async def test_of_concurrent_deposits_under_one_reference_one_is_credited(world: World) -> None:
    buyer = await world.add_buyer("0")
    outcomes = await asyncio.gather(
        *(world.deposit(buyer, "5", reference="r") for _ in range(8)), return_exceptions=True
    )
    refusals = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert [refusal.reason for refusal in refusals] == [Refused.REFERENCE_TAKEN] * 7
    assert (await world.balance(buyer)).available == micros("5")


async def test_a_deposit_to_nobody_is_refused(world: World) -> None:
    assert await refused(world.deposit(AccountId(999), "5")) is Refused.UNKNOWN_ACCOUNT
    assert await refused(world.balance(AccountId(999))) is Refused.UNKNOWN_ACCOUNT


async def test_a_payment_moves_money_once_for_a_reference(world: World) -> None:
    one, two = await world.add_buyer("10"), await world.add_buyer("0")
    await pay(world, one, two, "4")
    assert await refused(pay(world, one, two, "4")) is Refused.REFERENCE_TAKEN
    assert (await world.balance(one)).available == micros("6")
    assert (await world.balance(two)).available == micros("4")
    await world.assert_whole()


async def test_payments_that_cannot_be_made_are_refused(world: World) -> None:
    one, two = await world.add_buyer("10"), await world.add_buyer("0")
    foreign = await world.add_buyer("0", "NGN")
    assert await refused(pay(world, one, two, "10.000001")) is Refused.INSUFFICIENT_FUNDS
    assert await refused(pay(world, one, foreign, "1")) is Refused.CURRENCY_MISMATCH
    assert await refused(pay(world, one, AccountId(999), "1")) is Refused.UNKNOWN_ACCOUNT
    assert await refused(pay(world, one, one, "1")) is Refused.UNKNOWN_ACCOUNT
    assert (await world.balance(one)).available == micros("10")


async def test_a_reference_of_a_deposit_is_not_one_of_a_payment(world: World) -> None:
    one, two = await world.add_buyers(2, "0")
    await world.deposit(one, "5", reference="r")
    await pay(world, one, two, "5", "r")
    assert (await world.balance(two)).available == micros("5")


async def test_the_database_keeps_balances_from_going_below_zero(world: World) -> None:
    buyer = await world.add_buyer("1")
    for column in ("available", "held"):
        with pytest.raises(asyncpg.CheckViolationError) as caught:
            await world.value(f"UPDATE wallet SET {column} = -1 WHERE account_id = $1", buyer)
        assert caught.value.constraint_name == f"wallet_{column}_not_negative"


async def test_a_transfer_that_would_overdraw_is_refused_as_a_whole(world: World) -> None:
    buyer = await world.add_buyer("1")
    with pytest.raises(Refusal) as caught:
        async with world.database.transaction() as tx:
            wallets = await wallet.lock(tx, [buyer])
            own = wallets[buyer]
            moves = [
                Transfer(f"t{amount}", TransferKind.HOLD, own.available_id, own.held_id, "USD", amount)
                for amount in (micros("0.5"), micros("0.6"))
            ]
            await wallet.post(tx, moves, wallets, now=world.clock.now())
    assert caught.value.reason is Refused.INSUFFICIENT_FUNDS
    assert await world.balance(buyer) == Balance("USD", micros("1"), 0)
    await world.assert_whole()


@pytest.mark.parametrize("amount", [0, -1])
async def test_the_database_refuses_a_transfer_of_nothing_or_less(world: World, amount: int) -> None:
    buyer = await world.add_buyer("1")
    with pytest.raises(asyncpg.CheckViolationError):
        async with world.database.transaction() as tx:
            wallets = await wallet.lock(tx, [buyer])
            own = wallets[buyer]
            bank = (await wallet.shared(tx, ["USD"]))[SharedKind.BANK, "USD"]
            move = Transfer("t", TransferKind.DEPOSIT, bank, own.available_id, "USD", amount)
            await wallet.post(tx, [move], wallets, now=world.clock.now())


@pytest.mark.parametrize("amount", ["0", "-0.000001", "-5"])
async def test_nothing_or_less_is_neither_deposited_nor_paid(world: World, amount: str) -> None:
    one, two = await world.add_buyers(2, "10")
    with pytest.raises(Refusal) as caught:
        await world.deposit(one, amount)
    assert (caught.value.reason, caught.value.facts) == (Refused.MALFORMED, {"field": "amount"})
    assert await refused(pay(world, one, two, amount)) is Refused.MALFORMED
    assert (await world.balance(one)).available == (await world.balance(two)).available == micros("10")
    await world.assert_whole()


async def test_the_database_refuses_a_transfer_between_currencies(world: World) -> None:
    one, two = await world.add_buyer("1"), await world.add_buyer("1", "NGN")
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with world.database.transaction() as tx:
            wallets = await wallet.lock(tx, [one, two])
            move = Transfer(
                "t", TransferKind.PAYMENT, wallets[one].available_id, wallets[two].available_id, "USD", 1
            )
            await wallet.post(tx, [move], wallets, now=world.clock.now())


@pytest.mark.parametrize("table", ["transfer", "audit"])
@pytest.mark.parametrize("change", ["UPDATE {} SET id = DEFAULT", "DELETE FROM {}", "TRUNCATE {}"])
async def test_what_is_written_in_the_books_stays(world: World, table: str, change: str) -> None:
    await world.stocked(1)
    await world.add_buyer("1")
    rows = await world.value(f"SELECT count(*) FROM {table}")
    assert rows > 0
    with pytest.raises(asyncpg.RestrictViolationError, match=f"{table} is append-only"):
        await world.value(change.format(table))
    assert await world.value(f"SELECT count(*) FROM {table}") == rows


async def test_entries_sum_to_zero_in_every_currency(world: World) -> None:
    await world.add_buyer("10")
    await world.add_buyer("5000", "NGN")
    books = await world.verify()
    assert books.balanced
    assert {total.currency: total.entries_sum for total in books.currencies} == {"USD": 0, "NGN": 0}
    assert (books.wallets, books.transfers) == (2, 2)
    assert await sums(world) == {
        ("available", "USD"): micros("10"),
        ("bank", "USD"): -micros("10"),
        ("available", "NGN"): micros("5000"),
        ("bank", "NGN"): -micros("5000"),
    }


@pytest.mark.parametrize("column", ["available", "held"])
async def test_a_corrupted_wallet_is_noticed(world: World, column: str) -> None:
    _, two = await world.add_buyers(2, "10")
    await world.value(f"UPDATE wallet SET {column} = {column} + 1 WHERE account_id = $1", two)
    books = await world.verify()
    assert not books.balanced
    assert books.wrong_wallets == (two,)


async def test_a_wallet_without_entries_is_counted_too(world: World) -> None:
    buyer = await world.add_buyer("0")
    assert (await world.verify()).balanced
    await world.value("UPDATE wallet SET available = 1 WHERE account_id = $1", buyer)
    assert (await world.verify()).wrong_wallets == (buyer,)


async def test_an_account_has_one_wallet(world: World) -> None:
    buyer = await world.add_buyer("0")
    with pytest.raises(asyncpg.UniqueViolationError):
        async with world.database.transaction() as tx:
            await wallet.open_wallet(tx, buyer, "EUR")


async def test_a_shared_account_of_a_currency_is_opened_once(world: World) -> None:
    await asyncio.gather(*(world.add_buyer("1", "EUR") for _ in range(6)))
    async with world.database.transaction() as tx:
        assert len(await wallet.shared(tx, ["EUR"])) == len(SharedKind)
    assert await world.value("SELECT count(*) FROM ledger_account WHERE account_id IS NULL") == len(
        SharedKind
    )


# Captures


@pytest.mark.parametrize(
    ("price", "share", "earning"),
    [
        ("1", 7000, "0.7"),
        ("0.0001", 3333, "0.000033"),
        ("0.0003", 5000, "0.00015"),
        ("1.2345", 3333, "0.411459"),
        ("2", 10_000, "2"),
        ("2", 0, "0"),
    ],
)
async def test_a_capture_divides_the_price_between_supplier_and_platform(
    world: World, price: str, share: int, earning: str
) -> None:
    supplier, _, (msisdn,) = await world.stocked(1, price=price, share_basis_points=share)
    buyer = await world.add_buyer("10")
    await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "123456"))
    assert (await world.balance(buyer)).held == 0
    assert (await world.balance(supplier)).available == micros(earning)
    margin = micros(price) - micros(earning)
    assert (await sums(world)).get(("revenue", "USD"), 0) == margin
    await world.assert_whole()


async def test_what_is_held_is_neither_spent_nor_earned_before_the_capture(world: World) -> None:
    supplier, _, _ = await world.stocked(1, price="1")
    await world.order(await world.add_buyer("1"))
    assert await sums(world) == {("held", "USD"): micros("1"), ("bank", "USD"): -micros("1")}
    assert (await world.balance(supplier)).available == 0


async def test_a_supplier_of_another_currency_is_paid_through_clearing(world: World) -> None:
    await world.set_rate("NGN", "1500.5")
    await world.set_rate("EUR", "0.9")
    supplier, _, (msisdn,) = await world.stocked(1, price="1.0001", currency="EUR", share_basis_points=6667)
    buyer = await world.add_buyer("5000", "NGN")
    await world.order(buyer)
    await world.receive(supplier, msisdn, code_text("whatsapp", "123456"))
    # 1.0001 USD is 1500.65005 NGN, charged 1500.6501; of it 66.67 % are 1000.48342167, half-even 1000.483422.
    # That is 0.666766... USD, and 0.9 of it in EUR; both rounded down.
    price, cost = micros("1500.6501"), micros("1000.483422")
    earning = cost * 10**9 // 1_500_500_000_000 * 9 // 10
    assert (await world.balance(supplier)).available == earning == 600_089
    found = await sums(world)
    assert found["revenue", "NGN"] == price - cost
    assert found["clearing", "NGN"] == cost
    assert found["clearing", "EUR"] == -earning
    await world.assert_whole()


async def test_a_sandbox_sale_is_all_revenue(world: World) -> None:
    await world.add_sandbox_pool([reported("+447700900001")])
    await world.set_price("whatsapp", "1")
    buyer = await world.add_buyer("1")
    await world.order(buyer)
    await world.receive(None, "+447700900001", code_text("whatsapp", "123456"))
    assert (await sums(world))["revenue", "USD"] == micros("1")
    await world.assert_whole()
