"""Reading what gateways send: JSON of careless programs, values of any type, times in any format, texts in wrappings."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_LENGTH_MAX: Final = 40
# As seconds this is the year 5138, as milliseconds 1973: no time of a message is mistaken for the other.
_MILLISECONDS_FROM: Final = 100_000_000_000
_NUMBER: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{0,9})?")


def decode_json(body: bytes) -> Any:
    """JSON, also with bare line breaks, halves of surrogate pairs or bytes that are no UTF-8. Raises ValueError."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    except RecursionError:
        raise ValueError("nested too deeply") from None
    try:
        return json.loads(body.decode("utf-8", "replace"), strict=False)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def text(value: object) -> str:
    """A text, or a number written as one; empty for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) and value.is_integer() and abs(value) < 1e18 else ""
    return str(value) if abs(value) < 10**30 else ""


def items(value: object) -> list[dict[str, Any]]:
    """The objects of a list; none when it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def time(value: object, zone: ZoneInfo) -> datetime | None:
    """UNIX time in seconds or milliseconds, or ISO 8601 with `T`, a space or a plus; None when it is none of these."""
    if isinstance(value, str):
        written = value.strip()
        if len(written) > _TIME_LENGTH_MAX:
            return None
        moment = _unix(float(written)) if _NUMBER.fullmatch(written) else _iso(written, zone)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        moment = _unix(value)
    else:
        return None
    return moment if moment is not None and _EARLIEST <= moment < _LATEST else None


def _unix(number: float) -> datetime | None:
    if not 0 <= number < _MILLISECONDS_FROM * 1000:
        return None
    seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
    return _EPOCH + timedelta(seconds=seconds)


def _iso(written: str, zone: ZoneInfo) -> datetime | None:
    try:
        moment = datetime.fromisoformat(re.sub(r"(?<=\d)\+(?=\d\d:\d\d:\d\d$)", "T", written.upper()))
    except ValueError:
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        return None


def from_base64(encoded: str) -> str:
    """The text in base64; what cannot be base64 of a text is taken as it is."""
    packed = "".join(encoded.split())
    try:
        return base64.b64decode(packed, validate=True).decode() if packed else encoded
    except (binascii.Error, ValueError):
        return encoded


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """A text without the block of lines some boxes put before it, and what these lines said."""

    text: str
    sender: str = ""
    port: str = ""
    recipient: str = ""
    sent_at: datetime | None = None


_BLOCK: Final = re.compile(r"\s*Sender:[^\n]{0,300}\n(?:[A-Za-z]{2,20}:[^\n]{0,300}\n){1,10}\r?\n", re.ASCII)
_LINE: Final = re.compile(r"([A-Za-z]{2,20}):[ \t]*([^\n]{0,300}?)[ \t]*\r?\n", re.ASCII)
_RECEIVER: Final = re.compile(r'(?:"([^"]{0,100})")?[ \t]*(.{0,100})')
_SCTS: Final = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([+-]?\d\d)?")


def unwrap(wrapped: str) -> Unwrapped:
    """Takes a block `Sender: … / Receiver: "port" number / SMSC: … / SCTS: …` and its empty line off a text."""
    block = _BLOCK.match(wrapped)
    if block is None:
        return Unwrapped(wrapped)
    lines = {name.lower(): value for name, value in _LINE.findall(block[0])}
    if "receiver" not in lines:
        return Unwrapped(wrapped)
    receiver = _RECEIVER.match(lines["receiver"])
    port, recipient = (receiver[1] or "", receiver[2]) if receiver else ("", "")
    sent_at = _scts(lines.get("scts", ""))
    return Unwrapped(wrapped[block.end() :], lines["sender"], port, recipient.strip().strip('"'), sent_at)


def _scts(stamp: str) -> datetime | None:
    """A service centre's time: YYMMDDhhmmss and its zone in quarters of an hour."""
    match = _SCTS.fullmatch(stamp.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    zone = timezone(timedelta(minutes=15 * int(match[7] or 0)))
    try:
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except ValueError:
        return None
