"""A contact's history says what was done and what came of it, within bounds."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import orjson
import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines import contact as contacts
from pipelines.contact import Contact, Damaged
from pipelines.history import MOST, MOST_BYTES, Happening, Rows, happenings, merge, note


CREATE = Happening(
    at=1_767_323_045.678,
    what="create",
    place="phonecalls(5ca32fbd-8f92-46af-92a5-6b0f970f0efe)",
    steps=("phonecall/STEP2",),
    columns=("subject", "phonenumber"),
    status=201,
    duration_ms=84,
)
REFUSED = replace(
    CREATE,
    status=503,
    why="POST phonecalls answered 503",
    attempts=4,
    ids={"service": "7c1", "client": "8d2"},
)


def noted(*told: Happening) -> Contact:
    contact = Contact("c")
    for one in told:
        note(contact.history, one)
    return contact


def after(happening: Happening, seconds: float) -> Happening:
    return replace(happening, at=happening.at + seconds)


def test_what_was_noted_is_read_again_after_the_contact_was_stored() -> None:
    retried = Happening(at=CREATE.at + 9, what="retried", place=CREATE.place, why="role", by="ada")
    told = [REFUSED, after(CREATE, 3), retried]
    assert happenings(Contact.from_bytes("c", noted(*told).to_bytes())) == told


def test_what_says_nothing_takes_no_room() -> None:
    assert noted(Happening(at=1.5, what="open")).history == [[1500, "open"]]


def test_a_happening_is_shown_with_an_iso_time_and_only_what_it_says() -> None:
    assert CREATE.as_json() == {
        "at": "2026-01-02T03:04:05.678Z",
        "what": "create",
        "place": CREATE.place,
        "steps": ["phonecall/STEP2"],
        "columns": ["subject", "phonenumber"],
        "status": 201,
        "duration_ms": 84,
    }


def test_the_same_failure_over_and_over_is_its_first_and_its_last_time_and_how_often() -> None:
    contact = noted(*(after(REFUSED, n) for n in range(100)))
    assert happenings(contact) == [REFUSED, replace(after(REFUSED, 99), times=99)]


def test_failures_of_two_records_in_turn_are_counted_each() -> None:
    other = replace(REFUSED, place="tasks(1)")
    told = [after(one, n) for n in range(50) for one in (REFUSED, other)]
    assert [one.times for one in happenings(noted(*told))] == [1, 1, 49, 49]


def test_what_succeeds_between_ends_a_streak_of_failures() -> None:
    told = [REFUSED, REFUSED, CREATE, REFUSED, REFUSED, REFUSED]
    assert [one.times for one in happenings(noted(*told))] == [1, 1, 1, 1, 2]


def test_a_failure_of_another_kind_is_told_apart() -> None:
    forbidden = replace(REFUSED, status=403, code="0x80040220", why="POST phonecalls answered 403")
    found = happenings(noted(REFUSED, REFUSED, forbidden, forbidden, forbidden))
    assert [(one.status, one.times) for one in found] == [(503, 1), (503, 1), (403, 1), (403, 2)]


def test_without_room_what_lies_between_the_first_and_the_recent_goes() -> None:
    told = [Happening(at=n, what="open", steps=(f"p/{n}",)) for n in range(60)]
    kept = [one.at for one in happenings(noted(*told))]
    assert kept == [0, *range(60 - MOST + 1, 60)]


def test_the_failure_that_began_what_still_goes_on_is_kept_however_much_follows() -> None:
    told = [CREATE, REFUSED, *(Happening(at=n, what="open", steps=(f"p/{n}",)) for n in range(60))]
    assert REFUSED in happenings(noted(*told))


def test_a_column_too_many_is_left_out_and_that_is_said() -> None:
    (one,) = happenings(noted(replace(CREATE, columns=tuple(f"new_column{n}" for n in range(99)))))
    assert one.columns[:2] == ("new_column0", "new_column1")
    assert one.columns[-1] == "…"


def test_many_steps_of_one_pipeline_have_room_and_are_read_with_its_name() -> None:
    steps = (*(f"timeline/PHONECALL-{n}" for n in range(12)), "chat/A", "chat/B", "B", "/C")
    (one,) = happenings(noted(replace(CREATE, steps=steps[:-1])))
    assert one.steps == steps[:-1]


def test_what_a_newer_release_adds_to_a_row_is_kept_and_does_not_hide_it() -> None:
    contact = noted(CREATE)
    blanks: list[Any] = [1, "", "", 1, {}, ""]
    contact.history[0] += [*blanks, "of a newer release"]
    read = Contact.from_bytes("c", contact.to_bytes())
    assert happenings(read) == [CREATE]
    note(read.history, REFUSED)
    assert read.history[0][-1] == "of a newer release"


@pytest.mark.parametrize("row", [[], [1], ["1", "open"], [1, 7], [1, "open", 5], [True, "open"]])
def test_a_row_that_this_release_cannot_read_is_kept_and_left_out(row: list[Any]) -> None:
    contact = Contact("c", history=[row])
    note(contact.history, CREATE)
    assert happenings(contact) == [CREATE]
    assert row in contact.history


@pytest.mark.parametrize("history", [b"7", b"{}", b"[7]", b'[{"at":1}]'])
def test_a_history_that_is_no_list_of_rows_is_damage(history: bytes) -> None:
    with pytest.raises(Damaged, match="its history is not what it should be"):
        Contact.from_bytes("c", b'{"form":1,"facts":{},"history":%s}' % history)


def test_a_release_that_knows_no_history_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state may be written by two releases in turn while one is rolled out."""
    stored = noted(CREATE).to_bytes()
    with monkeypatch.context() as older:
        older.delitem(contacts._FIELDS, "history")
        read = Contact.from_bytes("c", stored)
        read.tries = 3
        stored = read.to_bytes()
        assert read.history == []
    assert happenings(Contact.from_bytes("c", stored)) == [CREATE]


# --- copies that went apart ---


def test_what_another_copy_noted_meanwhile_is_taken_in_by_its_time() -> None:
    ours = noted(REFUSED, after(CREATE, 20))
    theirs = noted(REFUSED, Happening(at=REFUSED.at + 10, what="retried", by="ada", why="role"))
    ours.learn(theirs)
    assert [one.what for one in happenings(ours)] == ["create", "retried", "create"]
    ours.learn(theirs)
    assert len(ours.history) == 3


def test_a_failure_that_was_counted_on_is_not_taken_in_again_as_it_was_before() -> None:
    stored = noted(*(after(REFUSED, n) for n in range(3)))
    ours = Contact.from_bytes("c", stored.to_bytes())
    note(ours.history, after(REFUSED, 9))
    ours.learn(stored)
    assert happenings(ours) == [REFUSED, replace(after(REFUSED, 9), times=3)]


# --- bounds ---

TEXTS = st.text(max_size=400)
NAMES = st.lists(st.text(max_size=150), max_size=60).map(tuple)
PLACES = st.sampled_from(["", "phonecalls(1)", "tasks(2)", "x" * 400, "\x00" * 400])

HAPPENINGS = st.builds(
    Happening,
    at=st.integers(0, 2**40).map(lambda ms: ms / 1000),
    what=st.sampled_from(["create", "update", "open", "retried", "parked"]),
    place=PLACES,
    steps=NAMES,
    columns=NAMES,
    status=st.sampled_from([0, 204, 403, 503]),
    code=st.sampled_from(["", "0x80040220"]),
    why=st.sampled_from(["", "no"]) | TEXTS,
    by=st.sampled_from(["", "ada"]) | TEXTS,
    ids=st.dictionaries(TEXTS, TEXTS, max_size=5),
    duration_ms=st.integers(0, 10**7),
)

#: Few different ones, so that streaks are long.
FEW = st.builds(
    Happening,
    at=st.just(1.0),
    what=st.just("create"),
    place=st.sampled_from(["phonecalls(1)", "tasks(2)", "x" * 140]),
    columns=st.sampled_from([(), ("c" * 400,)]),
    why=st.sampled_from(["", "no", "w" * 250]),
    by=st.sampled_from(["", "ada"]),
)


def _size(history: Rows) -> int:
    return len(orjson.dumps(history))


@given(st.lists(HAPPENINGS | FEW, max_size=120))
def test_any_sequence_of_happenings_stays_within_its_bounds_and_keeps_the_newest(
    told: list[Happening],
) -> None:
    contact = Contact("c")
    for one in told:
        note(contact.history, one)
        assert len(contact.history) <= MOST
        assert _size(contact.history) <= MOST_BYTES
        newest = happenings(contact)[-1]
        assert (newest.at, newest.what, newest.status) == (one.at, one.what, one.status)
    read = Contact.from_bytes("c", contact.to_bytes())
    assert read.history == contact.history


@given(st.lists(FEW, max_size=150))
def test_the_first_failure_of_a_streak_is_kept_as_long_as_the_streak_goes_on(
    told: list[Happening],
) -> None:
    contact = Contact("c")
    began: dict[str, float] = {}
    for n, one in enumerate(told):
        note(contact.history, replace(one, at=float(n)))
        if not one.why:
            began.pop(one.place, None)
            continue
        first = began.setdefault(one.place, float(n))
        assert first in [h.at for h in happenings(contact) if h.place == one.place]


@given(st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=12))
def test_the_first_and_the_newest_of_a_streak_have_room_however_much_each_says(
    places: list[str],
) -> None:
    contact = Contact("c")
    most = Happening(
        at=9.9e9,
        what="took_over",
        steps=tuple(f"{n}/{'s' * 40}" for n in range(20)),
        columns=("\x00" * 90,) * 20,
        status=503,
        duration_ms=10**9,
        attempts=10**6,
        code="0" * 100,
        why="\x00" * 400,
        times=10**6,
        ids={f"{n}" * 60: "i" * 90 for n in range(5)},
        by="b" * 100,
    )
    began: dict[str, float] = {}
    for n, place in enumerate(places):
        note(contact.history, replace(most, place=place * 300, why=f"{n} {'w' * 400}", at=float(n)))
        began.setdefault(place, float(n))
        kept = [one.at for one in happenings(contact)]
        assert {began[place], float(n)} <= {*kept}


@given(st.lists(FEW, max_size=40), st.lists(FEW, max_size=40), st.lists(FEW, max_size=40))
def test_copies_that_went_apart_come_together_within_the_bounds(
    before: list[Happening], ours: list[Happening], theirs: list[Happening]
) -> None:
    contact = noted(*(replace(one, at=float(n)) for n, one in enumerate(before)))
    other = Contact("c", history=deepcopy(contact.history))
    for copy, told in ((contact, ours), (other, theirs)):
        for n, one in enumerate(told):
            note(copy.history, replace(one, at=float(len(before) + n)))
    merge(contact.history, other.history)
    assert len(contact.history) <= MOST
    assert _size(contact.history) <= MOST_BYTES
    times = [one.at for one in happenings(contact)]
    assert times == sorted(times)
    again = deepcopy(contact.history)
    merge(contact.history, deepcopy(again))
    assert contact.history == again
