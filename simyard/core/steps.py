"""Verbs of several steps: each opens its own transactions, and none is open while another host is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from simyard.core.funding.model import Funding
from simyard.core.logins.model import Logins
from simyard.core.rentals.model import OrderRental, Rental


@dataclass(frozen=True, slots=True)
class Steps:
    """What the edge may ask for; the application fills it in."""

    logins: Logins
    funding: Funding
    rent: Callable[[OrderRental], Awaitable[Rental]]
    """Refuses what `rentals.order` refuses, and UPSTREAM_FAILED when all pools that had numbers failed."""
