"""JSON bodies of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from worker.sandbox.dataverse.odata import refusals


if TYPE_CHECKING:
    from worker.sandbox.dataverse.odata.wire import Call
    from worker.sandbox.dataverse.schema.columns import Table


def read_json(table: Table, call: Call) -> dict[str, Any]:
    """The body of a request for rows of a table.

    Raises:
        Refusal: It is not a JSON object.
    """
    return _read(table.entity_set, call)


def read_object(call: Call) -> dict[str, Any]:
    """The body of an action; none at all is an empty one.

    Raises:
        Refusal: It is not a JSON object.
    """
    return _read(call.path, call) if call.body else {}


def _read(what: str, call: Call) -> dict[str, Any]:
    if not call.headers.get("content-type", "application/json").startswith("application/json"):
        raise refusals.Refusal(415, "0x80060888", "The request's Content-Type is not supported.")
    try:
        body = orjson.loads(call.body)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        inner = "Microsoft.OData.ODataException: The body is not a JSON object."
        raise refusals.payload(what, inner)
    return body
