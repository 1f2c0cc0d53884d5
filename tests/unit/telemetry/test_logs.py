"""Log lines are JSON objects and never quote an exception (I8)."""

from __future__ import annotations

import io
import json

from collections.abc import Iterator

import pytest
import structlog

from worker.telemetry.logs import configure


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure("info", stream)
    yield stream
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_name_level_and_time(stream: io.StringIO) -> None:
    structlog.get_logger().info("push.done", latency_s=0.5)
    (line,) = lines(stream)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {"event": "push.done", "level": "info", "latency_s": 0.5}


def test_lines_below_the_level_are_left_out(stream: io.StringIO) -> None:
    structlog.get_logger().debug("unseen")
    assert lines(stream) == []


def test_of_an_exception_only_the_kind_is_told(stream: io.StringIO) -> None:
    log = structlog.get_logger()
    try:
        int("Anna")
    except ValueError as error:
        log.info("by.value", exc_info=error)
        log.exception("by.flag")
    assert [line["exception"] for line in lines(stream)] == ["ValueError", "?"]
    assert "Anna" not in stream.getvalue()


def test_what_is_no_json_is_told_as_text(stream: io.StringIO) -> None:
    structlog.get_logger().info("odd", thing={1})
    assert lines(stream)[0]["thing"] == "{1}"
