"""Answers to callers without a key are made once for all who ask the same in one moment."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Scope
from simyard.edge.keyless import KEPT_MAX, MADE_AT_ONCE_MAX, WAITING_MAX, KeylessAnswers, Question
from simyard.edge.wire import Action, NoVerb, WireResponse, json_response

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACTION = Action(
    "A list", Scope.READ, lambda request: None, NoVerb(), lambda _, __, ___: json_response({}), dict
)


class Maker:
    """Makes a new answer each time, once it is let go."""

    def __init__(self) -> None:
        self.made = 0
        self.making = 0
        self.most_at_once = 0
        self.all_at_work = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self) -> WireResponse:
        self.making += 1
        self.most_at_once = max(self.most_at_once, self.making)
        if self.making == MADE_AT_ONCE_MAX:
            self.all_at_work.set()
        await self.go.wait()
        self.making -= 1
        self.made += 1
        return json_response(self.made)


def question(query: bytes = b"") -> Question:
    return (ACTION, "", query, b"")


async def ask(answers: KeylessAnswers, maker: Maker, query: bytes = b"", now: datetime = NOW) -> bytes:
    return (await answers.answer(question(query), maker, seconds=5, now=now)).body


async def test_an_answer_is_given_again_for_its_time_only() -> None:
    answers, maker = KeylessAnswers(), Maker()
    maker.go.set()
    assert await ask(answers, maker) == b"1"
    assert await ask(answers, maker, now=NOW + timedelta(seconds=4.9)) == b"1"
    assert await ask(answers, maker, now=NOW + timedelta(seconds=5)) == b"2"
    assert await ask(answers, maker, b"country=7") == b"3"


async def test_many_who_ask_at_once_get_one_answer() -> None:
    answers, maker = KeylessAnswers(), Maker()
    asked = [asyncio.create_task(ask(answers, maker)) for _ in range(100)]
    await asyncio.sleep(0)
    maker.go.set()
    assert await asyncio.gather(*asked) == [b"1"] * 100


async def test_different_questions_are_answered_few_at_a_time_and_too_many_are_refused() -> None:
    answers, maker = KeylessAnswers(), Maker()
    asked = [asyncio.create_task(ask(answers, maker, b"%d" % index)) for index in range(WAITING_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(Refusal) as caught:
        await ask(answers, maker, b"one more")
    assert caught.value.reason is Refused.BUSY
    async with asyncio.timeout(10):
        await maker.all_at_work.wait()
    maker.go.set()
    await asyncio.gather(*asked)
    assert maker.most_at_once == MADE_AT_ONCE_MAX
    assert await ask(answers, maker, b"one more")


async def test_one_who_goes_away_takes_nothing_from_the_others() -> None:
    answers, maker = KeylessAnswers(), Maker()
    first, second = asyncio.create_task(ask(answers, maker)), asyncio.create_task(ask(answers, maker))
    await asyncio.sleep(0)
    first.cancel()
    maker.go.set()
    assert await second == b"1"


async def test_a_refusal_is_not_kept() -> None:
    answers, maker = KeylessAnswers(), Maker()
    maker.go.set()

    async def refuse() -> WireResponse:
        raise Refusal(Refused.UNKNOWN_COUNTRY)

    with pytest.raises(Refusal):
        await answers.answer(question(), refuse, seconds=5, now=NOW)
    assert await ask(answers, maker) == b"1"


async def test_what_is_kept_is_bounded() -> None:
    answers, maker = KeylessAnswers(), Maker()
    maker.go.set()
    for index in range(KEPT_MAX + 1):
        await ask(answers, maker, b"%d" % index)
    made = maker.made
    await ask(answers, maker, b"%d" % KEPT_MAX)
    assert maker.made == made
    await ask(answers, maker, b"0")
    assert maker.made == made + 1
