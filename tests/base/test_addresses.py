"""Which addresses may be called, and how URLs given by others are read."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.base.addresses import literal, may_be_called, parse_url

PUBLIC = ("8.8.8.8", "1.1.1.1", "193.99.144.80", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")
INTERNAL = (
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
)


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_may_be_called(text: str) -> None:
    assert may_be_called(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", INTERNAL)
def test_an_internal_address_may_not_be_called(text: str) -> None:
    assert not may_be_called(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "2002:a01:203::1"])
def test_an_allowed_network_may_be_called_whatever_way_its_address_is_written(text: str) -> None:
    allowed = [ipaddress.ip_network("fd12::/16"), ipaddress.ip_network("10.0.0.0/8")]
    assert may_be_called(ipaddress.ip_address(text), allowed)
    assert may_be_called(ipaddress.ip_address("fd12::1"), allowed)
    assert not may_be_called(ipaddress.ip_address("127.0.0.1"), allowed)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_the_same_within_an_ipv6_one(address: ipaddress.IPv4Address) -> None:
    allowed = may_be_called(address)
    for prefix in ("::ffff:", "64:ff9b::"):
        assert may_be_called(ipaddress.ip_address(f"{prefix}{address}")) == allowed


@given(st.ip_addresses())
def test_what_is_called_is_never_special(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if may_be_called(address):
        assert not (address.is_loopback or address.is_link_local or address.is_multicast)
        assert not address.is_unspecified


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "１２７.0.0.1",
        "①②⑦.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0x7f.0.0.0x1",
    ],
)
def test_every_way_to_write_loopback_is_read_as_loopback(host: str) -> None:
    assert literal(parse_url(f"http://{host}/").host) == ipaddress.ip_address("127.0.0.1")


def test_a_name_is_no_literal() -> None:
    assert literal("example.com") is None
    assert literal("1.example") is None


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("http://example.com", "example.com", "/"),
        ("HTTPS://Example.COM/Hook?a=1&b=%20#part", "example.com", "/Hook?a=1&b=%20"),
        ("https://example.com:443/x", "example.com", "/x"),
        ("https://example.com:8443/x", "example.com:8443", "/x"),
        ("http://[2606:4700::1]:8080/", "[2606:4700::1]:8080", "/"),
        ("https://bücher.example/pfad/ä?q=ö", "xn--bcher-kva.example", "/pfad/%C3%A4?q=%C3%B6"),
        ("https://example.com./", "example.com.", "/"),
        ("https://my_host.example.com/", "my_host.example.com", "/"),
    ],
)
def test_a_url_is_taken_apart(url: str, authority: str, target: str) -> None:
    address = parse_url(url)
    assert (address.authority, address.target) == (authority, target)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hook",
        "//example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "http://",
        "http:///path",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://@example.com/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:x/",
        "http://exa mple.com/",
        "http://example.com/a b",
        "http://example.com/\r\nX-Header: 1",
        "http://example.com\\@127.0.0.1/",
        "http://example.com/\x00",
        "http://[::1/",
        "http://[1:2:3]/",
        "http://[fe80::1%25eth0]/",
        "http://a..example.com/",
        "http://exa$mple.com/",
        "http://" + "a" * 64 + ".example/",
        "https://example.com/" + "a" * 2000,
    ],
)
def test_what_is_no_url_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_url(url)


@given(st.text(max_size=60))
def test_reading_a_url_ends_in_an_address_or_a_value_error(text: str) -> None:
    for url in (text, f"http://{text}/", f"https://example.com/{text}"):
        try:
            address = parse_url(url)
        except ValueError:
            continue
        assert address.host.isascii()
        assert address.target.isascii()
        assert address.target.startswith("/")
        assert not any(character.isspace() for character in address.target + address.authority)
