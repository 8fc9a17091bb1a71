"""What every remote source can do, whatever it speaks. The values are in `core/remote/model.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

from simyard.core.remote.model import (
    Ending,
    Profile,
    RemoteMessage,
    RemoteNumber,
    RemoteOffer,
    RemoteWish,
    Stock,
)
from simyard.workers.outgoing import OutgoingClient

__all__ = [
    "SOURCES",
    "Ending",
    "MakeSource",
    "Profile",
    "Reason",
    "RemoteMessage",
    "RemoteNumber",
    "RemoteOffer",
    "RemoteWish",
    "Source",
    "SourceFailed",
    "SourceRefused",
    "Stock",
    "WrongSwitch",
]


class Reason(StrEnum):
    """Why a source said no."""

    NO_NUMBERS = "no_numbers"
    # Not this country, service or operator; or not at this price.
    NOT_OFFERED = "not_offered"
    # Our money there is used up.
    NO_MONEY = "no_money"
    WRONG_KEY = "wrong_key"
    REJECTED = "rejected"

    @property
    def is_of_our_account(self) -> bool:
        """Whether it says something about our account there, and nothing about the numbers the source has."""
        return self in (Reason.NO_MONEY, Reason.WRONG_KEY)


class SourceRefused(Exception):
    """The source answered, and said no: nothing was reserved, nothing changed. `detail` never holds a key or an SMS."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason.value, detail)
        self.reason = reason
        self.detail = detail


class SourceFailed(Exception):
    """No answer that can be understood. `ambiguous`: the request may have got there, so a number may be reserved."""

    def __init__(self, detail: str, *, ambiguous: bool) -> None:
        super().__init__(detail)
        self.detail = detail
        self.ambiguous = ambiguous


class WrongSwitch(ValueError):
    """A profile's switch that its protocol does not know, or with a value it cannot have. The text lists what there is."""


class Source(Protocol):
    """One pool's source. Every call may raise SourceRefused and SourceFailed, and nothing else of the other side's making.

    A source keeps no state that matters: several of one pool live in several processes, and each is made anew at will.
    """

    polled: bool
    """Whether messages must be asked for (`poll`); else the source pushes them."""

    async def stock(self) -> Stock: ...

    async def order(self, wish: RemoteWish) -> RemoteNumber:
        """Reserve one number. May take up to 60 s: whoever waits gives up earlier, and gives a late number back."""
        ...

    async def find(self, wish: RemoteWish, *, since: datetime) -> list[RemoteNumber] | None:
        """After an ambiguous order: what may have been reserved by it, by its reference or by the time; all of it that is
        open. None: this protocol cannot tell."""
        ...

    async def finish(self, remote_id: str, ending: Ending, *, amount: int, currency: str) -> None:
        """Tell how it ended. Raises until it succeeded; a repeat is a success."""
        ...

    async def request_next(self, remote_id: str) -> None:
        """The buyer wants another message. Nothing to do where messages come anyhow."""
        ...

    async def poll(self, remote_ids: Sequence[str]) -> list[RemoteMessage]:
        """Every message there is for these numbers, old ones too: repeats are dropped."""
        ...


MakeSource: TypeAlias = Callable[[Profile, OutgoingClient], Source]
"""Raises WrongSwitch."""

SOURCES: Final[dict[str, MakeSource]] = {}
"""By protocol: onlinesim-v1, industry, hero, handler, fivesim, onlinesim. `workers/remote/sources.py` fills it in."""
