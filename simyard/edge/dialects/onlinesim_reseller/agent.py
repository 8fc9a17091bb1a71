"""The agent protocol of the industry (SMSHub and its family): what partners push to us.

Its partners repeat whatever is not `SUCCESS` every 10 seconds without end, and give up at any status but 200.
"""

from __future__ import annotations

from typing import Final

from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.remote.push_model import Pushed, PushedMessage
from simyard.edge.dialects.onlinesim_reseller import pushes
from simyard.edge.wire import (
    Action,
    Dialect,
    InLane,
    KeyNeed,
    NoVerb,
    WireRequest,
    WireResponse,
    json_response,
)

_BODY_BYTES_MAX: Final = 8 * 1024 * 1024
"""Calls come with their recordings."""

_SUCCESS = json_response(pushes.Done("SUCCESS"))
# Calls are not sold here. One that is announced is thanked for, or it would be announced for ever.
_IGNORED = json_response(pushes.Done("SUCCESS", "IGNORED"))


def _parse(request: WireRequest) -> PushedMessage | WireResponse:
    """Here `smsId` is the SMS's own id, so the number alone says what is meant."""
    fields = pushes.read_fields(request)
    given = fields.get("action")
    action = given.strip().upper() if isinstance(given, str) else ""
    if action in ("PUSH_CALL", "PUSH_CALL_RECORD"):
        return _IGNORED
    if action not in ("", "PUSH_SMS"):
        raise Refusal(Refused.MALFORMED, problem="unknown action")
    return pushes.read_push(request, fields, sms_id_names_operation=False)


def _render(pushed: Pushed, _: PushedMessage, __: Caller) -> WireResponse:
    return pushes.render(pushed, "success")


ACTIONS: Final = {
    ("POST", "/sms"): Action(
        "Hand in an SMS",
        Scope.SUPPLY,
        _parse,
        InLane(lambda lanes: lanes.push),
        _render,
        pushes.Done,
        body=pushes.PushBody,
        body_bytes_max=lambda settings: max(settings.body_bytes_max, _BODY_BYTES_MAX),
        refuses=(Refused.MALFORMED,),
        noun="PUSH_SMS",
    ),
    ("GET", "/ping"): Action(
        "Ask whether anybody is there",
        Scope.SUPPLY,
        lambda request: _SUCCESS,
        NoVerb(),
        lambda result, command, caller: _SUCCESS,
        pushes.Done,
        key=KeyNeed.IGNORED,
        noun="ping",
    ),
}

DIALECT: Final = Dialect(
    name="partner_agent",
    title="Agent protocol",
    prefix="/agent/api",
    actions=ACTIONS,
    refusals=pushes.refusals(lambda status: 200),
    find_key=pushes.find_key,
    error=pushes.Failure,
    description="For partners who lend numbers one by one, with agents of SMSHub's family: hand in every SMS such a number "
    "receives. Every answer has the HTTP status 200; one whose `status` is not `SUCCESS` means to try again.",
    key_description="Partner's key as `key` in the body; also as a bearer token",
    takes_pool_keys=True,
    body_types=pushes.BODY_TYPES,
)
