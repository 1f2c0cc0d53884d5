"""Pipelines: what to send to Dynamics at each step of a contact's life."""

from __future__ import annotations

import json
import re

from dataclasses import dataclass, field
from typing import Any

from pipelines.legs import RELATIVES
from pipelines.names import EVENT_ONLY
from pipelines.step import RecordStep, Step, TableStep
from pipelines.template import LINK, Query, Template, templates
from pipelines.view import NAMES
from pipelines.writeback import AttributeTable


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Steps in file order, for the contacts that ``when`` admits, and what goes back to Connect.

    ``digest`` is of the file's text: two with one digest send the same.
    """

    name: str
    steps: tuple[Step, ...]
    when: dict[str, frozenset[str]] = field(default_factory=dict)
    source: str = ""
    writeback: AttributeTable | None = None
    digest: str = ""

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
            if isinstance(step, TableStep) and not step.table.known:
                found.append(
                    f"{self.source}: step {step.name}: entity set {step.table.set!r} is not one "
                    f"this program knows; its key is taken to be {step.table.key!r} "
                    "(check --online asks Dynamics)"
                )
            if isinstance(step, RecordStep):
                found += [f"{self.source}: step {step.name}: {text}" for text in _in_body(step)]
        return found


def _in_body(step: RecordStep) -> list[str]:
    found = [
        f"{word!r} stands in text without braces and is sent as it is; did you mean {{{{{word}}}}}?"
        for word in _bare_words(step.body)
    ]
    found += [
        f"{column} links to the record of another contact; Dynamics refuses it while that one is "
        "not there, which it may never be: name the id in a text or in a page's address"
        for column, value in step.body.items()
        if column.endswith(LINK) and any(map(_is_of_another, templates(value)))
    ]
    return found + [
        f"{column} is shown as HTML, and what people said may hold some; "
        "add | escape to each of its placeholders"
        for column in sorted(step.table.rich)
        if any(_unescaped(template.source) for template in templates(step.body.get(column)))
    ]


def _is_of_another(template: Template | Query) -> bool:
    relatives = {name.lower() for name in RELATIVES}
    return any(path[0].lower() in relatives for path, _ in template.names)


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
