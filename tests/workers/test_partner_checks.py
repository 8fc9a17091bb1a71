"""The trial of a partner's server: a good one passes, and each fault is found."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import pytest

from simyard.base.ids import PoolId
from simyard.core.remote.model import Profile
from simyard.workers.outgoing import OutgoingClient
from simyard.workers.remote.partner_checks import Check, Listening, Outcome, PartnerChecks
from tests.partners.simulator import KEY, PartnerServer
from tests.world import micros

LISTENING = Listening("127.0.0.1", 0, 5)


@pytest.fixture
async def server() -> AsyncIterator[PartnerServer]:
    async with PartnerServer(numbers={"sweden": [f"4670174060{digit}" for digit in range(4)]}) as server:
        yield server


def checks(
    server: PartnerServer, *, key: str = KEY, protocol: str = "onlinesim-v1", **more: Any
) -> PartnerChecks:
    client = OutgoingClient(networks_allowed=[ip_network("127.0.0.0/8")])
    profile = Profile(PoolId(3001), protocol, server.url(), key)
    return PartnerChecks(profile, client, amount=micros("1"), currency="RUB", **more)


def failed(done: list[Check]) -> list[str]:
    return [check.name for check in done if check.outcome is Outcome.FAILED]


async def test_a_good_partner_passes_and_keeps_its_numbers(server: PartnerServer) -> None:
    told: list[Check] = []
    trial = checks(server, tell=told.append)
    assert failed(await trial.run()) == []
    assert trial.passed
    assert told == trial.checks
    assert not server.reserved
    assert not server.sold
    (skipped,) = [check for check in told if check.outcome is Outcome.SKIPPED]
    assert skipped.name == "PUSH_SMS"
    assert KEY not in str(told)


@pytest.mark.parametrize(
    ("quirks", "name"),
    [
        ({"no_any": True}, "operator `any` is there"),
        ({"advertises": 7, "few": True}, "the numbers in stock are there"),
        ({"advertises": 7, "none": True}, "GET_NUMBER"),
        ({"wrong_number": "491701234567"}, "the number has its country's code"),
        ({"gives_again": True}, "a number is lent once at a time"),
        ({"gives_excluded": True}, "numbers that start with +46 can be excluded"),
        ({"once": True}, "a repeated FINISH_ACTIVATION is a success"),
        ({"finish_fails": 99}, "FINISH_ACTIVATION"),
        ({"html": True}, "answers"),
        ({"status": 500}, "answers"),
    ],
)
async def test_each_fault_is_found(server: PartnerServer, quirks: dict[str, Any], name: str) -> None:
    if quirks.pop("few", False):
        server.numbers["sweden"] = ["46701740600"]
    if quirks.pop("none", False):
        server.numbers["sweden"] = []
    for quirk, value in quirks.items():
        setattr(server.quirks, quirk, value)
    trial = checks(server)
    assert name in failed(await trial.run())
    assert not trial.passed
    if "finish_fails" not in quirks:
        assert not server.reserved


async def test_what_is_odd_but_works_is_noted(server: PartnerServer) -> None:
    server.quirks.checks_key, server.quirks.string_id = False, True
    server.numbers["atlantis"] = ["46701740699"]
    trial = checks(server)
    await trial.run()
    noted = {check.name: check.detail for check in trial.checks if check.outcome is Outcome.NOTED}
    assert trial.passed
    assert noted["a wrong key is refused"] == "anybody may ask this server"
    assert noted["ids and numbers are JSON numbers"] == "in quotes: activationid"
    assert "country atlantis" in noted["its names are known"]


async def test_our_key_may_be_the_wrong_one(server: PartnerServer) -> None:
    trial = checks(server, key="pk_mistyped")
    (check,) = await trial.run()
    assert (check.outcome, "wrong_key" in check.detail) == (Outcome.FAILED, True)
    assert "pk_mistyped" not in check.detail


def post(url: str, body: bytes) -> bytes:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        content: bytes = response.read()
        return content


class Phone:
    """Sends an SMS when it is told to; the partner pushes it, as often as it has to, or otherwise."""

    def __init__(
        self, server: PartnerServer, *, pushes_max: int = 9, seconds: float = 0.3, **quirks: Any
    ) -> None:
        self._server, self._pushes_max, self._seconds = server, pushes_max, seconds
        self.answers: list[bytes] = []
        self.pushing: asyncio.Task[None] | None = None
        for quirk, value in quirks.items():
            setattr(server.quirks, quirk, value)

    def prompt(self, text: str) -> None:
        words = text.split(" ")
        number, url = words[words.index("to") + 1].rstrip("."), words[-1]
        body, _ = self._server.push(url, number, "Telegram code 48213", key=KEY)
        self.pushing = asyncio.create_task(self._push(url, body))

    async def _push(self, url: str, body: bytes) -> None:
        for _ in range(self._pushes_max):
            self.answers.append(await asyncio.to_thread(post, url, body))
            if json.loads(self.answers[-1])["status"] == "SUCCESS" and not self._server.quirks.double_push:
                return
            await asyncio.sleep(self._seconds)


async def test_pushes_are_tried_too(server: PartnerServer) -> None:
    phone = Phone(server)
    trial = checks(server, listening=LISTENING, prompt=phone.prompt, seconds_scale=0.03)
    assert failed(await trial.run()) == []
    assert [json.loads(answer)["status"] for answer in phone.answers] == ["ERROR", "SUCCESS"]


@pytest.mark.parametrize(
    ("phone", "name"),
    [
        ({"pushes_max": 0}, "PUSH_SMS"),
        ({"pushes_max": 1}, "a push that failed comes again after 10 s"),
        ({"seconds": 0.05}, "a push that failed comes again after 10 s"),
        ({"double_push": True}, "a push that succeeded does not come again"),
        ({"quoted_ids": True}, "smsId is a JSON number"),
        ({"own_sms_id": True}, "smsId is the operation's id"),
        ({"no_phone": True}, "a push has every field"),
    ],
)
async def test_faults_of_pushes_are_found(server: PartnerServer, phone: dict[str, Any], name: str) -> None:
    sending = Phone(server, **phone)
    listening = Listening("127.0.0.1", 0, 0.5)
    trial = checks(server, listening=listening, prompt=sending.prompt, seconds_scale=0.03)
    assert name in failed(await trial.run())
    assert not server.reserved
    if sending.pushing is not None:
        sending.pushing.cancel()
