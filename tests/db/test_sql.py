"""The loader of named queries."""

from __future__ import annotations

import pytest

from simyard.db.database import Tx
from simyard.db.sql import Queries, Query, parse


def one(statement: str) -> Query:
    return parse(f"-- name: it\n{statement}", "test.sql").it


def text_of(query: Query) -> str:
    return query.text.removeprefix("/* test.sql:it */ ")


def test_a_file_splits_into_queries_with_their_comments() -> None:
    queries = parse(
        """-- Everything about numbers.

-- name: first
-- Says why.
-- On two lines.
SELECT 1
  -- inside
 WHERE true;

-- name: second
SELECT :two;
""",
        "test.sql",
    )
    assert [query.name for query in queries] == ["first", "second"]
    assert queries.first.comment == "Says why.\nOn two lines."
    assert text_of(queries.first).endswith("SELECT 1\n  -- inside\n WHERE true")
    assert queries.second.parameters == ("two",)


def test_a_parameter_used_twice_has_one_number() -> None:
    query = one("SELECT :b, :a, :b + 1")
    assert text_of(query) == "SELECT $1, $2, $1 + 1"
    assert query.parameters == ("b", "a")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT x::int, y :: text",
        "SELECT ':no', 'it''s :no', E'\\':no'",
        'SELECT ":no"',
        "SELECT 1 -- :no, don't",
        "SELECT 1 /* :no\n :no */",
        "SELECT $$ :no $$, $tag$ :no $$ $tag$",
        "SELECT f(a := 1)",
        "SELECT a[1:2], a[lo:hi]",
    ],
)
def test_what_only_looks_like_a_parameter_is_left_alone(statement: str) -> None:
    query = one(statement)
    assert query.parameters == ()
    assert text_of(query) == statement


def test_a_parameter_may_be_cast() -> None:
    assert text_of(one("SELECT :ids::bigint[]")) == "SELECT $1::bigint[]"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("SELECT 1;", "before the first"),
        ("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;", "two queries are named a"),
        ("-- name: a\n-- only a comment", "has no statement"),
        ("-- name: A-b\nSELECT 1", "no query name"),
        ("-- name: a\nSELECT $1", "write a :name"),
    ],
)
def test_a_malformed_file_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse(text, "test.sql")


def test_an_unknown_query_is_an_attribute_error() -> None:
    queries: Queries = parse("-- name: a\nSELECT 1", "test.sql")
    with pytest.raises(AttributeError, match=r"test\.sql has no query named b"):
        _ = queries.b


async def test_missing_and_unexpected_arguments_are_type_errors(tx: Tx) -> None:
    query = one("SELECT :a::int + :b::int")
    with pytest.raises(TypeError, match="missing b"):
        await query.value(tx, a=1)
    with pytest.raises(TypeError, match="unexpected c"):
        await query.value(tx, a=1, b=2, c=3)
    with pytest.raises(TypeError, match="missing b; unexpected c"):
        await query.value(tx, a=1, c=3)


async def test_a_query_returns_rows_a_row_a_value_or_a_count(tx: Tx) -> None:
    numbers = one("SELECT n FROM generate_series(1, :most::int) n")
    assert [row["n"] for row in await numbers.rows(tx, most=3)] == [1, 2, 3]
    row = await numbers.row(tx, most=3)
    assert row is not None
    assert row["n"] == 1
    assert await numbers.row(tx, most=0) is None
    assert await numbers.value(tx, most=3) == 1
    assert await numbers.value(tx, most=0) is None
    await one("CREATE TEMPORARY TABLE t (n int) ON COMMIT DROP").execute(tx)
    assert await one("INSERT INTO t SELECT generate_series(1, :most::int)").execute(tx, most=5) == 5
    assert await one("UPDATE t SET n = 0 WHERE n > :least").execute(tx, least=3) == 2
    assert await one("DELETE FROM t").execute(tx) == 5
