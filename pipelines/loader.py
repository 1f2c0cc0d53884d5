"""Loads pipelines from TOML.

Everything that can be wrong with a pipeline is found here and said with file, step and position,
as much of it at once as can be told apart.
"""

from __future__ import annotations

import re
import tomllib

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from pipelines.condition import Condition, paths
from pipelines.pipeline import Pipeline
from pipelines.reference import wrong
from pipelines.source import Mistake, PipelineError, Source
from pipelines.step import RESPONSE, CreateStep, OpenStep, Step, UpdateStep
from pipelines.step_reader import Choices, StepReader
from pipelines.template import Query, Template, TemplateError, compile_data, templates
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
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(error, source) from error
    return _Loader(Source(text, source)).pipeline(document)


def _not_toml(error: tomllib.TOMLDecodeError, source: str) -> PipelineError:
    place = re.search(r"line (\d+), column (\d+)", str(error))
    line, column = (int(place[1]), int(place[2])) if place else (1, 1)
    return PipelineError(Mistake(f"{source}: not TOML: {error}", source, "", line, column))


class _Loader:
    """Turns one TOML document into a pipeline."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.fail = source.fail
        self.choices: Choices = {}
        self.unread: set[str] = (
            set()
        )  # steps with mistakes, in lower case: nobody's names but theirs

    def pipeline(self, document: dict[str, Any]) -> Pipeline:
        """The pipeline; what is wrong is collected as far as one mistake does not hide others."""
        source, collect = self.source, self.source.collect
        keys = ("name", "description", "when", "both", "step", "writeback", "choices")
        collect(source.only, document, keys)
        name = collect(source.text_of, document, "name", needed=True) or ""
        self.choices = collect(self.choices_of, document) or {}
        reader = StepReader(source, self.choices)
        when = collect(self.condition, document, reader) or parse({})
        both = collect(self.both, document) or False
        rows = collect(self.rows, document) or []
        found = [collect(reader.step, row, name) for row in rows]
        steps = [step for step in found if step is not None]
        self.unread = {str(row.get("name")).lower() for row in rows} - {
            step.name.lower() for step in steps
        }
        self.check_names(steps)
        collect(self.check_order, steps)
        writeback = collect(self.writeback, document, name, steps)
        for step in steps:
            collect(self.check_choices, step.name, step.templates())
        if writeback is not None:
            collect(self.check_choices, "writeback", templates(writeback.attributes))
        if source.mistakes:
            raise PipelineError(*sorted(source.mistakes, key=lambda one: (one.line, one.column)))
        readers: list[Step | AttributeTable] = [*steps, *([writeback] if writeback else [])]
        read = tuple(_with_reads(step, readers) for step in steps)
        digest = blake2b(source.text.encode(), digest_size=8).hexdigest()
        return Pipeline(name, read, when, source.name, writeback, digest, both, self.choices)

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
                raise self.fail(f"when: {message}")
        return when

    def both(self, document: dict[str, Any]) -> bool:
        """Whether it makes records beside another pipeline of the same table."""
        both = document.get("both", False)
        if not isinstance(both, bool):
            raise self.fail("both is true or false")
        return both

    def choices_of(self, document: dict[str, Any]) -> dict[str, dict[str, bool | int | str]]:
        """The tables of labels and option values, ``[choices.priority]``."""
        tables = document.get("choices", {})
        if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
            raise self.fail("choices are tables: [choices.priority], and in it high = 2")
        found: dict[str, dict[str, bool | int | str]] = {}
        for name, table in tables.items():
            if not table or not all(isinstance(one, bool | int | str) for one in table.values()):
                raise self.fail(f"choices.{name}: lines like high = 2")
            found[name] = {label.strip().lower(): option for label, option in table.items()}
            if len(found[name]) < len(table):
                raise self.fail(f"choices.{name}: a label is there twice; case does not matter")
        return found

    def writeback(
        self, document: dict[str, Any], pipeline: str, steps: list[Step]
    ) -> AttributeTable | None:
        """The table of attributes that go back to Connect, if there is one."""
        if "writeback" not in document:
            return None
        self.source.where = "writeback"
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
            raise self.fail(f"{attribute!r} is not an attribute name: use letters, digits, - and _")
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
        for position, step in enumerate(steps):
            self.source.where = step.name
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
                    self.source.note(f"when: {message}")

    def wrong(
        self, path: tuple[str, ...], earlier: Mapping[str, Step], steps: Iterable[Step]
    ) -> str:
        """What is wrong with a name; nothing with one of a step that could not be read."""
        answers = {part.lower().removesuffix(RESPONSE.lower()) for part in path[:2]}
        return "" if answers & self.unread else wrong(path, earlier, steps)

    def check_choices(self, step: str, used: Iterable[Template | Query]) -> None:
        """The filter ``choice`` names tables there are, in quotes."""
        self.source.where = step
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
        for step in steps:
            self.source.where = step.name
            known = after.keys() | self.unread
            if unknown := [name for name in step.after if name.lower() not in known]:
                raise self.fail(f"after: there is no step {unknown[0]!r}")
            seen: set[str] = set()
            queue = [*after[step.name.lower()]]
            while queue:
                name = queue.pop()
                if name == step.name.lower():
                    raise self.fail("after: it waits for itself, by way of the steps it names")
                if name not in seen:
                    seen.add(name)
                    queue += after.get(name, [])


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
