"""Sends mail: to an SMTP server, or into files where none is set."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import Protocol

import aiosmtplib

from simyard.base.clock import Clock
from simyard.core.mail import service as mail
from simyard.core.mail.model import Mail
from simyard.db.database import Database
from simyard.settings import Settings, SmtpServer

log = logging.getLogger(__name__)

_AT_ONCE = 8
_LEASE_SECONDS = 120
_SEND_SECONDS_MAX = 30.0


class MailRefused(Exception):
    """Nobody will ever take this mail: there is no use in another attempt."""


class Transport(Protocol):
    async def send(self, message: EmailMessage, name: str) -> None:
        """Hand a message over. Raises MailRefused, or anything else when another attempt may help."""


class SmtpTransport:
    """An SMTP server, a connection for each mail.

    Passwords and mails only cross a network encrypted where the server can do it: a server that wants a password
    must, one on this machine need not.
    """

    def __init__(self, server: SmtpServer, mail_from: str) -> None:
        self._server = server
        self._name = parseaddr(mail_from)[1].rpartition("@")[2]

    async def send(self, message: EmailMessage, name: str) -> None:
        server = self._server
        try:
            async with asyncio.timeout(_SEND_SECONDS_MAX):
                await aiosmtplib.send(
                    message,
                    hostname=server.host,
                    port=server.port,
                    username=server.username,
                    password=server.password,
                    local_hostname=self._name,
                    timeout=_SEND_SECONDS_MAX,
                    use_tls=server.tls,
                    start_tls=_start_tls(server),
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            if all(one.code >= 500 for one in error.recipients):
                raise MailRefused(f"recipient refused: {error.recipients[0].code}") from error
            raise


def _start_tls(server: SmtpServer) -> bool | None:
    """Whether to ask for encryption on a plain connection; None where the server offers it."""
    if server.tls or _is_this_machine(server.host):
        return False
    return True if server.username is not None else None


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class FileTransport:
    """A folder only its owner can read, for those who have no SMTP server yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: EmailMessage, name: str) -> None:
        path = self._folder / f"{name}.eml"
        await asyncio.to_thread(self._write, path, message.as_bytes())
        log.warning("no SIMYARD_SMTP_URL is set: a mail was written to %s", path)

    def _write(self, path: Path, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        unfinished.replace(path)


def transport(settings: Settings) -> Transport:
    """Where the settings send mail."""
    if settings.smtp_url is None:
        return FileTransport(settings.data_dir / "mail")
    return SmtpTransport(settings.smtp_url, settings.mail_from)


class MailSender:
    """Claims mails that are due, sends a few at once with no transaction open, and records what came of each."""

    def __init__(self, database: Database, clock: Clock, settings: Settings, via: Transport) -> None:
        self._database = database
        self._clock = clock
        self._mail_from = settings.mail_from
        self._via = via

    async def step(self) -> int:
        """One round; returns how many mails were due."""
        async with self._database.transaction() as tx:
            due = await mail.claim(tx, now=self._clock.now(), lease_seconds=_LEASE_SECONDS, limit=_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for one in due:
                group.create_task(self._handle(one))
        return len(due)

    async def _handle(self, one: Mail) -> None:
        problem = await self._send(one)
        async with self._database.transaction() as tx:
            if problem is None:
                await mail.record_sent(tx, one, now=self._clock.now())
                return
            again = await mail.record_failure(
                tx, one, for_good=isinstance(problem, MailRefused), now=self._clock.now()
            )
        # Of a server's answer only its code is logged: the rest may quote the mail.
        log.warning(
            "mail %d was not sent (%s), %s",
            one.id,
            _named(problem),
            f"next try at {again:%Y-%m-%d %H:%M}" if again else "given up",
        )

    async def _send(self, one: Mail) -> Exception | None:
        try:
            message = compose(one, self._mail_from)
            await self._via.send(message, f"{one.created_at:%Y%m%dT%H%M%SZ}-{one.id}")
        except (MailRefused, aiosmtplib.SMTPException, OSError) as problem:
            return problem
        except Exception as problem:
            # One mail that trips over a bug, ours or a library's, must not hold up the others for ever.
            log.exception("mail %d could not be sent", one.id)
            return problem
        return None


def _named(problem: Exception) -> str:
    code = getattr(problem, "code", None)
    name = type(problem).__name__
    if isinstance(problem, MailRefused):
        return str(problem)
    return f"{name} {code}" if isinstance(code, int) else name


def compose(one: Mail, mail_from: str) -> EmailMessage:
    """The message as it travels. One that is sent again has the same Message-ID. Raises MailRefused."""
    message = EmailMessage()
    try:
        message["From"] = mail_from
        message["To"] = one.recipient
        message["Subject"] = one.subject
        message["Date"] = one.created_at
        domain = parseaddr(mail_from)[1].rpartition("@")[2]
        message["Message-ID"] = f"<simyard.{one.created_at:%Y%m%d%H%M%S%f}.{one.id}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(one.body)
    except (ValueError, MessageError) as error:
        raise MailRefused(f"cannot be written as a mail: {type(error).__name__}") from error
    return message
