"""Phases move forward only, whatever is lost; milestones are what steps hang on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest

from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.lifecycle import (
    MILESTONES,
    PHASES,
    PROOFS,
    TRANSITIONS,
    mermaid,
    milestones,
    phase,
    signals,
)


Told = Callable[..., Contact]
Makes = Callable[..., Fact]


# --- the table ----------------------------------------------------------------------------------


def test_every_phase_has_a_transition_by_every_signal() -> None:
    assert set(TRANSITIONS) == {(phase, signal) for phase in PHASES for signal in PROOFS}


@pytest.mark.parametrize(("phase", "signal"), list(TRANSITIONS))
def test_a_transition_never_goes_back_and_reaches_what_its_signal_proves(
    phase: str, signal: str
) -> None:
    target = PHASES.index(TRANSITIONS[phase, signal])
    assert target == max(PHASES.index(phase), PHASES.index(PROOFS[signal]))


def test_every_phase_can_be_entered_from_any_earlier_one() -> None:
    entered = {(phase, target) for (phase, _), target in TRANSITIONS.items()}
    for number, target in enumerate(PHASES[1:], 1):
        assert {(earlier, target) for earlier in PHASES[:number]} <= entered


def test_the_table_is_printed_as_mermaid() -> None:
    lines = mermaid().splitlines()
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> unknown"]
    assert lines[-1] == "    completed --> [*]"
    assert "    unknown --> queued : QUEUED, Queue.EnqueueTimestamp" in lines
    assert "    disconnected --> completed : COMPLETED, contact record" in lines
    number = len(PHASES)
    assert len(lines) == number * (number - 1) // 2 + 3


# --- phases -------------------------------------------------------------------------------------


def test_a_contact_without_facts_is_in_no_phase(told: Told) -> None:
    assert (phase(told()), milestones(told())) == ("unknown", {})


@pytest.mark.parametrize(
    ("kind", "reached"),
    [
        ("INITIATED", "initiated"),
        ("CONNECTED_TO_SYSTEM", "initiated"),
        ("QUEUED", "queued"),
        ("CONNECTED_TO_AGENT", "connected"),
        ("DISCONNECTED", "disconnected"),
        ("COMPLETED", "completed"),
        ("CONTACT_DATA_UPDATED", "initiated"),
        ("PAUSED", "initiated"),
        ("INVENTED_IN_2030", "initiated"),
    ],
)
def test_one_event_alone_proves_its_phase(
    kind: str, reached: str, event: Makes, told: Told
) -> None:
    assert phase(told(event(kind))) == reached


def test_an_event_proves_what_it_has_timestamps_for(event: Makes, told: Told) -> None:
    updated = event(
        "CONTACT_DATA_UPDATED",
        agentInfo={"connectedToAgentTimestamp": "2026-01-02T03:00:20Z"},
    )
    assert phase(told(updated)) == "connected"


def test_the_sentinel_proves_nothing(event: Makes, told: Told) -> None:
    never = {"connectedToAgentTimestamp": "1970-01-01T00:00:00.001Z"}
    contact = told(event("QUEUED", agentInfo=never, disconnectTimestamp="1970-01-01T00:00:00.001Z"))
    assert phase(contact) == "queued"
    assert set(milestones(contact)) == {"created", "queued"}


def test_events_in_any_order_end_in_the_same_phase_and_milestones(event: Makes, told: Told) -> None:
    facts = [event(k) for k in ("INITIATED", "QUEUED", "CONNECTED_TO_AGENT", "DISCONNECTED")]
    ends = {str((phase(c), milestones(c))) for c in (told(*o) for o in permutations(facts))}
    assert len(ends) == 1


def test_a_contact_that_ended_does_not_go_back(event: Makes, told: Told) -> None:
    contact = told(event("COMPLETED"))
    contact.observe(event("INITIATED"))
    assert phase(contact) == "completed"


# --- milestones ---------------------------------------------------------------------------------


def test_a_record_alone_proves_the_whole_course(record: Makes, told: Told) -> None:
    assert milestones(told(record())) == {
        "created": "2026-01-02T03:00:00Z",
        "queued": "2026-01-02T03:00:05Z",
        "answered": "2026-01-02T03:00:20Z",
        "ended": "2026-01-02T03:04:05Z",
        "completed": "2026-01-02T03:05:30Z",
        "record": "2026-01-02T03:05:30Z",
    }


def test_the_events_tell_the_same_seconds_as_the_record(
    event: Makes, record: Makes, told: Told
) -> None:
    kinds = ("INITIATED", "QUEUED", "CONNECTED_TO_AGENT", "DISCONNECTED")
    by_events, by_record = milestones(told(*map(event, kinds))), milestones(told(record()))
    assert by_events == {k: v for k, v in by_record.items() if k not in ("completed", "record")}


def test_a_record_without_agent_was_not_answered(record: Makes, told: Told) -> None:
    assert "answered" not in milestones(told(record(Agent=None)))
    assert "answered" not in milestones(told(record(Agent={"Username": "ada"})))


def test_a_hang_up_in_the_queue_is_no_answer(event: Makes, told: Told) -> None:
    reached = milestones(told(event("QUEUED"), event("DISCONNECTED")))
    assert set(reached) == {"created", "queued", "ended"}


def test_a_call_that_went_to_an_agent_past_every_queue_was_not_queued(
    event: Makes, record: Makes, told: Told
) -> None:
    straight = event("CONNECTED_TO_AGENT", queueInfo=None)
    assert set(milestones(told(straight, event("DISCONNECTED")))) == {
        "created",
        "answered",
        "ended",
    }
    assert "queued" not in milestones(told(record(Queue={"Name": "Support"})))


def test_a_queue_without_its_event_is_told_by_the_next_one(event: Makes, told: Told) -> None:
    reached = milestones(told(event("CONNECTED_TO_AGENT")))
    assert reached["queued"] == "2026-01-02T03:00:05Z"


def test_a_later_phase_dates_the_earlier_ones_nobody_told_of(event: Makes, told: Told) -> None:
    contact = told(event("COMPLETED", initiationTimestamp=None))
    assert milestones(contact) == dict.fromkeys(
        ("created", "ended", "completed"), "2026-01-02T03:04:40Z"
    )


def test_a_record_without_its_end_ended_when_it_was_written(record: Makes, told: Told) -> None:
    reached = milestones(told(record(DisconnectTimestamp=None)))
    assert reached["ended"] == "2026-01-02T03:05:30Z"


def test_a_milestone_whose_time_nobody_tells_is_reached_at_no_time(
    event: Makes, told: Told
) -> None:
    contact = told(event("COMPLETED", time="", initiationTimestamp=None))
    assert milestones(contact) == {"created": "", "ended": "", "completed": ""}


def test_a_told_time_comes_before_an_untold_one(event: Makes, told: Told) -> None:
    untold = event("DISCONNECTED", time="", disconnectTimestamp=None, initiationTimestamp=None)
    contact = told(untold, event("COMPLETED", disconnectTimestamp="2026-01-02T03:04:05Z"))
    assert milestones(contact)["ended"] == "2026-01-02T03:04:05Z"


def test_a_stored_object_alone_is_no_contact(stored: Makes, told: Told) -> None:
    contact = told(stored())
    assert (phase(contact), milestones(contact)) == ("unknown", {})


@pytest.mark.parametrize(
    ("tail", "milestone"),
    [
        ("{}_20260102T03:00_UTC.wav", "recording"),
        ("{}_20260102T03:00_UTC.json", "transcript"),
        ("{}_analysis_2026-01-02T03:00:00Z.json", "analysis"),
    ],
)
def test_a_stored_object_of_a_known_contact_is_a_milestone(
    tail: str, milestone: str, event: Makes, stored: Makes, told: Told
) -> None:
    contact = told(event("INITIATED"))
    contact.observe(stored(f"x/2026/01/02/{tail.format(contact.id)}"))
    assert milestones(contact)[milestone].startswith("2026-01-02T03:06:00")


def test_every_milestone_is_told_to_the_second(record: Makes, stored: Makes, told: Told) -> None:
    reached = milestones(told(record(), stored()))
    assert {len(at) for at in reached.values()} == {len("2026-01-02T03:06:00Z")}


def test_milestones_are_listed_in_one_order(
    event: Makes, record: Makes, stored: Makes, told: Told
) -> None:
    reached = list(milestones(told(stored(), record(), event("INITIATED"))))
    assert reached == [name for name in MILESTONES if name in reached]


def test_signals_of_a_record_are_its_timestamps(record: Makes, told: Told) -> None:
    assert set(signals(told(record()))) == {
        "contact record",
        "InitiationTimestamp",
        "DisconnectTimestamp",
        "Queue.EnqueueTimestamp",
        "Agent.ConnectedToAgentTimestamp",
    }
