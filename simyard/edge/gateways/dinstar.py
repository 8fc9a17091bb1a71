"""Dinstar UC boxes: pushes of messages and of the registration of their ports."""

from __future__ import annotations

from simyard.core.gateways.model import GatewayMessage, Sim, SimSeen
from simyard.edge.gateways import reading
from simyard.edge.gateways.wire import GatewayRequest, Kind, Malformed, Said


def read(request: GatewayRequest) -> Said:
    content = request.json_object()
    device = reading.text(content.get("sn"))
    if not device:
        raise Malformed("no sn")
    messages = [
        GatewayMessage(
            Sim(device=device, place=reading.text(entry.get("port"))),
            reading.text(entry.get("number")),
            reading.text(entry.get("text")),
            request.time(entry.get("timestamp")),
            _event_id(device, entry),
        )
        for entry in reading.items(content.get("sms"))
    ]
    sims = [
        SimSeen(
            Sim(
                recipient=reading.text(entry.get("number")),
                iccid=reading.text(entry.get("iccid")),
                imsi=reading.text(entry.get("imsi")),
                device=device,
                place=reading.text(entry.get("port")),
            ),
            usable=reading.text(entry.get("status")).lower() == "up",
        )
        for entry in reading.items(content.get("register"))
    ]
    return Said(messages, sims)


def _event_id(device: str, entry: dict[str, object]) -> str:
    """With the time, because the box may start to count anew."""
    number = reading.text(entry.get("incoming_sms_id"))
    return f"{device}|{number}|{reading.text(entry.get('timestamp'))}" if number else ""


def set_up(url: str, secret: str | None) -> list[str]:
    return [
        "In the box's pages, under API or HTTP push, enter the address for SMS and for port registration:",
        f"  {url}",
        "Its times have no zone: give the box's with --zone. It does not sign: name its address with --allow.",
    ]


KIND = Kind("dinstar", "Dinstar UC boxes", read, set_up, reports_sims=True)
