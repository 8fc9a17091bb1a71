"""Settings: what is read, what is refused, and that the reference page tells the truth."""

from __future__ import annotations

import dataclasses
import ipaddress
from pathlib import Path

import pytest

from simyard.settings import LoyaltyTier, Settings, SettingsInvalid, reference

ROOT = Path(__file__).parents[2]


def test_the_reference_page_is_generated_from_the_settings() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == reference(), "run: make schema"


def test_without_variables_every_setting_has_its_default() -> None:
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert settings.database_url is None
    assert settings.activation_seconds == 1200
    assert settings.numbers_body_bytes_max == 16 * 1024 * 1024
    assert settings.trusted_proxies == ()
    assert settings.loyalty_tiers[1] == LoyaltyTier("Silver", 10, 20)


def test_variables_are_read_as_their_types() -> None:
    settings = Settings.from_environment(
        {
            "SIMYARD_DATA_DIR": "/srv/simyard",
            "SIMYARD_DATABASE_URL": " postgresql://db/simyard ",
            "SIMYARD_ACTIVATION_SECONDS": "90",
            "SIMYARD_RATE_LIMIT_SCALE": "2.5",
            "SIMYARD_TRUSTED_PROXIES": "10.0.0.1, 192.168.0.0/16",
            "SIMYARD_LOG_LEVEL": "DEBUG",
        }
    )
    assert settings.data_dir == Path("/srv/simyard")
    assert settings.database_url == "postgresql://db/simyard"
    assert settings.activation_seconds == 90
    assert settings.rate_limit_scale == 2.5
    assert settings.trusted_proxies == (
        ipaddress.ip_network("10.0.0.1/32"),
        ipaddress.ip_network("192.168.0.0/16"),
    )
    assert settings.log_level == "debug"


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        Settings.from_environment(
            {
                "SIMYARD_ACTIVATION_SECONDS": "20min",
                "SIMYARD_SUPPLIER_SHARE_PERCENT": "101",
                "SIMYARD_BASE_CURRENCY": "usd",
                "SIMYARD_RATE_LIMIT_SCALE": "nan",
                "SIMYARD_TRUSTED_PROXIES": "proxy",
                "SIMYARD_LOG_LEVEL": "loud",
                "SIMYARD_LOYALTY_TIERS": "Gold:15:100",
                "SIMYARD_DATA_DIR": "",
            }
        )
    lines = str(caught.value).splitlines()
    assert len(lines) == 8
    assert "SIMYARD_ACTIVATION_SECONDS='20min': must be a whole number" in lines
    assert "SIMYARD_SUPPLIER_SHARE_PERCENT='101': must be from 0 to 100" in lines


def test_a_misspelled_variable_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    Settings.from_environment({"SIMYARD_ACTIVATION_SECOND": "5"})
    assert caplog.messages == [
        "SIMYARD_ACTIVATION_SECOND is no setting; did you mean SIMYARD_ACTIVATION_SECONDS?"
    ]


def test_every_setting_is_described_in_one_sentence_or_two() -> None:
    for field in dataclasses.fields(Settings):
        description = field.metadata["description"]
        assert description.endswith((".", "`.")), field.name
        assert "|" not in description


def test_paystack_wants_its_key_which_is_not_shown() -> None:
    with pytest.raises(SettingsInvalid, match="SIMYARD_PAYSTACK_SECRET_KEY: must be set"):
        Settings.from_environment({"SIMYARD_FUNDING_PROVIDER": "paystack"})
    settings = Settings.from_environment(
        {
            "SIMYARD_FUNDING_PROVIDER": "Paystack",
            "SIMYARD_PAYSTACK_SECRET_KEY": "sk_live_1",
            "SIMYARD_PAYSTACK_URL": "http://127.0.0.1:8080/",
        }
    )
    assert (settings.funding_provider, settings.paystack_url) == ("paystack", "http://127.0.0.1:8080")
    assert "sk_live_1" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.paystack.co",
        "ftp://api.paystack.co",
        "https://",
        "https://a:b@c",
        "https://a?b",
        "https://a:x",
    ],
)
def test_the_address_of_a_server_must_be_one(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="must be a server's address"):
        Settings.from_environment({"SIMYARD_PAYSTACK_URL": url})
