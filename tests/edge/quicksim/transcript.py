"""Transcripts of QuickSim: scenes as DaisySIM's tests play them, with more to set and stricter numbers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from simyard.base.clock import ManualClock
from simyard.base.ids import AccountId
from tests.core.logins.issuer import Issuer
from tests.edge.daisysim import transcript
from tests.edge.daisysim.transcript import Scene
from tests.edge.quicksim.user import User
from tests.world import World

FOLDER = Path(__file__).parent / "transcripts"
_TOKEN = re.compile(r"\b(sm_[\w-]+)")


def scenes() -> list[Scene]:
    return list(transcript.scenes(FOLDER))


class Performance(transcript.Performance):
    """Numbers must be written as they are in the transcript: 3500 is not 3500.0."""

    def __init__(self, world: World, clock: ManualClock, client: httpx.AsyncClient) -> None:
        super().__init__(world, clock, client, User)

    def _compare(self, found: Any, expected: Any, where: str) -> None:
        super()._compare(found, expected, where)
        assert type(found) is type(expected), where

    async def _set(self, words: str) -> None:
        for pattern, setting in _STAGE.items():
            match = re.fullmatch(pattern, words)
            if match is not None:
                await setting(self, *match.groups())
                return
        await super()._set(words)

    async def _account(self, email: str, name: str, amount: str, currency: str) -> None:
        self.buyer = await User.join(self.world, self.client, amount, currency, email=email, name=name)

    async def _stranger(self) -> None:
        """From now on requests have no token, but for those that bring one."""
        self.buyer = None

    async def _next_account(self, account_id: str) -> None:
        await self.world.value(f"ALTER TABLE account ALTER COLUMN id RESTART WITH {account_id}")

    async def _next_message(self, message_id: str) -> None:
        await self.world.value(f"ALTER TABLE message ALTER COLUMN id RESTART WITH {message_id}")

    async def _next_virtual_account(self, public_id: str) -> None:
        await self.world.value(
            "UPDATE virtual_account SET public_id = $1 WHERE id = (SELECT max(id) FROM virtual_account)",
            public_id,
        )

    async def _credential(self, email: str, name: str) -> None:
        given = Issuer.claims(self.clock.now(), email=email, name=name)
        self.names["<credential>"] = Issuer().credential(self.clock.now(), **given)

    async def _mail(self, email: str) -> None:
        body = await self.world.value(
            "SELECT body FROM mail WHERE recipient = $1 ORDER BY id DESC LIMIT 1", email
        )
        match = _TOKEN.search(body)
        assert match is not None
        self.names["<mailed token>"] = match[1]

    async def _token(self, token: str) -> None:
        """Requests come with a token that was answered."""
        self.buyer = User(self.world, self.client, AccountId(0), self.names[token])

    async def _relogin(self) -> None:
        """The clock was turned back behind the token."""
        assert isinstance(self.buyer, User)
        await self.buyer.log_in()

    async def _guesses(self, email: str) -> None:
        for _ in range(10):
            await self.client.post("/api/users/login", json={"email": email, "password": "wrong"})


_STAGE: dict[str, Callable[..., Awaitable[None]]] = {
    r"(\S+@\S+), (.+), with ([\d.]+) ([A-Z]{3})": Performance._account,
    r"a stranger": Performance._stranger,
    r"the next account is (\d+)": Performance._next_account,
    r"the next message is (\d+)": Performance._next_message,
    r"the virtual account is called (\w+)": Performance._next_virtual_account,
    r"Google vouches for (\S+), (.+)": Performance._credential,
    r"(\S+) reads the mail": Performance._mail,
    r"the token is (<[a-z ]+>)": Performance._token,
    r"the token of now": Performance._relogin,
    r"ten wrong passwords for (\S+)": Performance._guesses,
}
