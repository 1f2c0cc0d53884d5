"""Check online: a query of a pipeline's own names columns that are there, as a query has them."""

from __future__ import annotations

import pytest

from pipelines.loader import load
from worker.commands.check import ask
from worker.sandbox.dataverse.organisation import create_organisation
from worker.sandbox.inprocess import InProcessDynamics
from worker.settings import Settings


async def told(query: str, entity: str = "contacts", read: str = "contactid") -> list[str]:
    text = f"""
name = "p"
[[step]]
name = "FIND"
on = "created"
method = "GET"
entity = "{entity}"
query = '''{query}'''
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{{"subject": "{{{{FIND-Response.LookupStatus}}}} {{{{FIND-Response.{read}}}}}"}}'
"""
    dynamics = InProcessDynamics(create_organisation())
    found = await ask(dynamics, Settings(), [load(text, "p.toml")])
    return [one.text for one in found if not one.fine]


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("?$select=fullnam", "$select: contacts has no column 'fullnam'; did you mean fullname?"),
        ("?$filter=telefone1 eq '1'", "$filter: contacts has no column 'telefone1'; did you mean"),
        ("?$filter=startswith(lastnam,'a')", "$filter: contacts has no column 'lastnam'"),
        ("?$orderby=lastnam desc", "$orderby: contacts has no column 'lastnam'"),
        (
            "?$filter=parentcustomerid eq {{Attributes.id}}",
            "$filter: parentcustomerid is a lookup; a query has it as _parentcustomerid_value",
        ),
        (
            "?$filter=_parentcustomerid_value eq '{{Attributes.id}}'",
            "_parentcustomerid_value holds guid values; write the value without quotes",
        ),
        (
            "?$filter=lastname eq 'x' and statecode eq '0'",
            "statecode holds integer values; write the value without quotes",
        ),
        (
            "?$expand=parentcustomerid($select=name)",
            "$expand: contacts has no navigation property 'parentcustomerid'",
        ),
    ],
)
async def test_a_mistake_in_a_query_is_told_with_what_to_write(query: str, what: str) -> None:
    (text,) = await told(query)
    assert text.startswith("p.toml: step FIND: ")
    assert what in text


async def test_a_field_that_a_later_step_reads_is_among_those_asked_for() -> None:
    (text,) = await told("?$select=lastname", read="fullname")
    assert "a later step reads 'fullname', which is not among the columns; add it" in text


@pytest.mark.parametrize(
    ("entity", "query"),
    [
        ("contacts", "?$select=contactid,fullname&$filter=telephone1 eq '{{CustomerEndpoint}}'"),
        (
            "contacts",
            """?$select=contactid&$filter=lastname eq 'a eq b'&$expand=parentcustomerid_account(
                $select=name;$expand=primarycontactid($select=fullname))""",
        ),
        ("contacts", "?$filter=parentcustomerid_account/name eq 'x' and statecode eq 0"),
        ("contacts", "?$filter=Contact_Phonecalls/any(o:o/subject eq 'x')"),
        ("contacts", "?$filter=_parentcustomerid_value eq {{Attributes.id}}&$top=2"),
        ("contacts", "?$filter=createdon ge 2026-03-04T00:00:00Z&$orderby=createdon desc"),
        ("contacts", "?$filter=Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',X=7)"),
        ("phonecalls", "?$expand=phonecall_activity_parties&$filter=subject ne null"),
        ("phonecalls", "?$expand=regardingobjectid_contact_phonecall($select=fullname)"),
        ("systemusers", "?$expand=teammembership_association($select=name)"),
        ("contacts", "(3d4c6ec1-0000-4000-8000-000000000001)"),
    ],
)
async def test_what_dynamics_takes_in_a_query_is_no_finding(entity: str, query: str) -> None:
    key = {"phonecalls": "activityid", "systemusers": "systemuserid"}.get(entity, "contactid")
    assert await told(query, entity, key) == []
