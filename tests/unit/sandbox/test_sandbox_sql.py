"""Queries in SQL, as Microsoft's Python SDK sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


async def ask(http: httpx.AsyncClient, text: str, of: str = "contacts") -> httpx.Response:
    return await http.get(of, params={"sql": text})


@pytest.fixture
def people(dataverse: Dataverse) -> str:
    company = dataverse.put("accounts", {"name": "A"})
    bind = {"parentcustomerid_account@odata.bind": f"/accounts({company})"}
    for first, last in (("Ada", "Adams"), ("Bob", "Baker"), ("Cleo", "O'Clark")):
        dataverse.put("contacts", {"firstname": first, "lastname": last, **bind})
    return company


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("SELECT TOP 1 lastname FROM contact ORDER BY lastname", [{"lastname": "Adams"}]),
        ("select lastname from contact where lastname = 'BAKER'", [{"lastname": "Baker"}]),
        ("SELECT lastname FROM contact c WHERE lastname='O''Clark'", [{"lastname": "O'Clark"}]),
        ("SELECT DISTINCT TOP 5 statecode FROM contact", [{"statecode": 0}]),
        ("SELECT COUNT(*) AS n FROM contact", [{"n": 3}]),
        ("SELECT fax FROM contact WHERE lastname = 'Adams'", [{}]),
        (
            (
                "SELECT a.name, COUNT(c.contactid) AS n FROM account a"
                " JOIN contact c ON c.parentcustomerid = a.accountid GROUP BY a.name"
            ),
            [{"name": "A", "n": 3}],
        ),
    ],
)
@pytest.mark.usefixtures("people")
async def test_sql_selects_joins_and_counts(
    http: httpx.AsyncClient, text: str, rows: list[dict[str, Any]]
) -> None:
    assert (await ask(http, text)).json()["value"] == rows


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM contact",
        "SELECT * FROM contact",
        "SELECT TOP 3 * FROM contact",
        "SELECT lastname FROM contact; DROP TABLE contact",
        "SELECT lastname FROM contact UNION SELECT name FROM account",
        "SELECT lastname FROM contact WHERE contactid IN (SELECT primarycontactid FROM account)",
        "SELECT lastname FROM nothing",
        "SELECT nothing FROM contact",
        "WITH x AS (SELECT 1) SELECT lastname FROM contact",
        "lastname",
    ],
)
async def test_sql_that_dataverse_does_not_run_is_refused(
    http: httpx.AsyncClient, text: str
) -> None:
    answer = await ask(http, text)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80060888")
