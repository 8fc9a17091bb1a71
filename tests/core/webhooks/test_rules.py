"""Webhooks from values alone: addresses, signatures, and what follows a failure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.base.ids import DeliveryId
from simyard.core.webhooks import rules
from simyard.core.webhooks.model import SwitchedOff
from simyard.core.webhooks.rules import AfterFailure, after_failure, checked_url

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def after(failures: int, **facts: object) -> AfterFailure:
    given: dict[str, object] = {
        "status": 500,
        "failing_since": None,
        "retry_after": None,
        "now": NOW,
        **facts,
    }
    return after_failure(failures=failures, **given)  # type: ignore[arg-type]


def test_the_schedule_is_short_at_first_and_ends_after_eleven_attempts() -> None:
    waits = [after(failures).next_attempt_at for failures in range(1, 12)]
    seconds = [None if one is None else (one - NOW).total_seconds() for one in waits]
    assert seconds == [0, 1, 3, 10, 30, 300, 1800, 7200, 18000, 36000, None]
    assert after(11) == AfterFailure(None, None)


def test_gone_switches_off_at_the_first_answer() -> None:
    assert after(1, status=410) == AfterFailure(None, SwitchedOff.GONE)


def test_five_days_of_failures_switch_off() -> None:
    assert after(3, failing_since=NOW - timedelta(days=5)) == AfterFailure(None, SwitchedOff.FAILING)
    assert after(3, failing_since=NOW - timedelta(days=5) + SECOND) == AfterFailure(NOW + 3 * SECOND, None)


def test_a_receiver_may_ask_for_more_time_but_not_for_less_nor_for_ever() -> None:
    assert after(2, retry_after=60 * SECOND).next_attempt_at == NOW + 60 * SECOND
    assert after(4, retry_after=SECOND).next_attempt_at == NOW + 10 * SECOND
    assert after(1, retry_after=timedelta(days=400)).next_attempt_at == NOW + timedelta(hours=10)
    assert after(11, retry_after=SECOND).next_attempt_at is None


@given(st.integers(1, 30), st.none() | st.timedeltas(timedelta(0), timedelta(days=1000)))
def test_a_retry_never_lies_in_the_past(failures: int, wish: timedelta | None) -> None:
    following = after(failures, retry_after=wish).next_attempt_at
    assert following is None or following >= NOW


def test_a_signature_is_that_of_the_published_example() -> None:
    """The example of the Standard Webhooks libraries."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signature = rules.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200))
def test_the_headers_can_be_verified_with_the_shown_secret(secret: bytes, body: bytes) -> None:
    headers = dict(rules.signed_headers(DeliveryId(7), secret, body, now=NOW))
    assert headers["webhook-id"] == "msg_7"
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    shown = rules.shown_secret(secret)
    assert shown.startswith("whsec_")
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    digest = hmac.new(base64.b64decode(shown.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    version, _, signature = headers["webhook-signature"].partition(",")
    assert (version, base64.b64decode(signature)) == ("v1", digest)


def test_a_url_is_taken_without_the_space_around_it() -> None:
    assert checked_url(" https://example.com/hook?key=1\n", ()) == "https://example.com/hook?key=1"


@pytest.mark.parametrize(
    "url",
    [
        "hook",
        "ftp://example.com/",
        "https://user:password@example.com/",
        "https://example.com/" + "a" * 2000,
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
    ],
)
def test_a_url_nothing_may_be_sent_to_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        checked_url(url, ())


def test_an_address_in_an_allowed_network_is_taken() -> None:
    assert checked_url("http://10.1.2.3/", [ipaddress.ip_network("10.0.0.0/8")]) == "http://10.1.2.3/"
