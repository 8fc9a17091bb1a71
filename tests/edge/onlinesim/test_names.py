"""What the vendor calls our countries, numbers and moments."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from simyard.core.catalog.catalog import load as load_catalog
from simyard.edge.dialects.onlinesim import names
from tests.conftest import START


@pytest.mark.parametrize(
    ("msisdn", "iso2", "national"),
    [
        ("+46700000001", "SE", "700000001"),
        ("+12015550123", "US", "2015550123"),
        ("+390612345678", "IT", "0612345678"),
        # Clients write a country's code before the number.
        ("+77015550123", "KZ", "015550123"),
        ("+17875550123", "PR", "5550123"),
        # No number starts with Canada's code, which is made up.
        ("+14165550123", "CA", "4165550123"),
    ],
)
def test_the_national_part_of_a_number(msisdn: str, iso2: str, national: str) -> None:
    assert names.national(msisdn, iso2) == national


def test_every_country_and_service_is_found_by_what_it_is_called() -> None:
    for country in load_catalog().countries:
        assert names.country_by(names.country_code(country.iso2)) == country
    for service in load_catalog().services:
        slug = names.service_slug(service)
        for spelling in (slug, slug.upper(), f"_{slug}", f"service_{slug}"):
            assert names.service_by(spelling) == service


def test_names_of_machines_are_identifiers_and_each_countrys_own() -> None:
    machine_names = [names.machine_name(country.iso2) for country in load_catalog().countries]
    assert len(set(machine_names)) == len(machine_names)
    for name in machine_names:
        assert name.replace("_", "a").isalpha()
        assert name.islower()
        assert name.isascii()


@pytest.mark.parametrize("lang", names.LANGUAGES)
def test_every_country_has_a_name_in_every_language(lang: str) -> None:
    for country in load_catalog().countries:
        assert names.country_name(country.iso2, lang)


@pytest.mark.parametrize(
    ("text", "language"),
    [(None, "ru"), ("", "ru"), ("en", "en"), ("DE", "de"), ("zh", "zh"), ("xx", "en"), ("../en", "en")],
)
def test_the_language_of_an_answer(text: str | None, language: str) -> None:
    assert names.language(text) == language


def test_moments_are_utc() -> None:
    assert names.moment(START) == "2026-03-01 12:00:00"
    assert (
        names.moment(datetime(2026, 3, 1, 15, tzinfo=timezone(timedelta(hours=3)))) == "2026-03-01 12:00:00"
    )


@pytest.mark.parametrize(
    ("seconds", "lang", "said"),
    [
        (0, "en", "1 second ago"),
        (-5, "en", "1 second ago"),
        (120, "en", "2 minutes ago"),
        (120, "ru", "2 минуты назад"),
        (2 * 86_400, "fr", "il y a 2 jours"),
        (7200, "de", "vor 2 Stunden"),
        (60, "zh", "1分钟前"),
    ],
)
def test_how_long_ago(seconds: int, lang: str, said: str) -> None:
    assert names.ago(START, START + timedelta(seconds=seconds), lang) == said
