"""Keys in parentheses, ``contacts(<guid>)`` and ``contacts(emailaddress1='x')``."""

from __future__ import annotations

import re

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.rows.values import GUID


if TYPE_CHECKING:
    from worker.sandbox.dataverse.rows.records import Row, Rows
    from worker.sandbox.dataverse.schema.columns import Schema, Table
    from worker.sandbox.dataverse.switches import Switches


#: A primary key, or the values of an alternate key by column.
Key = str | Mapping[str, "str | int | bool"]

_PAIR: Final = re.compile(r"\s*(\w+)\s*=\s*(?:'((?:[^']|'')*)'|([\w:.+-]+))\s*(?:,|$)")
_INTEGER: Final = re.compile(r"-?\d{1,19}")
_FLAGS: Final = {"true": True, "false": False}
_SEGMENT: Final = re.compile(r"(\w+)\(((?:'(?:[^']|'')*'|[^')])*)\)")
_ROOT: Final = re.compile(r"(?:https?://[^/]+)?/?(?:api/data/v9\.\d+/)?")


def parse_key(table: Table, text: str) -> Key:
    """What stands between the parentheses.

    Raises:
        Refusal: Neither a GUID nor pairs of column and value.
    """
    if GUID.fullmatch(text):
        return text.lower()
    pairs: dict[str, str | int | bool] = {}
    at = 0
    while at < len(text):
        match = _PAIR.match(text, at)
        if not match:
            break
        name, quoted, bare = match.groups()
        pairs[name] = _value(bare) if quoted is None else quoted.replace("''", "'")
        at = match.end()
    if not pairs or at < len(text):
        raise refusals.bad_query(f"Bad Request - Error in query syntax, key of '{table.type}'.")
    if set(pairs) == {table.key}:
        return str(pairs[table.key]).lower()
    return pairs


def _value(text: str) -> str | int | bool:
    """A number, a truth value, a GUID or a moment, which stand without quotes."""
    if _INTEGER.fullmatch(text):
        return int(text)
    return _FLAGS.get(text, text)


def resolve(records: Rows, switches: Switches, table: Table, key: Key) -> Row | None:
    """The row a key names, or None.

    Raises:
        Refusal: No such alternate key, or none that is ready.
    """
    if isinstance(key, str):
        return records.get(table, key)
    if not records.has_key(table, key):
        raise undefined_key(table)
    if table.logical == "phonecall" and switches.phonecall_keys != "allow":
        raise undefined_key(table)
    return records.find(table, key)


def undefined_key(table: Table) -> refusals.Refusal:
    """No such alternate key [DOC use-alternate-key-reference-record].

    An index that is still being built answers the same here; what an organisation says is not
    documented.
    """
    resource = f"resource '{table.type}'"
    return refusals.bad_query(
        f"The key in the request URI is not valid for {resource}. Ensure that the names and number "
        f"of key properties match the declared or alternate key properties for the {resource}."
    )


def split_reference(schema: Schema, text: str) -> tuple[Table, Key] | None:
    """``/contacts(<key>)``, with or without the slash or the whole URL before it."""
    root = _ROOT.match(text)
    match = _SEGMENT.fullmatch(text, root.end() if root else 0)
    table = schema.tables.get(match[1]) if match else None
    return (table, parse_key(table, match[2])) if match and table else None
