"""The protocols of remote pools. Importing this fills `SOURCES`; each protocol has a line here."""

from __future__ import annotations

from simyard.base.addresses import parse_url
from simyard.core.remote.model import Profile
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.remote import partner
from simyard.workers.remote.fivesim import FivesimSource
from simyard.workers.remote.handler import HandlerSource
from simyard.workers.remote.onlinesim import OnlinesimSource
from simyard.workers.remote.partner import Partner
from simyard.workers.remote.source import SOURCES, Source, WrongSwitch

# A protocol's module is imported here, and its name and class are put in: SOURCES["name"] = ItsSource
for _protocol in (partner.ONLINESIM, partner.INDUSTRY, partner.HERO):
    SOURCES[_protocol] = Partner
SOURCES["handler"] = HandlerSource
SOURCES["fivesim"] = FivesimSource
SOURCES["onlinesim"] = OnlinesimSource


def source_of(profile: Profile, client: OutgoingClient) -> Source:
    """Raises WrongSwitch, also for a protocol nobody here speaks and an address that is none."""
    make = SOURCES.get(profile.protocol)
    if make is None:
        raise WrongSwitch(f"no protocol {profile.protocol!r}; there are: {', '.join(sorted(SOURCES))}")
    try:
        parse_url(profile.url)
    except ValueError as error:
        raise WrongSwitch(f"the url is not valid: {error}") from None
    return make(profile, client)
