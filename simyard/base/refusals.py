"""Refusals: the expected outcomes that are not a success, in our words."""

from __future__ import annotations

from enum import StrEnum


class Refused(StrEnum):
    """Every reason a verb may refuse. A dialect has a row for each one it can meet."""

    # who asks
    NO_KEY = "no_key"
    WRONG_KEY = "wrong_key"
    KEY_DISABLED = "key_disabled"
    KEY_SCOPE = "key_scope"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_LOCKED = "account_locked"
    OVER_BUDGET = "over_budget"

    # logging in
    WRONG_CREDENTIALS = "wrong_credentials"
    EMAIL_NOT_VERIFIED = "email_not_verified"
    WRONG_TOKEN = "wrong_token"  # noqa: S105
    REGISTRATION_CLOSED = "registration_closed"
    LOGIN_NOT_OFFERED = "login_not_offered"

    # what was asked
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    UNKNOWN_METHOD = "unknown_method"
    UNKNOWN_COUNTRY = "unknown_country"
    UNKNOWN_SERVICE = "unknown_service"
    UNKNOWN_POOL = "unknown_pool"
    SERVICE_PROHIBITED = "service_prohibited"

    # ordering
    NO_NUMBERS = "no_numbers"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    NOT_PRICED = "not_priced"
    PRICE_TOO_HIGH = "price_too_high"
    PRICE_CHANGED = "price_changed"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    UNKNOWN_PERIOD = "unknown_period"

    # acting on a lease
    UNKNOWN_LEASE = "unknown_lease"
    TOO_EARLY = "too_early"
    CODE_RECEIVED = "code_received"
    LEASE_CLOSED = "lease_closed"
    NOT_CONFIRMED = "not_confirmed"

    # supplying
    UNKNOWN_NUMBER = "unknown_number"
    NUMBER_TAKEN = "number_taken"
    NUMBER_IN_USE = "number_in_use"
    NO_CONSENT = "no_consent"
    POOL_TAKEN = "pool_taken"
    UNKNOWN_GATEWAY = "unknown_gateway"
    GATEWAY_TAKEN = "gateway_taken"

    # accounts, money and set-up
    UNKNOWN_ACCOUNT = "unknown_account"
    OPERATOR_ACCOUNT = "operator_account"
    NOT_SETTLED = "not_settled"
    ACCOUNT_ERASED = "account_erased"
    EMAIL_TAKEN = "email_taken"
    ALREADY_REFERRED = "already_referred"
    UNKNOWN_DELIVERY = "unknown_delivery"
    REFERENCE_TAKEN = "reference_taken"
    CURRENCY_MISMATCH = "currency_mismatch"
    NO_RATE = "no_rate"
    UNKNOWN_BANK = "unknown_bank"
    TOO_MANY_ACCOUNTS = "too_many_accounts"
    UNKNOWN_DEPOSIT = "unknown_deposit"
    UNKNOWN_PAYOUT = "unknown_payout"
    NOT_SOLD = "not_sold"

    # the platform itself
    UPSTREAM_FAILED = "upstream_failed"
    BUSY = "busy"
    INTERNAL = "internal"


class Refusal(Exception):
    """A refused command: the reason, and facts as keywords for whoever renders it."""

    def __init__(self, reason: Refused, **facts: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.facts = facts

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value!r}" for name, value in self.facts.items())
        return f"{self.reason.value}({facts})"
