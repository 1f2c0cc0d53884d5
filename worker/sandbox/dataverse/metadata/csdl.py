"""``$metadata``: the service document in CSDL, from which clients make their classes.

[DOC webapi/web-api-service-documents]; format: OData CSDL XML 4.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from worker.sandbox.dataverse.metadata.definitions import every
from worker.sandbox.dataverse.schema.columns import OWNER


if TYPE_CHECKING:
    from worker.sandbox.dataverse.schema.columns import Column, Relation, Schema, Table


_EDMX: Final = "http://docs.oasis-open.org/odata/ns/edmx"
_EDM: Final = "http://docs.oasis-open.org/odata/ns/edm"
_NAMESPACE: Final = "Microsoft.Dynamics.CRM"

#: The type every table's derives from, and that of all users and teams.
_BASE: Final = "crmbaseentity"
_PRINCIPAL: Final = "principal"
_PARTY: Final = "activityparty"

#: Functions and what they answer with.
_FUNCTIONS: Final = {
    "WhoAmI": {"BusinessUnitId": "Edm.Guid", "UserId": "Edm.Guid", "OrganizationId": "Edm.Guid"},
    "RetrieveVersion": {"Version": "Edm.String"},
}


def edmx(schema: Schema) -> bytes:
    """The document of a schema."""
    root = Element("edmx:Edmx", {"Version": "4.0", "xmlns:edmx": _EDMX})
    services = SubElement(root, "edmx:DataServices")
    names = {"Namespace": _NAMESPACE, "Alias": "mscrm", "xmlns": _EDM}
    model = SubElement(services, "Schema", names)
    SubElement(model, "EntityType", {"Name": _BASE, "Abstract": "true"})
    _entity(model, _PRINCIPAL, "ownerid")
    tables = every(schema)
    for table in tables:
        _table(model, schema, table)
    for name, answer in _FUNCTIONS.items():
        response = SubElement(model, "ComplexType", {"Name": f"{name}Response"})
        for field, edm in answer.items():
            SubElement(response, "Property", {"Name": field, "Type": edm, "Nullable": "false"})
        function = SubElement(model, "Function", {"Name": name})
        SubElement(function, "ReturnType", {"Type": f"mscrm.{name}Response", "Nullable": "false"})
    container = SubElement(model, "EntityContainer", {"Name": "System"})
    for table in tables:
        _set(container, schema, table)
    for name in _FUNCTIONS:
        SubElement(container, "FunctionImport", {"Name": name, "Function": f"mscrm.{name}"})
    written: bytes = tostring(root, "utf-8", xml_declaration=True)
    return written


def _entity(model: Element, name: str, key: str) -> Element:
    entity = SubElement(model, "EntityType", {"Name": name, "BaseType": f"mscrm.{_BASE}"})
    SubElement(SubElement(entity, "Key"), "PropertyRef", {"Name": key})
    if name == _PRINCIPAL:
        SubElement(entity, "Property", {"Name": key, "Type": "Edm.Guid", "Nullable": "false"})
    return entity


def _table(model: Element, schema: Schema, table: Table) -> None:
    entity = _entity(model, table.logical, table.key)
    for column in table.columns:
        _property(entity, table, column)
    for column in table.columns:
        for nav in column.navs:
            partner = _partner(table, column, nav)
            named = {"Name": nav, "Type": f"mscrm.{_target(column, nav)}"}
            lead = SubElement(entity, "NavigationProperty", named | partner)
            if len(column.navs[nav]) == 1:
                key = schema.by_logical[column.navs[nav][0]].key
                refers = {"Property": column.json_name, "ReferencedProperty": key}
                SubElement(lead, "ReferentialConstraint", refers)
    for name, (logical, nav) in _collections(schema, table).items():
        kind = f"Collection(mscrm.{logical})"
        partner = {"Partner": nav} if nav else {}
        SubElement(entity, "NavigationProperty", {"Name": name, "Type": kind, **partner})


def _property(entity: Element, table: Table, column: Column) -> None:
    given = {"Name": column.json_name, "Type": column.edm}
    if column.name == table.key:
        given["Nullable"] = "false"
    if column.max_length is not None:
        given["MaxLength"] = str(column.max_length)
    SubElement(entity, "Property", given)


def _target(column: Column, nav: str) -> str:
    """The type a navigation property leads to."""
    targets = column.navs[nav]
    if len(targets) == 1:
        return targets[0]
    return _PRINCIPAL if column.lookup == "Owner" else _BASE


def _partner(table: Table, column: Column, nav: str) -> dict[str, str]:
    """The collection on the other side, named by the one property that metadata names too."""
    for relation in table.relations:
        if (relation.column, relation.nav) == (column.name, nav) and _is_read_back(relation):
            return {"Partner": relation.name}
    return {}


def _is_read_back(relation: Relation) -> bool:
    """Whether the rows that refer can be read from the row referred to."""
    return relation.target != OWNER and (relation.table, relation.column) != (_PARTY, "partyid")


def _collections(schema: Schema, table: Table) -> dict[str, tuple[str, str]]:
    """Collections of a table: the type of what is in them, and the property that leads back."""
    found = {
        relation.name: (other.logical, relation.nav)
        for other in every(schema)
        for relation in other.relations
        if relation.target == table.logical and _is_read_back(relation)
    }
    for name, join in schema.joins.items():
        if table.logical in join.joins:
            left, right = join.joins
            found[name] = (right if table.logical == left else left, name)
    return found


def _set(container: Element, schema: Schema, table: Table) -> None:
    kind = {"Name": table.entity_set, "EntityType": f"mscrm.{table.logical}"}
    found = SubElement(container, "EntitySet", kind)
    for column in table.columns:
        for nav, targets in column.navs.items():
            if len(targets) == 1:
                bound = {"Path": nav, "Target": schema.by_logical[targets[0]].entity_set}
                SubElement(found, "NavigationPropertyBinding", bound)
    sets = {other.logical: other.entity_set for other in every(schema)}
    for name, (logical, _) in _collections(schema, table).items():
        bound = {"Path": name, "Target": sets[logical]}
        SubElement(found, "NavigationPropertyBinding", bound)
