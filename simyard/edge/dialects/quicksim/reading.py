"""Reading requests: fields of a JSON body, ids, keys."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from simyard.base.ids import ID_MAX, ActivationId
from simyard.base.refusals import Refusal, Refused
from simyard.edge.wire import WireRequest

IDEMPOTENCY_KEY_LENGTH_MAX: Final = 255


def fields(request: WireRequest) -> dict[str, Any]:
    """The body's fields. Refuses: MALFORMED when it is not a JSON object."""
    if not request.body.strip():
        return {}
    try:
        return msgspec.json.decode(request.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed("The request body must be a JSON object.") from error


def malformed(problem: str) -> Refusal:
    return Refusal(Refused.MALFORMED, problem=problem)


def text(given: dict[str, Any], field: str) -> str:
    """A field that must be a string with something in it. Refuses: MALFORMED."""
    value = given.get(field)
    if value is None or value == "":
        raise malformed(f"The {field} field is required.")
    if not isinstance(value, str):
        raise malformed(f"The {field} field must be a string.")
    return value


def activation_id(value: object) -> ActivationId:
    """An id as a number or its digits. Refuses: MALFORMED when it is neither; UNKNOWN_LEASE when it can be none of ours."""
    if value is None or value == "":
        raise malformed("The activation_id is required.")
    written = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    digits = written.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise malformed("The activation_id must be an integer.")
    if digits != written or len(digits) > len(str(ID_MAX)) or not 0 < int(digits) <= ID_MAX:
        raise Refusal(Refused.UNKNOWN_LEASE)
    return ActivationId(int(digits))


def idempotency_key(request: WireRequest) -> str | None:
    key = request.header(b"idempotency-key")
    if key is not None and (not 1 <= len(key) <= IDEMPOTENCY_KEY_LENGTH_MAX or not key.isprintable()):
        raise malformed(
            f"The Idempotency-Key must have 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} printable characters."
        )
    return key
