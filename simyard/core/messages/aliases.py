"""Aliases: the slug behind whatever word a service is asked for by."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files

# Services asked for are few; a word nobody knows is remembered too, within this bound.
REMEMBERED_NAMES_MAX = 4_096

_NOISE = re.compile(r"[^a-z0-9]")


def _rows() -> Iterator[dict[str, str]]:
    text = files(__package__).joinpath("aliases.csv").read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


def _split_names(display_name: str) -> list[str]:
    """`TikTok / Douyin` are two names, `Cita Previa (Spain)` is one and a note."""
    without_note = re.sub(r"\s*\([^)]*\)", "", display_name)
    return [name.strip() for name in without_note.split(" / ") if name.strip()]


def _squeezed(name: str) -> str:
    return _NOISE.sub("", name.lower())


_DISPLAY_NAMES: dict[str, list[str]] = {}
_SLUGS: dict[str, str] = {}
for _row in _rows():
    _slug = _row["service"]
    _DISPLAY_NAMES[_slug] = _split_names(_row["display_name"])
    for _name in (
        _row["handler_api_code"],
        _row["onlinesim_slug"].lower(),
        *map(_squeezed, _DISPLAY_NAMES[_slug]),
    ):
        if _name:
            _SLUGS.setdefault(_name, _slug)
# A slug is its own name, whatever else is called so.
_SLUGS.update({slug: slug for slug in _DISPLAY_NAMES})


@lru_cache(maxsize=REMEMBERED_NAMES_MAX)
def slug_of(name: str | None) -> str | None:
    """The slug for a slug, a vendor's code or a display name in any case; an unknown word squeezed to its letters."""
    if name is None:
        return None
    lowered = name.strip().lower()
    return _SLUGS.get(lowered) or _SLUGS.get(_squeezed(lowered)) or _squeezed(lowered) or None


def display_names(slug: str) -> list[str]:
    """The names a service goes by in the catalogue; its slug when it has none."""
    return _DISPLAY_NAMES.get(slug, [slug])
