"""Web addresses given by others: how a URL is read, and which network addresses may be called because of it."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import quote, urlsplit

import idna

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

URL_LENGTH_MAX: Final = 2000
_HOST_LENGTH_MAX = 253
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# What a URL never holds as it is; readers of URLs disagree about what such a character means.
_UNFIT = re.compile(r"[\x00-\x20\x7f-\x9f\\]|\s")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")

# Beyond what the registries of special addresses say: relays into other networks, and servers of cloud providers
# that tell a machine its secrets from an address that looks public.
_INTERNAL_TOO: Final[tuple[Network, ...]] = (
    ipaddress.ip_network("0.0.0.0/8"),
    ipaddress.ip_network("100.64.0.0/10"),
    ipaddress.ip_network("168.63.129.16/32"),
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("192.88.99.0/24"),
    ipaddress.ip_network("198.18.0.0/15"),
    ipaddress.ip_network("2001::/23"),
    ipaddress.ip_network("3fff::/20"),
)
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR: Final = ipaddress.IPv6Network("2002::/16")


@dataclass(frozen=True, slots=True)
class WebAddress:
    """Where a URL points: the host in ASCII, without brackets; the target is the path with the query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The host as a `Host` header names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_url(url: str) -> WebAddress:
    """Reads an absolute URL of http or https. ValueError says what is wrong with it, without repeating it."""
    if len(url) > URL_LENGTH_MAX:
        raise ValueError("longer than 2000 characters")
    if _UNFIT.search(url):
        raise ValueError("a character no URL may hold")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ValueError("no URL") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("neither http nor https")
    if "@" in parts.netloc:
        raise ValueError("a user name or password in it")
    if not host or port == 0:
        raise ValueError("no host or no port")
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~")
    if parts.query:
        target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=-._~?")
    return WebAddress(parts.scheme, _ascii_host(host), port or _DEFAULT_PORTS[parts.scheme], target)


def _ascii_host(host: str) -> str:
    if ":" in host:
        if "%" in host:
            raise ValueError("a zone in the address")
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise ValueError("no address") from None
    try:
        name = host if host.isascii() else idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        raise ValueError("no host name") from None
    labels = name.removesuffix(".").split(".")
    if len(name) > _HOST_LENGTH_MAX or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("no host name")
    return name


def literal(host: str) -> Address | None:
    """The address a host name spells out, in any form a resolver would take (`127.1`, `0x7f000001`, `2130706433`)."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def may_be_called(address: Address, allowed: Iterable[Network] = ()) -> bool:
    """Whether the address is a public one, or within a network the operator allowed."""
    real = _embedded(address) or address
    if any(
        one.version == network.version and one in network for one in (address, real) for network in allowed
    ):
        return True
    return _is_public(real)


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that is reached through an IPv6 one."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[12:])
    if address in _SIX_TO_FOUR:
        return ipaddress.IPv4Address(address.packed[2:6])
    return None


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _INTERNAL_TOO if network.version == address.version)
