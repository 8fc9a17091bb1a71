"""A list of a hundred thousand numbers in one call."""

from __future__ import annotations

import asyncio
import os
import time

import msgspec
import pytest

from tests.edge.onlinesim_reseller.partner import Partner

COUNT = 100_000
FIRST_SECONDS_MAX = 10
REPEAT_SECONDS_MAX = 3


async def longest_pause(until: asyncio.Event) -> float:
    """How long others had to wait for the event loop, at most."""
    longest = 0.0
    while not until.is_set():
        before = time.perf_counter()
        await asyncio.sleep(0.002)
        longest = max(longest, time.perf_counter() - before)
    return longest


async def test_a_hundred_thousand_numbers(partner: Partner, capsys: pytest.CaptureFixture[str]) -> None:
    entries = [
        {
            "number": f"+467{number:08d}",
            "country_id": 46,
            "operator": 24001,
            "date_start": 1795219200,
            "port_id": f"bank{number // 512}-{number % 512}",
            "rent": 0,
        }
        for number in range(COUNT)
    ]
    content = msgspec.json.encode({"numbers": entries})
    changed = msgspec.json.encode({"numbers": entries[1000:]})
    figures: dict[str, tuple[float, float]] = {}
    answers: dict[str, bytes] = {}
    for step, body in (
        ("first", content),
        ("repeat", content),
        ("1000 fewer", changed),
        ("all again", content),
    ):
        done = asyncio.Event()
        pause = asyncio.create_task(longest_pause(done))
        started = time.perf_counter()
        response = await partner.send("POST", "sendNumbersOnline", body)
        seconds = time.perf_counter() - started
        done.set()
        figures[step] = seconds, await pause
        assert response.status_code == 200
        answers[step] = response.content
    with capsys.disabled():
        print(f"\n{COUNT} numbers, {len(content) / 1e6:.1f} MB:", end=" ")
        print(
            ", ".join(f"{step} {took:.2f} s (pause {pause:.2f} s)" for step, (took, pause) in figures.items())
        )
    assert len(msgspec.json.decode(answers["first"])["ids"]) == COUNT
    assert answers["repeat"] == answers["first"] == answers["all again"]
    assert await partner.world.value("SELECT count(*) FROM number WHERE listed") == COUNT
    # The limits are for a machine that has nothing else to do.
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert figures["first"][0] < FIRST_SECONDS_MAX * busy
    assert figures["repeat"][0] < REPEAT_SECONDS_MAX * busy


async def test_partners_may_report_the_same_new_numbers_at_once(partner: Partner, rival: Partner) -> None:
    entries = [{"number": f"+467{number:08d}", "country_id": 46} for number in range(5000)]
    body, reversed_body = {"numbers": entries}, {"numbers": entries[::-1]}
    answers = await asyncio.gather(
        partner.call("sendNumbersOnline", body),
        rival.call("sendNumbersOnline", reversed_body),
        partner.call("sendNumbersOnline", reversed_body),
        rival.call("sendNumbersOnline", body),
    )
    assert all(len(answer["ids"]) + len(answer.get("errors", {})) == 5000 for answer in answers)
    assert len(await partner.listed()) + len(await rival.listed()) == 5000
