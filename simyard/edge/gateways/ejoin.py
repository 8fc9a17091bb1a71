"""Ejoin and Skyline boxes, one firmware family: pushes of messages and of their status, in four shapes."""

from __future__ import annotations

from typing import Any, Final

from simyard.core.gateways.model import Gateway, GatewayMessage, Sim, SimSeen
from simyard.edge.gateways import reading
from simyard.edge.gateways.wire import Answer, GatewayRequest, Kind, Malformed, Said

# What the boxes call the states in which a SIM can receive.
_USABLE: Final = frozenset(("3", "4", "15"))
# Of the elements of a message in the older shape.
_ELEMENTS: Final = 6


def read(request: GatewayRequest) -> Said:
    if request.content_type == "application/octet-stream":
        return Said([_screen(request)])
    content = request.json_object()
    shape, device = content.get("type"), reading.text(content.get("mac"))
    if not isinstance(shape, str):
        raise Malformed("no type")
    if shape == "recv-sms":
        entries = content.get("sms")
        if not isinstance(entries, list):
            raise Malformed("no list of messages")
        return Said([_older(request, entry) for entry in entries if _is_message(entry)])
    if shape == "received-sms":
        return Said(
            [
                _newer(request, device, entry)
                for entry in reading.items(content.get("smses"))
                if reading.text(entry.get("is_report")) in ("", "0")
            ]
        )
    if shape in ("dev-status", "port-status"):
        status = content.get("status")
        entries = reading.items(status) or ([status] if isinstance(status, dict) else [])
        if not entries and "port" in content:
            entries = [content]
        return Said(sims=[_sim_seen(device, entry) for entry in entries])
    return Said()


def _is_message(entry: object) -> bool:
    """A delivery report has another flag."""
    return isinstance(entry, list) and len(entry) >= _ELEMENTS and reading.text(entry[0]) == "0"


def _older(request: GatewayRequest, entry: list[Any]) -> GatewayMessage:
    _, port, stamp, sender, recipient, encoded = entry[:_ELEMENTS]
    found = reading.unwrap(reading.from_base64(reading.text(encoded)))
    sim = Sim(recipient=reading.text(recipient) or found.recipient, place=reading.text(port) or found.port)
    return GatewayMessage(
        sim, reading.text(sender) or found.sender, found.text, request.time(stamp) or found.sent_at
    )


def _newer(request: GatewayRequest, device: str, entry: dict[str, Any]) -> GatewayMessage:
    found = reading.unwrap(reading.from_base64(reading.text(entry.get("sms"))))
    sim = Sim(
        recipient=reading.text(entry.get("to")) or found.recipient,
        iccid=reading.text(entry.get("iccid")),
        imsi=reading.text(entry.get("imsi")),
        device=device,
        place=_place(entry) or found.port,
    )
    return GatewayMessage(
        sim,
        reading.text(entry.get("from")) or found.sender,
        found.text,
        request.time(entry.get("ts")) or found.sent_at,
    )


def _place(entry: dict[str, Any]) -> str:
    """Port and slot as the other shapes write them: `12.01`."""
    port, slot = reading.text(entry.get("port")), reading.text(entry.get("slot"))
    return f"{port}.{slot.zfill(2)}" if port and slot and "." not in port else port


def _sim_seen(device: str, entry: dict[str, Any]) -> SimSeen:
    sim = Sim(
        recipient=reading.text(entry.get("sn")),
        iccid=reading.text(entry.get("iccid")),
        imsi=reading.text(entry.get("imsi")),
        device=device,
        place=_place(entry),
    )
    usable = reading.text(entry.get("st")) in _USABLE and reading.text(entry.get("inserted")) != "0"
    return SimSeen(sim, usable)


def _screen(request: GatewayRequest) -> GatewayMessage:
    """The screen "SMS to HTTP": what is known stands in the query, the text in the body."""
    query = request.query
    if "port" not in query and "iccid" not in query:
        raise Malformed("no port in the query")
    found = reading.unwrap(request.body.decode("utf-8", "replace"))
    sim = Sim(
        recipient=found.recipient,
        iccid=query.get("iccid", ""),
        device=query.get("mac", ""),
        place=query.get("port", "") or found.port,
    )
    return GatewayMessage(sim, query.get("sender", "") or found.sender, found.text, found.sent_at)


def _answer(gateway: Gateway) -> Answer:
    return Answer(200, '{"code":200,"reason":"OK"}', "application/json")


def set_up(url: str, secret: str | None) -> list[str]:
    return [
        "In the box's pages, enter the address as",
        f"  API or SMS to HTTP, address to push received SMS to   {url}",
        f"  Status report server, every 60 s                      {url}",
        "The status report tells us which SIM sits where. The box does not sign: name its address with --allow.",
    ]


KIND = Kind("ejoin", "Ejoin and Skyline boxes", read, set_up, answer=_answer, reports_sims=True)
