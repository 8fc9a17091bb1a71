"""What decides about erasures from values alone."""

from __future__ import annotations

import dataclasses
from typing import Final

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.erasure.model import OpenBusiness

REASON_LENGTH_MAX: Final = 500


def judge_reason(reason: str, *, email: str, name: str) -> Refusal | None:
    """Why a reason cannot be kept, or None. What it says is never erased, so it must not say who was."""
    if not reason or len(reason) > REASON_LENGTH_MAX or "\0" in reason:
        return Refusal(Refused.MALFORMED, field="reason")
    said = reason.casefold()
    if any(one.casefold() in said for one in (email, name) if one):
        return Refusal(Refused.MALFORMED, field="reason", problem="it says whom it is about, and is kept")
    return None


def judge(account_id: AccountId, business: OpenBusiness) -> Refusal | None:
    """Why an account cannot be erased yet, with everything that is open as facts, or None."""
    facts = {name: value for name, value in dataclasses.asdict(business).items() if value}
    currency = facts.pop("currency", None)
    if not facts:
        return None
    return Refusal(Refused.NOT_SETTLED, account_id=account_id, currency=currency, **facts)
