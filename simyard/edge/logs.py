"""Structured logs: one JSON object a line, with the id of the request it belongs to."""

from __future__ import annotations

import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime

import asyncpg
import msgspec

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request being answered; also sent back as `X-Request-ID`."""

_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}


def _told(error: BaseException) -> str:
    """What may be said of an exception. A database driver's texts can quote the values of a statement: SMS, keys."""
    if isinstance(error, asyncpg.PostgresError):
        return f"{type(error).__name__} ({error.sqlstate}, constraint {error.constraint_name})"
    if isinstance(error, asyncpg.InterfaceError):
        return type(error).__name__
    return f"{type(error).__name__}: {error}"


class JsonFormatter(logging.Formatter):
    """Facts go in `extra`; keys, passwords and SMS texts never do."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        current = request_id.get()
        if current is not None:
            line["request_id"] = current
        line.update((name, value) for name, value in record.__dict__.items() if name not in _STANDARD)
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = self._chain(record.exc_info[1])
        return msgspec.json.encode(line, enc_hook=str).decode()

    def _chain(self, error: BaseException) -> list[str]:
        """The exception and what led to it, the first cause first, each with where it was raised."""
        earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        told = [*traceback.format_tb(error.__traceback__), _told(error)]
        return [*(self._chain(earlier) if earlier is not None else []), *(part.rstrip() for part in told)]


def configure(level: str) -> None:
    """Send every logger's lines to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True
