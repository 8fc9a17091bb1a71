"""Where deposits are announced: Paystack's notifications, and calls that pay into the sandbox's accounts."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
from typing import Annotated, Final

import asyncpg
import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simyard.base import money
from simyard.base.clock import Clock
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import rules as account_rules
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import Role, Scope
from simyard.core.funding import service as funding
from simyard.core.funding.model import NoteDeposit, SandboxPayment
from simyard.core.lanes import Lanes
from simyard.core.limits.model import Admit, Budget
from simyard.core.wallet.model import Balance
from simyard.db.database import Database, Tx
from simyard.edge import metrics
from simyard.edge.wire import bearer
from simyard.settings import Settings

log = logging.getLogger(__name__)

PAYSTACK: Final = "paystack"
PAYSTACK_PATH: Final = "/funding/paystack"
SANDBOX_PATH: Final = "/funding/sandbox"
BODY_BYTES_MAX: Final = 256 * 1024

_SANDBOX_BUDGET = Budget("sandbox_deposit", 600, 60)
_STATUSES = {
    Refused.KEY_SCOPE: 403,
    Refused.ADDRESS_NOT_ALLOWED: 403,
    Refused.ACCOUNT_SUSPENDED: 403,
    Refused.ACCOUNT_LOCKED: 403,
    Refused.NO_KEY: 401,
    Refused.WRONG_KEY: 401,
    Refused.KEY_DISABLED: 401,
    Refused.OVER_BUDGET: 429,
    Refused.UNKNOWN_ACCOUNT: 404,
    Refused.REFERENCE_TAKEN: 409,
    Refused.TOO_LARGE: 413,
    Refused.BUSY: 503,
}


class _Notification(msgspec.Struct):
    event: str
    data: msgspec.Raw


class _Charge(msgspec.Struct):
    reference: str


class _SandboxDeposit(msgspec.Struct, forbid_unknown_fields=True):
    account_number: Annotated[str, msgspec.Meta(max_length=32)]
    amount: Annotated[str, msgspec.Meta(max_length=32)] | int
    reference: str | None = None


class FundingEndpoints:
    """Both endpoints. Each exists only when the settings name its provider; they answer once `open` was called."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._database: Database | None = None
        self._lanes: Lanes | None = None

    def open(self, database: Database, lanes: Lanes) -> None:
        self._database = database
        self._lanes = lanes

    def routes(self) -> list[Route]:
        if self._settings.funding_provider == PAYSTACK:
            return [Route(PAYSTACK_PATH, self._paystack, methods=["POST"])]
        return [Route(SANDBOX_PATH, self._sandbox, methods=["POST"])]

    async def _paystack(self, request: Request) -> Response:
        """Notes that something was paid, and answers at once. Whatever is not signed with our key is refused unread."""
        try:
            body = await _body(request)
            if not is_signed(body, request.headers.get("x-paystack-signature", ""), self._settings):
                log.warning("forged notification of a deposit", extra={"provider": PAYSTACK})
                return _noted("forged", 401)
            notification = msgspec.json.decode(body, type=_Notification)
            if notification.event != "charge.success":
                return _noted("ignored", 200)
            reference = msgspec.json.decode(notification.data, type=_Charge).reference
            command = NoteDeposit(PAYSTACK, reference, self._clock.now())
            is_new = await self._opened().run(lambda tx: funding.note_deposit(tx, command))
            return _noted("new" if is_new else "repeated", 200)
        except (Refusal, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            log.warning("malformed notification of a deposit", extra={"provider": PAYSTACK})
            return _noted("malformed", _status(error))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.exception("notification of a deposit not kept", exc_info=error)
            # It will be sent again.
            return _noted("failed", 503)

    async def _sandbox(self, request: Request) -> Response:
        """Pays into an account the sandbox made. For development: an operator's key is asked for."""
        try:
            given = msgspec.json.decode(await _body(request), type=_SandboxDeposit)
            email = await self._operator(request)
            try:
                amount = money.parse_amount(str(given.amount))
            except ValueError as error:
                raise Refusal(Refused.MALFORMED, field="amount") from error
            command = SandboxPayment(given.account_number, amount, self._clock.now(), given.reference)
            reference, balance = await self._opened().run(lambda tx: _pay(tx, email, command))
        except Refusal as refusal:
            return JSONResponse({"error": refusal.reason.value, **_facts(refusal)}, _status(refusal))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return JSONResponse({"error": Refused.MALFORMED.value, "problem": str(error)}, 400)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.exception("sandbox deposit not kept", exc_info=error)
            return JSONResponse({"error": Refused.BUSY.value}, 503)
        content = {
            "reference": reference,
            "balance": money.format_amount(balance.available),
            "currency": balance.currency,
        }
        return JSONResponse(content, 201)

    async def _operator(self, request: Request) -> str:
        """The email of the account whose key it is."""
        key = bearer(dict(request.scope["headers"]))
        if not key:
            raise Refusal(Refused.NO_KEY)
        if len(key) > account_rules.KEY_LENGTH_MAX:
            raise Refusal(Refused.WRONG_KEY)
        if self._lanes is None:
            raise Refusal(Refused.BUSY)
        caller = await self._lanes.admit(
            Admit(
                key_digest=account_rules.digest(key),
                scope=Scope.ORDER,
                address=_address(request),
                budget=_SANDBOX_BUDGET,
                now=self._clock.now(),
            )
        )
        return caller.email

    def _opened(self) -> Database:
        if self._database is None:
            raise Refusal(Refused.BUSY)
        return self._database


def is_signed(body: bytes, signature: str, settings: Settings) -> bool:
    """Whether a notification was signed with the key that only Paystack and we know. Without a key nothing is."""
    key = settings.paystack_secret_key.encode()
    if not key:
        return False
    expected = hmac.new(key, body, hashlib.sha512).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass"))


async def _pay(tx: Tx, email: str, command: SandboxPayment) -> tuple[str, Balance]:
    if (await accounts.find_account(tx, email)).role is not Role.OPERATOR:
        raise Refusal(Refused.KEY_SCOPE)
    return await funding.pay_sandbox(tx, command)


def _address(request: Request) -> str:
    """The caller's, as allow lists name it; empty for what is none, such as a local socket."""
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


async def _body(request: Request) -> bytes:
    """Refuses: TOO_LARGE; MALFORMED when the caller went away before its end."""
    parts = bytearray()
    try:
        async for part in request.stream():
            parts += part
            if len(parts) > BODY_BYTES_MAX:
                raise Refusal(Refused.TOO_LARGE, bytes_max=BODY_BYTES_MAX)
    except ClientDisconnect as error:
        raise Refusal(Refused.MALFORMED, problem="The request body was cut off.") from error
    return bytes(parts)


def _noted(outcome: str, status: int) -> Response:
    metrics.count_notification(PAYSTACK, outcome)
    return JSONResponse({"status": outcome}, status)


def _status(error: Exception) -> int:
    return _STATUSES.get(error.reason, 400) if isinstance(error, Refusal) else 400


def _facts(refusal: Refusal) -> dict[str, str]:
    return {name: str(value) for name, value in refusal.facts.items() if name == "field"}
