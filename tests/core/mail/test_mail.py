"""Mail: it is due at once, tried again at growing distances, and its text does not outlive it."""

from __future__ import annotations

from datetime import datetime, timedelta

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.core.mail import rules
from simyard.core.mail import service as mail
from simyard.core.mail.model import Mail
from tests.world import World

LEASE_SECONDS = 60


async def enqueue(world: World, subject: str = "Your code", recipient: str = "a@example.com") -> int:
    async with world.database.transaction() as tx:
        return await mail.enqueue(tx, recipient, subject, "The code is 4711.", world.clock.now())


async def claim(world: World, limit: int = 10) -> list[Mail]:
    async with world.database.transaction() as tx:
        return await mail.claim(tx, now=world.clock.now(), lease_seconds=LEASE_SECONDS, limit=limit)


async def claim_one(world: World) -> Mail:
    (one,) = await claim(world)
    return one


async def fail(world: World, one: Mail, *, for_good: bool = False) -> datetime | None:
    async with world.database.transaction() as tx:
        return await mail.record_failure(tx, one, for_good=for_good, now=world.clock.now())


async def sent(world: World, one: Mail) -> None:
    async with world.database.transaction() as tx:
        await mail.record_sent(tx, one, now=world.clock.now())


async def row(world: World, mail_id: int) -> tuple[object, ...]:
    (found,) = await world.rows("SELECT state, attempts, body FROM mail WHERE id = $1", mail_id)
    return found


async def test_a_mail_is_due_at_once(world: World) -> None:
    mail_id = await enqueue(world)
    one = await claim_one(world)
    assert (one.id, one.recipient, one.subject, one.body) == (
        mail_id,
        "a@example.com",
        "Your code",
        "The code is 4711.",
    )
    assert one.attempts == 1


async def test_a_mail_of_a_transaction_that_failed_is_never_sent(world: World) -> None:
    with pytest.raises(ZeroDivisionError):
        async with world.database.transaction() as tx:
            await mail.enqueue(tx, "a@example.com", "Hello", "Hello", world.clock.now())
            raise ZeroDivisionError
    assert await claim(world) == []


async def test_a_claimed_mail_comes_again_only_after_its_lease(world: World) -> None:
    await enqueue(world)
    await claim_one(world)
    world.clock.turn(LEASE_SECONDS - 1)
    assert await claim(world) == []
    world.clock.turn(1)
    assert (await claim_one(world)).attempts == 2


async def test_two_senders_never_claim_the_same_mail(world: World) -> None:
    for _ in range(4):
        await enqueue(world)
    async with world.database.transaction() as one, world.database.transaction() as other:
        first = await mail.claim(one, now=world.clock.now(), lease_seconds=LEASE_SECONDS, limit=3)
        second = await mail.claim(other, now=world.clock.now(), lease_seconds=LEASE_SECONDS, limit=3)
    assert len(first) == 3
    assert len(second) == 1
    assert not {one.id for one in first} & {one.id for one in second}


async def test_the_body_is_erased_once_it_was_sent(world: World) -> None:
    mail_id = await enqueue(world)
    await sent(world, await claim_one(world))
    assert await row(world, mail_id) == ("sent", 1, None)
    world.clock.turn(timedelta(days=30).total_seconds())
    assert await claim(world) == []


async def test_a_failed_mail_is_tried_again_on_schedule_and_then_given_up(world: World) -> None:
    mail_id = await enqueue(world)
    for attempt, wait in enumerate(rules.RETRIES, start=1):
        one = await claim_one(world)
        assert one.attempts == attempt
        assert await fail(world, one) == world.clock.now() + wait
        world.clock.turn(wait.total_seconds() - 1)
        assert await claim(world) == []
        world.clock.turn(1)
    last = await claim_one(world)
    assert await fail(world, last) is None
    assert await row(world, mail_id) == ("failed", len(rules.RETRIES) + 1, None)
    assert await claim(world) == []


async def test_what_nobody_will_ever_take_is_given_up_at_once(world: World) -> None:
    mail_id = await enqueue(world)
    assert await fail(world, await claim_one(world), for_good=True) is None
    assert await row(world, mail_id) == ("failed", 1, None)


async def test_an_outcome_that_comes_after_the_lease_changes_nothing(world: World) -> None:
    mail_id = await enqueue(world)
    late = await claim_one(world)
    world.clock.turn(LEASE_SECONDS)
    again = await claim_one(world)
    await fail(world, late, for_good=True)
    assert await row(world, mail_id) == ("pending", 2, "The code is 4711.")
    await sent(world, again)
    await fail(world, again)
    assert await row(world, mail_id) == ("sent", 2, None)


async def test_closed_mails_are_forgotten_in_time(world: World) -> None:
    await enqueue(world)
    await sent(world, await claim_one(world))
    pending = await enqueue(world)
    world.clock.turn(60)
    async with world.database.transaction() as tx:
        assert await mail.forget(tx, before=world.clock.now()) == 1
    assert await world.rows("SELECT id FROM mail") == [(pending,)]


async def test_whoever_sends_is_woken(world: World, database_url: str) -> None:
    heard: list[object] = []
    connection = await asyncpg.connect(database_url)
    try:
        await connection.add_listener("simyard_due", lambda *said: heard.append(said[-1]))
        await enqueue(world)
        await connection.fetchval("SELECT 1")
    finally:
        await connection.close()
    assert heard == ["mail"]


def test_a_body_is_not_shown_by_accident() -> None:
    one = Mail(1, "a@example.com", "Hello", "secret", 1, datetime(2026, 3, 1))  # type: ignore[arg-type]  # noqa: DTZ001
    assert "secret" not in repr(one)


@given(st.text())
def test_a_subject_is_one_line_of_bounded_length(subject: str) -> None:
    line = rules.subject_line(subject)
    assert len(line.splitlines()) <= 1
    assert len(line) <= rules.SUBJECT_LENGTH_MAX


async def test_a_subject_cannot_add_headers(world: World) -> None:
    await enqueue(world, "Hello\r\nBcc: everybody@example.com")
    assert (await claim_one(world)).subject == "Hello Bcc: everybody@example.com"
