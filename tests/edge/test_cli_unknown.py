"""What the command line says of things that do not exist: never nothing, never that it is done."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

import click
import pytest
from click.testing import CliRunner, Result

from simyard import app
from simyard.edge import cli
from tests.edge.test_cli_help import COMMANDS

NUMBER = "+447700900000"
POOL = "3001"

NO_ACCOUNT = ("nobody@example.com", "There is no account nobody@example.com.")
NO_POOL = ("9999", "There is no pool 9999.")
NO_NUMBER = ("+447911999999", "No supplier has reported the number +447911999999.")
NO_GATEWAY = ("nowhere", "There is no gateway named nowhere.")

# By what commands call them.
UNKNOWN = {
    "email": NO_ACCOUNT,
    "supplier_email": NO_ACCOUNT,
    "referrer": NO_ACCOUNT,
    "pool": NO_POOL,
    "pool_id": NO_POOL,
    "msisdn": NO_NUMBER,
    "gateway_name": NO_GATEWAY,
}

# What is made by this name is not known yet.
NEW = {
    ("simyard account add", "email"): "new@example.com",
    ("simyard gateway add", "gateway_name"): "new",
}

# Messages are looked for by whatever number they came on.
SEARCHED = {("simyard messages late", "msisdn")}


class Terminal:
    """Runs commands in this process: there are many of them."""

    def __init__(self, database_url: str) -> None:
        self._runner = CliRunner(env={"SIMYARD_DATABASE_URL": database_url})
        self._wiring = cli.Wiring(
            prepare=app.prepare,
            build=app.build,
            funding=app.funding_of,
            check_profile=app.check_profile,
            try_partner=app.try_partner,
        )

    def run(self, *arguments: str) -> Result:
        return self._runner.invoke(cli.cli, list(arguments), obj=self._wiring)

    def done(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.output

    def refused(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.exit_code == 1, result.output
        return result.output.removeprefix("Error: ").strip()


@pytest.fixture
def terminal(database_url: str) -> Terminal:
    """There are the account `a@example.com`, its pool with a gateway `box`, and a sandbox with numbers."""
    terminal = Terminal(database_url)
    terminal.done("account", "add", "a@example.com", "--role", "supplier")
    assert POOL in terminal.done("pool", "add", "bank", "--kind", "direct", "--supplier", "a@example.com")
    terminal.done("pool", "add", "play", "--kind", "sandbox", "--country", "GB")
    terminal.done("gateway", "add", "box", "--kind", "ejoin", "--pool", POOL)
    return terminal


def _name(path: str, parameter: click.Parameter) -> str:
    name = parameter.name or ""
    return "gateway_name" if path.startswith("simyard gateway ") and name == "name" else name


def _sample(path: str, parameter: click.Parameter) -> str:
    """Something the parameter takes, and that exists where it names a thing."""
    name = _name(path, parameter)
    known = {"email": "a@example.com", "pool_id": POOL, "msisdn": NUMBER, "gateway_name": "box"}
    if (path, name) in NEW:
        return NEW[path, name]
    if name in known:
        return known[name]
    by_type: dict[str, str] = {"service": "whatsapp", "country": "GB", "text": "x"}
    if isinstance(parameter.type, click.Choice):
        return str(parameter.type.choices[0])
    return by_type.get(parameter.type.name, "1")


def _lines() -> Iterator[tuple[Sequence[str], str]]:
    """Each command once for each thing it names: with that one unknown, and what is to be said of it."""
    for path, command in COMMANDS.items():
        for wanted in command.params:
            name = _name(path, wanted)
            if name not in UNKNOWN or (path, name) in NEW or (path, name) in SEARCHED:
                continue
            unknown, sentence = UNKNOWN[name]
            arguments = path.split()[1:]
            for parameter in command.params:
                text = unknown if parameter is wanted else _sample(path, parameter)
                if isinstance(parameter, click.Argument):
                    arguments.append(text)
                elif parameter.required or parameter is wanted:
                    arguments += [parameter.opts[0], text]
            yield arguments, sentence


def test_what_does_not_exist_is_said_by_every_command_that_names_it(terminal: Terminal) -> None:
    lines = list(_lines())
    # It would be a poor walk that came by few of them.
    assert len(lines) > 40
    said = {}
    for arguments, sentence in lines:
        result = terminal.run(*arguments)
        if (result.exit_code, result.output) != (1, f"Error: {sentence}\n"):
            said[shlex.join(arguments)] = (result.exit_code, result.output)
    assert said == {}


def test_what_has_no_such_id_is_said(terminal: Terminal) -> None:
    for arguments, sentence in (
        (("key", "disable", "a@example.com", "7"), "The account has no key 7."),
        (("payout", "paid", "7"), "There is no payout 7 that is still open."),
        (("payout", "reject", "7", "--reason", "none"), "There is no payout 7 that is still open."),
        (("refund", "7", "--reason", "none"), "There is no activation 7."),
        (("webhook", "replay", "a@example.com", "7"), "There is no delivery 7 that could be sent again."),
        (("funding", "retry", "7"), "There is no refused deposit 7."),
        (("pool", "problems", "--clear", "7"), "There is no problem 7."),
    ):
        assert terminal.refused(*arguments) == sentence


def test_what_was_not_so_before_is_not_said_to_have_ended(terminal: Terminal) -> None:
    assert terminal.done("number", "withdraw", NUMBER) == f"{NUMBER} was not public.\n"
    assert terminal.done("number", "unblock", NUMBER) == f"{NUMBER} was not blocked.\n"
    assert terminal.done("gateway", "unmap", "box", "1") == "1 at box was not known.\n"
    prohibited = terminal.done("service", "forbid", "acko", "a@example.com")
    assert prohibited == "a@example.com had no permission for Acko.\n"
    free = terminal.done("service", "forbid", "whatsapp", "a@example.com")
    assert free == "a@example.com had no permission for WhatsApp, which everybody may use.\n"


def test_a_list_with_nothing_on_it_says_so(terminal: Terminal) -> None:
    for arguments, sentence in (
        (("pool", "problems", "--pool", POOL), "No problems."),
        (("pool", "names", "--pool", POOL), "No unknown names."),
        (("quality", "--pool", POOL), "Nothing was counted in that time."),
        (("number", "checks", NUMBER), "No checks."),
    ):
        assert terminal.done(*arguments) == f"{sentence}\n"
        assert terminal.done(*arguments, "--json") == "[]\n"
