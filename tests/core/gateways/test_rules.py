"""By which names a SIM is looked for, and in which order."""

from __future__ import annotations

import pytest

from simyard.core.gateways import rules
from simyard.core.gateways.model import KEY_LENGTH_MAX, Sim

FULL = Sim("+46701740605", "8946000000000000001F", "240010000000001", "box", "12.01")


def test_the_surest_name_comes_first() -> None:
    card = ["iccid:8946000000000000001", "imsi:240010000000001"]
    assert rules.keys(FULL, one_device=False) == [*card, "box/12.01", "to:+46701740605"]
    assert rules.keys(FULL, one_device=True) == [*card, "box/12.01", "12.01", "to:+46701740605"]
    assert rules.name_of(FULL) == card[0]
    assert rules.cards(FULL) == card
    assert rules.places(FULL) == ["box/12.01"]


@pytest.mark.parametrize(
    ("sim", "names"),
    [
        (Sim(), []),
        (Sim(device="d"), ["d"]),
        (Sim(place="line01"), ["line01"]),
        (Sim(device="d", place="1"), ["d/1"]),
        (Sim(iccid="not a card", imsi="12", place="1"), ["1"]),
        (Sim(iccid='"8946000000000000001ff"'), ["iccid:8946000000000000001"]),
        (Sim(place="  a\x00b\n\ud800 "), ["ab"]),
        (Sim(place="x" * 500), ["x" * KEY_LENGTH_MAX]),
    ],
)
def test_names_are_what_can_be_stored(sim: Sim, names: list[str]) -> None:
    found = rules.keys(sim, one_device=False)
    assert found == names
    assert all(name.encode() and len(name) <= KEY_LENGTH_MAX for name in found)


def test_a_reported_port_may_be_the_place_the_device_or_the_card() -> None:
    assert rules.ports(FULL, one_device=True, alone=True) == ["8946000000000000001", "box/12.01", "12.01"]
    assert rules.ports(FULL, one_device=True, alone=False) == ["8946000000000000001", "box/12.01"]
    assert rules.ports(FULL, one_device=False, alone=True) == ["8946000000000000001", "box/12.01"]


def test_a_recipient_is_read_as_a_number() -> None:
    assert rules.recipient(Sim("46701740605"), None) == "+46701740605"
    assert rules.recipient(Sim("0701740605"), "SE") == "+46701740605"
    assert rules.recipient(Sim("0701740605"), None) is None
    assert rules.recipient(Sim("phone 3"), None) is None
    assert rules.recipient(Sim(" "), None) is None


def test_tokens_are_long_and_fit_into_an_address() -> None:
    tokens = {rules.new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) > 30 and token.replace("-", "").replace("_", "").isalnum() for token in tokens)
