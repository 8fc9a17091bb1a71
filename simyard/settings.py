"""Settings: every choice an operator has, read once from the environment."""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from email.utils import formataddr, parseaddr
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

import platformdirs

log = logging.getLogger(__name__)

PREFIX: Final = "SIMYARD_"

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Value = TypeVar("Value")


class SettingsInvalid(Exception):
    """Environment variables that cannot be used; the message has a line for each."""


@dataclass(frozen=True)
class SmtpServer:
    """Where mail is handed over. `tls`: encrypted from the first byte on; else by STARTTLS."""

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)


@dataclass(frozen=True)
class LoyaltyTier:
    """A name, the cashback in percent, and the spending in USD it starts at."""

    name: str
    percent: int
    spent_from: int

    def __str__(self) -> str:
        return f"{self.name}:{self.percent}:{self.spent_from}"


def _text(text: str) -> str:
    return text


def _optional_text(text: str) -> str | None:
    return text or None


def _path(text: str) -> Path:
    if not text:
        raise ValueError("must not be empty")
    return Path(text).expanduser()


def _integer(least: int, most: int | None = None) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]+", text):
            raise ValueError("must be a whole number")
        return int(_within(int(text), least, most))

    return read


def _number(least: float, most: float | None = None) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise ValueError("must be a number") from None
        if not value.is_finite():
            raise ValueError("must be a number")
        return _within(float(value), least, most)

    return read


def _within(value: float, least: float, most: float | None) -> float:
    if most is not None and not least <= value <= most:
        raise ValueError(f"must be from {least} to {most}")
    if value < least:
        raise ValueError(f"must be at least {least}")
    return value


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text.lower()

    return read


def _yes_or_no(text: str) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in words:
        raise ValueError("must be true or false")
    return words[text.lower()]


def _optional_currency(text: str) -> str | None:
    return _currency(text) if text else None


def _token_page(text: str) -> str:
    if text and (not re.match(r"https?://", text) or "{token}" not in text):
        raise ValueError("must be an address such as https://shop.example.com/verify?token={token}")
    return text


def _https(text: str) -> str:
    if not re.fullmatch(r"https?://\S+", text):
        raise ValueError("must be an address such as https://accounts.example.com")
    return text


def _currency(text: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", text):
        raise ValueError("must be a currency code of three capital letters, such as USD")
    return text


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(word) for word in text.replace(",", " ").split())
    except ValueError as error:
        raise ValueError(
            f"must be addresses or networks such as 10.0.0.0/8, separated by commas: {error}"
        ) from None


def _loyalty_tiers(text: str) -> tuple[LoyaltyTier, ...]:
    tiers = []
    for word in text.split(","):
        match = re.fullmatch(r"\s*([A-Za-z]+):([0-9]{1,2}|100):([0-9]+)\s*", word)
        if match is None:
            raise ValueError("must be tiers such as Bronze:0:0,Silver:10:20 (name:percent:USD spent)")
        tiers.append(LoyaltyTier(match[1], int(match[2]), int(match[3])))
    if tiers[0].spent_from != 0 or [tier.spent_from for tier in tiers] != sorted(
        {tier.spent_from for tier in tiers}
    ):
        raise ValueError("must start with a tier from 0 USD and then rise")
    return tuple(tiers)


def _server_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_server = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_server = False
    if not is_server or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("must be a server's address such as https://api.example.com")
    return text.rstrip("/")


_SMTP_PORTS = {"smtp": 587, "smtps": 465}


def _smtp_server(text: str) -> SmtpServer | None:
    if not text:
        return None
    form = "must be such as smtp://user:password@mail.example.com:587 or smtps://mail.example.com"
    try:
        parts = urlsplit(text)
        port = parts.port or _SMTP_PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise ValueError(form) from None
    if not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(form)
    if (parts.username is None) != (parts.password is None):
        raise ValueError("must name both a user and a password, or neither")
    return SmtpServer(
        parts.hostname,
        port,
        parts.scheme == "smtps",
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
    )


def _mailbox(text: str) -> str:
    name, address = parseaddr(text)
    if not re.fullmatch(r"[^@\s]+@[!-~]+", address) or re.search(r"[\r\n]", text):
        raise ValueError("must be an address such as Simyard <simyard@example.com>")
    return formataddr((name, address))


def _setting(description: str, read: Callable[[str], Value], default: str, *, secret: bool = False) -> Value:
    """A field whose default is written as an operator would write it. A secret is not shown where it is refused."""
    metadata = {"description": description, "read": read, "default": default, "secret": secret}
    return dataclasses.field(default_factory=lambda: read(default), metadata=metadata, repr=not secret)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting. A field is read from `SIMYARD_` and its name in capitals."""

    # where things are
    data_dir: Path = _setting(
        "Folder of the embedded database and of secrets.", _path, platformdirs.user_data_dir("simyard")
    )
    database_url: str | None = _setting(
        "PostgreSQL 15 or newer to use: `postgresql://user:password@host/database?sslmode=verify-full`. "
        "Empty: the embedded one.",
        _optional_text,
        "",
    )
    database_connections_max: int = _setting(
        "Connections to the database, at most, of each process.", _integer(2, 1000), "16"
    )
    log_level: str = _setting(
        "Least important messages to log: debug, info, warning or error.",
        _one_of("debug", "info", "warning", "error"),
        "info",
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        "Addresses or networks of proxies whose `X-Forwarded-For` is believed, separated by commas. Empty: none.",
        _networks,
        "",
    )

    # leases
    activation_seconds: int = _setting(
        "How long an activation waits for its code.", _integer(1, 86_400), "1200"
    )
    virtual_cancel_after_seconds: int = _setting(
        "How long DaisySIM virtual refuses to cancel after an order.", _integer(0, 86_400), "60"
    )
    server7_cancel_after_seconds: int = _setting(
        "How long DaisySim server7 refuses to cancel after an order.", _integer(0, 86_400), "180"
    )
    server7_waiting_cache_seconds: int = _setting(
        "How long server7 may answer a check that found no code from memory. This server always looks, so it has no effect.",
        _integer(0, 60),
        "15",
    )
    onlinesim_guard_seconds: int = _setting(
        "How long Onlinesim refuses to close an order after it was made.", _integer(0, 86_400), "120"
    )
    rental_confirm_seconds: int = _setting(
        "How long a rental waits for its first SMS before it ends and is paid back.",
        _integer(1, 86_400),
        "1200",
    )
    late_message_seconds: int = _setting(
        "How long after a lease closed an SMS for it is still kept for operators (`simyard messages late`); nobody else sees "
        "it, and no money moves. 0: it is not.",
        _integer(0, 3600),
        "60",
    )
    number_online_seconds: int = _setting(
        "How recent a supplier's last report of a number must be for it to be sold.",
        _integer(1, 604_800),
        "600",
    )
    over_reporting_percent: int = _setting(
        "A partner that gives no number for more than this part of the orders it is asked for in ten minutes, while it says "
        "that it has some, is not sold for half an hour, for that service in that country. 100: never.",
        _integer(0, 100),
        "50",
    )
    sandbox_sms_seconds: float = _setting(
        "How long after an order the sandbox makes its SMS.", _number(0, 86_400), "5"
    )

    # money
    base_currency: str = _setting("Currency of prices.", _currency, "USD")
    supplier_share_percent: int = _setting(
        "A supplier's share of a captured price, where its pool names none.", _integer(0, 100), "70"
    )
    earning_hold_hours: int = _setting(
        "Hours a supplier's earning is pending, so that a sale can be taken back, before it can be spent or paid out. 0: "
        "it can at once.",
        _integer(0, 8760),
        "0",
    )
    referral_share_percent: int = _setting(
        "A referrer's share of what an account spends, out of the platform's margin; fixed when the account is added.",
        _integer(0, 100),
        "5",
    )
    loyalty_tiers: tuple[LoyaltyTier, ...] = _setting(
        "Cashback tiers as name:percent:USD spent, separated by commas.",
        _loyalty_tiers,
        "Bronze:0:0,Silver:10:20,Gold:15:100,Platinum:20:500",
    )

    # deposits
    funding_provider: str = _setting(
        "Who takes deposits: `sandbox` makes accounts for money that does not exist, `paystack` makes bank accounts in "
        "Nigeria.",
        _one_of("sandbox", "paystack"),
        "sandbox",
    )
    paystack_secret_key: str = _setting(
        "Secret key of the Paystack integration. Calls are made and notifications are verified with it.",
        _text,
        "",
        secret=True,
    )
    paystack_url: str = _setting("Where Paystack's API is.", _server_url, "https://api.paystack.co")

    # logins
    access_token_seconds: int = _setting(
        "How long an access token is good for.", _integer(60, 604_800), "86400"
    )
    refresh_token_days: int = _setting(
        "How long a refresh token is good for, when it is not used.", _integer(1, 365), "30"
    )
    login_failures_max: int = _setting(
        "Wrong passwords in a row after which nobody can log in with an email for a time.",
        _integer(1, 1000),
        "10",
    )
    login_address_failures_max: int = _setting(
        "Wrong passwords from one address after which nobody can log in from there for a time.",
        _integer(1, 1_000_000),
        "100",
    )
    login_lock_seconds: int = _setting(
        "How long that time is; an operator opens an account sooner with `simyard account activate`.",
        _integer(1, 86_400),
        "900",
    )
    login_attempts_per_minute: int = _setting(
        "Requests about logins one address may send in a minute; scaled as budgets are.",
        _integer(1, 1_000_000),
        "100",
    )
    registration_open: bool = _setting(
        "Whether anybody may open a buyer's account, by registering or by a credential of the trusted issuer.",
        _yes_or_no,
        "true",
    )
    registration_currency: str | None = _setting(
        "Currency of the wallets of those who register. Empty: the base currency.", _optional_currency, ""
    )
    verify_email_url: str = _setting(
        "Page that takes the token which verifies an email, `{token}` in its place. Empty: the mail has the token alone.",
        _token_page,
        "",
    )
    reset_password_url: str = _setting(
        "Page that takes the token which resets a password, `{token}` in its place. Empty: the mail has the token alone.",
        _token_page,
        "",
    )
    oidc_issuer: str = _setting(
        "Who vouches for those who log in with a credential (OpenID Connect), as its tokens name it.",
        _https,
        "https://accounts.google.com",
    )
    oidc_client_id: str = _setting(
        "Whom such credentials must be meant for: the client id the issuer gave you. Empty: none are taken.",
        _text,
        "",
    )
    oidc_keys_url: str = _setting(
        "Where the issuer publishes its keys.", _https, "https://www.googleapis.com/oauth2/v3/certs"
    )

    # how long things are kept
    message_text_days: int = _setting(
        "Days after which the text of a message is erased.", _integer(1, 3650), "30"
    )
    idempotency_hours: int = _setting(
        "Hours an `Idempotency-Key` and its outcome are kept, at least.", _integer(72, 8760), "72"
    )

    # load
    rate_limit_scale: float = _setting(
        "Multiplies every request budget: 2 doubles them.", _number(0.001, 1_000_000), "1"
    )
    lane_slots: int = _setting("Batches of one lane in flight at once.", _integer(1, 64), "2")
    lane_batch_max: int = _setting("Commands in one batch of a lane, at most.", _integer(1, 10_000), "128")
    lane_queue_max: int = _setting(
        "Commands waiting in one lane, at most; more are refused as busy.", _integer(1, 1_000_000), "4096"
    )
    body_bytes_max: int = _setting(
        "Size of a request's body, at most.", _integer(1024, 1024**3), str(1024**2)
    )
    numbers_body_bytes_max: int = _setting(
        "Size of a body that reports numbers, at most.", _integer(1024, 1024**3), str(16 * 1024**2)
    )

    # remote pools
    remote_networks_allowed: tuple[Network, ...] = _setting(
        "Private networks in which partners and upstreams may lie, separated by commas. Empty: public addresses only.",
        _networks,
        "",
    )
    remote_order_seconds: float = _setting(
        "How long an order waits for the numbers of remote pools, all together; one that comes later is given back.",
        _number(0.5, 60),
        "10",
    )
    remote_stock_seconds: float = _setting(
        "How often a remote pool is asked what it has. What it said holds for two rounds.",
        _number(1, 3600),
        "120",
    )
    remote_poll_seconds: float = _setting(
        "How often a remote pool that does not push is asked for messages while it holds numbers.",
        _number(0.2, 300),
        "3",
    )

    # mail
    smtp_url: SmtpServer | None = _setting(
        "Where mail is handed over: `smtp://user:password@host:587` or `smtps://user:password@host`. `smtp` is "
        "encrypted by STARTTLS, always when there is a password, else where the server offers it, to this machine "
        "never. Empty: mail is written to files in `mail` in the data folder.",
        _smtp_server,
        "",
        secret=True,
    )
    mail_from: str = _setting("Sender of mail.", _mailbox, "Simyard <simyard@localhost>")

    # webhooks
    webhook_networks_allowed: tuple[Network, ...] = _setting(
        "Private networks webhooks may be sent to, separated by commas. Empty: public addresses only.",
        _networks,
        "",
    )

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Reads every setting. Raises SettingsInvalid naming all that cannot be used, not just the first."""
        values: dict[str, Any] = {}
        problems: list[str] = []
        for field in dataclasses.fields(cls):
            text = env.get(variable(field.name))
            if text is None:
                continue
            try:
                values[field.name] = field.metadata["read"](text.strip())
            except ValueError as error:
                shown = "" if field.metadata["secret"] else f"={text!r}"
                problems.append(f"{variable(field.name)}{shown}: {error}")
        if values.get("funding_provider") == "paystack" and not values.get("paystack_secret_key"):
            problems.append(
                f"{variable('paystack_secret_key')}: must be set to take deposits by way of paystack"
            )
        if problems:
            raise SettingsInvalid("\n".join(problems))
        _warn_of_unknown(cls, env)
        return cls(**values)


def variable(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def reference() -> str:
    """The settings as a Markdown page."""
    lines = [
        "# Settings",
        "",
        "Simyard reads its settings from environment variables, once, when it starts. A unit is part of the name.",
        "This page is generated from `simyard/settings.py` by `python -m simyard.settings`.",
        "",
        "| variable | default | what it sets |",
        "|---|---|---|",
    ]
    for field in dataclasses.fields(Settings):
        default = field.metadata["default"]
        if field.name == "data_dir":
            default = "`simyard` in the user's data folder"
        else:
            default = f"`{default}`" if default else "(empty)"
        lines.append(f"| `{variable(field.name)}` | {default} | {field.metadata['description']} |")
    return "\n".join(lines) + "\n"


def _warn_of_unknown(cls: type[Settings], env: Mapping[str, str]) -> None:
    known = [variable(field.name) for field in dataclasses.fields(cls)]
    for name in sorted(env):
        if name.startswith(PREFIX) and name not in known:
            likely = difflib.get_close_matches(name, known, n=1)
            log.warning("%s is no setting%s", name, f"; did you mean {likely[0]}?" if likely else "")


if __name__ == "__main__":
    print(reference(), end="")
