"""Liquid as people write it: what the engine says of a template's fault, in words that help."""

from __future__ import annotations

import re

from collections.abc import Iterable
from typing import Final

from pipelines.source import meant


#: What the engine says, and what to do; the first that fits.
_ADVICE: Final = (
    (r"expected '}}'|expected end of expression, found end of", "{{ is not closed; write }}"),
    (r"expected '%}'", "{% is not closed; write %}"),
    (r"unexpected '[\u2018\u2019\u201c\u201d]'", "write straight quotes"),
    (r"found dpipe", "one | parts filters"),
    (r"unexpected tag 'else ?if'", "write {% elsif … %}"),
    (r"unexpected tag 'end\w*'", "a block is closed by {% endif %}, {% endcase %} or {% endfor %}"),
    (r"expected tag (end\w+)", r"a block is not closed; write {% \1 %}"),
    (r"unexpected '\$'", "names stand bare, without $."),
)


def advised(message: str) -> str:
    """What the engine says, with what to do about it if that is known."""
    for pattern, advice in _ADVICE:
        if found := re.search(pattern, message):
            return found.expand(advice) + f" ({message})"
    return message


def no_filter(name: str, known: Iterable[str]) -> str:
    """What to say of a filter there is not."""
    return f"there is no filter {name!r}{meant(name, known)}"
