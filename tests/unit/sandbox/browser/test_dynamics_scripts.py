"""The scripts of Dynamics' pages, tested by node's test runner."""

from __future__ import annotations

import shutil
import subprocess

from pathlib import Path

import pytest


TESTS = Path(__file__).parent


@pytest.mark.parametrize("file", [file.name for file in sorted(TESTS.glob("dynamics_*.test.js"))])
def test_the_scripts_of_dynamics_pages_pass_their_own_tests(file: str) -> None:
    node = shutil.which("node")
    assert node, "node is missing: see README.md"
    command = [node, "--test", str(TESTS / file)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
