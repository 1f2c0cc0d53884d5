"""Turns a write into the Web API request that carries it out.

Every request can be repeated: creates carry our primary key, updates are conditional on the
record being there (powerapps-docs ``webapi/perform-conditional-operations-using-web-api``).
"""

from __future__ import annotations

import json

from html import escape
from typing import Any

from pipelines.entity import entity, is_party_list
from pipelines.lookup import MOST_ROWS
from pipelines.write import Kind, Write
from worker.dynamics.protocol import Request
from worker.settings import CreateBy


UPDATE_ONLY = {"If-Match": "*"}
CREATE_ONLY = {"If-None-Match": "*"}
REPRESENTATION = {"Prefer": "return=representation"}
ANNOTATIONS = {"Prefer": 'odata.include-annotations="*"'}


def request_for(write: Write, create_by: CreateBy = "post") -> Request:
    """The request for a write; an OPEN has none."""
    if write.kind is Kind.LOOKUP:
        return Request("GET", _limited(write.url))
    if write.kind is Kind.ADOPT:
        lists = [column for column in write.columns if is_party_list(column)]
        expand = f"?$expand={','.join(lists)}" if lists else ""
        return Request("GET", _address(write) + expand, ANNOTATIONS)
    if write.kind in (Kind.CREATE, Kind.NOTE):
        return _create(write, create_by)
    if write.kind is Kind.PARTIES:
        ((column, parties),) = write.columns.items()
        return Request("PUT", f"{_address(write)}/{column}", body={"value": parties})
    return Request("PATCH", _address(write), UPDATE_ONLY, write.columns)


def _create(write: Write, create_by: CreateBy) -> Request:
    key = entity(write.entity).key
    columns = _note(write) if write.kind is Kind.NOTE else write.columns
    headers = dict(REPRESENTATION) if write.returning else {}
    select = f"?$select={','.join((key, *write.returning))}" if write.returning else ""
    if create_by == "patch":
        return Request("PATCH", _address(write) + select, {**headers, **CREATE_ONLY}, columns)
    return Request("POST", write.entity + select, headers, {key: write.key, **columns})


def _note(write: Write) -> dict[str, Any]:
    """What a closed record would not take, as an annotation on it."""
    about = write.record.partition("(")[0]
    lines = [f"{column}: {_readable(value)}" for column, value in sorted(write.columns.items())]
    return {
        "subject": "Came after the record was closed",
        "notetext": escape("\n".join(lines), quote=False),  # it is shown as HTML
        f"objectid_{entity(about).logical}@odata.bind": f"/{write.record}",
    }


def _readable(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _address(write: Write) -> str:
    return f"{write.entity}({write.key})"


def _limited(url: str) -> str:
    if url.partition("?")[0].endswith(")") or "$top=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}$top={MOST_ROWS}"
