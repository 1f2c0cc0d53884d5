"""One contact for an operator in a hurry."""

from __future__ import annotations

from typing import Any

import pytest

from rich.cells import cell_len

from worker.commands.contact_page import page
from worker.stores.protocol import FaultNote


ID = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"
RECORD = f"phonecalls({ID})"


def step(state: str, why: str = "", then: str = "") -> dict[str, str]:
    return {"state": state, "when": "", "why": why, "next": then}


def told(**said: Any) -> dict[str, Any]:
    milestones = {"created": "2026-01-02T03:00:00.403Z", "answered": "", "ended": ""}
    return {"contact": ID, "phase": "connected", "milestones": milestones, **said}


def lines(wide: int | None = None, **said: Any) -> list[str]:
    return list(page(told(**said), wide))


def steps(**some: dict[str, str]) -> dict[str, Any]:
    return {"mine": {"takes": True, "why": "", "steps": some}}


def test_a_contact_with_which_nothing_is_wrong_says_so_first() -> None:
    assert lines()[:2] == [
        f"contact {ID}: connected, created 2026-01-02T03:00:00Z",
        "nothing is wrong",
    ]
    assert lines(owed=[{}, {}])[1] == "nothing is wrong; 2 still to be sent"


def test_what_is_wrong_comes_before_all_else_with_what_to_do() -> None:
    fault = FaultNote("our bug: TypeError at pipelines.plan:33", 3, 0.0, parked=True)
    parked = {RECORD: {"status": 404, "code": "0x80040217", "answer": "no call", "request": {}}}
    some = steps(
        A=step("failing", "503", "next try in 40 s"),
        B=step("expired", "the worker came to it too late: 61 s"),
        C=step("expired", "it was replayed: no agent waits for it"),
    )
    assert lines(fault=fault, parked=parked, pipelines=some)[1:9] == [
        "WRONG our bug: TypeError at pipelines.plan:33, 3 times in a row",
        "      next: another release tries it",
        f"WRONG parked: {RECORD} 404 0x80040217: no call",
        f"      next: correct the cause, then connect-dynamics parked retry {ID}",
        "WRONG mine/A failing: 503",
        "      next: next try in 40 s",
        "WRONG mine/B expired: the worker came to it too late: 61 s",
        "",
    ]


def test_a_contact_that_cannot_be_read_says_why() -> None:
    assert list(page({"contact": ID, "unreadable": "its first line is no object"}, 80)) == [
        f"contact {ID}",
        "WRONG it cannot be read: its first line is no object",
        "      next: another release may read it",
    ]


def test_steps_are_shown_with_state_why_and_what_is_next_and_those_of_others_are_counted() -> None:
    some = steps(
        MAKE=step("done"),
        CHANGE=step("owed", "", "due for 5 s: sent as soon as a worker takes it"),
        FILE=step("waiting", "for a recording", "waits for a recording until noon"),
        MAIL=step("skipped", "takes Channel EMAIL, this is VOICE"),
        OWNER=step("waiting", "for MAIL", "waits for MAIL"),
        AFTER=step("waiting", "for OWNER", "waits for OWNER"),
        NOTHING=step("nothing", "it adds nothing"),
    )
    assert lines(pipelines=some)[3:] == [
        "step         state    why",
        "mine/MAKE    done",
        "mine/CHANGE  owed     due for 5 s: sent as soon as a worker takes it",
        "mine/FILE    waiting  waits for a recording until noon",
        "mine: 4 steps are not for this contact; why, says --output json",
    ]


@pytest.mark.parametrize(
    ("takes", "told"), [(False, "mine does not take it: x"), (None, "mine does not know yet: x")]
)
def test_a_pipeline_that_does_not_take_the_contact_says_why(takes: bool | None, told: str) -> None:
    refused: dict[str, Any] = {"mine": {"takes": takes, "why": "x", "steps": {}}}
    assert lines(pipelines=refused)[-1] == told


WHAT = "subject, category; 503; no answer; 3 times; request r-1"


def test_what_was_received_and_what_was_done_are_one_line_of_time() -> None:
    moments = [
        {"at": "2026-01-02T03:00:00.000Z", "what": "received", "fact": "event/INITIATED"},
        {"at": "2026-01-02T03:00:01.5Z", "what": "received", "fact": f"object/b/2026/{ID}.wav"},
        {
            "at": "2026-01-02T03:00:02.000Z",
            "what": "create",
            "steps": ["mine/MAKE"],
            "place": RECORD,
            "columns": ["subject", "category"],
            "status": 503,
            "why": "no answer",
            "times": 3,
            "ids": {"request": "r-1"},
        },
        {
            "at": "2026-01-02T03:00:03.000Z",
            "what": "update",
            "steps": list("abcde"),
            "columns": list("abcdef"),
            "by": "olga",
        },
    ]
    assert lines(timeline=moments)[3:] == [
        "at                    what      about",
        "2026-01-02T03:00:00Z  received  event/INITIATED",
        f"2026-01-02T03:00:01Z  received  object {ID}.wav",
        f"2026-01-02T03:00:02Z  create    mine/MAKE; {RECORD}; {WHAT}",
        "2026-01-02T03:00:03Z  update    5 steps; 6 columns; by olga",
    ]


@pytest.mark.parametrize("wide", [120, 80, 40, 20])
def test_a_contact_is_shown_no_wider_than_the_terminal_and_harmless(wide: int) -> None:
    harmful = "\x1b[2J\u202e" * 9
    parked: dict[str, Any] = {
        RECORD: {"status": None, "code": "", "answer": harmful, "request": {}}
    }
    records = {RECORD: {"state": "there", "acknowledged": ["a"], "unsure": [harmful]}}
    moments = [{"at": "2026-01-02T03:00:00.000Z", "what": "note", "why": harmful}]
    some = steps(A=step("failing", harmful, harmful))
    found = lines(wide, parked=parked, records=records, timeline=moments, pipelines=some)
    assert max(map(cell_len, found)) <= wide
    assert all(line.isprintable() for line in found)
