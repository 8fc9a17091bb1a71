"""Accounts, their keys, and the key of access tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import click

from simyard.base import money
from simyard.base.ids import KeyId, TokenKeyId
from simyard.base.refusals import Refusal
from simyard.core.accounts import rules as account_rules
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import (
    AccountState,
    AccountView,
    AddAccount,
    IssueKey,
    KeyView,
    ListAccounts,
    Role,
    Scope,
)
from simyard.core.catalog import service as catalog
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.erasure import service as erasure
from simyard.core.erasure.model import EraseAccount, Erased
from simyard.core.logins import rules as login_rules
from simyard.core.logins import service as logins
from simyard.core.pools import service as pools
from simyard.core.pools.model import ListPools
from simyard.core.referrals import service as referrals
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import Balance
from simyard.db.database import Tx
from simyard.edge.cli.parameters import AMOUNT, account_named, currency_code, json_option, known_pool, whose
from simyard.edge.cli.shell import actor, print_json, run
from simyard.settings import Settings


def _password(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    try:
        if value is not None:
            login_rules.check_password(value, "password")
    except Refusal as refusal:
        raise click.BadParameter(str(refusal.facts["problem"])) from refusal
    return value


@click.group()
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
    "--currency", default="USD", show_default=True, callback=currency_code, help="Of its wallet, for good."
)
@click.option("--balance", type=AMOUNT, default=0, help="Deposit this much at once.")
@click.option("--referrer", help="Email of the account that brought it, and gets a share of what it spends.")
@json_option
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

    added, key = run(work)
    if as_json:
        print_json({"id": added.id, "email": added.email, "api_key": key})
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
@json_option
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

    found = run(work)
    if as_json:
        print_json(found)
        return
    for one in found:
        parts = (str(one["id"]), one["email"], one["role"], one["state"], _holdings(one))
        click.echo("\t".join((*parts, f"{one['created_at']:%Y-%m-%d %H:%M}")))
    if not found:
        click.echo("No accounts.")


@account.command("show")
@click.argument("email")
@json_option
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

    found = run(work)
    if as_json:
        print_json(found)
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
            changed = await accounts.set_state(tx, email, state, actor=actor(), now=now)
            if state is AccountState.ACTIVE:
                await logins.unlock(tx, email)
            return changed

        changed = run(work)
        click.echo(f"{changed.email} is {changed.state}.")


_state_command("suspend", AccountState.SUSPENDED, "Refuse every request of an account until it is activated.")
_state_command("lock", AccountState.LOCKED, "Lock an account for the time being.")


_state_command(
    "activate", AccountState.ACTIVE, "Let an account work again; also opens logins that failures locked."
)


@account.command("erase")
@whose
@click.option("--reason", required=True, help="Why; kept in the audit log, so it must not say who.")
@json_option
def account_erase(email: str | None, account_id: int | None, reason: str, as_json: bool) -> None:
    """Erase whose an account is, for good; what it bought and earned stays in the books. See docs/privacy.md.

    Nothing may be open: no lease, no money, no payout. A repeat changes nothing.
    """

    async def work(tx: Tx, now: datetime) -> Erased:
        named = await account_named(tx, email, account_id)
        return await erasure.erase(tx, EraseAccount(named.id, reason, now), actor=actor())

    erased = run(work)
    if as_json:
        print_json({"id": erased.account_id, "erased_before": erased.before})
    else:
        click.echo(f"Account {erased.account_id} {'was erased before' if erased.before else 'is erased'}.")


@click.group()
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
@json_option
def key_add(
    email: str, scopes: tuple[str, ...], networks: tuple[str, ...], pool: int | None, as_json: bool
) -> None:
    """Issue another key. It is shown this once."""

    async def work(tx: Tx, now: datetime) -> tuple[int, str]:
        owner = await accounts.find_account(tx, email)
        chosen = tuple(Scope(scope) for scope in scopes) or account_rules.SCOPES_OF_ROLE[owner.role]
        command = IssueKey(owner.id, chosen, networks, await known_pool(tx, pool))
        return await accounts.issue_key(tx, command, now=now)

    key_id, text = run(work)
    if as_json:
        print_json({"id": key_id, "api_key": text})
    else:
        click.echo(f"API key {key_id}, shown this once: {text}")


@key.command("list")
@click.argument("email")
@json_option
def key_list(email: str, as_json: bool) -> None:
    """Show an account's keys, without their texts."""

    async def work(tx: Tx, now: datetime) -> Any:
        return await accounts.list_keys(tx, (await accounts.find_account(tx, email)).id)

    rows = run(work)
    if as_json:
        print_json(rows)
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
                tx, owner.id, KeyId(key_id), enabled=enabled, actor=actor(), now=now
            )

        run(work)
        click.echo(f"Key {key_id} is {'on' if enabled else 'off'}.")


_key_switch("enable", True, "Switch a key on.")
_key_switch("disable", False, "Switch a key off.")


@click.group("token")
def token_group() -> None:
    """Access tokens, what logins are answered with: rotate."""


@token_group.command("rotate")
@click.option("--now", "at_once", is_flag=True, help="Refuse every token that was signed before, at once.")
@json_option
def token_rotate(at_once: bool, as_json: bool) -> None:
    """Sign access tokens with a new key from now on.

    Tokens signed before are good until they run out. With --now they are refused within seconds, by all processes: for a
    key that somebody else may have read. Refresh tokens stay good, so programs go on with a new access token.
    """

    async def work(tx: Tx, now: datetime) -> TokenKeyId:
        return await logins.rotate_token_key(tx, at_once=at_once, actor=actor(), now=now)

    key_id = run(work)
    if as_json:
        print_json({"key_id": key_id})
        return
    fate = "are refused" if at_once else "are good until they run out"
    click.echo(f"Key {key_id} signs access tokens now. Tokens signed before {fate}.")


COMMANDS: Final = (account, key, token_group)
