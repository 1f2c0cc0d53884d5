"""Foreign text on a terminal: shown, never interpreted."""

from __future__ import annotations

import sys
import unicodedata

from typing import Any, Final


#: Categories of Unicode that move the cursor, turn the direction, hide, or are no characters:
#: controls (C0, C1, ESC), formats (direction marks, zero width), lone surrogates, private and
#: unassigned ones, and the separators of lines and paragraphs.
_HARMFUL: Final = frozenset(["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])


def shown(text: object) -> str:
    """Text of one line that does nothing to a terminal: whatever might is written out."""
    return "".join(c if c.isprintable() else _escaped(c) for c in str(text))


def shown_lines(text: str) -> str:
    """The same for text that we broke into lines ourselves."""
    return "\n".join(map(shown, text.split("\n")))


def _escaped(character: str) -> str:
    """As JSON writes it out, so that what is shown of JSON stays JSON."""
    if unicodedata.category(character) not in _HARMFUL:
        return character  # a space of another width
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[n : n + 4]}" for n in range(0, len(units), 4))


def show(text: str) -> None:
    """Print text of ours that holds foreign text, harmless, and whole however narrow it gets.

    At once: a command that serves says where it does, and whoever reads that may be a program.
    """
    sys.stdout.write(f"{shown_lines(text)}\n")
    sys.stdout.flush()


def pretty(value: Any) -> str:
    """A JSON value on several lines, with control characters escaped."""
    import orjson

    return shown_lines(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
