"""Many-to-many relations of templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


SESSION = "0a0b0c0d-0001-4002-8003-000000000001"
TAB = "0a0b0c0d-0001-4002-8003-000000000002"
LINK = f"msdyn_sessiontemplates({SESSION})/msdyn_sessiontemplate_applicationtab"


@pytest.fixture
def templates(dataverse: Dataverse) -> None:
    name = {"msdyn_uniquename": "cdyn_voice", "msdyn_name": "Voice"}
    dataverse.put("msdyn_sessiontemplates", {"msdyn_sessiontemplateid": SESSION, **name})
    tab = {"msdyn_applicationtabtemplateid": TAB, **name}
    dataverse.put("msdyn_applicationtabtemplates", tab)


async def _tabs(http: httpx.AsyncClient) -> list[Any]:
    rows = (await http.get(LINK, params={"$select": "msdyn_uniquename"})).json()["value"]
    return [row["msdyn_uniquename"] for row in rows]


@pytest.mark.usefixtures("templates")
async def test_a_relation_is_made_read_from_both_sides_and_ended(http: httpx.AsyncClient) -> None:
    body = {"@odata.id": f"{http.base_url}msdyn_applicationtabtemplates({TAB})"}
    made = await http.post(f"{LINK}/$ref", json=body)
    assert (made.status_code, await _tabs(http)) == (204, ["cdyn_voice"])
    other = f"msdyn_applicationtabtemplates({TAB})/msdyn_sessiontemplate_applicationtab"
    rows = (await http.get(other)).json()["value"]
    assert [row["msdyn_sessiontemplateid"] for row in rows] == [SESSION]
    expand = {"$expand": "msdyn_sessiontemplate_applicationtab($select=msdyn_name)"}
    row = (await http.get(f"msdyn_sessiontemplates({SESSION})", params=expand)).json()
    assert [tab["msdyn_name"] for tab in row["msdyn_sessiontemplate_applicationtab"]] == ["Voice"]
    pairs = (await http.get("msdyn_sessiontemplate_applicationtabset")).json()["value"]
    assert [pair["msdyn_applicationtabtemplateid"] for pair in pairs] == [TAB]
    assert (await http.delete(f"{LINK}({TAB})/$ref")).status_code == 204
    assert await _tabs(http) == []


@pytest.mark.usefixtures("templates")
async def test_a_relation_is_made_once(http: httpx.AsyncClient) -> None:
    body = {"@odata.id": f"msdyn_applicationtabtemplates({TAB})"}
    answers = [await http.post(f"{LINK}/$ref", json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 412]
    assert await _tabs(http) == ["cdyn_voice"]


@pytest.mark.usefixtures("templates")
@pytest.mark.parametrize(
    ("reference", "status"),
    [
        (f"msdyn_applicationtabtemplates({SESSION})", 404),
        (f"msdyn_sessiontemplates({SESSION})", 400),
        (7, 400),
    ],
)
async def test_a_relation_needs_a_row_of_the_other_side(
    http: httpx.AsyncClient, reference: object, status: int
) -> None:
    answer = await http.post(f"{LINK}/$ref", json={"@odata.id": reference})
    assert (answer.status_code, await _tabs(http)) == (status, [])


@pytest.mark.usefixtures("templates")
async def test_a_deleted_row_leaves_no_relation_behind(http: httpx.AsyncClient) -> None:
    body = {"@odata.id": f"/msdyn_applicationtabtemplates({TAB})"}
    await http.post(f"{LINK}/$ref", json=body)
    await http.delete(f"msdyn_applicationtabtemplates({TAB})")
    assert (await http.get("msdyn_sessiontemplate_applicationtabset")).json()["value"] == []


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_the_table_of_a_relation_cannot_be_written(
    http: httpx.AsyncClient, method: str
) -> None:
    path = "msdyn_sessiontemplate_applicationtabset"
    path = path if method == "POST" else f"{path}({SESSION})"
    answer = await http.request(method, path, json={})
    assert answer.status_code == 400


@pytest.mark.parametrize("name", ["voice", "ab_voice", "toolongprefix_voice", "a-b_voice"])
async def test_a_template_needs_a_unique_name_with_a_prefix(
    http: httpx.AsyncClient, name: str
) -> None:
    answer = await http.post("msdyn_notificationtemplates", json={"msdyn_uniquename": name})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "0x80040265"


async def test_a_new_tab_template_gets_its_parameters_if_the_switch_says_so(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    dataverse.put("msdyn_applicationtabtemplates", {"msdyn_pagetype": 509180005})
    assert (await http.get("msdyn_templateparameters")).json()["value"] == []
    dataverse.switches.tab_parameters = "made"
    tab = dataverse.put("msdyn_applicationtabtemplates", {"msdyn_pagetype": 509180005})
    rows = (await http.get("msdyn_templateparameters")).json()["value"]
    assert [row["msdyn_name"] for row in rows] == ["searchType", "searchText"]
    assert {row["_msdyn_applicationtabtemplateid_value"] for row in rows} == {tab}
