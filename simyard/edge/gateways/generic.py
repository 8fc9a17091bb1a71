"""Any other gateway: a template says where in its requests each part of a message stands.

The options: `fields`, a source for each name in FIELDS; `each`, the path of a list in the JSON body with a message in
each element; `base64`, for texts in it; `header_block`, for texts behind lines about them; `answer` and `status`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from simyard.core.gateways.model import Gateway, GatewayMessage, Sim
from simyard.edge.gateways import reading, signatures
from simyard.edge.gateways.wire import Answer, GatewayRequest, Kind, Malformed, Said, Signing

FIELDS: Final = ("from", "text", "to", "iccid", "imsi", "device", "place", "time", "id")
_SOURCES: Final = ("json", "form", "query", "header", "body")
_STEP: Final = re.compile(r"[^.\[\]]+|\[[0-9]{1,4}\]")
_PATH: Final = re.compile(r"(?:[^.\[\]]+|\[[0-9]{1,4}\])(?:\.[^.\[\]]+|\[[0-9]{1,4}\])*")
_OPTIONS: Final = frozenset(("fields", "each", "base64", "header_block", "answer", "status"))
_ANSWER_LENGTH_MAX: Final = 1000

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "openvox": {
        "fields": {"from": "query:phonenumber", "text": "query:message", "place": "query:port"},
    },
    "openvox-form": {
        "fields": {"from": "form:phonenumber", "text": "form:message", "place": "form:port"},
    },
    "goip-form": {"fields": {"from": "form:src_num", "text": "form:msg", "place": "form:line"}},
}


def check_options(options: Mapping[str, Any]) -> str | None:
    """What is wrong with a template, if anything."""
    if unknown := set(options) - _OPTIONS:
        return f"unknown options {', '.join(sorted(unknown))}"
    fields = options.get("fields")
    if not isinstance(fields, Mapping) or "text" not in fields or "from" not in fields:
        return "a template names at least from and text"
    for name, source in fields.items():
        if name not in FIELDS:
            return f"there is no field {name}; the fields are {', '.join(FIELDS)}"
        kind, colon, path = str(source).partition(":")
        if kind not in _SOURCES or (kind != "body" and (not colon or not path)):
            return f"{name} must come from json:PATH, form:NAME, query:NAME, header:NAME or body"
        if kind == "json" and not _PATH.fullmatch(path):
            return f"{path!r} is no path such as data.items[0].text"
    each = options.get("each")
    if each is not None and each != "" and (not isinstance(each, str) or not _PATH.fullmatch(each)):
        return f"{each!r} is no path such as data.items"
    answer, status = options.get("answer", "OK"), options.get("status", 200)
    if not isinstance(answer, str) or len(answer) > _ANSWER_LENGTH_MAX:
        return "the answer must be a short text"
    if not isinstance(status, int) or not 200 <= status < 300:
        return "the status must be from 200 to 299"
    return None


def read(request: GatewayRequest) -> Said:
    options = request.gateway.options
    if "each" not in options:
        return Said([_message(request, options, None)])
    found = walk(request.json, options["each"]) if options["each"] else request.json
    if not isinstance(found, list):
        raise Malformed("no list of messages")
    return Said([_message(request, options, element) for element in found])


def _message(request: GatewayRequest, options: Mapping[str, Any], element: object) -> GatewayMessage:
    values = {
        name: _value(request, str(source), element, in_list="each" in options)
        for name, source in options["fields"].items()
    }
    text = reading.text(values.get("text"))
    if values.get("text") is None:
        raise Malformed("no text")
    if options.get("base64"):
        text = reading.from_base64(text)
    found = reading.unwrap(text) if options.get("header_block") else reading.Unwrapped(text)
    sim = Sim(
        recipient=reading.text(values.get("to")) or found.recipient,
        iccid=reading.text(values.get("iccid")),
        imsi=reading.text(values.get("imsi")),
        device=reading.text(values.get("device")),
        place=reading.text(values.get("place")) or found.port,
    )
    sender = reading.text(values.get("from")) or found.sender
    sent_at = request.time(values.get("time")) or found.sent_at
    return GatewayMessage(sim, sender, found.text, sent_at, reading.text(values.get("id")))


def _value(request: GatewayRequest, source: str, element: object, *, in_list: bool) -> object:
    kind, _, path = source.partition(":")
    if kind == "json":
        return walk(element if in_list else request.json, path)
    if kind == "form":
        return request.form.get(path)
    if kind == "query":
        return request.query.get(path)
    if kind == "header":
        return request.headers.get(path.lower())
    return request.body.decode("utf-8", "replace")


def walk(content: object, path: str) -> object:
    """What stands at a path such as `data.items[0].text`; None when nothing does."""
    for step in _STEP.findall(path):
        if step[0] == "[":
            index = int(step[1:-1])
            content = content[index] if isinstance(content, list) and index < len(content) else None
        else:
            content = content.get(step) if isinstance(content, dict) else None
    return content


def _answer(gateway: Gateway) -> Answer:
    body = str(gateway.options.get("answer", "OK"))
    content_type = "application/json" if body[:1] in ("{", "[") else "text/plain"
    return Answer(int(gateway.options.get("status", 200)), body, content_type)


def set_up(url: str, secret: str | None) -> list[str]:
    lines = ["Have the gateway send each message to", f"  {url}"]
    if secret:
        lines.append(f"with the header Authorization: Bearer {secret}")
    return lines


METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH"})
KIND = Kind(
    "generic",
    "any other gateway, described by a template",
    read,
    set_up,
    verify=signatures.verify_bearer,
    signing=Signing.ON_REQUEST,
    methods=METHODS,
    answer=_answer,
    check_options=check_options,
)
