"""Verbs of several steps: each opens its own transactions, and none is open while another host is asked."""

from __future__ import annotations

from dataclasses import dataclass

from simyard.core.funding.model import Funding
from simyard.core.logins.model import Logins


@dataclass(frozen=True, slots=True)
class Steps:
    """What the edge may ask for; the application fills it in."""

    logins: Logins
    funding: Funding
