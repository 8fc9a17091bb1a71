"""SMS Gateway for Android (capcom6/android-sms-gateway): webhooks of the app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simyard.core.gateways.model import GatewayMessage, Sim, SimSeen
from simyard.edge.gateways import reading, signatures
from simyard.edge.gateways.wire import GatewayRequest, Kind, Malformed, NotSigned, Said, Signing

_SECONDS_OFF_MAX: Final = 300


def read(request: GatewayRequest) -> Said:
    event = request.json_object()
    payload, device = event.get("payload"), reading.text(event.get("deviceId"))
    name = event.get("event")
    if not isinstance(name, str) or not isinstance(payload, dict | None):
        raise Malformed("no event or no payload")
    payload = payload or {}
    if name == "app:started":
        return Said(sims=_sims(device, reading.items(payload.get("simCards"))))
    if name != "sms:received":
        return Said()
    if not isinstance(payload.get("message"), str):
        raise Malformed("no message")
    received = payload.get("receivedAt")
    # The app's id of an event differs between copies of one message; the id of the message is made of its content.
    parts = (device, reading.text(payload.get("messageId")), reading.text(received))
    sim = Sim(
        recipient=reading.text(payload.get("recipient")),
        device=device,
        place=reading.text(payload.get("simNumber")),
    )
    sender = reading.text(payload.get("sender")) or reading.text(payload.get("phoneNumber"))
    message = GatewayMessage(
        sim, sender, payload["message"], request.time(received), "|".join(parts) if all(parts) else ""
    )
    return Said([message])


def _sims(device: str, cards: Sequence[dict[str, object]]) -> list[SimSeen]:
    """Which number each slot has. A phone with one SIM is known by its own id too, because its messages may name no slot."""
    seen = [
        SimSeen(
            Sim(
                recipient=reading.text(card.get("phoneNumber")),
                iccid=reading.text(card.get("iccid")),
                device=device,
                place=reading.text(card.get("simNumber")),
            )
        )
        for card in cards
    ]
    if len(seen) == 1:
        only = seen[0].sim
        seen.append(SimSeen(Sim(recipient=only.recipient, iccid=only.iccid, device=device)))
    else:
        seen.append(SimSeen(Sim(device=device), usable=False))
    return seen


def verify(request: GatewayRequest, secret: str) -> None:
    stamp = request.headers.get("x-timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
        raise NotSigned("no X-Timestamp")
    expected = signatures.hmac_hex(secret, request.body + stamp.encode())
    if not signatures.same(request.headers.get("x-signature", "").lower(), expected):
        raise NotSigned("X-Signature is missing or wrong")
    if abs(int(stamp) - request.now.timestamp()) > _SECONDS_OFF_MAX:
        raise NotSigned("X-Timestamp is more than five minutes off")


def set_up(url: str, secret: str | None) -> list[str]:
    lines = [
        "In the app: Settings, Webhooks, Signing Key: " + (secret or "(none)"),
        "Register the address for the events sms:received, app:started and system:ping:",
    ]
    lines += [
        f"""  curl -u USER:PASSWORD -H 'content-type: application/json' https://api.sms-gate.app/3rdparty/v1/webhooks -d '{{"url":"{url}","event":"{event}"}}'"""
        for event in ("sms:received", "app:started", "system:ping")
    ]
    return [*lines, "The address must be https. Switch RCS and battery optimisation off on the phone."]


KIND = Kind(
    "smsgate-android",
    "SMS Gateway for Android",
    read,
    set_up,
    verify=verify,
    signing=Signing.ALWAYS,
    reports_sims=True,
)
