"""ID tokens of another issuer (OpenID Connect): whether one is genuine, meant for us, in time, and whom it names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import rules as account_rules
from simyard.core.logins import rules
from simyard.core.logins.model import Identity

LENGTH_MAX: Final = 16_384
KEYS_MAX: Final = 100
_ALGORITHM_OF_TYPE: Final = {"RSA": "RS256", "EC": "ES256"}
_RSA_BITS_MIN: Final = 2048
_SUBJECT_LENGTH_MAX: Final = 255
_SKEW_SECONDS: Final = 60
_GOOGLE: Final = "https://accounts.google.com"


def read_keys(document: bytes) -> dict[str, jwt.PyJWK]:
    """The keys of a key set that may sign, by their ids. Keys of other kinds are left out; ValueError when it is none."""
    try:
        listed = msgspec.json.decode(document, type=dict[str, Any])["keys"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError) as error:
        raise ValueError("not a key set") from error
    if not isinstance(listed, list) or len(listed) > KEYS_MAX:
        raise ValueError("not a key set")
    keys = {}
    for entry in listed:
        key = _signing_key(entry)
        if key is not None and key.key_id:
            keys[key.key_id] = key
    return keys


def _signing_key(entry: object) -> jwt.PyJWK | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    algorithm = _ALGORITHM_OF_TYPE.get(str(entry.get("kty")))
    if algorithm is None or entry.get("alg", algorithm) != algorithm or not isinstance(entry.get("kid"), str):
        return None
    if algorithm == "ES256" and entry.get("crv") != "P-256":
        return None
    try:
        key = jwt.PyJWK.from_dict(entry, algorithm=algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if isinstance(key.key, RSAPublicKey) and key.key.key_size < _RSA_BITS_MIN:
        return None
    return key


def key_id(credential: str) -> str:
    """Which of the issuer's keys the credential says it is signed with. Refuses: WRONG_CREDENTIALS."""
    if len(credential) > LENGTH_MAX:
        raise Refusal(Refused.WRONG_CREDENTIALS)
    try:
        header = jwt.get_unverified_header(credential)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise Refusal(Refused.WRONG_CREDENTIALS) from error
    found = header.get("kid")
    if (
        not isinstance(found, str)
        or header.get("alg") not in _ALGORITHM_OF_TYPE.values()
        # Extensions we would have to understand; we know none.
        or "crit" in header
    ):
        raise Refusal(Refused.WRONG_CREDENTIALS)
    return found


def read(credential: str, key: jwt.PyJWK, *, issuer: str, client_id: str, now: datetime) -> Identity:
    """Whom a credential names, when this key of the issuer signed it for us and it is in time.

    Refuses, first match wins: WRONG_CREDENTIALS, EMAIL_NOT_VERIFIED. The key decides about the algorithm, never the
    credential, so a public key cannot be taken for a shared secret.
    """
    try:
        claims: Mapping[str, Any] = jwt.decode(
            credential,
            key,
            algorithms=[key.algorithm_name],
            audience=client_id,
            issuer=_names_of(issuer),
            options={
                "require": ["iss", "aud", "sub", "iat", "exp"],
                "strict_aud": True,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise Refusal(Refused.WRONG_CREDENTIALS) from error
    moment = now.timestamp()
    subject = claims["sub"]
    if not (
        _is_time(claims["exp"])
        and claims["exp"] > moment
        and _is_time(claims["iat"])
        and claims["iat"] <= moment + _SKEW_SECONDS
        and _is_time(claims.get("nbf", 0))
        and claims.get("nbf", 0) <= moment + _SKEW_SECONDS
        and isinstance(subject, str)
        and 1 <= len(subject) <= _SUBJECT_LENGTH_MAX
        and subject.isprintable()
    ):
        raise Refusal(Refused.WRONG_CREDENTIALS)
    given = claims.get("email")
    email = account_rules.normal_email(given) if isinstance(given, str) else None
    if email is None:
        raise Refusal(Refused.WRONG_CREDENTIALS)
    # Some issuers write the flag as text.
    if claims.get("email_verified") is not True and claims.get("email_verified") != "true":
        raise Refusal(Refused.EMAIL_NOT_VERIFIED)
    name = claims.get("name")
    return Identity(issuer, subject, email, rules.clean_name(name) if isinstance(name, str) else "")


def _names_of(issuer: str) -> list[str]:
    """Google signs its tokens under two spellings of its name."""
    return [issuer, _GOOGLE.removeprefix("https://")] if issuer == _GOOGLE else [issuer]


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
