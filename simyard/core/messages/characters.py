"""Characters: a text brought to plain digits, spaces and dashes, with the way back to its own offsets."""

from __future__ import annotations

import re
import sys
import unicodedata
from typing import NamedTuple

_REMOVED = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\u20e3\ufe00-\ufe0f\ufeff"
)
_SPACES = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_LINE_ENDS = "\u0085\u2028\u2029"
_DASHES = "\u2010-\u2015\u2212\ufe58\ufe63\uff0d\u30fb"
# Letters, digits and the signs that join or announce codes. Commas, stops and colons stay: they end what they follow.
_FULLWIDTH = "\uff03-\uff05\uff0a\uff0b\uff0f-\uff19\uff1d\uff20-\uff3a\uff41-\uff5a"


def _ranges(spec: str) -> list[int]:
    return [ord(found) for found in re.findall(f"[{spec}]", "".join(map(chr, range(0x10000))))]


def _decimal_digits() -> dict[int, str]:
    """Every decimal digit of Unicode outside ASCII, with its ASCII twin."""
    return {
        point: str(unicodedata.decimal(chr(point)))
        for point in range(0x80, sys.maxunicode + 1)
        if unicodedata.category(chr(point)) == "Nd"
    }


_TWINS: dict[int, str] = {
    **{point: chr(point - 0xFEE0) for point in _ranges(_FULLWIDTH)},
    **dict.fromkeys(_ranges(_DASHES), "-"),
    **dict.fromkeys(_ranges(_SPACES), " "),
    **dict.fromkeys(_ranges(_LINE_ENDS), "\n"),
    **_decimal_digits(),
}
# One range for all beyond the basic plane: the regex engine looks ranges there up one by one.
_DIGIT_CLASS = "".join(chr(point) for point, twin in _TWINS.items() if twin.isdigit() and point < 0x10000)
_ODD = re.compile(
    f"[{_REMOVED}{_SPACES}{_LINE_ENDS}{_DASHES}{_FULLWIDTH}{_DIGIT_CLASS}\U00010000-\U0001ffff]"
)
_INVISIBLE = re.compile(f"[{_REMOVED}]")


class Plain(NamedTuple):
    """A text to read codes from. Without `offsets` every character stands where it stood in the original."""

    text: str
    offsets: list[int] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original's offsets of what stands at `start:end` here."""
        if self.offsets is None:
            return start, end
        return self.offsets[start], self.offsets[end - 1] + 1


def plain(text: str) -> Plain:
    """Digits of any script become ASCII, odd spaces and dashes common ones; marks nobody sees are left out."""
    if text.isascii() or not _ODD.search(text):
        return Plain(text, None)
    twins = text.translate(_TWINS)
    if not _INVISIBLE.search(twins):
        return Plain(twins, None)
    offsets = [index for index, character in enumerate(twins) if not _INVISIBLE.match(character)]
    return Plain("".join([twins[index] for index in offsets]), offsets)


def bare(text: str) -> str:
    """Only the ASCII letters and digits of a text: what a code is once its grouping is gone."""
    return "".join(
        [character for character in plain(text).text if character.isascii() and character.isalnum()]
    )
