"""A wallet's statement as text, written while it is read: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime

import msgspec

from simyard.base.money import format_amount
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import Snapshot, Statement, StatementLine
from simyard.db.database import Database

COLUMNS = (
    "id",
    "at",
    "kind",
    "reference",
    "lease",
    "available",
    "held",
    "available_after",
    "held_after",
    "pending",
    "pending_after",
    "debt",
    "debt_after",
)
PAGE_LINES = 1000


async def pages(
    database: Database, head: Statement, *, lines_max: int = PAGE_LINES
) -> AsyncIterator[list[StatementLine]]:
    """All lines, a page at a time, with no transaction open while the reader is busy with one."""
    last: StatementLine | None = None
    while True:
        async with database.transaction() as tx:
            lines = await wallet.statement_lines(tx, head, after=last, limit=lines_max)
        if not lines:
            return
        yield lines
        last = lines[-1]


async def as_csv(head: Statement, lines: AsyncIterator[list[StatementLine]]) -> AsyncIterator[str]:
    """A heading, the opening balance, each line, the closing balance."""
    yield _row(COLUMNS)
    yield _row(("", _time(head.of.since), "opening", "", "", "", "", *_ends(head.opening)))
    async for page in lines:
        yield "".join(_row(tuple(_line(line).values())) for line in page)
    yield _row(("", _time(head.of.until), "closing", "", "", "", "", *_ends(head.closing)))


async def as_json(
    head: Statement, lines: AsyncIterator[list[StatementLine]], *, email: str
) -> AsyncIterator[str]:
    """One object; its lines stand on lines of their own."""
    about = {
        "email": email,
        "currency": head.currency,
        "from": _time(head.of.since) or None,
        "until": _time(head.of.until) or None,
        "opening": _balances(head.opening),
    }
    yield _json(about).removesuffix("}") + ',"lines":['
    separator = "\n"
    async for page in lines:
        for line in page:
            yield separator + _json(_line(line))
            separator = ",\n"
    yield '\n],"closing":' + _json(_balances(head.closing)) + "}\n"


def _line(line: StatementLine) -> dict[str, object]:
    values = (
        line.id,
        _time(line.at),
        line.kind.value,
        line.reference,
        line.lease_id,
        format_amount(line.available),
        format_amount(line.held),
        format_amount(line.available_after),
        format_amount(line.held_after),
        format_amount(line.pending),
        format_amount(line.pending_after),
        format_amount(line.debt),
        format_amount(line.debt_after),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _balances(snapshot: Snapshot) -> dict[str, str]:
    return {
        "available": format_amount(snapshot.available),
        "held": format_amount(snapshot.held),
        "pending": format_amount(snapshot.pending),
        "debt": format_amount(snapshot.debt),
    }


def _ends(snapshot: Snapshot) -> tuple[str, ...]:
    """Its balances in the columns of what there was after a movement."""
    shown = _balances(snapshot)
    return shown["available"], shown["held"], "", shown["pending"], "", shown["debt"]


def _time(at: datetime | None) -> str:
    return at.isoformat().replace("+00:00", "Z") if at else ""


def _row(values: tuple[object, ...]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(["" if value is None else value for value in values])
    return out.getvalue()


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
