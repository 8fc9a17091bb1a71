"""What of a public message is shown."""

from __future__ import annotations

_DIGITS_SHOWN = 4
_LETTERS_SHOWN = 3
_MASK = "***"


def mask_sender(sender: str) -> str:
    """A sender nobody can write to: of a number the last digits (`***4000`), of a name its first letters.

    Of a short one less: never more than half of a number's digits, nor a third of a name.
    """
    name = "".join(sender.split())
    digits = [character for character in name if character.isdecimal()]
    if digits and len(digits) * 2 >= len(name):
        return _MASK + "".join(digits[len(digits) - min(_DIGITS_SHOWN, len(digits) // 2) :])
    shown = min(_LETTERS_SHOWN, len(sender) // 3)
    return sender[:shown] + "*" * (len(sender) - shown)
