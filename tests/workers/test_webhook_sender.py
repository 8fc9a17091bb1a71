"""The sender of webhooks: everything arrives in the end, nobody waits for another's receiver, a crash loses nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import os
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import prometheus_client
import pytest
import trustme

from simyard.base.clock import ManualClock
from simyard.base.ids import AccountId
from simyard.core.messages import service as messages
from simyard.core.messages.model import Fate
from simyard.core.webhooks import rules
from simyard.core.webhooks import service as webhooks
from simyard.core.webhooks.model import Announcement, Delivery, Event, ListDeliveries, SetEndpoint
from simyard.db.database import Database
from simyard.settings import Settings
from simyard.workers.loops import Workers
from simyard.workers.outgoing import Answer, Call, Failure, OutgoingClient
from simyard.workers.webhooks import WebhookSender, _retry_after
from tests import receivers
from tests.receivers import Behaviour, Receiver, Request, answer
from tests.world import World, code_text

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
SECONDS_MAX = 20
CALL_SECONDS = 0.4
LEASE_SECONDS = 30


def render(announcement: Announcement) -> bytes:
    return msgspec.json.encode({"message": announcement.message_id, "text": announcement.text})


@dataclass
class Scene:
    """A world whose buyers have receivers."""

    world: World
    supplier: AccountId

    def sender(
        self, *, database: Database | None = None, clock: ManualClock | None = None, **options: Any
    ) -> WebhookSender:
        options.setdefault("client", OutgoingClient(networks_allowed=LOOPBACK))
        options.setdefault("formats", {"onlinesim": render})
        options.setdefault("call_seconds_max", CALL_SECONDS)
        options.setdefault("stop_seconds_max", 0.0)
        options.setdefault("pause_seconds", 0.01)
        return WebhookSender(database or self.world.database, clock or self.world.clock, **options)

    async def buyer(self, url: str, balance: str = "1000") -> AccountId:
        buyer = await self.world.add_buyer(balance)
        await self.set(buyer, url)
        return buyer

    async def set(self, buyer: AccountId, url: str) -> None:
        command = SetEndpoint(buyer, "onlinesim", Event.MESSAGE, url, LOOPBACK, self.world.clock.now())
        async with self.world.database.transaction() as tx:
            await webhooks.set_endpoint(tx, command)

    async def message(self, buyer: AccountId, code: str = "123456") -> None:
        order = await self.world.order(buyer)
        receipt = await self.world.receive(self.supplier, order.msisdn, code_text("whatsapp", code))
        assert receipt.fate is Fate.DELIVERED

    async def log(self, buyer: AccountId) -> list[Delivery]:
        """Oldest first."""
        async with self.world.database.transaction() as tx:
            page = await webhooks.list_deliveries(tx, ListDeliveries(buyer, per_page=1000))
        return list(reversed(page.deliveries))

    async def states(self, buyer: AccountId) -> list[str]:
        return [one.state.value for one in await self.log(buyer)]


@pytest.fixture
async def scene(world: World) -> Scene:
    supplier, _, _ = await world.stocked(60)
    return Scene(world, supplier)


@asynccontextmanager
async def running(*senders: WebhookSender) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        for sender in senders:
            group.create_task(sender.run())
        try:
            yield
        finally:
            for sender in senders:
                sender.stop()


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            result = holds()
            if await result if asyncio.iscoroutine(result) else result:
                return
            await asyncio.sleep(0.005)


# What arrives


async def test_a_message_arrives_signed_at_its_receiver(scene: Scene) -> None:
    async with Receiver() as receiver, running(scene.sender()):
        buyer = await scene.buyer(receiver.url("/hook?key=1"))
        await scene.message(buyer)
        await until(lambda: receiver.requests)
        await until(lambda: _all_are("delivered", scene, buyer))
    (request,) = receiver.requests
    (delivery,) = await scene.log(buyer)
    secret = await scene.world.value("SELECT secret FROM webhook_endpoint")
    assert (request.method, request.target) == ("POST", "/hook?key=1")
    assert request.body == render(delivery.facts)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("Simyard/")
    name, seconds = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    assert name == f"msg_{delivery.id}"
    assert int(seconds) == int(scene.world.clock.now().timestamp())
    digest = hmac.new(secret, f"{name}.{seconds}.".encode() + request.body, hashlib.sha256).digest()
    assert request.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert (delivery.status, delivery.attempts) == (200, 1)


async def _all_are(state: str, scene: Scene, *buyers: AccountId) -> bool:
    states = [one for buyer in buyers for one in await scene.states(buyer)]
    return bool(states) and set(states) == {state}


async def test_a_notification_wakes_the_sender_of_the_running_workers(
    scene: Scene, database_url: str
) -> None:
    settings = Settings(webhook_networks_allowed=LOOPBACK)
    workers = Workers(
        scene.world.database, database_url, scene.world.clock, settings, webhook_formats={"onlinesim": render}
    )
    for loop in workers.loops:
        loop._pause_seconds = 3600
    async with Receiver() as receiver, asyncio.TaskGroup() as group:
        buyer = await scene.buyer(receiver.url())
        group.create_task(workers.run())
        await until(lambda: workers._listener.connects and all(loop.steps for loop in workers.loops))
        await scene.message(buyer)
        await until(lambda: _all_are("delivered", scene, buyer))
        workers.stop()


async def test_every_message_of_a_rush_arrives_once(scene: Scene) -> None:
    async with Receiver() as receiver, running(scene.sender(), scene.sender()):
        buyer = await scene.buyer(receiver.url())
        for number in range(40):
            await scene.message(buyer, f"{100_000 + number}")
        await until(lambda: _all_are("delivered", scene, buyer))
    names = [request.headers["webhook-id"] for request in receiver.requests]
    assert len(names) == len(set(names)) == 40


async def test_few_go_to_one_receiver_at_once_and_one_while_it_fails(scene: Scene) -> None:
    async def slowly(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        await answer()(request, writer)

    async with Receiver(default=slowly) as receiver:
        buyer = await scene.buyer(receiver.url())
        for number in range(20):
            await scene.message(buyer, f"{100_000 + number}")
        async with running(scene.sender()):
            await until(lambda: _all_are("delivered", scene, buyer))
        assert 2 <= receiver.open_most <= 4
        receiver.default, receiver.open_most = receivers.hang, 0
        await scene.world.value("UPDATE webhook_endpoint SET failing_since = now()")
        for number in range(5):
            await scene.message(buyer, f"{200_000 + number}")
        async with running(scene.sender()):
            await until(lambda: receiver.open_now)
            await asyncio.sleep(CALL_SECONDS / 2)
            assert receiver.open_most == 1


# Receivers that do not behave


def _redirect_inside(receiver: Receiver) -> Behaviour:
    return answer(302, b"", f"location: {receiver.url('/inside')}")


HOSTILE: dict[str, Callable[[Receiver], Behaviour]] = {
    "500": lambda receiver: answer(500, b"broken"),
    "404": lambda receiver: answer(404),
    "too many": lambda receiver: answer(429, b"", "retry-after: 0"),
    "redirect to loopback": _redirect_inside,
    "hang": lambda receiver: receivers.hang,
    "drip-fed head": lambda receiver: receivers.drip_head,
    "endless interim answers": lambda receiver: receivers.interim_answers,
    "endless head": lambda receiver: receivers.endless_head,
    "10 MB of an error": lambda receiver: answer(500, b"a" * 10_000_000),
    "no HTTP": lambda receiver: receivers.garbage,
    "hang up": lambda receiver: receivers.hang_up,
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_bad_receiver_loses_nothing_and_holds_up_nobody(scene: Scene, kind: str) -> None:
    """More waits for the bad one than there is room for altogether; the other's arrives at once all the same."""
    async with Receiver() as bad, Receiver() as good:
        bad.default = HOSTILE[kind](bad)
        unlucky, lucky = await scene.buyer(bad.url()), await scene.buyer(good.url())
        for number in range(10):
            await scene.message(unlucky, f"{100_000 + number}")
        async with running(scene.sender(in_flight_max=8)):
            await until(lambda: bad.requests)
            began = time.monotonic()
            await scene.message(lucky)
            await until(lambda: good.requests)
            # Less than one call to the bad one may take.
            assert time.monotonic() - began < CALL_SECONDS + 2
            await until(lambda: _all_have_met_a_problem(scene, unlucky))
            await until(lambda: _all_are("delivered", scene, lucky))
            assert all(request.target != "/inside" for request in bad.requests)
            bad.default = answer()
            await _turn_until(scene, lambda: _all_are("delivered", scene, unlucky))
        assert len({request.headers["webhook-id"] for request in bad.requests}) == 10


async def test_many_receivers_that_hang_leave_room_for_those_that_work(scene: Scene) -> None:
    async with Receiver(default=receivers.hang) as bad, Receiver() as good:
        for place in range(8):
            unlucky = await scene.buyer(bad.url(f"/{place}"))
            await scene.message(unlucky)
        await scene.world.value("UPDATE webhook_endpoint SET failing_since = now()")
        lucky = await scene.buyer(good.url())
        async with running(scene.sender(in_flight_max=4, call_seconds_max=60)):
            await until(lambda: bad.open_now)
            for number in range(5):
                await scene.message(lucky, f"{100_000 + number}")
            await until(lambda: _all_are("delivered", scene, lucky))
            assert bad.connections == 2


async def _all_have_met_a_problem(scene: Scene, buyer: AccountId) -> bool:
    return any(one.problem for one in await scene.log(buyer))


async def _turn_until(scene: Scene, holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while not await holds():
            scene.world.clock.turn(60)
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("behaviour", [answer(200, b"a" * 10_000_000), answer(204), receivers.drip_body])
async def test_a_receiver_that_says_yes_has_it_whatever_follows(scene: Scene, behaviour: Behaviour) -> None:
    async with Receiver(default=behaviour) as receiver, running(scene.sender()):
        buyer = await scene.buyer(receiver.url())
        await scene.message(buyer)
        await until(lambda: _all_are("delivered", scene, buyer))
        assert len(receiver.requests) == 1


async def test_a_closed_port_loses_nothing(scene: Scene) -> None:
    async with Receiver() as receiver:
        closed = receiver.url()
    buyer = await scene.buyer(closed)
    await scene.message(buyer)
    async with Receiver() as receiver, running(scene.sender()):
        await until(lambda: _all_have_met_a_problem(scene, buyer))
        assert "not_connected" in str((await scene.log(buyer))[0].problem)
        await scene.set(buyer, receiver.url())
        await _turn_until(scene, lambda: _all_are("delivered", scene, buyer))


async def test_a_certificate_nobody_vouches_for_loses_nothing(scene: Scene) -> None:
    authority = trustme.CA()
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(served)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with Receiver(tls=served) as receiver:
        buyer = await scene.buyer(receiver.url(scheme="https"))
        await scene.message(buyer)
        async with running(scene.sender(call_seconds_max=5)):
            await until(lambda: _all_have_met_a_problem(scene, buyer))
        assert receiver.requests == []
        assert "not_trusted" in str((await scene.log(buyer))[0].problem)
        client = OutgoingClient(networks_allowed=LOOPBACK, tls=trusting)
        async with running(scene.sender(client=client, call_seconds_max=5)):
            await _turn_until(scene, lambda: _all_are("delivered", scene, buyer))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "rebind.example"]
)
async def test_nothing_is_sent_inside_unless_the_network_is_allowed(scene: Scene, host: str) -> None:
    """Also when the URL was taken while the network was allowed, or is a name that means this machine by now."""
    async with Receiver() as receiver:
        buyer = await scene.buyer(receiver.url(host=host))
        await scene.message(buyer)
        client = OutgoingClient(resolve=lambda host, port: ["127.0.0.1"])
        async with running(scene.sender(client=client)):
            await until(lambda: _all_have_met_a_problem(scene, buyer))
        assert receiver.connections == 0
        assert "forbidden" in str((await scene.log(buyer))[0].problem)


async def test_gone_switches_off_and_the_rest_is_not_sent(scene: Scene) -> None:
    async with Receiver(default=answer(410)) as receiver:
        buyer = await scene.buyer(receiver.url())
        for number in range(3):
            await scene.message(buyer, f"{100_000 + number}")
        async with running(scene.sender(per_endpoint_max=1)):
            await until(lambda: _all_are("failed", scene, buyer))
        assert len(receiver.requests) == 1
        assert await scene.world.value("SELECT count(*) FROM mail") == 1
        async with scene.world.database.transaction() as tx:
            endpoint = await webhooks.endpoint_of(tx, buyer, "onlinesim")
        assert endpoint is not None
        assert not endpoint.enabled


async def test_retries_follow_the_schedule_and_carry_the_same_id(scene: Scene) -> None:
    async with Receiver(default=answer(503)) as receiver, running(scene.sender()):
        buyer = await scene.buyer(receiver.url())
        await scene.message(buyer)
        for attempts, wait in enumerate(rules.RETRIES, start=1):
            if wait:
                await until(partial(_attempts_are, attempts, scene, buyer))
                assert len(receiver.requests) == attempts
                scene.world.clock.turn(wait.total_seconds())
        await until(lambda: _all_are("failed", scene, buyer))
    assert len(receiver.requests) == 11
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert len({request.headers["webhook-timestamp"] for request in receiver.requests}) > 5


async def _attempts_are(count: int, scene: Scene, buyer: AccountId) -> bool:
    return [one.attempts for one in await scene.log(buyer)] == [count]


async def test_a_receiver_that_asks_for_time_gets_it(scene: Scene) -> None:
    async with Receiver(default=answer(429, b"", "retry-after: 120")) as receiver:
        buyer = await scene.buyer(receiver.url())
        await scene.message(buyer)
        async with running(scene.sender()):
            await until(lambda: _all_have_met_a_problem(scene, buyer))
        (delivery,) = await scene.log(buyer)
        assert delivery.next_attempt_at == scene.world.clock.now() + timedelta(seconds=120)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        (None, None),
        ("0", timedelta(0)),
        ("120", timedelta(seconds=120)),
        ("9" * 400, timedelta(seconds=10**6)),
        ("Sun, 01 Mar 2026 12:01:00 GMT", timedelta(seconds=60)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_nonsense_is_no_wish(
    text: str | None, wait: timedelta | None
) -> None:
    headers = () if text is None else (("retry-after", text),)
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert _retry_after(Answer(503, headers, b"", whole=True), now) == wait


# What goes wrong on our side


async def test_an_announcement_that_cannot_be_rendered_is_a_failure_and_holds_up_nobody(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    def fussy(announcement: Announcement) -> bytes:
        if announcement.code == "666666":
            raise ValueError(announcement.text)
        return render(announcement)

    async with Receiver() as receiver, running(scene.sender(formats={"onlinesim": fussy})):
        buyer = await scene.buyer(receiver.url())
        await scene.message(buyer, "666666")
        await scene.message(buyer, "111111")
        await until(lambda: receiver.requests)
        await until(lambda: _all_have_met_a_problem(scene, buyer))
    assert "rendered" in str((await scene.log(buyer))[0].problem)
    assert "cannot be rendered: ValueError" in caplog.text
    assert "666666" not in caplog.text, "texts do not belong in logs"


async def test_an_announcement_whose_text_was_erased_is_not_sent(scene: Scene) -> None:
    async with Receiver() as receiver:
        buyer = await scene.buyer(receiver.url())
        await scene.message(buyer)
        scene.world.clock.turn(1)
        async with scene.world.database.transaction() as tx:
            await messages.erase_texts(tx, before=scene.world.clock.now(), limit=10)
        async with running(scene.sender()):
            await until(lambda: _all_are("failed", scene, buyer))
        assert receiver.connections == 0


class _Died(BaseException):
    """The process is gone: nothing after this runs."""


STEPS = ("after the claim", "before the call", "after the call", "while recording", "after the record")


@pytest.mark.parametrize("step", STEPS)
async def test_a_process_that_dies_at_any_step_loses_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """What was not recorded is sent again after the lease, under the same id; what was is not."""
    sender = scene.sender()

    async def die(*_: object, **__: object) -> Any:
        raise _Died

    async with Receiver() as receiver:
        buyer = await scene.buyer(receiver.url())
        await scene.message(buyer)
        with monkeypatch.context() as broken:
            record, call = webhooks.record_success, sender._client.call
            if step == "after the claim":
                broken.setattr(sender, "_see_to", die)
            elif step == "before the call":
                broken.setattr(sender._client, "call", die)
            elif step == "after the call":

                async def call_and_die(wanted: Call) -> Answer | Failure:
                    await call(wanted)
                    raise _Died

                broken.setattr(sender._client, "call", call_and_die)
            else:

                async def record_and_die(*arguments: Any, **facts: Any) -> None:
                    await record(*arguments, **facts)
                    raise _Died

                if step == "while recording":
                    broken.setattr(webhooks, "record_success", record_and_die)
                else:
                    broken.setattr(sender, "_count", lambda *_: (_ for _ in ()).throw(_Died))
            await sender.settle()
        before = len(receiver.requests)
        assert before == (1 if step in STEPS[2:] else 0)
        recorded = step == "after the record"
        assert await scene.states(buyer) == ["delivered" if recorded else "pending"]
        other = scene.sender()
        assert await other.begin_due() == 0, "the claim holds until its lease ends"
        scene.world.clock.turn(LEASE_SECONDS)
        async with running(other):
            await until(lambda: _all_are("delivered", scene, buyer))
        assert len(receiver.requests) == before + (0 if recorded else 1)
        assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1


_CHILD = """
import asyncio, ipaddress, sys
from simyard.base.clock import SystemClock
from simyard.db.database import Database
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.webhooks import WebhookSender

async def main():
    database = await Database.connect(sys.argv[1])
    client = OutgoingClient(networks_allowed=[ipaddress.ip_network("127.0.0.0/8")])
    await WebhookSender(database, SystemClock(), client, {"onlinesim": lambda _: b"{}"}).run()

asyncio.run(main())
"""


async def test_a_process_that_is_killed_while_it_calls_loses_nothing(scene: Scene, database_url: str) -> None:
    async with Receiver(default=receivers.hang) as receiver:
        buyer = await scene.buyer(receiver.url())
        for number in range(3):
            await scene.message(buyer, f"{100_000 + number}")
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", _CHILD, database_url)
        try:
            await until(lambda: len(receiver.requests) == 3)
        finally:
            os.kill(child.pid, signal.SIGKILL)
            await child.wait()
        assert await scene.states(buyer) == ["pending"] * 3
        receiver.default = answer()
        later = ManualClock(datetime.now(UTC) + timedelta(seconds=2 * LEASE_SECONDS))
        async with running(scene.sender(clock=later)):
            await until(lambda: _all_are("delivered", scene, buyer))
        assert len({request.headers["webhook-id"] for request in receiver.requests}) == 3


async def test_a_stop_does_not_wait_for_a_receiver_that_hangs(scene: Scene) -> None:
    async with Receiver(default=receivers.hang) as receiver:
        buyer = await scene.buyer(receiver.url())
        await scene.message(buyer)
        began = time.monotonic()
        async with running(scene.sender(call_seconds_max=60, stop_seconds_max=0.1)):
            await until(lambda: receiver.requests)
        assert time.monotonic() - began < SECONDS_MAX
        assert await scene.states(buyer) == ["pending"]


async def test_a_stop_lets_a_receiver_that_answers_soon_end(scene: Scene) -> None:
    released = asyncio.Event()

    async def wait(request: Request, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        await answer()(request, writer)

    async with Receiver(default=wait) as receiver:
        buyer = await scene.buyer(receiver.url())
        await scene.message(buyer)
        sender = scene.sender(call_seconds_max=60, stop_seconds_max=SECONDS_MAX)
        async with running(sender):
            await until(lambda: receiver.requests)
            sender.stop()
            released.set()
        assert await scene.states(buyer) == ["delivered"]


async def test_attempts_are_counted_by_their_outcome(scene: Scene) -> None:
    def count(outcome: str) -> float:
        labels = {"format": "onlinesim", "outcome": outcome}
        return prometheus_client.REGISTRY.get_sample_value("simyard_webhook_attempts_total", labels) or 0

    before = count("delivered"), count("retried")
    async with Receiver() as receiver, running(scene.sender()):
        receiver.behaviours["/bad"] = answer(500)
        good, bad = await scene.buyer(receiver.url()), await scene.buyer(receiver.url("/bad"))
        for buyer in (good, bad):
            await scene.message(buyer)
        await until(lambda: _all_are("delivered", scene, good))
        await until(lambda: _attempts_are(2, scene, bad))
    assert (count("delivered"), count("retried")) == (before[0] + 1, before[1] + 2)
