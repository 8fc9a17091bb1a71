"""What every command stands on: the database it runs on, what refusals say, what the application hands in."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

import click
import msgspec
from starlette.applications import Starlette

from simyard.base import money
from simyard.base.clock import SystemClock
from simyard.base.refusals import Refusal, Refused
from simyard.core.funding.model import Funding
from simyard.core.remote.model import Profile
from simyard.db import embedded
from simyard.db.database import Database, Tx
from simyard.settings import Settings

T = TypeVar("T")


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
def database_server(settings: Settings) -> Iterator[str]:
    """The URL of the database of the settings; the embedded one is started when nothing runs on it."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    server = embedded.start(settings.data_dir)
    try:
        yield server.url()
    finally:
        server.stop()


def run(work: Callable[[Tx, datetime], Awaitable[T]]) -> T:
    """Do one thing in one transaction. A refusal becomes a sentence."""

    async def in_transaction(database: Database) -> T:
        return await database.run(lambda tx: work(tx, SystemClock().now()))

    return run_in_steps(in_transaction)


def run_in_steps(work: Callable[[Database], Awaitable[T]]) -> T:
    """Do what takes several transactions. A refusal becomes a sentence."""
    wiring = click.get_current_context().obj

    async def run(url: str) -> T:
        await wiring.prepare(url)
        async with await Database.connect(
            url, connections_max=2, application_name="simyard command"
        ) as database:
            return await work(database)

    try:
        with database_server(Settings.from_environment()) as url:
            return asyncio.run(run(url))
    except Refusal as refusal:
        raise click.ClickException(_sentence(refusal)) from refusal


def actor() -> str:
    try:
        return f"shell:{getpass.getuser()}"
    except (KeyError, OSError):
        return "shell"


def print_json(value: object) -> None:
    click.echo(msgspec.json.encode(value).decode())
