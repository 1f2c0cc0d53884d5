"""Both streams, every spelling of them, become the contact record's spelling."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.names import ENUMS, MEMBERS, PLAIN, STREAM, second, spelt


@pytest.mark.parametrize(
    ("message", "known"),
    [
        ({"instanceArn": "arn:x"}, {"InstanceARN": "arn:x"}),
        ({"instanceARN": "arn:x"}, {"InstanceARN": "arn:x"}),
        ({"INSTANCEARN": "arn:x"}, {"InstanceARN": "arn:x"}),
        ({"agentInfo": {"agentArn": "arn:a"}}, {"Agent": {"ARN": "arn:a"}}),
        ({"AgentInfo": {"AgentArn": "arn:a"}}, {"Agent": {"ARN": "arn:a"}}),
        ({"Agent": {"ARN": "arn:a"}}, {"Agent": {"ARN": "arn:a"}}),
        (
            {"queueInfo": {"queueArn": "arn:q", "queueType": "STANDARD"}},
            {"Queue": {"ARN": "arn:q", "Type": "STANDARD"}},
        ),
        ({"CUSTOMERENDPOINT": {"ADDRESS": "+1"}}, {"CustomerEndpoint": {"Address": "+1"}}),
    ],
)
def test_every_casing_is_one_name(message: dict[str, Any], known: dict[str, Any]) -> None:
    assert spelt(message) == known


@pytest.mark.parametrize("name", sorted(STREAM - frozenset(MEMBERS)))
def test_every_name_is_known_in_lower_case(name: str) -> None:
    value: Any = "2026-01-02T03:04:05Z" if name.endswith("Timestamp") else "V"
    if name == "Attributes":
        value = {"name": "V"}
    assert spelt({name.lower(): value}) == {name: value}


@pytest.mark.parametrize(
    ("structure", "member"), [(s, m) for s, members in MEMBERS.items() for m in sorted(members)]
)
def test_every_member_is_known_in_lower_case(structure: str, member: str) -> None:
    value = "2026-01-02T03:04:05Z" if member.endswith("Timestamp") else "V"
    assert spelt({structure.lower(): {member.lower(): value}}) == {structure: {member: value}}


@pytest.mark.parametrize("name", sorted(ENUMS))
@pytest.mark.parametrize("said", ["Voice", "VOICE", "voice"])
def test_what_is_one_of_a_few_words_is_in_capitals(name: str, said: str) -> None:
    assert spelt({name: said}) == {name: "VOICE"}


def test_what_people_named_keeps_its_case() -> None:
    said = {"Attributes": {"callReason": "Invoice"}, "Tags": {"aws:x": "Y"}}
    assert spelt(said) == said


@pytest.mark.parametrize("nothing", [None, "", {}])
@pytest.mark.parametrize("name", ["CustomerId", "Channel", "Agent", "Attributes"])
def test_null_and_empty_are_left_out(name: str, nothing: Any) -> None:
    assert spelt({name: nothing}) == {}


def test_a_structure_of_nulls_is_left_out() -> None:
    assert spelt({"Agent": {"Username": None, "ConnectedToAgentTimestamp": None}}) == {}


def test_zero_and_false_are_values() -> None:
    assert spelt({"TotalPauseCount": 0, "Agent": {"NumberOfHolds": 0}}) == {
        "TotalPauseCount": 0,
        "Agent": {"NumberOfHolds": 0},
    }


@pytest.mark.parametrize(
    "unset", ["1970-01-01T00:00:00.001Z", "1970-01-01T00:00:00Z", "", None, "soon", {}]
)
def test_1970_means_not_set(unset: Any) -> None:
    assert spelt({"scheduledTimestamp": unset}) == {}
    assert spelt({"agentInfo": {"previewEndTimestamp": unset}}) == {}


def test_both_streams_say_the_same_second() -> None:
    event = spelt({"initiationTimestamp": "2026-01-02T03:00:00.403Z"})
    assert event == spelt({"InitiationTimestamp": "2026-01-02T03:00:00Z"})


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ("2026-01-02T03:00:00.999Z", "2026-01-02T03:00:00Z"),
        ("2026-01-02T05:00:00+02:00", "2026-01-02T03:00:00Z"),
        (1767322800, "2026-01-02T03:00:00Z"),
        ("yesterday", None),
        (True, None),
    ],
)
def test_a_second_is_a_timestamp_in_utc(said: Any, understood: str | None) -> None:
    assert second(said) == understood


def test_events_keep_their_endpoint_inside() -> None:
    message = {"endpoints": {"systemEndpoint": {"address": "+1", "displayName": "Main"}}}
    assert spelt(message) == {"SystemEndpoint": {"Address": "+1", "DisplayName": "Main"}}


def test_endpoints_of_another_form_say_nothing() -> None:
    assert spelt({"endpoints": ["+1"]}) == {}


@pytest.mark.parametrize(
    ("message", "known"),
    [
        ({"queueInfo": "Support"}, {"Queue": {"Name": "Support"}}),
        ({"agentInfo": "ada"}, {"Agent": {"Username": "ada"}}),
        ({"CustomerEndpoint": "+1"}, {"CustomerEndpoint": {"Address": "+1"}}),
        ({"queueInfo": ""}, {}),
        ({"queueInfo": 7}, {}),
        ({"disconnectDetails": "text"}, {}),  # has no member to stand for it
    ],
)
def test_a_bare_value_in_a_structures_place_is_its_scalar(
    message: dict[str, Any], known: dict[str, Any]
) -> None:
    assert spelt(message) == known


def test_names_of_the_future_are_kept_as_they_come() -> None:
    assert spelt({"newThing": 1, "agentInfo": {"newMember": 2}}) == {
        "NewThing": 1,
        "Agent": {"NewMember": 2},
    }


def test_the_plain_names_are_no_structures() -> None:
    assert not PLAIN & frozenset(MEMBERS)
