"""Metrics of this process, as tests read them."""

from __future__ import annotations

from prometheus_client import REGISTRY


def metric(name: str, **labels: str) -> float:
    """The value of a sample; nothing counted yet is 0."""
    return REGISTRY.get_sample_value(name, labels) or 0.0
