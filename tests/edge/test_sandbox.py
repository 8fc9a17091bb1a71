"""The sandbox: a repeat adds nothing, and there is something public to see."""

from __future__ import annotations

from pathlib import Path

import pytest

from simyard.core.public_numbers import service as public_numbers
from simyard.core.public_numbers.model import PublicNumber
from simyard.db.database import Database
from simyard.edge import sandbox
from simyard.settings import Settings


async def listed(database: Database) -> list[PublicNumber]:
    async with database.transaction() as tx:
        return await public_numbers.list_numbers(tx, None)


async def test_a_number_of_each_country_is_public_and_stays_the_same(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "NUMBERS_MAX", 20)
    settings = Settings(data_dir=tmp_path)
    said = await sandbox.set_up(database_url, settings)
    public = await listed(database)
    assert sorted(number.country for number in public) == ["GB", "US"]
    assert await sandbox.set_up(database_url, settings) == said
    assert await listed(database) == public
