"""Reading phone numbers: the fast path against the numbering library, spellings, and speed."""

from __future__ import annotations

import random
import time

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.base import phone
from simyard.base.phone import Phone

CALLING_CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


def by_library(text: str) -> Phone | None:
    """What the numbering library itself says, without any shortcut."""
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    regions = phonenumbers.region_codes_for_country_code(number.country_code or 0)
    if regions[0] == "001":
        return None
    return Phone(
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        phonenumbers.region_code_for_number(number) or regions[0],
        number.country_code or 0,
        phonenumbers.national_significant_number(number),
    )


def examples() -> list[str]:
    """Numbers of every kind in every region, and variations of their last digits and length."""
    chance = random.Random(20261121)
    texts: list[str] = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in phonenumbers.PhoneNumberType.values():
            example = phonenumbers.example_number_for_type(region, kind)
            if example is None:
                continue
            text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
            texts.append(text)
            for _ in range(8):
                changed = chance.randrange(1, 7)
                length = changed + chance.choice((0, 0, 0, 1, -1))
                texts.append(text[:-changed] + "".join(chance.choices("0123456789", k=length)))
    return texts


def test_every_region_reads_as_the_library_reads_it() -> None:
    texts = examples()
    assert len(texts) > 5_000
    different = [text for text in texts if phone.parse(text) != by_library(text)]
    assert different == []


@given(
    calling_code=st.sampled_from(CALLING_CODES),
    national=st.text("0123456789", min_size=1, max_size=13),
)
def test_any_digits_read_as_the_library_reads_them(calling_code: int, national: str) -> None:
    text = f"+{calling_code}{national}"
    assert phone.parse(text) == by_library(text)


@given(
    calling_code=st.sampled_from([1, 7, 39, 44, 47, 61, 212, 262, 290, 358, 590, 599]),
    national=st.text("0123456789", min_size=8, max_size=10),
)
def test_shared_calling_codes_read_as_the_library_reads_them(calling_code: int, national: str) -> None:
    text = f"+{calling_code}{national}"
    assert phone.parse(text) == by_library(text)


@given(st.text(max_size=40))
def test_no_text_makes_it_fail(text: str) -> None:
    read = phone.parse(text)
    assert read is None or phone.parse(read.e164) == read


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("+12125550123", "US"),
        ("+14165550123", "CA"),
        ("+17875550123", "PR"),
        ("+18295550123", "DO"),
        ("+18765550123", "JM"),
        ("+19405550123", "US"),
        ("+79161234567", "RU"),
        ("+77011234567", "KZ"),
        ("+447700900123", "GB"),
        ("+447797712345", "JE"),
        ("+46701740605", "SE"),
        ("+212612345678", "MA"),
    ],
)
def test_a_shared_calling_code_does_not_hide_the_country(text: str, country: str) -> None:
    read = phone.parse(text)
    assert read is not None
    assert (read.country, read.e164) == (country, text)


@pytest.mark.parametrize(
    "text",
    [
        "+46701740605",
        "46701740605",
        "0046701740605",
        " +46 70-174 06 05 ",
        "+46 (70) 174.06/05",
        "+46 (0)70 174 06 05",
        "\uff0b46701740605",
        "+٤٦٧٠١٧٤٠٦٠٥",
        "\u202a+46\u00a070\u00a0174\u00a006\u00a005\u202c",
    ],
)
def test_spellings_of_one_number_are_one_number(text: str) -> None:
    assert phone.parse(text) == Phone("+46701740605", "SE", 46, "701740605")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "hello",
        "+46",
        "+4670174060A",
        "+46701740605 ext 5",
        "++46701740605",
        "46+701740605",
        "+0701740605",
        "0701740605",
        "+1555012",
        "+123456789012345678",
        "+46701740605" + " " * 30,
        "+80012345678",
        "+883510012345",
        "+870773111632",
        "+²46701740605",
    ],
)
def test_what_cannot_be_a_number_is_none(text: str) -> None:
    assert phone.parse(text) is None


def test_a_national_form_needs_its_region() -> None:
    assert phone.parse("070-174 06 05") is None
    assert phone.parse("070-174 06 05", region="SE") == phone.parse("+46701740605")
    assert phone.parse("070-174 06 05", region="se") == phone.parse("+46701740605")
    assert phone.parse("+447700900123", region="SE") == phone.parse("+447700900123")
    assert phone.parse("070-174 06 05", region="XX") is None


def test_the_leading_zero_of_italy_stays() -> None:
    assert phone.parse("+390612345678") == Phone("+390612345678", "IT", 39, "0612345678")


def test_a_hundred_thousand_numbers_take_less_than_three_seconds() -> None:
    chance = random.Random(7)
    starts = ("+1212", "+1416", "+1829", "+4670", "+4477", "+79", "+77", "+5491", "+91", "+62812")
    texts = [
        start + "".join(chance.choices("23456789", k=11 - len(start) + (len(start) > 4)))
        for start in starts
        for _ in range(10_000)
    ]
    phone.parse_many(texts[::1000])
    started = time.process_time()
    assert len(phone.parse_many(texts)) == 100_000
    assert time.process_time() - started < 3
