"""Words: what the words around a number say about it, in the languages of words.toml."""

from __future__ import annotations

import re
import tomllib
from enum import IntEnum
from functools import lru_cache
from importlib.resources import files
from unicodedata import combining, normalize

# Words kept once classified. Texts repeat the same few thousand words, so almost every look-up is a hit.
REMEMBERED_WORDS_MAX = 16_384

# Shorter words without their accents are too often words of another language.
PLAIN_SPELLING_MIN = 5
_UNACCENTED = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ß": "ss"})


class Kind(IntEnum):
    """What a word makes of a number near it. Earlier kinds win when a word fits several."""

    NONE = 0
    NOT_CODE = 1
    CODE = 2
    CURRENCY = 3
    REFERENCE = 4
    CONTACT = 5
    UNIT = 6
    HINT = 7


_SECTIONS = {
    Kind.NOT_CODE: "not_code",
    Kind.CODE: "code",
    Kind.CURRENCY: "currency",
    Kind.REFERENCE: "reference",
    Kind.CONTACT: "contact",
    Kind.UNIT: "unit",
    Kind.HINT: "hint",
}


def is_unspaced(character: str) -> bool:
    """Whether words of this character's script are searched for anywhere rather than between spaces.

    Thai, Lao, Burmese, Khmer, Chinese, Japanese write no spaces; Korean and Georgian glue endings to words.
    """
    return (
        "\u0e00" <= character <= "\u0eff"
        or "\u1000" <= character <= "\u10ff"
        or "\u1780" <= character <= "\u17ff"
        or (character >= "\u2e80")
    )


def _entries() -> dict[Kind, list[str]]:
    sections = tomllib.loads(files(__package__).joinpath("words.toml").read_text(encoding="utf-8"))
    return {
        kind: [entry for entries in sections[section].values() for entry in entries]
        for kind, section in _SECTIONS.items()
    }


def _word_pattern(entries: list[str]) -> re.Pattern[str]:
    """What fits the entries that hold a "*"."""
    stems = [re.escape(entry).replace(r"\*", ".*") for entry in entries if "*" in entry]
    return re.compile("|".join(stems) or "(?!)")


def _with_plain_spelling(entries: list[str]) -> list[str]:
    """The entries, and those of the Latin script once more as telephones without accents write them."""
    plain = {
        "".join(letter for letter in normalize("NFD", entry) if not combining(letter)).translate(_UNACCENTED)
        for entry in entries
    }
    return entries + sorted(
        entry
        for entry in plain.difference(entries)
        if entry.isascii() and len(entry.strip("*")) >= PLAIN_SPELLING_MIN
    )


_ENTRIES = _entries()
_SPACED = {
    kind: _with_plain_spelling([entry for entry in entries if not is_unspaced(entry[0])])
    for kind, entries in _ENTRIES.items()
}
_CAPITALS = {entry: kind for kind, entries in _SPACED.items() for entry in entries if entry.isupper()}
_WORDS = {
    kind: frozenset(entry for entry in entries if "*" not in entry) for kind, entries in _SPACED.items()
}
_STEMS = {kind: _word_pattern(entries) for kind, entries in _SPACED.items()}
_UNSPACED_KINDS = {
    entry: kind for kind, entries in reversed(_ENTRIES.items()) for entry in entries if is_unspaced(entry[0])
}
_UNSPACED = re.compile("|".join(map(re.escape, sorted(_UNSPACED_KINDS, key=len, reverse=True))))


@lru_cache(maxsize=REMEMBERED_WORDS_MAX)
def kind_of(word: str) -> Kind:
    """The kind of one word of a script written with spaces."""
    if word in _CAPITALS:
        return _CAPITALS[word]
    lowered = word.lower().replace("i\u0307", "i")
    for kind, stems in _STEMS.items():
        if lowered in _WORDS[kind] or stems.fullmatch(lowered):
            return kind
    return Kind.NONE


@lru_cache(maxsize=REMEMBERED_WORDS_MAX)
def kinds_within(run: str) -> tuple[tuple[Kind, int, int], ...]:
    """The kinds of the words in a run of a script written without spaces, with their offsets in the run."""
    return tuple((_UNSPACED_KINDS[found[0]], *found.span()) for found in _UNSPACED.finditer(run))
