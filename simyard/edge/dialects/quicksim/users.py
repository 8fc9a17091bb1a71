"""Logging in and out, registering, passwords."""

from __future__ import annotations

from typing import Final

from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.limits.model import Budget
from simyard.core.logins import service as logins
from simyard.core.logins.model import (
    ChangePassword,
    LogIn,
    LogInWithCredential,
    LogOut,
    RefreshSession,
    Register,
    RequestReset,
    ResetPassword,
    Tokens,
    VerifyEmail,
)
from simyard.edge.dialects.quicksim import reading, shapes
from simyard.edge.wire import (
    Action,
    InSteps,
    InTransaction,
    KeyNeed,
    Row,
    WireRequest,
    WireResponse,
    json_response,
)

# Reading


def _parse_google(request: WireRequest) -> LogInWithCredential:
    return LogInWithCredential(
        reading.text(reading.fields(request), "credential"), request.address, request.now
    )


def _parse_login(request: WireRequest) -> LogIn:
    given = reading.fields(request)
    return LogIn(reading.text(given, "email"), reading.text(given, "password"), request.address, request.now)


def _parse_refresh(request: WireRequest) -> RefreshSession:
    return RefreshSession(reading.text(reading.fields(request), "refresh"), request.address, request.now)


def _parse_logout(request: WireRequest) -> LogOut:
    caller = request.caller
    if caller.session_id is None:
        raise Refusal(Refused.WRONG_KEY)
    return LogOut(caller.account_id, caller.session_id, request.now)


def _parse_register(request: WireRequest) -> Register:
    given = reading.fields(request)
    name = given.get("name") or ""
    if not isinstance(name, str):
        raise reading.malformed("The name field must be a string.")
    return Register(
        reading.text(given, "email"),
        reading.text(given, "password"),
        name,
        request.address,
        request.now,
    )


def _parse_verify(request: WireRequest) -> VerifyEmail:
    return VerifyEmail(reading.text(reading.fields(request), "token"), request.address, request.now)


def _parse_request_reset(request: WireRequest) -> RequestReset:
    return RequestReset(reading.text(reading.fields(request), "email"), request.address, request.now)


def _parse_reset(request: WireRequest) -> ResetPassword:
    given = reading.fields(request)
    return ResetPassword(
        reading.text(given, "token"), reading.text(given, "password"), request.address, request.now
    )


def _parse_change(request: WireRequest) -> ChangePassword:
    given = reading.fields(request)
    caller = request.caller
    if caller.session_id is None:
        raise Refusal(Refused.WRONG_KEY)
    return ChangePassword(
        caller.account_id,
        caller.email,
        caller.session_id,
        reading.text(given, "old_password"),
        reading.text(given, "new_password"),
        request.address,
        request.now,
    )


# Writing


def _render_google(tokens: Tokens, _: LogInWithCredential, __: Caller) -> WireResponse:
    user = shapes.UserItem(tokens.user.id, tokens.user.email, tokens.user.name)
    return json_response(shapes.GoogleAnswer(tokens.access, tokens.refresh, user))


def _render_tokens(tokens: Tokens, _: object, __: Caller) -> WireResponse:
    return json_response(shapes.TokensAnswer(tokens.access, tokens.refresh))


class _Saying:
    """Renders a success that has nothing to tell but itself."""

    def __init__(self, message: str) -> None:
        self._response = json_response(shapes.Message(message))

    def __call__(self, result: None, command: object, caller: Caller) -> WireResponse:
        return self._response


def wrong_token(unauthorized: Row, invalid: Row) -> Row:
    """A refresh token stands for a login; a mailed one is a parameter like others."""
    return lambda refusal, noun: (unauthorized if noun == _REFRESH else invalid)(refusal, noun)


_REFRESH: Final = "refresh"
_BUSY_DOOR: Final = (Refused.OVER_BUDGET,)


def actions(budget: Budget) -> dict[tuple[str, str], Action]:
    """The budget is for what comes with a token."""
    return {
        ("POST", "/auth/google"): Action(
            "Log in with a Google credential (an OpenID Connect ID token); the first time opens an account",
            Scope.READ,
            _parse_google,
            InSteps(lambda steps: steps.logins.log_in_with_credential),
            _render_google,
            shapes.GoogleAnswer,
            body=shapes.GoogleBody,
            key=KeyNeed.IGNORED,
            refuses=(
                *_BUSY_DOOR,
                Refused.LOGIN_NOT_OFFERED,
                Refused.WRONG_CREDENTIALS,
                Refused.EMAIL_NOT_VERIFIED,
                Refused.REGISTRATION_CLOSED,
                Refused.ACCOUNT_SUSPENDED,
                Refused.ACCOUNT_LOCKED,
                Refused.UPSTREAM_FAILED,
                Refused.BUSY,
            ),
            noun="login",
        ),
        ("POST", "/users/login"): Action(
            "Log in with email and password",
            Scope.READ,
            _parse_login,
            InSteps(lambda steps: steps.logins.log_in),
            _render_tokens,
            shapes.TokensAnswer,
            body=shapes.LoginBody,
            key=KeyNeed.IGNORED,
            refuses=(
                *_BUSY_DOOR,
                Refused.WRONG_CREDENTIALS,
                Refused.EMAIL_NOT_VERIFIED,
                Refused.ACCOUNT_SUSPENDED,
                Refused.ACCOUNT_LOCKED,
                Refused.BUSY,
            ),
            noun="login",
        ),
        ("POST", "/users/token/refresh"): Action(
            "Another pair of tokens for a refresh token, which is used up; one that comes twice ends the session",
            Scope.READ,
            _parse_refresh,
            InSteps(lambda steps: steps.logins.refresh),
            _render_tokens,
            shapes.TokensAnswer,
            body=shapes.RefreshBody,
            key=KeyNeed.IGNORED,
            refuses=(
                *_BUSY_DOOR,
                Refused.WRONG_TOKEN,
                Refused.ACCOUNT_SUSPENDED,
                Refused.ACCOUNT_LOCKED,
            ),
            noun=_REFRESH,
        ),
        ("POST", "/users/logout"): Action(
            "End the session this token belongs to",
            Scope.READ,
            _parse_logout,
            InTransaction(logins.log_out),
            _Saying("Logged out."),
            shapes.Message,
            budget=budget,
            noun="logout",
        ),
        ("POST", "/users/register"): Action(
            "Open an account; the email must be verified before the first login",
            Scope.READ,
            _parse_register,
            InSteps(lambda steps: steps.logins.register),
            _Saying("Check your mail: it tells how to verify your email address."),
            shapes.Message,
            body=shapes.RegisterBody,
            key=KeyNeed.IGNORED,
            refuses=(*_BUSY_DOOR, Refused.REGISTRATION_CLOSED, Refused.BUSY),
            noun="registration",
        ),
        ("POST", "/users/verify-email"): Action(
            "Verify an email address with the token that was mailed to it",
            Scope.READ,
            _parse_verify,
            InSteps(lambda steps: steps.logins.verify_email),
            _Saying("Your email address is verified. You can log in now."),
            shapes.Message,
            body=shapes.TokenBody,
            key=KeyNeed.IGNORED,
            refuses=(*_BUSY_DOOR, Refused.WRONG_TOKEN),
            noun="verification",
        ),
        ("POST", "/users/password/reset"): Action(
            "Have a token mailed that lets its reader choose a new password",
            Scope.READ,
            _parse_request_reset,
            InSteps(lambda steps: steps.logins.request_reset),
            _Saying("If there is an account with this email address, check its mail."),
            shapes.Message,
            body=shapes.EmailBody,
            key=KeyNeed.IGNORED,
            refuses=_BUSY_DOOR,
            noun="reset",
        ),
        ("POST", "/users/password/reset/confirm"): Action(
            "Choose a new password with the token that was mailed; every session ends",
            Scope.READ,
            _parse_reset,
            InSteps(lambda steps: steps.logins.reset_password),
            _Saying("Your password was changed. Log in with it."),
            shapes.Message,
            body=shapes.ResetBody,
            key=KeyNeed.IGNORED,
            refuses=(*_BUSY_DOOR, Refused.WRONG_TOKEN, Refused.BUSY),
            noun="reset",
        ),
        ("POST", "/users/password/change"): Action(
            "Choose a new password; the account's other sessions end",
            Scope.ORDER,
            _parse_change,
            InSteps(lambda steps: steps.logins.change_password),
            _Saying("Your password was changed."),
            shapes.Message,
            body=shapes.ChangeBody,
            refuses=(Refused.WRONG_CREDENTIALS,),
            budget=budget,
            noun="password change",
        ),
    }
