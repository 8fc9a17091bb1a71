"""Nobody sees or touches what is another account's: every action of every dialect, with the ids of somebody else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from simyard import app
from simyard.base.clock import ManualClock
from simyard.base.ids import AccountId
from simyard.core.accounts import rules as account_rules
from simyard.core.accounts.model import Role, Scope
from simyard.core.webhooks import service as webhooks
from simyard.core.webhooks.model import Event, SetEndpoint
from simyard.edge.wire import Dialect
from simyard.settings import Settings
from tests.world import World, reported, world

__all__ = ["world"]

PASSWORD = "correct horse battery staple"
WEBHOOK_URL = "https://hooks.example.com/of-the-owner"
TEXT = "Your WhatsApp code: 847-291"
CODE = "847291"
RENTAL_TEXT = "Parcel 66120 is at the door"
EMAIL = "owner@example.com"

# What a request may name somebody else's things by. A path's parameter, a query and a body get them all.
FIELDS = (
    "activation_id", "tzid", "operation_id", "id", "number", "phone", "account_id", "email", "delivery_id", "virtual_account",
    "provider_id", "from",
)  # fmt: skip
# Tables whose rows belong to an account.
OWNED = {
    "activation": "account_id",
    "rental": "account_id",
    "wallet": "account_id",
    "webhook_endpoint": "account_id",
    "webhook_delivery": "account_id",
    "virtual_account": "account_id",
    "session": "account_id",
    "api_key": "account_id",
    "number_ban": "account_id",
    "account": "id",
}


@dataclass(frozen=True)
class Owner:
    """Somebody with an open activation, one with a code, a rental with a message, and a webhook that was told of them."""

    account_id: AccountId
    key: str
    ids: tuple[str, ...]
    secrets: tuple[str, ...]


@dataclass(frozen=True)
class _Answer:
    request: str
    foreign: str
    text: str


@pytest.fixture
async def client(world: World, clock: ManualClock, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    built = app.build(
        Settings(rate_limit_scale=1e6, onlinesim_guard_seconds=0, virtual_cancel_after_seconds=0),
        database_url,
        with_workers=False,
        clock=clock,
    )
    async with built.router.lifespan_context(built):
        transport = httpx.ASGITransport(app=built, client=("203.0.113.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://simyard.test") as client:
            yield client


@pytest.fixture
async def shelf(world: World) -> AccountId:
    """A supplier of American numbers for sale and rent."""
    supplier = await world.add_supplier(email="supplier@example.com")
    pool = await world.add_direct_pool(supplier, rent_allowed=True)
    listed = [reported(f"+1941555{index:04d}", "US", rent=True) for index in range(50)]
    await world.report(supplier, listed, online_seconds=86_400)
    await world.set_price("whatsapp", "1.5", country="US", pool=pool)
    await world.set_tariff(1, "3", country="US", pool=pool)
    await world.take_stock()
    return supplier


@pytest.fixture
async def owner(world: World, shelf: AccountId, client: httpx.AsyncClient) -> Owner:
    account_id = await world.add_buyer("100", email=EMAIL)
    key = await world.issue_key(account_id)
    async with world.database.transaction() as tx:
        endpoint = SetEndpoint(account_id, "onlinesim", Event.MESSAGE, WEBHOOK_URL, (), world.clock.now())
        await webhooks.set_endpoint(tx, endpoint)
    waiting = await world.order(account_id, country="US")
    received = await world.order(account_id, country="US")
    rental = await world.rent(account_id, country="US")
    await world.receive(shelf, received.msisdn, TEXT, sender="WhatsApp")
    await world.receive(shelf, rental.msisdn, RENTAL_TEXT, sender="Courier")
    token = await _session(world, client, account_id, EMAIL)
    made = await client.post(
        "/api/wallet/create-virtual-account", json={"bank_code": "035"}, headers=_bearer(token)
    )
    assert made.status_code == 201, made.text
    (delivery, *_) = await world.rows("SELECT id FROM webhook_delivery ORDER BY id")
    msisdns = (waiting.msisdn, received.msisdn, rental.msisdn)
    account_number = str(made.json()["account_number"])
    return Owner(
        account_id,
        key,
        ids=(
            str(waiting.activation_id),
            str(received.activation_id),
            str(rental.id),
            str(delivery[0]),
            made.json()["id"],
            *msisdns,
        ),
        secrets=(CODE, "847-291", "66120", EMAIL, WEBHOOK_URL, account_number, *msisdns),
    )


@pytest.fixture
async def stranger(world: World, shelf: AccountId) -> AccountId:
    return await world.add_buyer("100", email="stranger@example.com")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def _session(world: World, client: httpx.AsyncClient, account_id: AccountId, email: str) -> str:
    async with world.database.transaction() as tx:
        await tx.execute(
            "UPDATE account SET password_hash = $1 WHERE id = $2",
            account_rules.hash_password(PASSWORD),
            account_id,
        )
    answer = await client.post("/api/users/login", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access"])


def _attempts(dialect: Dialect, foreign: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every action, told a foreign id in each place one can be told at."""
    for method, path in dialect.actions:
        head, brace, _ = path.partition("{")
        url = dialect.prefix + head + (foreign.lstrip("+") if brace else "")
        fields: dict[str, Any] = dict.fromkeys(FIELDS, foreign) | {
            "ids": [foreign], "days": "1", "ban": "1", "country": "1", "service": "whatsapp", "message": "Code 123456",
            "date": "2026-03-01 12:00:00", "numbers": [{"number": foreign, "country_id": 1}], "country_id": 1, "rent": 0,
        }  # fmt: skip
        if method == "GET":
            scalars = {name: value for name, value in fields.items() if isinstance(value, str)}
            yield method, f"{url}?{urlencode(scalars)}", {}
        else:
            yield (
                method,
                url,
                {"content": json.dumps(fields), "headers": {"content-type": "application/json"}},
            )


async def _walk(
    client: httpx.AsyncClient, dialect: Dialect, token: str, ids: tuple[str, ...]
) -> list[_Answer]:
    """What was answered to every attempt."""
    answers = []
    for foreign in ids:
        for method, url, sent in _attempts(dialect, foreign):
            if url.partition("?")[0].endswith("/logout"):
                continue
            headers = _bearer(token) | sent.get("headers", {})
            answer = await client.request(method, url, headers=headers, content=sent.get("content"))
            assert answer.status_code < 500 or answer.status_code == 503, (method, url, answer.text)
            answers.append(_Answer(f"{method} {url}", foreign, answer.text))
    return answers


async def _token(
    dialect: Dialect, world: World, client: httpx.AsyncClient, account_id: AccountId, email: str
) -> str:
    if dialect.name == "quicksim":
        return await _session(world, client, account_id, email)
    scopes = (Scope.SUPPLY,) if dialect.name.startswith("onlinesim_reseller") else (Scope.READ, Scope.ORDER)
    return await world.issue_key(account_id, scopes)


async def _belongings(world: World, owner: Owner) -> dict[str, list[tuple[Any, ...]]]:
    rows = {
        table: await world.rows(f"SELECT * FROM {table} WHERE {column} = $1 ORDER BY 1", owner.account_id)
        for table, column in OWNED.items()
    }
    rows["message"] = await world.rows(
        "SELECT message.* FROM message LEFT JOIN activation ON activation.id = activation_id"
        " LEFT JOIN rental ON rental.id = rental_id"
        " WHERE $1 IN (activation.account_id, rental.account_id) ORDER BY message.id",
        owner.account_id,
    )
    rows["number"] = await world.rows(
        "SELECT number.* FROM number JOIN unnest($1::text[]) AS msisdn USING (msisdn) ORDER BY id",
        [one for one in owner.ids if one.startswith("+")],
    )
    return rows


@pytest.mark.parametrize("dialect", app.DIALECTS, ids=lambda dialect: dialect.name)
async def test_what_is_another_accounts_is_neither_seen_nor_touched(
    dialect: Dialect, world: World, client: httpx.AsyncClient, owner: Owner, stranger: AccountId
) -> None:
    account_id, email = stranger, "stranger@example.com"
    if dialect.name.startswith("onlinesim_reseller"):
        email = "rival@example.com"
        account_id = await world.add_account(Role.SUPPLIER, email=email)
        await world.add_direct_pool(account_id)
    token = await _token(dialect, world, client, account_id, email)
    before = await _belongings(world, owner)

    answers = await _walk(client, dialect, token, owner.ids)

    assert await _belongings(world, owner) == before
    for answer in answers:
        # Some answers repeat what they were asked about; they must not say more than that.
        said = answer.text.replace(answer.foreign.lstrip("+"), "")
        assert not [secret for secret in owner.secrets if secret.lstrip("+") in said], answer
    await world.assert_whole()


@pytest.mark.parametrize(
    ("name", "secret"), [("server7", CODE), ("virtual", CODE), ("quicksim", CODE), ("onlinesim", "66120")]
)
async def test_the_owner_himself_sees_it_on_the_same_walk(
    name: str, secret: str, world: World, client: httpx.AsyncClient, owner: Owner
) -> None:
    dialect = next(one for one in app.DIALECTS if one.name == name)
    token = await _token(dialect, world, client, owner.account_id, EMAIL)
    assert any(secret in answer.text for answer in await _walk(client, dialect, token, owner.ids))
