"""Lint: what is wrong with pipeline files, without any setting, for an author and for CI."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

import orjson

from pipelines.loader import load
from pipelines.note import Note
from pipelines.pipeline import Pipeline, doubles
from pipelines.slip import slips
from pipelines.source import Mistake, PipelineError, Source
from worker.definitions import text_and_source


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to mend, or to know.

    Attributes:
        file: The file, as it was named.
        severity: ``error``: the file cannot be used; ``note``: it works, but may surprise.
        text: What it is and what to write instead.
        step: The step that it is in; "" for the file as a whole.
        line: The line, counted from 1; None if it has none.
        column: The column, counted from 1; None if it has none.
    """

    file: str
    severity: Literal["error", "note"]
    text: str
    step: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """As compilers write it, so that editors find the place."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.severity}: {self.text}"


def lint(names: Iterable[str]) -> list[Problem]:
    """The problems of these pipelines, shipped or in files, file by file.

    Raises:
        ConfigError: There is no such file, or it cannot be read.
    """
    found: list[Problem] = []
    pipelines: list[Pipeline] = []
    for name in names:
        text, source = text_and_source(name)
        try:
            pipeline = load(text, source)
        except PipelineError as error:
            found += [_of(mistake) for mistake in error.mistakes]
            continue
        except RecursionError:
            found.append(Problem(source, "error", "nested too deeply"))
            continue
        pipelines.append(pipeline)
        wrong = [_of(mistake) for mistake in slips(pipeline)]
        places = {(one.line, one.column) for one in wrong}
        notes = [_note(text, source, note) for note in pipeline.notes()]
        found += [*wrong, *(one for one in notes if (one.line, one.column) not in places)]
    for one in pipelines:
        if sum(other.name == one.name for other in pipelines) > 1:
            text = f"two of these pipelines call themselves {one.name!r}; rename one"
            found.append(Problem(one.source, "error", text))
    return found + [Problem(text.partition(" ")[0], "error", text) for text in doubles(pipelines)]


def _of(mistake: Mistake, severity: Literal["error", "note"] = "error") -> Problem:
    where = f" step {mistake.step}:" if mistake.step else ""
    text = mistake.text.removeprefix(f"{mistake.source}:{where} ")
    text = f"step {mistake.step}: {text}" if where else text
    text = text.removesuffix(f" (line {mistake.line}, column {mistake.column})")
    return Problem(mistake.source, severity, text, mistake.step, mistake.line, mistake.column)


def _note(text: str, source: str, note: Note) -> Problem:
    place = Source(text, source)
    place.enter(note.step)
    return _of(place.fail(note.text, note.at).mistakes[0], "note")


def to_json(problems: Iterable[Problem]) -> str:
    """The problems as a JSON array."""
    return orjson.dumps([asdict(one) for one in problems], option=orjson.OPT_INDENT_2).decode()
