"""Runs inside a client's own environment, as onlinesimru_worker.py does, and calls `pyonlinesim`."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from pyonlinesim import OnlineRent, OnlineSMS  # type: ignore[import-not-found]

CLIENTS = {"sms": OnlineSMS, "rent": OnlineRent}


def plain(value: Any) -> Any:
    if isinstance(value, list):
        return [plain(one) for one in value]
    return json.loads(value.json()) if hasattr(value, "json") else value


def main() -> None:
    OnlineSMS.BASE_URL = f"{sys.argv[1]}/api/"
    OnlineRent.BASE_URL = f"{sys.argv[1]}/api/rent/"
    for line in sys.stdin:
        call = json.loads(line)
        try:
            client = CLIENTS[call["service"]](sys.argv[2])
            method = getattr(client, call["method"])
            answer = {"result": plain(asyncio.run(method(*call["arguments"], **call["named"])))}
        except Exception as error:
            answer = {"raised": [type(error).__name__, str(error)]}
        print(json.dumps(answer), flush=True)


main()
