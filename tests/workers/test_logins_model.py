"""Sessions against a small model: whatever is done in whatever order, both agree on which tokens are let in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from simyard.base.clock import ManualClock
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import AccountState
from simyard.core.logins.model import Tokens
from simyard.db.database import Database
from simyard.settings import Settings
from simyard.workers.logins import Passwords
from tests.conftest import START
from tests.core.logins.issuer import CLIENT_ID
from tests.passwords import quick_passwords
from tests.workers.test_logins import Door
from tests.world import World

__all__ = ["quick_passwords"]

Result = TypeVar("Result")

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600
FAILURES: Final = 3
LOCK: Final = 15 * MINUTE
SESSIONS: Final = 5
SETTINGS: Final = Settings(
    oidc_client_id=CLIENT_ID,
    login_failures_max=FAILURES,
    login_address_failures_max=1_000_000,
    rate_limit_scale=1_000_000,
)


@dataclass
class Held:
    """A session as the model knows it: every pair of tokens it was given, and when."""

    given: list[tuple[Tokens, float]] = field(default_factory=list)
    ended: bool = False

    def enters(self, place: int, now: float) -> bool:
        # The session itself lasts as long as its newest refresh token.
        return not self.ended and now < self.given[place][1] + DAY and self.refreshes(now)

    def refreshes(self, now: float) -> bool:
        return not self.ended and now < self.given[-1][1] + 30 * DAY


class SessionMachine(RuleBasedStateMachine):
    """Every example has an account of its own in one shared database."""

    runner: ClassVar[asyncio.Runner]
    door: ClassVar[Door]
    accounts: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).accounts += 1
        self.email = f"user{self.accounts}@example.com"
        self.password = "the first password"
        self.sessions: list[Held] = []
        self.failures = 0
        self.failing_since = 0.0
        self.locked_until = 0.0
        self.suspended = False
        self.changes = 0
        self.run(self.door.add(self.email, self.password))

    def run(self, doing: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(doing)

    def refused(self, doing: Coroutine[Any, Any, object]) -> Refused | None:
        try:
            self.run(doing)
        except Refusal as refusal:
            return refusal.reason
        return None

    @property
    def now(self) -> float:
        return self.door.clock.now().timestamp()

    # What may happen

    @precondition(lambda self: len(self.sessions) < SESSIONS)
    @rule()
    def log_in(self) -> None:
        if self.now < self.locked_until:
            assert self.refused(self.attempt(self.password)) is Refused.ACCOUNT_LOCKED
        elif self.suspended:
            assert self.refused(self.attempt(self.password)) is Refused.ACCOUNT_SUSPENDED
        else:
            self.sessions.append(Held([(self.run(self.attempt(self.password)), self.now)]))
            self.failures = 0

    @rule()
    def log_in_with_the_wrong_password(self) -> None:
        reason = self.refused(self.attempt("not the password"))
        self.fail(reason)

    def fail(self, reason: Refused | None) -> None:
        if self.now < self.locked_until:
            assert reason is Refused.ACCOUNT_LOCKED
            return
        assert reason is Refused.WRONG_CREDENTIALS
        over = self.locked_until if self.failures >= FAILURES else self.failing_since + DAY
        if self.failures == 0 or self.now >= over:
            self.failures, self.failing_since = 0, self.now
        self.failures += 1
        if self.failures == FAILURES:
            self.locked_until = self.now + LOCK

    def attempt(self, password: str) -> Coroutine[Any, Any, Tokens]:
        return self.door.log_in(password, email=self.email)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def refresh(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(self.sessions))
        tokens, _ = session.given[-1]
        if not session.refreshes(self.now):
            assert self.refused(self.door.refresh(tokens.refresh)) is Refused.WRONG_TOKEN
        elif self.suspended:
            assert self.refused(self.door.refresh(tokens.refresh)) is Refused.ACCOUNT_SUSPENDED
        else:
            session.given.append((self.run(self.door.refresh(tokens.refresh)), self.now))

    @precondition(lambda self: any(len(session.given) > 1 for session in self.sessions))
    @rule(data=st.data())
    def refresh_with_a_used_token(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from([one for one in self.sessions if len(one.given) > 1]))
        tokens, _ = data.draw(st.sampled_from(session.given[:-1]))
        assert self.refused(self.door.refresh(tokens.refresh)) is Refused.WRONG_TOKEN
        session.ended = True

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def log_out(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(self.sessions))
        if self.lets_in(session):
            self.run(self.door.log_out(session.given[-1][0]))
            session.ended = True

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), right=st.booleans())
    def change_the_password(self, data: st.DataObject, right: bool) -> None:
        session = data.draw(st.sampled_from(self.sessions))
        if not self.lets_in(session):
            return
        new = self.new_password()
        doing = self.door.change(session.given[-1][0], self.password if right else "not the password", new)
        if not right or self.now < self.locked_until:
            self.fail(self.refused(doing))
            return
        self.run(doing)
        self.password, self.failures = new, 0
        for other in self.sessions:
            other.ended = other.ended or other is not session

    @rule()
    def reset_the_password(self) -> None:
        before = len(self.run(self.door.mails(self.email)))
        self.run(self.door.ask_reset(self.email))
        if len(self.run(self.door.mails(self.email))) == before:
            # So many an hour, and no more.
            return
        new = self.new_password()
        self.run(self.door.reset(self.run(self.door.mailed_token(self.email)), new))
        self.password, self.failures, self.locked_until = new, 0, 0.0
        for session in self.sessions:
            session.ended = True

    def new_password(self) -> str:
        self.changes += 1
        return f"password number {self.changes}"

    @rule(state=st.sampled_from([AccountState.SUSPENDED, AccountState.ACTIVE]))
    def suspend_or_activate(self, state: AccountState) -> None:
        self.run(self.door.set_state(state, self.email))
        self.suspended = state is AccountState.SUSPENDED

    @rule(seconds=st.sampled_from([1, 10 * MINUTE, LOCK, HOUR, DAY - 1, DAY, 29 * DAY]))
    def time_passes(self, seconds: int) -> None:
        self.door.clock.turn(seconds)

    # What must hold

    def lets_in(self, session: Held) -> bool:
        return not self.suspended and session.enters(len(session.given) - 1, self.now)

    @invariant()
    def tokens_are_let_in_as_the_model_says(self) -> None:
        for session in self.sessions:
            for place, (tokens, _) in enumerate(session.given[-3:], start=max(0, len(session.given) - 3)):
                reason = self.refused(self.door.enter(tokens))
                if not session.enters(place, self.now):
                    assert reason is Refused.WRONG_KEY
                else:
                    assert reason is (Refused.ACCOUNT_SUSPENDED if self.suspended else None)


def test_sessions_and_their_model_agree(database_url: str) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(Database.connect(database_url, connections_max=2))
        passwords = Passwords()
        world = runner.run(World.create(database, ManualClock(START)))
        SessionMachine.runner = runner
        SessionMachine.door = Door(world, database, SETTINGS, passwords)
        try:
            run_state_machine_as_test(
                SessionMachine,
                settings=settings(
                    max_examples=60,
                    stateful_step_count=30,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            passwords.close()
            runner.run(database.close())
