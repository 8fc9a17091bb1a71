"""The database: a pool of connections, and the transactions everything runs in."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import parse_qs, urlsplit

import asyncpg
import asyncpg.pool
import asyncpg.transaction
import msgspec

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# A connection inside a transaction. Verbs and queries receive one; they never open or end it.
Tx: TypeAlias = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

SERVER_VERSION_MIN: Final = 15
# serialization_failure and deadlock_detected: the server chose this transaction as the victim; the next try may win.
WORTH_ANOTHER_TRY: Final = frozenset({"40001", "40P01"})
TRIES_MAX: Final = 4
STATEMENT_SECONDS_MAX: Final = 30
IDLE_IN_TRANSACTION_SECONDS_MAX: Final = 30
# A server that went away without a word must not hold a caller for ever. Longer than the server's own limit, so
# that a slow statement is ended by the server, with its reason, and only a silent server is given up on here.
ANSWER_SECONDS_MAX: Final = 45
CONNECT_SECONDS_MAX: Final = 10


class DatabaseUnusable(Exception):
    """The server cannot be reached, does not let us in, or is too old."""


class RolledBack(Exception):
    """The transaction was told to commit and rolled back, because a statement in it had failed and was ignored."""


class _Connection(asyncpg.Connection):
    """A connection on which a commit that turned into a rollback is an error, not a success."""

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:
        status = await super().execute(query, *args, timeout=timeout)
        if status == "ROLLBACK" and query == "COMMIT;":
            raise RolledBack("a failed statement was ignored, so nothing was committed")
        return status


class Database:
    """Connections to one database, handed out one transaction at a time."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        connections_min: int = 1,
        connections_max: int = 10,
        synchronous_commit: bool = True,
        application_name: str = "simyard",
    ) -> Database:
        """Opens the pool. Raises DatabaseUnusable when the server cannot serve us.

        With `synchronous_commit` off, a crash of the server may lose the last fraction of a second: for work that
        can be repeated, never for money or messages. Left on, the server's own setting stays.
        """
        server_settings = {
            "application_name": application_name,
            "timezone": "UTC",
            "default_transaction_isolation": "read committed",
            "statement_timeout": f"{STATEMENT_SECONDS_MAX}s",
            "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS_MAX}s",
            # Compiling a plan costs more than any of our statements runs.
            "jit": "off",
        }
        if not synchronous_commit:
            server_settings["synchronous_commit"] = "off"
        pool = None
        try:
            pool = asyncpg.create_pool(
                url,
                min_size=connections_min,
                max_size=connections_max,
                connection_class=_Connection,
                init=_set_codecs,
                reset=_keep_session,
                timeout=CONNECT_SECONDS_MAX,
                command_timeout=ANSWER_SECONDS_MAX,
                # Every statement is one of ours and short-lived text is rare, so prepared statements are kept.
                statement_cache_size=1024,
                max_cached_statement_lifetime=0,
                max_cacheable_statement_size=0,
                server_settings=server_settings,
            )
            await pool
            async with pool.acquire() as connection:
                version = connection.get_server_version()
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if pool is not None:
                pool.terminate()
            raise DatabaseUnusable(f"cannot use the database at {location(url)}: {reason(error)}") from error
        if version.major < SERVER_VERSION_MIN:
            await pool.close()
            raise DatabaseUnusable(
                f"the database at {location(url)} is PostgreSQL {version.major}; "
                f"Simyard needs {SERVER_VERSION_MIN} or newer"
            )
        return cls(pool)

    def transaction(self) -> AbstractAsyncContextManager[Tx]:
        """A READ COMMITTED transaction: commits at the end of the block, rolls back when the block raises."""
        return _Transaction(self._pool)

    async def run(self, work: Callable[[Tx], Awaitable[Result]]) -> Result:
        """Does work in a transaction of its own, again when the server broke it to resolve a conflict."""
        tries = 1
        while True:
            try:
                async with self.transaction() as tx:
                    return await work(tx)
            except asyncpg.PostgresError as error:
                if error.sqlstate not in WORTH_ANOTHER_TRY or tries == TRIES_MAX:
                    raise
                tries += 1

    def connection(self) -> AbstractAsyncContextManager[Tx]:
        """A connection on which each statement commits by itself: for a block of one statement."""
        return self._pool.acquire()

    async def __aenter__(self) -> Database:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Waits for the running transactions, then closes every connection."""
        await self._pool.close()


class _Transaction:
    """One transaction on a connection of the pool."""

    __slots__ = ("_connection", "_pool", "_transaction")

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Tx:
        connection = await self._pool.acquire()
        self._transaction = connection.transaction()
        try:
            await self._transaction.start()
        except BaseException:
            await self._pool.release(connection)
            raise
        self._connection = connection
        return connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self._transaction.commit()
            else:
                await self._roll_back()
        finally:
            await self._pool.release(self._connection)

    async def _roll_back(self) -> None:
        try:
            await self._transaction.rollback()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # The connection is gone, and the transaction with it. What made the block fail is the news.
            log.debug("rollback on a broken connection: %s", error)


async def _set_codecs(connection: Tx) -> None:
    """Makes jsonb and json columns plain Python values."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_encode_jsonb, decoder=_decode_jsonb, format="binary"
    )
    await connection.set_type_codec(
        "json", schema="pg_catalog", encoder=msgspec.json.encode, decoder=msgspec.json.decode, format="binary"
    )


def _encode_jsonb(value: object) -> bytes:
    # The binary form of jsonb is a version byte, then the text.
    return b"\x01" + msgspec.json.encode(value)


def _decode_jsonb(value: bytes) -> Any:
    return msgspec.json.decode(memoryview(value)[1:])


async def _keep_session(connection: Tx) -> None:
    """Resets nothing when a connection goes back to the pool, which saves a round trip each time.

    Safe because no statement of ours changes the session: settings are set with SET LOCAL, advisory locks are held
    by transactions, cursors live in them, and only the Listener, which has a connection of its own, listens. An open
    transaction is rolled back by asyncpg before this is called.
    """


def location(url: str) -> str:
    """Where a database URL points, without its user and password."""
    try:
        parts = urlsplit(url)
        database = parts.path.removeprefix("/")
        host = parts.hostname or parse_qs(parts.query).get("host", ["a local socket"])[0]
        return f"{host}{f':{parts.port}' if parts.port else ''}, database {database or '(default)'}"
    except ValueError:
        return "a malformed URL"


def reason(error: BaseException) -> str:
    """Why the server could not be used, also for errors that say nothing."""
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_SECONDS_MAX} s"
    return str(error) or type(error).__name__
