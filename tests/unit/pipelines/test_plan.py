"""The plan: the difference between what facts say and what Dynamics acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from pipelines.action import Action, Change, Lookup, Verb
from pipelines.contact import UNKNOWN, Contact
from pipelines.fact import Fact
from pipelines.identity import record_id
from pipelines.ledger import digest
from pipelines.loader import load
from pipelines.plan import Plan, Terms, plan


Told = Callable[..., Contact]
Makes = Callable[..., Fact]
CarryOut = Callable[[Contact, Iterable[Action], dict[str, Any]], None]

ENDED = 1767323045.0  # 03:04:05

CREATE = """
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "Call", "phonenumber": "{{CustomerEndpoint}}"}'
"""
UPDATE = """
[[step]]
name = "END"
on = "ended"
method = "PATCH"
entity = "phonecalls"
query = "({{CALL-Response.activityid}})"
body = '{"category": "{{Channel}}", "subcategory": "{{Queue}}"}'
"""
CLOSE = """
[[step]]
name = "CLOSE"
on = "ended"
method = "PATCH"
entity = "phonecalls"
query = "({{CALL-Response.activityid}})"
body = '{"statecode": 1, "statuscode": 4}'
"""
WHO = """
[[step]]
name = "WHO"
on = "created"
method = "GET"
entity = "contacts"
query = "?$filter=telephone1 eq '{{CustomerEndpoint}}'&$select=contactid"
"""


def planned(contact: Contact, *steps: str, now: float = ENDED, **terms: Any) -> Any:
    return plan(contact, [load('name = "p"' + "".join(steps))], now, Terms(**terms))


def kinds(found: Plan) -> list[str]:
    return [write.kind for write in found.actions]


# --- one record ---------------------------------------------------------------------------------


def test_a_contact_without_facts_has_no_plan(told: Told) -> None:
    assert planned(told(), CREATE) == Plan()


def test_a_stored_file_alone_is_no_reason_to_write(stored: Makes, told: Told) -> None:
    assert planned(told(stored()), CREATE.replace("created", "recording")) == Plan()


def test_a_new_contact_is_created_under_an_id_of_ours(event: Makes, told: Told) -> None:
    contact = told(event("INITIATED"))
    (create,) = planned(contact, CREATE).actions
    assert create == Change(
        Verb.CREATE,
        ("p/CALL",),
        f"phonecalls({record_id(contact.id, 'p', 'CALL')})",
        {"subject": "Call"},
        creatable=True,
    )


def test_ids_differ_by_contact_pipeline_and_step_and_never_change() -> None:
    ids = {record_id(c, p, s) for c in "ab" for p in "cd" for s in "ef"}
    assert len(ids) == 8
    assert UUID(record_id("a", "c", "e")).version == 5
    assert record_id("a", "c", "e") == "ddce77a4-a9c3-540f-9392-542ea9b1dfd2"


def test_steps_due_together_are_one_request(record: Makes, told: Told) -> None:
    (create,) = planned(told(record()), CREATE, UPDATE).actions
    assert create.steps == ("p/CALL", "p/END")
    assert create.columns == {
        "subject": "Call",
        "phonenumber": "+4930901820",
        "category": "VOICE",
        "subcategory": "Support",
    }


def test_a_complete_contact_costs_a_create_and_a_close(record: Makes, told: Told) -> None:
    found = planned(told(record()), CREATE, CLOSE, UPDATE)
    assert kinds(found) == ["create", "close"]
    assert found.actions[1].columns == {"statecode": 1, "statuscode": 4}
    assert found.actions[0].record == found.actions[1].record


def test_what_is_acknowledged_is_not_sent_again(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(record())
    carry_out(contact, planned(contact, CREATE, UPDATE, CLOSE).actions, {})
    assert planned(contact, CREATE, UPDATE, CLOSE) == Plan()


def test_only_what_changed_is_sent(
    event: Makes, record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(event("INITIATED"))
    carry_out(contact, planned(contact, CREATE, UPDATE).actions, {})
    contact.observe(record())
    (update,) = planned(contact, CREATE, UPDATE).actions
    assert update.kind == "update"
    assert update.columns == {
        "phonenumber": "+4930901820",
        "category": "VOICE",
        "subcategory": "Support",
    }


def test_a_newer_record_that_says_the_same_is_no_request(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(record())
    carry_out(contact, planned(contact, CREATE, UPDATE).actions, {})
    contact.observe(record(LastUpdateTimestamp="2026-01-11T00:00:00Z", Attributes={"new": "1"}))
    assert planned(contact, CREATE, UPDATE).actions == []


def test_a_value_that_vanished_is_nulled(record: Makes, told: Told, carry_out: CarryOut) -> None:
    contact = told(record())
    carry_out(contact, planned(contact, CREATE).actions, {})
    contact.observe(record(LastUpdateTimestamp="2026-01-11T00:00:00Z", CustomerEndpoint=None))
    (update,) = planned(contact, CREATE).actions
    assert (update.kind, update.columns) == ("update", {"phonenumber": None})
    carry_out(contact, [update], {})
    assert planned(contact, CREATE).actions == []


def test_a_column_no_step_has_any_more_is_nulled(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    conditional = UPDATE + 'when = { Queue = "Support" }'
    contact = told(record())
    carry_out(contact, planned(contact, CREATE, conditional).actions, {})
    contact.observe(record(LastUpdateTimestamp="2026-01-11T00:00:00Z", Queue={"Name": "Sales"}))
    (update,) = planned(contact, CREATE, conditional).actions
    assert update.columns == {"category": None, "subcategory": None}


def test_a_column_that_may_have_been_sent_is_sent_again(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(record())
    carry_out(contact, planned(contact, CREATE).actions, {})
    (known,) = contact.ledger.values()
    known.columns["subject"] = UNKNOWN
    (update,) = planned(contact, CREATE).actions
    assert update.columns == {"subject": "Call"}


# --- overlay ------------------------------------------------------------------------------------


def test_later_steps_lie_over_earlier_ones(record: Makes, told: Told) -> None:
    over = UPDATE.replace('"category"', '"subject"')
    (create,) = planned(told(record()), CREATE, over).actions
    assert create.columns["subject"] == "VOICE"


def test_a_later_step_without_a_value_wipes_nothing(record: Makes, told: Told) -> None:
    absent = UPDATE.replace('"subcategory": "{{Queue}}"', '"subject": "{{CustomerId}}"')
    (create,) = planned(told(record()), CREATE, absent).actions
    assert create.columns["subject"] == "Call"


def test_a_later_step_that_is_held_wipes_nothing(event: Makes, told: Told) -> None:
    held = UPDATE.replace('"subcategory": "{{Queue}}"', '"subject": "For {{Queue}}"')
    found = planned(told(event("DISCONNECTED")), CREATE, held)
    assert found.actions[0].columns["subject"] == "Call"
    assert found.waiting == {"p/END": "subject: for a name without a value"}


def test_what_was_held_follows_when_its_names_come(
    event: Makes, record: Makes, told: Told, carry_out: CarryOut
) -> None:
    text = CREATE.replace('"Call"', '"From {{CustomerEndpoint}} for {{Agent}}"')
    contact = told(event("INITIATED"))
    first = planned(contact, text)
    assert first.actions[0].columns == {}
    carry_out(contact, first.actions, {})
    assert planned(contact, text).actions == []
    contact.observe(record(Agent=None))
    (update,) = planned(contact, text).actions
    assert update.columns["subject"] == "From +4930901820 for "


def test_what_was_sent_stays_while_its_successor_is_held(
    event: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(event("INITIATED"))
    carry_out(contact, planned(contact, CREATE).actions, {})
    contact.observe(event("DISCONNECTED"))
    held = CREATE.replace('"Call"', '"Call from {{Queue}}"')
    assert planned(contact, held).actions == []


def test_what_was_sent_stays_while_one_step_is_held_and_another_has_no_value(
    event: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(event("DISCONNECTED"))
    carry_out(contact, planned(contact, CREATE).actions, {})
    held = CREATE.replace('"Call"', '"Call from {{Queue}}"')
    absent = UPDATE.replace('"subcategory": "{{Queue}}"', '"subject": "{{CustomerId}}"')
    (update,) = planned(contact, held, absent).actions
    assert update.columns == {"category": "VOICE"}
    held = UPDATE.replace('"subcategory": "{{Queue}}"', '"subject": "Call from {{Queue}}"')
    absent = CREATE.replace('"Call"', '"{{CustomerId}}"')
    (update,) = planned(contact, absent, held).actions
    assert update.columns == {"category": "VOICE"}


def test_held_text_goes_out_when_its_time_is_over(event: Makes, told: Told) -> None:
    text = CREATE.replace('"Call"', '"{{Channel}} for {{ Agent }}{{Queue}}"') + 'within = "5m"'
    contact = told(event("DISCONNECTED"))
    before = planned(contact, text, now=ENDED + 299)
    assert before.actions[0].columns == {}
    assert before.next_at == ENDED + 300
    after = planned(contact, text, now=ENDED + 300)
    assert after.actions[0].columns == {"subject": "VOICE for "}
    assert after.next_at is None


def test_without_within_it_is_a_quarter_of_an_hour(event: Makes, told: Told) -> None:
    text = CREATE.replace('"Call"', '"For {{Queue}}"')
    contact = told(event("DISCONNECTED"))
    assert planned(contact, text).next_at == ENDED + 900
    over = planned(contact, text, now=float("inf"))
    assert over.actions[0].columns == {"subject": "For "}


# --- lookups ------------------------------------------------------------------------------------

LINKED = CREATE.replace(
    '"Call"', '"Call", "regardingobjectid_contact_phonecall@odata.bind": '
    '"/contacts({{WHO-Response.contactid}})"'
)  # fmt: skip
GUID = "8a1f0c7e-0000-4000-8000-00000000c0de"


def test_lookups_go_alone_and_first(record: Makes, told: Told) -> None:
    (lookup,) = planned(told(record()), WHO, LINKED, CLOSE).actions
    assert lookup == Lookup(
        "p/WHO",
        "contacts?$filter=telephone1%20eq%20'%2B4930901820'&$select=contactid",
        ("contactid",),
    )


def test_what_a_lookup_found_is_planned_with(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(record())
    carry_out(contact, planned(contact, WHO, LINKED).actions, {"contactid": GUID})
    (create,) = planned(contact, WHO, LINKED).actions
    assert create.columns["regardingobjectid_contact_phonecall@odata.bind"] == f"/contacts({GUID})"


def test_a_lookup_that_found_nobody_leaves_the_link_out(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(record())
    carry_out(contact, planned(contact, WHO, LINKED).actions, {"LookupStatus": "NoMatch"})
    (create,) = planned(contact, WHO, LINKED).actions
    assert set(create.columns) == {"subject", "phonenumber"}


def test_a_lookup_waits_for_its_values_and_holds_nobody_up(event: Makes, told: Told) -> None:
    found = planned(told(event("INITIATED")), WHO, LINKED)
    assert kinds(found) == ["create"]
    assert found.waiting["p/WHO"] == "for a value its query needs"


def test_a_lookup_with_another_question_is_asked_anew(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(record())
    carry_out(contact, planned(contact, WHO).actions, {"LookupStatus": "NoMatch"})
    assert planned(contact, WHO).actions == []
    contact.observe(
        record(LastUpdateTimestamp="2026-01-11T00:00:00Z", CustomerEndpoint={"Address": "+1"})
    )
    assert kinds(planned(contact, WHO)) == ["lookup"]


def test_a_lookup_by_key_needs_no_query(record: Makes, told: Told) -> None:
    (lookup,) = planned(told(record()), WHO.replace("query", "description")).actions
    assert lookup.url == "contacts"


def test_a_file_is_read_once_and_one_that_comes_before_it_anew(
    record: Makes, stored: Makes, told: Told, carry_out: CarryOut
) -> None:
    read = '[[step]]\nname = "LENS"\non = "transcript"\nread = true\n'
    contact = told(record())

    def reads(folder: str) -> list[tuple[str, tuple[str, str]]]:
        contact.observe(stored(f"{folder}/{contact.id}_20260102T03:00_UTC.json"))
        writes = planned(contact, CREATE + read).actions
        carry_out(contact, writes, {})
        return [(w.url, (w.bucket, w.key)) for w in writes if w.kind == "lookup"]

    for folder in "ba":
        key = f"{folder}/{contact.id}_20260102T03:00_UTC.json"
        assert reads(folder) == [(f"s3://recordings/{key}", ("recordings", key))]
        assert reads(folder) == []


def test_lookups_of_all_pipelines_go_first(record: Makes, told: Told) -> None:
    pipelines = [load('name = "a"' + CREATE), load('name = "b"' + WHO)]
    found = plan(told(record()), pipelines, ENDED, Terms())
    assert kinds(found) == ["lookup"]


# --- parties, several records, several pipelines -------------------------------------------------

PARTIES = """
[[step]]
name = "PARTIES"
on = "record"
method = "PATCH"
entity = "phonecalls"
query = "({{CALL-Response.activityid}})"
body = '''{"phonecall_activity_parties": [
  {"addressused": "{{CustomerEndpoint}}", "participationtypemask": 1}], "category": "c"}'''
"""


def test_parties_are_nested_in_a_create(record: Makes, told: Told) -> None:
    (create,) = planned(told(record()), CREATE, PARTIES).actions
    assert create.columns["phonecall_activity_parties"] == [
        {"addressused": "+4930901820", "participationtypemask": 1}
    ]


def test_parties_change_by_a_request_of_their_own(
    event: Makes, record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(event("INITIATED"))
    carry_out(contact, planned(contact, CREATE, PARTIES).actions, {})
    contact.observe(record())
    update, parties = planned(contact, CREATE, PARTIES).actions
    assert (update.kind, set(update.columns)) == ("update", {"phonenumber", "category"})
    assert (parties.kind, list(parties.columns)) == ("parties", ["phonecall_activity_parties"])


def test_parties_alone_are_one_request(record: Makes, told: Told, carry_out: CarryOut) -> None:
    contact = told(record())
    carry_out(contact, planned(contact, CREATE, PARTIES).actions, {})
    newer = {"LastUpdateTimestamp": "2026-01-11T00:00:00Z", "CustomerEndpoint": {"Address": "+1"}}
    fixed = CREATE.replace(', "phonenumber": "{{CustomerEndpoint}}"', "")
    carry_out(contact, planned(contact, fixed, PARTIES).actions, {})
    contact.observe(record(**newer))
    assert kinds(planned(contact, fixed, PARTIES)) == ["parties"]


def test_parties_nobody_wants_any_more_are_emptied(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact, inbound = told(record()), f"{PARTIES}when = {{ Outbound = false }}"
    carry_out(contact, planned(contact, CREATE, inbound).actions, {})
    newer = {"LastUpdateTimestamp": "2026-01-11T00:00:00Z", "InitiationMethod": "OUTBOUND"}
    contact.observe(record(**newer))
    update, parties = planned(contact, CREATE, inbound).actions
    assert update.columns == {"category": None}
    assert parties.columns == {"phonecall_activity_parties": []}


def test_parties_nobody_is_known_for_wipe_none_of_an_earlier_step(
    record: Makes, told: Told
) -> None:
    nobody = PARTIES.replace('"PARTIES"', '"NOBODY"').replace("CustomerEndpoint", "CustomerId")
    (create,) = planned(told(record()), CREATE, PARTIES, nobody).actions
    assert [p["addressused"] for p in create.columns["phonecall_activity_parties"]] == [
        "+4930901820"
    ]


def test_closing_goes_after_everything_of_every_pipeline(record: Makes, told: Told) -> None:
    pipelines = [load('name = "a"' + CREATE + CLOSE), load('name = "b"' + CREATE)]
    found = plan(told(record()), pipelines, ENDED, Terms())
    assert kinds(found) == ["create", "create", "close"]


def test_each_of_several_records_is_closed(record: Makes, told: Told) -> None:
    other = (CREATE + CLOSE).replace("CALL", "OTHER").replace('"CLOSE"', '"CLOSE-OTHER"')
    found = planned(told(record()), CREATE, CLOSE, other)
    assert kinds(found) == ["create", "create", "close", "close"]
    assert [write.record for write in found.actions[:2]] == [w.record for w in found.actions[2:]]


def test_a_pipeline_is_for_the_contacts_its_when_admits(record: Makes, told: Told) -> None:
    text = 'name = "p"\nwhen = { Channel = ["CHAT", "TASK"] }' + CREATE
    assert plan(told(record()), [load(text)], ENDED, Terms()) == Plan()
    (create,) = plan(told(record(Channel="Task")), [load(text)], ENDED, Terms()).actions
    assert create.kind == "create"


def test_a_second_record_has_a_plan_of_its_own(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    task = CREATE.replace("CALL", "TASK").replace("phonecalls", "tasks")
    contact = told(record())
    first, second = planned(contact, CREATE, task).actions
    assert (first.entity, second.entity) == ("phonecalls", "tasks")
    carry_out(contact, [first], {})
    assert planned(contact, CREATE, task).actions == [second]


def test_a_create_asks_for_what_later_steps_name(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    task = CREATE.replace("CALL", "TASK").replace("Call", "{{CALL-Response.createdon}}")
    contact = told(record())
    create, second = planned(contact, CREATE, task).actions
    assert create.returning == ("createdon",)
    assert "subject" not in second.columns
    carry_out(contact, [create, second], {"createdon": "now"})
    (update,) = planned(contact, CREATE, task).actions
    assert update.columns == {"subject": "now"}


def test_ledger_digests_are_of_values_not_of_spellings() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest("1") != digest(1)
