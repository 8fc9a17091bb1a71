"""The schema: queries fit it, and schema.sql is what the migrations add up to."""

from __future__ import annotations

import asyncpg
import pytest

from simyard.db import embedded
from simyard.db.database import Database
from simyard.db.migrate import SCHEMA_FILE, schema_sql
from simyard.db.sql import every_query


async def test_every_query_prepares_against_the_schema(database: Database) -> None:
    broken: list[str] = []
    async with database.connection() as connection:
        for query in every_query():
            try:
                await connection.prepare(query.text)
            except asyncpg.PostgresError as error:
                broken.append(f"{query.source}:{query.name}: {error}")
    assert not broken, "\n".join(broken)


async def test_schema_sql_is_what_the_migrations_add_up_to(database: Database, database_url: str) -> None:
    async with database.connection() as connection:
        version = connection.get_server_version().major
    if version != embedded.SERVER_VERSION:
        pytest.skip(f"PostgreSQL {version} words its schema in its own way")
    assert SCHEMA_FILE.read_text() == schema_sql(database_url), "run: make schema"
