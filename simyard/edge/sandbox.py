"""Fictitious numbers, and the demo account that comes with them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path

from simyard.base.clock import SystemClock
from simyard.base.ids import AccountId
from simyard.base.money import MICROS
from simyard.base.refusals import Refusal
from simyard.core.accounts import rules as account_rules
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AddAccount, IssueKey, Role
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.numbers import service as numbers
from simyard.core.numbers.model import ReportedNumber
from simyard.core.pools import ranges
from simyard.core.pools import service as pools
from simyard.core.pools.model import AddPool, Pool, PoolKind
from simyard.core.pricing import service as pricing
from simyard.core.public_numbers import service as public_numbers
from simyard.core.rentals import service as rentals
from simyard.core.wallet import service as wallet
from simyard.db.database import Database, Tx
from simyard.settings import Settings

NUMBERS_MAX = 10_000
DEMO_EMAIL = "demo@simyard.localhost"
_POOL = "sandbox"
_BALANCE = 1000 * MICROS
_COUNTRIES = ("US", "GB")
_CONSENT = "Numbers of ranges reserved for drama and documentation; nobody owns them."
_PRICES = {
    "whatsapp": 1_083_000,
    "telegram": 450_000,
    "google": 250_000,
    "facebook": 500_000,
    "signal": 600_000,
    "discord": 200_000,
}
# Whole amounts: clients of some protocols read no others.
_TARIFFS = {1: 1 * MICROS, 7: 5 * MICROS, 30: 15 * MICROS}
_RENT_EVERY = 4


async def stock(tx: Tx, pool: Pool, countries: Iterable[str]) -> int:
    """Put the fictitious ranges of some countries on a sandbox pool's list; returns how many numbers it has then.

    A share of them may be rented, if the pool's may.
    """
    listed = [
        ReportedNumber(msisdn, country, None, msisdn, None, place % _RENT_EVERY == 0)
        for country in countries
        for place, msisdn in enumerate(islice(ranges.numbers(country), NUMBERS_MAX))
    ]
    return len((await numbers.stock_sandbox(tx, pool, listed)).ids)


async def set_up(url: str, settings: Settings) -> list[str]:
    """A sandbox pool, prices, and a demo account with money. A repeat adds nothing; returns lines to print.

    The demo account's key is kept beside the embedded database, readable by its owner only, so that every start can
    show it: it opens play money.
    """
    async with (
        await Database.connect(url, connections_max=1, application_name="simyard sandbox") as database,
        database.transaction() as tx,
    ):
        pool = await pools.find_pool_by_name(tx, _POOL)
        if pool is None:
            pool = await _add_pool(tx)
        if not pool.rent_allowed:
            await _rent_out(tx, pool)
        await _publish(tx)
        key = await _demo_key(tx, settings.data_dir / "demo.key")
    return [
        f"Sandbox numbers are on sale from pool {pool.id}; their SMS come {settings.sandbox_sms_seconds:g} s after an order.",
        f"Demo account {DEMO_EMAIL}, API key {key}",
    ]


async def _add_pool(tx: Tx) -> Pool:
    now = SystemClock().now()
    command = AddPool(_POOL, PoolKind.SANDBOX, None, 0, _CONSENT)
    pool = await pools.add_pool(tx, command, actor="sandbox", now=now)
    known = load_catalog()
    for slug, amount in _PRICES.items():
        service = known.service(slug)
        if service is None:
            raise RuntimeError(f"the catalogue has no {slug}")
        for country in _COUNTRIES:
            await pricing.set_price(
                tx, service_id=service.id, country=country, amount=amount, pool_id=pool.id, now=now
            )
    return pool


async def _rent_out(tx: Tx, pool: Pool) -> None:
    """Stock the pool, a new one or one of a version that rented nothing out, with numbers for rent too."""
    now = SystemClock().now()
    await stock(tx, await pools.allow_rent(tx, pool.id, allowed=True, actor="sandbox", now=now), _COUNTRIES)
    for country in _COUNTRIES:
        for days, amount in _TARIFFS.items():
            await rentals.set_price(tx, country, days, amount, pool.id, now)


async def _publish(tx: Tx) -> None:
    """One public number for each country that has none. One that is leased just now is left to the next start."""
    now = SystemClock().now()
    known = await public_numbers.list_countries(tx)
    for country in _COUNTRIES:
        if country not in known:
            *_, last = islice(ranges.numbers(country), NUMBERS_MAX)
            with suppress(Refusal):
                await public_numbers.publish(tx, last, actor="sandbox", now=now)


async def _demo_key(tx: Tx, path: Path) -> str:
    """The demo account's key: the one on file while it works, else a new one."""
    now = SystemClock().now()
    account_id = await _demo_account(tx)
    if path.exists():
        kept = path.read_text().strip()
        if account_rules.hint(kept) in {row.hint for row in await accounts.list_keys(tx, account_id)}:
            return kept
    scopes = account_rules.SCOPES_OF_ROLE[Role.BUYER]
    _, key = await accounts.issue_key(tx, IssueKey(account_id, scopes), now=now)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key + "\n")
    return key


async def _demo_account(tx: Tx) -> AccountId:
    known = await accounts.find_account_or_none(tx, DEMO_EMAIL)
    if known is not None:
        return known.id
    now = SystemClock().now()
    added = await accounts.add_account(tx, AddAccount(DEMO_EMAIL, Role.BUYER), now=now)
    await wallet.open_wallet(tx, added.id, "USD")
    await wallet.deposit(tx, added.id, _BALANCE, reference="demo", now=now)
    return added.id
