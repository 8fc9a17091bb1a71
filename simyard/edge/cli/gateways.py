"""Gateways: the boxes and apps that hand in messages, and the programs that run beside them."""

from __future__ import annotations

import asyncio
import secrets
import sys
from contextlib import suppress
from datetime import datetime
from ipaddress import ip_network
from typing import IO, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from simyard.base import addresses
from simyard.base.ids import PoolId
from simyard.core.catalog.model import Country
from simyard.core.gateways import service as gateways
from simyard.core.gateways.model import AddGateway, Gateway, GatewayView
from simyard.db.database import Tx
from simyard.edge import logs
from simyard.edge.cli.parameters import COUNTRY, json_option, read_number
from simyard.edge.cli.shell import actor, print_json, run
from simyard.edge.gateways import endpoints as gateway_endpoints
from simyard.edge.gateways import generic as generic_gateway
from simyard.edge.gateways import goip
from simyard.edge.gateways import hook as gateway_hook_program
from simyard.edge.gateways.kinds import KINDS
from simyard.edge.gateways.wire import Kind, Signing
from simyard.settings import Settings


@click.group()
def gateway() -> None:
    """Gateways: add, list, show, map, unmap, on, off, address, remove, hook, goip."""


def _time_zone(ctx: click.Context, param: click.Parameter, value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise click.BadParameter("use a name such as Europe/Stockholm or UTC") from error
    return value


def _networks(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(value.strip(), strict=False)) for value in values)
    except ValueError as error:
        raise click.BadParameter("use addresses or networks such as 10.0.0.9 or 10.0.0.0/24") from error


def _template(
    kind: Kind,
    fields: tuple[str, ...],
    each: str | None,
    packed: bool,
    header_block: bool,
    answer: str | None,
    preset: str | None,
) -> dict[str, Any]:
    """The options of a gateway, checked by its kind."""
    options: dict[str, Any] = dict(generic_gateway.PRESETS[preset]) if preset else {}
    if fields:
        named = dict(field.partition("=")[::2] for field in fields)
        options["fields"] = {**options.get("fields", {}), **named}
    given = {"each": each, "base64": packed or None, "header_block": header_block or None, "answer": answer}
    options |= {name: value for name, value in given.items() if value is not None}
    problem = kind.check_options(options)
    if problem is not None:
        raise click.ClickException(f"{kind.name}: {problem}")
    return options


def _secret(kind: Kind, secret: str | None, unsigned: bool) -> str | None:
    if secret is not None and kind.signing is Signing.NEVER:
        raise click.ClickException(f"{kind.title} cannot sign; name its addresses with --allow instead")
    if secret is not None and unsigned:
        raise click.UsageError("give either --secret or --unsigned")
    if secret is None and kind.signing is Signing.ALWAYS and not unsigned:
        return secrets.token_urlsafe(24)
    return secret


def _print_set_up(added: Gateway, token: str, base_url: str) -> None:
    url = base_url.rstrip("/") + gateway_endpoints.path(added.kind, token)
    click.echo(f"The secret address of {added.name}, shown only now:")
    click.echo(f"  {url}")
    click.echo()
    for line in KINDS[added.kind].set_up(url, added.secret):
        click.echo(line)


_base_url = click.option(
    "--base-url",
    default="https://YOUR-HOST",
    show_default=True,
    help="This server's address as the gateway reaches it; only printed.",
)


@gateway.command("add")
@click.argument("name")
@click.option(
    "--kind", "kind_name", type=click.Choice(list(KINDS)), required=True, help="What box or app it is."
)
@click.option("--pool", "pool_id", type=int, required=True, help="The direct pool its numbers are in.")
@click.option(
    "--allow", "networks", multiple=True, callback=_networks, help="Address or network it calls from."
)
@click.option("--secret", help="What it signs with; one is made when left out, for kinds that sign.")
@click.option(
    "--unsigned", is_flag=True, help="Believe it without signatures: its address is the only secret."
)
@click.option("--zone", default="UTC", show_default=True, callback=_time_zone, help="Of its clock.")
@click.option("--country", type=COUNTRY, help="Of the numbers it writes without a calling code.")
@click.option(
    "--field", "fields", multiple=True, help="generic: NAME=json:PATH, form:, query:, header: or body."
)
@click.option("--each", help="generic: path of the list that holds a message in each element.")
@click.option("--base64", "packed", is_flag=True, help="generic: texts are in base64.")
@click.option("--header-block", is_flag=True, help="generic: texts come behind lines about them.")
@click.option("--stock", is_flag=True, help="Its reports of SIMs put numbers on sale and take them off.")
@click.option("--answer", help="generic: what it wants to be answered; OK when left out.")
@click.option(
    "--preset", type=click.Choice(sorted(generic_gateway.PRESETS)), help="generic: a known template."
)
@_base_url
@json_option
def gateway_add(
    name: str,
    kind_name: str,
    pool_id: int,
    networks: tuple[str, ...],
    secret: str | None,
    unsigned: bool,
    zone: str,
    country: Country | None,
    fields: tuple[str, ...],
    each: str | None,
    packed: bool,
    header_block: bool,
    stock: bool,
    answer: str | None,
    preset: str | None,
    base_url: str,
    as_json: bool,
) -> None:
    """Let a box or an app hand in the messages of a direct pool. Prints its secret address and how to set it up."""
    kind = KINDS[kind_name]
    if stock and not kind.reports_sims:
        raise click.ClickException(f"{kind.title} does not report which SIMs work")
    command = AddGateway(
        name=name,
        kind=kind.name,
        pool_id=PoolId(pool_id),
        secret=_secret(kind, secret, unsigned),
        networks=networks,
        time_zone=zone,
        country=country.iso2 if country else None,
        options=_template(kind, fields, each, packed, header_block, answer, preset),
        stocks=stock,
    )

    async def work(tx: Tx, now: datetime) -> tuple[Gateway, str]:
        return await gateways.add_gateway(tx, command, actor=actor(), now=now)

    added, token = run(work)
    if as_json:
        address = gateway_endpoints.path(added.kind, token)
        print_json({"id": added.id, "path": address, "secret": added.secret})
        return
    _print_set_up(added, token, base_url)


@gateway.command("list")
@json_option
def gateway_list(as_json: bool) -> None:
    """Show all gateways, and when each last called."""

    async def work(tx: Tx, now: datetime) -> list[Gateway]:
        return await gateways.list_gateways(tx)

    found = run(work)
    if as_json:
        print_json([_gateway_facts(one) for one in found])
        return
    for one in found:
        seen = f"{one.last_seen_at:%Y-%m-%d %H:%M} UTC" if one.last_seen_at else "never"
        click.echo(
            f"{one.name}\t{one.kind}\tpool {one.pool_id}\t{'on' if one.enabled else 'off'}\tlast call {seen}"
        )


def _gateway_facts(one: Gateway) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "kind": one.kind,
        "pool": str(one.pool_id),
        "enabled": one.enabled,
        "signed": one.secret is not None,
        "stocks": one.stocks,
        "networks": one.networks,
        "time_zone": one.time_zone,
        "last_seen_at": one.last_seen_at,
    }


@gateway.command("show")
@click.argument("name")
@json_option
def gateway_show(name: str, as_json: bool) -> None:
    """Show a gateway: which number each SIM is, SIMs nobody knows, and what became of a week's messages."""

    async def work(tx: Tx, now: datetime) -> GatewayView:
        return await gateways.view(tx, name, now=now)

    found = run(work)
    if as_json:
        print_json(
            {
                **_gateway_facts(found.gateway),
                "devices": found.devices,
                "sims": [
                    {
                        "key": one.key,
                        "number": one.msisdn,
                        "learnt": one.learnt,
                        "contradicted": one.contradicted,
                    }
                    for one in found.sims
                ],
                "unmatched": [
                    {
                        "key": one.key,
                        "count": one.count,
                        "first_seen_at": one.first_seen_at,
                        "last_seen_at": one.last_seen_at,
                    }
                    for one in found.unmatched
                ],
                "messages": found.outcomes,
            }
        )
        return
    one = found.gateway
    seen = f"{one.last_seen_at:%Y-%m-%d %H:%M} UTC" if one.last_seen_at else "never"
    click.echo(f"{one.name}: {KINDS[one.kind].title if one.kind in KINDS else one.kind}, pool {one.pool_id}")
    click.echo(
        f"  {'on' if one.enabled else 'off'}, last call {seen}, from {', '.join(one.networks) or 'anywhere'}"
    )
    for outcome, count in found.outcomes.items():
        click.echo(f"  {count} {outcome} in 7 days")
    _print_sims(found)
    for unknown in found.unmatched:
        click.echo(
            f"  {unknown.key}\tno number known: {unknown.count} messages, last "
            f"{unknown.last_seen_at:%Y-%m-%d %H:%M} UTC"
        )


def _print_sims(found: GatewayView) -> None:
    for sim in found.sims:
        doubt = f"  BUT IT SAYS {sim.contradicted}" if sim.contradicted else ""
        click.echo(f"  {sim.key}\t{sim.msisdn}\t{'learnt' if sim.learnt else 'set'}{doubt}")


@gateway.command("map")
@click.argument("name")
@click.argument("key", required=False)
@click.argument("msisdn", metavar="[NUMBER]", required=False)
@click.option("--list", "listing", is_flag=True, help="Show what is known instead.")
def gateway_map(name: str, key: str | None, msisdn: str | None, listing: bool) -> None:
    """Say which number a SIM is. KEY is its name as `simyard gateway show` prints it."""

    async def look(tx: Tx, now: datetime) -> GatewayView:
        return await gateways.view(tx, name, now=now)

    if listing and key is None:
        _print_sims(run(look))
        return
    if listing or key is None or msisdn is None:
        raise click.UsageError("give a key and a number, or --list")
    e164, known = read_number(msisdn), key

    async def work(tx: Tx, now: datetime) -> None:
        await gateways.map_sim(tx, name, known, e164, actor=actor(), now=now)

    run(work)
    click.echo(f"{known} at {name} is {e164}.")


@gateway.command("unmap")
@click.argument("name")
@click.argument("key")
def gateway_unmap(name: str, key: str) -> None:
    """Forget which number a SIM is."""

    async def work(tx: Tx, now: datetime) -> bool:
        return await gateways.unmap_sim(tx, name, key, actor=actor(), now=now)

    click.echo(f"{key} at {name} is forgotten." if run(work) else f"{key} at {name} was not known.")


def _gateway_switch(name: str, enabled: bool, help_text: str) -> None:
    @gateway.command(name, help=help_text)
    @click.argument("gateway_name", metavar="NAME")
    def command(gateway_name: str) -> None:
        async def work(tx: Tx, now: datetime) -> None:
            await gateways.set_enabled(tx, gateway_name, enabled=enabled, actor=actor(), now=now)

        run(work)
        click.echo(f"{gateway_name} is {'on' if enabled else 'off'}.")


_gateway_switch("on", True, "Take messages from a gateway.")
_gateway_switch("off", False, "Take nothing from a gateway: it is answered 403.")


@gateway.command("address")
@click.argument("name")
@_base_url
def gateway_address(name: str, base_url: str) -> None:
    """Give a gateway a new secret address; the one before is good for nothing any more."""

    async def work(tx: Tx, now: datetime) -> tuple[Gateway, str]:
        return await gateways.renew_token(tx, name, actor=actor(), now=now)

    _print_set_up(*run(work), base_url)


@gateway.command("remove")
@click.argument("name")
def gateway_remove(name: str) -> None:
    """Forget a gateway, and which number each of its SIMs is."""

    async def work(tx: Tx, now: datetime) -> None:
        await gateways.remove_gateway(tx, name, actor=actor(), now=now)

    run(work)
    click.echo(f"{name} is removed.")


@gateway.command("goip")
@click.option("--url-file", type=click.File(), required=True, help="File with the gateway's secret address.")
@click.option("--secret-file", type=click.File(), help="File with its secret, unless it is unsigned.")
@click.option("--listen", default=f"127.0.0.1:{goip.PORT}", show_default=True, help="Address and port.")
@click.option(
    "--password", required=True, envvar="GOIP_PASSWORD", help="The boxes' password; or in GOIP_PASSWORD."
)
def gateway_goip(url_file: IO[str], secret_file: IO[str] | None, listen: str, password: str) -> None:
    """Listen for GoIP and DBL boxes (UDP) and hand their messages to a gateway of the kind goip-bridge."""
    host, _, port = listen.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise click.BadParameter("use an address and a port such as 0.0.0.0:44444")
    url = url_file.read().strip()
    try:
        is_ours = gateway_endpoints.path("goip-bridge", "") in addresses.parse_url(url).target
    except ValueError:
        is_ours = False
    if not is_ours:
        raise click.BadParameter(
            f"{url_file.name} does not hold the secret address of a gateway of the kind goip-bridge",
            param_hint="'--url-file'",
        )
    logs.configure(Settings.from_environment().log_level)
    post = goip.posting(url, secret_file.read().strip() if secret_file else None)

    def ready(address: tuple[Any, ...]) -> None:
        click.echo(f"Listening for boxes on {address[0]}:{address[1]}")
        sys.stdout.flush()

    with suppress(KeyboardInterrupt):
        try:
            asyncio.run(goip.serve(host.strip("[]") or "0.0.0.0", int(port), password, post, ready=ready))
        except OSError as error:
            raise click.ClickException(f"cannot listen on {listen}: {error.strerror}") from error


@gateway.command(
    "hook",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def gateway_hook(arguments: tuple[str, ...]) -> None:
    """Hand in the message gammu-smsd describes in the environment (RunOnReceive); see --help."""
    raise SystemExit(gateway_hook_program.main(list(arguments)))


COMMANDS: Final = (gateway,)
