"""CreateMultiple, UpdateMultiple, UpsertMultiple."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


MODEL = "Microsoft.Dynamics.CRM."
ID = "0a0b0c0d-0001-4002-8003-00000000000a"


async def bulk(
    http: httpx.AsyncClient, message: str, targets: list[dict[str, Any]]
) -> httpx.Response:
    rows = [{"@odata.type": f"{MODEL}contact", **target} for target in targets]
    return await http.post(f"contacts/{MODEL}{message}", json={"Targets": rows})


def names(dataverse: Dataverse) -> set[str]:
    return {row["lastname"] for row in dataverse.dump()["contacts"]}


async def test_rows_are_created_changed_and_upserted_together(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    answer = await bulk(http, "CreateMultiple", [{"lastname": "a"}, {"lastname": "b"}])
    one, two = answer.json()["Ids"]
    changes = [{"contactid": one, "lastname": "c"}, {"contactid": two, "lastname": "d"}]
    assert (await bulk(http, "UpdateMultiple", changes)).status_code == 204
    by_key = {"@odata.id": "contacts(emailaddress1='e@x.example')", "lastname": "e"}
    by_id = {"contactid": two, "lastname": "f"}
    assert (await bulk(http, "UpsertMultiple", [by_key, by_id])).status_code == 204
    assert names(dataverse) == {"c", "e", "f"}
    assert dataverse.writes == 6


@pytest.mark.parametrize(
    ("message", "targets", "status"),
    [
        ("CreateMultiple", [{"lastname": "x"}, {"lastname": "x" * 51}], 400),
        ("CreateMultiple", [{"contactid": ID}, {"contactid": ID}], 412),
        ("UpdateMultiple", [{"contactid": ID, "lastname": "x"}], 404),
        ("UpsertMultiple", [{"lastname": "x"}], 400),
        ("CreateMultiple", [], 400),
        ("CreateMultiple", [{"@odata.type": f"{MODEL}account"}], 400),
        ("NothingMultiple", [{}], 404),
    ],
)
async def test_one_bad_row_fails_the_lot(
    http: httpx.AsyncClient,
    dataverse: Dataverse,
    message: str,
    targets: list[dict[str, Any]],
    status: int,
) -> None:
    assert (await bulk(http, message, targets)).status_code == status
    assert dataverse.dump()["contacts"] == []
    assert dataverse.writes == 0
