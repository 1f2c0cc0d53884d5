"""Options that several commands share."""

from __future__ import annotations

import os

from datetime import UTC, datetime

import pytest
import typer

from worker.commands import options


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("", 0.0),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC).timestamp()),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()),
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC).timestamp()),
        ("90m", 1_000_000.0 - 5_400),
        ("2h", 1_000_000.0 - 7_200),
        ("3d", 1_000_000.0 - 259_200),
    ],
)
def test_a_time_is_given_as_iso_time_or_as_an_age(
    text: str, moment: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    assert options.moment(text, "--since") == moment


@pytest.mark.parametrize("text", ["yesterday", "h", "2w", "-2h", "2.5h", "2026-13-01", "²d"])
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="2026-01-02T03:04:05Z, and no age like 90m"):
        options.moment(text, "--since")


def test_who_is_at_work_is_told_by_number_if_the_system_has_no_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 10001")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert options.user() == f"user {os.getuid()}"
