"""Privileges: what roles allow, by table and kind of access [DOC security-roles-privileges].

All activities share theirs, and so do all activities of one's own.
"""

from __future__ import annotations

import uuid

from typing import TYPE_CHECKING, Any, Final


if TYPE_CHECKING:
    from worker.sandbox.dataverse.schema.columns import Table


#: Kinds of access, as names of privileges have them.
KINDS: Final = ("Create", "Read", "Write", "Delete", "Assign", "Share", "Append", "AppendTo")

#: Kinds that only rows with an owner have.
_OF_OWNERS: Final = ("Assign", "Share")

#: What privileges call a table, where that is not its name.
_NAMES: Final = {"annotation": "Note", "systemuser": "User"}

_NAMESPACE: Final = uuid.UUID("c5b0a7f0-1f4e-4c1e-9a57-0a4b5a0d8f11")


def privilege_name(table: Table, kind: str) -> str:
    """The name of a privilege, such as ``prvCreateActivity``."""
    named = "Activity" if table.activity else _NAMES.get(table.logical, table.logical.capitalize())
    return f"prv{kind}{named}"


def privilege_id(name: str) -> str:
    """A privilege's id."""
    return str(uuid.uuid5(_NAMESPACE, name))


def privilege_rows(table: Table) -> list[dict[str, Any]]:
    """SecurityPrivilegeMetadata of a table."""
    owned = table.ownership == "UserOwned"
    return [
        {
            "CanBeBasic": owned,
            "CanBeLocal": owned,
            "CanBeDeep": owned,
            "CanBeGlobal": True,
            "Name": (name := privilege_name(table, kind)),
            "PrivilegeId": privilege_id(name),
            "PrivilegeType": kind,
        }
        for kind in KINDS
        if owned or kind not in _OF_OWNERS
    ]
