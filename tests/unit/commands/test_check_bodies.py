"""Check online: every mistake in a body is told with what to write; what is fine is no finding."""

from __future__ import annotations

import re

from typing import Any

import pytest

from pipelines.loader import load
from pipelines.step import CreateStep
from worker.commands.body_check import mistakes
from worker.commands.check import ask
from worker.commands.finding import Finding
from worker.commands.link_check import Tables, key_mistakes
from worker.definitions import find, shipped
from worker.dynamics.definitions import Definition
from worker.sandbox.dataverse.organisation import create_organisation
from worker.sandbox.inprocess import InProcessDynamics
from worker.settings import Settings


WHO = "aaaa0000-0000-4000-8000-000000000001"


def step(
    body: str, entity: str = "phonecalls", method: str = "POST", query: str = "", more: str = ""
) -> str:
    lines = f'name = "S"\non = "created"\nmethod = "{method}"\nentity = "{entity}"\n'
    lines += f"query = '''{query}'''\n" if query else ""
    return f"[[step]]\n{lines}body = '''{body}'''\n{more}"


async def checked(text: str) -> list[Finding]:
    dynamics = InProcessDynamics(create_organisation())
    return await ask(dynamics, Settings(), [load(f'name = "p"\n{text}', "p.toml")])


async def told(text: str) -> list[str]:
    """What is wrong, each with file, step, line and column, without them."""
    wrong = [one.text for one in await checked(text) if one.wrong]
    placed = [re.fullmatch(r"p\.toml: step S: (.*) \(line \d+, column \d+\)", one) for one in wrong]
    assert None not in placed, wrong
    return [one[1] for one in placed if one]


REGARDING = "regardingobjectid_contact_phonecall@odata.bind"
LINKS = [
    (
        f'{{"{REGARDING}": "/contact({WHO})"}}',
        "no entity set 'contact'; write the set",
        "/contacts(",
    ),
    (f'{{"{REGARDING}": "/Contacts({WHO})"}}', "no entity set 'Contacts'", "/contacts("),
    (f'{{"{REGARDING}": "/kontakte({WHO})"}}', "no entity set 'kontakte'", "/contacts("),
    (
        f'{{"regardingobjectid@odata.bind": "/accounts({WHO})"}}',
        "no navigation property 'regardingobjectid'; name the table",
        "write regardingobjectid_account_phonecall@odata.bind",
    ),
    (
        f'{{"RegardingObjectId_Contact_Phonecall@odata.bind": "/contacts({WHO})"}}',
        "case matters",
        f"write {REGARDING}",
    ),
    (
        f'{{"{REGARDING}": "/accounts({WHO})"}}',
        "does not lead to accounts",
        "write regardingobjectid_account_phonecall@odata.bind",
    ),
    (
        f'{{"ownerid@odata.bind": "/contacts({WHO})"}}',
        "does not lead to contacts",
        "systemusers or teams",
    ),
    (
        f'{{"regardingobjectid_kontact_phonecall@odata.bind": "/contacts({WHO})"}}',
        "no navigation property 'regardingobjectid_kontact_phonecall'",
        "did you mean regardingobjectid_contact_phonecall?",
    ),
    (f'{{"{REGARDING}": 7}}', "is no address", 'write "/contacts(ID)"'),
    (f'{{"{REGARDING}": "Ada"}}', "is no address", 'write "/contacts(ID)"'),
    (f'{{"{REGARDING}": "/contacts(7)"}}', "'7' is no id", "write a GUID"),
    (
        f'{{"{REGARDING}": "/contacts(fullname=\'Ada\')"}}',
        "contacts has no alternate key of fullname",
        "write the id, or make the key",
    ),
    (f'{{"regardingobjectid": "{WHO}"}}', "is a lookup, which is written as a link", "@odata.bind"),
    (f'{{"_regardingobjectid_value": "{WHO}"}}', "is read, not written", "@odata.bind"),
    (
        '{"regardingobjectid_contact_phonecall@odata.bind": "/contact({{Attributes.id}})"}',
        "no entity set 'contact'",
        "/contacts(",
    ),
    (
        f'{{"{REGARDING}": "{{{{Attributes.id}}}}"}}',
        "is no address of a row",
        'write "/contacts({{Attributes.id}})"',
    ),
    (
        f'{{"{REGARDING}": "/{{{{Owner}}}}"}}',
        "is no address of a row",
        'write "/contacts({{Owner}})"',
    ),
    (
        f'{{"{REGARDING}": "/contacts/{{{{Attributes.id}}}}"}}',
        "is no address of a row",
        'write "/contacts({{Attributes.id}})"',
    ),
    (
        f'{{"{REGARDING}": "/contacts({{{{Attributes.id}}}}"}}',
        "is no address of a row",
        'write "/contacts({{Attributes.id}})"',
    ),
    (f'{{"{REGARDING}": "/contacts({WHO}"}}', "is no address", 'write "/contacts(ID)"'),
    (
        f'{{"{REGARDING}": "{{{{EnvironmentUri}}}}/api/data/v9.2/contacts({WHO})"}}',
        "is no address of a row",
        "/contacts(",
    ),
    (
        '{"ownerid@odata.bind": "{{Attributes.id}}"}',
        "is no address of a row",
        'write "/systemusers({{Attributes.id}})"',
    ),
    (
        '{"regardingobjectid_contact_phonecall": "/contacts({{Attributes.id}})"}',
        "is a link",
        f"write {REGARDING}",
    ),
    (f'{{"regardingobjectid_contact_phonecall": "{WHO}"}}', "is a link", f"write {REGARDING}"),
    (
        '{"regardingobjectid_contact": "{{Attributes.id}}"}',
        "is a link",
        "write regardingobjectid_contact@odata.bind",
    ),
]

COLUMNS = [
    ('{"subjct": "x"}', "no column 'subjct'", "did you mean subject?"),
    ('{"Subject": "x"}', "no column 'Subject'", "write 'subject'"),
    ('{"prioritycode": 7}', "no choice 7", "0 Low, 1 Normal, 2 High"),
    ('{"prioritycode": "1"}', "is a text in quotes", "write a whole number, without quotes"),
    (
        '{"prioritycode": "{% if Outbound %}7{% else %}{{ 1 }}{% endif %}"}',
        "no choice 7",
        "0 Low",
    ),
    ('{"prioritycode": "{{ 7 }}"}', "no choice 7", "0 Low"),
    ('{"prioritycode": "{{ DurationMinutes | default: 7 }}"}', "no choice 7", "0 Low"),
    ('{"prioritycode": "{{ Attributes.p | integer | default: 7 }}"}', "no choice 7", "0 Low"),
    ('{"prioritycode": "{{ Attributes.p | default: 7 | integer }}"}', "no choice 7", "0 Low"),
    (
        '{"prioritycode": "{% if Outbound %}{{ 7 }}{% else %}{{ 1 }}{% endif %}"}',
        "no choice 7",
        "0 Low",
    ),
    (
        '{"prioritycode": "{% if Outbound %}{% if Queue %}{{ 7 }}{% endif %}{% endif %}"}',
        "no choice 7",
        "0 Low",
    ),
    (
        '{"prioritycode": "{% if Outbound %}{{ true }}{% endif %}"}',
        "is true or false",
        "write a whole number",
    ),
    (
        '{"leftvoicemail": "{{ Attributes.voicemail | default: false }}"}',
        "what is not clearly one",
        "add | boolean",
    ),
    (
        '{"leftvoicemail": "{% if Outbound %}{{Attributes.x}}{% else %}{{ false }}{% endif %}"}',
        "what is not clearly one",
        "add | boolean",
    ),
    (
        '{"leftvoicemail": "{{ Attributes.x | boolean | default: \'maybe\' }}"}',
        "is a text in quotes",
        "write true or false",
    ),
    ('{"actualdurationminutes": "{{ -1 }}"}', "-1 is out of range", "write 0 to"),
    ('{"leftvoicemail": "{{Attributes.voicemail}}"}', "what is not clearly one", "add | boolean"),
    ('{"leftvoicemail": "true"}', "is a text in quotes", "write true or false, without quotes"),
    ('{"actualdurationminutes": -1}', "-1 is out of range", "write 0 to"),
    ('{"actualdurationminutes": "{{DurationSeconds}} s"}', "is text", "one placeholder alone"),
    ('{"actualdurationminutes": "5"}', "the column is Integer", "a whole number, without quotes"),
    ('{"actualstart": "yesterday"}', "is no time", "2026-03-04T10:15:00Z"),
    ('{"actualstart": 7}', "the column is DateTime", "a text in quotes"),
    ('{"subject": "' + "x" * 201 + '"}', "longer than the column's 200 characters", "shorten it"),
    ('{"subject": "' + "\U0001f600" * 101 + '"}', "longer than the column's 200", "shorten it"),
    ('{"subject": 5}', "the column is String", "a text in quotes"),
    ('{"createdon": "2026-03-04"}', "cannot be set when a record is created", "leave it out"),
    (f'{{"activityid": "{WHO}"}}', "is the key, which this program chooses", "leave it out"),
]

PARTIES = [
    ('[{"participationtypemask": "1", "addressused": "x"}]', "mask is a text", "without quotes"),
    ('[{"participationtypemask": 99, "addressused": "x"}]', "99 is none", "1 is from, 2 to"),
    ('[{"addressused": "x"}]', "needs participationtypemask", "1 from, 2 to"),
    (
        '[{"participationtypemask": "{{Attributes.mask}}", "addressused": "x"}]',
        "mask: is text",
        "add | integer",
    ),
    (
        f'[{{"participationtypemask": 1, "partyid@odata.bind": "/accounts({WHO})"}}]',
        "no navigation property 'partyid'",
        "write partyid_account@odata.bind",
    ),
    (
        f'[{{"participationtypemask": 1, "partyid_Contact@odata.bind": "/contacts({WHO})"}}]',
        "no navigation property 'partyid_Contact'",
        "write partyid_contact@odata.bind",
    ),
    (
        f'[{{"participationtypemask": 1, "partyid_contact@odata.bind": "/accounts({WHO})"}}]',
        "does not lead to accounts",
        "write partyid_account@odata.bind",
    ),
    (
        f'[{{"participationtypemask": 1, "partyid_contact@odata.bind": "/contact({WHO})"}}]',
        "no entity set 'contact'",
        "write /contacts(",
    ),
    (
        '[{"participationtypemask": 1, "adressused": "x"}]',
        "'adressused'",
        "did you mean addressused",
    ),
    ('["x"]', "is a list of parties", "partyid_contact@odata.bind"),
    (
        f'{{"participationtypemask": 1, "partyid_contact@odata.bind": "/contacts({WHO})"}}',
        "is a list of parties",
        "[{",
    ),
    ('"x"', "is a list of parties", "[{"),
    ('"{{Attributes.a}}, {{Attributes.b}}"', "is a list of parties", "[{"),
    ('[{"participationtypemask": "{{ 99 }}", "addressused": "x"}]', "99 is none", "1 is from"),
    *(
        (
            f'[{{"participationtypemask": 1, "partyid_contact@odata.bind": "{bind}"}}]',
            "is no address of a row",
            'write "/contacts({{Attributes.id}})"',
        )
        for bind in (
            "{{Attributes.id}}",
            "/{{Attributes.id}}",
            "/contacts/{{Attributes.id}}",
            "/contacts({{Attributes.id}}",
        )
    ),
    (
        '[{"participationtypemask": 1, "partyid_contact@odata.bind": "/contacts(7)"}]',
        "'7' is no id",
        "write a GUID",
    ),
    (
        '[{"participationtypemask": 1, "partyid_contact": "/contacts({{Attributes.id}})"}]',
        "partyid_contact is a link",
        "write partyid_contact@odata.bind",
    ),
]


async def test_a_text_that_an_own_column_of_truths_is_given_is_told_with_what_to_write() -> None:
    text = "{{ DurationMinutes | default: 'no' }}"
    (found,) = await told(step(f'{{"cr8a1_paid": "{text}"}}', "cr8a1_expenses"))
    assert "cr8a1_paid: is a text in quotes, but the column is Boolean" in found
    for default in ("'no'", "false"):
        text = f"{{{{ Attributes.vip | default: {default} }}}}"
        found = (await told(step(f'{{"cr8a1_paid": "{text}"}}', "cr8a1_expenses")))[0]
        assert "cr8a1_paid: is text, but the column holds boolean values" in found
        assert "add | boolean" in found


async def test_a_default_that_is_no_choice_is_told_beside_the_text_that_it_stands_for() -> None:
    found = await told(step('{"prioritycode": "{{ Attributes.p | default: 7 }}"}'))
    assert ["add | integer" in found[0], "no choice 7" in found[1]] == [True, True]


@pytest.mark.parametrize(("body", "what", "instead"), [*LINKS, *COLUMNS])
async def test_a_mistake_in_a_body_is_told_with_what_to_write(
    body: str, what: str, instead: str
) -> None:
    (text,) = await told(step(body))
    assert what in text
    assert instead in text


@pytest.mark.parametrize(("parties", "what", "instead"), PARTIES)
async def test_a_mistake_in_a_party_is_told_with_what_to_write(
    parties: str, what: str, instead: str
) -> None:
    (text,) = await told(step(f'{{"phonecall_activity_parties": {parties}}}'))
    assert text.startswith("phonecall_activity_parties: ")
    assert what in text
    assert instead in text


@pytest.mark.parametrize(
    ("text", "what", "instead"),
    [
        (
            step('{"contact_activity_parties": []}', "contacts"),
            "contacts are no activities and have no parties",
            "leave it out",
        ),
        (
            step('{"task_activity_parties": []}'),
            "phonecalls has no such list",
            "write phonecall_activity_parties",
        ),
        (
            step('{"statecode": 1, "statuscode": 3}', "phonecalls", "PATCH", f"({WHO})"),
            "3 belongs to statecode 2, not 1",
            "2 or 4",
        ),
        (
            step('{"statuscode": 99}', "phonecalls", "PATCH", f"({WHO})"),
            "no choice 99",
            "1 Open",
        ),
        (
            step('{"subject": "x"}', "phonecalls", "PATCH", "(subject='{{Attributes.id}}')"),
            "phonecalls has no alternate key of subject; there is none",
            "write the id",
        ),
        (
            step('{"subject": "x"}', "phonecalls", "PATCH", "(7)"),
            "'7' is no id of a row",
            "write a GUID",
        ),
        (
            step('{"title": "x"}', "incidents"),
            "customerid: is required when a record is created",
            "customerid_account@odata.bind or customerid_contact@odata.bind",
        ),
        (
            step(
                '{"prioritycode": "{{ Attributes.x | choice: \'p\' }}"}',
                more="[choices.p]\nhigh = 9",
            ),
            "no choice 9",
            "0 Low",
        ),
    ],
)
async def test_a_mistake_in_a_step_is_told_with_what_to_write(
    text: str, what: str, instead: str
) -> None:
    choices, _, rest = text.partition("[choices")
    moved = f"[choices{rest}\n{choices}" if rest else text
    (found,) = await told(moved)
    assert what in found
    assert instead in found


@pytest.mark.parametrize(
    ("entity", "what"),
    [
        (
            "phonecall",
            "there is no entity set 'phonecall': that is the table's name; write phonecalls",
        ),
        ("phonecallz", "did you mean phonecalls?"),
    ],
)
async def test_a_set_that_is_not_there_is_told_with_the_one_that_is(entity: str, what: str) -> None:
    found = [one.text for one in await checked(step("{}", entity)) if one.wrong]
    assert len(found) == 1
    assert what in found[0]


async def test_a_key_that_a_pipeline_names_wrongly_is_told_with_the_right_one() -> None:
    text = step("{}", "cr8a1_smsmessages").replace("body =", 'key = "cr8a1_smsmessageid"\nbody =')
    found = [one.text for one in await checked(text) if one.wrong]
    assert len(found) == 1
    assert found[0].endswith('write key = "activityid"')


async def test_a_field_that_a_later_step_reads_of_a_record_is_a_column_of_it() -> None:
    more = """
[[step]]
name = "T"
on = "created"
method = "POST"
entity = "tasks"
body = '{"subject": "{{S-Response.titel}}", "category": "{{S-Response.subject}}"}'
"""
    (text,) = await told(step('{"subject": "x"}', more=more))
    assert text.startswith("titel: a later step reads it of the record")


FINE = [
    ("incidents", '{"title": "Call", "customerid_contact@odata.bind": "/contacts(ID)"}'),
    ("phonecalls", '{"transactioncurrencyid@odata.bind": "/transactioncurrencies(ID)"}'),
    ("phonecalls", '{"subject": "x", "cr8a1_reason": "{{Queue}}"}'),
    ("phonecalls", '{"subject": "x", "statecode": 1, "statuscode": 4}'),
    ("phonecalls", '{"subject": "x", "ownerid@odata.bind": "/teams(ID)"}'),
    ("phonecalls", '{"subject": "x", "ownerid@odata.bind": "/{{Owner}}"}'),
    (
        "queueitems",
        '{"queueid@odata.bind": "/queues(ID)", "objectid_phonecall@odata.bind": "/phonecalls(ID)"}',
    ),
    ("phonecalls", '{"regardingobjectid_incident_phonecall@odata.bind": "/incidents(ID)"}'),
    ("phonecalls", '{"regardingobjectid_contact@odata.bind": "contacts(ID)"}'),
    ("phonecalls", '{"LINK": "https://org.crm.dynamics.com/api/data/v9.2/contacts(ID)"}'),
    ("phonecalls", '{"LINK": null}'),
    ("phonecalls", '{"regardingobjectid_contact_phonecall": null}'),
    ("phonecalls", '{"subject": "x", "actualdurationminutes": null}'),
    ("phonecalls", '{"ownerid@odata.bind": "{{Owner}}"}'),
    ("phonecalls", '{"ownerid@odata.bind": "/{{Attributes.owner}}"}'),
    ("phonecalls", '{"LINK": "/contacts({{ Attributes.id | default: \'(none)\' }})"}'),
    ("phonecalls", '{"LINK": "/api/data/v9.2/contacts({{Attributes.id}})"}'),
    ("phonecalls", '{"regardingobjectid_contact": null}'),
    ("phonecalls", '{"regardingobjectid_contact_phonecall": {"lastname": "Lovelace"}}'),
    ("accounts", '{"name": "x", "primarycontactid": {"lastname": "Lovelace"}}'),
    ("systemusers", '{"businessunitid@odata.bind": "/businessunits(ID)", "JOINED": [{}]}'),
    ("phonecalls", '{"leftvoicemail": "{{Attributes.voicemail | boolean}}"}'),
    ("phonecalls", '{"leftvoicemail": "{{Attributes.x | default: \'no\' | boolean}}"}'),
    ("phonecalls", '{"leftvoicemail": "{{Attributes.x | boolean | default: \'no\'}}"}'),
    ("phonecalls", '{"prioritycode": "{{Attributes.prio | integer | default: 2}}"}'),
    ("phonecalls", '{"prioritycode": "{{ DurationMinutes | default: \'2\' }}"}'),
    (
        "phonecalls",
        """{"leftvoicemail":
            "{% if Attributes.x == 'yes' %}{{ true }}{% else %}{{ false }}{% endif %}"}""",
    ),
    ("cr8a1_expenses", '{"cr8a1_paid": "{{Attributes.x | boolean | default: false}}"}'),
    ("phonecalls", '{"subject": "{{ Attributes.x | default: 7 }}"}'),
    ("phonecalls", '{"phonecall_activity_parties": "{{Parties}}"}'),
    ("phonecalls", '{"prioritycode": "{{Attributes.prio | integer}}"}'),
    ("phonecalls", '{"actualstart": "{{InitiationTimestamp}}", "scheduledstart": "2026-03-04"}'),
    ("phonecalls", '{"phonecall_activity_parties": ["{{Parties}}"]}'),
    (
        "phonecalls",
        """{"phonecall_activity_parties": [
            {"participationtypemask": 1, "addressused": "x", "effort": 2},
            {"participationtypemask": 2, "partyid_systemuser@odata.bind": "/systemusers(ID)"}]}""",
    ),
    ("cr8a1_expenses", '{"cr8a1_kinds": "1,2", "cr8a1_amount": 7, "cr8a1_paid": true}'),
    ("cr8a1_cases", '{"cr8a1_Category@odata.bind": "/cr8a1_categories(ID)"}'),
    ("cr8a1_smsmessages", '{"subject": "x"}'),
    ("faxes", '{"subject": "x"}'),
    ("accounts", '{"name": "x", "Account_Phonecalls": [{"subject": "x"}]}'),
]


JOINED = "teammembership_association"


@pytest.mark.parametrize(("entity", "body"), FINE)
async def test_what_dynamics_takes_in_a_new_record_is_no_finding(entity: str, body: str) -> None:
    text = step(
        body.replace("ID", WHO).replace("LINK", REGARDING).replace("JOINED", JOINED), entity
    )
    assert [one.text for one in await checked(text) if not one.fine] == []


@pytest.mark.parametrize(
    ("entity", "key", "body"),
    [
        ("phonecalls", f"({WHO})", '{"statecode": 1, "statuscode": 100000001}'),
        ("cr8a1_cases", "(cr8a1_code='{{Attributes.id}}')", '{"cr8a1_name": "7"}'),
        (
            "cr8a1_callevents",
            "(cr8a1_calleventid={{Attributes.id}},partitionid='{{Attributes.device}}')",
            '{"cr8a1_payload": "x"}',
        ),
    ],
)
async def test_what_dynamics_takes_in_an_update_is_no_finding(
    entity: str, key: str, body: str
) -> None:
    found = await checked(step(body, entity, "PATCH", key))
    assert [one.text for one in found if not one.fine] == []


def test_a_lookup_in_an_alternate_key_is_named_as_a_query_names_it() -> None:
    table = Definition("new_things", "new_thing", "new_thingid", keys=(frozenset(("new_owner",)),))
    assert [*key_mistakes("(_new_owner_value={{Attributes.id}})", table)] == []
    assert len([*key_mistakes("(_new_other_value={{Attributes.id}})", table)]) == 1


@pytest.mark.parametrize(
    "numbered",
    [
        {"AttributeType": "String", "AutoNumberFormat": "C-{SEQNUM:5}"},
        {"AttributeType": "String", "IsValidForUpdate": False},  # quotenumber and its like
    ],
)
def test_a_required_column_that_the_platform_numbers_may_be_left_out(
    numbered: dict[str, Any],
) -> None:
    made = load(f'name = "p"\n{step("{}", "quotes")}', "p.toml").steps[0]
    assert isinstance(made, CreateStep)
    required = {"RequiredLevel": {"Value": "SystemRequired"}, "AttributeType": "String"}
    columns = {"quotenumber": {**required, **numbered}, "name": required}
    table = Definition("quotes", "quote", "quoteid", columns=columns)
    found = [*mistakes(made, table, Tables({}, {}), {})]
    assert found == ["name: is required when a record is created; write name"]


@pytest.mark.parametrize("name", shipped())
async def test_the_shipped_pipelines_are_found_right_online(name: str) -> None:
    dynamics = InProcessDynamics(create_organisation())
    found = await ask(dynamics, Settings(), [find(name)])
    assert [one.text for one in found if not one.fine] == []
