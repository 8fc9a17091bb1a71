"""Challenges, from values alone."""

from __future__ import annotations

import secrets
from typing import Final

# Letters and digits nobody mistakes for others when he types them; so many of them that nobody guesses a challenge.
_ALPHABET: Final = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_GROUPS: Final = 3
_GROUP_LENGTH: Final = 4
_TEXT_READ_MAX: Final = 2_000


def new_challenge() -> str:
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)


def answers(text: str, challenge: str) -> bool:
    """Whether a message brings the challenge, however its letters are written and what stands between its groups."""
    return _bare(challenge) in _bare(text[:_TEXT_READ_MAX])


def _bare(text: str) -> str:
    return "".join(sign for sign in text.upper() if sign.isalnum())
