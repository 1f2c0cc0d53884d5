"""The names a pipeline sees: the contact record's, or the events' until it comes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

from hypothesis import given
from hypothesis import strategies as st
from liquid.exceptions import UndefinedError

from pipelines.contact import Contact
from pipelines.direction import OUTBOUND
from pipelines.fact import Fact
from pipelines.lifecycle import milestones
from pipelines.names import EVENT_ONLY, STREAM
from pipelines.objects import objects
from pipelines.view import Names, object_names, view


Told = Callable[..., Contact]
Makes = Callable[..., Fact]

COURSE = ("INITIATED", "QUEUED", "CONNECTED_TO_AGENT", "DISCONNECTED")


# --- precedence ---------------------------------------------------------------------------------


def test_before_the_record_names_are_the_events(event: Makes, told: Told) -> None:
    seen = view(told(*map(event, COURSE)))
    assert seen["InitiationTimestamp"] == "2026-01-02T03:00:00Z"
    assert seen["DisconnectTimestamp"] == "2026-01-02T03:04:05Z"
    assert seen["Agent"]["ConnectedToAgentTimestamp"] == "2026-01-02T03:00:20Z"


def test_later_events_speak_over_earlier_ones(event: Makes, told: Told) -> None:
    early = event("INITIATED", customerId="early", tags={"a": "1", "b": "1"})
    late = event("QUEUED", customerId="late", tags={"b": "2"})
    for order in permutations([early, late]):
        seen = view(told(*order))
        assert seen["CustomerId"] == "late"
        assert seen["Tags"] == {"a": "1", "b": "2"}


def test_what_a_later_event_leaves_out_stays(event: Makes, told: Told) -> None:
    seen = view(told(event("CONNECTED_TO_AGENT"), event("DISCONNECTED")))
    assert seen["Queue"]["ARN"].endswith("/queue/77")


def test_once_the_record_is_there_names_are_its_alone(
    event: Makes, record: Makes, told: Told
) -> None:
    facts = [*map(event, COURSE), event("COMPLETED", customerId="from an event")]
    assert view(told(record(), *facts)) == view(told(record()))


def test_nulls_of_the_record_hide_what_events_said(event: Makes, record: Makes, told: Told) -> None:
    seen = view(told(event("CONNECTED_TO_AGENT"), record(Queue=None, Agent={"Username": None})))
    assert "Queue" not in seen
    assert "Agent" not in seen


def test_names_only_events_have_stay_the_events(event: Makes, record: Makes, told: Told) -> None:
    ringing = event("CONTACT_DATA_UPDATED", ringStartTimestamp="2026-01-02T03:00:10.5Z")
    assert view(told(ringing, record()))["RingStartTimestamp"] == "2026-01-02T03:00:10Z"


def test_with_all_events_lost_only_event_only_names_differ(
    event: Makes, record: Makes, told: Told
) -> None:
    events = [*map(event, COURSE), event("CONTACT_DATA_UPDATED", updatedProperties=["Tags"])]
    whole, lost = view(told(*events, record())), view(told(record()))
    assert {name for name in whole if whole.get(name) != lost.get(name)} <= EVENT_ONLY


def test_a_newer_record_speaks_alone(record: Makes, told: Told) -> None:
    newer = record(LastUpdateTimestamp="2026-01-11T00:00:00Z", CustomerEndpoint=None)
    assert "CustomerEndpoint" not in view(told(record(), newer))


@pytest.mark.parametrize("recorded", [False, True])
def test_names_of_the_future_are_seen_and_no_message_gives_one_of_our_own_making(
    event: Makes, record: Makes, told: Told, *, recorded: bool
) -> None:
    said = {"brandNew": 1, "phase": "x", "appId": "y", "objectUrl": "z", "username": "u"}
    seen = view(told(record(**said) if recorded else event("INITIATED", **said)))
    assert seen["BrandNew"] == 1
    assert seen["Phase"] != "x"
    assert not {"AppId", "ObjectUrl", "objectUrl"} & seen.keys()
    assert seen.get("Username") != "u"


def test_the_contact_id_is_in_lower_case(record: Makes, told: Told) -> None:
    contact = told(record(ContactId="5CA32FBD-8F92-46AF-92A5-6B0F970F0EFE"))
    assert view(contact)["ContactId"] == contact.id


def test_constants_come_from_the_settings(record: Makes, told: Told) -> None:
    assert view(told(record()), {"AppId": "app"})["AppId"] == "app"


# --- names made here ----------------------------------------------------------------------------


def test_an_answered_call_names_its_agent(record: Makes, told: Told) -> None:
    seen = view(told(record()))
    assert (seen["Answered"], seen["Abandoned"], seen["Phase"]) == (True, False, "completed")
    assert seen["Username"] == "ada"


def test_an_abandoned_call_has_no_agent(event: Makes, record: Makes, told: Told) -> None:
    for contact in (told(record(Agent=None)), told(event("QUEUED"), event("DISCONNECTED"))):
        seen = view(contact)
        assert (seen["Answered"], seen.get("Abandoned", True)) == (False, True)
        assert "Username" not in seen


def test_a_call_that_ended_before_any_queue_is_not_abandoned(record: Makes, told: Told) -> None:
    assert view(told(record(Agent=None, Queue=None)))["Abandoned"] is False


def test_a_call_still_waiting_is_not_abandoned(event: Makes, told: Told) -> None:
    assert "Abandoned" not in view(told(event("QUEUED")))


@pytest.mark.parametrize("method", sorted(OUTBOUND))
def test_outbound_is_what_the_contact_centre_began(method: str, record: Makes, told: Told) -> None:
    seen = view(told(record(InitiationMethod=method.title())))
    assert (seen["Outbound"], seen["Direction"]) == (True, "outbound")


def test_an_answer_to_an_e_mail_is_outbound_though_nobody_dialled(
    record: Makes, told: Told
) -> None:
    assert view(told(record(InitiationMethod="AGENT_REPLY", Channel="EMAIL")))["Outbound"] is True


@pytest.mark.parametrize(
    ("method", "channel"),
    [("INBOUND", "VOICE"), ("TRANSFER", "VOICE"), ("API", "CHAT"), ("API", "TASK"), (None, None)],
)
def test_every_other_initiation_method_is_inbound(
    method: str | None, channel: str | None, record: Makes, told: Told
) -> None:
    seen = view(told(record(InitiationMethod=method, Channel=channel)))
    assert (seen["Outbound"], seen["Direction"]) == (False, "inbound")


@pytest.mark.parametrize(
    ("end", "seconds", "minutes"),
    [
        ("2026-01-02T03:00:00Z", 0, 0),
        ("2026-01-02T03:00:01Z", 1, 1),
        ("2026-01-02T03:01:00Z", 60, 1),
        ("2026-01-02T03:01:01Z", 61, 2),
        ("2026-01-02T02:59:00Z", 0, 0),  # clocks that disagree
    ],
)
def test_a_begun_minute_counts(
    end: str, seconds: int, minutes: int, record: Makes, told: Told
) -> None:
    seen = view(told(record(DisconnectTimestamp=end)))
    assert (seen["DurationSeconds"], seen["DurationMinutes"]) == (seconds, minutes)


def test_a_contact_that_is_on_has_no_duration(event: Makes, told: Told) -> None:
    assert "DurationSeconds" not in view(told(event("INITIATED")))


#: What a field may hold in a message nobody has seen yet.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=3,
)


@given(st.dictionaries(st.sampled_from(sorted(STREAM - {"ContactId", "InitiationMethod"})), JSON))
def test_no_record_however_misshapen_stops_us(record: Makes, fields: dict[str, Any]) -> None:
    contact = Contact("c")
    contact.observe(record(**fields))
    assert view(contact)["ContactId"] == "c"
    assert milestones(contact)["record"] is not None
    assert objects(contact) is not None


@pytest.mark.parametrize("method", [[], {"a": 1}, ["INBOUND"]])
def test_a_method_that_is_no_text_is_none_of_ours(method: Any, record: Makes, told: Told) -> None:
    assert view(told(record(InitiationMethod=method)))["Outbound"] is False


# --- stored files -------------------------------------------------------------------------------


def test_a_step_sees_the_first_file_it_is_about(record: Makes, stored: Makes, told: Told) -> None:
    contact = told(record())
    contact.observe(stored(f"b/{contact.id}_20260102T03:00_UTC.wav"))
    contact.observe(stored(f"a/{contact.id}_20260102T03:00_UTC.wav"))
    contact.observe(stored(f"a/{contact.id}_20260102T03:00_UTC.json"))
    seen = object_names(objects(contact), "recording")
    assert seen["key"] == f"a/{contact.id}_20260102T03:00_UTC.wav"
    assert seen["bucket"] == "recordings"
    assert seen["objectUri"] == f"s3://recordings/{seen['key']}"
    assert seen["objectUrl"].startswith("https://recordings.s3.eu-central-1.amazonaws.com/a/")
    assert [thing["kind"] for thing in seen["objects"]] == ["recording", "recording"]
    assert seen["objects"][0] == {
        "kind": "recording",
        "bucket": "recordings",
        "key": seen["key"],
        "url": seen["objectUrl"],
        "uri": seen["objectUri"],
    }


def test_a_step_on_something_else_sees_every_file(record: Makes, stored: Makes, told: Told) -> None:
    contact = told(record(), stored())
    contact.observe(stored(f"a/{contact.id}_20260102T03:00_UTC.json"))
    seen = object_names(objects(contact), "ended")
    assert [thing["kind"] for thing in seen["objects"]] == ["recording", "transcript"]


def test_without_files_there_are_no_such_names(record: Makes, stored: Makes, told: Told) -> None:
    assert object_names(objects(told(record())), "ended") == {}
    assert object_names(objects(told(record(), stored())), "transcript") == {}


# --- what templates read ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["AppId", "appid", "APPID"])
def test_names_are_the_same_in_any_case(name: str) -> None:
    assert Names({"AppId": "app"})[name] == "app"


def test_members_are_the_same_in_any_case() -> None:
    assert Names({"Agent": {"Username": "ada"}})["agent"]["USERNAME"] == "ada"


def test_the_exact_spelling_comes_first() -> None:
    names = Names({"Attributes": {"Reason": 1, "reason": 2}})["attributes"]
    assert (names["Reason"], names["reason"]) == (1, 2)


def test_a_name_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        Names({})["Agent"]


@pytest.mark.parametrize(
    ("structure", "member"),
    [
        ("CustomerEndpoint", "Address"),
        ("SystemEndpoint", "Address"),
        ("Agent", "Username"),
        ("Queue", "Name"),
        ("Recording", "Location"),
        ("Campaign", "CampaignId"),
    ],
)
def test_a_bare_structure_stands_for_its_scalar(structure: str, member: str) -> None:
    bare = Names({structure: {member: "value", "ARN": "arn"}})[structure.lower()]
    assert bare.value() == bare.plain() == str(bare) == "value"
    assert bare == "value"


def test_a_structure_without_scalar_is_its_members() -> None:
    attributes = Names({"Attributes": {"a": "1"}})["Attributes"]
    assert (attributes.value(), attributes.plain()) == (None, {"a": "1"})


def test_an_empty_structure_is_no_text_unless_lenient() -> None:
    with pytest.raises(UndefinedError):
        str(Names({"Agent": {"ARN": "arn"}})["Agent"])
    assert str(Names({"Agent": {"ARN": "arn"}}, lenient=True)["Agent"]) == ""


def test_names_are_a_mapping_in_their_own_spelling() -> None:
    names = Names({"A": 1, "B": {"c": 2}})
    assert (list(names), len(names), "a" in names) == (["A", "B"], 2, True)


def test_structures_are_equal_only_to_themselves() -> None:
    one, other = Names({"a": 1}), Names({"a": 1})
    assert one == one  # noqa: PLR0124 - that is what is tested
    assert one != other
    assert len({one, other}) == 2
