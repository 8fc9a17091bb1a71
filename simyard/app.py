"""Wires everything: the database, the core's lanes, the dialects, the workers and the command line."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import asyncpg
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from simyard.base.clock import Clock, SystemClock
from simyard.core.catalog import service as catalog
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.lanes import Lanes
from simyard.core.loyalty.model import Loyalty
from simyard.core.numbers import service as numbers
from simyard.core.remote.model import Profile
from simyard.core.steps import Steps
from simyard.core.webhooks.model import Announcement
from simyard.db import migrate
from simyard.db.database import Database, DatabaseUnusable
from simyard.edge import cli, docs_pages, health
from simyard.edge.dialects.daisysim import v1 as virtual
from simyard.edge.dialects.daisysim import v2 as server7
from simyard.edge.dialects.daisysim import webhook as daisysim_webhook
from simyard.edge.dialects.onlinesim import demo as onlinesim_demo
from simyard.edge.dialects.onlinesim import dialect as onlinesim
from simyard.edge.dialects.onlinesim import webhook as onlinesim_webhook
from simyard.edge.dialects.onlinesim_reseller import agent as reseller_agent
from simyard.edge.dialects.onlinesim_reseller import v1 as reseller_v1
from simyard.edge.dialects.onlinesim_reseller import v2 as reseller
from simyard.edge.dialects.quicksim import dialect as quicksim
from simyard.edge.funding import FundingEndpoints
from simyard.edge.gateways.endpoints import GatewayEndpoints
from simyard.edge.http import DialectApp
from simyard.edge.wire import Dialect
from simyard.settings import Settings
from simyard.workers import identity
from simyard.workers.funding import FundingSteps, provider_of
from simyard.workers.identity import IssuerKeys
from simyard.workers.logins import LoginSteps, Passwords
from simyard.workers.loops import Workers
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.remote import partner_checks
from simyard.workers.remote.acquire import RemoteAcquirer, Sources
from simyard.workers.remote.partner_checks import Listening, PartnerChecks
from simyard.workers.remote.sources import source_of

log = logging.getLogger(__name__)

# Onlinesim's `/api` holds the places of others, which must be looked at first.
DIALECTS: tuple[Dialect, ...] = (
    virtual.DIALECT,
    server7.DIALECT,
    reseller.DIALECT,
    reseller_v1.DIALECT,
    reseller_agent.DIALECT,
    quicksim.DIALECT,
    onlinesim_demo.DIALECT,
    onlinesim.DIALECT,
)

# Whose words accounts are told of messages in.
WEBHOOK_FORMATS: Mapping[str, Callable[[Announcement], bytes]] = {
    daisysim_webhook.FORMAT: daisysim_webhook.render,
    "onlinesim": onlinesim_webhook.render,
}


async def prepare(url: str) -> list[str]:
    """Bring a database up to date: its schema, its catalogue. Returns the migrations that were applied.

    Safe to run from many processes at once; a repeat changes nothing.
    """
    applied = await migrate.migrate(url)
    async with (
        await Database.connect(url, connections_max=1, application_name="simyard prepare") as database,
        database.transaction() as tx,
    ):
        await catalog.sync(tx, load_catalog())
        await numbers.forget_foreign_cursors(tx)
    return applied


class _Served:
    """A dialect's place in the routes, filled in once the database is open."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.app: DialectApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.app is None:
            raise RuntimeError("the application was not started")
        await self.app(scope, receive, send)


def build(settings: Settings, url: str, *, with_workers: bool, clock: Clock | None = None) -> Starlette:
    """The web application on a prepared database. With workers, it also does what is due."""
    time = clock or SystemClock()
    served = [_Served(dialect) for dialect in DIALECTS]
    deposits = FundingEndpoints(settings, time)
    gateways = GatewayEndpoints(time, online_seconds=settings.number_online_seconds)
    ready: list[Database] = []

    async def problem() -> str | None:
        if not ready:
            return "starting or stopping"
        try:
            async with ready[0].connection() as tx:
                return "migrations are pending" if await migrate.pending(tx) else None
        except (
            OSError,
            TimeoutError,
            DatabaseUnusable,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
        ) as error:
            return f"the database does not answer: {type(error).__name__}"

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            durable = await stack.enter_async_context(await _connect(settings, url, synchronous_commit=True))
            relaxed = await stack.enter_async_context(await _connect(settings, url, synchronous_commit=False))
            lanes = Lanes(
                durable,
                relaxed,
                slots=settings.lane_slots,
                batch_max=settings.lane_batch_max,
                queue_max=settings.lane_queue_max,
                loyalty=Loyalty(settings.loyalty_tiers, settings.base_currency),
                earning_hold=timedelta(hours=settings.earning_hold_hours),
                late_within=timedelta(seconds=settings.late_message_seconds),
            )
            stack.push_async_callback(lanes.close)
            acquirer = _acquirer(settings, durable, time)
            lanes.order.acquirer = acquirer
            stack.push_async_callback(acquirer.close)
            if with_workers:
                workers = Workers(durable, url, time, settings, webhook_formats=WEBHOOK_FORMATS)
                await stack.enter_async_context(_working(workers))
            passwords = Passwords()
            stack.callback(passwords.close)
            steps = Steps(
                logins=LoginSteps(durable, time, settings, passwords, _issuer_keys(settings, time)),
                funding=funding_of(settings, durable, time),
                rent=acquirer.rent,
            )
            for one in served:
                one.app = DialectApp(
                    one.dialect, lanes=lanes, database=durable, clock=time, settings=settings, steps=steps
                )
            deposits.open(durable, lanes)
            gateways.open(durable, lanes)
            ready.append(durable)
            yield
            ready.clear()

    return Starlette(
        routes=[
            *(Route(path, one) for one in served for path in one.dialect.stray_paths),
            *(Mount(path, one) for one in served for path in _mounts(one.dialect)),
            *deposits.routes(),
            *gateways.routes(),
            *health.routes(problem),
            *docs_pages.routes(DIALECTS),
        ],
        lifespan=lifespan,
    )


def _mounts(dialect: Dialect) -> tuple[str, ...]:
    return (dialect.prefix,) if dialect.mounts is None else dialect.mounts


def _acquirer(settings: Settings, database: Database, clock: Clock) -> RemoteAcquirer:
    client = OutgoingClient(networks_allowed=settings.remote_networks_allowed)
    sources = Sources(database, client, settings.base_currency)
    return RemoteAcquirer(database, clock, sources, budget_seconds=settings.remote_order_seconds)


def _issuer_keys(settings: Settings, clock: Clock) -> IssuerKeys:
    # The address is the operator's own word, so it may lie in his network.
    client = OutgoingClient(networks_allowed=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    return IssuerKeys(identity.fetching(client, settings.oidc_keys_url), clock)


async def _connect(settings: Settings, url: str, *, synchronous_commit: bool) -> Database:
    """One of the two pools of a process, each with half of its connections."""
    connections_max = max(1, settings.database_connections_max // 2)
    return await Database.connect(url, connections_max=connections_max, synchronous_commit=synchronous_commit)


@asynccontextmanager
async def _working(workers: Workers) -> AsyncIterator[None]:
    running = asyncio.create_task(workers.run(), name="workers")
    try:
        yield
    finally:
        workers.stop()
        await running


def funding_of(settings: Settings, database: Database, clock: Clock | None = None) -> FundingSteps:
    """Deposits by way of the provider the settings name."""
    return FundingSteps(database, provider_of(settings, database), clock or SystemClock())


def check_profile(profile: Profile) -> None:
    """Raises WrongSwitch for a profile its protocol cannot use."""
    base_currency = Settings.from_environment().base_currency
    source_of(replace(profile, base_currency=base_currency), OutgoingClient())


async def try_partner(
    profile: Profile,
    trial: cli.PartnerTrial,
    *,
    tell: Callable[[str, str, str], None],
    prompt: Callable[[str], None],
) -> bool:
    """Try a partner's server; see `workers/remote/partner_checks.py`. ValueError for a protocol that has no partners."""
    if profile.protocol not in partner_checks.PROTOCOLS:
        raise ValueError(f"only partners can be tried, not {profile.protocol}")
    listening = None if trial.listen is None else Listening(*trial.listen, seconds=trial.seconds)
    checks = PartnerChecks(
        profile,
        OutgoingClient(networks_allowed=Settings.from_environment().remote_networks_allowed),
        amount=trial.amount,
        currency=trial.currency,
        country=trial.country,
        service_id=trial.service_id,
        listening=listening,
        tell=lambda check: tell(check.name, check.outcome.value, check.detail),
        prompt=prompt,
    )
    await checks.run()
    return checks.passed


def main() -> None:
    """The `simyard` command."""
    cli.main(
        obj=cli.Wiring(
            prepare=prepare,
            build=build,
            funding=funding_of,
            check_profile=check_profile,
            try_partner=try_partner,
        )
    )
