"""Whatever cannot be read is told in the dialect's own words, and moves nothing."""

from __future__ import annotations

import gzip
import json
from itertools import product

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from simyard.edge.dialects.quicksim.dialect import ACTIONS
from tests.edge.daisysim.buyer import add_shelf
from tests.edge.daisysim.test_bad_input import NOT_OBJECTS
from tests.edge.quicksim.user import TABLE, User, refused
from tests.world import World

BODIES = sorted(path for (method, path), action in ACTIONS.items() if action.body is not None)
FIELDS = {
    "/auth/google": ("credential",),
    "/users/login": ("email", "password"),
    "/users/token/refresh": ("refresh",),
    "/users/register": ("email", "password"),
    "/users/verify-email": ("token",),
    "/users/password/reset": ("email",),
    "/users/password/reset/confirm": ("token", "password"),
    "/users/password/change": ("old_password", "new_password"),
    "/fivesim/activation": ("country", "product"),
    "/fivesim/finish": ("activation_id",),
    "/fivesim/cancel": ("activation_id",),
    "/wallet/create-virtual-account": ("bank_code",),
}


def test_every_body_is_tried_here() -> None:
    assert sorted(FIELDS) == BODIES


async def test_a_body_that_is_no_object(user: User) -> None:
    for path, (name, content) in product(BODIES, NOT_OBJECTS.items()):
        response = await user.send("POST", path, content=content)
        assert refused(response) == (400, "invalid_request"), (path, name)


async def test_fields_that_are_missing_or_of_another_kind(user: User, world: World) -> None:
    good = {name: "a value that is long" for names in FIELDS.values() for name in names} | {
        "activation_id": 1
    }
    for path, names in FIELDS.items():
        for name in names:
            fields = {one: good[one] for one in names}
            for value in (None, "", [], {}, True, 1.5, ["x"], {"x": 1}):
                response = await user.post(path, {**fields, name: value})
                assert refused(response) == (400, "invalid_request"), (path, name, value)
            del fields[name]
            response = await user.send("POST", path, content=json.dumps(fields).encode())
            assert refused(response) == (400, "invalid_request"), (path, name)
            assert name in response.json()["message"]
    assert await world.value("SELECT count(*) FROM account") == 1


async def test_no_body_and_one_that_is_too_large(user: User) -> None:
    for path in BODIES:
        for content in (None, b"", b" \n "):
            assert refused(await user.send("POST", path, content=content)) == (400, "invalid_request")
        content = json.dumps({"email": "x" * 1024**2}).encode()
        assert refused(await user.send("POST", path, content=content)) == (400, "invalid_request")
    bomb = gzip.compress(b" " * 50 * 1024**2)
    response = await user.send("POST", "/users/login", content=bomb, headers={"Content-Encoding": "gzip"})
    assert refused(response) == (400, "invalid_request")


async def test_ids_that_are_none(user: User) -> None:
    unknown = ["0", "-1", "9007199254740992", "9" * 5000, "1", "2147483648", "-9223372036854775809"]
    unreadable = ["abc", "1.5", "1e9", "0x1", "١", "%00", "null", "true", "[]", "'; DROP TABLE", "1 2", "--1"]
    for value in unknown:
        assert refused(
            await user.client.get(f"/api/fivesim/check?activation_id={value}", headers=auth(user))
        ) == (
            404,
            "not_found",
        ), value
    for value in unreadable:
        response = await user.client.get(f"/api/fivesim/check?activation_id={value}", headers=auth(user))
        assert refused(response) == (400, "invalid_request"), value
    for verb in ("finish", "cancel"):
        for number in (0, -1, 2**53, 10**30, 1, "1", "00"):
            assert refused(await user.act(verb, number)) == (404, "not_found"), number
        for wrong in (1.5, True, "abc", "", None, [1], {"id": 1}):
            assert refused(await user.act(verb, wrong)) == (400, "invalid_request"), wrong


def auth(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {user.key}"}


async def test_codes_that_are_none(user: User, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    for country in ("us", "US", "United States", "\0", "x" * 10_000, "usa\0", "☎"):
        answer = await user.post("/fivesim/activation", {"country": country, "product": "whatsapp"})
        assert refused(answer) == (404, "not_found"), country
    for product_code in ("wa", "WhatsApp Business", "\0", "x" * 10_000, "☎"):
        answer = await user.post("/fivesim/activation", {"country": "usa", "product": product_code})
        assert refused(answer) == (404, "not_found"), product_code
    for country in ("", "%20", "&country="):
        assert refused(await user.get(f"/fivesim/products?country={country}")) == (400, "invalid_request")
    assert (await user.funds())["balance"] == 10000


async def test_keys_for_repeats_that_will_not_do(user: User, world: World) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    for key in ("", "x" * 256):
        answer = await user.post(
            "/fivesim/activation", {"country": "usa", "product": "whatsapp"}, headers={"Idempotency-Key": key}
        )
        assert refused(answer) == (400, "invalid_request")


async def test_finance_is_not_sold(user: User, world: World) -> None:
    await add_shelf(world, {"paypal": "1"})
    answer = await user.post("/fivesim/activation", {"country": "usa", "product": "paypal"})
    assert refused(answer) == (422, "no_numbers_available")
    assert (await user.get("/fivesim/products?country=usa")).json() == {"products": []}


async def test_a_currency_without_a_rate(world: World, client: httpx.AsyncClient) -> None:
    await add_shelf(world, {"whatsapp": "1"})
    user = await User.join(world, client, "100", "EUR")
    answer = await user.post("/fivesim/activation", {"country": "usa", "product": "whatsapp"})
    assert refused(answer) == (422, "no_numbers_available")
    assert refused(await user.get("/fivesim/products?country=usa")) == (422, "no_numbers_available")


@pytest.mark.parametrize("path", ["/", "/nothing", "/login", "/logout/", "/token", "//login", "/%00"])
async def test_places_that_are_none(user: User, path: str) -> None:
    for below in ("auth", "users", "fivesim", "wallet"):
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            response = await user.client.request(method, f"/api/{below}{path}", headers=auth(user))
            if (method, path, below) != ("POST", "/login", "users"):
                assert refused(response) == (404, "not_found")
    assert refused(await user.client.get("/api/users/login")) == (404, "not_found")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
bodies = st.one_of(
    st.binary(max_size=100),
    st.dictionaries(
        st.sampled_from(sorted({name for names in FIELDS.values() for name in names} | {"name"})),
        values | st.sampled_from(["usa", "whatsapp", "035", 1, "1", "a@b.example", "a long password"]),
        max_size=6,
    ).map(lambda fields: json.dumps(fields).encode()),
)


@examples(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    place=st.sampled_from(sorted(place for place in ACTIONS if place[1] != "/users/logout")),
    content=bodies,
    query=st.text(
        st.characters(codec="ascii", exclude_categories=["C"], exclude_characters="#\\"), max_size=60
    ),
    token=st.booleans(),
)
async def test_nothing_breaks_it(
    user: User, place: tuple[str, str], content: bytes, query: str, token: bool
) -> None:
    method, path = place
    headers = auth(user) if token else {}
    response = await user.client.request(method, f"/api{path}?{query}", content=content, headers=headers)
    if response.status_code not in (200, 201):
        status, code = refused(response)
        assert status < 500
        assert code in TABLE
