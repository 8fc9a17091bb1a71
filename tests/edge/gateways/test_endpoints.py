"""The endpoint of all gateways: who may call, what is believed, and what is never said again."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from simyard.base.clock import ManualClock
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AccountState
from simyard.core.gateways import rules
from simyard.core.gateways import service as gateways
from simyard.core.gateways.model import GatewayMessage, Sim
from simyard.core.gateways.service import OTHER_KEYS, UNMATCHED_KEYS_MAX
from simyard.core.lanes import Lanes
from simyard.edge.gateways import endpoints
from simyard.edge.gateways.endpoints import BODY_BYTES_MAX, MESSAGES_MAX
from simyard.edge.gateways.generic import METHODS
from simyard.edge.gateways.kinds import KINDS
from tests.edge.gateways.bench import KEY, NOW, NUMBER, OTHER, TEXT, Bench, bench, clock
from tests.world import reported, world

__all__ = ["bench", "clock", "world"]


def sms(text: str = TEXT, line: object = "line01", **more: object) -> dict[str, object]:
    return {
        "type": "sms",
        "line": line,
        "from": "Telegram",
        "text": text,
        "time": "2026-11-21T09:21:09Z",
    } | more


# Who may call


async def test_a_wrong_address_is_not_there(bench: Bench) -> None:
    path = await bench.add("goip-bridge")
    for wrong in (
        path[:-1],
        path + "x",
        path.replace("goip-bridge", "textbee"),
        path.replace("goip-bridge", "nothing"),
        "/gateway/goip-bridge/" + "x" * 5000,
        "/gateway/goip-bridge/%00",
    ):
        assert (await bench.json(wrong, sms())).status_code == 404
    assert (await bench.json(path + "/", sms())).status_code == 200


async def test_a_new_address_ends_the_one_before(bench: Bench) -> None:
    path = await bench.add("goip-bridge")
    async with bench.world.database.transaction() as tx:
        gateway, token = await gateways.renew_token(tx, "goip-bridge", actor="test", now=NOW)
    assert (await bench.json(path, sms())).status_code == 404
    assert (await bench.json(endpoints.path(gateway.kind, token), sms())).status_code == 200
    async with bench.world.database.transaction() as tx:
        await gateways.set_enabled(tx, "goip-bridge", enabled=False, actor="test", now=NOW)
    assert (await bench.json(endpoints.path(gateway.kind, token), sms())).status_code == 403


async def test_a_frozen_supplier_hands_nothing_in(bench: Bench) -> None:
    path = await bench.add("goip-bridge")
    await bench.map("goip-bridge", "line01")
    async with bench.world.database.transaction() as tx:
        email = await tx.fetchval("SELECT email FROM account WHERE id = $1", bench.supplier)
        await accounts.set_state(tx, email, AccountState.SUSPENDED, actor="test", now=NOW)
    assert (await bench.json(path, sms())).status_code == 403
    assert await bench.texts() == []


async def test_only_allowed_networks_may_call(bench: Bench) -> None:
    path = await bench.add("goip-bridge", networks=("10.0.0.0/24", "2001:db8::/32"))
    await bench.map("goip-bridge", "line01")
    body = json.dumps(sms())
    for address, status in (
        ("203.0.113.7", 403),
        ("10.0.1.1", 403),
        ("::ffff:10.0.1.1", 403),
        ("not an address", 403),
        ("10.0.0.9", 200),
        ("::ffff:10.0.0.9", 200),
        ("2001:db8::5", 200),
    ):
        assert (await bench.send(path, body, address=address)).status_code == status
    assert len(await bench.texts()) == 1


async def test_methods_its_kind_does_not_use_are_refused(bench: Bench) -> None:
    for kind, one in KINDS.items():
        path = await bench.add(
            kind, options={"fields": {"from": "query:f", "text": "query:t"}} if kind == "generic" else {}
        )
        for method in sorted(METHODS | {"HEAD", "DELETE", "OPTIONS"}):
            if method not in one.methods:
                assert (await bench.send(path, method=method)).status_code == 405, (kind, method)


async def test_what_is_sent_is_never_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    path = await bench.add("goip-bridge", secret="the-secret")
    with caplog.at_level(logging.DEBUG, logger="simyard"):
        await bench.json(path, sms("private text"), authorization="Bearer wrong-one")
        await bench.send(path, b"{private text", headers={"authorization": "Bearer the-secret"})
        await bench.json(path, sms("private text"), authorization="Bearer the-secret")
    said = "".join(str(record.__dict__) for record in caplog.records if record.name.startswith("simyard"))
    assert len(caplog.records) >= 2
    for secret in ("private", "wrong-one", "the-secret", path.rpartition("/")[2]):
        assert secret not in said


async def test_the_token_is_not_kept(bench: Bench) -> None:
    path = await bench.add("goip-bridge")
    token = path.rpartition("/")[2]
    assert await bench.world.rows("SELECT token_digest FROM gateway") == [(rules.digest(token),)]
    assert token not in str(await bench.world.rows("SELECT * FROM gateway"))
    assert KEY not in repr(await bench.gateway("goip-bridge"))


# What is believed


async def test_a_number_of_another_supplier_is_out_of_reach(bench: Bench) -> None:
    world = bench.world
    foreign = await world.add_supplier()
    await world.add_direct_pool(foreign)
    await world.report(foreign, [reported("+46701740699", "SE", port="line01")])
    path = await bench.add("jasmin")
    async with bench.client() as client:
        for to in ("+46701740699", "46701740699"):
            answer = await client.post(path, data={"id": to, "from": "Telegram", "to": to, "content": TEXT})
            assert answer.text == "ACK/Jasmin"
    assert await bench.unmatched("jasmin") == {"to:+46701740699": 1, "to:46701740699": 1}
    bridge = await bench.add("goip-bridge")
    await bench.json(bridge, sms())
    assert await bench.unmatched("goip-bridge") == {"line01": 1}


async def test_a_national_number_needs_the_country(bench: Bench) -> None:
    path = await bench.add("jasmin", country="SE")
    async with bench.client() as client:
        await client.post(path, data={"id": "1", "from": "Telegram", "to": "0701740605", "content": TEXT})
    assert len(await bench.texts()) == 1


async def test_an_unmatched_message_may_come_again_once_its_sim_is_known(bench: Bench) -> None:
    path = await bench.add("goip-bridge")
    assert (await bench.json(path, sms())).status_code == 200
    assert await bench.unmatched("goip-bridge") == {"line01": 1}
    assert TEXT not in str(await bench.world.rows("SELECT * FROM gateway_unmatched"))
    await bench.map("goip-bridge", "line01")
    assert await bench.unmatched("goip-bridge") == {}
    await bench.json(path, sms())
    assert len(await bench.texts()) == 1


async def test_first_and_last_sight_of_an_unknown_sim(bench: Bench, clock: ManualClock) -> None:
    path = await bench.add("goip-bridge")
    for _ in range(3):
        await bench.json(path, sms())
        clock.turn(60)
    (unmatched,) = (await bench.view("goip-bridge")).unmatched
    assert (unmatched.count, unmatched.first_seen_at) == (3, NOW)
    assert unmatched.last_seen_at == NOW + timedelta(seconds=120)


async def test_unknown_sims_are_bounded(bench: Bench) -> None:
    path = await bench.add("dinstar")
    for start in range(0, UNMATCHED_KEYS_MAX + 200, 100):
        entries = [{"port": start + port, "number": "x", "text": "y"} for port in range(100)]
        assert (await bench.json(path, {"sn": "b", "sms": entries})).status_code == 200
    found = await bench.unmatched("dinstar")
    assert len(found) == UNMATCHED_KEYS_MAX + 1
    assert found[OTHER_KEYS] == 200


async def test_a_card_that_claims_another_number_is_an_alarm(bench: Bench) -> None:
    path = await bench.add("ejoin")
    await bench.map("ejoin", "iccid:8946000000000000001", OTHER)
    status = {"mac": "m", "type": "dev-status"}
    entry = {"port": "1.01", "st": 3, "sn": NUMBER, "iccid": "8946000000000000001"}
    for _ in range(2):
        assert (await bench.json(path, status | {"status": [entry]})).status_code == 200
    (card, place) = (await bench.view("ejoin")).sims
    assert (card.msisdn, card.contradicted, card.learnt) == (OTHER, NUMBER, False)
    assert (place.key, place.msisdn) == ("m/1.01", NUMBER)
    blocked = "SELECT blocked FROM number WHERE msisdn = $1"
    assert await bench.world.value(blocked, NUMBER) is True
    assert await bench.world.value(blocked, OTHER) is False
    audited = "SELECT count(*) FROM audit WHERE action = 'gateway.contradiction'"
    assert await bench.world.value(audited) == 1
    # Once the operator has said which it is, all is well.
    await bench.map("ejoin", "iccid:8946000000000000001", NUMBER)
    assert (await bench.view("ejoin")).sims[0].contradicted is None


async def test_a_message_that_contradicts_its_card_is_an_alarm_too(bench: Bench) -> None:
    path = await bench.add("ejoin")
    await bench.map("ejoin", "iccid:8946000000000000001", OTHER)
    message = {
        "port": 1,
        "ts": 1795252869,
        "from": "Telegram",
        "to": NUMBER,
        "iccid": "8946000000000000001",
        "sms": TEXT,
    }
    await bench.json(path, {"type": "received-sms", "mac": "m", "smses": [message]})
    assert len(await bench.texts()) == 1
    assert (await bench.view("ejoin")).sims[0].contradicted == NUMBER
    assert await bench.world.value("SELECT blocked FROM number WHERE msisdn = $1", NUMBER) is True


# Repeats


async def test_a_storm_of_copies_is_one_message(bench: Bench) -> None:
    path = await bench.add("goip-bridge")
    await bench.map("goip-bridge", "line01")
    answers = await asyncio.gather(*(bench.json(path, sms()) for _ in range(30)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await bench.texts()) == 1
    assert sum((await bench.outcomes("goip-bridge")).values()) == 30


async def test_a_late_copy_does_not_reach_the_next_buyer(bench: Bench, clock: ManualClock) -> None:
    path = await bench.add("goip-bridge")
    await bench.map("goip-bridge", "line01")
    await bench.json(path, sms())
    (activation_id,) = (await bench.world.rows("SELECT id FROM activation"))[0]
    await bench.world.finish(bench.buyer, activation_id)
    await bench.world.report(bench.supplier, [reported(NUMBER, "SE")])
    await bench.order("whatsapp")
    clock.turn(3600)
    await bench.json(path, sms())
    assert await bench.outcomes("goip-bridge") == {"delivered": 1, "handed_in_again": 1}


async def test_the_same_code_sent_twice_is_two_messages(bench: Bench, clock: ManualClock) -> None:
    path = await bench.add("goip-bridge")
    await bench.map("goip-bridge", "line01")
    await bench.json(path, sms())
    clock.turn(200)
    await bench.json(path, sms(time="2026-11-21T09:21:14Z"))
    assert len(await bench.texts()) == 1
    await bench.json(path, sms(time="2026-11-21T09:24:29Z"))
    assert len(await bench.texts()) == 2


def test_what_is_a_copy() -> None:
    def copy(seconds: float | None, age: float, event: str = "") -> bool:
        sent_at = None if seconds is None else NOW + timedelta(seconds=seconds)
        message = GatewayMessage(Sim(place="1"), "a", "b", sent_at, event)
        return rules.is_copy(message, sent_at=NOW, seen_at=NOW, now=NOW + timedelta(seconds=age))

    assert copy(0, 10**6)
    assert copy(9, 599)
    assert not copy(9, 601)
    assert not copy(11, 20)
    assert copy(None, 599)
    assert not copy(None, 601)
    assert not copy(None, 5, "an id of its own")


async def test_out_of_order_messages_are_both_taken(bench: Bench) -> None:
    path = await bench.add("goip-bridge")
    await bench.map("goip-bridge", "line01")
    await bench.json(path, sms("Telegram code 22222", time="2026-11-21T09:21:09Z"))
    await bench.json(path, sms("Telegram code 11111", time="2026-11-21T09:20:09Z"))
    assert len(await bench.texts()) == 2


# What no gateway should send


async def test_bodies_and_batches_are_bounded(bench: Bench) -> None:
    path = await bench.add("dinstar")
    assert (await bench.send(path, b" " * (BODY_BYTES_MAX + 1))).status_code == 413
    many = {"sn": "b", "sms": [{"port": 1}] * (MESSAGES_MAX + 1)}
    assert (await bench.json(path, many)).status_code == 413


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "generic"])
async def test_garbage_is_a_broken_request_of_every_kind(bench: Bench, kind: str) -> None:
    path = await bench.add(kind)
    for body in (
        b"",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b"1e999",
        b'{"',
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b'"text"',
        b"a=1&b=2",
        b"%ff=%00&" * 2000,
    ):
        for content_type in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
            answer = await bench.send(path, body, headers={"content-type": content_type})
            assert answer.status_code in (200, 400), (kind, body[:20], answer.status_code)
    assert await bench.texts() == []


_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(
        [
            "sms",
            "sms:received",
            "recv-sms",
            "received-sms",
            "dev-status",
            "\x00",
            "+46701740605",
            "2026-11-21",
        ]
    ),
    lambda children: (
        st.lists(children, max_size=6) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=12,
)
_NAMES = sorted(
    [
        "event",
        "payload",
        "deviceId",
        "message",
        "sender",
        "recipient",
        "simNumber",
        "receivedAt",
        "messageId",
        "simCards",
        "phoneNumber",
        "iccid",
        "type",
        "mac",
        "sms",
        "smses",
        "status",
        "port",
        "slot",
        "ts",
        "from",
        "to",
        "imsi",
        "sn",
        "st",
        "line",
        "text",
        "time",
        "data",
        "content",
        "owner",
        "contact",
        "timestamp",
        "webhookEvent",
        "smsId",
        "register",
        "number",
        "incoming_sms_id",
        "phone_id",
        "received_at",
        "receivedStamp",
        "sim",
        "device",
        "ts",
        "sign",
    ]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(_NAMES), _VALUE, max_size=10), st.sampled_from(sorted(KINDS)))
async def test_no_json_breaks_a_reader(bench: Bench, body: dict[str, object], kind: str) -> None:
    if kind not in bench.gateways:
        fields = {"from": "json:from", "text": "json:data.content", "time": "json:ts", "to": "json:to"}
        await bench.add(kind, options={"fields": fields} if kind == "generic" else {})
    for forced in ({}, {"type": "sms"}, {"event": "sms:received"}, {"type": "received-sms"}, {"sn": "b"}):
        answer = await bench.send(
            bench.gateways[kind],
            json.dumps(body | forced).encode("utf-8", "surrogatepass"),
            headers={"content-type": "application/json"},
        )
        assert answer.status_code in (200, 400), (kind, answer.status_code)


async def test_texts_no_column_can_hold_are_taken_all_the_same(bench: Bench) -> None:
    path = await bench.add("goip-bridge")
    await bench.map("goip-bridge", "line01")
    body = (
        rb'{"type":"sms","line":"line01","from":"Tele\ud800gram","text":"Telegram code 48213 \u0000 \udfff"}'
    )
    assert (await bench.send(path, body)).status_code == 200
    raw = b'{"type":"sms","line":"line01","from":"Telegram","text":"Telegram code\n 48214 \xe4"}'
    assert (await bench.send(path, raw)).status_code == 200
    assert [code for *_, code in await bench.texts()] == ["48213", "48214"]
    long = sms("Telegram code 48215 " + "x" * 50_000, **{"from": "T" * 5000})
    assert (await bench.json(path, long)).status_code == 200
    assert len(await bench.texts()) == 3


# When something fails


async def test_a_server_that_cannot_store_says_try_again(bench: Bench, clock: ManualClock) -> None:
    path = await bench.add("dinstar")
    await bench.map("dinstar", "b/1")
    served = endpoints.GatewayEndpoints(clock, online_seconds=600)
    bench.app, working = Starlette(routes=served.routes()), bench.app
    body = {
        "sn": "b",
        "sms": [{"port": 1, "number": "Telegram", "text": TEXT}, {"port": 2, "number": "a", "text": "b"}],
    }
    assert (await bench.json(path, body)).status_code == 503
    lanes = Lanes(bench.world.database, bench.world.database, slots=2, batch_max=64, queue_max=4096)
    served.open(bench.world.database, lanes)
    await lanes.close()
    answer = await bench.json(path, body)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    # What could be done with is; the message is not, and comes again.
    assert await bench.outcomes("dinstar") == {"unmatched": 1}
    bench.app = working
    assert (await bench.json(path, body)).status_code == 200
    assert await bench.texts() == [("Telegram", TEXT, "48213")]


async def test_what_recognises_repeats_is_forgotten_in_time(bench: Bench, clock: ManualClock) -> None:
    path = await bench.add("goip-bridge")
    await bench.map("goip-bridge", "line01")
    await bench.json(path, sms())
    for before, forgotten in ((NOW, 0), (NOW + timedelta(seconds=1), 1)):
        async with bench.world.database.transaction() as tx:
            assert await gateways.forget_seen(tx, before=before) == forgotten
