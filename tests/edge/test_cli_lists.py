"""How operators look up what they have set up: pools, accounts, prices."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simyard.base.clock import ManualClock
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Role
from simyard.db.database import Database
from tests.edge.test_cli import Shell
from tests.world import World, code_text, micros, reported

UPSTREAM = ("--kind", "upstream", "--protocol", "handler", "--url", "https://vendor.example.com/")


@pytest.fixture
def shell(database_url: str) -> Shell:
    return Shell(database_url)


@pytest.fixture
async def world(database: Database, clock: ManualClock) -> World:
    return await World.create(database, clock)


async def test_pools_are_listed_with_what_they_hold(shell: Shell, world: World) -> None:
    owner = await world.add_supplier(email="owner@example.com")
    bank = await world.add_direct_pool(owner, "bank", rent_allowed=True)
    spare = await world.add_direct_pool(owner, "spare", reserved_for="whatsapp", consent=None)
    play = await world.add_sandbox_pool([reported("+447700900000")], "play")
    one, two, three = world.msisdns(3)
    numbers = [reported(one), reported(two, rent=True), reported(three, "SE")]
    await world.report(owner, numbers, pool=bank, online_seconds=10**9)
    await world.take_stock()
    assert shell.run("pool", "disable", str(spare.id)).returncode == 0
    listed = {one["name"]: one for one in shell.json("pool", "list")}
    assert list(listed) == ["bank", "spare", "play"]
    assert listed["bank"] == {
        "id": str(bank.id),
        "name": "bank",
        "kind": "direct",
        "supplier": "owner@example.com",
        "share_percent": 70,
        "enabled": True,
        "consent": True,
        "rent_allowed": True,
        "reserved_for": None,
        "online": True,
        "online_until": "2057-11-07T13:46:40Z",
        "available": 3,
        "rentable": 1,
        "protocol": None,
        "stock_problem": None,
        "failures_in_a_row": None,
        "last_failure": None,
        "last_failure_at": None,
    }
    unsold = listed["spare"]
    assert (unsold["enabled"], unsold["consent"], unsold["reserved_for"]) == (False, False, "whatsapp")
    assert (unsold["online"], unsold["online_until"], unsold["available"]) == (False, None, 0)
    fiction = listed["play"]
    assert (fiction["supplier"], fiction["online"], fiction["online_until"]) == (None, True, None)
    rows = [line.split("\t") for line in shell.run("pool", "list").stdout.splitlines()]
    assert [row[:5] for row in rows] == [
        [str(bank.id), "bank", "direct", "owner@example.com", "70 %"],
        [str(spare.id), "spare", "direct", "owner@example.com", "70 %"],
        [str(play.id), "play", "sandbox", "", "0 %"],
    ]
    assert [row[5:9] for row in rows] == [
        ["on sale", "consent", "rent", "any service"],
        ["off sale", "no consent", "no rent", "whatsapp only"],
        ["on sale", "consent", "no rent", "any service"],
    ]
    assert [row[9:] for row in rows] == [
        ["online until 2057-11-07 13:46 UTC", "3 available, 1 to rent", "", ""],
        ["never online", "0 available, 0 to rent", "", ""],
        ["online", "1 available, 0 to rent", "", ""],
    ]


async def test_a_pool_whose_numbers_lie_elsewhere_shows_how_it_fares_but_not_its_key(
    shell: Shell, world: World
) -> None:
    pool = shell.json("pool", "add", "vendor", *UPSTREAM, "--key", "hush", "--share", "100")["id"]
    line = f"{pool}\tvendor\tupstream\t\t100 %\ton sale\tconsent\tno rent\tany service\tnever online\t\thandler\t"
    assert shell.run("pool", "list").stdout == f"{line}\n"
    await world.rows(
        "UPDATE remote_profile SET failures = 2, failed_at = now(), failure = E'no answer\\n' || repeat('x', 100)"
        " RETURNING pool_id"
    )
    (listed,) = shell.json("pool", "list")
    assert (listed["protocol"], listed["available"], listed["rentable"]) == ("handler", None, None)
    assert (listed["failures_in_a_row"], listed["stock_problem"]) == (2, None)
    assert listed["last_failure"] == "no answer\n" + "x" * 100
    (shown,) = shell.run("pool", "list").stdout.splitlines()
    assert shown == f"{line}2 failed in a row: no answer {'x' * 49}…"
    await world.rows("UPDATE remote_profile SET stock_problem = 'BAD_KEY' RETURNING pool_id")
    shown = shell.run("pool", "list").stdout
    assert shown == f"{line}stock: BAD_KEY\n"
    assert "hush" not in shown + str(listed)


async def test_pools_are_listed_by_kind_and_supplier_and_so_many_at_most(shell: Shell, world: World) -> None:
    assert shell.run("pool", "list").stdout == "No pools.\n"
    one = await world.add_supplier(email="one@example.com")
    two = await world.add_supplier(email="two@example.com")
    for supplier, name in ((one, "a"), (two, "b"), (two, "c")):
        await world.add_direct_pool(supplier, name)
    await world.add_sandbox_pool([], "play")
    for arguments, names in (
        (("--kind", "sandbox"), ["play"]),
        (("--supplier", "Two@example.com"), ["b", "c"]),
        (("--supplier", "two@example.com", "--kind", "sandbox"), []),
        (("--limit", "3"), ["a", "b", "c"]),
    ):
        assert [one["name"] for one in shell.json("pool", "list", *arguments)] == names


async def test_accounts_are_listed_newest_first_with_what_they_hold(
    shell: Shell, world: World, clock: ManualClock
) -> None:
    first = await world.add_buyer("12.5", email="first@example.com")
    owner = await world.add_supplier("EUR", email="owner@example.com")
    clock.turn(3600)
    bare = await world.add_account(Role.OPERATOR, currency=None, email="bare@example.com")
    world.earning_hold = timedelta(hours=1)
    pool = await world.add_direct_pool(owner)
    await world.report(owner, world.msisdns(2), pool=pool)
    await world.set_price("whatsapp", "2", pool=pool)
    await world.set_rate("EUR", "0.5")
    sold, _ = await world.order(first), await world.order(first)
    await world.receive(owner, sold.msisdn, code_text("whatsapp", "123456"))
    assert shell.json("account", "list") == [
        {
            "id": bare,
            "email": "bare@example.com",
            "role": "operator",
            "state": "active",
            "currency": None,
            "available": None,
            "held": None,
            "pending": None,
            "debt": None,
            "created_at": "2026-03-01T13:00:00Z",
        },
        {
            "id": owner,
            "email": "owner@example.com",
            "role": "supplier",
            "state": "active",
            "currency": "EUR",
            "available": "0",
            "held": "0",
            "pending": "0.7",
            "debt": "0",
            "created_at": "2026-03-01T12:00:00Z",
        },
        {
            "id": first,
            "email": "first@example.com",
            "role": "buyer",
            "state": "active",
            "currency": "USD",
            "available": "8.5",
            "held": "2",
            "pending": "0",
            "debt": "0",
            "created_at": "2026-03-01T12:00:00Z",
        },
    ]
    assert shell.run("account", "list").stdout.splitlines() == [
        f"{bare}\tbare@example.com\toperator\tactive\tno wallet\t2026-03-01 13:00",
        f"{owner}\towner@example.com\tsupplier\tactive\t0 EUR available, 0 held, 0.7 pending\t2026-03-01 12:00",
        f"{first}\tfirst@example.com\tbuyer\tactive\t8.5 USD available, 2 held\t2026-03-01 12:00",
    ]


async def test_accounts_are_listed_by_role_state_and_a_part_of_the_email(shell: Shell, world: World) -> None:
    for email, role in (
        ("a_b@one.example", Role.BUYER),
        ("axb@one.example", Role.SUPPLIER),
        ("c@two.example", Role.BUYER),
    ):
        await world.add_account(role, email=email)
    assert shell.run("account", "suspend", "c@two.example").returncode == 0
    for arguments, emails in (
        (("--role", "buyer"), ["c@two.example", "a_b@one.example"]),
        (("--state", "suspended"), ["c@two.example"]),
        (("--email", "ONE.example"), ["axb@one.example", "a_b@one.example"]),
        # It stands for itself, not for any letter.
        (("--email", "a_b"), ["a_b@one.example"]),
        (("--role", "supplier", "--state", "suspended"), []),
        (("--limit", "2"), ["c@two.example", "axb@one.example"]),
    ):
        assert [one["email"] for one in shell.json("account", "list", *arguments)] == emails
    assert shell.run("account", "list", "--email", "%").stdout == "No accounts.\n"


async def test_an_account_is_shown_with_all_that_was_set_up_for_it(shell: Shell, world: World) -> None:
    bringer = await world.add_buyer(email="bringer@example.com")
    owner = await world.add_supplier(email="owner@example.com")
    await world.refer(bringer, owner, share_basis_points=750)
    await world.permit(owner, "acko")
    pool = await world.add_direct_pool(owner, "bank")
    await world.add_direct_pool(await world.add_supplier(), "another's")
    key = shell.json("key", "add", "owner@example.com", "--scope", "supply", "--network", "10.0.0.0/8")
    shown = shell.json("account", "show", "Owner@example.com")
    assert (shown["id"], shown["email"], shown["available"], shown["spent"]) == (
        owner,
        "owner@example.com",
        "0",
        "0",
    )
    assert shown["referrer"] == {"email": "bringer@example.com", "share_percent": 7.5}
    assert shown["services_permitted"] == ["acko"]
    assert shown["pools"] == [{"id": str(pool.id), "name": "bank", "kind": "direct", "enabled": True}]
    (listed,) = shown["keys"]
    assert (listed["id"], listed["scopes"], listed["enabled"]) == (key["id"], ["supply"], True)
    assert key["api_key"].startswith(listed["hint"])
    hint = listed["hint"]
    said = shell.run("account", "show", "owner@example.com").stdout
    assert said.splitlines() == [
        f"owner@example.com: supplier, active, id {owner}, since 2026-03-01 12:00 UTC",
        "  0 USD available, 0 held; 0 spent",
        "  brought by bringer@example.com, who gets 7.5 %",
        "  may use acko",
        f"  key {key['id']}\t{hint}…\ton\tsupply from 10.0.0.0/8",
        f"  pool {pool.id}\tbank\tdirect\ton sale",
    ]
    assert key["api_key"] not in said + str(shown)


async def test_an_account_for_which_nothing_was_set_up_is_shown(shell: Shell, world: World) -> None:
    bare = await world.add_account(Role.OPERATOR, currency=None, email="bare@example.com")
    assert shell.run("account", "show", "bare@example.com").stdout.splitlines() == [
        f"bare@example.com: operator, active, id {bare}, since 2026-03-01 12:00 UTC",
        "  no wallet",
    ]
    shown = shell.json("account", "show", "bare@example.com")
    assert (shown["currency"], shown["spent"], shown["referrer"]) == (None, None, None)
    assert (shown["keys"], shown["pools"], shown["services_permitted"]) == ([], [], [])


async def test_prices_are_listed_by_country_and_service(shell: Shell, world: World) -> None:
    assert shell.run("price", "list").stdout == "No prices.\n"
    owner = await world.add_supplier()
    bank = await world.add_direct_pool(owner, "bank")
    await world.add_direct_pool(owner, "bare")
    await world.set_price("whatsapp", "2")
    await world.set_price("whatsapp", "1.083", pool=bank)
    await world.set_price("whatsapp", "3", country="SE")
    await world.set_price("telegram", "0.5")
    everywhere = {"pool": None, "pool_name": None, "currency": "USD", "set_at": "2026-03-01T12:00:00Z"}
    there = {**everywhere, "pool": str(bank.id), "pool_name": "bank"}
    own = {"service": "whatsapp", "country": "GB", "amount": "1.083", **there}
    common = {"service": "whatsapp", "country": "GB", "amount": "2", **everywhere}
    swedish = {"service": "whatsapp", "country": "SE", "amount": "3", **everywhere}
    telegram = {"service": "telegram", "country": "GB", "amount": "0.5", **everywhere}
    for arguments, prices in (
        ((), [own, common, telegram, swedish]),
        (("--limit", "2"), [own, common]),
        (("--service", "wa"), [own, common, swedish]),
        (("--country", "SE"), [swedish]),
        (("--pool", str(bank.id)), [own]),
        (("--pool", str(bank.id + 1)), []),
        (("--service", "telegram", "--country", "SE"), []),
    ):
        assert shell.json("price", "list", *arguments) == prices
    assert shell.run("price", "list", "--service", "whatsapp").stdout.splitlines() == [
        f"whatsapp\tGB\tpool {bank.id} bank\t1.083 USD",
        "whatsapp\tGB\tall pools\t2 USD",
        "whatsapp\tSE\tall pools\t3 USD",
    ]


async def test_a_price_is_taken_back(shell: Shell, world: World) -> None:
    _, bank, _ = await world.stocked(1)
    await world.set_price("whatsapp", "1", pool=bank)
    await world.set_price("whatsapp", "2")
    of_bank = ("price", "unset", "whatsapp", "GB", "--pool", str(bank.id))
    assert shell.run(*of_bank).stdout == f"WhatsApp in United Kingdom: no price in pool {bank.id} any more.\n"
    assert (
        shell.run(*of_bank).stdout == f"WhatsApp in United Kingdom: there was no price in pool {bank.id}.\n"
    )
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    assert order.price == micros("2")
    await world.cancel(buyer, order.activation_id)
    said = shell.run("price", "unset", "whatsapp", "GB").stdout
    assert said == "WhatsApp in United Kingdom: no price for all pools any more.\n"
    with pytest.raises(Refusal) as refused:
        await world.order(buyer)
    assert refused.value.reason is Refused.NOT_PRICED


async def test_a_price_of_rentals_is_taken_back(shell: Shell, world: World) -> None:
    _, bank, _ = await world.rentable(1, tariffs={1: "1"})
    buyer = await world.add_buyer("10")
    rental = await world.rent(buyer)
    unset = ("rent", "unset", "GB", "1", "--pool", str(bank.id))
    assert shell.run(*unset).stdout == f"1 day in United Kingdom: no price in pool {bank.id} any more.\n"
    assert shell.run(*unset).stdout == f"1 day in United Kingdom: there was no price in pool {bank.id}.\n"
    assert (await world.rental(buyer, rental.id)).extensions == ()
    with pytest.raises(Refusal) as refused:
        await world.rent(buyer)
    assert refused.value.reason is Refused.NOT_PRICED


def test_rates_are_listed(shell: Shell) -> None:
    shell.run("fx", "set", "NGN", "1500")
    shell.run("fx", "set", "EUR", "0.92")
    assert shell.json("fx", "list") == {"EUR": "0.92", "NGN": "1500", "USD": "1"}
    assert shell.run("fx", "list").stdout == "1 USD = 0.92 EUR\n1 USD = 1500 NGN\n1 USD = 1 USD\n"


async def test_prices_of_rentals_are_listed_by_country_and_days(shell: Shell, world: World) -> None:
    assert shell.run("rent", "prices").stdout == "No prices.\n"
    owner = await world.add_supplier()
    bank = await world.add_direct_pool(owner, "bank")
    for days, price, pool, country in (
        (30, "12", None, "GB"),
        (1, "2", None, "GB"),
        (1, "1.5", bank, "GB"),
        (7, "5", None, "SE"),
    ):
        await world.set_tariff(days, price, pool=pool, country=country)
    assert shell.run("rent", "prices").stdout.splitlines() == [
        f"GB\t1 day\tpool {bank.id} bank\t1.5 USD",
        "GB\t1 day\tall pools\t2 USD",
        "GB\t30 days\tall pools\t12 USD",
        "SE\t7 days\tall pools\t5 USD",
    ]
    assert shell.json("rent", "prices", "--pool", str(bank.id)) == [
        {
            "country": "GB",
            "days": 1,
            "pool": str(bank.id),
            "pool_name": "bank",
            "amount": "1.5",
            "currency": "USD",
            "set_at": "2026-03-01T12:00:00Z",
        }
    ]
    for arguments, periods in ((("--country", "GB"), [1, 1, 30]), (("--limit", "2"), [1, 1])):
        assert [one["days"] for one in shell.json("rent", "prices", *arguments)] == periods
