"""What a survey makes of an environment that has more than the sandbox knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from worker.dynamics.protocol import Answer, Request
from worker.sandbox.dataverse.schema.document import read_schema
from worker.sandbox.dataverse.schema.tables import SHIPPED
from worker.sandbox.survey import survey


if TYPE_CHECKING:
    from collections.abc import Mapping


def label(text: str) -> dict[str, Any]:
    return {"UserLocalizedLabel": {"Label": text, "LanguageCode": 1033}}


def option(value: int, text: str, **more: Any) -> dict[str, Any]:
    return {"Value": value, "Label": label(text), **more}


def table(logical: str, **more: Any) -> dict[str, Any]:
    return {
        "LogicalName": logical,
        "SchemaName": logical.title(),
        "EntitySetName": f"{logical}s",
        "PrimaryIdAttribute": f"{logical}id",
        "PrimaryNameAttribute": "name",
        "OwnershipType": "UserOwned",
        "TableType": "Standard",
        "IsValidForQueue": {"Value": False},
        **more,
    }


def column(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "LogicalName": name,
        "AttributeType": kind,
        "AttributeTypeName": {"Value": f"{kind}Type"},
        "AttributeOf": None,
        "RequiredLevel": {"Value": "None"},
        "IsValidForCreate": True,
        "IsValidForUpdate": True,
        **more,
    }


TABLES = [
    table("systemuser"),
    table("new_visit", IsCustomEntity=True, HasNotes=True),
    table("msdyn_secret", IsCustomEntity=True),
    table("organization"),
    table("new_visit_user", IsIntersect=True, IsCustomEntity=True),
    table("activityparty"),
    table("new_nowhere", IsCustomEntity=True, EntitySetName=None),
]
RELATION = {
    "ReferencingAttribute": "new_guide",
    "ReferencedEntity": "systemuser",
    "ReferencingEntityNavigationPropertyName": "new_Guide",
    "SchemaName": "new_systemuser_new_visit",
}
MANY = {
    "SchemaName": "new_visit_user",
    "Entity1LogicalName": "new_visit",
    "Entity2LogicalName": "systemuser",
    "IntersectEntityName": "new_visit_user",
}
DETAILS: Mapping[str, Mapping[str, Any]] = {
    "systemuser": {
        "Attributes": [
            column("systemuserid", "Uniqueidentifier"),
            column("name", "String", MaxLength=200),
        ],
        "ManyToOneRelationships": [],
        "ManyToManyRelationships": [MANY],
    },
    "new_visit": {
        "Attributes": [
            column("new_visitid", "Uniqueidentifier", IsValidForUpdate=False),
            column("name", "String", MaxLength=100),
            column("new_guide", "Lookup", Targets=["systemuser"]),
            column("new_guidename", "String", MaxLength=100, AttributeOf="new_guide"),
            column("new_place", "Lookup", Targets=["msdyn_secret"]),
            column("new_size", "Picklist", DefaultFormValue=-1),
            column("new_people", "PartyList"),
            column("new_photo", "Virtual", AttributeTypeName={"Value": "ImageType"}),
            column("statecode", "State", IsValidForCreate=False),
            column("statuscode", "Status"),
        ],
        "ManyToOneRelationships": [
            RELATION,
            RELATION | {"ReferencingAttribute": "new_place", "ReferencedEntity": "msdyn_secret"},
        ],
        "ManyToManyRelationships": [MANY],
    },
}
SETS: Mapping[str, Any] = {
    "Picklist": {
        "new_size": {
            "OptionSet": None,
            "GlobalOptionSet": {"Name": "new_sizes", "IsGlobal": True, "Options": [option(1, "S")]},
        }
    },
    "State": {
        "statecode": {
            "OptionSet": {"Options": [option(0, "Open", DefaultStatus=7)]},
            "GlobalOptionSet": None,
        }
    },
    "Status": {
        "statuscode": {
            "OptionSet": {"Options": [option(7, "Planned", State=0), option(9, "Now", State=0)]},
            "GlobalOptionSet": None,
        }
    },
}


class Environment:
    """Answers questions about ``TABLES``; every path asked is in ``paths``."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        assert (request.method, timeout_s > 0) == ("GET", True)
        self.paths.append(request.path)
        return Answer(200, httpx.Headers(), self._body(request.path))

    async def user_id(self) -> str:
        return "somebody"

    def _body(self, path: str) -> dict[str, Any]:
        if path.startswith("EntityDefinitions?"):
            return {"value": TABLES}
        logical = path.partition("'")[2].partition("'")[0]
        if "/Attributes/" not in path:
            return {"LogicalName": logical, "Keys": [], **DETAILS[logical]}
        kind = path.partition("CRM.")[2].partition("AttributeMetadata")[0]
        listed = SETS[kind] if logical == "new_visit" else {}
        return {"value": [{"LogicalName": name, **sets} for name, sets in listed.items()]}


async def test_a_survey_asks_definitions_alone() -> None:
    environment = Environment()
    await survey(environment)
    assert all(path.startswith("EntityDefinitions") for path in environment.paths)


async def test_tables_that_nothing_here_has_to_do_with_are_left_out() -> None:
    surveyed = await survey(Environment())
    assert sorted(surveyed["tables"]) == ["new_visit", "systemuser"]


async def test_columns_without_a_value_of_their_own_are_left_out() -> None:
    surveyed = await survey(Environment())
    assert sorted(surveyed["tables"]["new_visit"]["columns"]) == [
        *("name", "new_guide", "new_size", "new_visitid", "statecode", "statuscode")
    ]


async def test_a_global_choice_is_read_wherever_it_is_told() -> None:
    size = (await survey(Environment()))["tables"]["new_visit"]["columns"]["new_size"]
    assert (size["choice"], size["choices"]) == ("new_sizes", {"1": "S"})
    assert "default" not in size


async def test_what_was_surveyed_is_a_schema() -> None:
    schema = read_schema(await survey(Environment()), SHIPPED)
    visit = schema.by_logical["new_visit"]
    assert visit.states[0].statuses == {7: "Planned", 9: "Now"}
    assert visit.navs["new_Guide"].targets == ("systemuser",)
    assert visit.has_notes
    assert visit.bulk
    assert schema.joins["new_visit_user"].joins == ("new_visit", "systemuser")
