"""SMS taken in a second over HTTP, against bare inserts of the same text by pgbench."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from typing import Final

import msgspec

from bench import pgbench, stand
from bench.figures import Figure, Plan, Sample, alternate, progress, sent
from bench.load import Load, request
from bench.stand import Stand, Web
from bench.world import Lease, World

BATCH: Final = 20
_BUYERS: Final = 256
_SUPPLIERS: Final = 8
_SERVICE: Final = "whatsapp"
_AIM: Final = 0.4
# Each SMS is the first of its activation, so that each also moves the money; a side that gets through sooner ends
# its round sooner.
_LEASES_PER_SECOND_BATCHED: Final = 6000
_LEASES_PER_SECOND_SINGLE: Final = 4000
_SEED: Final = 3

_TABLE: Final = """
CREATE TABLE bench_message (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number      text NOT NULL,
    sender      text NOT NULL,
    body        text NOT NULL,
    received_at timestamptz NOT NULL
)
"""
_SCRIPT: Final = """\
\\set number random(2000000000, 2999999999)
\\set code random(100000, 999999)
INSERT INTO bench_message (number, sender, body, received_at)
VALUES ('+1' || :number, 'WhatsApp', 'Your WhatsApp code: ' || :code || '. Do not share this code with others', now());
"""


def _text(code: int) -> str:
    return f"Your WhatsApp code: {code}. Do not share this code with others"


def measure(stand_: Stand, plan: Plan) -> list[Figure]:
    with stand_.database() as url:
        batched = int(_LEASES_PER_SECOND_BATCHED * (plan.rounds * plan.seconds + 1))
        single = int(_LEASES_PER_SECOND_SINGLE * (plan.rounds * plan.seconds + 1))
        progress(f"messages: preparing {batched + single:,} open activations")
        place = World(url)
        place.add_buyers(_BUYERS)
        each = (batched + single) // _SUPPLIERS
        leases: dict[str, list[Lease]] = {}
        for _ in range(_SUPPLIERS):
            supplier = place.add_supplier(each, _SERVICE)
            leases[supplier.key] = place.open_activations(supplier, _SERVICE, each)
        stand.run_sql(url, _TABLE)
        place.add_history()
        place.settle()
        with stand_.web(url) as web:
            return _figures(place, leases, batched, web, plan)


def _figures(
    place: World, leases: dict[str, list[Lease]], batched: int, web: Web, plan: Plan
) -> list[Figure]:
    share = batched // _SUPPLIERS
    batches = _batches(web, {key: found[:share] for key, found in leases.items()})
    singles = _singles(web, {key: found[share:] for key, found in leases.items()})
    accepted = 0

    def over_http(supply: Iterator[bytes], per_second: int, texts: int, seconds: float) -> Sample:
        nonlocal accepted
        requests = list(itertools.islice(supply, int(per_second * seconds) // texts))
        answers, shares = sent(web, Load(web.port, plan.connections, seconds, requests, once=True))
        accepted += answers.succeeded * texts
        return Sample(answers.per_second * texts, answers, shares)

    def many(seconds: float = plan.seconds) -> Sample:
        return over_http(batches, _LEASES_PER_SECOND_BATCHED, BATCH, seconds)

    def one(seconds: float = plan.seconds) -> Sample:
        return over_http(singles, _LEASES_PER_SECOND_SINGLE, 1, seconds)

    def by_pgbench(seconds: float = plan.seconds) -> Sample:
        return Sample(
            pgbench.transactions_per_second(
                place.url, _SCRIPT, clients=plan.connections, seconds=seconds, variables={}
            )
        )

    progress("messages: warming up")
    for side in (many, one, by_pgbench):
        side(1)
    found = alternate(
        plan, {"addMessages": many, "addMessage": one, "bare inserts by pgbench": by_pgbench}, "SMS/s"
    )
    stored = place.message_count()
    if stored != accepted or not place.is_balanced():
        raise AssertionError(
            f"{accepted} SMS were acknowledged, {stored} are stored; or the ledger is not balanced"
        )
    note = f"checked: {accepted:,} SMS acknowledged, as many stored, ledger balanced"
    return [
        Figure(
            name,
            measured,
            "bare single-row inserts of the same text by pgbench",
            "SMS/s",
            _AIM,
            False,
            found[side],
            found["bare inserts by pgbench"],
            [note],
        )
        for name, measured, side in (
            ("messages", f"POST /api/resellers/addMessages, {BATCH} in a call", "addMessages"),
            ("messages, one by one", "POST /api/resellers/addMessage", "addMessage"),
        )
    ]


def _batches(web: Web, leases: dict[str, list[Lease]]) -> Iterator[bytes]:
    """Calls with so many SMS each, the suppliers in turn."""
    codes = random.Random(_SEED)
    each = [
        [
            request(
                web.port,
                "POST",
                "/api/resellers/addMessages",
                key=key,
                body=msgspec.json.encode(
                    {"messages": [_message(lease, codes) for lease in found[start : start + BATCH]]}
                ),
            )
            for start in range(0, len(found) - BATCH + 1, BATCH)
        ]
        for key, found in leases.items()
    ]
    return itertools.chain.from_iterable(zip(*each, strict=True))


def _singles(web: Web, leases: dict[str, list[Lease]]) -> Iterator[bytes]:
    """Calls with one SMS each, the suppliers in turn."""
    codes = random.Random(_SEED)
    each = [
        [
            request(
                web.port,
                "POST",
                "/api/resellers/addMessage",
                key=key,
                body=msgspec.json.encode(_message(lease, codes)),
            )
            for lease in found
        ]
        for key, found in leases.items()
    ]
    return itertools.chain.from_iterable(zip(*each, strict=True))


def _message(lease: Lease, codes: random.Random) -> dict[str, str]:
    """One SMS in the supplier's words."""
    return {
        "date": str(int(time.time())),
        "number": lease.msisdn,
        "from": "WhatsApp",
        "message": _text(codes.randint(100_000, 999_999)),
    }
