"""TOML as people write it in a pipeline: what is wrong with it is said in words that help.

A parser stops at its first error. What is wrong within one line hides nothing of the other lines,
so that line is left out and the rest is read on.
"""

from __future__ import annotations

import re
import tomllib

from dataclasses import dataclass
from typing import Any, Final


#: Most errors of one text that are told.
_MOST: Final = 50

#: A line that is a whole statement, and its option.
_STATEMENT: Final = re.compile(r"""[ \t]*["']?([\w.-]+)["']?\s*[=:\u2018\u2019“”\w]""")

_LONG: Final = "a text with quotes in it stands between ''' and '''"

_TRIPLE: Final = re.compile(r"'''|\"\"\"")

#: What the parser says, what stands there, and what to do; the first that fits.
_ADVICE: Final = (
    ("", r"[\u2018\u2019“”„«»]", "write straight quotes"),
    ("", r"\u00a0", "this is a no-break space; write an ordinary one"),
    ("", r"(True|False)\b", "true and false are written in small letters"),
    ("Expected '='", r":", "an option is written with =, not with a colon"),
    ("Invalid value", r"=", 'one = is enough; a condition is a table: Channel = ["VOICE"]'),
    ("Invalid value", r"\w|\{\{", 'text stands in quotes: on = "created"'),
    ("Cannot overwrite", r"", "this option is there twice; leave one out"),
    ("Cannot declare ('step',)", r"", "a step begins with [[step]], in double brackets"),
    ("Cannot declare", r"", "this table is there twice; leave one out"),
    ("Illegal character '\\n'", r"", "the closing quote is missing in this line"),
    ("Expected newline", r"", f"a quote has ended the text before this; {_LONG}"),
    ("Unescaped '\\\\'", r"", "write texts with backslashes between ' and ', or ''' and '''"),
)


@dataclass(frozen=True, slots=True)
class TomlMistake:
    """What is wrong with a text: ``message``, and where, counted from 1."""

    message: str
    line: int
    column: int


def read_toml(text: str) -> tuple[dict[str, Any] | None, list[TomlMistake]]:
    """The document, with what is wrong with it left out; None where it cannot be read on."""
    mistakes: list[TomlMistake] = []
    lines = text.split("\n")
    while len(mistakes) < _MOST:
        try:
            return tomllib.loads("\n".join(lines)), mistakes
        except tomllib.TOMLDecodeError as error:
            found = _mistake(text, str(error))
        mistakes.append(found)
        line = lines[found.line - 1]
        statement = _STATEMENT.match(line)
        if statement is None or statement[1] == "name" or _TRIPLE.search(line):
            break
        lines[found.line - 1] = ""
    return None, mistakes


def _mistake(text: str, said: str) -> TomlMistake:
    place = re.search(r"line (\d+), column (\d+)", said)
    said = re.sub(r" \(at .*\)$", "", said)
    opened = [found.start() for found in _TRIPLE.finditer(text)]
    if place is None:
        line, column = _place(text, opened[-1] if opened else 0)
        about = "the text that begins here is never closed" if opened else said
        return TomlMistake(f"not TOML: {about}", line, column)
    line, column = int(place[1]), int(place[2])
    whole = text.split("\n")[line - 1]
    if said.startswith(("Cannot", "Illegal")):  # the parser has read on to the end of the line
        column = len(whole) - len(whole.lstrip()) + 1
    index = sum(len(one) + 1 for one in text.split("\n")[: line - 1]) + column - 1
    before = [at for at in opened if at < index]
    if said.startswith("Expected newline") and before and before[-1] == index - 3:
        begun = _place(text, before[-2])[0] if len(before) > 1 else line
        if begun < line:
            about = f"the text that begins in line {begun} ends here; close it where it should end"
            return TomlMistake(f"not TOML: {about}", line, column)
    return TomlMistake(f"not TOML: {_advice(said, text[index:])}", line, column)


def _advice(said: str, rest: str) -> str:
    for words, pattern, advice in _ADVICE:
        if said.startswith(words) and re.match(pattern, rest):
            return advice
    return said


def _place(text: str, index: int) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n") + 1, len(before) - before.rfind("\n")
