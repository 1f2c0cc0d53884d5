"""Tables that the program does not know: the key a pipeline names, and a record's partition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.action import Change, Verb
from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.loader import load
from pipelines.outcome import Done
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms, plan
from pipelines.settle import settle
from pipelines.source import PipelineError


Told = Callable[..., Contact]
Makes = Callable[..., Fact]


def pipeline(more: str = "", **options: str) -> Pipeline:
    lines = {
        "name": '"REC"',
        "on": '"created"',
        "method": '"POST"',
        "entity": '"cr8a1_smsmessages"',
        "body": """'{"subject": "x"}'""",
    } | options
    text = "\n".join(f"{name} = {value}" for name, value in lines.items())
    return load(f'name = "p"\n[[step]]\n{text}\n{more}', "p.toml")


def changes(contact: Contact, one: Pipeline) -> list[Change]:
    found = plan(contact, [one], 0.0, Terms()).actions
    return [action for action in found if isinstance(action, Change)]


def test_a_pipeline_can_name_the_key_of_a_table(event: Makes, told: Told) -> None:
    one = pipeline(key='"activityid"')
    (create,) = changes(told(event("INITIATED")), one)
    assert create.key_column == "activityid"
    assert one.warnings() == []


def test_a_key_that_no_pipeline_names_is_left_to_metadata_and_said_to_be_guessed(
    event: Makes, told: Told
) -> None:
    one = pipeline()
    (create,) = changes(told(event("INITIATED")), one)
    assert create.key_column == ""
    (warning,) = one.warnings()
    assert warning.startswith("p.toml: step REC: entity set 'cr8a1_smsmessages' is not one this")
    assert "its key is taken to be 'cr8a1_smsmessageid'" in warning
    assert 'write key = "…"' in warning


def test_later_steps_name_the_key_that_the_pipeline_names(event: Makes, told: Told) -> None:
    more = """
[[step]]
name = "END"
on = "created"
method = "PATCH"
entity = "cr8a1_smsmessages"
key = "activityid"
query = "({{REC-Response.activityid}})"
body = '{"category": "{{END-Response.activityid}}"}'
"""
    one = pipeline(more.replace("END-Response", "REC-Response"), key='"activityid"')
    (create,) = changes(told(event("INITIATED")), one)
    assert create.columns["category"] == create.key
    assert create.returning == ()


def test_of_a_patched_table_that_is_not_known_another_key_can_be_said() -> None:
    more = """
[[step]]
name = "A"
on = "created"
method = "PATCH"
entity = "cr8a1_smsmessages"
query = "({{Attributes.id}})"
body = '{"subject": "x"}'
[[step]]
name = "B"
on = "created"
method = "PATCH"
entity = "tasks"
query = "({{A-Response.activityid}})"
body = '{"subject": "x"}'
"""
    with pytest.raises(PipelineError, match='or say that it is another: key = "…"'):
        pipeline(more)
    pipeline(more.replace('messages"\nquery', 'messages"\nkey = "activityid"\nquery'))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": "7"}, 'key = 7: the column of the primary key, like "activityid"'),
        ({"key": '""'}, "key = '': the column of the primary key"),
        ({"key": '"Activity Id"'}, "key = 'Activity Id': the column"),
        ({"entity": '"tasks"', "key": '"taskid"'}, "the key of tasks is 'activityid'"),
    ],
)
def test_a_key_that_cannot_be_one_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(PipelineError, match=r"p\.toml: step REC: ") as refused:
        pipeline(**options)
    assert message in str(refused.value)


def test_a_known_table_s_own_key_may_be_named() -> None:
    assert pipeline(entity='"phonecalls"', key='"activityid"').warnings() == []


def test_a_record_made_in_a_partition_is_updated_in_it(event: Makes, told: Told) -> None:
    more = """
[[step]]
name = "END"
on = "ended"
method = "PATCH"
entity = "cr8a1_smsmessages"
query = "({{REC-Response.cr8a1_smsmessageid}})"
body = '{"category": "{{Channel}}"}'
"""
    body = """'{"subject": "x", "partitionid": "{{Channel}}"}'"""
    one = pipeline(more, body=body)
    contact = told(event("INITIATED"))
    (create,) = changes(contact, one)
    assert create.columns["partitionid"] == create.partition == "VOICE"
    settle(contact, create, Done())
    contact.observe(event("DISCONNECTED"))
    (update,) = changes(contact, one)
    assert (update.verb, update.partition) == (Verb.UPDATE, "VOICE")
    assert update.columns == {"category": "VOICE"}


def test_a_column_of_another_table_s_that_is_named_so_is_no_partition(
    event: Makes, told: Told
) -> None:
    (create,) = changes(told(event("INITIATED")), pipeline())
    assert create.partition == ""
