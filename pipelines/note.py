"""Notes: what works in a pipeline but may surprise its author."""

from __future__ import annotations

import json
import re

from collections.abc import Iterable
from itertools import combinations
from typing import Any, NamedTuple

from pipelines.condition import Condition, Every, certain
from pipelines.conversion import Kind, is_no
from pipelines.entity import CREATE_ONLY, ENTITIES, Entity
from pipelines.legs import RELATIVES
from pipelines.link import LINK, rivals
from pipelines.names import DESCRIBED_ONLY, EVENT_ONLY, EVENTS_ALONE, FILLED, MEMBERS
from pipelines.possibility import Possibility
from pipelines.reference import is_new
from pipelines.step import RESPONSE, CreateStep, RecordStep, Step, TableStep, tables_of
from pipelines.template import Query, Template, templates
from pipelines.view import NAMES


class Note(NamedTuple):
    """What works but may surprise: in which step, if in one, and which text of the file it is."""

    step: str
    text: str
    at: str = ""


def guesses(step: Step | None) -> list[tuple[str, str]]:
    """What a step leaves to be guessed where Dynamics cannot be asked, and its place."""
    return [
        (_guess(table), f'"{table.set}"')
        for table in (tables_of(step) if isinstance(step, TableStep) else ())
        if not table.known
    ]


def _guess(table: Entity) -> str:
    return (
        f"entity set {table.set!r} is not one this program knows; its key is taken to be "
        f'{table.key!r} where Dynamics cannot be asked; write key = "…" if it is another '
        "(check --online says)"
    )


def in_names(read: Iterable[tuple[str, ...]]) -> list[tuple[str, str]]:
    """What to know of the names that are read, each once, and the name in the file."""
    return sorted({found for path in read if (found := _of_name(path))[0]})


def _of_name(path: tuple[str, ...]) -> tuple[str, str]:
    name = path[0]
    two = ".".join(path[:2]).lower()
    if is_new(path):
        name = ".".join(path[:2]) if path[0].lower() in _STRUCTURES else name
        text = f"{name} is not a name this release knows; it has a value only if Connect sends it"
    elif name.lower() in _EVENT_ONLY:
        text = (
            f"{name} comes with contact events only; "
            "it stays empty for contacts whose events were lost"
        )
    elif alone := {name.lower(), two} & _EVENTS_ALONE.keys():
        text = (
            f"{_EVENTS_ALONE[alone.pop()]} comes with contact events only; it may be empty "
            "once the contact record has come, and for contacts whose events were lost"
        )
    elif name.lower() in _DESCRIBED_ONLY:
        text = (
            f"{name} is neither in events nor in the contact record; it has a value only until "
            "that comes, if Connect was asked for it"
        )
    else:
        text = ""
    return text, path[0]


_STRUCTURES = {name.lower() for name in MEMBERS}
_EVENT_ONLY = {name.lower() for name in EVENT_ONLY | FILLED}
_EVENTS_ALONE = {name.lower(): name for name in EVENTS_ALONE}
_DESCRIBED_ONLY = {name.lower() for name in DESCRIBED_ONLY}


def may_meet(one: Iterable[Condition], other: Iterable[Condition]) -> bool:
    """Whether a contact may fit both: no name is to have one of these and one of those values."""
    asked = [
        {test.path: test.values for test in certain(Every(tuple(all_)))} for all_ in (one, other)
    ]
    return all(asked[0][path] & asked[1][path] for path in asked[0].keys() & asked[1].keys())


def in_links(steps: Iterable[Step]) -> list[Note]:
    """Which links of one lookup may both have a value."""
    links = [
        (step, column, value)
        for step in steps
        if isinstance(step, RecordStep)
        for column, value in step.body.items()
        if value is not None
    ]
    return [
        Note(
            b.name,
            f"{other} is the same lookup as {one}"
            f"{f' of step {a.name}' if a is not b else ''}; where both have a value, this one "
            "counts: let a 'when', or one lookup in several tables, give a value to one of them "
            "alone",
            f'"{other}"',
        )
        for (a, one, v), (b, other, w) in combinations(links, 2)
        if rivals(one, [other])
        and _record_of(a) == _record_of(b)
        and not _is_either(v, w)
        and may_meet((a.when,), (b.when,))
    ]


def twice(steps: Iterable[Step]) -> list[Note]:
    """Which steps each make an activity of one table for the same contact."""
    makers = [
        step for step in steps if isinstance(step, CreateStep) and step.table.key == "activityid"
    ]
    return [
        Note(
            b.name,
            f"makes one more of {b.table.set} for a contact, beside step {a.name}; if one is "
            f'meant, write method = "PATCH" and query = "({{{{{a.name}{RESPONSE}.activityid}}}})"',
        )
        for a, b in combinations(makers, 2)
        if a.table == b.table and may_meet((a.when,), (b.when,))
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


def in_body(step: RecordStep) -> list[tuple[str, str]]:
    """What may surprise in a body, and which text of it."""
    bare = "stands in text without braces and is sent as it is; did you mean"
    found = [(f"{word!r} {bare} {{{{{word}}}}}?", word) for word in _bare_words(step.body)]
    columns = [
        (column, text)
        for column, value in sorted(step.body.items())
        if (text := type_doubt(value, step.table.kind(column), converted=True))
    ]
    columns += [
        (column, "can only be set by the step that makes the record, and is not sent by this one")
        for column in sorted(CREATE_ONLY & step.body.keys())
        if not isinstance(step, CreateStep)
    ]
    columns += [
        (column, _OF_ANOTHER)
        for column, value in step.body.items()
        if column.endswith(LINK) and any(map(_is_of_another, templates(value)))
    ]
    columns += [
        (column, _AS_HTML)
        for column in sorted(step.table.rich)
        if any(_unescaped(template.source) for template in templates(step.body.get(column)))
    ]
    return found + [(f"{column}: {text}", f'"{column}"') for column, text in columns]


_OF_ANOTHER = (
    "links to the record of another contact; Dynamics refuses it while that one is not there, "
    "which it may never be: name the id in a text or in a page's address"
)
_AS_HTML = (
    "is shown as HTML, and what people said may hold some; add | escape to each of its placeholders"
)


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
