"""Named SQL: reads a store's queries from its `.sql` file and runs them with keyword arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, NoReturn

import asyncpg

from simyard.db.database import Tx

_NAME_LINE = re.compile(r"^--[ \t]*name:[ \t]*(?P<name>\S+)[ \t]*$", re.MULTILINE)

# What a parameter may not be found in comes first, so that the scan steps over it as a whole.
_TOKEN = re.compile(
    r"""
      (?P<skipped>
          --[^\n]*                                        # comment to the end of the line
        | /\*.*?\*/                                       # block comment
        | \b[eE]'(?:[^'\\]|\\.|'')*'                      # string with backslash escapes
        | '(?:[^']|'')*'                                  # string
        | "(?:[^"]|"")*"                                  # quoted identifier
        | \$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$          # dollar-quoted string
        | ::                                              # cast
        | :=                                              # named argument, old spelling
      )
    | (?<![\w\])]):(?P<parameter>[a-z_][a-z0-9_]*)
    | (?P<positional>\$[0-9]+)
    """,
    re.VERBOSE | re.DOTALL,
)


class Query:
    """One named statement of a store."""

    __slots__ = ("comment", "name", "parameters", "source", "text")

    def __init__(self, name: str, comment: str, statement: str, source: str) -> None:
        self.name = name
        self.comment = comment
        self.source = source
        text, self.parameters = _number_parameters(statement)
        # The name travels with the text, so that the server's own statistics tell which query is slow.
        self.text = f"/* {source}:{name} */ {text}"

    async def rows(self, tx: Tx, **values: object) -> list[asyncpg.Record]:
        """All rows."""
        rows: list[asyncpg.Record] = await tx.fetch(self.text, *self._arguments(values))
        return rows

    async def row(self, tx: Tx, **values: object) -> asyncpg.Record | None:
        """The first row, or None when there is none."""
        row: asyncpg.Record | None = await tx.fetchrow(self.text, *self._arguments(values))
        return row

    async def value(self, tx: Tx, **values: object) -> Any:
        """The first column of the first row, or None when there is none."""
        return await tx.fetchval(self.text, *self._arguments(values))

    async def execute(self, tx: Tx, **values: object) -> int:
        """Runs the statement and returns how many rows it affected."""
        status: str = await tx.execute(self.text, *self._arguments(values))
        _, _, count = status.rpartition(" ")
        return int(count) if count.isdecimal() else 0

    def _arguments(self, values: dict[str, object]) -> list[object]:
        try:
            arguments = [values[name] for name in self.parameters]
        except KeyError:
            self._refuse(values)
        if len(arguments) != len(values):
            self._refuse(values)
        return arguments

    def _refuse(self, values: dict[str, object]) -> NoReturn:
        missing = [name for name in self.parameters if name not in values]
        unexpected = [name for name in values if name not in self.parameters]
        problems = [f"missing {', '.join(missing)}"] if missing else []
        problems += [f"unexpected {', '.join(unexpected)}"] if unexpected else []
        raise TypeError(f"query {self.name}: {'; '.join(problems)}")

    def __repr__(self) -> str:
        return f"Query({self.name}: {', '.join(self.parameters)})"


class Queries:
    """The queries of one file, by name."""

    def __init__(self, source: str, queries: dict[str, Query]) -> None:
        self._source = source
        self._queries = queries

    def __getattr__(self, name: str) -> Query:
        try:
            return self._queries[name]
        except KeyError:
            raise AttributeError(f"{self._source} has no query named {name}") from None

    def __iter__(self) -> Iterator[Query]:
        return iter(self._queries.values())

    def __len__(self) -> int:
        return len(self._queries)


def load(package: str, file: str = "store.sql") -> Queries:
    """Reads the queries of a file that lies in a package: `load(__package__)`."""
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    return parse(text, f"{package}/{file}")


def parse(text: str, source: str) -> Queries:
    """Splits a file into its queries. Raises ValueError naming the file when it is malformed."""
    pieces = _NAME_LINE.split(text)
    if _statement_of(pieces[0])[1]:
        raise ValueError(f"{source}: a statement stands before the first '-- name:' line")
    queries: dict[str, Query] = {}
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"{source}: {name!r} is no query name; use lower case and underscores")
        if name in queries:
            raise ValueError(f"{source}: two queries are named {name}")
        comment, statement = _statement_of(body)
        if not statement:
            raise ValueError(f"{source}: query {name} has no statement")
        try:
            queries[name] = Query(name, comment, statement, source)
        except ValueError as error:
            raise ValueError(f"{source}: query {name}: {error}") from None
    return Queries(source, queries)


def every_query() -> Iterator[Query]:
    """Every query of every store in the product, for the test that prepares each against the schema."""
    yield from _queries_under(resources.files("simyard"), "simyard")


def _queries_under(folder: Traversable, package: str) -> Iterator[Query]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            if not entry.name.startswith(("_", ".")):
                yield from _queries_under(entry, f"{package}.{entry.name}")
        elif entry.name.endswith(".sql"):
            text = entry.read_text(encoding="utf-8")
            # Migrations and schema.sql are scripts, not queries: they have no name lines.
            if _NAME_LINE.search(text):
                yield from parse(text, f"{package}/{entry.name}")


def _statement_of(body: str) -> tuple[str, str]:
    """Separates the comment lines at the start from the statement that follows."""
    comment: list[str] = []
    lines = body.strip().splitlines()
    for number, line in enumerate(lines):
        if line.strip() and not line.lstrip().startswith("--"):
            return "\n".join(comment).strip(), "\n".join(lines[number:]).rstrip().rstrip(";").rstrip()
        comment.append(line.strip().removeprefix("--").strip())
    return "\n".join(comment).strip(), ""


def _number_parameters(statement: str) -> tuple[str, tuple[str, ...]]:
    """Replaces each `:name` by its `$n`; the names come back in the order of n."""
    names: list[str] = []

    def replace(match: re.Match[str]) -> str:
        if match["positional"]:
            raise ValueError(f"write a :name instead of {match['positional']}")
        name = match["parameter"]
        if name is None:
            return match[0]
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    text = _TOKEN.sub(replace, statement)
    return text, tuple(names)
