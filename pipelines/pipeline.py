"""Pipelines: what to send to Dynamics at each step of a contact's life."""

from __future__ import annotations

import json
import re

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from pipelines.names import EVENT_ONLY
from pipelines.step import CreateStep, RecordStep, Step, TableStep, tables_of
from pipelines.template import Query, Template, templates
from pipelines.view import NAMES
from pipelines.writeback import AttributeTable


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Steps in file order, for the contacts that ``when`` admits, and what goes back to Connect.

    ``digest`` is of the file's text: two with one digest send the same. ``both``: its activities
    are wanted beside those that another pipeline makes of the same contacts.
    """

    name: str
    steps: tuple[Step, ...]
    when: dict[str, frozenset[str]] = field(default_factory=dict)
    source: str = ""
    writeback: AttributeTable | None = None
    digest: str = ""
    both: bool = False

    def step(self, name: str) -> Step | None:
        """The step of that name."""
        return next((step for step in self.steps if step.name == name), None)

    def warnings(self) -> list[str]:
        """What ``check`` should report: things that work but may surprise."""
        found = []
        for step in self.steps:
            found += [
                f"{self.source}: step {step.name}: {name} comes with contact events only; "
                "it stays empty for contacts whose events were lost"
                for name in sorted({p[0] for p in step.names()} & EVENT_ONLY)
            ]
            found += [
                f"{self.source}: step {step.name}: entity set {table.set!r} is not one "
                f"this program knows; its key is taken to be {table.key!r} "
                "(check --online asks Dynamics)"
                for table in (tables_of(step) if isinstance(step, TableStep) else ())
                if not table.known
            ]
            if isinstance(step, RecordStep):
                found += [f"{self.source}: step {step.name}: {text}" for text in _in_body(step)]
        return found


def doubles(pipelines: Iterable[Pipeline]) -> list[str]:
    """Which pipelines make two activities of one table for one contact, without saying ``both``."""
    makers = [
        (pipeline, step)
        for pipeline in pipelines
        for step in pipeline.steps
        if isinstance(step, CreateStep) and step.table.key == "activityid"
    ]
    return [
        f"{one.source} (step {a.name}) and {other.source} (step {b.name}) each make one of "
        f"{a.table.set} for the same contact; name one of the two pipelines, or write both = true "
        "at the top of one of them if you want two activities for each"
        for (one, a), (other, b) in combinations(makers, 2)
        if one.name != other.name
        and not (one.both or other.both)
        and a.table == b.table
        and _may_meet(one.when | a.when, other.when | b.when)
    ]


def _may_meet(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a contact may fit both: no name is to have one of these and one of those values."""
    lists = ((one[name], other[name]) for name in one.keys() & other.keys())
    return all(a & b for a, b in lists if isinstance(a, frozenset) and isinstance(b, frozenset))


def _in_body(step: RecordStep) -> list[str]:
    found = [
        f"{word!r} stands in text without braces and is sent as it is; did you mean {{{{{word}}}}}?"
        for word in _bare_words(step.body)
    ]
    return found + [
        f"{column} is shown as HTML, and what people said may hold some; "
        "add | escape to each of its placeholders"
        for column in sorted(step.table.rich)
        if any(_unescaped(template.source) for template in templates(step.body.get(column)))
    ]


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
