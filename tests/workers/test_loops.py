"""The workers: each loop does its work, two processes may run them at once, a crash loses nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from simyard.base.ids import NumberId
from simyard.base.refusals import Refusal
from simyard.core.activations import service as activations
from simyard.core.activations.machine import State
from simyard.core.activations.model import Order
from simyard.core.activations.store import SandboxTarget
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.catalog.model import Service
from simyard.core.mail import service as mail
from simyard.core.messages import service as messages
from simyard.core.messages.rules import Verdict, judge
from simyard.core.public_numbers import service as public_numbers
from simyard.core.public_numbers.model import ListPublicMessages
from simyard.db.database import Database
from simyard.settings import Settings
from simyard.workers import loops
from simyard.workers.loops import Workers
from tests.world import ACTIVATION_SECONDS, World, code_text, reported

SECONDS_MAX = 20
SANDBOX = [f"+4477009000{place:02d}" for place in range(20)]


@pytest.fixture
def workers(world: World, database_url: str) -> Workers:
    return Workers(world.database, database_url, world.clock, Settings())


@asynccontextmanager
async def running(*all_workers: Workers) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        for workers in all_workers:
            group.create_task(workers.run())
        try:
            yield
        finally:
            for workers in all_workers:
                workers.stop()


async def until(holds: Callable[[], Awaitable[bool]], *all_workers: Workers) -> None:
    """Wakes the loops until something holds."""
    async with asyncio.timeout(SECONDS_MAX):
        while not await holds():
            for workers in all_workers:
                for loop in workers.loops:
                    loop.wake()


def step(workers: Workers, name: str) -> Callable[[], Awaitable[int]]:
    """One step of a loop, without the loop."""
    return next(loop for loop in workers.loops if loop.name == name)._step


async def sandbox_order(world: World, seconds: float = 5) -> Order:
    await world.add_sandbox_pool([reported(msisdn) for msisdn in SANDBOX])
    await world.set_price("whatsapp", "1")
    buyer = await world.add_buyer()
    return await world.order(buyer, sandbox_seconds=seconds)


# Sandbox


async def test_public_fictitious_numbers_get_an_sms_now_and_then(world: World, workers: Workers) -> None:
    await world.add_sandbox_pool([reported(msisdn) for msisdn in SANDBOX])
    _, _, (real,) = await world.stocked(1)
    for msisdn in (*SANDBOX[:2], real):
        async with world.database.transaction() as tx:
            await public_numbers.publish(tx, msisdn, actor="test", now=world.clock.now())

    async def counts() -> dict[str, int]:
        async with world.database.transaction() as tx:
            page = await public_numbers.list_messages(tx, ListPublicMessages(None, None, 1, 100))
        return Counter(message.msisdn for message in page.messages)

    send = step(workers, "public sandbox")
    assert await send() == 2
    assert await counts() == {SANDBOX[0]: 1, SANDBOX[1]: 1}
    world.clock.turn(599)
    assert await send() == 0
    world.clock.turn(2)
    assert await send() == 2
    assert await counts() == {SANDBOX[0]: 2, SANDBOX[1]: 2}


async def test_two_processes_do_not_send_a_public_number_two_sms(world: World, workers: Workers) -> None:
    await world.add_sandbox_pool([reported(msisdn) for msisdn in SANDBOX])
    async with world.database.transaction() as tx:
        await public_numbers.publish(tx, SANDBOX[0], actor="test", now=world.clock.now())
    send = step(workers, "public sandbox")
    assert sorted(await asyncio.gather(send(), send())) == [0, 1]


async def test_upkeep_drops_public_messages_and_mail_with_the_texts(world: World, workers: Workers) -> None:
    supplier, _, (msisdn,) = await world.stocked(1)
    async with world.database.transaction() as tx:
        await public_numbers.publish(tx, msisdn, actor="test", now=world.clock.now())
        await mail.enqueue(tx, "a@example.com", "Hello", "Hello", world.clock.now())
        (one,) = await mail.claim(tx, now=world.clock.now(), lease_seconds=60, limit=1)
        await mail.record_sent(tx, one, now=world.clock.now())
    await world.receive(supplier, msisdn, "Hello")
    keep_up = step(workers, "upkeep")

    async def counts() -> list[int]:
        return [
            await world.value(f"SELECT count(*) FROM {table}")
            for table in ("public_message", "public_message WHERE digest IS NOT NULL", "mail")
        ]

    await keep_up()
    assert await counts() == [1, 1, 1]
    world.clock.turn(86_400 + 1)
    await keep_up()
    assert await counts() == [1, 0, 1]
    world.clock.turn(29 * 86_400)
    assert await keep_up() == 1
    assert await counts() == [0, 0, 0]


async def test_a_sandbox_order_gets_its_sms_after_the_set_time(world: World, workers: Workers) -> None:
    await sandbox_order(world, 5)
    send = step(workers, "sandbox")
    world.clock.turn(4.999)
    assert await send() == 0
    world.clock.turn(0.001)
    assert await send() == 1
    assert await send() == 0
    assert await world.rows("SELECT state, length(code), messages FROM activation") == [("received", 6, 1)]
    await world.assert_whole()


async def test_a_sandbox_order_that_was_cancelled_gets_no_sms(world: World, workers: Workers) -> None:
    await world.add_sandbox_pool([reported(SANDBOX[0])])
    for slug in ("whatsapp", "telegram"):
        await world.set_price(slug, "1")
    buyer = await world.add_buyer()
    canceled = await world.order(buyer, sandbox_seconds=5)
    await world.cancel(buyer, canceled.activation_id)
    current = await world.order(buyer, "telegram", sandbox_seconds=100)
    assert current.msisdn == canceled.msisdn
    world.clock.turn(5)
    assert await step(workers, "sandbox")() == 1
    assert (await world.check(buyer, current.activation_id)).state is State.WAITING
    assert await world.value("SELECT count(*) FROM message_dropped") == 0
    await world.assert_whole()


async def test_a_sandbox_sms_is_sent_again_when_the_process_died_before_it_committed(
    world: World, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await sandbox_order(world)
    world.clock.turn(5)

    async def die(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(messages, "receive", die)
        with pytest.raises(ZeroDivisionError):
            await step(workers, "sandbox")()
    assert await step(workers, "sandbox")() == 1
    assert await world.value("SELECT state FROM activation WHERE id = $1", order.activation_id) == "received"


def delivered(service: Service) -> bool:
    """Whether the SMS the sandbox makes for a service would reach its buyer, with its code."""
    text = loops._sandbox_text(SandboxTarget(NumberId(0), service.slug, service.name))
    judgement = judge(text, sender=service.name, ordered_service=service.slug)
    code = judgement.extraction.code
    return judgement.verdict is Verdict.DELIVER and code is not None and f" {code}." in text


def test_the_sandbox_sms_of_every_service_that_may_be_ordered_is_delivered_with_its_code() -> None:
    services = [service for service in load_catalog().services if not service.prohibited]
    assert [service.slug for service in services if not delivered(service)] == []


# All loops


async def test_running_workers_send_count_and_expire(world: World, workers: Workers) -> None:
    pool = await world.add_sandbox_pool([reported(msisdn) for msisdn in SANDBOX])
    await world.set_price("whatsapp", "1")
    buyer = await world.add_buyer("100")
    async with running(workers):
        received = await world.order(buyer, sandbox_seconds=5)
        waiting = await world.order(buyer, sandbox_seconds=10 * ACTIVATION_SECONDS)

        async def state_is(order: Order, state: State) -> bool:
            return (await world.check(buyer, order.activation_id)).state is state

        async def stock_is(count: int) -> bool:
            return await world.stock("whatsapp", pool) == count

        await until(lambda: stock_is(18), workers)
        world.clock.turn(5)
        await until(lambda: state_is(received, State.RECEIVED), workers)
        world.clock.turn(ACTIVATION_SECONDS)
        await until(lambda: state_is(waiting, State.EXPIRED), workers)
        await until(lambda: state_is(received, State.FINISHED), workers)
        await until(lambda: stock_is(20), workers)
    assert all(loop.failures == 0 for loop in workers.loops)
    await world.assert_whole()


async def test_the_workers_of_two_processes_do_everything_once(
    world: World, workers: Workers, database_url: str
) -> None:
    await world.add_sandbox_pool([reported(msisdn) for msisdn in SANDBOX])
    await world.set_price("whatsapp", "1")
    buyer = await world.add_buyer("100")
    orders = await world.order_batch(
        [world.order_command(buyer, sandbox_seconds=place % 2 * 10**6) for place in range(20)]
    )
    assert not any(isinstance(order, Refusal) for order in orders)
    database = await Database.connect(database_url)
    others = Workers(database, database_url, world.clock, Settings())

    async def states_are(**expected: int) -> bool:
        rows = await world.rows("SELECT state, count(*) FROM activation GROUP BY 1")
        return dict(rows) == expected

    async with running(workers, others):
        await until(lambda: states_are(received=10, waiting=10), workers, others)
        world.clock.turn(ACTIVATION_SECONDS)
        await until(lambda: states_are(finished=10, expired=10), workers, others)
    await database.close()
    assert all(loop.failures == 0 for each in (workers, others) for loop in each.loops)
    assert await world.value("SELECT count(*) FROM message") == 10
    await world.assert_whole()


async def test_a_supplier_who_changes_his_list_wakes_the_count(world: World, workers: Workers) -> None:
    """By a notification: the loop's own pause is made longer than the test."""
    for loop in workers.loops:
        loop._pause_seconds = 3600
    supplier, pool, _ = await world.stocked(0)
    async with running(workers):
        stock = next(loop for loop in workers.loops if loop.name == "stock")
        async with asyncio.timeout(SECONDS_MAX):
            while not (await world.value(_LISTENING) and stock.steps):
                pass
            await world.report(supplier, world.msisdns(3))
            while await world.stock("whatsapp", pool) != 3:
                pass


_LISTENING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN %'"
)


async def test_upkeep_erases_and_forgets_what_is_over(world: World, workers: Workers) -> None:
    supplier, _, _ = await world.stocked(1)
    buyer = await world.add_buyer()
    order = await world.order(buyer, key="k")
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "123456"))
    await world.value(
        "INSERT INTO budget VALUES ($1, 'check', $2, 1, 1, 1)",
        buyer,
        world.clock.now() + timedelta(minutes=1),
    )
    keep_up = step(workers, "upkeep")
    tables = ("message_seen", "budget", "idempotency")

    async def counts() -> list[int]:
        return [await world.value(f"SELECT count(*) FROM {table}") for table in tables]

    assert await keep_up() == 0
    assert await counts() == [1, 1, 1]
    world.clock.turn(86_400 + 1)
    await keep_up()
    assert await counts() == [0, 0, 1]
    world.clock.turn(2 * 86_400)
    await keep_up()
    assert await counts() == [0, 0, 1], "its lease is open"
    await world.expire()
    await keep_up()
    assert await counts() == [0, 0, 0]
    assert await world.value("SELECT body FROM message") is not None
    world.clock.turn(27 * 86_400)
    assert await keep_up() == 1
    assert await world.value("SELECT body FROM message") is None
    await world.assert_whole()


async def test_expiry_in_one_process_waits_for_the_other_and_finds_nothing_left(
    world: World, workers: Workers
) -> None:
    await world.stocked(3)
    buyer = await world.add_buyer()
    await world.order_batch([world.order_command(buyer) for _ in range(3)])
    world.clock.turn(ACTIVATION_SECONDS)
    async with world.database.transaction() as tx:
        assert await activations.expire(tx, limit=10, now=world.clock.now()) == 3
        second = asyncio.ensure_future(step(workers, "expiry")())
        async with asyncio.timeout(SECONDS_MAX):
            while not await world.value(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ):
                pass
    await second
    assert await world.value("SELECT count(*) FROM transfer WHERE kind = 'release'") == 3
    await world.assert_whole()
