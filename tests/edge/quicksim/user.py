"""A user of QuickSim: an account with a password, the tokens of a login, and the calls they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, ClassVar, Self

import httpx

from simyard.base.clock import Clock
from simyard.base.ids import AccountId
from simyard.core.accounts import rules as account_rules
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AddAccount, Role
from simyard.core.lanes import Lanes
from simyard.core.wallet import service as wallet
from simyard.edge.dialects.quicksim.dialect import DIALECT
from simyard.edge.http import DialectApp
from simyard.settings import Settings
from simyard.workers.logins import Passwords
from tests.edge.daisysim.buyer import Buyer
from tests.edge.steps import steps_of
from tests.world import World, micros

ADDRESS = "203.0.113.7"
PASSWORD = "your_password"


@contextmanager
def served(
    world: World, lanes: Lanes, clock: Clock, settings: Settings
) -> Iterator[AbstractAsyncContextManager[httpx.AsyncClient]]:
    """QuickSim as the application wires it, on a real database and with real keys fetched over HTTP."""
    passwords = Passwords()
    steps = steps_of(world.database, clock, settings, passwords)
    app = DialectApp(
        DIALECT, lanes=lanes, database=world.database, clock=clock, settings=settings, steps=steps
    )
    transport = httpx.ASGITransport(app=app, client=(ADDRESS, 4711))
    try:
        yield httpx.AsyncClient(transport=transport, base_url="http://simyard.test")
    finally:
        passwords.close()


class User(Buyer):
    """The key is an access token."""

    prefix: ClassVar[str] = DIALECT.prefix
    email: str
    refresh: str

    @classmethod
    async def join(
        cls,
        world: World,
        client: httpx.AsyncClient,
        balance: str = "10000",
        currency: str = "NGN",
        *,
        email: str | None = None,
        name: str = "Jane Developer",
    ) -> Self:
        address = email or f"user{await world.value('SELECT count(*) FROM account')}@example.com"
        async with world.database.transaction() as tx:
            hashed = account_rules.hash_password(PASSWORD)
            command = AddAccount(address, Role.BUYER, hashed, name)
            added = await accounts.add_account(tx, command, now=world.clock.now())
            await wallet.open_wallet(tx, added.id, currency)
        if micros(balance):
            await world.deposit(added.id, balance)
        return await cls._entered(world, client, added.id, address)

    @classmethod
    async def _entered(
        cls, world: World, client: httpx.AsyncClient, account_id: AccountId, email: str
    ) -> Self:
        user = cls(world, client, account_id, "")
        user.email = email
        await user.log_in()
        return user

    async def log_in(self, password: str = PASSWORD) -> None:
        answer = await self.anonymous("/users/login", {"email": self.email, "password": password})
        assert answer.status_code == 200, answer.text
        self.key, self.refresh = answer.json()["access"], answer.json()["refresh"]

    async def anonymous(self, path: str, body: object) -> httpx.Response:
        """A call without a token."""
        return await self.client.post(self.prefix + path, json=body)

    async def buy(self, product: str = "whatsapp", country: str = "usa", **headers: str) -> dict[str, Any]:
        response = await self.post(
            "/fivesim/activation", {"country": country, "product": product}, headers=headers
        )
        assert response.status_code == 201, response.text
        bought: dict[str, Any] = response.json()
        return bought

    async def look(self, activation_id: int) -> dict[str, Any]:
        response = await self.get(f"/fivesim/check?activation_id={activation_id}")
        assert response.status_code == 200, response.text
        looked: dict[str, Any] = response.json()
        return looked

    async def act(self, verb: str, activation_id: object) -> httpx.Response:
        return await self.post(f"/fivesim/{verb}", {"activation_id": activation_id})

    async def funds(self) -> dict[str, Any]:
        response = await self.get("/wallet/virtual-accounts")
        assert response.status_code == 200, response.text
        funds: dict[str, Any] = response.json()
        return funds


TABLE: Mapping[str, int] = {
    "invalid_request": 400,
    "unauthorized": 401,
    "insufficient_balance": 402,
    "not_found": 404,
    "activation_expired": 409,
    "no_numbers_available": 422,
    "rate_limited": 429,
    "internal_error": 500,
}
"""The vendor's errors and the status of each."""


def refused(response: httpx.Response) -> tuple[int, str]:
    """How an error was told: its status and its code, which must be a pair of the vendor's table."""
    answer = response.json()
    assert response.headers["content-type"] == "application/json"
    assert list(answer) == ["error", "message", "status"], answer
    assert isinstance(answer["message"], str)
    assert answer["message"]
    assert answer["status"] == response.status_code
    assert TABLE[answer["error"]] == response.status_code
    return response.status_code, answer["error"]
