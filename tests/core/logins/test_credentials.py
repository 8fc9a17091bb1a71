"""Credentials of another issuer: signed by its key, meant for us, in time, with an email it verified."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.base.refusals import Refusal, Refused
from simyard.core.logins import credentials
from simyard.core.logins.model import Identity
from tests.core.logins.issuer import CLIENT_ID, ISSUER, Issuer, raw_token

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
JANE = Identity(ISSUER, "110169484474386276334", "jane@example.com", "Jane Developer")
issuer = Issuer()


def read(credential: str, *, now: datetime = NOW, expected_issuer: str = ISSUER) -> Identity:
    """As a server does it: the key by its id, then the credential by the key."""
    key = credentials.read_keys(issuer.key_set()).get(credentials.key_id(credential))
    if key is None:
        raise Refusal(Refused.WRONG_CREDENTIALS)
    return credentials.read(credential, key, issuer=expected_issuer, client_id=CLIENT_ID, now=now)


def refused(credential: str, **with_: Any) -> Refused:
    with pytest.raises(Refusal) as caught:
        read(credential, **with_)
    return caught.value.reason


@pytest.mark.parametrize("key", ["rsa", "ec"])
def test_a_genuine_credential_names_somebody(key: str) -> None:
    assert read(issuer.credential(NOW, key=key)) == JANE


def test_emails_are_compared_as_we_store_them_and_names_are_cleaned() -> None:
    credential = issuer.credential(NOW, email=" Jane@Example.COM ", name="Jane\n\0Developer" + "x" * 300)
    found = read(credential)
    assert found.email == "jane@example.com"
    assert found.name.startswith("Jane Developerx")
    assert len(found.name) == 200
    assert read(issuer.credential(NOW, name=...)).name == ""
    assert read(issuer.credential(NOW, name=7)).name == ""


def test_google_has_two_spellings_of_its_name_and_others_have_one() -> None:
    short = issuer.credential(NOW, iss="accounts.google.com")
    assert read(short) == JANE
    assert refused(short, expected_issuer="https://login.example.com") is Refused.WRONG_CREDENTIALS
    own = issuer.credential(NOW, iss="https://login.example.com")
    assert read(own, expected_issuer="https://login.example.com").issuer == "https://login.example.com"
    bare = issuer.credential(NOW, iss="login.example.com")
    assert refused(bare, expected_issuer="https://login.example.com") is Refused.WRONG_CREDENTIALS


def test_it_ends() -> None:
    credential = issuer.credential(NOW)
    assert read(credential, now=NOW + timedelta(seconds=3599)) == JANE
    assert refused(credential, now=NOW + timedelta(seconds=3600)) is Refused.WRONG_CREDENTIALS


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "another.apps.googleusercontent.com"},
        {"aud": [CLIENT_ID]},
        {"aud": [CLIENT_ID, "another"]},
        {"aud": ...},
        {"aud": ""},
        {"iss": "https://evil.example.com"},
        {"iss": "https://accounts.google.com.evil.example.com"},
        {"iss": ...},
        {"sub": ""},
        {"sub": ...},
        {"sub": "x" * 256},
        {"sub": "a\0b"},
        {"exp": ...},
        {"exp": int(NOW.timestamp())},
        {"exp": True},
        {"iat": ...},
        {"iat": int(NOW.timestamp()) + 3600},
        {"nbf": int(NOW.timestamp()) + 3600},
        {"nbf": "soon"},
        {"email": ...},
        {"email": "no address"},
        {"email": ["jane@example.com"]},
    ],
    ids=str,
)
def test_what_is_not_for_us_or_not_in_time_is_wrong(changed: dict[str, Any]) -> None:
    assert refused(issuer.credential(NOW, **changed)) is Refused.WRONG_CREDENTIALS


@pytest.mark.parametrize("verified", [False, "false", 1, "True", None, ...])
def test_an_email_the_issuer_did_not_verify_is_nobodys(verified: object) -> None:
    assert refused(issuer.credential(NOW, email_verified=verified)) is Refused.EMAIL_NOT_VERIFIED


def test_a_flag_written_as_text_is_taken() -> None:
    assert read(issuer.credential(NOW, email_verified="true")) == JANE


def test_keys_that_were_not_published_sign_nothing() -> None:
    stranger = issuer.credential(NOW, key="stranger")
    assert refused(stranger) is Refused.WRONG_CREDENTIALS
    posing = issuer.credential(NOW, key="stranger", headers={"kid": "rsa"})
    assert refused(posing) is Refused.WRONG_CREDENTIALS
    weak = issuer.credential(NOW, key="weak")
    assert refused(weak) is Refused.WRONG_CREDENTIALS


def test_every_letter_counts() -> None:
    head, body, signature = issuer.credential(NOW).split(".")
    _, other, _ = issuer.credential(NOW, email="victim@example.com").split(".")
    assert refused(f"{head}.{other}.{signature}") is Refused.WRONG_CREDENTIALS
    assert refused(f"{head}.{body}.") is Refused.WRONG_CREDENTIALS
    assert refused(f"{head}.{body}.{signature[:-8]}AAAAAAAA") is Refused.WRONG_CREDENTIALS


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "HS256", "PS256", "RS512", "EdDSA"])
def test_no_other_algorithm_is_taken(algorithm: str) -> None:
    token = raw_token({"alg": algorithm, "kid": "rsa"}, issuer.claims(NOW), b"")
    assert refused(token) is Refused.WRONG_CREDENTIALS


@pytest.mark.parametrize("secret", ["pem", "jwk", "n"])
def test_a_public_key_is_no_shared_secret(secret: str) -> None:
    """The old trick: the published key as the secret of an HMAC."""
    known = {
        "pem": issuer.pem("rsa"),
        "jwk": json.dumps(issuer.public_key("rsa")).encode(),
        "n": issuer.public_key("rsa")["n"].encode(),
    }[secret]
    for algorithm in ("HS256", "RS256"):
        unsigned = raw_token({"alg": algorithm, "kid": "rsa", "typ": "JWT"}, issuer.claims(NOW), b"")[:-1]
        signature = hmac.new(known, unsigned.encode(), hashlib.sha256).digest()
        token = raw_token({"alg": algorithm, "kid": "rsa", "typ": "JWT"}, issuer.claims(NOW), signature)
        assert refused(token) is Refused.WRONG_CREDENTIALS


def test_a_key_is_good_for_its_own_algorithm() -> None:
    for algorithm in ("RS384", "RS512", "PS256"):
        credential = issuer.credential(NOW, algorithm=algorithm)
        assert refused(credential) is Refused.WRONG_CREDENTIALS
    assert refused(issuer.credential(NOW, key="ec", headers={"kid": "rsa"})) is Refused.WRONG_CREDENTIALS
    assert refused(issuer.credential(NOW, headers={"kid": "ec"})) is Refused.WRONG_CREDENTIALS


@pytest.mark.parametrize("headers", [{"kid": 7}, {"kid": None}, {"crit": ["exp"]}, {"crit": []}])
def test_headers_that_cannot_be_judged(headers: dict[str, Any]) -> None:
    token = raw_token({"alg": "RS256", "kid": "rsa", **headers}, issuer.claims(NOW), b"x")
    assert refused(token) is Refused.WRONG_CREDENTIALS
    without = raw_token({"alg": "RS256"}, issuer.claims(NOW), b"x")
    assert refused(without) is Refused.WRONG_CREDENTIALS


def test_keys_of_its_own_are_not_believed() -> None:
    """`jwk` and `jku` in the header bring the key along; nobody asks for it there."""
    header = {"jwk": issuer.public_key("stranger"), "jku": "https://evil.example.com/keys"}
    posing = issuer.credential(NOW, key="stranger", headers={"kid": "rsa", **header})
    assert refused(posing) is Refused.WRONG_CREDENTIALS


@given(st.one_of(st.text(), st.from_regex(r"[\w-]+\.[\w-]+\.[\w-]*", fullmatch=True)))
def test_anything_else_is_no_credential(text: str) -> None:
    assert refused(text) is Refused.WRONG_CREDENTIALS


def test_a_credential_without_end_is_not_read() -> None:
    assert refused(issuer.credential(NOW, name="x" * 100_000)) is Refused.WRONG_CREDENTIALS


# Key sets


def test_only_keys_that_may_sign_are_read() -> None:
    entries: list[object] = [
        issuer.public_key("rsa"),
        issuer.public_key("ec"),
        issuer.public_key("weak"),
        issuer.public_key("rsa", kid="encrypts", use="enc"),
        issuer.public_key("rsa", kid="other algorithm", alg="RS512"),
        issuer.public_key("rsa", kid=7),
        issuer.public_key("ec", kid="curve", crv="P-384"),
        issuer.public_key("rsa", kid="broken", n="!"),
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0", "alg": "HS256"},
        {"kty": "OKP", "crv": "Ed25519", "kid": "edwards", "x": "AAAA"},
        {},
        "key",
        None,
    ]
    keys = credentials.read_keys(json.dumps({"keys": entries}).encode())
    assert set(keys) == {"rsa", "ec"}
    bare = {name: value for name, value in issuer.public_key("rsa").items() if name not in ("use", "alg")}
    assert set(credentials.read_keys(json.dumps({"keys": [bare]}).encode())) == {"rsa"}


@pytest.mark.parametrize(
    "document",
    [b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": {}}', b"\xff", b"<html>", b'{"keys":' + b"[" * 10_000],
)
def test_a_document_that_is_no_key_set(document: bytes) -> None:
    with pytest.raises(ValueError, match="not a key set"):
        credentials.read_keys(document)


def test_the_issuer_of_these_tests_signs_as_libraries_do() -> None:
    decoded = jwt.decode(
        issuer.credential(NOW),
        issuer.pem("rsa"),
        ["RS256"],
        {"verify_signature": True, "verify_exp": False, "verify_iat": False},
        audience=CLIENT_ID,
    )
    assert decoded["email"] == "jane@example.com"
