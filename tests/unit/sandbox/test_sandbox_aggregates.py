"""Groups of rows: ``$apply``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from worker.sandbox.dataverse.reading import aggregates


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


@pytest.fixture(autouse=True)
def rows(dataverse: Dataverse) -> None:
    contact = dataverse.put("contacts", {"lastname": "Primary"})
    primary = {"primarycontactid@odata.bind": f"/contacts({contact})"}
    dataverse.put("accounts", {"name": "a", "numberofemployees": 1, **primary})
    dataverse.put("accounts", {"name": "a", "numberofemployees": 4, "creditonhold": True})
    dataverse.put("accounts", {"name": "b", "numberofemployees": 4})
    dataverse.put("accounts", {"accountnumber": "none"})


async def applied(http: httpx.AsyncClient, text: str, prefer: str = "") -> Any:
    headers = {"Prefer": f'odata.include-annotations="{prefer}"'} if prefer else {}
    answer = await http.get(f"accounts?$apply={quote(text)}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["value"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("groupby((name))", [{"name": "a"}, {"name": "b"}, {}]),
        (
            "groupby((name,statecode))",
            [{"name": "a", "statecode": 0}, {"name": "b", "statecode": 0}, {"statecode": 0}],
        ),
        ("aggregate($count as n)", [{"n": 4}]),
        ("aggregate(numberofemployees with sum as total)", [{"total": 9}]),
        ("aggregate(numberofemployees with average as mean)", [{"mean": 3.0}]),
        (
            "aggregate(numberofemployees with min as low,numberofemployees with max as high)",
            [{"low": 1, "high": 4}],
        ),
        ("aggregate(numberofemployees with countdistinct as kinds)", [{"kinds": 2}]),
        ("aggregate(createdon with max as last)", [{"last": "2026-01-02T03:04:05Z"}]),
        (
            "groupby((name),aggregate(numberofemployees with sum as total,$count as n))",
            [{"name": "a", "total": 5, "n": 2}, {"name": "b", "total": 4, "n": 1}, {"n": 1}],
        ),
        ("filter(numberofemployees gt 1)/groupby((name))", [{"name": "a"}, {"name": "b"}]),
        ("filter(name eq 'a')/filter(creditonhold eq true)/aggregate($count as n)", [{"n": 1}]),
        ("filter(name eq 'x')/aggregate(numberofemployees with sum as total)", [{}]),
        ("filter(name eq 'x')/groupby((name))", []),
        ("filter(contains(name,')/('))/groupby((name))", []),
        (
            "filter(primarycontactid/lastname eq 'Primary')/groupby((primarycontactid/lastname))",
            [{"contact_lastname": "Primary"}],
        ),
    ],
)
async def test_rows_are_filtered_grouped_and_aggregated(
    http: httpx.AsyncClient, text: str, expected: list[dict[str, Any]]
) -> None:
    assert await applied(http, text) == expected


async def test_groups_have_formatted_values_on_request(http: httpx.AsyncClient) -> None:
    text = "groupby((statecode),aggregate($count as n))"
    formatted = "OData.Community.Display.V1.FormattedValue"
    (group,) = await applied(http, text, "*")
    assert group == {
        f"statecode@{formatted}": "Active",
        "statecode": 0,
        f"n@{formatted}": "4",
        "n": 4,
    }


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("$apply=groupby((nothing))", "Could not find a property named 'nothing'"),
        ("$apply=groupby((primarycontactid/nothing))", "Could not find a property named"),
        ("$apply=groupby((contact_customer_accounts/lastname))", "Could not find a property named"),
        ("$apply=groupby((createdon))", "Group by on a date and time is not supported."),
        ("$apply=groupby(name)", "transformation 'groupby(name)'"),
        ("$apply=groupby((name),sum(x))", "transformation 'sum(x)'"),
        ("$apply=aggregate(numberofemployees with median as m)", "with median"),
        ("$apply=aggregate(name with sum as s)", "is not for the column 'name'"),
        ("$apply=aggregate(nothing with sum as s)", "Could not find a property named 'nothing'"),
        ("$apply=aggregate(numberofemployees)", "transformation 'aggregate(numberofemployees)'"),
        ("$apply=concat(aggregate($count as n),groupby((name)))", "transformation"),
        ("$apply=groupby((name))/filter(name eq 'a')", "transformation"),
        ("$apply=filter(nothing eq 1)/groupby((name))", "Could not find a property named"),
        (
            "$apply=groupby((name),aggregate($count as n))&$orderby=n",
            "The query node SingleValueOpenPropertyAccess is not supported.",
        ),
        ("$apply=groupby((name))&$filter=name eq 'a'", "$filter does not go with $apply"),
    ],
)
async def test_what_dataverse_does_not_aggregate_is_refused(
    http: httpx.AsyncClient, query: str, message: str
) -> None:
    answer = await http.get(f"accounts?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80060888")
    assert message in answer.json()["error"]["message"]


async def test_too_many_rows_are_not_aggregated(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregates, "MOST_ROWS", 3)
    answer = await http.get("accounts?$apply=aggregate($count as n)")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x8004e023")
