"""The whole life of orders with a partner's real server: stock, number, pushed SMS, end; through each of its oddities."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from simyard.base import money
from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations.model import Order
from simyard.core.lanes import Lanes
from simyard.core.pools.model import Pool, PoolKind
from simyard.core.remote import service as remote
from simyard.core.remote.model import SetProfile
from simyard.core.rentals.machine import State
from simyard.core.rentals.model import Rental
from simyard.db.database import Database
from simyard.edge.dialects.onlinesim_reseller import agent, v1
from simyard.edge.http import DialectApp
from simyard.settings import Settings
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.remote.acquire import RemoteAcquirer, Sources
from simyard.workers.remote.loops import RemoteLeases, StockRounds
from tests.partners.simulator import KEY, PartnerServer
from tests.world import World, world

__all__ = ["world"]

KEY_IN = "what they push with"
TEXT = "Telegram code 48213"
# What a partner is spoken to with where it does not speak Onlinesim's protocol: services by codes.
INDUSTRY_SERVICES = ("tg", "wa")


@dataclass
class Life:
    """A world with one partner, whose server is real, and everything that asks it."""

    world: World
    server: PartnerServer
    lanes: Lanes
    leases: RemoteLeases
    stock: StockRounds
    pool: Pool
    supplier: AccountId
    apps: dict[str, DialectApp]
    acquirer: RemoteAcquirer

    async def rent(self, buyer: AccountId, days: int = 1) -> Rental:
        return await self.acquirer.rent(self.world.rental_command(buyer, days, "SE"))

    async def order(self, buyer: AccountId, **wishes: Any) -> Order:
        return await self.lanes.order(self.world.order_command(buyer, "telegram", "SE", **wishes))

    async def push(self, number: str, *, path: str = "/v1/PUSH_SMS", text: str = TEXT) -> tuple[int, str]:
        """The partner pushes an SMS; a partner that pushes twice does so at once. The last answer."""
        body, headers = self.server.push("", number, text, key=KEY_IN)
        app = self.apps["agent" if path.startswith("/agent") else "v1"]
        transport = httpx.ASGITransport(app=app, client=("203.0.113.5", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://simyard.test") as client:
            times = 2 if self.server.quirks.double_push else 1
            calls = [client.post(path, content=body, headers=headers) for _ in range(times)]
            *_, response = await asyncio.gather(*calls)
        return response.status_code, response.json()["status"]

    async def problems(self) -> list[tuple[Any, ...]]:
        return await self.world.rows(
            "SELECT state, ending, problem FROM remote_lease WHERE problem IS NOT NULL"
        )


@pytest.fixture
async def server() -> AsyncIterator[PartnerServer]:
    async with PartnerServer() as server:
        yield server


async def live(
    world: World, database: Database, server: PartnerServer, protocol: str = "onlinesim-v1", **switches: str
) -> Life:
    """The partner is set up and has told what it has."""
    supplier = await world.add_supplier()
    pool = await world._add_pool(
        "partner", PoolKind.PARTNER, supplier, 7000, None, True, "The owners agreed."
    )
    profile = SetProfile(pool.id, protocol, server.url(), KEY, switches, KEY_IN)
    async with world.database.transaction() as tx:
        await remote.set_profile(tx, profile, actor="test", now=world.clock.now())
    await world.set_price("telegram", "1", country="SE")
    client = OutgoingClient(networks_allowed=[ip_network("127.0.0.0/8")])
    sources = Sources(database, client, "USD")
    lanes = Lanes(database, database, slots=2, batch_max=64, queue_max=4096)
    acquirer = RemoteAcquirer(database, world.clock, sources, budget_seconds=20, stop_seconds_max=0.1)
    lanes.order.acquirer = acquirer
    apps = {
        name: DialectApp(dialect, lanes=lanes, database=database, clock=world.clock, settings=Settings())
        for name, dialect in (("v1", v1.DIALECT), ("agent", agent.DIALECT))
    }
    stock = StockRounds(database, world.clock, sources)
    await stock.settle()
    leases = RemoteLeases(database, world.clock, sources)
    return Life(world, server, lanes, leases, stock, pool, supplier, apps, acquirer)


async def lived(life: Life, path: str = "/v1/PUSH_SMS") -> None:
    """One order ends with a code, another is canceled; the partner knows both, and the money is where it belongs."""
    world, server = life.world, life.server
    buyer = await world.add_buyer("10")
    first, second = await life.order(buyer), await life.order(buyer)
    assert {first.msisdn[1:], second.msisdn[1:]} == server.reserved
    assert (await life.push(first.msisdn, path=path))[1] == "SUCCESS"
    assert (await world.check(buyer, first.activation_id)).code == "48213"
    assert (await world.check(buyer, second.activation_id)).code is None
    await world.finish(buyer, first.activation_id)
    await world.cancel(buyer, second.activation_id)
    await life.leases.settle()
    for _ in range(6):
        world.clock.turn(400)
        await life.leases.settle()
    assert not server.reserved
    assert [server.operation_of(one.msisdn).statuses[-1] for one in (first, second)] == [3, 4]
    assert (await world.balance(buyer)).available == money.parse_amount("9")
    assert (await world.balance(life.supplier)).available == money.parse_amount("0.7")
    assert (await world.verify()).balanced
    assert await life.problems() == []
    await life.lanes.close()


@pytest.mark.parametrize("path", v1.PATHS)
async def test_an_order_lives_with_an_onlinesim_partner(
    world: World, database: Database, server: PartnerServer, path: str
) -> None:
    await lived(await live(world, database, server), path)
    assert [body["sum"] for body in server.asked("GET_NUMBER")] == [0.7, 0.7]
    assert sorted(body["sum"] for body in server.asked("FINISH_ACTIVATION")) == [0, 0.7]


@pytest.mark.parametrize("protocol", ["industry", "hero"])
async def test_an_order_lives_with_a_partner_of_the_industry(
    world: World, database: Database, server: PartnerServer, protocol: str
) -> None:
    server.services = INDUSTRY_SERVICES
    server.quirks.own_sms_id, server.quirks.count_map = True, protocol == "hero"
    await lived(await live(world, database, server, protocol), "/agent/api/sms")


@pytest.mark.parametrize(
    ("quirks", "switches"),
    [
        ({"string_number": True, "string_id": True, "quoted_ids": True}, {}),
        ({"plus_number": True, "plus_phone": True, "created": True}, {}),
        ({"id_field": "activation_id", "sms_id_field": "smsID", "string_counts": True}, {}),
        ({"uuid_id": True, "id_sent_as": "id", "no_phone": True}, {"id_fields": "activationId,id"}),
        ({"millisecond_id": True, "gzips": True, "form_push": True}, {}),
        ({"no_any": True, "deflates": True, "gzip_push": True}, {}),
        ({"no_gzip": True, "only_plain_json": True}, {"accept_gzip": "no", "content_type": "json"}),
        ({"strings_only": True, "needs_currency": True}, {"prefixes": "strings", "send_currency": "yes"}),
        ({"double_push": True, "service_as_sender": True, "empty_service": True}, {}),
        ({"finish_fails": 2, "lower_status": True, "country_field": "#countryname#"}, {}),
        ({"country_field": "", "nulls": True, "advertises": 50}, {}),
    ],
)
async def test_an_order_lives_through_each_oddity(
    world: World,
    database: Database,
    server: PartnerServer,
    quirks: dict[str, Any],
    switches: dict[str, str],
) -> None:
    for quirk, value in quirks.items():
        setattr(server.quirks, quirk, value)
    await lived(await live(world, database, server, **switches))


@pytest.mark.parametrize(
    ("protocol", "path", "switches", "statuses"),
    [
        ("onlinesim-v1", "/pushSmsRent", {"rent_days_field": "days"}, (3, 4)),
        ("onlinesim-v1", "/v1/PUSH_SMS", {"separate": "yes"}, (3, 4)),
        ("hero", "/agent/api/sms", {}, (14, 15)),
    ],
)
async def test_a_rental_lives_with_a_partner(
    world: World,
    database: Database,
    server: PartnerServer,
    protocol: str,
    path: str,
    switches: dict[str, str],
    statuses: tuple[int, int],
) -> None:
    """One is extended and ends, another is closed before its first SMS; the partner knows both, and what it earned."""
    server.services = ("rent", "telegram")
    server.quirks.count_map = server.quirks.own_sms_id = protocol == "hero"
    if switches.pop("separate", None):
        switches = {f"rent_{one}_url": server.url(f"/{one}Rent") for one in ("services", "number", "finish")}
    life = await live(world, database, server, protocol, **switches)
    await world.set_tariff(1, "1", country="SE", pool=life.pool)
    buyer = await world.add_buyer("10")
    first, second = await life.rent(buyer), await life.rent(buyer)
    assert {first.msisdn[1:], second.msisdn[1:]} == server.reserved
    asked = server.asked("GET_NUMBER")
    assert {(body["service"], body["sum"], body.get("days")) for body in asked} == {
        ("rent", 0.7, 1 if "rent_days_field" in switches else None)
    }
    for text in (TEXT, "Google: G-553120"):
        assert await life.push(first.msisdn, path=path, text=text) == (200, "SUCCESS")
    assert (await world.rental(buyer, first.id)).messages == 2
    await world.extend_rental(buyer, first.id)
    await world.close_rental(buyer, second.id)
    world.clock.turn(2 * 86_400)
    assert await world.end_due_rentals() == 1
    assert (await world.rental(buyer, first.id)).state is State.ENDED
    await life.leases.settle()
    assert not server.reserved
    paths = {heard.path for heard in server.requests if heard.action != "GET_SERVICES"}
    assert paths == ({"/numberRent", "/finishRent"} if "rent_number_url" in switches else {"/hub"})
    ended = server.asked("FINISH_ACTIVATION")
    assert sorted((body["status"], body["service"], body["sum"]) for body in ended) == [
        (statuses[0], "rent", 1.4),
        (statuses[1], "rent", 0),
    ]
    assert (await world.balance(buyer)).available == money.parse_amount("8")
    assert (await world.balance(life.supplier)).available == money.parse_amount("1.4")
    await world.assert_whole()
    assert await life.problems() == []
    await life.lanes.close()


@pytest.mark.parametrize(
    "quirks",
    [
        {"gives_excluded": True},
        {"wrong_number": "491701234567"},
        {"wrong_number": "hello", "string_number": True},
        {"gives_again": True},
    ],
)
async def test_a_number_that_cannot_be_had_is_given_back(
    world: World, database: Database, server: PartnerServer, quirks: dict[str, Any]
) -> None:
    life = await live(world, database, server)
    buyer = await world.add_buyer("10")
    held = await life.order(buyer)
    for quirk, value in quirks.items():
        setattr(server.quirks, quirk, value)
    excluded = ("+46701740606",) if "gives_excluded" in quirks else ()
    with pytest.raises(Refusal):
        await life.order(buyer, excluded=excluded)
    await life.leases.settle()
    assert server.reserved == {held.msisdn[1:]}
    assert (await world.balance(buyer)).held == money.parse_amount("1")
    assert len(server.operations) == 2
    await life.lanes.close()


@pytest.mark.parametrize("quirk", ["html", "cut_off", "moved", "no_id"])
async def test_a_partner_that_answers_nonsense_costs_nobody_anything(
    world: World, database: Database, server: PartnerServer, quirk: str
) -> None:
    life = await live(world, database, server)
    setattr(server.quirks, quirk, True)
    buyer = await world.add_buyer("10")
    with pytest.raises(Refusal) as refused:
        await life.order(buyer)
    assert refused.value.reason is Refused.UPSTREAM_FAILED
    balance = await world.balance(buyer)
    assert (balance.available, balance.held) == (money.parse_amount("10"), 0)
    await life.lanes.close()


async def test_an_sms_that_overtakes_its_number_is_pushed_again(
    world: World, database: Database, server: PartnerServer
) -> None:
    life = await live(world, database, server)
    buyer = await world.add_buyer("10")
    server.quirks.slow = {"GET_NUMBER": (answered := asyncio.Event())}
    ordering = asyncio.ensure_future(life.order(buyer))
    await server.lent.wait()
    (number,) = server.reserved
    assert await life.push(number) == (503, "ERROR")
    answered.set()
    order = await ordering
    assert await life.push(number) == (200, "SUCCESS")
    assert (await world.check(buyer, order.activation_id)).code == "48213"
    await life.lanes.close()


async def test_a_profile_may_want_more_rounds(
    world: World, database: Database, server: PartnerServer
) -> None:
    life = await live(world, database, server, poll_seconds="20")
    for seconds, rounds in [(19, 1), (1, 2), (10, 2), (10, 3)]:
        world.clock.turn(seconds)
        await life.stock.settle()
        assert len(server.asked("GET_SERVICES")) == rounds
    await life.lanes.close()
