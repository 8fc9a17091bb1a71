"""Access tokens: JSON Web Tokens that this platform alone writes and reads."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, TypeGuard

import jwt

from simyard.base.ids import ID_MAX, AccountId, SessionId, TokenKeyId
from simyard.base.refusals import Refusal, Refused
from simyard.core.logins.model import Claims, TokenKey

ALGORITHM: Final = "HS256"
KEY_BYTES: Final = 64
LENGTH_MAX: Final = 2000
_OURS: Final = "simyard"
_ACCESS: Final = "access"
_SKEW_SECONDS: Final = 60


def write(key: TokenKey, claims: Claims, *, seconds: int, now: datetime) -> str:
    issued = int(now.timestamp())
    payload = {
        "iss": _OURS,
        "aud": _OURS,
        "sub": str(claims.account_id),
        "sid": claims.session_id,
        "typ": _ACCESS,
        "iat": issued,
        "exp": issued + seconds,
    }
    return jwt.encode(payload, key.value, algorithm=ALGORITHM, headers={"kid": str(key.id)})


def key_id(token: str) -> TokenKeyId:
    """Which of our keys a token says it is signed with. Refuses: WRONG_KEY."""
    if len(token) > LENGTH_MAX:
        raise Refusal(Refused.WRONG_KEY)
    try:
        found = jwt.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise Refusal(Refused.WRONG_KEY) from error
    if not _is_id(found):
        raise Refusal(Refused.WRONG_KEY)
    return TokenKeyId(int(found))


def read(key: TokenKey, token: str, *, now: datetime) -> Claims:
    """What a token that names this key says, when it is ours and in time.

    Refuses: WRONG_KEY, with `expired` when that is all that is wrong with it. The algorithm is ours to choose, never
    the token's, and the time is the clock's.
    """
    try:
        payload: dict[str, Any] = jwt.decode(
            token,
            key.value,
            algorithms=[ALGORITHM],
            audience=_OURS,
            issuer=_OURS,
            options={
                "require": ["iss", "aud", "sub", "sid", "typ", "iat", "exp"],
                "strict_aud": True,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise Refusal(Refused.WRONG_KEY) from error
    account_id, session_id = payload["sub"], payload["sid"]
    issued, expires, moment = payload["iat"], payload["exp"], int(now.timestamp())
    if not (
        payload["typ"] == _ACCESS
        and _is_id(account_id)
        and _is_whole(session_id)
        and _is_whole(issued)
        and _is_whole(expires)
        and issued <= moment + _SKEW_SECONDS
    ):
        raise Refusal(Refused.WRONG_KEY)
    if expires <= moment:
        raise Refusal(Refused.WRONG_KEY, expired=True)
    return Claims(AccountId(int(account_id)), SessionId(session_id))


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(ID_MAX))


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= ID_MAX
