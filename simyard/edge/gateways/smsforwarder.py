"""SmsForwarder (pppscn): its webhook sender, whose form and JSON are templates."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from simyard.core.gateways.model import GatewayMessage, Sim
from simyard.edge.gateways import reading, signatures
from simyard.edge.gateways.wire import GatewayRequest, Kind, Malformed, NotSigned, Said, Signing

# The signature covers the time alone, and the phone's clock may be off.
_SECONDS_OFF_MAX: Final = 3600
TEMPLATE: Final = (
    '{"from":"[from]","text":"[org_content]","sim":"[card_slot]","device":"[device_mark]",'
    '"ts":"[timestamp]","sign":"[sign]"}'
)


def read(request: GatewayRequest) -> Said:
    fields = _fields(request)
    text = _first(fields, "text", "org_content", "content", "msg")
    sender = _first(fields, "from", "sender")
    if text is None or sender is None:
        raise Malformed("no from or no text")
    sim = Sim(
        device=_first(fields, "device", "device_mark") or "",
        place=_first(fields, "sim", "card_slot", "title") or "",
    )
    return Said([GatewayMessage(sim, sender, text, request.time(_stamp(fields)))])


def _fields(request: GatewayRequest) -> Mapping[str, Any]:
    if request.form:
        return {**request.query, **request.form}
    if request.body.strip():
        return {**request.query, **request.json_object()}
    return request.query


def _first(fields: Mapping[str, Any], *names: str) -> str | None:
    for name in names:
        if name in fields and (found := reading.text(fields[name])):
            return found
    return None


def _stamp(fields: Mapping[str, Any]) -> str:
    return _first(fields, "ts", "timestamp") or ""


def sign(secret: str, stamp: str) -> str:
    """The signature before it is encoded for a URL."""
    content = f"{stamp}\n{secret}".encode()
    return base64.b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()


def verify(request: GatewayRequest, secret: str) -> None:
    try:
        fields = _fields(request)
    except Malformed as error:
        raise NotSigned("no signature can be read") from error
    stamp, given = _stamp(fields), _first(fields, "sign") or ""
    # The app encodes the value for a URL before the form or JSON does its own.
    if not signatures.same(unquote(given).replace(" ", "+"), sign(secret, stamp)):
        raise NotSigned("sign is missing or wrong")
    moment = request.time(stamp)
    if moment is None or abs((request.now - moment).total_seconds()) > _SECONDS_OFF_MAX:
        raise NotSigned("the time is more than an hour off")


def set_up(url: str, secret: str | None) -> list[str]:
    return [
        "In the app: Senders, Webhook; method POST.",
        f"  URL       {url}",
        f"  Secret    {secret or '(none)'}",
        f"  Template  {TEMPLATE}",
        "  Expected answer  OK",
        "[content] would bring other lines with the text, so the template has [org_content].",
    ]


KIND = Kind(
    "smsforwarder",
    "SmsForwarder",
    read,
    set_up,
    verify=verify,
    signing=Signing.ALWAYS,
    methods=frozenset({"GET", "POST", "PUT", "PATCH"}),
)
