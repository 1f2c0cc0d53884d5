"""File columns, which clients define."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


@pytest.fixture
async def address(http: httpx.AsyncClient, dataverse: Dataverse) -> str:
    """A file column of a row."""
    kind = "Microsoft.Dynamics.CRM.FileAttributeMetadata"
    body = {"@odata.type": kind, "SchemaName": "new_Document"}
    await http.post("EntityDefinitions(LogicalName='account')/Attributes", json=body)
    row_id = dataverse.put("accounts", {"name": "A", "new_document": "ignored"})
    return f"accounts({row_id})/new_document"


async def test_a_file_is_put_read_in_parts_and_taken_away(
    http: httpx.AsyncClient, dataverse: Dataverse, address: str
) -> None:
    assert (await http.get(f"{address}/$value")).status_code == 404
    sent = {"x-ms-file-name": "a.txt", "Content-Type": "application/octet-stream"}
    assert (await http.patch(address, content=b"content", headers=sent)).status_code == 204
    whole = await http.get(f"{address}/$value")
    assert (whole.content, whole.headers["x-ms-file-name"]) == (b"content", "a.txt")
    part = await http.get(f"{address}/$value", headers={"Range": "bytes=3-100"})
    assert (part.status_code, part.content, part.headers["x-ms-file-size"]) == (206, b"tent", "7")
    assert (await http.get(address)).json()["value"] == "Y29udGVudA=="
    assert dataverse.dump()["accounts"][0]["new_document"]
    assert (await http.delete(address)).status_code == 204
    assert (await http.get(address)).status_code == 404
    assert "new_document" not in dataverse.dump()["accounts"][0]


async def test_a_file_comes_in_chunks_each_behind_the_one_before(
    http: httpx.AsyncClient, address: str
) -> None:
    begin = {"x-ms-transfer-mode": "chunked"}
    begun = await http.patch(f"{address}?x-ms-file-name=b.txt", headers=begin)
    where = begun.headers["location"]
    for first, content, status in ((0, b"abc", 206), (9, b"x", 400), (3, b"de", 204)):
        sent = {"Content-Range": f"bytes {first}-{first + len(content) - 1}/5"}
        answer = await http.patch(where, content=content, headers=sent)
        assert answer.status_code == status
    assert (await http.get(f"{address}/$value")).content == b"abcde"
    again = {"Content-Range": "bytes 5-5/6"}
    assert (await http.patch(where, content=b"f", headers=again)).status_code == 400
    assert (await http.post(address, content=b"f")).status_code == 405
