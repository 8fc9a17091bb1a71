"""What accounts are told by mail."""

from __future__ import annotations

from urllib.parse import quote

TOKEN_PLACE = "{token}"  # noqa: S105
"""Where a link's address has its token."""

_NOT_YOU = "If it was not you, ignore this mail: nothing happens without the token."


def verify_email(token: str, link: str) -> tuple[str, str]:
    """Subject and body. `link` is the address of a page that takes the token, or empty."""
    return "Verify your email address", "\n".join(
        [
            "Somebody registered an account with this email address.",
            "",
            *_how(token, link, "verify the address"),
            "",
            "The token is good for 24 hours and for one use.",
            _NOT_YOU,
        ]
    )


def reset_password(token: str, link: str) -> tuple[str, str]:
    return "Reset your password", "\n".join(
        [
            "Somebody asked to reset the password of the account with this email address.",
            "",
            *_how(token, link, "choose a new password"),
            "",
            "The token is good for one hour and for one use.",
            _NOT_YOU,
        ]
    )


def known_already() -> tuple[str, str]:
    return "You have an account already", "\n".join(
        [
            "Somebody tried to register an account with this email address, which has one already.",
            "If it was you, log in, or reset your password when you do not know it any more.",
            "If it was not you, there is nothing to do.",
        ]
    )


def password_changed() -> tuple[str, str]:
    return "Your password was changed", "\n".join(
        [
            "The password of the account with this email address was changed, and its other sessions were ended.",
            "If it was not you, reset the password now and tell the operator of this service.",
        ]
    )


def _how(token: str, link: str, what: str) -> list[str]:
    if link:
        return [f"Open this page to {what}:", link.replace(TOKEN_PLACE, quote(token, safe=""))]
    return [f"This token lets you {what}:", token]
