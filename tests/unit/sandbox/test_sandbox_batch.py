"""``$batch``."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


ID = "0a0b0c0d-0001-4002-8003-00000000000a"
PART = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
GO_ON = {"Prefer": "odata.continue-on-error"}


def part(method: str, url: str, body: Any = None, content_id: str = "") -> str:
    head = PART + (f"Content-ID: {content_id}\r\n" if content_id else "")
    request = f"{head}\r\n{method} /api/data/v9.2/{url} HTTP/1.1\r\n"
    if url.startswith("$"):
        request = request.replace("/api/data/v9.2/$", "$")
    if body is None:
        return f"{request}\r\n"
    return f"{request}Content-Type: application/json; type=entry\r\n\r\n{json.dumps(body)}"


def join(boundary: str, parts: list[str]) -> str:
    return "".join(f"--{boundary}\r\n{text}\r\n" for text in parts) + f"--{boundary}--\r\n"


def change_set(*parts: str) -> str:
    return f"Content-Type: multipart/mixed; boundary=cs\r\n\r\n{join('cs', list(parts))}"


async def send(
    http: httpx.AsyncClient, *parts: str, headers: dict[str, str] | None = None
) -> httpx.Response:
    content = join("b", list(parts)).encode()
    kind = {"Content-Type": 'multipart/mixed; boundary="b"'}
    return await http.post("$batch", content=content, headers=kind | (headers or {}))


async def test_parts_are_answered_in_order(http: httpx.AsyncClient, dataverse: Dataverse) -> None:
    create = part("POST", "contacts", {"contactid": ID, "lastname": "Ada"})
    answer = await send(http, create, part("GET", f"contacts({ID})?$select=lastname"))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("multipart/mixed; boundary=batchresponse_")
    first, second = answer.text.split("HTTP/1.1 ")[1:]
    assert first.startswith("204 No Content")
    assert f"Location: https://org.test/api/data/v9.2/contacts({ID})" in first
    assert second.startswith("200 OK")
    assert "odata.streaming=true" in second
    assert '"lastname":"Ada"' in second
    assert dataverse.writes == 1


async def test_a_change_set_may_refer_to_its_own_rows(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    call = {"subject": "costs $1", "regardingobjectid_contact_phonecall@odata.bind": "$1"}
    answer = await send(
        http,
        change_set(
            part("POST", "contacts", {"lastname": "Ada"}, "1"),
            part("POST", "phonecalls", call, "2"),
            part("PATCH", "$2", {"category": "VOICE"}, "3"),
        ),
    )
    assert answer.status_code == 200, answer.text
    assert "changesetresponse_" in answer.text
    assert "Content-ID: 2" in answer.text
    row = dataverse.dump()["phonecalls"][0]
    person = dataverse.dump()["contacts"][0]["contactid"]
    assert (row["subject"], row["category"]) == ("costs $1", "VOICE")
    assert row["_regardingobjectid_value"] == person


async def test_a_change_set_may_relate_rows_it_made(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    answer = await send(
        http,
        change_set(
            part("POST", "contacts", {"lastname": "Ada"}, "1"),
            part("POST", "accounts", {"name": "Ltd"}, "2"),
            part("PUT", "$2/primarycontactid/$ref", {"@odata.id": "$1"}, "3"),
            part("POST", "$2/contact_customer_accounts/$ref", {"@odata.id": "$1"}, "4"),
            part("POST", "$2/contact_customer_accounts", {"lastname": "Bob"}, "5"),
        ),
    )
    assert answer.status_code == 200, answer.text
    account, people = dataverse.dump()["accounts"][0], dataverse.dump()["contacts"]
    assert {row["_parentcustomerid_value"] for row in people} == {account["accountid"]}
    named = {row["lastname"]: row["contactid"] for row in people}
    assert account["_primarycontactid_value"] == named["Ada"]


@pytest.mark.parametrize(("length", "status"), [(60_000, 200), (70_000, 414)])
async def test_addresses_in_a_batch_may_be_twice_as_long(
    http: httpx.AsyncClient, length: int, status: int
) -> None:
    query = f"$select=lastname&$filter=lastname%20eq%20'{'x' * length}'"
    answer = await send(http, part("GET", f"contacts?{query}"), headers=GO_ON)
    assert f"HTTP/1.1 {status} " in answer.text


async def test_an_undeclared_reference_is_refused(http: httpx.AsyncClient) -> None:
    answer = await send(http, change_set(part("PATCH", "$7", {"lastname": "x"}, "1")))
    assert answer.status_code == 400
    assert "Content-ID Reference: '$7' does not exist in the batch context." in answer.text


@pytest.mark.parametrize("headers", [{}, GO_ON])
async def test_a_change_set_is_written_completely_or_not_at_all(
    http: httpx.AsyncClient, dataverse: Dataverse, headers: dict[str, str]
) -> None:
    bad = part("POST", "contacts", {"nothing": 1}, "2")
    answer = await send(http, change_set(part("POST", "contacts", {}, "1"), bad), headers=headers)
    assert answer.status_code == (200 if headers else 400)
    assert "Content-ID: 2" in answer.text
    assert "Content-ID: 1" not in answer.text
    assert (dataverse.dump()["contacts"], dataverse.writes) == ([], 0)


@pytest.mark.parametrize(("mode", "rows"), [("committed", 1), ("rolled back", 0)])
async def test_a_failing_batch_leaves_behind_what_the_switch_says(
    http: httpx.AsyncClient, dataverse: Dataverse, mode: Any, rows: int
) -> None:
    dataverse.switches.batch_failure = mode
    good = part("POST", "contacts", {})
    answer = await send(http, good, part("GET", f"contacts({ID})"), good)
    assert answer.status_code == 404
    assert answer.text.count("HTTP/1.1") == 1
    assert len(dataverse.dump()["contacts"]) == dataverse.writes == rows


async def test_continue_on_error_answers_every_part(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    good = part("POST", "contacts", {})
    answer = await send(http, good, part("GET", f"contacts({ID})"), good, headers=GO_ON)
    assert answer.status_code == 200
    assert answer.text.count("HTTP/1.1") == 3
    assert len(dataverse.dump()["contacts"]) == 2


@pytest.mark.parametrize(
    "content",
    [
        join("b", [part("GET", "WhoAmI")]).replace("\r\n", "\n"),
        join("b", [part("GET", "WhoAmI")]).removesuffix("\r\n"),
        "nothing",
        join("b", [PART + "\r\nnothing\r\n\r\n"]),
    ],
)
async def test_a_batch_that_cannot_be_read_is_refused(
    http: httpx.AsyncClient, content: str
) -> None:
    headers = {"Content-Type": "multipart/mixed; boundary=b"}
    answer = await http.post("$batch", content=content.encode(), headers=headers)
    assert answer.status_code == 400
    assert "Stream was not readable" in answer.text


async def test_no_get_in_change_sets_and_no_batch_in_batches(http: httpx.AsyncClient) -> None:
    assert (await send(http, change_set(part("GET", "WhoAmI")))).status_code == 400
    assert (await send(http, part("POST", "$batch", {}))).status_code == 400


async def test_a_batch_holds_a_thousand_requests_at_most(http: httpx.AsyncClient) -> None:
    parts = [part("GET", "WhoAmI")] * 1001
    assert (await send(http, *parts)).status_code == 400


async def test_a_batch_must_be_multipart(http: httpx.AsyncClient) -> None:
    assert (await http.post("$batch", json={})).status_code == 415


async def test_a_batch_with_other_line_ends_is_read_if_the_switch_says_so(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    text = join("b", [part("POST", "contacts", {"lastname": "Ada"})]).replace("\r\n", "\n").strip()
    kind = {"Content-Type": "multipart/mixed; boundary=b"}
    answer = await http.post("$batch", content=text.encode(), headers=kind)
    assert answer.json()["error"]["code"] == "0x80048d19"
    dataverse.switches.batch_line_ends = "any"
    answer = await http.post("$batch", content=text.encode(), headers=kind)
    assert "HTTP/1.1 204 No Content" in answer.text
    assert dataverse.writes == 1
