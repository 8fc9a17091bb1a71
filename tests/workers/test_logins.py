"""Logging in, from password or credential to tokens that are let in, and everything that must not."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import argon2
import jwt
import pytest

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import rules as account_rules
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AccountState, AddAccount, Caller, Role, Scope
from simyard.core.limits import service as limits
from simyard.core.limits.model import Admit, AdmitSession, Budget
from simyard.core.logins import service
from simyard.core.logins.model import (
    ChangePassword,
    LogIn,
    LogInWithCredential,
    LogOut,
    RefreshSession,
    Register,
    RequestReset,
    ResetPassword,
    Throttle,
    Tokens,
    VerifyEmail,
)
from simyard.core.wallet import service as wallet
from simyard.db.database import Database
from simyard.settings import Settings
from simyard.workers.identity import IssuerKeys
from simyard.workers.logins import LoginSteps, Passwords
from simyard.workers.token_keys import FRESH
from tests.core.logins.issuer import CLIENT_ID, Issuer
from tests.passwords import quick_passwords
from tests.world import World

__all__ = ["quick_passwords"]

HOME = "203.0.113.7"
PASSWORD = "correct horse battery"
JANE = "jane@example.com"
DAY = 24 * 3600


class Door:
    """The login steps, as whoever calls them from an address sees them."""

    def __init__(self, world: World, database: Database, settings: Settings, passwords: Passwords) -> None:
        self.world = world
        self.clock = world.clock
        self.issuer = Issuer()
        self.passwords = passwords

        async def fetch() -> bytes:
            return self.issuer.key_set()

        self.steps = LoginSteps(database, world.clock, settings, passwords, IssuerKeys(fetch, world.clock))

    async def add(
        self, email: str = JANE, password: str | None = PASSWORD, *, verified: bool = True
    ) -> AccountId:
        hashed = account_rules.hash_password(password) if password else None
        async with self.world.database.transaction() as tx:
            command = AddAccount(email, Role.BUYER, hashed, "Jane Developer", verified)
            added = await accounts.add_account(tx, command, now=self.clock.now())
            await wallet.open_wallet(tx, added.id, "USD")
        return added.id

    async def log_in(self, password: str = PASSWORD, *, email: str = JANE, address: str = HOME) -> Tokens:
        return await self.steps.log_in(LogIn(email, password, address, self.clock.now()))

    async def credential(self, credential: str | None = None, **claims: Any) -> Tokens:
        given = credential or self.issuer.credential(self.clock.now(), **claims)
        return await self.steps.log_in_with_credential(LogInWithCredential(given, HOME, self.clock.now()))

    async def refresh(self, token: str) -> Tokens:
        return await self.steps.refresh(RefreshSession(token, HOME, self.clock.now()))

    async def register(
        self, password: str = PASSWORD, *, email: str = JANE, name: str = "Jane", address: str = HOME
    ) -> None:
        await self.steps.register(Register(email, password, name, address, self.clock.now()))

    async def verify(self, token: str) -> None:
        await self.steps.verify_email(VerifyEmail(token, HOME, self.clock.now()))

    async def ask_reset(self, email: str = JANE) -> None:
        await self.steps.request_reset(RequestReset(email, HOME, self.clock.now()))

    async def reset(self, token: str, password: str = "a new password") -> None:
        await self.steps.reset_password(ResetPassword(token, password, HOME, self.clock.now()))

    async def change(self, tokens: Tokens, old: str = PASSWORD, new: str = "a new password") -> None:
        caller = await self.enter(tokens)
        assert caller.session_id is not None
        await self.steps.change_password(
            ChangePassword(
                caller.account_id, caller.email, caller.session_id, old, new, HOME, self.clock.now()
            )
        )

    async def log_out(self, tokens: Tokens) -> None:
        caller = await self.enter(tokens)
        assert caller.session_id is not None
        async with self.world.database.transaction() as tx:
            await service.log_out(tx, LogOut(caller.account_id, caller.session_id, self.clock.now()))

    async def enter(self, tokens: Tokens | str, budget: Budget | None = None) -> Caller:
        """What the runner does with an access token."""
        text = tokens if isinstance(tokens, str) else tokens.access
        claims = await self.steps.read_access_token(text, self.clock.now())
        command = AdmitSession(claims.account_id, claims.session_id, budget, self.clock.now())
        async with self.world.database.connection() as connection:
            (result,) = await limits.admit_sessions(connection, [command])
        if isinstance(result, Refusal):
            raise result
        return result

    async def rotate(self, *, at_once: bool = False) -> int:
        async with self.world.database.transaction() as tx:
            return await service.rotate_token_key(tx, at_once=at_once, actor="test", now=self.clock.now())

    async def mails(self, email: str = JANE) -> list[tuple[str, str]]:
        rows = await self.world.rows("SELECT subject, body FROM mail WHERE recipient = $1 ORDER BY id", email)
        return [(subject, body) for subject, body in rows]

    async def mailed_token(self, email: str = JANE) -> str:
        """The token of the latest mail."""
        match = re.search(r"^sm_\S+$", (await self.mails(email))[-1][1], re.MULTILINE)
        assert match is not None
        return match[0]

    async def set_state(self, state: AccountState, email: str = JANE) -> None:
        async with self.world.database.transaction() as tx:
            await accounts.set_state(tx, email, state, actor="test", now=self.clock.now())

    async def unlock(self, email: str = JANE) -> None:
        async with self.world.database.transaction() as tx:
            await service.unlock(tx, email)


@pytest.fixture
def settings() -> Settings:
    return Settings(oidc_client_id=CLIENT_ID, rate_limit_scale=100)


@pytest.fixture
async def door(world: World, settings: Settings) -> AsyncIterator[Door]:
    passwords = Passwords()
    yield Door(world, world.database, settings, passwords)
    passwords.close()


def key_id(token: str) -> object:
    return jwt.get_unverified_header(token)["kid"]


async def refusal(attempt: Awaitable[object]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await attempt
    return caught.value


async def reason(attempt: Awaitable[object]) -> Refused:
    return (await refusal(attempt)).reason


async def outcomes(*attempts: Awaitable[object]) -> Counter[str]:
    results = await asyncio.gather(*attempts, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Refusal):
            raise result
    return Counter(one.reason.value if isinstance(one, Refusal) else "done" for one in results)


# Passwords


async def test_the_right_password_opens_a_session(door: Door) -> None:
    account_id = await door.add()
    tokens = await door.log_in(email=" Jane@Example.com ")
    assert tokens.user.id == account_id
    assert (tokens.user.email, tokens.user.name) == (JANE, "Jane Developer")
    caller = await door.enter(tokens)
    assert (caller.account_id, caller.email, caller.pool_id) == (account_id, JANE, None)


async def test_what_looks_the_same_is_the_same_password(door: Door) -> None:
    await door.add(password="pa\N{LATIN SMALL LETTER E WITH ACUTE}ssword")
    await door.log_in("pae\N{COMBINING ACUTE ACCENT}ssword")


async def test_nobody_learns_which_part_was_wrong(door: Door) -> None:
    await door.add()
    await door.add("keys-only@example.com", None)
    for email, password in [
        (JANE, "wrong password"),
        (JANE, ""),
        (JANE, PASSWORD + " "),
        (JANE, "x" * 201),
        ("nobody@example.com", PASSWORD),
        ("keys-only@example.com", PASSWORD),
        ("keys-only@example.com", ""),
        ("no address", PASSWORD),
        ("\0", "\0"),
        ("", ""),
    ]:
        assert (await refusal(door.log_in(password, email=email))).reason is Refused.WRONG_CREDENTIALS


async def test_an_account_whose_email_was_not_verified_cannot_log_in(door: Door) -> None:
    await door.add(verified=False)
    assert await reason(door.log_in()) is Refused.EMAIL_NOT_VERIFIED
    assert await reason(door.log_in("wrong password")) is Refused.WRONG_CREDENTIALS


async def test_an_account_that_may_not_be_used_cannot_log_in(door: Door) -> None:
    await door.add()
    await door.set_state(AccountState.SUSPENDED)
    assert await reason(door.log_in()) is Refused.ACCOUNT_SUSPENDED
    assert await reason(door.log_in("wrong password")) is Refused.WRONG_CREDENTIALS
    await door.set_state(AccountState.LOCKED)
    locked = await refusal(door.log_in())
    assert (locked.reason, locked.facts) == (Refused.ACCOUNT_LOCKED, {})
    await door.set_state(AccountState.ACTIVE)
    await door.log_in()


async def test_a_hash_with_old_parameters_is_renewed(door: Door) -> None:
    account_id = await door.add()
    old = argon2.PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)
    await door.world.value("UPDATE account SET password_hash = $1", old)
    assert await reason(door.log_in("wrong password")) is Refused.WRONG_CREDENTIALS
    assert await door.world.value("SELECT password_hash FROM account") == old
    await door.log_in()
    new = await door.world.value("SELECT password_hash FROM account WHERE id = $1", account_id)
    assert new.startswith("$argon2id$")
    assert not account_rules.is_outdated(new)
    await door.log_in()


async def test_logging_in_while_the_password_is_changed_needs_the_new_one(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    await door.add()
    verify = door.passwords.verify

    async def slow(password_hash: str | None, password: str) -> tuple[bool, str | None]:
        found = await verify(password_hash, password)
        await door.world.value("UPDATE account SET password_hash = $1", new_hash)
        return found

    new_hash = account_rules.hash_password("a new password")
    monkeypatch.setattr(door.passwords, "verify", slow)
    assert await reason(door.log_in()) is Refused.WRONG_CREDENTIALS
    assert await door.world.value("SELECT count(*) FROM session") == 0


async def test_passwords_are_hashed_few_at_a_time_and_the_rest_waits_or_is_refused() -> None:
    passwords = Passwords(at_once=1, waiting_max=1)
    first, second = (asyncio.create_task(passwords.hash("a password")) for _ in range(2))
    await asyncio.sleep(0)
    assert await reason(passwords.hash("a password")) is Refused.BUSY
    await asyncio.gather(first, second)
    assert (await passwords.hash("a password")).startswith("$argon2id$")
    passwords.close()


# Failures


async def test_after_ten_failures_nobody_logs_in_for_a_quarter_of_an_hour(door: Door) -> None:
    await door.add()
    for _ in range(10):
        assert await reason(door.log_in("wrong password")) is Refused.WRONG_CREDENTIALS
    door.clock.turn(0.5)
    for password in (PASSWORD, "wrong password"):
        locked = await refusal(door.log_in(password, address="198.51.100.1"))
        assert (locked.reason, locked.facts) == (Refused.ACCOUNT_LOCKED, {"seconds": 900})
    door.clock.turn(899)
    assert (await refusal(door.log_in())).facts == {"seconds": 1}
    door.clock.turn(0.5)
    await door.log_in()


async def test_an_email_nobody_has_is_locked_all_the_same(door: Door) -> None:
    for _ in range(10):
        assert await reason(door.log_in(email="nobody@example.com")) is Refused.WRONG_CREDENTIALS
    assert await reason(door.log_in(email="nobody@example.com")) is Refused.ACCOUNT_LOCKED
    assert await reason(door.log_in(email="nobody2@example.com")) is Refused.WRONG_CREDENTIALS
    stored = await door.world.rows("SELECT subject FROM login_count")
    assert all(b"nobody" not in subject for (subject,) in stored)


async def test_a_lock_opens_by_an_operator_too(door: Door) -> None:
    await door.add()
    for _ in range(10):
        await refusal(door.log_in("wrong password"))
    assert await reason(door.log_in()) is Refused.ACCOUNT_LOCKED
    await door.unlock(" JANE@example.com")
    await door.log_in()


async def test_a_success_ends_the_row_of_failures_and_so_does_a_day(door: Door) -> None:
    await door.add()
    for _ in range(3):
        for _ in range(9):
            assert await reason(door.log_in("wrong password")) is Refused.WRONG_CREDENTIALS
        await door.log_in()
    for _ in range(9):
        await refusal(door.log_in("wrong password"))
    door.clock.turn(DAY)
    for _ in range(9):
        assert await reason(door.log_in("wrong password")) is Refused.WRONG_CREDENTIALS
    await door.log_in()


async def test_the_lock_is_for_logins_only(door: Door) -> None:
    """Whoever knows an email must not be able to stop its owner's programs."""
    account_id = await door.add()
    key = await door.world.issue_key(account_id)
    tokens = await door.log_in()
    for _ in range(10):
        await refusal(door.log_in("wrong password"))
    assert await reason(door.log_in()) is Refused.ACCOUNT_LOCKED
    admit = Admit(door.world.digest(key), Scope.READ, HOME, None, door.clock.now())
    async with door.world.database.connection() as connection:
        (caller,) = await limits.admit(connection, [admit])
    assert isinstance(caller, Caller)
    await door.enter(tokens)
    renewed = await door.refresh(tokens.refresh)
    await door.enter(renewed)


async def test_guesses_at_once_are_answered_no_more_than_one_after_another(door: Door) -> None:
    await door.add()
    guesses = [door.log_in("wrong password", address=f"198.51.100.{n}") for n in range(40)]
    assert await outcomes(*guesses) == {"wrong_credentials": 10, "account_locked": 30}


async def test_guesses_of_many_processes_at_once_are_counted_to_the_last(door: Door) -> None:
    """Hashing keeps one process from judging many at once; a row of processes would not be kept."""
    throttle = Throttle(
        failures_max=3, address_failures_max=100, address_attempts_per_minute=100, lock_seconds=60
    )

    async def guess() -> Refused | None:
        async with door.world.database.transaction() as tx:
            judged = await service.open_session(
                tx,
                email=JANE,
                address=HOME,
                login=None,
                matched=False,
                rehashed=None,
                throttle=throttle,
                refresh_seconds=DAY,
                now=door.clock.now(),
            )
        return judged.reason if isinstance(judged, Refusal) else None

    for _ in range(3):
        answered = Counter(await asyncio.gather(*(guess() for _ in range(30))))
        assert answered == {Refused.WRONG_CREDENTIALS: 3, Refused.ACCOUNT_LOCKED: 27}
        door.clock.turn(60)


async def test_operators_see_which_account_was_locked(door: Door) -> None:
    account_id = await door.add()
    for email in (JANE, "nobody@example.com"):
        for _ in range(12):
            await refusal(door.log_in("wrong password", email=email))
    rows = await door.world.rows("SELECT actor, action, facts->>'seconds' FROM audit")
    assert rows == [(f"account:{account_id}", "account.logins_locked", "900")]


async def test_logins_at_once_with_the_right_password_all_succeed(door: Door) -> None:
    await door.add()
    assert await outcomes(*(door.log_in() for _ in range(20))) == {"done": 20}


class TestAddresses:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(login_address_failures_max=5)

    async def test_failures_from_an_address_end_its_tries(self, door: Door) -> None:
        await door.add()
        for number in range(5):
            email = f"user{number}@example.com"
            assert await reason(door.log_in(email=email)) is Refused.WRONG_CREDENTIALS
        # Its own success does not buy an address another round.
        over = await refusal(door.log_in())
        assert (over.reason, over.facts) == (Refused.OVER_BUDGET, {"seconds": 900})
        await door.log_in(address="203.0.113.8")
        await door.log_in(address="")
        door.clock.turn(900)
        await door.log_in()

    async def test_a_subscriber_of_ipv6_is_one_address(self, door: Door) -> None:
        await door.add()
        for number in range(5):
            address = str(ipaddress.IPv6Address("2001:db8:0:1::") + number * 2**32)
            await refusal(door.log_in("wrong password", address=address))
        assert await reason(door.log_in(address="2001:db8:0:1:ffff::1")) is Refused.OVER_BUDGET
        await door.log_in(address="2001:db8:0:2::1")


class TestAttempts:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(login_attempts_per_minute=10, rate_limit_scale=0.5)

    async def test_an_address_knocks_so_often_a_minute(self, door: Door) -> None:
        await door.add()
        tokens = await door.log_in()
        door.clock.turn(30.5)
        await refusal(door.refresh("sr_unknown"))
        await refusal(door.verify("sm_unknown"))
        await refusal(door.reset("sm_unknown"))
        await door.ask_reset()
        for attempt in (door.log_in(), door.refresh(tokens.refresh), door.register(email="a@b.example")):
            over = await refusal(attempt)
            assert (over.reason, over.facts) == (Refused.OVER_BUDGET, {"seconds": 30})
        # What has a token has a budget of its own.
        await door.enter(tokens)
        door.clock.turn(29.5)
        await door.refresh(tokens.refresh)


# Sessions


async def test_an_access_token_lasts_a_day_and_a_refresh_token_a_month(door: Door) -> None:
    await door.add()
    tokens = await door.log_in()
    door.clock.turn(DAY - 1)
    await door.enter(tokens)
    door.clock.turn(1)
    assert (await refusal(door.enter(tokens))).facts == {"expired": True}
    renewed = await door.refresh(tokens.refresh)
    await door.enter(renewed)
    door.clock.turn(30 * DAY - 1)
    renewed = await door.refresh(renewed.refresh)
    await door.enter(renewed)
    door.clock.turn(30 * DAY)
    assert await reason(door.refresh(renewed.refresh)) is Refused.WRONG_TOKEN


async def test_a_refresh_token_that_comes_again_ends_the_session(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    await door.add()
    other = await door.log_in()
    first = await door.log_in()
    second = await door.refresh(first.refresh)
    third = await door.refresh(second.refresh)
    await door.enter(third)
    assert await reason(door.refresh(first.refresh)) is Refused.WRONG_TOKEN
    for tokens in (first, second, third):
        assert await reason(door.enter(tokens)) is Refused.WRONG_KEY
        assert await reason(door.refresh(tokens.refresh)) is Refused.WRONG_TOKEN
    await door.enter(other)
    await door.refresh(other.refresh)
    lines = await door.world.rows("SELECT action, facts::text FROM audit")
    assert [action for action, _ in lines] == ["session.refresh_reused"]


async def test_of_twins_that_refresh_at_once_one_wins_and_then_nobody(door: Door) -> None:
    await door.add()
    tokens = await door.log_in()
    results = await asyncio.gather(*(door.refresh(tokens.refresh) for _ in range(10)), return_exceptions=True)
    won = [one for one in results if isinstance(one, Tokens)]
    assert len(won) == 1
    assert all(
        isinstance(one, Refusal) and one.reason is Refused.WRONG_TOKEN for one in results if one not in won
    )
    assert await reason(door.enter(won[0])) is Refused.WRONG_KEY
    assert await reason(door.refresh(won[0].refresh)) is Refused.WRONG_TOKEN


async def test_what_is_no_refresh_token(door: Door) -> None:
    await door.add()
    tokens = await door.log_in()
    for token in ("", "sr_", tokens.access, tokens.refresh + "x", tokens.refresh.lower(), "\ud800", "\0"):
        assert await reason(door.refresh(token)) is Refused.WRONG_TOKEN
    stored = await door.world.rows("SELECT digest FROM refresh_token")
    assert tokens.refresh.encode() not in {digest for (digest,) in stored}


async def test_a_refresh_token_is_no_access_token(door: Door) -> None:
    await door.add()
    tokens = await door.log_in()
    assert await reason(door.enter(tokens.refresh)) is Refused.WRONG_KEY


async def test_a_suspended_account_is_stopped_at_once_and_goes_on_when_it_is_let(door: Door) -> None:
    await door.add()
    tokens = await door.log_in()
    await door.set_state(AccountState.SUSPENDED)
    assert await reason(door.enter(tokens)) is Refused.ACCOUNT_SUSPENDED
    assert await reason(door.refresh(tokens.refresh)) is Refused.ACCOUNT_SUSPENDED
    await door.set_state(AccountState.LOCKED)
    assert await reason(door.enter(tokens)) is Refused.ACCOUNT_LOCKED
    assert await reason(door.refresh(tokens.refresh)) is Refused.ACCOUNT_LOCKED
    await door.set_state(AccountState.ACTIVE)
    await door.enter(tokens)
    await door.enter(await door.refresh(tokens.refresh))


async def test_logging_out_ends_this_session_and_no_other(door: Door) -> None:
    await door.add()
    one, two = await door.log_in(), await door.log_in()
    await door.log_out(one)
    assert await reason(door.enter(one)) is Refused.WRONG_KEY
    assert await reason(door.refresh(one.refresh)) is Refused.WRONG_TOKEN
    await door.enter(two)


async def test_a_session_of_another_account_is_none(door: Door) -> None:
    """Signed or not: a session belongs to the account it was opened for."""
    await door.add()
    other = await door.add("other@example.com")
    tokens = await door.log_in()
    claims = await door.steps.read_access_token(tokens.access, door.clock.now())
    command = AdmitSession(other, claims.session_id, None, door.clock.now())
    async with door.world.database.connection() as connection:
        (result,) = await limits.admit_sessions(connection, [command])
    assert isinstance(result, Refusal)
    assert result.reason is Refused.WRONG_KEY


async def test_sessions_of_an_account_share_a_budget(door: Door) -> None:
    await door.add()
    await door.add("other@example.com")
    one, two = await door.log_in(), await door.log_in()
    other = await door.log_in(email="other@example.com")
    budget = Budget("quicksim", 3)
    await door.enter(one, budget)
    await door.enter(two, budget)
    await door.enter(one, budget)
    door.clock.turn(20)
    over = await refusal(door.enter(two, budget))
    assert (over.reason, over.facts) == (Refused.OVER_BUDGET, {"seconds": 40})
    await door.enter(other, budget)
    door.clock.turn(40)
    await door.enter(two, budget)


async def test_a_batch_of_sessions_is_judged_one_by_one(door: Door) -> None:
    await door.add()
    await door.add("other@example.com")
    one, two, other = await door.log_in(), await door.log_in(), await door.log_in(email="other@example.com")
    gone = await door.log_in()
    await door.log_out(gone)
    now, budget = door.clock.now(), Budget("quicksim", 2)
    claims = [
        await door.steps.read_access_token(tokens.access, now) for tokens in (one, gone, two, one, other)
    ]
    commands = [AdmitSession(claim.account_id, claim.session_id, budget, now) for claim in claims]
    async with door.world.database.connection() as connection:
        results = await limits.admit_sessions(connection, commands)
    reasons = [one.reason if isinstance(one, Refusal) else one.session_id for one in results]
    assert reasons == [
        claims[0].session_id,
        Refused.WRONG_KEY,
        claims[2].session_id,
        Refused.OVER_BUDGET,
        claims[4].session_id,
    ]


async def test_processes_share_one_key(door: Door, world: World, settings: Settings) -> None:
    await door.add()
    doors = [Door(world, world.database, settings, door.passwords) for _ in range(5)]
    tokens = await asyncio.gather(*(one.log_in() for one in doors))
    for one in doors:
        for each in tokens:
            await one.enter(each)


async def test_tokens_of_the_key_before_are_believed_until_they_run_out(
    door: Door, world: World, settings: Settings
) -> None:
    """By every process, those that had read the keys before included."""
    await door.add()
    other = Door(world, world.database, settings, door.passwords)
    before = await door.log_in()
    await other.enter(before)
    assert await door.rotate() == 2
    after = await door.log_in()
    assert key_id(before.access) == "1"
    assert key_id(after.access) == "2"
    for one in (door, other):
        await one.enter(before)
        await one.enter(after)
    door.clock.turn(DAY - 1)
    await other.enter(before)
    door.clock.turn(1)
    assert (await refusal(other.enter(before))).facts == {"expired": True}


async def test_after_a_rotation_at_once_only_new_tokens_are_believed(
    door: Door, world: World, settings: Settings
) -> None:
    await door.add()
    other = Door(world, world.database, settings, door.passwords)
    before = await door.log_in()
    await other.enter(before)
    await door.rotate(at_once=True)
    door.clock.turn(FRESH.total_seconds())
    assert await reason(door.enter(before)) is Refused.WRONG_KEY
    assert await reason(other.enter(before)) is Refused.WRONG_KEY
    after = await other.refresh(before.refresh)
    await door.enter(after)
    await other.enter(after)


async def test_nobody_is_given_a_token_of_a_key_that_was_dropped(door: Door) -> None:
    await door.add()
    await door.log_in()
    await door.rotate(at_once=True)
    assert key_id((await door.log_in()).access) == "2"


async def test_rotations_at_once_leave_a_key_that_all_agree_on(
    door: Door, world: World, settings: Settings
) -> None:
    await door.add()
    await asyncio.gather(*(door.rotate(at_once=place % 2 == 0) for place in range(6)))
    other = Door(world, world.database, settings, door.passwords)
    await other.enter(await door.log_in())
    assert await world.value("SELECT count(*) FROM audit WHERE action = 'token.key_rotated'") == 6


async def test_a_rotation_is_audited_without_the_key(door: Door, world: World) -> None:
    await door.rotate()
    await door.rotate(at_once=True)
    rows = await world.rows("SELECT actor, facts FROM audit WHERE action = 'token.key_rotated' ORDER BY id")
    assert rows == [
        ("test", {"key_id": 1, "at_once": False, "dropped": 0}),
        ("test", {"key_id": 2, "at_once": True, "dropped": 1}),
    ]


async def test_a_key_is_forgotten_when_nothing_it_signed_can_be_in_time(door: Door, world: World) -> None:
    await door.add()
    await door.log_in()
    await door.rotate()

    async def keys_after(seconds: float) -> list[int]:
        door.clock.turn(seconds)
        async with world.database.transaction() as tx:
            await service.forget(tx, access_seconds=DAY, now=door.clock.now(), limit=100)
        return [key_id for (key_id,) in await world.rows("SELECT id FROM token_key ORDER BY id")]

    assert await keys_after(DAY) == [1, 2]
    assert await keys_after(DAY) == [2]
    assert await keys_after(100 * DAY) == [2]


# Registering


async def test_whoever_registers_gets_a_mail_and_then_an_account(door: Door) -> None:
    await door.register(email=" Jane@Example.com ", name="  Jane\nDeveloper ")
    assert await reason(door.log_in()) is Refused.EMAIL_NOT_VERIFIED
    ((subject, body),) = await door.mails()
    assert subject == "Verify your email address"
    assert PASSWORD not in body
    await door.verify(await door.mailed_token())
    tokens = await door.log_in()
    assert (tokens.user.email, tokens.user.name) == (JANE, "Jane Developer")
    balance = await door.world.balance(tokens.user.id)
    assert (balance.currency, balance.available) == ("USD", 0)
    assert await door.world.value("SELECT role FROM account") == "buyer"


async def test_a_token_verifies_once_and_for_a_day(door: Door) -> None:
    await door.register()
    token = await door.mailed_token()
    for wrong in ("", "sm_", token + "x", token[:-1], "\ud800", "\0"):
        assert await reason(door.verify(wrong)) is Refused.WRONG_TOKEN
    assert await reason(door.reset(token)) is Refused.WRONG_TOKEN
    await door.verify(token)
    assert await reason(door.verify(token)) is Refused.WRONG_TOKEN
    await door.register(email="late@example.com")
    door.clock.turn(DAY)
    late = await door.mailed_token("late@example.com")
    assert await reason(door.verify(late)) is Refused.WRONG_TOKEN
    await door.register(email="late@example.com")
    await door.verify(await door.mailed_token("late@example.com"))
    await door.log_in(email="late@example.com")


async def test_nobody_learns_that_an_email_is_taken_but_its_owner(door: Door) -> None:
    await door.add()
    await door.register("somebody else's password")
    ((subject, body),) = await door.mails()
    assert subject == "You have an account already"
    assert "sm_" not in body
    await door.log_in()
    assert await reason(door.log_in("somebody else's password")) is Refused.WRONG_CREDENTIALS


async def test_the_token_decides_whose_password_holds(door: Door) -> None:
    """A stranger who registers with somebody's email, before or after him, does not choose his password."""
    await door.register("the stranger's password")
    await door.register("the owner's password")
    token = await door.mailed_token()
    await door.register("the stranger's password")
    assert await reason(door.log_in("the stranger's password")) is Refused.EMAIL_NOT_VERIFIED
    strangers = await door.mailed_token()
    await door.verify(token)
    assert await reason(door.log_in("the stranger's password")) is Refused.WRONG_CREDENTIALS
    await door.log_in("the owner's password")
    assert await reason(door.verify(strangers)) is Refused.WRONG_TOKEN


async def test_registering_at_once_opens_one_account(door: Door) -> None:
    assert await outcomes(*(door.register() for _ in range(4))) == {"done": 4}
    assert await door.world.value("SELECT count(*) FROM account") == 1
    assert await door.world.value("SELECT count(*) FROM wallet") == 1
    assert len(await door.mails()) == 4


async def test_nobodys_mailbox_is_flooded_through_us(door: Door) -> None:
    await door.add()
    for number in range(12):
        await (door.register() if number % 2 else door.ask_reset())
    assert len(await door.mails()) == 5
    await door.register(email="other@example.com")
    assert len(await door.mails("other@example.com")) == 1
    door.clock.turn(3600)
    await door.ask_reset()
    assert len(await door.mails()) == 6


@pytest.mark.parametrize("password", ["", "1234567", "x" * 201, "\U0001f4a9" * 201])
async def test_a_password_that_will_not_do(door: Door, password: str) -> None:
    for attempt in (door.register(password), door.reset("sm_unknown", password)):
        malformed = await refusal(attempt)
        assert malformed.reason is Refused.MALFORMED
        assert malformed.facts["problem"] == "The password must have 8 to 200 characters."
    assert await door.mails() == []


@pytest.mark.parametrize(
    "email", ["", "jane", "jane@", "@example.com", "a b@c.d", "a\n@b.c", "x" * 250 + "@b.c"]
)
async def test_an_email_that_is_none(door: Door, email: str) -> None:
    for attempt in (door.register(email=email), door.ask_reset(email)):
        assert await reason(attempt) is Refused.MALFORMED


@pytest.mark.parametrize(
    "email", ["ÄÖÜ@ÉXAMPLE.COM", "İ@x.y", "Σ@ΑΣ.gr", "ﬁ@x.y", "ẞ@x.y", "Ǆ@x.y", "\U00010400@x.y"]
)
async def test_letters_of_all_alphabets_have_one_spelling(door: Door, email: str) -> None:
    await door.register(email=email)
    (stored,) = await door.world.rows("SELECT email FROM account")
    await door.verify(await door.mailed_token(stored[0]))
    await door.log_in(email=email)


class TestClosed:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(registration_open=False, oidc_client_id=CLIENT_ID)

    async def test_operators_may_close_registration(self, door: Door) -> None:
        await door.add("known@example.com")
        assert await reason(door.register()) is Refused.REGISTRATION_CLOSED
        assert await reason(door.credential()) is Refused.REGISTRATION_CLOSED
        assert await door.world.value("SELECT count(*) FROM account") == 1
        await door.credential(email="known@example.com")


class TestSettings:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(
            registration_currency="NGN",
            verify_email_url="https://shop.example.com/verify?t={token}",
            reset_password_url="https://shop.example.com/reset/{token}",
        )

    async def test_operators_choose_currency_and_pages(self, door: Door) -> None:
        await door.register()
        account_id = await door.world.value("SELECT id FROM account")
        assert (await door.world.balance(account_id)).currency == "NGN"
        await door.ask_reset()
        verify, reset = [body for _, body in await door.mails()]
        link = re.search(r"^https://shop\.example\.com/verify\?t=(sm_[\w-]+)$", verify, re.MULTILINE)
        assert link is not None
        await door.verify(link[1])
        assert re.search(r"^https://shop\.example\.com/reset/sm_[\w-]+$", reset, re.MULTILINE)

    async def test_without_a_client_id_no_credential_is_taken(self, door: Door) -> None:
        assert await reason(door.credential()) is Refused.LOGIN_NOT_OFFERED


# Forgotten and changed passwords


async def test_whoever_reads_the_mail_chooses_the_password(door: Door) -> None:
    await door.add()
    tokens = await door.log_in()
    for _ in range(10):
        await refusal(door.log_in("wrong password"))
    await door.ask_reset(" JANE@example.com ")
    token = await door.mailed_token()
    assert await reason(door.verify(token)) is Refused.WRONG_TOKEN
    await door.reset(token)
    assert await reason(door.enter(tokens)) is Refused.WRONG_KEY
    assert await reason(door.refresh(tokens.refresh)) is Refused.WRONG_TOKEN
    assert await reason(door.log_in()) is Refused.WRONG_CREDENTIALS
    await door.log_in("a new password")
    assert await reason(door.reset(token, "another password")) is Refused.WRONG_TOKEN
    assert [subject for subject, _ in await door.mails()] == [
        "Reset your password",
        "Your password was changed",
    ]


async def test_a_reset_lasts_an_hour_and_ends_others(door: Door) -> None:
    await door.add()
    await door.ask_reset()
    first = await door.mailed_token()
    door.clock.turn(3600)
    assert await reason(door.reset(first)) is Refused.WRONG_TOKEN
    await door.ask_reset()
    second = await door.mailed_token()
    await door.ask_reset()
    await door.reset(await door.mailed_token())
    assert await reason(door.reset(second)) is Refused.WRONG_TOKEN


async def test_resets_at_once_with_one_token_choose_one_password(door: Door) -> None:
    await door.add()
    await door.ask_reset()
    token = await door.mailed_token()
    assert await outcomes(*(door.reset(token, f"password {n}") for n in range(4))) == {
        "done": 1,
        "wrong_token": 3,
    }


async def test_nobody_learns_whether_there_is_an_account_to_reset(door: Door) -> None:
    await door.ask_reset("nobody@example.com")
    assert await door.mails("nobody@example.com") == []


async def test_a_reset_verifies_the_email(door: Door) -> None:
    await door.register("the stranger's password")
    await door.ask_reset()
    await door.reset(await door.mailed_token())
    await door.log_in("a new password")


async def test_changing_the_password_ends_the_other_sessions(door: Door) -> None:
    await door.add()
    mine, other = await door.log_in(), await door.log_in()
    await door.ask_reset()
    token = await door.mailed_token()
    await door.change(mine)
    await door.enter(mine)
    await door.enter(await door.refresh(mine.refresh))
    assert await reason(door.enter(other)) is Refused.WRONG_KEY
    assert await reason(door.refresh(other.refresh)) is Refused.WRONG_TOKEN
    assert await reason(door.reset(token)) is Refused.WRONG_TOKEN
    assert await reason(door.log_in()) is Refused.WRONG_CREDENTIALS
    await door.log_in("a new password")
    assert (await door.mails())[-1][0] == "Your password was changed"


async def test_whoever_has_a_token_but_not_the_password_cannot_guess_it(door: Door) -> None:
    await door.add()
    tokens = await door.log_in()
    malformed = await refusal(door.change(tokens, new="short"))
    assert malformed.reason is Refused.MALFORMED
    for _ in range(10):
        assert await reason(door.change(tokens, "wrong password")) is Refused.WRONG_CREDENTIALS
    assert await reason(door.change(tokens)) is Refused.ACCOUNT_LOCKED
    assert await reason(door.log_in()) is Refused.ACCOUNT_LOCKED
    door.clock.turn(900)
    await door.change(tokens)


async def test_who_logs_in_by_credential_alone_has_no_password_to_change(door: Door) -> None:
    tokens = await door.credential()
    assert await reason(door.change(tokens, "")) is Refused.WRONG_CREDENTIALS
    await door.ask_reset()
    await door.reset(await door.mailed_token())
    await door.log_in("a new password")


# Credentials of another issuer


async def test_the_first_credential_opens_an_account(door: Door) -> None:
    tokens = await door.credential()
    assert (tokens.user.email, tokens.user.name) == (JANE, "Jane Developer")
    await door.enter(tokens)
    balance = await door.world.balance(tokens.user.id)
    assert (balance.currency, balance.available) == ("USD", 0)
    assert await reason(door.log_in("")) is Refused.WRONG_CREDENTIALS
    # From now on the issuer's own id counts, whatever becomes of the email.
    again = await door.credential(email="married@example.com", name="Jane Smith")
    assert again.user == tokens.user
    other = await door.credential(sub="another", email="other@example.com")
    assert other.user.id != tokens.user.id


async def test_a_credential_is_linked_to_the_account_with_its_verified_email(door: Door) -> None:
    account_id = await door.add()
    key = await door.world.issue_key(account_id)
    mine = await door.log_in()
    tokens = await door.credential(email="Jane@Example.com")
    assert tokens.user.id == account_id
    await door.enter(mine)
    await door.log_in()
    assert key
    assert await door.world.value("SELECT count(*) FROM account") == 1


async def test_an_account_nobody_verified_is_not_kept_by_who_registered_it(door: Door) -> None:
    """Else a stranger registers with an email, waits for its owner to come by credential, and shares the account."""
    await door.register("the stranger's password", name="Stranger")
    strangers = await door.mailed_token()
    tokens = await door.credential()
    assert tokens.user.name == "Jane Developer"
    assert await reason(door.log_in("the stranger's password")) is Refused.WRONG_CREDENTIALS
    assert await reason(door.verify(strangers)) is Refused.WRONG_TOKEN
    assert await door.world.value("SELECT count(*) FROM account") == 1
    assert await door.world.value("SELECT password_hash FROM account") is None


async def test_credentials_that_are_refused_leave_nothing_behind(door: Door) -> None:
    now = door.clock.now()
    for credential, wrong in [
        (door.issuer.credential(now, email_verified=False), Refused.EMAIL_NOT_VERIFIED),
        (door.issuer.credential(now, aud="another"), Refused.WRONG_CREDENTIALS),
        (door.issuer.credential(now, iss="https://evil.example.com"), Refused.WRONG_CREDENTIALS),
        (door.issuer.credential(now, key="stranger"), Refused.WRONG_CREDENTIALS),
        (door.issuer.credential(now, exp=int(now.timestamp())), Refused.WRONG_CREDENTIALS),
        ("garbage", Refused.WRONG_CREDENTIALS),
    ]:
        assert await reason(door.credential(credential)) is wrong
    assert await door.world.value("SELECT count(*) FROM account") == 0
    assert await door.world.value("SELECT count(*) FROM identity") == 0


async def test_a_suspended_account_is_no_more_open_to_credentials(door: Door) -> None:
    await door.credential()
    await door.set_state(AccountState.SUSPENDED)
    assert await reason(door.credential()) is Refused.ACCOUNT_SUSPENDED
    await door.add("known@example.com")
    await door.set_state(AccountState.SUSPENDED, "known@example.com")
    attempt = door.credential(sub="second", email="known@example.com")
    assert await reason(attempt) is Refused.ACCOUNT_SUSPENDED
    assert await door.world.value("SELECT count(*) FROM identity") == 1


async def test_credentials_at_once_open_one_account(door: Door) -> None:
    assert await outcomes(*(door.credential() for _ in range(10))) == {"done": 10}
    assert await door.world.value("SELECT count(*) FROM account") == 1
    assert await door.world.value("SELECT count(*) FROM session") == 10


async def test_a_credential_and_a_registration_at_once_open_one_account(door: Door) -> None:
    assert await outcomes(door.credential(), door.register(), door.credential()) == {"done": 3}
    assert await door.world.value("SELECT count(*) FROM account") == 1
    assert await door.world.value("SELECT email_verified_at IS NOT NULL FROM account")


# Secrets, and what is forgotten


async def test_secrets_are_neither_logged_nor_stored_nor_shown(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await door.register()
    mailed = await door.mailed_token()
    await door.verify(mailed)
    tokens = await door.log_in()
    renewed = await door.refresh(tokens.refresh)
    await refusal(door.refresh(tokens.refresh))
    for _ in range(11):
        await refusal(door.log_in("a wrong password"))
    secrets = [PASSWORD, "a wrong password", tokens.access, tokens.refresh, renewed.refresh]
    shown = caplog.text + repr([tokens, LogIn(JANE, PASSWORD, HOME, door.clock.now())])
    stored = ""
    for table in ("account", "session", "refresh_token", "mailed_token", "login_count", "audit"):
        stored += str(await door.world.rows(f"SELECT {table}::text FROM {table}"))
    for secret in secrets:
        assert secret not in shown
        assert secret not in stored
    assert mailed not in stored


async def test_what_is_over_is_forgotten(door: Door) -> None:
    await door.add()
    await door.log_in()
    await refusal(door.log_in("wrong password"))
    await door.ask_reset()
    door.clock.turn(31 * DAY)
    tokens = await door.log_in()
    async with door.world.database.transaction() as tx:
        assert await service.forget(tx, access_seconds=DAY, now=door.clock.now(), limit=100) == 1
        assert await service.forget(tx, access_seconds=DAY, now=door.clock.now(), limit=100) == 0
    await door.enter(tokens)
    assert await door.world.value("SELECT count(*) FROM refresh_token") == 1
    assert await door.world.value("SELECT count(*) FROM mailed_token") == 0


async def test_everything_at_once_ends_in_refusals_at_most(door: Door) -> None:
    """Logins, refreshes, changes and resets of one account in a heap: no deadlock, no error, no session too many."""
    await door.add()
    tokens = [await door.log_in() for _ in range(4)]
    await door.ask_reset()
    mailed = await door.mailed_token()
    counted = await outcomes(
        *(door.log_in() for _ in range(4)),
        *(door.log_in("wrong password") for _ in range(4)),
        *(door.refresh(one.refresh) for one in tokens for _ in range(2)),
        *(door.change(one, new=f"password {n}") for n, one in enumerate(tokens)),
        *(door.credential() for _ in range(3)),
        *(door.log_out(one) for one in tokens[:2]),
        door.reset(mailed, "the last password"),
        door.ask_reset(),
    )
    assert counted["wrong_credentials"] >= 4
    assert set(counted) <= {"done", "wrong_credentials", "wrong_token", "wrong_key", "busy"}
    await door.ask_reset()
    await door.reset(await door.mailed_token(), "the very last password")
    assert await door.world.value("SELECT count(*) FROM session WHERE ended_at IS NULL") == 0
    await door.log_in("the very last password")
