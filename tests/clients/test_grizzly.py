"""`grizzly-sms-client` (Python), unmodified: the partner's side of the agent protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.conftest import HERE, NUMBERS, Client, Platform, Raised, python_client, running
from tests.partners.simulator import KEY, PartnerServer

TEXT = "Telegram code 48213"


@pytest.fixture
def grizzly(platform: Platform) -> Iterator[Client]:
    python = python_client("grizzly.txt")
    worker = str(HERE / "grizzly_worker.py")
    with running(str(python), worker, platform.url, platform.supplier_key) as client:
        yield client


def order(platform: Platform) -> str:
    """A number a buyer has ordered for Telegram."""
    answer = platform.request("/api/getNum.php?service=telegram&country=44&number=1", key=platform.key)
    assert answer["response"] == 1, answer
    number = "+" + str(answer["number"]).lstrip("+")
    assert number in NUMBERS
    return number


def codes(platform: Platform) -> list[str]:
    answer = platform.request("/api/getState.php?message_to_code=1", key=platform.key)
    return [one["msg"] for one in answer if "msg" in one]


def push(client: Client, number: str, text: str = TEXT, *, sms_id: int = 1, **named: object) -> str:
    answered = client.call(
        "partner", "push_sms", sms_id=sms_id, phone=int(number[1:]), phone_from="Telegram", text=text, **named
    )
    status: str = answered["status"]
    return status


def test_an_sms_reaches_its_buyer(grizzly: Client, platform: Platform) -> None:
    number = order(platform)
    # It is answered at the first try, and again when it is repeated.
    assert push(grizzly, number) == "SUCCESS"
    assert push(grizzly, number) == "SUCCESS"
    assert codes(platform) == ["48213"]


def test_what_nobody_waits_for_is_thanked_for(grizzly: Client, platform: Platform) -> None:
    # This client repeats whatever is not a success, and gives up at any other HTTP status.
    assert push(grizzly, NUMBERS[-1]) == "SUCCESS"
    assert push(grizzly, "+4915112345678") == "SUCCESS"


def test_calls_and_their_recordings_are_thanked_for(grizzly: Client, platform: Platform) -> None:
    number = int(order(platform)[1:])
    call = {"call_id": 10, "phone": number, "phone_from": "100"}
    assert grizzly.call("partner", "push_call", **call)["status"] == "SUCCESS"
    for content in ({"text": "your code is 5015"}, {"file": "sound " * 400_000}):
        assert grizzly.call("partner", "push_call_record", **call, **content)["status"] == "SUCCESS"


def test_a_number_of_a_partner_from_order_to_end(platform: Platform) -> None:
    """Somebody runs an agent whose server is asked for numbers, and pushes with this client."""
    number = "+34612345678"
    with PartnerServer.in_thread(numbers={"spain": [number[1:]]}, services=("tg",)) as agent:
        platform.simyard(
            "pool", "add", "Agent", "--kind", "partner", "--supplier", "supplier@example.com",
            "--protocol", "industry", "--url", agent.url("/"), "--key", KEY, "--key-in", "the agent's own key",
        )  # fmt: skip
        platform.simyard("price", "set", "telegram", "ES", "2")
        path = "/api/getNum.php?service=telegram&country=34&number=1"
        ordered = platform.eventually(
            lambda: (answer := platform.request(path, key=platform.key))["response"] == 1 and answer
        )
        assert str(ordered["number"]).lstrip("+") == number[1:]
        assert agent.reserved == {number[1:]}
        python, worker = str(python_client("grizzly.txt")), str(HERE / "grizzly_worker.py")
        with running(python, worker, platform.url, "the agent's own key") as client:
            assert push(client, number) == "SUCCESS"
        assert codes(platform) == ["48213"]
        platform.request(f"/api/setOperationOk.php?tzid={ordered['tzid']}", key=platform.key)
        operation = agent.operation_of(number)
        platform.eventually(lambda: operation.statuses)
        assert operation.statuses == [3]
        assert platform.simyard("ledger", "verify", "--json")["balanced"] is True
        assert platform.simyard("pool", "problems", "--json") == []


def test_a_wrong_key_is_told(platform: Platform) -> None:
    python = python_client("grizzly.txt")
    with (
        running(str(python), str(HERE / "grizzly_worker.py"), platform.url, "wrong") as client,
        pytest.raises(Raised) as raised,
    ):
        push(client, NUMBERS[0])
    assert "ERROR_WRONG_KEY" in str(raised.value)
