"""What decides about emails, keys and passwords from values alone."""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from simyard.core.accounts.model import Role, Scope

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
_HASHER = PasswordHasher()
KEY_PREFIX = "sy_"
KEY_LENGTH_MAX = 256
_HINT_LENGTH = 7

SCOPES_OF_ROLE: dict[Role, tuple[Scope, ...]] = {
    Role.BUYER: (Scope.READ, Scope.ORDER),
    Role.SUPPLIER: (Scope.READ, Scope.ORDER, Scope.SUPPLY),
    Role.OPERATOR: (Scope.READ, Scope.ORDER),
}


def normal_email(text: str) -> str | None:
    """The address as it is stored and looked up, or None when it is not one."""
    email = text.strip().lower()
    return email if email.isprintable() and _EMAIL.fullmatch(email) else None


def new_key() -> str:
    """A fresh key with 256 random bits."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def digest(key: str) -> bytes:
    """What is stored and looked up of a key. Equal digests are found by an index, so no comparison leaks the key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def hint(key: str) -> str:
    """The part of a key that may be shown to its owner to tell it from others."""
    return key[:_HINT_LENGTH]


def hash_password(password: str) -> str:
    """Argon2id with the library's current parameters. Takes a while and much memory: not for the event loop."""
    return _HASHER.hash(_normal(password))


def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether it is the password. Takes as long when there is none to compare with: then it never is."""
    try:
        _HASHER.verify(password_hash or _nobodys_hash(), _normal(password))
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether a hash was made with other parameters than those in use now."""
    return _HASHER.check_needs_rehash(password_hash)


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash(secrets.token_urlsafe(32))


def _normal(password: str) -> str:
    """One form for what looks the same, whichever keyboard wrote it."""
    return unicodedata.normalize("NFKC", password)
