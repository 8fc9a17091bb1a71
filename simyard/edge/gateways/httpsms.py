"""httpSMS: CloudEvents of its server."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any, Final
from urllib.parse import urlsplit

from simyard.core.gateways.model import GatewayMessage, Sim
from simyard.edge.gateways import reading, signatures
from simyard.edge.gateways.wire import GatewayRequest, Kind, Malformed, NotSigned, Said, Signing

_RECEIVED: Final = "message.phone.received"
_TOKEN_LENGTH_MAX: Final = 4000
# Clocks differ a little; the token itself is good for ten minutes either side.
_LEEWAY_SECONDS: Final = 60


def read(request: GatewayRequest) -> Said:
    event = request.json_object()
    name = event.get("type") or request.headers.get("x-event-type")
    data = event.get("data")
    if not isinstance(name, str):
        raise Malformed("no type")
    if name != _RECEIVED:
        return Said()
    if not isinstance(data, dict) or not isinstance(data.get("content"), str):
        raise Malformed("no content")
    if data.get("encrypted") is True:
        return Said(unreadable=1)
    return Said(
        [
            GatewayMessage(
                Sim(recipient=reading.text(data.get("owner")), place=reading.text(data.get("sim"))),
                reading.text(data.get("contact")),
                data["content"],
                request.time(data.get("timestamp")),
                reading.text(data.get("message_id")),
            )
        ]
    )


def verify(request: GatewayRequest, secret: str) -> None:
    token = signatures.bearer(request)
    head, _, rest = token.partition(".")
    payload, _, signature = rest.partition(".")
    if not signature or len(token) > _TOKEN_LENGTH_MAX:
        raise NotSigned("no token")
    if _part(head).get("alg") != "HS256":
        raise NotSigned("the token is not made with HS256")
    expected = hmac.new(secret.encode(), f"{head}.{payload}".encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(_bytes(signature), expected):
        raise NotSigned("the token is wrong")
    claims = _part(payload)
    now = request.now.timestamp()
    if (
        not now - _LEEWAY_SECONDS < _number(claims.get("exp"))
        or not _number(claims.get("nbf")) < now + _LEEWAY_SECONDS
    ):
        raise NotSigned("the token is not good now")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    # Which host and what folder of it we are to others is nothing we know; the end with its token is ours alone.
    if not any(
        isinstance(one, str) and signatures.same(_path(one)[-len(request.path) :], request.path)
        for one in named
    ):
        raise NotSigned("the token is for somebody else")


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _bytes(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise NotSigned("the token cannot be read") from None


def _part(part: str) -> dict[str, Any]:
    try:
        content = reading.decode_json(_bytes(part))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise NotSigned("the token cannot be read")
    return content


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotSigned("the token names no time")
    return value


def set_up(url: str, secret: str | None) -> list[str]:
    return [
        "On httpsms.com: Settings, Webhooks, Add; event message.phone.received.",
        f"  Callback URL  {url}",
        f"  Signing key   {secret or '(none)'}",
        "Leave end-to-end encryption off: encrypted messages cannot be read, and are only counted.",
    ]


KIND = Kind("httpsms", "httpSMS", read, set_up, verify=verify, signing=Signing.ALWAYS)
