"""DaisySIM virtual: prices, purchases, errors, bad input, webhooks, and whose things are whose."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Sequence
from itertools import product
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from simyard.base.clock import ManualClock
from simyard.base.ids import ActivationId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AccountState, Scope
from simyard.core.activations.machine import State
from simyard.core.lanes import Lanes
from simyard.core.pools.model import Pool
from simyard.core.webhooks import service as webhooks
from simyard.core.webhooks.model import Announcement, Event, SetEndpoint
from simyard.db.lanes import Lane
from simyard.edge.dialects.daisysim import webhook
from simyard.edge.dialects.daisysim.v1 import ACTIONS, DIALECT, REFUSALS
from simyard.settings import Settings
from tests.edge.daisysim.buyer import add_shelf, receive, refused
from tests.edge.daisysim.test_bad_input import NOT_OBJECTS
from tests.edge.daisysim.test_fuzz import header_texts, queries, segments, texts, values
from tests.edge.daisysim.virtual import RUSSIA, UNITED_KINGDOM, VirtualBuyer, told
from tests.world import World, code_text

INVALID_PRICE = (422, "INVALID_PRICE")
INVALID = (422, "VALIDATION_ERROR")
PURCHASE = {"country": UNITED_KINGDOM, "service": "wa", "price": 1}
MALFORMED_KEYS = [
    "Bearer",
    "Bearer  \t ",
    "Basic dXNlcjpwYXNzd29yZA==",
    "{key}",
    "Bearer {key}x",
    "Bearer wrong",
    "Bearer " + "x" * 10_000,
    "Bearer \xe9\xff",
]


@pytest.fixture
def settings() -> Settings:
    return Settings(rate_limit_scale=1000)


async def shelf(world: World, price: str = "1", count: int = 5, **wishes: Any) -> Pool:
    """Numbers of a British pool that sell WhatsApp."""
    return await add_shelf(world, {"whatsapp": price}, count, country="GB", **wishes)


async def sms(world: World, msisdn: str, code: str = "123456") -> None:
    await receive(world, msisdn, code_text("whatsapp", code))


# Prices and purchases


async def test_the_price_of_prices_is_the_one_to_pay(virtual: VirtualBuyer, world: World) -> None:
    await shelf(world, "1.0833")
    await shelf(world, "2")
    offered = await virtual.prices()
    assert [tier["price"] for tier in offered["tiers"]] == [1.0833, 2]
    for tier in offered["tiers"]:
        bought = await virtual.buy(tier["price"])
        assert bought["amount_charged"] == tier["price"]
    assert await virtual.balance() == 96.9167


async def test_a_price_is_compared_to_the_fourth_decimal(virtual: VirtualBuyer, world: World) -> None:
    await shelf(world, "1.14", 20)
    for written in ("1.14", "1.1400", "1.14000000000000012", '"1.14"', '" 1.1400 "', "114e-2", "1.13996"):
        content = f'{{"country": {UNITED_KINGDOM}, "service": "wa", "price": {written}}}'.encode()
        response = await virtual.send("POST", "/purchase", content=content)
        assert told(response)["amount_charged"] == 1.14, written


async def test_any_other_price_is_refused(virtual: VirtualBuyer, world: World) -> None:
    await shelf(world, "1.14")
    for price in (1.1401, 1.1399, 1, 2, 0, 0.0001, 114, "1.15", 1e18, 10**30, 1e-9, 1.7e308, "1e400", -0.0):
        assert refused(await virtual.post("/purchase", {**PURCHASE, "price": price})) == INVALID_PRICE, price
    assert await virtual.balance() == 100


async def test_a_price_that_is_none(virtual: VirtualBuyer, world: World) -> None:
    await shelf(world)
    wrong: list[Any] = [
        None,
        True,
        "",
        "abc",
        "1,00",
        "$1",
        "NaN",
        "Infinity",
        "-Infinity",
        -1,
        "-1",
        [],
        {},
        [1],
    ]
    for price in wrong:
        assert refused(await virtual.post("/purchase", {**PURCHASE, "price": price})) == INVALID, price
    without = {"country": UNITED_KINGDOM, "service": "wa"}
    assert refused(await virtual.post("/purchase", without)) == INVALID
    assert await virtual.balance() == 100


async def test_a_price_that_went_up_meanwhile(virtual: VirtualBuyer, world: World) -> None:
    pool = await shelf(world, "1")
    assert (await virtual.prices())["tiers"][0]["price"] == 1
    await world.set_price("whatsapp", "1.5", pool=pool)
    assert refused(await virtual.post("/purchase", PURCHASE)) == INVALID_PRICE
    assert (await virtual.buy(1.5))["amount_charged"] == 1.5


async def test_a_wallet_of_another_currency(world: World, virtual_client: httpx.AsyncClient) -> None:
    await world.set_rate("NGN", "1500.1")
    buyer = await VirtualBuyer.join(world, virtual_client, "20000", "NGN")
    await shelf(world, "1.0831")
    (tier,) = (await buyer.prices())["tiers"]
    assert tier["price"] == 1624.7584
    assert (await buyer.buy(tier["price"]))["balance_after"] == 18375.2416


async def test_a_wallet_without_a_rate_has_no_prices(world: World, virtual_client: httpx.AsyncClient) -> None:
    buyer = await VirtualBuyer.join(world, virtual_client, "20000", "NGN")
    await shelf(world)
    asked = {"country": UNITED_KINGDOM, "service": "wa"}
    assert refused(await buyer.post("/prices", asked)) == INVALID_PRICE
    assert refused(await buyer.post("/purchase", PURCHASE)) == INVALID_PRICE
    assert told(await buyer.get("/balance"))["discount"]["next_tier"] is None


async def test_a_service_by_our_own_word_and_in_any_case(virtual: VirtualBuyer, world: World) -> None:
    await shelf(world)
    for service in ("wa", "WA", " wa ", "whatsapp", "WhatsApp"):
        assert (await virtual.prices(service))["total_numbers"] == 5
    assert (await virtual.buy(service="whatsapp"))["amount_charged"] == 1


async def test_a_country_as_a_number_or_its_text(virtual: VirtualBuyer, world: World) -> None:
    await shelf(world)
    for country in (UNITED_KINGDOM, str(UNITED_KINGDOM)):
        answer = await virtual.post("/prices", {"country": country, "service": "wa"})
        assert told(answer)["total_numbers"] == 5
    assert told(await virtual.get(f"/services/{UNITED_KINGDOM}"))["services"]


@pytest.mark.parametrize("path", ["/prices", "/purchase"])
async def test_a_country_or_service_that_is_none(virtual: VirtualBuyer, path: str) -> None:
    wrong: list[Any] = [
        None,
        True,
        "",
        "GB",
        0,
        -16,
        1000,
        999,
        16.5,
        "016",
        "٣",
        10**40,
        [],
        {},
        "\0",
        "x" * 300,
    ]
    for value in wrong:
        body = {**PURCHASE, "country": value}
        assert refused(await virtual.post(path, body)) == INVALID, value
    for value in [one for one in wrong if one != 1000]:
        body = {**PURCHASE, "service": value}
        assert refused(await virtual.post(path, body)) == INVALID, value


async def test_a_prohibited_service_is_not_on_offer(virtual: VirtualBuyer, world: World) -> None:
    await add_shelf(world, {"paypal": "1", "whatsapp": "1"}, country="GB")
    names = [one["name"] for one in told(await virtual.get(f"/services/{UNITED_KINGDOM}"))["services"]]
    assert names == ["WhatsApp"]
    assert (await virtual.prices("paypal"))["tiers"] == []
    body = {**PURCHASE, "service": "paypal"}
    assert refused(await virtual.post("/purchase", body)) == INVALID_PRICE


async def test_a_service_that_is_not_priced(virtual: VirtualBuyer) -> None:
    assert refused(await virtual.post("/purchase", PURCHASE)) == INVALID_PRICE


async def test_a_label_is_kept_and_judged(virtual: VirtualBuyer, world: World) -> None:
    await shelf(world)
    await virtual.buy(service_name="My \u0000WhatsApp ")
    await virtual.buy(service_name="")
    await virtual.buy(service_name=None)
    for wrong in ("x" * 201, 5, ["a"]):
        response = await virtual.post("/purchase", {**PURCHASE, "service_name": wrong})
        assert refused(response) == INVALID
    orders = told(await virtual.get("/history"))["orders"]
    assert [one["service"] for one in orders] == ["WhatsApp", "WhatsApp", "My WhatsApp"]


async def test_one_number_and_many_who_want_it(virtual: VirtualBuyer, world: World) -> None:
    await shelf(world, count=1)
    answers = await asyncio.gather(*(virtual.post("/purchase", PURCHASE) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [503] * 7
    assert {refused(one) for one in answers if one.status_code == 503} == {(503, "NO_NUMBERS_AVAILABLE")}
    assert await virtual.balance() == 99
    await world.assert_whole()


async def test_a_twin_under_an_idempotency_key_buys_once(virtual: VirtualBuyer, world: World) -> None:
    await shelf(world)
    headers = {"Idempotency-Key": "9f2c 7b/=+"}
    answers = await asyncio.gather(*(virtual.post("/purchase", PURCHASE, headers=headers) for _ in range(5)))
    assert len({answer.content for answer in answers}) == 1
    assert await virtual.balance() == 99
    other = {**PURCHASE, "price": 1.1}
    assert refused(await virtual.post("/purchase", other, headers=headers)) == INVALID
    for key in ("", "x" * 256, "\t"):
        response = await virtual.post("/purchase", PURCHASE, headers={"Idempotency-Key": key})
        assert refused(response) == INVALID


# Checking and cancelling


async def test_a_message_without_a_code_is_completed_without_one(virtual: VirtualBuyer, world: World) -> None:
    await shelf(world)
    bought = await virtual.buy()
    await receive(world, bought["phone_number"], "Welcome to WhatsApp! Nobody needs this message.")
    assert await virtual.look(bought["activation_id"]) == {
        "status": "Completed",
        "code": None,
        "phone_number": bought["phone_number"],
    }
    await sms(world, bought["phone_number"])
    assert (await virtual.look(bought["activation_id"]))["code"] == "123456"


async def test_a_cancel_and_a_code_at_once_have_one_winner(
    virtual: VirtualBuyer, world: World, clock: ManualClock
) -> None:
    await shelf(world)
    for _ in range(4):
        bought = await virtual.buy()
        clock.turn(60)
        answer, _ = await asyncio.gather(
            virtual.post(f"/cancel/{bought['activation_id']}"), sms(world, bought["phone_number"])
        )
        status = (await virtual.look(bought["activation_id"]))["status"]
        if answer.status_code == 200:
            assert status == "Cancelled"
        else:
            assert refused(answer) == (422, "CODE_RECEIVED")
            assert status == "Completed"
    await world.assert_whole()


async def test_cancels_at_once_refund_once(virtual: VirtualBuyer, world: World, clock: ManualClock) -> None:
    await shelf(world)
    bought = await virtual.buy()
    clock.turn(60)
    path = f"/cancel/{bought['activation_id']}"
    answers = await asyncio.gather(*(virtual.post(path) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 5
    assert {refused(one) for one in answers if one.status_code == 422} == {(422, "ALREADY_REFUNDED")}
    assert await virtual.balance() == 100


class TestWithoutALock:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(virtual_cancel_after_seconds=0)

    async def test_an_operator_sets_how_long_a_cancel_is_too_early(
        self, virtual: VirtualBuyer, world: World
    ) -> None:
        await shelf(world)
        bought = await virtual.buy()
        assert told(await virtual.post(f"/cancel/{bought['activation_id']}"))["refund"] == 1


# Loyalty


async def test_cashback_comes_with_the_code_and_shows_in_the_balance(
    virtual: VirtualBuyer, world: World
) -> None:
    await shelf(world, "25")
    first, second = await virtual.buy(25), await virtual.buy(25)
    await sms(world, first["phone_number"])
    assert (await virtual.prices())["discount_tier"] == "Silver"
    assert await virtual.balance() == 50
    await sms(world, second["phone_number"])
    assert await virtual.balance() == 52.5
    answer = told(await virtual.get("/balance"))
    assert (answer["total_spent"], answer["discount"]["needed"]) == (50, 50)
    await world.assert_whole()


# Whose things are whose


async def test_an_activation_of_another_account_is_not_found(virtual: VirtualBuyer, world: World) -> None:
    await shelf(world)
    activation_id = (await virtual.buy())["activation_id"]
    stranger = await VirtualBuyer.join(world, virtual.client)
    unknown = {"success": False, "error": "Activation not found.", "code": "NOT_FOUND"}
    for asked in (
        activation_id,
        "1",
        "9007199254740991",
        "9" * 5000,
        "abc",
        "-1",
        "0",
        "1.5",
        "",
        "%00",
        "٣",
    ):
        for method, verb in (("GET", "check"), ("POST", "cancel")):
            response = await stranger.send(method, f"/{verb}/{asked}")
            assert response.status_code == 404
            assert response.json() == unknown
    assert told(await stranger.get("/history"))["orders"] == []
    assert (await virtual.look(activation_id))["status"] == "Waiting"


async def test_a_webhook_is_an_accounts_own(virtual: VirtualBuyer, world: World) -> None:
    stranger = await VirtualBuyer.join(world, virtual.client)
    told(await virtual.post("/webhook", {"url": "https://example.com/hook"}))
    assert told(await stranger.get("/webhook"))["url"] is None
    told(await stranger.post("/webhook", {"url": None}))
    assert told(await virtual.get("/webhook"))["enabled"] is True


# Webhooks


async def announcements(world: World) -> list[Announcement]:
    async with world.database.transaction() as tx:
        return await webhooks.claim(
            tx,
            now=world.clock.now(),
            lease_seconds=30,
            per_endpoint_max=100,
            limit=100,
            failing_limit=100,
            in_flight={},
        )


async def test_the_first_code_of_each_activation_is_told_once(
    virtual: VirtualBuyer, world: World, clock: ManualClock
) -> None:
    await shelf(world)
    told(await virtual.post("/webhook", {"url": "https://example.com/hook"}))
    first = await virtual.buy(service_name="WhatsApp")
    second = await virtual.buy(service_name="WhatsApp 2")
    await receive(world, first["phone_number"], "Welcome to WhatsApp! Nobody needs this message.")
    assert await announcements(world) == []
    clock.turn(1.5)
    await sms(world, first["phone_number"], "483921")
    for code in ("222222", "333333"):
        await sms(world, first["phone_number"], code)
    await sms(world, second["phone_number"], "555555")
    told_of = [json.loads(webhook.render(one)) for one in await announcements(world)]
    assert told_of == [
        {
            "event": "code.received",
            "activation_id": first["activation_id"],
            "phone_number": first["phone_number"],
            "service": "WhatsApp",
            "code": "483921",
            "received_at": "2026-03-01T12:00:01+00:00",
        },
        {
            "event": "code.received",
            "activation_id": second["activation_id"],
            "phone_number": second["phone_number"],
            "service": "WhatsApp 2",
            "code": "555555",
            "received_at": "2026-03-01T12:00:01+00:00",
        },
    ]


async def test_it_stands_beside_the_webhook_of_another_dialect(virtual: VirtualBuyer, world: World) -> None:
    await shelf(world)
    told(await virtual.post("/webhook", {"url": "https://example.com/hook"}))
    async with world.database.transaction() as tx:
        command = SetEndpoint(
            virtual.account_id, "onlinesim", Event.MESSAGE, "https://example.com/o", (), world.clock.now()
        )
        await webhooks.set_endpoint(tx, command)
    bought = await virtual.buy()
    for code in ("111111", "222222"):
        await sms(world, bought["phone_number"], code)
    assert sorted(one.format for one in await announcements(world)) == ["daisysim", "onlinesim", "onlinesim"]


async def test_a_new_address_keeps_the_secret(virtual: VirtualBuyer) -> None:
    first = told(await virtual.post("/webhook", {"url": "https://example.com/1"}))
    second = told(await virtual.post("/webhook", {"url": "https://example.com/2"}))
    assert first["signing_secret"] == second["signing_secret"]
    assert first["signing_secret"].startswith("whsec_")


async def test_a_webhook_address_that_will_not_do(virtual: VirtualBuyer) -> None:
    wrong: list[Any] = [5, True, [], {}, "ftp://example.com/", "example.com", "http://", "x" * 3000]
    wrong += [
        f"http://{host}/" for host in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "0x7f000001")
    ]
    wrong += ["https://user:password@example.com/", "https://example.com/\r\nx: y", "\0"]
    for url in wrong:
        assert refused(await virtual.post("/webhook", {"url": url})) == INVALID, url
    assert refused(await virtual.post("/webhook", {})) == INVALID
    assert told(await virtual.get("/webhook"))["url"] is None


async def test_the_secret_is_not_shown_to_a_key_that_may_only_look(virtual: VirtualBuyer) -> None:
    told(await virtual.post("/webhook", {"url": "https://example.com/1"}))
    key = await virtual.world.issue_key(virtual.account_id, (Scope.READ,))
    looker = VirtualBuyer(virtual.world, virtual.client, virtual.account_id, key)
    assert "signing_secret" not in told(await looker.get("/webhook"))
    assert refused(await looker.post("/webhook", {"url": None})) == (401, "INVALID_TOKEN")
    assert refused(await looker.post("/purchase", PURCHASE)) == (401, "INVALID_TOKEN")


# Errors


async def test_a_key_that_is_missing_malformed_or_unknown(virtual: VirtualBuyer) -> None:
    for header in (None, "", *MALFORMED_KEYS):
        headers: list[tuple[bytes, bytes]] = []
        if header is not None:
            headers = [(b"Authorization", header.format(key=virtual.key).encode("latin-1"))]
        for method, path in ACTIONS:
            response = await virtual.client.request(method, DIALECT.prefix + path, headers=headers)
            status, code = refused(response)
            assert status == 401
            told_key = header is not None and header.startswith("Bearer ") and header[7:].strip()
            assert code == ("INVALID_TOKEN" if told_key else "MISSING_TOKEN"), header


@pytest.mark.parametrize(
    ("state", "code"),
    [(AccountState.SUSPENDED, "ACCOUNT_SUSPENDED"), (AccountState.LOCKED, "ACCOUNT_LOCKED")],
)
async def test_an_account_that_is_shut(virtual: VirtualBuyer, state: AccountState, code: str) -> None:
    world = virtual.world
    email = await world.value("SELECT email FROM account WHERE id = $1", virtual.account_id)
    async with world.database.transaction() as tx:
        await accounts.set_state(tx, email, state, actor="test", now=world.clock.now())
    for method, path in ACTIONS:
        assert refused(await virtual.send(method, path)) == (403, code)


async def test_an_endpoint_that_is_not_there(virtual: VirtualBuyer) -> None:
    for method, path in (
        ("GET", ""),
        ("GET", "/nothing"),
        ("GET", "/purchase"),
        ("GET", "/prices"),
        ("DELETE", "/balance"),
        ("POST", "/check/1"),
        ("GET", "/services/16/more"),
    ):
        assert refused(await virtual.send(method, path)) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("reason", "told_as"),
    [(Refused.BUSY, (429, "RATE_LIMITED")), (Refused.UPSTREAM_FAILED, (502, "PROVIDER_ERROR"))],
)
async def test_a_platform_that_cannot(
    virtual: VirtualBuyer, lanes: Lanes, reason: Refused, told_as: tuple[int, str]
) -> None:
    async def unable(tx: Any, commands: Sequence[Any]) -> list[Any]:
        return [Refusal(reason) for _ in commands]

    lanes.order.verb = unable
    assert refused(await virtual.post("/purchase", PURCHASE)) == told_as


@pytest.mark.parametrize(
    ("lane", "send"),
    [
        ("admit", lambda buyer: buyer.get("/balance")),
        ("order", lambda buyer: buyer.post("/purchase", PURCHASE)),
        ("check", lambda buyer: buyer.get("/check/1")),
    ],
)
async def test_a_bug_is_told_in_the_envelope(
    virtual: VirtualBuyer,
    lanes: Lanes,
    lane: str,
    send: Callable[[VirtualBuyer], Awaitable[httpx.Response]],
) -> None:
    async def broken(tx: Any, commands: Sequence[Any]) -> list[Any]:
        raise ZeroDivisionError("secret")

    broken_lane: Lane[Any, Any] = getattr(lanes, lane)
    broken_lane.verb = broken
    response = await send(virtual)
    assert response.status_code == 500
    assert response.json() == {"success": False, "error": "Internal server error.", "code": "SERVER_ERROR"}


async def test_every_code_of_the_vendors_table_and_no_other() -> None:
    documented = {
        "MISSING_TOKEN": {401},
        "INVALID_TOKEN": {401},
        "ACCOUNT_SUSPENDED": {403},
        "ACCOUNT_LOCKED": {403},
        "INSUFFICIENT_BALANCE": {400},
        "INVALID_PRICE": {422},
        "NO_NUMBERS_AVAILABLE": {503},
        "NOT_FOUND": {404},
        "TOO_EARLY": {422},
        "CODE_RECEIVED": {422},
        "ALREADY_REFUNDED": {422},
        "RATE_LIMITED": {429},
        "PROVIDER_ERROR": {502},
        "SERVER_ERROR": {500},
        # The vendor says nothing of requests that cannot be read.
        "VALIDATION_ERROR": {413, 422},
    }
    said: dict[str, set[int]] = {}
    for reason, state in product(REFUSALS.rows, (State.CANCELED, State.FINISHED)):
        refusal = Refusal(reason, seconds=4, state=state, activation_id=ActivationId(1))
        response = REFUSALS.render(refusal, "purchase")
        answer = httpx.Response(
            response.status, content=response.body, headers={"content-type": "application/json"}
        )
        status, code = refused(answer)
        said.setdefault(code, set()).add(status)
    assert said == documented


# Bad input


async def test_a_body_that_is_no_object(virtual: VirtualBuyer) -> None:
    for path in ("/prices", "/purchase", "/webhook"):
        for name, content in NOT_OBJECTS.items():
            response = await virtual.send("POST", path, content=content)
            assert refused(response) == INVALID, name
        for empty in (None, b"", b" \n "):
            assert refused(await virtual.send("POST", path, content=empty)) == INVALID


async def test_a_body_that_is_too_large(virtual: VirtualBuyer) -> None:
    content = json.dumps({**PURCHASE, "service": "x" * 1024**2}).encode()
    assert refused(await virtual.send("POST", "/purchase", content=content)) == (413, "VALIDATION_ERROR")
    bomb = gzip.compress(b" " * 50 * 1024**2)
    response = await virtual.send("POST", "/prices", content=bomb, headers={"Content-Encoding": "gzip"})
    assert refused(response) == (413, "VALIDATION_ERROR")


async def test_pages_that_are_none(virtual: VirtualBuyer) -> None:
    for query in ("page=0", "page=-1", "page=x", "per_page=0", "per_page=1.5", "status=open", "page=%D9%A3"):
        assert refused(await virtual.get(f"/history?{query}")) == INVALID, query
    for query, shown in (("page=99999999999", 20), ("per_page=1000", 100), ("page=&per_page=&status=", 20)):
        assert told(await virtual.get(f"/history?{query}"))["pagination"]["per_page"] == shown


class TestFuzz:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(rate_limit_scale=1_000_000)

    @pytest.fixture
    async def stocked(self, virtual: VirtualBuyer, world: World) -> VirtualBuyer:
        await shelf(world, "0.1", 40)
        return virtual

    likely = st.sampled_from([UNITED_KINGDOM, RUSSIA, "16", "wa", "WhatsApp", 0.1, "0.1", 1e300, -1, 10**30])
    maybe = likely | values
    bodies = st.fixed_dictionaries(
        {"country": st.just(UNITED_KINGDOM) | maybe, "service": st.just("wa") | maybe, "price": maybe},
        optional={"service_name": maybe, "url": maybe},
    )
    written = st.one_of(
        st.one_of(bodies, values).map(lambda body: json.dumps(body).encode()),
        st.dictionaries(texts, values).map(
            lambda body: json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
        ),
        st.binary(max_size=60),
    )

    @examples(
        max_examples=300,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(
        call=st.sampled_from(sorted(ACTIONS)),
        content=written,
        segment=segments,
        query=queries,
        key=header_texts,
    )
    async def test_nothing_breaks_it(
        self,
        stocked: VirtualBuyer,
        call: tuple[str, str],
        content: bytes,
        segment: str,
        query: str,
        key: str | None,
    ) -> None:
        method, path = call
        head, brace, _ = path.partition("{")
        headers = [(b"authorization", b"Bearer " + stocked.key.encode())]
        if key is not None:
            headers.append((b"idempotency-key", key.encode("latin-1")))
        response = await stocked.client.request(
            method,
            f"{DIALECT.prefix}{head}{segment if brace else ''}?{query}",
            content=content,
            headers=headers,
        )
        if response.status_code in (200, 201):
            told(response)
        else:
            status, code = refused(response)
            assert status < 500 or (status, code) == (503, "NO_NUMBERS_AVAILABLE")
