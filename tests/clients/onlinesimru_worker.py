"""Runs inside a client's own environment: calls the published client as it is told, a JSON line for each call.

A line in: `{"service": "numbers", "method": "get", "arguments": [...], "named": {...}}`. A line out: `{"result": ...}` or
`{"raised": [class, text]}`. Imports nothing of ours.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from onlinesimru.driver import Driver  # type: ignore[import-not-found]


def plain(value: Any) -> Any:
    """The client's objects as JSON can hold them; pydantic 1 and 2 name the way differently."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if hasattr(value, "dict"):
        return value.dict()
    return value


def main() -> None:
    driver = Driver(sys.argv[2], base_url=sys.argv[1])
    for line in sys.stdin:
        call = json.loads(line)
        try:
            method = getattr(getattr(driver, call["service"])(), call["method"])
            answer = {"result": plain(method(*call["arguments"], **call["named"]))}
        except Exception as error:
            answer = {"raised": [type(error).__name__, str(error)]}
        print(json.dumps(answer), flush=True)


main()
