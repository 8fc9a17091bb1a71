"""Rules: by which names a SIM is looked for, what recognises a repeat, and how a gateway's address is made."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime, timedelta

from simyard.base import phone
from simyard.core.gateways.model import DEVICE_LENGTH_MAX, KEY_LENGTH_MAX, GatewayMessage, Sim

TOKEN_LENGTH_MAX = 100
TOKEN_PREFIX = "gw_"  # noqa: S105  a prefix, no password

# Two copies of one SMS carry receive times that differ by less than this, and come within the window.
REPEAT_DISTANCE = timedelta(seconds=10)
REPEAT_WINDOW = timedelta(minutes=10)

_LONG_DIGITS = re.compile(r"[0-9A-Fa-f]{5,32}")


def new_token() -> str:
    """The secret part of a gateway's address."""
    return TOKEN_PREFIX + secrets.token_urlsafe(24)


def digest(token: str) -> bytes:
    """What is stored and looked up of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def clean(text: str, length_max: int) -> str:
    """A name as it can be stored: without what no column holds, and not too long."""
    printable = "".join(sign for sign in text.strip() if sign.isprintable())
    return printable.encode("utf-8", "replace").decode()[:length_max]


def device(sim: Sim) -> str:
    return clean(sim.device, DEVICE_LENGTH_MAX)


def recipient(sim: Sim, country: str | None) -> str | None:
    """The number the gateway named outright, in E.164; None when it named none."""
    if not sim.recipient.strip():
        return None
    found = phone.parse(sim.recipient.strip(), region=country)
    return None if found is None else found.e164


def keys(sim: Sim, *, one_device: bool) -> list[str]:
    """The names a SIM may be known by, the surest first: ICCID, IMSI, place in its device, what it calls itself.

    A place alone, or a device alone, is good only while one device is behind the gateway, or nothing more was said.
    """
    where, box = clean(sim.place, KEY_LENGTH_MAX), device(sim)
    names = cards(sim)
    if where and box:
        names.append(f"{box}/{where}")
    if where and (one_device or not box):
        names.append(where)
    if box and not where:
        names.append(box)
    if called := clean(sim.recipient, KEY_LENGTH_MAX):
        names.append(f"to:{called}")
    return [name[:KEY_LENGTH_MAX] for name in names]


def ports(sim: Sim, *, one_device: bool, alone: bool) -> list[str]:
    """What its supplier may have reported as the port a number sits in, the surest first.

    A place alone is good only while no other gateway reports places of the same pool.
    """
    where = clean(sim.place, KEY_LENGTH_MAX)
    names = [name.removeprefix("iccid:") for name in keys(sim, one_device=one_device)]
    return [name for name in names if not name.startswith(("imsi:", "to:")) and (alone or name != where)]


def cards(sim: Sim) -> list[str]:
    """The names that stay with a SIM wherever it sits."""
    names = []
    if card := _card(sim.iccid):
        names.append(f"iccid:{card}")
    if card := _card(sim.imsi):
        names.append(f"imsi:{card}")
    return names


def is_card(key: str) -> bool:
    return key.startswith(("iccid:", "imsi:"))


def places(sim: Sim) -> list[str]:
    """The name of where a SIM sits, under which it may be learnt: never a port alone where its device is known."""
    where, box = clean(sim.place, KEY_LENGTH_MAX), device(sim)
    name = f"{box}/{where}" if where and box else where or box
    return [name[:KEY_LENGTH_MAX]] if name else []


def _card(text: str) -> str:
    """An ICCID or IMSI as it is compared: without the filler some boxes leave at its end."""
    digits = text.strip().strip('"')
    return digits.upper().rstrip("F") if _LONG_DIGITS.fullmatch(digits) else ""


def name_of(sim: Sim) -> str:
    """What to call a SIM that is not known: the surest of its names."""
    return next(iter(keys(sim, one_device=False)), "(nothing)")


def event_digest(message: GatewayMessage) -> bytes | None:
    """What recognises the same event of a gateway; None when it has no ids."""
    if not message.event_id:
        return None
    return hashlib.sha256(_bytes("event", message.event_id)).digest()


def content_digest(message: GatewayMessage) -> bytes:
    """What recognises the same text from the same sender on the same SIM."""
    sim = message.sim
    parts = (
        "content",
        sim.recipient,
        sim.iccid,
        sim.imsi,
        sim.device,
        sim.place,
        message.sender,
        message.text,
    )
    return hashlib.sha256(_bytes(*parts)).digest()


def is_copy(message: GatewayMessage, *, sent_at: datetime | None, seen_at: datetime, now: datetime) -> bool:
    """Whether it is a copy of one with the same content, which was seen then.

    A service may well send the same code twice, so a time that is some way off, or an id of its own where there is no
    time, makes it another message.
    """
    if now - seen_at > REPEAT_WINDOW:
        return message.sent_at is not None and message.sent_at == sent_at
    if message.sent_at is None:
        return not message.event_id
    return sent_at is None or abs(message.sent_at - sent_at) < REPEAT_DISTANCE


def _bytes(*parts: str) -> bytes:
    return "\0".join(part.replace("\0", "\ufffd") for part in parts).encode("utf-8", "surrogatepass")
