"""The world every test here starts from."""

from __future__ import annotations

from tests.world import world

__all__ = ["world"]
