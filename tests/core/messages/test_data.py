"""The pattern data: complete, compilable and naming services that exist."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from typing import Any

import pytest

from simyard.core.messages import aliases
from simyard.core.messages.attribution import INCIDENTAL


def load(name: str) -> dict[str, Any]:
    return tomllib.loads(files("simyard.core.messages").joinpath(name).read_text(encoding="utf-8"))


PATTERNS = load("patterns.toml")
PROHIBITED = load("prohibited.toml")
NESTED_QUANTIFIER = re.compile(r"\([^()]*[+*][^()]*\)[+*]")


def test_at_least_eighty_services_have_patterns() -> None:
    assert len(PATTERNS) >= 80


def test_services_with_patterns_are_in_the_catalogue() -> None:
    rows = files("simyard.core.messages").joinpath("aliases.csv").read_text(encoding="utf-8").splitlines()
    assert set(PATTERNS) - {INCIDENTAL} <= {row.split(",")[0] for row in rows}


def test_services_accept_services_that_have_patterns() -> None:
    accepted = {other for table in PATTERNS.values() for other in table.get("accepts", ())}
    assert accepted <= set(PATTERNS)


@pytest.mark.parametrize("table", [*PATTERNS.values(), PROHIBITED])
def test_regexes_compile_and_nest_no_quantifiers(table: dict[str, Any]) -> None:
    pairs = [*table.get("texts", ()), *table.get("unclaimed_texts", ())]
    for literal, pattern in pairs:
        assert literal == literal.lower()
        re.compile(pattern)
    for pattern in [*table.get("senders", ()), *table.get("codes", ()), *(pattern for _, pattern in pairs)]:
        re.compile(pattern)
        assert not NESTED_QUANTIFIER.search(pattern), pattern


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("wa", "whatsapp"),
        ("tg", "telegram"),
        ("3223", "facebook"),
        ("vkcom", "vkontakte"),
        ("VK", "vkontakte"),
        ("Twitter / X", "twitterx"),
        ("TikTok", "tiktok"),
        ("douyin", "tiktok"),
        ("WhatsApp", "whatsapp"),
        ("nonesuch", "nonesuch"),
    ],
)
def test_names_lead_to_slugs(name: str, slug: str) -> None:
    assert aliases.slug_of(name) == slug
