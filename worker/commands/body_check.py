"""Bodies of steps, held against what metadata says of their tables: what Dynamics would refuse.

Pure: what is known of the tables comes in, texts go out. Each says what is wrong with a column and
what to write instead.
"""

from __future__ import annotations

import re

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pipelines.conversion import fitted, integer
from pipelines.entity import HOLDS, STATE, is_party_list
from pipelines.link import LINK
from pipelines.note import type_doubt
from pipelines.odata import GUID
from pipelines.step import CreateStep, RecordStep
from pipelines.template import Template
from pipelines.value import ABSENT
from worker.commands.date_check import date_text, dated
from worker.commands.link_check import (
    WORDS,
    Tables,
    bool_for_int,
    constants,
    key_mistakes,
    link_mistakes,
    link_name,
    link_names,
    party_mistakes,
    suggestion,
    unquoted,
    word,
)
from worker.dynamics.definitions import Definition


#: How a template names a table of labels and options.
_CHOICE: Final = re.compile(r"""\|\s*choice\s*:\s*['"]([^'"]*)['"]""")

#: Labels of the pipeline's tables, with the options that they stand for.
Choices = Mapping[str, Mapping[str, bool | int | str]]

#: Attribute types, and the Python types of the values that fit them.
FITTING: Final[Mapping[str, tuple[type, ...]]] = {
    "String": (str,),
    "Memo": (str,),
    "Boolean": (bool,),
    "Integer": (int,),
    "BigInt": (int,),
    "Picklist": (int,),
    "State": (int,),
    "Status": (int,),
    "MultiSelectPicklist": (str,),
    "Decimal": (int, float),
    "Double": (int, float),
    "Money": (int, float),
    "DateTime": (str,),
    "Uniqueidentifier": (str,),
}

#: Types of columns that the platform fills by itself if it must have them.
_FILLED: Final = frozenset(
    ("Boolean", "EntityName", "Integer", "Owner", "Picklist", "State", "Status", "Uniqueidentifier")
)


def mistakes(
    step: RecordStep, table: Definition, tables: Tables, choices: Choices
) -> Iterator[str]:
    """What is wrong with a step that writes, column by column, and what to write instead."""
    for column, value in step.body.items():
        if is_party_list(column):
            found = party_mistakes(column, value, table, tables)
        elif column.endswith(LINK):
            found = link_mistakes(column.removesuffix(LINK), value, table, tables)
        elif _is_related(column, value, table):
            found = iter(())
        elif column not in table.columns:
            found = _unknown(column, table)
        else:
            found = _column(step, column, value, table, choices)
        for text in found:
            yield f"{column}: {text}"
    yield from _pair(step, table)
    if isinstance(step, CreateStep):
        yield from _missing(step, table)
    else:
        yield from key_mistakes(step.key.source, table)


# --- columns --------------------------------------------------------------------------------------


def _is_related(column: str, value: Any, table: Definition) -> bool:
    """Whether a link is emptied, or rows are made along with this one."""
    if column in table.collections:
        return True
    return link_name(column, table) is not None and (value is None or isinstance(value, dict))


def _unknown(column: str, table: Definition) -> Iterator[str]:
    if link_name(column, table):
        yield f"is a link, which is written by its name with {LINK}; write {column}{LINK}"
        return
    text = f"{table.set} has no column {column!r}"
    lookup = re.sub(r"^_(\w+)_value$", r"\1", column)
    if lookup != column and lookup in table.columns:
        yield f"is read, not written; write {link_names(lookup, table)}"
    elif column.lower() in table.columns:
        yield f"{text}: columns are written in small letters; write {column.lower()!r}"
    else:
        yield f"{text}; {suggestion(column, table.columns)}"


def _column(
    step: RecordStep, column: str, value: Any, table: Definition, choices: Choices
) -> Iterator[str]:
    if text := _unwritable(column, table, creating=isinstance(step, CreateStep)):
        yield text
    elif isinstance(value, Template):
        holds = HOLDS.get(table.type_of(column))
        kind = holds if holds in ("boolean", "integer", "decimal") else None
        doubt = type_doubt(value, kind, converted=step.table.kind(column) is not None)
        yield from [doubt] if doubt else ()
        if holds == "date":
            yield from dated(value, table.columns[column])
        yield from _possible(column, value, step, table, choices)
    elif value is not None:
        yield from _constant(column, value, table)


def _possible(
    column: str, value: Template, step: RecordStep, table: Definition, choices: Choices
) -> Iterator[str]:
    """What the pipeline itself has a template give: branches, defaults and choices."""
    named = [choices.get(name, {}) for name in _CHOICE.findall(value.source)]
    options = [one for known in named for one in known.values()]
    found = [*_options(column, [*map(integer, value.literals), *options], table)]
    for one in constants(value):
        sent = fitted(one, step.table.kind(column))
        found += [] if sent is ABSENT else _constant(column, sent, table)
    yield from dict.fromkeys(found)


def _unwritable(column: str, table: Definition, *, creating: bool) -> str:
    """Why a column cannot be written as one, and what to write instead; or ""."""
    known, kind = table.columns[column], table.type_of(column)
    if column == table.key:
        return "is the key, which this program chooses; leave it out"
    if kind == "PartyList":
        return f"is written as a list of parties: {table.logical}_activity_parties"
    if HOLDS.get(kind) == "guid" and kind != "Uniqueidentifier":
        return f"is a lookup, which is written as a link: {link_names(column, table)}"
    valid = known.get("IsValidForCreate" if creating else "IsValidForUpdate", True)
    if valid or column in STATE:  # a record is closed in a request of its own
        return ""
    return f"cannot be set when a record is {'created' if creating else 'updated'}; leave it out"


def _constant(column: str, value: Any, table: Definition) -> Iterator[str]:
    kind = table.type_of(column)
    fitting = FITTING.get(kind)
    if fitting is None:
        return
    if not isinstance(value, fitting) or bool_for_int(value, fitting):
        wanted = " or ".join(WORDS[one] for one in fitting)
        yield f"is {word(value)}, but the column is {kind}: write {wanted}{unquoted(value)}"
    elif isinstance(value, str):
        yield from _text(column, kind, value, table)
    elif column in table.options:
        yield from _options(column, [value], table)
    else:
        least, most = (table.columns[column].get(name) for name in ("MinValue", "MaxValue"))
        if least is not None and most is not None and not least <= value <= most:
            yield f"{value} is out of range; write {least:g} to {most:g}"


def _text(column: str, kind: str, value: str, table: Definition) -> Iterator[str]:
    """A text of a pipeline, which is sent as it is."""
    length = table.columns[column].get("MaxLength")
    if isinstance(length, int) and len(value.encode("utf-16-le", "surrogatepass")) // 2 > length:
        yield f"is longer than the column's {length} characters; shorten it"
    if kind == "DateTime":
        yield from date_text(value, table.columns[column])
    if kind == "Uniqueidentifier" and not GUID.fullmatch(value.strip("{}")):
        yield f"{value!r} is no id; write a GUID"
    if kind == "MultiSelectPicklist":
        yield from _options(column, map(integer, value.split(",")), table)


def _options(column: str, values: Iterable[Any], table: Definition) -> Iterator[str]:
    """Values that none of the column's options has."""
    options = table.options.get(column, {})
    for value in dict.fromkeys(values) if options else ():
        if isinstance(value, int) and not isinstance(value, bool) and value not in options:
            there = ", ".join(f"{one} {text}".strip() for one, text in options.items())
            yield f"there is no choice {value}; write one of {there}"


def _pair(step: RecordStep, table: Definition) -> Iterator[str]:
    """A status belongs to one state, and is reached from that of an open record."""
    state, status = (step.body.get(name) for name in STATE)
    belongs = table.states.get(status) if isinstance(status, int) else None
    if belongs is not None and isinstance(state, int) and belongs != state:
        fitting = [str(one) for one, own in table.states.items() if own == state]
        yield (
            f"statuscode: {status} belongs to statecode {belongs}, not {state}; write "
            f"{' or '.join(fitting) or 'another statecode'}"
        )
    elif belongs and "statecode" not in step.body:
        yield f"statuscode: {status} belongs to statecode {belongs}; write that as well"
    elif isinstance(status, int) and (before := _not_before(status, table)):
        yield (
            f"statuscode: {status} may not follow that of an open record; of those that may are "
            f"{', '.join(map(str, before))}"
        )


def _not_before(status: int, table: Definition) -> list[int]:
    """What may follow an open record's status, if this one may not."""
    if not table.enforced or table.states.get(status) in (None, 0):
        return []
    ways = [to for one, to in table.transitions.items() if table.states.get(one) == 0]
    after = sorted(frozenset[int]().union(*ways))
    return after if status not in after else []


def _missing(step: CreateStep, table: Definition) -> Iterator[str]:
    """What Dataverse itself insists on; what only forms insist on may be left out."""
    names = {name.removesuffix(LINK) for name in step.body}
    linked = {table.links[nav][0] for name in names if (nav := link_name(name, table))}
    written = names | linked
    for column, known in table.columns.items():
        level = (known.get("RequiredLevel") or {}).get("Value")
        if (
            level == "SystemRequired"
            and known.get("IsValidForCreate", True)
            and not _is_filled(column, table)
            and column not in {*written, table.key}
        ):
            lookup = HOLDS.get(table.type_of(column)) == "guid"
            write = link_names(column, table) if lookup else column
            yield f"{column}: is required when a record is created; write {write}"


def _is_filled(column: str, table: Definition) -> bool:
    """Whether the platform gives a column a value by itself: some of its own, or a number."""
    known, kind = table.columns[column], table.type_of(column)
    numbered = known.get("AutoNumberFormat") or (
        kind == "String" and known.get("IsValidForUpdate") is False  # such as quotenumber
    )
    return kind in _FILLED or bool(numbered)
