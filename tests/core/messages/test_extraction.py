"""Extraction against the corpus, and its promises on any text."""

from __future__ import annotations

import json
import re
import sys
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simyard.core.messages.characters import bare, plain
from simyard.core.messages.rules import Extraction, extract

CORPUS = [
    json.loads(line)
    for line in Path(__file__).with_name("corpus.jsonl").read_text(encoding="utf-8").splitlines()
]
ACCURACY_MIN = 0.98
HOSTILE_SECONDS_MAX = 0.05


def wrong_answers(service_of: Callable[[dict[str, Any]], str | None]) -> list[str]:
    answers = []
    for row in CORPUS:
        found = extract(row["text"], sender=row["sender"], service=service_of(row))
        if found.code != row["code"]:
            answers.append(
                f"{row['id']} {row['language']}: wanted {row['code']}, got {found} in {row['text']!r}"
            )
    return answers


def test_corpus_is_wide_enough() -> None:
    coded = [row for row in CORPUS if row["code"]]
    assert len(CORPUS) >= 600
    assert len({row["id"] for row in CORPUS}) == len(CORPUS)
    assert len({row["language"] for row in CORPUS}) >= 28
    assert sum(row.get("held_out", False) for row in CORPUS) >= 300
    assert len(CORPUS) - len(coded) >= 50
    assert sum(not row["code"].isdigit() for row in coded) >= 30
    assert sum(bool(re.search(r"://|\.[a-z]+/", row["text"])) for row in coded) >= 25
    assert sum(len(re.findall(r"\d[\d.:/-]*", row["text"])) >= 3 for row in coded) >= 25


def test_corpus_is_read_with_the_service_known() -> None:
    wrong = wrong_answers(lambda row: row["service"])
    print(*wrong, sep="\n")
    assert 1 - len(wrong) / len(CORPUS) >= ACCURACY_MIN


def test_corpus_is_read_without_the_service() -> None:
    wrong = wrong_answers(lambda row: None)
    print(*wrong, sep="\n")
    assert 1 - len(wrong) / len(CORPUS) >= ACCURACY_MIN


@pytest.mark.parametrize(
    ("text", "code", "spanned"),
    [
        ("Your WhatsApp code: 847-291", "847291", "847-291"),
        ("G-482913 is your Google verification code.", "482913", "482913"),
        ("Code: 12 34 56", "123456", "12 34 56"),
        ("Code: 448.120", "448120", "448.120"),
        ("Airbnb: 8841", "8841", "8841"),
        ("BTKMPR is your Yahoo code", "BTKMPR", "BTKMPR"),
        ("Your code is448120, valid for 5min", "448120", "448120"),
        ("Code for order 4471-2026 is 661920", "661920", "661920"),
        ("رمزك هو ٤٨٢٩", "4829", "٤٨٢٩"),
        ("Code: ４８２９", "4829", "４８２９"),
        ("Your code is 48\u200b29\u2069!", "4829", "48\u200b29"),
        ("Your code is 𝟒𝟖𝟐𝟗", "4829", "𝟒𝟖𝟐𝟗"),
        ("Access code X7K-9QP", "X7K9QP", "X7K-9QP"),
        ("Tap https://acme.example/verify?code=883120", "883120", "883120"),
    ],
)
def test_span_is_where_the_code_stands_in_the_original(text: str, code: str, spanned: str) -> None:
    found = extract(text)
    assert found.code == code
    assert found.span is not None
    assert text[slice(*found.span)] == spanned


@pytest.mark.parametrize(
    "text", ["", "   ", "\n", "Hello!", "\u200b\u200e", "1", "$12.50", "10:45", "12/05/2026"]
)
def test_text_without_a_code_reads_as_nothing(text: str) -> None:
    assert extract(text) == Extraction(None, 0.0, None)


@pytest.mark.parametrize("service", ["steam", "Steam", "mt", "STEAM", "no such service", "", None])
def test_service_may_be_named_by_any_word_or_none(service: str | None) -> None:
    assert extract("Your Steam Guard code is 2FK9M", service=service).code == "2FK9M"


def test_known_shape_finds_a_code_of_letters() -> None:
    text = "Steam Guard code: BGCXM"
    assert extract(text, service="mt").code == "BGCXM"
    assert extract("Your code is READY", service="mt").code is None


def test_only_the_beginning_of_a_text_is_read() -> None:
    assert extract("Your code is 4829. " + "a " * 5000).code == "4829"
    assert extract("a " * 5000 + "Your code is 4829.").code is None


def test_certain_code_has_more_confidence_than_a_bare_number() -> None:
    assert extract("Your code is 482913").confidence > extract("482913").confidence > 0.5


def test_digits_of_every_script_are_read() -> None:
    digits = [chr(point) for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point)) == "Nd"]
    assert plain("".join(digits)).text == "".join(str(unicodedata.decimal(digit)) for digit in digits)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Your password was changed on 12 March 2026 at 14:32", None),
        ("Your password was reset on March 14, 2026.", None),
        ("Your code on 12 March 2026 is 4829", "4829"),
        ("OTP for your purchase of Rs. 1,250 at Acme thru Debit Card 4821****7710 is 390182.", "390182"),
        ("Your reservation is confirmed! See https://acme.example/trips/48291038", None),
        ("SCK4829QTX Confirmed. Ksh1,250.00 sent to JANE DOE on 12/3/26", None),
    ],
)
def test_dates_amounts_and_references_are_not_codes(text: str, code: str | None) -> None:
    assert extract(text).code == code


SNIPPETS = st.sampled_from(
    [
        "code",
        "код",
        "验证码",
        "رمز",
        "is",
        ":",
        " ",
        "\n",
        "-",
        "123",
        "456",
        "48213",
        "G-",
        "₽",
        "https://",
        "t.me/",
        "?code=",
        "#",
        "@a.example",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=200), st.lists(st.one_of(SNIPPETS, st.text(max_size=5)), max_size=30).map("".join)
)


@settings(max_examples=600, deadline=None)
@given(text=TEXTS, sender=st.text(max_size=20), service=st.one_of(st.none(), st.text(max_size=10)))
def test_any_text_keeps_the_promises(text: str, sender: str, service: str | None) -> None:
    found = extract(text, sender=sender, service=service)
    assert 0 <= found.confidence <= 1
    if found.code is None:
        assert (found.confidence, found.span) == (0.0, None)
        return
    assert found.span is not None
    start, end = found.span
    assert 0 <= start < end <= len(text)
    assert bare(text[start:end]) == found.code
    assert 3 <= len(found.code) <= 16


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        "1 " * 50_000,
        "1" * 100_000,
        "a-" * 50_000,
        "a-1" * 30_000,
        "1-" * 50_000,
        "1.2" * 30_000,
        "code " * 20_000,
        "code 1234 " * 10_000,
        "verify 12345 order " * 5_000,
        "https://a.b/" * 9_000,
        "https://" + "a." * 50_000,
        "?code=" * 20_000,
        "@" * 100_000,
        "@a.example #" * 9_000,
        "()" * 50_000,
        "(1) " * 25_000,
        "验证码" * 30_000,
        "٤ " * 50_000,
        "\u200b1" * 50_000,
        "\n" * 100_000,
        ". " * 50_000,
        "AB12-" * 20_000,
    ],
)
def test_hostile_text_takes_bounded_time(text: str) -> None:
    extract(text)
    best = min(_seconds(lambda: extract(text)) for _ in range(3))
    assert best < HOSTILE_SECONDS_MAX


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
