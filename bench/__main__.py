"""`python -m bench`: measures, and prints the figures. What they mean is in docs/performance.md."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Final

from bench import inventory, messages, polls, purchases
from bench.figures import Figure, Plan, progress
from bench.stand import Stand, stand

BENCHMARKS: Final[dict[str, Callable[[Stand, Plan], list[Figure]]]] = {
    "purchases": purchases.measure,
    "polls": polls.measure,
    "messages": messages.measure,
    "inventory": inventory.measure,
}
# The whole run takes less than four minutes, rounds that were asked for aside.
_LAST_START_SECONDS: Final = 190.0


def main() -> None:
    arguments = _parser().parse_args()
    plan = Plan(
        rounds=arguments.rounds or (1 if arguments.quick else 3),
        seconds=1.0 if arguments.quick else 3.0,
        connections=arguments.connections,
        quick=arguments.quick,
        last_start_seconds=math.inf if arguments.rounds else _LAST_START_SECONDS,
    )
    # Told to stop, what was started is stopped too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    names: Sequence[str] = arguments.only or list(BENCHMARKS)
    figures: list[Figure] = []
    progress("starting a PostgreSQL of our own")
    with stand(arguments.processes) as ground:
        for name in names:
            figures += BENCHMARKS[name](ground, plan)
    if arguments.json:
        print(
            json.dumps(
                {"cores": os.cpu_count(), "figures": [figure.values() for figure in figures]}, indent=2
            )
        )
    else:
        for figure in figures:
            print("\n".join(figure.lines()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures ratios of two things in alternating rounds, on a database and servers of its own.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short round on fewer rows: does it still work?"
    )
    parser.add_argument(
        "--only", action="append", choices=list(BENCHMARKS), help="may be given more than once"
    )
    parser.add_argument("--rounds", type=_positive, help="3 when left out")
    parser.add_argument(
        "--connections", type=_positive, default=64, help="clients at once (default: %(default)s)"
    )
    parser.add_argument("--processes", type=_positive, default=1, help="web processes (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    main()
