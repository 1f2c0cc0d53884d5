"""How to tell a successful answer of Dataverse from that of a proxy or a maintenance page.

A write counts as done only if Dataverse itself says so. Its answers carry ``OData-Version``, and
those to creates and updates also ``OData-EntityId``; their statuses and bodies are documented
(powerapps-docs ``webapi/create-entity-web-api``, ``update-delete-entities-using-web-api``,
``query-data-web-api``). A row that is read or returned always has its primary key, whatever was
selected.
"""

from __future__ import annotations

import re

from collections.abc import Mapping
from typing import Any, Final

from pipelines.entity import entity
from worker.dynamics.protocol import WHO_AM_I, Request


VERSION: Final = "odata-version"
ENTITY_ID: Final = "odata-entityid"

OK: Final = 200
CREATED: Final = 201
NO_CONTENT: Final = 204

#: An entity set, and the key of one of its records if the request is about that one.
_PLACE: Final = re.compile(r"(\w+)(\([^/?]*\))?(?:\?|$)")


def is_dataverses(
    request: Request, status: int, headers: Mapping[str, str], body: Mapping[str, Any] | None
) -> bool:
    """Whether this can be Dataverse's answer.

    Args:
        request: What was asked.
        status: 2xx.
        headers: With names in lower case or case-insensitive.
        body: The JSON object; None without a body.
    """
    if request.method == "GET":
        return status == OK and VERSION in headers and body is not None and _read(request, body)
    marked = VERSION in headers or ENTITY_ID in headers
    if body is None:
        return marked and status in {CREATED, NO_CONTENT}
    returned = status in {OK, CREATED} and "return=representation" in _preference(request)
    place = _PLACE.match(request.path)
    return marked and returned and place is not None and _has_key(place[1], body)


def _read(request: Request, body: Mapping[str, Any]) -> bool:
    """Whether a body is a list of rows, or the one row, as the request asked for."""
    place = _PLACE.match(request.path)
    if place is None or request.path == WHO_AM_I.path:
        return True
    if place[2] is None:
        rows = body.get("value")
        return isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
    return _has_key(place[1], body)


def _has_key(entity_set: str, body: Mapping[str, Any]) -> bool:
    table = entity(entity_set)
    return table.key in body or not table.known  # what a guessed key is called is not known


def _preference(request: Request) -> str:
    return next((v for name, v in request.headers.items() if name.lower() == "prefer"), "")
