"""Admission: whose key it is, what it may do, and budgets that are exact whoever counts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import asyncpg
import pytest

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AccountState, Caller, Role, Scope
from simyard.core.limits import service as limits
from simyard.core.limits.model import Admit, Budget
from simyard.db.database import Database
from tests.world import World

POLL = Budget("check", 3, 60)


class Gate:
    """A buyer with a key, knocking."""

    def __init__(self, world: World, account_id: AccountId, key: str) -> None:
        self.world = world
        self.account_id = account_id
        self.key = key

    def knock(
        self,
        budget: Budget | None = None,
        *,
        key: str | None = None,
        scope: Scope = Scope.READ,
        address: str = "192.0.2.1",
    ) -> Admit:
        return Admit(
            self.world.digest(self.key if key is None else key),
            scope,
            address,
            budget,
            self.world.clock.now(),
        )

    async def admit(self, *commands: Admit, database: Database | None = None) -> list[Caller | Refusal]:
        async with (database or self.world.database).connection() as connection:
            return await limits.admit(connection, commands)

    async def outcome(self, command: Admit) -> Refused | None:
        (result,) = await self.admit(command)
        return result.reason if isinstance(result, Refusal) else None


@pytest.fixture
async def gate(world: World) -> Gate:
    buyer = await world.add_buyer("0", email="ada@example.com")
    return Gate(world, buyer, await world.issue_key(buyer))


@pytest.fixture
async def second_process(database_url: str) -> AsyncIterator[Database]:
    database = await Database.connect(database_url, synchronous_commit=False)
    yield database
    await database.close()


def reasons(results: Sequence[Caller | Refusal]) -> list[Refused | None]:
    return [result.reason if isinstance(result, Refusal) else None for result in results]


# Keys


async def test_a_key_tells_who_calls(gate: Gate) -> None:
    (caller,) = await gate.admit(gate.knock())
    assert caller == Caller(gate.account_id, "ada@example.com", None, gate.world.clock.now())


async def test_a_key_of_a_pool_tells_which(gate: Gate) -> None:
    supplier = await gate.world.add_supplier()
    pool = await gate.world.add_direct_pool(supplier)
    key = await gate.world.issue_key(supplier, (Scope.SUPPLY,), pool_id=pool.id)
    (caller,) = await gate.admit(gate.knock(key=key, scope=Scope.SUPPLY))
    assert isinstance(caller, Caller)
    assert (caller.account_id, caller.pool_id) == (supplier, pool.id)


async def test_an_unknown_key_is_refused(gate: Gate) -> None:
    assert await gate.outcome(gate.knock(key="sy_nothing")) is Refused.WRONG_KEY
    assert await gate.outcome(gate.knock(key=gate.key + " ")) is Refused.WRONG_KEY


async def test_a_key_may_do_what_its_scopes_say(gate: Gate) -> None:
    reading = await gate.world.issue_key(gate.account_id, (Scope.READ,))
    assert await gate.outcome(gate.knock(scope=Scope.ORDER)) is None
    assert await gate.outcome(gate.knock(scope=Scope.SUPPLY)) is Refused.KEY_SCOPE
    assert await gate.outcome(gate.knock(key=reading)) is None
    assert await gate.outcome(gate.knock(key=reading, scope=Scope.ORDER)) is Refused.KEY_SCOPE


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True),
        ("11.0.0.0", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("::1", False),
        ("", False),
    ],
)
async def test_a_key_with_networks_is_good_from_there_only(gate: Gate, address: str, allowed: bool) -> None:
    key = await gate.world.issue_key(
        gate.account_id, networks=("10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32")
    )
    expected = None if allowed else Refused.ADDRESS_NOT_ALLOWED
    assert await gate.outcome(gate.knock(key=key, address=address)) is expected
    assert await gate.outcome(gate.knock(address=address)) is None, "a key without networks is good anywhere"


async def set_state(gate: Gate, state: AccountState) -> None:
    async with gate.world.database.transaction() as tx:
        await accounts.set_state(tx, "ada@example.com", state, actor="op", now=gate.world.clock.now())


async def test_a_suspended_or_locked_account_is_refused_at_once(gate: Gate) -> None:
    for state, reason in (
        (AccountState.SUSPENDED, Refused.ACCOUNT_SUSPENDED),
        (AccountState.LOCKED, Refused.ACCOUNT_LOCKED),
        (AccountState.ACTIVE, None),
    ):
        await set_state(gate, state)
        assert await gate.outcome(gate.knock()) is reason


async def test_the_first_reason_to_refuse_wins(gate: Gate) -> None:
    """Each step takes one reason away; the next one shows."""
    world = gate.world
    key = await world.issue_key(gate.account_id, (Scope.READ,), networks=("10.0.0.0/8",))
    async with world.database.transaction() as tx:
        key_id = (await accounts.list_keys(tx, gate.account_id))[-1].id
        await accounts.set_key_enabled(
            tx, gate.account_id, key_id, enabled=False, actor="op", now=world.clock.now()
        )
    await set_state(gate, AccountState.SUSPENDED)
    none_left = Budget("order", 1)
    await world.value(
        "INSERT INTO budget VALUES ($1, 'order', $2, 1, 1, 0)",
        gate.account_id,
        world.clock.now() + timedelta(seconds=60),
    )
    knock = gate.knock(none_left, key=key, scope=Scope.ORDER)
    assert await gate.outcome(knock) is Refused.KEY_DISABLED
    await world.value("UPDATE api_key SET enabled = true")
    assert await gate.outcome(knock) is Refused.ADDRESS_NOT_ALLOWED
    knock = gate.knock(none_left, key=key, scope=Scope.ORDER, address="10.0.0.1")
    assert await gate.outcome(knock) is Refused.ACCOUNT_SUSPENDED
    await set_state(gate, AccountState.ACTIVE)
    assert await gate.outcome(knock) is Refused.KEY_SCOPE
    await world.value("UPDATE api_key SET scopes = '{order}'")
    assert await gate.outcome(knock) is Refused.OVER_BUDGET


async def test_an_address_that_is_none_is_an_error_and_never_admitted(gate: Gate) -> None:
    key = await gate.world.issue_key(gate.account_id, networks=("10.0.0.0/8",))
    with pytest.raises(asyncpg.DataError):
        await gate.admit(gate.knock(key=key, address="a name"))


# Budgets


async def test_a_budget_admits_so_many_requests_and_no_more(gate: Gate) -> None:
    outcomes = [await gate.outcome(gate.knock(POLL)) for _ in range(5)]
    assert outcomes == [None, None, None, Refused.OVER_BUDGET, Refused.OVER_BUDGET]


async def test_a_batch_admits_the_first_ones(gate: Gate) -> None:
    results = await gate.admit(*[gate.knock(POLL) for _ in range(5)])
    assert reasons(results) == [None, None, None, Refused.OVER_BUDGET, Refused.OVER_BUDGET]


async def test_requests_without_a_budget_are_free(gate: Gate) -> None:
    results = await gate.admit(
        gate.knock(POLL), gate.knock(), gate.knock(POLL), gate.knock(), gate.knock(POLL)
    )
    assert reasons(results) == [None] * 5
    assert await gate.outcome(gate.knock()) is None
    assert await gate.outcome(gate.knock(POLL)) is Refused.OVER_BUDGET


async def test_the_seconds_to_wait_are_exact(gate: Gate) -> None:
    clock = gate.world.clock
    await gate.admit(*[gate.knock(POLL) for _ in range(3)])
    for turned, left in ((0.0, 60), (0.25, 60), (0.75, 59), (58.5, 1), (0.4, 1)):
        clock.turn(turned)
        (refused,) = await gate.admit(gate.knock(POLL))
        assert isinstance(refused, Refusal)
        assert (refused.reason, refused.facts) == (Refused.OVER_BUDGET, {"seconds": left})


async def test_a_request_after_the_seconds_to_wait_is_admitted_and_opens_a_whole_window(gate: Gate) -> None:
    clock = gate.world.clock
    await gate.admit(*[gate.knock(POLL) for _ in range(4)])
    clock.turn(60)
    results = await gate.admit(*[gate.knock(POLL) for _ in range(4)])
    assert reasons(results) == [None, None, None, Refused.OVER_BUDGET]
    clock.turn(59.999)
    assert await gate.outcome(gate.knock(POLL)) is Refused.OVER_BUDGET
    clock.turn(0.001)
    assert await gate.outcome(gate.knock(POLL)) is None


async def test_the_window_begins_with_its_first_request(gate: Gate) -> None:
    await gate.outcome(gate.knock(POLL))
    gate.world.clock.turn(59)
    assert [await gate.outcome(gate.knock(POLL)) for _ in range(3)] == [None, None, Refused.OVER_BUDGET]
    gate.world.clock.turn(1)
    assert [await gate.outcome(gate.knock(POLL)) for _ in range(3)] == [None, None, None]


async def test_a_refused_request_spends_nothing(gate: Gate) -> None:
    await set_state(gate, AccountState.LOCKED)
    await gate.admit(*[gate.knock(POLL) for _ in range(5)])
    await set_state(gate, AccountState.ACTIVE)
    await gate.admit(*[gate.knock(POLL, scope=Scope.SUPPLY) for _ in range(5)])
    assert await gate.world.value("SELECT count(*) FROM budget") == 0
    await gate.admit(*[gate.knock(POLL) for _ in range(9)])
    assert await gate.world.rows("SELECT used, quota FROM budget") == [(3, 3)]


async def test_verbs_and_accounts_have_budgets_of_their_own(gate: Gate) -> None:
    other = await gate.world.add_buyer("0")
    key = await gate.world.issue_key(other)
    results = await gate.admit(
        *[
            gate.knock(Budget("check", 1)),
            gate.knock(Budget("order", 1)),
            gate.knock(Budget("check", 1), key=key),
        ],
        *[
            gate.knock(Budget("check", 1)),
            gate.knock(Budget("order", 1)),
            gate.knock(Budget("check", 1), key=key),
        ],
    )
    assert reasons(results) == [None] * 3 + [Refused.OVER_BUDGET] * 3


async def test_all_keys_of_an_account_share_its_budget(gate: Gate) -> None:
    second = await gate.world.issue_key(gate.account_id)
    results = await gate.admit(*[gate.knock(POLL), gate.knock(POLL, key=second)] * 2)
    assert reasons(results) == [None, None, None, Refused.OVER_BUDGET]


async def test_a_smaller_budget_holds_at_once_and_a_larger_one_too(gate: Gate) -> None:
    assert reasons(await gate.admit(*[gate.knock(Budget("check", 5)) for _ in range(4)])) == [None] * 4
    assert await gate.outcome(gate.knock(Budget("check", 2))) is Refused.OVER_BUDGET
    assert await gate.world.value("SELECT used <= quota FROM budget") is True
    assert await gate.outcome(gate.knock(Budget("check", 9))) is None


async def test_two_processes_share_one_exact_count(gate: Gate, second_process: Database) -> None:
    budget = Budget("check", 500, 60)
    batches = [
        gate.admit(*[gate.knock(budget) for _ in range(1 + place % 23)], database=database)
        for place in range(60)
        for database in (gate.world.database, second_process)
    ]
    outcomes = Counter(reason for results in await asyncio.gather(*batches) for reason in reasons(results))
    assert outcomes[None] == 500
    assert set(outcomes) == {None, Refused.OVER_BUDGET}
    gate.world.clock.turn(60)
    again = [
        gate.admit(*[gate.knock(budget)] * 20, database=db)
        for db in (gate.world.database, second_process) * 15
    ]
    outcomes = Counter(reason for results in await asyncio.gather(*again) for reason in reasons(results))
    assert outcomes[None] == 500


async def test_many_accounts_in_mixed_batches_of_two_processes_do_not_block_each_other(
    gate: Gate, second_process: Database
) -> None:
    keys = [await gate.world.issue_key(await gate.world.add_buyer("0")) for _ in range(8)]
    batches = []
    for place in range(40):
        order = keys if place % 2 else keys[::-1]
        database = gate.world.database if place % 3 else second_process
        batches.append(
            gate.admit(*[gate.knock(Budget("check", 30), key=key) for key in order], database=database)
        )
    outcomes = Counter(reason for results in await asyncio.gather(*batches) for reason in reasons(results))
    assert outcomes == {None: 240, Refused.OVER_BUDGET: 80}


async def test_budgets_whose_window_is_over_are_forgotten(gate: Gate) -> None:
    await gate.outcome(gate.knock(POLL))
    now = gate.world.clock.now()
    async with gate.world.database.transaction() as tx:
        assert await limits.forget_budgets(tx, before=now + timedelta(seconds=60)) == 0
        assert await limits.forget_budgets(tx, before=now + timedelta(seconds=61)) == 1


async def test_every_role_has_an_account_that_can_be_admitted(world: World) -> None:
    for role in Role:
        account_id = await world.add_account(role)
        gate = Gate(world, account_id, await world.issue_key(account_id, (Scope.READ,)))
        assert await gate.outcome(gate.knock()) is None
