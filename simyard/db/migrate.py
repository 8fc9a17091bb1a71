"""Migrations: numbered SQL files, applied in order and only forwards; and the schema they add up to."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import asyncpg

from simyard.db import embedded
from simyard.db.database import CONNECT_SECONDS_MAX, DatabaseUnusable, Tx, location, reason

SCHEMA_FILE: Final = Path(__file__).with_name("schema.sql")

# The number itself means nothing; it must only be the same in every version of Simyard.
_LOCK: Final = 7_466_927_316
_FILE_NAME: Final = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")

_NOISE: Final = (
    "SET ",
    "SELECT pg_catalog.set_config(",
    "\\restrict",
    "\\unrestrict",
    "-- Name: ",
    "-- PostgreSQL database dump",
    "-- Dumped ",
)

_CREATE_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migration (
    number integer PRIMARY KEY,
    name text NOT NULL,
    digest text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationRefused(Exception):
    """The database and the migrations of this code do not fit together, or a migration failed."""


@dataclass(frozen=True)
class Migration:
    """One file of the migrations folder."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.number:04d}_{self.name}"


def read_migrations(folder: Traversable | None = None) -> list[Migration]:
    """The migrations of this code, in order. Raises MigrationRefused when their numbers are not 1, 2, 3 …"""
    folder = folder or resources.files("simyard.db").joinpath("migrations")
    migrations = []
    for entry in folder.iterdir():
        if not entry.name.endswith(".sql"):
            continue
        match = _FILE_NAME.fullmatch(entry.name)
        if match is None:
            raise MigrationRefused(f"{entry.name} is not named like 0001_accounts.sql")
        migrations.append(Migration(int(match["number"]), match["name"], entry.read_text(encoding="utf-8")))
    migrations.sort(key=lambda migration: migration.number)
    for expected, migration in enumerate(migrations, start=1):
        if migration.number != expected:
            raise MigrationRefused(
                f"the migrations jump or repeat: {migration} stands where {expected:04d} should"
            )
    return migrations


async def migrate(url: str, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Brings the database to the schema of this code and returns the names of the migrations it applied.

    Each runs in a transaction of its own, under a lock that lets one process at a time look and apply, so any number of
    processes may start at once. Refuses, changing nothing: a database newer than this code, a migration whose text
    changed after it was applied.
    """
    migrations = read_migrations() if migrations is None else migrations
    try:
        connection = await asyncpg.connect(
            url, timeout=CONNECT_SECONDS_MAX, server_settings={"application_name": "simyard migrate"}
        )
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnusable(f"cannot use the database at {location(url)}: {reason(error)}") from error
    applied: list[str] = []
    try:
        while (migration := await _apply_next(connection, migrations)) is not None:
            applied.append(str(migration))
    finally:
        await connection.close()
    return applied


async def _apply_next(connection: asyncpg.Connection, migrations: Sequence[Migration]) -> Migration | None:
    async with connection.transaction():
        # Held to the end of the transaction, also behind a pooler; whoever waited looks again at what is applied.
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute("SET LOCAL client_min_messages = warning")
        await connection.execute(_CREATE_TABLE)
        remaining = _remaining(await _applied(connection), migrations)
        if not remaining:
            return None
        migration = remaining[0]
        try:
            await connection.execute(migration.sql)
        except asyncpg.PostgresError as error:
            raise MigrationRefused(f"{migration} failed: {error}{_place(error, migration.sql)}") from error
        await connection.execute(
            "INSERT INTO schema_migration (number, name, digest) VALUES ($1, $2, $3)",
            migration.number,
            migration.name,
            migration.digest,
        )
        return migration


async def pending(url_or_tx: str | Tx) -> bool:
    """Whether migrations of this code are still to be applied. A database newer than the code has none pending."""
    if isinstance(url_or_tx, str):
        connection = await asyncpg.connect(url_or_tx, timeout=CONNECT_SECONDS_MAX)
        try:
            return await pending(connection)
        finally:
            await connection.close()
    if await url_or_tx.fetchval("SELECT to_regclass('schema_migration') IS NULL"):
        return bool(read_migrations())
    applied = {row["number"] for row in await _applied(url_or_tx)}
    return any(migration.number not in applied for migration in read_migrations())


async def _applied(tx: Tx) -> list[asyncpg.Record]:
    return await tx.fetch("SELECT number, name, digest FROM schema_migration ORDER BY number")


def _remaining(applied: Sequence[asyncpg.Record], migrations: Sequence[Migration]) -> list[Migration]:
    known = {migration.number: migration for migration in migrations}
    for row in applied:
        migration = known.get(row["number"])
        if migration is None:
            raise MigrationRefused(
                f"the database has migration {row['number']:04d}_{row['name']}, which this Simyard does not know: "
                "it was used by a newer version; start that one"
            )
        if migration.digest != row["digest"]:
            raise MigrationRefused(
                f"{migration} was changed after it was applied: put its text back and write a new migration"
            )
    done = {row["number"] for row in applied}
    return [migration for migration in migrations if migration.number not in done]


def _place(error: asyncpg.PostgresError, sql: str) -> str:
    position = getattr(error, "position", None)
    if position is None:
        return ""
    return f" (line {sql.count(chr(10), 0, int(position) - 1) + 1})"


def schema_sql(url: str) -> str:
    """The schema of a database as SQL: what pg_dump says, less what differs between machines and versions."""
    dump = subprocess.run(  # noqa: S603  our own program, our own arguments
        [str(embedded.tool("pg_dump")), "--schema-only", "--no-owner", "--no-privileges", f"--dbname={url}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    blocks: list[str] = []
    for block in re.split(r"\n{2,}", dump):
        lines = [line for line in block.splitlines() if not _is_noise(line)]
        if lines:
            blocks.append("\n".join(lines))
    return (
        "-- The schema all migrations add up to. Generated: python -m simyard.db.migrate --write-schema\n\n"
        + "\n\n".join(blocks)
        + "\n"
    )


def _is_noise(line: str) -> bool:
    return line == "--" or line.startswith(_NOISE)


def write_schema() -> None:
    """Writes schema.sql anew, from a database made for it."""
    with tempfile.TemporaryDirectory(prefix="simyard-schema-") as folder:
        server = embedded.start(Path(folder), durable=False)
        try:
            asyncio.run(migrate(server.url()))
            SCHEMA_FILE.write_text(schema_sql(server.url()), encoding="utf-8")
        finally:
            server.stop()


def main() -> None:
    """For developers: what operators need is in `simyard serve`, which migrates when it starts."""
    parser = argparse.ArgumentParser(prog="python -m simyard.db.migrate")
    parser.add_argument(
        "--write-schema", action="store_true", required=True, help=f"write {SCHEMA_FILE.name} anew"
    )
    parser.parse_args()
    write_schema()


if __name__ == "__main__":
    main()
