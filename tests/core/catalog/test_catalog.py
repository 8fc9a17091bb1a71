"""The shipped catalog: what its files promise, and how it is looked up."""

from __future__ import annotations

import re
import time
from collections import Counter

import phonenumbers
import pytest

from simyard.core.catalog import catalog
from simyard.core.catalog.catalog import Catalog
from simyard.core.catalog.model import OTHER_SERVICE, Country, Operator, Service

shipped = catalog.load()


def test_it_is_read_once_and_quickly() -> None:
    assert catalog.load() is shipped
    catalog.load.cache_clear()
    started = time.process_time()
    catalog.load()
    assert time.process_time() - started < 0.2


def test_service_slugs_are_unique_words() -> None:
    slugs = [service.slug for service in shipped.services]
    assert len(slugs) == len(set(slugs)) > 1_000
    assert [slug for slug in slugs if not re.fullmatch(r"[a-z0-9_]{1,40}", slug)] == []


def test_service_ids_are_one_to_n_in_order() -> None:
    ids = [service.id for service in shipped.services]
    assert ids == list(range(1, len(ids) + 1))
    assert ids[-1] <= 32_767


def test_ids_that_were_given_out_stay_with_their_service() -> None:
    given = {
        "other": 1,
        "whatsapp": 2,
        "telegram": 3,
        "google": 4,
        "facebook": 5,
        "instagram": 6,
        "openai": 10,
    }
    for slug, service_id in given.items():
        service = shipped.service(slug)
        assert service is not None
        assert service.id == service_id
        assert shipped.service_by_id(service_id) is service


def test_what_is_not_there_is_none() -> None:
    assert shipped.service("no_such") is None
    assert shipped.service_by_id(0) is None
    assert shipped.country("ZZ") is None
    assert shipped.country_of_mcc(999) is None
    assert shipped.service(OTHER_SERVICE) is not None


@pytest.mark.parametrize("slug", ["binance", "paypal", "revolut", "mosru", "citaprevia", "melbet"])
def test_finance_government_and_gambling_are_prohibited(slug: str) -> None:
    service = shipped.service(slug)
    assert service is not None
    assert service.prohibited


@pytest.mark.parametrize("slug", ["whatsapp", "google", "amazon", "other", "openai"])
def test_everyday_services_are_not_prohibited(slug: str) -> None:
    service = shipped.service(slug)
    assert service is not None
    assert not service.prohibited


def test_countries_are_unique_and_have_their_calling_code() -> None:
    assert [iso2 for iso2, times in Counter(c.iso2 for c in shipped.countries).items() if times > 1] == []
    for country in shipped.countries:
        assert phonenumbers.country_code_for_region(country.iso2) == country.calling_code, country


def test_a_flag_is_two_regional_indicators() -> None:
    sweden = shipped.country("SE")
    assert sweden is not None
    assert sweden.flag == "\N{REGIONAL INDICATOR SYMBOL LETTER S}\N{REGIONAL INDICATOR SYMBOL LETTER E}"


def test_operators_are_wellformed_and_stand_in_known_countries() -> None:
    assert len(shipped.operators) >= 350
    assert len({operator.iso2 for operator in shipped.operators}) >= 60
    assert len({operator.id for operator in shipped.operators}) == len(shipped.operators)
    for operator in shipped.operators:
        assert re.fullmatch(r"\d{3}", operator.mcc), operator
        assert re.fullmatch(r"\d{2,3}", operator.mnc), operator
        assert re.fullmatch(r"[a-z0-9]+", operator.slug), operator
        assert shipped.country(operator.iso2) is not None, operator
        # Palestine and Jersey have networks under a neighbour's code.
        if operator.iso2 not in ("PS", "JE"):
            assert shipped.country_of_mcc(operator.mcc) == operator.iso2, operator


@pytest.mark.parametrize(
    ("plmn", "country", "name"),
    [
        (24001, "SE", "Telia"),
        (24007, "SE", "Tele2"),
        (24008, "SE", "Telenor"),
        (24002, "SE", "3"),
        ("23410", "GB", "O2"),
        (23415, "GB", "Vodafone"),
        (23420, "GB", "3"),
        (23430, "GB", "EE"),
        (310260, "US", "T-Mobile"),
        (310410, "US", "AT&T"),
        (311480, "US", "Verizon"),
        (31026, "US", "T-Mobile"),
        (31148, "US", "Verizon"),
        ("240017012345678", "SE", "Telia"),
        ("310260123456789", "US", "T-Mobile"),
        (42505, "PS", "Jawwal"),
    ],
)
def test_a_network_is_found_by_the_longest_known_code(plmn: int | str, country: str, name: str) -> None:
    operator = shipped.operator_by_plmn(plmn)
    assert operator is not None
    assert (operator.iso2, operator.name) == (country, name)
    assert shipped.country_of_plmn(plmn) == country


@pytest.mark.parametrize(("plmn", "country"), [(24099, "SE"), (310, "US"), (31099, "US"), (29001, "GL")])
def test_an_unknown_network_still_tells_its_country(plmn: int, country: str) -> None:
    assert shipped.operator_by_plmn(plmn) is None
    assert shipped.country_of_plmn(plmn) == country


@pytest.mark.parametrize("plmn", [0, -24001, 99999, "", "abc", "2400\u0661", "24", "1" * 16])
def test_what_is_no_network_code_finds_nothing(plmn: int | str) -> None:
    assert shipped.operator_by_plmn(plmn) is None
    assert shipped.country_of_plmn(plmn) is None


def test_five_digits_shared_by_two_brands_name_neither() -> None:
    both = Catalog(
        services=[Service(shipped.services[0].id, "other", "Other", "other")],
        countries=[Country("US", "United States", 1)],
        operators=[Operator("310", "120", "US", "One"), Operator("310", "121", "US", "Two")],
        country_of_mcc={"310": "US"},
    )
    assert both.operator_by_plmn(31012) is None
    assert both.country_of_plmn(31012) == "US"
    two = both.operator_by_plmn(310121)
    assert two is not None
    assert two.name == "Two"


def test_almost_every_country_has_a_mobile_country_code() -> None:
    without = {country.iso2 for country in shipped.countries} - {
        iso2 for mcc in range(200, 760) if (iso2 := shipped.country_of_mcc(mcc)) is not None
    }
    # These three have no code of their own: they use Morocco's, the United Kingdom's and Israel's.
    assert without == {"EH", "JE", "PS"}


def test_a_brand_is_known_by_its_first_network() -> None:
    networks = [one for one in shipped.operators if (one.iso2, one.name) == ("US", "T-Mobile")]
    assert len(networks) > 1
    assert {shipped.brand_of(one) for one in networks} == {networks[0]}
    assert shipped.brand("US", "t mobile") == networks[0]
    assert shipped.brand("SE", "T-Mobile") is None
