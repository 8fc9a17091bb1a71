"""Access tokens: ours alone, of one algorithm, in time."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.base.ids import AccountId, SessionId, TokenKeyId
from simyard.base.refusals import Refusal, Refused
from simyard.core.logins import tokens
from simyard.core.logins.model import Claims, TokenKey
from tests.core.logins.issuer import raw_token

KEY = TokenKey(TokenKeyId(3), bytes(range(64)))
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CLAIMS = Claims(AccountId(1842), SessionId(7))
DAY = 24 * 3600


def payload(**changed: Any) -> dict[str, Any]:
    moment = int(NOW.timestamp())
    claims = {
        "iss": "simyard",
        "aud": "simyard",
        "sub": "1842",
        "sid": 7,
        "typ": "access",
        "iat": moment,
        "exp": moment + DAY,
        **changed,
    }
    return {name: value for name, value in claims.items() if value is not ...}


def signed(claims: dict[str, Any], algorithm: str = "HS256") -> str:
    return jwt.encode(claims, KEY.value, algorithm=algorithm, headers={"kid": str(KEY.id)})


def refused(token: str, now: datetime = NOW) -> Refusal:
    with pytest.raises(Refusal) as caught:
        if tokens.key_id(token) == KEY.id:
            tokens.read(KEY, token, now=now)
    assert caught.value.reason is Refused.WRONG_KEY
    return caught.value


def test_a_token_says_who_it_was_written_for_until_its_time_is_over() -> None:
    token = tokens.write(KEY, CLAIMS, seconds=DAY, now=NOW)
    assert tokens.read(KEY, token, now=NOW) == CLAIMS
    assert tokens.read(KEY, token, now=NOW + timedelta(seconds=DAY - 1)) == CLAIMS
    assert refused(token, NOW + timedelta(seconds=DAY)).facts == {"expired": True}


def test_the_tokens_of_this_test_are_ours_but_for_what_they_change() -> None:
    assert tokens.read(KEY, signed(payload()), now=NOW) == CLAIMS


def test_a_token_names_its_key() -> None:
    assert tokens.key_id(tokens.write(KEY, CLAIMS, seconds=DAY, now=NOW)) == KEY.id


@pytest.mark.parametrize("key_id", [..., None, 3, True, "", "x", "-3", "3.0", "٣", "9" * 40])
def test_a_token_that_names_no_key_is_refused(key_id: object) -> None:
    header = {"alg": "HS256"} if key_id is ... else {"alg": "HS256", "kid": key_id}
    refused(raw_token(header, payload(), b"x"))


def test_another_key_signs_nothing() -> None:
    refused(tokens.write(TokenKey(KEY.id, KEY.value[::-1]), CLAIMS, seconds=DAY, now=NOW))


def test_every_letter_counts() -> None:
    token = tokens.write(KEY, CLAIMS, seconds=DAY, now=NOW)
    head, body, signature = token.split(".")
    other = json.loads(base64.urlsafe_b64decode(body + "=="))
    other["sub"] = "1"
    forged = base64.urlsafe_b64encode(json.dumps(other).encode()).rstrip(b"=").decode()
    refused(f"{head}.{forged}.{signature}")
    for place in (0, len(head) + 1, len(token) - 5):
        changed = "A" if token[place] != "A" else "B"
        refused(token[:place] + changed + token[place + 1 :])
    refused(f"{head}.{body}.")
    refused(f"{head}.{body}")


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "nOnE", "", "HS384", "HS512", "RS256", "ES256"]
)
def test_the_token_does_not_choose_its_algorithm(algorithm: str) -> None:
    refused(raw_token({"alg": algorithm, "typ": "JWT", "kid": "3"}, payload(), b""))
    if algorithm.startswith("HS"):
        refused(signed(payload(), algorithm))


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "someone"},
        {"aud": ["simyard"]},
        {"aud": ...},
        {"iss": "https://accounts.google.com"},
        {"iss": ...},
        {"typ": "refresh"},
        {"typ": ...},
        {"sub": "0x1"},
        {"sub": 1842},
        {"sub": "-1"},
        {"sub": "1" * 40},
        {"sub": "١"},
        {"sub": ...},
        {"sid": "7"},
        {"sid": True},
        {"sid": -1},
        {"sid": 1e400},
        {"sid": ...},
        {"exp": ...},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": float("nan")},
        {"iat": ...},
        {"iat": int(NOW.timestamp()) + 3600},
    ],
    ids=str,
)
def test_claims_that_are_not_ours(changed: dict[str, Any]) -> None:
    refused(signed(payload(**changed)))


@given(st.one_of(st.text(), st.from_regex(r"[\w-]+\.[\w-]+\.[\w-]*", fullmatch=True)))
def test_anything_else_is_no_token(text: str) -> None:
    refused(text)


def test_a_token_without_end_is_not_read() -> None:
    refused("a" * 1_000_000)
    refused(raw_token({"alg": "HS256", "kid": "3", "pad": "x" * 5000}, payload(), b"x"))
