"""Processes that end between two steps of the saga: nothing held without an order, nothing reserved for nobody."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal
from simyard.core.activations.model import Order
from simyard.core.pools.model import Pool
from simyard.core.remote import saga
from simyard.core.remote import service as remote
from simyard.core.remote.rules import LOST_SECONDS, REPAIR_SECONDS
from simyard.core.rentals.model import Rental
from simyard.workers.remote.source import SourceFailed
from tests.workers.remote.conftest import RemoteWorld
from tests.workers.remote.host import Host, hang, until
from tests.world import code_text, micros

KINDS = ("activation", "rental")


async def _add_pool(far: RemoteWorld, kind: str, host: Host) -> Pool:
    """A pool that sells what costs one dollar."""
    pool, _, _ = await (far.add_pool(host) if kind == "activation" else far.add_rent_pool(host))
    return pool


def _buy(far: RemoteWorld, kind: str, buyer: AccountId, **wishes: Any) -> Awaitable[Order | Rental]:
    return far.order(buyer, **wishes) if kind == "activation" else far.rent(buyer, **wishes)


class _Died(BaseException):
    """The process ended here, and did nothing after it."""


async def _die() -> None:
    raise _Died


async def _abandon(far: RemoteWorld, order: Awaitable[object]) -> None:
    """An order whose process ends on the way."""
    task = asyncio.ensure_future(order)
    done, _ = await asyncio.wait({task}, timeout=1.0)
    if not done:
        task.cancel()
    with suppress(_Died, Refusal, asyncio.CancelledError, Exception):
        await task
    await far.acquirer.close()


def _at_start(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def dies(*arguments: Any, **named: Any) -> Any:
        raise _Died

    return dies


def _at_end(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def dies(*arguments: Any, **named: Any) -> Any:
        await work(*arguments, **named)
        # Rolled back, as a connection that breaks before its commit is.
        raise _Died

    return dies


STEPS = (
    "before it was asked",
    "while it was asked",
    "after a number was reserved",
    "before the number was recorded",
    "before the commit of the number",
    "before a refusal was recorded",
    "before an unknown outcome was recorded",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", STEPS)
async def test_a_process_that_ends_leaves_nothing_behind(
    far: RemoteWorld, monkeypatch: pytest.MonkeyPatch, step: str, kind: str
) -> None:
    world = far.world
    host = Host(numbers=world.msisdns(3))
    await _add_pool(far, kind, host)
    buyer = await world.add_buyer("10")
    with monkeypatch.context() as patched:
        if step == "before it was asked":
            host.before = _die
        elif step == "while it was asked":
            host.before = hang
        elif step == "after a number was reserved":
            host.after = _die
        elif step == "before the number was recorded":
            patched.setattr(saga, "number_came", _at_start(saga.number_came))
        elif step == "before the commit of the number":
            patched.setattr(saga, "number_came", _at_end(saga.number_came))
        elif step == "before a refusal was recorded":
            host.numbers.clear()
            patched.setattr(saga, "number_refused", _at_start(saga.number_refused))
        else:
            host.after = _cut_off
            patched.setattr(saga, "number_unknown", _at_start(saga.number_unknown))
        await _abandon(far, _buy(far, kind, buyer, key="once"))
    host.before = host.after = None
    assert await far.states() == [("asking", None)]
    assert (await world.balance(buyer)).held == micros("1")
    await world.assert_whole()
    # The money comes back, and the key is free again, at once.
    world.clock.turn(REPAIR_SECONDS)
    await far.leases.settle()
    assert (await world.balance(buyer)).available == micros("10")
    assert await world.value("SELECT count(*) FROM idempotency") == 0
    # The number goes back when nobody can be listening for it any more.
    world.clock.turn(LOST_SECONDS)
    await far.leases.settle()
    assert host.reserved == {}
    assert [state for state, _ in await far.states()] == ["done"]
    assert await world.value("SELECT count(*) FROM remote_lease WHERE problem IS NOT NULL") == 0
    await world.assert_whole()


async def _cut_off() -> None:
    raise SourceFailed("cut off", ambiguous=True)


async def test_a_process_that_ends_while_it_gives_back_a_late_number(far: RemoteWorld) -> None:
    world = far.world
    far.give_up_after(0.1)
    may_answer = asyncio.Event()

    async def wait() -> None:
        await may_answer.wait()
        raise _Died

    _, host, _ = await far.add_pool(Host(numbers=world.msisdns(1), after=wait))
    buyer = await world.add_buyer("10")
    with pytest.raises(Refusal):
        await far.order(buyer)
    assert (await world.balance(buyer)).available == micros("10")
    may_answer.set()
    await far.acquirer.close()
    assert len(host.reserved) == 1
    world.clock.turn(LOST_SECONDS)
    await far.leases.settle()
    assert host.reserved == {}
    await world.assert_whole()


async def test_a_number_of_another_order_on_its_way_is_not_given_back(far: RemoteWorld) -> None:
    """A source that tells by the time alone shows numbers of orders whose answer is not recorded yet."""
    world = far.world
    _, host, _ = await far.add_pool(Host(numbers=world.msisdns(2), after=_cut_off))
    buyer = await world.add_buyer("10")
    with pytest.raises(Refusal):
        await far.order(buyer)
    may_answer = asyncio.Event()

    async def wait() -> None:
        await may_answer.wait()

    host.after = wait
    order = asyncio.create_task(far.order(buyer))
    await until(lambda: len(host.reserved) == 2)
    # As such a source answers: everything that is open.
    far_host_find = [number for number, _ in host.reserved.values()]
    async with world.database.transaction() as tx:
        due = await remote.claim_due(
            tx, lease_seconds=60, in_flight={}, per_pool_max=4, limit=10, now=world.clock.now()
        )
        (ambiguous,) = due
        assert await remote.record_found(tx, ambiguous, far_host_find, now=world.clock.now()) == []
    may_answer.set()
    held = await order
    world.clock.turn(600)
    async with world.database.transaction() as tx:
        (ambiguous,) = await remote.claim_due(
            tx, lease_seconds=60, in_flight={}, per_pool_max=4, limit=10, now=world.clock.now()
        )
        (back,) = await remote.record_found(tx, ambiguous, far_host_find, now=world.clock.now())
    assert back.msisdn != held.msisdn
    await world.assert_whole()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["before it was told", "before it was recorded"])
async def test_an_ending_is_told_by_whoever_comes_after(
    far: RemoteWorld, monkeypatch: pytest.MonkeyPatch, step: str, kind: str
) -> None:
    world = far.world
    host = Host(numbers=world.msisdns(1))
    pool = await _add_pool(far, kind, host)
    buyer = await world.add_buyer("10")
    leased = await _buy(far, kind, buyer)
    await world.receive(pool.supplier_id, leased.msisdn, code_text("whatsapp", "123456"))
    if isinstance(leased, Order):
        await world.finish(buyer, leased.activation_id)
    else:
        await world.close_rental(buyer, leased.id)
    with monkeypatch.context() as patched:
        if step == "before it was told":
            host.finish_raises = [RuntimeError("the process ended")]
        else:
            patched.setattr(remote, "record_finished", _raising)
        await far.leases.settle()
    assert [state for state, _ in await far.states()] == ["finishing"]
    world.clock.turn(61)
    await far.leases.settle()
    assert [state for state, _ in await far.states()] == ["done"]
    assert set(host.endings()) == {"sold"}


async def _raising(*arguments: Any, **named: Any) -> None:
    raise RuntimeError("the process ended")


_BUYING = """
import asyncio, os, sys
from datetime import UTC, datetime
from simyard.base.clock import ManualClock
from simyard.core.lanes import Lanes
from simyard.db.database import Database
from tests.workers.remote.conftest import RemoteWorld
from tests.workers.remote.host import HOSTS, Host, hang, protocol
from tests.world import World

async def main(url, pool_id, buyer, step, now, kind):
    async with await Database.connect(url, connections_max=4) as database:
        world = World(database, ManualClock(datetime.fromtimestamp(float(now), UTC)))
        lanes = Lanes(database, database, slots=2, batch_max=64, queue_max=4096)
        host = Host(numbers=["+447700900123"])
        async def say_and_hang():
            print("here", flush=True)
            await hang()
        setattr(host, step, say_and_hang)
        with protocol():
            HOSTS[f"https://host{pool_id}.example.com"] = host
            far = RemoteWorld(world, lanes)
            await (far.order if kind == "activation" else far.rent)(int(buyer))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["before", "after"])
async def test_a_killed_process_leaves_nothing_behind(
    far: RemoteWorld, database_url: str, step: str, kind: str
) -> None:
    world = far.world
    host = Host()
    pool = await _add_pool(far, kind, host)
    buyer = await world.add_buyer("10")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _BUYING,
        database_url,
        str(pool.id),
        str(buyer),
        step,
        str(world.clock.now().timestamp()),
        kind,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readline() == b"here\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert (await world.balance(buyer)).held == micros("1")
    if step == "after":
        # It lies with the other host, which outlives the process.
        wish = (await world.rows("SELECT wish FROM remote_lease"))[0][0]
        import msgspec

        from simyard.core.remote.model import RemoteNumber, RemoteWish

        asked = msgspec.msgpack.decode(wish, type=RemoteWish)
        host.reserved["r1"] = (RemoteNumber("r1", "+447700900123"), asked)
    world.clock.turn(REPAIR_SECONDS)
    await far.leases.settle()
    assert (await world.balance(buyer)).available == micros("10")
    world.clock.turn(LOST_SECONDS)
    await far.leases.settle()
    assert host.reserved == {}
    await world.assert_whole()
