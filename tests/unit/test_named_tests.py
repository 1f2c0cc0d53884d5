"""Tests that the documentation names are there."""

from __future__ import annotations

import re

from pathlib import Path

import pytest


TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "page", [TESTS / "README.md", TESTS.parent / "worker" / "README.md"], ids=str
)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8")))
    there = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"\bdef (test_\w+)", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    assert named <= there, sorted(named - there)
