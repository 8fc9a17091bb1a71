"""Purchases a second over HTTP, against one stored function per purchase called by pgbench."""

from __future__ import annotations

import random
from importlib import resources
from typing import Final

from bench import pgbench, stand, world
from bench.figures import Figure, Plan, Sample, alternate, progress, requests_per_second
from bench.load import Load, request
from bench.stand import Stand, Web
from bench.world import Buyer, Supplier, World

BUYERS: Final = 256
_SERVICE: Final = "whatsapp"
_AIM: Final = 0.5
# More than either side can sell in one second.
_NUMBERS_PER_SECOND: Final = 14_000
# Where the reference is at its best: with more clients they queue for the pages at the head of the shelf.
_CLIENTS_BEST: Final = 8
_REQUESTS: Final = 4096
_SEED: Final = 1

_SCRIPT: Final = """\
\\set buyer random(:first_buyer, :last_buyer)
SELECT bench_order(:buyer, :pool, :service, :price);
"""


def measure(stand_: Stand, plan: Plan) -> list[Figure]:
    with stand_.database() as url:
        seconds = (plan.rounds + 1) * plan.seconds
        numbers = int(_NUMBERS_PER_SECOND * seconds)
        progress(f"purchases: preparing {2 * numbers:,} numbers and {BUYERS} buyers")
        place = World(url)
        place.add_buyers(BUYERS)
        ours, theirs = (place.add_supplier(numbers, _SERVICE) for _ in range(2))
        stand.run_sql(url, resources.files("bench").joinpath("order.sql").read_text(encoding="utf-8"))
        place.add_history()
        place.settle()
        with stand_.web(url) as web:
            return _figures(place, ours, theirs, web, plan)


def _figures(place: World, ours: Supplier, theirs: Supplier, web: Web, plan: Plan) -> list[Figure]:
    variables = {
        "first_buyer": place.buyers[0].account_id,
        "last_buyer": place.buyers[-1].account_id,
        "pool": theirs.pool_id,
        "service": world.service_id(_SERVICE),
        "price": world.PRICE,
    }
    requests = orders(web, place.buyers, ours, _SERVICE)
    sold = 0

    def over_http(seconds: float = plan.seconds) -> Sample:
        nonlocal sold
        sample = requests_per_second(web, Load(web.port, plan.connections, seconds, requests))
        sold += sample.answers.succeeded if sample.answers is not None else 0
        return sample

    def by_pgbench(clients: int, seconds: float = plan.seconds) -> Sample:
        return Sample(
            pgbench.transactions_per_second(
                place.url, _SCRIPT, clients=clients, seconds=seconds, variables=variables
            )
        )

    many, best = f"pgbench, {plan.connections} clients", f"pgbench, {_CLIENTS_BEST} clients"
    progress("purchases: warming up")
    over_http(1)
    by_pgbench(plan.connections, 1)
    found = alternate(
        plan,
        {
            many: lambda: by_pgbench(plan.connections),
            "over HTTP": over_http,
            best: lambda: by_pgbench(_CLIENTS_BEST),
        },
        "purchases/s",
    )
    check = _check(place, ours, sold)
    return [
        Figure(
            name,
            f"POST /api/v1/server7/purchase, {plan.connections} connections",
            f"one SQL call per purchase by {side}",
            "purchases/s",
            _AIM,
            False,
            found["over HTTP"],
            found[side],
            [check],
        )
        for name, side in (("purchases", many), ("purchases, against the reference at its best", best))
    ]


def orders(web: Web, buyers: list[Buyer], supplier: Supplier, service: str) -> list[bytes]:
    """Orders of one pool's numbers by all buyers, in no order."""
    body = f'{{"country":"USA","app":"{service}-{supplier.pool_id}"}}'.encode()
    each = [
        request(web.port, "POST", "/api/v1/server7/purchase", key=buyer.key, body=body) for buyer in buyers
    ]
    return random.Random(_SEED).choices(each, k=_REQUESTS)


def _check(place: World, supplier: Supplier, sold: int) -> str:
    leased = place.activation_count(supplier)
    if leased != sold or not place.is_balanced():
        raise AssertionError(
            f"{sold} purchases were answered, {leased} are stored; or the ledger is not balanced"
        )
    return f"checked: {sold:,} purchases answered, as many stored, ledger balanced"
