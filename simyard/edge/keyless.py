"""Requests without a key: answers that are costly to make are made once for everybody who asks in the same moment."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from simyard.base.refusals import Refusal, Refused
from simyard.edge.wire import Action, WireResponse

KEPT_MAX: Final = 128
MADE_AT_ONCE_MAX: Final = 2
WAITING_MAX: Final = 64

Question: TypeAlias = tuple[Action, str, bytes, bytes]
"""An action, and what it was asked: the path's parameter, the query and the body."""


class KeylessAnswers:
    """Answers of one process to callers nobody can hold to a budget.

    Few are made at once, whatever was asked, and only so many wait; more are refused. Refusals are not kept.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Question, tuple[datetime, WireResponse]] = OrderedDict()
        self._making: dict[Question, asyncio.Task[WireResponse]] = {}
        self._free = asyncio.Semaphore(MADE_AT_ONCE_MAX)

    async def answer(
        self,
        question: Question,
        make: Callable[[], Awaitable[WireResponse]],
        *,
        seconds: float,
        now: datetime,
    ) -> WireResponse:
        """The answer, kept or made. Refuses: BUSY when too many others are being made, else what `make` refuses."""
        kept = self._kept.get(question)
        if kept is not None and now < kept[0]:
            return kept[1]
        task = self._making.get(question)
        if task is None:
            if len(self._making) >= WAITING_MAX:
                raise Refusal(Refused.BUSY)
            task = self._making[question] = asyncio.create_task(self._make(question, make, seconds, now))
        # Whoever goes away leaves the answer to the others.
        return await asyncio.shield(task)

    async def _make(
        self, question: Question, make: Callable[[], Awaitable[WireResponse]], seconds: float, now: datetime
    ) -> WireResponse:
        try:
            async with self._free:
                response = await make()
            self._kept[question] = (now + timedelta(seconds=seconds), response)
            self._kept.move_to_end(question)
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
            return response
        finally:
            del self._making[question]
