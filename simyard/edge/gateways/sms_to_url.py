"""Incoming SMS to URL forwarder (bogkonstantin/android_income_sms_gateway_webhook), with its own template."""

from __future__ import annotations

from simyard.core.gateways.model import GatewayMessage, Sim
from simyard.edge.gateways import reading, signatures
from simyard.edge.gateways.wire import GatewayRequest, Kind, Malformed, Said, Signing


def read(request: GatewayRequest) -> Said:
    event = request.json_object()
    if not isinstance(event.get("text"), str):
        raise Malformed("no text")
    return Said(
        [
            GatewayMessage(
                Sim(place=reading.text(event.get("sim"))),
                reading.text(event.get("from")),
                event["text"],
                request.time(event.get("receivedStamp")) or request.time(event.get("sentStamp")),
            )
        ]
    )


def set_up(url: str, secret: str | None) -> list[str]:
    lines = [
        "In the app: add a forwarding, sender *, the template as it is.",
        f"  Webhook URL  {url}",
    ]
    if secret:
        lines.append(f'  Headers      {{"Authorization": "Bearer {secret}"}}')
    return [*lines, "One phone for each gateway: the app names the slot, but not the phone."]


KIND = Kind(
    "sms-to-url",
    "Incoming SMS to URL forwarder",
    read,
    set_up,
    verify=signatures.verify_bearer,
    signing=Signing.ON_REQUEST,
)
