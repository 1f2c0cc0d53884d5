"""States, and the switches about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


COMPLETED = {"statecode": 1, "statuscode": 4}


async def state(http: httpx.AsyncClient, call: str) -> tuple[int, int]:
    row = (await http.get(f"phonecalls({call})?$select=statecode,statuscode")).json()
    return row["statecode"], row["statuscode"]


@pytest.fixture
async def closed(http: httpx.AsyncClient, dataverse: Dataverse) -> str:
    call = dataverse.put("phonecalls", {})
    await http.patch(f"phonecalls({call})", json=COMPLETED)
    return call


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"statecode": 1, "statuscode": 4}, (1, 4)),
        ({"statecode": 1, "statuscode": 2}, (1, 2)),
        ({"statecode": 1}, (1, 2)),
        ({"statecode": 2}, (2, 3)),
        ({"statuscode": 1}, (0, 1)),
        ({"statecode": 0}, (0, 1)),
        ({"statecode": 1, "statuscode": 1}, None),
        ({"statecode": 0, "statuscode": 4}, None),
        ({"statuscode": 4}, None),
    ],
)
async def test_an_update_takes_pairs_of_state_and_status(
    http: httpx.AsyncClient,
    dataverse: Dataverse,
    change: dict[str, int],
    expected: tuple[int, int] | None,
) -> None:
    call = dataverse.put("phonecalls", {})
    answer = await http.patch(f"phonecalls({call})", json=change)
    assert answer.status_code == (204 if expected else 400)
    assert await state(http, call) == (expected or (0, 1))


@pytest.mark.parametrize(
    ("mode", "expected"), [("reset", (0, 1)), ("honour", (1, 4)), ("refuse", None)]
)
async def test_a_create_that_is_not_open_goes_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, mode: Any, expected: tuple[int, int] | None
) -> None:
    dataverse.switches.create_closed = mode
    answer = await http.post("phonecalls", json=COMPLETED)
    assert answer.status_code == (204 if expected else 400)
    rows = dataverse.dump()["phonecalls"]
    assert [(row["statecode"], row["statuscode"]) for row in rows] == [expected] * bool(expected)


async def test_a_create_with_an_open_status_keeps_it(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    await http.post("tasks", json={"statuscode": 4})
    assert dataverse.dump()["tasks"][0]["statuscode"] == 4


async def test_a_state_alone_may_be_ignored(http: httpx.AsyncClient, dataverse: Dataverse) -> None:
    dataverse.switches.state_alone = "ignore"
    call = dataverse.put("phonecalls", {})
    assert (await http.patch(f"phonecalls({call})", json={"statecode": 1})).status_code == 204
    assert await state(http, call) == (0, 1)


async def test_the_status_of_a_bad_pair_is_a_switch(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    dataverse.switches.state_pair_status = 500
    call = dataverse.put("phonecalls", {})
    body = {"statecode": 1, "statuscode": 1}
    assert (await http.patch(f"phonecalls({call})", json=body)).status_code == 500


async def test_a_closed_call_takes_updates_by_default(http: httpx.AsyncClient, closed: str) -> None:
    answer = await http.patch(f"phonecalls({closed})", json={"description": "x"})
    assert answer.status_code == 204
    assert await state(http, closed) == (1, 4)


@pytest.mark.parametrize("code", ["0x8004022e", "0x80040230"])
async def test_a_closed_call_may_refuse_updates_but_not_reopening(
    http: httpx.AsyncClient, dataverse: Dataverse, closed: str, code: Any
) -> None:
    dataverse.switches.closed = code
    path = f"phonecalls({closed})"
    refused = await http.patch(path, json={"description": "x"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)
    parties = await http.put(f"{path}/phonecall_activity_parties", json={"value": []})
    assert parties.status_code == 400
    assert (await http.patch(path, json={"statecode": 0, "statuscode": 1})).status_code == 204
    assert (await http.patch(path, json={"description": "x"})).status_code == 204


async def test_a_closed_call_may_refuse_reopening_too(
    http: httpx.AsyncClient, dataverse: Dataverse, closed: str
) -> None:
    dataverse.switches.closed = "0x8004022e"
    dataverse.switches.reopen = "refuse"
    body = {"statecode": 0, "statuscode": 1}
    assert (await http.patch(f"phonecalls({closed})", json=body)).status_code == 400


async def test_an_inactive_contact_takes_updates_whatever_the_switch(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    dataverse.switches.closed = "0x8004022e"
    person = dataverse.put("contacts", {})
    for body in ({"statecode": 1, "statuscode": 2}, {"lastname": "x"}):
        assert (await http.patch(f"contacts({person})", json=body)).status_code == 204
