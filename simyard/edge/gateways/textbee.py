"""textbee (vernu/textbee): webhooks of its server."""

from __future__ import annotations

from simyard.core.gateways.model import GatewayMessage, Sim
from simyard.edge.gateways import reading, signatures
from simyard.edge.gateways.wire import GatewayRequest, Kind, Malformed, NotSigned, Said, Signing


def read(request: GatewayRequest) -> Said:
    event = request.json_object()
    if not isinstance(event.get("webhookEvent"), str):
        raise Malformed("no webhookEvent")
    if event["webhookEvent"] != "MESSAGE_RECEIVED":
        return Said()
    if not isinstance(event.get("message"), str):
        raise Malformed("no message")
    device = reading.text(event.get("deviceId"))
    event_id = reading.text(event.get("smsId")) or reading.text(event.get("idempotencyKey"))
    return Said(
        [
            GatewayMessage(
                Sim(device=device),
                reading.text(event.get("sender")),
                event["message"],
                request.time(event.get("receivedAt")),
                event_id,
            )
        ]
    )


def verify(request: GatewayRequest, secret: str) -> None:
    expected = signatures.hmac_hex(secret, request.body)
    if not signatures.same(request.headers.get("x-signature", "").lower(), expected):
        raise NotSigned("X-Signature is missing or wrong")


def set_up(url: str, secret: str | None) -> list[str]:
    return [
        "In textbee: Webhooks, Create; event MESSAGE_RECEIVED.",
        f"  Delivery URL    {url}",
        f"  Signing secret  {secret or '(none)'}",
        "A device is one number: textbee does not say which SIM. Map it: simyard gateway map NAME DEVICE-ID NUMBER",
    ]


KIND = Kind("textbee", "textbee", read, set_up, verify=verify, signing=Signing.ALWAYS)
