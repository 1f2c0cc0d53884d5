"""Microsoft's Python SDK for Dataverse takes the sandbox for the real thing."""

from __future__ import annotations

import asyncio

from typing import TYPE_CHECKING, Any

import pytest

from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.upsert import UpsertItem


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.sandbox.dataverse.app import Dataverse

pytestmark = pytest.mark.services

LATER = 2**31
SCENARIOS = {
    "contact": ("emailaddress1", "ada@x.example", "description"),
    "phonecall": ("subject", "Call 1", "category"),
}


class Credential:
    """Hands out one token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken(self._token, LATER)


@pytest.fixture
def sdk(served: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataverseClient]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(served.ca_path))
    with DataverseClient(served.url, Credential(served.token)) as client:
        yield client


async def off_loop(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """The SDK blocks, and the server runs in this loop."""
    return await asyncio.to_thread(work, *args, **options)


@pytest.mark.parametrize("table", SCENARIOS)
async def test_rows_are_created_read_queried_updated_and_deleted(
    sdk: DataverseClient, table: str
) -> None:
    key, value, column = SCENARIOS[table]
    row_id = await off_loop(sdk.records.create, table, {key: value, column: "first"})
    row = await off_loop(sdk.records.retrieve, table, row_id, select=[key, column])
    assert (row[key], row[column]) == (value, "first")
    await off_loop(sdk.records.update, table, row_id, {column: "second"})
    text = f"{key} eq '{value}' and statecode eq 0"
    found = await off_loop(sdk.records.list, table, filter=text, select=[column], page_size=1)
    assert [row[column] for row in found] == ["second"]
    await off_loop(sdk.records.delete, table, row_id)
    assert await off_loop(sdk.records.retrieve, table, row_id) is None


@pytest.mark.parametrize("table", SCENARIOS)
async def test_rows_are_upserted_by_alternate_key(
    sdk: DataverseClient, served: Any, table: str
) -> None:
    key, value, column = SCENARIOS[table]
    for text in ("first", "second"):
        item = UpsertItem(alternate_key={key: value}, record={column: text})
        await off_loop(sdk.records.upsert, table, [item])
    dataverse: Dataverse = served.dataverse
    assert [row[column] for row in dataverse.dump()[f"{table}s"]] == ["second"]


async def test_pages_are_followed(sdk: DataverseClient) -> None:
    names = [{"lastname": f"Name {number}"} for number in range(5)]
    await off_loop(sdk.records.create, "contact", names)
    pages = await off_loop(
        lambda: list(sdk.records.list_pages("contact", orderby=["lastname"], page_size=2))
    )
    assert [len(page) for page in pages] == [2, 2, 1]


async def test_many_contacts_are_written_at_once_and_phone_calls_are_not(
    sdk: DataverseClient,
) -> None:
    ids = await off_loop(sdk.records.create, "contact", [{"lastname": "a"}, {"lastname": "b"}])
    await off_loop(sdk.records.update, "contact", ids, {"description": "x"})
    items = [UpsertItem({"emailaddress1": f"{n}@x.example"}, {"lastname": "c"}) for n in "12"]
    await off_loop(sdk.records.upsert, "contact", items)
    found = await off_loop(sdk.records.list, "contact", filter="lastname ne null")
    assert len(list(found)) == 4
    with pytest.raises(HttpError):
        await off_loop(sdk.records.create, "phonecall", [{"subject": "a"}, {"subject": "b"}])


async def test_labels_of_choices_are_understood(sdk: DataverseClient, served: Any) -> None:
    await off_loop(sdk.records.create, "phonecall", {"prioritycode": "High"})
    assert served.dataverse.dump()["phonecalls"][0]["prioritycode"] == 2


async def test_a_refusal_is_reported_with_its_code(sdk: DataverseClient) -> None:
    with pytest.raises(HttpError) as raised:
        await off_loop(sdk.records.create, "phonecall", {"subject": "x" * 201})
    assert raised.value.details["service_error_code"] == "0x80044331"
