"""An issuer of credentials to test with: keys of its own, and tokens signed with them, right or wrong."""

from __future__ import annotations

import base64
import json
import warnings
from datetime import datetime
from typing import Any, ClassVar

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.warnings import InsecureKeyLengthWarning

ISSUER = "https://accounts.google.com"
CLIENT_ID = "1008-simyard.apps.googleusercontent.com"

_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_WEAK_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
_EC = ec.generate_private_key(ec.SECP256R1())


class Issuer:
    """Publishes `rsa`, `ec` and `weak`; `stranger` is a key nobody published."""

    keys: ClassVar[dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey]] = {
        "rsa": _RSA,
        "ec": _EC,
        "weak": _WEAK_RSA,
        "stranger": _OTHER_RSA,
    }

    def __init__(self, published: tuple[str, ...] = ("rsa", "ec", "weak")) -> None:
        self.published = published

    def key_set(self) -> bytes:
        return json.dumps({"keys": [self.public_key(name) for name in self.published]}).encode()

    def public_key(self, name: str, **changed: Any) -> dict[str, Any]:
        key = self.keys[name].public_key()
        if isinstance(key, rsa.RSAPublicKey):
            return {
                **RSAAlgorithm.to_jwk(key, as_dict=True),
                "kid": name,
                "use": "sig",
                "alg": "RS256",
                **changed,
            }
        return {**ECAlgorithm.to_jwk(key, as_dict=True), "kid": name, "use": "sig", "alg": "ES256", **changed}

    def pem(self, name: str) -> bytes:
        return self.keys[name].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @staticmethod
    def claims(now: datetime, **changed: Any) -> dict[str, Any]:
        moment = int(now.timestamp())
        claims = {
            "iss": ISSUER,
            "aud": CLIENT_ID,
            "sub": "110169484474386276334",
            "email": "jane@example.com",
            "email_verified": True,
            "name": "Jane Developer",
            "iat": moment,
            "exp": moment + 3600,
            **changed,
        }
        return {name: value for name, value in claims.items() if value is not ...}

    def credential(
        self,
        now: datetime,
        *,
        key: str = "rsa",
        algorithm: str | None = None,
        headers: dict[str, Any] | None = None,
        **changed: Any,
    ) -> str:
        with warnings.catch_warnings():
            # The weak key is meant to be weak.
            warnings.simplefilter("ignore", InsecureKeyLengthWarning)
            return jwt.encode(
                self.claims(now, **changed),
                self.keys[key],
                algorithm=algorithm or ("ES256" if key == "ec" else "RS256"),
                headers={"kid": key, **(headers or {})},
            )


def raw_token(header: dict[str, Any], claims: dict[str, Any], signature: bytes) -> str:
    """A token put together by hand, for what no library signs."""
    return b".".join(
        base64.urlsafe_b64encode(part).rstrip(b"=")
        for part in (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    ).decode()
