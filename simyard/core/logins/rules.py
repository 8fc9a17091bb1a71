"""What decides about passwords, tokens and counts from values alone."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import secrets
from datetime import datetime
from typing import Final

from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import AccountState

PASSWORD_LENGTH_MIN: Final = 8
PASSWORD_LENGTH_MAX: Final = 200
NAME_LENGTH_MAX: Final = 200
TOKEN_LENGTH_MAX: Final = 200
VERIFY_SECONDS: Final = 24 * 3600
RESET_SECONDS: Final = 3600
FAILURES_WINDOW_SECONDS: Final = 24 * 3600
"""Failures in a row count as such within a day."""
MAILS_MAX: Final = 5
MAILS_WINDOW_SECONDS: Final = 3600

_REFRESH_PREFIX = "sr_"
_MAILED_PREFIX = "sm_"
_NETWORK_BITS_V6 = 64

_REFUSED_STATES = {
    AccountState.SUSPENDED: Refused.ACCOUNT_SUSPENDED,
    AccountState.LOCKED: Refused.ACCOUNT_LOCKED,
    AccountState.ERASED: Refused.ACCOUNT_LOCKED,
}


def check_password(password: str, field: str) -> None:
    """Refuses: MALFORMED for a password that is too short or too long."""
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        problem = f"The {field} must have {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters."
        raise Refusal(Refused.MALFORMED, field=field, problem=problem)


def clean_name(name: str) -> str:
    """A name on one line, of no more length than there is room for."""
    return " ".join("".join(one if one.isprintable() else " " for one in name).split())[:NAME_LENGTH_MAX]


def new_refresh_token() -> str:
    """256 random bits."""
    return _REFRESH_PREFIX + secrets.token_urlsafe(32)


def new_mailed_token() -> str:
    """256 random bits."""
    return _MAILED_PREFIX + secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is stored and looked up of a token. Tokens are random, so a slow hash would add nothing."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def of_email(email: str) -> bytes:
    """What failed logins are counted by, whether or not anybody has the email."""
    return digest(f"failures of email {email}")


def of_address(address: str) -> bytes | None:
    """What failed logins from an address are counted by; None when there is none."""
    network = _network(address)
    return None if network is None else digest(f"failures from {network}")


def attempts_of(address: str) -> bytes | None:
    """What requests without a token are counted by; None when there is no address."""
    network = _network(address)
    return None if network is None else digest(f"attempts from {network}")


def mails_to(email: str) -> bytes:
    """What mails that anybody can cause are counted by."""
    return digest(f"mails to {email}")


def _network(address: str) -> str | None:
    """An IPv4 address, or the /64 a single IPv6 subscriber has to himself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((int(parsed), _NETWORK_BITS_V6), strict=False))


def seconds_until(moment: datetime, now: datetime) -> int:
    return max(1, math.ceil((moment - now).total_seconds()))


def judge_state(state: AccountState) -> Refusal | None:
    """Why an account may not be used, or None."""
    reason = _REFUSED_STATES.get(state)
    return None if reason is None else Refusal(reason)
