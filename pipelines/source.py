"""The source of a pipeline: its text, and where things that are wrong stand in it."""

from __future__ import annotations

import re

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, ParamSpec, TypeVar


P = ParamSpec("P")
T = TypeVar("T")


_STEP: Final = "[[step]]"


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
        position = ""
        begins, ends = self._extent()
        place = self._place(self._begin_of(key, begins, ends))
        if template:
            found = self.text.find(template, begins)
            if found >= 0:
                place = self._place(found + index)
                position = f" (line {place[0]}, column {place[1]})"
            else:
                position = f" (character {index + 1} of {template[:40]!r})"
        step = f" step {self.where}:" if self.where else ""
        text = f"{self.name}:{step} {message}{position}"
        return PipelineError(Mistake(text, self.name, self.where, *place))

    def _extent(self) -> tuple[int, int]:
        """Where the table of the step that is being read begins and ends, as far as is seen."""
        name = rf"""name\s*=\s*["']{re.escape(self.where)}["']"""
        named = re.search(name, self.text) if self.where else None
        if named is None:
            return 0, len(self.text)
        ends = self.text.find(_STEP, named.end())
        begins = max(self.text.rfind(_STEP, 0, named.start()), 0)
        return begins, ends if ends >= 0 else len(self.text)

    def _begin_of(self, key: str, begins: int, ends: int) -> int:
        """Where an option of a step stands; without one, the step's name."""
        for one in (key, "name"):
            found = re.compile(rf"^[ \t]*({re.escape(one)})\s*=", re.MULTILINE).search(
                self.text, begins, ends
            )
            if one and found:
                return found.start(1)
        return begins

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
                message = f"there is no option {key!r}; there are {', '.join(known)}"
                raise self.fail(message, key=key)

    def text_of(self, row: dict[str, Any], key: str, *, needed: bool = False) -> str:
        """An option that is text; "" if it may be left out and is."""
        value = row.get(key, "")
        if not isinstance(value, str) or (needed and not value.strip()):
            raise self.fail(f"{key} must be text" if key in row else f"{key} is missing", key=key)
        return value.strip()

    def choice(
        self, row: dict[str, Any], key: str, allowed: tuple[str, ...], default: str | None = None
    ) -> str:
        """An option that has one of a few values."""
        value = row.get(key, default)
        if value not in allowed:
            given = f"{key} = {value!r}" if key in row else f"{key} is missing"
            raise self.fail(f"{given}: one of {', '.join(allowed)}", key=key)
        return str(value)

    def _place(self, index: int) -> tuple[int, int]:
        """Line and column of a character."""
        before = self.text[:index]
        return before.count("\n") + 1, len(before) - before.rfind("\n")
