"""`simyard demo`: one story told over real HTTP, from a supplier's numbers to a buyer's code and a balanced ledger."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from simyard.core.pools import ranges

_READY_SECONDS_MAX = 60
_STOCK_SECONDS_MAX = 20
_SERVER7 = "/api/v1/server7"
_RESELLER = "/api/resellers"
_READY = re.compile(r"ready on (http://\S+)")


class DemoFailed(Exception):
    """The story did not go as it should; the message says where."""


def run() -> None:
    """Tell the story on a database of its own, or on the configured one. Raises DemoFailed."""
    with tempfile.TemporaryDirectory(prefix="simyard-demo-") as folder:
        # The embedded server's user must be able to pass through.
        Path(folder).chmod(0o711)
        environment = {
            **os.environ,
            "SIMYARD_DATA_DIR": str(Path(folder) / "data"),
            # Nobody wants to watch a demo wait for three minutes until it may cancel.
            "SIMYARD_SERVER7_CANCEL_AFTER_SECONDS": "0",
            "SIMYARD_LOG_LEVEL": "warning",
        }
        with _serving(environment) as url:
            _Story(url, environment).tell()


@contextmanager
def _serving(environment: dict[str, str]) -> Iterator[str]:
    command = [sys.executable, "-m", "simyard", "serve", "--port", "0"]
    _say(f"$ simyard {' '.join(command[3:])}")
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        yield _wait_until_ready(process)
    finally:
        process.terminate()
        try:
            process.wait(_READY_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[str]) -> str:
    if process.stdout is None:
        raise DemoFailed("the server has no output to read")
    for line in process.stdout:
        _say(line.rstrip())
        found = _READY.search(line)
        if found:
            return found[1]
    raise DemoFailed(f"the server ended with {process.wait()}")


class _Story:
    """Each step prints what is sent and what is answered, and stops the demo when it is not what it should be."""

    def __init__(self, url: str, environment: dict[str, str]) -> None:
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=30)
        self._environment = environment
        # On a database that is used again, names must be new ones; numbers come from a range kept for fiction.
        self._tag = secrets.token_hex(3)

    def tell(self) -> None:
        _chapter("An operator sets up a buyer, a supplier, a pool and two prices")
        buyer = self._simyard("account", "add", f"buyer-{self._tag}@example.com", "--balance", "20", "--json")
        supplier_email = f"supplier-{self._tag}@example.com"
        supplier = self._simyard("account", "add", supplier_email, "--role", "supplier", "--json")
        pool = self._simyard(
            "pool", "add", f"demo-{self._tag}", "--kind", "direct", "--supplier", supplier_email, "--json"
        )
        for service, amount in (("whatsapp", "1.083"), ("telegram", "0.45")):
            self._command("price", "set", service, "US", amount, "--pool", pool["id"])

        _chapter("The supplier reports the numbers in his SIM bank (Onlinesim reseller API v2)")
        numbers = two_numbers()
        listed = {"numbers": [{"number": number, "country_id": 1} for number in numbers]}
        report = self._ask("POST", f"{_RESELLER}/sendNumbersOnline", supplier["api_key"], listed)
        _expect(report["response"] == 1, "the numbers are taken")

        _chapter("The buyer looks at what is on offer and orders a number for WhatsApp (DaisySim server7)")
        key = buyer["api_key"]
        self._ask("GET", f"{_SERVER7}/balance", key)
        app = self._wait_for_offer(key, pool["id"], "WhatsApp")
        order = self._ask("POST", f"{_SERVER7}/purchase", key, app)["data"]
        check = self._ask("GET", f"{_SERVER7}/check/{order['activation_id']}", key)
        _expect(check["data"]["status"] == "Waiting", "no code has come yet")

        _chapter("The SMS arrives at the supplier's modem, and he hands it in")
        message = {
            "date": str(int(time.time())),
            "number": order["phone_number"],
            "from": "WhatsApp",
            "message": "Your WhatsApp code: 847-291\nDon't share this code with others",
        }
        _expect(
            self._ask("POST", f"{_RESELLER}/addMessage", supplier["api_key"], message)["response"] == 1,
            "the SMS is taken",
        )

        _chapter("The buyer reads the code, and pays for it")
        check = self._ask("GET", f"{_SERVER7}/check/{order['activation_id']}", key)
        _expect(check["data"]["code"] == "847291", "the code is read out of the text")
        late = self._ask("POST", f"{_SERVER7}/cancel/{order['activation_id']}", key, expect=422)
        _expect(late["code"] == "CODE_RECEIVED", "it is too late to cancel")

        _chapter("The supplier was credited his share")
        earned = self._ask("GET", f"{_SERVER7}/balance", supplier["api_key"])["data"]["balance"]
        _expect(earned > 0, "the supplier has earned something")

        _chapter("A second order, for Telegram, is cancelled and refunded")
        app = self._wait_for_offer(key, pool["id"], "Telegram")
        before = self._ask("GET", f"{_SERVER7}/balance", key)["data"]["balance"]
        order = self._ask("POST", f"{_SERVER7}/purchase", key, app)["data"]
        refund = self._ask("POST", f"{_SERVER7}/cancel/{order['activation_id']}", key)["data"]
        _expect(refund["refund"] == order["amount_charged"], "the whole price comes back")
        _expect(refund["balance_after"] == before, "the balance is what it was")
        self._ask("GET", f"{_SERVER7}/history", key)

        _chapter("The books")
        verified = self._simyard("ledger", "verify", "--json")
        _expect(verified["balanced"], "the ledger is balanced")
        _say("\nThe ledger is balanced. That was Simyard.")

    def _wait_for_offer(self, key: str, pool_id: str, name: str) -> dict[str, str]:
        """What to order: the stock that is shown follows the supplier's report within seconds."""
        deadline = time.monotonic() + _STOCK_SECONDS_MAX
        while True:
            shown = time.monotonic() > deadline
            apps = self._ask("GET", f"{_SERVER7}/apps/USA", key, quiet=True)["data"]
            for app in apps:
                if not app["name"].startswith(name):
                    continue
                mine = [one for one in app["providers"] if one["provider_id"] == pool_id]
                if any(one["count"] > 0 for one in mine):
                    return {"country": "USA", "app": app["code"], "provider_id": pool_id}
                if not app["providers"]:
                    _say(f"GET {_SERVER7}/apps/USA\n    … {json.dumps(app)} …")
                    return {"country": "USA", "app": app["code"]}
            if shown:
                raise DemoFailed(f"{name} did not come on sale")
            time.sleep(0.2)

    def _command(self, *arguments: str) -> str:
        _say(f"$ simyard {' '.join(arguments)}")
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "simyard", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise DemoFailed(f"simyard {arguments[0]} ended with {done.returncode}: {done.stderr.strip()}")
        _say(_indent(_without_keys(done.stdout.strip())))
        return done.stdout

    def _simyard(self, *arguments: str) -> Any:
        return json.loads(self._command(*arguments))

    def _ask(
        self,
        method: str,
        path: str,
        key: str,
        body: dict[str, Any] | None = None,
        *,
        expect: int = 200,
        quiet: bool = False,
    ) -> Any:
        headers = {"Authorization": f"Bearer {key}", "User-Agent": "simyard-demo"}
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json; charset=utf-8"
        self._connection.request(method, path, content, headers)
        response = self._connection.getresponse()
        text = response.read().decode()
        if not quiet:
            _say(f"{method} {path}" + (f"\n{_indent(json.dumps(body))}" if body is not None else ""))
            _say(_indent(f"{response.status} {text}", "  → "))
        if response.status != expect:
            raise DemoFailed(f"{method} {path} answered {response.status}, not {expect}: {text}")
        return json.loads(text)


def two_numbers() -> list[str]:
    """Two American numbers of the ranges kept for fiction: an area code made up may be another country's."""
    return secrets.SystemRandom().sample(list(ranges.numbers("US")), 2)


def _without_keys(text: str) -> str:
    """What was printed, with API keys cut short: a demo's output gets pasted into places."""
    return re.sub(r"(sy_\w{4})[\w-]+", r"\1…", text)


def _chapter(title: str) -> None:
    _say(f"\n=== {title}")


def _expect(true: bool, what: str) -> None:
    if not true:
        raise DemoFailed(f"expected that {what}")
    _say(f"  ✓ {what}")


def _indent(text: str, first: str = "    ") -> str:
    return first + text.replace("\n", "\n    ")


def _say(text: str) -> None:
    click.echo(text)
