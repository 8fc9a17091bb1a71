"""`simyard webhook`: what operators can do about webhooks from a shell."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
from typing import Any

import asyncpg
import pytest

from simyard.core.webhooks import service as webhooks
from simyard.core.webhooks.model import Event, SetEndpoint
from tests.edge.test_cli import Shell
from tests.world import World, code_text, world

__all__ = ["world"]

BUYER = "buyer@example.com"
URL = "https://example.com/hook"


@pytest.fixture
def shell(empty_database_url: str) -> Shell:
    shell = Shell(empty_database_url)
    shell.json("account", "add", BUYER)
    return shell


def value(database_url: str, statement: str) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(database_url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def test_a_webhook_is_set_shown_and_switched_off(shell: Shell, empty_database_url: str) -> None:
    assert "no webhooks" in shell.run("webhook", "show", BUYER).stdout
    done = shell.run("webhook", "set", BUYER, URL)
    assert done.returncode == 0, done.stderr
    (shown,) = shell.json("webhook", "show", BUYER)
    secret = shown.pop("secret")
    assert secret in done.stdout
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert shown == {"format": "onlinesim", "url": URL, "state": "on", "failing_since": None}
    assert shell.run("webhook", "off", BUYER).returncode == 0
    assert shell.json("webhook", "show", BUYER)[0]["state"] == "off (by its owner)"
    assert value(empty_database_url, "SELECT count(*) FROM audit WHERE action LIKE 'webhook.%'") == 2


def test_a_webhook_nothing_may_be_sent_to_is_refused_unless_its_network_is_allowed(shell: Shell) -> None:
    refused = shell.run("webhook", "set", BUYER, "http://127.0.0.1:9000/")
    assert refused.returncode == 1
    assert refused.stderr.strip() == "Error: The url is not valid: an address that is not public."
    allowed = shell.run(
        "webhook", "set", BUYER, "http://127.0.0.1:9000/", SIMYARD_WEBHOOK_NETWORKS_ALLOWED="127.0.0.0/8"
    )
    assert allowed.returncode == 0
    assert "whsec_" in allowed.stdout


def test_the_log_is_empty_at_first_and_what_is_unknown_cannot_be_sent_again(shell: Shell) -> None:
    shell.run("webhook", "set", BUYER, URL)
    assert shell.json("webhook", "log", BUYER) == {"total": 0, "deliveries": []}
    unknown = shell.run("webhook", "replay", BUYER, "7")
    assert unknown.returncode == 1
    assert unknown.stderr.strip() == "Error: There is no delivery 7 that could be sent again."
    assert shell.run("webhook", "replay", BUYER, "--failed").stdout.strip() == "0 to be sent again."
    assert shell.run("webhook", "replay", BUYER).returncode == 2
    assert "There is no account" in shell.run("webhook", "log", "nobody@example.com").stderr


async def test_what_failed_shows_in_the_log_without_its_text_and_is_sent_again(
    world: World, database_url: str
) -> None:
    shell = Shell(database_url)
    supplier, _, _ = await world.stocked(1)
    buyer = await world.add_buyer(email=BUYER)
    now = world.clock.now()
    async with world.database.transaction() as tx:
        await webhooks.set_endpoint(tx, SetEndpoint(buyer, "onlinesim", Event.MESSAGE, URL, (), now))
    order = await world.order(buyer)
    await world.receive(supplier, order.msisdn, code_text("whatsapp", "123456"))
    async with world.database.transaction() as tx:
        (announcement,) = await webhooks.claim(
            tx, now=now, lease_seconds=30, per_endpoint_max=1, limit=1, failing_limit=1, in_flight={}
        )
        for _ in range(11):
            await webhooks.record_failure(
                tx, announcement, status=500, problem="answered 500", retry_after=None, now=now
            )
            announcement = dataclasses.replace(announcement, attempts=announcement.attempts + 1)
    log = await asyncio.to_thread(shell.run, "webhook", "log", BUYER)
    assert f"{announcement.delivery_id}  2026-03-01 12:00:00  failed  11 attempts  answered 500" in log.stdout
    assert "123456" not in log.stdout
    found = await asyncio.to_thread(shell.json, "webhook", "log", BUYER)
    assert (found["total"], found["deliveries"][0]["state"]) == (1, "failed")
    again = await asyncio.to_thread(shell.run, "webhook", "replay", BUYER, str(announcement.delivery_id))
    assert again.stdout.strip() == "1 to be sent again."
    assert await world.value("SELECT state FROM webhook_delivery") == "pending"
