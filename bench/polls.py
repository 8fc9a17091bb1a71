"""Polls a second over HTTP, against static answers of the same server."""

from __future__ import annotations

import random
from typing import Final

from bench.figures import Figure, Plan, Sample, alternate, progress, requests_per_second
from bench.load import Load, request
from bench.stand import Stand, Web
from bench.world import Lease, World

_BUYERS: Final = 256
_LEASES: Final = 5120
_SERVICE: Final = "whatsapp"
_AIM: Final = 0.4
_SEED: Final = 2


def measure(stand: Stand, plan: Plan) -> list[Figure]:
    with stand.database() as url:
        progress(f"polls: preparing {_LEASES:,} activations")
        place = World(url)
        place.add_buyers(_BUYERS)
        supplier = place.add_supplier(_LEASES, _SERVICE)
        leases = place.open_activations(supplier, _SERVICE, _LEASES)
        place.add_history()
        place.settle()
        with stand.web(url) as web:
            return _figures(place, leases, web, plan)


def _figures(place: World, leases: list[Lease], web: Web, plan: Plan) -> list[Figure]:
    keys = {buyer.account_id: buyer.key for buyer in place.buyers}
    checks = [
        request(web.port, "GET", f"/api/v1/server7/check/{lease.activation_id}", key=keys[lease.account_id])
        for lease in leases
    ]
    random.Random(_SEED).shuffle(checks)
    countries = [
        request(web.port, "GET", "/api/v1/server7/countries", key=buyer.key) for buyer in place.buyers
    ]
    static = [request(web.port, "GET", "/healthz")]

    def polls(requests: list[bytes], seconds: float = plan.seconds) -> Sample:
        return requests_per_second(web, Load(web.port, plan.connections, seconds, requests))

    progress("polls: warming up")
    for requests in (checks, countries, static):
        polls(requests, 0.5)
    found = alternate(
        plan,
        {
            "GET /check": lambda: polls(checks),
            "GET /healthz": lambda: polls(static),
            "GET /countries": lambda: polls(countries),
        },
        "answers/s",
    )
    return [
        Figure(
            "polls",
            "GET /api/v1/server7/check/{id}",
            "static JSON from the same uvicorn and Starlette (GET /healthz)",
            "answers/s",
            _AIM,
            False,
            found["GET /check"],
            found["GET /healthz"],
            [_generator_note(found["GET /healthz"])],
        ),
        Figure(
            "polls, against an answer that needs only admission",
            "GET /api/v1/server7/check/{id}",
            "GET /api/v1/server7/countries (key and budget, then a constant)",
            "answers/s",
            _AIM,
            False,
            found["GET /check"],
            found["GET /countries"],
        ),
    ]


def _generator_note(samples: list[Sample]) -> str:
    busiest = max(sample.answers.cpu_share for sample in samples if sample.answers is not None)
    return f"during the static answers the load generator took up to {busiest:.0%} of a core"
