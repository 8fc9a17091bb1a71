"""Onlinesim reseller API v1: the SMS that partners push to us. What we ask of them is `workers/remote/partner.py`."""

from __future__ import annotations

import logging
from typing import Final

from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.remote.push_model import Pushed, PushedMessage
from simyard.edge.dialects.onlinesim_reseller import pushes
from simyard.edge.wire import Action, Dialect, InLane, WireRequest, WireResponse

log = logging.getLogger(__name__)

PATHS: Final = ("/v1/PUSH_SMS", "/pushSmsRent", "/api/push_sms_webhook")


def _parse(request: WireRequest) -> PushedMessage:
    """Here `smsId` is the partner's id of the operation."""
    fields = pushes.read_fields(request)
    action = fields.get("action")
    if isinstance(action, str) and action.strip().upper() not in ("", "PUSH_SMS"):
        raise Refusal(Refused.MALFORMED, problem="the action must be PUSH_SMS")
    return pushes.read_push(request, fields, sms_id_names_operation=True)


def _render(pushed: Pushed, push: PushedMessage, _: Caller) -> WireResponse:
    if pushed.disagrees:
        facts = {"supplier_id": push.supplier_id, "sms_id": push.reference}
        log.warning("a push names one number and another operation", extra=facts)
    return pushes.render(pushed, "safe")


def _action() -> Action:
    return Action(
        "Hand in an SMS",
        Scope.SUPPLY,
        _parse,
        InLane(lambda lanes: lanes.push),
        _render,
        pushes.Done,
        body=pushes.PushBody,
        refuses=(Refused.MALFORMED,),
        noun="PUSH_SMS",
    )


DIALECT: Final = Dialect(
    name="onlinesim_reseller_v1",
    title="Onlinesim reseller API v1",
    prefix="",
    actions={("POST", path): _action() for path in PATHS},
    refusals=pushes.refusals(lambda status: status),
    find_key=pushes.find_key,
    error=pushes.Failure,
    description="For partners who lend numbers one by one: hand in every SMS such a number receives. A status other than "
    "200 means that the same is to be sent again in 10 seconds, but for `NO_OPERATION` and `BAD_SERVICE`.",
    key_description="Partner's key as `key` in the body; also as a bearer token",
    stray_paths=PATHS,
    mounts=(),
    takes_pool_keys=True,
    body_types=pushes.BODY_TYPES,
)
