"""What a 403 means, as other requests of the same kind show it."""

from __future__ import annotations

import pytest

from structlog.testing import capture_logs

from pipelines.action import Change, Lookup, ReadFile, Verb
from pipelines.entity import entity
from pipelines.lookup import Place, Search, Way, status
from pipelines.template import Template
from twins.clock import Turned
from worker.dynamics.errors import Forbidden, Privilege
from worker.dynamics.privileges import (
    CERTAIN,
    LONGEST_PAUSE_S,
    MOST_REMEMBERED,
    TRIAL_S,
    TRIES,
    Privileges,
    names_in,
    privilege_for,
    privilege_of,
    used_by,
)
from worker.dynamics.protocol import Request


NOTES = Privilege("annotations", "create")
CALLS = Privilege("phonecalls", "create")

ERROR = Forbidden(
    "POST annotations answered 403 0x80040220",
    status=403,
    code="0x80040220",
    detail="Principal user (Id=1, type=8) is missing prvCreateNote privilege (Id=2) on OTC=5",
)


class World:
    """One application user's privileges, on a clock that a test moves."""

    def __init__(self) -> None:
        self.time = Turned(1000.0)
        self.privileges = Privileges(self.time.clock(chance=0.0))

    def refuse(self, *contacts: str, what: Privilege = NOTES) -> list[float | None]:
        return [self.privileges.refused(what, contact, ERROR) for contact in contacts]


@pytest.fixture
def world() -> World:
    return World()


def test_one_kind_of_access_that_several_contacts_are_refused_waits_and_others_do_not(
    world: World,
) -> None:
    world.refuse("a", "b", "c")
    assert world.privileges.missing == [NOTES]
    assert world.privileges.waits_s(NOTES, "d") == TRIAL_S
    assert world.privileges.waits_s(CALLS, "d") == 0
    assert world.privileges.waits_s(Privilege("annotations", "read"), "d") == 0


def test_what_is_refused_is_one_alarm_that_names_table_and_privilege(world: World) -> None:
    with capture_logs() as lines:
        world.refuse("a", "b", "c", "d", "e")
        world.privileges.granted(NOTES, "f")
    alarm, end = lines
    told = {name: alarm[name] for name in ("event", "table", "access", "privilege", "log_level")}
    assert told == {
        "event": "dynamics.forbidden",
        "table": "annotations",
        "access": "create",
        "privilege": "prvCreateNote",
        "log_level": "error",
    }
    assert (end["event"], end["table"]) == ("dynamics.granted", "annotations")


def test_one_contact_a_minute_tries_for_all(world: World) -> None:
    world.refuse("a", "b", "c")
    world.time.now += TRIAL_S
    assert world.privileges.waits_s(NOTES, "d") == 0
    world.privileges.begin(NOTES, "d")
    assert world.privileges.waits_s(NOTES, "e") >= TRIAL_S
    assert world.refuse("d") == [2 * TRIAL_S]


def test_the_longer_a_privilege_is_missing_the_rarer_the_others_look_again(world: World) -> None:
    world.refuse("a", "b", "c")
    world.privileges.begin(NOTES, "a")
    world.time.now += 600
    world.privileges.begin(NOTES, "a")
    assert world.privileges.waits_s(NOTES, "b") == 600
    world.time.now += 36_000
    world.privileges.begin(NOTES, "a")
    assert world.privileges.waits_s(NOTES, "b") == LONGEST_PAUSE_S
    assert world.privileges.waits_s(NOTES, "a") == 2 * TRIAL_S


def test_a_contact_that_was_never_refused_need_not_wait_until_those_that_are_let_it_try(
    world: World,
) -> None:
    world.refuse("a", "b", "c")
    world.time.now += TRIAL_S
    world.privileges.begin(NOTES, "a")
    world.refuse("a")
    assert world.privileges.waits_s(NOTES, "new") == 0
    world.privileges.begin(NOTES, "new")
    assert world.privileges.waits_s(NOTES, "newer") > 0  # one after the other
    world.refuse("new")
    assert world.privileges.waits_s(NOTES, "newer") > 0


def test_contacts_that_are_refused_in_the_silence_after_others_do_not_try_without_a_pause(
    world: World,
) -> None:
    world.refuse("a", "b")
    world.privileges.granted(NOTES, "c")
    said = world.refuse("a", "b", *"ab" * 10)
    assert min(one for one in said[4:] if one is not None) >= TRIAL_S


def test_a_success_says_that_the_role_is_mended(world: World) -> None:
    world.refuse("a", "b", "c")
    world.privileges.granted(NOTES, "d")
    assert not world.privileges.missing
    assert [world.privileges.waits_s(NOTES, contact) for contact in "abcd"] == [0] * 4


def test_a_contact_that_is_refused_while_others_succeed_is_at_fault_itself(world: World) -> None:
    said = world.refuse("a")
    for _ in range(TRIES):
        world.privileges.granted(NOTES, "b")
        said += world.refuse("a")
    assert said[-1] is None
    assert None not in said[:-1]
    assert not world.privileges.missing


def test_successes_of_long_ago_say_nothing_of_a_role_that_is_lost_now(world: World) -> None:
    world.refuse("a")
    for other in "bcdef":
        world.privileges.granted(NOTES, other)
    assert None not in world.refuse(*"a" * 10)


def test_of_a_contact_that_is_refused_alone_in_silence_nothing_is_known_and_it_waits(
    world: World,
) -> None:
    said = world.refuse(*"a" * 10)
    assert None not in said
    assert said[-1] == 2 * TRIAL_S
    assert world.privileges.missing == [NOTES]  # there is something to be looked at
    assert world.privileges.waits_s(NOTES, "b") == 0  # but nobody else is held up


def test_contacts_that_are_refused_after_a_role_came_and_went_are_not_at_fault(
    world: World,
) -> None:
    world.refuse("a")
    world.privileges.granted(NOTES, "b")
    said = [one for _ in range(10) for one in world.refuse("a", "c", "d")]
    assert None not in said[2:]


def refuse_in_a_hurry(world: World, *contacts: str) -> list[float | None]:
    refused = world.privileges.refused
    return [refused(NOTES, contact, ERROR, must_end=True) for contact in contacts]


def test_where_there_is_no_time_to_wait_the_first_refusal_ends_it_once_several_were_refused(
    world: World,
) -> None:
    said = refuse_in_a_hurry(world, "a", "b", "c", "d")
    assert [one is None for one in said] == [False, False, True, True]


def test_where_there_is_no_time_to_wait_what_many_are_refused_is_not_asked_any_more(
    world: World,
) -> None:
    contacts = [str(number) for number in range(CERTAIN)]
    refuse_in_a_hurry(world, *contacts[:-1])
    assert world.privileges.denied(NOTES) is None
    refuse_in_a_hurry(world, contacts[-1])
    assert world.privileges.denied(NOTES) is ERROR


def test_what_was_ever_allowed_is_asked_for_each_contact(world: World) -> None:
    world.privileges.granted(NOTES, "first")
    refuse_in_a_hurry(world, *map(str, range(2 * CERTAIN)))
    assert world.privileges.denied(NOTES) is None


def test_where_there_is_no_time_to_wait_a_contact_alone_is_tried_a_few_times(world: World) -> None:
    said = [world.privileges.refused(NOTES, "a", ERROR, must_end=True) for _ in range(TRIES)]
    assert [one is None for one in said] == [False] * (TRIES - 1) + [True]
    assert world.privileges.denied(NOTES) is None


def test_what_is_remembered_of_refused_contacts_is_bounded(world: World) -> None:
    world.refuse(*map(str, range(5 * MOST_REMEMBERED)))
    (state,) = world.privileges._states.values()
    assert len(state.refused) == MOST_REMEMBERED
    assert len(state.in_a_row) == CERTAIN


def test_a_message_that_names_no_privilege_names_none() -> None:
    assert not list(names_in(Forbidden("test", detail="SecLib::AccessCheckEx failed. +15550100")))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (Request("POST", "annotations"), ("annotations", "create")),
        (Request("PATCH", "tasks(1)", {"If-None-Match": "*"}), ("tasks", "create")),
        (Request("PATCH", "tasks(1)", {"If-Match": "*"}), ("tasks", "write")),
        (Request("PUT", "phonecalls(1)/phonecall_activity_parties"), ("phonecalls", "write")),
        (Request("GET", "contacts?$select=fullname"), ("contacts", "read")),
    ],
    ids=str,
)
def test_a_request_needs_a_privilege_of_its_table(
    request_: Request, expected: tuple[str, str]
) -> None:
    assert privilege_of(request_) == expected


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        (Verb.CREATE, ("phonecalls", "create")),
        (Verb.ADOPT, ("phonecalls", "read")),
        (Verb.REOPEN, ("phonecalls", "write")),
        (Verb.PARTIES, ("phonecalls", "write")),
        (Verb.NOTE, ("annotations", "create")),
        (Verb.CLOSE, ("phonecalls", "write")),
    ],
)
def test_a_change_needs_a_privilege_of_its_record_and_a_note_one_of_notes(
    verb: Verb, expected: tuple[str, str]
) -> None:
    change = Change(verb, ("p/s",), "phonecalls(1)")
    assert privilege_for(change) == expected
    assert used_by(change, {}) == [expected]


def test_a_file_needs_no_privilege() -> None:
    assert privilege_for(ReadFile("p/s", "bucket", "key")) is None
    assert used_by(ReadFile("p/s", "bucket", "key"), {}) == []


def search(table: str, otherwise: Search | None = None) -> Search:
    way = Way("email", Template("x"), ("emailaddress1",))
    return Search(Place(entity(table), (way,)).table, way, "a@b.example", otherwise=otherwise)


def test_a_lookup_has_read_the_tables_after_the_first_only_if_nobody_was_found() -> None:
    both = search("contacts", search("accounts"))
    lookup = Lookup("p/s", both.queries()[0], search=both)
    assert privilege_for(lookup) == ("contacts", "read")
    assert used_by(lookup, status("SingleMatch")) == [("contacts", "read")]
    assert used_by(lookup, status("NoMatch")) == [("contacts", "read"), ("accounts", "read")]


def test_a_lookup_that_asks_nothing_shows_nothing() -> None:
    assert used_by(Lookup("p/s", ""), status("NoMatch")) == []
