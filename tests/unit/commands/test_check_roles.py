"""What pipelines need of a role, and how deep a user has it."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.loader import load
from twins.dynamics import USER_ID, ScriptedDynamics
from worker.commands.link_check import Tables
from worker.commands.role_check import Matrix, Privilege, compare, held_by, privileges_of
from worker.commands.role_needs import Need, Use, needs
from worker.definitions import find
from worker.dynamics.definitions import Definition
from worker.dynamics.errors import Forbidden
from worker.dynamics.protocol import Answer, Request


SETS = {"phonecalls": "phonecall", "contacts": "contact", "systemusers": "systemuser"}
STEP = """
name = "p"
[[step]]
name = "A"
on = "created"
method = "{method}"
entity = "phonecalls"
{more}
body = '{body}'
"""


def needed(body: str, *, method: str = "POST", more: str = "") -> dict[Need, Use]:
    links = {"regardingobjectid_contact_phonecall": ("regardingobjectid", "contact")}
    tables = Tables(SETS, {"phonecalls": Definition("phonecalls", "phonecall", "id", links=links)})
    text = STEP.format(method=method, more=more, body=body)
    return needs([load(text, "p.toml")], tables)


def accesses(found: dict[Need, Use], table: str) -> list[str]:
    return [need.access for need, use in found.items() if need.table == table and not use.fallback]


@pytest.mark.parametrize(
    ("body", "of_calls", "of_contacts"),
    [
        ('{"subject": "x"}', ["create", "read", "write"], []),
        (
            '{"regardingobjectid_contact_phonecall@odata.bind": "/contacts({{CustomerId}})"}',
            ["create", "read", "write", "append"],
            ["append to"],
        ),
        (
            '{"phonecall_activity_parties": [{"partyid_contact@odata.bind": "/contacts({{X}})"}]}',
            ["create", "read", "write", "append"],
            ["append to"],
        ),
        ('{"ownerid@odata.bind": "/{{Owner}}"}', ["create", "read", "write", "assign"], []),
    ],
)
def test_what_a_step_does_is_what_its_user_needs(
    body: str, of_calls: list[str], of_contacts: list[str]
) -> None:
    found = needed(body)
    assert accesses(found, "phonecalls") == of_calls
    assert accesses(found, "contacts") == of_contacts


def test_an_update_needs_no_create_unless_it_makes_again_what_is_missing() -> None:
    key = 'query = "({{ContactId}})"'
    assert accesses(needed('{"subject": "x"}', method="PATCH", more=key), "phonecalls") == [
        "read",
        "write",
    ]
    again = f'{key}\non_missing = "recreate"'
    found = needed('{"subject": "x"}', method="PATCH", more=again)
    assert "create" in accesses(found, "phonecalls")


def test_only_a_step_that_closes_its_record_needs_notes_and_as_a_fallback() -> None:
    assert Need("annotations", "create") not in needed('{"subject": "x"}')
    found = needed('{"statecode": 1, "statuscode": 4}')
    assert found[Need("annotations", "create")].fallback


def test_shipped_pipelines_need_what_the_guide_says() -> None:
    tables = Tables({name: name for name in ("phonecalls", "contacts", "annotations")}, {})
    found = needs([find("timeline")], tables)
    assert {need.access for need in found if need.table == "phonecalls"} == {
        *("create", "read", "write", "append", "append to", "assign"),
    }
    assert found[Need("contacts", "read")].others
    assert {need.access for need in found if need.table == "contacts"} == {"read", "append to"}


READ = Need("contacts", "read")


class Answering:
    """Answers by the function that is asked for; an error is raised."""

    def __init__(self, depth: str, of_one: Any) -> None:
        self.answers = {
            "RetrieveUserPrivileges()": [{"PrivilegeId": "AA", "Depth": depth}],
            "RetrieveUserPrivilegeByPrivilegeName(PrivilegeName='prvReadContact')": of_one,
            "EntityDefinitions(LogicalName='contact')?$select=LogicalName,Privileges": [],
        }

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        del timeout_s
        found = self.answers[request.path.rpartition(".CRM.")[2]]
        if isinstance(found, Exception):
            raise found
        return Answer(200, {}, {"RolePrivileges": found})

    async def user_id(self) -> str:
        return USER_ID


async def matrix(depth: str, of_one: Any, use: Use) -> Matrix:
    known = {READ: Privilege("prvReadContact", "aa", deepens=True)}
    return await compare(Answering(depth, of_one), USER_ID, "me", {READ: use}, known)


def reading(*, others: bool) -> Use:
    return Use(["p.toml: step A"], fallback=False, others=others)


async def test_a_depth_that_hides_what_others_own_is_a_note() -> None:
    found = await matrix("Basic", [{"PrivilegeId": "aa", "Depth": "Local"}], reading(others=True))
    assert found.cells[0].state == "ok, Local"
    assert [one.severity for one in found.findings] == ["note", "ok"]
    assert "prvReadContact at depth Local (Business Unit) only" in found.findings[0].text


async def test_a_depth_that_a_team_s_role_gives_is_asked_for_by_name() -> None:
    """Of what teams have, all that users have is told as Basic."""
    both = [{"PrivilegeId": "aa", "Depth": "Global"}, {"PrivilegeId": "aa", "Depth": "Basic"}]
    found = await matrix("Basic", both, reading(others=True))
    assert found.cells[0].state == "ok"


async def test_a_depth_that_cannot_be_asked_for_by_name_stays_as_it_was_told() -> None:
    refused = Forbidden("GET systemusers answered 403", status=403)
    found = await matrix("Basic", refused, reading(others=True))
    assert found.cells[0].state == "ok, Basic"


async def test_of_rows_of_one_s_own_any_depth_is_enough() -> None:
    found = await matrix("Basic", [], reading(others=False))
    assert found.cells[0].state == "ok"
    assert [one.severity for one in found.findings] == ["ok"]


async def test_privileges_are_called_what_metadata_calls_them() -> None:
    dynamics = ScriptedDynamics()
    known = await privileges_of(
        dynamics, [("phonecalls", "phonecall"), ("systemusers", "systemuser")]
    )
    assert known[Need("phonecalls", "create")].name == "prvCreateActivity"
    assert Need("systemusers", "assign") not in known  # users have no owner
    held = await held_by(dynamics, USER_ID)
    assert held[known[Need("phonecalls", "create")].id] == "Global"


async def test_without_cells_a_matrix_has_no_lines() -> None:
    assert [*Matrix("me").lines()] == []
