"""The keys of access tokens, as a process knows them: read again every few seconds, so that all processes agree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from simyard.base.clock import Clock
from simyard.base.ids import TokenKeyId
from simyard.base.refusals import Refusal, Refused
from simyard.core.logins.model import TokenKey

FRESH: Final = timedelta(seconds=2)
"""How long a key may be believed after it was dropped."""


class TokenKeys:
    """Judges by keys that were read a moment ago, signs with the newest there is."""

    def __init__(self, read: Callable[[], Awaitable[Sequence[TokenKey]]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._keys: dict[TokenKeyId, TokenKey] = {}
        self._read_at: datetime | None = None
        self._begun = self._done = 0
        # One look at a time, so that what an earlier one saw never replaces what a later one saw.
        self._lock = asyncio.Lock()

    async def key(self, key_id: TokenKeyId) -> TokenKey:
        """The key a token names. Refuses: WRONG_KEY.

        One that is not known may be newer than the last look, so it is looked for; however many tokens name one that does
        not exist, they wait for two looks at most.
        """
        if not self._is_fresh() or key_id not in self._keys:
            begun = self._begun
            async with self._lock:
                # Else somebody looked who began after this was asked.
                if self._done <= begun:
                    await self._look()
        key = self._keys.get(key_id)
        if key is None:
            raise Refusal(Refused.WRONG_KEY)
        return key

    async def newest(self) -> TokenKey:
        """The key that signs. Never one that was dropped by now: nobody is given a token that is refused."""
        async with self._lock:
            return await self._look()

    def _is_fresh(self) -> bool:
        return self._read_at is not None and abs(self._clock.now() - self._read_at) < FRESH

    async def _look(self) -> TokenKey:
        self._begun += 1
        began_at = self._clock.now()
        keys = await self._read()
        self._keys = {key.id: key for key in keys}
        self._read_at, self._done = began_at, self._begun
        return keys[-1]
