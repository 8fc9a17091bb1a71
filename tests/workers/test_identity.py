"""The issuer's keys: fetched from a real server, kept, and asked for again no oftener than need be."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass, field

import pytest

from simyard.base.clock import ManualClock, SystemClock
from simyard.base.refusals import Refusal, Refused
from simyard.workers import identity
from simyard.workers.identity import IssuerKeys
from simyard.workers.outgoing import OutgoingClient
from tests import receivers
from tests.core.logins.issuer import Issuer
from tests.receivers import Receiver, answer

HOUR = 3600


@dataclass
class Keyring:
    """What the issuer would hand out, and how often it was asked."""

    document: bytes = field(default_factory=lambda: Issuer(("rsa",)).key_set())
    problem: Exception | None = None
    fetches: int = 0

    async def fetch(self) -> bytes:
        self.fetches += 1
        await asyncio.sleep(0)
        if self.problem is not None:
            raise self.problem
        return self.document


@pytest.fixture
def keyring() -> Keyring:
    return Keyring()


@pytest.fixture
def keys(keyring: Keyring, clock: ManualClock) -> IssuerKeys:
    return IssuerKeys(keyring.fetch, clock)


async def refused(keys: IssuerKeys, key_id: str = "rsa") -> Refused:
    with pytest.raises(Refusal) as caught:
        await keys.key(key_id)
    return caught.value.reason


async def test_keys_are_fetched_once_an_hour(keys: IssuerKeys, keyring: Keyring, clock: ManualClock) -> None:
    for _ in range(5):
        assert (await keys.key("rsa")).key_id == "rsa"
    assert keyring.fetches == 1
    clock.turn(HOUR)
    await keys.key("rsa")
    assert keyring.fetches == 1
    clock.turn(1)
    await keys.key("rsa")
    assert keyring.fetches == 2


async def test_many_who_ask_at_once_share_a_fetch(keys: IssuerKeys, keyring: Keyring) -> None:
    await asyncio.gather(*(keys.key("rsa") for _ in range(50)))
    assert keyring.fetches == 1


async def test_a_new_key_is_found_and_made_up_ones_cost_a_fetch_a_minute(
    keys: IssuerKeys, keyring: Keyring, clock: ManualClock
) -> None:
    await keys.key("rsa")
    keyring.document = Issuer(("rsa", "ec")).key_set()
    # Just fetched: whoever makes up ids makes us ask nobody.
    for number in range(20):
        assert await refused(keys, f"made up {number}") is Refused.WRONG_CREDENTIALS
    assert keyring.fetches == 1
    clock.turn(60)
    assert (await keys.key("ec")).key_id == "ec"
    assert keyring.fetches == 2
    for number in range(20):
        assert await refused(keys, f"made up {number}") is Refused.WRONG_CREDENTIALS
    assert keyring.fetches == 2
    clock.turn(60)
    await asyncio.gather(*(refused(keys, f"made up {number}") for number in range(20)))
    assert keyring.fetches == 3


async def test_a_key_that_was_withdrawn_signs_no_more(
    keys: IssuerKeys, keyring: Keyring, clock: ManualClock
) -> None:
    await keys.key("rsa")
    keyring.document = Issuer(("ec",)).key_set()
    clock.turn(HOUR + 1)
    assert await refused(keys, "rsa") is Refused.WRONG_CREDENTIALS


async def test_an_issuer_that_fails_is_asked_again_soon_and_its_keys_are_kept_for_a_day(
    keys: IssuerKeys, keyring: Keyring, clock: ManualClock
) -> None:
    keyring.problem = identity.KeysUnavailable("status 500")
    assert await refused(keys) is Refused.UPSTREAM_FAILED
    assert await refused(keys) is Refused.UPSTREAM_FAILED
    assert keyring.fetches == 1
    clock.turn(5)
    keyring.problem = None
    await keys.key("rsa")
    assert keyring.fetches == 2
    keyring.problem = identity.KeysUnavailable("status 500")
    clock.turn(23 * HOUR)
    assert (await keys.key("rsa")).key_id == "rsa"
    clock.turn(HOUR + 1)
    assert await refused(keys) is Refused.UPSTREAM_FAILED


async def test_what_is_no_key_set_is_no_answer(
    keys: IssuerKeys, keyring: Keyring, clock: ManualClock
) -> None:
    keyring.document = b"<html>maintenance</html>"
    assert await refused(keys) is Refused.UPSTREAM_FAILED
    keyring.document = b'{"keys": []}'
    clock.turn(5)
    assert await refused(keys) is Refused.WRONG_CREDENTIALS


# Over HTTP


def fetching(url: str) -> IssuerKeys:
    client = OutgoingClient(networks_allowed=(ipaddress.ip_network("127.0.0.0/8"),))
    return IssuerKeys(identity.fetching(client, url), SystemClock())


async def test_keys_come_over_http() -> None:
    async with Receiver(default=answer(200, Issuer(("rsa", "ec")).key_set())) as server:
        keys = fetching(server.url("/oauth2/v3/certs"))
        assert (await keys.key("ec")).key_id == "ec"
    (request,) = server.requests
    assert (request.method, request.target) == ("GET", "/oauth2/v3/certs")


@pytest.mark.parametrize(
    "behaviour",
    [
        answer(404, Issuer(("rsa",)).key_set()),
        answer(302, b"", "location: http://127.0.0.1/keys"),
        answer(200, b'{"keys": [' + b" " * 100_000),
        answer(200, b"keys"),
        receivers.garbage,
        receivers.hang_up,
    ],
)
async def test_a_server_that_answers_otherwise_gives_no_keys(behaviour: receivers.Behaviour) -> None:
    async with Receiver(default=behaviour) as server:
        assert await refused(fetching(server.url())) is Refused.UPSTREAM_FAILED
        assert len(server.requests) == 1


async def test_a_server_that_is_away_gives_no_keys() -> None:
    async with Receiver() as server:
        url = server.url()
    assert await refused(fetching(url)) is Refused.UPSTREAM_FAILED
