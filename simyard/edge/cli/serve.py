"""Serving: the web processes and the worker."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import click

from simyard.edge import logs, sandbox
from simyard.edge import serve as serving
from simyard.edge.cli.shell import Wiring, database_server
from simyard.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64), help="Web processes.")
@click.option("--sandbox", "with_sandbox", is_flag=True, help="Set up fictitious numbers and a demo account.")
@click.pass_obj
def serve(wiring: Wiring, host: str, port: int, processes: int, with_sandbox: bool) -> None:
    """Serve until stopped, on the configured database or the embedded one.

    With one process it also does what is due; with more there is a worker process beside them.
    """
    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    try:
        listener = serving.bind(host, port)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from error
    with database_server(settings) as url:
        asyncio.run(wiring.prepare(url))
        if with_sandbox:
            for line in asyncio.run(sandbox.set_up(url, settings)):
                click.echo(line)

        def ready() -> None:
            click.echo(f"Simyard is ready on {serving.address(listener)}")
            sys.stdout.flush()

        if processes == 1:
            proxies = ",".join(map(str, settings.trusted_proxies))
            app = wiring.build(settings, url, with_workers=True)
            serving.serve(app, listener, proxies=proxies, on_ready=ready)
        else:
            serving.Supervisor(listener, url, processes).run(ready)


@click.command("serve-child", hidden=True)
@click.option("--socket", "descriptor", type=int)
@click.pass_obj
def serve_child(wiring: Wiring, descriptor: int | None) -> None:
    """A web process on an inherited socket, or, without one, the worker."""
    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    proxies = ",".join(map(str, settings.trusted_proxies))
    url = settings.database_url or ""
    if descriptor is None:
        app = wiring.build(settings, url, with_workers=True)
        # Nobody calls the worker, but it starts, stops and fails like the others.
        serving.serve(app, serving.bind("127.0.0.1", 0), proxies=proxies, on_ready=lambda: None)
    else:
        app = wiring.build(settings, url, with_workers=False)
        listener = serving.inherited(descriptor)
        serving.serve(app, listener, proxies=proxies, on_ready=lambda: None)


COMMANDS: Final = (serve, serve_child)
