"""Runs inside a client's own environment, as onlinesimru_worker.py does, and pushes with `grizzly_sms`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, is_dataclass
from typing import Any

from grizzly_sms import GrizzlyPartner  # type: ignore[import-not-found]


def plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def main() -> None:
    partner = GrizzlyPartner(sys.argv[2], base_url=sys.argv[1])
    for line in sys.stdin:
        call = json.loads(line)
        named = call["named"]
        if isinstance(named.get("file"), str):
            named["file"] = named["file"].encode()
        try:
            answer = {"result": plain(getattr(partner, call["method"])(*call["arguments"], **named))}
        except Exception as error:
            answer = {"raised": [type(error).__name__, str(error)]}
        print(json.dumps(answer), flush=True)


main()
