"""Judgement: which messages reach the lease, in the order the rules are asked."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simyard.core.messages.rules import Verdict, judge

JUDGEMENTS = [
    json.loads(line)
    for line in Path(__file__).with_name("judgements.jsonl").read_text(encoding="utf-8").splitlines()
]
CORPUS = [
    json.loads(line)
    for line in Path(__file__).with_name("corpus.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize(
    "row", JUDGEMENTS, ids=lambda row: f"{row['verdict']}-{row['ordered']}-{row['text'][:30]}"
)
def test_message_is_judged(row: dict[str, str]) -> None:
    judgement = judge(row["text"], sender=row["sender"], ordered_service=row["ordered"])
    assert judgement.verdict == row["verdict"], judgement


def test_every_code_of_the_corpus_reaches_the_service_it_was_sent_for() -> None:
    refused = [
        row["id"]
        for row in CORPUS
        if row["code"]
        and not row.get("prohibited")
        and judge(row["text"], sender=row["sender"], ordered_service=row["service"]).verdict
        is not Verdict.DELIVER
    ]
    assert refused == []


def test_what_is_prohibited_in_the_corpus_reaches_nobody() -> None:
    delivered = [
        row["id"]
        for row in CORPUS
        if row.get("prohibited")
        and judge(row["text"], sender=row["sender"], ordered_service=row["service"]).verdict
        is not Verdict.PROHIBITED
    ]
    assert delivered == []


def test_prohibited_message_does_not_show_its_code() -> None:
    judgement = judge("PayPal: your code is 123456", sender="PayPal", ordered_service="other")
    assert (judgement.verdict, judgement.service, judgement.extraction.code) == (
        Verdict.PROHIBITED,
        "paypal",
        None,
    )


def test_prohibited_service_is_delivered_where_it_is_allowed() -> None:
    judgement = judge(
        "PayPal: your code is 123456", sender="PayPal", ordered_service="paypal", prohibited_allowed=True
    )
    assert (judgement.verdict, judgement.service, judgement.extraction.code) == (
        Verdict.DELIVER,
        "paypal",
        "123456",
    )


def test_finance_sender_alone_refuses() -> None:
    assert (
        judge("Your code is 1234", sender="VM-HDFCBK", ordered_service="uber").verdict is Verdict.PROHIBITED
    )


def test_sender_alone_does_not_deliver_another_services_text() -> None:
    judgement = judge("Your Telegram code is 48213", sender="WhatsApp", ordered_service="whatsapp")
    assert (judgement.verdict, judgement.service) == (Verdict.OTHER_SERVICE, "telegram")


def test_sender_alone_does_not_deliver_a_text_without_a_code() -> None:
    assert (
        judge("See you soon", sender="WhatsApp", ordered_service="whatsapp").verdict is Verdict.UNRECOGNISED
    )


def test_text_that_names_the_ordered_service_and_another_is_delivered() -> None:
    judgement = judge(
        "Your Tinder code is 482013. Log in with Facebook next time", sender="1", ordered_service="tinder"
    )
    assert (judgement.verdict, judgement.service) == (Verdict.DELIVER, "tinder")


def test_vendor_codes_name_the_ordered_service() -> None:
    for name in ("wa", "WhatsApp", "whatsapp"):
        assert judge("Your WhatsApp code: 482-913", sender="1", ordered_service=name).service == "whatsapp"


@settings(max_examples=400, deadline=None)
@given(text=st.text(max_size=200), sender=st.text(max_size=30), ordered=st.text(max_size=12))
def test_any_message_gets_a_verdict(text: str, sender: str, ordered: str) -> None:
    judgement = judge(text, sender=sender, ordered_service=ordered)
    assert isinstance(judgement.verdict, Verdict)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        "1 " * 50_000,
        "bank " * 20_000,
        "code bank " * 10_000,
        "card code " * 10_000,
        "uber я" * 20_000,
        "your Wise " * 9_000,
        "- Chase " * 9_000,
        "paypal with " * 9_000,
        "银行【" * 30_000,
        "x code " * 15_000,
    ],
)
def test_hostile_message_takes_bounded_time(text: str) -> None:
    judge(text, sender="INFO", ordered_service="whatsapp")
    begin = time.perf_counter()
    judge(text, sender="INFO", ordered_service="whatsapp")
    assert time.perf_counter() - begin < 0.05
