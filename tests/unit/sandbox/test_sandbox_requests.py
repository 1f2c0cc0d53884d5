"""Operations and their statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


ID = "0a0b0c0d-0001-4002-8003-00000000000a"
OTHER = "0a0b0c0d-0001-4002-8003-00000000000b"
ROOT = "https://org.test/api/data/v9.2/"
REPRESENTATION = {"Prefer": "return=representation"}


@pytest.fixture(autouse=True)
def call(dataverse: Dataverse) -> str:
    return dataverse.put("phonecalls", {"activityid": ID, "subject": "first"})


async def etag(http: httpx.AsyncClient) -> str:
    return str((await http.get(f"phonecalls({ID})?$select=subject")).json()["@odata.etag"])


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("POST", "phonecalls", {}, {"subject": "x"}, 204),
        ("POST", "phonecalls", REPRESENTATION, {"subject": "x"}, 201),
        ("POST", "phonecalls", {}, {"activityid": ID}, 412),
        ("POST", "phonecalls", {"If-None-Match": "null"}, {"subject": "x"}, 204),
        ("PATCH", f"phonecalls({ID})", {"If-Match": "*"}, {"subject": "x"}, 204),
        ("PATCH", f"phonecalls({ID})", {"If-None-Match": "null"}, {"subject": "x"}, 204),
        ("PATCH", f"phonecalls({OTHER})", {"If-Match": "*"}, {"subject": "x"}, 404),
        ("PATCH", f"phonecalls({ID})", REPRESENTATION, {"subject": "x"}, 200),
        ("PATCH", f"phonecalls({OTHER})", REPRESENTATION, {"subject": "x"}, 201),
        ("PATCH", f"phonecalls({OTHER})", {}, {"subject": "x"}, 204),
        ("PATCH", f"phonecalls({OTHER})", {"If-None-Match": "*"}, {"subject": "x"}, 204),
        ("PATCH", f"phonecalls({ID})", {"If-None-Match": "*"}, {"subject": "x"}, 412),
        ("PATCH", f"phonecalls({ID})", {"If-Match": 'W/"1"'}, {"subject": "x"}, 412),
        ("DELETE", f"phonecalls({ID})", {"If-Match": 'W/"1"'}, None, 412),
        ("DELETE", f"phonecalls({ID})", {}, None, 204),
        ("DELETE", f"phonecalls({OTHER})", {}, None, 404),
        ("GET", f"phonecalls({ID})", {}, None, 200),
        ("GET", f"phonecalls({ID.upper()})", {}, None, 200),
        ("GET", f"phonecalls({OTHER})", {}, None, 404),
        ("GET", f"phonecalls({ID})/subject", {}, None, 200),
        ("GET", f"phonecalls({ID})/category", {}, None, 204),
        ("PUT", f"phonecalls({ID})/subject", {}, {"value": "x"}, 204),
        ("DELETE", f"phonecalls({ID})/subject", {}, None, 204),
        ("PUT", f"phonecalls({ID})/regardingobjectid_contact", {}, {"value": "x"}, 405),
        ("POST", f"phonecalls({ID})", {}, {}, 405),
        ("DELETE", "phonecalls", {}, None, 405),
        ("GET", "nothings", {}, None, 404),
        ("GET", f"phonecalls({ID})/nothing", {}, None, 404),
        ("GET", "WhoAmI", {}, None, 200),
        ("GET", "WhoAmI()", {}, None, 200),
    ],
)
async def test_an_operation_answers_with_its_status(
    *,
    http: httpx.AsyncClient,
    method: str,
    path: str,
    headers: dict[str, str],
    body: dict[str, str] | None,
    status: int,
) -> None:
    answer = await http.request(method, path, headers=headers, json=body)
    assert answer.status_code == status
    assert answer.headers["odata-version"] == "4.0"
    assert bool(answer.content) == (status not in {204, 304})


async def test_a_create_says_where_the_row_is(http: httpx.AsyncClient) -> None:
    answer = await http.post("phonecalls", json={"activityid": OTHER})
    assert answer.headers["odata-entityid"] == f"{ROOT}phonecalls({OTHER})"


async def test_a_create_that_shows_the_row_does_not_say_where_it_is(
    http: httpx.AsyncClient,
) -> None:
    path = "phonecalls?$select=subject"
    answer = await http.post(path, json={"subject": "x"}, headers=REPRESENTATION)
    assert "odata-entityid" not in answer.headers
    assert answer.headers["preference-applied"] == "return=representation"
    assert answer.json()["subject"] == "x"
    assert "category" not in answer.json()


async def test_an_upsert_by_alternate_key_echoes_that_key(http: httpx.AsyncClient) -> None:
    path = "contacts(emailaddress1='a@b.example')"
    answer = await http.patch(path, json={"lastname": "Ada"})
    assert answer.headers["odata-entityid"] == ROOT + path
    row = (await http.get(path)).json()
    assert (row["emailaddress1"], row["lastname"]) == ("a@b.example", "Ada")


async def test_an_update_shows_no_expansion(http: httpx.AsyncClient) -> None:
    path = "{}?$select=subject&$expand=createdby($select=fullname)"
    updated = await http.patch(
        path.format(f"phonecalls({ID})"), json={"subject": "x"}, headers=REPRESENTATION
    )
    assert (updated.status_code, "createdby" in updated.json()) == (200, False)
    made = await http.post(path.format("phonecalls"), json={}, headers=REPRESENTATION)
    assert (made.status_code, "createdby" in made.json()) == (201, True)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "phonecalls?$filter=subject eq 'x'"),
        ("POST", "phonecalls?nothing=1"),
        ("PATCH", f"phonecalls({ID})?$top=1"),
        ("DELETE", f"phonecalls({ID})?$select=subject"),
        ("GET", f"phonecalls({ID})?fetchXml=x"),
    ],
)
async def test_an_option_that_a_request_does_not_have_is_refused(
    http: httpx.AsyncClient, dataverse: Dataverse, method: str, path: str
) -> None:
    before = dataverse.dump()
    answer = await http.request(method, path, json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80060888")
    assert dataverse.dump() == before


async def test_values_of_other_types_in_a_key_stand_without_quotes(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.get(f"contacts(contactid={OTHER})")
    assert answer.json()["error"]["message"] == f"contact With Id = {OTHER} Does Not Exist"
    answer = await http.get("contacts(donotphone=true,createdon=2026-01-02T03:04:05Z)")
    assert answer.json()["error"]["message"].startswith("The key in the request URI is not valid")


async def test_an_alternate_key_may_be_percent_encoded(http: httpx.AsyncClient) -> None:
    await http.patch("contacts(emailaddress1='o''b@b.example')", json={})
    answer = await http.get("contacts(emailaddress1=%27o%27%27b%40b.example%27)")
    assert answer.json()["emailaddress1"] == "o'b@b.example"


async def test_a_fresh_etag_lets_a_write_through(http: httpx.AsyncClient) -> None:
    headers = {"If-Match": await etag(http)}
    first = await http.patch(f"phonecalls({ID})", json={"subject": "x"}, headers=headers)
    second = await http.patch(f"phonecalls({ID})", json={"subject": "y"}, headers=headers)
    assert (first.status_code, second.status_code) == (204, 412)


async def test_an_unchanged_row_is_not_sent_again(http: httpx.AsyncClient) -> None:
    headers = {"If-None-Match": await etag(http)}
    assert (await http.get(f"phonecalls({ID})", headers=headers)).status_code == 304


async def test_a_put_sets_one_column_and_a_delete_empties_it(http: httpx.AsyncClient) -> None:
    await http.put(f"phonecalls({ID})/category", json={"value": "VOICE"})
    assert (await http.get(f"phonecalls({ID})/category")).json()["value"] == "VOICE"
    await http.delete(f"phonecalls({ID})/category")
    assert (await http.get(f"phonecalls({ID})")).json()["category"] is None


async def test_who_am_i_recommends_a_parallelism(http: httpx.AsyncClient) -> None:
    answer = await http.get("WhoAmI")
    assert answer.headers["x-ms-dop-hint"] == "4"
    users = (await http.get("systemusers?$select=systemuserid")).json()["value"]
    assert answer.json()["UserId"] == users[0]["systemuserid"]


async def test_any_version_9_is_served_and_others_are_not(http: httpx.AsyncClient) -> None:
    assert (await http.get("https://org.test/api/data/v9.1/WhoAmI")).status_code == 200
    assert (await http.get("https://org.test/api/data/v8.2/WhoAmI")).status_code == 404


async def test_requests_and_writes_are_counted(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    await http.post("phonecalls", json={"activityid": ID})
    await http.post("phonecalls", json={"activityid": OTHER})
    await http.get("WhoAmI")
    assert (dataverse.requests, dataverse.writes) == (3, 1)


async def test_a_body_that_is_not_json_is_of_the_wrong_media_type(http: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "text/plain"}
    assert (await http.post("contacts", content=b"{}", headers=headers)).status_code == 415


async def test_a_url_longer_than_a_get_takes_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.get("contacts?$filter=" + "x" * 33_000)
    assert answer.status_code == 414
