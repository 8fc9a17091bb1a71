"""Sending mail: to a real SMTP server, or into files; a server that fails loses nothing."""

from __future__ import annotations

import asyncio
import logging
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from simyard.core.mail import service as mail
from simyard.settings import Settings, SettingsInvalid, SmtpServer
from simyard.workers.loops import Workers
from simyard.workers.mail import FileTransport, MailSender, SmtpTransport, _start_tls, compose, transport
from tests.world import World

MAIL_FROM = "Simyard <simyard@example.com>"


class Server:
    """A real SMTP server in this process; `answers` may hold what it says to RCPT or DATA instead of yes."""

    def __init__(self) -> None:
        self.port = 0
        self.received: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.rcpt_answer: str | None = None
        self.data_answer: str | None = None

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt_answer:
            return self.rcpt_answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data_answer:
            return self.data_answer
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default_policy)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        self.recipients.extend(envelope.rcpt_tos)
        return "250 OK"


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """One that somebody signed himself, for another host."""
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=elsewhere.example", "-keyout", str(key), "-out", str(chain)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    return context


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Server]:
    handler = Server()
    listener = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler, hostname="test", **options), "127.0.0.1", 0
    )
    handler.port = listener.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        listener.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as handler:
        yield handler


def sender(world: World, port: int, **login: str) -> MailSender:
    settings = Settings(mail_from=MAIL_FROM)
    target = SmtpServer("127.0.0.1", port, tls=False, **login)
    return MailSender(world.database, world.clock, settings, SmtpTransport(target, MAIL_FROM))


async def enqueue(world: World, recipient: str = "a@example.com", body: str = "The code is 4711.") -> int:
    async with world.database.transaction() as tx:
        return await mail.enqueue(tx, recipient, "Ihr Code – jetzt", body, world.clock.now())


async def state(world: World, mail_id: int) -> object:
    return await world.value("SELECT state FROM mail WHERE id = $1", mail_id)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the sender wrote into the log; the tests' server writes there, too."""
    return [record.getMessage() for record in caplog.records if record.name == "simyard.workers.mail"]


async def test_a_mail_arrives_as_it_was_written(world: World, server: Server) -> None:
    mail_id = await enqueue(world, body="Guten Tag,\n\n.\nder Code ist 4711.\n")
    assert await sender(world, server.port).step() == 1
    (message,) = server.received
    assert server.recipients == ["a@example.com"]
    assert message["From"] == MAIL_FROM
    assert message["To"] == "a@example.com"
    assert message["Subject"] == "Ihr Code – jetzt"
    assert message["Date"].datetime == world.clock.now()
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().replace("\r\n", "\n") == "Guten Tag,\n\n.\nder Code ist 4711.\n"
    assert await state(world, mail_id) == "sent"
    assert await sender(world, server.port).step() == 0


async def test_many_mails_arrive_once_each(world: World, server: Server) -> None:
    for number in range(20):
        await enqueue(world, f"{number}@example.com")
    sending = sender(world, server.port)
    while await sending.step():
        pass
    assert sorted(server.recipients) == sorted(f"{number}@example.com" for number in range(20))


async def test_a_server_that_is_down_gets_the_mail_when_it_is_up(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as gone:
        pass
    mail_id = await enqueue(world)
    assert await sender(world, gone.port).step() == 1
    assert await state(world, mail_id) == "pending"
    assert "4711" not in caplog.text
    assert "a@example.com" not in caplog.text
    world.clock.turn(60)
    async with serving() as up:
        assert await sender(world, up.port).step() == 1
        assert len(up.received) == 1
    assert await state(world, mail_id) == "sent"


async def test_a_mail_sent_again_has_the_same_message_id(world: World) -> None:
    await enqueue(world)
    async with world.database.transaction() as tx:
        (one,) = await mail.claim(tx, now=world.clock.now(), lease_seconds=1, limit=1)
    world.clock.turn(1)
    async with world.database.transaction() as tx:
        (again,) = await mail.claim(tx, now=world.clock.now(), lease_seconds=1, limit=1)
    assert compose(one, MAIL_FROM)["Message-ID"] == compose(again, MAIL_FROM)["Message-ID"]


@pytest.mark.parametrize("answer", ["451 later", "452 full"])
async def test_what_is_refused_for_now_is_tried_again(world: World, server: Server, answer: str) -> None:
    mail_id = await enqueue(world)
    server.rcpt_answer = answer
    await sender(world, server.port).step()
    assert await state(world, mail_id) == "pending"


async def test_an_unknown_recipient_is_given_up_at_once(
    world: World, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    mail_id = await enqueue(world)
    server.rcpt_answer = "550 no such user a@example.com"
    await sender(world, server.port).step()
    assert await state(world, mail_id) == "failed"
    assert told(caplog) == [f"mail {mail_id} was not sent (recipient refused: 550), given up"]


async def test_a_refused_text_is_tried_again(world: World, server: Server) -> None:
    mail_id = await enqueue(world)
    server.data_answer = "554 no"
    await sender(world, server.port).step()
    assert await state(world, mail_id) == "pending"


async def test_an_impossible_recipient_is_given_up_and_holds_nobody_up(world: World, server: Server) -> None:
    impossible = await enqueue(world, "a@example.com\nBcc: b@example.com")
    possible = await enqueue(world)
    await sender(world, server.port).step()
    assert await state(world, impossible) == "failed"
    assert await state(world, possible) == "sent"


async def test_a_password_is_shown_to_the_server(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: LoginPassword
    ) -> AuthResult:
        # Not handled: the server still has to answer that it refuses.
        return AuthResult(success=login == LoginPassword(b"user", b"secret"), handled=False)

    async with serving(authenticator=authenticate, auth_require_tls=False) as handler:
        refused = await enqueue(world)
        await sender(world, handler.port, username="user", password="wrong").step()
        # The operator will notice and set the right one.
        assert await state(world, refused) == "pending"
        (why,) = told(caplog)
        assert why.startswith(f"mail {refused} was not sent (SMTPAuthenticationError 535), next try at ")
        world.clock.turn(60)
        await sender(world, handler.port, username="user", password="secret").step()
        assert await state(world, refused) == "sent"
    assert len(handler.received) == 1


@pytest.mark.parametrize(
    ("url", "start_tls"),
    [
        ("smtp://mail.example.com", None),
        ("smtp://user:secret@mail.example.com", True),
        ("smtp://user:secret@localhost:25", False),
        ("smtp://[::1]:25", False),
        ("smtps://user:secret@mail.example.com", False),
    ],
)
def test_a_password_crosses_no_network_in_the_clear(url: str, start_tls: bool | None) -> None:
    server = Settings.from_environment({"SIMYARD_SMTP_URL": url}).smtp_url
    assert server is not None
    assert _start_tls(server) is start_tls
    assert server.tls or start_tls is not False or server.host in ("localhost", "::1")


async def test_a_server_without_encryption_is_not_told_a_password(
    world: World, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simyard.workers.mail._is_this_machine", lambda host: False)
    mail_id = await enqueue(world)
    await sender(world, server.port, username="user", password="secret").step()
    assert server.received == []
    assert await state(world, mail_id) == "pending"


async def test_a_server_whose_certificate_is_not_its_own_gets_no_mail(
    world: World, certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simyard.workers.mail._is_this_machine", lambda host: False)
    async with serving(tls_context=certificate) as handler:
        mail_id = await enqueue(world)
        await sender(world, handler.port).step()
        assert handler.received == []
    assert await state(world, mail_id) == "pending"


async def test_a_crash_after_the_server_took_it_sends_it_twice_never_not_at_all(
    world: World, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail_id = await enqueue(world)

    async def crash(*given: object, **named: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as broken:
        broken.setattr(mail, "record_sent", crash)
        with pytest.raises(ExceptionGroup):
            await sender(world, server.port).step()
    assert await state(world, mail_id) == "pending"
    world.clock.turn(3600)
    await sender(world, server.port).step()
    assert await state(world, mail_id) == "sent"
    assert len(server.received) == 2


async def test_without_a_server_mail_is_written_where_its_owner_can_read_it(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(data_dir=tmp_path)
    via = transport(settings)
    assert isinstance(via, FileTransport)
    mail_id = await enqueue(world)
    with caplog.at_level(logging.INFO):
        await MailSender(world.database, world.clock, settings, via).step()
    path = tmp_path / "mail" / f"20260301T120000Z-{mail_id}.eml"
    message = message_from_bytes(path.read_bytes(), policy=default_policy)
    assert isinstance(message, EmailMessage)
    assert message.get_content().strip() == "The code is 4711."
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert str(path) in caplog.text
    assert "4711" not in caplog.text
    assert await state(world, mail_id) == "sent"


async def test_a_full_disk_loses_no_mail(world: World, tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("in the way")
    mail_id = await enqueue(world)
    settings = Settings(data_dir=tmp_path)
    await MailSender(world.database, world.clock, settings, transport(settings)).step()
    assert await state(world, mail_id) == "pending"


async def test_the_workers_send_mail(world: World, server: Server, database_url: str) -> None:
    settings = Settings(smtp_url=SmtpServer("127.0.0.1", server.port, tls=False))
    workers = Workers(world.database, database_url, world.clock, settings)
    await enqueue(world)
    (loop,) = (one for one in workers.loops if one.name == "mail")
    assert await loop._step() == 1
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://user@mail.example.com",
        "smtp://user:secret@mail.example.com:port",
        "smtp://user:secret@mail.example.com/path",
        "smtp://user:secret@[mail",
    ],
)
def test_a_url_that_names_no_server_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        Settings.from_environment({"SIMYARD_SMTP_URL": url})
    assert str(caught.value).startswith("SIMYARD_SMTP_URL: must ")
    assert "secret" not in str(caught.value)


def test_a_password_may_hold_any_character() -> None:
    url = "smtps://us%40er:p%3Aa%2Fss@mail.example.com"
    server = Settings.from_environment({"SIMYARD_SMTP_URL": url}).smtp_url
    assert server == SmtpServer("mail.example.com", 465, True, "us@er", "p:a/ss")
    assert "p:a/ss" not in repr(server)


@pytest.mark.parametrize("sender", ["Simyard", "a@b\nBcc: c@d", ""])
def test_a_sender_that_is_no_address_is_refused(sender: str) -> None:
    with pytest.raises(SettingsInvalid):
        Settings.from_environment({"SIMYARD_MAIL_FROM": sender})
