"""Attribution: which services a message names, in its text and by its sender, and whether a prohibited one speaks."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from simyard.core.messages.aliases import display_names
from simyard.core.messages.words import is_unspaced

REMEMBERED_WORDS_MAX = 16_384
REMEMBERED_SENDERS_MAX = 8_192
SENDER_READ_MAX = 64

# The name under which phrases stand that mention a service without being its message.
INCIDENTAL = "incidental"

# What a prohibited message is recognised as when no brand in particular is named.
FINANCE = "finance"

_WORD = re.compile("[^\\W_\u0900-\u0dff]+|[\u0900-\u0963\u0966-\u0dff\u200c\u200d]+")


# Most of the many patterns are never tried, so each is compiled when it first is.
_compiled = lru_cache(maxsize=None)(re.compile)


class Name(NamedTuple):
    """One name of a service: its first word finds it, the whole has to follow."""

    service: str
    whole: str | None
    prohibited: bool


@dataclass(frozen=True, slots=True)
class Named:
    """What a message names: known services and prohibited ones, those of the text apart from those of the sender."""

    in_text: frozenset[str]
    by_sender: frozenset[str]
    prohibited: str | None


def _load(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath(name).read_text(encoding="utf-8"))


_PATTERNS = _load("patterns.toml")
_PROHIBITED = _load("prohibited.toml")
_ACCEPTS = {slug: frozenset(table.get("accepts", ())) for slug, table in _PATTERNS.items()}
_CODES = {slug: re.compile("|".join(table["codes"])) for slug, table in _PATTERNS.items() if "codes" in table}


# -- names ------------------------------------------------------------------------------------------------------


def _words(text: str) -> dict[str, None]:
    """Each word once, in their order."""
    return dict.fromkeys(_WORD.findall(text))


def _names() -> Iterator[tuple[str, str, bool]]:
    for slug, table in _PATTERNS.items():
        for name in table["names"]:
            yield slug, name, False
    for slug, names in _PROHIBITED["brands"].items():
        for name in names:
            yield slug, name, True


class _Index:
    """All names by their first word, apart those in scripts without spaces and those with a wildcard."""

    def __init__(self, names: Iterable[tuple[str, str, bool]]) -> None:
        self.leads: dict[str, list[Name]] = {}
        self.unspaced: dict[str, list[Name]] = {}
        self.stems: list[tuple[str, str, Name]] = []
        for slug, name, prohibited in names:
            self._add(slug, name, prohibited)
        self.anywhere = re.compile("|".join(map(re.escape, sorted(self.unspaced, key=len, reverse=True))))

    def _add(self, slug: str, name: str, prohibited: bool) -> None:
        if is_unspaced(name[0]):
            self.unspaced.setdefault(name.lower(), []).append(Name(slug, None, prohibited))
            return
        words = name.split()
        whole = None
        if len(words) > 1 or "\u200c" in name:
            joined = r"[^\w\s]?\s?".join(re.escape(word.lower()).replace(r"\*", r"\w*") for word in words)
            whole = rf"(?<!\w){joined}(?!\w)"
        found = Name(slug, whole, prohibited)
        lead = words[0]
        if "*" in lead:
            pattern = re.escape(lead.lower()).replace(r"\*", r"\w{0,12}")
            self.stems.append((lead.lower().strip("*"), pattern, found))
        elif lead != lead.lower():
            for written in {lead, lead.upper()}:
                self.leads.setdefault(written, []).append(found)
        else:
            self.leads.setdefault(lead, []).append(found)


_INDEX = _Index(_names())


@lru_cache(maxsize=REMEMBERED_WORDS_MAX)
def _led_by(word: str) -> tuple[Name, ...]:
    """The names this word begins. Lower-case names fit any case, the others the case they are written in."""
    lowered = word.lower()
    found = list(_INDEX.leads.get(lowered, ()))
    if word != lowered:
        found += _INDEX.leads.get(word, ())
    found += [
        name
        for stem, pattern, name in _INDEX.stems
        if stem in lowered and _compiled(pattern).fullmatch(lowered)
    ]
    return tuple(found)


def _names_in(words: Collection[str], text: str, lowered: str) -> list[Name]:
    found: list[Name] = []
    for word in words:
        # Each code is a word nobody saw before and will see again: not worth remembering, and without wildcards.
        names = _INDEX.leads.get(word, ()) if word.isdecimal() else _led_by(word)
        if names:
            found += [name for name in names if name.whole is None or _compiled(name.whole).search(lowered)]
    if not text.isascii():
        for match in _INDEX.anywhere.finditer(lowered):
            found += _INDEX.unspaced[match[0]]
    return found


# -- patterns ---------------------------------------------------------------------------------------------------


class _Texts:
    """Regexes on the lower-case text, each tried only when the text holds its literal."""

    def __init__(self, triples: Iterable[tuple[str, str, str]]) -> None:
        self._by_literal: dict[str, list[tuple[str, str]]] = {}
        for service, literal, pattern in triples:
            self._by_literal.setdefault(literal, []).append((service, pattern))

    def found_in(self, lowered: str) -> Iterator[str]:
        """The services of those that fit."""
        for literal in filter(lowered.__contains__, self._by_literal):
            for service, pattern in self._by_literal[literal]:
                if _compiled(pattern).search(lowered):
                    yield service


_TEXTS = _Texts((slug, *pair) for slug, table in _PATTERNS.items() for pair in table.get("texts", ()))
_PROHIBITED_TEXTS = _Texts((FINANCE, *pair) for pair in _PROHIBITED["texts"])
_UNCLAIMED_TEXTS = _Texts((FINANCE, *pair) for pair in _PROHIBITED["unclaimed_texts"])
_PROHIBITED_SENDER = re.compile("|".join(_PROHIBITED["senders"]))
_SENDERS = [
    (re.compile("|".join(table["senders"])), slug) for slug, table in _PATTERNS.items() if "senders" in table
]
_ROUTE_PREFIX = re.compile(r"^[a-z]{2}-|-[stpg]$")
_AMBIGUOUS_NAMES = frozenset(name.lower() for name in _PROHIBITED["ambiguous"])
_AMBIGUOUS_WORDS = frozenset(
    word for name in _PROHIBITED["ambiguous"] for word in (name.split()[0], name.split()[0].upper())
)
_ANY_AMBIGUOUS = "|".join(re.escape(name) for name in _PROHIBITED["ambiguous"])
_SPEAKS = re.compile(
    rf"\A\W{{0,3}}(?:{_ANY_AMBIGUOUS})\b ?(?:[:>\-–—】\]]|(?:code|verification|security|OTP|otp|alert|app)\b)"
    rf"|\b(?:[Yy]our|[Ff]rom|[Tt]he|in to|into|[Vv]otre|[Ii]hr|[Tt]u|[Ss]eu|[Ss]u|[Вв]аш|[Tt]uo|[Uu]w|[Dd]in) (?:{_ANY_AMBIGUOUS})\b"
    r" ?(?:[.!:]|$|(?:code|verification|security|OTP|otp|pin|PIN|account|login|log|passcode|card|one|sign|PayNow)\b)"
    rf"|[-–—(\[] ?(?:{_ANY_AMBIGUOUS})[)\]]?\W{{0,2}}\Z"
    rf"|\b(?:{_ANY_AMBIGUOUS}) (?:verification|security|one-time|OTP|passcode|card|account|login) "
)


_SPARED_WORDS = "|".join(map(re.escape, _PROHIBITED["spared"]))
_WAYS_TO_PAY = "|".join(
    re.escape(name.lower())
    for names in _PROHIBITED["brands"].values()
    for name in names
    if name.isascii() and "*" not in name
)
_SPARED = re.compile(rf"\b(?:{_SPARED_WORDS}):? (?:\w+,? ){{0,2}}(?:{_WAYS_TO_PAY})\b")


@lru_cache(maxsize=REMEMBERED_SENDERS_MAX)
def _by_sender(sender: str) -> tuple[frozenset[str], str | None]:
    """The services a sender's name stands for, and the prohibited one it is, if any."""
    shown = sender.strip()
    lowered = _ROUTE_PREFIX.sub("", shown.lower())
    if not any(character.isalpha() for character in lowered):
        return frozenset(slug for pattern, slug in _SENDERS if pattern.fullmatch(lowered)), None
    spaced = re.sub(r"[_.+-]", " ", shown)
    names = _names_in(_words(spaced), spaced, spaced.lower())
    services = {name.service for name in names if not name.prohibited}
    services |= {slug for pattern, slug in _SENDERS if pattern.fullmatch(lowered)}
    services.discard(INCIDENTAL)
    prohibited = next((name.service for name in names if name.prohibited), None)
    if prohibited is None and lowered in _AMBIGUOUS_NAMES:
        prohibited = re.sub(r"\W", "", lowered)
    if prohibited is None and _PROHIBITED_SENDER.search(shown.lower()):
        prohibited = FINANCE
    return frozenset(services), prohibited


def named(text: str, sender: str, ordered: str | None = None) -> Named:
    """Everything a message names. `text` is bounded and plain (see `characters`).

    The ordered service counts as known by the name the catalogue shows, though it may have no patterns.
    """
    lowered = text.lower()
    senders, prohibited = _by_sender(sender[:SENDER_READ_MAX])
    words = _words(text)
    names = _names_in(words, text, lowered)
    services = {name.service for name in names if not name.prohibited}
    if INCIDENTAL in services:
        services = _without_incidental(text)
    services.update(_TEXTS.found_in(lowered))
    if ordered is not None and shows_display_name(ordered, lowered):
        services.add(ordered)
    if prohibited is None:
        prohibited = _prohibited_in(words, text, lowered, names, bool(services))
    return Named(frozenset(services), senders, prohibited)


_INCIDENTAL_PHRASE = re.compile(
    r"(?<!\w)(?:"
    + "|".join(r"\W\s?".join(map(re.escape, name.split())) for name in _PATTERNS[INCIDENTAL]["names"])
    + r")(?!\w)",
    re.IGNORECASE,
)


def _without_incidental(text: str) -> set[str]:
    """The services named outside phrases like "on Google Play"."""
    rest = _INCIDENTAL_PHRASE.sub(" ", text)
    names = _names_in(_words(rest), rest, rest.lower())
    return {name.service for name in names if not name.prohibited} - {INCIDENTAL}


def _prohibited_in(
    words: Collection[str], text: str, lowered: str, names: Iterable[Name], known: bool
) -> str | None:
    brand = next((name.service for name in names if name.prohibited), None)
    if brand is not None and not (known and _SPARED.search(lowered)):
        return brand
    for texts in (_PROHIBITED_TEXTS,) if known else (_PROHIBITED_TEXTS, _UNCLAIMED_TEXTS):
        for service in texts.found_in(lowered):
            return service
    if not _AMBIGUOUS_WORDS.isdisjoint(words) and _SPEAKS.search(text):
        return FINANCE
    return None


# -- questions about one service --------------------------------------------------------------------------------


def accepted_by(service: str) -> frozenset[str]:
    """The other services whose messages are good for this one."""
    return _ACCEPTS.get(service, frozenset())


def sole_sender(sender: str) -> str | None:
    """The one known service a sender's name stands for."""
    services = _by_sender(sender[:SENDER_READ_MAX])[0] if sender else ()
    return next(iter(services)) if len(services) == 1 else None


def code_pattern(service: str | None) -> re.Pattern[str] | None:
    """What this service's codes look like, as far as it is known."""
    return _CODES.get(service) if service else None


@lru_cache(maxsize=4_096)
def _display_pattern(service: str) -> re.Pattern[str]:
    names = [re.sub(r"\W+", r"\\W?", name.strip().lower()) for name in (*display_names(service), service)]
    return re.compile(r"(?<![^\W_])(?:" + "|".join(names) + r")(?![^\W_])")


def shows_display_name(service: str, lowered: str) -> bool:
    """Whether a lower-case text or sender holds the name the catalogue shows for a service."""
    return _display_pattern(service).search(lowered) is not None
