"""Help and version, as whoever types them sees them."""

from __future__ import annotations

import json
import subprocess

from pathlib import Path

import pytest

from typer.testing import CliRunner

from command_line import commands
from worker import version
from worker.cli import app


RUNNER = CliRunner()


@pytest.mark.parametrize("words", sorted({c.name for c in commands()} | {"", "parked", "contact"}))
def test_every_command_knows_both_ways_to_ask_for_help(words: str) -> None:
    short, long = (RUNNER.invoke(app, [*words.split(), one]) for one in ("-h", "--help"))
    assert short.exit_code == long.exit_code == 0
    assert short.output == long.output
    assert "-h, --help" in short.output


@pytest.mark.parametrize("words", ["", "contact", "parked", "quarantine", "desktop", "state"])
def test_what_a_command_does_is_listed_whole(words: str) -> None:
    told = " ".join(RUNNER.invoke(app, [*words.split(), "-h"]).output.split())
    listed = [c for c in commands() if c.name.rpartition(" ")[0] == words]
    assert listed
    assert [c.name for c in listed if c.help not in told] == []


def test_the_version_is_the_package_s_and_names_the_commit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "COMMIT").write_text("1a2b3c\n")
    monkeypatch.setattr(version, "COMMIT_FILE", tmp_path / "COMMIT")
    told = RUNNER.invoke(app, ["--version"])
    assert (told.exit_code, told.output) == (0, "connect-dynamics 0.1.0 (commit 1a2b3c)\n")


def test_without_a_repository_the_version_stands_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(version, "COMMIT_FILE", tmp_path / "worker" / "COMMIT")
    assert version.version_text() == "0.1.0"


def test_a_checkout_tells_its_commit(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert head.stdout.startswith(version.commit_of(tmp_path / "worker" / "COMMIT"))
    (tmp_path / ".git" / "HEAD").write_text("damaged")
    assert version.commit_of(tmp_path / "worker" / "COMMIT") == ""


def test_an_installation_from_a_repository_tells_its_commit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Installed:
        version = "0.1.0"

        def read_text(self, _name: str) -> str:
            return json.dumps({"vcs_info": {"commit_id": "0123456789abcdef"}})

    monkeypatch.setattr(version, "distribution", lambda _name: Installed())
    assert version.commit_of(tmp_path / "worker" / "COMMIT") == "0123456789ab"
