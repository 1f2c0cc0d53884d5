"""The source of a pipeline: its text, and where things that are wrong stand in it."""

from __future__ import annotations

import difflib
import re

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, ParamSpec, TypeVar


P = ParamSpec("P")
T = TypeVar("T")


#: Where a step's table begins, and where one of the file's own does.
_STEP: Final = re.compile(r"^[ \t]*\[\[\s*step\s*\]\]", re.MULTILINE)
_TABLE: Final = re.compile(r"^[ \t]*\[\s*(writeback|choices)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something that is wrong with a pipeline.

    Attributes:
        text: What it is and what to write instead, with file, step and position.
        source: The file's name.
        step: The step that it is in; "" for the pipeline as a whole.
        line: The line, counted from 1; that of the step, if it is not known more exactly.
        column: The column, counted from 1.
    """

    text: str
    source: str
    step: str
    line: int
    column: int


class PipelineError(ValueError):
    """A pipeline that cannot be used; a line for each mistake, with file, step and position."""

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__("\n".join(mistake.text for mistake in mistakes))
        self.mistakes = mistakes


@dataclass(slots=True)
class Source:
    """A pipeline's text.

    Attributes:
        text: The text.
        name: The file's name.
        where: The step that is being read; "" for none.
        number: Which step of the file that is, counted from 0; None: the one of that name.
        mistakes: What was found so far.
    """

    text: str
    name: str
    where: str = ""
    number: int | None = None
    mistakes: list[Mistake] = field(default_factory=list)

    def enter(self, step: str, number: int | None = None) -> None:
        """What fails from now on is in this step; "": in none."""
        self.where, self.number = step, number

    def fail(
        self, message: str, template: str = "", index: int = 0, *, key: str = ""
    ) -> PipelineError:
        """The error to raise.

        Args:
            message: What is wrong.
            template: The text that is wrong; its place is told.
            index: Where in it.
            key: The option that is wrong; without text, this is the place.
        """
        begins, ends = self._extent()
        place = self._place(self._begin_of(key, begins, ends))
        found = self.text.find(template, begins, ends) if template else -1
        if found >= 0:
            place = self._place(found + index)
        position = f" (line {place[0]}, column {place[1]})"
        if template and found < 0 and not key:
            position = f" (character {index + 1} of {template[:40]!r})"
        step = f" step {self.where}:" if self.where else ""
        text = f"{self.name}:{step} {message}{position}"
        return PipelineError(Mistake(text, self.name, self.where, *place))

    def step_at(self, line: int) -> str:
        """The name of the step that a line is in; "" for none."""
        index = sum(map(len, self.text.splitlines(keepends=True)[: line - 1]))
        begins = [one.start() for one in _STEP.finditer(self.text) if one.start() <= index]
        if not begins:
            return ""
        ends = [one.start() for one in _STEP.finditer(self.text) if one.start() > index]
        extent = self.text[begins[-1] : min(ends, default=len(self.text))]
        name = re.search(r"""^[ \t]*name\s*=\s*["']([^"'\n]+)["']""", extent, re.MULTILINE)
        return name[1] if name else ""

    def _extent(self) -> tuple[int, int]:
        """Where the table of the step that is being read begins and ends, as far as is seen."""
        begins = [found.start() for found in _STEP.finditer(self.text)]
        number = self.number if self.number is not None else self._numbered(begins)
        if number is not None and number < len(begins):
            ends = [*begins[number + 1 :], *(one.start() for one in _TABLE.finditer(self.text))]
            return begins[number], min(
                (end for end in ends if end > begins[number]), default=len(self.text)
            )
        table = re.search(rf"^\s*\[{re.escape(self.where)}\]", self.text, re.MULTILINE)
        return (table.start() if table and self.where else 0), len(self.text)

    def _numbered(self, begins: list[int]) -> int | None:
        """Which of the steps has the name of the one that is being read."""
        name = rf"""^[ \t]*["']?name["']?\s*=\s*["']{re.escape(self.where)}["']"""
        named = re.search(name, self.text, re.MULTILINE) if self.where else None
        return sum(one < named.start() for one in begins) - 1 if named and begins else None

    def _begin_of(self, key: str, begins: int, ends: int) -> int:
        """Where an option of a step stands; without one, the step's name."""
        head = _STEP.search(self.text)
        if not self.where and head:  # what has the same name in a step is another option
            found = _option(key, "").search(self.text, 0, head.start())
            found = found or _option(key, r"\[+").search(self.text)
            return found.start(1) if found and key else begins
        for one in filter(None, (key, "name")):
            if found := _option(one, r"(?:\[+(?:step\.)?)?").search(self.text, begins, ends):
                return found.start(1)
        return begins

    def collect(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What ``read`` returns; None if it fails, which is noted: there may be more mistakes."""
        try:
            return read(*args, **kwargs)
        except PipelineError as error:
            self.mistakes += error.mistakes
            return None

    def note(self, message: str, template: str = "", index: int = 0, *, key: str = "") -> None:
        """Note a mistake, and go on."""
        self.mistakes += self.fail(message, template, index, key=key).mistakes

    def only(self, row: dict[str, Any], known: tuple[str, ...]) -> None:
        """Refuse options that there are not."""
        for key in row:
            if key not in known:
                there = f"there are {', '.join(known)}{meant(key, known)}"
                self.note(f"there is no option {key!r}; {there}", key=key)

    def text_of(self, row: dict[str, Any], key: str, *, needed: bool = False) -> str:
        """An option that is text; "" if it may be left out and is."""
        value = row.get(key, "")
        if not isinstance(value, str) or (needed and not value.strip()):
            raise self.fail(f"{key} must be text" if key in row else f"{key} is missing", key=key)
        return value.strip()

    def choice(
        self,
        row: dict[str, Any],
        key: str,
        allowed: tuple[str, ...],
        default: str | None = None,
        also: Mapping[str, str] | None = None,
    ) -> str:
        """An option that has one of a few values; ``also``: what others call them."""
        value = row.get(key, default)
        if value not in allowed:
            given = f"{key} = {value!r}" if key in row else f"{key} is missing"
            near = meant(str(value), allowed, also or {}) if key in row else ""
            raise self.fail(f"{given}: one of {', '.join(allowed)}{near}", key=key)
        return str(value)

    def _place(self, index: int) -> tuple[int, int]:
        """Line and column of a character."""
        before = self.text[:index]
        return before.count("\n") + 1, len(before) - before.rfind("\n")


def _option(key: str, before: str) -> re.Pattern[str]:
    """Where an option is given a value, or begins as a table."""
    name = rf"""["']?{re.escape(key)}\b["']?"""
    return re.compile(rf"^[ \t]*{before}({name})(?:\.[^=\n]*)?\s*[=\]]", re.MULTILINE)


def meant(word: str, known: Iterable[str], also: Mapping[str, str] | None = None) -> str:
    """What to add to a message about a word that is none: what its author may have meant, or "".

    Args:
        word: The word.
        known: Those there are.
        also: Other names of these, in lower case.
    """
    names = {one.lower(): one for one in known} | dict(also or {})
    near = difflib.get_close_matches(word.lower(), names, 1)
    return f"; did you mean {names[near[0]]}?" if near else ""
