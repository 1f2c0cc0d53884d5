"""The source of a pipeline: its text, and where things that are wrong stand in it."""

from __future__ import annotations

import re

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar


P = ParamSpec("P")
T = TypeVar("T")


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
        mistakes: What was found so far.
    """

    text: str
    name: str
    where: str = ""
    mistakes: list[Mistake] = field(default_factory=list)

    def fail(self, message: str, template: str = "", index: int = 0) -> PipelineError:
        """The error to raise, with the position of ``template`` + ``index`` in the file."""
        position = ""
        named = re.search(rf"""name\s*=\s*["']{re.escape(self.where)}["']""", self.text)
        begins = named.start() if named else 0
        line, column = self._place(begins)
        if template:
            found = self.text.find(template, begins)
            if found >= 0:
                line, column = self._place(found + index)
                position = f" (line {line}, column {column})"
            else:
                position = f" (character {index + 1} of {template[:40]!r})"
        step = f" step {self.where}:" if self.where else ""
        text = f"{self.name}:{step} {message}{position}"
        return PipelineError(Mistake(text, self.name, self.where, line, column))

    def collect(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What ``read`` returns; None if it fails, which is noted: there may be more mistakes."""
        try:
            return read(*args, **kwargs)
        except PipelineError as error:
            self.mistakes += error.mistakes
            return None

    def note(self, message: str, template: str = "", index: int = 0) -> None:
        """Note a mistake, and go on."""
        self.mistakes += self.fail(message, template, index).mistakes

    def only(self, row: dict[str, Any], known: tuple[str, ...]) -> None:
        """Refuse options that there are not."""
        for key in row:
            if key not in known:
                raise self.fail(f"there is no option {key!r}; there are {', '.join(known)}")

    def text_of(self, row: dict[str, Any], key: str, *, needed: bool = False) -> str:
        """An option that is text; "" if it may be left out and is."""
        value = row.get(key, "")
        if not isinstance(value, str) or (needed and not value.strip()):
            raise self.fail(f"{key} must be text" if key in row else f"{key} is missing")
        return value.strip()

    def choice(
        self, row: dict[str, Any], key: str, allowed: tuple[str, ...], default: str | None = None
    ) -> str:
        """An option that has one of a few values."""
        value = row.get(key, default)
        if value not in allowed:
            given = f"{key} = {value!r}" if key in row else f"{key} is missing"
            raise self.fail(f"{given}: one of {', '.join(allowed)}")
        return str(value)

    def _place(self, index: int) -> tuple[int, int]:
        """Line and column of a character."""
        before = self.text[:index]
        return before.count("\n") + 1, len(before) - before.rfind("\n")
