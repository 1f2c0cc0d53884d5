"""Loads pipelines from TOML.

Everything that can be wrong with a pipeline is found here and said with file, step and position,
as much of it at once as can be told apart.
"""

from __future__ import annotations

import re

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from pipelines.condition import Condition, paths
from pipelines.pipeline import Pipeline
from pipelines.reference import wrong
from pipelines.source import Mistake, PipelineError, Source, meant
from pipelines.step import RESPONSE, CreateStep, OpenStep, Step, UpdateStep
from pipelines.step_reader import OPTIONS, Choices, StepReader
from pipelines.template import Query, Template, TemplateError, compile_data, templates
from pipelines.toml_text import TomlMistake, read_toml
from pipelines.when import parse
from pipelines.writeback import AttributeTable


#: The filter ``choice`` with the table that it names.
_CHOICE = re.compile(r"""\|\s*choice\b\s*(:\s*(?:'([^']*)'|"([^"]*)"))?""")


def load(text: str, source: str = "pipeline") -> Pipeline:
    """The pipeline in a TOML text.

    Args:
        text: The file's text.
        source: The file's name, for messages.

    Raises:
        PipelineError: Something is wrong with it.
    """
    document, broken = read_toml(text)
    place = Source(text, source)
    found = [_not_toml(one, place) for one in broken]
    if document is None:
        raise PipelineError(*found)
    try:
        pipeline = _Loader(Source(text, source)).pipeline(document)
    except PipelineError as error:
        # An option that was left out as it could not be read is not missing.
        more = [one for one in error.mistakes if not (found and " is missing" in one.text)]
        raise PipelineError(*sorted([*found, *more], key=_place_of)) from error
    if found:
        raise PipelineError(*found)
    return pipeline


def _not_toml(mistake: TomlMistake, source: Source) -> Mistake:
    line, column = mistake.line, mistake.column
    step = source.step_at(line)
    where = f" step {step}:" if step else ""
    text = f"{source.name}:{where} {mistake.message} (line {line}, column {column})"
    return Mistake(text, source.name, step, line, column)


def _place_of(mistake: Mistake) -> tuple[int, int]:
    return mistake.line, mistake.column


class _Loader:
    """Turns one TOML document into a pipeline."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.fail = source.fail
        self.choices: Choices = {}
        self.numbered: list[tuple[int, Step]] = []  # those that could be read, and which they are
        self.unread: set[str] = (
            set()
        )  # steps with mistakes, in lower case: nobody's names but theirs

    def pipeline(self, document: dict[str, Any]) -> Pipeline:
        """The pipeline; what is wrong is collected as far as one mistake does not hide others."""
        source, collect = self.source, self.source.collect
        keys = ("name", "description", "when", "both", "step", "writeback", "choices")
        misplaced = [key for key in document if key in OPTIONS and key not in keys]
        for key in misplaced:
            text = f"{key!r} belongs to a step: write it below [[step]], a table as [step.{key}]"
            source.note(text, key=key)
        source.only({key: document[key] for key in document if key not in misplaced}, keys)
        name = collect(source.text_of, document, "name", needed=True) or ""
        self.choices = collect(self.choices_of, document) or {}
        reader = StepReader(source, self.choices)
        when = collect(self.condition, document, reader) or parse({})
        both = collect(self.both, document) or False
        rows = collect(self.rows, document) or []
        found = [self.step(reader, row, number, name) for number, row in enumerate(rows)]
        self.numbered = [(n, step) for n, step in enumerate(found) if step is not None]
        steps = [step for _, step in self.numbered]
        self.unread = {str(row.get("name")).lower() for row in rows} - {
            step.name.lower() for step in steps
        }
        self.check_names(steps)
        self.check_order(steps)
        writeback = collect(self.writeback, document, name, steps)
        for number, step in self.numbered:
            source.enter(step.name, number)
            collect(self.check_choices, step.templates())
        if writeback is not None:
            source.enter("writeback")
            collect(self.check_choices, templates(writeback.attributes))
        if source.mistakes:
            raise PipelineError(*source.mistakes)
        readers: list[Step | AttributeTable] = [*steps, *([writeback] if writeback else [])]
        read = tuple(_with_reads(step, readers) for step in steps)
        digest = blake2b(source.text.encode(), digest_size=8).hexdigest()
        return Pipeline(
            name, read, when, source.name, writeback, digest, both, self.choices, source.text
        )

    def step(
        self, reader: StepReader, row: dict[str, Any], number: int, pipeline: str
    ) -> Step | None:
        """A step, as far as it can be read."""
        self.source.enter(str(row.get("name", "?")), number)
        found = self.source.collect(reader.step, row, pipeline)
        self.source.enter("")
        return found

    def rows(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        """The steps' tables."""
        rows = document.get("step")
        if not rows or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self.fail("needs at least one [[step]]")
        return rows

    def condition(self, document: dict[str, Any], reader: StepReader) -> Condition:
        """The pipeline's ``when``."""
        when = reader.conditions(document)
        for path in paths(when):
            if message := wrong(path, {}):
                raise self.fail(f"when: {message}", path[0], key="when")
        return when

    def both(self, document: dict[str, Any]) -> bool:
        """Whether it makes records beside another pipeline of the same table."""
        both = document.get("both", False)
        if not isinstance(both, bool):
            raise self.fail("both is true or false", key="both")
        return both

    def choices_of(self, document: dict[str, Any]) -> dict[str, dict[str, bool | int | str]]:
        """The tables of labels and option values, ``[choices.priority]``."""
        tables = document.get("choices", {})
        if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
            text = "choices are tables: [choices.priority], and in it high = 2"
            raise self.fail(text, key="choices")
        found: dict[str, dict[str, bool | int | str]] = {}
        for name, table in tables.items():
            if not table or not all(isinstance(one, bool | int | str) for one in table.values()):
                raise self.fail(f"choices.{name}: lines like high = 2", f"choices.{name}")
            found[name] = {label.strip().lower(): option for label, option in table.items()}
            if len(found[name]) < len(table):
                text = f"choices.{name}: a label is there twice; case does not matter"
                raise self.fail(text, f"choices.{name}")
        return found

    def writeback(
        self, document: dict[str, Any], pipeline: str, steps: list[Step]
    ) -> AttributeTable | None:
        """The table of attributes that go back to Connect, if there is one."""
        if "writeback" not in document:
            return None
        self.source.enter("writeback")
        table = document["writeback"]
        if not isinstance(table, dict) or not table:
            raise self.fail('writeback is a table: ms_id = "{{ContactId}}"')
        found = {
            attribute: self.source.collect(self.attribute, table, attribute, steps) or ""
            for attribute in table
        }
        return AttributeTable(f"{pipeline}/writeback", found)

    def attribute(self, table: dict[str, Any], attribute: str, steps: list[Step]) -> Any:
        """The compiled text of an attribute."""
        if not re.fullmatch(r"[A-Za-z0-9_-]+", attribute):
            text = f"{attribute!r} is not an attribute name: use letters, digits, - and _"
            raise self.fail(text, key=attribute)
        source = self.source.text_of(table, attribute)
        try:
            compiled = compile_data(source, choices=self.choices)
        except TemplateError as error:
            raise self.fail(f"{attribute}: {error}", source, error.index) from error
        earlier = {step.name.lower(): step for step in steps}
        for template in templates(compiled):
            for path, index in template.names:
                if message := self.wrong(path, earlier, steps):
                    raise self.fail(f"{attribute}: {message}", source, index)
        return compiled

    def check_names(self, steps: list[Step]) -> None:
        """Every name that a step uses may have a value, and no two steps have one name."""
        for position, (number, step) in enumerate(self.numbered):
            self.source.enter(step.name, number)
            earlier = {s.name.lower(): s for s in steps[:position]}
            if step.name.lower() in earlier:
                self.source.note("there are two steps of this name")
            for template, path, index in _used(step):
                if message := self.wrong(path, earlier, steps):
                    # A text that was mended on reading is not in the file, but the name is.
                    there = template in self.source.text
                    self.source.note(message, template if there else path[0], index if there else 0)
            for path in paths(step.when):
                if message := self.wrong(path, earlier, steps):
                    self.source.note(f"when: {message}", path[0], key="when")

    def wrong(
        self, path: tuple[str, ...], earlier: Mapping[str, Step], steps: Iterable[Step]
    ) -> str:
        """What is wrong with a name; nothing with one of a step that could not be read."""
        answers = {part.lower().removesuffix(RESPONSE.lower()) for part in path[:2]}
        return "" if answers & self.unread else wrong(path, earlier, steps)

    def check_choices(self, used: Iterable[Template | Query]) -> None:
        """The filter ``choice`` names tables there are, in quotes."""
        for template in used:
            for match in _CHOICE.finditer(template.source):
                name = match[2] or match[3]
                if name not in self.choices:
                    known = ", ".join(self.choices) or "none"
                    raise self.fail(
                        f"choice: there is no table [choices.{name or '…'}]; there are {known}",
                        template.source, match.start(),
                    )  # fmt: skip

    def check_order(self, steps: list[Step]) -> None:
        """Steps wait for steps there are, and not for one another in a circle."""
        after = {step.name.lower(): [name.lower() for name in step.after] for step in steps}
        names = {step.name.lower(): step.name for step in steps}
        known = after.keys() | self.unread
        told: set[str] = set()
        for number, step in self.numbered:
            self.source.enter(step.name, number)
            for name in step.after:
                if name.lower() not in known:
                    near = meant(name, names.values())
                    self.source.note(f"after: there is no step {name!r}{near}", key="after")
            circle = _circle(step.name.lower(), after)
            if circle and not told & {*circle}:
                way = " -> ".join(names[name] for name in [*circle, circle[0]])
                self.source.note(f"after: it waits for itself: {way}", key="after")
            told |= {*circle}


def _circle(start: str, after: Mapping[str, list[str]]) -> list[str]:
    """The steps by way of which a step waits for itself, if it does."""
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop()
        for name in after.get(way[-1], []):
            if name == start:
                return way
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []


def _used(step: Step) -> Iterator[tuple[str, tuple[str, ...], int]]:
    for template in step.templates():
        for path, index in template.names:
            yield template.source, path, index


def _with_reads(step: Step, readers: Sequence[Step | AttributeTable]) -> Step:
    """The step, knowing which fields of its answer others name."""
    if isinstance(step, OpenStep | UpdateStep):
        return step  # has no answer, or one that is its key
    answer = (step.name + RESPONSE).lower()
    fields = {
        p[1].lower() for r in readers for p in r.names() if p[0].lower() == answer and len(p) > 1
    }
    key = {step.table.key} if isinstance(step, CreateStep) else set()
    return replace(step, reads=frozenset(fields - key))
