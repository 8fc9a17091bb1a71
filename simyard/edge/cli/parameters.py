"""How commands read what they are given: amounts, days, services, countries, numbers, accounts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import wraps
from typing import Any

import click

from simyard.base import money, phone
from simyard.base.ids import AccountId, PoolId
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import Account
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.catalog.model import Country, Service
from simyard.core.pools import service as pools
from simyard.db.database import Tx
from simyard.edge.dialects import codes


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


class Moment(click.ParamType[datetime]):
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


def currency_code(ctx: click.Context, param: click.Parameter, value: str) -> str:
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


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def whose(command: Callable[..., None]) -> Callable[..., None]:
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


async def account_named(tx: Tx, email: str | None, account_id: int | None) -> Account:
    if account_id is not None:
        return await accounts.find_account_by_id(tx, AccountId(account_id))
    return await accounts.find_account(tx, email or "")


async def known_pool(tx: Tx, pool_id: int | None) -> PoolId | None:
    """The pool a command was told to keep to; None: any. Refuses: UNKNOWN_POOL."""
    return None if pool_id is None else (await pools.find_pool(tx, PoolId(pool_id))).id


def read_number(msisdn: str) -> str:
    parsed = phone.parse(msisdn)
    if parsed is None:
        raise click.BadParameter(f"{msisdn!r} is not a number in international form, such as +46701740605")
    return parsed.e164
