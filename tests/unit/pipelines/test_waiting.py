"""Who waits for a page, for how long, and for which part of what is done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from pipelines.action import Action, Change, Lookup, OpenPage, Verb
from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.live import LIVE_WITHIN_S
from pipelines.loader import load
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms, plan
from pipelines.waiting import is_waited_for, page_first, waiting_since


Event = Callable[..., Fact]
Told = Callable[..., Contact]

BEGAN = datetime.fromisoformat("2026-01-02T03:00:00Z").timestamp()
ANSWERED = datetime.fromisoformat("2026-01-02T03:00:20Z").timestamp()

MAKE = """
name = "p"
[[step]]
name = "MAKE"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "{{Channel}}"}'
"""
SHOW = """
[[step]]
name = "TAKEN"
on = "answered"
method = "PATCH"
entity = "phonecalls"
query = "({{MAKE-Response.activityid}})"
body = '{"category": "answered"}'
[[step]]
name = "SHOW"
on = "answered"
open = "main.aspx"
query = '{"id": "{{MAKE-Response.activityid}}"}'
"""
WRITE = """
[writeback]
activity = "{{MAKE-Response.activityid}}"
"""

SILENT, OPENING, WRITING = ([load(MAKE + more)] for more in ("", SHOW, WRITE))
BOTH = [load(MAKE + SHOW + WRITE)]


@pytest.mark.parametrize(
    ("pipelines", "kinds", "since"),
    [
        (BOTH, ["INITIATED"], BEGAN),
        (BOTH, ["INITIATED", "CONNECTED_TO_AGENT"], ANSWERED),
        (WRITING, ["INITIATED"], BEGAN),
        (OPENING, ["INITIATED"], None),
        (OPENING, ["INITIATED", "CONNECTED_TO_AGENT"], ANSWERED),
        (OPENING, ["INITIATED", "CONNECTED_TO_AGENT", "DISCONNECTED"], None),
        (SILENT, ["INITIATED", "CONNECTED_TO_AGENT"], None),
        (BOTH, [], None),
    ],
)
def test_somebody_waits_from_the_milestone_of_what_is_done_live_until_the_end(
    event: Event, told: Told, pipelines: list[Pipeline], kinds: list[str], since: float | None
) -> None:
    contact = told(*(event(kind) for kind in kinds))
    assert waiting_since(contact, pipelines, ANSWERED + 1) == since


@pytest.mark.parametrize(("late_s", "waits"), [(LIVE_WITHIN_S, True), (LIVE_WITHIN_S + 1, False)])
def test_nobody_waits_any_more_once_the_live_window_has_passed(
    event: Event, told: Told, late_s: float, *, waits: bool
) -> None:
    contact = told(event("CONNECTED_TO_AGENT"))
    assert (waiting_since(contact, BOTH, ANSWERED + late_s) is not None) is waits


def test_nobody_waits_for_a_page_that_was_opened_or_for_attributes_after_a_replay(
    event: Event, told: Told
) -> None:
    contact = told(event("CONNECTED_TO_AGENT"))
    contact.effects["p/SHOW"] = "done"
    assert waiting_since(contact, OPENING, ANSWERED) is None
    assert waiting_since(contact, BOTH, ANSWERED) == ANSWERED, "its attributes may still change"
    contact.replayed = True
    assert waiting_since(contact, BOTH, ANSWERED) is None


def test_nobody_waits_for_a_contact_whose_record_was_written(
    event: Event, record: Event, told: Told
) -> None:
    contact = told(event("CONNECTED_TO_AGENT"), record(DisconnectTimestamp=None))
    assert waiting_since(contact, BOTH, ANSWERED) is None


def actions(*kinds: str) -> list[Action]:
    made: dict[str, Action] = {
        "ask": Lookup("p/WHO", "contacts"),
        "open": OpenPage("p/SHOW", "i", "c", "c", "url"),
    }
    return [made.get(k) or Change(Verb(k), ("p/S",), f"tasks({k})") for k in kinds]


@pytest.mark.parametrize(
    ("planned", "waited_for"),
    [
        (["ask"], True),
        (["create"], True),
        (["adopt", "update"], True),
        (["open"], True),
        (["update", "open"], True),
        (["update"], False),
        (["update", "create"], False),
        (["close"], False),
        (["note", "parties"], False),
    ],
)
def test_whoever_waits_waits_for_lookups_new_records_and_all_that_stands_before_the_page(
    planned: list[str], *, waited_for: bool
) -> None:
    assert is_waited_for(actions(*planned)) is waited_for


@pytest.mark.parametrize(
    ("found", "ordered"),
    [
        (["update", "open"], ["open", "update"]),
        (["update", "create", "note", "open"], ["update", "create", "open", "note"]),
        (["create", "open", "adopt", "update"], ["create", "adopt", "open", "update"]),
        (["update", "create"], ["update", "create"]),
        ([], []),
    ],
)
def test_the_page_comes_right_after_the_last_new_record_and_before_other_changes(
    found: list[str], ordered: list[str]
) -> None:
    assert page_first(actions(*found)) == actions(*ordered)


def test_a_plan_opens_the_page_of_a_record_that_is_there_before_it_changes_the_record(
    event: Event, told: Told, carry_out: Callable[..., None]
) -> None:
    contact = told(event("INITIATED"))
    terms = Terms(live=True)
    carry_out(contact, plan(contact, BOTH, BEGAN, terms).actions, {})
    contact.observe(event("CONNECTED_TO_AGENT"))
    assert [a.kind for a in plan(contact, BOTH, ANSWERED, terms).actions] == ["open", "update"]
