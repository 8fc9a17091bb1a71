"""How long an order takes with a million numbers, most of them used up for its service, against ten thousand."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final

from bench import purchases
from bench.figures import Figure, Plan, Sample, alternate, progress, sent
from bench.load import Load, LoadFailed, offer
from bench.stand import Stand, Web
from bench.world import Supplier, World

_BUYERS: Final = 256
_NUMBERS: Final = 1_000_000
_NUMBERS_QUICK: Final = 100_000
_REFERENCE: Final = 10_000
# Two services that have used the inventory up: one on numbers anywhere in the queue, one on all but the last in it.
_SCATTERED: Final = "telegram"
_IN_FRONT: Final = "whatsapp"
_RATE: Final = 150.0
_CONNECTIONS: Final = 16
_AIM: Final = 1.5
# Rounds may take this much of what can be sold; the rest is for warming up, and so that no side runs short.
_SOLD_MOST: Final = 0.8
_WARM_UPS_MAX: Final = 40
_ANSWER_SECONDS_MAX: Final = 30.0
# A load whose last answers come this much after its end was more than the server could do.
_LATE_SECONDS: Final = 0.5
_WARM_SECONDS: Final = 1.0


@dataclass(frozen=True)
class _Shop:
    """One inventory with a server on it."""

    place: World
    supplier: Supplier
    web: Web
    service: str

    def load(self, seconds: float) -> Load:
        requests = purchases.orders(self.web, self.place.buyers, self.supplier, self.service)
        return Load(self.web.port, _CONNECTIONS, seconds, requests, rate=_RATE)

    def warm_up(self) -> None:
        """Orders until the service's cursor has come to numbers it can sell, as it has in operation."""
        requests = self.load(0).requests
        for _ in range(_WARM_UPS_MAX):
            # One at a time: each passes over as many numbers as one order may.
            if offer(Load(self.web.port, 1, _ANSWER_SECONDS_MAX, requests[:1], once=True)).succeeded:
                offer(self.load(_WARM_SECONDS))
                return
        raise LoadFailed("no number could be sold after warming up")

    def p99(self, seconds: float) -> Sample:
        answers, shares = sent(self.web, self.load(seconds))
        return Sample(answers.p99_ms, answers, shares)


def measure(stand: Stand, plan: Plan) -> list[Figure]:
    count = _NUMBERS_QUICK if plan.quick else _NUMBERS
    with ExitStack() as stack:
        small = World(stack.enter_context(stand.database()))
        small.add_buyers(_BUYERS)
        references = {service: small.add_supplier(_REFERENCE, service) for service in (_SCATTERED, _IN_FRONT)}
        small.add_history()
        small.settle()
        progress(f"inventory: preparing {count:,} numbers and their past activations")
        large = World(stack.enter_context(stand.database()))
        large.add_buyers(_BUYERS)
        supplier = large.add_supplier(count, *references)
        free = min(_REFERENCE, count // 2)
        large.use_up(supplier, _SCATTERED, free=free, scattered=True)
        large.use_up(supplier, _IN_FRONT, free=free, scattered=False)
        large.add_history()
        large.settle()
        webs = [stack.enter_context(stand.web(place.url)) for place in (small, large)]
        return [
            _figure(
                layout,
                count,
                _Shop(large, supplier, webs[1], service),
                _Shop(small, references[service], webs[0], service),
                plan,
            )
            for service, layout in ((_SCATTERED, "anywhere in the queue"), (_IN_FRONT, "in front"))
        ]


def _figure(layout: str, count: int, large: _Shop, small: _Shop, plan: Plan) -> Figure:
    progress(f"inventory, used numbers {layout}: warming up")
    free = large.place.free_numbers(large.supplier, large.service)
    large.warm_up()
    small.warm_up()
    seconds = min(plan.seconds, _SOLD_MOST * _REFERENCE / _RATE / plan.rounds)
    sides = {f"{count:,} numbers": large, f"{_REFERENCE:,} numbers": small}
    found = alternate(plan, {name: partial(shop.p99, seconds) for name, shop in sides.items()}, "ms")
    measured, reference = found.values()
    notes = [
        f"{_RATE:g} orders/s at random moments on both sides, in {len(measured)} rounds of {seconds:g} s each"
    ]
    for name, samples in found.items():
        late = [one for one in samples if one.answers and one.answers.seconds > seconds + _LATE_SECONDS]
        if late:
            notes.append(
                f"{name}: in {len(late)} rounds the server could not keep up, so the time is that of a growing queue"
            )
    return Figure(
        f"p99 of an order, used numbers {layout}",
        f"{count:,} numbers, of which {free:,} can be sold",
        f"{_REFERENCE:,} numbers, none used before",
        "ms",
        _AIM,
        True,
        measured,
        reference,
        notes,
    )
