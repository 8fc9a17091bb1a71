"""Pools and how good they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import click

from simyard.base import money
from simyard.base.clock import SystemClock
from simyard.base.ids import PoolId
from simyard.base.refusals import Refusal
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import Role
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.catalog.model import Country, Service
from simyard.core.numbers import service as numbers
from simyard.core.numbers.model import Shelved
from simyard.core.pools import service as pools
from simyard.core.pools.model import AddPool, FilterSide, ListPools, PoolKind, PoolView
from simyard.core.quality import service as quality
from simyard.core.quality.model import Quality, QualityOf
from simyard.core.remote import service as remote
from simyard.core.remote.model import Problem, Profile, ProfileView, SetProfile, UnknownName
from simyard.core.wallet import service as wallet
from simyard.db.database import Database, Tx
from simyard.edge import sandbox
from simyard.edge.cli.parameters import AMOUNT, COUNTRY, SERVICE, SWITCH, json_option, known_pool
from simyard.edge.cli.shell import PartnerTrial, TryPartner, actor, print_json, run, run_in_steps
from simyard.settings import Settings

_CONSENT = (
    "The operator who set this pool up states that its supplier holds the consent of the numbers' owners to receive "
    "SMS on them for others."
)


@click.group()
def pool() -> None:
    """Pools: add, list, profile, problems, names, test, consent, enable, disable, rent, blacklist, filter, forgive."""


@pool.command("add")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in PoolKind]),
    required=True,
    help="Where its numbers come from: a supplier's reports, a partner asked for each, another platform, nowhere.",
)
@click.option("--supplier", "supplier_email", help="The account that reports its numbers and earns.")
@click.option(
    "--share", type=click.IntRange(0, 100), help="Supplier's share in percent; the setting's when left out."
)
@click.option("--reserved-for", type=SERVICE, help="Sell this service only.")
@click.option("--rent/--no-rent", default=False, help="Whether its numbers may be rented.")
@click.option(
    "--country", "countries", type=COUNTRY, multiple=True, help="Sandbox: countries to stock; default US."
)
@click.option("--consent", default=_CONSENT, help="The supplier's consent statement, in his words.")
@click.option("--protocol", help="Partner and upstream pools: what the other server speaks.")
@click.option("--url", help="Partner and upstream pools: the other server's address.")
@click.option("--key", "remote_key", help="Partner and upstream pools: the key for the other server.")
@click.option(
    "--key-in", help="Partner pools: the key its own requests carry, when it is no API key of its supplier."
)
@click.option(
    "--switch",
    "switches",
    type=SWITCH,
    multiple=True,
    help="Partner and upstream pools: name=value; repeatable.",
)
@json_option
def pool_add(
    name: str,
    kind: str,
    supplier_email: str | None,
    share: int | None,
    reserved_for: Service | None,
    rent: bool,
    countries: tuple[Country, ...],
    consent: str,
    protocol: str | None,
    url: str | None,
    remote_key: str | None,
    key_in: str | None,
    switches: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Set up a source of numbers.

    The consent of the numbers' owners is recorded with it: by default the operator's own statement, shown here.
    """
    is_remote = kind in remote.KINDS
    if is_remote and (protocol is None or url is None or remote_key is None):
        raise click.ClickException(f"a pool of kind {kind} needs --protocol, --url and --key")
    if not is_remote and (protocol or url or remote_key or key_in or switches):
        raise click.ClickException(
            f"--protocol, --url, --key, --key-in and --switch are for partner and upstream pools, not {kind}"
        )
    check_profile = click.get_current_context().obj.check_profile
    settings = Settings.from_environment()

    async def work(tx: Tx, now: datetime) -> Any:
        supplier = await accounts.find_account(tx, supplier_email) if supplier_email else None
        if supplier is None and kind in (PoolKind.DIRECT, PoolKind.PARTNER):
            raise click.ClickException(f"a {kind} pool needs --supplier EMAIL")
        if supplier is not None and supplier.role is not Role.SUPPLIER:
            raise click.ClickException(f"{supplier.email} is a {supplier.role}, not a supplier")
        percent = settings.supplier_share_percent if share is None else share
        command = AddPool(
            name=name,
            kind=PoolKind(kind),
            supplier_id=supplier.id if supplier else None,
            share_basis_points=percent * 100,
            consent=consent,
            reserved_for=reserved_for.id if reserved_for else None,
            rent_allowed=rent,
        )
        added = await pools.add_pool(tx, command, actor=actor(), now=now)
        if added.kind is PoolKind.SANDBOX:
            await sandbox.stock(tx, added, [one.iso2 for one in countries] or ["US"])
        if protocol is not None and url is not None and remote_key is not None:
            profile = SetProfile(added.id, protocol, url, remote_key, dict(switches), key_in)
            await _set_profile(tx, check_profile, profile, now)
        return added

    added = run(work)
    if as_json:
        print_json({"id": str(added.id)})
    else:
        click.echo(f"Added {added.kind} pool {added.name} with id {added.id}.")
        click.echo(f"Consent on record: {consent}")


@pool.command("list")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in PoolKind]),
    help="Only those of this kind.",
)
@click.option("--supplier", "supplier_email", help="Only those of this account.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Pools at most."
)
@json_option
def pool_list(kind: str | None, supplier_email: str | None, limit: int, as_json: bool) -> None:
    """Show pools: whose they are, what they may sell, until when they are online, and how many numbers they have.

    Numbers are those that could be leased, as `simyard serve` last counted them: it does so every few seconds. Pools of
    partners and upstreams have none here.
    """
    base_currency = Settings.from_environment().base_currency

    async def work(tx: Tx, now: datetime) -> list[dict[str, object]]:
        supplier = await accounts.find_account(tx, supplier_email) if supplier_email else None
        wanted = ListPools(limit, PoolKind(kind) if kind else None, supplier.id if supplier else None)
        views = await pools.list_pools(tx, wanted)
        shelved = await numbers.shelved(tx, [one.pool.id for one in views])
        profiles = {one.profile.pool_id: one for one in await remote.list_profiles(tx, base_currency)}
        return [
            _pool_facts(one, shelved.get(one.pool.id), profiles.get(one.pool.id), now=now) for one in views
        ]

    found = run(work)
    if as_json:
        print_json(found)
        return
    for one in found:
        click.echo("\t".join(_pool_line(one)))
    if not found:
        click.echo("No pools.")


def _pool_facts(
    view: PoolView, shelved: Shelved | None, profile: ProfileView | None, *, now: datetime
) -> dict[str, Any]:
    """`shelved` is None for a pool that never had a number, `profile` for one that is not spoken to."""
    here = None if view.pool.kind in remote.KINDS else shelved or Shelved(0, 0)
    heard = view.online_until is not None and view.online_until > now
    return {
        "id": str(view.pool.id),
        "name": view.pool.name,
        "kind": view.pool.kind.value,
        "supplier": view.supplier_email,
        "share_percent": view.share_basis_points / 100,
        "enabled": view.enabled,
        "consent": view.consented,
        "rent_allowed": view.pool.rent_allowed,
        "reserved_for": view.reserved_for and load_catalog().service_at(view.reserved_for).slug,
        "online": heard or view.pool.kind is PoolKind.SANDBOX,
        "online_until": view.online_until,
        "available": here and here.available,
        "rentable": here and here.rentable,
        "protocol": profile and profile.profile.protocol,
        "stock_problem": profile and profile.stock_problem,
        "failures_in_a_row": profile and profile.failures,
        "last_failure": profile and profile.failure,
        "last_failure_at": profile and profile.failed_at,
    }


def _pool_line(facts: dict[str, Any]) -> tuple[str, ...]:
    until = facts["online_until"]
    if until is None:
        online = "online" if facts["online"] else "never online"
    else:
        online = f"{'online until' if facts['online'] else 'offline since'} {until:%Y-%m-%d %H:%M} UTC"
    return (
        facts["id"],
        facts["name"],
        facts["kind"],
        facts["supplier"] or "",
        f"{facts['share_percent']:g} %",
        "on sale" if facts["enabled"] else "off sale",
        "consent" if facts["consent"] else "no consent",
        "rent" if facts["rent_allowed"] else "no rent",
        f"{facts['reserved_for']} only" if facts["reserved_for"] else "any service",
        online,
        "" if facts["available"] is None else f"{facts['available']} available, {facts['rentable']} to rent",
        facts["protocol"] or "",
        _trouble(facts),
    )


def _trouble(facts: dict[str, Any]) -> str:
    """What is wrong with a pool that is spoken to, in short; nothing once it has answered again."""
    if facts["stock_problem"]:
        return f"stock: {_short(facts['stock_problem'])}"
    if facts["failures_in_a_row"]:
        return f"{facts['failures_in_a_row']} failed in a row: {_short(facts['last_failure'])}"
    return ""


def _short(text: str) -> str:
    """The beginning of what another server said, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"


async def _remote_pool(tx: Tx, pool_id: int, base_currency: str) -> ProfileView:
    """Refuses: UNKNOWN_POOL. A pool whose numbers lie here is told apart from one that does not exist."""
    found = await pools.find_pool(tx, PoolId(pool_id))
    if found.kind not in remote.KINDS:
        raise click.ClickException(
            f"pool {pool_id} is a {found.kind} pool: only partner and upstream pools have another server"
        )
    return await remote.profile_of(tx, found.id, base_currency)


async def _set_profile(
    tx: Tx, check_profile: Callable[[Profile], None], wanted: SetProfile, now: datetime
) -> None:
    try:
        check_profile(Profile(wanted.pool_id, wanted.protocol, wanted.url, wanted.key, wanted.switches))
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    await remote.set_profile(tx, wanted, actor=actor(), now=now)


@pool.command("profile")
@click.argument("pool_id", type=int)
@click.option("--protocol", help="What the other server speaks.")
@click.option("--url", help="The other server's address.")
@click.option("--key", "remote_key", help="The key for the other server.")
@click.option("--key-in", help="The key its own requests carry.")
@click.option(
    "--switch",
    "switches",
    type=SWITCH,
    multiple=True,
    help="name=value; name= takes it out; repeatable. The others stay.",
)
@json_option
def pool_profile(
    pool_id: int,
    protocol: str | None,
    url: str | None,
    remote_key: str | None,
    key_in: str | None,
    switches: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Show how a partner or upstream pool is spoken to and how it fares, without its keys; or change it."""
    check_profile = click.get_current_context().obj.check_profile
    settings = Settings.from_environment()

    async def work(tx: Tx, now: datetime) -> ProfileView:
        view = await _remote_pool(tx, pool_id, settings.base_currency)
        if protocol or url or remote_key or key_in or switches:
            was = view.profile
            chosen = {name: value for name, value in {**was.switches, **dict(switches)}.items() if value}
            wanted = SetProfile(
                was.pool_id, protocol or was.protocol, url or was.url, remote_key or was.key, chosen, key_in
            )
            await _set_profile(tx, check_profile, wanted, now)
            view = await remote.profile_of(tx, PoolId(pool_id), settings.base_currency)
        return view

    view = run(work)
    now = SystemClock().now()
    facts: dict[str, object] = {
        "pool": str(pool_id),
        "name": view.pool_name,
        "kind": view.kind,
        "protocol": view.profile.protocol,
        "url": view.profile.url,
        "switches": dict(view.profile.switches),
        "online": view.online_until is not None and view.online_until > now,
        "stocked_at": view.stocked_at,
        "stock_problem": view.stock_problem,
        "balance": None if view.balance is None else money.format_amount(view.balance),
        "failures_in_a_row": view.failures,
        "left_alone": view.open_until is not None and view.open_until > now,
        "last_failure": view.failure,
        "last_failure_at": view.failed_at,
    }
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        shown = " ".join(f"{one}={of}" for one, of in value.items()) if isinstance(value, dict) else value
        click.echo(f"{name}\t{'' if shown is None else shown}")


@pool.command("problems")
@click.option("--pool", "pool_id", type=int, help="Of this pool only.")
@click.option("--clear", type=int, help="You have seen to the problem with this id.")
@json_option
def pool_problems(pool_id: int | None, clear: int | None, as_json: bool) -> None:
    """Show what partners and upstreams were never told or never answered, and what of it may have to be put right by hand."""

    async def work(tx: Tx, now: datetime) -> list[Problem]:
        if clear is not None:
            try:
                await remote.clear_problem(tx, clear, actor=actor(), now=now)
            except Refusal as refusal:
                raise click.ClickException(f"There is no problem {clear}.") from refusal
        return await remote.list_problems(tx, await known_pool(tx, pool_id))

    found = run(work)
    if as_json:
        print_json(found)
        return
    for one in found:
        click.echo(
            f"{one.id}\tpool {one.pool_id} {one.pool_name}\tlease {one.lease_id}\t{one.remote_id or '-'}"
            f"\tasked {one.asked_at:%Y-%m-%d %H:%M:%S}\t{one.problem}"
        )
    if not found:
        click.echo("No problems.")


@pool.command("names")
@click.option("--pool", "pool_id", type=int, help="Of this pool only.")
@json_option
def pool_names(pool_id: int | None, as_json: bool) -> None:
    """Show the names of countries, services and operators in stock reports that nobody here knows."""

    async def work(tx: Tx, now: datetime) -> list[UnknownName]:
        return await remote.unknown_names(tx, await known_pool(tx, pool_id))

    found = run(work)
    if as_json:
        print_json(found)
        return
    for one in found:
        click.echo(f"pool {one.pool_id}\t{one.kind}\t{one.name}\tin {one.count} reports")
    if not found:
        click.echo("No unknown names.")


class _Listen(click.ParamType[tuple[str, int]]):
    name = "host:port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        host, colon, port = str(value).rpartition(":")
        if not colon or not port.isdecimal() or not 0 <= int(port) < 65536:
            self.fail("give a host and a port, such as 0.0.0.0:8080", param, ctx)
        return host.strip("[]") or "0.0.0.0", int(port)


@pool.command("test")
@click.argument("pool_id", type=int)
@click.option(
    "--country", type=COUNTRY, help="Order a number of this country; default: where most are in stock."
)
@click.option("--service", type=SERVICE, help="Order it for this service.")
@click.option("--amount", type=AMOUNT, default="1", help="What the partner is told that he earns; default 1.")
@click.option(
    "--listen",
    type=_Listen(),
    help="Try pushes too: the partner must push to this address meanwhile, and you send an SMS to the number shown.",
)
@click.option(
    "--seconds",
    type=click.IntRange(1, 3600),
    default=120,
    show_default=True,
    help="How long the SMS is waited for.",
)
@json_option
def pool_test(
    pool_id: int,
    country: Country | None,
    service: Service | None,
    amount: int,
    listen: tuple[str, int] | None,
    seconds: int,
    as_json: bool,
) -> None:
    """Try a partner's server before its numbers are sold: stock, numbers, excluded prefixes, ends, pushes.

    It is asked for real numbers, which are given back. Exit code 1 when something is not as it must be.
    """
    try_partner: TryPartner = click.get_current_context().obj.try_partner
    settings = Settings.from_environment()
    checks: list[dict[str, str]] = []

    def tell(name: str, outcome: str, detail: str) -> None:
        checks.append({"name": name, "outcome": outcome, "detail": detail})
        if not as_json:
            click.echo(f"{outcome}\t{name}" + (f": {detail}" if detail else ""))

    async def work(database: Database) -> bool:
        async with database.transaction() as tx:
            view = await _remote_pool(tx, pool_id, settings.base_currency)
            supplier_id = view.profile.supplier_id
            balance = None if supplier_id is None else await wallet.balance(tx, supplier_id)
        trial = PartnerTrial(
            amount,
            settings.base_currency if balance is None else balance.currency,
            country.iso2 if country else None,
            service.id if service else None,
            listen,
            seconds,
        )
        # What a person has to do is no part of the answer.
        prompt = partial(click.echo, err=True)
        try:
            return await try_partner(view.profile, trial, tell=tell, prompt=prompt)
        except ValueError as error:
            raise click.ClickException(str(error)) from error

    passed = run_in_steps(work)
    if as_json:
        print_json({"passed": passed, "checks": checks})
    if not passed:
        raise SystemExit(1)


@pool.command("consent")
@click.argument("pool_id", type=int)
@click.argument("statement")
def pool_consent(pool_id: int, statement: str) -> None:
    """Record a supplier's new consent statement."""

    async def work(tx: Tx, now: datetime) -> None:
        await pools.record_consent(tx, PoolId(pool_id), statement, actor=actor(), now=now)

    run(work)
    click.echo(f"Consent recorded for pool {pool_id}.")


def _pool_switch(name: str, enabled: bool, help_text: str) -> None:
    @pool.command(name, help=help_text)
    @click.argument("pool_id", type=int)
    def command(pool_id: int) -> None:
        async def work(tx: Tx, now: datetime) -> None:
            await pools.set_enabled(tx, PoolId(pool_id), enabled=enabled, actor=actor(), now=now)

        run(work)
        click.echo(f"Pool {pool_id} is {'on sale' if enabled else 'off sale'}.")


_pool_switch("enable", True, "Sell a pool's numbers.")
_pool_switch("disable", False, "Stop selling a pool's numbers; open leases run on.")


@pool.command("rent")
@click.argument("pool_id", type=int)
@click.argument("allowed", type=click.Choice(["on", "off"]))
def pool_rent(pool_id: int, allowed: str) -> None:
    """Let a pool's numbers be rented out, or not; open rentals run on.

    It holds for numbers from their supplier's next report on.
    """

    async def work(tx: Tx, now: datetime) -> None:
        await pools.allow_rent(tx, PoolId(pool_id), allowed=allowed == "on", actor=actor(), now=now)

    run(work)
    click.echo(f"Pool {pool_id} rents {'numbers' if allowed == 'on' else 'nothing'} out.")


@pool.command("blacklist")
@click.argument("pool_id", metavar="POOL", type=int)
@click.argument("services", metavar="SERVICE", type=SERVICE, nargs=-1)
@click.option("--remove", is_flag=True, help="Sell them again.")
@json_option
def pool_blacklist(pool_id: int, services: Sequence[Service], remove: bool, as_json: bool) -> None:
    """Have a pool not sell services, and their SMS not delivered to its activations; without services: show which."""

    async def work(tx: Tx, now: datetime) -> Any:
        for one in services:
            await pools.set_blacklisted(
                tx, PoolId(pool_id), one.id, blacklisted=not remove, actor=actor(), now=now
            )
        return await pools.blacklisted(tx, PoolId(pool_id))

    slugs = [load_catalog().service_at(one).slug for one in run(work)]
    if as_json:
        print_json(slugs)
    else:
        click.echo(f"Pool {pool_id} does not sell: {', '.join(slugs) or 'nothing is left out'}.")


@pool.command("filter")
@click.argument("pool_id", metavar="POOL", type=int)
@click.argument("side", type=click.Choice([side.value for side in FilterSide]))
def pool_filter(pool_id: int, side: str) -> None:
    """Say who tells messages of other services from those of the ordered one: ours, or the partner."""

    async def work(tx: Tx, now: datetime) -> None:
        await pools.set_filter_side(tx, PoolId(pool_id), FilterSide(side), actor=actor(), now=now)

    run(work)
    who = "we tell" if side == FilterSide.OURS else "its supplier tells"
    click.echo(f"Pool {pool_id}: {who} messages of other services apart.")


@pool.command("forgive")
@click.argument("pool_id", metavar="POOL", type=int)
def pool_forgive(pool_id: int) -> None:
    """Sell a pool's offers again that were blocked, or put behind others, for their quality."""

    async def work(tx: Tx, now: datetime) -> int:
        return await quality.forgive(tx, PoolId(pool_id), actor=actor(), now=now)

    click.echo(f"{run(work)} offers of pool {pool_id} are sold as any others again.")


@click.command("quality")
@click.option("--pool", "pool_id", type=int, help="Only this pool.")
@click.option("--days", type=click.IntRange(0, 3650), default=7, show_default=True, help="How far back.")
@json_option
def quality_command(pool_id: int | None, days: int, as_json: bool) -> None:
    """Show how good what pools sell is: orders, deliveries, times, messages turned away, blocks."""

    async def work(tx: Tx, now: datetime) -> Any:
        since = (now - timedelta(days=days)).date()
        return await quality.report(tx, QualityOf(since, now, pool_id=await known_pool(tx, pool_id)))

    found = run(work)
    if as_json:
        print_json([_quality_facts(one) for one in found])
        return
    for one in found:
        facts = _quality_facts(one)
        shown = (f"{name} {value}" for name, value in facts.items() if value not in (None, 0))
        click.echo("  ".join(shown))
    if not found:
        click.echo("Nothing was counted in that time.")


def _quality_facts(one: Quality) -> dict[str, object]:
    counts = one.counts
    return {
        "pool": one.pool_id,
        "name": one.pool_name,
        "country": one.country,
        "service": load_catalog().service_at(one.service_id).slug,
        "issued": counts.issued,
        "delivered": counts.delivered,
        "canceled": counts.canceled,
        "expired": counts.expired,
        "no_number": counts.failed,
        "prohibited": counts.prohibited,
        "other_service": counts.other_service,
        "unrecognised": counts.unrecognised,
        "blacklisted": counts.blacklisted,
        "seconds_mean": None if one.seconds_mean is None else round(one.seconds_mean, 1),
        "seconds_median": None if one.seconds_median is None else round(one.seconds_median, 1),
        "seconds_p90": None if one.seconds_p90 is None else round(one.seconds_p90, 1),
        "blocked_until": one.blocked_until,
        "poor_until": one.poor_until,
    }


COMMANDS: Final = (pool, quality_command)
