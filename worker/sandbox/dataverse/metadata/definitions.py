"""Tables, keys and relations as rows of metadata [DOC webapi/web-api-metadata-operations-sample].

Only properties that somebody reads; the booleans of managed properties are in ``{"Value": …}``.
"""

from __future__ import annotations

import uuid

from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.schema.privileges import privilege_rows


if TYPE_CHECKING:
    from worker.sandbox.dataverse.schema.columns import Relation, Schema, Table


Fields = dict[str, Any]

MODEL: Final = "Microsoft.Dynamics.CRM."
ONE_TO_MANY: Final = f"{MODEL}OneToManyRelationshipMetadata"
MANY_TO_MANY: Final = f"{MODEL}ManyToManyRelationshipMetadata"

_NAMESPACE: Final = uuid.UUID("5d0c4f6e-52f9-4bb6-9f9c-6a3c7b1f5b10")

#: Type codes of Microsoft's tables; those of one's own count from ``_FIRST_CODE``.
_CODES: Final = {
    "account": 1,
    "contact": 2,
    "opportunity": 3,
    "lead": 4,
    "annotation": 5,
    "systemuser": 8,
    "team": 9,
    "businessunit": 10,
    "incident": 112,
    "activityparty": 135,
    "queue": 2020,
    "queueitem": 2029,
    "appointment": 4201,
    "email": 4202,
    "fax": 4204,
    "letter": 4207,
    "phonecall": 4210,
    "task": 4212,
    "campaignresponse": 4401,
    "transactioncurrency": 9105,
}
_FIRST_CODE: Final = 10_000

#: What stands before an underscore in Microsoft's own names.
_STANDARD: Final = frozenset(
    {
        *("address1", "address2", "address3", "adx", "bot", "bpf", "li", "msauto", "msdyn"),
        *("msdyncrm", "msdynmkt", "msevtmgt", "msfp", "msgdpr", "mspcat", "mspp"),
    }
)


def every(schema: Schema) -> list[Table]:
    """All tables, that of parties among them."""
    return [*schema.tables.values(), schema.activity_party]


def table(schema: Schema, logical: str) -> Table | None:
    """The table of that name, or None."""
    return next((table for table in every(schema) if table.logical == logical), None)


def table_row(table: Table) -> Fields:
    """EntityMetadata."""
    custom = is_custom(table.logical)
    return {
        "MetadataId": metadata_id(table.logical),
        "LogicalName": table.logical,
        "SchemaName": table.capitalized,
        "EntitySetName": table.entity_set,
        "LogicalCollectionName": table.entity_set,
        "CollectionSchemaName": table.entity_set.capitalize(),
        "PrimaryIdAttribute": table.key,
        "PrimaryNameAttribute": table.title,
        "ObjectTypeCode": _code(table),
        "OwnershipType": table.ownership,
        "TableType": "Elastic" if table.elastic else "Standard",
        "IsActivity": table.activity,
        "IsActivityParty": table.is_party,
        "EnforceStateTransitions": False,
        "HasActivities": table.has_activities,
        "HasNotes": table.has_notes,
        "IsValidForQueue": {"Value": table.in_queues},
        "IsIntersect": bool(table.joins),
        "IsCustomEntity": custom,
        "IsManaged": not custom,
        "IsPrivate": False,
        "IsLogicalEntity": False,
        "IsOptimisticConcurrencyEnabled": not table.elastic,
        "ChangeTrackingEnabled": False,
        "DisplayName": label(table.capitalized),
        "DisplayCollectionName": label(table.entity_set.capitalize()),
        "Description": label(""),
        "Privileges": privilege_rows(table),
    }


def key_rows(table: Table, status: str) -> list[Fields]:
    """EntityKeyMetadata of each alternate key; ``status`` of its index."""
    return [
        {
            "MetadataId": metadata_id(table.logical, "key", name),
            "LogicalName": name.lower(),
            "SchemaName": name,
            "EntityLogicalName": table.logical,
            "KeyAttributes": list(columns),
            "EntityKeyIndexStatus": status,
            "IsManaged": not is_custom(name),
            "DisplayName": label(name),
        }
        for name, columns in table.keys.items()
    ]


def many_to_one(schema: Schema, table: Table) -> list[Fields]:
    """OneToManyRelationshipMetadata of a table's lookups."""
    return [_relation(schema, relation) for relation in table.relations]


def one_to_many(schema: Schema, table: Table) -> list[Fields]:
    """OneToManyRelationshipMetadata of the lookups that lead to a table."""
    return [
        _relation(schema, relation)
        for other in every(schema)
        for relation in other.relations
        if relation.target == table.logical
    ]


def many_to_many(schema: Schema, table: Table | None = None) -> list[Fields]:
    """ManyToManyRelationshipMetadata of a table; without one, all."""
    return [
        {
            "@odata.type": f"#{MANY_TO_MANY}",
            "MetadataId": metadata_id("relation", name),
            "SchemaName": name,
            "RelationshipType": "ManyToManyRelationship",
            "Entity1LogicalName": join.joins[0],
            "Entity2LogicalName": join.joins[1],
            "IntersectEntityName": join.logical,
            "Entity1IntersectAttribute": schema.by_logical[join.joins[0]].key,
            "Entity2IntersectAttribute": schema.by_logical[join.joins[1]].key,
            "Entity1NavigationPropertyName": name,
            "Entity2NavigationPropertyName": name,
            "IsCustomRelationship": is_custom(join.logical),
            "IsManaged": not is_custom(join.logical),
        }
        for name, join in schema.joins.items()
        if table is None or table.logical in join.joins
    ]


def relations(schema: Schema) -> list[Fields]:
    """Every relation."""
    single = [row for table in every(schema) for row in many_to_one(schema, table)]
    return [*single, *many_to_many(schema)]


def _relation(schema: Schema, relation: Relation) -> Fields:
    referenced = table(schema, relation.target)
    custom = any(map(is_custom, (relation.table, relation.column, relation.target)))
    return {
        "@odata.type": f"#{ONE_TO_MANY}",
        "MetadataId": metadata_id("relation", relation.name, relation.table),
        "SchemaName": relation.name,
        "RelationshipType": "OneToManyRelationship",
        "ReferencedEntity": relation.target,
        "ReferencedAttribute": referenced.key if referenced else "ownerid",
        "ReferencedEntityNavigationPropertyName": relation.name,
        "ReferencingEntity": relation.table,
        "ReferencingAttribute": relation.column,
        "ReferencingEntityNavigationPropertyName": relation.nav,
        "IsCustomRelationship": custom,
        "IsManaged": not custom,
        "IsHierarchical": False,
    }


def is_custom(name: str) -> bool:
    """Whether a table or column is an organisation's own: it has a prefix not Microsoft's."""
    prefix, underscore, _ = name.partition("_")
    return bool(underscore) and prefix not in _STANDARD


def _code(table: Table) -> int:
    known = _CODES.get(table.logical)
    if known is not None:
        return known
    return _FIRST_CODE + sorted(table.schema.by_logical).index(table.logical)


def label(text: str) -> Fields:
    """A Label in English; without a text, an empty one."""
    if not text:
        return {"LocalizedLabels": [], "UserLocalizedLabel": None}
    localized = {"Label": text, "LanguageCode": 1033}
    return {"LocalizedLabels": [localized], "UserLocalizedLabel": localized}


def metadata_id(*names: str) -> str:
    """A MetadataId, the same for the same names."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(names)))
