"""Every kind of gateway by what it really sends: transcripts of the protocol document, byte for byte, and its vectors."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simyard.base.clock import ManualClock
from simyard.edge.gateways import httpsms, reading, smsforwarder
from simyard.edge.gateways.generic import PRESETS, check_options
from simyard.edge.gateways.kinds import KINDS
from simyard.edge.gateways.wire import GatewayRequest, NotSigned
from tests.edge.gateways.bench import KEY, NOW, NUMBER, OTHER, TEXT, Bench, bench, clock, signed
from tests.world import reported, world

__all__ = ["bench", "clock", "world"]

SENT = datetime(2026, 11, 21, 9, 21, 9, tzinfo=UTC)

SMSGATE = (
    b'{"deviceId":"dev_a1","event":"sms:received","id":"evt_77","webhookId":"wh_2","payload":{"messageId":"9f2c",'
    b'"message":"Your code is 4821","sender":"Telegram","recipient":"+46701740605","simNumber":1,'
    b'"receivedAt":"2026-11-21T10:21:09.000+01:00","phoneNumber":"Telegram"}}'
)
SMSGATE_HEADERS = {
    "x-timestamp": "1795252870",
    "x-signature": "c34025c385bd25c946f41cbe20cbd952dd50ceae6d2e381fe6db6c382a3ca75f",
}
TEXTBEE = (
    b'{"smsId":"66f0","message":"Your code is 4821","deviceId":"dev_9","webhookSubscriptionId":"ws_3",'
    b'"webhookEvent":"MESSAGE_RECEIVED","idempotencyKey":"k_1","sender":"Telegram",'
    b'"receivedAt":"2026-11-21T09:21:09.000Z"}'
)
JWT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJodHRwczovL3FhLmV4YW1wbGUvZ3cvNyIsImV4cCI6MTc5NTI1MzQ2OSwiaWF0Ijox"
    "Nzk1MjUyODY5LCJpc3MiOiJhcGkuaHR0cHNtcy5jb20iLCJuYmYiOjE3OTUyNTIyNjksInN1YiI6InVfMSJ9."
    "uZqT6gvWvEz324NV7vpDKqfX_zlnzKzhLY4QQfvqspo"
)


def test_every_kind_can_be_set_up() -> None:
    for kind in KINDS.values():
        lines = "\n".join(kind.set_up("https://qa.example/gateway/x/gw_t", "the-secret"))
        assert "https://qa.example/gateway/x/gw_t" in lines
        assert ("the-secret" in lines) == (kind.signing != "never")


# SMS Gateway for Android


async def test_smsgate_by_its_vector(bench: Bench) -> None:
    path = await bench.add("smsgate-android", secret=KEY)
    answer = await bench.send(path, SMSGATE, headers=SMSGATE_HEADERS)
    assert answer.status_code == 200
    assert await bench.texts() == [("Telegram", "Your code is 4821", "4821")]
    assert await bench.sent_at() == [SENT]


@pytest.mark.parametrize(
    ("headers", "turn"),
    [
        ({}, 0),
        ({"x-timestamp": "1795252870"}, 0),
        (SMSGATE_HEADERS | {"x-timestamp": "1795252871"}, 0),
        (SMSGATE_HEADERS | {"x-timestamp": "1e9"}, 0),
        (SMSGATE_HEADERS | {"x-signature": "0" * 64}, 0),
        (SMSGATE_HEADERS, 301),
        (SMSGATE_HEADERS, -301),
    ],
)
async def test_smsgate_refuses_what_is_not_signed_now(
    bench: Bench, clock: ManualClock, headers: dict[str, str], turn: int
) -> None:
    path = await bench.add("smsgate-android", secret=KEY)
    clock.turn(turn)
    assert (await bench.send(path, SMSGATE, headers=headers)).status_code == 401
    assert await bench.texts() == []


async def test_smsgate_learns_the_slots_from_the_apps_start(bench: Bench) -> None:
    path = await bench.add("smsgate-android")
    cards = [
        {
            "slotIndex": 0,
            "simNumber": 1,
            "phoneNumber": NUMBER,
            "carrierName": "Telia",
            "iccid": "8946000000000000001",
        },
        {"slotIndex": 1, "simNumber": 2, "phoneNumber": OTHER, "carrierName": "Tele2", "iccid": None},
    ]
    started = {"deviceId": "dev_a1", "event": "app:started", "id": "e", "payload": {"simCards": cards}}
    assert (await bench.json(path, started)).status_code == 200
    assert await bench.sims("smsgate-android") == {
        "dev_a1/1": NUMBER,
        "dev_a1/2": OTHER,
        "iccid:8946000000000000001": NUMBER,
    }
    message = json.loads(SMSGATE)
    message["payload"] |= {"recipient": None, "message": TEXT}
    assert (await bench.json(path, message)).status_code == 200
    assert await bench.texts() == [("Telegram", TEXT, "48213")]


async def test_smsgate_with_one_sim_needs_no_slot(bench: Bench) -> None:
    path = await bench.add("smsgate-android")
    cards = [{"simNumber": 1, "phoneNumber": NUMBER}]
    await bench.json(path, {"deviceId": "d", "event": "app:started", "payload": {"simCards": cards}})
    message = {"deviceId": "d", "event": "sms:received", "payload": {"message": TEXT, "sender": "Telegram"}}
    assert (await bench.json(path, message)).status_code == 200
    assert await bench.texts() == [("Telegram", TEXT, "48213")]
    # A second SIM, and the phone's name alone says nothing any more.
    cards.append({"simNumber": 2, "phoneNumber": OTHER})
    await bench.json(path, {"deviceId": "d", "event": "app:started", "payload": {"simCards": cards}})
    assert set(await bench.sims("smsgate-android")) == {"d/1", "d/2"}


@pytest.mark.parametrize(
    "event", ["sms:sent", "sms:failed", "system:ping", "mms:received", "sms:data-received", "new"]
)
async def test_smsgate_events_that_are_no_messages_are_successes(bench: Bench, event: str) -> None:
    path = await bench.add("smsgate-android")
    answer = await bench.json(path, {"deviceId": "d", "event": event, "id": "1", "payload": {}})
    assert answer.status_code == 200
    assert await bench.texts() == []
    assert (await bench.gateway("smsgate-android")).last_seen_at == NOW


# textbee


async def test_textbee_by_its_vector(bench: Bench) -> None:
    path = await bench.add("textbee", secret="test-secret-0123456789")
    await bench.map("textbee", "dev_9")
    signature = "65e1079e322492e884b4a23c3a22fa7e8bc3690b84b34222f8663a53f2821714"
    assert (await bench.send(path, TEXTBEE, headers={"x-signature": signature})).status_code == 200
    assert await bench.texts() == [("Telegram", "Your code is 4821", "4821")]
    assert await bench.sent_at() == [SENT]
    forged = TEXTBEE.replace(b"4821", b"9999")
    assert (await bench.send(path, forged, headers={"x-signature": signature})).status_code == 401
    assert (await bench.send(path, TEXTBEE)).status_code == 401
    sent = TEXTBEE.replace(b"MESSAGE_RECEIVED", b"MESSAGE_SENT")
    key = "test-secret-0123456789"
    assert (await bench.send(path, sent, headers={"x-signature": signed(sent, key)})).status_code == 200
    assert len(await bench.texts()) == 1


# httpSMS

HTTPSMS: dict[str, Any] = {
    "specversion": "1.0",
    "type": "message.phone.received",
    "data": {
        "message_id": "m-1",
        "user_id": "u_1",
        "owner": NUMBER,
        "contact": "Telegram",
        "content": TEXT,
        "timestamp": "2026-11-21T09:21:09Z",
        "sim": "SIM1",
        "encrypted": False,
    },
}


def token(aud: str, key: str = KEY, *, alg: str = "HS256", **claims: object) -> str:
    def part(content: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    at = int(NOW.timestamp())
    body = {"aud": aud, "exp": at + 600, "iat": at, "iss": "api.httpsms.com", "nbf": at - 600, "sub": "u_1"}
    signing = f"{part({'alg': alg, 'typ': 'JWT'})}.{part(body | claims)}"
    signature = hmac.new(key.encode(), signing.encode(), hashlib.sha256).digest()
    return f"{signing}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


async def test_httpsms_by_its_vector(bench: Bench) -> None:
    await bench.add("httpsms", secret=KEY)

    def asked(bearer: str, path: str = "/gw/7", now: datetime = NOW) -> GatewayRequest:
        return GatewayRequest(gateway, "POST", path, b"", {"authorization": f"Bearer {bearer}"}, b"", now)

    gateway = await bench.gateway("httpsms")
    httpsms.verify(asked(JWT), KEY)
    for wrong in (
        asked(JWT[:-2] + "AA"),
        asked(JWT, path="/gw/8"),
        asked(JWT, now=NOW + timedelta(minutes=12)),
        asked(JWT, now=NOW - timedelta(minutes=12)),
        asked(token("https://qa.example/gw/7", alg="none")),
        asked(token("https://qa.example/gw/7", "another key")),
        asked(token("https://qa.example/gw/7", exp="never")),
        asked("."),
        asked("a.b.c"),
        asked(""),
    ):
        with pytest.raises(NotSigned):
            httpsms.verify(wrong, KEY)


async def test_httpsms_names_its_own_number(bench: Bench) -> None:
    path = await bench.add("httpsms", secret=KEY)
    bearer = {"authorization": f"Bearer {token('https://qa.example' + path)}"}
    assert (await bench.json(path, HTTPSMS, **bearer)).status_code == 200
    assert await bench.texts() == [("Telegram", TEXT, "48213")]
    # The second of its two attempts.
    assert (await bench.json(path, HTTPSMS, **bearer)).status_code == 200
    assert await bench.outcomes("httpsms") == {"delivered": 1, "handed_in_again": 1}
    assert (await bench.json(path, HTTPSMS)).status_code == 401


async def test_httpsms_encrypted_messages_are_counted(bench: Bench) -> None:
    path = await bench.add("httpsms")
    encrypted = HTTPSMS | {"data": HTTPSMS["data"] | {"encrypted": True}}
    assert (await bench.json(path, encrypted)).status_code == 200
    assert (await bench.json(path, {"type": "message.phone.sent", "data": {}})).status_code == 200
    assert await bench.texts() == []
    assert await bench.outcomes("httpsms") == {"unreadable": 1}


# SmsForwarder


def test_smsforwarder_signs_as_its_vector_says() -> None:
    signature = smsforwarder.sign("SECtest", "1795252869000")
    assert signature == "K0KFSjZsaiD/0Jcu8mENRCkNjPYrqwS21Vd3v7x6N+s="


async def test_smsforwarder_by_template_and_by_form(bench: Bench) -> None:
    path = await bench.add("smsforwarder", secret="SECtest")
    await bench.map("smsforwarder", "farm-3/SIM1_Telia_")
    sign = "K0KFSjZsaiD%2F0Jcu8mENRCkNjPYrqwS21Vd3v7x6N%2Bs%3D"
    body = {
        "from": "Telegram",
        "text": TEXT,
        "sim": "SIM1_Telia_",
        "device": "farm-3",
        "ts": "1795252869000",
        "sign": sign,
    }
    # The app adds a time of its own to every address.
    answer = await bench.json(f"{path}?timestamp=1795252869001", body)
    assert (answer.status_code, answer.text) == (200, "OK")
    assert await bench.texts() == [("Telegram", TEXT, "48213")]
    assert await bench.sent_at() == [SENT]
    form = {"from": "Telegram", "content": "Telegram code 77123", "timestamp": "1795252869000", "sign": sign}
    async with bench.client() as client:
        assert (await client.post(path, data=form)).status_code == 200
        assert (await client.post(path, data=form | {"sign": "x"})).status_code == 401
        assert (await client.post(path, data=form | {"timestamp": "1795252869002"})).status_code == 401
    # The default form names no SIM.
    assert await bench.unmatched("smsforwarder") == {"(nothing)": 1}


# Incoming SMS to URL forwarder


async def test_sms_to_url_with_its_own_template(bench: Bench) -> None:
    path = await bench.add("sms-to-url", secret="s3cret")
    await bench.map("sms-to-url", "sim1")
    body = {
        "from": "Telegram",
        "text": TEXT,
        "sentStamp": 1795252868000,
        "receivedStamp": 1795252869000,
        "sim": "sim1",
    }
    assert (await bench.json(path, body)).status_code == 401
    assert (await bench.json(path, body, authorization="Bearer s3cret")).status_code == 200
    assert await bench.texts() == [("Telegram", TEXT, "48213")]
    assert await bench.sent_at() == [SENT]


# goip-bridge


async def test_goip_bridge(bench: Bench) -> None:
    path = await bench.add("goip-bridge", secret="tok")
    await bench.map("goip-bridge", "line01")
    body = {"type": "sms", "line": "line01", "from": "Telegram", "text": TEXT, "time": "2026-11-21T09:21:09Z"}
    assert (await bench.json(path, body)).status_code == 401
    for _ in range(2):
        assert (await bench.json(path, body, authorization="Bearer tok")).status_code == 200
    assert await bench.texts() == [("Telegram", TEXT, "48213")]
    for kind in ("line_down", "line_up", "call"):
        answer = await bench.json(path, {"type": kind, "line": "line01"}, authorization="bearer tok")
        assert answer.status_code == 200
    assert await bench.outcomes("goip-bridge") == {"delivered": 1, "handed_in_again": 1}


# Dinstar


async def test_dinstar_times_are_in_the_boxs_zone(bench: Bench) -> None:
    path = await bench.add("dinstar", zone="Europe/Stockholm")
    register = {
        "sn": "dbd2-0000-0001",
        "register": [
            {
                "port": 0,
                "iccid": "8946000000000000001",
                "imsi": "240010000000001",
                "number": NUMBER,
                "status": "up",
            },
            {
                "port": 1,
                "iccid": "8946000000000000002",
                "imsi": "240010000000002",
                "number": "",
                "status": "up",
            },
        ],
    }
    assert (await bench.json(path, register)).status_code == 200
    message = {
        "sn": "dbd2-0000-0001",
        "sms": [
            {
                "incoming_sms_id": 41,
                "port": 0,
                "number": "Telegram",
                "smsc": "+46700000000",
                "timestamp": "2026-11-21 10:21:09",
                "text": "Your code is 4821",
            }
        ],
    }
    for _ in range(2):
        assert (await bench.json(path, message)).status_code == 200
    assert await bench.texts() == [("Telegram", "Your code is 4821", "4821")]
    assert await bench.sent_at() == [SENT]
    assert await bench.outcomes("dinstar") == {"delivered": 1, "handed_in_again": 1}
    for other in ("sms_result", "sms_deliver_status", "ussd", "cdr", "device", "exception_info"):
        assert (await bench.json(path, {"sn": "dbd2-0000-0001", other: []})).status_code == 200


async def test_a_sim_that_moved_to_another_port_takes_its_number_along(bench: Bench) -> None:
    path = await bench.add("dinstar")

    def register(port: int, number: str = "", status: str = "up", card: str = "1") -> dict[str, object]:
        entry = {"port": port, "iccid": f"894600000000000000{card}", "number": number, "status": status}
        return {"sn": "box", "register": [entry]}

    await bench.json(path, register(0, NUMBER))
    assert await bench.sims("dinstar") == {"box/0": NUMBER, "iccid:8946000000000000001": NUMBER}
    # Its number is not told again: it is known by its card.
    await bench.json(path, register(0, status="down"))
    await bench.json(path, register(5))
    assert await bench.sims("dinstar") == {"box/5": NUMBER, "iccid:8946000000000000001": NUMBER}
    await bench.json(path, register(5, card="2"))
    assert await bench.sims("dinstar") == {"iccid:8946000000000000001": NUMBER}


# Ejoin and Skyline

BLOCK = (
    f'Sender: Telegram\r\nReceiver: "12.01" {NUMBER}\r\nSMSC: +46700000000\r\nSCTS: 26112110210904\r\n\r\n'
)


def packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def test_ejoin_older_push(bench: Bench) -> None:
    path = await bench.add("ejoin")
    body = {
        "type": "recv-sms",
        "sim_src": 1,
        "sms_num": 3,
        "sms": [
            [0, "12.01", 1795252869, "Telegram", NUMBER, "WW91ciBjb2RlIGlzIDQ4MjE="],
            [1, "12.01", 1795252869, "Telegram", NUMBER, packed("a delivery report")],
            [0, "12.sp256.101", 1795252869, "Telegram", "", packed(BLOCK + TEXT)],
        ],
    }
    answer = await bench.json(path, body)
    assert (answer.status_code, answer.json()) == (200, {"code": 200, "reason": "OK"})
    assert sorted(await bench.texts()) == [
        ("Telegram", TEXT, "48213"),
        ("Telegram", "Your code is 4821", "4821"),
    ]


async def test_ejoin_newer_push_maps_by_iccid_then_imsi_then_port(bench: Bench) -> None:
    path = await bench.add("ejoin")
    status = {
        "type": "dev-status",
        "mac": "00-30-f1-00-00-01",
        "status": [
            {
                "port": "12.01",
                "st": 3,
                "sn": NUMBER,
                "imsi": "240010000000001",
                "iccid": "8946000000000000001F",
                "inserted": 1,
            },
            {"port": "13.01", "st": 0, "sn": OTHER, "iccid": "8946000000000000002", "inserted": 1},
        ],
    }
    assert (await bench.json(path, status)).json()["code"] == 200
    assert await bench.sims("ejoin") == {
        "00-30-f1-00-00-01/12.01": NUMBER,
        "iccid:8946000000000000001": NUMBER,
        "imsi:240010000000001": NUMBER,
    }

    def push(text: str, **entry: object) -> dict[str, object]:
        message = {
            "is_report": 0,
            "ts": 1795252869,
            "from": "Telegram",
            "to": "",
            "sms": packed(text),
            "status": 0,
        }
        return {"type": "received-sms", "mac": "00-30-f1-00-00-01", "smses": [message | entry]}

    await bench.json(path, push("Telegram 11111", port=3, slot=1, iccid="8946000000000000001"))
    await bench.json(path, push("Telegram 22222", port=3, slot=1, imsi="240010000000001"))
    await bench.json(path, push("Telegram 33333", port=12, slot=1))
    await bench.json(path, push("Telegram 44444", port=4, slot=1))
    await bench.json(path, push("Telegram 55555", port=12, slot=1, is_report=1))
    assert [text for _, text, _ in await bench.texts()] == [
        "Telegram 11111",
        "Telegram 22222",
        "Telegram 33333",
    ]
    assert await bench.unmatched("ejoin") == {"00-30-f1-00-00-01/4.01": 1}


async def test_ejoin_screen_sms_to_http(bench: Bench) -> None:
    path = await bench.add("ejoin")
    await bench.map("ejoin", "iccid:8946000000000000001")
    query = "?port=61A&sender=Telegram&mac=00-30-f1-00-00-01&iccid=8946000000000000001"
    block = BLOCK.replace(NUMBER, "")
    answer = await bench.send(
        path + query, (block + TEXT).encode(), headers={"content-type": "application/octet-stream"}
    )
    assert answer.json() == {"code": 200, "reason": "OK"}
    assert await bench.texts() == [("Telegram", TEXT, "48213")]
    assert await bench.sent_at() == [SENT]


@pytest.mark.parametrize("text", ["Telegram kod 48213 är din", "not base64!", "Sender: me\r\nyou", ""])
async def test_ejoin_texts_that_are_not_as_they_should_be_come_as_they_are(bench: Bench, text: str) -> None:
    assert reading.from_base64(packed(text)) == text
    assert reading.unwrap(text).text == text
    assert reading.from_base64("Your code!") == "Your code!"
    assert reading.from_base64("////") == "////"


# Kannel


async def test_kannel_get_url_decodes_by_charset_and_is_answered_nothing(bench: Bench) -> None:
    path = await bench.add("kannel")
    query = (
        "?from=Telegram&to=%2B46701740605&text=%00T%00e%00l%00e%00g%00r%00a%00m%00+%004%008%002%001%00%E4"
        "&charset=UTF-16BE&ts=1795252869&id=7b1e&smsc=bank1"
    )
    answer = await bench.send(path + query, method="GET")
    assert (answer.status_code, answer.content) == (200, b"")
    assert [text for _, text, _ in await bench.texts()] == ["Telegram 4821ä"]
    assert await bench.sent_at() == [SENT]
    query = (
        f"?from=Telegram&to={NUMBER[1:]}&text=Telegram+9%E4713&charset=8-BIT&ts=2026-11-21+09:21:09&id=7b1f"
    )
    assert (await bench.send(path + query, method="GET")).status_code == 200
    assert [text for _, text, _ in await bench.texts()][1:] == ["Telegram 9ä713"]


async def test_kannel_post_url(bench: Bench) -> None:
    path = await bench.add("kannel")
    headers = {
        "content-type": 'text/plain; charset="UTF-8"',
        "x-kannel-to": NUMBER,
        "x-kannel-from": "Telegram",
        "x-kannel-time": "2026-11-21 09:21:09",
    }
    answer = await bench.send(path, TEXT.encode(), headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")
    assert await bench.texts() == [("Telegram", TEXT, "48213")]
    assert await bench.sent_at() == [SENT]


# Jasmin


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_jasmin_is_acknowledged_exactly(bench: Bench, method: str) -> None:
    path = await bench.add("jasmin")
    fields = {
        "id": "8ab3",
        "from": "Telegram",
        "to": NUMBER[1:],
        "origin-connector": "bank",
        "content": "\u0000T",
        "binary": TEXT.encode("utf-16-be").hex(),
        "coding": "8",
        "priority": "1",
    }
    async with bench.client() as client:
        for _ in range(2):
            answer = await (
                client.get(path, params=fields) if method == "GET" else client.post(path, data=fields)
            )
            assert (answer.status_code, answer.text) == (200, "ACK/Jasmin")
        nobody = fields | {"to": "46700000000", "id": "8ab4"}
        assert (await client.post(path, data=nobody)).text == "ACK/Jasmin"
    assert await bench.texts() == [("Telegram", TEXT, "48213")]
    assert await bench.unmatched("jasmin") == {"to:46700000000": 1}


async def test_jasmin_repeats_a_code_under_another_id(bench: Bench, clock: ManualClock) -> None:
    path = await bench.add("jasmin")
    fields = {"id": "1", "from": "Telegram", "to": NUMBER, "content": TEXT, "coding": "0"}
    async with bench.client() as client:
        await client.post(path, data=fields)
        clock.turn(180)
        await client.post(path, data=fields)
        await client.post(path, data=fields | {"id": "2"})
    assert len(await bench.texts()) == 2


# Any other


async def test_a_template_for_json_with_a_list(bench: Bench) -> None:
    options = {
        "fields": {
            "from": "json:meta.sender",
            "text": "json:body[0]",
            "place": "json:port",
            "time": "json:at",
            "id": "json:uid",
            "device": "header:X-Box",
        },
        "each": "data.items",
        "base64": True,
        "answer": '{"ok":true}',
    }
    path = await bench.add("generic", options=options)
    await bench.map("generic", "b1/7")
    items = [
        {"meta": {"sender": "Telegram"}, "body": [packed(TEXT)], "port": 7, "at": 1795252869, "uid": 5},
        {"meta": {"sender": "Telegram"}, "body": [packed("x")], "port": 8, "at": 1795252869, "uid": 6},
    ]
    answer = await bench.json(path, {"data": {"items": items}}, **{"x-box": "b1"})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert await bench.texts() == [("Telegram", TEXT, "48213")]
    assert await bench.unmatched("generic") == {"b1/8": 1}


async def test_the_template_of_openvox(bench: Bench) -> None:
    for preset in PRESETS.values():
        assert check_options(preset) is None
    path = await bench.add("generic", options=dict(PRESETS["openvox"]))
    await bench.map("generic", "gsm-1.2")
    query = "?phonenumber=Telegram&port=gsm-1.2&message=Your+Telegram+code+is+48213&smsc=1"
    assert (await bench.send(path + query, method="GET")).text == "OK"
    assert await bench.texts() == [("Telegram", TEXT, "48213")]


async def test_two_gateways_with_the_same_port_are_two_sims(bench: Bench) -> None:
    path = await bench.add("goip-bridge", name="a")
    other = await bench.add("goip-bridge", name="b")
    await bench.map("a", "line01", NUMBER)
    await bench.map("b", "line01", OTHER)
    body = {"type": "sms", "line": "line01", "from": "Telegram", "text": TEXT, "time": "2026-11-21T09:21:09Z"}
    await bench.json(other, body)
    assert await bench.texts() == []
    await bench.json(path, body)
    assert len(await bench.texts()) == 1


async def test_a_port_its_supplier_reported_needs_no_mapping(bench: Bench) -> None:
    numbers = [reported(NUMBER, "SE", port="line01"), reported(OTHER, "SE", port="line02")]
    await bench.world.report(bench.supplier, numbers)
    path = await bench.add("goip-bridge")
    body = {"type": "sms", "line": "line01", "from": "Telegram", "text": TEXT}
    await bench.json(path, body)
    assert await bench.texts() == [("Telegram", TEXT, "48213")]
    # With a second gateway in the pool nobody knows whose line it is.
    await bench.add("goip-bridge", name="second")
    await bench.json(path, body | {"text": "Telegram 99182"})
    assert len(await bench.texts()) == 1
    assert await bench.unmatched("goip-bridge") == {"line01": 1}
