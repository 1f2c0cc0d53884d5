"""The tables of a page in Markdown, for tests that compare them with the code."""

from __future__ import annotations

import re

from collections.abc import Iterable, Sequence
from pathlib import Path


ROOT = Path(__file__).parents[2]

#: What stands between two cells; a bar within a cell is written ``\\|``.
_BETWEEN = re.compile(r"(?<!\\)\|")


def rows(page: str, *header: str) -> list[list[str]]:
    """The rows of all tables of a page that have these column names, as they are written.

    Args:
        page: Its path below the repository's root.
        header: The column names.
    """
    found: list[list[str]] = []
    inside = False
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        cells = _cells(line)
        if not cells:
            inside = False
        elif cells == list(header):
            inside = True
        elif inside and not all(set(cell) <= set("-:") for cell in cells):
            found.append(cells)
    return found


def written(table: Iterable[Sequence[str]]) -> str:
    """Rows as a page has them, to be pasted where a test says that they are missing."""
    return "\n".join(f"| {' | '.join(row)} |" for row in table)


def code(text: str) -> str:
    """Text as code; nothing of nothing."""
    return f"`{text}`" if text else ""


def _cells(line: str) -> list[str]:
    if not line.startswith("|"):
        return []
    return [cell.strip() for cell in _BETWEEN.split(line)[1:-1]]
