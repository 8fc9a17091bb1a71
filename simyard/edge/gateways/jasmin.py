"""Jasmin: deliver_sm thrown by HTTP."""

from __future__ import annotations

from simyard.core.gateways.model import Gateway, GatewayMessage, Sim
from simyard.edge.gateways.wire import Answer, GatewayRequest, Kind, Malformed, Said

# Data codings whose text is to be read from the raw bytes.
_CODECS = {"3": "latin-1", "8": "utf-16-be"}


def read(request: GatewayRequest) -> Said:
    fields = {**request.query, **request.form}
    if "from" not in fields or "to" not in fields or not ("content" in fields or "binary" in fields):
        raise Malformed("no from, to or content")
    sim = Sim(recipient=fields["to"])
    return Said([GatewayMessage(sim, fields["from"], _text(fields), None, fields.get("id", ""))])


def _text(fields: dict[str, str]) -> str:
    codec = _CODECS.get(fields.get("coding", "0").strip())
    if codec is not None and fields.get("binary"):
        try:
            return bytes.fromhex(fields["binary"]).decode(codec, "replace")
        except ValueError:
            pass
    return fields.get("content", "")


def _answer(gateway: Gateway) -> Answer:
    return Answer(200, "ACK/Jasmin")


def set_up(url: str, secret: str | None) -> list[str]:
    return [
        "In jcli:",
        "  httpccm -a",
        "  > url " + url,
        "  > method POST",
        "  > cid simyard",
        "  > ok",
        "Then route messages to it with morouter. Jasmin does not sign: name its address with --allow.",
    ]


KIND = Kind("jasmin", "Jasmin", read, set_up, methods=frozenset({"GET", "POST"}), answer=_answer)
