"""Signatures of several kinds of gateways."""

from __future__ import annotations

import hashlib
import hmac

from simyard.edge.gateways.wire import GatewayRequest, NotSigned

_BEARER = "bearer "


def same(given: str, expected: str) -> bool:
    """Compares in a time that says nothing about where they differ."""
    return hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass")
    )


def hmac_hex(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def bearer(request: GatewayRequest) -> str:
    """The token of the Authorization header; empty when there is none."""
    given = request.headers.get("authorization", "")
    return given[len(_BEARER) :].strip() if given[: len(_BEARER)].lower() == _BEARER else ""


def verify_bearer(request: GatewayRequest, secret: str) -> None:
    """The secret itself is the token. Raises NotSigned."""
    if not same(bearer(request), secret):
        raise NotSigned("the Authorization header is missing or wrong")
