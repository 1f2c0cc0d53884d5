"""A step's ``as``, from the pipeline's file to the record in Dynamics."""

from __future__ import annotations

import json

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.sandbox.dataverse.app import create_dataverse
from worker.sandbox.dataverse.users import CLIENT_ID, application_user


Command = Callable[..., Any]

STEPS = """
[[step]]
name = "AGENT"
on = "record"
method = "GET"
entity = "systemusers"
[step.lookup]
by = "user"
columns = ["domainname"]
[[step]]
name = "CALL"
on = "record"
method = "POST"
entity = "phonecalls"
as = AS
body = '{"subject": "Call"}'
"""
AS = [
    '"{{AGENT-Response.systemuserid}}"',
    '{ entra = "{{AGENT-Response.azureactivedirectoryobjectid}}" }',
]


@pytest.mark.parametrize("caller", AS)
def test_a_call_is_created_by_its_agent_where_that_may_be_and_is_then_the_worker_s_own(
    command: Command,
    pipeline: Callable[[str], Path],
    day: Path,
    place: Path,
    caller: str,
) -> None:
    box = create_dataverse(path=place / "box.sqlite")
    ours = application_user(CLIENT_ID)
    agent = box.put(
        "systemusers",
        {
            "domainname": "agent.one@contoso.example",
            "azureactivedirectoryobjectid": "0a0b0c0d-0001-4002-8003-0000000000ab",
        },
    )
    box.close()
    file = pipeline(STEPS.replace("AS\n", f"{caller}\n"))
    options = ("--pipeline", file, "--dynamics", "sandbox:box.sqlite", "--report", "json")
    first = command(
        "replay", "--dynamics", "sandbox", day, *options, "--dump", "d.json", "--state", "memory"
    ).report
    assert (first["parked"], first["writes"]) == (0, 2)
    rows = json.loads((place / "d.json").read_text())["phonecalls"]
    by = {(row["_createdby_value"], row.get("_createdonbehalfby_value")) for row in rows}
    assert by == {(agent, ours), (ours, None)}  # of the two calls one was answered
    again = command("replay", "--dynamics", "sandbox", day, *options, "--state", "memory").report
    assert (again["parked"], again["writes"]) == (0, 0)
