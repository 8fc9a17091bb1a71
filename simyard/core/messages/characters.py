"""Characters: a text brought to plain digits, spaces and dashes, with the way back to its own offsets."""

from __future__ import annotations

import re
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
# The zero of every script's decimal digits but ASCII's: the other nine follow it.
_ZEROS = (
    "\u0660\u06f0\u07c0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0de6\u0e50\u0ed0\u0f20\u1040\u1090"
    "\u17e0\u1810\u1946\u19d0\u1a80\u1a90\u1b50\u1bb0\u1c40\u1c50\ua620\ua8d0\ua900\ua9d0\ua9f0\uaa50\uabf0\uff10"
    "\U000104a0\U00010d30\U00011066\U000110f0\U00011136\U000111d0\U000112f0\U00011450\U000114d0\U00011650"
    "\U000116c0\U00011730\U000118e0\U00011950\U00011c50\U00011d50\U00011da0\U00016a60\U00016ac0\U00016b50"
    "\U0001d7ce\U0001d7d8\U0001d7e2\U0001d7ec\U0001d7f6\U0001e140\U0001e2f0\U0001e950\U0001fbf0"
    # Of Unicode 15 and 16, which this Python may not know yet.
    "\U00010d40\U000116d0\U000116da\U00011bf0\U00011f50\U0001ccf0\U0001e4f0\U0001e5f1"
)


def _ranges(spec: str) -> list[int]:
    """Every code point of a character class written as `a-bc`."""
    return [
        point
        for first, last in re.findall("(.)(?:-(.))?", spec, re.DOTALL)
        for point in range(ord(first), ord(last or first) + 1)
    ]


_TWINS: dict[int, str] = {
    **{point: chr(point - 0xFEE0) for point in _ranges(_FULLWIDTH)},
    **dict.fromkeys(_ranges(_DASHES), "-"),
    **dict.fromkeys(_ranges(_SPACES), " "),
    **dict.fromkeys(_ranges(_LINE_ENDS), "\n"),
    **{ord(zero) + digit: str(digit) for zero in _ZEROS for digit in range(10)},
}
# One range for all beyond the basic plane: the regex engine looks ranges there up one by one.
_DIGIT_CLASS = "".join(f"{zero}-{chr(ord(zero) + 9)}" for zero in _ZEROS if zero < "\U00010000")
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
