"""Definitions: all that metadata says of a table that a write must keep to.

Read for checks alone; what a worker needs of a table is in ``worker.dynamics.metadata``. Shapes:
powerapps-docs ``webapi/query-metadata-web-api`` and ``webapi/use-relationships``.
"""

from __future__ import annotations

import re

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from worker.dynamics.metadata import definition
from worker.dynamics.protocol import Dynamics, Request


#: What is read of a table.
_PARTS: Final = (
    "Attributes"
    ",Keys"
    ",ManyToOneRelationships($select=ReferencingAttribute,ReferencedEntity,"
    "ReferencingEntityNavigationPropertyName)"
    ",OneToManyRelationships($select=ReferencedEntityNavigationPropertyName)"
    ",ManyToManyRelationships($select=Entity1LogicalName,Entity1NavigationPropertyName,"
    "Entity2LogicalName,Entity2NavigationPropertyName)"
)

#: How a status names one that may follow it (StatusOptionMetadata ``TransitionData``, XML).
_FOLLOWS: Final = re.compile(r"""tostatusid=["'](\d+)""")

#: Types of columns that hold one of several options.
CHOICES: Final = ("MultiSelectPicklist", "Picklist", "State", "Status")


@dataclass(frozen=True, slots=True)
class Definition:
    """A table.

    Attributes:
        set: Entity set.
        logical: Logical name.
        key: Column of the primary key.
        activity: Whether it has parties.
        columns: Logical name -> AttributeMetadata.
        links: Navigation property -> its lookup column, and the table it leads to.
        collections: Navigation properties to the rows that refer to one of its own, or that a
            many-to-many relationship associates with it.
        keys: Columns of each alternate key.
        options: Column -> value -> label, of the columns whose options were asked for.
        states: Status -> the state that it belongs to, likewise.
        enforced: Whether only certain statuses may follow one another.
        transitions: Status -> those that may follow it, where that is said.
    """

    set: str
    logical: str
    key: str
    activity: bool = False
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    links: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    collections: frozenset[str] = frozenset()
    keys: tuple[frozenset[str], ...] = ()
    options: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    states: Mapping[int, int] = field(default_factory=dict)
    enforced: bool = False
    transitions: Mapping[int, frozenset[int]] = field(default_factory=dict)

    def type_of(self, column: str) -> str:
        """A column's attribute type; choices of several are ``Virtual`` but by their full name."""
        known = self.columns[column]
        full = str((known.get("AttributeTypeName") or {}).get("Value") or "")
        name = full.removesuffix("Type")
        return name if name == "MultiSelectPicklist" else str(known.get("AttributeType"))

    def link_to(self, column: str, logical: str) -> str:
        """The navigation property by which a lookup leads to a table, the longest; or ""."""
        found = [nav for nav, leads in self.links.items() if leads == (column, logical)]
        return max(found, key=len, default="")


async def read_sets(dynamics: Dynamics, *, timeout_s: float) -> dict[str, str]:
    """The logical name of every table, by entity set.

    Raises:
        DynamicsError: Dynamics refuses that, or does not answer.
    """
    request = Request("GET", "EntityDefinitions?$select=LogicalName,EntitySetName")
    rows = (await dynamics.send(request, timeout_s=timeout_s)).body.get("value") or []
    return {str(r.get("EntitySetName")): str(r.get("LogicalName")) for r in rows}


async def read_definition(
    dynamics: Dynamics, entity_set: str, named: Collection[str] = (), *, timeout_s: float
) -> Definition | None:
    """The table with this entity set; None if there is none.

    Args:
        dynamics: Who is asked.
        entity_set: Its name.
        named: Columns whose options are wanted, if they have some.
        timeout_s: How long each question may take.

    Raises:
        DynamicsError: Dynamics refuses one, or does not answer.
    """
    row = await definition(dynamics, entity_set, _PARTS, timeout_s=timeout_s)
    if row is None:
        return None
    found = _read(entity_set, row)
    kinds = {found.type_of(column) for column in named if column in found.columns}
    if kinds & {"State", "Status"}:
        kinds |= {"State", "Status"}
    for kind in sorted(kinds & {*CHOICES}):
        path = (
            f"EntityDefinitions(LogicalName='{found.logical}')/Attributes/"
            f"Microsoft.Dynamics.CRM.{kind}AttributeMetadata?$select=LogicalName"
            "&$expand=OptionSet,GlobalOptionSet"
        )
        body = (await dynamics.send(Request("GET", path), timeout_s=timeout_s)).body
        found = _with_options(found, body.get("value") or ())
    return found


def _read(entity_set: str, row: Mapping[str, Any]) -> Definition:
    def each(name: str) -> Iterable[Mapping[str, Any]]:
        return row.get(name) or ()

    logical = str(row.get("LogicalName"))
    many = [
        one.get(f"Entity{side}NavigationPropertyName")
        for one in each("ManyToManyRelationships")
        for side in (1, 2)
        if one.get(f"Entity{side}LogicalName") == logical
    ]
    single = [
        one.get("ReferencedEntityNavigationPropertyName") for one in each("OneToManyRelationships")
    ]
    return Definition(
        entity_set,
        logical,
        str(row.get("PrimaryIdAttribute")),
        activity=bool(row.get("IsActivity")),
        enforced=bool(row.get("EnforceStateTransitions")),
        columns={str(one["LogicalName"]): one for one in each("Attributes")},
        links={
            str(one.get("ReferencingEntityNavigationPropertyName")): (
                str(one.get("ReferencingAttribute")),
                str(one.get("ReferencedEntity")),
            )
            for one in each("ManyToOneRelationships")
        },
        collections=frozenset(map(str, filter(None, [*single, *many]))),
        keys=tuple(frozenset(one.get("KeyAttributes") or ()) for one in each("Keys")),
    )


def _with_options(table: Definition, rows: Iterable[Mapping[str, Any]]) -> Definition:
    options, states, transitions = dict(table.options), dict(table.states), dict(table.transitions)
    for row in rows:
        known = row.get("OptionSet") or row.get("GlobalOptionSet") or {}
        listed = [one for one in known.get("Options") or () if isinstance(one.get("Value"), int)]
        options[str(row.get("LogicalName"))] = {one["Value"]: _label(one) for one in listed}
        states |= {one["Value"]: one["State"] for one in listed if "State" in one}
        transitions |= {
            one["Value"]: frozenset(map(int, _FOLLOWS.findall(one["TransitionData"])))
            for one in listed
            if one.get("TransitionData")
        }
    return replace(table, options=options, states=states, transitions=transitions)


def _label(option: Mapping[str, Any]) -> str:
    localized = (option.get("Label") or {}).get("UserLocalizedLabel") or {}
    return str(localized.get("Label") or "")
