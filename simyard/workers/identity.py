"""The keys of the issuer whose credentials are taken: fetched, kept for a time, fetched again when one is missing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import jwt

from simyard.base.clock import Clock
from simyard.base.refusals import Refusal, Refused
from simyard.core.logins import credentials
from simyard.workers.outgoing import Answer, Call, OutgoingClient

log = logging.getLogger(__name__)

FRESH: Final = timedelta(hours=1)
"""How long keys are used without asking for them again."""
KEPT: Final = timedelta(days=1)
"""How long keys are used while the issuer cannot be asked: then one that was withdrawn must not work any more."""
PAUSE: Final = timedelta(minutes=1)
"""How long nothing is fetched after a fetch, whatever key ids credentials name."""
PAUSE_AFTER_FAILURE: Final = timedelta(seconds=5)

_OK: Final = 200


class KeysUnavailable(Exception):
    """The issuer did not hand out its keys."""


class IssuerKeys:
    """The issuer's keys by their ids. One fetch at a time, however many ask."""

    def __init__(self, fetch: Callable[[], Awaitable[bytes]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: datetime | None = None
        self._next_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def key(self, key_id: str) -> jwt.PyJWK:
        """Refuses: UPSTREAM_FAILED (no keys to judge by), WRONG_CREDENTIALS (the issuer has no such key)."""
        if self._is_wanting(key_id):
            async with self._lock:
                if self._is_wanting(key_id):
                    await self._renew()
        now = self._clock.now()
        if self._fetched_at is None or now - self._fetched_at > KEPT:
            raise Refusal(Refused.UPSTREAM_FAILED)
        key = self._keys.get(key_id)
        if key is None:
            raise Refusal(Refused.WRONG_CREDENTIALS)
        return key

    def _is_wanting(self, key_id: str) -> bool:
        """Whether the keys should be fetched now: for their age, or because this one is missing."""
        now = self._clock.now()
        if self._next_at is not None and now < self._next_at:
            return False
        return self._fetched_at is None or now - self._fetched_at > FRESH or key_id not in self._keys

    async def _renew(self) -> None:
        try:
            keys = credentials.read_keys(await self._fetch())
        except (KeysUnavailable, ValueError) as error:
            log.warning("the issuer's keys cannot be had: %s", error)
            self._next_at = self._clock.now() + PAUSE_AFTER_FAILURE
            return
        self._keys = keys
        self._fetched_at = self._clock.now()
        self._next_at = self._fetched_at + PAUSE


def fetching(client: OutgoingClient, url: str) -> Callable[[], Awaitable[bytes]]:
    """How the keys are had from where an operator says they are."""

    async def fetch() -> bytes:
        answer = await client.call(Call("GET", url, (("accept", "application/json"),)))
        if not isinstance(answer, Answer):
            raise KeysUnavailable(f"{answer.problem}: {answer.detail}")
        if answer.status != _OK or not answer.whole:
            raise KeysUnavailable(f"status {answer.status}{'' if answer.whole else ', cut off'}")
        return answer.body

    return fetch
