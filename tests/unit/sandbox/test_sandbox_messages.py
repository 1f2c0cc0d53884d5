"""Functions and actions that are no reads or writes of rows."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any

import pytest

from worker.sandbox.dataverse.messages.answers import ELSEWHERE
from worker.sandbox.dataverse.users import CLIENT_ID, application_user


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


MODEL = "Microsoft.Dynamics.CRM."


def names(body: dict[str, Any]) -> set[str]:
    return set(body["EntityNames"])


@pytest.mark.parametrize(
    "address",
    [
        "GetValidReferencedEntities(ReferencingEntityName='contact')",
        "GetValidReferencedEntities(ReferencingEntityName=@p1)?@p1='contact'",
        "GetValidReferencedEntities(ReferencingEntityName=%40p1)?%40p1=%27contact%27",
    ],
)
async def test_the_tables_that_a_table_refers_to_are_listed(
    http: httpx.AsyncClient, address: str
) -> None:
    answer = await http.get(address)
    assert {"account", "systemuser"} <= names(answer.json())
    assert answer.json()["@odata.context"].endswith(f"{MODEL}GetValidReferencedEntitiesResponse")


async def test_the_tables_that_refer_to_a_table_are_listed(http: httpx.AsyncClient) -> None:
    answer = await http.get("GetValidReferencingEntities(ReferencedEntityName='account')")
    assert {"contact", "phonecall"} <= names(answer.json())
    answer = await http.get("GetValidManyToMany()")
    assert "contact" in names(answer.json())


async def test_languages_and_version_are_told(http: httpx.AsyncClient) -> None:
    assert (await http.get("RetrieveAvailableLanguages")).json()["LocaleIds"] == [1033]
    assert (await http.get("RetrieveVersion()")).json()["Version"].startswith("9.2.")


@pytest.mark.parametrize("quote", ["'", '"'])
async def test_what_a_user_may_do_with_a_row_is_told(
    http: httpx.AsyncClient, dataverse: Dataverse, quote: str
) -> None:
    row_id = dataverse.put("accounts", {"name": "A"})
    target = "{'@odata.id':'accounts(%s)'}".replace("'", quote) % row_id
    user = application_user(CLIENT_ID)
    address = f"systemusers({user})/{MODEL}RetrievePrincipalAccess(Target=@t)"
    answer = await http.get(address, params={"@t": target})
    assert "ReadAccess" in answer.json()["AccessRights"]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("GetValidReferencedEntities(ReferencingEntityName='nothing')", 400),
        ("GetValidReferencedEntities()", 400),
        ("GetValidReferencedEntities(ReferencingEntityName=@p1)", 400),
        ("GetValidReferencedEntities(contact)", 400),
        ("NoMessage()", 404),
    ],
)
async def test_a_function_that_cannot_be_answered_is_refused(
    http: httpx.AsyncClient, address: str, status: int
) -> None:
    assert (await http.get(address)).status_code == status


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
async def test_a_message_that_the_sandbox_does_not_have_is_refused_by_its_name(
    http: httpx.AsyncClient, name: str
) -> None:
    answer = await http.post(name, json={})
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        501,
        f"The sandbox does not have the message '{name}'.",
    )


async def bulk_delete(http: httpx.AsyncClient, *conditions: dict[str, Any]) -> httpx.Response:
    criteria = {"FilterOperator": "And", "Conditions": list(conditions)}
    query = {"@odata.type": f"{MODEL}QueryExpression", "EntityName": "contact"}
    return await http.post("BulkDelete", json={"QuerySet": [{**query, "Criteria": criteria}]})


async def test_bulk_delete_deletes_what_its_queries_find_and_nothing_else(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    ids = [dataverse.put("contacts", {"lastname": name}) for name in "abc"]
    values = [{"Value": one.upper(), "Type": "System.Guid"} for one in ids[:2]]
    answer = await bulk_delete(
        http, {"AttributeName": "contactid", "Operator": "In", "Values": values}
    )
    assert answer.json()["JobId"]
    assert [row["contactid"] for row in dataverse.dump()["contacts"]] == [ids[2]]


@pytest.mark.parametrize(
    "condition",
    [
        {"AttributeName": "nothing", "Operator": "In", "Values": []},
        {"AttributeName": "lastname", "Operator": "Like", "Values": ["a%"]},
    ],
)
async def test_bulk_delete_with_a_condition_that_it_does_not_know_deletes_nothing(
    http: httpx.AsyncClient, dataverse: Dataverse, condition: dict[str, Any]
) -> None:
    dataverse.put("contacts", {"lastname": "a"})
    assert (await bulk_delete(http, condition)).status_code == 400
    assert (await http.post("BulkDelete", json={})).status_code == 400
    assert len(dataverse.dump()["contacts"]) == 1


def target(set_: str, row_id: str) -> dict[str, str]:
    logical = set_.removesuffix("s")
    return {f"{logical}id": row_id, "@odata.type": f"{MODEL}{logical}"}


async def test_merging_ends_one_row_and_leads_what_refers_to_it_to_the_other(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    kept, ended = (dataverse.put("accounts", {"name": name}) for name in ("Kept", "Ended"))
    bind = {"parentcustomerid_account@odata.bind": f"/accounts({ended})"}
    dataverse.put("contacts", {"lastname": "a", **bind})
    body = {
        "Target": target("accounts", kept),
        "Subordinate": target("accounts", ended),
        "UpdateContent": {"telephone1": "1", "@odata.type": f"{MODEL}account"},
        "PerformParentingChecks": False,
    }
    assert (await http.post("Merge", content=json.dumps(body))).status_code == 204
    rows = {row["name"]: row for row in dataverse.dump()["accounts"]}
    assert (rows["Kept"]["telephone1"], rows["Ended"]["statecode"]) == ("1", 1)
    assert dataverse.dump()["contacts"][0]["_parentcustomerid_value"] == kept
    body["Subordinate"] = body["Target"]
    assert (await http.post("Merge", json=body)).status_code == 400
    body["Subordinate"] = target("contacts", dataverse.dump()["contacts"][0]["contactid"])
    assert (await http.post("Merge", json=body)).status_code == 400


async def test_a_row_is_put_into_a_queue_and_moves_to_another(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    queues = [dataverse.put("queues", {"name": name}) for name in ("One", "Two")]
    call = dataverse.put("phonecalls", {"subject": "a"})
    body = {"Target": {"activityid": call, "@odata.type": f"{MODEL}phonecall"}}
    made = [
        (await http.post(f"queues({queue})/{MODEL}AddToQueue", json=body)).json()["QueueItemId"]
        for queue in queues
    ]
    (item,) = dataverse.dump()["queueitems"]
    assert made == [item["queueitemid"]] * 2
    assert (item["_queueid_value"], item["_objectid_value"]) == (queues[1], call)


async def test_changes_are_not_tracked_and_who_asks_for_them_is_told(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.get("contacts", headers={"Prefer": "odata.track-changes"})
    assert answer.json()["error"]["message"] == "contact has no change tracking enabled."
