"""gammu-smsd by way of our own hook (`simyard gateway hook`)."""

from __future__ import annotations

import sys

from simyard.core.gateways.model import GatewayMessage, Sim
from simyard.edge.gateways import reading
from simyard.edge.gateways.wire import GatewayRequest, Kind, Malformed, Said


def read(request: GatewayRequest) -> Said:
    event = request.json_object()
    if not isinstance(event.get("text"), str):
        raise Malformed("no text")
    return Said(
        [
            GatewayMessage(
                Sim(place=reading.text(event.get("phone_id"))),
                reading.text(event.get("from")),
                event["text"],
                request.time(event.get("received_at")),
                reading.text(event.get("id")),
            )
        ]
    )


def set_up(url: str, secret: str | None) -> list[str]:
    return [
        "Write the address into a file only gammu-smsd can read, such as /etc/simyard-gateway:",
        f"  {url}",
        "In each gammu-smsdrc, with a PhoneId of its own (a C.UTF-8 locale keeps texts whole):",
        "  [smsd]",
        "  PhoneId = modem1",
        f"  RunOnReceive = {sys.executable} -m simyard.edge.gateways.hook --url-file /etc/simyard-gateway --spool /var/spool/simyard",
        "Map each PhoneId once: simyard gateway map NAME modem1 NUMBER",
    ]


KIND = Kind("gammu", "gammu-smsd with our hook", read, set_up)
