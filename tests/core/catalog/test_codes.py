"""Foreign codes, both ways, against our own catalog."""

from __future__ import annotations

import pytest

from simyard.core.catalog import catalog
from simyard.edge.dialects import codes

shipped = catalog.load()


@pytest.mark.parametrize(
    ("handler", "fivesim", "onlinesim", "slug"),
    [
        ("wa", "whatsapp", "whatsapp", "whatsapp"),
        ("fb", "facebook", "3223", "facebook"),
        ("ot", "other", "7", "other"),
        ("me", "line", "linemessenger", "line"),
        ("oj", None, "love_ru", "love_ru"),
        ("mo", None, "bumble", "bumble"),
        ("lq", None, None, "potatolq"),
        ("fj", "potato", None, "potato"),
    ],
)
def test_a_service_is_known_by_every_vendor_code(
    handler: str, fivesim: str | None, onlinesim: str | None, slug: str
) -> None:
    assert codes.services.by_handler(handler) == slug
    assert codes.services.handler_of(slug) == handler
    assert codes.services.fivesim_of(slug) == fivesim
    assert codes.services.onlinesim_of(slug) == onlinesim
    assert fivesim is None or codes.services.by_fivesim(fivesim) == slug
    assert onlinesim is None or codes.services.by_onlinesim(onlinesim) == slug


def test_every_service_code_leads_back_to_its_service() -> None:
    for service in shipped.services:
        slug = service.slug
        known = 0
        for code, back in (
            (codes.services.handler_of(slug), codes.services.by_handler),
            (codes.services.fivesim_of(slug), codes.services.by_fivesim),
            (codes.services.onlinesim_of(slug), codes.services.by_onlinesim),
        ):
            if code is not None:
                known += 1
                assert back(code) == slug
        assert known > 0, slug


def test_every_country_code_leads_back_to_its_country() -> None:
    for country in shipped.countries:
        iso2 = country.iso2
        onlinesim = codes.countries.onlinesim_of(iso2)
        assert onlinesim is not None
        assert codes.countries.by_onlinesim(onlinesim) == iso2
        handler = codes.countries.handler_of(iso2)
        assert handler is None or codes.countries.by_handler(handler) == iso2
        fivesim = codes.countries.fivesim_of(iso2)
        assert fivesim is None or codes.countries.by_fivesim(fivesim) == iso2
        daisysim = codes.countries.daisysim_of(iso2)
        assert daisysim is None or codes.countries.by_daisysim(daisysim) == iso2


@pytest.mark.parametrize(
    ("code", "iso2"), [(0, "RU"), (187, "US"), (12, "US"), (16, "GB"), (18, "CD"), (150, "CG"), (222, None)]
)
def test_handler_country_ids(code: int, iso2: str | None) -> None:
    assert codes.countries.by_handler(code) == iso2


def test_a_vendor_may_have_ids_of_its_own() -> None:
    assert codes.countries.by_handler(222, vendor="herosms") == "RU"
    assert codes.countries.by_handler(1003, vendor="smsbower") == "BM"
    assert codes.countries.by_handler(187, vendor="herosms") == "US"


@pytest.mark.parametrize(
    ("code", "iso2"), [(222, "RU"), (0, None), (36, "CA"), (12, "US"), (187, "US"), (1003, None), (999, None)]
)
def test_daisysim_country_ids_lie_in_1_to_999_and_russia_is_222(code: int, iso2: str | None) -> None:
    assert codes.countries.by_daisysim(code) == iso2


@pytest.mark.parametrize(
    ("code", "iso2"),
    [(7, "RU"), (77, "KZ"), (1, "US"), (1000, "CA"), (44, "GB"), (46, "SE"), (1787, "PR"), (1268, "AG")],
)
def test_onlinesim_countries_are_dialling_codes_but_for_shared_ones(code: int, iso2: str) -> None:
    assert codes.countries.by_onlinesim(code) == iso2
    assert codes.countries.onlinesim_of(iso2) == code


def test_other_spellings_of_a_country() -> None:
    assert codes.countries.by_handler_name("HongKong") == "HK"
    assert codes.countries.by_handler_name("hongkong") == "HK"
    assert codes.countries.by_name("Viet Nam") == "VN"
    assert codes.countries.by_name("Nowhere") is None


def test_codes_name_only_what_the_catalog_has() -> None:
    for code in range(1000):
        iso2 = codes.countries.by_handler(code)
        assert iso2 is None or shipped.country(iso2) is not None
