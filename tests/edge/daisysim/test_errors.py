"""Every error of the vendor's table, with its exact status and envelope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import pytest

from simyard.base.clock import ManualClock
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AccountState, Scope
from simyard.core.lanes import Lanes
from simyard.db.lanes import Lane
from simyard.edge.dialects.daisysim.v2 import ACTIONS, DIALECT, REFUSALS
from tests.edge.daisysim.buyer import Buyer, add_shelf, data, receive, refused
from tests.world import World

UNAUTHENTICATED = (401, "UNAUTHENTICATED")
MALFORMED = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer  \t ",
    "Basic dXNlcjpwYXNzd29yZA==",
    "{key}",
    "Token {key}",
    "Bearer{key}",
    "Bearer {key}x",
    "Bearer wrong",
    "Bearer {key} {key}",
    "Bearer " + "x" * 10_000,
    "Bearer \xe9\xff",
    "Bearer '; DROP TABLE api_key; --",
]


async def call(buyer: Buyer, method: str, path: str, **how: Any) -> httpx.Response:
    return await buyer.client.request(method, DIALECT.prefix + path, **how)


async def test_a_key_that_is_missing_malformed_or_unknown(buyer: Buyer) -> None:
    for header in (None, *MALFORMED):
        headers: list[tuple[bytes, bytes]] = []
        if header is not None:
            headers = [(b"Authorization", header.format(key=buyer.key).encode("latin-1"))]
        for method, path in ACTIONS:
            response = await call(buyer, method, path.replace("{country}", "USA"), headers=headers)
            assert refused(response) == UNAUTHENTICATED, header


async def test_the_scheme_is_read_in_any_case(buyer: Buyer) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        response = await call(buyer, "GET", "/countries", headers={"Authorization": f"{scheme} {buyer.key}"})
        assert data(response)


async def test_a_key_that_is_switched_off(buyer: Buyer) -> None:
    world = buyer.world
    async with world.database.transaction() as tx:
        (key,) = await accounts.list_keys(tx, buyer.account_id)
        await accounts.set_key_enabled(
            tx, buyer.account_id, key.id, enabled=False, actor="test", now=world.clock.now()
        )
    assert refused(await buyer.get("/balance")) == UNAUTHENTICATED


async def test_a_key_from_another_address(buyer: Buyer) -> None:
    key = await buyer.world.issue_key(buyer.account_id, networks=("198.51.100.0/24",))
    elsewhere = Buyer(buyer.world, buyer.client, buyer.account_id, key)
    assert refused(await elsewhere.get("/balance")) == UNAUTHENTICATED


async def test_a_key_that_may_only_look(buyer: Buyer) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1"})
    key = await buyer.world.issue_key(buyer.account_id, (Scope.READ,))
    looker = Buyer(buyer.world, buyer.client, buyer.account_id, key)
    bought = await buyer.purchase()
    path = f"/cancel/{bought['activation_id']}"
    assert (await looker.check(bought["activation_id"]))["status"] == "Waiting"
    assert refused(await looker.post("/purchase", {"country": "USA", "app": "WhatsApp"})) == UNAUTHENTICATED
    assert refused(await looker.post(path)) == UNAUTHENTICATED


@pytest.mark.parametrize(
    ("state", "code"),
    [(AccountState.SUSPENDED, "ACCOUNT_SUSPENDED"), (AccountState.LOCKED, "ACCOUNT_LOCKED")],
)
async def test_an_account_that_is_shut(buyer: Buyer, state: AccountState, code: str) -> None:
    world = buyer.world

    async def become(state: AccountState) -> None:
        async with world.database.transaction() as tx:
            email = await world.value("SELECT email FROM account WHERE id = $1", buyer.account_id)
            await accounts.set_state(tx, email, state, actor="test", now=world.clock.now())

    await become(state)
    for method, path in ACTIONS:
        assert refused(await buyer.send(method, path.replace("{country}", "USA"))) == (403, code)
    await become(AccountState.ACTIVE)
    assert await buyer.balance() == 100


async def test_an_activation_of_another_account_is_not_found(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    activation_id = (await buyer.purchase())["activation_id"]
    stranger = await Buyer.join(world, buyer.client)
    unknown = {"success": False, "error": "Activation not found.", "code": "NOT_FOUND"}
    for asked in (activation_id, "1", "99999", "9007199254740991", "abc", "-1", "0", "1.5", "٣"):
        for method, verb in (("GET", "check"), ("POST", "cancel")):
            response = await stranger.send(method, f"/{verb}/{asked}")
            assert response.status_code == 404
            assert response.json() == unknown
    (item,) = data(await stranger.post("/check-all", {"ids": [activation_id]}))
    assert item == {"activation_id": activation_id, "status": "Not Found", "code": None}
    assert data(await stranger.get("/history"))["orders"] == []


async def test_an_endpoint_that_is_not_there(buyer: Buyer) -> None:
    for method, path in (
        ("GET", ""),
        ("GET", "/"),
        ("GET", "/nothing"),
        ("GET", "/purchase"),
        ("DELETE", "/balance"),
        ("GET", "/balance/"),
        ("POST", "/check/1"),
        ("GET", "/apps/USA/"),
        ("GET", "/apps/USA/more"),
    ):
        assert refused(await buyer.send(method, path)) == (404, "NOT_FOUND")


async def test_a_busy_platform_asks_to_retry(buyer: Buyer, lanes: Lanes) -> None:
    async def busy(tx: Any, commands: Sequence[Any]) -> list[Any]:
        return [Refusal(Refused.BUSY) for _ in commands]

    lanes.order.verb = busy
    response = await buyer.post("/purchase", {"country": "USA", "app": "WhatsApp"})
    assert refused(response) == (409, "CONCURRENT_ERROR")


async def test_a_supplier_who_fails(buyer: Buyer, lanes: Lanes) -> None:
    async def failing(tx: Any, commands: Sequence[Any]) -> list[Any]:
        return [Refusal(Refused.UPSTREAM_FAILED) for _ in commands]

    lanes.order.verb = failing
    response = await buyer.post("/purchase", {"country": "USA", "app": "WhatsApp"})
    assert refused(response) == (502, "PROVIDER_ERROR")


@pytest.mark.parametrize(
    ("lane", "send"),
    [
        ("admit", lambda buyer: buyer.get("/balance")),
        ("order", lambda buyer: buyer.post("/purchase", {"country": "USA", "app": "WhatsApp"})),
        ("check", lambda buyer: buyer.get("/check/1")),
        ("check", lambda buyer: buyer.post("/check-all", {"ids": ["1", "2"]})),
    ],
)
async def test_a_bug_is_told_in_the_envelope(
    buyer: Buyer, lanes: Lanes, lane: str, send: Callable[[Buyer], Awaitable[httpx.Response]]
) -> None:
    async def broken(tx: Any, commands: Sequence[Any]) -> list[Any]:
        raise ZeroDivisionError("secret")

    broken_lane: Lane[Any, Any] = getattr(lanes, lane)
    broken_lane.verb = broken
    response = await send(buyer)
    assert response.status_code == 500
    assert response.json() == {"success": False, "error": "Internal server error.", "code": "SERVER_ERROR"}


async def test_every_refusal_has_the_envelope(clock: ManualClock) -> None:
    facts = {
        "seconds": 94,
        "activation_id": 32886,
        "msisdn": "+19401234567",
        "service_label": "WhatsApp 3",
        "code": "847261",
        "refunded": 1_083_000,
        "available": 14_250_000,
    }
    documented = {
        "UNAUTHENTICATED": {401},
        "ACCOUNT_SUSPENDED": {403},
        "ACCOUNT_LOCKED": {403},
        "NOT_FOUND": {404},
        "CONCURRENT_ERROR": {409},
        "PRICE_VERIFICATION_FAILED": {422},
        "CODE_RECEIVED": {422},
        "TOO_EARLY": {422},
        "INVALID_COUNTRY": {422},
        "INSUFFICIENT_BALANCE": {400},
        "RATE_LIMITED": {429},
        "OUT_OF_STOCK": {503},
        "PROVIDER_ERROR": {502},
        "SERVER_ERROR": {500},
        # The vendor says nothing of requests that cannot be read.
        "VALIDATION_ERROR": {413, 422},
    }
    said: dict[str, set[int]] = {}
    for reason in REFUSALS.rows:
        if reason is Refused.LEASE_CLOSED:
            continue
        response = REFUSALS.render(Refusal(reason, **facts), "purchase")
        status, code = refused(
            httpx.Response(
                response.status, content=response.body, headers={"content-type": "application/json"}
            )
        )
        said.setdefault(code, set()).add(status)
    assert said == documented


async def test_a_code_that_came_while_the_cancel_was_on_its_way(buyer: Buyer) -> None:
    await add_shelf(buyer.world, {"whatsapp": "1"})
    bought = await buyer.purchase(app_name="WhatsApp 3")
    await receive(buyer.world, bought["phone_number"], "WhatsApp code 847-261")
    # Told at once, not after the three minutes.
    response = await buyer.post(f"/cancel/{bought['activation_id']}")
    assert response.status_code == 422
    assert response.json()["data"] == {
        "activation_id": bought["activation_id"],
        "phone_number": bought["phone_number"],
        "service": "WhatsApp 3",
        "status": "Completed",
        "code": "847261",
    }
