"""What is read of a contact flow's event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.view import view
from worker.flow.asked import read
from worker.flow.errors import Declined


Event = Callable[..., dict[str, Any]]


def test_the_contact_is_seen_as_pipelines_see_contacts(event: Event) -> None:
    values = view(read(event()).contact)
    assert values["CustomerEndpoint"]["Address"] == "+4930901820"
    assert values["Attributes"] == {"CallReason": "invoice"}
    assert (values["Channel"], values["Outbound"]) == ("VOICE", False)
    assert "InitiationTimestamp" not in values


def test_parameters_bear_the_names_of_the_d365_module(event: Event) -> None:
    asked = read(
        event(
            ms_operation="addnote",
            entity="annotation",
            ms_contact_id="AB",
            ms_customer_entity_name="account",
            CreateTimeline="False",
            subject="s",
            notetext=" t ",
        )
    )
    assert (asked.operation, asked.entity) == ("addnote", "annotation")
    assert (asked.customer_id, asked.customer_entity) == ("ab", "account")
    assert (asked.wants_activity, asked.subject, asked.text) == (False, "s", "t")


def test_what_a_flow_leaves_out_or_empty_is_the_usual(event: Event) -> None:
    for asked in (read(event()), read(event(entity="", ms_customer_entity_name="  "))):
        assert (asked.entity, asked.customer_entity, asked.wants_activity) == ("", "contact", True)


@pytest.mark.parametrize(
    "wrong", [None, "text", [], {}, {"Details": None}, {"Details": {"ContactData": {}}}]
)
def test_whatever_is_no_flows_event_is_declined(wrong: Any) -> None:
    with pytest.raises(Declined):
        read(wrong)


def test_parameters_that_are_no_strings_are_not_there(event: Event) -> None:
    told = event()
    told["Details"]["Parameters"] = {"ms_operation": None, "entity": 1}
    assert read(told).operation == ""
