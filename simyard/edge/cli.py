"""The `simyard` command: what operators do from a shell."""

from __future__ import annotations

import asyncio
import getpass
import io
import secrets
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial, wraps
from ipaddress import ip_network
from typing import IO, Any, Protocol, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import msgspec
from click.shell_completion import get_completion_class
from starlette.applications import Starlette

from simyard import __version__
from simyard.base import addresses, money, phone
from simyard.base.clock import SystemClock
from simyard.base.ids import AccountId, ActivationId, DeliveryId, KeyId, PayoutId, PoolId, TokenKeyId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import rules as account_rules
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import (
    Account,
    AccountState,
    AccountView,
    AddAccount,
    IssueKey,
    KeyView,
    ListAccounts,
    Role,
    Scope,
)
from simyard.core.activations import refunds
from simyard.core.activations.refunds import RefundActivation
from simyard.core.audit import service as audit
from simyard.core.catalog import service as catalog
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.catalog.model import Country, Service
from simyard.core.checks import service as checks
from simyard.core.checks.model import NumberCheck
from simyard.core.earnings import service as earnings
from simyard.core.earnings.model import EarningsOf, Payout, PayoutState, RequestPayout
from simyard.core.erasure import service as erasure
from simyard.core.erasure.model import EraseAccount, Erased
from simyard.core.funding import service as funding
from simyard.core.funding.model import (
    CreateVirtualAccount,
    DepositState,
    Funding,
    ListVirtualAccounts,
    SandboxPayment,
    VirtualAccount,
)
from simyard.core.gateways import service as gateways
from simyard.core.gateways.model import AddGateway, Gateway, GatewayView
from simyard.core.logins import rules as login_rules
from simyard.core.logins import service as logins
from simyard.core.messages import lines
from simyard.core.messages import service as messages
from simyard.core.messages.model import LateMessage
from simyard.core.numbers import service as numbers
from simyard.core.numbers.model import RentBan, Shelved
from simyard.core.pools import service as pools
from simyard.core.pools.model import AddPool, FilterSide, ListPools, PoolKind, PoolView
from simyard.core.pricing import service as pricing
from simyard.core.pricing.model import ListPrices, Price
from simyard.core.public_numbers import service as public_numbers
from simyard.core.quality import service as quality
from simyard.core.quality.model import Quality, QualityOf
from simyard.core.referrals import service as referrals
from simyard.core.remote import service as remote
from simyard.core.remote.model import Problem, Profile, ProfileView, SetProfile, UnknownName
from simyard.core.rentals import service as rentals
from simyard.core.rentals.model import ListRentalPrices, LookAtRentals, Rental, RentalPrice
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import Balance, StatementOf
from simyard.core.webhooks import rules as webhook_rules
from simyard.core.webhooks import service as webhooks
from simyard.core.webhooks.model import DeliveryPage, Endpoint, Event, ListDeliveries, SetEndpoint
from simyard.db import embedded
from simyard.db.database import Database, DatabaseUnusable, Tx
from simyard.edge import demo, logs, sandbox, statement
from simyard.edge import serve as serving
from simyard.edge.dialects import codes
from simyard.edge.dialects.daisysim import webhook as daisysim_webhook
from simyard.edge.dialects.onlinesim import webhook as onlinesim_webhook
from simyard.edge.gateways import endpoints as gateway_endpoints
from simyard.edge.gateways import generic as generic_gateway
from simyard.edge.gateways import goip
from simyard.edge.gateways import hook as gateway_hook_program
from simyard.edge.gateways.kinds import KINDS
from simyard.edge.gateways.wire import Kind, Signing
from simyard.settings import Settings, SettingsInvalid

T = TypeVar("T")

_CONSENT = (
    "The operator who set this pool up states that its supplier holds the consent of the numbers' owners to receive "
    "SMS on them for others."
)

_SENTENCES = {
    Refused.EMAIL_TAKEN: "An account with the email {email} exists already.",
    Refused.ALREADY_REFERRED: "The account was referred before.",
    Refused.UNKNOWN_ACCOUNT: "There is no account {email}.",
    Refused.POOL_TAKEN: "A pool named {name} exists already.",
    Refused.UNKNOWN_POOL: "There is no pool {pool}.",
    Refused.UNKNOWN_GATEWAY: "There is no gateway named {name}.",
    Refused.GATEWAY_TAKEN: "A gateway named {name} exists already.",
    Refused.REFERENCE_TAKEN: "This reference was booked before; nothing was moved.",
    Refused.WRONG_KEY: "The account has no key {key_id}.",
    Refused.UNKNOWN_NUMBER: "No supplier has reported the number {number}.",
    Refused.NO_CONSENT: "The supplier of {number} has stated no consent of the numbers' owners; see `simyard pool consent`.",
    Refused.NUMBER_IN_USE: "The number {number} was leased, so what comes in on it is not everybody's business.",
    Refused.UNKNOWN_DELIVERY: "There is no delivery {delivery} that could be sent again.",
    Refused.UNKNOWN_BANK: "No virtual account can be opened at the bank {bank}; see: simyard funding banks",
    Refused.TOO_MANY_ACCOUNTS: "The wallet has {most} virtual accounts, which is the most it may have.",
    Refused.CURRENCY_MISMATCH: "The wallet is in {currency}, and the accounts would be in {wanted}.",
    Refused.UNKNOWN_PAYOUT: "There is no payout {payout} that is still open.",
    Refused.UNKNOWN_LEASE: "There is no activation {lease}.",
    Refused.INSUFFICIENT_FUNDS: "The wallet has less than that to spend.",
    Refused.NOT_SOLD: "Nothing was paid for {lease}, so there is nothing to give back.",
    Refused.UNKNOWN_DEPOSIT: "There is no refused deposit {reference}.",
    Refused.UPSTREAM_FAILED: "The provider {provider} did not do it; the log says why.",
    Refused.OPERATOR_ACCOUNT: "Account {account_id} is an operator's, whose name stands in the audit log.",
    Refused.ACCOUNT_ERASED: "Somebody this would concern was erased.",
    Refused.MALFORMED: "The {field} is not valid.",
}


# What each format's receivers expect to be told of.
_WEBHOOK_EVENTS = {daisysim_webhook.FORMAT: Event.CODE, onlinesim_webhook.FORMAT: Event.MESSAGE}


class Build(Protocol):
    def __call__(self, settings: Settings, url: str, *, with_workers: bool) -> Starlette: ...


@dataclass(frozen=True, slots=True)
class PartnerTrial:
    """What a partner is to be tried with. `currency` is what its supplier is paid in; no `listen`: its pushes are not
    tried."""

    amount: int
    currency: str
    country: str | None
    service_id: int | None
    listen: tuple[str, int] | None
    seconds: float


class TryPartner(Protocol):
    """Tries a partner's server and says what came of each thing that was tried: its name, the outcome, what there is to
    say. `prompt` is for what a person has to do meanwhile. Whether nothing failed."""

    async def __call__(
        self,
        profile: Profile,
        trial: PartnerTrial,
        *,
        tell: Callable[[str, str, str], None],
        prompt: Callable[[str], None],
    ) -> bool: ...


@dataclass(frozen=True)
class Wiring:
    """What the application hands to its command line, which lies below it."""

    prepare: Callable[[str], Coroutine[None, None, list[str]]]
    build: Build
    funding: Callable[[Settings, Database], Funding]
    # Raises ValueError, with what there is, for a profile its protocol cannot use.
    check_profile: Callable[[Profile], None]
    # Raises ValueError for a profile it cannot try.
    try_partner: TryPartner


def main(obj: Wiring) -> None:
    """Run the command; expected failures are one line on standard error and exit code 1."""
    try:
        cli(obj=obj)
    except SettingsInvalid as error:
        _fail(str(error))
    except (DatabaseUnusable, embedded.EmbeddedServerFailed) as error:
        _fail(str(error))


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(1)


def _sentence(refusal: Refusal) -> str:
    if refusal.reason is Refused.NOT_SETTLED:
        return _not_settled(refusal.facts)
    sentence = _SENTENCES.get(refusal.reason)
    if sentence is None:
        return str(refusal)
    # Who was looked up by id has no email.
    text = sentence.format_map(_Facts({"email": refusal.facts.get("account_id", "email")} | refusal.facts))
    problem = refusal.facts.get("problem")
    return text if problem is None else f"{text.removesuffix('.')}: {problem}."


def _not_settled(facts: Mapping[str, object]) -> str:
    """What an operator has to see to before an account can be erased."""
    open_things = [
        f"{facts[fact]} {thing}"
        for fact, thing in (
            ("leases", "open leases"),
            ("numbers", "numbers that are leased or checked"),
            ("payouts", "open payouts"),
            ("remote_leases", "leases to be settled with its pools"),
        )
        if fact in facts
    ]
    open_things += [
        f"{money.format_amount(amount)} {facts['currency']} {word}"
        for word in ("available", "held", "pending", "debt")
        if isinstance(amount := facts.get(word), int)
    ]
    return f"Account {facts['account_id']} cannot be erased yet: it has {', '.join(open_things)}."


class _Facts(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return name


@contextmanager
def _server(settings: Settings) -> Iterator[str]:
    """The URL of the database of the settings; the embedded one is started when nothing runs on it."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    server = embedded.start(settings.data_dir)
    try:
        yield server.url()
    finally:
        server.stop()


def _run(work: Callable[[Tx, datetime], Awaitable[T]]) -> T:
    """Do one thing in one transaction. A refusal becomes a sentence."""

    async def in_transaction(database: Database) -> T:
        return await database.run(lambda tx: work(tx, SystemClock().now()))

    return _run_in_steps(in_transaction)


def _run_in_steps(work: Callable[[Database], Awaitable[T]]) -> T:
    """Do what takes several transactions. A refusal becomes a sentence."""
    wiring = click.get_current_context().obj

    async def run(url: str) -> T:
        await wiring.prepare(url)
        async with await Database.connect(
            url, connections_max=2, application_name="simyard command"
        ) as database:
            return await work(database)

    try:
        with _server(Settings.from_environment()) as url:
            return asyncio.run(run(url))
    except Refusal as refusal:
        raise click.ClickException(_sentence(refusal)) from refusal


def _actor() -> str:
    try:
        return f"shell:{getpass.getuser()}"
    except (KeyError, OSError):
        return "shell"


def _print_json(value: object) -> None:
    click.echo(msgspec.json.encode(value).decode())


# Parameters


class _Amount(click.ParamType[int]):
    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            amount = money.parse_amount(str(value))
        except ValueError:
            self.fail(f"{value!r} is not an amount such as 12.50 (up to six decimals)", param, ctx)
        if amount < 0:
            self.fail("an amount cannot be negative", param, ctx)
        return amount


class _Moment(click.ParamType[datetime]):
    """A day or a moment of UTC. A day stands for its start, or for its end where a period ends with it."""

    name = "date"

    def __init__(self, *, ends: bool) -> None:
        self._ends = ends

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value)
        try:
            if len(text) == len("2026-01-31"):
                day = datetime.combine(date.fromisoformat(text), time(), UTC)
                return day + timedelta(days=1) if self._ends else day
            moment = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            self.fail(
                f"{text!r} is not a day such as 2026-01-31 or a moment such as 2026-01-31T12:00:00Z",
                param,
                ctx,
            )
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


class _ServiceName(click.ParamType[Service]):
    name = "service"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Service:
        known = load_catalog()
        text = str(value).lower()
        slug = text if known.service(text) else codes.services.by_handler(text)
        service = known.service(slug) if slug else None
        if service is None:
            near = [one.slug for one in known.services if one.slug.startswith(text[:3])][:5]
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            self.fail(f"there is no service {value!r}{hint}", param, ctx)
        return service

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        return [
            click.shell_completion.CompletionItem(one.slug, help=one.name)
            for one in load_catalog().services
            if one.slug.startswith(incomplete.lower())
        ]


class _CountryName(click.ParamType[Country]):
    name = "country"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Country:
        known = load_catalog()
        text = str(value)
        iso2 = text.upper() if known.country(text.upper()) else codes.countries.by_fivesim(text.lower())
        if iso2 is None:
            wanted = text.casefold()
            iso2 = next((one.iso2 for one in known.countries if one.name.casefold() == wanted), None)
        country = known.country(iso2) if iso2 else None
        if country is None:
            self.fail(f"there is no country {value!r}; use its two letters, such as US", param, ctx)
        return country

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        return [
            click.shell_completion.CompletionItem(one.iso2, help=one.name)
            for one in load_catalog().countries
            if one.iso2.startswith(incomplete.upper())
        ]


def _password(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    try:
        if value is not None:
            login_rules.check_password(value, "password")
    except Refusal as refusal:
        raise click.BadParameter(str(refusal.facts["problem"])) from refusal
    return value


def _currency(ctx: click.Context, param: click.Parameter, value: str) -> str:
    try:
        return money.check_currency(value.upper())
    except ValueError as error:
        raise click.BadParameter("use three letters such as USD") from error


AMOUNT, SERVICE, COUNTRY = _Amount(), _ServiceName(), _CountryName()


class _Switch(click.ParamType[tuple[str, str]]):
    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        name, equals, of = str(value).partition("=")
        if not name.strip() or not equals:
            self.fail(f"{value!r} is not of the form name=value", param, ctx)
        return name.strip(), of.strip()


SWITCH = _Switch()
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _whose(command: Callable[..., None]) -> Callable[..., None]:
    """Names an account by its email or, for one that has none any more, by its id."""

    @wraps(command)
    def checked(*, email: str | None, account_id: int | None, **others: Any) -> None:
        if (email is None) == (account_id is None):
            raise click.UsageError("give either an email or --id")
        command(email=email, account_id=account_id, **others)

    by_id = click.option(
        "--id", "account_id", type=int, help="Its id, instead of the email: for one that was erased."
    )
    return click.argument("email", required=False)(by_id(checked))


async def _account_named(tx: Tx, email: str | None, account_id: int | None) -> Account:
    if account_id is not None:
        return await accounts.find_account_by_id(tx, AccountId(account_id))
    return await accounts.find_account(tx, email or "")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="simyard")
def cli() -> None:
    """Simyard leases phone numbers for receiving SMS."""


# Serving


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64), help="Web processes.")
@click.option("--sandbox", "with_sandbox", is_flag=True, help="Set up fictitious numbers and a demo account.")
@click.pass_obj
def serve(wiring: Wiring, host: str, port: int, processes: int, with_sandbox: bool) -> None:
    """Serve until stopped, on the configured database or the embedded one.

    With one process it also does what is due; with more there is a worker process beside them.
    """
    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    try:
        listener = serving.bind(host, port)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from error
    with _server(settings) as url:
        asyncio.run(wiring.prepare(url))
        if with_sandbox:
            for line in asyncio.run(sandbox.set_up(url, settings)):
                click.echo(line)

        def ready() -> None:
            click.echo(f"Simyard is ready on {serving.address(listener)}")
            sys.stdout.flush()

        if processes == 1:
            proxies = ",".join(map(str, settings.trusted_proxies))
            app = wiring.build(settings, url, with_workers=True)
            serving.serve(app, listener, proxies=proxies, on_ready=ready)
        else:
            serving.Supervisor(listener, url, processes).run(ready)


@cli.command("serve-child", hidden=True)
@click.option("--socket", "descriptor", type=int)
@click.pass_obj
def serve_child(wiring: Wiring, descriptor: int | None) -> None:
    """A web process on an inherited socket, or, without one, the worker."""
    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    proxies = ",".join(map(str, settings.trusted_proxies))
    url = settings.database_url or ""
    if descriptor is None:
        app = wiring.build(settings, url, with_workers=True)
        # Nobody calls the worker, but it starts, stops and fails like the others.
        serving.serve(app, serving.bind("127.0.0.1", 0), proxies=proxies, on_ready=lambda: None)
    else:
        app = wiring.build(settings, url, with_workers=False)
        listener = serving.inherited(descriptor)
        serving.serve(app, listener, proxies=proxies, on_ready=lambda: None)


# Accounts


@cli.group()
def account() -> None:
    """Accounts: add, list, show, suspend, lock, activate, erase."""


@account.command("add")
@click.argument("email")
@click.option("--password", callback=_password, help="For dialects with a login; 8 to 200 characters.")
@click.option("--name", default="", help="Of the person, for dialects that show it.")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default="buyer",
    show_default=True,
    help="What it does here.",
)
@click.option(
    "--currency", default="USD", show_default=True, callback=_currency, help="Of its wallet, for good."
)
@click.option("--balance", type=AMOUNT, default=0, help="Deposit this much at once.")
@click.option("--referrer", help="Email of the account that brought it, and gets a share of what it spends.")
@_json
def account_add(
    email: str,
    password: str | None,
    name: str,
    role: str,
    currency: str,
    balance: int,
    referrer: str | None,
    as_json: bool,
) -> None:
    """Add an account with a wallet and one API key. The key is shown this once."""
    settings = Settings.from_environment()

    async def work(tx: Tx, now: datetime) -> tuple[Any, str]:
        hashed = None if password is None else account_rules.hash_password(password)
        command = AddAccount(email, Role(role), hashed, login_rules.clean_name(name))
        added = await accounts.add_account(tx, command, now=now)
        await wallet.open_wallet(tx, added.id, currency)
        if balance:
            await wallet.deposit(tx, added.id, balance, reference=f"opening/{added.id}", now=now)
        if referrer is not None:
            await referrals.add(
                tx,
                (await accounts.find_account(tx, referrer)).id,
                added.id,
                settings.referral_share_percent * 100,
                base_currency=settings.base_currency,
                now=now,
            )
        scopes = account_rules.SCOPES_OF_ROLE[added.role]
        _, key = await accounts.issue_key(tx, IssueKey(added.id, scopes), now=now)
        return added, key

    added, key = _run(work)
    if as_json:
        _print_json({"id": added.id, "email": added.email, "api_key": key})
    else:
        click.echo(f"Added {added.role} {added.email} with id {added.id}.")
        click.echo(f"API key, shown this once: {key}")


@account.command("list")
@click.option("--role", type=click.Choice([role.value for role in Role]), help="Only those of this role.")
@click.option(
    "--state", type=click.Choice([state.value for state in AccountState]), help="Only those in this state."
)
@click.option("--email", "email_part", metavar="PART", help="Only those with this in their email.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Accounts at most."
)
@_json
def account_list(
    role: str | None, state: str | None, email_part: str | None, limit: int, as_json: bool
) -> None:
    """Show accounts, newest first, and what their wallets hold."""
    wanted = ListAccounts(
        limit, Role(role) if role else None, AccountState(state) if state else None, email_part
    )

    async def work(tx: Tx, now: datetime) -> list[dict[str, Any]]:
        views = await accounts.list_accounts(tx, wanted)
        balances = await wallet.balances(tx, [one.account.id for one in views])
        return [_of_account(one, balances.get(one.account.id)) for one in views]

    found = _run(work)
    if as_json:
        _print_json(found)
        return
    for one in found:
        parts = (str(one["id"]), one["email"], one["role"], one["state"], _holdings(one))
        click.echo("\t".join((*parts, f"{one['created_at']:%Y-%m-%d %H:%M}")))
    if not found:
        click.echo("No accounts.")


@account.command("show")
@click.argument("email")
@_json
def account_show(email: str, as_json: bool) -> None:
    """Show an account: its wallet, who brought it, its keys without their texts, its pools."""

    async def work(tx: Tx, now: datetime) -> dict[str, Any]:
        view = await accounts.view(tx, email)
        account_id = view.account.id
        balance = (await wallet.balances(tx, [account_id])).get(account_id)
        share = (await referrals.shares(tx, [account_id])).get(account_id)
        permitted = sorted(service_id for _, service_id in await catalog.permissions(tx, [account_id]))
        owned = await pools.list_pools(tx, ListPools(10_000, supplier_id=account_id))
        return {
            **_of_account(view, balance),
            "name": view.name,
            "spent": balance and money.format_amount(balance.spent),
            "referrer": None
            if share is None
            else {
                "email": await accounts.email_of(tx, share.referrer_id),
                "share_percent": share.share_basis_points / 100,
            },
            "services_permitted": [load_catalog().service_at(one).slug for one in permitted],
            "keys": await accounts.list_keys(tx, account_id),
            "pools": [
                {
                    "id": str(one.pool.id),
                    "name": one.pool.name,
                    "kind": one.pool.kind.value,
                    "enabled": one.enabled,
                }
                for one in owned
            ],
        }

    found = _run(work)
    if as_json:
        _print_json(found)
        return
    name = f" {found['name']}," if found["name"] else ""
    click.echo(
        f"{found['email']}:{name} {found['role']}, {found['state']}, id {found['id']}, "
        f"since {found['created_at']:%Y-%m-%d %H:%M} UTC"
    )
    spent = f"; {found['spent']} spent" if found["spent"] is not None else ""
    click.echo(f"  {_holdings(found)}{spent}")
    if found["referrer"]:
        click.echo(
            f"  brought by {found['referrer']['email']}, who gets {found['referrer']['share_percent']:g} %"
        )
    if found["services_permitted"]:
        click.echo(f"  may use {', '.join(found['services_permitted'])}")
    for row in found["keys"]:
        click.echo(f"  key {_key_line(row)}")
    for one in found["pools"]:
        on_sale = "on sale" if one["enabled"] else "off sale"
        click.echo(f"  pool {one['id']}\t{one['name']}\t{one['kind']}\t{on_sale}")


def _of_account(view: AccountView, balance: Balance | None) -> dict[str, Any]:
    return {
        "id": view.account.id,
        "email": view.account.email,
        "role": view.account.role.value,
        "state": view.account.state.value,
        "currency": balance and balance.currency,
        "available": balance and money.format_amount(balance.available),
        "held": balance and money.format_amount(balance.held),
        "pending": balance and money.format_amount(balance.pending),
        "debt": balance and money.format_amount(balance.debt),
        "created_at": view.created_at,
    }


def _holdings(facts: dict[str, Any]) -> str:
    if facts["currency"] is None:
        return "no wallet"
    parts = [f"{facts['available']} {facts['currency']} available", f"{facts['held']} held"]
    parts += [f"{facts[name]} {name}" for name in ("pending", "debt") if facts[name] != "0"]
    return ", ".join(parts)


def _state_command(name: str, state: AccountState, help_text: str) -> None:
    @account.command(name, help=help_text)
    @click.argument("email")
    def command(email: str) -> None:
        async def work(tx: Tx, now: datetime) -> Any:
            changed = await accounts.set_state(tx, email, state, actor=_actor(), now=now)
            if state is AccountState.ACTIVE:
                await logins.unlock(tx, email)
            return changed

        changed = _run(work)
        click.echo(f"{changed.email} is {changed.state}.")


_state_command("suspend", AccountState.SUSPENDED, "Refuse every request of an account until it is activated.")
_state_command("lock", AccountState.LOCKED, "Lock an account for the time being.")
_state_command(
    "activate", AccountState.ACTIVE, "Let an account work again; also opens logins that failures locked."
)


@account.command("erase")
@_whose
@click.option("--reason", required=True, help="Why; kept in the audit log, so it must not say who.")
@_json
def account_erase(email: str | None, account_id: int | None, reason: str, as_json: bool) -> None:
    """Erase whose an account is, for good; what it bought and earned stays in the books. See docs/privacy.md.

    Nothing may be open: no lease, no money, no payout. A repeat changes nothing.
    """

    async def work(tx: Tx, now: datetime) -> Erased:
        named = await _account_named(tx, email, account_id)
        return await erasure.erase(tx, EraseAccount(named.id, reason, now), actor=_actor())

    erased = _run(work)
    if as_json:
        _print_json({"id": erased.account_id, "erased_before": erased.before})
    else:
        click.echo(f"Account {erased.account_id} {'was erased before' if erased.before else 'is erased'}.")


@cli.group()
def key() -> None:
    """API keys of an account: add, list, enable, disable."""


@key.command("add")
@click.argument("email")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may be used for; repeatable; by default all that the account's role may do.",
)
@click.option("--network", "networks", multiple=True, help="Allow only this address or CIDR network.")
@click.option("--pool", type=int, help="The pool a supplier's reports under this key go to.")
@_json
def key_add(
    email: str, scopes: tuple[str, ...], networks: tuple[str, ...], pool: int | None, as_json: bool
) -> None:
    """Issue another key. It is shown this once."""

    async def work(tx: Tx, now: datetime) -> tuple[int, str]:
        owner = await accounts.find_account(tx, email)
        chosen = tuple(Scope(scope) for scope in scopes) or account_rules.SCOPES_OF_ROLE[owner.role]
        command = IssueKey(owner.id, chosen, networks, await _known_pool(tx, pool))
        return await accounts.issue_key(tx, command, now=now)

    key_id, text = _run(work)
    if as_json:
        _print_json({"id": key_id, "api_key": text})
    else:
        click.echo(f"API key {key_id}, shown this once: {text}")


@key.command("list")
@click.argument("email")
@_json
def key_list(email: str, as_json: bool) -> None:
    """Show an account's keys, without their texts."""

    async def work(tx: Tx, now: datetime) -> Any:
        return await accounts.list_keys(tx, (await accounts.find_account(tx, email)).id)

    rows = _run(work)
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        click.echo(_key_line(row))


def _key_line(row: KeyView) -> str:
    state = "on" if row.enabled else "off"
    networks = f" from {', '.join(row.networks)}" if row.networks else ""
    return f"{row.id}\t{row.hint}…\t{state}\t{','.join(row.scopes)}{networks}"


def _key_switch(name: str, enabled: bool, help_text: str) -> None:
    @key.command(name, help=help_text)
    @click.argument("email")
    @click.argument("key_id", type=int)
    def command(email: str, key_id: int) -> None:
        async def work(tx: Tx, now: datetime) -> None:
            owner = await accounts.find_account(tx, email)
            await accounts.set_key_enabled(
                tx, owner.id, KeyId(key_id), enabled=enabled, actor=_actor(), now=now
            )

        _run(work)
        click.echo(f"Key {key_id} is {'on' if enabled else 'off'}.")


_key_switch("enable", True, "Switch a key on.")
_key_switch("disable", False, "Switch a key off.")


@cli.group("token")
def token_group() -> None:
    """Access tokens, what logins are answered with: rotate."""


@token_group.command("rotate")
@click.option("--now", "at_once", is_flag=True, help="Refuse every token that was signed before, at once.")
@_json
def token_rotate(at_once: bool, as_json: bool) -> None:
    """Sign access tokens with a new key from now on.

    Tokens signed before are good until they run out. With --now they are refused within seconds, by all processes: for a
    key that somebody else may have read. Refresh tokens stay good, so programs go on with a new access token.
    """

    async def work(tx: Tx, now: datetime) -> TokenKeyId:
        return await logins.rotate_token_key(tx, at_once=at_once, actor=_actor(), now=now)

    key_id = _run(work)
    if as_json:
        _print_json({"key_id": key_id})
        return
    fate = "are refused" if at_once else "are good until they run out"
    click.echo(f"Key {key_id} signs access tokens now. Tokens signed before {fate}.")


# Money


@cli.group("wallet")
def wallet_group() -> None:
    """Wallets: deposit, write-off, statement."""


@wallet_group.command("deposit")
@click.argument("email")
@click.argument("amount", type=AMOUNT)
@click.option("--reference", help="Booked once: a repeat with the same reference moves nothing.")
@_json
def wallet_deposit(email: str, amount: int, reference: str | None, as_json: bool) -> None:
    """Credit money that came in from outside."""
    if amount == 0:
        raise click.ClickException("a deposit must be more than zero")

    async def work(tx: Tx, now: datetime) -> Any:
        owner = await accounts.find_account(tx, email)
        given = reference or f"shell/{owner.id}/{now.isoformat()}"
        return await wallet.deposit(tx, owner.id, amount, reference=given, now=now)

    balance = _run(work)
    if as_json:
        available = money.format_amount(balance.available)
        _print_json(
            {"available": available, "held": money.format_amount(balance.held), "currency": balance.currency}
        )
    else:
        click.echo(
            f"{email} has {money.format_amount(balance.available, decimals_min=2)} {balance.currency}."
        )


@wallet_group.command("write-off")
@click.argument("email")
@_json
def wallet_write_off(email: str, as_json: bool) -> None:
    """Give up what an account owes, out of your revenue: for one that will earn nothing any more."""

    async def work(tx: Tx, now: datetime) -> tuple[int, str]:
        owner = await accounts.find_account(tx, email)
        amount = await wallet.write_off(tx, owner.id, reference=f"{owner.id}/{now.isoformat()}", now=now)
        currency = (await wallet.balance(tx, owner.id)).currency
        if amount:
            facts: dict[str, object] = {"account_id": owner.id, "amount": amount, "currency": currency}
            await audit.record(tx, actor=_actor(), action="wallet.written_off", facts=facts, now=now)
        return amount, currency

    amount, currency = _run(work)
    shown = money.format_amount(amount)
    if as_json:
        _print_json({"written_off": shown, "currency": currency})
    else:
        click.echo(f"{email} owed {shown} {currency}, and owes nothing any more.")


@wallet_group.command("statement")
@_whose
@click.option(
    "--from", "since", type=_Moment(ends=False), help="First day (UTC), or moment; default: the beginning."
)
@click.option("--until", type=_Moment(ends=True), help="Last day (UTC), or the moment it ends; default: now.")
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
            owner = await _account_named(tx, email, account_id)
            head = await wallet.statement(tx, StatementOf(owner.id, since, until))
        lines = statement.pages(database, head)
        parts = (
            statement.as_json(head, lines, email=owner.email)
            if form == "json"
            else statement.as_csv(head, lines)
        )
        async for part in parts:
            click.echo(part, nl=False)

    _run_in_steps(work)


@cli.group("funding")
def funding_group() -> None:
    """Deposits: banks, open, accounts, deposit, list, retry."""


def _funding(database: Database) -> Funding:
    """By way of the provider of the settings."""
    made: Funding = click.get_current_context().obj.funding(Settings.from_environment(), database)
    return made


@funding_group.command("banks")
@_json
def funding_banks(as_json: bool) -> None:
    """Show the banks virtual accounts can be opened at."""

    async def work(database: Database) -> Any:
        return await _funding(database).banks()

    banks = _run_in_steps(work)
    if as_json:
        _print_json([{"code": bank.code, "name": bank.name} for bank in banks])
        return
    for bank in banks:
        click.echo(f"{bank.code}\t{bank.name}")


@funding_group.command("open")
@click.argument("email")
@click.argument("bank_code", metavar="BANK")
@_json
def funding_open(email: str, bank_code: str, as_json: bool) -> None:
    """Open a virtual account that fills a wallet, at the bank with this code."""

    async def work(database: Database) -> Any:
        async with database.transaction() as tx:
            owner = await accounts.find_account(tx, email)
        return await _funding(database).create_virtual_account(CreateVirtualAccount(owner.id, bank_code))

    _show_accounts([_run_in_steps(work)], as_json)


@funding_group.command("accounts")
@click.argument("email")
@_json
def funding_accounts(email: str, as_json: bool) -> None:
    """Show the virtual accounts that fill a wallet."""
    provider = Settings.from_environment().funding_provider

    async def work(tx: Tx, now: datetime) -> Any:
        owner = await accounts.find_account(tx, email)
        return await funding.list_virtual_accounts(tx, ListVirtualAccounts(owner.id, provider))

    _show_accounts(_run(work).accounts, as_json)


def _show_accounts(shown: Sequence[VirtualAccount], as_json: bool) -> None:
    if as_json:
        _print_json([{"id": one.public_id, **_account_facts(one)} for one in shown])
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
@_json
def funding_deposit(account_number: str, amount: int, reference: str | None, as_json: bool) -> None:
    """Pay into a virtual account of the sandbox: money that exists for development only."""
    if Settings.from_environment().funding_provider != funding.SANDBOX:
        raise click.ClickException("deposits are taken by a real provider: pay into the bank account itself")

    async def work(tx: Tx, now: datetime) -> Any:
        return await funding.pay_sandbox(tx, SandboxPayment(account_number, amount, now, reference))

    try:
        booked, balance = _run(work)
    except click.ClickException as error:
        refusal = error.__cause__
        if isinstance(refusal, Refusal) and refusal.reason is Refused.UNKNOWN_ACCOUNT:
            raise click.ClickException(f"The sandbox has opened no account {account_number}.") from error
        raise
    available = money.format_amount(balance.available)
    if as_json:
        _print_json({"reference": booked, "available": available, "currency": balance.currency})
    else:
        click.echo(f"Paid under {booked}; its wallet has {available} {balance.currency}.")


@funding_group.command("list")
@click.option("--account", "email", help="Only those of this account.")
@click.option("--refused", "state", flag_value="refused", help="Only those that were not credited.")
@click.option("--waiting", "state", flag_value="seen", help="Only those that are still to be verified.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Deposits at most."
)
@_json
def funding_list(email: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """Show deposits, newest first, and why some were not credited."""

    async def work(tx: Tx, now: datetime) -> Any:
        owner = await accounts.find_account(tx, email) if email else None
        wanted = DepositState(state) if state else None
        return await funding.list_deposits(
            tx, state=wanted, account_id=owner.id if owner else None, limit=limit
        )

    deposits = _run(work)
    if as_json:
        _print_json(
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
        await funding.reopen_deposit(tx, name, reference, actor=_actor(), now=now)

    _run(work)
    click.echo(f"The deposit {reference} will be looked at again.")


@cli.group()
def ledger() -> None:
    """The ledger: verify."""


@ledger.command("verify")
@_json
def ledger_verify(as_json: bool) -> None:
    """Recount every wallet and every currency from the transfers; exit 1 when they do not agree."""

    async def work(tx: Tx, now: datetime) -> Any:
        return await wallet.verify(tx)

    found = _run(work)
    if as_json:
        _print_json(
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


@cli.command("earnings")
@click.argument("email")
@click.option(
    "--from", "since", type=_Moment(ends=False), help="First day (UTC), or moment; default: the beginning."
)
@click.option("--until", type=_Moment(ends=True), help="Last day (UTC), or the moment it ends; default: now.")
@_json
def earnings_command(email: str, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Show what a supplier earned, day by day, and what of it is pending, available or owed."""

    async def work(tx: Tx, now: datetime) -> Any:
        owner = await accounts.find_account(tx, email)
        return await earnings.report(tx, EarningsOf(owner.id, since, until))

    found = _run(work)
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
        _print_json({"currency": found.currency, **standing, "days": days})
        return
    for one in found.days:
        earned = money.format_amount(one.earned)
        back = money.format_amount(one.reversed)
        click.echo(
            f"{one.day}\t{one.leases} leases\t{earned} {found.currency}\t{one.reversed_leases} taken back\t{back}"
        )
    shown = ", ".join(f"{word} {amount}" for word, amount in standing.items())
    click.echo(f"{email}: {shown} {found.currency}")


@cli.command("refund")
@click.argument("lease", type=int)
@click.option("--reason", required=True, help="Why; kept with the refund.")
@_json
def refund_command(lease: int, reason: str, as_json: bool) -> None:
    """Pay the price of a sold activation back, and take the supplier's earning, cashback and referral back."""

    async def work(tx: Tx, now: datetime) -> Any:
        command = RefundActivation(ActivationId(lease), reason, now)
        return await refunds.refund(tx, command, actor=_actor())

    done = _run(work)
    amount = money.format_amount(done.amount)
    owed = {str(account_id): money.format_amount(debt) for account_id, debt in done.owed.items()}
    if as_json:
        _print_json({"lease": lease, "amount": amount, "currency": done.currency, "owed": owed})
        return
    click.echo(f"The buyer of {lease} got {amount} {done.currency} back.")
    for account_id, debt in owed.items():
        click.echo(f"Account {account_id} had too little for its share and owes {debt}.")


@cli.group("payout")
def payout_group() -> None:
    """Payouts of earnings: request, list, paid, reject."""


@payout_group.command("request")
@click.argument("email")
@click.argument("amount", type=AMOUNT)
@click.option("--method", required=True, help="Where the money is to go.")
@_json
def payout_request(email: str, amount: int, method: str, as_json: bool) -> None:
    """Ask, for a supplier, for money to be paid out. It is held until you say that it was paid or reject it."""

    async def work(tx: Tx, now: datetime) -> Any:
        owner = await accounts.find_account(tx, email)
        return await earnings.request_payout(tx, RequestPayout(owner.id, amount, method, now))

    _show_payouts([_run(work)], as_json)


@payout_group.command("list")
@click.option("--account", "email", help="Only those of this account.")
@click.option(
    "--state", type=click.Choice([state.value for state in PayoutState]), help="Only those in this state."
)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Payouts at most."
)
@_json
def payout_list(email: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """Show payouts, newest first."""

    async def work(tx: Tx, now: datetime) -> Any:
        owner = await accounts.find_account(tx, email) if email else None
        wanted = PayoutState(state) if state else None
        return await earnings.payouts(tx, account_id=owner.id if owner else None, state=wanted, limit=limit)

    _show_payouts(_run(work), as_json)


@payout_group.command("paid")
@click.argument("payout_id", metavar="PAYOUT", type=int)
@click.option("--note", help="The bank's reference.")
@_json
def payout_paid(payout_id: int, note: str | None, as_json: bool) -> None:
    """Record that the money of a payout has left."""

    async def work(tx: Tx, now: datetime) -> Any:
        return await earnings.pay_out(tx, PayoutId(payout_id), note=note, actor=_actor(), now=now)

    _show_payouts([_run(work)], as_json)


@payout_group.command("reject")
@click.argument("payout_id", metavar="PAYOUT", type=int)
@click.option("--reason", required=True, help="Why; its owner sees it.")
@_json
def payout_reject(payout_id: int, reason: str, as_json: bool) -> None:
    """Give the money of a payout back to its wallet."""

    async def work(tx: Tx, now: datetime) -> Any:
        return await earnings.reject_payout(tx, PayoutId(payout_id), reason=reason, actor=_actor(), now=now)

    _show_payouts([_run(work)], as_json)


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
        _print_json(facts)
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


# Supply


@cli.group()
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
@_json
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
        added = await pools.add_pool(tx, command, actor=_actor(), now=now)
        if added.kind is PoolKind.SANDBOX:
            await sandbox.stock(tx, added, [one.iso2 for one in countries] or ["US"])
        if protocol is not None and url is not None and remote_key is not None:
            profile = SetProfile(added.id, protocol, url, remote_key, dict(switches), key_in)
            await _set_profile(tx, check_profile, profile, now)
        return added

    added = _run(work)
    if as_json:
        _print_json({"id": str(added.id)})
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
@_json
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

    found = _run(work)
    if as_json:
        _print_json(found)
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


async def _known_pool(tx: Tx, pool_id: int | None) -> PoolId | None:
    """The pool a command was told to keep to; None: any. Refuses: UNKNOWN_POOL."""
    return None if pool_id is None else (await pools.find_pool(tx, PoolId(pool_id))).id


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
    await remote.set_profile(tx, wanted, actor=_actor(), now=now)


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
@_json
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

    view = _run(work)
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
        _print_json(facts)
        return
    for name, value in facts.items():
        shown = " ".join(f"{one}={of}" for one, of in value.items()) if isinstance(value, dict) else value
        click.echo(f"{name}\t{'' if shown is None else shown}")


@pool.command("problems")
@click.option("--pool", "pool_id", type=int, help="Of this pool only.")
@click.option("--clear", type=int, help="You have seen to the problem with this id.")
@_json
def pool_problems(pool_id: int | None, clear: int | None, as_json: bool) -> None:
    """Show what partners and upstreams were never told or never answered, and what of it may have to be put right by hand."""

    async def work(tx: Tx, now: datetime) -> list[Problem]:
        if clear is not None:
            try:
                await remote.clear_problem(tx, clear, actor=_actor(), now=now)
            except Refusal as refusal:
                raise click.ClickException(f"There is no problem {clear}.") from refusal
        return await remote.list_problems(tx, await _known_pool(tx, pool_id))

    found = _run(work)
    if as_json:
        _print_json(found)
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
@_json
def pool_names(pool_id: int | None, as_json: bool) -> None:
    """Show the names of countries, services and operators in stock reports that nobody here knows."""

    async def work(tx: Tx, now: datetime) -> list[UnknownName]:
        return await remote.unknown_names(tx, await _known_pool(tx, pool_id))

    found = _run(work)
    if as_json:
        _print_json(found)
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
@_json
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

    passed = _run_in_steps(work)
    if as_json:
        _print_json({"passed": passed, "checks": checks})
    if not passed:
        raise SystemExit(1)


@pool.command("consent")
@click.argument("pool_id", type=int)
@click.argument("statement")
def pool_consent(pool_id: int, statement: str) -> None:
    """Record a supplier's new consent statement."""

    async def work(tx: Tx, now: datetime) -> None:
        await pools.record_consent(tx, PoolId(pool_id), statement, actor=_actor(), now=now)

    _run(work)
    click.echo(f"Consent recorded for pool {pool_id}.")


def _pool_switch(name: str, enabled: bool, help_text: str) -> None:
    @pool.command(name, help=help_text)
    @click.argument("pool_id", type=int)
    def command(pool_id: int) -> None:
        async def work(tx: Tx, now: datetime) -> None:
            await pools.set_enabled(tx, PoolId(pool_id), enabled=enabled, actor=_actor(), now=now)

        _run(work)
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
        await pools.allow_rent(tx, PoolId(pool_id), allowed=allowed == "on", actor=_actor(), now=now)

    _run(work)
    click.echo(f"Pool {pool_id} rents {'numbers' if allowed == 'on' else 'nothing'} out.")


@pool.command("blacklist")
@click.argument("pool_id", metavar="POOL", type=int)
@click.argument("services", metavar="SERVICE", type=SERVICE, nargs=-1)
@click.option("--remove", is_flag=True, help="Sell them again.")
@_json
def pool_blacklist(pool_id: int, services: Sequence[Service], remove: bool, as_json: bool) -> None:
    """Have a pool not sell services, and their SMS not delivered to its activations; without services: show which."""

    async def work(tx: Tx, now: datetime) -> Any:
        for one in services:
            await pools.set_blacklisted(
                tx, PoolId(pool_id), one.id, blacklisted=not remove, actor=_actor(), now=now
            )
        return await pools.blacklisted(tx, PoolId(pool_id))

    slugs = [load_catalog().service_at(one).slug for one in _run(work)]
    if as_json:
        _print_json(slugs)
    else:
        click.echo(f"Pool {pool_id} does not sell: {', '.join(slugs) or 'nothing is left out'}.")


@pool.command("filter")
@click.argument("pool_id", metavar="POOL", type=int)
@click.argument("side", type=click.Choice([side.value for side in FilterSide]))
def pool_filter(pool_id: int, side: str) -> None:
    """Say who tells messages of other services from those of the ordered one: ours, or the partner."""

    async def work(tx: Tx, now: datetime) -> None:
        await pools.set_filter_side(tx, PoolId(pool_id), FilterSide(side), actor=_actor(), now=now)

    _run(work)
    who = "we tell" if side == FilterSide.OURS else "its supplier tells"
    click.echo(f"Pool {pool_id}: {who} messages of other services apart.")


@pool.command("forgive")
@click.argument("pool_id", metavar="POOL", type=int)
def pool_forgive(pool_id: int) -> None:
    """Sell a pool's offers again that were blocked, or put behind others, for their quality."""

    async def work(tx: Tx, now: datetime) -> int:
        return await quality.forgive(tx, PoolId(pool_id), actor=_actor(), now=now)

    click.echo(f"{_run(work)} offers of pool {pool_id} are sold as any others again.")


@cli.command("quality")
@click.option("--pool", "pool_id", type=int, help="Only this pool.")
@click.option("--days", type=click.IntRange(0, 3650), default=7, show_default=True, help="How far back.")
@_json
def quality_command(pool_id: int | None, days: int, as_json: bool) -> None:
    """Show how good what pools sell is: orders, deliveries, times, messages turned away, blocks."""

    async def work(tx: Tx, now: datetime) -> Any:
        since = (now - timedelta(days=days)).date()
        return await quality.report(tx, QualityOf(since, now, pool_id=await _known_pool(tx, pool_id)))

    found = _run(work)
    if as_json:
        _print_json([_quality_facts(one) for one in found])
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


@cli.group()
def number() -> None:
    """Numbers: block, unblock, check, checks, publish, withdraw."""


def _e164(msisdn: str) -> str:
    parsed = phone.parse(msisdn)
    if parsed is None:
        raise click.BadParameter(f"{msisdn!r} is not a number in international form, such as +46701740605")
    return parsed.e164


def _number_switch(name: str, blocked: bool, help_text: str) -> None:
    @number.command(name, help=help_text)
    @click.argument("msisdn", metavar="NUMBER")
    def command(msisdn: str) -> None:
        e164 = _e164(msisdn)

        async def work(tx: Tx, now: datetime) -> bool:
            return await numbers.set_blocked(tx, e164, blocked=blocked, actor=_actor(), now=now)

        changed = _run(work)
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
@_json
def number_check(msisdn: str, minutes: int, as_json: bool) -> None:
    """Have a supplier prove that a number is his: send the text that is printed to it, by another network.

    Until it has come in, or the time is over, nobody else gets the number.
    """
    number = _e164(msisdn)

    async def work(tx: Tx, now: datetime) -> Any:
        try:
            return await checks.start(tx, number, seconds=minutes * 60, actor=_actor(), now=now)
        except Refusal as refusal:
            if refusal.reason is Refused.NUMBER_IN_USE:
                raise click.ClickException(f"{number} is in use; try again later.") from refusal
            raise

    found = _run(work)
    if as_json:
        _print_json(_check_facts(found))
    else:
        click.echo(f"Send this to {number} before {found.due_at:%H:%M} UTC: {found.challenge}")


@number.command("checks")
@click.argument("msisdn", metavar="NUMBER", required=False)
@_json
def number_checks(msisdn: str | None, as_json: bool) -> None:
    """Show how checks of numbers went, newest first."""
    number = None if msisdn is None else _e164(msisdn)

    async def work(tx: Tx, now: datetime) -> Any:
        return await checks.checks(tx, number)

    found = _run(work)
    if as_json:
        _print_json([_check_facts(one) for one in found])
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
    e164 = _e164(msisdn)

    async def work(tx: Tx, now: datetime) -> None:
        await public_numbers.publish(tx, e164, actor=_actor(), now=now)

    _run(work)
    click.echo(f"{e164} is public: everybody can read its messages.")


@number.command("withdraw")
@click.argument("msisdn", metavar="NUMBER")
def number_withdraw(msisdn: str) -> None:
    """Publish a number no longer and drop its messages. A real one stays off sale until it is unblocked."""
    e164 = _e164(msisdn)

    async def work(tx: Tx, now: datetime) -> bool:
        return await public_numbers.withdraw(tx, e164, actor=_actor(), now=now)

    click.echo(f"{e164} is no longer public." if _run(work) else f"{e164} was not public.")


@cli.group()
def price() -> None:
    """Prices: set, unset, list."""


@price.command("set")
@click.argument("service", type=SERVICE)
@click.argument("country", type=COUNTRY)
@click.argument("amount", type=AMOUNT)
@click.option("--pool", "pool_id", type=int, help="For this pool only.")
def price_set(service: Service, country: Country, amount: int, pool_id: int | None) -> None:
    """Price a service in a country, in the base currency."""

    async def work(tx: Tx, now: datetime) -> None:
        pool = PoolId(pool_id) if pool_id is not None else None
        await pricing.set_price(
            tx, service_id=service.id, country=country.iso2, amount=amount, pool_id=pool, now=now
        )

    _run(work)
    where = f" in pool {pool_id}" if pool_id is not None else ""
    currency = Settings.from_environment().base_currency
    click.echo(f"{service.name} in {country.name}{where}: {money.format_amount(amount)} {currency}.")
    if service.prohibited:
        click.echo(
            f"{service.name} is {service.category}: sold only to accounts permitted to use it.", err=True
        )


@price.command("unset")
@click.argument("service", type=SERVICE)
@click.argument("country", type=COUNTRY)
@click.option("--pool", "pool_id", type=int, help="This pool's own price; the one for all when left out.")
def price_unset(service: Service, country: Country, pool_id: int | None) -> None:
    """Take a price back: without any, a service is not sold there any more."""

    async def work(tx: Tx, now: datetime) -> bool:
        pool = None if pool_id is None else (await pools.find_pool(tx, PoolId(pool_id))).id
        return await pricing.unset_price(tx, service_id=service.id, country=country.iso2, pool_id=pool)

    _say_unset(_run(work), f"{service.name} in {country.name}", pool_id)


def _say_unset(unset: bool, what: str, pool_id: int | None) -> None:
    where = f" in pool {pool_id}" if pool_id is not None else " for all pools"
    click.echo(
        f"{what}: {'no price' if unset else 'there was no price'}{where}{' any more' if unset else ''}."
    )


@price.command("list")
@click.option("--service", type=SERVICE, help="Only those of this service.")
@click.option("--country", type=COUNTRY, help="Only those in this country.")
@click.option("--pool", "pool_id", type=int, help="Only this pool's own.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Prices at most."
)
@_json
def price_list(
    service: Service | None, country: Country | None, pool_id: int | None, limit: int, as_json: bool
) -> None:
    """Show prices as they were set, by country, then by service.

    A pool's own is charged instead of the one for all.
    """
    base_currency = Settings.from_environment().base_currency

    async def work(tx: Tx, now: datetime) -> list[Price]:
        wanted = ListPrices(
            limit,
            service.id if service else None,
            country.iso2 if country else None,
            await _known_pool(tx, pool_id),
        )
        return await pricing.list_prices(tx, wanted)

    found = [(load_catalog().service_at(one.service_id).slug, one) for one in _run(work)]
    if as_json:
        _print_json(
            [
                {"service": slug, "country": one.country, **_price_facts(one, base_currency)}
                for slug, one in found
            ]
        )
        return
    for slug, one in found:
        click.echo(f"{slug}\t{one.country}\t{_price_line(one, base_currency)}")
    if not found:
        click.echo("No prices.")


def _price_facts(one: Price | RentalPrice, base_currency: str) -> dict[str, Any]:
    return {
        "pool": None if one.pool_id is None else str(one.pool_id),
        "pool_name": one.pool_name,
        "amount": money.format_amount(one.amount),
        "currency": base_currency,
        "set_at": one.set_at,
    }


def _price_line(one: Price | RentalPrice, base_currency: str) -> str:
    where = "all pools" if one.pool_id is None else f"pool {one.pool_id} {one.pool_name}"
    return f"{where}\t{money.format_amount(one.amount)} {base_currency}"


def _period(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


@cli.group()
def rent() -> None:
    """Rentals: price, unset, prices, list, bans."""


@rent.command("price")
@click.argument("country", type=COUNTRY)
@click.argument("days", type=click.IntRange(1, 365))
@click.argument("amount", type=AMOUNT)
@click.option("--pool", "pool_id", type=int, help="For this pool only.")
def rent_price(country: Country, days: int, amount: int, pool_id: int | None) -> None:
    """Price so many days of a number in a country, in the base currency.

    An auto-extended rental needs a price for 30 days.
    """

    async def work(tx: Tx, now: datetime) -> None:
        pool = PoolId(pool_id) if pool_id is not None else None
        await rentals.set_price(tx, country.iso2, days, amount, pool, now)

    _run(work)
    where = f" in pool {pool_id}" if pool_id is not None else ""
    currency = Settings.from_environment().base_currency
    click.echo(f"{_period(days)} in {country.name}{where}: {money.format_amount(amount)} {currency}.")


@rent.command("unset")
@click.argument("country", type=COUNTRY)
@click.argument("days", type=click.IntRange(1, 365))
@click.option("--pool", "pool_id", type=int, help="This pool's own price; the one for all when left out.")
def rent_unset(country: Country, days: int, pool_id: int | None) -> None:
    """Take the price of so many days back: without any, numbers are not rented out or extended for that long any more."""

    async def work(tx: Tx, now: datetime) -> bool:
        pool = None if pool_id is None else (await pools.find_pool(tx, PoolId(pool_id))).id
        return await rentals.unset_price(tx, country.iso2, days, pool)

    _say_unset(_run(work), f"{_period(days)} in {country.name}", pool_id)


@rent.command("prices")
@click.option("--country", type=COUNTRY, help="Only those in this country.")
@click.option("--pool", "pool_id", type=int, help="Only this pool's own.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Prices at most."
)
@_json
def rent_prices(country: Country | None, pool_id: int | None, limit: int, as_json: bool) -> None:
    """Show prices of rentals as they were set, by country, then by days.

    A pool's own is charged instead of the one for all.
    """
    base_currency = Settings.from_environment().base_currency

    async def work(tx: Tx, now: datetime) -> list[RentalPrice]:
        wanted = ListRentalPrices(limit, country.iso2 if country else None, await _known_pool(tx, pool_id))
        return await rentals.list_prices(tx, wanted)

    found = _run(work)
    if as_json:
        _print_json(
            [{"country": one.country, "days": one.days, **_price_facts(one, base_currency)} for one in found]
        )
        return
    for one in found:
        click.echo(f"{one.country}\t{_period(one.days)}\t{_price_line(one, base_currency)}")
    if not found:
        click.echo("No prices.")


@rent.command("list")
@click.argument("email")
@_json
def rent_list(email: str, as_json: bool) -> None:
    """Show an account's open rentals, without their messages."""
    base_currency = Settings.from_environment().base_currency

    async def work(tx: Tx, now: datetime) -> list[Rental]:
        account_id = (await accounts.find_account(tx, email)).id
        command = LookAtRentals(account_id, None, base_currency, per_page=0)
        return [view.rental for view in await rentals.look(tx, command)]

    found = _run(work)
    if as_json:
        _print_json(
            [
                {
                    "id": one.id,
                    "number": one.msisdn,
                    "state": one.state,
                    "auto_extend": one.auto_extend,
                    "days": one.days,
                    "price": money.format_amount(one.price),
                    "currency": one.currency,
                    "messages": one.messages,
                    "expires_at": one.expires_at.isoformat(),
                }
                for one in found
            ]
        )
        return
    for one in found:
        renews = ", extended by itself" if one.auto_extend else ""
        click.echo(f"{one.id}  {one.msisdn}  {one.state}  until {one.expires_at:%Y-%m-%d %H:%M} UTC{renews}")
    if not found:
        click.echo("No open rentals.")


@rent.command("bans")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Numbers at most."
)
@_json
def rent_bans(limit: int, as_json: bool) -> None:
    """Show numbers that are not rented out for a day, because three rentals in a row got no first SMS."""

    async def work(tx: Tx, now: datetime) -> list[RentBan]:
        return await numbers.rent_bans(tx, limit=limit)

    found = _run(work)
    if as_json:
        _print_json([{"number": one.msisdn, "pool": one.pool_id, "until": one.until} for one in found])
        return
    for one in found:
        click.echo(f"{one.msisdn}\tpool {one.pool_id}\tuntil {one.until:%Y-%m-%d %H:%M} UTC")
    if not found:
        click.echo("No number is banned from rent.")


@cli.group()
def fx() -> None:
    """Exchange rates: set, list."""


@fx.command("set")
@click.argument("currency", callback=_currency)
@click.argument("rate")
def fx_set(currency: str, rate: str) -> None:
    """Set how many units of a currency one unit of the base currency is worth."""
    base = Settings.from_environment().base_currency
    try:
        nanos = money.parse_rate(rate)
    except ValueError as error:
        raise click.BadParameter("use a positive number such as 1500 or 0.92") from error
    if currency == base:
        raise click.ClickException(f"{base} is the base currency; its rate is one")

    async def work(tx: Tx, now: datetime) -> None:
        await pricing.set_rate(tx, currency=currency, rate_nanos=nanos, now=now)

    _run(work)
    click.echo(f"1 {base} = {money.format_rate(nanos)} {currency}.")


@fx.command("list")
@_json
def fx_list(as_json: bool) -> None:
    """Show what one unit of the base currency is worth in each currency that was set."""
    base = Settings.from_environment().base_currency

    async def work(tx: Tx, now: datetime) -> dict[str, int]:
        return await pricing.rates(tx, base)

    rates = {currency: money.format_rate(nanos) for currency, nanos in sorted(_run(work).items())}
    if as_json:
        _print_json(rates)
        return
    for currency, rate in rates.items():
        click.echo(f"1 {base} = {rate} {currency}")


@cli.group()
def service() -> None:
    """Prohibited services: permit, forbid."""


@service.command("permit")
@click.argument("service", type=SERVICE)
@click.argument("email")
@click.option("--proof", required=True, help="How the account proved that it owns the sender.")
def service_permit(service: Service, email: str, proof: str) -> None:
    """Open a prohibited service to one account that proved it owns the sender."""

    async def work(tx: Tx, now: datetime) -> None:
        owner = await accounts.find_account(tx, email)
        await catalog.permit(tx, owner.id, service, proof=proof, actor=_actor(), now=now)

    _run(work)
    click.echo(f"{email} may use {service.name}.")


@service.command("forbid")
@click.argument("service", type=SERVICE)
@click.argument("email")
def service_forbid(service: Service, email: str) -> None:
    """Take such a permission back."""

    async def work(tx: Tx, now: datetime) -> bool:
        owner = await accounts.find_account(tx, email)
        return await catalog.forbid(tx, owner.id, service, actor=_actor(), now=now)

    if _run(work):
        click.echo(f"{email} may no longer use {service.name}.")
    else:
        everybodys = "" if service.prohibited else ", which everybody may use"
        click.echo(f"{email} had no permission for {service.name}{everybodys}.")


# Webhooks


@cli.group()
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
        await audit.record(tx, actor=_actor(), action="webhook.set", facts=facts, now=now)
        return await webhooks.set_endpoint(tx, SetEndpoint(owner.id, format_name, event, url, networks, now))

    endpoint = _run(work)
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
        await audit.record(tx, actor=_actor(), action="webhook.off", facts=facts, now=now)
        event = _WEBHOOK_EVENTS[format_name]
        await webhooks.set_endpoint(tx, SetEndpoint(owner.id, format_name, event, None, (), now))

    _run(work)
    click.echo(f"{email} is told of nothing in the words of {format_name}.")


@webhook.command("show")
@click.argument("email")
@_json
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
        for one in _run(work)
    ]
    if as_json:
        _print_json(found)
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
@_json
def webhook_log(email: str, page: int, as_json: bool) -> None:
    """Show what an account was told, newest first, without the texts."""

    async def work(tx: Tx, now: datetime) -> DeliveryPage:
        owner = await accounts.find_account(tx, email)
        return await webhooks.list_deliveries(tx, ListDeliveries(owner.id, page=page, per_page=50))

    found = _run(work)
    if as_json:
        _print_json(
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
        await audit.record(tx, actor=_actor(), action="webhook.replayed", facts=facts, now=now)
        if delivery_id is None:
            return await webhooks.replay_failed(tx, owner.id, now=now)
        await webhooks.replay(tx, owner.id, DeliveryId(delivery_id), now=now)
        return 1

    click.echo(f"{_run(work)} to be sent again.")


# Gateways


@cli.group()
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
@_json
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
        return await gateways.add_gateway(tx, command, actor=_actor(), now=now)

    added, token = _run(work)
    if as_json:
        address = gateway_endpoints.path(added.kind, token)
        _print_json({"id": added.id, "path": address, "secret": added.secret})
        return
    _print_set_up(added, token, base_url)


@gateway.command("list")
@_json
def gateway_list(as_json: bool) -> None:
    """Show all gateways, and when each last called."""

    async def work(tx: Tx, now: datetime) -> list[Gateway]:
        return await gateways.list_gateways(tx)

    found = _run(work)
    if as_json:
        _print_json([_gateway_facts(one) for one in found])
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
@_json
def gateway_show(name: str, as_json: bool) -> None:
    """Show a gateway: which number each SIM is, SIMs nobody knows, and what became of a week's messages."""

    async def work(tx: Tx, now: datetime) -> GatewayView:
        return await gateways.view(tx, name, now=now)

    found = _run(work)
    if as_json:
        _print_json(
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
        _print_sims(_run(look))
        return
    if listing or key is None or msisdn is None:
        raise click.UsageError("give a key and a number, or --list")
    e164, known = _e164(msisdn), key

    async def work(tx: Tx, now: datetime) -> None:
        await gateways.map_sim(tx, name, known, e164, actor=_actor(), now=now)

    _run(work)
    click.echo(f"{known} at {name} is {e164}.")


@gateway.command("unmap")
@click.argument("name")
@click.argument("key")
def gateway_unmap(name: str, key: str) -> None:
    """Forget which number a SIM is."""

    async def work(tx: Tx, now: datetime) -> bool:
        return await gateways.unmap_sim(tx, name, key, actor=_actor(), now=now)

    click.echo(f"{key} at {name} is forgotten." if _run(work) else f"{key} at {name} was not known.")


def _gateway_switch(name: str, enabled: bool, help_text: str) -> None:
    @gateway.command(name, help=help_text)
    @click.argument("gateway_name", metavar="NAME")
    def command(gateway_name: str) -> None:
        async def work(tx: Tx, now: datetime) -> None:
            await gateways.set_enabled(tx, gateway_name, enabled=enabled, actor=_actor(), now=now)

        _run(work)
        click.echo(f"{gateway_name} is {'on' if enabled else 'off'}.")


_gateway_switch("on", True, "Take messages from a gateway.")
_gateway_switch("off", False, "Take nothing from a gateway: it is answered 403.")


@gateway.command("address")
@click.argument("name")
@_base_url
def gateway_address(name: str, base_url: str) -> None:
    """Give a gateway a new secret address; the one before is good for nothing any more."""

    async def work(tx: Tx, now: datetime) -> tuple[Gateway, str]:
        return await gateways.renew_token(tx, name, actor=_actor(), now=now)

    _print_set_up(*_run(work), base_url)


@gateway.command("remove")
@click.argument("name")
def gateway_remove(name: str) -> None:
    """Forget a gateway, and which number each of its SIMs is."""

    async def work(tx: Tx, now: datetime) -> None:
        await gateways.remove_gateway(tx, name, actor=_actor(), now=now)

    _run(work)
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
    logs.configure(Settings.from_environment().log_level)
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


# Messages


@cli.group("messages")
def messages_group() -> None:
    """Messages: late, extract."""


@messages_group.command("late")
@click.option("--lease", "lease_id", type=int, help="Only those of this activation or rental.")
@click.option("--number", "msisdn", help="Only those of this number.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Messages at most."
)
@_json
def messages_late(lease_id: int | None, msisdn: str | None, limit: int, as_json: bool) -> None:
    """Show SMS that came moments after their lease had closed, newest first.

    Their buyers never see them. That you did is in the audit log.
    """
    number = None if msisdn is None else _e164(msisdn)
    lease = None if lease_id is None else ActivationId(lease_id)

    async def work(tx: Tx, now: datetime) -> list[LateMessage]:
        return await messages.show_late(
            tx, lease_id=lease, msisdn=number, limit=limit, actor=_actor(), now=now
        )

    found = _run(work)
    if as_json:
        _print_json(
            [
                {
                    "id": one.id,
                    "lease": one.lease_id,
                    "number": one.msisdn,
                    "sender": one.sender,
                    "text": one.text,
                    "sent_at": one.sent_at,
                    "received_at": one.received_at,
                }
                for one in found
            ]
        )
        return
    for one in found:
        parts = (f"{one.received_at:%Y-%m-%d %H:%M:%S}", str(one.lease_id), one.msisdn, one.sender, one.text)
        # A line for each, whatever a text holds.
        click.echo("\t".join(" ".join(part.split()) for part in parts))
    if not found:
        click.echo("No late messages.")


@messages_group.command("extract")
def messages_extract() -> None:
    """Read codes out of SMS texts.

    JSON lines {"sender", "text", "service"} on standard input; {"code", "confidence", "span"} on standard output.
    """
    for line in lines.extract_lines(io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace")):
        click.echo(line)


@cli.command("demo")
def demo_command() -> None:
    """Tell one story over real HTTP: numbers, an order, an SMS, a code, a refund, the books."""
    try:
        demo.run()
    except demo.DemoFailed as error:
        raise click.ClickException(str(error)) from error


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a shell's completion script: `source <(simyard completion bash)`."""
    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"no completion for {shell}")
    click.echo(found(cli, {}, "simyard", "_SIMYARD_COMPLETE").source())
