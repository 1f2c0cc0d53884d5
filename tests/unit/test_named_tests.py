"""Tests that the documentation names are there."""

from __future__ import annotations

import re

from pathlib import Path

import pytest


TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent

#: Pages that rest on tests, and how many they name at least.
PAGES = {
    TESTS / "README.md": 20,
    ROOT / "worker" / "README.md": 20,
    ROOT / "infra" / "upgrade.md": 10,
    ROOT / "infra" / "replay.md": 5,
}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8")))
    there = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"\bdef (test_\w+)", path.read_text(encoding="utf-8"))
    }
    assert len(named) > PAGES[page]
    assert named <= there, sorted(named - there)
