"""Queries of a pipeline's own, held against what metadata says of their table.

Pure, like ``body_check``. What this cannot read (functions, lambdas, other tables' columns) it
leaves to Dynamics.
"""

from __future__ import annotations

import re

from collections.abc import Iterable, Iterator
from typing import Final

from pipelines.entity import HOLDS, LINKING
from pipelines.lookup import STATUS_NAMES
from worker.commands.link_check import link_name, suggestion
from worker.dynamics.definitions import Definition


_PLACEHOLDER: Final = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_OPTION: Final = re.compile(r"[?&](\$\w+)=([^&]*)")
_LITERAL: Final = re.compile(r"'(?:[^']|'')*'")
_COMPARED: Final = re.compile(
    r"(?<![\w/.@$])([A-Za-z_]\w*)\s+(?:eq|ne|gt|ge|lt|le)\s+('|\w*)"
    r"|\b(?:contains|startswith|endswith)\s*\(\s*([A-Za-z_]\w*)\s*,"
)


def query_mistakes(source: str, reads: Iterable[str], table: Definition) -> Iterator[str]:
    """What is wrong with a query, and what to write instead.

    Args:
        source: What is appended to the entity set's URI.
        reads: Fields of its answer that later steps name, in lower case.
        table: The table.
    """
    plain = _PLACEHOLDER.sub("0", source)
    options = dict(_OPTION.findall(plain))
    selected = _names(options.get("$select", ""))
    expanded = [name.partition("(")[0].strip() for name in _names(options.get("$expand", ""))]
    for name in selected:
        if name not in table.links and name not in table.collections:
            yield from _named("$select", name, table)
    for name in expanded:
        if not (link_name(name, table) or name in table.collections or _is_parties(name, table)):
            near = suggestion(name, [*table.links, *table.collections])
            yield f"$expand: {table.set} has no navigation property {name!r}; {near}"
    for name in _names(options.get("$orderby", "")):
        yield from _named("$orderby", name.split()[0], table)
    yield from _filter(options.get("$filter", ""), table)
    asked = {name.lower() for name in (*selected, *expanded, table.key, *STATUS_NAMES)}
    for field in sorted(set(reads) - asked):
        if selected:
            yield f"$select: a later step reads {field!r}, which is not among the columns; add it"
        elif "@" not in field and field not in (*table.links, *table.collections):
            yield from (f"a later step reads {text}" for text in _read(field, table))


def _filter(text: str, table: Definition) -> Iterator[str]:
    kept = _LITERAL.sub("''", text)
    for compared, quote, searched in dict.fromkeys(_COMPARED.findall(kept)):
        name = compared or searched
        found = list(_named("$filter", name, table))
        yield from found
        column = _column(name, table)
        holds = HOLDS.get(table.type_of(column)) if column else None
        if found or not compared:
            continue
        if quote == "'" and holds not in (None, "text"):
            yield f"$filter: {name} holds {holds} values; write the value without quotes"
        elif quote not in ("'", "null") and holds == "text" and not _column(quote, table):
            yield f"$filter: {name} holds text; write the value in quotes: eq '{{{{…}}}}'"


def _read(field: str, table: Definition) -> Iterator[str]:
    """A field of a row that a query without ``$select`` has found."""
    column = _column(field, table)
    if not column:
        names = [_read_as(one, table) for one in table.columns]
        yield f"{field!r}, and {table.set} has no such column; {suggestion(field, names)}"
    elif field != _read_as(column, table):
        yield f"{field!r}, a lookup; an answer has it as {_read_as(column, table)}"


def _named(option: str, name: str, table: Definition) -> Iterator[str]:
    column = _column(name, table)
    if not column:
        names = [_read_as(one, table) for one in table.columns]
        yield f"{option}: {table.set} has no column {name!r}; {suggestion(name, names)}"
    elif name != _read_as(column, table):
        yield f"{option}: {name} is a lookup; a query has it as {_read_as(column, table)}"


def _column(name: str, table: Definition) -> str:
    """The column that a query's name is of, or ""."""
    column = re.sub(r"^_(\w+)_value$", r"\1", name)
    return next((one for one in (name, column) if one in table.columns), "")


def _read_as(column: str, table: Definition) -> str:
    return f"_{column}_value" if table.type_of(column) in LINKING else column


def _is_parties(name: str, table: Definition) -> bool:
    return table.activity and name == f"{table.logical}_activity_parties"


def _names(text: str) -> list[str]:
    """The parts between commas that stand outside parentheses."""
    parts, depth = [""], 0
    for char in text:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts if part.strip()]
