"""Migrations: order, repetition, company, and what is refused."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import asyncpg
import pytest

from simyard.db.database import DatabaseUnusable
from simyard.db.migrate import Migration, MigrationRefused, migrate, pending, read_migrations

TWO = [
    Migration(1, "things", "CREATE TABLE thing (n int);\nINSERT INTO thing VALUES (1);"),
    Migration(2, "more_things", "INSERT INTO thing VALUES (2);"),
]


async def things(url: str) -> list[int]:
    connection = await asyncpg.connect(url)
    try:
        return [row["n"] for row in await connection.fetch("SELECT n FROM thing ORDER BY n")]
    finally:
        await connection.close()


async def test_migrations_are_applied_in_order_and_once(empty_database_url: str) -> None:
    assert await migrate(empty_database_url, TWO[:1]) == ["0001_things"]
    assert await migrate(empty_database_url, TWO) == ["0002_more_things"]
    assert await migrate(empty_database_url, TWO) == []
    assert await things(empty_database_url) == [1, 2]


async def test_many_processes_may_start_at_once(empty_database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_database_url, TWO) for _ in range(8)))
    assert sorted(name for names in applied for name in names) == ["0001_things", "0002_more_things"]
    assert await things(empty_database_url) == [1, 2]


async def test_a_changed_migration_is_refused(empty_database_url: str) -> None:
    await migrate(empty_database_url, TWO[:1])
    changed = dataclasses.replace(TWO[0], sql=TWO[0].sql + "\n-- changed")
    with pytest.raises(MigrationRefused, match="0001_things was changed after it was applied"):
        await migrate(empty_database_url, [changed, TWO[1]])
    assert await things(empty_database_url) == [1]


async def test_a_newer_database_is_refused(empty_database_url: str) -> None:
    await migrate(empty_database_url, TWO)
    with pytest.raises(MigrationRefused, match="0002_more_things, which this Simyard does not know"):
        await migrate(empty_database_url, TWO[:1])


async def test_a_migration_that_fails_leaves_nothing_and_names_its_line(empty_database_url: str) -> None:
    broken = Migration(2, "broken", "INSERT INTO thing VALUES (2);\nINSERT INTO nothing VALUES (3);")
    with pytest.raises(MigrationRefused, match=r'0002_broken failed: .*"nothing" does not exist \(line 2\)'):
        await migrate(empty_database_url, [TWO[0], broken])
    assert await things(empty_database_url) == [1]
    assert await migrate(empty_database_url, TWO) == ["0002_more_things"]


async def test_pending_tells_whether_migrations_are_missing(empty_database_url: str) -> None:
    assert await pending(empty_database_url)
    every = read_migrations()
    await migrate(empty_database_url, every[:-1])
    assert await pending(empty_database_url)
    newer = Migration(len(every) + 1, "newer", "SELECT 1")
    await migrate(empty_database_url, [*every, newer])
    assert not await pending(empty_database_url)


async def test_an_unreachable_server_is_named() -> None:
    with pytest.raises(DatabaseUnusable, match=r"127\.0\.0\.1:1, database shop"):
        await migrate("postgresql://nobody@127.0.0.1:1/shop")


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["1_short.sql"], "is not named like"),
        (["0001_a.sql", "0003_c.sql"], "0003_c stands where 0002 should"),
        (["0001_a.sql", "0001_b.sql"], "stands where 0002 should"),
    ],
)
def test_misnumbered_migrations_are_refused(tmp_path: Path, names: list[str], problem: str) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationRefused, match=problem):
        read_migrations(tmp_path)
