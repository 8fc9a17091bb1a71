"""What partners push: Onlinesim's v1 and the agent protocol, on all four paths."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import httpx
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.app import build
from simyard.base.clock import ManualClock
from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Caller
from simyard.core.activations.model import Order
from simyard.core.lanes import Lanes
from simyard.core.pools import service as pools
from simyard.core.pools.model import AddPool, Pool, PoolKind
from simyard.core.remote import service as remote
from simyard.core.remote.model import SetProfile
from simyard.edge.dialects.onlinesim_reseller import agent, pushes, v1
from simyard.edge.http import DialectApp
from simyard.edge.wire import WireRequest
from simyard.settings import Settings
from tests.conftest import START
from tests.edge.onlinesim_reseller.partner import ADDRESS, NUMBER, SECOND, Partner
from tests.world import CONSENT, World, service_id

V1 = "/v1/PUSH_SMS"
AGENT = "/agent/api/sms"
PATHS = [*v1.PATHS, AGENT]
TEXT = "Telegram code 48213"
SUCCESS = (200, b'{"status":"SUCCESS"}')
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
)


class Pushing:
    """A partner who pushes, and what he is answered."""

    def __init__(self, partner: Partner, apps: list[tuple[str, DialectApp]]) -> None:
        self.partner = partner
        self.world: World = partner.world
        self.key = partner.key
        self._apps = apps

    async def post(
        self, path: str, content: bytes | str, headers: dict[str, str] | None = None, *, method: str = "POST"
    ) -> httpx.Response:
        app = next(app for prefix, app in self._apps if path.startswith(prefix))
        transport = httpx.ASGITransport(app=app, client=(ADDRESS, 4711))
        sent = {"Content-Type": "application/json", "User-Agent": "agent/1.0"} | (headers or {})
        async with httpx.AsyncClient(transport=transport, base_url="http://simyard.test") as client:
            return await client.request(method, path, content=content, headers=sent)

    def fields(self, **changes: Any) -> dict[str, Any]:
        usual = {
            "action": "PUSH_SMS",
            "key": self.key,
            "smsId": 355,
            "phoneFrom": "Telegram",
            "phone": int(NUMBER[1:]),
            "text": TEXT,
        }
        return {name: value for name, value in (usual | changes).items() if value is not None}

    async def push(self, path: str = V1, **changes: Any) -> tuple[int, bytes]:
        response = await self.post(path, json.dumps(self.fields(**changes)))
        assert response.headers["content-type"] == "application/json"
        return response.status_code, response.content

    async def profile(self, **switches: str) -> Pool:
        """A pool of the same partner, whose switches hold for what he pushes."""
        command = AddPool("remote", PoolKind.PARTNER, self.partner.account_id, 7000, CONSENT)
        now = self.world.clock.now()
        async with self.world.database.transaction() as tx:
            pool = await pools.add_pool(tx, command, actor="test", now=now)
            told = SetProfile(
                pool.id, "onlinesim-v1", "http://partner.test/", "pk_9", switches, key_in="their own key"
            )
            await remote.set_profile(tx, told, actor="test", now=now)
        self.key = "their own key"
        return pool

    async def lease(self, pool: Pool, lease_id: int, state: str, remote_id: str | None = None) -> None:
        """What the pool holds for a lease, or is being asked for."""
        await self.world.rows(
            "INSERT INTO remote_lease (lease_id, pool_id, state, wish, remote_id, msisdn, amount, currency, asked_at,"
            "                          changed_at)"
            " VALUES ($1, $2, $3, '', $4, CASE WHEN $4::text IS NOT NULL THEN $5 END, 0, 'USD', $6, $6) RETURNING id",
            lease_id, pool.id, state, remote_id, NUMBER, self.world.clock.now(),
        )  # fmt: skip


@pytest.fixture
async def pushing(partner: Partner, lanes: Lanes, clock: ManualClock) -> AsyncIterator[Pushing]:
    """A partner with a number on sale."""
    await partner.report(NUMBER, SECOND)
    settings = Settings()
    database = partner.world.database
    apps = [
        (path, DialectApp(dialect, lanes=lanes, database=database, clock=clock, settings=settings))
        for path, dialect in (("/agent/", agent.DIALECT), ("/", v1.DIALECT))
    ]
    yield Pushing(partner, apps)


async def sold(pushing: Pushing, service: str = "telegram") -> tuple[AccountId, Order]:
    buyer = await pushing.world.add_buyer()
    return buyer, await pushing.world.order(buyer, service, country="SE", excluded=(SECOND,))


# As documented


@pytest.mark.parametrize("path", PATHS)
async def test_an_sms_reaches_its_buyer(pushing: Pushing, path: str) -> None:
    buyer, order = await sold(pushing)
    assert await pushing.push(path) == SUCCESS
    assert (await pushing.partner.check(buyer, order)).code == "48213"
    assert await pushing.push(path) == SUCCESS
    assert len(await pushing.partner.messages()) == 1


@pytest.mark.parametrize("phone", [NUMBER, NUMBER[1:], int(NUMBER[1:]), float(NUMBER[1:])])
@pytest.mark.parametrize("path", [V1, AGENT])
async def test_a_number_is_read_in_any_type(pushing: Pushing, path: str, phone: object) -> None:
    await sold(pushing)
    assert await pushing.push(path, phone=phone, smsId="9", status=2, extra=[1]) == SUCCESS
    assert len(await pushing.partner.messages()) == 1


@pytest.mark.parametrize("path", [V1, AGENT])
async def test_names_of_fields_have_any_case(pushing: Pushing, path: str) -> None:
    await sold(pushing)
    fields = pushing.fields()
    odd = {"smsID" if name == "smsId" else name.upper(): value for name, value in fields.items()}
    response = await pushing.post(path, json.dumps(odd))
    assert (response.status_code, response.content) == SUCCESS
    assert len(await pushing.partner.messages()) == 1


@pytest.mark.parametrize("path", [V1, AGENT])
@pytest.mark.parametrize("text", [TEXT, "Telegram code 48213 & más ünïcode +1 ☎", "Telegram\ncode: 48213"])
async def test_bodies_are_json_forms_or_packed(pushing: Pushing, path: str, text: str) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    boundary = {"Content-Type": "multipart/form-data; boundary=xyz"}
    fields = pushing.fields(text=text)
    parts = "".join(
        f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    bodies: list[tuple[bytes, dict[str, str]]] = [
        (json.dumps(fields).encode(), {}),
        (json.dumps(fields, ensure_ascii=False).encode(), {"Content-Type": "text/plain"}),
        (json.dumps(fields).encode().replace(b"\\n", b"\n"), {}),
        (gzip.compress(json.dumps(fields).encode()), {"Content-Encoding": "gzip"}),
        (urlencode(fields).encode(), form),
        (f"{parts}--xyz--\r\n".encode(), boundary),
    ]
    buyer, order = await sold(pushing)
    for body, headers in bodies:
        response = await pushing.post(path, body, headers)
        assert (response.status_code, response.content) == SUCCESS, (body, response.content)
        assert (await pushing.partner.check(buyer, order)).code == "48213"
    # All of them were one SMS, so all were read alike.
    assert [row[:2] for row in await pushing.partner.messages()] == [("Telegram", text)]


@pytest.mark.parametrize("where", ["header", "query"])
async def test_the_key_may_stand_elsewhere(pushing: Pushing, where: str) -> None:
    await sold(pushing)
    content = json.dumps(pushing.fields(key=None))
    headers = {"Authorization": f"Bearer {pushing.key}"} if where == "header" else {}
    path = f"{V1}?apikey={pushing.key}" if where == "query" else V1
    response = await pushing.post(path, content, headers)
    assert (response.status_code, response.content) == SUCCESS


# Answers

NO_OPERATION = (400, b'{"status":"ERROR","error":"NO_OPERATION"}')
BAD_SERVICE = (400, b'{"status":"ERROR","error":"BAD_SERVICE"}')
IGNORED = (200, b'{"status":"SUCCESS","result":"IGNORED"}')


@pytest.mark.parametrize(
    ("path", "switch", "answers"),
    [
        (V1, "by-path", [NO_OPERATION, BAD_SERVICE, IGNORED]),
        (V1, "success", [SUCCESS] * 3),
        (
            V1,
            "strict",
            [
                (400, b'{"status":"NO_OPERATION"}'),
                (400, b'{"status":"BAD_SERVICE"}'),
                (200, b'{"status":"IGNORED"}'),
            ],
        ),
        (AGENT, "by-path", [SUCCESS] * 3),
        (AGENT, "safe", [NO_OPERATION, BAD_SERVICE, IGNORED]),
    ],
)
async def test_what_is_not_delivered_is_answered_in_the_partners_style(
    pushing: Pushing, path: str, switch: str, answers: list[tuple[int, bytes]]
) -> None:
    await pushing.profile(push_answers=switch)
    nothing = await pushing.push(path, phone=int(SECOND[1:]))
    await sold(pushing)
    for _ in range(2):
        # A repeat is told the same.
        bank = await pushing.push(path, phoneFrom="PayPal", text="PayPal: 123456 is your security code")
        other = await pushing.push(path, phoneFrom="WhatsApp", text="Your WhatsApp code is 123-456")
        assert [nothing, bank, other] == answers
    assert await pushing.partner.messages() == []
    assert await pushing.partner.dropped() == {"no_lease": 1, "prohibited": 1, "other_service": 1}
    assert await pushing.push(path) == SUCCESS


@pytest.mark.parametrize(
    ("switch", "answer"),
    [
        ("safe", b'{"status":"SUCCESS","result":"SERVICE_BAN"}'),
        ("strict", b'{"status":"SERVICE_BAN"}'),
        ("success", b'{"status":"SUCCESS"}'),
    ],
)
async def test_a_service_its_pool_does_not_sell_is_banned(
    pushing: Pushing, switch: str, answer: bytes
) -> None:
    await pushing.profile(push_answers=switch)
    await sold(pushing)
    pool, banned = pushing.partner.pool.id, service_id("whatsapp")
    async with pushing.world.database.transaction() as tx:
        await pools.set_blacklisted(
            tx, pool, banned, blacklisted=True, actor="test", now=pushing.world.clock.now()
        )
    assert await pushing.push(V1, text="Your WhatsApp code is 123-456") == (200, answer)
    assert await pushing.partner.messages() == []


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"key": "wrong"}, 401, "ERROR_WRONG_KEY"),
        ({"key": None}, 401, "ERROR_NO_KEY"),
        ({"key": 7}, 401, "ERROR_WRONG_KEY"),
        ({"text": None}, 400, "text is required"),
        ({"phone": None, "smsId": None}, 400, "phone is required"),
        ({"action": "GET_NUMBER"}, 400, ""),
    ],
)
async def test_refusals(pushing: Pushing, changes: dict[str, Any], status: int, word: str) -> None:
    for path, expected in ((V1, status), (AGENT, 200)):
        got, content = await pushing.push(path, **changes)
        answer = json.loads(content)
        assert (got, answer["status"]) == (expected, "ERROR")
        assert word in answer["error"]


@pytest.mark.parametrize(
    "content", ["", "null", "[]", "{", "nonsense", '{"key":', "=", b"\xff\xfe", "[" * 5000]
)
@pytest.mark.parametrize("path", PATHS)
async def test_garbage_is_refused(pushing: Pushing, path: str, content: str | bytes) -> None:
    response = await pushing.post(path, content, {"Authorization": f"Bearer {pushing.key}"})
    assert response.status_code == (200 if path == AGENT else 400)
    assert response.json()["status"] == "ERROR"


@pytest.mark.parametrize("field", ["key", "smsId", "phone", "phoneFrom", "text"])
@pytest.mark.parametrize("odd", ["\\ud800", "\\u0000", "\\u0000x", "\\udfff code 48213"])
async def test_characters_nobody_can_store_break_nothing(pushing: Pushing, field: str, odd: str) -> None:
    await sold(pushing)
    content = json.dumps(pushing.fields(**{field: "ODD"})).replace("ODD", odd)
    response = await pushing.post(V1, content)
    assert response.status_code in (200, 400, 401)
    assert response.json()["status"] in ("SUCCESS", "ERROR")


async def test_somebody_elses_number_has_no_operation(pushing: Pushing, rival: Partner) -> None:
    await rival.report("+46701740699")
    assert await pushing.push(V1, phone=46701740699) == NO_OPERATION


# Which operation


async def test_an_sms_without_a_number_is_for_the_operation_it_names(pushing: Pushing) -> None:
    pool = await pushing.profile()
    buyer, order = await sold(pushing)
    await pushing.lease(pool, order.activation_id, "held", "355")
    assert await pushing.push(V1, phone=None) == SUCCESS
    assert (await pushing.partner.check(buyer, order)).code == "48213"


@pytest.mark.parametrize(
    ("remote_id", "sent"), [("355", "355"), ('"355"', 355), ('"a-b"', "a-b"), ("rent 355", 355)]
)
async def test_an_id_names_its_operation_in_any_type(pushing: Pushing, remote_id: str, sent: object) -> None:
    pool = await pushing.profile()
    _, order = await sold(pushing)
    await pushing.lease(pool, order.activation_id, "held", remote_id)
    # A number without its country is none of theirs.
    assert await pushing.push("/pushSmsRent", phone="0701740605", smsId=sent, service="rent") == SUCCESS
    assert len(await pushing.partner.messages()) == 1


async def test_the_number_wins_over_the_id(pushing: Pushing, caplog: pytest.LogCaptureFixture) -> None:
    pool = await pushing.profile()
    _, order = await sold(pushing)
    await pushing.lease(pool, order.activation_id, "held", "355")
    buyer = await pushing.world.add_buyer()
    second = await pushing.world.order(buyer, "telegram", country="SE")
    assert second.msisdn == SECOND
    assert await pushing.push(V1, phone=int(SECOND[1:])) == SUCCESS
    assert (await pushing.partner.check(buyer, second)).code == "48213"
    assert "names one number and another operation" in caplog.text
    assert "48213" not in caplog.text


async def test_an_agents_id_is_the_smss_own(pushing: Pushing) -> None:
    pool = await pushing.profile()
    _, order = await sold(pushing)
    await pushing.lease(pool, order.activation_id, "held", "355")
    assert await pushing.push(AGENT, phone=46701749999) == SUCCESS
    assert await pushing.partner.messages() == []


@pytest.mark.parametrize(("path", "status"), [(V1, 503), (AGENT, 200)])
async def test_an_sms_that_overtakes_its_number_comes_again(pushing: Pushing, path: str, status: int) -> None:
    pool = await pushing.profile(push_answers="success")
    await pushing.lease(pool, 99, "asking")
    assert await pushing.push(path) == (status, b'{"status":"ERROR","error":"TRY_LATER"}')
    await sold(pushing)
    assert await pushing.push(path) == SUCCESS
    assert len(await pushing.partner.messages()) == 1


# Repeats


async def test_a_repeat_is_known_for_long_by_its_id(pushing: Pushing) -> None:
    await sold(pushing)
    for minutes, sms_id, messages in [(0, 1, 1), (1, 2, 1), (4, 1, 1), (3, 3, 2), (1, 3, 2), (5, 3, 2)]:
        pushing.world.clock.turn(minutes * 60)
        assert await pushing.push(AGENT, smsId=sms_id) == SUCCESS
        assert len(await pushing.partner.messages()) == messages, (minutes, sms_id)


async def test_a_double_push_is_one_message(pushing: Pushing) -> None:
    buyer, order = await sold(pushing)
    answers = await asyncio.gather(*(pushing.push(path) for path in PATHS * 3))
    assert set(answers) == {SUCCESS}
    assert len(await pushing.partner.messages()) == 1
    assert (await pushing.partner.check(buyer, order)).code == "48213"


# Keys


async def test_the_pools_own_key_is_good_for_pushes_alone(pushing: Pushing) -> None:
    await pushing.profile()
    await sold(pushing)
    assert await pushing.push(V1) == SUCCESS
    assert len(await pushing.partner.messages()) == 1
    pushing.partner.key = "their own key"
    await pushing.partner.call("checkWork", status=401)


@pytest.mark.parametrize(("networks", "status"), [("203.0.113.0/24", 200), ("198.51.100.0/24,::1/128", 403)])
async def test_the_pools_own_key_may_have_an_allow_list(pushing: Pushing, networks: str, status: int) -> None:
    await pushing.profile(push_networks=networks)
    await sold(pushing)
    assert (await pushing.push(V1))[0] == status


async def test_a_suspended_partner_is_told(pushing: Pushing) -> None:
    await pushing.profile()
    await pushing.world.rows(
        "UPDATE account SET state = 'suspended' WHERE id = $1 RETURNING id", pushing.partner.account_id
    )
    for key in (pushing.key, pushing.partner.key):
        assert await pushing.push(V1, key=key) == (403, b'{"status":"ERROR","error":"ACCOUNT_BLOCKED"}')


# Calls and pings


@pytest.mark.parametrize("action", ["PUSH_CALL", "PUSH_CALL_RECORD"])
async def test_calls_are_thanked_for(pushing: Pushing, action: str) -> None:
    await sold(pushing)
    assert await pushing.push(AGENT, action=action, text=None, callId=1) == (
        200,
        b'{"status":"SUCCESS","result":"IGNORED"}',
    )
    assert await pushing.partner.messages() == []


async def test_a_ping_is_answered_without_a_key(pushing: Pushing) -> None:
    response = await pushing.post("/agent/api/ping", b"", method="GET")
    assert (response.status_code, response.content) == SUCCESS


# Among the others


async def test_each_path_is_its_own_dialects(pushing: Pushing, clock: ManualClock, database_url: str) -> None:
    """`/api` is shared: an SMS must not get lost in a dialect of buyers."""
    app = build(Settings(), database_url, with_workers=False, clock=clock)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://simyard.test") as client,
    ):
        for path in PATHS:
            response = await client.post(path, json=pushing.fields())
            assert (response.status_code, response.json()["status"]) == (
                (200, "SUCCESS") if path == AGENT else (400, "ERROR")
            ), path
            refused = await client.get(path)
            assert "REQUEST_NOT_FOUND" in refused.text, path
        assert (await client.get("/agent/api/ping")).json() == {"status": "SUCCESS"}


@pytest.mark.parametrize(("seconds", "kept"), [(60, [(TEXT,)]), (0, [])])
async def test_what_comes_late_is_answered_as_what_nobody_waits_for(
    pushing: Pushing, clock: ManualClock, database_url: str, seconds: int, kept: list[tuple[str]]
) -> None:
    buyer, order = await sold(pushing)
    await pushing.world.cancel(buyer, order.activation_id)
    nothing = await pushing.push(phone=int(SECOND[1:]))
    app = build(Settings(late_message_seconds=seconds), database_url, with_workers=False, clock=clock)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://simyard.test") as client,
    ):
        late = await client.post(V1, json=pushing.fields())
        listed = await client.post(
            "/api/resellers/addMessage",
            json={"number": NUMBER, "from": "Telegram", "message": f"{TEXT}!", "date": 1},
            headers={"Authorization": f"Bearer {pushing.key}", "User-Agent": "agent/1.0"},
        )
    assert (late.status_code, late.content) == nothing
    assert (listed.status_code, listed.json()) == (200, {"response": 1})
    rows = await pushing.world.rows("SELECT body FROM late_message ORDER BY id")
    assert rows == kept + [(f"{TEXT}!",) for _ in kept]
    assert await pushing.partner.messages() == []


@given(
    st.dictionaries(st.sampled_from(["key", "smsId", "phone", "phoneFrom", "text", "action"]), JSON),
    st.binary(),
)
@hypothesis.settings(max_examples=300)
def test_nothing_that_is_pushed_breaks_the_reading(fields: dict[str, Any], garbage: bytes) -> None:
    caller = Caller(AccountId(1), "", None, START)
    for body in (json.dumps(fields).encode(), garbage, b"{" + garbage, b"--x\r\n" + garbage):
        for content_type in (b"application/json", b"multipart/form-data; boundary=x"):
            headers = {b"content-type": content_type}
            key = pushes.find_key(headers, garbage, body)
            assert key is None or isinstance(key, str)
            request = WireRequest("", b"", headers, body, caller, Settings())
            for names_operation in (True, False):
                try:
                    push = pushes.read_push(
                        request, pushes.read_fields(request), sms_id_names_operation=names_operation
                    )
                except Refusal as refusal:
                    assert refusal.reason is Refused.MALFORMED
                else:
                    assert isinstance(push.text, str)
