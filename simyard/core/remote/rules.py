"""What decides about remote pools from values alone."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from simyard.base import phone
from simyard.base.ids import LeaseId
from simyard.core.remote.model import DueLease, RemoteNumber, RemoteOffer, RemoteWish

BUDGET_SECONDS: Final = 10.0
"""How long a buyer waits for a number, all pools together."""

ANSWER_SECONDS_MAX: Final = 60.0
"""How long an answer is listened for; one that comes after the budget is given back."""

REPAIR_SECONDS: Final = 15.0
"""After this an order that still has no number was left behind by a process that ended."""

LOST_SECONDS: Final = 75.0
"""After this nobody is listening for the answer any more."""

FAILURES_MAX: Final = 5
OPEN_SECONDS: Final = 30.0
"""So many failures in a row, and a pool is asked nothing for so long; then one order tries it."""

FIND_SECONDS: Final = 10.0
FIND_TRIES_MAX: Final = 30
KEPT_MIN: Final = timedelta(days=3)
"""How long an ended lease is remembered at least: what an order left behind is told by all leases of the day before it, and
is looked for for hours."""

NAME_LENGTH_MAX: Final = 100
DETAIL_LENGTH_MAX: Final = 200

_FINISH_SECONDS = 10.0
_FINISH_SECONDS_MAX = 300.0
_FINISH_HOURS = 24
# A source that says it knows no such number is asked again this often, in case it is only confused.
_REJECTED_TRIES_MAX = 5


def new_reference(lease_id: LeaseId) -> str:
    """Told from those of another installation, or of this one before it was set up anew."""
    return f"{lease_id}-{secrets.token_hex(4)}"


def whole_offers(offers: Sequence[RemoteOffer]) -> list[RemoteOffer]:
    """What of a report can be sold: known names only, each once, and a total wherever there are only parts."""
    known: dict[tuple[str, str, str], RemoteOffer] = {}
    for offer in offers:
        names = (offer.country_name, offer.service_name, offer.operator_name)
        sold = offer.service_id is not None or offer.to_rent
        if offer.country is None or not sold or max(map(len, names)) > NAME_LENGTH_MAX:
            continue
        known[names] = replace(offer, stock=max(0, min(offer.stock, 10**9)))
    parts: dict[tuple[str, str], list[RemoteOffer]] = {}
    for (country_name, service_name, operator_name), offer in known.items():
        if operator_name and (country_name, service_name, "") not in known:
            parts.setdefault((country_name, service_name), []).append(offer)
    for (country_name, service_name), some in parts.items():
        prices = [one.price for one in some if one.price is not None]
        known[country_name, service_name, ""] = replace(
            some[0],
            operator_id=None,
            operator_name="",
            price=min(prices) if prices else None,
            stock=sum(one.stock for one in some),
        )
    return list(known.values())


def unfit(number: RemoteNumber, wish: RemoteWish) -> bool:
    """Whether a number is not one of those that were asked for, from what can be read off it."""
    read = phone.parse(number.msisdn)
    if read is None or read.e164 != number.msisdn:
        return True
    if any(number.msisdn.startswith(prefix) for prefix in wish.excluded):
        return True
    if wish.price_max is not None and number.cost is not None and number.cost > wish.price_max:
        return True
    return not phone.may_lie_in(read, wish.country)


def finish_again_at(due: DueLease, now: datetime, *, rejected: bool) -> datetime | None:
    """When a source is told again how a number ended; None: never, an operator has to look."""
    if rejected and due.tries + 1 >= _REJECTED_TRIES_MAX:
        return None
    if now >= due.changed_at + timedelta(hours=_FINISH_HOURS):
        return None
    seconds = min((due.retry_seconds or _FINISH_SECONDS) * 2 ** min(due.tries, 10), _FINISH_SECONDS_MAX)
    return now + timedelta(seconds=seconds)


def look_again_at(due: DueLease, now: datetime) -> datetime | None:
    """When it is looked for again what an order left behind; None: never."""
    if due.tries + 1 >= FIND_TRIES_MAX:
        return None
    return now + timedelta(seconds=min(FIND_SECONDS * 2 ** min(due.tries, 10), _FINISH_SECONDS_MAX))


def nobodys(found: Sequence[RemoteNumber], known: Collection[str]) -> list[RemoteNumber]:
    """Of what a source says is reserved for us, what no lease of ours has."""
    return [one for one in {one.remote_id: one for one in found}.values() if one.remote_id not in known]
