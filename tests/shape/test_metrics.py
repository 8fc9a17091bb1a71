"""Metrics: that the page of metrics names every one there is."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric

import simyard.app  # noqa: F401  # what it imports makes all metrics

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_of_metrics_names_each_with_its_kind() -> None:
    ours = [family for family in REGISTRY.collect() if family.name.startswith("simyard_")]
    listed = re.findall(r"^\| `(simyard_\w+)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(listed) == sorted((_name(family), family.type) for family in ours)


def _name(family: Metric) -> str:
    """As queries say it."""
    return f"{family.name}_total" if family.type == "counter" else family.name
