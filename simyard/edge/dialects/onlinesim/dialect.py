"""The dialect: every method in one table, and how its many spellings of a path are read."""

from __future__ import annotations

import re
from typing import Final

from simyard.edge.dialects.onlinesim import activations, profile, public, rentals, tariffs
from simyard.edge.dialects.onlinesim.fields import find_key
from simyard.edge.dialects.onlinesim.wire import REFUSALS, Failure
from simyard.edge.wire import Dialect

PREFIX: Final = "/api"
BODY_TYPES: Final = ("application/json", "application/x-www-form-urlencoded")
# Where a client ends up that forgets the slash behind `api`.
_STRAY: Final = ("/apigetService.php", "/apigetService")
_SLASHES: Final = re.compile(r"//+")
# Old names of methods, and rent's from before it had a folder.
_ALIASES: Final = {
    f"{PREFIX}{old}": f"{PREFIX}{new}"
    for old, new in {
        "getService": "/getService",  # of the stray path
        "/getOperations": "/getState",
        "/getRentNum": "/rent/getRentNum",
        "/getRentState": "/rent/getRentState",
        "/extendRentState": "/rent/extendRentState",
        "/closeRentNum": "/rent/closeRentNum",
        "/portReload": "/rent/portReload",
        "/tariffsRent": "/rent/tariffsRent",
    }.items()
}


def normal_path(path: str) -> str:
    """A path as the table has it: single slashes, no `.php`, today's name."""
    plain = _SLASHES.sub("/", path).rstrip("/").removesuffix(".php")
    return _ALIASES.get(plain, plain)


ACTIONS: Final = {
    **profile.METHODS,
    **tariffs.METHODS,
    **activations.METHODS,
    **rentals.METHODS,
    **public.METHODS,
}

DIALECT: Final = Dialect(
    name="onlinesim",
    title="Onlinesim",
    prefix=PREFIX,
    actions=ACTIONS,
    refusals=REFUSALS,
    find_key=find_key,
    error=Failure,
    description=(
        "Numbers for one service each, rented numbers and free ones. Every answer has the status 200; an error is its "
        "`response`. Parameters may stand in the query, in a form or in JSON; a path may end in `.php`. Times are UTC."
    ),
    key_description="API key as `apikey` in the query or in the body, or as a bearer token",
    normal_path=normal_path,
    stray_paths=_STRAY,
    body_types=BODY_TYPES,
)
