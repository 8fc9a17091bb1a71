"""The banks a virtual account may be at: their codes, as Nigeria's clearing house and the providers use them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources

from simyard.core.funding.model import Bank


@cache
def load() -> Mapping[str, Bank]:
    """Every bank, by its code."""
    text = resources.files(__package__).joinpath("banks.csv").read_text(encoding="utf-8")
    return {
        row["code"]: Bank(row["code"], row["name"], row["slug"]) for row in csv.DictReader(text.splitlines())
    }
