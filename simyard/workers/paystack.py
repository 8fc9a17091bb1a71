"""Paystack's dedicated virtual accounts, after its public reference."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any, Final, Protocol, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from simyard.base import money
from simyard.core.funding import banks
from simyard.core.funding.model import (
    Bank,
    Customer,
    PaymentState,
    ProviderAccount,
    ProviderFailed,
    ProviderRefused,
    ProviderTransaction,
)
from simyard.workers.outgoing import Answer, Call, Failure

T = TypeVar("T")

PAYSTACK: Final = "paystack"

# What it sends has many more fields; these are read, and must be as documented.

_Text = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f]+$", max_length=200)]


class _Customer(msgspec.Struct):
    customer_code: _Text
    id: int


class _PaystackBank(msgspec.Struct):
    name: _Text
    slug: _Text


class _DedicatedAccount(msgspec.Struct):
    bank: _PaystackBank
    account_name: _Text
    account_number: Annotated[str, msgspec.Meta(pattern="^[0-9]{10}$")]
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
    id: int
    active: bool = True
    assigned: bool = True


_TRANSFER_CHANNEL = "dedicated_nuban"


class _AvailableProvider(msgspec.Struct):
    provider_slug: _Text


class _Authorization(msgspec.Struct):
    channel: str | None = None
    receiver_bank_account_number: str | None = None


class _Transaction(msgspec.Struct):
    status: str
    reference: str
    amount: int
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
    channel: str | None = None
    authorization: _Authorization | None = None
    # An object, or, when the payer's side gave none, "", 0 or null.
    metadata: Any = None

    @property
    def account_number(self) -> str | None:
        """The account that was paid into; None when it is not said, or said in two ways.

        Only of transfers into dedicated accounts: whoever pays by card in some shop may choose the metadata himself.
        """
        authorization = self.authorization or _Authorization()
        if _TRANSFER_CHANNEL not in (self.channel, authorization.channel):
            return None
        said = {
            number
            for number in (
                authorization.receiver_bank_account_number,
                self.metadata.get("receiver_account_number") if isinstance(self.metadata, dict) else None,
            )
            if isinstance(number, str) and number.isascii() and number.isdigit()
        }
        return said.pop() if len(said) == 1 else None


class _Envelope(msgspec.Struct):
    """Every answer: whether it went well, a sentence, and what was asked for."""

    status: bool
    message: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


_STATES = {
    "success": PaymentState.SUCCEEDED,
    "failed": PaymentState.FAILED,
    "abandoned": PaymentState.FAILED,
    "reversed": PaymentState.FAILED,
    "ongoing": PaymentState.PENDING,
    "pending": PaymentState.PENDING,
    "processing": PaymentState.PENDING,
    "queued": PaymentState.PENDING,
}


class _Caller(Protocol):
    async def call(self, call: Call) -> Answer | Failure: ...


class Paystack:
    """Dedicated virtual accounts: bank accounts in Nigeria, in naira, one for each customer and bank."""

    name = PAYSTACK
    currency = "NGN"
    BANKS_KEPT_SECONDS: Final = 600.0
    CALL_SECONDS_MAX: Final = 10.0

    def __init__(
        self, client: _Caller, *, url: str, secret_key: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._secret_key = secret_key
        self._monotonic = monotonic
        self._banks: tuple[Bank, ...] | None = None
        self._banks_at = 0.0

    async def banks(self) -> tuple[Bank, ...]:
        now = self._monotonic()
        if self._banks is None or now - self._banks_at > self.BANKS_KEPT_SECONDS:
            offered = await self._get("/dedicated_account/available_providers", list[_AvailableProvider])
            slugs = {one.provider_slug for one in offered}
            self._banks = tuple(bank for bank in banks.load().values() if bank.slug in slugs)
            self._banks_at = now
        return self._banks

    async def create_account(
        self, customer: Customer, bank: Bank, *, known: frozenset[str], again: bool
    ) -> ProviderAccount:
        """Paystack finds a customer by email, so asking for one again is no harm; an account is looked for first."""
        first_name, _, last_name = customer.name.partition(" ")
        given = {"email": customer.email, "first_name": first_name, "last_name": last_name or first_name}
        payer = await self._post("/customer", given, _Customer)
        if again and (earlier := await self._find_account(payer, bank, known)) is not None:
            return _made(earlier)
        wanted = {"customer": payer.customer_code, "preferred_bank": bank.slug}
        try:
            return _made(await self._post("/dedicated_account", wanted, _DedicatedAccount))
        except ProviderRefused:
            # Whoever has an account at this bank may be refused a second one: then that one is the answer.
            earlier = await self._find_account(payer, bank, known)
            if earlier is None:
                raise
            return _made(earlier)

    async def fetch_transaction(self, reference: str) -> ProviderTransaction:
        """A clear no to a reference means that there is no such payment."""
        try:
            found = await self._get(f"/transaction/verify/{quote(reference, safe='')}", _Transaction)
        except ProviderRefused:
            return ProviderTransaction(reference, PaymentState.UNKNOWN)
        if found.reference != reference:
            raise ProviderFailed("the answer is about another payment")
        return ProviderTransaction(
            reference,
            _STATES.get(found.status, PaymentState.PENDING),
            found.amount,
            found.currency,
            found.account_number,
        )

    async def _find_account(
        self, payer: _Customer, bank: Bank, known: frozenset[str]
    ) -> _DedicatedAccount | None:
        """The customer's account at the bank, best one we do not have yet."""
        query = urlencode({"customer": payer.id, "provider_slug": bank.slug})
        listed = await self._get(f"/dedicated_account?{query}", list[_DedicatedAccount])
        usable = [one for one in listed if one.active and one.assigned and one.bank.slug == bank.slug]
        return min(usable, key=lambda one: one.account_number in known, default=None)

    async def _get(self, path: str, shape: type[T]) -> T:
        return self._read(await self._call("GET", path), shape)

    async def _post(self, path: str, content: object, shape: type[T]) -> T:
        return self._read(await self._call("POST", path, msgspec.json.encode(content)), shape)

    async def _call(self, method: str, path: str, body: bytes = b"") -> Answer:
        headers = [("authorization", f"Bearer {self._secret_key}"), ("accept", "application/json")]
        if body:
            headers.append(("content-type", "application/json"))
        call = Call(method, self._url + path, tuple(headers), body, seconds_max=self.CALL_SECONDS_MAX)
        answer = await self._client.call(call)
        if isinstance(answer, Failure):
            raise ProviderFailed(f"{answer.problem.value}: {answer.detail}")
        return answer

    def _read(self, answer: Answer, shape: type[T]) -> T:
        """What was asked for. A clear no is one of the 4xx, but for those that speak of our key or our haste."""
        try:
            envelope = msgspec.json.decode(answer.body, type=_Envelope)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            envelope = None
        problem = f"status {answer.status}: {envelope.message if envelope else 'not JSON'}"
        if answer.status in (400, 404, 422) and envelope is not None and not envelope.status:
            raise ProviderRefused(problem)
        if answer.status != 200 or envelope is None or not envelope.status or not answer.whole:
            raise ProviderFailed(problem)
        try:
            return msgspec.json.decode(envelope.data, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProviderFailed(f"not the documented answer: {error}") from error


def _made(account: _DedicatedAccount) -> ProviderAccount:
    return ProviderAccount(
        account.bank.name,
        account.account_number,
        account.account_name,
        money.check_currency(account.currency),
        str(account.id),
    )
