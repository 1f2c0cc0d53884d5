"""Tests' names: those that the documentation names are there, and each is a sentence by itself."""

from __future__ import annotations

import re

from collections import Counter
from pathlib import Path

import pytest


TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
README = TESTS / "README.md"

#: Pages that rest on tests, and how many they name at least.
PAGES = {
    README: 20,
    ROOT / "worker" / "README.md": 20,
    ROOT / "infra" / "upgrade.md": 10,
    ROOT / "infra" / "replay.md": 5,
}

#: What refers to something said before, which a list of failures does not show.
REFERRING = frozenset(
    (
        "also",
        "and",
        "but",
        "else",
        "elsewhere",
        "it",
        "its",
        "nor",
        "or",
        "so",
        "such",
        "that",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
    )
)


def names() -> dict[Path, list[str]]:
    """The names of all tests by module, without ``test_``."""
    return {
        path: re.findall(r"\bdef test_(\w+)", path.read_text(encoding="utf-8"))
        for path in TESTS.rglob("test_*.py")
    }


def peers(page: str) -> list[str]:
    """The names that no test carries, from their list in the README."""
    (listed,) = re.findall(r"Names that no test carries: ([^.]*)\.", page)
    return re.findall(r"`(\w+)`", listed)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"`test_(\w+)`", page.read_text(encoding="utf-8")))
    there = {name for found in names().values() for name in found}
    assert len(named) > PAGES[page]
    assert named <= there, sorted(named - there)


def test_no_test_s_name_refers_to_something_said_before() -> None:
    found = [name for names_ in names().values() for name in names_]
    assert len(found) > 1000
    assert [name for name in found if name.partition("_")[0] in REFERRING] == []


def test_no_test_carries_the_name_of_the_product_whose_bug_it_shows() -> None:
    known = peers(README.read_text(encoding="utf-8"))
    assert len(known) > 10
    carrying = [
        name
        for names_ in names().values()
        for name in names_
        if any(f"_{peer}_" in f"_{name}_" for peer in known)
    ]
    assert carrying == []


def test_no_test_s_name_stands_twice_in_one_folder() -> None:
    found = Counter((path.parent, name) for path, names_ in names().items() for name in names_)
    assert [name for (_, name), times in found.items() if times > 1] == []
