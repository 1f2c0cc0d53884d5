"""What tables an environment has, asked once, as a document that the sandbox's schema is read from.

Metadata alone: no row is read. Left out are tables of Microsoft's that nothing here has to do with,
and columns without a value of their own [DOC webapi/query-metadata-web-api].
"""

from __future__ import annotations

import asyncio

from typing import TYPE_CHECKING, Any, Final

from worker.dynamics.protocol import Request
from worker.sandbox.dataverse.metadata.definitions import MODEL, is_custom
from worker.sandbox.dataverse.schema.columns import OWNER
from worker.sandbox.dataverse.schema.fields import COMPLETED, TYPES
from worker.sandbox.dataverse.schema.tables import SHIPPED


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from worker.dynamics.protocol import Dynamics


Row = dict[str, Any]

#: Timeout of one question (s); an environment takes long for tables with many columns.
ASK_S: Final = 120.0

#: Questions at once, well below what an environment grants one user.
AT_ONCE: Final = 4

_TABLE: Final = (
    *("LogicalName", "SchemaName", "EntitySetName", "PrimaryIdAttribute", "PrimaryNameAttribute"),
    *("OwnershipType", "TableType", "IsActivity", "IsActivityParty", "HasActivities", "HasNotes"),
    *("IsValidForQueue", "IsIntersect", "IsCustomEntity"),
)
_EXPANDED: Final = "Attributes,Keys,ManyToOneRelationships,ManyToManyRelationships"

#: Types whose choices are asked for apart.
_CHOICES: Final = ("Boolean", "MultiSelectPicklist", "Picklist", "State", "Status")
_BOUNDED: Final = ("Decimal", "Double", "Integer", "Money")

#: Tables that follow from others.
_IMPLIED: Final = frozenset({"activityparty", "activitypointer"})


async def survey(dynamics: Dynamics) -> dict[str, Any]:
    """The document of an environment's tables.

    Raises:
        DynamicsError: It does not answer, or does not let metadata be read.
    """
    listed = await _ask(dynamics, f"EntityDefinitions?$select={','.join(_TABLE)}")
    rows = {row["LogicalName"]: row for row in listed["value"]}
    wanted = {name: row for name, row in rows.items() if _is_wanted(row)}
    limit = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as group:
        tasks = {
            name: group.create_task(_details(dynamics, row, limit)) for name, row in wanted.items()
        }
    details = {name: task.result() for name, task in tasks.items()}
    relations: dict[str, Any] = {}
    for found in details.values():
        relations |= _many_to_many(found, wanted, rows)
    return {
        "extends": "nothing",
        "tables": {name: _table(wanted[name], details[name], wanted) for name in sorted(details)},
        "relations": dict(sorted(relations.items())),
    }


def _is_wanted(row: Row) -> bool:
    name = row["LogicalName"]
    if row.get("IsIntersect") or not row.get("EntitySetName") or name in _IMPLIED:
        return False
    own = bool(row.get("IsCustomEntity")) and is_custom(name)
    return own or bool(row.get("IsActivity")) or name in SHIPPED.by_logical


async def _ask(dynamics: Dynamics, path: str) -> Row:
    answer = await dynamics.send(Request("GET", path), timeout_s=ASK_S)
    return answer.body or {}


async def _details(dynamics: Dynamics, row: Row, limit: asyncio.Semaphore) -> Row:
    """A table's columns with their choices, its keys and its relations."""
    async with limit:
        path = f"EntityDefinitions(LogicalName='{row['LogicalName']}')"
        details = await _ask(dynamics, f"{path}?$select=LogicalName&$expand={_EXPANDED}")
        types = {_type(column) for column in details["Attributes"]}
        sets: Row = {}
        for kind in _CHOICES:
            if kind not in types:
                continue
            cast = f"{path}/Attributes/{MODEL}{kind}AttributeMetadata"
            expand = "OptionSet" if kind == "Boolean" else "OptionSet,GlobalOptionSet"
            listed = await _ask(dynamics, f"{cast}?$select=LogicalName&$expand={expand}")
            for column in listed["value"]:
                sets[column["LogicalName"]] = (
                    column.get("OptionSet") or column.get("GlobalOptionSet") or {}
                )
    return {**details, "sets": sets}


def _type(column: Row) -> str:
    """The type of a column as documents name it; "" for one without a value of its own."""
    name = str((column.get("AttributeTypeName") or {}).get("Value", "")).removesuffix("Type")
    kind = name if name in TYPES else str(column.get("AttributeType", ""))
    return kind if kind in TYPES and not column.get("AttributeOf") else ""


def _table(row: Row, details: Row, wanted: Mapping[str, Row]) -> Row:
    states = _states(details)
    columns = {
        column["LogicalName"]: described
        for column in details["Attributes"]
        if (described := _column(column, details, wanted, states))
    }
    key, title = row["PrimaryIdAttribute"], row.get("PrimaryNameAttribute")
    return {
        "set": row["EntitySetName"],
        "key": key,
        "name": title if title in columns else key,
        "schema_name": row["SchemaName"],
        "kind": _kind(row),
        "ownership": row["OwnershipType"],
        "has": list(_features(row)),
        "columns": dict(sorted(columns.items())),
        "keys": {found["SchemaName"]: found["KeyAttributes"] for found in details["Keys"]},
        "states": states,
    }


def _kind(row: Row) -> str:
    if row.get("IsActivity"):
        return "activity"
    return "elastic" if row.get("TableType") == "Elastic" else "standard"


def _features(row: Row) -> Iterable[str]:
    """What a table has; metadata does not say whether it takes CreateMultiple and its like."""
    known = SHIPPED.by_logical.get(row["LogicalName"])
    has = {
        "activities": row.get("HasActivities"),
        "notes": row.get("HasNotes"),
        "queues": (row.get("IsValidForQueue") or {}).get("Value"),
        "parties": row.get("IsActivityParty"),
        "bulk": known.bulk if known else not row.get("IsActivity"),
    }
    return (name for name, value in has.items() if value)


def _column(
    column: Row, details: Row, wanted: Mapping[str, Row], states: Mapping[str, Row]
) -> Row | None:
    kind, name = _type(column), column["LogicalName"]
    if not kind:
        return None
    described: Row = {
        "type": kind,
        "required": column["RequiredLevel"]["Value"],
        # A create may name a state, which then is set or not: no matter of the column.
        "create": kind == "State" or column["IsValidForCreate"],
        "update": column["IsValidForUpdate"],
    }
    if kind in {"String", "Memo"}:
        described["length"] = column["MaxLength"]
    if kind in _BOUNDED:
        described |= {"min": column["MinValue"], "max": column["MaxValue"]}
    if kind in _CHOICES:
        described |= _choices(column, kind, details["sets"].get(name) or {}, states)
    if kind in {"Lookup", "Owner", "Customer"}:
        led = _navigation(column, details, wanted)
        if not led["navigation"] and name not in COMPLETED:
            return None
        described |= led
    return described


def _choices(column: Row, kind: str, found: Row, states: Mapping[str, Row]) -> Row:
    if kind == "Boolean":
        both = (found.get("FalseOption"), found.get("TrueOption"))
        options = [option for option in both if option]
        return {"choices": _labels(options), "default": bool(column.get("DefaultValue"))}
    described: Row = {"choices": _labels(found.get("Options") or [])}
    if found.get("IsGlobal"):
        described["choice"] = found["Name"]
    default = column.get("DefaultFormValue")
    if kind == "State":
        default = 0
    if kind == "Status":
        default = states["0"]["default"] if "0" in states else None
    if default not in {None, -1}:
        described["default"] = default
    return described


def _navigation(column: Row, details: Row, wanted: Mapping[str, Row]) -> Row:
    """Where a lookup leads, among the tables there are."""
    navigation: dict[str, list[str]] = {}
    relations: dict[str, str] = {}
    for relation in details["ManyToOneRelationships"]:
        target = relation["ReferencedEntity"]
        if relation["ReferencingAttribute"] != column["LogicalName"]:
            continue
        owned = [name for name in column.get("Targets") or () if name in wanted]
        targets = owned if target == OWNER else [target] if target in wanted else []
        if targets:
            nav = relation["ReferencingEntityNavigationPropertyName"]
            navigation[nav] = [*navigation.get(nav, ()), *targets]
            relations[target] = relation["SchemaName"]
    return {"navigation": navigation, "relations": relations}


def _states(details: Row) -> Row:
    """States with their status reasons."""
    sets = details["sets"]
    reasons = (sets.get("statuscode") or {}).get("Options") or []
    return {
        str(state["Value"]): {
            "label": _text(state),
            "reasons": _labels(r for r in reasons if r.get("State") == state["Value"]),
            "default": state.get("DefaultStatus"),
        }
        for state in (sets.get("statecode") or {}).get("Options") or []
    }


def _many_to_many(found: Row, wanted: Mapping[str, Row], rows: Mapping[str, Row]) -> Row:
    relations = {}
    for relation in found["ManyToManyRelationships"]:
        sides = [relation["Entity1LogicalName"], relation["Entity2LogicalName"]]
        join = rows.get(relation["IntersectEntityName"])
        if join and sides[0] != sides[1] and all(side in wanted for side in sides):
            relations[relation["SchemaName"]] = {
                "tables": sides,
                "table": join["LogicalName"],
                "set": join["EntitySetName"] or f"{join['LogicalName']}set",
                "key": join["PrimaryIdAttribute"],
            }
    return relations


def _labels(options: Iterable[Row]) -> dict[str, str]:
    return {str(option["Value"]): _text(option) for option in options}


def _text(option: Row) -> str:
    label = (option.get("Label") or {}).get("UserLocalizedLabel") or {}
    return str(label.get("Label") or option["Value"])
