"""One story, told in every buyer's dialect with its own words, leaves the same rows and the same ledger behind.

A buyer with 100 USD orders three American numbers for WhatsApp at 1.50. The first brings a code and then another message,
the second is canceled, the third runs out of time; at the end the first one's time is over too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar, Protocol

import httpx
import pytest

from simyard.base.clock import ManualClock
from simyard.base.ids import AccountId
from simyard.core.accounts.rules import hash_password
from simyard.core.lanes import Lanes
from simyard.core.logins.model import LogIn
from simyard.db.database import Database
from simyard.edge.dialects.daisysim import v1 as virtual
from simyard.edge.dialects.daisysim import v2 as server7
from simyard.edge.dialects.onlinesim import dialect as onlinesim
from simyard.edge.dialects.quicksim import dialect as quicksim
from simyard.edge.http import DialectApp
from simyard.edge.wire import Dialect
from simyard.settings import Settings
from simyard.workers.logins import Passwords
from tests.edge.quicksim.user import PASSWORD
from tests.edge.steps import steps_of
from tests.world import World, micros, reported, world

__all__ = ["world"]

NUMBERS = [f"+1941555{index:04d}" for index in range(4)]
PRICE, COST, MARGIN = micros("1.5"), micros("1.05"), micros("0.45")
FIRST_TEXT = "Your WhatsApp code: 847-291"
SECOND_TEXT = "Your WhatsApp code: 112-358"


class Teller(Protocol):
    """A buyer who speaks one dialect. Leases are named as the core names them."""

    dialect: ClassVar[Dialect]

    def __init__(self, client: httpx.AsyncClient, key: str) -> None: ...
    async def balance(self) -> float: ...
    async def order(self) -> tuple[int, str]: ...
    async def code(self, lease: int) -> str | None: ...
    async def cancel(self, lease: int) -> None: ...


class Server7:
    dialect: ClassVar[Dialect] = server7.DIALECT

    def __init__(self, client: httpx.AsyncClient, key: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}

    async def _call(self, method: str, path: str, body: object = None) -> Any:
        answer = await self._client.request(
            method, f"/api/v1/server7{path}", json=body, headers=self._headers
        )
        assert answer.json()["success"] is True, answer.text
        return answer.json()["data"]

    async def balance(self) -> float:
        return float((await self._call("GET", "/balance"))["balance"])

    async def order(self) -> tuple[int, str]:
        bought = await self._call("POST", "/purchase", {"country": "USA", "app": "WhatsApp"})
        return int(bought["activation_id"]), bought["phone_number"]

    async def code(self, lease: int) -> str | None:
        checked = await self._call("GET", f"/check/{lease}")
        return str(checked["code"]) if checked["status"] == "Completed" else None

    async def cancel(self, lease: int) -> None:
        await self._call("POST", f"/cancel/{lease}")

    async def history(self) -> set[int]:
        """Every lease this dialect lists."""
        return {int(one["activation_id"]) for one in (await self._call("GET", "/history"))["orders"]}


class Virtual:
    dialect: ClassVar[Dialect] = virtual.DIALECT

    def __init__(self, client: httpx.AsyncClient, key: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}

    async def _call(self, method: str, path: str, body: object = None) -> Any:
        answer = await self._client.request(
            method, f"/api/v1/virtual{path}", json=body, headers=self._headers
        )
        assert answer.json()["success"] is True, answer.text
        return answer.json()["data"]

    async def balance(self) -> float:
        return float((await self._call("GET", "/balance"))["balance"])

    async def order(self) -> tuple[int, str]:
        wanted = {"country": 187, "service": "wa"}
        (tier,) = (await self._call("POST", "/prices", wanted))["tiers"]
        bought = await self._call("POST", "/purchase", {**wanted, "price": tier["price"]})
        return int(bought["activation_id"]), bought["phone_number"]

    async def code(self, lease: int) -> str | None:
        checked = await self._call("GET", f"/check/{lease}")
        return str(checked["code"]) if checked["status"] == "Completed" else None

    async def cancel(self, lease: int) -> None:
        await self._call("POST", f"/cancel/{lease}")

    async def history(self) -> set[int]:
        """Every lease this dialect lists."""
        return {int(one["activation_id"]) for one in (await self._call("GET", "/history"))["orders"]}


class Onlinesim:
    dialect: ClassVar[Dialect] = onlinesim.DIALECT

    def __init__(self, client: httpx.AsyncClient, key: str) -> None:
        self._client = client
        self._key = key

    async def _call(self, method: str, **fields: str | int) -> Any:
        answer = await self._client.get(f"/api/{method}.php", params={"apikey": self._key, **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def balance(self) -> float:
        return float((await self._call("getBalance"))["balance"])

    async def order(self) -> tuple[int, str]:
        ordered = await self._call("getNum", service="whatsapp", country=1, number="true")
        assert ordered["response"] == 1
        return ordered["tzid"], ordered["number"]

    async def code(self, lease: int) -> str | None:
        (operation,) = await self._call("getState", tzid=lease, message_to_code=1)
        return str(operation["msg"]) if "msg" in operation else None

    async def cancel(self, lease: int) -> None:
        assert await self._call("setOperationOk", tzid=lease) == {"response": 1, "tzid": lease}

    async def history(self) -> set[int]:
        """Every operation that is open."""
        return {one["tzid"] for one in await self._call("getState")}


class QuickSim:
    dialect: ClassVar[Dialect] = quicksim.DIALECT

    def __init__(self, client: httpx.AsyncClient, key: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}

    async def _call(self, method: str, path: str, body: object = None) -> Any:
        answer = await self._client.request(method, f"/api{path}", json=body, headers=self._headers)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def balance(self) -> float:
        return float((await self._call("GET", "/wallet/virtual-accounts"))["balance"])

    async def order(self) -> tuple[int, str]:
        wanted = {"country": "usa", "product": "whatsapp"}
        bought = await self._call("POST", "/fivesim/activation", wanted)
        return bought["id"], bought["phone"]

    async def code(self, lease: int) -> str | None:
        checked = await self._call("GET", f"/fivesim/check?activation_id={lease}")
        return str(checked["sms"][0]["code"]) if checked["sms"] else None

    async def cancel(self, lease: int) -> None:
        await self._call("POST", "/fivesim/cancel", {"activation_id": lease})


TELLERS: list[type[Teller]] = [Server7, Virtual, Onlinesim, QuickSim]


@pytest.fixture
async def lanes(database: Database) -> AsyncIterator[Lanes]:
    lanes = Lanes(database, database, slots=2, batch_max=64, queue_max=4096)
    yield lanes
    await lanes.close()


@asynccontextmanager
async def speaking(
    speaks: type[Teller], world: World, clock: ManualClock, lanes: Lanes, buyer: AccountId
) -> AsyncIterator[Teller]:
    passwords = Passwords()
    steps = steps_of(world.database, clock, Settings(), passwords)
    app = DialectApp(
        speaks.dialect, lanes=lanes, database=world.database, clock=clock, settings=Settings(), steps=steps
    )
    key = await world.issue_key(buyer)
    if speaks.dialect.takes_access_tokens:
        await world.value(
            "UPDATE account SET password_hash = $2 WHERE id = $1", buyer, hash_password(PASSWORD)
        )
        email = await world.value("SELECT email FROM account WHERE id = $1", buyer)
        key = (await steps.logins.log_in(LogIn(email, PASSWORD, "", clock.now()))).access
    transport = httpx.ASGITransport(app=app, client=("203.0.113.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://simyard.test") as client:
        yield speaks(client, key)
    passwords.close()


@pytest.fixture(params=TELLERS, ids=lambda teller: teller.__name__.lower())
async def teller(
    request: pytest.FixtureRequest, world: World, clock: ManualClock, lanes: Lanes, buyer: AccountId
) -> AsyncIterator[Teller]:
    async with speaking(request.param, world, clock, lanes, buyer) as teller:
        yield teller


@pytest.fixture
async def supplier(world: World) -> AccountId:
    return await world.add_supplier()


@pytest.fixture
async def buyer(world: World) -> AccountId:
    return await world.add_buyer("100")


async def test_a_story_leaves_the_same_rows_in_every_dialect(
    teller: Teller, world: World, clock: ManualClock, supplier: AccountId, buyer: AccountId
) -> None:
    await _stock(world, supplier)

    assert await teller.balance() == 100
    received, number = await teller.order()
    assert await teller.balance() == 98.5
    assert await teller.code(received) is None
    clock.turn(30)
    await world.receive(supplier, number, FIRST_TEXT, sender="WhatsApp")
    assert await teller.code(received) == "847291"
    clock.turn(1)
    await world.receive(supplier, number, SECOND_TEXT, sender="WhatsApp")

    canceled, _ = await teller.order()
    clock.turn(200)
    await teller.cancel(canceled)
    expired, _ = await teller.order()
    clock.turn(1201)
    await world.expire()
    assert await teller.code(expired) is None
    assert await teller.code(received) == "847291"
    assert await teller.balance() == 98.5

    assert await world.rows(
        "SELECT id, state, price, margin, earning, code, messages, account_id, supplier_id, msisdn,"
        " extract(epoch FROM expires_at - ordered_at)::int, extract(epoch FROM closed_at - ordered_at)::int"
        " FROM activation ORDER BY id"
    ) == [
        (received, "finished", PRICE, MARGIN, COST, "847291", 2, buyer, supplier, number, 1200, 1432),
        (canceled, "canceled", PRICE, MARGIN, COST, None, 0, buyer, supplier, NUMBERS[1], 1200, 200),
        (expired, "expired", PRICE, MARGIN, COST, None, 0, buyer, supplier, NUMBERS[2], 1200, 1201),
    ]
    assert await world.rows(
        "SELECT activation_id, sender, body, code, dismissed FROM message ORDER BY id"
    ) == [
        (received, "WhatsApp", FIRST_TEXT, "847291", False),
        (received, "WhatsApp", SECOND_TEXT, "112358", False),
    ]
    assert await world.rows(
        "SELECT reference, transfer.kind, debit.kind, debit.account_id, credit.kind, credit.account_id, amount"
        " FROM transfer JOIN ledger_account AS debit ON debit.id = debit_id"
        " JOIN ledger_account AS credit ON credit.id = credit_id"
        " WHERE transfer.kind <> 'deposit' ORDER BY transfer.id"
    ) == [
        _hold(received, buyer),
        (f"activation/{received}/margin", "margin", "held", buyer, "revenue", None, MARGIN),
        (f"activation/{received}/earning", "earning", "held", buyer, "available", supplier, COST),
        _hold(canceled, buyer),
        _release(canceled, buyer),
        _hold(expired, buyer),
        _release(expired, buyer),
    ]
    await world.assert_whole()


async def test_what_is_ordered_in_one_dialect_is_seen_in_every_other(
    world: World, clock: ManualClock, lanes: Lanes, supplier: AccountId, buyer: AccountId
) -> None:
    await _stock(world, supplier)
    async with AsyncExitStack() as stack:
        tellers = [
            await stack.enter_async_context(speaking(speaks, world, clock, lanes, buyer))
            for speaks in TELLERS
        ]
        ordered = [await teller.order() for teller in tellers]
        for lease, _ in ordered:
            assert [await teller.code(lease) for teller in tellers] == [None] * len(tellers)
        for _, number in ordered:
            await world.receive(supplier, number, FIRST_TEXT, sender="WhatsApp")
        for lease, _ in ordered:
            assert [await teller.code(lease) for teller in tellers] == ["847291"] * len(tellers)
        assert {await teller.balance() for teller in tellers} == {100 - 1.5 * len(tellers)}
        leases = {lease for lease, _ in ordered}
        for teller in tellers:
            if isinstance(teller, Server7 | Virtual | Onlinesim):
                assert await teller.history() == leases


async def _stock(world: World, supplier: AccountId) -> None:
    pool = await world.add_direct_pool(supplier)
    await world.report(supplier, [reported(one, "US") for one in NUMBERS], online_seconds=86_400)
    await world.set_price("whatsapp", "1.5", country="US", pool=pool)
    await world.take_stock()


def _hold(lease: int, buyer: AccountId) -> tuple[object, ...]:
    return (f"activation/{lease}/hold", "hold", "available", buyer, "held", buyer, PRICE)


def _release(lease: int, buyer: AccountId) -> tuple[object, ...]:
    return (f"activation/{lease}/release", "release", "held", buyer, "available", buyer, PRICE)
