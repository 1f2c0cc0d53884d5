"""Sixty and more mistakes as people make them, each found offline with place and remedy."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from worker.commands.lint import Problem, lint


SAMPLES = Path(__file__).parents[2] / "samples" / "mistakes"
GOOD = (SAMPLES / "good.toml").read_text(encoding="utf-8")

#: What somebody did, what stood there, what stands there now, the step that is named, the text that
#: is pointed at, and what is said.
MISTAKES = [orjson.loads(line) for line in (SAMPLES / "offline.ndjson").read_bytes().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def linted(path: Path, text: str) -> list[Problem]:
    path.write_text(text, encoding="utf-8")
    return lint([str(path)])


def test_the_file_in_which_mistakes_are_made_has_none(path: Path) -> None:
    assert linted(path, GOOD) == []


@pytest.mark.parametrize("row", MISTAKES, ids=lambda row: row["what"])
def test_a_mistake_is_told_with_file_step_line_and_column_and_what_to_do(
    path: Path, row: dict[str, str]
) -> None:
    assert row["old"] in GOOD
    text = GOOD.replace(row["old"], row["new"], 1)
    first, *_ = linted(path, text)
    assert row["told"] in first.text
    assert (first.file, first.step) == (str(path), row["step"])
    assert first.line is not None
    assert first.column is not None
    assert text.splitlines()[first.line - 1][first.column - 1 :].startswith(row["place"])


def test_all_mistakes_of_a_file_are_told_at_once_also_beside_what_is_no_toml(path: Path) -> None:
    rows = {row["what"]: row for row in MISTAKES}
    text = GOOD
    for what in ("lookup by", "tab True", "a milestone misspelt", "within unit", "trailing comma"):
        text = text.replace(rows[what]["old"], rows[what]["new"], 1)
    assert [(one.step, one.severity) for one in linted(path, text)] == [
        ("CUSTOMER", "error"),
        ("POP", "error"),
        ("POP", "error"),
        ("END", "error"),
        ("END", "error"),
    ]
