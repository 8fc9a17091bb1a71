"""The dialect: every action, and how every refusal is said."""

from __future__ import annotations

from typing import Final

from simyard.base.refusals import Refusal, Refused
from simyard.core.limits.model import Budget
from simyard.edge.dialects.quicksim import fivesim, users, wallet
from simyard.edge.dialects.quicksim.shapes import Failure
from simyard.edge.wire import Dialect, RefusalTable, Row, WireResponse, bearer, json_response

BUDGET: Final = Budget("quicksim", 100)

_CHALLENGE: Final = ((b"www-authenticate", b"Bearer"),)


def _row(status: int, error: str, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Row:
    response = json_response(Failure(error, message, status), status, headers)
    return lambda refusal, noun: response


def _invalid(message: str) -> Row:
    return _row(400, "invalid_request", message)


def _unauthorized(message: str) -> Row:
    return _row(401, "unauthorized", message, _CHALLENGE)


def _not_found(message: str) -> Row:
    return _row(404, "not_found", message)


def _none_available(message: str) -> Row:
    return _row(422, "no_numbers_available", message)


def _failed(message: str) -> Row:
    return _row(500, "internal_error", message)


def _malformed(refusal: Refusal, noun: str) -> WireResponse:
    problem = str(refusal.facts.get("problem") or "Missing or malformed request parameters.")
    return json_response(Failure("invalid_request", problem, 400), 400)


def _wait(sentence: str, seconds: object) -> WireResponse:
    message = f"{sentence} Retry in {seconds} seconds."
    headers = ((b"retry-after", str(seconds).encode()),)
    return json_response(Failure("rate_limited", message, 429), 429, headers)


def _over_budget(refusal: Refusal, noun: str) -> WireResponse:
    return _wait("Too many requests.", refusal.facts["seconds"])


def _locked(refusal: Refusal, noun: str) -> WireResponse:
    """Failed logins lock for a time, an operator until he says otherwise."""
    if "seconds" in refusal.facts:
        return _wait("Too many failed logins.", refusal.facts["seconds"])
    return _LOCKED(refusal, noun)


_LOCKED = _unauthorized("Your account is locked.")
_NOT_SOLD = _none_available("This service is not sold in this country.")
_NO_NUMBERS = _none_available("No numbers are available for this country and service right now.")
_GONE = _row(409, "activation_expired", "The activation has expired and can no longer be used.")
_DONE = _row(409, "activation_expired", "The activation is closed and can no longer be used.")


def _closed(refusal: Refusal, noun: str) -> WireResponse:
    return (_GONE if refusal.facts.get("state") == "expired" else _DONE)(refusal, noun)


REFUSALS = RefusalTable(
    {
        Refused.NO_KEY: _unauthorized("Send your access token as Authorization: Bearer <token>."),
        Refused.WRONG_KEY: _unauthorized("The access token is invalid or has expired."),
        Refused.ACCOUNT_SUSPENDED: _unauthorized("Your account is suspended."),
        Refused.ACCOUNT_LOCKED: _locked,
        Refused.OVER_BUDGET: _over_budget,
        Refused.WRONG_CREDENTIALS: _unauthorized("The email, the password or the credential is wrong."),
        Refused.EMAIL_NOT_VERIFIED: _unauthorized("The email address is not verified yet."),
        Refused.WRONG_TOKEN: users.wrong_token(
            _unauthorized("The refresh token is invalid, was used or has expired."),
            _invalid("The token is invalid, was used or has expired."),
        ),
        Refused.REGISTRATION_CLOSED: _invalid("New accounts are not opened here."),
        Refused.LOGIN_NOT_OFFERED: _invalid("Logging in with Google is not set up here."),
        Refused.MALFORMED: _malformed,
        Refused.TOO_LARGE: _invalid("The request body is too large."),
        Refused.UNKNOWN_METHOD: _not_found("There is no such endpoint."),
        Refused.UNKNOWN_COUNTRY: _not_found("There is no such country."),
        Refused.UNKNOWN_SERVICE: _not_found("There is no such product."),
        Refused.SERVICE_PROHIBITED: _NOT_SOLD,
        Refused.NOT_PRICED: _NOT_SOLD,
        Refused.NO_RATE: _NOT_SOLD,
        Refused.NO_NUMBERS: _NO_NUMBERS,
        Refused.INSUFFICIENT_FUNDS: _row(
            402, "insufficient_balance", "Your wallet balance is too low for this activation."
        ),
        Refused.IDEMPOTENCY_KEY_REUSED: _invalid("This Idempotency-Key was used for another activation."),
        Refused.UNKNOWN_LEASE: _not_found("There is no such activation."),
        Refused.UNKNOWN_ACCOUNT: _not_found("There is no wallet."),
        Refused.CODE_RECEIVED: fivesim.received(
            _DONE, _invalid("The SMS has been received: finish the activation instead.")
        ),
        Refused.LEASE_CLOSED: fivesim.closed(
            _closed, _invalid("No SMS has been received yet: cancel the activation instead.")
        ),
        Refused.UNKNOWN_BANK: _invalid("The bank_code is not one of a bank that offers virtual accounts."),
        Refused.CURRENCY_MISMATCH: _invalid("Virtual accounts are not offered in your wallet's currency."),
        Refused.TOO_MANY_ACCOUNTS: _invalid("You have as many virtual accounts as you may have."),
        Refused.UPSTREAM_FAILED: _failed("Another server that is needed does not answer. Try again later."),
        Refused.BUSY: _row(
            429, "rate_limited", "The platform is busy. Retry in a moment.", ((b"retry-after", b"1"),)
        ),
        Refused.INTERNAL: _failed("Unexpected server error. Contact support if it persists."),
    },
    unreachable=frozenset(
        {
            # Tokens are no keys: they have no switch, no scope and no networks.
            Refused.KEY_DISABLED,
            Refused.KEY_SCOPE,
            Refused.ADDRESS_NOT_ALLOWED,
            # Cancelling is never too early here.
            Refused.TOO_EARLY,
            Refused.UNKNOWN_POOL,
            Refused.PRICE_TOO_HIGH,
            Refused.PRICE_CHANGED,
            Refused.UNKNOWN_PERIOD,
            Refused.NOT_CONFIRMED,
            Refused.UNKNOWN_NUMBER,
            Refused.NUMBER_TAKEN,
            Refused.NUMBER_IN_USE,
            Refused.NO_CONSENT,
            Refused.POOL_TAKEN,
            Refused.EMAIL_TAKEN,
            Refused.ALREADY_REFERRED,
            Refused.UNKNOWN_DELIVERY,
            Refused.UNKNOWN_DEPOSIT,
            Refused.REFERENCE_TAKEN,
        }
    ),
)

ACTIONS = {**users.actions(BUDGET), **fivesim.actions(BUDGET), **wallet.actions(BUDGET)}

DIALECT = Dialect(
    name="quicksim",
    title="QuickSim",
    prefix="/api",
    mounts=("/api/auth", "/api/users", "/api/fivesim", "/api/wallet"),
    actions=ACTIONS,
    refusals=REFUSALS,
    find_key=lambda headers, query_string, body: bearer(headers),
    takes_access_tokens=True,
    error=Failure,
    description="Numbers for one service each, by 5sim's codes, with logins and a wallet in the account's currency.",
    key_description="Access token from a login, as a bearer token",
)
