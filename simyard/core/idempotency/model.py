"""Idempotency keys as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal

Key: TypeAlias = tuple[AccountId, str]


@dataclass(frozen=True, slots=True)
class Keyed:
    """A command under a key. The fingerprint is of all that must be the same for two commands to be one."""

    key: Key
    fingerprint: bytes


@dataclass(slots=True)
class Settled:
    """What keys say about a batch, by the place of each command.

    `answers` are the outcomes of commands that were carried out before, or why they are refused; `twins` are those that
    another one of the batch answers; `first_of` are the keys this batch is the first to use. Commands without a key are in none.
    """

    answers: dict[int, bytes | Refusal] = field(default_factory=dict)
    twins: dict[int, int] = field(default_factory=dict)
    first_of: dict[Key, int] = field(default_factory=dict)
