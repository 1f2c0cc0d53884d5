"""Lint: pipeline files are judged without settings, streams or Dynamics."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from typer.testing import CliRunner

from worker.cli import app


GOOD = """
name = "mine"
[[step]]
name = "A"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject":"{{Channel}}"}'
"""
WRONG = GOOD.replace("{{Channel}}", "{{Chanel}}").replace('"created"', '"begun"')


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("good.toml").write_text(GOOD)
    Path("wrong.toml").write_text(WRONG)
    return tmp_path


def linted(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["lint", *arguments])
    return result.exit_code, result.output


@pytest.mark.usefixtures("files")
def test_a_good_pipeline_has_nothing_to_mend_and_needs_no_settings() -> None:
    assert linted("good.toml") == (0, "")
    assert linted("phonecall")[0] == 0


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("form", ["text", "json"])
def test_what_a_file_says_reaches_no_terminal_raw_in_any_form(form: str) -> None:
    path = Path("mine\x9b2J\u202e.toml")
    path.write_text(WRONG)
    _, output = linted(str(path), "--output", form)
    assert [c for c in output if not c.isprintable() and c != "\n"] == []
    assert "mine\\u009b2J\\u202e" in output


@pytest.mark.usefixtures("files")
def test_each_mistake_is_a_line_that_editors_understand() -> None:
    status, output = linted("good.toml", "wrong.toml")
    assert status == 1
    first, *_ = output.splitlines()
    assert first.startswith("wrong.toml:5:1: error: step A: on = 'begun': one of ")


@pytest.mark.usefixtures("files")
def test_mistakes_come_as_json_with_their_place() -> None:
    status, output = linted("wrong.toml", "--output", "json")
    assert status == 1
    found = [(one["file"], one["step"], one["line"]) for one in orjson.loads(output)]
    assert found == [("wrong.toml", "A", 5), ("wrong.toml", "A", 8)]


@pytest.mark.usefixtures("files")
def test_two_files_that_call_themselves_alike_are_told() -> None:
    Path("other.toml").write_text(GOOD)
    status, output = linted("good.toml", "other.toml")
    assert status == 1
    assert "call themselves 'mine'" in output
