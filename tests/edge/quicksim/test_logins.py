"""Who is let in over HTTP: tokens that are genuine, of this account, in time, and nothing else."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest

from simyard.base.clock import ManualClock
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AccountState
from simyard.edge.dialects.quicksim.dialect import ACTIONS
from simyard.edge.wire import KeyNeed
from simyard.settings import Settings
from tests.core.logins.issuer import CLIENT_ID, Issuer, raw_token
from tests.edge.quicksim.user import PASSWORD, User, refused
from tests.receivers import Receiver, answer
from tests.world import World

GUARDED = sorted(place for place, action in ACTIONS.items() if action.key is KeyNeed.REQUIRED)
OPEN = sorted(place for place, action in ACTIONS.items() if action.key is KeyNeed.IGNORED)


async def knock(client: httpx.AsyncClient, token: str | None, place: tuple[str, str]) -> httpx.Response:
    method, path = place
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await client.request(method, f"/api{path}", headers=headers)


def forged(token: str, **changed: Any) -> str:
    """The token with other claims and the signature it had."""
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "==")) | changed
    return ".".join(
        [head, base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode(), signature]
    )


def test_what_needs_a_token_is_everything_but_getting_one() -> None:
    assert len(GUARDED) == 10
    assert {path for _, path in OPEN} == {
        "/auth/google",
        "/users/login",
        "/users/token/refresh",
        "/users/register",
        "/users/verify-email",
        "/users/password/reset",
        "/users/password/reset/confirm",
    }


@pytest.mark.parametrize("place", GUARDED, ids=str)
async def test_without_a_genuine_token_nothing_is_answered(
    place: tuple[str, str], world: World, client: httpx.AsyncClient, user: User, clock: ManualClock
) -> None:
    api_key = await world.issue_key(user.account_id)
    secret = await world.value("SELECT value FROM token_key")
    named = jwt.get_unverified_header(user.key)
    claims = jwt.decode(user.key, options={"verify_signature": False})
    other = await User.join(world, client)
    tokens = {
        "none": None,
        "empty": "",
        "an api key": api_key,
        "a refresh token": user.refresh,
        "another signature": jwt.encode(claims, b"x" * 64, headers=named),
        "no signature": raw_token({**named, "alg": "none"}, claims, b""),
        "no signature, our header": user.key.rpartition(".")[0] + ".",
        "another algorithm of ours": jwt.encode(
            claims, secret, algorithm="HS512", headers={"kid": named["kid"]}
        ),
        "another account": forged(user.key, sub=str(other.account_id)),
        "another account's session": jwt.encode(
            {**claims, "sub": str(other.account_id)}, secret, headers=named
        ),
        "another session": jwt.encode({**claims, "sid": 2**40}, secret, headers=named),
        "another audience": jwt.encode({**claims, "aud": CLIENT_ID}, secret, headers=named),
        "another issuer": jwt.encode({**claims, "iss": "https://accounts.google.com"}, secret, headers=named),
        "another kind": jwt.encode({**claims, "typ": "refresh"}, secret, headers=named),
        "no key": jwt.encode(claims, secret),
        "another key": jwt.encode(claims, secret, headers={"kid": "999"}),
        "expired": jwt.encode({**claims, "exp": int(clock.now().timestamp())}, secret, headers=named),
        "a credential": Issuer().credential(clock.now(), email=user.email),
        "a credential for our audience": Issuer().credential(clock.now(), **claims),
        "garbage": "a.b.c",
        "long": "x" * 100_000,
    }
    for name, token in tokens.items():
        response = await knock(client, token, place)
        assert refused(response) == (401, "unauthorized"), name
        assert response.headers["www-authenticate"] == "Bearer"
    # All that was wrong with them is what they say.
    genuine = jwt.encode(claims, secret, headers=named)
    assert (await knock(client, genuine, place)).status_code != 401


async def test_a_token_lasts_a_day(client: httpx.AsyncClient, user: User, clock: ManualClock) -> None:
    claims = jwt.decode(user.key, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 24 * 3600
    assert jwt.get_unverified_header(user.key)["alg"] == "HS256"
    clock.turn(24 * 3600 - 1)
    await user.funds()
    clock.turn(1)
    assert refused(await user.get("/wallet/virtual-accounts")) == (401, "unauthorized")


@pytest.mark.parametrize("state", [AccountState.SUSPENDED, AccountState.LOCKED])
async def test_an_account_that_may_not_be_used(user: User, world: World, state: AccountState) -> None:
    async with world.database.transaction() as tx:
        await accounts.set_state(tx, user.email, state, actor="test", now=world.clock.now())
    assert refused(await user.get("/fivesim/countries")) == (401, "unauthorized")
    login = await user.anonymous("/users/login", {"email": user.email, "password": PASSWORD})
    assert refused(login) == (401, "unauthorized")
    refresh = await user.anonymous("/users/token/refresh", {"refresh": user.refresh})
    assert refused(refresh) == (401, "unauthorized")


async def test_a_refresh_token_says_nothing_about_its_account_to_others(user: User) -> None:
    for token in ("", "sr_", user.refresh[:-1], user.key, "\x00"):
        response = await user.anonymous("/users/token/refresh", {"refresh": token})
        assert refused(response)[0] in (400, 401)
    await user.funds()


async def test_logging_out_ends_only_this_session(user: User) -> None:
    first = user.key
    await user.log_in()
    assert (await user.post("/users/logout")).json() == {"message": "Logged out."}
    assert refused(await user.get("/fivesim/countries")) == (401, "unauthorized")
    user.key = first
    await user.funds()


async def test_a_lock_opens_by_time_and_tells_when(user: User, clock: ManualClock) -> None:
    for _ in range(10):
        response = await user.anonymous("/users/login", {"email": user.email, "password": "wrong"})
        assert refused(response) == (401, "unauthorized")
    clock.turn(100)
    locked = await user.anonymous("/users/login", {"email": user.email, "password": PASSWORD})
    assert refused(locked) == (429, "rate_limited")
    assert locked.headers["retry-after"] == "800"
    await user.funds()
    clock.turn(800)
    await user.log_in()


# Google


async def google(client: httpx.AsyncClient, credential: object) -> httpx.Response:
    return await client.post("/api/auth/google", json={"credential": credential})


async def test_a_credential_opens_an_account_and_then_finds_it(
    client: httpx.AsyncClient, clock: ManualClock, world: World, key_server: Receiver
) -> None:
    answers = [
        (await google(client, Issuer().credential(clock.now(), key=key))).json()
        for key in ("rsa", "ec", "rsa")
    ]
    assert len({one["user"]["id"] for one in answers}) == 1
    assert list(answers[0]) == ["access", "refresh", "user"]
    assert answers[0]["user"] == {
        "id": await world.value("SELECT id FROM account"),
        "email": "jane@example.com",
        "name": "Jane Developer",
    }
    assert len(key_server.requests) == 1


async def test_credentials_that_are_not_taken(
    client: httpx.AsyncClient, clock: ManualClock, world: World
) -> None:
    now, issuer = clock.now(), Issuer()
    past = int((now - timedelta(seconds=1)).timestamp())
    wrong = {
        "expired": issuer.credential(now, exp=past),
        "for another": issuer.credential(now, aud="another"),
        "for us and another": issuer.credential(now, aud=[CLIENT_ID, "another"]),
        "by another": issuer.credential(now, iss="https://evil.example.com"),
        "by nobody's key": issuer.credential(now, key="stranger", headers={"kid": "rsa"}),
        "by an unknown key": issuer.credential(now, key="stranger"),
        "not verified": issuer.credential(now, email_verified=False),
        "unsigned": raw_token({"alg": "none", "kid": "rsa"}, issuer.claims(now), b""),
        "by the public key": raw_token({"alg": "HS256", "kid": "rsa"}, issuer.claims(now), issuer.pem("rsa")),
        "garbage": "garbage",
        "long": "x" * 100_000,
    }
    for name, credential in wrong.items():
        assert refused(await google(client, credential)) == (401, "unauthorized"), name
    nothing: tuple[object, ...] = ("", None, 7, [], {})
    for malformed in nothing:
        assert refused(await google(client, malformed)) == (400, "invalid_request")
    assert await world.value("SELECT count(*) FROM account") == 0


async def test_an_issuer_that_is_away_is_not_the_callers_fault(
    client: httpx.AsyncClient, clock: ManualClock, key_server: Receiver
) -> None:
    key_server.default = answer(500)
    credential = Issuer().credential(clock.now())
    assert refused(await google(client, credential)) == (500, "internal_error")
    key_server.default = answer(200, Issuer().key_set())
    clock.turn(5)
    assert (await google(client, credential)).status_code == 200


class TestNotSetUp:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(registration_open=False)

    async def test_what_an_operator_did_not_set_up(
        self, client: httpx.AsyncClient, clock: ManualClock
    ) -> None:
        assert refused(await google(client, Issuer().credential(clock.now()))) == (400, "invalid_request")
        body = {"email": "a@example.com", "password": PASSWORD}
        response = await client.post("/api/users/register", json=body)
        assert refused(response) == (400, "invalid_request")
