"""Money: exact texts, conversions, shares and JSON numbers."""

from __future__ import annotations

import json
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal, localcontext

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simyard.base import money
from simyard.base.money import AMOUNT_MAX, MICROS, NANOS, Money, Rounding

amounts = st.integers(-AMOUNT_MAX, AMOUNT_MAX)
rates = st.integers(1, 10**15)
roundings = st.sampled_from(Rounding)
DECIMAL_MODE = {
    Rounding.HALF_EVEN: ROUND_HALF_EVEN,
    Rounding.UP: ROUND_UP,
    Rounding.DOWN: ROUND_DOWN,
}


@given(amounts, st.integers(0, 6))
def test_an_amount_survives_its_text(micros: int, decimals_min: int) -> None:
    text = money.format_amount(micros, decimals_min=decimals_min)
    assert money.parse_amount(text) == micros
    assert Decimal(text) * MICROS == micros
    assert len(text.partition(".")[2]) >= decimals_min


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("0", 0),
        ("-0", 0),
        ("14", 14_000_000),
        ("14.25", 14_250_000),
        ("0.000001", 1),
        ("-12.5", -12_500_000),
        ("007.10", 7_100_000),
        ("9007199254.740991", AMOUNT_MAX),
    ],
)
def test_a_plain_decimal_is_read_exactly(text: str, micros: int) -> None:
    assert money.parse_amount(text) == micros


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "Infinity",
        "1e3",
        "+1",
        "1.",
        ".5",
        "1,5",
        "1 000",
        "0.0000001",
        "1.0000000",
        "9007199254.740992",
        "99999999999999999999",
        "0x1",
        "--1",
        "\u0661",
        "1\n",
        "1_0",
    ],
)
def test_anything_else_is_not_an_amount(text: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        money.parse_amount(text)


def test_a_text_has_the_decimals_it_needs() -> None:
    assert money.format_amount(14_000_000) == "14"
    assert money.format_amount(14_000_000, decimals_min=2) == "14.00"
    assert money.format_amount(14_250_000, decimals_min=1) == "14.25"
    assert money.format_amount(-1) == "-0.000001"
    with pytest.raises(ValueError, match="decimals"):
        money.format_amount(1, decimals_min=7)


def test_a_rate_says_what_one_unit_buys() -> None:
    rate = money.parse_rate("1500")
    assert rate == 1500 * NANOS
    assert money.format_rate(rate) == "1500"
    assert money.convert(2_000_000, rate_nanos=rate, rounding=Rounding.UP) == 3_000_000_000
    assert money.convert_inverse(3_000_000_000, rate_nanos=rate, rounding=Rounding.UP) == 2_000_000
    assert money.convert_inverse(1, rate_nanos=rate, rounding=Rounding.UP) == 1
    assert money.convert_inverse(1, rate_nanos=rate, rounding=Rounding.DOWN) == 0


@pytest.mark.parametrize("text", ["0", "-1", "0.0000000001", "1e3", "", "NaN", "9999999999999999"])
def test_a_rate_is_positive_and_plain(text: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        money.parse_rate(text)


@pytest.mark.parametrize("rate", [0, -1, 2**63])
def test_a_conversion_refuses_what_is_not_a_rate(rate: int) -> None:
    with pytest.raises(ValueError, match="rate"):
        money.convert(1, rate_nanos=rate, rounding=Rounding.DOWN)
    with pytest.raises(ValueError, match="rate"):
        money.convert_inverse(1, rate_nanos=rate, rounding=Rounding.DOWN)


@given(st.integers(1, 10**15))
def test_a_rate_survives_its_text(rate: int) -> None:
    assert money.parse_rate(money.format_rate(rate)) == rate


@given(amounts, rates, roundings)
@example(124_999_999_999_995, 124_999_999_999_999, Rounding.UP)
def test_a_conversion_rounds_as_its_mode_says(amount: int, rate: int, rounding: Rounding) -> None:
    numerator = amount * rate
    converted = money.convert(amount, rate_nanos=rate, rounding=rounding)
    # The usual 28 digits are too few for the largest products.
    with localcontext(prec=60):
        scaled = Decimal(numerator).scaleb(-9)
        assert converted == int(scaled.to_integral_value(DECIMAL_MODE[rounding]))


@given(amounts, amounts, rates, roundings)
def test_a_conversion_keeps_the_order(one: int, other: int, rate: int, rounding: Rounding) -> None:
    low, high = sorted((one, other))
    assert money.convert(low, rate_nanos=rate, rounding=rounding) <= money.convert(
        high, rate_nanos=rate, rounding=rounding
    )
    assert money.convert_inverse(low, rate_nanos=rate, rounding=rounding) <= money.convert_inverse(
        high, rate_nanos=rate, rounding=rounding
    )


@given(st.integers(0, AMOUNT_MAX), rates)
def test_there_and_back_rounded_up_never_loses(amount: int, rate: int) -> None:
    there = money.convert(amount, rate_nanos=rate, rounding=Rounding.UP)
    assert money.convert_inverse(there, rate_nanos=rate, rounding=Rounding.UP) >= amount
    there = money.convert(amount, rate_nanos=rate, rounding=Rounding.DOWN)
    assert money.convert_inverse(there, rate_nanos=rate, rounding=Rounding.DOWN) <= amount


@given(amounts, st.integers(0, 10_000), roundings)
def test_a_share_and_the_rest_are_the_amount(amount: int, basis_points: int, rounding: Rounding) -> None:
    part, rest = money.split(amount, basis_points=basis_points, rounding=rounding)
    assert part + rest == amount
    assert part == money.share(amount, basis_points=basis_points, rounding=rounding)
    assert abs(part) <= abs(amount)
    assert abs(part * 10_000 - amount * basis_points) < 10_000


def test_a_share_is_not_negative() -> None:
    with pytest.raises(ValueError, match="share"):
        money.share(1, basis_points=-1, rounding=Rounding.DOWN)


@pytest.mark.parametrize(
    ("amount", "half_even", "up", "down"),
    [(5, 2, 3, 2), (7, 4, 4, 3), (-5, -2, -3, -2), (-7, -4, -4, -3), (4, 2, 2, 2), (1, 0, 1, 0)],
)
def test_each_rounding_of_a_half(amount: int, half_even: int, up: int, down: int) -> None:
    assert money.share(amount, basis_points=5_000, rounding=Rounding.HALF_EVEN) == half_even
    assert money.share(amount, basis_points=5_000, rounding=Rounding.UP) == up
    assert money.share(amount, basis_points=5_000, rounding=Rounding.DOWN) == down


@pytest.mark.parametrize(
    ("micros", "places", "whole_as_integer", "text"),
    [
        (14_250_000, 4, False, b"14.25"),
        (14_000_000, 4, False, b"14.0"),
        (14_000_000, 4, True, b"14"),
        (14_500_000, 4, True, b"14.5"),
        (123_450, 4, False, b"0.1234"),
        (123_550, 4, False, b"0.1236"),
        (123_451, 4, False, b"0.1235"),
        (13_999_999, 4, True, b"14"),
        (-40, 4, False, b"0.0"),
        (-40, 4, True, b"0"),
        (-1_500_000, 2, False, b"-1.5"),
        (2_500_000, 0, True, b"2"),
        (1, 6, False, b"0.000001"),
    ],
)
def test_a_json_number_has_no_more_decimals_than_it_needs(
    micros: int, places: int, whole_as_integer: bool, text: bytes
) -> None:
    assert bytes(money.json_number(micros, places=places, whole_as_integer=whole_as_integer)) == text


@given(amounts, st.integers(0, 6), st.booleans())
def test_a_json_number_is_json_and_near(micros: int, places: int, whole_as_integer: bool) -> None:
    text = bytes(money.json_number(micros, places=places, whole_as_integer=whole_as_integer)).decode()
    read = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    assert abs(read * MICROS - micros) * 2 <= 10 ** (6 - places)
    assert len(text.partition(".")[2]) <= max(places, 1)


def test_a_json_number_refuses_odd_places() -> None:
    with pytest.raises(ValueError, match="decimals"):
        money.json_number(1, places=7)


def test_currencies_do_not_mix() -> None:
    assert Money(5, "USD") + Money(7, "USD") - Money(1, "USD") == Money(11, "USD")
    assert -Money(5, "USD") == Money(-5, "USD")
    assert str(Money(14_250_000, "NGN")) == "14.25 NGN"
    with pytest.raises(ValueError, match="do not mix"):
        Money(1, "USD") + Money(1, "NGN")
    with pytest.raises(ValueError, match="do not mix"):
        Money(1, "USD") - Money(1, "NGN")


@pytest.mark.parametrize("code", ["", "US", "usd", "USDT", "U$D", "ÜSD", "USD\n"])
def test_a_currency_is_three_upper_case_letters(code: str) -> None:
    with pytest.raises(ValueError, match="currency"):
        money.check_currency(code)
    with pytest.raises(ValueError, match="currency"):
        Money(1, code)


@pytest.mark.parametrize(("code", "decimals"), [("USD", 2), ("JPY", 0), ("KWD", 3), ("NGN", 2), ("CLF", 4)])
def test_the_smallest_coin_of_a_currency(code: str, decimals: int) -> None:
    assert money.minor_units(code) == decimals


@pytest.mark.parametrize(
    ("coins", "currency", "text"),
    [
        (1, "NGN", "0.01"),
        (3_675_001, "NGN", "36750.01"),
        (500, "JPY", "500"),
        (1, "KWD", "0.001"),
        (1, "CLF", "0.0001"),
        (0, "USD", "0"),
        (-250, "USD", "-2.5"),
    ],
)
def test_coins_are_micros_exactly_and_back(coins: int, currency: str, text: str) -> None:
    micros = money.parse_amount(text)
    assert money.from_minor(coins, currency) == micros
    assert money.to_minor(micros, currency) == coins


@given(st.integers(), st.sampled_from(["NGN", "JPY", "KWD", "CLF"]))
def test_no_coin_is_lost_on_the_way_to_micros_and_back(coins: int, currency: str) -> None:
    assert money.to_minor(money.from_minor(coins, currency), currency) == coins


@pytest.mark.parametrize(("text", "currency"), [("0.001", "NGN"), ("0.5", "JPY"), ("-0.001", "USD")])
def test_a_part_of_a_coin_is_refused(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match="whole number of coins"):
        money.to_minor(money.parse_amount(text), currency)
