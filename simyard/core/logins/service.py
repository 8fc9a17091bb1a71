"""Verbs about logins, each one step in one transaction. What lies between the steps is in `workers/logins.py`.

A verb whose refusal must leave something behind (a count, an ended session) returns it instead of raising it.
"""

from __future__ import annotations

import logging
import secrets
from datetime import datetime, timedelta

import asyncpg

from simyard.base.ids import AccountId, SessionId, TokenKeyId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import rules as account_rules
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AddAccount, Role
from simyard.core.audit import service as audit
from simyard.core.logins import mails, rules, store, tokens
from simyard.core.logins.model import (
    Ending,
    Identity,
    Login,
    LogOut,
    OpenedSession,
    Purpose,
    Throttle,
    TokenKey,
    User,
)
from simyard.core.logins.store import MailedToken
from simyard.core.mail import service as mail
from simyard.core.wallet import service as wallet
from simyard.db.database import Tx

log = logging.getLogger(__name__)

# Clocks of several machines differ, and who signs may have read the keys just before another came.
_KEY_MARGIN = timedelta(hours=1)

# Keys of access tokens


async def token_keys(tx: Tx, *, now: datetime) -> list[TokenKey]:
    """The keys whose tokens are believed; the last signs. The first to ask makes one."""
    return await store.token_keys(tx) or [await _new_token_key(tx, now)]


async def rotate_token_key(tx: Tx, *, at_once: bool, actor: str, now: datetime) -> TokenKeyId:
    """Sign access tokens with another key from now on.

    Tokens of the keys before it are believed until they run out; `at_once`, none is any more. Sessions go on either way: a
    refresh token gets its owner a token of the new key. Each call makes a key.
    """
    key = await _new_token_key(tx, now)
    dropped = await store.delete_token_keys_before(tx, key_id=key.id) if at_once else 0
    facts: dict[str, object] = {"key_id": key.id, "at_once": at_once, "dropped": dropped}
    await audit.record(tx, actor=actor, action="token.key_rotated", facts=facts, now=now)
    return key.id


async def _new_token_key(tx: Tx, now: datetime) -> TokenKey:
    return await store.insert_token_key(tx, value=secrets.token_bytes(tokens.KEY_BYTES), now=now)


# Who may try


async def count_attempt(tx: Tx, *, address: str, throttle: Throttle, now: datetime) -> None:
    """Let an address knock without a token, so many times a minute. Refuses: OVER_BUDGET (`seconds`)."""
    subject = rules.attempts_of(address)
    if subject is None:
        return
    known = await store.count_one(tx, subject=subject, most=None, window_seconds=60, lock_seconds=60, now=now)
    if known.count > throttle.address_attempts_per_minute:
        raise Refusal(Refused.OVER_BUDGET, seconds=rules.seconds_until(known.ends_at, now))


async def find_login(tx: Tx, *, email: str, address: str, throttle: Throttle, now: datetime) -> Login | None:
    """The account of an email, or None, when another password may be tried for it from here.

    Refuses, first match wins: ACCOUNT_LOCKED (`seconds`; whether or not there is such an account), OVER_BUDGET
    (`seconds`; too many failures from the address).
    """
    until = await store.locked_until(tx, subject=rules.of_email(email), most=throttle.failures_max, now=now)
    if until is not None:
        raise Refusal(Refused.ACCOUNT_LOCKED, seconds=rules.seconds_until(until, now))
    subject = rules.of_address(address)
    if subject is not None:
        until = await store.locked_until(tx, subject=subject, most=throttle.address_failures_max, now=now)
        if until is not None:
            raise Refusal(Refused.OVER_BUDGET, seconds=rules.seconds_until(until, now))
    return await store.find_login(tx, email=email)


async def _judge_guess(
    tx: Tx,
    *,
    email: str,
    login: Login | None,
    address: str,
    matched: bool,
    throttle: Throttle,
    now: datetime,
) -> Refusal | None:
    """Count a wrong password; tell nothing about any once there were too many.

    The lock is looked at again here, behind the row that is counted in, so that however many guesses are under way at
    once, no more are answered than may fail.
    """
    subject = rules.of_email(email)
    known = await store.lock_count(tx, subject=subject, now=now)
    if known is not None and known.count >= throttle.failures_max:
        return Refusal(Refused.ACCOUNT_LOCKED, seconds=rules.seconds_until(known.ends_at, now))
    if matched:
        return None
    counted = await store.count_one(
        tx,
        subject=subject,
        most=throttle.failures_max,
        window_seconds=rules.FAILURES_WINDOW_SECONDS,
        lock_seconds=throttle.lock_seconds,
        now=now,
    )
    if counted.count > throttle.failures_max:
        # The row was not there yet when it was looked at, and others were faster.
        return Refusal(Refused.ACCOUNT_LOCKED, seconds=rules.seconds_until(counted.ends_at, now))
    if counted.count == throttle.failures_max:
        await _tell_of_lock(tx, login, throttle, now)
    from_address = rules.of_address(address)
    if from_address is not None:
        await store.count_one(
            tx,
            subject=from_address,
            most=throttle.address_failures_max,
            window_seconds=throttle.lock_seconds,
            lock_seconds=throttle.lock_seconds,
            now=now,
        )
    return Refusal(Refused.WRONG_CREDENTIALS)


async def _tell_of_lock(tx: Tx, login: Login | None, throttle: Throttle, now: datetime) -> None:
    """Operators see it in the log, and in the audit log which account it is, if it is one."""
    log.warning("too many failed logins of one email: locked for %d s", throttle.lock_seconds)
    if login is not None:
        facts: dict[str, object] = {"account_id": login.id, "seconds": throttle.lock_seconds}
        await audit.record(
            tx, actor=f"account:{login.id}", action="account.logins_locked", facts=facts, now=now
        )


async def unlock(tx: Tx, email: str) -> bool:
    """Open logins of an account that failures have locked; whether any were counted."""
    return await store.forget_count(tx, subject=rules.of_email(account_rules.normal_email(email) or email))


# Sessions


async def open_session(
    tx: Tx,
    *,
    email: str,
    address: str,
    login: Login | None,
    matched: bool,
    rehashed: str | None,
    throttle: Throttle,
    refresh_seconds: int,
    now: datetime,
) -> OpenedSession | Refusal | None:
    """Log in with a password that was verified against `login`; None when that changed meanwhile.

    Refuses, first match wins: ACCOUNT_LOCKED (`seconds`), WRONG_CREDENTIALS (counted), EMAIL_NOT_VERIFIED,
    ACCOUNT_SUSPENDED, ACCOUNT_LOCKED. A success ends the row of failures. Locks: the email's count, the account.
    """
    refusal = await _judge_guess(
        tx,
        email=email,
        login=login,
        address=address,
        matched=matched and login is not None,
        throttle=throttle,
        now=now,
    )
    if refusal is not None or login is None:
        return refusal
    current = await store.lock_login(tx, account_id=login.id)
    if current is None or current.password_hash != login.password_hash:
        return None
    if not current.verified:
        return Refusal(Refused.EMAIL_NOT_VERIFIED)
    refusal = rules.judge_state(current.state)
    if refusal is not None:
        return refusal
    await store.forget_count(tx, subject=rules.of_email(email))
    if rehashed is not None:
        await store.set_password(tx, account_id=current.id, password_hash=rehashed)
    return await _open(tx, current.user, refresh_seconds, now)


async def _open(tx: Tx, user: User, refresh_seconds: int, now: datetime) -> OpenedSession:
    expires_at = now + timedelta(seconds=refresh_seconds)
    session_id = await store.insert_session(tx, account_id=user.id, expires_at=expires_at, now=now)
    token = rules.new_refresh_token()
    await store.insert_refresh_token(
        tx, digest=rules.digest(token), session_id=session_id, expires_at=expires_at
    )
    return OpenedSession(session_id, user, token)


async def refresh(
    tx: Tx, refresh_token: str, *, refresh_seconds: int, now: datetime
) -> OpenedSession | Refusal:
    """Use a refresh token up for another one of the same session.

    Refuses, first match wins: WRONG_TOKEN (unknown, of a session that ended, run out; or used before, which ends the
    session: the owner or the thief came second), ACCOUNT_SUSPENDED, ACCOUNT_LOCKED. Locks: the session, the token.
    """
    row = await store.lock_refresh_token(tx, digest=rules.digest(refresh_token))
    if row is None or row.ended_at is not None:
        return Refusal(Refused.WRONG_TOKEN)
    if row.used_at is not None:
        await store.end_session(
            tx,
            account_id=row.account_id,
            session_id=row.session_id,
            because=Ending.REFRESH_REUSED,
            now=now,
        )
        facts: dict[str, object] = {"account_id": row.account_id, "session_id": row.session_id}
        await audit.record(
            tx, actor=f"account:{row.account_id}", action="session.refresh_reused", facts=facts, now=now
        )
        return Refusal(Refused.WRONG_TOKEN)
    if row.expires_at <= now:
        return Refusal(Refused.WRONG_TOKEN)
    login = await store.find_login_of(tx, account_id=row.account_id)
    refusal = rules.judge_state(login.state)
    if refusal is not None:
        return refusal
    if not await store.use_refresh_token(tx, digest=rules.digest(refresh_token), now=now):
        return Refusal(Refused.WRONG_TOKEN)
    expires_at = now + timedelta(seconds=refresh_seconds)
    token = rules.new_refresh_token()
    await store.insert_refresh_token(
        tx, digest=rules.digest(token), session_id=row.session_id, expires_at=expires_at
    )
    await store.prolong_session(tx, session_id=row.session_id, expires_at=expires_at)
    return OpenedSession(row.session_id, login.user, token)


async def log_out(tx: Tx, command: LogOut) -> None:
    """End a session: its tokens are worth nothing from now on. A repeat changes nothing."""
    await store.end_session(
        tx,
        account_id=command.account_id,
        session_id=command.session_id,
        because=Ending.LOGGED_OUT,
        now=command.now,
    )


# Registering


async def register(
    tx: Tx, *, email: str, name: str, password_hash: str, currency: str, link: str, now: datetime
) -> None:
    """Open a buyer's account with an empty wallet, to be used once its email is verified; a mail tells how.

    What the caller is told never depends on whether there is such an account: its owner gets another mail. The
    password counts only for whoever uses the token sent with it. Refuses: EMAIL_TAKEN when a twin was
    faster; a second try finds its account.
    """
    known = await store.lock_login_by_email(tx, email=email)
    if known is not None and known.verified:
        if await _may_mail(tx, email, now):
            await mail.enqueue(tx, email, *mails.known_already(), now)
        return
    if known is None:
        command = AddAccount(email, Role.BUYER, password_hash, name=name, verified=False)
        added = await accounts.add_account(tx, command, now=now)
        await wallet.open_wallet(tx, added.id, currency)
        account_id = added.id
    else:
        account_id = known.id
        # Nobody can log in with it; it lets the latest to register be told what is missing.
        await store.set_password(tx, account_id=account_id, password_hash=password_hash)
    if await _may_mail(tx, email, now):
        chosen = MailedToken(password_hash, name)
        token = await _mailed_token(tx, account_id, Purpose.VERIFY_EMAIL, chosen, rules.VERIFY_SECONDS, now)
        await mail.enqueue(tx, email, *mails.verify_email(token, link), now)


async def _may_mail(tx: Tx, email: str, now: datetime) -> bool:
    """So many mails an hour that anybody can cause, and no more: nobody's mailbox is flooded through us."""
    seconds = rules.MAILS_WINDOW_SECONDS
    counted = await store.count_one(
        tx,
        subject=rules.mails_to(email),
        most=None,
        window_seconds=seconds,
        lock_seconds=seconds,
        now=now,
    )
    return counted.count <= rules.MAILS_MAX


async def _mailed_token(
    tx: Tx, account_id: AccountId, purpose: Purpose, chosen: MailedToken, seconds: int, now: datetime
) -> str:
    token = rules.new_mailed_token()
    await store.insert_mailed_token(
        tx,
        digest=rules.digest(token),
        account_id=account_id,
        purpose=purpose,
        chosen=chosen,
        expires_at=now + timedelta(seconds=seconds),
    )
    return token


async def verify_email(tx: Tx, token: str, *, now: datetime) -> None:
    """The owner of an address confirms his registration: the password and name it was made with hold from now on.

    Refuses: WRONG_TOKEN (unknown, used, run out, or of an address that was verified since).
    """
    digest = rules.digest(token)
    purpose = Purpose.VERIFY_EMAIL
    account_id = await store.owner_of_mailed_token(tx, digest=digest, purpose=purpose, now=now)
    if account_id is not None:
        await store.lock_login(tx, account_id=account_id)
        taken = await store.take_mailed_token(tx, digest=digest, purpose=purpose, now=now)
        if taken is not None:
            await store.set_password(tx, account_id=account_id, password_hash=taken.password_hash)
            await store.set_name(tx, account_id=account_id, name=taken.name or "")
            await store.mark_verified(tx, account_id=account_id, now=now)
            await store.delete_mailed_tokens(tx, account_id=account_id)
            return
    raise Refusal(Refused.WRONG_TOKEN)


# Passwords


async def request_reset(tx: Tx, *, email: str, link: str, now: datetime) -> None:
    """Mail a token that lets its reader choose a new password. Whether there is such an account stays untold.

    Locks the account, so that no token is made for one that is being erased.
    """
    known = await store.lock_login_by_email(tx, email=email)
    if known is not None and await _may_mail(tx, email, now):
        nothing = MailedToken(None, None)
        token = await _mailed_token(tx, known.id, Purpose.RESET_PASSWORD, nothing, rules.RESET_SECONDS, now)
        await mail.enqueue(tx, email, *mails.reset_password(token, link), now)


async def reset_password(tx: Tx, token: str, *, password_hash: str, now: datetime) -> None:
    """Whoever reads the account's mail chooses its password: every session ends, and failures are forgotten.

    Refuses: WRONG_TOKEN. Having read the mail also verifies the address.
    """
    digest = rules.digest(token)
    purpose = Purpose.RESET_PASSWORD
    account_id = await store.owner_of_mailed_token(tx, digest=digest, purpose=purpose, now=now)
    if account_id is None:
        raise Refusal(Refused.WRONG_TOKEN)
    email = (await store.find_login_of(tx, account_id=account_id)).email
    await store.forget_count(tx, subject=rules.of_email(email))
    await store.lock_login(tx, account_id=account_id)
    if await store.take_mailed_token(tx, digest=digest, purpose=purpose, now=now) is None:
        raise Refusal(Refused.WRONG_TOKEN)
    await store.mark_verified(tx, account_id=account_id, now=now)
    await _change_password(tx, account_id, email, password_hash, None, now)


async def change_password(
    tx: Tx,
    *,
    login: Login,
    session_id: SessionId,
    matched: bool,
    password_hash: str,
    address: str,
    throttle: Throttle,
    now: datetime,
) -> Refusal | None:
    """Set a new password after the old one was judged; the other sessions end.

    Refuses, first match wins: ACCOUNT_LOCKED (`seconds`), WRONG_CREDENTIALS (counted as a failed login is; also when the
    password changed meanwhile).
    """
    refusal = await _judge_guess(
        tx,
        email=login.email,
        login=login,
        address=address,
        matched=matched,
        throttle=throttle,
        now=now,
    )
    if refusal is not None:
        return refusal
    current = await store.lock_login(tx, account_id=login.id)
    if current is None or current.password_hash != login.password_hash:
        return Refusal(Refused.WRONG_CREDENTIALS)
    await store.forget_count(tx, subject=rules.of_email(login.email))
    await _change_password(tx, login.id, login.email, password_hash, session_id, now)
    return None


async def _change_password(
    tx: Tx,
    account_id: AccountId,
    email: str,
    password_hash: str,
    session_id: SessionId | None,
    now: datetime,
) -> None:
    await store.set_password(tx, account_id=account_id, password_hash=password_hash)
    await store.delete_mailed_tokens(tx, account_id=account_id)
    await store.end_sessions(
        tx, account_id=account_id, except_id=session_id, because=Ending.PASSWORD_CHANGED, now=now
    )
    await audit.record(
        tx,
        actor=f"account:{account_id}",
        action="account.password_changed",
        facts={"account_id": account_id},
        now=now,
    )
    await mail.enqueue(tx, email, *mails.password_changed(), now)


# Other issuers


async def open_session_of(
    tx: Tx,
    identity: Identity,
    *,
    registration_open: bool,
    currency: str,
    refresh_seconds: int,
    now: datetime,
) -> OpenedSession:
    """Log in whoever another issuer vouches for; the first time, find or open his account.

    An account whose email its owner has verified is linked. One that was registered with the email but never verified is
    claimed: whatever was set up by whoever registered it (his password, his tokens) is worth nothing from now on.
    Refuses, first match wins: REGISTRATION_CLOSED, ACCOUNT_SUSPENDED, ACCOUNT_LOCKED; EMAIL_TAKEN when a twin was faster: a
    second try finds what it made.
    """
    account_id = await store.account_of_identity(tx, issuer=identity.issuer, subject=identity.subject)
    if account_id is None:
        login = await _account_for(
            tx, identity, registration_open=registration_open, currency=currency, now=now
        )
    else:
        # Locked, so that no session is opened of an account that is being erased.
        await store.lock_login(tx, account_id=account_id)
        login = await store.find_login_of(tx, account_id=account_id)
    refusal = rules.judge_state(login.state)
    if refusal is not None:
        raise refusal
    return await _open(tx, login.user, refresh_seconds, now)


async def _account_for(
    tx: Tx, identity: Identity, *, registration_open: bool, currency: str, now: datetime
) -> Login:
    known = await store.lock_login_by_email(tx, email=identity.email)
    if known is None:
        if not registration_open:
            raise Refusal(Refused.REGISTRATION_CLOSED)
        command = AddAccount(identity.email, Role.BUYER, None, name=identity.name, verified=True)
        added = await accounts.add_account(tx, command, now=now)
        await wallet.open_wallet(tx, added.id, currency)
        account_id = added.id
    else:
        account_id = known.id
        refusal = rules.judge_state(known.state)
        if refusal is not None:
            raise refusal
        if not known.verified:
            await store.set_password(tx, account_id=account_id, password_hash=None)
            await store.set_name(tx, account_id=account_id, name=identity.name)
            await store.delete_mailed_tokens(tx, account_id=account_id)
            await store.end_sessions(
                tx, account_id=account_id, except_id=None, because=Ending.ACCOUNT_CLAIMED, now=now
            )
            await store.mark_verified(tx, account_id=account_id, now=now)
    try:
        await store.insert_identity(
            tx, issuer=identity.issuer, subject=identity.subject, account_id=account_id, now=now
        )
    except asyncpg.UniqueViolationError as error:
        raise Refusal(Refused.EMAIL_TAKEN) from error
    await audit.record(
        tx,
        actor=f"account:{account_id}",
        action="account.identity_linked",
        facts={"account_id": account_id, "issuer": identity.issuer},
        now=now,
    )
    return await store.find_login_of(tx, account_id=account_id)


# Erasing


async def erase(tx: Tx, account_id: AccountId, email: str) -> None:
    """Forget every way in: sessions, mailed tokens, identities of other issuers, and what is counted by the email.

    Only part of an erasure (`core/erasure`), which has unlocked the email and locked the account.
    """
    await store.delete_sessions(tx, account_id=account_id)
    await store.delete_mailed_tokens(tx, account_id=account_id)
    await store.delete_identities(tx, account_id=account_id)
    await store.forget_count(tx, subject=rules.mails_to(email))


# Upkeep


async def forget(tx: Tx, *, access_seconds: int, now: datetime, limit: int) -> int:
    """Drop counts, mailed tokens, keys of access tokens and sessions whose time is over; returns how many sessions."""
    await store.forget_token_keys(tx, before=now - timedelta(seconds=access_seconds) - _KEY_MARGIN)
    await store.forget_counts(tx, now=now)
    await store.forget_mailed_tokens(tx, now=now)
    return await store.forget_sessions(tx, now=now, limit=limit)
