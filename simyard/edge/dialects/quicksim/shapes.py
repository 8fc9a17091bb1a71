"""What goes over the wire, and how values are written in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw

from simyard.base import money

Amount = Annotated[
    Raw,
    Meta(extra_json_schema={"type": "number", "description": "Exact; an integer when the amount is whole."}),
]

_SIGNS: Final = {
    "NGN": "₦",
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "INR": "₹",
    "GHS": "GH₵",
    "KES": "KSh ",
    "ZAR": "R",
    "JPY": "¥",
    "UAH": "₴",
    "TRY": "₺",
    "RUB": "₽",
    "VND": "₫",
    "PHP": "₱",
}


def amount(micros: int) -> Raw:
    """To the last micro, so that what is shown is what is charged."""
    return money.json_number(micros, places=6, whole_as_integer=True)


def sum_of_money(micros: int, currency: str) -> str:
    """An amount as a sentence says it: ₦3,500 or $1.50."""
    whole, _, decimals = money.format_amount(abs(micros)).partition(".")
    grouped = f"{int(whole):,}" + (f".{decimals.ljust(2, '0')}" if decimals else "")
    return f"{'-' if micros < 0 else ''}{_SIGNS.get(currency, currency + ' ')}{grouped}"


def moment(when: datetime) -> str:
    """`2026-02-27T15:10:00Z`, in UTC and whole seconds."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Failure(msgspec.Struct):
    """Every error. `status` is the HTTP status."""

    error: str
    message: str
    status: int


class Message(msgspec.Struct):
    """What was done, in a sentence."""

    message: str


# Logins


class GoogleBody(msgspec.Struct):
    credential: str


class LoginBody(msgspec.Struct):
    email: str
    password: str


class RefreshBody(msgspec.Struct):
    refresh: str


class RegisterBody(msgspec.Struct):
    """The name may be left out."""

    email: str
    password: str
    name: str = ""


class TokenBody(msgspec.Struct):
    """The token that came by mail."""

    token: str


class EmailBody(msgspec.Struct):
    email: str


class ResetBody(msgspec.Struct):
    """The token that came by mail, and the password to have from now on."""

    token: str
    password: str


class ChangeBody(msgspec.Struct):
    old_password: str
    new_password: str


class TokensAnswer(msgspec.Struct):
    access: str
    refresh: str


class UserItem(msgspec.Struct):
    id: int
    email: str
    name: str


class GoogleAnswer(msgspec.Struct):
    access: str
    refresh: str
    user: UserItem


# Countries and products


class CountryItem(msgspec.Struct):
    name: str
    code: str
    prefix: str
    flag: str


class CountriesAnswer(msgspec.Struct):
    countries: list[CountryItem]


class ProductItem(msgspec.Struct):
    name: str
    display_name: str
    price: Amount
    currency: str
    available: int


class ProductsAnswer(msgspec.Struct):
    products: list[ProductItem]


# Activations


class ActivationBody(msgspec.Struct):
    country: str
    product: str


class ActBody(msgspec.Struct):
    activation_id: int


class SmsItem(msgspec.Struct):
    """`text` is null once it was erased."""

    id: int
    text: str | None
    code: str | None
    received_at: str


class ActivationAnswer(msgspec.Struct):
    id: int
    phone: str
    product: str
    country: str
    price: Amount
    status: str
    expires_at: str
    sms: list[SmsItem] | None
    created_at: str


class CheckAnswer(msgspec.Struct):
    id: int
    phone: str | None
    status: str
    sms: list[SmsItem]


class FinishAnswer(msgspec.Struct):
    id: int
    status: str
    message: str


class CancelAnswer(msgspec.Struct):
    id: int
    status: str
    refunded: Amount
    message: str


# The wallet


class VirtualAccountItem(msgspec.Struct):
    id: str
    bank_name: str
    account_number: str
    account_name: str
    created_at: str


class WalletAnswer(msgspec.Struct):
    balance: Amount
    currency: str
    virtual_accounts: list[VirtualAccountItem]


class BankBody(msgspec.Struct):
    bank_code: str


class VirtualAccountAnswer(msgspec.Struct):
    id: str
    bank_name: str
    account_number: str
    account_name: str
    message: str
