"""Pipelines: what to send to Dynamics at each step of a contact's life.

The step vocabulary is ConnectPath's (docs.dextr.cloud, "Microsoft Dynamics Integration").
"""

from __future__ import annotations

import json
import re

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pipelines.entity import Entity
from pipelines.lookup import Way
from pipelines.names import EVENT_ONLY
from pipelines.template import Query, Template, templates
from pipelines.view import NAMES
from pipelines.writeback import Writeback


#: A contact that ended is not waited for longer than this, unless the step says ``within``.
WITHIN_S = 15 * 60

#: Step answers end in this: ``{{STEP2-Response.activityid}}``.
RESPONSE = "-Response"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``path`` is ``pipeline/step``.

    Attributes:
        name: Its name; its answer is ``{{<name>-Response.<field>}}`` in other steps.
        path: ``<pipeline>/<name>``.
        on: The milestone it waits for.
        method: GET, POST or PATCH; "" for a step that opens a record for the agent.
        table: The table it is about; None for a step that opens or reads.
        open: Page to open for the agent, e.g. ``main.aspx``; "" otherwise.
        tab: Open in a new tab, else embedded.
        body: Compiled JSON object: column -> value, template or nested data.
        query: What is appended to the entity set's URI, if anything.
        read: Read the file it is about; its answer has the fields of ``pipelines.lens``.
        ways: Of a lookup: the ways to look, the first one that can be gone is taken.
        page: Compiled JSON object of the opened page's query string.
        when: Conditions: name -> allowed values, lower case.
        after: Steps to wait for.
        within_s: How long after the contact's end to wait for ``after`` and for missing names.
        on_missing: What to do when the record to update is gone.
        reads: Answer fields later steps name, beside the primary key.
    """

    name: str
    path: str
    on: str
    method: str
    table: Entity | None
    open: str = ""
    tab: bool = False
    body: dict[str, Any] = field(default_factory=dict)
    query: Query | None = None
    read: bool = False
    ways: tuple[Way, ...] = ()
    page: dict[str, Any] = field(default_factory=dict)
    when: dict[str, frozenset[str]] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    within_s: float | None = None
    on_missing: str = "park"
    reads: frozenset[str] = frozenset()

    def templates(self) -> Iterator[Template | Query]:
        """Everything in it that is filled in."""
        for data in (self.body, self.page, self.query, [way.value for way in self.ways]):
            yield from templates(data)

    def names(self) -> Iterator[tuple[str, ...]]:
        """Every path of names its templates read."""
        for template in self.templates():
            yield from (path for path, _ in template.names)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Steps in file order, for the contacts that ``when`` admits, and what goes back to Connect.

    ``digest`` is of the file's text: two of one digest send the same.
    """

    name: str
    steps: tuple[Step, ...]
    when: dict[str, frozenset[str]] = field(default_factory=dict)
    source: str = ""
    writeback: Writeback | None = None
    digest: str = ""

    def step(self, name: str) -> Step | None:
        """The step of that name."""
        return next((step for step in self.steps if step.name == name), None)

    def warnings(self) -> list[str]:
        """What ``check`` should tell: things that work but may surprise."""
        found = []
        for step in self.steps:
            found += [
                f"{self.source}: step {step.name}: {name} comes with contact events only; "
                "it stays empty for contacts whose events were lost"
                for name in sorted({p[0] for p in step.names()} & EVENT_ONLY)
            ]
            if step.table is not None and not step.table.known:
                found.append(
                    f"{self.source}: step {step.name}: entity set {step.table.set!r} is not one "
                    f"this program knows; its key is taken to be {step.table.key!r} "
                    "(check --online asks Dynamics)"
                )
            found += [
                f"{self.source}: step {step.name}: {word!r} stands in text without braces and is "
                f"sent as it is; did you mean {{{{{word}}}}}?"
                for word in _bare_words(step.body)
            ]
            found += [
                f"{self.source}: step {step.name}: {column} is shown as HTML, and what people said "
                "may hold some; add | escape to each of its placeholders"
                for column in sorted(step.table.rich if step.table else ())
                if any(_unescaped(template.source) for template in templates(step.body.get(column)))
            ]
        return found


def _unescaped(source: str) -> bool:
    placeholders = re.findall(r"\{\{.*?\}\}", source, re.DOTALL)
    return not all(re.search(r"\|\s*escape(_once)?\b", text) for text in placeholders)


def _bare_words(body: Any) -> list[str]:
    texts = json.dumps(_constants(body))
    camel = [name for name in NAMES if re.search(r"[a-z][A-Z]", name)]
    return [name for name in sorted(camel) if re.search(rf"\b{name}\b", texts)]


def _constants(data: Any) -> Any:
    """Compiled data's values as text, placeholders taken out."""
    if isinstance(data, dict):
        return [_constants(value) for value in data.values()]
    if isinstance(data, list):
        return [_constants(value) for value in data]
    if isinstance(data, Template | Query):
        return re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", data.source)
    return data
