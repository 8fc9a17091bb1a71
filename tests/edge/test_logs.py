"""Log lines: JSON, with the request's id, and nothing of what a statement was given."""

from __future__ import annotations

import json
import logging
from typing import Any

import asyncpg
import pytest

from simyard.db.database import Database
from simyard.edge.logs import JsonFormatter, request_id

SECRET = "Your WhatsApp code: 847-291"


def line_of(caplog: pytest.LogCaptureFixture) -> Any:
    return json.loads(JsonFormatter().format(caplog.records[-1]))


def test_a_line_has_its_facts_and_the_request_it_belongs_to(caplog: pytest.LogCaptureFixture) -> None:
    token = request_id.set("abc")
    logging.getLogger("simyard.test").warning("a thing happened", extra={"count": 3})
    line = line_of(caplog)
    request_id.reset(token)
    assert line["message"] == "a thing happened"
    assert line["level"] == "warning"
    assert line["request_id"] == "abc"
    assert line["count"] == 3


@pytest.mark.parametrize("statement", ["SELECT $1::integer[]", "SELECT ($1::text)::integer"])
async def test_what_a_statement_was_given_is_not_told(
    database: Database, caplog: pytest.LogCaptureFixture, statement: str
) -> None:
    async with database.connection() as tx:
        try:
            await tx.fetch(statement, [SECRET] if "[]" in statement else SECRET)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            assert SECRET in str(error)
            try:
                raise RuntimeError("the verb failed") from error
            except RuntimeError:
                logging.getLogger("simyard.test").exception("unexpected failure")
    line = line_of(caplog)
    assert "RuntimeError: the verb failed" in line["exception"]
    assert SECRET not in json.dumps(line)
    assert "847" not in json.dumps(line)
