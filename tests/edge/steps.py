"""What the application hands to its dialects beside the lanes, with other hosts that may be on this machine."""

from __future__ import annotations

from ipaddress import ip_network

from simyard.base.clock import Clock
from simyard.core.steps import Steps
from simyard.db.database import Database
from simyard.settings import Settings
from simyard.workers import identity
from simyard.workers.funding import FundingSteps, provider_of
from simyard.workers.identity import IssuerKeys
from simyard.workers.logins import LoginSteps, Passwords
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.remote.acquire import RemoteAcquirer, Sources


def steps_of(
    database: Database, clock: Clock, settings: Settings, passwords: Passwords | None = None
) -> Steps:
    """Whoever lets people log in closes the passwords himself."""
    outgoing = OutgoingClient(networks_allowed=(ip_network("127.0.0.0/8"),))
    keys = IssuerKeys(identity.fetching(outgoing, settings.oidc_keys_url), clock)
    return Steps(
        logins=LoginSteps(database, clock, settings, passwords or Passwords(), keys),
        funding=FundingSteps(database, provider_of(settings, database), clock),
        rent=RemoteAcquirer(database, clock, Sources(database, outgoing, settings.base_currency)).rent,
    )
