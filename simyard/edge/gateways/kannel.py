"""Kannel: an sms-service with get-url or post-url."""

from __future__ import annotations

from urllib.parse import parse_qsl

from simyard.core.gateways.model import Gateway, GatewayMessage, Sim
from simyard.edge.gateways.wire import Answer, GatewayRequest, Kind, Malformed, Said

_CODECS = {"UTF-16BE": "utf-16-be", "8-BIT": "latin-1", "ISO-8859-1": "latin-1", "WINDOWS-1252": "cp1252"}


def read(request: GatewayRequest) -> Said:
    query = request.query
    if "text" in query and "to" in query:
        return Said(
            [
                GatewayMessage(
                    Sim(recipient=query["to"]),
                    query.get("from", ""),
                    _decoded(_raw(request.query_string, "text"), query.get("charset", "")),
                    request.time(query.get("ts", "")),
                    query.get("id", ""),
                )
            ]
        )
    headers = request.headers
    if "x-kannel-to" not in headers:
        raise Malformed("neither text and to in the query nor X-Kannel-To")
    _, _, charset = headers.get("content-type", "").partition("charset=")
    return Said(
        [
            GatewayMessage(
                Sim(recipient=headers["x-kannel-to"]),
                headers.get("x-kannel-from", "") or query.get("from", ""),
                _decoded(request.body, charset.strip('" ')),
                request.time(headers.get("x-kannel-time", "")),
                query.get("id", ""),
            )
        ]
    )


def _raw(query_string: bytes, name: str) -> bytes:
    """The bytes of a field: their charset stands in another."""
    pairs = parse_qsl(
        query_string.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=1000
    )
    return next((value for key, value in pairs if key == name), "").encode("latin-1")


def _decoded(raw: bytes, charset: str) -> str:
    return raw.decode(_CODECS.get(charset.upper(), "utf-8"), "replace")


def _answer(gateway: Gateway) -> Answer:
    """Kannel sends what it is answered to the sender, so it is nothing."""
    return Answer(200, "")


def set_up(url: str, secret: str | None) -> list[str]:
    return [
        "In kannel.conf (what an answer holds would be sent to the sender, so the last lines matter):",
        "  group = sms-service",
        "  keyword = default",
        "  catch-all = true",
        f'  get-url = "{url}?from=%p&to=%P&text=%b&charset=%C&ts=%T&id=%I&smsc=%i"',
        "  max-messages = 0",
        "  omit-empty = true",
        "and under group = smsbox, because the default loses an SMS at the first failure:",
        "  http-request-retry = 30",
        "Kannel does not sign: name its address with --allow.",
    ]


KIND = Kind("kannel", "Kannel", read, set_up, methods=frozenset({"GET", "POST"}), answer=_answer)
