"""What `simyard demo` makes up must hold on every run."""

from __future__ import annotations

import phonenumbers

from simyard.edge import demo


def test_its_numbers_are_american_whatever_is_drawn() -> None:
    drawn = [number for _ in range(500) for number in demo.two_numbers()]
    regions = {phonenumbers.region_code_for_number(phonenumbers.parse(number)) for number in drawn}
    assert regions == {"US"}
    assert all(len(set(demo.two_numbers())) == 2 for _ in range(20))
