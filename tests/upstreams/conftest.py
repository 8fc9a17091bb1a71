"""What these tests share: a client that may call this machine, and profiles of vendors on it."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from simyard.base.ids import PoolId
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.remote.model import Profile, RemoteWish
from simyard.workers.outgoing import OutgoingClient
from tests.upstreams.vendor import KEY


@pytest.fixture
def client() -> OutgoingClient:
    return OutgoingClient(networks_allowed=[ip_network("127.0.0.0/8")])


def profile(
    url: str, protocol: str, *, key: str = KEY, base_currency: str = "USD", **switches: str
) -> Profile:
    return Profile(PoolId(1), protocol, url, key, switches, base_currency=base_currency)


def wish(
    country_name: str,
    service_name: str,
    *,
    price_max: int | None = 1_000_000,
    excluded: tuple[str, ...] = (),
    reference: str = "sy-1",
    rental_days: int | None = None,
) -> RemoteWish:
    telegram = load_catalog().service("telegram")
    assert telegram is not None
    return RemoteWish(
        "GB",
        country_name,
        telegram.id,
        service_name,
        None,
        "",
        0,
        "USD",
        price_max,
        excluded,
        reference,
        rental_days,
    )
