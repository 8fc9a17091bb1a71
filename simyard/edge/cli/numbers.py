"""Numbers, one by one."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import click

from simyard.base.refusals import Refusal, Refused
from simyard.core.checks import service as checks
from simyard.core.checks.model import NumberCheck
from simyard.core.numbers import service as numbers
from simyard.core.public_numbers import service as public_numbers
from simyard.db.database import Tx
from simyard.edge.cli.parameters import json_option, read_number
from simyard.edge.cli.shell import actor, print_json, run


@click.group()
def number() -> None:
    """Numbers: block, unblock, check, checks, publish, withdraw."""


def _number_switch(name: str, blocked: bool, help_text: str) -> None:
    @number.command(name, help=help_text)
    @click.argument("msisdn", metavar="NUMBER")
    def command(msisdn: str) -> None:
        e164 = read_number(msisdn)

        async def work(tx: Tx, now: datetime) -> bool:
            return await numbers.set_blocked(tx, e164, blocked=blocked, actor=actor(), now=now)

        changed = run(work)
        if blocked:
            click.echo(f"{e164} is blocked.")
        else:
            click.echo(f"{e164} is no longer blocked." if changed else f"{e164} was not blocked.")


_number_switch("block", True, "Take a number off sale, whatever its supplier reports; an open lease runs on.")
_number_switch("unblock", False, "Let a blocked number be sold again.")


@number.command("check")
@click.argument("msisdn", metavar="NUMBER")
@click.option(
    "--minutes", type=click.IntRange(1, 1440), default=30, show_default=True, help="How long it may take."
)
@json_option
def number_check(msisdn: str, minutes: int, as_json: bool) -> None:
    """Have a supplier prove that a number is his: send the text that is printed to it, by another network.

    Until it has come in, or the time is over, nobody else gets the number.
    """
    number = read_number(msisdn)

    async def work(tx: Tx, now: datetime) -> Any:
        try:
            return await checks.start(tx, number, seconds=minutes * 60, actor=actor(), now=now)
        except Refusal as refusal:
            if refusal.reason is Refused.NUMBER_IN_USE:
                raise click.ClickException(f"{number} is in use; try again later.") from refusal
            raise

    found = run(work)
    if as_json:
        print_json(_check_facts(found))
    else:
        click.echo(f"Send this to {number} before {found.due_at:%H:%M} UTC: {found.challenge}")


@number.command("checks")
@click.argument("msisdn", metavar="NUMBER", required=False)
@json_option
def number_checks(msisdn: str | None, as_json: bool) -> None:
    """Show how checks of numbers went, newest first."""
    number = None if msisdn is None else read_number(msisdn)

    async def work(tx: Tx, now: datetime) -> Any:
        return await checks.checks(tx, number)

    found = run(work)
    if as_json:
        print_json([_check_facts(one) for one in found])
        return
    for one in found:
        parts = (f"{one.started_at:%Y-%m-%d %H:%M}", one.msisdn, f"pool {one.pool_id}", one.state)
        click.echo("\t".join((*parts, one.challenge if one.closed_at is None else "")))
    if not found:
        click.echo("No checks.")


def _check_facts(one: NumberCheck) -> dict[str, object]:
    return {
        "id": one.id,
        "number": one.msisdn,
        "pool": one.pool_id,
        "challenge": one.challenge,
        "state": one.state.value,
        "due_at": one.due_at,
        "started_at": one.started_at,
        "proved_at": one.proved_at,
        "closed_at": one.closed_at,
    }


@number.command("publish")
@click.argument("msisdn", metavar="NUMBER")
def number_publish(msisdn: str) -> None:
    """Show everybody what comes in on a number, and never lease it. It must not have been leased before."""
    e164 = read_number(msisdn)

    async def work(tx: Tx, now: datetime) -> None:
        await public_numbers.publish(tx, e164, actor=actor(), now=now)

    run(work)
    click.echo(f"{e164} is public: everybody can read its messages.")


@number.command("withdraw")
@click.argument("msisdn", metavar="NUMBER")
def number_withdraw(msisdn: str) -> None:
    """Publish a number no longer and drop its messages. A real one stays off sale until it is unblocked."""
    e164 = read_number(msisdn)

    async def work(tx: Tx, now: datetime) -> bool:
        return await public_numbers.withdraw(tx, e164, actor=actor(), now=now)

    click.echo(f"{e164} is no longer public." if run(work) else f"{e164} was not public.")


COMMANDS: Final = (number,)
