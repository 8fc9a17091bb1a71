"""Figures: two things measured in alternating rounds, the ratio of each round, and how it is shown."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bench.load import Answers, Load, LoadFailed, offer
from bench.stand import Shares, Web


@dataclass(frozen=True)
class Plan:
    """How long and how often to measure."""

    rounds: int
    seconds: float
    connections: int
    # Fewer rows, one short round: shows that everything works, says little about speed.
    quick: bool
    # No round starts later than this after the start of the run, but for the first of each benchmark.
    last_start_seconds: float


@dataclass(frozen=True)
class Sample:
    """One round of one side: requests, or transactions, a second, or milliseconds."""

    value: float
    answers: Answers | None = None
    shares: Shares | None = None


Side: TypeAlias = Callable[[], Sample]


@dataclass(frozen=True)
class Figure:
    """A ratio of what was measured to its reference, round by round."""

    name: str
    measured: str
    reference: str
    unit: str
    aim: float
    # For a time, less is better.
    aim_is_most: bool
    samples: Sequence[Sample]
    references: Sequence[Sample]
    notes: Sequence[str] = field(default=())

    @property
    def ratios(self) -> list[float]:
        return [
            sample.value / reference.value
            for sample, reference in zip(self.samples, self.references, strict=True)
        ]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def reached(self) -> bool:
        return self.ratio <= self.aim if self.aim_is_most else self.ratio >= self.aim

    def lines(self) -> list[str]:
        """The figure as text."""
        sign = "≤" if self.aim_is_most else "≥"
        verdict = "reached" if self.reached else "missed"
        low, high = min(self.ratios), max(self.ratios)
        return [
            f"{self.name}: {self.ratio:.2f} ({low:.2f} to {high:.2f}); aim {sign} {self.aim:g}, {verdict}",
            f"    {self.measured}: {_spread(self.samples, self.unit)}",
            f"    {self.reference}: {_spread(self.references, self.unit)}",
            *(f"    {note}" for note in (*_cost(self), *_effort(self.samples), *self.notes)),
        ]

    def values(self) -> dict[str, Any]:
        """The figure for a program."""
        return {
            "name": self.name,
            "measured": self.measured,
            "reference": self.reference,
            "unit": self.unit,
            "ratio": self.ratio,
            "ratios": self.ratios,
            "aim": self.aim,
            "aim_is_most": self.aim_is_most,
            "reached": self.reached,
            "samples": [_sample_values(sample) for sample in self.samples],
            "references": [_sample_values(sample) for sample in self.references],
            "notes": list(self.notes),
        }


def alternate(plan: Plan, sides: Mapping[str, Side], unit: str) -> dict[str, list[Sample]]:
    """Measures every side once a round, in an order that turns each round, so that drift hits all of them."""
    found: dict[str, list[Sample]] = {name: [] for name in sides}
    for number in range(plan.rounds):
        if number and time.monotonic() - _started > plan.last_start_seconds:
            progress(f"out of time: {number} of {plan.rounds} rounds")
            break
        order = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for name in order:
            sample = sides[name]()
            found[name].append(sample)
            progress(f"round {number + 1} of {plan.rounds}: {name} {_amount(sample.value, unit)} {unit}")
    return found


def sent(web: Web, load: Load) -> tuple[Answers, Shares]:
    """Offers a load to a server and watches what it costs. Every answer must be a success."""
    with web.watched() as shares:
        answers = offer(load)
    if answers.failure is not None:
        raise LoadFailed(
            f"answers by status: {answers.statuses}; the first that was no success:\n{answers.failure}"
        )
    return answers, shares[0]


def requests_per_second(web: Web, load: Load) -> Sample:
    """Successful answers a second."""
    answers, shares = sent(web, load)
    return Sample(answers.per_second, answers, shares)


_started = time.monotonic()


def progress(text: str) -> None:
    """Tells whoever waits what goes on, beside the figures."""
    print(f"[{time.monotonic() - _started:4.0f} s] {text}", file=sys.stderr, flush=True)


def _spread(samples: Sequence[Sample], unit: str) -> str:
    values = sorted(sample.value for sample in samples)
    middle = _amount(statistics.median(values), unit)
    return f"{middle} {unit} ({_amount(values[0], unit)} to {_amount(values[-1], unit)})"


def _amount(value: float, unit: str) -> str:
    return f"{value:.2f}" if unit == "ms" else f"{value:,.0f}"


def _cost(figure: Figure) -> list[str]:
    """Processor time of one purchase, answer or SMS: other programs slow a run down, but hardly change this."""
    if figure.unit == "ms":
        return []
    watched = [(sample.shares, sample.value) for sample in figure.samples if sample.shares is not None]
    if not watched:
        return []
    web = statistics.median(1e6 * shares.web / value for shares, value in watched)
    database = statistics.median(1e6 * shares.database / value for shares, value in watched)
    return [f"processor time for each: web {web:.0f} µs, PostgreSQL {database:.0f} µs"]


def _effort(samples: Sequence[Sample]) -> list[str]:
    """Who was busy: a generator near one whole core would have been the limit itself."""
    answers = [sample.answers for sample in samples if sample.answers is not None]
    shares = [sample.shares for sample in samples if sample.shares is not None]
    if not answers or not shares:
        return []
    web = statistics.median(share.web for share in shares)
    database = statistics.median(share.database for share in shares)
    generator = statistics.median(answer.cpu_share for answer in answers)
    others = statistics.median(
        max(0.0, share.machine - share.web - share.database - answer.cpu_share)
        for share, answer in zip(shares, answers, strict=True)
    )
    p50 = statistics.median(answer.p50_ms for answer in answers)
    p99 = statistics.median(answer.p99_ms for answer in answers)
    effort = f"of a core: web {web:.0%}, PostgreSQL {database:.0%}, load generator {generator:.0%}, other programs {others:.0%}; "
    return [effort + f"an answer took {p50:.1f} ms (p50), {p99:.1f} ms (p99)"]


def _sample_values(sample: Sample) -> dict[str, Any]:
    values: dict[str, Any] = {"value": sample.value}
    if sample.answers is not None:
        values |= {
            "p50_ms": sample.answers.p50_ms,
            "p99_ms": sample.answers.p99_ms,
            "max_ms": sample.answers.max_ms,
            "generator_share": sample.answers.cpu_share,
        }
    if sample.shares is not None:
        values |= {
            "web_share": sample.shares.web,
            "database_share": sample.shares.database,
            "machine_share": sample.shares.machine,
        }
    return values
