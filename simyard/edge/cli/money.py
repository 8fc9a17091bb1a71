"""Money: wallets, deposits, the ledger, earnings, refunds, payouts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import click

from simyard.base import money
from simyard.base.ids import ActivationId, PayoutId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import service as accounts
from simyard.core.activations import refunds
from simyard.core.activations.refunds import RefundActivation
from simyard.core.audit import service as audit
from simyard.core.earnings import service as earnings
from simyard.core.earnings.model import EarningsOf, Payout, PayoutState, RequestPayout
from simyard.core.funding import service as funding
from simyard.core.funding.model import (
    CreateVirtualAccount,
    DepositState,
    Funding,
    ListVirtualAccounts,
    SandboxPayment,
    VirtualAccount,
)
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import StatementOf
from simyard.db.database import Database, Tx
from simyard.edge import statement
from simyard.edge.cli.parameters import AMOUNT, Moment, account_named, json_option, whose
from simyard.edge.cli.shell import actor, print_json, run, run_in_steps
from simyard.settings import Settings


@click.group("wallet")
def wallet_group() -> None:
    """Wallets: deposit, write-off, statement."""


@wallet_group.command("deposit")
@click.argument("email")
@click.argument("amount", type=AMOUNT)
@click.option("--reference", help="Booked once: a repeat with the same reference moves nothing.")
@json_option
def wallet_deposit(email: str, amount: int, reference: str | None, as_json: bool) -> None:
    """Credit money that came in from outside."""
    if amount == 0:
        raise click.ClickException("a deposit must be more than zero")

    async def work(tx: Tx, now: datetime) -> Any:
        owner = await accounts.find_account(tx, email)
        given = reference or f"shell/{owner.id}/{now.isoformat()}"
        return await wallet.deposit(tx, owner.id, amount, reference=given, now=now)

    balance = run(work)
    if as_json:
        available = money.format_amount(balance.available)
        print_json(
            {"available": available, "held": money.format_amount(balance.held), "currency": balance.currency}
        )
    else:
        click.echo(
            f"{email} has {money.format_amount(balance.available, decimals_min=2)} {balance.currency}."
        )


@wallet_group.command("write-off")
@click.argument("email")
@json_option
def wallet_write_off(email: str, as_json: bool) -> None:
    """Give up what an account owes, out of your revenue: for one that will earn nothing any more."""

    async def work(tx: Tx, now: datetime) -> tuple[int, str]:
        owner = await accounts.find_account(tx, email)
        amount = await wallet.write_off(tx, owner.id, reference=f"{owner.id}/{now.isoformat()}", now=now)
        currency = (await wallet.balance(tx, owner.id)).currency
        if amount:
            facts: dict[str, object] = {"account_id": owner.id, "amount": amount, "currency": currency}
            await audit.record(tx, actor=actor(), action="wallet.written_off", facts=facts, now=now)
        return amount, currency

    amount, currency = run(work)
    shown = money.format_amount(amount)
    if as_json:
        print_json({"written_off": shown, "currency": currency})
    else:
        click.echo(f"{email} owed {shown} {currency}, and owes nothing any more.")


@wallet_group.command("statement")
@whose
@click.option(
    "--from", "since", type=Moment(ends=False), help="First day (UTC), or moment; default: the beginning."
)
@click.option("--until", type=Moment(ends=True), help="Last day (UTC), or the moment it ends; default: now.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json"]),
    default="csv",
    show_default=True,
    help="What is printed.",
)
def wallet_statement(
    email: str | None, account_id: int | None, since: datetime | None, until: datetime | None, form: str
) -> None:
    """Print every movement of a wallet, from the opening to the closing balance."""

    async def work(database: Database) -> None:
        async with database.transaction() as tx:
            owner = await account_named(tx, email, account_id)
            head = await wallet.statement(tx, StatementOf(owner.id, since, until))
        lines = statement.pages(database, head)
        parts = (
            statement.as_json(head, lines, email=owner.email)
            if form == "json"
            else statement.as_csv(head, lines)
        )
        async for part in parts:
            click.echo(part, nl=False)

    run_in_steps(work)


@click.group("funding")
def funding_group() -> None:
    """Deposits: banks, open, accounts, deposit, list, retry."""


def _funding(database: Database) -> Funding:
    """By way of the provider of the settings."""
    made: Funding = click.get_current_context().obj.funding(Settings.from_environment(), database)
    return made


@funding_group.command("banks")
@json_option
def funding_banks(as_json: bool) -> None:
    """Show the banks virtual accounts can be opened at."""

    async def work(database: Database) -> Any:
        return await _funding(database).banks()

    banks = run_in_steps(work)
    if as_json:
        print_json([{"code": bank.code, "name": bank.name} for bank in banks])
        return
    for bank in banks:
        click.echo(f"{bank.code}\t{bank.name}")


@funding_group.command("open")
@click.argument("email")
@click.argument("bank_code", metavar="BANK")
@json_option
def funding_open(email: str, bank_code: str, as_json: bool) -> None:
    """Open a virtual account that fills a wallet, at the bank with this code."""

    async def work(database: Database) -> Any:
        async with database.transaction() as tx:
            owner = await accounts.find_account(tx, email)
        return await _funding(database).create_virtual_account(CreateVirtualAccount(owner.id, bank_code))

    _show_accounts([run_in_steps(work)], as_json)


@funding_group.command("accounts")
@click.argument("email")
@json_option
def funding_accounts(email: str, as_json: bool) -> None:
    """Show the virtual accounts that fill a wallet."""
    provider = Settings.from_environment().funding_provider

    async def work(tx: Tx, now: datetime) -> Any:
        owner = await accounts.find_account(tx, email)
        return await funding.list_virtual_accounts(tx, ListVirtualAccounts(owner.id, provider))

    _show_accounts(run(work).accounts, as_json)


def _show_accounts(shown: Sequence[VirtualAccount], as_json: bool) -> None:
    if as_json:
        print_json([{"id": one.public_id, **_account_facts(one)} for one in shown])
        return
    for one in shown:
        click.echo("\t".join((one.public_id, *_account_facts(one).values())))


def _account_facts(one: VirtualAccount) -> dict[str, str]:
    return {
        "bank_name": one.bank_name,
        "account_number": one.account_number,
        "account_name": one.account_name,
        "currency": one.currency,
    }


@funding_group.command("deposit")
@click.argument("account_number")
@click.argument("amount", type=AMOUNT)
@click.option("--reference", help="Paid once: a repeat with the same reference moves nothing.")
@json_option
def funding_deposit(account_number: str, amount: int, reference: str | None, as_json: bool) -> None:
    """Pay into a virtual account of the sandbox: money that exists for development only."""
    if Settings.from_environment().funding_provider != funding.SANDBOX:
        raise click.ClickException("deposits are taken by a real provider: pay into the bank account itself")

    async def work(tx: Tx, now: datetime) -> Any:
        return await funding.pay_sandbox(tx, SandboxPayment(account_number, amount, now, reference))

    try:
        booked, balance = run(work)
    except click.ClickException as error:
        refusal = error.__cause__
        if isinstance(refusal, Refusal) and refusal.reason is Refused.UNKNOWN_ACCOUNT:
            raise click.ClickException(f"The sandbox has opened no account {account_number}.") from error
        raise
    available = money.format_amount(balance.available)
    if as_json:
        print_json({"reference": booked, "available": available, "currency": balance.currency})
    else:
        click.echo(f"Paid under {booked}; its wallet has {available} {balance.currency}.")


@funding_group.command("list")
@click.option("--account", "email", help="Only those of this account.")
@click.option("--refused", "state", flag_value="refused", help="Only those that were not credited.")
@click.option("--waiting", "state", flag_value="seen", help="Only those that are still to be verified.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Deposits at most."
)
@json_option
def funding_list(email: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """Show deposits, newest first, and why some were not credited."""

    async def work(tx: Tx, now: datetime) -> Any:
        owner = await accounts.find_account(tx, email) if email else None
        wanted = DepositState(state) if state else None
        return await funding.list_deposits(
            tx, state=wanted, account_id=owner.id if owner else None, limit=limit
        )

    deposits = run(work)
    if as_json:
        print_json(
            [
                {
                    "provider": one.provider,
                    "reference": one.reference,
                    "state": one.state,
                    "reason": one.reason,
                    "email": one.email,
                    "amount": None if one.amount is None else money.format_amount(one.amount),
                    "currency": one.currency,
                    "attempts": one.attempts,
                    "problem": one.problem,
                    "seen_at": one.seen_at,
                    "closed_at": one.closed_at,
                }
                for one in deposits
            ]
        )
        return
    for one in deposits:
        amount = "" if one.amount is None else f"{money.format_amount(one.amount)} {one.currency}"
        why = one.reason or one.problem or ""
        parts = (f"{one.seen_at:%Y-%m-%d %H:%M}", one.provider, one.reference, one.state, amount)
        click.echo("\t".join((*parts, one.email or "", why)))


@funding_group.command("retry")
@click.argument("reference")
@click.option("--provider", help="Who took the deposit; default: the one of the settings.")
def funding_retry(reference: str, provider: str | None) -> None:
    """Have a refused deposit looked at again: its provider is asked anew what was paid, and to which account."""
    name = provider or Settings.from_environment().funding_provider

    async def work(tx: Tx, now: datetime) -> None:
        await funding.reopen_deposit(tx, name, reference, actor=actor(), now=now)

    run(work)
    click.echo(f"The deposit {reference} will be looked at again.")


@click.group()
def ledger() -> None:
    """The ledger: verify."""


@ledger.command("verify")
@json_option
def ledger_verify(as_json: bool) -> None:
    """Recount every wallet and every currency from the transfers; exit 1 when they do not agree."""

    async def work(tx: Tx, now: datetime) -> Any:
        return await wallet.verify(tx)

    found = run(work)
    if as_json:
        print_json(
            {
                "balanced": found.balanced,
                "wallets": found.wallets,
                "transfers": found.transfers,
                "wrong_wallets": found.wrong_wallets,
                "currencies": {
                    one.currency: {kind: money.format_amount(amount) for kind, amount in one.by_kind.items()}
                    for one in found.currencies
                },
            }
        )
    else:
        click.echo(
            f"The ledger is {'balanced' if found.balanced else 'NOT BALANCED'}: "
            f"{found.transfers} transfers, {found.wallets} wallets."
        )
        for one in found.currencies:
            kinds = ", ".join(f"{kind} {money.format_amount(amount)}" for kind, amount in one.by_kind.items())
            click.echo(f"  {one.currency}: {kinds}")
        for account_id in found.wrong_wallets:
            click.echo(f"  the wallet of account {account_id} is not the sum of its entries")
    if not found.balanced:
        raise SystemExit(1)


@click.command("earnings")
@click.argument("email")
@click.option(
    "--from", "since", type=Moment(ends=False), help="First day (UTC), or moment; default: the beginning."
)
@click.option("--until", type=Moment(ends=True), help="Last day (UTC), or the moment it ends; default: now.")
@json_option
def earnings_command(email: str, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Show what a supplier earned, day by day, and what of it is pending, available or owed."""

    async def work(tx: Tx, now: datetime) -> Any:
        owner = await accounts.find_account(tx, email)
        return await earnings.report(tx, EarningsOf(owner.id, since, until))

    found = run(work)
    standing = {
        "available": money.format_amount(found.available),
        "pending": money.format_amount(found.pending),
        "debt": money.format_amount(found.debt),
    }
    if as_json:
        days = [
            {
                "day": one.day,
                "leases": one.leases,
                "earned": money.format_amount(one.earned),
                "reversed_leases": one.reversed_leases,
                "reversed": money.format_amount(one.reversed),
            }
            for one in found.days
        ]
        print_json({"currency": found.currency, **standing, "days": days})
        return
    for one in found.days:
        earned = money.format_amount(one.earned)
        back = money.format_amount(one.reversed)
        click.echo(
            f"{one.day}\t{one.leases} leases\t{earned} {found.currency}\t{one.reversed_leases} taken back\t{back}"
        )
    shown = ", ".join(f"{word} {amount}" for word, amount in standing.items())
    click.echo(f"{email}: {shown} {found.currency}")


@click.command("refund")
@click.argument("lease", type=int)
@click.option("--reason", required=True, help="Why; kept with the refund.")
@json_option
def refund_command(lease: int, reason: str, as_json: bool) -> None:
    """Pay the price of a sold activation back, and take the supplier's earning, cashback and referral back."""

    async def work(tx: Tx, now: datetime) -> Any:
        command = RefundActivation(ActivationId(lease), reason, now)
        return await refunds.refund(tx, command, actor=actor())

    done = run(work)
    amount = money.format_amount(done.amount)
    owed = {str(account_id): money.format_amount(debt) for account_id, debt in done.owed.items()}
    if as_json:
        print_json({"lease": lease, "amount": amount, "currency": done.currency, "owed": owed})
        return
    click.echo(f"The buyer of {lease} got {amount} {done.currency} back.")
    for account_id, debt in owed.items():
        click.echo(f"Account {account_id} had too little for its share and owes {debt}.")


@click.group("payout")
def payout_group() -> None:
    """Payouts of earnings: request, list, paid, reject."""


@payout_group.command("request")
@click.argument("email")
@click.argument("amount", type=AMOUNT)
@click.option("--method", required=True, help="Where the money is to go.")
@json_option
def payout_request(email: str, amount: int, method: str, as_json: bool) -> None:
    """Ask, for a supplier, for money to be paid out. It is held until you say that it was paid or reject it."""

    async def work(tx: Tx, now: datetime) -> Any:
        owner = await accounts.find_account(tx, email)
        return await earnings.request_payout(tx, RequestPayout(owner.id, amount, method, now))

    _show_payouts([run(work)], as_json)


@payout_group.command("list")
@click.option("--account", "email", help="Only those of this account.")
@click.option(
    "--state", type=click.Choice([state.value for state in PayoutState]), help="Only those in this state."
)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Payouts at most."
)
@json_option
def payout_list(email: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """Show payouts, newest first."""

    async def work(tx: Tx, now: datetime) -> Any:
        owner = await accounts.find_account(tx, email) if email else None
        wanted = PayoutState(state) if state else None
        return await earnings.payouts(tx, account_id=owner.id if owner else None, state=wanted, limit=limit)

    _show_payouts(run(work), as_json)


@payout_group.command("paid")
@click.argument("payout_id", metavar="PAYOUT", type=int)
@click.option("--note", help="The bank's reference.")
@json_option
def payout_paid(payout_id: int, note: str | None, as_json: bool) -> None:
    """Record that the money of a payout has left."""

    async def work(tx: Tx, now: datetime) -> Any:
        return await earnings.pay_out(tx, PayoutId(payout_id), note=note, actor=actor(), now=now)

    _show_payouts([run(work)], as_json)


@payout_group.command("reject")
@click.argument("payout_id", metavar="PAYOUT", type=int)
@click.option("--reason", required=True, help="Why; its owner sees it.")
@json_option
def payout_reject(payout_id: int, reason: str, as_json: bool) -> None:
    """Give the money of a payout back to its wallet."""

    async def work(tx: Tx, now: datetime) -> Any:
        return await earnings.reject_payout(tx, PayoutId(payout_id), reason=reason, actor=actor(), now=now)

    _show_payouts([run(work)], as_json)


def _show_payouts(shown: Sequence[Payout], as_json: bool) -> None:
    facts = [
        {
            "id": one.id,
            "email": one.email,
            "amount": money.format_amount(one.amount),
            "currency": one.currency,
            "method": one.method,
            "state": one.state.value,
            "note": one.note,
            "requested_at": one.requested_at,
            "closed_at": one.closed_at,
        }
        for one in shown
    ]
    if as_json:
        print_json(facts)
        return
    for one in shown:
        amount = f"{money.format_amount(one.amount)} {one.currency}"
        parts = (
            f"{one.requested_at:%Y-%m-%d %H:%M}",
            one.email,
            amount,
            one.state,
            one.method,
            one.note or "",
        )
        click.echo("\t".join((str(one.id), *parts)))


COMMANDS: Final = (wallet_group, funding_group, ledger, earnings_command, refund_command, payout_group)
