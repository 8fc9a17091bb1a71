"""Rules: whether a message may reach the lease it came for, and the code it brings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from simyard.core.messages import attribution
from simyard.core.messages.aliases import slug_of
from simyard.core.messages.characters import plain
from simyard.core.messages.extraction import NOTHING, TEXT_READ_MAX, Extraction, extract

__all__ = [
    "Extraction",
    "Judgement",
    "Verdict",
    "extract",
    "judge",
    "judge_any",
    "judged_by_pool",
    "tells_apart",
]

# A text of a service nobody knows is delivered when its code is at least this certain.
CONFIDENCE_DELIVERED = 0.55

# A day that a message may be old when it is handed in again, and the hours clocks are off that tell local time as UTC.
_TIME_OFF_MAX = timedelta(days=2)

# Ordered when any sender will do: what names no known service is delivered even without a code.
ANY_SERVICE = frozenset(("other", "full"))


class Verdict(StrEnum):
    """What becomes of a message. Only DELIVER shows it to the buyer."""

    DELIVER = "deliver"
    PROHIBITED = "prohibited"
    OTHER_SERVICE = "other_service"
    UNRECOGNISED = "unrecognised"
    BLACKLISTED = "blacklisted"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, the code, and the service the message was recognised as."""

    verdict: Verdict
    extraction: Extraction
    service: str | None


def judge(text: str, *, sender: str, ordered_service: str, prohibited_allowed: bool = False) -> Judgement:
    """Decides whether a message is delivered to a lease of `ordered_service`; the first rule that fits wins.

    Prohibited class; names the ordered service; names another known service; names nobody but brings a code.
    A finance sender is enough to refuse. The ordered service's sender alone delivers only a text with a code that
    names nobody else.
    """
    ordered = slug_of(ordered_service) or ""
    body = plain(text[:TEXT_READ_MAX]).text
    named = attribution.named(body, sender, ordered)
    if named.prohibited and not prohibited_allowed:
        return Judgement(Verdict.PROHIBITED, NOTHING, named.prohibited)
    extraction = extract(text, sender=sender, service=ordered)
    if ordered in named.in_text:
        return Judgement(Verdict.DELIVER, extraction, ordered)
    good = attribution.accepted_by(ordered) | {ordered}
    if named.in_text:
        if named.in_text <= good:
            return Judgement(Verdict.DELIVER, extraction, min(named.in_text))
        return Judgement(Verdict.OTHER_SERVICE, extraction, min(named.in_text - good))
    sent_by_ordered = not good.isdisjoint(named.by_sender) or attribution.shows_display_name(
        ordered, sender.lower()
    )
    if named.by_sender and not sent_by_ordered:
        return Judgement(Verdict.OTHER_SERVICE, extraction, min(named.by_sender))
    recognised = ordered if sent_by_ordered else None
    if extraction.code is not None and extraction.confidence >= CONFIDENCE_DELIVERED:
        return Judgement(Verdict.DELIVER, extraction, recognised)
    if ordered in ANY_SERVICE:
        return Judgement(Verdict.DELIVER, extraction, None)
    return Judgement(Verdict.UNRECOGNISED, extraction, recognised)


def judged_by_pool(
    judgement: Judgement, *, blacklist: Collection[str] = (), filters_itself: bool = False
) -> Judgement:
    """The judgement of a message for an activation, as far as its pool has a say in it.

    What is prohibited stays so. What the pool blacklisted is not delivered; a supplier who tells messages of other
    services apart himself hands in none, so his are for the ordered one.
    """
    if judgement.verdict is Verdict.PROHIBITED:
        return judgement
    if judgement.service is not None and judgement.service in {slug_of(slug) for slug in blacklist}:
        return Judgement(Verdict.BLACKLISTED, NOTHING, judgement.service)
    if filters_itself and judgement.verdict in (Verdict.OTHER_SERVICE, Verdict.UNRECOGNISED):
        return Judgement(Verdict.DELIVER, judgement.extraction, judgement.service)
    return judgement


def judge_any(text: str, *, sender: str, permitted: Collection[str] = ()) -> Judgement:
    """Decides whether a message is delivered to a lease that takes any sender: only the prohibited class is not.

    `permitted` are prohibited services the lease's account may use: their own messages are delivered all the same.
    """
    body = plain(text[:TEXT_READ_MAX]).text
    named = attribution.named(body, sender)
    shown = f"{sender}\n{body}".lower()
    if named.prohibited and not any(
        slug == named.prohibited or attribution.shows_display_name(slug, shown) for slug in permitted
    ):
        return Judgement(Verdict.PROHIBITED, NOTHING, named.prohibited)
    services = named.in_text or named.by_sender
    recognised = next(iter(services)) if len(services) == 1 else None
    return Judgement(Verdict.DELIVER, extract(text, sender=sender, service=recognised), recognised)


def tells_apart(sent_at: datetime | None, now: datetime) -> bool:
    """Whether its own time tells a message from another one with the same text: then the same time again is the same SMS.

    Not a time of whole minutes, which may be that of a day or a minute; nor one of a clock that was never set, and may
    stand still. How old a message is says nothing: clocks are off by hours, and a code must not be lost to that.
    """
    if sent_at is None or abs(now - sent_at) > _TIME_OFF_MAX:
        return False
    return (sent_at.second, sent_at.microsecond) != (0, 0)
