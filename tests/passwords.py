"""Passwords hashed cheaply, so that tests of what is done with them do not wait for the hashing."""

from __future__ import annotations

from collections.abc import Iterator

import argon2
import pytest

from simyard.core.accounts import rules


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For every test of the module that imports this."""
    monkeypatch.setattr(rules, "_HASHER", argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    rules._nobodys_hash.cache_clear()
    yield
    rules._nobodys_hash.cache_clear()
