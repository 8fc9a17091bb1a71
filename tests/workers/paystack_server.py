"""A small server that speaks as much of Paystack's API as is used: customers, dedicated accounts, payments.

Written after its public reference, answers as in its examples. It listens on a real port.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

SECRET_KEY = "sk_test_3f6b1c2d4e5a69788796a5b4c3d2e1f0"
BANKS = {"wema-bank": ("Wema Bank", 20), "titan-paystack": ("Paystack-Titan", 629)}


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    content: Any


@dataclass
class Paystack:
    """Its books, and what it is to do wrong."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    customers: dict[str, dict[str, Any]] = field(default_factory=dict)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    payments: dict[str, dict[str, Any]] = field(default_factory=dict)
    # Raw answers to give instead of proper ones, and steps at which the line goes dead after the work was done.
    instead: list[bytes] = field(default_factory=list)
    dead_after: set[str] = field(default_factory=set)
    one_account_a_bank: bool = False

    def pay(self, reference: str, number: str | None, amount: Any, **facts: Any) -> bytes:
        """A transfer into an account; gives back the notification Paystack would send."""
        data = {
            "id": 4099260516 + len(self.payments),
            "domain": "test",
            "status": "success",
            "reference": reference,
            "amount": amount,
            "message": None,
            "gateway_response": "Approved",
            "paid_at": "2026-03-01T11:59:30.000Z",
            "created_at": "2026-03-01T11:59:30.000Z",
            "channel": "dedicated_nuban",
            "currency": "NGN",
            "ip_address": None,
            "metadata": {"receiver_account_number": number, "receiver_bank": "Wema Bank"},
            "log": None,
            "fees": 2500,
            "authorization": {
                "authorization_code": "AUTH_0ozsafcpdf",
                "bin": "413XXX",
                "last4": "X011",
                "exp_month": "01",
                "exp_year": "2020",
                "channel": "dedicated_nuban",
                "card_type": "transfer",
                "bank": "First City Monument Bank",
                "country_code": "NG",
                "brand": "Managed Account",
                "reusable": False,
                "signature": None,
                "sender_bank": "First City Monument Bank",
                "sender_bank_account_number": "XXXXXX0011",
                "sender_name": "RANDALL AKANBI HORTON",
                "narration": "NIP: RHODA CHURCH -1123344343/44343231232",
                "receiver_bank_account_number": number,
                "receiver_bank": "Wema Bank",
            },
            "customer": {"id": 7454289, "email": "payer@example.com", "customer_code": "CUS_kpb3qj71u1m0rw8"},
        } | facts
        self.payments[reference] = data
        return json.dumps({"event": "charge.success", "data": data}).encode()

    def answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        if request.headers.get("authorization") != f"Bearer {SECRET_KEY}":
            return 401, {"status": False, "message": "Invalid key"}
        match (request.method, request.path):
            case ("POST", "/customer"):
                return self._customer(request.content)
            case ("POST", "/dedicated_account"):
                return self._create(request.content)
            case ("GET", "/dedicated_account"):
                return self._list(request.query)
            case ("GET", "/dedicated_account/available_providers"):
                data = [
                    {"provider_slug": slug, "bank_id": bank_id, "bank_name": name, "id": place}
                    for place, (slug, (name, bank_id)) in enumerate(BANKS.items())
                ]
                return _good("Dedicated account providers retrieved", data)
        if request.method == "GET" and request.path.startswith("/transaction/verify/"):
            found = self.payments.get(request.path.removeprefix("/transaction/verify/"))
            if found is None:
                return 400, {"status": False, "message": "Transaction reference not found."}
            return _good("Verification successful", found)
        return 404, {"status": False, "message": "Not found"}

    def _customer(self, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """A known email gets its customer again."""
        if "@" not in content.get("email", ""):
            return 400, {"status": False, "message": "Invalid email"}
        number = len(self.customers) + 1
        made = {"id": 1172 + number, "customer_code": f"CUS_{number:015d}", "domain": "test", **content}
        return _good("Customer created", self.customers.setdefault(content["email"], made))

    def _create(self, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        customer = next(
            (one for one in self.customers.values() if one["customer_code"] == content["customer"]), None
        )
        if customer is None:
            return 400, {"status": False, "message": "Customer not found"}
        slug = content["preferred_bank"]
        same = [one for one in self.accounts if one["customer"] == customer and one["bank"]["slug"] == slug]
        if same and self.one_account_a_bank:
            return 400, {"status": False, "message": "Customer has a dedicated account at this bank"}
        name, bank_id = BANKS[slug]
        account = {
            "bank": {"name": name, "id": bank_id, "slug": slug},
            "account_name": f"KAROKART / {customer['first_name']} {customer['last_name']}".upper(),
            "account_number": f"99300{len(self.accounts):05d}",
            "assigned": True,
            "currency": "NGN",
            "metadata": None,
            "active": True,
            "id": 253 + len(self.accounts),
            "created_at": "2026-03-01T12:00:00.000Z",
            "updated_at": "2026-03-01T12:00:00.000Z",
            "customer": customer,
        }
        self.accounts.append(account)
        return _good("NUBAN successfully created", account)

    def _list(self, query: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        wanted = [
            one
            for one in self.accounts
            if query.get("customer") in (None, [str(one["customer"]["id"])])
            and query.get("provider_slug") in (None, [one["bank"]["slug"]])
        ]
        return _good("Managed accounts successfully retrieved", wanted)


def sign(body: bytes, key: str = SECRET_KEY) -> str:
    return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()


def _good(message: str, data: Any) -> tuple[int, dict[str, Any]]:
    return 200, {"status": True, "message": message, "data": data}


@asynccontextmanager
async def serving() -> AsyncIterator[Paystack]:
    paystack = Paystack()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read(reader)
            paystack.requests.append(request)
            if paystack.instead:
                writer.write(paystack.instead.pop(0))
            else:
                status, content = paystack.answer(request)
                if request.path not in paystack.dead_after:
                    writer.write(raw(status, json.dumps(content).encode()))
            await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    paystack.url = f"http://127.0.0.1:{port}"
    async with server:
        yield paystack


def raw(status: int, body: bytes, content_type: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status} Said\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"connection: close\r\n\r\n" + body


async def _read(reader: asyncio.StreamReader) -> Request:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = lines[0].split(" ")
    headers = dict(line.split(": ", 1) for line in itertools.takewhile(bool, lines[1:]))
    headers = {name.lower(): value for name, value in headers.items()}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    content = json.loads(body) if body else None
    return Request(method, unquote(parts.path), parse_qs(parts.query), headers, content)
