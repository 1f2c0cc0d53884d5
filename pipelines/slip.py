"""Slips: what a pipeline says that can be read, and yet cannot be meant.

They are told where a file is judged, never where it is loaded: a running worker goes on with a file
that an older release took.
"""

from __future__ import annotations

import re
import tomllib

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from pipelines.address import address_in, named_in
from pipelines.condition import Condition, Either, Every, Is, Not, Prefix
from pipelines.entity import ENTITIES, Entity
from pipelines.filter_use import misused
from pipelines.json_text import twice_in
from pipelines.link import LINK, is_bare_link
from pipelines.note import type_doubt
from pipelines.pipeline import Pipeline
from pipelines.query_text import misspelt
from pipelines.reference import is_new
from pipelines.source import Mistake, Source, meant
from pipelines.step import (
    RESPONSE,
    CreateStep,
    LookupStep,
    RecordStep,
    Step,
    TableStep,
    UpdateStep,
    tables_of,
)
from pipelines.template import Query, Template, templates
from pipelines.view import NAMES
from pipelines.vocabulary import ALSO, VALUES


class Slip(NamedTuple):
    """What is wrong; ``at``: the text of the file that is, ``offset``: where in that."""

    text: str
    at: str = ""
    offset: int = 0
    key: str = ""


#: A text that is nothing but a name, in the braces of another language or in none.
_BARE: Final = re.compile(r"\s*(?:\$\{|\$\(|\{|\[|%|<|@)?\s*(\w+)\s*(?:\}|\)|\]|%|>)?\s*")


def slips(pipeline: Pipeline) -> list[Mistake]:
    """The slips of a pipeline, each with its place."""
    source = Source(pipeline.text, pipeline.source)
    for slip in _values(pipeline.when):
        source.note(*slip[:3], key="when")
    for number, step in enumerate(pipeline.steps):
        source.enter(step.name, number)
        for slip in dict.fromkeys((*_in_step(step, pipeline), *_twice(pipeline.text, number))):
            source.note(*slip[:3], key=slip.key)
    if pipeline.writeback is not None:
        source.enter("writeback")
        for slip in _in_templates(templates(pipeline.writeback.attributes), pipeline.steps):
            source.note(*slip[:3])
    return sorted(source.mistakes, key=lambda one: (one.line, one.column))


def _in_step(step: Step, pipeline: Pipeline) -> Iterator[Slip]:
    yield from _values(step.when)
    yield from _in_templates(step.templates(), pipeline.steps)
    if isinstance(step, TableStep):
        for table in tables_of(step):
            yield from _in_table(table)
    if isinstance(step, RecordStep):
        yield from _in_body(step)
    if isinstance(step, LookupStep) and step.query and step.query.source.startswith("?"):
        source = step.query.source
        for text, index in misspelt(source):
            # A query may be written without its ?, which is in front of it then.
            yield Slip(f"query: {text}", source.removeprefix("?"), max(index - 1, 0), "query")
    if isinstance(step, UpdateStep):
        yield from _in_key(step, pipeline.steps)


def _twice(text: str, number: int) -> Iterator[Slip]:
    """Columns that the body of a step, counted from 0, has twice: the last one is sent."""
    rows = tomllib.loads(text).get("step", [])
    body = rows[number].get("body") if number < len(rows) else None
    if isinstance(body, str):
        body = body.strip()
        for name, index in twice_in(body):
            yield Slip(f"body: {name} is there twice; leave one out", body, index, "body")


# --- conditions -----------------------------------------------------------------------------------


def _values(when: Condition) -> Iterator[Slip]:
    """Values that a name never has."""
    match when:
        case Not(one):
            yield from _values(one)
        case Every(of) | Either(of):
            for one in of:
                yield from _values(one)
        case Is(path) | Prefix(path) if len(path) == 1 and path[0].lower() in VALUES:
            known = VALUES[path[0].lower()]
            said = when.values if isinstance(when, Is) else when.prefixes
            for value in sorted(said):
                whole = isinstance(when, Is)
                if not any(
                    value == one.lower() or (not whole and one.lower().startswith(value))
                    for one in known
                ):
                    near = meant(value, known, {k: v for k, v in ALSO.items() if v in known})
                    text = f"when: {path[0]} is never {value!r}; it is {' or '.join(known)}{near}"
                    yield Slip(text, path[0], 0, "when")


# --- templates ------------------------------------------------------------------------------------


def _in_templates(used: Iterable[Template | Query], steps: Iterable[Step]) -> Iterator[Slip]:
    steps = list(steps)
    for template in used:
        for text, index in misused(template.source):
            yield Slip(text, template.source, index)
        for path, index in template.names:
            if text := _name(path, steps):
                yield Slip(text, template.source, index)
        for path, index in template.names:
            if text := _answer(path, steps):
                yield Slip(text, template.source, index)


def _name(path: tuple[str, ...], steps: list[Step]) -> str:
    """Why a name that this release does not know is none that Amazon may have added."""
    first = path[0]
    if not is_new(path) or first in NAMES:
        return ""
    answers = {step.name + RESPONSE: step for step in steps}
    if near := meant(first, answers):
        return f"there is no name {first!r}{near}"
    if any(first.lower() == step.name.lower() for step in steps):
        field = ".".join(path[1:]) or "…"
        return f"there is no name {first!r}; an answer is written {{{{{first}{RESPONSE}.{field}}}}}"
    if "-" in first:
        return f"there is no name {first!r}; answers of steps end in {RESPONSE}"
    if first[:1].islower():
        near = meant(first, NAMES)
        return (
            f"there is no name {first!r}{near}; names begin with a capital, and a text in a "
            f"template stands in single quotes: '{first}'"
        )
    return ""


def _answer(path: tuple[str, ...], steps: list[Step]) -> str:
    """Why the record that a step makes has no such field, as far as its table is known."""
    made = {
        (one.name + RESPONSE).lower(): one.table for one in steps if isinstance(one, CreateStep)
    }
    table = made.get(path[0].lower())
    if table is None or len(path) != 2 or not table.known:  # noqa: PLR2004 - step and field
        return ""
    if path[1].lower() in (f"{table.logical}id", "id", "guid") and path[1].lower() != table.key:
        right = f"{{{{{path[0]}.{table.key}}}}}"
        return f"{path[0]} has no {path[1]!r}: the key of {table.set} is {table.key}; write {right}"
    return ""


# --- tables and bodies ----------------------------------------------------------------------------


def _in_table(table: Entity) -> Iterator[Slip]:
    """An entity set that this program does not know, and that is nearly one it does."""
    if table.known:
        return
    logical = {known.logical: known.set for known in ENTITIES.values()}
    if table.set in logical:
        right = logical[table.set]
        yield Slip(f"entity: {table.set} is the table's name; write {right}", f'"{table.set}"')
    elif "_" not in table.set and (near := meant(table.set, ENTITIES)):
        yield Slip(f"there is no entity set {table.set!r}{near}", f'"{table.set}"')


def _in_body(step: RecordStep) -> Iterator[Slip]:
    table = step.table
    if table.known and table.key in step.body:
        text = f"{table.key}: is the key, which this program chooses; leave it out"
        yield Slip(text, f'"{table.key}"', 0, "body")
    for column, value in step.body.items():
        at = f'"{column}"'
        if "@" in column and not column.endswith(LINK):
            right = column.partition("@")[0] + LINK
            yield Slip(f"{column}: a link is written with {LINK}; write {right}", at)
        elif column.endswith(LINK) and value is not None:
            yield from _in_link(column, value, at)
        elif is_bare_link(column) and isinstance(value, str | Template):
            right = f"{column}_contact_{table.logical}" if "_" not in column else column
            yield Slip(f"{column}: is a link; write it by its name, as {right}{LINK}", at)
        elif isinstance(value, str):
            yield from _in_text(column, value, step)
    if "statecode" in step.body and "statuscode" not in step.body:
        text = "statecode: without a statuscode Dynamics may ignore it; write both"
        yield Slip(text, '"statecode"')


def _in_text(column: str, value: str, step: RecordStep) -> Iterator[Slip]:
    """A value that is text and no template."""
    if doubt := type_doubt(value, step.table.kind(column), converted=True):
        yield Slip(f"{column}: {doubt}", f'"{column}"')
    found = _BARE.fullmatch(value)
    name = next((one for one in NAMES if found and one.lower() == found[1].lower()), "")
    if re.search(r"[a-z][A-Z]", name):
        text = f"{column}: {value!r} is sent as it is; write {{{{{name}}}}}"
        yield Slip(text, f'"{value}"', 1 + value.lower().find(name.lower()))


def _in_link(column: str, value: Any, at: str) -> Iterator[Slip]:
    row = address_in(value)
    if row is None:
        yield Slip(f'{column}: is no address of a record; write "/contacts({{{{…}}}})"', at)
        return
    logical = {known.logical: known.set for known in ENTITIES.values()}
    named = row.named or named_in(value)
    if named in logical:
        text = f"{column}: {named} is the table's name; write the entity set: /{logical[named]}(…)"
        yield Slip(text, at)
    if re.match(r"\s*'", row.key):
        yield Slip(f"{column}: an id stands without quotes: /{named}({{{{…}}}})", at)


def _in_key(step: UpdateStep, steps: Iterable[Step]) -> Iterator[Slip]:
    """The key of an update that is that of a record of another table."""
    source = step.key.source
    for one in steps:
        tables = tables_of(one) if isinstance(one, TableStep) else ()
        if not tables or any(table.set == step.table.set for table in tables):
            continue
        for path, index in step.key.names:
            is_answer = path[0].lower() == (one.name + RESPONSE).lower()
            if is_answer and path[1:2] and path[1].lower() in {table.key for table in tables}:
                text = (
                    f"query: {path[0]}.{path[1]} is the key of a record of {tables[0].set}; "
                    f"this step updates {step.table.set}"
                )
                yield Slip(text, source, index, "query")
