"""What a process knows of the keys of access tokens, and how often it looks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from simyard.base.clock import ManualClock
from simyard.base.ids import TokenKeyId
from simyard.base.refusals import Refusal, Refused
from simyard.core.logins.model import TokenKey
from simyard.workers.token_keys import FRESH, TokenKeys


class Table:
    """Keys that can be added, whose readers are counted and can be held back."""

    def __init__(self) -> None:
        self.ids = [1]
        self.looks = 0
        self.broken = False
        self.opened = asyncio.Event()
        self.opened.set()
        self.clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
        self.keys = TokenKeys(self.read, self.clock)

    async def read(self) -> list[TokenKey]:
        self.looks += 1
        seen = [TokenKey(TokenKeyId(number), bytes([number]) * 64) for number in self.ids]
        await self.opened.wait()
        if self.broken:
            raise OSError("the database does not answer")
        return seen

    async def knows(self, number: int) -> bool:
        try:
            return (await self.keys.key(TokenKeyId(number))).id == number
        except Refusal as refusal:
            assert refusal.reason is Refused.WRONG_KEY
            return False


@pytest.fixture
def table() -> Table:
    return Table()


async def test_keys_are_read_again_when_they_are_not_fresh(table: Table) -> None:
    for _ in range(5):
        assert await table.knows(1)
    assert table.looks == 1
    table.ids = [2]
    table.clock.turn(FRESH.total_seconds() - 0.1)
    assert await table.knows(1)
    table.clock.turn(0.1)
    assert not await table.knows(1)
    assert await table.knows(2)


async def test_a_clock_that_is_set_back_makes_no_key_live_longer(table: Table) -> None:
    assert await table.knows(1)
    table.ids = [2]
    table.clock.turn(-3600)
    assert not await table.knows(1)


async def test_a_key_that_is_not_known_yet_is_looked_for_at_once(table: Table) -> None:
    assert await table.knows(1)
    table.ids.append(2)
    assert await table.knows(2)


async def test_however_many_name_a_key_that_does_not_exist_few_looks_are_made(table: Table) -> None:
    table.opened.clear()
    asking = [asyncio.create_task(table.knows(7)) for _ in range(50)]
    await asyncio.sleep(0)
    assert table.looks == 1
    # These came when a look was under way, which may have seen less than there is now.
    table.ids.append(8)
    late = [asyncio.create_task(table.knows(8)) for _ in range(50)]
    await asyncio.sleep(0)
    table.opened.set()
    assert not any(await asyncio.gather(*asking))
    assert all(await asyncio.gather(*late))
    assert table.looks == 2


async def test_who_cannot_look_says_so_and_calls_no_token_wrong(table: Table) -> None:
    table.broken = True
    outcomes = await asyncio.gather(*(table.knows(1) for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OSError] * 3
    table.broken = False
    assert await table.knows(1)


async def test_the_key_that_signs_is_asked_for_each_time(table: Table) -> None:
    assert (await table.keys.newest()).id == 1
    table.ids = [1, 2]
    assert (await table.keys.newest()).id == 2
