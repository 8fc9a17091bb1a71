"""Webhooks of accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import click

from simyard.base.ids import DeliveryId
from simyard.core.accounts import service as accounts
from simyard.core.audit import service as audit
from simyard.core.webhooks import rules as webhook_rules
from simyard.core.webhooks import service as webhooks
from simyard.core.webhooks.model import DeliveryPage, Endpoint, Event, ListDeliveries, SetEndpoint
from simyard.db.database import Tx
from simyard.edge.cli.parameters import json_option
from simyard.edge.cli.shell import actor, print_json, run
from simyard.edge.dialects.daisysim import webhook as daisysim_webhook
from simyard.edge.dialects.onlinesim import webhook as onlinesim_webhook
from simyard.settings import Settings

# What each format's receivers expect to be told of.
_WEBHOOK_EVENTS = {daisysim_webhook.FORMAT: Event.CODE, onlinesim_webhook.FORMAT: Event.MESSAGE}


@click.group()
def webhook() -> None:
    """Webhooks: set, off, show, log, replay."""


_webhook_format = click.option(
    "--format",
    "format_name",
    type=click.Choice(sorted(_WEBHOOK_EVENTS)),
    default=onlinesim_webhook.FORMAT,
    show_default=True,
    help="Whose words it is told in.",
)


@webhook.command("set")
@click.argument("email")
@click.argument("url")
@_webhook_format
def webhook_set(email: str, url: str, format_name: str) -> None:
    """Tell an account of its messages at a URL. One that was switched off is on again; the secret stays."""
    networks = Settings.from_environment().webhook_networks_allowed

    async def work(tx: Tx, now: datetime) -> Endpoint | None:
        owner = await accounts.find_account(tx, email)
        event = _WEBHOOK_EVENTS[format_name]
        facts: dict[str, object] = {"account_id": owner.id, "format": format_name}
        await audit.record(tx, actor=actor(), action="webhook.set", facts=facts, now=now)
        return await webhooks.set_endpoint(tx, SetEndpoint(owner.id, format_name, event, url, networks, now))

    endpoint = run(work)
    if endpoint is None:
        click.echo("There is no webhook to switch off.")
    else:
        click.echo(f"{email} is told in the words of {format_name}. Its receiver can check signatures with")
        click.echo(webhook_rules.shown_secret(endpoint.secret))


@webhook.command("off")
@click.argument("email")
@_webhook_format
def webhook_off(email: str, format_name: str) -> None:
    """Tell an account of nothing any more; what is on its way fails."""

    async def work(tx: Tx, now: datetime) -> None:
        owner = await accounts.find_account(tx, email)
        facts: dict[str, object] = {"account_id": owner.id, "format": format_name}
        await audit.record(tx, actor=actor(), action="webhook.off", facts=facts, now=now)
        event = _WEBHOOK_EVENTS[format_name]
        await webhooks.set_endpoint(tx, SetEndpoint(owner.id, format_name, event, None, (), now))

    run(work)
    click.echo(f"{email} is told of nothing in the words of {format_name}.")


@webhook.command("show")
@click.argument("email")
@json_option
def webhook_show(email: str, as_json: bool) -> None:
    """Show an account's webhooks and their signing secrets."""

    async def work(tx: Tx, now: datetime) -> list[Endpoint]:
        return await webhooks.list_endpoints(tx, (await accounts.find_account(tx, email)).id)

    found = [
        {
            "format": one.format,
            "url": one.url,
            "state": "on" if one.enabled else f"off ({one.switched_off or 'by its owner'})",
            "failing_since": one.failing_since,
            "secret": webhook_rules.shown_secret(one.secret),
        }
        for one in run(work)
    ]
    if as_json:
        print_json(found)
        return
    for one in found:
        failing = f", failing since {one['failing_since']}" if one["failing_since"] else ""
        click.echo(f"{one['format']}: {one['url']}  {one['state']}{failing}")
        click.echo(f"  secret {one['secret']}")
    if not found:
        click.echo(f"{email} has no webhooks.")


@webhook.command("log")
@click.argument("email")
@click.option(
    "--page", type=click.IntRange(min=1), default=1, show_default=True, help="Older ones are on later pages."
)
@json_option
def webhook_log(email: str, page: int, as_json: bool) -> None:
    """Show what an account was told, newest first, without the texts."""

    async def work(tx: Tx, now: datetime) -> DeliveryPage:
        owner = await accounts.find_account(tx, email)
        return await webhooks.list_deliveries(tx, ListDeliveries(owner.id, page=page, per_page=50))

    found = run(work)
    if as_json:
        print_json(
            {
                "total": found.total,
                "deliveries": [
                    {
                        "id": one.id,
                        "format": one.facts.format,
                        "message_id": one.facts.message_id,
                        "lease_id": one.facts.lease_id,
                        "state": one.state,
                        "attempts": one.attempts,
                        "next_attempt_at": one.next_attempt_at,
                        "url": one.url,
                        "status": one.status,
                        "problem": one.problem,
                        "created_at": one.created_at,
                        "closed_at": one.closed_at,
                    }
                    for one in found.deliveries
                ],
            }
        )
        return
    for one in found.deliveries:
        outcome = one.problem or (f"answered {one.status}" if one.status else "not tried yet")
        click.echo(
            f"{one.id}  {one.created_at:%Y-%m-%d %H:%M:%S}  {one.state}  "
            f"{one.attempts} {'attempt' if one.attempts == 1 else 'attempts'}  {outcome}"
        )
    click.echo(f"{found.total} in all.")


@webhook.command("replay")
@click.argument("email")
@click.argument("delivery_id", metavar="[ID]", type=int, required=False)
@click.option("--failed", is_flag=True, help="Everything that failed, instead of one.")
def webhook_replay(email: str, delivery_id: int | None, failed: bool) -> None:
    """Send an announcement again, or with --failed all that failed."""
    if (delivery_id is None) != failed:
        raise click.UsageError("give either the id of a delivery or --failed")

    async def work(tx: Tx, now: datetime) -> int:
        owner = await accounts.find_account(tx, email)
        facts: dict[str, object] = {"account_id": owner.id, "delivery_id": delivery_id}
        await audit.record(tx, actor=actor(), action="webhook.replayed", facts=facts, now=now)
        if delivery_id is None:
            return await webhooks.replay_failed(tx, owner.id, now=now)
        await webhooks.replay(tx, owner.id, DeliveryId(delivery_id), now=now)
        return 1

    click.echo(f"{run(work)} to be sent again.")


COMMANDS: Final = (webhook,)
