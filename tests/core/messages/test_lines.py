"""Extraction over JSON lines: one answer a line, whatever the line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from simyard.core.messages.lines import extract_lines


def test_line_is_answered_with_code_confidence_and_span() -> None:
    line = json.dumps({"sender": "WhatsApp", "text": "Your WhatsApp code: 847-291", "service": "wa"})
    (answer,) = map(json.loads, extract_lines([line]))
    assert set(answer) == {"code", "confidence", "span"}
    assert (answer["code"], answer["span"]) == ("847291", [20, 27])


def test_text_without_a_code_is_answered_with_nulls() -> None:
    (answer,) = map(json.loads, extract_lines(['{"sender": "", "text": "Hello", "service": null}']))
    assert answer == {"code": None, "confidence": 0.0, "span": None}


def test_bad_line_is_answered_with_its_number_and_the_rest_goes_on() -> None:
    lines = [
        "not json",
        '{"sender": "x"}',
        "[]",
        '{"text": 5}',
        '{"text": "code 1234"}',
        '{"text": "\ud800"}',
    ]
    answers = [json.loads(line) for line in extract_lines(lines)]
    assert [answer.get("line") for answer in answers] == [1, 2, 3, 4, None, 6]
    assert all(answer["error"] for answer in answers if "line" in answer)
    assert answers[4]["code"] == "1234"


def test_lines_are_answered_as_they_come() -> None:
    read: list[int] = []

    def source() -> Iterator[str]:
        for number in range(3):
            read.append(number)
            yield '{"text": "code 1234"}'

    answers = extract_lines(source())
    next(answers)
    assert read == [0]
