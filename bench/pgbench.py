"""pgbench, which comes with the embedded PostgreSQL: the other side of most ratios."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from simyard.db import embedded

_RATE: Final = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_FAILED: Final = re.compile(r"^number of failed transactions: ([0-9]+)", re.MULTILINE)
_THREADS: Final = 2
_ANSWER_SECONDS_MAX: Final = 60


class PgbenchFailed(Exception):
    """pgbench did not run to its end, or a transaction of it failed; the message is what it said."""


def transactions_per_second(
    url: str, script: str, *, clients: int, seconds: float, variables: Mapping[str, int]
) -> float:
    """Runs a script over and over on so many connections; each run of it is one transaction."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        command = [str(embedded.tool("pgbench")), "--no-vacuum", "--protocol=prepared", f"--file={file.name}"]
        command += [
            f"--client={clients}",
            f"--jobs={min(_THREADS, clients)}",
            f"--time={max(1, round(seconds))}",
        ]
        command += [f"--define={name}={value}" for name, value in variables.items()]
        finished = subprocess.run(
            [*command, url],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(file.name).parent,
            env={key: value for key, value in os.environ.items() if not key.startswith("PG")},
            timeout=seconds + _ANSWER_SECONDS_MAX,
        )
    rate, failed = _RATE.search(finished.stdout), _FAILED.search(finished.stdout)
    if finished.returncode != 0 or rate is None or failed is None or int(failed[1]) > 0:
        raise PgbenchFailed(f"{finished.stdout}\n{finished.stderr}"[-2000:])
    return float(rate[1])
