"""What `--help` says: of every command, every option, and in each group of all there is."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from simyard.edge.cli import cli


def _all(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            if not one.hidden:
                yield from _all(one, f"{path} {name}")


COMMANDS = dict(_all(cli, "simyard"))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_is_explained(path: str) -> None:
    command = COMMANDS[path]
    assert command.help
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    assert [one.opts for one in options if not one.help] == []


@pytest.mark.parametrize("path", [path for path, one in COMMANDS.items() if isinstance(one, click.Group)][1:])
def test_a_group_names_all_its_commands(path: str) -> None:
    """The first line is what the list of groups shows."""
    group = COMMANDS[path]
    assert isinstance(group, click.Group)
    _, _, named = (group.help or "").partition(": ")
    assert set(named.rstrip(".").split(", ")) == set(group.commands)
