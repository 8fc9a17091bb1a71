"""GoIP and DBL boxes by way of goip-bridge (e-u-shapovalov/goip-bridge): its webhooks."""

from __future__ import annotations

from typing import Any

from simyard.core.gateways.model import GatewayMessage, Sim, SimSeen
from simyard.edge.gateways import reading, signatures
from simyard.edge.gateways.wire import GatewayRequest, Kind, Malformed, Said, Signing


def read(request: GatewayRequest) -> Said:
    event = request.json_object()
    if not isinstance(event.get("type"), str):
        raise Malformed("no type")
    if event["type"] in ("line_up", "line_down"):
        return Said(sims=[SimSeen(_sim(event), usable=event["type"] == "line_up")])
    if event["type"] != "sms":
        return Said()
    if not isinstance(event.get("text"), str) or not event.get("line"):
        raise Malformed("no line or no text")
    return Said(
        [
            GatewayMessage(
                _sim(event),
                reading.text(event.get("from")),
                event["text"],
                request.time(event.get("time")),
            )
        ]
    )


def _sim(event: dict[str, Any]) -> Sim:
    """A line that knows its number and card, as our own listener for these boxes does, says so."""
    return Sim(
        recipient=reading.text(event.get("number")),
        iccid=reading.text(event.get("iccid")),
        place=reading.text(event.get("line")),
    )


def set_up(url: str, secret: str | None) -> list[str]:
    return [
        "Beside the boxes, with the address and the secret below in files of their own:",
        "  simyard gateway goip --url-file FILE --secret-file FILE --listen 0.0.0.0:44444 --password PW",
        "or, with goip-bridge, in its configuration:",
        f"  webhook_url    {url}",
        f"  webhook_token  {secret or '(none)'}",
        "Map each line once: simyard gateway map NAME line01 NUMBER",
    ]


KIND = Kind(
    "goip-bridge",
    "GoIP and DBL boxes behind goip-bridge",
    read,
    set_up,
    verify=signatures.verify_bearer,
    signing=Signing.ALWAYS,
    reports_sims=True,
)
