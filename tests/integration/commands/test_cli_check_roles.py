"""``check --online``: the privileges of each application user, against what pipelines do."""

from __future__ import annotations

import json

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.sandbox.dataverse.users import CLIENT_ID, application_user


pytestmark = [pytest.mark.services, pytest.mark.usefixtures("amazon")]

Command = Callable[..., Any]

USER = application_user(CLIENT_ID)
PIPELINE = """
[[step]]
name = "WHO"
on = "created"
method = "GET"
entity = "contacts"
query = "?$filter=mobilephone eq '{{CustomerEndpoint}}'"

[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '''{"subject": "x", "ownerid@odata.bind": "/{{Owner}}",
           "regardingobjectid_contact_phonecall@odata.bind":
           "/contacts({{WHO-Response.contactid}})"}'''

[[step]]
name = "DONE"
on = "ended"
method = "PATCH"
entity = "phonecalls"
query = "({{CALL-Response.activityid}})"
body = '{"statecode": 1, "statuscode": 2}'
"""
KEPT = "what a closed record does not accept cannot be kept as a note on it"
OWNER = "teams(0a0b0c0d-0001-4002-8003-0000000000aa)"


@pytest.fixture
def mine(pipeline: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONNECT_DYNAMICS_OWNER", OWNER)
    return pipeline(PIPELINE)


def test_a_user_who_may_do_everything_has_a_matrix_without_gaps(
    command: Command, reached: Any, mine: Path
) -> None:
    del reached
    ended = command("check", "--online", "--pipeline", mine)
    assert ended.status == 0
    assert f"ok   application user {CLIENT_ID} has every privilege" in ended.out
    heading, *matrix = ended.out.partition("\n\n")[2].splitlines()
    assert heading == f"application user {CLIENT_ID} (has: not needed)"
    assert max(map(len, (heading, *matrix))) <= 80
    assert [line.split() for line in matrix] == [
        ["table", "create", "read", "write", "append", "append", "to", "assign"],
        ["contacts", "has", "ok", "has", "has", "ok", "has"],
        ["phonecalls", "ok", "ok", "ok", "ok", "ok", "ok"],
        ["annotations", "ok", "has", "has", "ok", "has", "has"],
    ]  # fmt: skip
    assert ended.out.isascii()


def test_each_privilege_that_is_missing_is_named_once_with_the_steps_that_need_it(
    command: Command, reached: Any, mine: Path
) -> None:
    for privilege in ("prvCreateActivity", "prvAppendToContact", "prvAssignActivity"):
        reached.dataverse.organisation.denied.add((USER, privilege))
    reached.dataverse.organisation.denied.add((USER, "prvCreateNote"))
    ended = command("check", "--online", "--pipeline", mine)
    assert ended.status == 1
    begin = f"application user {CLIENT_ID} lacks"
    lines = [line for line in ended.out.splitlines() if begin in line]
    organization = f"give its role that access at Organization level ({mine}: step CALL)"
    assert lines == [
        f"FAIL {begin} prvAppendToContact, to append to contacts: {organization}",
        f"FAIL {begin} prvCreateActivity, to create phonecalls: {organization}",
        f"FAIL {begin} prvAssignActivity, to assign phonecalls: {organization}",
        f"note {begin} prvCreateNote: {KEPT}; give its role create ({mine}: step DONE)",
    ]
    calls, notes = ended.out.splitlines()[-2:]
    assert calls.split() == ["phonecalls", "MISSING", "ok", "ok", "ok", "ok", "MISSING"]
    assert notes.split()[:2] == ["annotations", "(MISSING)"]


def test_each_of_several_application_users_has_a_matrix_of_its_own(
    command: Command, reached: Any, second_user: str, mine: Path
) -> None:
    lacking = (application_user(second_user), "prvReadContact")
    reached.dataverse.organisation.denied.add(lacking)
    ended = command("check", "--online", "--output", "json", "--pipeline", mine)
    assert ended.status == 1
    matrices = {one["application_user"]: one["cells"] for one in ended.report["privileges"]}
    assert list(matrices) == [CLIENT_ID, second_user]
    of = {
        user: next(c for c in cells if (c["table"], c["access"]) == ("contacts", "read"))
        for user, cells in matrices.items()
    }
    assert of[CLIENT_ID]["depth"] == "Global"
    assert of[second_user] == {
        "table": "contacts",
        "access": "read",
        "privilege": "prvReadContact",
        "needed": True,
        "depth": "",
        "steps": [f"{mine}: step WHO"],
    }
    wrong = [one["text"] for one in ended.report["findings"] if one["severity"] == "error"]
    assert len(wrong) == 1
    assert wrong[0].startswith(f"application user {second_user} lacks prvReadContact")
    assert json.dumps(ended.report).isascii()
