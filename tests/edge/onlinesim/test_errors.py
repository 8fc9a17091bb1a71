"""Every error the dialect can tell, in the vendor's word for it, always with the status 200."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from simyard.base.clock import ManualClock
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AccountState, Role, Scope
from simyard.core.lanes import Lanes
from simyard.db.lanes import Lane
from simyard.edge.dialects.onlinesim.demo import ERRORS
from simyard.edge.dialects.onlinesim.dialect import ACTIONS
from simyard.edge.dialects.onlinesim.wire import REFUSALS
from simyard.edge.wire import KeyNeed
from tests.edge.onlinesim.buyer import Buyer, add_shelf, answer, receive
from tests.world import World

CLOSED = [
    path[1:]
    for (method, path), action in ACTIONS.items()
    if method == "GET" and action.key is KeyNeed.REQUIRED
]
OPEN = [
    path[1:]
    for (method, path), action in ACTIONS.items()
    if method == "GET" and action.key is KeyNeed.OPTIONAL
]


async def said(buyer: Buyer, method: str, **fields: Any) -> str:
    told = await buyer.ask(method, **fields)
    assert list(told) == ["response"], told
    word: str = told["response"]
    return word


# Who asks


@pytest.mark.parametrize("method", CLOSED)
async def test_a_key_that_is_missing_or_unknown(buyer: Buyer, method: str) -> None:
    assert answer(await buyer.client.get(f"/api/{method}")) == {"response": "ERROR_NO_KEY"}
    for key in ("wrong", "x" * 1000, "\u20ac"):
        response = await buyer.client.get(f"/api/{method}", params={"apikey": key})
        assert answer(response) == {"response": "ERROR_WRONG_KEY"}


@pytest.mark.parametrize("method", OPEN)
async def test_what_needs_no_key_still_refuses_a_wrong_one(buyer: Buyer, method: str) -> None:
    told = answer(await buyer.client.get(f"/api/{method}", params={"phone": "1"}))
    assert told.get("response") not in ("ERROR_NO_KEY", "ERROR_WRONG_KEY")
    response = await buyer.client.get(f"/api/{method}", params={"apikey": "wrong"})
    assert answer(response) == {"response": "ERROR_WRONG_KEY"}


def test_what_needs_no_key() -> None:
    assert set(OPEN) == {
        "getTariffs",
        "getNumbersStats",
        "getFreeList",
        "getFreeCountryList",
        "getFreePhoneList",
        "getFreeMessageList",
    }


async def test_a_key_that_is_switched_off(buyer: Buyer) -> None:
    world = buyer.world
    async with world.database.transaction() as tx:
        (key,) = await accounts.list_keys(tx, buyer.account_id)
        await accounts.set_key_enabled(
            tx, buyer.account_id, key.id, enabled=False, actor="test", now=world.clock.now()
        )
    assert await said(buyer, "getBalance") == "API_ACCESS_DISABLED"


async def test_a_key_that_may_only_look(buyer: Buyer) -> None:
    key = await buyer.world.issue_key(buyer.account_id, (Scope.READ,))
    looker = Buyer(buyer.world, buyer.client, buyer.account_id, key)
    assert await looker.balance() == 100
    for method in ("getNum", "setOperationOk", "setOperationRevise", "rent/getRentNum", "profile"):
        assert await said(looker, method) == "API_ACCESS_DISABLED"


async def test_a_key_from_another_address(buyer: Buyer) -> None:
    key = await buyer.world.issue_key(buyer.account_id, networks=("198.51.100.0/24",))
    elsewhere = Buyer(buyer.world, buyer.client, buyer.account_id, key)
    assert await said(elsewhere, "getBalance") == "API_ACCESS_IP"


@pytest.mark.parametrize("state", [AccountState.SUSPENDED, AccountState.LOCKED])
async def test_an_account_that_is_shut(buyer: Buyer, state: AccountState) -> None:
    world = buyer.world
    async with world.database.transaction() as tx:
        email = await world.value("SELECT email FROM account WHERE id = $1", buyer.account_id)
        await accounts.set_state(tx, email, state, actor="test", now=world.clock.now())
    for method in [*CLOSED, *OPEN]:
        assert await said(buyer, method) == "ACCOUNT_BLOCKED"


async def test_an_account_without_a_wallet_has_no_money(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"}, tariffs={1: "1"})
    poor = await world.add_account(Role.OPERATOR, currency=None)
    caller = Buyer(world, buyer.client, poor, await world.issue_key(poor))
    assert await said(caller, "getBalance") == "WARNING_LOW_BALANCE"
    assert await said(caller, "getNum", service="whatsapp", country=46) == "WARNING_LOW_BALANCE"
    assert await said(caller, "rent/getRentNum", days=1, country=46) == "WARNING_LOW_BALANCE"


# Ordering


@pytest.mark.parametrize("service", [None, "", "nothing", "_", "service_", "x" * 500, "%00"])
async def test_a_service_that_is_not_known(buyer: Buyer, service: str | None) -> None:
    fields = {} if service is None else {"service": service}
    assert await said(buyer, "getNum", country=46, **fields) == "ERROR_NO_SERVICE"
    assert await said(buyer, "getPrice", country=46, **fields) == "ERROR_NO_SERVICE"


@pytest.mark.parametrize("country", ["0", "999", "abc", "-46", "46.5", "9" * 30, "٤٦", "SE"])
async def test_a_country_that_is_not_known(buyer: Buyer, country: str) -> None:
    for method, fields in (
        ("getNum", {"service": "whatsapp"}),
        ("getPrice", {"service": "whatsapp"}),
        ("getTariffs", {}),
        ("getNumbersStats", {}),
        ("getFreeList", {}),
        ("getFreePhoneList", {}),
        ("rent/getRentNum", {"days": 1}),
        ("rent/tariffsRent", {}),
    ):
        assert await said(buyer, method, country=country, **fields) == "UNDEFINED_COUNTRY", method


async def test_a_rental_needs_a_country(buyer: Buyer) -> None:
    assert await said(buyer, "rent/getRentNum", days=1) == "UNDEFINED_COUNTRY"


async def test_nothing_is_sold_there(buyer: Buyer) -> None:
    assert await said(buyer, "getNum", service="whatsapp", country=46) == "NO_NUMBER"
    assert await said(buyer, "rent/getRentNum", days=1, country=46) == "NO_COUNTRY"


async def test_nothing_is_left(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"}, 1, tariffs={1: "1"})
    await buyer.order()
    assert await said(buyer, "getNum", service="whatsapp", country=46) == "NO_NUMBER"
    assert await said(buyer, "rent/getRentNum", days=1, country=46) == "NO_NUMBER"


async def test_not_enough_money(world: World, buyer: Buyer) -> None:
    await add_shelf(world, {"whatsapp": "1"}, tariffs={1: "0.5", 7: "1"})
    poor = await Buyer.join(world, buyer.client, "0.99")
    assert await said(poor, "getNum", service="whatsapp", country=46) == "WARNING_LOW_BALANCE"
    assert await said(poor, "rent/getRentNum", days=7, country=46) == "WARNING_LOW_BALANCE"
    item = await poor.rent(1)
    await receive(world, f"+46{item['number']}", "hello")
    asked = await said(poor, "rent/extendRentState", tzid=item["tzid"], days=7)
    assert asked == "WARNING_LOW_BALANCE"


async def test_a_wallet_without_a_rate(world: World, buyer: Buyer) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    foreign = await Buyer.join(world, buyer.client, "100", "NGN")
    assert await said(foreign, "getNum", service="whatsapp", country=46) == "TRY_AGAIN_LATER"
    assert await said(foreign, "getNumbersStats") == "TRY_AGAIN_LATER"


async def test_a_service_that_needs_proof(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"paypal": "1"})
    word = await said(buyer, "getNum", service="paypal", country=46)
    assert word == "ACCOUNT_IDENTIFICATION_REQUIRED"
    await world.permit(buyer.account_id, "paypal")
    assert await buyer.order("paypal")


@pytest.mark.parametrize("days", [None, 0, 2, -1, 366, 10**9])
async def test_a_period_that_is_not_on_offer(buyer: Buyer, world: World, days: int | None) -> None:
    await add_shelf(world, {}, tariffs={1: "1"})
    fields = {} if days is None else {"days": days}
    assert await said(buyer, "rent/getRentNum", country=46, **fields) == "UNDEFINED_DAYS"
    item = await buyer.rent(1)
    # Nor can a rental be extended before its first SMS.
    assert await said(buyer, "rent/extendRentState", tzid=item["tzid"], days=1) == "UNDEFINED_DAYS"
    await receive(world, f"+46{item['number']}", "hello")
    assert await said(buyer, "rent/extendRentState", tzid=item["tzid"], **fields) == "UNDEFINED_DAYS"


# Acting

ACTS = (
    "setOperationRevise",
    "setOperationOk",
    "rent/extendRentState",
    "rent/closeRentNum",
    "rent/portReload",
    "rent/portUnFreeze",
)


@pytest.mark.parametrize("method", ACTS)
async def test_an_operation_that_is_missing_or_not_ones_own(buyer: Buyer, world: World, method: str) -> None:
    await add_shelf(world, {"whatsapp": "1"}, tariffs={1: "1"})
    stranger = await Buyer.join(world, buyer.client)
    theirs = [await stranger.order(), (await stranger.rent())["tzid"]]
    fields = {"days": 1} if method == "rent/extendRentState" else {}
    assert await said(buyer, method, **fields) == "ERROR_NO_TZID"
    assert await said(buyer, method, tzid="", **fields) == "ERROR_NO_TZID"
    for tzid in (*theirs, 0, -1, 1, "abc", "1.5", 2**31, 2**63 - 1, 2**63, 10**30, "٣"):
        assert await said(buyer, method, tzid=tzid, **fields) == "ERROR_WRONG_TZID"


async def test_looking_at_what_is_not_ones_own(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"}, tariffs={1: "1"})
    stranger = await Buyer.join(world, buyer.client)
    theirs = [await stranger.order(), (await stranger.rent())["tzid"]]
    for tzid in (*theirs, 0, -1, 1, "abc", "1.5", 2**63 - 1, 2**63, 10**30):
        assert await said(buyer, "getState", tzid=tzid) == "ERROR_NO_OPERATIONS"
        assert await said(buyer, "rent/getRentState", tzid=tzid) == "NO_NUMBER"
    assert await said(buyer, "getState") == "ERROR_NO_OPERATIONS"
    assert await said(buyer, "getState", type="repeat") == "ERROR_NO_OPERATIONS"


async def test_a_rental_is_no_operation_and_the_other_way_round(buyer: Buyer, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"}, tariffs={1: "1"})
    tzid, rental = await buyer.order(), (await buyer.rent())["tzid"]
    assert await said(buyer, "getState", tzid=rental) == "ERROR_NO_OPERATIONS"
    assert await said(buyer, "rent/getRentState", tzid=tzid) == "NO_NUMBER"
    assert await said(buyer, "setOperationOk", tzid=rental) == "ERROR_WRONG_TZID"
    assert await said(buyer, "rent/closeRentNum", tzid=tzid) == "ERROR_WRONG_TZID"


async def test_a_rental_that_ended(buyer: Buyer, world: World, clock: ManualClock) -> None:
    await add_shelf(world, {}, 1, tariffs={1: "1"})
    item = await buyer.rent()
    clock.turn(1200)
    await world.end_due_rentals()
    for method in ("rent/closeRentNum", "rent/portReload"):
        assert await said(buyer, method, tzid=item["tzid"]) == "ERROR_WRONG_TZID"
    assert await said(buyer, "rent/extendRentState", tzid=item["tzid"], days=1) == "ERROR_WRONG_TZID"
    assert await said(buyer, "rent/getRentState", tzid=item["tzid"]) == "NO_NUMBER"
    assert await buyer.balance() == 100


# The platform


@pytest.mark.parametrize(
    ("lane", "method", "fields"),
    [
        ("admit", "getBalance", {}),
        ("order", "getNum", {"service": "whatsapp", "country": 46}),
        ("look", "getState", {}),
    ],
)
@pytest.mark.parametrize("reason", [Refused.BUSY, Refused.UPSTREAM_FAILED, None])
async def test_a_platform_that_is_busy_or_broken(
    buyer: Buyer, lanes: Lanes, lane: str, method: str, fields: dict[str, Any], reason: Refused | None
) -> None:
    async def failing(tx: Any, commands: Sequence[Any]) -> list[Any]:
        if reason is None:
            raise ZeroDivisionError("secret")
        return [Refusal(reason) for _ in commands]

    failing_lane: Lane[Any, Any] = getattr(lanes, lane)
    failing_lane.verb = failing
    assert await said(buyer, method, **fields) == "TRY_AGAIN_LATER"


def test_every_word_is_in_the_vendors_catalogue() -> None:
    for reason in REFUSALS.rows:
        for noun in ("", *(action.noun for action in ACTIONS.values())):
            response = REFUSALS.render(Refusal(reason), noun)
            assert response.status == 200
            assert json.loads(response.body)["response"] in ERRORS
