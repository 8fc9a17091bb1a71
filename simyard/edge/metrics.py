"""Prometheus metrics of the web processes."""

from __future__ import annotations

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)

_requests = Counter("simyard_requests", "Requests answered.", ["dialect", "action", "status"])
_seconds = Histogram(
    "simyard_request_seconds",
    "Time from the request's head to its answer.",
    ["dialect", "action"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
_notifications = Counter(
    "simyard_deposit_notifications", "Notifications of deposits, by what they were.", ["provider", "outcome"]
)
_gateway_requests = Counter(
    "simyard_gateway_requests", "Requests of gateways answered, by their kind.", ["kind", "status"]
)
_gateway_messages = Counter(
    "simyard_gateway_messages", "Messages gateways handed in, by what became of them.", ["kind", "outcome"]
)
# Looking a child up by its labels costs more than counting.
_request_children: dict[tuple[str, str, int], Counter] = {}
_seconds_children: dict[tuple[str, str], Histogram] = {}


def observe(dialect: str, action: str, status: int, seconds: float) -> None:
    """Count a request and the time it took."""
    counter = _request_children.get((dialect, action, status))
    if counter is None:
        counter = _request_children[dialect, action, status] = _requests.labels(dialect, action, str(status))
    counter.inc()
    histogram = _seconds_children.get((dialect, action))
    if histogram is None:
        histogram = _seconds_children[dialect, action] = _seconds.labels(dialect, action)
    histogram.observe(seconds)


def count_notification(provider: str, outcome: str) -> None:
    """Count what a provider, or whoever claims to be one, told us of a deposit."""
    _notifications.labels(provider, outcome).inc()


def count_gateway_request(kind: str, status: int) -> None:
    """Count a request of a gateway."""
    _gateway_requests.labels(kind, str(status)).inc()


def count_gateway_message(kind: str, outcome: str) -> None:
    """Count a message a gateway handed in."""
    _gateway_messages.labels(kind, outcome).inc()


def page() -> tuple[bytes, str]:
    """All metrics in Prometheus' text format, of every process when several share a folder."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
