"""The `simyard` command: what operators do from a shell. A module for each matter."""

from __future__ import annotations

import sys

import click
from click.shell_completion import get_completion_class

from simyard import __version__
from simyard.db import embedded
from simyard.db.database import DatabaseUnusable
from simyard.edge import demo
from simyard.edge.cli import accounts, gateways, messages, money, numbers, pools, prices, serve, webhooks
from simyard.edge.cli.shell import PartnerTrial, Wiring
from simyard.settings import SettingsInvalid

__all__ = ["PartnerTrial", "Wiring", "cli", "main"]


def main(obj: Wiring) -> None:
    """Run the command; expected failures are one line on standard error and exit code 1."""
    try:
        cli(obj=obj)
    except (SettingsInvalid, DatabaseUnusable, embedded.EmbeddedServerFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="simyard")
def cli() -> None:
    """Simyard leases phone numbers for receiving SMS."""


for _module in (accounts, gateways, messages, money, numbers, pools, prices, serve, webhooks):
    for _command in _module.COMMANDS:
        cli.add_command(_command)


@cli.command("demo")
def demo_command() -> None:
    """Tell one story over real HTTP: numbers, an order, an SMS, a code, a refund, the books."""
    try:
        demo.run()
    except demo.DemoFailed as error:
        raise click.ClickException(str(error)) from error


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a shell's completion script: `source <(simyard completion bash)`."""
    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"no completion for {shell}")
    click.echo(found(cli, {}, "simyard", "_SIMYARD_COMPLETE").source())
