"""What a pipeline writes back to Connect: which attributes, when, and when not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import orjson
import pytest

from pipelines import ledger
from pipelines.action import Action, WriteBack
from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.identity import record_id
from pipelines.kin import told as told_others
from pipelines.live import LIVE_WITHIN_S
from pipelines.loader import load
from pipelines.plan import Terms, plan
from pipelines.source import PipelineError
from pipelines.view import Names
from pipelines.writeback import MOST_BYTES, attributes_for


Makes = Callable[..., Fact]
Told = Callable[..., Contact]
CarryOut = Callable[[Contact, Iterable[Action], dict[str, Any]], None]

LIVE = Terms(live=True)

#: When the call of the facts began, and when an agent answered it (s since 1970).
BEGAN = datetime.fromisoformat("2026-01-02T03:00:00Z").timestamp()
ANSWERED = BEGAN + 20

CREATE = """
[[step]]
name = "MAKE"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "{{ContactId}}"}'
"""
TABLE = 'ms_id = "{{ContactId}}"\nms_activity_id = "{{MAKE-Response.activityid}}"\n'


def pipeline(table: str = TABLE, steps: str = CREATE) -> Any:
    return load(f'name = "p"\n{steps}\n[writeback]\n{table}')


def written(contact: Contact, now: float = BEGAN + 1, table: str = TABLE, **terms: Any) -> Any:
    """The attributes that are due, now and once the records are made."""
    result = plan(contact, [pipeline(table)], now, Terms(**{"live": True, **terms}))
    found = [one.attributes for one in result.actions if isinstance(one, WriteBack)]
    return {name: text for part in found for name, text in part.items()} or None


def later_leg(event: Makes, kind: str, contact: Contact, **detail: Any) -> list[Fact]:
    """What a leg that came of the contact tells it."""
    leg = "00000000-0000-4000-8000-000000000001"
    linked = {"contactId": leg, "initialContactId": contact.id, "previousContactId": contact.id}
    began = {"initiationTimestamp": "2026-01-02T03:00:10.000Z"}
    return told_others(event(kind, **linked, **began, **detail))


def test_attributes_are_one_request_right_after_the_records_they_name(
    event: Makes, told: Told
) -> None:
    contact = told(event("INITIATED"))
    create, after = plan(contact, [pipeline()], BEGAN + 1, LIVE).actions
    assert create.kind == "create"
    assert isinstance(after, WriteBack)
    made = record_id(contact.id, "p", "MAKE")
    assert after.attributes == {"ms_id": contact.id, "ms_activity_id": made}
    assert after.initial_contact_id == contact.id


@pytest.mark.parametrize("why", ["no answer", "forbidden"])
def test_a_record_that_is_held_up_holds_up_no_attributes_but_those_that_name_it(
    event: Makes, told: Told, why: str
) -> None:
    contact = told(event("INITIATED"))
    first, _ = plan(contact, [pipeline()], BEGAN + 1, LIVE).actions
    if why == "forbidden":
        contact.tries = 1
    else:
        ledger.intend(contact, [first])
        ledger.mark_unknown(contact)
    at_once, create, after = plan(contact, [pipeline()], BEGAN + 2, LIVE).actions
    assert create.kind == "create"
    assert isinstance(at_once, WriteBack)
    assert isinstance(after, WriteBack)
    assert at_once.attributes == {"ms_id": contact.id, "ms_activity_id": ""}
    assert after.attributes == {"ms_activity_id": record_id(contact.id, "p", "MAKE")}


def test_attributes_of_a_record_that_is_there_are_one_request_before_all_others(
    event: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(event("INITIATED"))
    carry_out(contact, plan(contact, [pipeline('a = "b"')], BEGAN, LIVE).actions, {})
    late = CREATE.replace("ContactId", "Channel")
    written_back, update = plan(contact, [pipeline(steps=late)], BEGAN, LIVE).actions
    assert isinstance(written_back, WriteBack)
    assert written_back.attributes.keys() == {"ms_id", "ms_activity_id"}
    assert update.kind == "update"


def test_attributes_go_to_the_first_contact_of_the_chain_and_the_instance_that_events_name(
    event: Makes, told: Told
) -> None:
    arn = "arn:aws:connect:eu-central-1:111122223333:instance/abc"
    contact = told(event("INITIATED", initialContactId="first", instanceArn=arn))
    for one in plan(contact, [pipeline()], BEGAN, LIVE).actions:
        if isinstance(one, WriteBack):
            about = (one.contact_id, one.initial_contact_id, one.instance_id)
            assert about == (contact.id, "first", "abc")


def test_a_new_legs_attributes_hold_no_record_of_the_leg_before(event: Makes, told: Told) -> None:
    contact = told(event("INITIATED", initialContactId="first"))
    contact.tries = 1
    at_once, _, after = plan(contact, [pipeline()], BEGAN, LIVE).actions
    assert isinstance(at_once, WriteBack)
    assert isinstance(after, WriteBack)
    assert at_once.attributes == {"ms_id": contact.id, "ms_activity_id": ""}
    assert (at_once.begins, after.begins) == (True, False)


def test_the_page_of_an_answered_leg_is_not_cleared_by_attributes_that_come_later(
    event: Makes, told: Told
) -> None:
    contact = told(event("CONNECTED_TO_AGENT", initialContactId="first"))
    actions = plan(contact, [pipeline()], ANSWERED, LIVE).actions
    assert not any(one.begins for one in actions if isinstance(one, WriteBack))


def test_only_what_differs_from_our_own_ledger_is_written(
    event: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(event("INITIATED"))
    table = TABLE + 'agent = "{{Agent.ARN}}"'
    carry_out(contact, plan(contact, [pipeline(table)], BEGAN, LIVE).actions, {})
    assert written(contact, table=table) is None
    contact.observe(event("CONNECTED_TO_AGENT"))
    assert set(written(contact, ANSWERED, table)) == {"agent"}


def test_a_value_that_is_gone_is_emptied(event: Makes, told: Told, carry_out: CarryOut) -> None:
    table = 'reason = "{{DisconnectReason}}"\nnobody = "{{CustomerId}}"'
    contact = told(event("INITIATED", disconnectReason="OTHER"))
    carry_out(contact, plan(contact, [pipeline(table)], BEGAN, LIVE).actions, {})
    contact.observe(event("INITIATED", initiationTimestamp="2026-01-02T03:00:01.403Z"))
    assert written(contact, table=table) == {"reason": ""}


@pytest.mark.parametrize(
    ("kind", "after", "is_written"),
    [
        ("INITIATED", LIVE_WITHIN_S, True),
        ("INITIATED", LIVE_WITHIN_S + 1, False),
        ("QUEUED", 5 + LIVE_WITHIN_S, True),
        ("CONNECTED_TO_AGENT", 20 + LIVE_WITHIN_S, True),
        ("CONNECTED_TO_AGENT", 21 + LIVE_WITHIN_S, False),
        ("DISCONNECTED", 0.0, False),
    ],
)
def test_attributes_are_written_within_a_minute_of_beginning_or_answer_and_never_after_the_end(
    event: Makes, told: Told, kind: str, after: float, is_written: bool
) -> None:
    contact = told(event("INITIATED"), event(kind))
    assert bool(written(contact, BEGAN + after)) == is_written


def test_what_was_never_written_has_expired_with_the_contact(event: Makes, told: Told) -> None:
    contact = told(event("DISCONNECTED"))
    assert plan(contact, [pipeline()], BEGAN, LIVE).expired.keys() == {"p/writeback"}


def test_a_contact_that_is_over_asks_for_nothing_more(
    event: Makes, record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(event("INITIATED"))
    table = TABLE + 'queue = "{{Queue}}"'
    carry_out(contact, plan(contact, [pipeline(table)], BEGAN, LIVE).actions, {})
    contact.observe(record())
    result = plan(contact, [pipeline(table)], BEGAN, LIVE)
    assert result.expired == {}
    assert "attributes" not in {write.kind for write in result.actions}


def test_nothing_is_written_back_in_a_replay(event: Makes, told: Told) -> None:
    contact = told(event("INITIATED"))
    assert written(contact, live=False) is None
    contact.replayed = True
    assert written(contact) is None


def test_a_refused_table_is_not_tried_again(event: Makes, told: Told) -> None:
    contact = told(event("INITIATED"))
    contact.effects["p/writeback"] = "refused"
    assert written(contact) is None


def test_a_side_leg_writes_nothing(event: Makes, told: Told) -> None:
    assert written(told(event("INITIATED", initiationMethod="MONITOR"))) is None


def test_an_id_is_told_once_its_record_is_there(event: Makes, told: Told) -> None:
    contact = told(event("INITIATED"))
    contact.ledger.update()
    steps = CREATE.replace('on = "created"', 'on = "completed"')
    (written_back,) = plan(contact, [pipeline(steps=steps)], BEGAN, LIVE).actions
    assert isinstance(written_back, WriteBack)
    assert written_back.attributes == {"ms_id": contact.id, "ms_activity_id": ""}


def test_what_others_have_left_is_emptied_together_with_the_id_that_vouches_for_it(
    event: Makes, told: Told
) -> None:
    """Whoever begins a chat can set attributes, but does not know the contact's id."""
    table = 'ms_id = "{{ContactId}}"\nms_contact_id = "{{CustomerId}}"'
    contact = told(event("INITIATED", attributes={"ms_contact_id": "somebody else"}))
    assert written(contact, table=table) == {"ms_id": contact.id, "ms_contact_id": ""}


def test_what_a_flow_has_written_for_the_contact_stays(event: Makes, told: Told) -> None:
    table = 'ms_id = "{{ContactId}}"\nms_contact_id = "{{CustomerId}}"'
    contact = told(event("INITIATED"))
    seen = {"Attributes": {"ms_id": contact.id, "ms_contact_id": "found by the flow"}}
    compiled = pipeline(table).writeback
    assert compiled is not None
    names = Names({"ContactId": contact.id, **seen})
    found = attributes_for(compiled, contact, names, contact.id, lambda _: True)
    assert found is not None
    assert found.attributes == {"ms_id": contact.id}


def test_where_room_is_short_what_others_have_left_is_emptied_first(
    event: Makes, told: Told
) -> None:
    table = 'ms_id = "{{ContactId}}"\nms_contact_id = "{{CustomerId}}"'
    contact = told(event("INITIATED"))
    left = MOST_BYTES - len("ms_contact_id")
    compiled = pipeline(table).writeback
    assert compiled is not None
    names = Names({"ContactId": contact.id, "Attributes": {"x": "y" * (left - 1)}})
    found = attributes_for(compiled, contact, names, contact.id, lambda _: True)
    assert found is None, "the id does not fit beside it, and vouches for nothing"


# --- legs ---


def test_only_the_newest_leg_that_is_on_writes(event: Makes, told: Told) -> None:
    contact = told(event("INITIATED"))
    for fact in later_leg(event, "INITIATED", contact):
        contact.observe(fact)
    assert written(contact) is None


def test_a_leg_whose_successor_has_gone_writes_everything_anew(
    event: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(event("INITIATED"))
    carry_out(contact, plan(contact, [pipeline()], BEGAN, LIVE).actions, {})
    gone = {"disconnectTimestamp": "2026-01-02T03:02:00.000Z"}
    for kind, detail in (("INITIATED", {}), ("DISCONNECTED", gone)):
        for fact in later_leg(event, kind, contact, **detail):
            contact.observe(fact)
    assert set(written(contact, BEGAN + 120 + LIVE_WITHIN_S)) == {"ms_id", "ms_activity_id"}
    assert written(contact, BEGAN + 121 + LIVE_WITHIN_S) is None


@pytest.mark.parametrize("method", ["DISCONNECT", "MONITOR", "EXTERNAL_OUTBOUND"])
def test_earlier_legs_and_those_that_are_no_conversation_do_not_count(
    event: Makes, told: Told, method: str
) -> None:
    contact = told(event("INITIATED"))
    (fact,) = later_leg(event, "INITIATED", contact)
    earlier = fact.body.replace(b"03:00:10", b"02:59:59")
    contact.observe(Fact(contact.id, fact.register, fact.version, earlier, fact.at))
    for fact in later_leg(event, "INITIATED", contact, initiationMethod=method):
        contact.observe(fact)
    assert written(contact)


def test_a_flow_after_a_leg_counts_as_a_later_leg_once_it_is_queued(
    event: Makes, told: Told
) -> None:
    contact = told(event("INITIATED"))
    for kind in ("INITIATED", "QUEUED"):
        assert written(contact)
        for fact in later_leg(event, kind, contact, initiationMethod="DISCONNECT"):
            contact.observe(fact)
    assert written(contact) is None


def test_a_leg_that_the_release_before_told_of_still_counts(event: Makes, told: Told) -> None:
    contact = told(event("INITIATED"))
    at, body = "2026-01-02T03:00:10.000Z", b'{"InitiationTimestamp":"2026-01-02T03:00:10Z"}'
    contact.observe(Fact(contact.id, "leg/00000000-0000-4000-8000-000000000001", at, body, at))
    assert written(contact) is None


# --- size ---


def test_all_attributes_together_stay_within_32_kb(event: Makes, told: Told) -> None:
    contact = told(event("INITIATED"))
    half = "é" * (MOST_BYTES // 4)
    table = f'a = "{half}"\nb = "{half}"\nc = "{{{{ContactId}}}}"\n'
    due = written(contact, table=table)
    assert set(due) == {"a", "c"}
    assert sum(len((n + v).encode()) for n, v in due.items()) <= MOST_BYTES


def test_the_flows_own_attributes_take_their_room(event: Makes, told: Told) -> None:
    attributes = {"Attributes": {"big": "x" * (MOST_BYTES - 10)}, "AskedOn": "created"}
    contact = told(event("INITIATED"))
    contact.observe(_answered(contact, attributes))
    assert written(contact, table='long = "0123456789"\nok = "1"\n') == {"ok": "1"}


def _answered(contact: Contact, data: dict[str, Any]) -> Fact:
    at = "2026-01-02T03:00:02.000Z"
    return Fact(contact.id, "enrichment/attributes", at, orjson.dumps(data), at)


# --- the table ---


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('"a b" = "x"', "'a b' is not an attribute name"),
        ('a = "{{Custmer}}"', "a: there is no name 'Custmer'"),
        ('a = "{{NONE-Response.x}}"', "there is no step before this one"),
        ('a = "{{"', "a: "),
        ("a = 1", "a must be text"),
        ("", "writeback is a table"),
    ],
)
def test_a_table_that_cannot_work_is_refused_with_its_attribute(table: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        pipeline(table)


def test_lookups_keep_the_columns_that_attributes_name() -> None:
    steps = '[[step]]\nname = "L"\non = "created"\nmethod = "GET"\nentity = "contacts"\n'
    loaded = pipeline('who = "{{L-Response.fullname}}"', steps + 'query = "?$select=fullname"\n')
    assert loaded.steps[0].reads == {"fullname"}
