"""Functions: what they tell [DOC webapi/use-web-api-functions]."""

from __future__ import annotations

from typing import Final

from worker.sandbox.dataverse.messages.asked import Answer, Asked, Fields
from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.users import all_privileges, privileges


ENGLISH: Final = 1033
VERSION: Final = "9.2.24044.168"  # of a Dataverse of 2024
BUSINESS_UNIT_ID: Final = "0f0e0d0c-0b0a-4908-8706-050403020100"

#: Nobody is kept from anything here: the sandbox has no roles.
_RIGHTS: Final = (
    "ReadAccess, WriteAccess, AppendAccess, AppendToAccess, CreateAccess, DeleteAccess, "
    "ShareAccess, AssignAccess"
)


def _who_am_i(asked: Asked) -> Fields:
    return {
        "BusinessUnitId": BUSINESS_UNIT_ID,
        "UserId": asked.user,
        "OrganizationId": asked.records.organisation_id,
    }


def _languages(_: Asked) -> Fields:
    return {"LocaleIds": [ENGLISH]}


def _version(_: Asked) -> Fields:
    return {"Version": VERSION}


def _access(asked: Asked) -> Fields:
    asked.row("Target")
    return {"AccessRights": _RIGHTS}


def _privilege(asked: Asked) -> Fields:
    user = asked.bound[1].id if asked.bound else asked.user
    return {"RolePrivileges": privileges(asked.denied, user, asked.text("PrivilegeName"))}


def _privileges(asked: Asked) -> Fields:
    user = asked.bound[1].id if asked.bound else asked.user
    return {"RolePrivileges": all_privileges(asked.denied, user, asked.schema)}


def _referenced(asked: Asked) -> Fields:
    """The tables that rows of a table may refer to."""
    table = asked.table(asked.text("ReferencingEntityName"))
    leads = {name for column in table.columns for name in column.targets}
    return {"EntityNames": sorted(leads & asked.schema.by_logical.keys())}


def _referencing(asked: Asked) -> Fields:
    """The tables whose rows may refer to those of a table."""
    wanted = asked.table(asked.text("ReferencedEntityName")).logical
    found = {
        table.logical
        for table in asked.schema.tables.values()
        if any(wanted in column.targets for column in table.columns)
    }
    return {"EntityNames": sorted(found)}


def _many_to_many(asked: Asked) -> Fields:
    tables = asked.schema.by_logical.items()
    return {"EntityNames": sorted(name for name, table in tables if not table.joins)}


def _entity(asked: Asked) -> Fields:
    """The definition of one table, by its logical name or MetadataId."""
    names = {asked.given.get("LogicalName"), str(asked.given.get("MetadataId"))}
    for row in asked.definitions.catalogue.rows("EntityDefinitions"):
        if names & {row["LogicalName"], row["MetadataId"]}:
            return {"EntityMetadata": _complete(asked, row)}
    raise refusals.invalid_argument("There is no such table.")


def _entities(asked: Asked) -> Fields:
    rows = asked.definitions.catalogue.rows("EntityDefinitions")
    return {"EntityMetadata": [_complete(asked, row) for row in rows], "Timestamp": ""}


def _complete(asked: Asked, row: Fields) -> Fields:
    """A table's definition with what ``EntityFilters`` names."""
    wanted = str(asked.given.get("EntityFilters", "Entity"))
    catalogue, logical = asked.definitions.catalogue, row["LogicalName"]
    shown = dict(row)
    if "Attributes" in wanted or "All" in wanted:
        shown["Attributes"] = catalogue.members(logical, "Attributes")
    if "Relationships" in wanted or "All" in wanted:
        for kind in ("ManyToOne", "OneToMany", "ManyToMany"):
            shown[f"{kind}Relationships"] = catalogue.members(logical, f"{kind}Relationships")
    return shown


def _metadata_changes(asked: Asked) -> Fields:
    """The definitions that an EntityQueryExpression takes, with the properties it names."""
    query = asked.given.get("Query")
    if not isinstance(query, dict):
        raise refusals.invalid_argument("The parameter 'Query' is missing.")
    found = []
    for row in asked.definitions.catalogue.rows("EntityDefinitions"):
        if _matches(query, row):
            shown = _projected(query, row)
            if attributes := query.get("AttributeQuery"):
                members = asked.definitions.catalogue.members(row["LogicalName"], "Attributes")
                shown["Attributes"] = [
                    _projected(attributes, member)
                    for member in members
                    if _matches(attributes, member)
                ]
            found.append(shown)
    return {"EntityMetadata": found, "ServerVersionStamp": "0!00000000", "DeletedMetadata": None}


def _matches(query: Fields, row: Fields) -> bool:
    conditions = (query.get("Criteria") or {}).get("Conditions") or ()
    for condition in conditions:
        if condition.get("ConditionOperator", "Equals") != "Equals":
            raise refusals.invalid_argument("The sandbox takes conditions with Equals.")
        value = condition.get("Value") or {}
        if str(row.get(condition.get("PropertyName"))) != str(value.get("Value")):
            return False
    return True


def _projected(query: Fields, row: Fields) -> Fields:
    names = (query.get("Properties") or {}).get("PropertyNames") or ()
    always = ("@odata.type", "MetadataId", "LogicalName")
    return {name: value for name, value in row.items() if not names or name in {*names, *always}}


#: By the table of the row they are asked of, "" for the organisation, and name.
FUNCTIONS: Final[dict[tuple[str, str], Answer]] = {
    ("", "GetValidManyToMany"): _many_to_many,
    ("", "GetValidReferencedEntities"): _referenced,
    ("", "GetValidReferencingEntities"): _referencing,
    ("", "RetrieveAvailableLanguages"): _languages,
    ("", "RetrieveAllEntities"): _entities,
    ("", "RetrieveEntity"): _entity,
    ("", "RetrieveMetadataChanges"): _metadata_changes,
    ("", "RetrieveVersion"): _version,
    ("systemuser", "RetrievePrincipalAccess"): _access,
    ("systemuser", "RetrieveUserPrivilegeByPrivilegeName"): _privilege,
    ("systemuser", "RetrieveUserPrivileges"): _privileges,
    ("", "WhoAmI"): _who_am_i,
}
