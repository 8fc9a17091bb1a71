"""Fictitious ranges: every number reads as one of its country, and the order is stable and mixed."""

from __future__ import annotations

from itertools import islice

import pytest

from simyard.base import phone
from simyard.core.pools import ranges


@pytest.mark.parametrize("country", ranges.COUNTRIES)
def test_every_number_is_once_there_and_of_its_country(country: str) -> None:
    numbers = list(ranges.numbers(country))
    assert len(numbers) == len(set(numbers)) == ranges.count(country) > 0
    for number in numbers:
        read = phone.parse(number)
        assert read is not None, number
        assert (read.e164, read.country) == (number, country)


def test_the_united_states_have_enough_for_a_busy_sandbox() -> None:
    assert ranges.count("US") >= 10_000
    assert all(number[5:9] == "5550" and number[9] == "1" for number in ranges.numbers("US"))


@pytest.mark.parametrize(
    ("country", "first"),
    [("US", "+12015550100"), ("GB", "+447700900000"), ("SE", "+46701740605"), ("FR", "+33639980000")],
)
def test_the_order_is_the_same_each_time(country: str, first: str) -> None:
    numbers = list(islice(ranges.numbers(country), 50))
    assert numbers[0] == first
    assert numbers == list(islice(ranges.numbers(country), 50))


def test_neighbours_are_far_apart() -> None:
    area_codes = {number[2:5] for number in islice(ranges.numbers("US"), 100)}
    assert len(area_codes) > 60
    last_digits = {number[-3:] for number in islice(ranges.numbers("GB"), 20)}
    assert len({digits[0] for digits in last_digits}) == 10


def test_a_country_without_such_ranges_has_no_numbers() -> None:
    assert list(ranges.numbers("ZZ")) == []
    assert ranges.count("ZZ") == 0
