"""Turns an action into the Web API request that carries it out.

Every request can be repeated: creates carry our primary key, updates are conditional on the
record being there (powerapps-docs ``webapi/perform-conditional-operations-using-web-api``).
"""

from __future__ import annotations

import json

from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import quote

from pipelines.action import Change, Lookup, ReadFile, Reading, Verb
from pipelines.entity import PARTITION, Entity, entity, is_party_list
from pipelines.identity import note_id
from pipelines.ledger import digest, digests
from pipelines.link import emptied
from pipelines.lookup import MOST_ROWS
from pipelines.odata import doubled
from pipelines.text import cut, units
from worker.dynamics.protocol import Request
from worker.settings import CreateBy


UPDATE_ONLY = {"If-Match": "*"}
CREATE_ONLY = {"If-None-Match": "*"}
REPRESENTATION = {"Prefer": "return=representation"}
ANNOTATIONS = {"Prefer": 'odata.include-annotations="*"'}


def request_for(
    action: Reading | Change, create_by: CreateBy = "post", table: Entity | None = None
) -> Request:
    """The request that carries an action out; of a lookup with several queries the first.

    Args:
        action: What is to be done.
        create_by: How records are made.
        table: The table of a change; None: what this program takes it for.
    """
    match action:
        case Lookup():
            return Request("GET", _limited(action.url))
        case ReadFile():
            return Request("GET", action.url)  # of S3
        case Change():
            table = table or entity(action.entity)
            if action.key_column:
                table = replace(table, key=action.key_column)
            return _REQUESTS[action.verb](action, create_by, table)


def made_by(create: Request) -> str:
    """The address of the record that a request makes."""
    return create.record or create.path.partition("?")[0]


def _create(create: Change, create_by: CreateBy, table: Entity) -> Request:
    made = _insert(table, create.key, create.columns, create_by)
    if not create.returning:
        return made
    select = f"?$select={','.join(dict.fromkeys((table.key, *create.returning)))}"
    return replace(made, path=made.path + select, headers={**REPRESENTATION, **made.headers})


def _note(note: Change, create_by: CreateBy, table: Entity) -> Request:
    """What a closed record would not take, as an annotation on it, whose id says its content."""
    notes = entity("annotations")
    lines = [f"{column}: {_readable(value)}" for column, value in sorted(note.columns.items())]
    columns = {
        "subject": "Came after the record was closed",
        "notetext": _as_html("\n".join(lines), notes.lengths["notetext"]),
        f"objectid_{table.logical}@odata.bind": f"/{_address(note, table)}",
    }
    key = note_id(note.record, digest(digests(note.columns)))
    return _insert(notes, key, columns, create_by)


def _insert(table: Entity, key: str, columns: dict[str, Any], create_by: CreateBy) -> Request:
    if create_by == "patch":
        return Request("PATCH", f"{table.set}({key})", CREATE_ONLY, columns)
    body = {table.key: key, **columns}
    return Request("POST", table.set, body=body, record=f"{table.set}({key})")


def _address(change: Change, table: Entity) -> str:
    """Where the record is; in a partition its key does not say that alone."""
    if not change.partition:
        return change.record
    partition = quote(doubled(change.partition), safe="")
    return f"{change.entity}({table.key}={change.key},{PARTITION}='{partition}')"


def _adopt(look: Change, _: CreateBy, table: Entity) -> Request:
    lists = [column for column in look.columns if is_party_list(column)]
    expand = f"?$expand={','.join(lists)}" if lists else ""
    return Request("GET", _address(look, table) + expand, ANNOTATIONS)


def _parties(change: Change, _: CreateBy, table: Entity) -> Request:
    ((column, parties),) = change.columns.items()
    return Request("PUT", f"{_address(change, table)}/{column}", body={"value": parties})


def _update(change: Change, _: CreateBy, table: Entity) -> Request:
    return Request("PATCH", _address(change, table), UPDATE_ONLY, emptied(change.columns))


_REQUESTS: Mapping[Verb, Callable[[Change, CreateBy, Entity], Request]] = {
    Verb.CREATE: _create,
    Verb.ADOPT: _adopt,
    Verb.REOPEN: _update,
    Verb.UPDATE: _update,
    Verb.PARTIES: _parties,
    Verb.NOTE: _note,
    Verb.CLOSE: _update,
}


def _as_html(text: str, most: int) -> str:
    """Text as HTML of at most as many UTF-16 units, cut if need be."""
    shown = escape(text, quote=False)
    while (length := units(shown)) > most:
        text = cut(text, units(text) * most // length - 1, "…")
        shown = escape(text, quote=False)
    return shown


def _readable(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _limited(url: str) -> str:
    if url.partition("?")[0].endswith(")") or "$top=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}$top={MOST_ROWS}"
