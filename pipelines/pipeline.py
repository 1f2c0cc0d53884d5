"""Pipelines: what to send to Dynamics at each step of a contact's life."""

from __future__ import annotations

import json
import re

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

from pipelines.condition import ALWAYS, Condition, Every, certain, paths
from pipelines.conversion import Kind, is_no
from pipelines.entity import CREATE_ONLY, ENTITIES
from pipelines.legs import RELATIVES
from pipelines.link import LINK, rivals
from pipelines.names import DESCRIBED_ONLY, EVENT_ONLY, EVENTS_ALONE, FILLED, MEMBERS
from pipelines.possibility import Possibility
from pipelines.reference import is_new
from pipelines.step import RESPONSE, CreateStep, RecordStep, Step, TableStep, tables_of
from pipelines.template import Query, Template, templates
from pipelines.view import NAMES
from pipelines.writeback import AttributeTable


@dataclass(frozen=True)
class Pipeline:
    """Steps in file order, for the contacts that ``when`` admits, and what goes back to Connect.

    ``digest`` is of the file's text: two with one digest send the same. ``both``: its activities
    are wanted beside those that another pipeline makes of the same contacts. ``choices``: its
    tables of labels and options.
    """

    name: str
    steps: tuple[Step, ...]
    when: Condition = ALWAYS
    source: str = ""
    writeback: AttributeTable | None = None
    digest: str = ""
    both: bool = False
    choices: Mapping[str, Mapping[str, bool | int | str]] = field(default_factory=dict)

    @cached_property
    def reads(self) -> frozenset[tuple[str, ...]]:
        """Every path of names that anything in it reads, in lower case."""
        found = [*paths(self.when), *(self.writeback.names() if self.writeback else ())]
        for step in self.steps:
            found += (*paths(step.when), *step.names())
        return frozenset(tuple(part.lower() for part in path) for path in found)

    @cached_property
    def roots(self) -> frozenset[str]:
        """The first parts of these."""
        return frozenset(path[0] for path in self.reads)

    def step(self, name: str) -> Step | None:
        """The step of that name."""
        return next((step for step in self.steps if step.name == name), None)

    def guesses(self, name: str) -> list[str]:
        """What a step leaves to be guessed where Dynamics cannot be asked."""
        step = self.step(name)
        return [
            f"{self.source}: step {name}: entity set {table.set!r} is not one this program "
            f"knows; its key is taken to be {table.key!r} where Dynamics cannot be asked; write "
            'key = "…" if it is another (check --online says)'
            for table in (tables_of(step) if isinstance(step, TableStep) else ())
            if not table.known
        ]

    def warnings(self) -> list[str]:
        """What ``check`` should report: things that work but may surprise."""
        found = [f"{self.source}: when: {text}" for text in _in_names(paths(self.when))]
        if self.writeback is not None:
            texts = _in_names(self.writeback.names())
            found += [f"{self.source}: writeback: {text}" for text in texts]
        for step in self.steps:
            read = {*step.names(), *paths(step.when)}
            found += [f"{self.source}: step {step.name}: {text}" for text in _in_names(read)]
            found += self.guesses(step.name)
            if isinstance(step, RecordStep):
                found += [f"{self.source}: step {step.name}: {text}" for text in _in_body(step)]
        found += [f"{self.source}: {text}" for text in _in_links(self.steps)]
        return found


def _in_names(read: Iterable[tuple[str, ...]]) -> list[str]:
    """What to know of the names that are read, each once."""
    found = set()
    for path in read:
        name = path[0]
        two = ".".join(path[:2]).lower()
        if is_new(path):
            name = ".".join(path[:2]) if path[0].lower() in _STRUCTURES else name
            found.add(
                f"{name} is not a name this release knows; it has a value only if Connect sends it"
            )
        elif name.lower() in _EVENT_ONLY:
            found.add(
                f"{name} comes with contact events only; "
                "it stays empty for contacts whose events were lost"
            )
        elif alone := {name.lower(), two} & _EVENTS_ALONE.keys():
            found.add(
                f"{_EVENTS_ALONE[alone.pop()]} comes with contact events only; it may be empty "
                "once the contact record has come, and for contacts whose events were lost"
            )
        elif name.lower() in _DESCRIBED_ONLY:
            found.add(
                f"{name} is neither in events nor in the contact record; it has a value only until "
                "that comes, if Connect was asked for it"
            )
    return sorted(found)


_STRUCTURES = {name.lower() for name in MEMBERS}
_EVENT_ONLY = {name.lower() for name in EVENT_ONLY | FILLED}
_EVENTS_ALONE = {name.lower(): name for name in EVENTS_ALONE}
_DESCRIBED_ONLY = {name.lower() for name in DESCRIBED_ONLY}


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
        and _may_meet((one.when, a.when), (other.when, b.when))
    ]


def _may_meet(one: Iterable[Condition], other: Iterable[Condition]) -> bool:
    """Whether a contact may fit both: no name is to have one of these and one of those values."""
    asked = [
        {test.path: test.values for test in certain(Every(tuple(all_)))} for all_ in (one, other)
    ]
    return all(asked[0][path] & asked[1][path] for path in asked[0].keys() & asked[1].keys())


def _in_links(steps: Iterable[Step]) -> list[str]:
    """Which links of one lookup may both have a value."""
    links = [
        (step, column, value)
        for step in steps
        if isinstance(step, RecordStep)
        for column, value in step.body.items()
        if value is not None
    ]
    return [
        f"step {b.name}: {other} is the same lookup as {one}"
        f"{f' of step {a.name}' if a is not b else ''}; where both have a value, this one counts: "
        "let a 'when', or one lookup in several tables, give a value to one of them alone"
        for (a, one, v), (b, other, w) in combinations(links, 2)
        if rivals(one, [other])
        and _record_of(a) == _record_of(b)
        and not _is_either(v, w)
        and _may_meet((a.when,), (b.when,))
    ]


def _record_of(step: RecordStep) -> str:
    """The record that a step is about, as far as its text says."""
    if isinstance(step, CreateStep):
        return step.name.lower()
    answers = [path[0].lower().removesuffix(RESPONSE.lower()) for path, _ in step.key.names]
    return answers[0] if len(answers) == 1 else step.key.source


def _is_either(one: Any, other: Any) -> bool:
    """Whether two links are of one lookup in several tables, which finds one customer."""
    tables = {table.logical for table in ENTITIES.values()}
    paths_ = [path for link in (one, other) for t in templates(link) for path, _ in t.names]
    answers = {path[0].lower() for path in paths_}
    return (
        len(answers) == 1
        and all(path[1:] and path[1].lower() in tables for path in paths_)
        and len({path[1].lower() for path in paths_}) == len(paths_) > 1
    )


def _in_body(step: RecordStep) -> list[str]:
    found = [
        f"{word!r} stands in text without braces and is sent as it is; did you mean {{{{{word}}}}}?"
        for word in _bare_words(step.body)
    ]
    found += [
        f"{column}: {text}"
        for column, value in sorted(step.body.items())
        if (text := type_doubt(value, step.table.kind(column), converted=True))
    ]
    found += [
        f"{column} can only be set by the step that makes the record, and is not sent by this one"
        for column in sorted(CREATE_ONLY & step.body.keys())
        if not isinstance(step, CreateStep)
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


#: Filters that give something else than text.
_TYPED = frozenset(
    (
        *("boolean", "integer", "decimal", "choice", "seconds_to", "minutes", "size", "times"),
        *("plus", "minus", "divided_by", "modulo", "round", "ceil", "floor", "abs", "at_least"),
        *("at_most", "sum", "has", "find_index"),
    )
)

#: Names whose members are always texts (API reference "UpdateContactAttributes", "TagResource").
_TEXTS = ("attributes", "tags")


def type_doubt(value: Any, kind: Kind | None, *, converted: bool) -> str:
    """Why a column of this kind may refuse what a template gives, and what to write; or "".

    Args:
        value: A column's value in a step's body.
        kind: What the column holds.
        converted: Texts that are clearly of the kind are converted before they are sent.
    """
    if kind in (None, "text"):
        return ""
    if isinstance(value, str):
        return f"{value!r} is text, but the column holds {kind} values; write it without quotes"
    if not isinstance(value, Template):
        return ""
    texts = [one for one in value.literals if not converted or is_no(one, kind)]
    if texts:
        return f"the branch {texts[0]!r} is text, no {kind}; {_PLACE}"
    filters = f"| {kind}" + (" or | choice" if kind == "integer" else "")
    if not value.whole and not value.conditional:
        return f"is text, but the column holds {kind} values; use one placeholder alone, {filters}"
    clear = "what is not clearly one is refused by Dynamics" if converted else "Dynamics refuses it"
    text = f"is text, but the column holds {kind} values, and {clear}; add {filters}"
    return text if any(map(_is_said, value.possibilities)) else ""


def _is_said(one: Possibility) -> bool:
    """Whether it is a text that a flow has set."""
    return any(root.lower() in _TEXTS for root in one.roots) and not _TYPED & {*one.filters}


#: What to write in a branch.
_PLACE = "write a placeholder there, as in {{ 2 }}"


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
