"""Faults by content: which requests a rule befalls, and what a rule may not say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from worker.sandbox.dataverse import faults
from worker.sandbox.dataverse.app import FAULTS, Dataverse
from worker.sandbox.dataverse.rules import read_rules
from worker.sandbox.dataverse.schema.tables import TABLES


if TYPE_CHECKING:
    import httpx


ID = "11111111-0000-4000-8000-000000000001"
OTHER = "22222222-0000-4000-8000-000000000002"

CALL = {"activityid": ID, "subject": "a call"}

#: Requests by what they do: method, path, body, headers.
REQUESTS: dict[str, tuple[str, str, Any, dict[str, str]]] = {
    "update by key": ("PATCH", "phonecalls(subject='there')", {"description": "x"}, {}),
    "create": ("POST", "phonecalls", CALL, {}),
    "upsert of a new row": ("PATCH", f"phonecalls({ID})", {"subject": "x"}, {}),
    "upsert of a row": ("PATCH", f"phonecalls({OTHER})", {"subject": "x"}, {}),
    "update": ("PATCH", f"phonecalls({OTHER})", {"subject": "x"}, {"If-Match": "*"}),
    "update of a column": ("PUT", f"phonecalls({OTHER})/subject", {"value": "x"}, {}),
    "emptying a column": ("DELETE", f"phonecalls({OTHER})/subject", None, {}),
    "parties": ("PUT", f"phonecalls({OTHER})/phonecall_activity_parties", {"value": []}, {}),
    "read": ("GET", f"phonecalls({OTHER})", None, {}),
    "query": ("GET", "phonecalls?$filter=contains(subject,%27call+me%27)", None, {}),
    "delete": ("DELETE", f"phonecalls({OTHER})", None, {}),
    "note": ("POST", "annotations", {"subject": "x"}, {}),
    "WhoAmI": ("GET", "WhoAmI", None, {}),
}

#: What a rule says, and the requests that it befalls.
RULES: list[tuple[dict[str, Any], set[str]]] = [
    ({"action": "create", "table": "phonecall"}, {"create", "upsert of a new row"}),
    ({"action": "create", "table": "annotations"}, {"note"}),
    (
        {"action": "update"},
        {"upsert of a row", "update", "update by key", "update of a column", "emptying a column"},
    ),
    ({"action": "parties"}, {"parties"}),
    ({"action": "read"}, {"read", "query", "WhoAmI"}),
    ({"action": "delete"}, {"delete"}),
    ({"action": "other"}, {"WhoAmI"}),
    ({"action": "write", "record": f"{{{ID.upper()}}}"}, {"create", "upsert of a new row"}),
    ({"action": "write"}, set(REQUESTS) - {"read", "query", "WhoAmI"}),
    ({"method": "PUT"}, {"update of a column", "parties"}),
    ({"query": r"contains\(subject,'call me'\)"}, {"query"}),
    ({"body": '"subject":"a call"'}, {"create"}),
    ({"path": "^(?!WhoAmI)", "table": None}, set(REQUESTS) - {"WhoAmI"}),
    ({}, set(REQUESTS)),
]


@pytest.mark.parametrize(("where", "befallen"), RULES)
async def test_a_rule_befalls_the_requests_that_all_it_names_fits(
    http: httpx.AsyncClient, dataverse: Dataverse, where: dict[str, Any], befallen: set[str]
) -> None:
    dataverse.put("phonecalls", {"activityid": OTHER, "subject": "there"})
    dataverse.faults.sometimes(faults.deadlock(), 1.0, **where)
    found = set()
    for name, (method, path, body, headers) in REQUESTS.items():
        content = None if body is None else orjson.dumps(body, option=orjson.OPT_INDENT_2)
        answer = await http.request(method, path, content=content, headers=headers)
        if answer.status_code == 500:
            found.add(name)
        if name in {"create", "upsert of a new row"} and name not in found:
            await http.delete(f"phonecalls({ID})")
    assert found == befallen


@pytest.mark.parametrize("status", [None, 500])
async def test_in_a_batch_a_rule_befalls_the_part_that_it_fits(
    http: httpx.AsyncClient, dataverse: Dataverse, status: int | None
) -> None:
    if status:
        dataverse.faults.next(faults.unexpected(), record=ID, action="create")
    parts = [
        f"--b\r\nContent-Type: application/http\r\n\r\nPOST /api/data/v9.2/phonecalls HTTP/1.1\r\n"
        f'Content-Type: application/json\r\n\r\n{{"activityid": "{one}"}}\r\n'
        for one in (ID, OTHER)
    ]
    headers = {
        "Content-Type": "multipart/mixed; boundary=b",
        "Prefer": "odata.continue-on-error",
    }
    answer = await http.post("$batch", content="".join(parts) + "--b--\r\n", headers=headers)
    assert answer.text.count("HTTP/1.1 500") == bool(status)
    assert len(dataverse.dump()["phonecalls"]) == 2 - bool(status)


async def test_bulk_messages_name_the_records_they_are_about(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    dataverse.faults.sometimes(faults.unexpected(), 1.0, record=ID, action="create")
    kind = "Microsoft.Dynamics.CRM.contact"
    statuses = [
        (
            await http.post(
                "contacts/Microsoft.Dynamics.CRM.CreateMultiple",
                json={"Targets": [{"@odata.type": kind, "contactid": one}]},
            )
        ).status_code
        for one in (ID, OTHER)
    ]
    assert statuses == [500, 200]


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("{}", "the body must be a JSON list of rules"),
        ("[{", "the body must be a JSON list of rules"),
        ('["x"]', "rule 1, the whole"),
        ('[{"status": 500}, {"status": 500, "tabel": "contact"}]', "rule 2, tabel"),
        ('[{"status": 99}]', "rule 1, status"),
        ('[{"status": 500, "body": "("}]', "rule 1, body"),
        ('[{"status": 500, "action": "writ"}]', "rule 1, action"),
        ('[{"status": 500, "times": 0}]', "rule 1, times"),
        ('[{"status": 500, "probability": 2}]', "rule 1, probability"),
        ('[{"status": 500, "ending": "never"}]', "rule 1, ending"),
        ('[{"status": 500, "table": "phonecals"}]', "rule 1, table: there is no such table"),
        ('[{"table": "contact"}]', "rule 1, status: missing"),
    ],
)
def test_a_rule_that_cannot_be_understood_is_told_with_its_field(rules: str, told: str) -> None:
    with pytest.raises(ValueError, match="rule") as refused:
        read_rules(rules.encode(), TABLES)
    assert str(refused.value).startswith(told)


async def test_rules_are_added_listed_and_cleared_at_run_time(http: httpx.AsyncClient) -> None:
    where = f"https://org.test{FAULTS}"
    rule = {"status": 500, "code": "0x80040216", "body": "POISON", "times": 2}
    added = await http.post(where, json=[rule, {"status": 503}])
    assert added.json() == [rule, {"status": 503}]
    assert (await http.post("contacts", json={"lastname": "POISON"})).status_code == 500
    assert (await http.get(where)).json() == [{**rule, "times": 1}, {"status": 503}]
    refused = await http.post(where, json=[{"status": 500}, {"status": "x"}])
    assert refused.status_code == 400
    assert refused.json()["error"]["message"].startswith("rule 2, status: ")
    assert len((await http.get(where)).json()) == 2
    assert (await http.delete(where)).json() == []
    assert (await http.post("contacts", json={"lastname": "POISON"})).status_code == 204
