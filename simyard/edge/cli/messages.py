"""Messages, as far as operators may see them."""

from __future__ import annotations

import io
import sys
from datetime import datetime
from typing import Final

import click

from simyard.base.ids import ActivationId
from simyard.core.messages import lines
from simyard.core.messages import service as messages
from simyard.core.messages.model import LateMessage
from simyard.db.database import Tx
from simyard.edge.cli.parameters import json_option, read_number
from simyard.edge.cli.shell import actor, print_json, run


@click.group("messages")
def messages_group() -> None:
    """Messages: late, extract."""


@messages_group.command("late")
@click.option("--lease", "lease_id", type=int, help="Only those of this activation or rental.")
@click.option("--number", "msisdn", help="Only those of this number.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Messages at most."
)
@json_option
def messages_late(lease_id: int | None, msisdn: str | None, limit: int, as_json: bool) -> None:
    """Show SMS that came moments after their lease had closed, newest first.

    Their buyers never see them. That you did is in the audit log.
    """
    number = None if msisdn is None else read_number(msisdn)
    lease = None if lease_id is None else ActivationId(lease_id)

    async def work(tx: Tx, now: datetime) -> list[LateMessage]:
        return await messages.show_late(
            tx, lease_id=lease, msisdn=number, limit=limit, actor=actor(), now=now
        )

    found = run(work)
    if as_json:
        print_json(
            [
                {
                    "id": one.id,
                    "lease": one.lease_id,
                    "number": one.msisdn,
                    "sender": one.sender,
                    "text": one.text,
                    "sent_at": one.sent_at,
                    "received_at": one.received_at,
                }
                for one in found
            ]
        )
        return
    for one in found:
        parts = (f"{one.received_at:%Y-%m-%d %H:%M:%S}", str(one.lease_id), one.msisdn, one.sender, one.text)
        # A line for each, whatever a text holds.
        click.echo("\t".join(" ".join(part.split()) for part in parts))
    if not found:
        click.echo("No late messages.")


@messages_group.command("extract")
def messages_extract() -> None:
    """Read codes out of SMS texts.

    JSON lines {"sender", "text", "service"} on standard input; {"code", "confidence", "span"} on standard output.
    """
    for line in lines.extract_lines(io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace")):
        click.echo(line)


COMMANDS: Final = (messages_group,)
