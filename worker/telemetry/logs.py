"""Logs: JSON lines on standard error with dotted event names, never personal data."""

from __future__ import annotations

import json
import logging
import sys

from typing import TextIO

import orjson
import structlog

from worker.terminal import shown


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send log lines of at least this level to ``stream``, by default standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _exception_type_only,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def _exception_type_only(
    _logger: structlog.typing.WrappedLogger, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Log an exception's type alone: its text may quote anything."""
    if (error := event.pop("exc_info", None)) is not None:
        event["exception"] = type(error).__name__ if error is not True else "?"
    return event


def _dumps(event: structlog.typing.EventDict, **_: object) -> str:
    try:
        return shown(orjson.dumps(event, default=repr).decode())
    except orjson.JSONEncodeError:  # a file name that is not valid text, or a number beyond 64 bits
        return json.dumps(event, default=repr)
