"""The list of what broke elsewhere, in tests/README.md, names tests that there are."""

from __future__ import annotations

import re

from pathlib import Path


TESTS = Path(__file__).parents[2]


def test_every_test_that_the_list_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (TESTS / "README.md").read_text(encoding="utf-8")))
    there = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"\bdef (test_\w+)", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 50
    assert named <= there, sorted(named - there)
