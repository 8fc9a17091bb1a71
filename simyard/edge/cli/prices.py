"""What is sold at which price, for rent too, in which currencies, and to whom what is prohibited."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import click

from simyard.base import money
from simyard.base.ids import PoolId
from simyard.core.accounts import service as accounts
from simyard.core.catalog import service as catalog
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.catalog.model import Country, Service
from simyard.core.numbers import service as numbers
from simyard.core.numbers.model import RentBan
from simyard.core.pools import service as pools
from simyard.core.pricing import service as pricing
from simyard.core.pricing.model import ListPrices, Price
from simyard.core.rentals import service as rentals
from simyard.core.rentals.model import ListRentalPrices, LookAtRentals, Rental, RentalPrice
from simyard.db.database import Tx
from simyard.edge.cli.parameters import AMOUNT, COUNTRY, SERVICE, currency_code, json_option, known_pool
from simyard.edge.cli.shell import actor, print_json, run
from simyard.settings import Settings


@click.group()
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

    run(work)
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

    _say_unset(run(work), f"{service.name} in {country.name}", pool_id)


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
@json_option
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
            await known_pool(tx, pool_id),
        )
        return await pricing.list_prices(tx, wanted)

    found = [(load_catalog().service_at(one.service_id).slug, one) for one in run(work)]
    if as_json:
        print_json(
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


@click.group()
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

    run(work)
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

    _say_unset(run(work), f"{_period(days)} in {country.name}", pool_id)


@rent.command("prices")
@click.option("--country", type=COUNTRY, help="Only those in this country.")
@click.option("--pool", "pool_id", type=int, help="Only this pool's own.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Prices at most."
)
@json_option
def rent_prices(country: Country | None, pool_id: int | None, limit: int, as_json: bool) -> None:
    """Show prices of rentals as they were set, by country, then by days.

    A pool's own is charged instead of the one for all.
    """
    base_currency = Settings.from_environment().base_currency

    async def work(tx: Tx, now: datetime) -> list[RentalPrice]:
        wanted = ListRentalPrices(limit, country.iso2 if country else None, await known_pool(tx, pool_id))
        return await rentals.list_prices(tx, wanted)

    found = run(work)
    if as_json:
        print_json(
            [{"country": one.country, "days": one.days, **_price_facts(one, base_currency)} for one in found]
        )
        return
    for one in found:
        click.echo(f"{one.country}\t{_period(one.days)}\t{_price_line(one, base_currency)}")
    if not found:
        click.echo("No prices.")


@rent.command("list")
@click.argument("email")
@json_option
def rent_list(email: str, as_json: bool) -> None:
    """Show an account's open rentals, without their messages."""
    base_currency = Settings.from_environment().base_currency

    async def work(tx: Tx, now: datetime) -> list[Rental]:
        account_id = (await accounts.find_account(tx, email)).id
        command = LookAtRentals(account_id, None, base_currency, per_page=0)
        return [view.rental for view in await rentals.look(tx, command)]

    found = run(work)
    if as_json:
        print_json(
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
@json_option
def rent_bans(limit: int, as_json: bool) -> None:
    """Show numbers that are not rented out for a day, because three rentals in a row got no first SMS."""

    async def work(tx: Tx, now: datetime) -> list[RentBan]:
        return await numbers.rent_bans(tx, limit=limit)

    found = run(work)
    if as_json:
        print_json([{"number": one.msisdn, "pool": one.pool_id, "until": one.until} for one in found])
        return
    for one in found:
        click.echo(f"{one.msisdn}\tpool {one.pool_id}\tuntil {one.until:%Y-%m-%d %H:%M} UTC")
    if not found:
        click.echo("No number is banned from rent.")


@click.group()
def fx() -> None:
    """Exchange rates: set, list."""


@fx.command("set")
@click.argument("currency", callback=currency_code)
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

    run(work)
    click.echo(f"1 {base} = {money.format_rate(nanos)} {currency}.")


@fx.command("list")
@json_option
def fx_list(as_json: bool) -> None:
    """Show what one unit of the base currency is worth in each currency that was set."""
    base = Settings.from_environment().base_currency

    async def work(tx: Tx, now: datetime) -> dict[str, int]:
        return await pricing.rates(tx, base)

    rates = {currency: money.format_rate(nanos) for currency, nanos in sorted(run(work).items())}
    if as_json:
        print_json(rates)
        return
    for currency, rate in rates.items():
        click.echo(f"1 {base} = {rate} {currency}")


@click.group()
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
        await catalog.permit(tx, owner.id, service, proof=proof, actor=actor(), now=now)

    run(work)
    click.echo(f"{email} may use {service.name}.")


@service.command("forbid")
@click.argument("service", type=SERVICE)
@click.argument("email")
def service_forbid(service: Service, email: str) -> None:
    """Take such a permission back."""

    async def work(tx: Tx, now: datetime) -> bool:
        owner = await accounts.find_account(tx, email)
        return await catalog.forbid(tx, owner.id, service, actor=actor(), now=now)

    if run(work):
        click.echo(f"{email} may no longer use {service.name}.")
    else:
        everybodys = "" if service.prohibited else ", which everybody may use"
        click.echo(f"{email} had no permission for {service.name}{everybodys}.")


COMMANDS: Final = (price, rent, fx, service)
