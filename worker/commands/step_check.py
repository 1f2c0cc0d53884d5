"""Steps of a pipeline, held against what metadata says of their tables.

Pure: what is known of the tables comes in, findings with file, step, line and column go out.
"""

from __future__ import annotations

import re

from collections.abc import Iterator

from pipelines.entity import HOLDS, Entity
from pipelines.lookup import column_of, fields_of
from pipelines.pipeline import Pipeline
from pipelines.source import Source, meant
from pipelines.step import CreateStep, LookupStep, RecordStep, TableStep, tables_of
from worker.commands.body_check import mistakes
from worker.commands.finding import Finding
from worker.commands.link_check import Tables, suggestion
from worker.commands.query_check import query_mistakes
from worker.dynamics.definitions import Definition


def step_findings(pipeline: Pipeline, tables: Tables) -> list[Finding]:
    """What Dynamics will refuse of a pipeline, and what is shorter there than it is taken for."""
    source = Source(pipeline.text, pipeline.source)
    found = []
    for number, step in enumerate(pipeline.steps):
        source.enter(step.name, number)
        if not isinstance(step, TableStep):
            continue
        for table in tables_of(step):
            definition = tables.definitions.get(table.set)
            if definition:
                shorter = [_placed(text, source) for text in _shorter(step, table, definition)]
                found += [Finding(text, wrong=False) for text in shorter]
                texts = [*dict.fromkeys(_mistakes(step, table, tables, pipeline))]
            else:
                texts = [] if table.set in tables.sets else [_no_set(table.set, tables)]
            found += [Finding(_placed(text, source)) for text in texts]
    return found


def _placed(text: str, source: Source) -> str:
    """A message with file, step, line and column: of what it begins with, or of what it quotes."""
    subject, colon, _ = text.partition(": ")
    quoted = re.search(r"'([^' ]+)'", text)
    words = [subject] if colon else []
    words += [quoted[1]] if quoted else []
    if text.startswith("$"):  # of a query
        return source.fail(text, words[-1], key="query").mistakes[0].text
    at = next((f'"{word}"' for word in words if f'"{word}"' in source.text), "")
    key = "body" if at and colon else "query"
    return source.fail(text, at, key=key).mistakes[0].text


def _no_set(name: str, tables: Tables) -> str:
    text = f"there is no entity set {name!r}"
    if right := tables.set_of(name):
        return f"{text}: that is the table's name; write {right}"
    near = meant(name, tables.sets)
    return f"{text}; mind the plural and the publisher's prefix{near}"


def _mistakes(step: TableStep, table: Entity, tables: Tables, pipeline: Pipeline) -> Iterator[str]:
    definition = tables.definitions[table.set]
    if isinstance(step, LookupStep):
        yield from _lookup(step, table, definition)
        return
    yield from mistakes(step, definition, tables, pipeline.choices)
    if isinstance(step, CreateStep):
        for field in sorted(step.reads):
            if re.sub(r"^_(\w+)_value$", r"\1", field) not in definition.columns:
                yield (
                    f"{field}: a later step reads it of the record, but {table.set} has no such "
                    f"column; {suggestion(field, definition.columns)}"
                )


def _shorter(step: TableStep, table: Entity, definition: Definition) -> Iterator[str]:
    """Columns that hold less in this environment than this program takes them for."""
    if not isinstance(step, RecordStep):
        return
    for column in step.body.keys() & definition.columns.keys():
        length, assumed = definition.columns[column].get("MaxLength"), table.lengths.get(column)
        if isinstance(length, int) and assumed is not None and length < assumed:
            yield f"{column} holds {length} characters here; use | fit: {length}"


def _lookup(step: LookupStep, table: Entity, definition: Definition) -> Iterator[str]:
    """Columns of a table in which a lookup searches, and those that steps read of its match."""
    ways = [way for place in step.places if place.table == table for way in place.ways]
    sought = {column for way in ways for column in way.columns}
    fields = fields_of(step.places, table, step.reads) if ways else set()
    wanted = {column_of(table, field) for field in fields} - {""}
    known = definition.columns
    query = step.query.source if step.query else ""
    if query.startswith("?"):
        yield from query_mistakes(query, step.reads, definition)
    for way in ways:
        for column in way.columns:
            holds = HOLDS.get(definition.type_of(column)) if column in known else None
            if way.by != "attribute" and holds not in (None, "text"):
                yield f"columns: {column!r} holds {holds} values, and by = {way.by} is for texts"
    for column in sorted(sought | wanted):
        if re.sub(r"^_(\w+)_value$", r"\1", column) not in known:
            yield f"{table.set} has no column {column!r}; {suggestion(column, known)}"
