"""Lines: extraction over a stream of JSON lines, for the command `simyard messages extract`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from simyard.core.messages.rules import extract


class MessageLine(msgspec.Struct):
    """What one line brings. Other fields are ignored."""

    text: str
    sender: str = ""
    service: str | None = None


class ExtractionLine(msgspec.Struct):
    """What one line is answered with. `span` is [start, end] in the text."""

    code: str | None
    confidence: float
    span: tuple[int, int] | None


class ErrorLine(msgspec.Struct):
    """The answer to a line that is not a message. Lines count from 1."""

    error: str
    line: int


def extract_lines(lines: Iterable[str]) -> Iterator[str]:
    """One JSON line for each line, as soon as it was read; empty lines are passed over."""
    decoder = msgspec.json.Decoder(MessageLine)
    encoder = msgspec.json.Encoder()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        answer: ExtractionLine | ErrorLine
        try:
            message = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeError) as problem:
            answer = ErrorLine(str(problem), number)
        else:
            found = extract(message.text, sender=message.sender, service=message.service)
            answer = ExtractionLine(found.code, found.confidence, found.span)
        yield encoder.encode(answer).decode()
