"""JSON bodies of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from worker.sandbox.dataverse.odata import refusals


if TYPE_CHECKING:
    from worker.sandbox.dataverse.odata.wire import Call
    from worker.sandbox.dataverse.schema.columns import Table


def read_json(table: Table, call: Call) -> dict[str, Any]:
    """A request's body.

    Raises:
        Refusal: It is not a JSON object.
    """
    if not call.headers.get("content-type", "application/json").startswith("application/json"):
        raise refusals.Refusal(415, "0x80060888", "The request's Content-Type is not supported.")
    try:
        body = orjson.loads(call.body)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        inner = "Microsoft.OData.ODataException: The body is not a JSON object."
        raise refusals.payload(table.entity_set, inner)
    return body
